/* An erasure: what is dead in a compartment, on the word of two members with the right to erase.
 *
 * Wire form erasure.proto: Erasure { bytes body, (member, signature)* }; the signed body is opaque bytes and is never
 * serialised again.  It travels like a roster, ahead of batches, and names no author to be cut: a revoked member's word
 * given before stands as long as the roster leaves it the right. */
#ifndef KT_PROTO_ERASURE_H
#define KT_PROTO_ERASURE_H

#include "proto/arena.h"
#include "proto/roster/roster.h"

#define KT_ERASURE_SIGNERS_MIN 2u

/* Everything of the ward `tag` in `compartment` at or below `generation` is dead, whenever it arrives. */
struct kt_erasure {
    struct kt_cluster cluster;
    kt_compartment compartment;
    struct kt_tag tag;
    uint32_t generation;
    kt_hlc hlc; /* when it was decided; shown to people, decides nothing */
};

struct kt_erasure_signature {
    kt_member member;
    uint8_t signature[KT_SIGNATURE_BYTES];
};

struct kt_signed_erasure {
    struct kt_bytes body; /* borrowed */
    struct kt_erasure erasure;
    struct kt_erasure_signature *signatures; /* in the arena */
    uint32_t signatures_len;                 /* KT_SIGNERS_MAX at most */
};

int kt_erasure_encode_body(const struct kt_erasure *e, struct kt_buf *out) KT_MUST;
int kt_erasure_sign(struct kt_bytes body, kt_member member, const uint8_t sign_secret[64],
                    struct kt_erasure_signature *out) KT_MUST;
int kt_erasure_encode(struct kt_bytes body, const struct kt_erasure_signature *signatures, uint32_t n,
                      struct kt_buf *out) KT_MUST;
/* Form only; borrows from `in`.  Verify before use.  KT_ETRUNCATED, KT_EMALFORMED, KT_EOVERSIZE, KT_ESUITE. */
int kt_erasure_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_signed_erasure *out) KT_MUST;
/* KT_ECLUSTER: of another organisation.  KT_ESIGNATURE: one of a member with the right does not verify.  KT_ERIGHTS:
 * fewer than two different members with the right signed; signatures of others are passed over. */
int kt_erasure_verify(const struct kt_signed_erasure *e, const struct kt_roster *roster) KT_MUST;

#endif
