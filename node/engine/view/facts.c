#include "engine/view/facts.h"
#include "engine/view/index.h"
#include "proto/schema/fields.h"
#include "proto/schema/match.h"
#include "proto/view/rules.h"

/* Of one ward in one compartment.  Nobody's honest data comes near; what is beyond is not found by, not shown from the
 * other side, or not listed. */
#define TERMS_MAX     4096u
#define REFS_MAX      1024u
#define CONFLICTS_MAX 4096u
#define LISTS_MAX     32u

int kt_slot_values(const struct kt_slot *slot, struct kt_arena *arena, struct kt_view_value **out)
{
    struct kt_view_value *v = kt_arena_array(arena, slot->live_len + 1u, sizeof *v);
    if (!v) return KT_ELIMIT;
    for (uint32_t i = 0; i < slot->live_len; i++)
        v[i] = (struct kt_view_value){.field = slot->field,
                                      .element = slot->element,
                                      .value = slot->live[i].value,
                                      .dot = slot->live[i].dot,
                                      .stamp = slot->live[i].stamp};
    *out = v;
    return KT_OK;
}

int kt_slot_shown(const struct kt_slot *slot, struct kt_arena *arena, const struct kt_live **shown, bool *conflict)
{
    const struct kt_schema_field *f = kt_schema_field(slot->field);
    struct kt_view_value *values;
    bool differ = false;
    uint32_t at = slot->live_len ? slot->live_len - 1 : 0;
    if (f && slot->live_len > 1) {
        int e = kt_slot_values(slot, arena, &values);
        if (e) return e;
        at = kt_rule_pick(f, values, slot->live_len, &differ);
    }
    *shown = slot->live_len ? &slot->live[at] : NULL;
    if (conflict) *conflict = differ && f->shape == KT_REGISTER;
    return KT_OK;
}

/* What is gathered while walking a ward. */
struct gather {
    struct kt_workset *w;
    const struct kt_facts_ask *ask;
    struct kt_ward *ward;
    struct kt_facts *out;
    uint8_t *terms, *refs;
    uint32_t terms_len, terms_cap, refs_len, refs_cap;
    uint64_t primary_rank; /* of the reference taken as primary: lower is better */
};

/* Room for one more item in a growing array of the arena. */
static uint8_t *one_more(struct kt_arena *arena, uint8_t **items, uint32_t *len, uint32_t *cap, size_t item_bytes)
{
    if (*len == *cap) {
        const uint32_t grown_cap = *cap ? *cap * 2 : 8;
        uint8_t *grown = kt_arena_array(arena, grown_cap, item_bytes);
        if (!grown) return NULL;
        if (*len) memcpy(grown, *items, *len * item_bytes);
        *items = grown;
        *cap = grown_cap;
    }
    return *items + (*len)++ * item_bytes;
}

static int gather_term(struct gather *g, const struct kt_schema_field *f, const struct kt_live *live)
{
    struct kt_arena *arena = kt_workset_arena(g->w);
    enum kt_index kind;
    struct kt_bytes form;
    int e = kt_value_index(f, live->value, g->ask->phone_country, arena, &kind, &form);
    if (e == KT_ENOMEM || e == KT_ELIMIT) return e;
    if (e || kind == KT_INDEX_NONE || g->terms_len == TERMS_MAX)
        return KT_OK; /* malformed by whoever wrote it: not found */
    uint8_t *term = one_more(arena, &g->terms, &g->terms_len, &g->terms_cap, KT_TERM_BYTES);
    return term ? kt_index_term(g->w, g->ward->compartment, kind, form, term) : KT_ELIMIT;
}

/* The customer a value names, if it names one; a case asks for its requester first, then for who was named first. */
static bool named_customer(const struct kt_schema_field *f, struct kt_bytes value, struct kt_bytes *id, bool *requester)
{
    struct kt_bytes role;
    *requester = false;
    if (f->type == KT_REF && f->ref_kind == KT_CUSTOMER) {
        *id = value;
    } else {
        const struct kt_schema_column *c = f->columns;
        while (c && c->number && !(c->type == KT_REF && c->ref_kind == KT_CUSTOMER)) c++;
        if (!c || !c->number || !kt_value_column(value, c->number, id)) return false;
        if (kt_value_column(value, KT_C_ROLE_ROLE, &role)) *requester = kt_bytes_equal(role, kt_str("requester"));
    }
    return id->len == KT_ENTITY_ID_BYTES;
}

