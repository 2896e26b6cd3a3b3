/* What a changed ward says now against what its head row says it said: index, conflicts, back references, rows. */
#include "engine/view/conflict_rows.h"
#include "engine/view/contradictions.h"
#include "engine/view/index.h"
#include "engine/view/list_top.h"
#include "engine/view/view_row.h"
#include "engine/view/views_state.h"

static const struct kt_bytes next_row_key = {(const uint8_t *)"next-row", 8};

int kt_views_rows_begin(struct kt_views *v)
{
    struct kt_bytes value;
    int e = kt_workset_store(v->w)->ops->get(kt_workset_txn(v->w), KT_T_store_meta, next_row_key, &value);
    v->next_row = 1;
    if (!e) {
        struct kt_reader r = kt_reader(value);
        v->next_row = kt_take_be64(&r);
        if (r.err || v->next_row == 0) return KT_EDAMAGED;
    }
    v->rows_begun = v->next_row;
    return e == KT_ENOTFOUND ? KT_OK : e;
}

int kt_views_rows_end(struct kt_views *v)
{
    uint8_t value[8];
    if (v->next_row == v->rows_begun) return KT_OK;
    for (int i = 0; i < 8; i++) value[i] = (uint8_t)(v->next_row >> (56 - 8 * i));
    return kt_workset_store(v->w)->ops->put(kt_workset_txn(v->w), KT_T_store_meta, next_row_key, KT_BYTES_OF(value));
}

const uint8_t *kt_views_nonce(struct kt_views *v)
{
    for (int i = 23; i >= 0 && ++v->nonce[i] == 0; i--) continue;
    return v->nonce;
}

/* One part of one ward on its way from what it said to what it says. */
struct step {
    struct kt_views *v;
    struct kt_ward_change *c;
    const struct kt_facts *facts;
    const struct kt_ward *ward;
    const struct kt_head_part *old;
};

static int term_changed(void *ctx, const uint8_t *term, bool came)
{
    struct step *s = ctx;
    return came ? kt_index_add(s->v->w, term, s->c->head.row) : kt_index_remove(s->v->w, term, s->c->head.row);
}

static int conflict_changed(void *ctx, const uint8_t *id, bool came)
{
    struct step *s = ctx;
    const struct kt_slot *slot = NULL;
    if (!came) return kt_conflict_row_del(s->v->w, id);
    for (uint32_t i = 0; i < s->facts->conflicts_len; i++)
        if (memcmp(s->facts->conflicts[i].id, id, KT_CONFLICT_ID_BYTES) == 0) slot = s->facts->conflicts[i].slot;
    const struct kt_conflict_place at = {s->ward->compartment, s->ward->id, slot->entity, slot->field, slot->element};
    return kt_conflict_row_put(s->v->w, id, &at, kt_views_nonce(s->v));
}

/* A customer named before it came has a row of its own from then on. */
static int make_placeholder(struct kt_views *v, const struct kt_entity_id *id)
{
    struct kt_ward_head head;
    int e = kt_head_load(v->w, id, &head);
    if (e || head.kind) return e;
    head.kind = KT_CUSTOMER;
    head.row = v->next_row++;
    return kt_head_save(v->w, &head);
}

/* Those that came are written by put_refs. */
static int ref_changed(void *ctx, const uint8_t *item, bool came)
{
    struct step *s = ctx;
    struct kt_entity_id id;
    memcpy(id.b, item, sizeof id.b);
    return came ? KT_OK : kt_back_del(s->v->w, &id, s->ward->compartment, &s->ward->id);
}

/* Back rows of references that stand, written where they are new or where the link says something else now. */
static int put_refs(struct step *s)
{
    const struct kt_run refs = s->facts->part.refs;
    const uint8_t verdict = s->facts->part.flags & KT_PART_VERDICT, said = s->old->flags & KT_PART_VERDICT;
    if (said & KT_PART_APART && !(verdict & KT_PART_APART)) {
        int gone = kt_contradiction_del(s->v->w, &s->ward->id);
        if (gone) return gone;
    }
    if (s->old->refs.len == refs.len && verdict == said &&
        (refs.len == 0 || memcmp(s->old->refs.items, refs.items, refs.len * (size_t)KT_ENTITY_ID_BYTES) == 0))
        return KT_OK;
    int e = KT_OK;
    for (uint32_t i = 0; i < refs.len && !e; i++) {
        struct kt_entity_id id;
        struct kt_back back = {.compartment = s->ward->compartment,
                               .ward = s->ward->id,
                               .kind = s->c->kind,
                               .joined = verdict & KT_PART_JOINED,
                               .apart = verdict & KT_PART_APART};
        memcpy(id.b, refs.items + i * KT_ENTITY_ID_BYTES, sizeof id.b);
        if (s->c->kind == KT_IDENTITY_LINK && refs.len == 2)
            memcpy(back.other.b, refs.items + (1 - i) * KT_ENTITY_ID_BYTES, sizeof back.other.b);
        e = make_placeholder(s->v, &id);
        if (!e) e = kt_back_put(s->v->w, &id, &back);
    }
    return e;
}

