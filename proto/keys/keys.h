/* Keys: labelled derivation, labelled signatures, identities, compartment keys, data keys and their wraps.
 *
 * KDF(label, parent, ctx...) = BLAKE2b(key = parent, "kontor/v1/" label, ctx...), one label per use (RFC 7693).  Only
 * labelled bytes are signed (Ed25519, RFC 8032).  Wraps are XChaCha20-Poly1305 with a nonce derived from what they
 * wrap, so that whoever wraps the same key for the same epoch writes the same bytes.  Everything here is pure but for
 * the functions named *_generate and *_create, which take randomness as an argument. */
#ifndef KT_PROTO_KEYS_H
#define KT_PROTO_KEYS_H

#include "proto/ids.h"
#include "proto/limits.h"

#define KT_SUITE_1        1u /* Ed25519, X25519, BLAKE2b, ChaCha20-Poly1305-IETF envelopes, XChaCha20-Poly1305 wraps, zstd */
#define KT_SIGNATURE_BYTES 64u
#define KT_PUBLIC_KEY_BYTES 32u

/* One label per use; the text is part of the format. */
#define KT_LABELS(X)                                                                                                   \
    X(KT_LABEL_SEAL, "seal")                                                                                           \
    X(KT_LABEL_PULSE, "pulse")                                                                                         \
    X(KT_LABEL_ROSTER, "roster")                                                                                       \
    X(KT_LABEL_CERTIFICATE, "certificate")                                                                             \
    X(KT_LABEL_ERASURE, "erasure")                                                                                     \
    X(KT_LABEL_JOIN, "join")                                                                                           \
    X(KT_LABEL_SECTION, "section")                                                                                     \
    X(KT_LABEL_ITEM, "item")                                                                                           \
    X(KT_LABEL_ITEM_BODY, "item-body")                                                                                 \
    X(KT_LABEL_VECTOR, "vector")                                                                                       \
    X(KT_LABEL_VECTOR_SEALS, "vector-seals")                                                                           \
    X(KT_LABEL_DIGEST, "digest")                                                                                       \
    X(KT_LABEL_TAG, "tag")                                                                                             \
    X(KT_LABEL_DEK_ID, "dek-id")                                                                                       \
    X(KT_LABEL_WRAP, "wrap")                                                                                           \
    X(KT_LABEL_WRAP_NONCE, "wrap-nonce")                                                                               \
    X(KT_LABEL_WRAP_HASH, "wrap-hash")                                                                                 \
    X(KT_LABEL_ENVELOPE, "envelope")                                                                                   \
    X(KT_LABEL_CLEAR, "clear")                                                                                         \
    X(KT_LABEL_ENTITY, "entity")                                                                                       \
    X(KT_LABEL_ELEMENT, "element")                                                                                     \
    X(KT_LABEL_CONFLICT, "conflict")                                                                                   \
    X(KT_LABEL_TOKEN, "token")                                                                                         \
    X(KT_LABEL_BUNDLE, "bundle")                                                                                       \
    X(KT_LABEL_STORE_VIEW, "store-view")                                                                               \
    X(KT_LABEL_STORE_INDEX, "store-index")                                                                             \
    X(KT_LABEL_STORE_STATE, "store-state")                                                                             \
    X(KT_LABEL_ROOT, "root")

enum kt_label {
#define KT_LABEL_ENUM(name, text) name,
    KT_LABELS(KT_LABEL_ENUM)
#undef KT_LABEL_ENUM
    KT_LABEL_COUNT
};
const char *kt_label_text(enum kt_label label);

/* out_len is 16 to 64.  Each part of ctx is preceded by its length (be64). */
void kt_kdf(uint8_t *out, size_t out_len, enum kt_label label, const uint8_t parent[KT_KEY_BYTES],
            const struct kt_bytes *ctx, size_t n);

/* Signs "kontor/v1/" label, NUL, message.  Verification of the same bytes under another label fails.  KT_ENOMEM (only
 * for messages over 4,000 bytes): out is zeros, which never verify. */
int kt_sign(enum kt_label label, const uint8_t secret[64], struct kt_bytes message, uint8_t out[KT_SIGNATURE_BYTES]);
int kt_verify(enum kt_label label, const uint8_t public_key[KT_PUBLIC_KEY_BYTES], struct kt_bytes message,
              struct kt_bytes signature) KT_MUST; /* KT_ESIGNATURE */

/* The public half of a member's identity. */
struct kt_public_identity {
    uint8_t sign[KT_PUBLIC_KEY_BYTES];    /* Ed25519 */
    uint8_t session[KT_PUBLIC_KEY_BYTES]; /* X25519, Noise static key */
    uint8_t receive[KT_PUBLIC_KEY_BYTES]; /* X25519, sealed bundles */
};

