/* What a ward's state in one compartment says about finding and joining it: index terms, references, conflicts, flags.
 * A pure reading of the working set.  Memory from the workset's arena.  Engine thread; lookups for conflicts. */
#ifndef KT_ENGINE_FACTS_H
#define KT_ENGINE_FACTS_H

#include "engine/view/heads.h"
#include "proto/view/view.h"

struct kt_facts {
    uint32_t kind; /* 0: nothing of it is live here */
    struct kt_head_part part;
    /* where each of part.conflicts is, in no order */
    struct kt_fact_conflict {
        uint8_t id[KT_CONFLICT_ID_BYTES];
        const struct kt_slot *slot;
    } * conflicts;
    uint32_t conflicts_len;
};

/* A ward in one compartment, and in those that are looked at together with it (itself among them): all of them where
 * something in it is deleted, since what outlives a deletion may stand in any. */
struct kt_facts_ask {
    struct kt_bytes phone_country;
    struct kt_ward *ward;
    struct kt_ward *const *together;
    uint32_t together_len;
    uint32_t hint; /* the ward's kind as its head row has it, 0 where there is none */
};
int kt_facts_of(struct kt_workset *w, const struct kt_facts_ask *ask, struct kt_facts *out) KT_MUST;
/* Does it hold a `deleted`, of itself or of an entity inside? */
bool kt_facts_deletions(const struct kt_ward *ward);

/* The live values of a slot as the rules of proto/view/view.h take them. */
int kt_slot_values(const struct kt_slot *slot, struct kt_arena *arena, struct kt_view_value **out) KT_MUST;
/* The live value shown of a register; NULL: nothing is live.  conflict may be NULL. */
int kt_slot_shown(const struct kt_slot *slot, struct kt_arena *arena, const struct kt_live **shown,
                  bool *conflict) KT_MUST;

#endif
