/* The keys of a compartment, as bytes and sealed into a bundle for one member.
 *
 * Encoded: suite 4, compartment 4, tag key 32, digest key 32, id key 32, number of epochs 4, then for each epoch,
 * ascending, its number 4 and its key encryption key 32.  Integers are big-endian.
 * Bundle: head "bundle", then crypto_box_seal of the encoded keys to the member's receive key. */
#include "proto/keys/head.h"

#include <sodium.h>

#define FIXED_BYTES       (4u + 4u + 3u * KT_KEY_BYTES + 4u)
#define EPOCH_BYTES       (4u + KT_KEY_BYTES)
#define ENCODED_BYTES_MAX (FIXED_BYTES + KT_EPOCHS_MAX * EPOCH_BYTES)
#define BUNDLE_OVER_HEAD  (ENCODED_BYTES_MAX + crypto_box_SEALBYTES)

struct kt_compartment_keys *kt_compartment_keys_alloc(void)
{
    struct kt_compartment_keys *k = sodium_malloc(sizeof(*k));

    if (k) memset(k, 0, sizeof(*k));
    return k;
}

void kt_compartment_keys_free(struct kt_compartment_keys *k) { sodium_free(k); }

const struct kt_kek *kt_kek_find(const struct kt_compartment_keys *k, uint32_t epoch)
{
    /* the newest is the one asked for most */
    for (uint32_t i = k->keks_len; i > 0; i--)
        if (k->keks[i - 1].epoch == epoch) return &k->keks[i - 1];
    return NULL;
}

static bool epochs_ascend(const struct kt_compartment_keys *k)
{
    for (uint32_t i = 1; i < k->keks_len; i++)
        if (k->keks[i].epoch <= k->keks[i - 1].epoch) return false;
    return true;
}

int kt_compartment_keys_encode(const struct kt_compartment_keys *k, struct kt_buf *out)
{
    size_t start = out->len;

    if (k->keks_len == 0 || k->keks_len > KT_EPOCHS_MAX || !epochs_ascend(k)) return KT_EINVAL;
    kt_buf_be32(out, KT_SUITE_1);
    kt_buf_be32(out, k->compartment);
    kt_buf_put(out, KT_BYTES_OF(k->tag_key));
    kt_buf_put(out, KT_BYTES_OF(k->digest_key));
    kt_buf_put(out, KT_BYTES_OF(k->id_key));
    kt_buf_be32(out, k->keks_len);
    for (uint32_t i = 0; i < k->keks_len; i++) {
        kt_buf_be32(out, k->keks[i].epoch);
        kt_buf_put(out, KT_BYTES_OF(k->keks[i].key));
    }
    if (out->err) out->len = start;
    return out->err;
}

static int take_keys(struct kt_reader *r, struct kt_compartment_keys *k)
{
    uint32_t suite = kt_take_be32(r);

    if (!r->err && suite != KT_SUITE_1) return KT_ESUITE;
    k->compartment = kt_take_be32(r);
    kt_take_into(r, k->tag_key, sizeof(k->tag_key));
    kt_take_into(r, k->digest_key, sizeof(k->digest_key));
    kt_take_into(r, k->id_key, sizeof(k->id_key));
    k->keks_len = kt_take_be32(r);
    if (r->err) return r->err;
    if (k->keks_len > KT_EPOCHS_MAX) return KT_EOVERSIZE;
    for (uint32_t i = 0; i < k->keks_len; i++) {
        k->keks[i].epoch = kt_take_be32(r);
        kt_take_into(r, k->keks[i].key, sizeof(k->keks[i].key));
    }
    if (r->err) return r->err;
    if (kt_reader_left(r)) return KT_EOVERSIZE;
    return k->compartment && k->keks_len && epochs_ascend(k) ? KT_OK : KT_EMALFORMED;
}

int kt_compartment_keys_decode(struct kt_bytes in, struct kt_compartment_keys **out)
{
    struct kt_reader r = kt_reader(in);
    struct kt_compartment_keys *k = kt_compartment_keys_alloc();

    if (!k) return KT_ENOMEM;
    int rc = take_keys(&r, k);
    if (rc)
        kt_compartment_keys_free(k);
    else
        *out = k;
    return rc;
}

int kt_bundle_seal(const struct kt_compartment_keys *k, const uint8_t receive_public[KT_PUBLIC_KEY_BYTES],
                   struct kt_buf *out)
{
    struct kt_buf plain;
    size_t start = out->len;

    kt_buf_init(&plain, ENCODED_BYTES_MAX);
    int rc = kt_compartment_keys_encode(k, &plain);
    if (rc) goto out;
    kt_head_put(out, KT_LABEL_BUNDLE);
    uint8_t *sealed = kt_buf_extend(out, plain.len + crypto_box_SEALBYTES);
    rc = out->err;
    /* refused only for a receive key of low order, with which no secret can be shared */
    if (!rc && crypto_box_seal(sealed, plain.data, plain.len, receive_public)) rc = KT_EINVAL;
    if (rc) out->len = start;
out:
    kt_buf_wipe_free(&plain);
    return rc;
}

int kt_bundle_open(struct kt_bytes bundle, const struct kt_identity *id, struct kt_compartment_keys **out)
{
    struct kt_reader r = kt_reader(bundle);
    struct kt_buf plain;

    int rc = kt_head_take(&r, KT_LABEL_BUNDLE);
    if (rc) return rc;
    size_t left = kt_reader_left(&r);
    if (left < crypto_box_SEALBYTES + FIXED_BYTES + EPOCH_BYTES) return KT_ETRUNCATED;
    if (left > BUNDLE_OVER_HEAD) return KT_EOVERSIZE;
    struct kt_bytes sealed = kt_take(&r, left);
    kt_buf_init(&plain, ENCODED_BYTES_MAX);
    uint8_t *p = kt_buf_extend(&plain, sealed.len - crypto_box_SEALBYTES);
    rc = plain.err;
    if (!rc && crypto_box_seal_open(p, sealed.data, sealed.len, id->pub.receive, id->receive_secret)) rc = KT_EOPEN;
    if (!rc) rc = kt_compartment_keys_decode(kt_buf_bytes(&plain), out);
    kt_buf_wipe_free(&plain);
    return rc;
}

struct kt_hash kt_bundle_hash(struct kt_bytes bundle)
{
    return kt_hash_parts(kt_label_text(KT_LABEL_BUNDLE), &bundle, 1);
}

struct kt_tag kt_tag_of(const struct kt_compartment_keys *k, const struct kt_entity_id *ward)
{
    uint8_t full[KT_HASH_BYTES];
    struct kt_bytes ctx = KT_BYTES_OF(ward->b);
    struct kt_tag tag;

    kt_kdf(full, sizeof(full), KT_LABEL_TAG, k->tag_key, &ctx, 1);
    memcpy(tag.b, full, sizeof(tag.b));
    return tag;
}
