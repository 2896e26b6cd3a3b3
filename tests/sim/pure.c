/* What is dear and always gives the same answer is worked out once.  Five offices verify each seal and each pulse, and
 * open their bundles with each start; libsodium's answer depends on its arguments alone, so whoever asks with the very
 * same bytes gets the answer that was given before.  Compared are all of the bytes, not a hash of them; an answer of
 * libsodium's comes first.  The linker puts these in the place of libsodium's (--wrap), for kontor-sim only. */
#include "sim/sim.h"

#include <sodium.h>
#include <stdlib.h>

#define SLOTS      65536u
#define OPEN_SLOTS 2048u /* what was opened may be long */
#define PARTS      4u

int __real_crypto_sign_verify_detached(const unsigned char *, const unsigned char *, unsigned long long,
                                       const unsigned char *);
int __wrap_crypto_sign_verify_detached(const unsigned char *, const unsigned char *, unsigned long long,
                                       const unsigned char *);
int __real_crypto_box_seal_open(unsigned char *, const unsigned char *, unsigned long long, const unsigned char *,
                                const unsigned char *);
int __wrap_crypto_box_seal_open(unsigned char *, const unsigned char *, unsigned long long, const unsigned char *,
                                const unsigned char *);
void *__wrap_sodium_malloc(size_t);
void __wrap_sodium_free(void *);

int __real_crypto_sign_detached(unsigned char *, unsigned long long *, const unsigned char *, unsigned long long,
                                const unsigned char *);
int __wrap_crypto_sign_detached(unsigned char *, unsigned long long *, const unsigned char *, unsigned long long,
                                const unsigned char *);
int __real_crypto_sign_seed_keypair(unsigned char *, unsigned char *, const unsigned char *);
int __wrap_crypto_sign_seed_keypair(unsigned char *, unsigned char *, const unsigned char *);
int __real_crypto_scalarmult_base(unsigned char *, const unsigned char *);
int __wrap_crypto_scalarmult_base(unsigned char *, const unsigned char *);

int __real_crypto_aead_xchacha20poly1305_ietf_encrypt(unsigned char *, unsigned long long *, const unsigned char *,
                                                      unsigned long long, const unsigned char *, unsigned long long,
                                                      const unsigned char *, const unsigned char *,
                                                      const unsigned char *);
int __wrap_crypto_aead_xchacha20poly1305_ietf_encrypt(unsigned char *, unsigned long long *, const unsigned char *,
                                                      unsigned long long, const unsigned char *, unsigned long long,
                                                      const unsigned char *, const unsigned char *,
                                                      const unsigned char *);
int __real_crypto_aead_xchacha20poly1305_ietf_decrypt(unsigned char *, unsigned long long *, unsigned char *,
                                                      const unsigned char *, unsigned long long, const unsigned char *,
                                                      unsigned long long, const unsigned char *, const unsigned char *);
int __wrap_crypto_aead_xchacha20poly1305_ietf_decrypt(unsigned char *, unsigned long long *, unsigned char *,
                                                      const unsigned char *, unsigned long long, const unsigned char *,
                                                      unsigned long long, const unsigned char *, const unsigned char *);

enum question { VERIFY, SEAL_OPEN, KEYPAIR, BASE, OPEN };

struct answer {
    enum question asked;
    int gives;
    size_t in_len, out_len;
    uint8_t bytes[]; /* what was asked with, then what came out */
};

static struct answer *known[SLOTS + OPEN_SLOTS]; /* by a hash of what was asked with; the newest stays */

struct asking {
    enum question what;
    struct kt_bytes parts[PARTS];
    size_t len;
    struct answer **slot;
};

/* The first part is a signature, a nonce or a key: as good as random. */
static struct asking ask(enum question what, struct kt_bytes a, struct kt_bytes b, struct kt_bytes c, struct kt_bytes d)
{
    struct asking w = {what, {a, b, c, d}, a.len + b.len + c.len + d.len, NULL};
    uint64_t h = 0xcbf29ce484222325ull + what + w.len;
    for (size_t i = 0; i < a.len && i < 64; i++) h = (h ^ a.data[i]) * 0x100000001b3ull;
    h ^= h >> 32;
    w.slot = &known[what == OPEN ? SLOTS + h % OPEN_SLOTS : h % SLOTS];
    return w;
}

static const struct answer *recall(const struct asking *w)
{
    const struct answer *k = *w->slot;
    if (!k || k->asked != w->what || k->in_len != w->len) return NULL;
    const uint8_t *at = k->bytes;
    for (size_t i = 0; i < PARTS; at += w->parts[i++].len)
        if (w->parts[i].len && memcmp(at, w->parts[i].data, w->parts[i].len) != 0) return NULL;
    return k;
}

static void keep(const struct asking *w, int gives, struct kt_bytes out)
{
    struct answer *k = malloc(sizeof *k + w->len + out.len);
    sim_must(k != NULL, "out of memory");
    *k = (struct answer){.asked = w->what, .gives = gives, .in_len = w->len, .out_len = out.len};
    uint8_t *at = k->bytes;
    for (size_t i = 0; i < PARTS; at += w->parts[i++].len)
        if (w->parts[i].len) memcpy(at, w->parts[i].data, w->parts[i].len);
    if (out.len) memcpy(at, out.data, out.len);
    free(*w->slot);
    *w->slot = k;
}

static const struct kt_bytes none;

static struct asking ask_verify(const unsigned char *signature, const unsigned char *message, unsigned long long len,
                                const unsigned char *key)
{
    return ask(VERIFY, kt_bytes(signature, crypto_sign_BYTES), kt_bytes(key, crypto_sign_PUBLICKEYBYTES),
               kt_bytes(message, len), none);
}

