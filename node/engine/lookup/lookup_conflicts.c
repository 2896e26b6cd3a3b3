/* What nobody decided yet: registers with several values, each with its office, actor and time. */
#include "engine/view/conflict_rows.h"
#include "engine/lookup/lookup_state.h"
#include "proto/schema/fields.h"
#include "proto/schema/value.h"
#include "proto/view/rules.h"

#include <stdlib.h>

#define CONFLICTS_MAX (KT_MATCHES_MAX * 20u)
#define LISTS_MAX     32u

/* One listed conflict, with what it is sorted by. */
struct listed {
    struct kt_conflict item;
    kt_hlc newest;
};

static struct kt_bytes office_of(struct kt_looking *k, kt_member m)
{
    const struct kt_roster_member *rm = kt_roster_member(k->roster, m);
    return kt_arena_copy(k->arena, kt_str(rm ? rm->office : ""));
}

/* "system:id" of a source record. */
static int join(struct kt_looking *k, struct kt_bytes system, struct kt_bytes id, struct kt_bytes *out)
{
    uint8_t *text = kt_arena_alloc(k->arena, system.len + id.len + 1);
    if (!text) return KT_ELIMIT;
    if (system.len) memcpy(text, system.data, system.len);
    text[system.len] = ':';
    if (id.len) memcpy(text + system.len + 1, id.data, id.len);
    *out = kt_bytes(text, system.len + id.len + 1);
    return KT_OK;
}

static int find_source(struct kt_looking *k, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t kind,
                       struct kt_bytes *out)
{
    const struct kt_slot *s = kt_ward_slot(ward, entity, kind << 8 | KT_N_SOURCE, kt_bytes(NULL, 0));
    struct kt_bytes system, id;
    if (!s || !s->live_len) return KT_OK;
    if (!kt_value_column(s->live[0].value, KT_C_SOURCE_SYSTEM, &system) ||
        !kt_value_column(s->live[0].value, KT_C_SOURCE_ID, &id))
        return KT_OK;
    return join(k, system, id, out);
}

/* How people name the entity: its source record, wherever the asker may read it; else its kind and id. */
static int make_ref(struct kt_looking *k, const struct kt_conflict_place *at, struct kt_bytes *out)
{
    const uint32_t kind = kt_field_kind(at->field);
    const struct kt_schema_kind *sk = kt_schema_kind(kind);
    struct kt_ward_head head;
    char hex[2 * KT_ENTITY_ID_BYTES + 1];
    int e = kt_head_load(k->w, &at->ward, &head);
    for (uint32_t i = 0; i < head.parts_len && !e && !out->len; i++) {
        struct kt_ward *ward;
        if (!kt_looking_reads(k, head.parts[i].compartment)) continue;
        e = kt_workset_ward(k->w, head.parts[i].compartment, &at->ward, &ward);
        if (e == KT_EKEY)
            e = KT_OK;
        else if (!e)
            e = find_source(k, ward, &at->entity, kind, out);
    }
    if (e || out->len) return e;
    kt_hex(KT_BYTES_OF(at->entity), hex);
    return join(k, kt_str(sk ? sk->name : "entity"), kt_str(hex), out);
}

static int newest_first(const void *a, const void *b)
{
    const struct kt_conflict_value *x = a, *y = b;
    return (x->stamp < y->stamp) - (x->stamp > y->stamp);
}

static int add_values(struct kt_looking *k, const struct kt_slot *slot, struct kt_conflict *out)
{
    out->values = kt_arena_array(k->arena, slot->live_len + 2u, sizeof *out->values);
    if (!out->values) return KT_ELIMIT;
    for (uint32_t i = 0; i < slot->live_len; i++) {
        const struct kt_live *live = &slot->live[i];
        out->values[out->values_len++] = (struct kt_conflict_value){.value = kt_arena_copy(k->arena, live->value),
                                                                    .has_value = true,
                                                                    .office = office_of(k, live->dot.origin.member),
                                                                    .by = kt_arena_copy(k->arena, live->by),
                                                                    .stamp = live->stamp};
    }
    return KT_OK;
}

