/* What a member sealed that nobody can read: the plaintext of an envelope under a key that is known, packed by zstd or
 * not. No more comes out than KT_EXPANSION_MAX allows. */
#include "proto/batch/envelope.h"
#include "proto/keys/hash.h"
#include "fuzz/fuzz.h"

#include <sodium.h>

static uint8_t *put_be(uint8_t *p, uint64_t v, size_t len)
{
    for (size_t i = 0; i < len; i++) p[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
    return p + len;
}

/* As PROTOCOL.md has it, written once more: every number but the batch is zero here. */
static void seal_plain(const struct kt_envelope_place *at, const uint8_t dek[KT_KEY_BYTES], struct kt_bytes plain,
                       uint8_t *out)
{
    static const uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    const struct kt_bytes clear = kt_str("clear");
    const struct kt_hash clear_hash = kt_hash_parts(kt_label_text(KT_LABEL_CLEAR), &clear, 1);
    uint8_t ctx[24 + 4 + 8 + 8 + 4 + KT_HASH_BYTES] = {0}, aad[256] = {1}, key[KT_KEY_BYTES];
    put_be(ctx + 24 + 4 + 8, at->batch, 8);
    memcpy(ctx + 24 + 4 + 8 + 8 + 4, &clear_hash, sizeof clear_hash);
    const struct kt_bytes part = KT_BYTES_OF(ctx);
    kt_kdf(key, sizeof key, KT_LABEL_ENVELOPE, dek, &part, 1);

    uint8_t *p = put_be(aad + 1, clear.len, 2);
    memcpy(p, clear.data, clear.len);
    p = put_be(p + clear.len, at->suite, 4) + KT_CLUSTER_BYTES + 4 + 8; /* cluster and origin: zeros */
    p = put_be(p, at->batch, 8) + KT_HASH_BYTES + 4 + 4 + KT_NONCE_BASE_BYTES + 4;
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.len, aad, (size_t)(p - aad), NULL, nonce,
                                              key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t dek[KT_KEY_BYTES] = {8};
    const struct kt_envelope_place at = {.suite = KT_SUITE_1, .batch = 1};
    uint8_t sealed[4096 + 16];
    struct kt_buf out;
    if (len > 4096) return 0;
    seal_plain(&at, dek, kt_bytes(data, len), sealed);
    kt_buf_init(&out, KT_CHANGE_BYTES_MAX + KT_PAD_LARGE_BYTES);
    const int e = kt_envelope_open(&at, dek, kt_str("clear"), kt_bytes(sealed, len + 16), &out);
    fuzz_must(e != KT_EOPEN, "the key and what it authenticates are as the format says");
    fuzz_must(e || out.len < KT_EXPANSION_FREE_BYTES + len * KT_EXPANSION_MAX + 1, "no more comes out than is allowed");
    kt_buf_free(&out);
    return 0;
}
