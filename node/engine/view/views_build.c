/* One view: every ward that shows in it, section by section, sealed into one row. */
#include "engine/view/contradictions.h"
#include "engine/view/view_sections.h"
#include "engine/view/views_state.h"

#include <stdlib.h>

/* Is there anything of its own to show, and was it not deleted? */
static bool shows(struct kt_views *v, const struct kt_ward_head *h)
{
    if (kt_head_flag(h, KT_PART_DELETED)) return kt_head_flag(h, KT_PART_OUTLIVED);
    /* a node that does not read core never sees a customer's source; it shows what it has */
    const bool blind = h->kind == KT_CUSTOMER && !kt_keyring_compartment(kt_workset_keyring(v->w), KT_CORE);
    return blind || kt_head_flag(h, KT_PART_RECORD);
}

static int add_ward(struct kt_views *v, struct kt_view_draft *d, const struct kt_ward_head *h)
{
    int e = KT_OK;
    if (!shows(v, h)) return KT_OK;
    for (uint32_t i = 0; i < h->parts_len && !e; i++) {
        struct kt_ward *ward;
        e = kt_workset_ward(v->w, h->parts[i].compartment, &h->id, &ward);
        if (e == KT_EKEY)
            e = KT_OK; /* a compartment it reads no more */
        else if (!e)
            e = kt_view_draft_ward(d, ward, h->kind);
    }
    return e;
}

/* The wards that refer to any member of a group, each once. */
struct referring {
    struct kt_arena *arena;
    struct kt_entity_id *ids;
    uint32_t len, cap;
    struct kt_partings partings;
};

static int note_referring(void *ctx, const struct kt_back *back)
{
    struct referring *r = ctx;
    if (back->kind == KT_IDENTITY_LINK) return kt_partings_note(&r->partings, back);
    if (r->len == r->cap) {
        const uint32_t cap = r->cap ? r->cap * 2 : 16;
        struct kt_entity_id *grown = kt_arena_array(r->arena, cap, sizeof *grown);
        if (!grown) return KT_ELIMIT;
        if (r->len) memcpy(grown, r->ids, r->len * sizeof *grown);
        r->ids = grown;
        r->cap = cap;
    }
    r->ids[r->len++] = back->ward;
    return KT_OK;
}

static int compare_ids(const void *a, const void *b) { return memcmp(a, b, KT_ENTITY_ID_BYTES); }

/* A link that contradicts the group shows in its view. */
static int add_contradictions(struct kt_views *v, struct kt_view_draft *d, struct kt_partings *p)
{
    kt_partings_sort(p);
    int e = v->regrouped ? kt_partings_follow(v->w, p) : KT_OK;
    for (uint32_t i = 0; i < p->len && !e; i++) {
        struct kt_ward_head head;
        if (!p->items[i].inside) continue;
        e = kt_head_load(v->w, &p->items[i].link, &head);
        if (!e && head.kind == KT_IDENTITY_LINK) e = add_ward(v, d, &head);
    }
    return e;
}

static int add_referring(struct kt_views *v, struct kt_view_draft *d, const struct kt_group *g)
{
    struct referring r = {
        .arena = &v->scratch, .partings = {.arena = &v->scratch, .group = g}
    };
    int e = KT_OK;
    for (uint32_t i = 0; i < g->len && !e; i++) e = kt_back_each(v->w, &g->members[i], 0, note_referring, &r);
    if (r.len > 1) qsort(r.ids, r.len, sizeof *r.ids, compare_ids);
    for (uint32_t i = 0; i < r.len && !e; i++) {
        struct kt_ward_head head;
        if (i && memcmp(&r.ids[i - 1], &r.ids[i], sizeof *r.ids) == 0) continue;
        e = kt_head_load(v->w, &r.ids[i], &head);
        if (!e && head.kind) e = add_ward(v, d, &head);
    }
    return e ? e : add_contradictions(v, d, &r.partings);
}

static int by_compartment(const void *a, const void *b)
{
    const struct kt_section_draft *x = a, *y = b;
    return (x->compartment > y->compartment) - (x->compartment < y->compartment);
}

static int put_view(struct kt_views *v, struct kt_view_draft *d, const struct kt_entity_id *display, uint64_t row)
{
    struct kt_view_about about = {.display_id = *display};
    int e = KT_OK;
    about.heads_len = kt_newest_heads(&d->newest, about.heads);
    kt_buf_clear(&v->packed);
    kt_view_row_about(&v->packed, &about);
    qsort(d->sections, d->sections_len, sizeof d->sections[0], by_compartment);
    for (uint32_t i = 0; i < d->sections_len && !e; i++) {
        kt_buf_clear(&v->section);
        e = kt_view_draft_encode(d, &d->sections[i], &v->section);
        if (!e)
            e = kt_view_row_section(v->w, &v->packed, row, d->sections[i].compartment, kt_views_nonce(v),
                                    kt_buf_bytes(&v->section));
    }
    if (!e) e = v->packed.err;
    return e ? e : kt_view_row_put(v->w, row, kt_buf_bytes(&v->packed));
}

static const uint8_t *draw_nonce(void *ctx) { return kt_views_nonce(ctx); }

static void begin_draft(struct kt_views *v, struct kt_view_draft *d)
{
    d->w = v->w;
    d->arena = &v->scratch;
    d->nonce = draw_nonce;
    d->nonce_ctx = v;
}

int kt_views_build_group(struct kt_views *v, const struct kt_group *g)
{
    struct kt_view_draft *d = kt_arena_alloc(&v->scratch, sizeof *d);
    uint64_t row = 0;
    int e = KT_OK;
    if (!d) return KT_ELIMIT;
    begin_draft(v, d);
    for (uint32_t i = 0; i < g->len && !e; i++) {
        struct kt_ward_head head;
        if ((e = kt_head_load(v->w, &g->members[i], &head))) break;
        if (head.kind != KT_CUSTOMER || !head.row) continue; /* a link can name anything */
        if (!row)
            row = head.row;
        else
            e = kt_view_row_redirect(v->w, head.row, row);
        if (!e) e = add_ward(v, d, &head);
    }
    if (!e && row) e = add_referring(v, d, g);
    return e || !row ? e : put_view(v, d, &g->members[0], row);
}

int kt_views_build_alone(struct kt_views *v, const struct kt_ward_head *head)
{
    if (kt_head_primary(head)) return KT_OK; /* it shows in its customers' views */
    struct kt_view_draft *d = kt_arena_alloc(&v->scratch, sizeof *d);
    if (!d) return KT_ELIMIT;
    begin_draft(v, d);
    int e = add_ward(v, d, head);
    return e ? e : put_view(v, d, &head->id, head->row);
}