/* The newest of what outlives a deletion, in all compartments. */
struct outliving {
    struct kt_workset *w;
    const struct kt_entity_id *entity;
    const struct kt_live *newest;
};

static int note_outliving(void *ctx, const struct kt_slot *slot)
{
    struct outliving *o = ctx;
    if (!kt_field_outlives(slot->field) || memcmp(&slot->entity, o->entity, sizeof slot->entity)) return KT_OK;
    for (uint32_t i = 0; i < slot->live_len; i++)
        if (!o->newest || slot->live[i].stamp > o->newest->stamp) o->newest = &slot->live[i];
    return KT_OK;
}

static int outliving_in(struct outliving *o, kt_compartment c, const struct kt_entity_id *ward_id)
{
    uint32_t fields[LISTS_MAX], n = 0;
    struct kt_ward *ward;
    int e = kt_workset_ward(o->w, c, ward_id, &ward);
    if (e) return e == KT_EKEY ? KT_OK : e;
    for (uint32_t i = 0; i < ward->slots_len && !e; i++) e = note_outliving(o, ward->slots[i]);
    if (!e) e = kt_workset_lists(o->w, ward, o->entity, fields, LISTS_MAX, &n);
    for (uint32_t i = 0; i < n && !e; i++) e = kt_workset_rows(o->w, ward, o->entity, fields[i], note_outliving, o);
    return e;
}

/* A deletion speaks against what was written beside it: that is the other value, and says "false". */
static int add_outliving(struct kt_looking *k, const struct kt_conflict_place *at, struct kt_conflict *out)
{
    struct kt_ward_head head;
    struct outliving o = {.w = k->w, .entity = &at->entity};
    int e = kt_head_load(k->w, &at->ward, &head);
    for (uint32_t i = 0; i < head.parts_len && !e; i++)
        if (kt_looking_reads(k, head.parts[i].compartment)) e = outliving_in(&o, head.parts[i].compartment, &at->ward);
    if (e || !o.newest) return e;
    out->values[out->values_len++] = (struct kt_conflict_value){.value = kt_str("false"),
                                                                .has_value = true,
                                                                .office = office_of(k, o.newest->dot.origin.member),
                                                                .by = kt_arena_copy(k->arena, o.newest->by),
                                                                .stamp = o.newest->stamp};
    return KT_OK;
}

static struct kt_bytes which_key(struct kt_looking *k, const struct kt_slot *slot)
{
    const struct kt_schema_field *f = kt_schema_field(slot->field);
    struct kt_bytes text;
    for (const struct kt_schema_column *c = f && f->keyed ? f->columns : NULL; c && c->number; c++)
        if (c->identifying && kt_value_column(slot->live[0].value, c->number, &text))
            return kt_arena_copy(k->arena, text);
    return kt_bytes(NULL, 0);
}

/* KT_ENOTFOUND: its register is settled or gone, or of a compartment that is not read. */
static int describe(struct kt_looking *k, struct kt_bytes id, struct kt_bytes row, struct listed *out)
{
    struct kt_conflict_place at;
    struct kt_ward *ward;
    struct kt_slot *slot;
    char hex[2 * KT_CONFLICT_ID_BYTES + 1];
    if (id.len != KT_CONFLICT_ID_BYTES) return KT_EDAMAGED;
    kt_hex(id, hex);
    int e = kt_conflict_row_decode(k->w, id, row, k->arena, &at);
    if (!e && !kt_looking_reads(k, at.compartment)) return KT_ENOTFOUND;
    if (!e) e = kt_conflict_slot(k->w, &at, &ward, &slot);
    if (e == KT_EKEY || (!e && (!slot || !slot->live_len))) return KT_ENOTFOUND;
    if (e) return e;
    *out = (struct listed){
        .item = {.id = kt_arena_copy(k->arena, kt_str(hex)), .field = at.field}
    };
    e = make_ref(k, &at, &out->item.ref);
    out->item.element_text = which_key(k, slot);
    if (!e) e = add_values(k, slot, &out->item);
    if (!e && (at.field & 0xffu) == KT_N_DELETED) e = add_outliving(k, &at, &out->item);
    if (!e) qsort(out->item.values, out->item.values_len, sizeof *out->item.values, newest_first);
    if (!e) out->newest = out->item.values[0].stamp;
    return e;
}