static int gather_ref(struct gather *g, const struct kt_schema_field *f, const struct kt_live *live)
{
    struct kt_bytes id;
    bool requester;
    if (!named_customer(f, live->value, &id, &requester) || g->refs_len == REFS_MAX) return KT_OK;
    uint8_t *ref = one_more(kt_workset_arena(g->w), &g->refs, &g->refs_len, &g->refs_cap, KT_ENTITY_ID_BYTES);
    if (!ref) return KT_ELIMIT;
    memcpy(ref, id.data, KT_ENTITY_ID_BYTES);
    const uint64_t rank = (requester ? 0 : 1ull << 63) | live->stamp >> 1;
    struct kt_entity_id *primary = &g->out->part.primary;
    if (g->refs_len == 1 || rank < g->primary_rank ||
        (rank == g->primary_rank && memcmp(id.data, primary->b, sizeof primary->b) < 0)) {
        g->primary_rank = rank;
        memcpy(primary->b, id.data, sizeof primary->b);
    }
    return KT_OK;
}

static int gather_conflict(struct gather *g, const struct kt_slot *slot)
{
    const struct kt_ward *ward = g->ward;
    struct kt_facts *out = g->out;
    if (out->conflicts_len == CONFLICTS_MAX) return KT_OK;
    if (!out->conflicts) {
        out->conflicts = kt_arena_array(kt_workset_arena(g->w), ward->slots_len, sizeof *out->conflicts);
        if (!out->conflicts) return KT_ELIMIT;
    }
    struct kt_fact_conflict *c = &out->conflicts[out->conflicts_len++];
    c->slot = slot;
    kt_conflict_id(ward->compartment, &ward->id, &slot->entity, slot->field, slot->element, c->id);
    return KT_OK;
}

/* --------------------------------------------------------------------------------------------------------- deletion */

static bool deletes(const struct kt_slot *s)
{
    for (uint32_t i = 0; i < s->live_len; i++)
        if (kt_value_deletes(s->field, s->live[i].value)) return true;
    return false;
}

bool kt_facts_deletions(const struct kt_ward *ward)
{
    for (uint32_t i = 0; i < ward->slots_len; i++)
        if (deletes(ward->slots[i])) return true;
    return false;
}

/* Anything ends the walk: one row is enough. */
static int one_row(void *ctx, const struct kt_slot *row)
{
    (void)row;
    *(bool *)ctx = true;
    return KT_EEND;
}

static int outlived_in(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, bool *out)
{
    uint32_t fields[LISTS_MAX], n;
    for (uint32_t i = 0; i < ward->slots_len && !*out; i++)
        *out = ward->slots[i]->live_len && kt_field_outlives(ward->slots[i]->field) &&
               memcmp(&ward->slots[i]->entity, entity, sizeof *entity) == 0;
    if (*out) return KT_OK;
    int e = kt_workset_lists(w, ward, entity, fields, LISTS_MAX, &n);
    for (uint32_t i = 0; i < n && !e; i++)
        if (kt_field_outlives(fields[i])) e = kt_workset_rows(w, ward, entity, fields[i], one_row, out);
    return e == KT_EEND ? KT_OK : e;
}

/* A deletion beside what it did not see, in any compartment, is a conflict of the `deleted` register. */
static int gather_deletion(struct gather *g, const struct kt_slot *slot, bool own, bool *outlived)
{
    int e = KT_OK;
    for (uint32_t i = 0; i < g->ask->together_len && !e && !*outlived; i++)
        e = outlived_in(g->w, g->ask->together[i], &slot->entity, outlived);
    g->out->part.flags |= KT_PART_DELETIONS;
    if (own) g->out->part.flags |= KT_PART_DELETED | (*outlived ? KT_PART_OUTLIVED : 0);
    return e;
}

/* Does it come with the record itself?  Rows and consents may come before it.  Other values stand without a source
 * where they outlived a deletion. */
static bool is_of_record(uint32_t field)
{
    const struct kt_schema_field *f = kt_schema_field(field);
    return (field & 0xffu) == KT_N_SOURCE || (kt_field_outlives(field) && !(f && f->keyed));
}

