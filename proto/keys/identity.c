/* A member's own keys, and the root-sealed form of them that stands in `keys`.
 *
 * Sealed form: head "root", nonce 24, XChaCha20-Poly1305 of the three 32-byte seeds (sign, session, receive) under
 * KDF("root", root key, "identity"), AAD = the head. */
#include "proto/keys/head.h"

#include <sodium.h>

#define SEED_BYTES 96u

_Static_assert(crypto_sign_SEEDBYTES == 32 && crypto_scalarmult_SCALARBYTES == 32, "three seeds of 32 bytes");

struct kt_identity *kt_identity_create(const uint8_t seed[96])
{
    struct kt_identity *id = sodium_malloc(sizeof(*id));

    if (!id) return NULL;
    crypto_sign_seed_keypair(id->pub.sign, id->sign_secret, seed);
    memcpy(id->session_secret, seed + 32, sizeof(id->session_secret));
    memcpy(id->receive_secret, seed + 64, sizeof(id->receive_secret));
    crypto_scalarmult_base(id->pub.session, id->session_secret);
    crypto_scalarmult_base(id->pub.receive, id->receive_secret);
    return id;
}

void kt_identity_free(struct kt_identity *id) { sodium_free(id); }

static void root_subkey(uint8_t out[KT_KEY_BYTES], const uint8_t root_key[KT_KEY_BYTES])
{
    struct kt_bytes use = kt_str("identity");

    kt_kdf(out, KT_KEY_BYTES, KT_LABEL_ROOT, root_key, &use, 1);
}

int kt_identity_seal(const struct kt_identity *id, const uint8_t root_key[KT_KEY_BYTES], const uint8_t nonce[24],
                     struct kt_buf *out)
{
    uint8_t key[KT_KEY_BYTES], seed[SEED_BYTES];
    size_t start = out->len;

    kt_head_put(out, KT_LABEL_ROOT);
    size_t head_len = out->len - start;
    kt_buf_put(out, kt_bytes(nonce, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES));
    uint8_t *sealed = kt_buf_extend(out, SEED_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES);
    if (!sealed) {
        out->len = start;
        return out->err;
    }
    crypto_sign_ed25519_sk_to_seed(seed, id->sign_secret);
    memcpy(seed + 32, id->session_secret, sizeof(id->session_secret));
    memcpy(seed + 64, id->receive_secret, sizeof(id->receive_secret));
    root_subkey(key, root_key);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, seed, sizeof(seed), out->data + start, head_len, NULL,
                                               nonce, key);
    sodium_memzero(seed, sizeof(seed));
    sodium_memzero(key, sizeof(key));
    return KT_OK;
}

int kt_identity_open(struct kt_bytes sealed, const uint8_t root_key[KT_KEY_BYTES], struct kt_identity **out)
{
    struct kt_reader r = kt_reader(sealed);
    uint8_t key[KT_KEY_BYTES], seed[SEED_BYTES];

    int rc = kt_head_take(&r, KT_LABEL_ROOT);
    if (rc) return rc;
    struct kt_bytes head = kt_bytes(sealed.data, (size_t)(r.at - sealed.data));
    struct kt_bytes nonce = kt_take(&r, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
    struct kt_bytes cipher = kt_take(&r, SEED_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES);
    if (r.err) return r.err;
    if (kt_reader_left(&r)) return KT_EOVERSIZE;
    root_subkey(key, root_key);
    rc = crypto_aead_xchacha20poly1305_ietf_decrypt(seed, NULL, NULL, cipher.data, cipher.len, head.data, head.len,
                                                    nonce.data, key)
             ? KT_EOPEN
             : KT_OK;
    sodium_memzero(key, sizeof(key));
    if (rc) return rc;
    struct kt_identity *id = kt_identity_create(seed);
    sodium_memzero(seed, sizeof(seed));
    if (!id) return KT_ENOMEM;
    *out = id;
    return KT_OK;
}
