/* Erasure in the working set: what is live of a ward below the generation that is written now goes.  A ward is found by
 * computing the tag of each: names of wards cannot be got back from tags. */
#include "engine/ward/workset_state.h"

struct finding {
    struct kt_workset *w;
    struct kt_ward **wards; /* in the arena */
    size_t len, cap;
};

static int note_ward(struct finding *f, const uint8_t key[KT_WARD_KEY_BYTES])
{
    struct kt_reader r = kt_reader(kt_bytes(key, KT_WARD_KEY_BYTES));
    const kt_compartment c = kt_take_be32(&r);
    const struct kt_compartment_keys *keys = kt_keyring_compartment(f->w->keyring, c);
    struct kt_entity_id id;
    if (!keys) return KT_OK;
    memcpy(&id, key + 4, sizeof id);
    const struct kt_tag tag = kt_tag_of(keys, &id);
    if (kt_keyring_generation(f->w->keyring, c, &tag) == 0) return KT_OK;
    if (f->len == f->cap) {
        const size_t cap = f->cap ? f->cap * 2 : 16;
        struct kt_ward **grown = kt_arena_array(&f->w->arena, cap, sizeof(struct kt_ward *));
        if (!grown) return KT_ELIMIT;
        if (f->len) memcpy(grown, f->wards, f->len * sizeof(struct kt_ward *));
        f->wards = grown;
        f->cap = cap;
    }
    return kt_workset_ward(f->w, c, &id, &f->wards[f->len++]);
}

/* Every ward that has a row in the table, once: from its first row the cursor goes past all its rows. */
static int find_wards(struct finding *f, enum kt_table table)
{
    const struct kt_store_ops *ops = f->w->store->ops;
    uint8_t at[KT_WARD_KEY_BYTES] = {0};
    struct kt_cursor *c;
    struct kt_bytes key;
    int e = ops->cursor(f->w->txn, table, &c);
    if (e) return e;
    while (!(e = ops->seek(c, KT_SEEK_AT_OR_AFTER, KT_BYTES_OF(at), &key, NULL))) {
        if (key.len < KT_WARD_KEY_BYTES) e = KT_EDAMAGED;
        if (!e) memcpy(at, key.data, KT_WARD_KEY_BYTES);
        if (!e) e = note_ward(f, at);
        if (e) break;
        for (size_t i = KT_WARD_KEY_BYTES; i > 0 && ++at[i - 1] == 0; i--) continue; /* the next ward there can be */
    }
    ops->cursor_close(c);
    return e == KT_ENOTFOUND ? KT_OK : e;
}

static int load_rows(struct kt_workset *w, struct kt_ward *ward)
{
    const struct kt_store_ops *ops = w->store->ops;
    uint8_t prefix[KT_WARD_KEY_BYTES];
    struct kt_cursor *c;
    struct kt_bytes key;
    kt_workset_ward_key(ward->compartment, &ward->id, prefix);
    int e = ops->cursor(w->txn, KT_T_store_list, &c);
    if (e) return e;
    for (enum kt_seek how = KT_SEEK_AT_OR_AFTER; !(e = ops->seek(c, how, KT_BYTES_OF(prefix), &key, NULL));
         how = KT_SEEK_NEXT) {
        struct kt_entity_id entity;
        struct kt_ws_row *row;
        if (key.len < sizeof prefix || memcmp(key.data, prefix, sizeof prefix) != 0) break;
        struct kt_reader r = kt_reader(kt_bytes(key.data + sizeof prefix, key.len - sizeof prefix));
        kt_take_into(&r, &entity, sizeof entity);
        const uint32_t field = kt_take_be32(&r);
        if (r.err) e = KT_EDAMAGED;
        /* without an element it is no row: see engine/views */
        if (!e && kt_reader_left(&r))
            e = kt_workset_row_load(w, ward, &entity, field, kt_take(&r, kt_reader_left(&r)), false, &row);
        if (e) break;
    }
    ops->cursor_close(c);
    return e == KT_ENOTFOUND ? KT_OK : e;
}

static void erase_slot(const struct kt_merge_port *port, const struct kt_ward *ward, struct kt_slot *s)
{
    const struct kt_op_context at = {.compartment = ward->compartment, .ward = ward->id};
    uint32_t i = 0;
    while (i < s->live_len) {
        const struct kt_live gone = s->live[i];
        if (gone.generation >= ward->generation) {
            i++;
            continue;
        }
        s->live_len--;
        memmove(&s->live[i], &s->live[i + 1], (s->live_len - i) * sizeof gone);
        s->dirty = true;
        port->went(port->ctx, &at, s, &gone);
    }
}

int kt_workset_erase(struct kt_workset *w)
{
    struct finding f = {.w = w};
    struct kt_merge_port port;
    kt_workset_merge_port(w, NULL, &port);
    int e = find_wards(&f, KT_T_store_state);
    if (!e) e = find_wards(&f, KT_T_store_list);
    for (size_t n = 0; n < f.len && !e; n++) {
        struct kt_ward *ward = f.wards[n];
        if ((e = load_rows(w, ward))) break;
        for (uint32_t i = 0; i < ward->slots_len; i++) erase_slot(&port, ward, ward->slots[i]);
        for (struct kt_ws_row *x = ((struct kt_ws_ward *)ward)->rows; x; x = x->next) erase_slot(&port, ward, &x->slot);
    }
    return e ? e : w->err;
}
