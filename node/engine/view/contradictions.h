/* Contradictions: links that say NO_MATCH between two records which other links join into one golden customer.  The
 * customer stays one, people are told (DESIGN section 5).
 *
 * store_contradiction, id of the link -> nothing: as many rows as there are.  Links and groups are core: every office
 * that reads core has the same.  Engine thread. */
#ifndef KT_ENGINE_CONTRADICTIONS_H
#define KT_ENGINE_CONTRADICTIONS_H

#include "engine/view/back.h"

/* The NO_MATCH links at the records of a group, as they are met among its back references. */
struct kt_parting {
    struct kt_entity_id link;
    bool inside; /* both its ends are in the group: a contradiction */
};
struct kt_partings {
    struct kt_arena *arena; /* set by the caller, as the group is */
    const struct kt_group *group;
    struct kt_parting *items;
    uint32_t len, cap;
};
/* Takes note of a back reference, where it is such a link; a contradiction is met at both its ends and noted at each.
 */
int kt_partings_note(struct kt_partings *p, const struct kt_back *back) KT_MUST;
/* Ascending, each once. */
void kt_partings_sort(struct kt_partings *p);
/* Rows come and go as the group says. */
int kt_partings_follow(struct kt_workset *w, const struct kt_partings *p) KT_MUST;
/* The link says NO_MATCH no more. */
int kt_contradiction_del(struct kt_workset *w, const struct kt_entity_id *link) KT_MUST;

#endif
