/* Head rows: what the node keeps of a ward in the clear, so that a change need not open what it does not touch.
 *
 * store_entity, entity id -> kind, row, and for each compartment in which the ward has state a part: flags, and the
 * index terms, listed conflicts and references that its state gave rise to when it was last looked at.  Terms and ids
 * are keyed hashes; nothing readable stands here.  The old part against the new state says what to put and what to
 * delete.
 *
 * Engine thread; lookups use the reading half with a workset of their own. */
#ifndef KT_ENGINE_HEADS_H
#define KT_ENGINE_HEADS_H

#include "engine/ward/workset.h"

#define KT_TERM_BYTES        24u
#define KT_CONFLICT_ID_BYTES 16u

/* flags of a part */
#define KT_PART_DELETED 1u /* it is deleted */
#define KT_PART_RECORD  2u /* its own record is here, not only rows or references that came before it */
#define KT_PART_JOINED  4u /* of an identity link: its verdict is MATCH */
#define KT_PART_OUTLIVED                                                                                               \
    8u                        /* ... and something stands beside, in any compartment (proto/view/rules.h): it is shown \
                               */
#define KT_PART_APART     32u /* of an identity link: its verdict is NO_MATCH */
#define KT_PART_DELETIONS 16u /* it is deleted, or an entity inside it is: its compartments are looked at together */

#define KT_PART_VERDICT (KT_PART_JOINED | KT_PART_APART)

/* Items of one size, ascending, each once. */
struct kt_run {
    const uint8_t *items;
    uint32_t len;
};

struct kt_head_part {
    kt_compartment compartment;
    uint8_t flags;
    struct kt_entity_id primary; /* the reference whose view shows this ward when it is looked up; zeros: none */
    struct kt_run terms, conflicts, refs;
};

struct kt_ward_head {
    struct kt_entity_id id;
    uint32_t kind; /* 0: no head row */
    uint64_t row;  /* of its view; 0: none */
    struct kt_head_part *parts;
    uint32_t parts_len;
};

/* kind 0 with KT_OK where there is none; KT_EDAMAGED.  Memory from the workset's arena. */
int kt_head_load(struct kt_workset *w, const struct kt_entity_id *id, struct kt_ward_head *out) KT_MUST;
int kt_head_save(struct kt_workset *w, const struct kt_ward_head *head) KT_MUST;
/* The part of a compartment, added empty where there is none; NULL: out of memory. */
struct kt_head_part *kt_head_part_of(struct kt_workset *w, struct kt_ward_head *head, kt_compartment c);
/* Does any part carry the flag? */
bool kt_head_flag(const struct kt_ward_head *head, uint8_t flag);
/* The reference whose view shows it; NULL: it has a view of its own. */
const struct kt_entity_id *kt_head_primary(const struct kt_ward_head *head);

/* What came and went between two runs. */
int kt_run_diff(struct kt_run before, struct kt_run after, size_t item_bytes,
                int (*change)(void *ctx, const uint8_t *item, bool came), void *ctx) KT_MUST;
/* Sorts in place and drops doubles. */
struct kt_run kt_run_of(uint8_t *items, uint32_t len, size_t item_bytes);

#endif
