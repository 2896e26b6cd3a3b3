#include "engine/view/back.h"

#define JOINED 1u
#define APART  2u

#define KEY_BYTES (KT_ENTITY_ID_BYTES + 4u + KT_ENTITY_ID_BYTES)

static void make_key(const struct kt_entity_id *entity, kt_compartment c, const struct kt_entity_id *ward,
                     uint8_t out[KEY_BYTES])
{
    memcpy(out, entity->b, KT_ENTITY_ID_BYTES);
    for (int i = 0; i < 4; i++) out[16 + i] = (uint8_t)(c >> (24 - 8 * i));
    memcpy(out + 20, ward->b, KT_ENTITY_ID_BYTES);
}

int kt_back_put(struct kt_workset *w, const struct kt_entity_id *entity, const struct kt_back *back)
{
    uint8_t key[KEY_BYTES], value[2 + KT_ENTITY_ID_BYTES] = {(uint8_t)back->kind, back->joined  ? JOINED
                                                                                  : back->apart ? APART
                                                                                                : 0};
    make_key(entity, back->compartment, &back->ward, key);
    memcpy(value + 2, back->other.b, KT_ENTITY_ID_BYTES);
    return kt_workset_store(w)->ops->put(kt_workset_txn(w), KT_T_store_back, KT_BYTES_OF(key), KT_BYTES_OF(value));
}

int kt_back_del(struct kt_workset *w, const struct kt_entity_id *entity, kt_compartment c,
                const struct kt_entity_id *ward)
{
    uint8_t key[KEY_BYTES];
    make_key(entity, c, ward, key);
    return kt_workset_store(w)->ops->del(kt_workset_txn(w), KT_T_store_back, KT_BYTES_OF(key));
}

static int decode(struct kt_bytes key, struct kt_bytes value, struct kt_back *out)
{
    struct kt_reader k = kt_reader(key), v = kt_reader(value);
    (void)kt_take(&k, KT_ENTITY_ID_BYTES);
    out->compartment = kt_take_be32(&k);
    kt_take_into(&k, out->ward.b, sizeof out->ward.b);
    out->kind = kt_take_u8(&v);
    const uint8_t verdict = kt_take_u8(&v);
    out->joined = verdict == JOINED;
    out->apart = verdict == APART;
    kt_take_into(&v, out->other.b, sizeof out->other.b);
    return k.err || v.err || kt_reader_left(&k) || kt_reader_left(&v) ? KT_EDAMAGED : KT_OK;
}

int kt_back_each(struct kt_workset *w, const struct kt_entity_id *entity, kt_compartment c,
                 int (*give)(void *ctx, const struct kt_back *back), void *ctx)
{
    static const struct kt_entity_id none;
    const struct kt_store_ops *ops = kt_workset_store(w)->ops;
    uint8_t from[KEY_BYTES];
    struct kt_cursor *cursor;
    struct kt_bytes key, value;
    enum kt_seek how = KT_SEEK_AT_OR_AFTER;
    make_key(entity, c, &none, from);
    const struct kt_bytes prefix = kt_bytes(from, KT_ENTITY_ID_BYTES + (c ? 4u : 0u));
    int e = ops->cursor(kt_workset_txn(w), KT_T_store_back, &cursor);
    if (e) return e;
    while (!(e = ops->seek(cursor, how, prefix, &key, &value))) {
        struct kt_back back;
        if (key.len < prefix.len || memcmp(key.data, prefix.data, prefix.len) != 0) break;
        if ((e = decode(key, value, &back)) || (e = give(ctx, &back))) break;
        how = KT_SEEK_NEXT;
    }
    ops->cursor_close(cursor);
    return e == KT_ENOTFOUND ? KT_OK : e;
}
