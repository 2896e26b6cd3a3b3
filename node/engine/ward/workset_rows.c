/* The working set's list rows: each has a row of its own on disk, loaded when it is touched. */
#include "engine/ward/workset_state.h"

static int load_row(struct kt_workset *w, struct kt_ws_row *x, struct kt_bytes sealed)
{
    struct kt_bytes plain, element = x->slot.element;
    int e = kt_workset_open_row(w, KT_T_store_list, kt_bytes(x->key, x->key_len), x->ward->compartment, sealed, &plain);
    if (e) return e;
    struct kt_slot *slots;
    size_t n;
    if ((e = kt_slots_decode(plain, &w->arena, &slots, &n))) return e == KT_ELIMIT ? e : KT_EDAMAGED;
    if (n != 1 || !kt_bytes_equal(slots[0].element, element)) return KT_EDAMAGED;
    x->slot = slots[0];
    x->existed = true;
    return KT_OK;
}

static uint32_t row_key(const struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                        struct kt_bytes element, uint8_t out[KT_ROW_KEY_BYTES_MAX])
{
    kt_workset_ward_key(ward->compartment, &ward->id, out);
    memcpy(out + 20, entity->b, sizeof entity->b);
    out[36] = (uint8_t)(field >> 24), out[37] = (uint8_t)(field >> 16), out[38] = (uint8_t)(field >> 8),
    out[39] = (uint8_t)field;
    if (element.len) memcpy(out + 40, element.data, element.len);
    return 40 + (uint32_t)element.len;
}

int kt_workset_row_load(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                        struct kt_bytes element, bool create, struct kt_ws_row **out)
{
    if (element.len > KT_ELEMENT_BYTES_MAX) return KT_EOVERSIZE;
    uint8_t key[KT_ROW_KEY_BYTES_MAX];
    const uint32_t len = row_key(ward, entity, field, element, key);
    struct kt_ws_row *x;
    HASH_FIND(hh, w->rows, key, len, x);
    if (!x) {
        struct kt_bytes sealed;
        int e = w->store->ops->get(w->txn, KT_T_store_list, kt_bytes(key, len), &sealed);
        if (e && e != KT_ENOTFOUND) return e;
        const bool there = !e;
        if (!there && !create) {
            *out = NULL;
            return KT_OK;
        }
        if (!(x = kt_arena_alloc(&w->arena, sizeof *x))) return KT_ELIMIT;
        memcpy(x->key, key, len);
        x->key_len = len;
        x->ward = ward;
        x->slot = (struct kt_slot){.entity = *entity, .field = field, .element = kt_bytes(x->key + 40, element.len)};
        if (there && (e = load_row(w, x, sealed))) return e;
        HASH_ADD_KEYPTR(hh, w->rows, x->key, x->key_len, x);
        if (!x->hh.tbl) return KT_ENOMEM;
        x->next = ((struct kt_ws_ward *)ward)->rows;
        ((struct kt_ws_ward *)ward)->rows = x;
    }
    *out = x;
    return KT_OK;
}

int kt_workset_row(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                   struct kt_bytes element, struct kt_slot **out)
{
    struct kt_ws_row *row;
    int e = kt_workset_row_load(w, ward, entity, field, element, false, &row);
    if (!e) *out = row && row->slot.live_len ? &row->slot : NULL;
    return e;
}

/* Loads every row of the list that is on disk; keys are copied out first, since loading may not move the cursor. */
static int load_list(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field)
{
    uint8_t prefix[KT_ROW_KEY_BYTES_MAX];
    const uint32_t len = row_key(ward, entity, field, kt_bytes(NULL, 0), prefix);
    struct kt_cursor *c;
    int e = w->store->ops->cursor(w->txn, KT_T_store_list, &c);
    if (e) return e;
    struct kt_bytes key;
    enum kt_seek how = KT_SEEK_AT_OR_AFTER;
    while (!(e = w->store->ops->seek(c, how, kt_bytes(prefix, len), &key, NULL))) {
        how = KT_SEEK_NEXT;
        if (key.len < len || memcmp(key.data, prefix, len) != 0) break;
        struct kt_ws_row *row;
        const struct kt_bytes element = kt_bytes(key.data + len, key.len - len);
        if (element.len == 0) continue; /* not a row: see engine/views */
        if ((e = kt_workset_row_load(w, ward, entity, field, element, false, &row))) break;
    }
    w->store->ops->cursor_close(c);
    return e == KT_ENOTFOUND ? KT_OK : e;
}

int kt_workset_rows(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                    int (*give)(void *ctx, const struct kt_slot *row), void *ctx)
{
    int e = load_list(w, ward, entity, field);
    uint8_t prefix[KT_ROW_KEY_BYTES_MAX];
    const uint32_t len = row_key(ward, entity, field, kt_bytes(NULL, 0), prefix);
    for (struct kt_ws_row *x = ((struct kt_ws_ward *)ward)->rows; x && !e; x = x->next)
        if (x->key_len >= len && memcmp(x->key, prefix, len) == 0 && x->slot.live_len) e = give(ctx, &x->slot);
    return e;
}

int kt_workset_rows_changed(struct kt_workset *w, struct kt_ward *ward,
                            int (*give)(void *ctx, const struct kt_slot *row, bool existed), void *ctx)
{
    (void)w;
    int e = KT_OK;
    for (struct kt_ws_row *x = ((struct kt_ws_ward *)ward)->rows; x && !e; x = x->next)
        if (x->slot.dirty) e = give(ctx, &x->slot, x->existed);
    return e;
}

/* Keeps a field number in its place, once; those past the room are left out. */
static void note_field(uint32_t field, uint32_t *fields, uint32_t max, uint32_t *n)
{
    uint32_t at = *n;
    while (at > 0 && fields[at - 1] >= field) at--;
    if ((at < *n && fields[at] == field) || *n == max) return;
    memmove(fields + at + 1, fields + at, (*n - at) * sizeof *fields);
    fields[at] = field;
    (*n)++;
}

/* From the first row of a list the cursor goes past all its rows to the first of the next list. */
int kt_workset_lists(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t *fields,
                     uint32_t max, uint32_t *n)
{
    const uint32_t entity_len = 20u + KT_ENTITY_ID_BYTES;
    uint8_t prefix[KT_ROW_KEY_BYTES_MAX];
    uint32_t len = row_key(ward, entity, 0, kt_bytes(NULL, 0), prefix);
    struct kt_cursor *c;
    struct kt_bytes key;
    *n = 0;
    for (const struct kt_ws_row *x = ((struct kt_ws_ward *)ward)->rows; x; x = x->next)
        if (x->slot.live_len && memcmp(x->key, prefix, entity_len) == 0) note_field(x->slot.field, fields, max, n);
    int e = w->store->ops->cursor(w->txn, KT_T_store_list, &c);
    if (e) return e;
    while (!(e = w->store->ops->seek(c, KT_SEEK_AT_OR_AFTER, kt_bytes(prefix, len), &key, NULL))) {
        if (key.len < len || memcmp(key.data, prefix, entity_len) != 0) break;
        struct kt_reader r = kt_reader(kt_bytes(key.data + entity_len, 4));
        const uint32_t field = kt_take_be32(&r);
        note_field(field, fields, max, n);
        if (field == UINT32_MAX) break;
        len = row_key(ward, entity, field + 1, kt_bytes(NULL, 0), prefix);
    }
    w->store->ops->cursor_close(c);
    return e == KT_ENOTFOUND ? KT_OK : e;
}
