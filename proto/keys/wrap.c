/* Data keys and their wraps.
 *
 * Sealed: XChaCha20-Poly1305 of the key under the compartment's key of an epoch, AAD = compartment 4, tag 12,
 * generation 4, key id 24, epoch 4 (big-endian); nonce = KDF("wrap-nonce", KEK, AAD).  The id is a hash of the key, so
 * one nonce never meets two keys. */
#include "proto/keys/hash.h"
#include "proto/keys/keys.h"
#include "proto/message.h"

#include <stddef.h>

#define SEALED_BYTES (KT_KEY_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)
#define NONCE_BYTES  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define AAD_BYTES    (4u + KT_TAG_BYTES + 4u + KT_DEK_ID_BYTES + 4u)
#define ID_CTX_BYTES (4u + KT_TAG_BYTES + 4u + 4u)

/* clang-format off */
static const struct kt_wire_field wrap_fields[] = {
    {1, KT_WIRE_RAW, true, offsetof(struct kt_wrap, id), .max = KT_DEK_ID_BYTES},
    {2, KT_WIRE_U32, true, offsetof(struct kt_wrap, compartment), .max = UINT32_MAX},
    {3, KT_WIRE_RAW, true, offsetof(struct kt_wrap, tag), .max = KT_TAG_BYTES},
    {4, KT_WIRE_U32, .at = offsetof(struct kt_wrap, generation), .max = UINT32_MAX},
    {5, KT_WIRE_U32, .at = offsetof(struct kt_wrap, birth_epoch), .max = UINT32_MAX},
    {6, KT_WIRE_U32, .at = offsetof(struct kt_wrap, epoch), .max = UINT32_MAX},
    {7, KT_WIRE_BYTES, true, offsetof(struct kt_wrap, sealed), .max = SEALED_BYTES},
};
/* clang-format on */
static const struct kt_wire_message wrap_message = KT_WIRE_MESSAGE_OF(wrap_fields);

static void put_be32(uint8_t *out, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++) out[i] = (uint8_t)(v >> (24 - 8 * i));
}

struct kt_dek_id kt_dek_id_of(const uint8_t key[KT_KEY_BYTES], kt_compartment compartment, const struct kt_tag *tag,
                              uint32_t generation, uint32_t birth_epoch)
{
    struct kt_hasher h;
    struct kt_dek_id id;
    uint8_t ctx[ID_CTX_BYTES];

    put_be32(ctx, compartment);
    memcpy(ctx + 4, tag->b, KT_TAG_BYTES);
    put_be32(ctx + 4 + KT_TAG_BYTES, generation);
    put_be32(ctx + 8 + KT_TAG_BYTES, birth_epoch);
    kt_hash_begin(&h, kt_label_text(KT_LABEL_DEK_ID), NULL, sizeof(id.b));
    kt_hash_part(&h, kt_bytes(key, KT_KEY_BYTES));
    kt_hash_part(&h, KT_BYTES_OF(ctx));
    kt_hash_end(&h, id.b);
    return id;
}

static void make_aad(const struct kt_wrap *w, uint8_t out[AAD_BYTES])
{
    put_be32(out, w->compartment);
    memcpy(out + 4, w->tag.b, KT_TAG_BYTES);
    put_be32(out + 16, w->generation);
    memcpy(out + 20, w->id.b, KT_DEK_ID_BYTES);
    put_be32(out + 44, w->epoch);
}

static void make_nonce(const uint8_t kek[KT_KEY_BYTES], const uint8_t aad[AAD_BYTES], uint8_t out[NONCE_BYTES])
{
    struct kt_bytes ctx = kt_bytes(aad, AAD_BYTES);

    kt_kdf(out, NONCE_BYTES, KT_LABEL_WRAP_NONCE, kek, &ctx, 1);
}

int kt_wrap_seal(const struct kt_compartment_keys *k, const struct kt_kek *kek, const struct kt_dek *dek,
                 const struct kt_tag *tag, uint32_t generation, uint32_t birth_epoch, struct kt_buf *out)
{
    uint8_t aad[AAD_BYTES], nonce[NONCE_BYTES], sealed[SEALED_BYTES];
    struct kt_wrap w = {.id = dek->id,
                        .compartment = k->compartment,
                        .tag = *tag,
                        .generation = generation,
                        .birth_epoch = birth_epoch,
                        .epoch = kek->epoch};

    make_aad(&w, aad);
    make_nonce(kek->key, aad, nonce);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, dek->key, KT_KEY_BYTES, aad, sizeof(aad), NULL, nonce,
                                               kek->key);
    w.sealed = KT_BYTES_OF(sealed);
    return kt_wire_encode(&wrap_message, &w, out);
}

int kt_wrap_decode(struct kt_bytes in, struct kt_wrap *out)
{
    struct kt_wrap w = {0};

    int rc = kt_wire_decode(&wrap_message, in, NULL, &w);
    if (rc) return rc;
    if (w.sealed.len != SEALED_BYTES || w.compartment == 0) return KT_EMALFORMED;
    *out = w;
    return KT_OK;
}

int kt_wrap_open(const struct kt_compartment_keys *k, const struct kt_wrap *w, struct kt_dek *out)
{
    uint8_t aad[AAD_BYTES], nonce[NONCE_BYTES];
    struct kt_dek dek;
    int rc = KT_OK;

    const struct kt_kek *kek = w->compartment == k->compartment ? kt_kek_find(k, w->epoch) : NULL;
    if (!kek) return KT_EKEY;
    if (w->sealed.len != SEALED_BYTES) return KT_EOPEN;
    make_aad(w, aad);
    make_nonce(kek->key, aad, nonce);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(dek.key, NULL, NULL, w->sealed.data, w->sealed.len, aad, sizeof(aad),
                                                   nonce, kek->key))
        return KT_EOPEN;
    dek.id = kt_dek_id_of(dek.key, w->compartment, &w->tag, w->generation, w->birth_epoch);
    if (sodium_memcmp(dek.id.b, w->id.b, KT_DEK_ID_BYTES))
        rc = KT_EHASH;
    else
        *out = dek;
    sodium_memzero(&dek, sizeof(dek));
    return rc;
}

struct kt_hash kt_wrap_hash(struct kt_bytes wrap) { return kt_hash_parts(kt_label_text(KT_LABEL_WRAP_HASH), &wrap, 1); }
