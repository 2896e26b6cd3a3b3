/* From the live values of one source record, or of several that are one customer, to what is shown of them.  For
 * compose.c alone. */
#ifndef KT_PROTO_COMPOSE_FIELDS_H
#define KT_PROTO_COMPOSE_FIELDS_H

#include "proto/view/view.h"

/* What one compartment knows of one entity. */
struct kt_part {
    kt_compartment compartment;
    const struct kt_view_record *record;
};

/* Fills shown, created and modified of `out` from parts, which stand in order of entity id.  `conflicts` (NULL: not
 * asked for) has room for as many as there are values, and gets those of registers with several values. */
int kt_compose_fields(const struct kt_part *parts, uint32_t n, struct kt_arena *arena, struct kt_shown_entity *out,
                      struct kt_view_conflict *conflicts, uint32_t *conflicts_len) KT_MUST;

/* The entity whose conflicts and data are under another's key: of a task its case, else itself. */
const struct kt_entity_id *kt_compose_ward(const struct kt_view_record *r);

#endif
