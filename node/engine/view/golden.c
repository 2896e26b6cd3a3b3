/* Who is one person: the connected component of source records under links whose verdict is MATCH.  Links are core. */
#include "engine/view/back.h"

#include <stdlib.h>

struct walk {
    struct kt_entity_id members[KT_GROUP_RECORDS_MAX];
    uint32_t len;
};

static int add_neighbour(void *ctx, const struct kt_back *back)
{
    struct walk *k = ctx;
    if (!back->joined) return KT_OK;
    for (uint32_t i = 0; i < k->len; i++)
        if (memcmp(&k->members[i], &back->other, sizeof back->other) == 0) return KT_OK;
    if (k->len == KT_GROUP_RECORDS_MAX) return KT_ELIMIT;
    k->members[k->len++] = back->other;
    return KT_OK;
}

static int compare(const void *a, const void *b) { return memcmp(a, b, KT_ENTITY_ID_BYTES); }

int kt_golden_group(struct kt_workset *w, const struct kt_entity_id *id, struct kt_group *out)
{
    struct walk k = {.members = {*id}, .len = 1};
    int e = KT_OK;
    for (uint32_t i = 0; i < k.len && !e; i++) e = kt_back_each(w, &k.members[i], KT_CORE, add_neighbour, &k);
    if (e == KT_ELIMIT)
        k.len = 1; /* too large to be one person */
    else if (e)
        return e;
    qsort(k.members, k.len, sizeof k.members[0], compare);
    out->members = kt_arena_array(kt_workset_arena(w), k.len, sizeof *out->members);
    if (!out->members) return KT_ELIMIT;
    memcpy(out->members, k.members, k.len * sizeof k.members[0]);
    out->len = k.len;
    return KT_OK;
}
