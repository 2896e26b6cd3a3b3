#include "engine/view/conflict_rows.h"

#define PLAIN_BYTES_MAX (16u + 16u + 4u + KT_ELEMENT_BYTES_MAX)

int kt_conflict_row_put(struct kt_workset *w, const uint8_t id[KT_CONFLICT_ID_BYTES],
                        const struct kt_conflict_place *at, const uint8_t nonce[24])
{
    const uint8_t *key = kt_keyring_store_key(kt_workset_keyring(w), KT_LABEL_STORE_VIEW, at->compartment);
    const struct kt_bytes row_key = kt_bytes(id, KT_CONFLICT_ID_BYTES);
    struct kt_buf plain, row;
    if (!key) return KT_EKEY;
    kt_buf_init(&plain, PLAIN_BYTES_MAX);
    kt_buf_init(&row, 4 + PLAIN_BYTES_MAX + KT_ROW_OVERHEAD_BYTES);
    kt_buf_put(&plain, KT_BYTES_OF(at->ward));
    kt_buf_put(&plain, KT_BYTES_OF(at->entity));
    kt_buf_be32(&plain, at->field);
    kt_buf_put(&plain, at->element);
    kt_buf_be32(&row, at->compartment);
    kt_row_seal(key, nonce, KT_T_store_conflict, row_key, at->compartment, kt_buf_bytes(&plain), &row);
    int e = plain.err ? plain.err : row.err;
    if (!e) e = kt_workset_store(w)->ops->put(kt_workset_txn(w), KT_T_store_conflict, row_key, kt_buf_bytes(&row));
    kt_buf_wipe_free(&plain);
    kt_buf_free(&row);
    return e;
}

int kt_conflict_row_del(struct kt_workset *w, const uint8_t id[KT_CONFLICT_ID_BYTES])
{
    return kt_workset_store(w)->ops->del(kt_workset_txn(w), KT_T_store_conflict, kt_bytes(id, KT_CONFLICT_ID_BYTES));
}

int kt_conflict_row_decode(struct kt_workset *w, struct kt_bytes id, struct kt_bytes row, struct kt_arena *arena,
                           struct kt_conflict_place *out)
{
    struct kt_reader r = kt_reader(row);
    struct kt_conflict_place at = {.compartment = kt_take_be32(&r)};
    if (r.err) return KT_EDAMAGED;
    const uint8_t *key = kt_keyring_store_key(kt_workset_keyring(w), KT_LABEL_STORE_VIEW, at.compartment);
    struct kt_buf plain;
    if (!key) return KT_EKEY;
    kt_buf_init(&plain, PLAIN_BYTES_MAX);
    int e = kt_row_open(key, KT_T_store_conflict, id, at.compartment, kt_take(&r, kt_reader_left(&r)), &plain);
    if (!e) {
        struct kt_reader p = kt_reader(kt_buf_bytes(&plain));
        kt_take_into(&p, at.ward.b, sizeof at.ward.b);
        kt_take_into(&p, at.entity.b, sizeof at.entity.b);
        at.field = kt_take_be32(&p);
        at.element = kt_arena_copy(arena, kt_take(&p, kt_reader_left(&p)));
        e = p.err ? KT_EDAMAGED : KT_OK;
    }
    kt_buf_wipe_free(&plain);
    if (!e) *out = at;
    return e == KT_EOPEN || e == KT_ELIMIT ? KT_EDAMAGED : e;
}

int kt_conflict_row_get(struct kt_workset *w, const uint8_t id[KT_CONFLICT_ID_BYTES], struct kt_arena *arena,
                        struct kt_conflict_place *out)
{
    const struct kt_bytes key = kt_bytes(id, KT_CONFLICT_ID_BYTES);
    struct kt_bytes row;
    int e = kt_workset_store(w)->ops->get(kt_workset_txn(w), KT_T_store_conflict, key, &row);
    return e ? e : kt_conflict_row_decode(w, key, row, arena, out);
}

int kt_conflict_slot(struct kt_workset *w, const struct kt_conflict_place *at, struct kt_ward **ward,
                     struct kt_slot **slot)
{
    int e = kt_workset_ward(w, at->compartment, &at->ward, ward);
    if (!e) *slot = kt_ward_slot(*ward, &at->entity, at->field, at->element);
    return e;
}
