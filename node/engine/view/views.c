/* From dirty wards to rebuilt views:
 *
 *   1. every dirty ward's facts are taken and held against its head row, before anything is written;
 *   2. index entries, conflicts, back references and head rows follow, customers named for the first time get rows;
 *   3. every golden customer that a changed ward shows in is built again from the working set. */
#include "engine/view/views.h"
#include "engine/view/back.h"
#include "engine/view/conflict_rows.h"
#include "engine/view/index.h"
#include "engine/view/view_sections.h"
#include "engine/view/views_state.h"

#include <stdlib.h>

#define SCRATCH_BYTES_MAX (512u << 20)

int kt_views_create(struct kt_workset *w, struct kt_bytes phone_country, struct kt_views **out)
{
    struct kt_views *v = calloc(1, sizeof *v);
    if (!v) return KT_ENOMEM;
    v->w = w;
    v->phone_country =
        kt_bytes(v->country, phone_country.len < sizeof v->country ? phone_country.len : sizeof v->country);
    if (v->phone_country.len) memcpy(v->country, phone_country.data, v->phone_country.len);
    kt_arena_init(&v->scratch, SCRATCH_BYTES_MAX);
    kt_buf_init(&v->section, KT_VIEW_ROW_BYTES_MAX);
    kt_buf_init(&v->packed, KT_VIEW_ROW_BYTES_MAX);
    *out = v;
    return KT_OK;
}

void kt_views_free(struct kt_views *v)
{
    if (!v) return;
    kt_arena_free(&v->scratch);
    kt_buf_wipe_free(&v->section);
    kt_buf_wipe_free(&v->packed);
    free(v);
}

int kt_views_contradictions(struct kt_workset *w, uint64_t *out)
{
    return kt_workset_store(w)->ops->count(kt_workset_txn(w), KT_T_store_contradiction, out);
}

int kt_views_conflicts(struct kt_workset *w, uint64_t *out)
{
    return kt_workset_store(w)->ops->count(kt_workset_txn(w), KT_T_store_conflict, out);
}

/* ---------------------------------------------------------------------------------------------------- dirty wards */

static int collect_dirty(void *ctx, struct kt_ward *ward)
{
    struct kt_views *v = ctx;
    if (v->dirty_len == v->dirty_cap) {
        const size_t cap = v->dirty_cap ? v->dirty_cap * 2 : 64;
        struct kt_ward **grown = kt_arena_array(kt_workset_arena(v->w), cap, sizeof *grown);
        if (!grown) return KT_ELIMIT;
        if (v->dirty_len) memcpy(grown, v->dirty, v->dirty_len * sizeof *grown);
        v->dirty = grown;
        v->dirty_cap = cap;
    }
    v->dirty[v->dirty_len++] = ward;
    return KT_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct kt_ward *x = *(struct kt_ward *const *)a, *y = *(struct kt_ward *const *)b;
    const int c = memcmp(&x->id, &y->id, sizeof x->id);
    return c ? c : (x->compartment > y->compartment) - (x->compartment < y->compartment);
}

int kt_views_affect(struct kt_views *v, const struct kt_entity_id *id)
{
    if (v->affected_len == v->affected_cap) {
        const size_t cap = v->affected_cap ? v->affected_cap * 2 : 64;
        struct kt_entity_id *grown = kt_arena_array(kt_workset_arena(v->w), cap, sizeof *grown);
        if (!grown) return KT_ELIMIT;
        if (v->affected_len) memcpy(grown, v->affected, v->affected_len * sizeof *grown);
        v->affected = grown;
        v->affected_cap = cap;
    }
    v->affected[v->affected_len++] = *id;
    return KT_OK;
}

static int affect_group(struct kt_views *v, const struct kt_entity_id *id)
{
    struct kt_group g;
    int e = kt_golden_group(v->w, id, &g);
    for (uint32_t i = 0; i < g.len && !e; i++) e = kt_views_affect(v, &g.members[i]);
    return e;
}

/* Both ends of a link, as the references of its part name them. */
static int affect_ends(struct kt_views *v, const struct kt_head_part *p)
{
    int e = KT_OK;
    for (uint32_t i = 0; i < p->refs.len && !e; i++) {
        struct kt_entity_id id;
        memcpy(id.b, p->refs.items + i * KT_ENTITY_ID_BYTES, sizeof id.b);
        e = affect_group(v, &id);
    }
    return e;
}

static bool same_link(const struct kt_head_part *a, const struct kt_head_part *b)
{
    const size_t bytes = (size_t)a->refs.len * KT_ENTITY_ID_BYTES;
    return (a->flags & KT_PART_VERDICT) == (b->flags & KT_PART_VERDICT) && a->refs.len == b->refs.len &&
           (bytes == 0 || memcmp(a->refs.items, b->refs.items, bytes) == 0);
}

/* Where something of the ward is deleted, or was, all its compartments are looked at again: what outlives a deletion in
 * one may stand in another. */
static int take_together(struct kt_views *v, struct kt_ward_change *c)
{
    bool deletions = kt_head_flag(&c->head, KT_PART_DELETIONS);
    for (uint32_t i = 0; i < c->dirty_len; i++) deletions = deletions || kt_facts_deletions(c->dirty[i]);
    if (!deletions) return KT_OK;
    struct kt_ward **all = kt_arena_array(kt_workset_arena(v->w), c->dirty_len + c->head.parts_len, sizeof *all);
    uint32_t n = c->dirty_len;
    if (!all) return KT_ELIMIT;
    memcpy(all, c->dirty, n * sizeof(struct kt_ward *));
    for (uint32_t i = 0; i < c->head.parts_len; i++) {
        bool dirty = false;
        for (uint32_t k = 0; k < c->dirty_len; k++)
            dirty = dirty || all[k]->compartment == c->head.parts[i].compartment;
        if (dirty) continue;
        int e = kt_workset_ward(v->w, c->head.parts[i].compartment, &c->head.id, &all[n]);
        if (e && e != KT_EKEY) return e; /* a compartment it reads no more */
        n += !e;
    }
    c->dirty = all;
    c->dirty_len = n;
    return KT_OK;
}

