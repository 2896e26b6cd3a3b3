/* The index: from a keyed hash of what somebody is known by to the rows of views.
 *
 * A term is BLAKE2b-192, keyed with the compartment's index key of this node, over the kind of index and the value in
 * its form for matching (proto/schema/match.h).  Its first 8 bytes are the integer key of store_index; the value there holds
 * postings {other 16 bytes, row be64}, ascending, each once.  Indexes never replicate. */
#ifndef KT_ENGINE_INDEX_H
#define KT_ENGINE_INDEX_H

#include "engine/view/heads.h"
#include "proto/schema/schema.h"

/* KT_EKEY: this node does not read the compartment. */
int kt_index_term(struct kt_workset *w, kt_compartment c, enum kt_index kind, struct kt_bytes matched,
                  uint8_t out[KT_TERM_BYTES]) KT_MUST;
int kt_index_add(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t row) KT_MUST;
int kt_index_remove(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t row) KT_MUST;
/* Rows under a term, ascending, in the workset's arena. */
int kt_index_find(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t **rows, uint32_t *len) KT_MUST;

#endif
