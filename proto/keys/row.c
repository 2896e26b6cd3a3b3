/* Rows of the store at rest: nonce 24, then XChaCha20-Poly1305 with AAD = table 4, compartment 4, row key. */
#include "proto/keys/keys.h"

#include <assert.h>
#include <sodium.h>

#define NONCE_BYTES       crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define MAC_BYTES         crypto_aead_xchacha20poly1305_ietf_ABYTES
#define ROW_KEY_BYTES_MAX 511u /* LMDB's limit: no row has a longer key */

_Static_assert(NONCE_BYTES + MAC_BYTES == KT_ROW_OVERHEAD_BYTES, "the overhead published");

struct row_aad {
    uint8_t bytes[8 + ROW_KEY_BYTES_MAX];
    size_t len;
};

static void make_aad(struct row_aad *a, uint32_t table, kt_compartment compartment, struct kt_bytes row_key)
{
    assert(row_key.len <= ROW_KEY_BYTES_MAX);
    for (unsigned i = 0; i < 4; i++) {
        a->bytes[i] = (uint8_t)(table >> (24 - 8 * i));
        a->bytes[4 + i] = (uint8_t)(compartment >> (24 - 8 * i));
    }
    if (row_key.len) memcpy(a->bytes + 8, row_key.data, row_key.len);
    a->len = 8 + row_key.len;
}

void kt_row_seal(const uint8_t key[KT_KEY_BYTES], const uint8_t nonce[24], uint32_t table, struct kt_bytes row_key,
                 kt_compartment compartment, struct kt_bytes plain, struct kt_buf *out)
{
    struct row_aad aad;
    uint8_t *p = kt_buf_extend(out, plain.len + KT_ROW_OVERHEAD_BYTES);

    if (!p) return;
    make_aad(&aad, table, compartment, row_key);
    memcpy(p, nonce, NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(p + NONCE_BYTES, NULL, plain.data, plain.len, aad.bytes, aad.len, NULL,
                                               nonce, key);
}

int kt_row_open(const uint8_t key[KT_KEY_BYTES], uint32_t table, struct kt_bytes row_key, kt_compartment compartment,
                struct kt_bytes sealed, struct kt_buf *out)
{
    struct row_aad aad;

    if (sealed.len < KT_ROW_OVERHEAD_BYTES) return KT_EOPEN;
    size_t plain_len = sealed.len - KT_ROW_OVERHEAD_BYTES;
    uint8_t *p = kt_buf_extend(out, plain_len);
    if (!p) return out->err;
    make_aad(&aad, table, compartment, row_key);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(p, NULL, NULL, sealed.data + NONCE_BYTES, sealed.len - NONCE_BYTES,
                                                   aad.bytes, aad.len, sealed.data, key)) {
        out->len -= plain_len;
        return KT_EOPEN;
    }
    return KT_OK;
}
