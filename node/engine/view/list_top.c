#include "engine/view/list_top.h"

#define KEY_BYTES       (4u + KT_ENTITY_ID_BYTES + KT_ENTITY_ID_BYTES + 4u)
#define PLAIN_BYTES_MAX (8u + KT_LIST_TOP_MAX * (1u + KT_ELEMENT_BYTES_MAX + 8u + KT_DOT_BYTES))

static void make_key(const struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                     uint8_t out[KEY_BYTES])
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(ward->compartment >> (24 - 8 * i));
        out[36 + i] = (uint8_t)(field >> (24 - 8 * i));
    }
    memcpy(out + 4, ward->id.b, KT_ENTITY_ID_BYTES);
    memcpy(out + 20, entity->b, KT_ENTITY_ID_BYTES);
}

static int decode(struct kt_bytes plain, struct kt_list_top *out)
{
    struct kt_reader r = kt_reader(plain);
    out->rows = kt_take_be64(&r);
    out->len = 0;
    while (!r.err && kt_reader_left(&r)) {
        uint8_t packed[KT_DOT_BYTES];
        if (out->len == KT_LIST_TOP_MAX) return KT_EDAMAGED;
        struct kt_list_row *row = &out->newest[out->len++];
        row->element_len = kt_take_u8(&r);
        if (row->element_len > KT_ELEMENT_BYTES_MAX) return KT_EDAMAGED;
        kt_take_into(&r, row->element, row->element_len);
        row->stamp = kt_take_be64(&r);
        kt_take_into(&r, packed, sizeof packed);
        kt_dot_unpack(packed, &row->dot);
    }
    return r.err ? KT_EDAMAGED : KT_OK;
}

int kt_list_top_get(struct kt_workset *w, const struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                    struct kt_list_top *out, bool *found)
{
    uint8_t key[KEY_BYTES];
    struct kt_bytes sealed;
    struct kt_buf plain;
    make_key(ward, entity, field, key);
    int e = kt_workset_store(w)->ops->get(kt_workset_txn(w), KT_T_store_list, KT_BYTES_OF(key), &sealed);
    *found = !e;
    if (e) return e == KT_ENOTFOUND ? KT_OK : e;
    const uint8_t *secret = kt_keyring_store_key(kt_workset_keyring(w), KT_LABEL_STORE_STATE, ward->compartment);
    if (!secret) return KT_EKEY;
    kt_buf_init(&plain, PLAIN_BYTES_MAX);
    e = kt_row_open(secret, KT_T_store_list, KT_BYTES_OF(key), ward->compartment, sealed, &plain);
    if (!e) e = decode(kt_buf_bytes(&plain), out);
    kt_buf_wipe_free(&plain);
    return e == KT_EOPEN || e == KT_ELIMIT ? KT_EDAMAGED : e;
}

int kt_list_top_put(struct kt_workset *w, const struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                    const struct kt_list_top *top, const uint8_t nonce[24])
{
    const uint8_t *secret = kt_keyring_store_key(kt_workset_keyring(w), KT_LABEL_STORE_STATE, ward->compartment);
    uint8_t key[KEY_BYTES], packed[KT_DOT_BYTES];
    struct kt_buf plain, sealed;
    if (!secret) return KT_EKEY;
    make_key(ward, entity, field, key);
    kt_buf_init(&plain, PLAIN_BYTES_MAX);
    kt_buf_init(&sealed, PLAIN_BYTES_MAX + KT_ROW_OVERHEAD_BYTES);
    kt_buf_be64(&plain, top->rows);
    for (uint32_t i = 0; i < top->len; i++) {
        const struct kt_list_row *row = &top->newest[i];
        kt_buf_u8(&plain, (uint8_t)row->element_len);
        kt_buf_put(&plain, kt_bytes(row->element, row->element_len));
        kt_buf_be64(&plain, row->stamp);
        kt_dot_pack(&row->dot, packed);
        kt_buf_put(&plain, KT_BYTES_OF(packed));
    }
    kt_row_seal(secret, nonce, KT_T_store_list, KT_BYTES_OF(key), ward->compartment, kt_buf_bytes(&plain), &sealed);
    int e = plain.err ? plain.err : sealed.err;
    if (!e)
        e = kt_workset_store(w)->ops->put(kt_workset_txn(w), KT_T_store_list, KT_BYTES_OF(key), kt_buf_bytes(&sealed));
    kt_buf_wipe_free(&plain);
    kt_buf_free(&sealed);
    return e;
}

