/* State becomes views and their indexes.  After ops were merged and before the transaction commits, every view that a
 * changed ward shows in is built again, its index entries, back references and conflicts with it.
 *
 * Heads have rows: a customer's source record, a case without a customer, and so on have each a dense row number, never
 * reused, never replicated.  A view row holds the packed sections of a golden customer, [compartment, key number,
 * length, sealed]*, or the row it redirects to.  Engine thread. */
#ifndef KT_ENGINE_VIEWS_H
#define KT_ENGINE_VIEWS_H

#include "engine/ward/workset.h"

struct kt_views;

int kt_views_create(struct kt_workset *w, struct kt_bytes phone_country, struct kt_views **out) KT_MUST;
void kt_views_free(struct kt_views *v);
/* Rebuilds what the dirty wards of the open transaction touch. */
int kt_views_update(struct kt_views *v) KT_MUST;
/* How many conflicts are listed (as of the open transaction). */
int kt_views_conflicts(struct kt_workset *w, uint64_t *out) KT_MUST;
/* How many links say NO_MATCH between records of one golden customer. */
int kt_views_contradictions(struct kt_workset *w, uint64_t *out) KT_MUST;

#endif
