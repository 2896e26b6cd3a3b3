/* Element ids: what makes two set elements, keyed registers or list rows the same one. */
#include "proto/schema/fields.h"
#include "proto/keys/hash.h"
#include "proto/keys/keys.h"
#include "proto/schema/value.h"

#include <stdlib.h>
#include <utf8proc.h>

#define ELEMENT_BYTES 16u

static void be32(uint8_t out[4], uint32_t v)
{
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* One identifying value: its column, then its form. */
static void add(struct kt_hasher *h, uint32_t column, struct kt_bytes form)
{
    uint8_t number[4];
    be32(number, column);
    kt_hash_part(h, kt_bytes(number, sizeof number));
    kt_hash_part(h, form);
}

static int nfc(struct kt_bytes in, struct kt_arena *arena, struct kt_bytes *out)
{
    uint8_t *mapped = NULL;
    utf8proc_ssize_t len = utf8proc_map(in.data, (utf8proc_ssize_t)in.len, &mapped, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (len < 0) return len == UTF8PROC_ERROR_NOMEM ? KT_ENOMEM : KT_EUTF8;
    *out = kt_arena_copy(arena, kt_bytes(mapped, (size_t)len));
    free(mapped);
    return len && !out->data ? KT_ELIMIT : KT_OK;
}

/* A contact point is the same however it is written: phones by their digits, e-mail in any case. */
static int contact_form(struct kt_bytes contact, struct kt_bytes in, struct kt_bytes country, struct kt_arena *arena,
                        struct kt_bytes *out)
{
    struct kt_bytes system = {0};
    if (!kt_value_column(contact, KT_C_CONTACT_SYSTEM, &system) || kt_bytes_equal(system, kt_str("url")))
        return nfc(in, arena, out);
    if (kt_bytes_equal(system, kt_str("email"))) return kt_match_email(in, arena, out);
    int err = kt_match_phone(in, country, arena, out);
    return err == KT_ETYPE ? nfc(in, arena, out) : err;
}

static int add_columns(struct kt_hasher *h, const struct kt_schema_field *f, bool source_only, struct kt_bytes country,
                       struct kt_bytes value, struct kt_arena *arena, uint32_t *count)
{
    for (const struct kt_schema_column *c = f->columns; c->number; c++) {
        bool counts = source_only ? c->number <= KT_C_ROW_SOURCE_ID : c->identifying;
        struct kt_reader at = {0};
        struct kt_bytes in, form;
        while (counts && kt_value_column_next(value, c->number, &at, &in)) {
            int err = KT_OK;
            if (c->type == KT_REF)
                form = in;
            else if (f->number == KT_F_CUSTOMER_CONTACT_POINT && c->number == KT_C_CONTACT_VALUE)
                err = contact_form(value, in, country, arena, &form);
            else
                err = nfc(in, arena, &form);
            if (err) return err;
            add(h, c->number, form);
            ++*count;
        }
    }
    return KT_OK;
}

int kt_element_id(const struct kt_schema_field *f, const uint8_t id_key[KT_KEY_BYTES], struct kt_bytes phone_country,
                  struct kt_bytes value, struct kt_arena *arena, struct kt_bytes *out)
{
    uint8_t key[KT_KEY_BYTES], number[4], id[ELEMENT_BYTES];
    struct kt_hasher h;
    uint32_t count = 0;
    int err = KT_OK;

    kt_kdf(key, sizeof key, KT_LABEL_ELEMENT, id_key, NULL, 0);
    kt_hash_begin(&h, kt_label_text(KT_LABEL_ELEMENT), key, sizeof id);
    sodium_memzero(key, sizeof key);
    be32(number, f->number);
    kt_hash_part(&h, kt_bytes(number, sizeof number));
    if (f->type != KT_COMPOSITE) {
        struct kt_bytes form = value;
        if (f->type != KT_REF) err = nfc(value, arena, &form);
        if (!err) add(&h, 0, form);
        count = 1;
    } else {
        struct kt_bytes source_id;
        bool source = f->shape == KT_LIST && kt_value_column(value, KT_C_ROW_SOURCE_ID, &source_id);
        err = add_columns(&h, f, source, phone_country, value, arena, &count);
    }
    kt_hash_end(&h, id);
    if (err) return err;
    struct kt_bytes copy = {0};
    if (count) {
        copy = kt_arena_copy(arena, kt_bytes(id, sizeof id));
        if (!copy.data) return KT_ELIMIT;
    }
    *out = copy;
    return KT_OK;
}