struct kt_list_row kt_list_row_of(const struct kt_slot *slot)
{
    const struct kt_live *newest = &slot->live[0];
    for (uint32_t i = 1; i < slot->live_len; i++)
        if (slot->live[i].stamp >= newest->stamp) newest = &slot->live[i]; /* values stand in order of dots */
    struct kt_list_row row = {.element_len = (uint32_t)slot->element.len, .stamp = newest->stamp, .dot = newest->dot};
    if (slot->element.len) memcpy(row.element, slot->element.data, slot->element.len);
    return row;
}

int kt_list_row_compare(const struct kt_list_row *a, const struct kt_list_row *b)
{
    if (a->stamp != b->stamp) return a->stamp > b->stamp ? -1 : 1;
    return -kt_dot_compare(&a->dot, &b->dot);
}

/* ------------------------------------------------------------------------------------------------------ following */

static void take_out(struct kt_list_top *t, uint32_t at)
{
    memmove(t->newest + at, t->newest + at + 1, (t->len - at - 1) * sizeof *t->newest);
    t->len--;
}

/* One row came, went or changed.  False: what is kept can no longer say which rows are the newest. */
static bool follow_row(struct kt_list_top *t, const struct kt_slot *slot, bool existed)
{
    uint32_t at = 0;
    const bool all = t->rows == t->len; /* every row of the list stands in it */
    while (at < t->len && !kt_bytes_equal(kt_bytes(t->newest[at].element, t->newest[at].element_len), slot->element))
        at++;
    const bool inside = at < t->len;
    if (!slot->live_len) {
        t->rows -= existed;
        if (inside) take_out(t, at);
        return t->rows == t->len || t->len >= KT_VIEW_INTERACTIONS_MAX;
    }
    const struct kt_list_row row = kt_list_row_of(slot);
    if (inside && kt_list_row_compare(&t->newest[at], &row) < 0 && !all)
        return false; /* it fell back among the unknown */
    if (inside) take_out(t, at);
    t->rows += !existed;
    uint32_t place = t->len;
    while (place > 0 && kt_list_row_compare(&row, &t->newest[place - 1]) < 0) place--;
    if (place == t->len && !all && !inside) return true; /* older than all that are kept */
    if (place == KT_LIST_TOP_MAX) return true;
    if (t->len == KT_LIST_TOP_MAX) t->len--;
    memmove(t->newest + place + 1, t->newest + place, (t->len - place) * sizeof *t->newest);
    t->newest[place] = row;
    t->len++;
    return true;
}

struct following {
    struct kt_workset *w;
    struct kt_ward *ward;
    /* the list of the last row, so that a run of rows of one list costs one read and one write */
    struct kt_entity_id entity;
    uint32_t field;
    struct kt_list_top top;
    bool found, good;
    const uint8_t *(*nonce)(void *ctx);
    void *nonce_ctx;
};

static int finish_list(struct following *f)
{
    uint8_t key[KEY_BYTES];
    if (!f->field || !f->found) return KT_OK;
    if (f->good) return kt_list_top_put(f->w, f->ward, &f->entity, f->field, &f->top, f->nonce(f->nonce_ctx));
    make_key(f->ward, &f->entity, f->field, key);
    return kt_workset_store(f->w)->ops->del(kt_workset_txn(f->w), KT_T_store_list, KT_BYTES_OF(key));
}

static int follow_changed(void *ctx, const struct kt_slot *row, bool existed)
{
    struct following *f = ctx;
    if (row->field != f->field || memcmp(&row->entity, &f->entity, sizeof f->entity)) {
        int e = finish_list(f);
        f->entity = row->entity;
        f->field = row->field;
        f->good = true;
        if (!e) e = kt_list_top_get(f->w, f->ward, &f->entity, f->field, &f->top, &f->found);
        if (e) return e;
    }
    if (f->found && f->good) f->good = follow_row(&f->top, row, existed);
    return KT_OK;
}

int kt_list_top_follow(struct kt_workset *w, struct kt_ward *ward, const uint8_t *(*nonce)(void *ctx), void *ctx)
{
    struct following f = {.w = w, .ward = ward, .nonce = nonce, .nonce_ctx = ctx};
    int e = kt_workset_rows_changed(w, ward, follow_changed, &f);
    return e ? e : finish_list(&f);
}
