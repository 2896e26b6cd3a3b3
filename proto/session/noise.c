#include "proto/session/noise.h"
#include "proto/limits.h"

#include <sodium.h>

_Static_assert(sizeof KT_NOISE_NAME - 1 == KT_NOISE_HASH_BYTES, "the name is the first h without hashing (5.2)");
_Static_assert(crypto_hash_sha256_BYTES == KT_NOISE_HASH_BYTES, "SHA-256");
_Static_assert(crypto_auth_hmacsha256_KEYBYTES == KT_NOISE_HASH_BYTES, "HMAC is keyed with ck only");

/* The tokens of pattern XX, message by message (section 7.5). */
enum token { END, E, S, EE, ES, SE };
static const uint8_t pattern_xx[3][5] = {
    {E,   END},
    {   E, EE,   S, ES, END},
    { S,   SE,      END}
};

static const struct kt_bytes nothing = {NULL, 0};

/* ---- CipherState ---- */

static void nonce_of(uint64_t n, uint8_t out[crypto_aead_chacha20poly1305_ietf_NPUBBYTES])
{
    memset(out, 0, 4); /* 32 bits of zeros, then n in little-endian (section 12.3) */
    for (int i = 0; i < 8; i++) out[4 + i] = (uint8_t)(n >> (8 * i));
}

int kt_noise_encrypt(struct kt_noise_cipher *c, struct kt_bytes ad, struct kt_bytes plain, uint8_t *out)
{
    if (!c->has_key) return KT_EBUG;
    if (plain.len + KT_NOISE_TAG_BYTES > KT_NOISE_MESSAGE_BYTES_MAX) return KT_EOVERSIZE;
    if (c->n == KT_NOISE_NONCE_NEVER) return KT_ELIMIT;
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    nonce_of(c->n, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.len, ad.data, ad.len, NULL, nonce, c->k);
    c->n++;
    return KT_OK;
}

int kt_noise_decrypt(struct kt_noise_cipher *c, struct kt_bytes ad, struct kt_bytes sealed, uint8_t *out)
{
    if (!c->has_key) return KT_EBUG;
    if (sealed.len < KT_NOISE_TAG_BYTES) return KT_ETRUNCATED;
    if (sealed.len > KT_NOISE_MESSAGE_BYTES_MAX) return KT_EOVERSIZE;
    if (c->n == KT_NOISE_NONCE_NEVER) return KT_ELIMIT;
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    nonce_of(c->n, nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data, sealed.len, ad.data, ad.len, nonce,
                                                  c->k))
        return KT_EOPEN;
    c->n++;
    return KT_OK;
}

void kt_noise_cipher_wipe(struct kt_noise_cipher *c) { sodium_memzero(c, sizeof *c); }

/* ---- SymmetricState ---- */

static void mix_hash(struct kt_noise_symmetric *y, struct kt_bytes data)
{
    crypto_hash_sha256_state st;
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, y->h, sizeof y->h);
    crypto_hash_sha256_update(&st, data.data, data.len);
    crypto_hash_sha256_final(&st, y->h);
}

/* HKDF with two outputs (section 4.3). */
static void hkdf(const uint8_t ck[KT_NOISE_HASH_BYTES], struct kt_bytes ikm, uint8_t out1[KT_NOISE_HASH_BYTES],
                 uint8_t out2[KT_NOISE_HASH_BYTES])
{
    uint8_t temp[KT_NOISE_HASH_BYTES], block[KT_NOISE_HASH_BYTES + 1];
    crypto_auth_hmacsha256(temp, ikm.data, ikm.len, ck);
    crypto_auth_hmacsha256(out1, (const uint8_t[]){1}, 1, temp);
    memcpy(block, out1, KT_NOISE_HASH_BYTES);
    block[KT_NOISE_HASH_BYTES] = 2;
    crypto_auth_hmacsha256(out2, block, sizeof block, temp);
    sodium_memzero(temp, sizeof temp);
    sodium_memzero(block, sizeof block);
}

