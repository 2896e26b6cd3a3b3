/* What is dear and always gives the same answer is worked out once.  Five offices verify each seal and each pulse, and
 * open their bundles with each start; libsodium's answer depends on its arguments alone, so whoever asks with the very
 * same bytes gets the answer that was given before.  Compared are all of the bytes, not a hash of them; an answer of
 * libsodium's comes first.  The linker puts these in the place of libsodium's (--wrap), for kontor-sim only. */
#include "sim/sim.h"

#include <sodium.h>
#include <stdlib.h>

#define SLOTS 65536u

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

enum question { VERIFY, SEAL_OPEN, KEYPAIR, BASE };

struct answer {
    enum question asked;
    int gives;
    size_t in_len, out_len;
    uint8_t bytes[]; /* what was asked with, then what came out */
};

static struct answer *known[SLOTS]; /* by a hash of what was asked with; the newest stays */

struct asking {
    struct kt_bytes parts[3];
    size_t len;
    struct answer **slot;
};

/* Signatures and ciphertexts come first, and are as good as random. */
static struct asking ask(enum question q, struct kt_bytes a, struct kt_bytes b, struct kt_bytes c)
{
    uint64_t h = 0xcbf29ce484222325ull + q + a.len + b.len + c.len;
    for (size_t i = 0; i < a.len && i < 64; i++) h = (h ^ a.data[i]) * 0x100000001b3ull;
    return (struct asking){.parts = {a, b, c}, .len = a.len + b.len + c.len, .slot = &known[(h ^ h >> 32) % SLOTS]};
}

static const struct answer *recall(enum question q, const struct asking *w)
{
    const struct answer *k = *w->slot;
    if (!k || k->asked != q || k->in_len != w->len) return NULL;
    const uint8_t *at = k->bytes;
    for (size_t i = 0; i < 3; at += w->parts[i++].len)
        if (w->parts[i].len && memcmp(at, w->parts[i].data, w->parts[i].len) != 0) return NULL;
    return k;
}

static void keep(enum question q, const struct asking *w, int gives, struct kt_bytes out)
{
    struct answer *k = malloc(sizeof *k + w->len + out.len);
    sim_must(k != NULL, "out of memory");
    *k = (struct answer){.asked = q, .gives = gives, .in_len = w->len, .out_len = out.len};
    uint8_t *at = k->bytes;
    for (size_t i = 0; i < 3; at += w->parts[i++].len)
        if (w->parts[i].len) memcpy(at, w->parts[i].data, w->parts[i].len);
    if (out.len) memcpy(at, out.data, out.len);
    free(*w->slot);
    *w->slot = k;
}

int __wrap_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *message,
                                       unsigned long long len, const unsigned char *key)
{
    const struct asking w = ask(VERIFY, kt_bytes(signature, crypto_sign_BYTES),
                                kt_bytes(key, crypto_sign_PUBLICKEYBYTES), kt_bytes(message, len));
    const struct answer *k = recall(VERIFY, &w);
    if (k) return k->gives;
    const int gives = __real_crypto_sign_verify_detached(signature, message, len, key);
    keep(VERIFY, &w, gives, kt_bytes(NULL, 0));
    return gives;
}

int __wrap_crypto_box_seal_open(unsigned char *out, const unsigned char *sealed, unsigned long long len,
                                const unsigned char *key, const unsigned char *secret)
{
    const struct asking w = ask(SEAL_OPEN, kt_bytes(sealed, len), kt_bytes(key, crypto_box_PUBLICKEYBYTES),
                                kt_bytes(secret, crypto_box_SECRETKEYBYTES));
    const struct answer *k = recall(SEAL_OPEN, &w);
    if (k) {
        if (k->out_len) memcpy(out, k->bytes + k->in_len, k->out_len);
        return k->gives;
    }
    const int gives = __real_crypto_box_seal_open(out, sealed, len, key, secret);
    keep(SEAL_OPEN, &w, gives, kt_bytes(out, gives ? 0 : len - crypto_box_SEALBYTES));
    return gives;
}

/* What a key has signed, its other half verifies: that is what a signature is, and tests/unit holds libsodium to it.
 * All that was changed on the way is still verified in earnest. */
int __wrap_crypto_sign_detached(unsigned char *signature, unsigned long long *signature_len,
                                const unsigned char *message, unsigned long long len, const unsigned char *secret)
{
    const int gives = __real_crypto_sign_detached(signature, signature_len, message, len, secret);
    const unsigned char *key = secret + crypto_sign_SEEDBYTES; /* the other half stands behind the seed */
    const struct asking w = ask(VERIFY, kt_bytes(signature, crypto_sign_BYTES),
                                kt_bytes(key, crypto_sign_PUBLICKEYBYTES), kt_bytes(message, len));
    if (!gives) keep(VERIFY, &w, 0, kt_bytes(NULL, 0));
    return gives;
}

int __wrap_crypto_sign_seed_keypair(unsigned char *key, unsigned char *secret, const unsigned char *seed)
{
    const struct kt_bytes none = kt_bytes(NULL, 0);
    const struct asking w = ask(KEYPAIR, kt_bytes(seed, crypto_sign_SEEDBYTES), none, none);
    const struct answer *k = recall(KEYPAIR, &w);
    if (!k) {
        const int gives = __real_crypto_sign_seed_keypair(key, secret, seed);
        keep(KEYPAIR, &w, gives, kt_bytes(secret, crypto_sign_SECRETKEYBYTES));
        return gives;
    }
    memcpy(secret, k->bytes + k->in_len, crypto_sign_SECRETKEYBYTES);
    memcpy(key, secret + crypto_sign_SEEDBYTES, crypto_sign_PUBLICKEYBYTES);
    return k->gives;
}

int __wrap_crypto_scalarmult_base(unsigned char *key, const unsigned char *secret)
{
    const struct kt_bytes none = kt_bytes(NULL, 0);
    const struct asking w = ask(BASE, kt_bytes(secret, crypto_scalarmult_SCALARBYTES), none, none);
    const struct answer *k = recall(BASE, &w);
    if (!k) {
        const int gives = __real_crypto_scalarmult_base(key, secret);
        keep(BASE, &w, gives, kt_bytes(key, crypto_scalarmult_BYTES));
        return gives;
    }
    memcpy(key, k->bytes + k->in_len, crypto_scalarmult_BYTES);
    return k->gives;
}

/* Guard pages and locked memory are for secrets; here there are none, and a sanitizer sees further than they do. */
void *__wrap_sodium_malloc(size_t size) { return calloc(1, size ? size : 1); }
void __wrap_sodium_free(void *p) { free(p); }