/* Step 1, for the wards of one id. */
static int take_facts(struct kt_views *v, struct kt_ward_change *c)
{
    int e = kt_head_load(v->w, &c->dirty[0]->id, &c->head);
    if (!e) e = take_together(v, c);
    /* once state of it is here its kind stays; a mere reference may have been wrong about it */
    c->kind = !e && c->head.parts_len ? c->head.kind : 0;
    c->facts = kt_arena_array(kt_workset_arena(v->w), c->dirty_len, sizeof *c->facts);
    if (!e && !c->facts) e = KT_ELIMIT;
    for (uint32_t i = 0; i < c->dirty_len && !e; i++) {
        const struct kt_facts_ask ask = {.phone_country = v->phone_country,
                                         .ward = c->dirty[i],
                                         .together = c->dirty,
                                         .together_len = c->dirty_len,
                                         .hint = c->head.kind};
        e = kt_facts_of(v->w, &ask, &c->facts[i]);
        if (!e && !c->kind) c->kind = c->facts[i].kind;
        if (e || c->kind != KT_IDENTITY_LINK) continue;
        const struct kt_head_part *old = kt_head_part_of(v->w, &c->head, c->dirty[i]->compartment);
        if (!old) return KT_ELIMIT;
        if (same_link(old, &c->facts[i].part)) continue;
        c->regroup = v->regrouped = true;
        e = affect_ends(v, old);
        if (!e) e = affect_ends(v, &c->facts[i].part);
    }
    return e;
}

static int gather_changes(struct kt_views *v)
{
    int e = kt_workset_dirty(v->w, collect_dirty, v);
    if (e || !v->dirty_len) return e;
    qsort(v->dirty, v->dirty_len, sizeof *v->dirty, by_id);
    v->changes = kt_arena_array(kt_workset_arena(v->w), v->dirty_len, sizeof *v->changes);
    if (!v->changes) return KT_ELIMIT;
    for (size_t i = 0; i < v->dirty_len && !e;) {
        struct kt_ward_change *c = &v->changes[v->changes_len++];
        c->dirty = v->dirty + i;
        while (i < v->dirty_len && memcmp(&v->dirty[i]->id, &c->dirty[0]->id, sizeof c->dirty[0]->id) == 0) {
            c->dirty_len++;
            i++;
        }
        e = take_facts(v, c);
    }
    return e;
}

/* ------------------------------------------------------------------------------------------------------- affected */

static int compare_ids(const void *a, const void *b) { return memcmp(a, b, KT_ENTITY_ID_BYTES); }

static void sort_affected(struct kt_views *v)
{
    size_t n = 0;
    if (v->affected_len > 1) qsort(v->affected, v->affected_len, sizeof *v->affected, compare_ids);
    for (size_t i = 0; i < v->affected_len; i++)
        if (n == 0 || memcmp(&v->affected[n - 1], &v->affected[i], sizeof *v->affected))
            v->affected[n++] = v->affected[i];
    v->affected_len = n;
}

static bool is_affected(const struct kt_views *v, const struct kt_entity_id *id)
{
    return bsearch(id, v->affected, v->affected_len, sizeof *v->affected, compare_ids) != NULL;
}

/* A group is built once: by the smallest of its members that is affected. */
static int rebuild(struct kt_views *v, const struct kt_entity_id *id)
{
    struct kt_ward_head head;
    struct kt_group g;
    int e = kt_head_load(v->w, id, &head);
    if (e || head.row == 0) return e;
    if (head.kind != KT_CUSTOMER) return kt_views_build_alone(v, &head);
    if ((e = kt_golden_group(v->w, id, &g))) return e;
    for (uint32_t i = 0; i < g.len && memcmp(&g.members[i], id, sizeof *id) < 0; i++)
        if (is_affected(v, &g.members[i])) return KT_OK;
    return kt_views_build_group(v, &g);
}

static int begin_update(struct kt_views *v)
{
    v->dirty = NULL, v->dirty_len = v->dirty_cap = 0;
    v->changes = NULL, v->changes_len = 0;
    v->regrouped = false;
    v->affected = NULL, v->affected_len = v->affected_cap = 0;
    struct kt_world *world = kt_workset_world(v->w);
    world->random(world, v->nonce, sizeof v->nonce);
    return kt_views_rows_begin(v);
}

int kt_views_update(struct kt_views *v)
{
    int e = begin_update(v);
    if (!e) e = gather_changes(v);
    for (size_t i = 0; i < v->changes_len && !e; i++) e = kt_views_follow(v, &v->changes[i]);
    for (size_t i = 0; i < v->changes_len && !e; i++)
        for (uint32_t k = 0; k < v->changes[i].dirty_len && v->changes[i].regroup && !e; k++)
            e = affect_ends(v, &v->changes[i].facts[k].part);
    if (e) return e;
    sort_affected(v);
    for (size_t i = 0; i < v->affected_len && !e; i++) {
        kt_arena_reset(&v->scratch);
        e = rebuild(v, &v->affected[i]);
    }
    return e ? e : kt_views_rows_end(v);
}