static void mix_key(struct kt_noise_symmetric *y, struct kt_bytes ikm)
{
    uint8_t ck[KT_NOISE_HASH_BYTES];
    hkdf(y->ck, ikm, ck, y->cipher.k);
    memcpy(y->ck, ck, sizeof ck);
    y->cipher.n = 0;
    y->cipher.has_key = true;
    sodium_memzero(ck, sizeof ck);
}

static size_t sealed_len(const struct kt_noise_symmetric *y, size_t plain_len)
{
    return plain_len + (y->cipher.has_key ? KT_NOISE_TAG_BYTES : 0);
}

static int encrypt_and_hash(struct kt_noise_symmetric *y, struct kt_bytes plain, uint8_t *out)
{
    size_t len = sealed_len(y, plain.len);
    if (!y->cipher.has_key) {
        if (plain.len) memcpy(out, plain.data, plain.len);
    } else {
        int rc = kt_noise_encrypt(&y->cipher, kt_bytes(y->h, sizeof y->h), plain, out);
        if (rc) return rc;
    }
    mix_hash(y, kt_bytes(out, len));
    return KT_OK;
}

static int decrypt_and_hash(struct kt_noise_symmetric *y, struct kt_bytes sealed, uint8_t *out)
{
    if (!y->cipher.has_key) {
        if (sealed.len) memcpy(out, sealed.data, sealed.len);
    } else {
        int rc = kt_noise_decrypt(&y->cipher, kt_bytes(y->h, sizeof y->h), sealed, out);
        if (rc) return rc;
    }
    mix_hash(y, sealed);
    return KT_OK;
}

/* ---- HandshakeState ---- */

int kt_noise_init(struct kt_noise *n, bool initiator, struct kt_bytes prologue,
                  const uint8_t static_secret[KT_NOISE_KEY_BYTES], const uint8_t ephemeral_secret[KT_NOISE_KEY_BYTES])
{
    memset(n, 0, sizeof *n);
    n->initiator = initiator;
    memcpy(n->s, static_secret, sizeof n->s);
    memcpy(n->e, ephemeral_secret, sizeof n->e);
    if (crypto_scalarmult_curve25519_base(n->s_public, n->s) || crypto_scalarmult_curve25519_base(n->e_public, n->e)) {
        kt_noise_wipe(n);
        return KT_EKEY;
    }
    memcpy(n->symmetric.h, KT_NOISE_NAME, sizeof n->symmetric.h);
    memcpy(n->symmetric.ck, n->symmetric.h, sizeof n->symmetric.ck);
    mix_hash(&n->symmetric, prologue);
    return KT_OK;
}

void kt_noise_wipe(struct kt_noise *n)
{
    sodium_memzero(n, sizeof *n);
    n->message = -1;
}

static int mix_dh(struct kt_noise *n, const uint8_t secret[KT_NOISE_KEY_BYTES],
                  const uint8_t public[KT_NOISE_KEY_BYTES])
{
    uint8_t shared[KT_NOISE_KEY_BYTES];
    if (crypto_scalarmult_curve25519(shared, secret, public)) return KT_EKEY; /* also libsodium's all-zero check */
    mix_key(&n->symmetric, kt_bytes(shared, sizeof shared));
    sodium_memzero(shared, sizeof shared);
    return KT_OK;
}

static int mix_token(struct kt_noise *n, enum token t)
{
    if (t == EE) return mix_dh(n, n->e, n->re);
    if ((t == ES) == n->initiator) return mix_dh(n, n->e, n->rs);
    return mix_dh(n, n->s, n->re);
}