/* A whole identity; lives in sodium_malloc memory, free wipes it. */
struct kt_identity {
    struct kt_public_identity pub;
    uint8_t sign_secret[64], session_secret[32], receive_secret[32];
};
struct kt_identity *kt_identity_create(const uint8_t seed[96]); /* NULL: out of memory */
void kt_identity_free(struct kt_identity *id);
/* Root-sealed form: XChaCha20-Poly1305 under KDF("root", root key, "identity"), nonce random (24 bytes given). */
int kt_identity_seal(const struct kt_identity *id, const uint8_t root_key[KT_KEY_BYTES], const uint8_t nonce[24],
                     struct kt_buf *out) KT_MUST;
int kt_identity_open(struct kt_bytes sealed, const uint8_t root_key[KT_KEY_BYTES], struct kt_identity **out) KT_MUST;

/* What a member entitled to a compartment holds.  Lives in sodium_malloc memory. */
struct kt_kek {
    uint32_t epoch;
    uint8_t key[KT_KEY_BYTES];
};
struct kt_compartment_keys {
    kt_compartment compartment;
    uint8_t tag_key[KT_KEY_BYTES];    /* constant */
    uint8_t digest_key[KT_KEY_BYTES]; /* constant */
    uint8_t id_key[KT_KEY_BYTES];     /* the organisation's, the same in every bundle */
    uint32_t keks_len;                /* ascending epochs, at least one, KT_EPOCHS_MAX at most */
    struct kt_kek keks[KT_EPOCHS_MAX];
};
struct kt_compartment_keys *kt_compartment_keys_alloc(void);
void kt_compartment_keys_free(struct kt_compartment_keys *k);
/* NULL: that epoch is not here.  The newest is keks[keks_len - 1], the birth epoch of new data keys. */
const struct kt_kek *kt_kek_find(const struct kt_compartment_keys *k, uint32_t epoch);
/* A bundle: these keys sealed to one member (crypto_box_seal of the encoded keys, preceded by suite and label). */
int kt_bundle_seal(const struct kt_compartment_keys *k, const uint8_t receive_public[KT_PUBLIC_KEY_BYTES],
                   struct kt_buf *out) KT_MUST;
int kt_bundle_open(struct kt_bytes bundle, const struct kt_identity *id, struct kt_compartment_keys **out) KT_MUST;
struct kt_hash kt_bundle_hash(struct kt_bytes bundle);
/* The same keys root-sealed under the authority's root key, for the authority's own folder. */
int kt_compartment_keys_encode(const struct kt_compartment_keys *k, struct kt_buf *out) KT_MUST;
int kt_compartment_keys_decode(struct kt_bytes in, struct kt_compartment_keys **out) KT_MUST;

/* A ward's name within a compartment. */
struct kt_tag kt_tag_of(const struct kt_compartment_keys *k, const struct kt_entity_id *ward);

/* A data key: 32 random bytes for one ward, compartment and generation. */
struct kt_dek {
    struct kt_dek_id id;
    uint8_t key[KT_KEY_BYTES];
};
/* The id commits to the key: BLAKE2b-192("dek-id", key, compartment, tag, generation, birth epoch). */
struct kt_dek_id kt_dek_id_of(const uint8_t key[KT_KEY_BYTES], kt_compartment compartment, const struct kt_tag *tag,
                              uint32_t generation, uint32_t birth_epoch);

/* A wrap in clear terms; on the wire (wrap.proto, Wrap) it is its own proof. */
struct kt_wrap {
    struct kt_dek_id id;
    kt_compartment compartment;
    struct kt_tag tag;
    uint32_t generation, birth_epoch;
    uint32_t epoch;        /* of the KEK it is under */
    struct kt_bytes sealed; /* 48 bytes: key and authenticator */
};
int kt_wrap_seal(const struct kt_compartment_keys *k, const struct kt_kek *kek, const struct kt_dek *dek,
                 const struct kt_tag *tag, uint32_t generation, uint32_t birth_epoch, struct kt_buf *out) KT_MUST;
int kt_wrap_decode(struct kt_bytes in, struct kt_wrap *out) KT_MUST; /* borrows from in */
/* Opens and checks that the id commits to the key.  KT_EKEY: the epoch is not here; KT_EOPEN, KT_EHASH: forged. */
int kt_wrap_open(const struct kt_compartment_keys *k, const struct kt_wrap *w, struct kt_dek *out) KT_MUST;
/* What a section header records for a key it introduces: over the wrap's encoded bytes. */
struct kt_hash kt_wrap_hash(struct kt_bytes wrap);

/* Sealed store rows: XChaCha20-Poly1305, nonce random (24 bytes, given), AAD = table, row key, compartment. */
void kt_row_seal(const uint8_t key[KT_KEY_BYTES], const uint8_t nonce[24], uint32_t table, struct kt_bytes row_key,
                 kt_compartment compartment, struct kt_bytes plain, struct kt_buf *out); /* appends nonce, ciphertext */
int kt_row_open(const uint8_t key[KT_KEY_BYTES], uint32_t table, struct kt_bytes row_key, kt_compartment compartment,
                struct kt_bytes sealed, struct kt_buf *out) KT_MUST; /* appends the plain text; KT_EOPEN */
#define KT_ROW_OVERHEAD_BYTES 40u /* nonce 24, authenticator 16 */

#endif
