/* The one merge rule (DESIGN section 4).  What is live is what was added and not replaced.  An op replaces only dots of
 * its own compartment, ward, entity and field, of its own generation or below; if a replaced dot is not here yet, a
 * debt cancels it when it comes.  So the live set is the same under any order of delivery, with no tombstones.
 *
 * Merge knows no disk: it works on slots that its caller keeps (struct kt_merge_port), and tells each live value that
 * comes or goes, so that digests and indexes follow. */
#ifndef KT_CORE_MERGE_H
#define KT_CORE_MERGE_H

#include "proto/batch/op.h"

/* One live value. */
struct kt_live {
    struct kt_dot dot;
    kt_hlc stamp;
    uint32_t generation;
    uint64_t position;      /* local: the journal position that brought it; what a basis token compares with */
    struct kt_bytes value;  /* owned by whoever owns the slot */
    struct kt_bytes by;     /* the actor */
};

/* Everything live under one (entity, field, element); values in dot order. */
struct kt_slot {
    struct kt_entity_id entity;
    uint32_t field;
    struct kt_bytes element; /* as the ops name it: digests cover it */
    struct kt_live *live;
    uint32_t live_len, live_cap;
    bool dirty;
};

struct kt_debt {
    kt_compartment compartment;
    struct kt_entity_id ward, entity;
    uint32_t field;
    struct kt_dot dot; /* the one to be cancelled */
    uint32_t generation;
};

/* What an op comes with. */
struct kt_op_context {
    kt_compartment compartment;
    struct kt_entity_id ward;
    struct kt_dot dot;
    kt_hlc stamp;
    uint32_t generation;
    uint64_t position;
    struct kt_bytes by;
};

/* What merge needs from its caller.  Callbacks that give int: KT_OK or an error that ends the merge at once. */
struct kt_merge_port {
    void *ctx;
    /* The slot; created empty if there is none and `create`; NULL with KT_OK where there is none. */
    int (*slot)(void *ctx, const struct kt_op_context *at, const struct kt_entity_id *entity, uint32_t field,
                struct kt_bytes element, bool create, struct kt_slot **out);
    /* The slot of (entity, field) in which `dot` is live, looking at `hint` first; NULL where it is live nowhere. */
    int (*holding)(void *ctx, const struct kt_op_context *at, const struct kt_entity_id *entity, uint32_t field,
                   struct kt_bytes hint, const struct kt_dot *dot, struct kt_slot **out);
    /* Has the op of this dot taken effect here already (its batch applied, its envelope not held)?  Not yet true for
     * ops of the batch or the held envelope that is being merged now. */
    int (*settled)(void *ctx, const struct kt_op_context *at, const struct kt_dot *dot, bool *out);
    /* Keeps a debt.  Debts of one dot that name another ward, entity or field stand side by side (one names it
     * wrongly, and nobody knows yet which); of the same names the greatest generation is kept. */
    int (*debt_put)(void *ctx, const struct kt_debt *debt);
    /* Is there a debt that cancels this very op: same compartment, ward, entity, field, dot, generation not above. */
    int (*debt_covers)(void *ctx, const struct kt_op_context *at, const struct kt_op *op, bool *out);
    /* Room for one more live value in the slot; copies of value and by that live as long as the slot. */
    int (*own)(void *ctx, struct kt_slot *slot, struct kt_live *live);
    /* A live value came or went (for the digest); called with the slot as it will be. */
    void (*came)(void *ctx, const struct kt_op_context *at, const struct kt_slot *slot, const struct kt_live *live);
    void (*went)(void *ctx, const struct kt_op_context *at, const struct kt_slot *slot, const struct kt_live *live);
};

/* Merges one op.  Doing it again changes nothing; but what has settled, and may have been replaced since, is not to be
 * merged again: the caller's vector sees to that. */
int kt_merge_op(const struct kt_merge_port *port, const struct kt_op_context *at, const struct kt_op *op) KT_MUST;

/* Row form of slots (the store's state and list rows; also what a view copies from): length-prefixed, in order of
 * entity, field, element (else KT_EBUG); empty slots are left out.  Positions are kept.  Decoding borrows from `in`,
 * arrays from the arena.  KT_EVERSION, KT_ETRUNCATED, KT_EOVERSIZE, KT_EMALFORMED; KT_ELIMIT: the arena's cap. */
int kt_slots_encode(const struct kt_slot *const *slots, size_t n, struct kt_buf *out) KT_MUST;
int kt_slots_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_slot **slots, size_t *n) KT_MUST;
int kt_slot_compare(const struct kt_slot *a, const struct kt_slot *b);

#endif
