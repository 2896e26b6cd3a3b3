/* Back references: who refers to an entity.  store_back, entity 16, compartment be32, ward 16 -> kind u8, verdict u8,
 * and of identity links the other end, so that groups are found without opening a link.  Engine thread. */
#ifndef KT_ENGINE_BACK_H
#define KT_ENGINE_BACK_H

#include "engine/ward/workset.h"

struct kt_back {
    kt_compartment compartment;
    struct kt_entity_id ward;  /* which refers */
    uint32_t kind;             /* of that ward */
    bool joined, apart;        /* of an identity link: MATCH, NO_MATCH */
    struct kt_entity_id other; /* of an identity link: its other end; else zeros */
};
int kt_back_put(struct kt_workset *w, const struct kt_entity_id *entity, const struct kt_back *back) KT_MUST;
int kt_back_del(struct kt_workset *w, const struct kt_entity_id *entity, kt_compartment c,
                const struct kt_entity_id *ward) KT_MUST;
/* All of an entity's in a compartment (0: in any), in key order.  give() must not write to the store; anything but
 * KT_OK ends the walk. */
int kt_back_each(struct kt_workset *w, const struct kt_entity_id *entity, kt_compartment c,
                 int (*give)(void *ctx, const struct kt_back *back), void *ctx) KT_MUST;

/* Who is one person: the source records joined with this one by MATCH, itself among them, ascending, in the workset's
 * arena.  A group over KT_GROUP_RECORDS_MAX is not joined: then each of its members stands alone. */
struct kt_group {
    struct kt_entity_id *members;
    uint32_t len;
};
int kt_golden_group(struct kt_workset *w, const struct kt_entity_id *id, struct kt_group *out) KT_MUST;

#endif