static int write_tokens(struct kt_noise *n, struct kt_bytes payload, uint8_t *out, size_t cap, size_t *len)
{
    size_t at = 0;
    for (const uint8_t *t = pattern_xx[n->message]; *t != END; t++) {
        int rc = KT_OK;
        if (*t == E) {
            if (cap - at < KT_NOISE_KEY_BYTES) return KT_EOVERSIZE;
            memcpy(out + at, n->e_public, KT_NOISE_KEY_BYTES);
            mix_hash(&n->symmetric, kt_bytes(n->e_public, KT_NOISE_KEY_BYTES));
            at += KT_NOISE_KEY_BYTES;
        } else if (*t == S) {
            size_t sealed = sealed_len(&n->symmetric, KT_NOISE_KEY_BYTES);
            if (cap - at < sealed) return KT_EOVERSIZE;
            rc = encrypt_and_hash(&n->symmetric, kt_bytes(n->s_public, KT_NOISE_KEY_BYTES), out + at);
            at += sealed;
        } else {
            rc = mix_token(n, *t);
        }
        if (rc) return rc;
    }
    size_t sealed = sealed_len(&n->symmetric, payload.len);
    if (sealed > KT_NOISE_MESSAGE_BYTES_MAX - at || cap - at < sealed) return KT_EOVERSIZE;
    int rc = encrypt_and_hash(&n->symmetric, payload, out + at);
    if (rc) return rc;
    *len = at + sealed;
    return KT_OK;
}

static int read_tokens(struct kt_noise *n, struct kt_bytes message, uint8_t *out, size_t cap, size_t *len)
{
    const uint8_t *at = message.data, *end = message.data + message.len;
    for (const uint8_t *t = pattern_xx[n->message]; *t != END; t++) {
        int rc = KT_OK;
        if (*t == E || *t == S) {
            size_t sealed = *t == E ? KT_NOISE_KEY_BYTES : sealed_len(&n->symmetric, KT_NOISE_KEY_BYTES);
            if ((size_t)(end - at) < sealed) return KT_ETRUNCATED;
            if (*t == E) {
                memcpy(n->re, at, sizeof n->re);
                mix_hash(&n->symmetric, kt_bytes(n->re, sizeof n->re));
            } else {
                rc = decrypt_and_hash(&n->symmetric, kt_bytes(at, sealed), n->rs);
            }
            at += sealed;
        } else {
            rc = mix_token(n, *t);
        }
        if (rc) return rc;
    }
    size_t tag = sealed_len(&n->symmetric, 0), left = (size_t)(end - at);
    if (left < tag) return KT_ETRUNCATED;
    if (left - tag > cap) return KT_EOVERSIZE;
    int rc = decrypt_and_hash(&n->symmetric, kt_bytes(at, left), out);
    if (rc) return rc;
    *len = left - tag;
    return KT_OK;
}

/* A handshake that failed once is over: what it mixed in cannot be taken back. */
static int step_done(struct kt_noise *n, int rc)
{
    if (rc)
        kt_noise_wipe(n);
    else
        n->message++;
    return rc;
}

int kt_noise_write(struct kt_noise *n, struct kt_bytes payload, uint8_t *out, size_t cap, size_t *len)
{
    if (n->message < 0 || kt_noise_done(n) || !kt_noise_writes(n)) return KT_EBUG;
    return step_done(n, write_tokens(n, payload, out, cap, len));
}

int kt_noise_read(struct kt_noise *n, struct kt_bytes message, uint8_t *out, size_t cap, size_t *len)
{
    if (n->message < 0 || kt_noise_done(n) || kt_noise_writes(n)) return KT_EBUG;
    if (message.len > KT_NOISE_MESSAGE_BYTES_MAX) return step_done(n, KT_EOVERSIZE);
    return step_done(n, read_tokens(n, message, out, cap, len));
}

int kt_noise_split(const struct kt_noise *n, struct kt_noise_cipher *send, struct kt_noise_cipher *receive)
{
    if (!kt_noise_done(n)) return KT_EBUG;
    struct kt_noise_cipher *first = n->initiator ? send : receive, *second = n->initiator ? receive : send;
    hkdf(n->symmetric.ck, nothing, first->k, second->k);
    send->n = receive->n = 0;
    send->has_key = receive->has_key = true;
    return KT_OK;
}
