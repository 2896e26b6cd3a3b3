#include "engine/view/view_row.h"

#define REDIRECTS_MAX 4u /* case -> customer -> golden customer is two */

void kt_view_row_about(struct kt_buf *b, const struct kt_view_about *about)
{
    kt_buf_be32(b, KT_VIEW_ABOUT);
    kt_buf_be32(b, 0);
    kt_buf_be32(b, KT_ENTITY_ID_BYTES + 1 + about->heads_len * (KT_ORIGIN_BYTES + 8));
    kt_buf_put(b, KT_BYTES_OF(about->display_id));
    kt_buf_u8(b, (uint8_t)about->heads_len);
    for (uint32_t i = 0; i < about->heads_len; i++) {
        uint8_t origin[KT_ORIGIN_BYTES];
        kt_origin_pack(about->heads[i].origin, origin);
        kt_buf_put(b, KT_BYTES_OF(origin));
        kt_buf_be64(b, about->heads[i].number);
    }
}

int kt_view_row_section(struct kt_workset *w, struct kt_buf *b, uint64_t row, kt_compartment c, const uint8_t nonce[24],
                        struct kt_bytes section)
{
    const uint8_t *key = kt_keyring_store_key(kt_workset_keyring(w), KT_LABEL_STORE_VIEW, c);
    if (!key) return KT_EKEY;
    kt_buf_be32(b, c);
    kt_buf_be32(b, KT_VIEW_KEY_NUMBER);
    kt_buf_be32(b, (uint32_t)section.len + KT_ROW_OVERHEAD_BYTES);
    kt_row_seal(key, nonce, KT_T_store_view, KT_BYTES_OF(row), c, section, b);
    return b->err;
}

int kt_view_row_put(struct kt_workset *w, uint64_t row, struct kt_bytes packed)
{
    return kt_workset_store(w)->ops->put(kt_workset_txn(w), KT_T_store_view, KT_BYTES_OF(row), packed);
}

int kt_view_row_redirect(struct kt_workset *w, uint64_t row, uint64_t target)
{
    uint8_t value[12] = {0};
    for (int i = 0; i < 8; i++) value[4 + i] = (uint8_t)(target >> (56 - 8 * i));
    return kt_view_row_put(w, row, KT_BYTES_OF(value));
}

static void decode_about(struct kt_bytes in, struct kt_view_about *out, int *err)
{
    struct kt_reader r = kt_reader(in);
    kt_take_into(&r, out->display_id.b, sizeof out->display_id.b);
    out->heads_len = kt_take_u8(&r);
    if (out->heads_len > KT_TOKEN_HEADS_MAX) r.err = KT_EMALFORMED;
    for (uint32_t i = 0; i < out->heads_len && !r.err; i++) {
        uint8_t origin[KT_ORIGIN_BYTES];
        kt_take_into(&r, origin, sizeof origin);
        out->heads[i].origin = kt_origin_unpack(origin);
        out->heads[i].number = kt_take_be64(&r);
    }
    if (r.err || kt_reader_left(&r)) *err = KT_EDAMAGED;
}

static int decode_row(struct kt_bytes in, struct kt_view_row *out)
{
    struct kt_reader r = kt_reader(in);
    *out = (struct kt_view_row){0};
    while (!r.err && kt_reader_left(&r)) {
        const kt_compartment c = kt_take_be32(&r);
        if (c == 0) {
            out->redirect = true;
            out->target = kt_take_be64(&r);
            if (kt_reader_left(&r)) r.err = KT_EMALFORMED;
            break;
        }
        const uint32_t key_number = kt_take_be32(&r);
        const struct kt_bytes body = kt_take(&r, kt_take_be32(&r));
        if (r.err) break;
        if (c == KT_VIEW_ABOUT)
            decode_about(body, &out->about, &r.err);
        else if (out->sections_len < KT_COMPARTMENTS_MAX)
            out->sections[out->sections_len++] = (struct kt_sealed_section){c, key_number, body};
        else
            r.err = KT_EMALFORMED;
    }
    return r.err ? KT_EDAMAGED : KT_OK;
}

int kt_view_row_get(struct kt_workset *w, uint64_t *row, struct kt_view_row *out)
{
    for (uint32_t i = 0; i < REDIRECTS_MAX; i++) {
        struct kt_bytes value;
        int e = kt_workset_store(w)->ops->get(kt_workset_txn(w), KT_T_store_view, KT_BYTES_OF(*row), &value);
        if (!e) e = decode_row(value, out);
        if (e) return e;
        if (!out->redirect) return KT_OK;
        *row = out->target;
    }
    return KT_EDAMAGED; /* redirects never go round */
}

int kt_view_row_open(struct kt_workset *w, uint64_t row, const struct kt_sealed_section *s, struct kt_arena *arena,
                     struct kt_bytes *out)
{
    const uint8_t *key = kt_keyring_store_key(kt_workset_keyring(w), KT_LABEL_STORE_VIEW, s->compartment);
    if (!key || s->key_number != KT_VIEW_KEY_NUMBER) return KT_EKEY;
    struct kt_buf b;
    kt_buf_init(&b, KT_VIEW_ROW_BYTES_MAX);
    int e = kt_row_open(key, KT_T_store_view, KT_BYTES_OF(row), s->compartment, s->sealed, &b);
    if (!e) {
        *out = kt_arena_copy(arena, kt_buf_bytes(&b));
        if (b.len && !out->data) e = KT_ELIMIT;
    }
    kt_buf_wipe_free(&b);
    return e == KT_EOPEN ? KT_EDAMAGED : e;
}
