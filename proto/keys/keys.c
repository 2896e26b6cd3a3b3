#include "proto/keys/keys.h"

#include "proto/keys/hash.h"

#include <assert.h>
#include <stdlib.h>

/* Longer messages than this (rosters) are signed from the heap. */
#define SIGNED_ON_STACK_BYTES 4096u

static const char signed_prefix[] = "kontor/v1/";

const char *kt_label_text(enum kt_label label)
{
    static const char *const texts[] = {
#define KT_LABEL_TEXT(name, text) [name] = text,
        KT_LABELS(KT_LABEL_TEXT)
#undef KT_LABEL_TEXT
    };

    assert((unsigned)label < KT_LABEL_COUNT);
    return texts[label];
}

void kt_kdf(uint8_t *out, size_t out_len, enum kt_label label, const uint8_t parent[KT_KEY_BYTES],
            const struct kt_bytes *ctx, size_t n)
{
    struct kt_hasher h;

    kt_hash_begin(&h, kt_label_text(label), parent, out_len);
    for (size_t i = 0; i < n; i++) kt_hash_part(&h, ctx[i]);
    kt_hash_end(&h, out);
}

/* libsodium's Ed25519 wants its message in one piece: prefix, label, NUL, message.  In `small` where it fits, else from
 * malloc (the caller frees what is not `small`); NULL when out of memory. */
static uint8_t *labelled(enum kt_label label, struct kt_bytes message, uint8_t small[SIGNED_ON_STACK_BYTES],
                         size_t *len)
{
    const char *text = kt_label_text(label);
    size_t prefix_len = sizeof(signed_prefix) - 1, text_len = strlen(text) + 1;

    *len = prefix_len + text_len + message.len;
    uint8_t *p = *len <= SIGNED_ON_STACK_BYTES ? small : malloc(*len);
    if (!p) return NULL;
    memcpy(p, signed_prefix, prefix_len);
    memcpy(p + prefix_len, text, text_len);
    if (message.len) memcpy(p + prefix_len + text_len, message.data, message.len);
    return p;
}

int kt_sign(enum kt_label label, const uint8_t secret[64], struct kt_bytes message, uint8_t out[KT_SIGNATURE_BYTES])
{
    uint8_t small[SIGNED_ON_STACK_BYTES];
    size_t len;
    uint8_t *p = labelled(label, message, small, &len);

    memset(out, 0, KT_SIGNATURE_BYTES);
    if (!p) return KT_ENOMEM;
    crypto_sign_detached(out, NULL, p, len, secret);
    if (p != small) free(p);
    return KT_OK;
}

int kt_verify(enum kt_label label, const uint8_t public_key[KT_PUBLIC_KEY_BYTES], struct kt_bytes message,
              struct kt_bytes signature)
{
    uint8_t small[SIGNED_ON_STACK_BYTES];
    size_t len;

    if (signature.len != KT_SIGNATURE_BYTES) return KT_ESIGNATURE;
    uint8_t *p = labelled(label, message, small, &len);
    if (!p) return KT_ENOMEM;
    int rc = crypto_sign_verify_detached(signature.data, p, len, public_key) ? KT_ESIGNATURE : KT_OK;
    if (p != small) free(p);
    return rc;
}
