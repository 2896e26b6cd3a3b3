#include "proto/ids.h"

#include "proto/keys/hash.h"

static void put_be(uint8_t *out, uint64_t v, size_t len)
{
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
}

static uint64_t get_be(const uint8_t *in, size_t len)
{
    uint64_t v = 0;

    for (size_t i = 0; i < len; i++) v = v << 8 | in[i];
    return v;
}

static int compare(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

int kt_origin_compare(struct kt_origin a, struct kt_origin b)
{
    int c = compare(a.member, b.member);

    return c ? c : compare(a.incarnation, b.incarnation);
}

int kt_dot_compare(const struct kt_dot *a, const struct kt_dot *b)
{
    int c = kt_origin_compare(a->origin, b->origin);

    if (!c) c = compare(a->batch, b->batch);
    if (!c) c = compare(a->envelope, b->envelope);
    return c ? c : compare(a->op, b->op);
}

void kt_origin_pack(struct kt_origin o, uint8_t out[KT_ORIGIN_BYTES])
{
    put_be(out, o.member, 4);
    put_be(out + 4, o.incarnation, 8);
}

struct kt_origin kt_origin_unpack(const uint8_t in[KT_ORIGIN_BYTES])
{
    return (struct kt_origin){.member = (kt_member)get_be(in, 4), .incarnation = get_be(in + 4, 8)};
}

void kt_dot_pack(const struct kt_dot *d, uint8_t out[KT_DOT_BYTES])
{
    kt_origin_pack(d->origin, out);
    put_be(out + 12, d->batch, 8);
    put_be(out + 20, d->envelope, 4);
    put_be(out + 24, d->op, 4);
}

void kt_dot_unpack(const uint8_t in[KT_DOT_BYTES], struct kt_dot *out)
{
    *out = (struct kt_dot){.origin = kt_origin_unpack(in),
                           .batch = get_be(in + 12, 8),
                           .envelope = (uint32_t)get_be(in + 20, 4),
                           .op = (uint32_t)get_be(in + 24, 4)};
}

struct kt_entity_id kt_entity_id_of(const uint8_t id_key[KT_KEY_BYTES], uint32_t kind, struct kt_bytes source_system,
                                    struct kt_bytes source_id)
{
    struct kt_hasher h;
    struct kt_entity_id out;
    uint8_t kind_be[4];

    put_be(kind_be, kind, sizeof(kind_be));
    kt_hash_begin(&h, "entity", id_key, sizeof(out.b));
    kt_hash_part(&h, kt_bytes(kind_be, sizeof(kind_be)));
    kt_hash_part(&h, source_system);
    kt_hash_part(&h, source_id);
    kt_hash_end(&h, out.b);
    return out;
}

void kt_hex(struct kt_bytes in, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < in.len; i++) {
        *out++ = digits[in.data[i] >> 4];
        *out++ = digits[in.data[i] & 15];
    }
    *out = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int kt_unhex(const char *text, uint8_t *out, size_t len)
{
    if (strlen(text) != 2 * len) return KT_EMALFORMED;
    for (size_t i = 0; i < 2 * len; i++)
        if (digit(text[i]) < 0) return KT_EMALFORMED;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
    return KT_OK;
}