static int list_one(struct kt_looking *k, struct kt_bytes hex, struct listed *out)
{
    uint8_t id[KT_CONFLICT_ID_BYTES];
    char text[2 * KT_CONFLICT_ID_BYTES + 1] = {0};
    struct kt_bytes row;
    if (hex.len != sizeof text - 1) return KT_ENOTFOUND;
    memcpy(text, hex.data, hex.len);
    if (kt_unhex(text, id, sizeof id)) return KT_ENOTFOUND;
    int e = kt_workset_store(k->w)->ops->get(kt_workset_txn(k->w), KT_T_store_conflict, KT_BYTES_OF(id), &row);
    return e ? e : describe(k, KT_BYTES_OF(id), row, out);
}

static int by_newest(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    if (x->newest != y->newest) return x->newest < y->newest ? 1 : -1;
    return kt_bytes_compare(x->item.id, y->item.id);
}

static int list_all(struct kt_looking *k, struct listed *all, uint32_t *len)
{
    const struct kt_store_ops *ops = kt_workset_store(k->w)->ops;
    struct kt_cursor *c;
    struct kt_bytes key, row;
    enum kt_seek how = KT_SEEK_AT_OR_AFTER;
    int e = ops->cursor(kt_workset_txn(k->w), KT_T_store_conflict, &c);
    if (e) return e;
    while (*len < CONFLICTS_MAX && !(e = ops->seek(c, how, kt_bytes(NULL, 0), &key, &row))) {
        how = KT_SEEK_NEXT;
        e = describe(k, key, row, &all[*len]);
        if (e && e != KT_ENOTFOUND) break;
        *len += !e;
    }
    ops->cursor_close(c);
    return e == KT_ENOTFOUND ? KT_OK : e;
}

static int list(struct kt_looking *k, struct kt_bytes conflict_id)
{
    struct listed *all = kt_arena_array(kt_workset_arena(k->w), CONFLICTS_MAX, sizeof *all);
    uint32_t n = 0;
    if (!all) return KT_ELIMIT;
    int e = conflict_id.len ? list_one(k, conflict_id, all) : list_all(k, all, &n);
    if (e) return e;
    if (conflict_id.len) n = 1;
    qsort(all, n, sizeof *all, by_newest);
    k->reply->conflicts.items = kt_arena_array(k->arena, n + 1u, sizeof *k->reply->conflicts.items);
    if (!k->reply->conflicts.items) return KT_ELIMIT;
    for (uint32_t i = 0; i < n; i++) k->reply->conflicts.items[i] = all[i].item;
    k->reply->conflicts.len = n;
    return KT_OK;
}

int kt_lookup_conflicts(struct kt_lookup *l, struct kt_bytes conflict_id, const struct kt_grant *grant,
                        struct kt_arena *arena, struct kt_reply *reply)
{
    struct kt_reply filled = *reply;
    struct kt_looking k = {.l = l, .w = l->w, .grant = grant, .arena = arena, .reply = &filled};
    k.roster = kt_keyring_roster(l->config.keyring);
    k.id_key = kt_keyring_id_key(l->config.keyring);
    if (!k.roster || !k.id_key) return KT_EKEY;
    int e = kt_workset_begin(l->w, false);
    if (e) return e;
    e = list(&k, conflict_id);
    const int txn = l->config.store->ops->error(kt_workset_txn(l->w));
    kt_workset_abort(l->w);
    if (txn) return txn;
    if (!e) *reply = filled;
    return e;
}
