/* A pulse: a member's signed word every KT_PULSE_MS, "my head is this, at this time; my vector and digests are those".
 *
 * Wire form pulse.proto: Pulse { bytes body, bytes signature }.  Only the newest of each member is kept and relayed. */
#ifndef KT_PROTO_PULSE_H
#define KT_PROTO_PULSE_H

#include "proto/arena.h"
#include "proto/keys/keys.h"

/* One origin and a batch number of it; arrays of these, sorted by origin, are vectors. */
struct kt_head { struct kt_origin origin; uint64_t number; };

struct kt_pulse_digest { kt_compartment compartment; struct kt_hash digest; };

struct kt_pulse {
    uint32_t suite;
    struct kt_cluster cluster;
    kt_member member;
    kt_hlc hlc;                                      /* below every later stamp of this member */
    const struct kt_head *heads; uint32_t heads_len; /* the last batch of each of the member's own incarnations */
    struct kt_hash vector_hash;                      /* kt_vector_hash over (origin, number)... */
    struct kt_hash vector_seals_hash;                /* the same with the hash of each head's seal */
    const struct kt_pulse_digest *digests; uint32_t digests_len; /* compartments it reads, nothing held in them */
    const struct kt_head *vector; uint32_t vector_len; /* whole, once in KT_PULSE_VECTOR_MS; else none */
};

int kt_pulse_encode(const struct kt_pulse *p, const uint8_t sign_secret[64], struct kt_buf *out) KT_MUST;
/* Form only; borrows from `in`, arrays from the arena.  Verify before use. */
int kt_pulse_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_pulse *out) KT_MUST;
int kt_pulse_verify(struct kt_bytes in, const uint8_t sign_public[KT_PUBLIC_KEY_BYTES]) KT_MUST;

#endif