int __wrap_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *message,
                                       unsigned long long len, const unsigned char *key)
{
    const struct asking w = ask_verify(signature, message, len, key);
    const struct answer *k = recall(&w);
    if (k) return k->gives;
    const int gives = __real_crypto_sign_verify_detached(signature, message, len, key);
    keep(&w, gives, none);
    return gives;
}

int __wrap_crypto_box_seal_open(unsigned char *out, const unsigned char *sealed, unsigned long long len,
                                const unsigned char *key, const unsigned char *secret)
{
    const struct asking w = ask(SEAL_OPEN, kt_bytes(sealed, len), kt_bytes(key, crypto_box_PUBLICKEYBYTES),
                                kt_bytes(secret, crypto_box_SECRETKEYBYTES), none);
    const struct answer *k = recall(&w);
    if (k) {
        if (k->out_len) memcpy(out, k->bytes + k->in_len, k->out_len);
        return k->gives;
    }
    const int gives = __real_crypto_box_seal_open(out, sealed, len, key, secret);
    keep(&w, gives, kt_bytes(out, gives ? 0 : len - crypto_box_SEALBYTES));
    return gives;
}

/* What a key has signed, its other half verifies: that is what a signature is, and tests/unit holds libsodium to it.
 * All that was changed on the way is still verified in earnest. */
int __wrap_crypto_sign_detached(unsigned char *signature, unsigned long long *signature_len,
                                const unsigned char *message, unsigned long long len, const unsigned char *secret)
{
    const int gives = __real_crypto_sign_detached(signature, signature_len, message, len, secret);
    const struct asking w = ask_verify(signature, message, len, secret + crypto_sign_SEEDBYTES); /* its other half */
    if (!gives) keep(&w, 0, none);
    return gives;
}

int __wrap_crypto_sign_seed_keypair(unsigned char *key, unsigned char *secret, const unsigned char *seed)
{
    const struct asking w = ask(KEYPAIR, kt_bytes(seed, crypto_sign_SEEDBYTES), none, none, none);
    const struct answer *k = recall(&w);
    if (!k) {
        const int gives = __real_crypto_sign_seed_keypair(key, secret, seed);
        keep(&w, gives, kt_bytes(secret, crypto_sign_SECRETKEYBYTES));
        return gives;
    }
    memcpy(secret, k->bytes + k->in_len, crypto_sign_SECRETKEYBYTES);
    memcpy(key, secret + crypto_sign_SEEDBYTES, crypto_sign_PUBLICKEYBYTES);
    return k->gives;
}

int __wrap_crypto_scalarmult_base(unsigned char *key, const unsigned char *secret)
{
    const struct asking w = ask(BASE, kt_bytes(secret, crypto_scalarmult_SCALARBYTES), none, none, none);
    const struct answer *k = recall(&w);
    if (!k) {
        const int gives = __real_crypto_scalarmult_base(key, secret);
        keep(&w, gives, kt_bytes(key, crypto_scalarmult_BYTES));
        return gives;
    }
    memcpy(key, k->bytes + k->in_len, crypto_scalarmult_BYTES);
    return k->gives;
}

static struct asking ask_open(const unsigned char *sealed, unsigned long long len, const unsigned char *with,
                              unsigned long long with_len, const unsigned char *nonce, const unsigned char *key)
{
    return ask(OPEN, kt_bytes(nonce, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES),
               kt_bytes(key, crypto_aead_xchacha20poly1305_ietf_KEYBYTES), kt_bytes(with, with_len),
               kt_bytes(sealed, len));
}

/* A row is opened at every look at it.  What was sealed under a nonce opens to what went in; another key, another place
 * or another byte asks another question. */
int __wrap_crypto_aead_xchacha20poly1305_ietf_encrypt(unsigned char *sealed, unsigned long long *sealed_len,
                                                      const unsigned char *plain, unsigned long long len,
                                                      const unsigned char *with, unsigned long long with_len,
                                                      const unsigned char *secret_nonce, const unsigned char *nonce,
                                                      const unsigned char *key)
{
    uint8_t *before = malloc(len + 1); /* it may be sealed where it stands */
    sim_must(before != NULL, "out of memory");
    if (len) memcpy(before, plain, len);
    const int gives = __real_crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, sealed_len, plain, len, with, with_len,
                                                                        secret_nonce, nonce, key);
    const struct asking w =
        ask_open(sealed, len + crypto_aead_xchacha20poly1305_ietf_ABYTES, with, with_len, nonce, key);
    if (!gives) keep(&w, 0, kt_bytes(before, len));
    free(before);
    return gives;
}

int __wrap_crypto_aead_xchacha20poly1305_ietf_decrypt(unsigned char *plain, unsigned long long *plain_len,
                                                      unsigned char *secret_nonce, const unsigned char *sealed,
                                                      unsigned long long len, const unsigned char *with,
                                                      unsigned long long with_len, const unsigned char *nonce,
                                                      const unsigned char *key)
{
    const struct asking w = ask_open(sealed, len, with, with_len, nonce, key);
    const struct answer *k = recall(&w);
    if (!k) {
        unsigned long long n = 0;
        const int gives = __real_crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &n, secret_nonce, sealed, len, with,
                                                                            with_len, nonce, key);
        if (plain_len) *plain_len = n;
        if (!gives) keep(&w, 0, kt_bytes(plain, n));
        return gives;
    }
    if (k->out_len) memcpy(plain, k->bytes + k->in_len, k->out_len);
    if (plain_len) *plain_len = k->out_len;
    return k->gives;
}

/* Guard pages and locked memory are for secrets; here there are none, and a sanitizer sees further than they do. */
void *__wrap_sodium_malloc(size_t size) { return calloc(1, size ? size : 1); }
void __wrap_sodium_free(void *p) { free(p); }