static int follow_part(struct kt_views *v, struct kt_ward_change *c, uint32_t i)
{
    const struct kt_head_part *now = &c->facts[i].part;
    struct kt_head_part *part = kt_head_part_of(v->w, &c->head, c->dirty[i]->compartment);
    if (!part) return KT_ELIMIT;
    struct step s = {.v = v, .c = c, .facts = &c->facts[i], .ward = c->dirty[i], .old = part};
    int e = kt_run_diff(part->terms, now->terms, KT_TERM_BYTES, term_changed, &s);
    if (!e) e = kt_run_diff(part->conflicts, now->conflicts, KT_CONFLICT_ID_BYTES, conflict_changed, &s);
    if (!e) e = kt_run_diff(part->refs, now->refs, KT_ENTITY_ID_BYTES, ref_changed, &s);
    if (!e) e = put_refs(&s);
    if (!e) *part = *now;
    return e;
}

/* Everything the ward names shows it, before and after. */
static int affect_refs(struct kt_views *v, const struct kt_ward_change *c)
{
    int e = KT_OK;
    for (uint32_t i = 0; i < c->head.parts_len && !e; i++)
        for (uint32_t k = 0; k < c->head.parts[i].refs.len && !e; k++) {
            struct kt_entity_id id;
            memcpy(id.b, c->head.parts[i].refs.items + k * KT_ENTITY_ID_BYTES, sizeof id.b);
            e = kt_views_affect(v, &id);
        }
    return e;
}

/* Its own row leads to the customer it belongs to, or holds a view of its own. */
static int point_row(struct kt_views *v, const struct kt_ward_change *c)
{
    struct kt_ward_head customer;
    const struct kt_entity_id *primary = kt_head_primary(&c->head);
    if (!c->head.row) return KT_OK;
    if (!primary) return kt_views_affect(v, &c->head.id);
    int e = kt_head_load(v->w, primary, &customer);
    if (e || customer.kind != KT_CUSTOMER) return e; /* what it names is no customer: it shows nowhere */
    return kt_view_row_redirect(v->w, c->head.row, customer.row);
}

static const uint8_t *draw_nonce(void *ctx) { return kt_views_nonce(ctx); }

int kt_views_follow(struct kt_views *v, struct kt_ward_change *c)
{
    if (!c->kind) return KT_OK; /* it never held anything this binary knows */
    /* again: another ward of this transaction may have named it, and given it a row */
    int e = kt_head_load(v->w, &c->dirty[0]->id, &c->head);
    if (e) return e;
    const bool dependent = c->kind == KT_CASE || c->kind == KT_LICENCE;
    const bool first = c->head.row == 0;
    bool record = kt_head_flag(&c->head, KT_PART_RECORD);
    if (dependent || c->kind == KT_RELATIONSHIP) e = affect_refs(v, c);
    c->head.kind = c->kind;
    for (uint32_t i = 0; i < c->dirty_len; i++)
        record = record || (c->facts[i].part.flags & KT_PART_RECORD) || c->facts[i].part.terms.len;
    if (first && (c->kind == KT_CUSTOMER || (dependent && record))) c->head.row = v->next_row++;
    for (uint32_t i = 0; i < c->dirty_len && !e; i++) {
        e = follow_part(v, c, i);
        if (!e) e = kt_list_top_follow(v->w, c->dirty[i], draw_nonce, v);
    }
    if (!e) e = kt_head_save(v->w, &c->head);
    if (!e && c->kind == KT_CUSTOMER) e = kt_views_affect(v, &c->head.id);
    if (!e && (dependent || c->kind == KT_RELATIONSHIP)) e = affect_refs(v, c);
    return e || !dependent ? e : point_row(v, c);
}
