#include "proto/keys/hash.h"

#include <assert.h>

static const char prefix[] = "kontor/v1/";

void kt_hash_begin(struct kt_hasher *h, const char *label, const uint8_t *key, size_t out_len)
{
    assert(out_len >= crypto_generichash_BYTES_MIN && out_len <= crypto_generichash_BYTES_MAX);
    h->out_len = out_len;
    crypto_generichash_init(&h->state, key, key ? KT_KEY_BYTES : 0, out_len);
    crypto_generichash_update(&h->state, (const uint8_t *)prefix, sizeof(prefix) - 1);
    crypto_generichash_update(&h->state, (const uint8_t *)label, strlen(label));
}

void kt_hash_part(struct kt_hasher *h, struct kt_bytes part)
{
    uint8_t len[8];

    for (size_t i = 0; i < sizeof(len); i++) len[i] = (uint8_t)((uint64_t)part.len >> (8 * (7 - i)));
    crypto_generichash_update(&h->state, len, sizeof(len));
    if (part.len) crypto_generichash_update(&h->state, part.data, part.len);
}

void kt_hash_end(struct kt_hasher *h, uint8_t *out)
{
    crypto_generichash_final(&h->state, out, h->out_len);
    sodium_memzero(h, sizeof(*h));
}

struct kt_hash kt_hash_parts(const char *label, const struct kt_bytes *parts, size_t n)
{
    struct kt_hasher h;
    struct kt_hash out;

    kt_hash_begin(&h, label, NULL, sizeof(out.b));
    for (size_t i = 0; i < n; i++) kt_hash_part(&h, parts[i]);
    kt_hash_end(&h, out.b);
    return out;
}
