/* A batch: envelopes in one section per compartment, under one signed seal.
 *
 * Wire form batch.proto: Batch { bytes seal, bytes signature, Section* }, Section { bytes header, Item* },
 * Item { bytes clear, bytes cipher } or, erased, { tag, generation, body hash }.  The signed seal and the hashed
 * section headers are opaque bytes and are never serialised again.
 *
 *   item hash    = BLAKE2b-256("item", tag, generation, body hash);  body hash = BLAKE2b-256("item-body", clear, cipher)
 *   section hash = BLAKE2b-256("section", header bytes, item hashes...)
 *   seal hash    = BLAKE2b-256("seal", seal bytes without the signature)
 */
#ifndef KT_PROTO_BATCH_H
#define KT_PROTO_BATCH_H

#include "proto/batch/envelope.h"

struct kt_section_summary {
    kt_compartment compartment;
    uint32_t epoch; /* of the compartment's KEK when it was written */
    uint32_t count; /* envelopes in the section */
    struct kt_hash hash;
};

struct kt_seal {
    uint32_t suite;
    struct kt_cluster cluster;
    struct kt_origin origin;
    uint64_t number;          /* from 1, without gaps */
    struct kt_hash previous;  /* seal hash of number - 1; zeros for 1 */
    kt_hlc hlc;               /* not below any stamp in the batch */
    uint32_t roster_version;
    struct kt_hash roster_hash;
    uint32_t sections_len;
    struct kt_section_summary *sections; /* in ascending compartment order, each once */
};

struct kt_item {
    bool erased;
    struct kt_bytes clear, cipher; /* not erased */
    struct kt_tag tag;             /* erased; else from the decoded clear part */
    uint32_t generation;
    struct kt_hash body_hash;      /* erased: as received; else computed */
};

struct kt_introduced_key { struct kt_dek_id id; struct kt_hash wrap_hash; };

struct kt_section {
    struct kt_bytes header;
    uint8_t nonce_base[KT_NONCE_BASE_BYTES]; /* from the header */
    uint32_t keys_len;
    struct kt_introduced_key *keys;          /* from the header */
    uint32_t items_len;
    struct kt_item *items;
};

struct kt_batch {
    struct kt_bytes seal_bytes, signature;
    struct kt_seal seal;
    struct kt_hash seal_hash;
    struct kt_section *sections; /* seal.sections_len of them, same order */
};

#define KT_BATCH_ARENA_BYTES (512u << 10) /* room for any batch within its limits */

/* Takes a batch apart and checks its form and its hashes: sections against the seal, items against sections.  Not the
 * signature, not rights.  Borrows from `in`; arrays from the arena.  KT_ETRUNCATED, KT_EOVERSIZE, KT_EMALFORMED,
 * KT_ESUITE, KT_EHASH; KT_ELIMIT: past the arena's cap. */
int kt_batch_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_batch *out) KT_MUST;
/* Only the seal (to look up origin and number cheaply). */
int kt_batch_peek(struct kt_bytes in, struct kt_arena *arena, struct kt_seal *out, struct kt_hash *seal_hash) KT_MUST;
int kt_seal_verify(const struct kt_batch *b, const uint8_t sign_public[KT_PUBLIC_KEY_BYTES]) KT_MUST;
int kt_seal_encode(const struct kt_seal *s, struct kt_buf *out) KT_MUST;
int kt_seal_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_seal *out) KT_MUST;
struct kt_hash kt_seal_hash(struct kt_bytes seal_bytes);

struct kt_hash kt_item_body_hash(struct kt_bytes clear, struct kt_bytes cipher);
struct kt_hash kt_item_hash(const struct kt_tag *tag, uint32_t generation, const struct kt_hash *body_hash);

/* A decoded batch back into bytes, its signed and hashed parts as they came.  Items set to `erased` since then are written
 * as their three hashed values: the seal stands, the content is gone. */
int kt_batch_encode(const struct kt_batch *b, struct kt_buf *out) KT_MUST;

/* Building one.  An envelope yet to be sealed: the caller gives changes grouped as they come; the builder sorts them
 * into sections by compartment (stable), numbers them, seals, hashes and signs. */
struct kt_draft_envelope {
    kt_compartment compartment;
    uint32_t epoch;            /* the section takes the first one's; all of a section agree */
    kt_hlc stamp;
    struct kt_tag tag;
    uint32_t generation;
    struct kt_dek dek;
    bool introduces;           /* the key is new: its wrap goes into the header */
    struct kt_hash wrap_hash;
    struct kt_bytes change;    /* encoded */
    uint32_t envelope;         /* out: its number */
};
struct kt_draft_batch {
    struct kt_cluster cluster;
    struct kt_origin origin;
    uint64_t number;
    struct kt_hash previous;
    kt_hlc hlc;
    uint32_t roster_version;
    struct kt_hash roster_hash;
    struct kt_draft_envelope *envelopes;
    uint32_t envelopes_len;
    struct kt_packer *packer; /* see envelope.h; may be NULL */
};
/* An envelope is named by its compartment and its place in that section, from 0: a writer knows the name before the
 * batch is full, and a reader of one compartment needs no other's counts. */
#define KT_COMPARTMENT_MAX 0xffffu
static inline uint32_t kt_envelope_number(kt_compartment c, uint32_t index) { return c << 16 | index; }
/* Numbers the envelopes (sets .envelope) as kt_batch_seal will: in each compartment as given. */
void kt_batch_number(struct kt_draft_batch *d);
/* KT_ELIMIT: too many envelopes or sections; KT_EOVERSIZE: past KT_BATCH_BYTES_MAX (see kt_item_bytes_max); KT_EINVAL: not
 * numbered, a stamp above the clock, or epochs that differ within a compartment.  On failure `out` is as it was.
 * nonce_bases: one fresh random base of KT_NONCE_BASE_BYTES for each compartment present, ascending. */
int kt_batch_seal(const struct kt_draft_batch *d, const uint8_t (*nonce_bases)[KT_NONCE_BASE_BYTES],
                  const uint8_t sign_secret[64], struct kt_buf *out, struct kt_hash *seal_hash) KT_MUST;

#endif
