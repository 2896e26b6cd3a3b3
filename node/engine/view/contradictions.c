#include "engine/view/contradictions.h"

#include <stdlib.h>

static bool in_group(const struct kt_group *g, const struct kt_entity_id *id)
{
    for (uint32_t i = 0; i < g->len; i++)
        if (memcmp(&g->members[i], id, sizeof *id) == 0) return true;
    return false;
}

int kt_partings_note(struct kt_partings *p, const struct kt_back *back)
{
    if (!back->apart) return KT_OK;
    if (p->len == p->cap) {
        const uint32_t cap = p->cap ? p->cap * 2 : 8;
        struct kt_parting *grown = kt_arena_array(p->arena, cap, sizeof *grown);
        if (!grown) return KT_ELIMIT;
        if (p->len) memcpy(grown, p->items, p->len * sizeof *grown);
        p->items = grown;
        p->cap = cap;
    }
    p->items[p->len++] = (struct kt_parting){back->ward, in_group(p->group, &back->other)};
    return KT_OK;
}

static int compare(const void *a, const void *b)
{
    const struct kt_parting *x = a, *y = b;
    return memcmp(&x->link, &y->link, sizeof x->link);
}

void kt_partings_sort(struct kt_partings *p)
{
    uint32_t n = 0;
    if (p->len > 1) qsort(p->items, p->len, sizeof *p->items, compare);
    for (uint32_t i = 0; i < p->len; i++)
        if (n == 0 || compare(&p->items[n - 1], &p->items[i])) p->items[n++] = p->items[i];
    p->len = n;
}

int kt_partings_follow(struct kt_workset *w, const struct kt_partings *p)
{
    const struct kt_store_ops *ops = kt_workset_store(w)->ops;
    int e = KT_OK;
    for (uint32_t i = 0; i < p->len && !e; i++) {
        const struct kt_bytes key = KT_BYTES_OF(p->items[i].link);
        e = p->items[i].inside ? ops->put(kt_workset_txn(w), KT_T_store_contradiction, key, kt_bytes(NULL, 0))
                               : kt_contradiction_del(w, &p->items[i].link);
    }
    return e;
}

int kt_contradiction_del(struct kt_workset *w, const struct kt_entity_id *link)
{
    return kt_workset_store(w)->ops->del(kt_workset_txn(w), KT_T_store_contradiction, KT_BYTES_OF(*link));
}