static int gather_slot(struct gather *g, const struct kt_slot *slot)
{
    const struct kt_schema_field *f = kt_schema_field(slot->field);
    const bool own = memcmp(&slot->entity, &g->ward->id, sizeof slot->entity) == 0;
    const uint32_t n = slot->field & 0xffu;
    bool conflict = false;
    int e = KT_OK;
    if (own && !g->out->kind) g->out->kind = kt_field_kind(slot->field);
    if (own && is_of_record(slot->field)) g->out->part.flags |= KT_PART_RECORD;
    if (!f) return KT_OK; /* of a later schema: kept, not shown */
    if (n == KT_N_DELETED) {
        if (deletes(slot)) e = gather_deletion(g, slot, own, &conflict);
    } else if (f->shape == KT_REGISTER && slot->live_len > 1) {
        const struct kt_live *shown;
        e = kt_slot_shown(slot, kt_workset_arena(g->w), &shown, &conflict);
    }
    if (!e && conflict) e = gather_conflict(g, slot);
    for (uint32_t i = 0; i < slot->live_len && !e && own; i++) {
        if (f->index != KT_INDEX_NONE) e = gather_term(g, f, &slot->live[i]);
        if (!e) e = gather_ref(g, f, &slot->live[i]);
    }
    return e;
}

/* The kind of a ward of which only list rows are here. */
static int kind_of_rows(struct kt_workset *w, struct kt_ward *ward, uint32_t *kind)
{
    uint32_t field, n;
    int e = kt_workset_lists(w, ward, &ward->id, &field, 1, &n);
    if (!e && n) *kind = kt_field_kind(field);
    return e;
}

static int read_verdict(struct kt_workset *w, const struct kt_ward *ward, struct kt_facts *out)
{
    const struct kt_slot *slot = kt_ward_slot(ward, &ward->id, KT_F_IDENTITY_LINK_VERDICT, kt_bytes(NULL, 0));
    const struct kt_live *shown = NULL;
    struct kt_bytes verdict;
    int e = slot ? kt_slot_shown(slot, kt_workset_arena(w), &shown, NULL) : KT_OK;
    if (e || !shown || out->part.refs.len != 2 || (out->part.flags & KT_PART_DELETED)) return e;
    if (!kt_value_column(shown->value, KT_C_VERDICT_VERDICT, &verdict)) return KT_OK;
    if (kt_bytes_equal(verdict, kt_str("MATCH"))) out->part.flags |= KT_PART_JOINED;
    if (kt_bytes_equal(verdict, kt_str("NO_MATCH"))) out->part.flags |= KT_PART_APART;
    return KT_OK;
}

int kt_facts_of(struct kt_workset *w, const struct kt_facts_ask *ask, struct kt_facts *out)
{
    struct kt_ward *ward = ask->ward;
    *out = (struct kt_facts){.part.compartment = ward->compartment};
    struct gather g = {.w = w, .ask = ask, .ward = ward, .out = out};
    int e = KT_OK;
    for (uint32_t i = 0; i < ward->slots_len && !e; i++)
        if (ward->slots[i]->live_len) e = gather_slot(&g, ward->slots[i]);
    if (e) return e;
    if (!out->kind) out->kind = ask->hint;
    if (!out->kind && (e = kind_of_rows(w, ward, &out->kind))) return e;

    uint8_t *ids = kt_arena_array(kt_workset_arena(w), out->conflicts_len + 1u, KT_CONFLICT_ID_BYTES);
    if (!ids) return KT_ELIMIT;
    for (uint32_t i = 0; i < out->conflicts_len; i++)
        memcpy(ids + i * KT_CONFLICT_ID_BYTES, out->conflicts[i].id, KT_CONFLICT_ID_BYTES);
    out->part.conflicts = kt_run_of(ids, out->conflicts_len, KT_CONFLICT_ID_BYTES);
    out->part.terms = kt_run_of(g.terms, g.terms_len, KT_TERM_BYTES);
    out->part.refs = kt_run_of(g.refs, g.refs_len, KT_ENTITY_ID_BYTES);
    /* a link or a relationship is its references; it needs no source to be there */
    if (out->kind == KT_IDENTITY_LINK || out->kind == KT_RELATIONSHIP)
        out->part.flags |= out->part.refs.len ? KT_PART_RECORD : 0;
    return out->kind == KT_IDENTITY_LINK ? read_verdict(w, ward, out) : KT_OK;
}
