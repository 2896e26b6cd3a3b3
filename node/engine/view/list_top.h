/* The top of a long list: how many rows it has, and which are its newest, so that a row more or less costs no walk
 * through all of them.
 *
 * Kept for lists that were found longer than KT_LIST_TOP_MAX, in store_list under the key of their rows with an empty
 * element: sealed {rows be64, (element length u8, element, stamp be64, dot 28)*}, newest first.  It is thrown away when
 * it can no longer say which rows are the newest; the next walk writes it again.  Engine thread. */
#ifndef KT_ENGINE_LIST_TOP_H
#define KT_ENGINE_LIST_TOP_H

#include "engine/ward/workset.h"

#define KT_LIST_TOP_MAX 64u /* a little more than a view shows, so that removals seldom cost a walk */

struct kt_list_row {
    uint8_t element[KT_ELEMENT_BYTES_MAX];
    uint32_t element_len;
    kt_hlc stamp;      /* of its newest live value */
    struct kt_dot dot; /* of that value */
};
struct kt_list_top {
    uint64_t rows;
    struct kt_list_row newest[KT_LIST_TOP_MAX]; /* newest first */
    uint32_t len;
};

/* *found false: none is kept. */
int kt_list_top_get(struct kt_workset *w, const struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                    struct kt_list_top *out, bool *found) KT_MUST;
int kt_list_top_put(struct kt_workset *w, const struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                    const struct kt_list_top *top, const uint8_t nonce[24]) KT_MUST;
/* Brings the tops of a ward's lists up to date with its changed rows, before they are flushed.  nonce() gives one never
 * used before. */
int kt_list_top_follow(struct kt_workset *w, struct kt_ward *ward, const uint8_t *(*nonce)(void *ctx),
                       void *ctx) KT_MUST;
/* A row's place in time: its newest live value.  The slot must have one. */
struct kt_list_row kt_list_row_of(const struct kt_slot *slot);
/* Below 0: a is newer. */
int kt_list_row_compare(const struct kt_list_row *a, const struct kt_list_row *b);

#endif
