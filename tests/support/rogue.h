/* A member gone rogue: it holds good keys of an office of the bench and says what no honest node would, over the real
 * codecs.  Failing calls end the test (cmocka). */
#ifndef KT_SUPPORT_ROGUE_H
#define KT_SUPPORT_ROGUE_H

#include "proto/batch/batch.h"
#include "proto/peer/pulse.h"
#include "support/bench_office.h"

#define ROGUE_ENVELOPES 8u

struct rogue {
    struct kt_keyring *keyring;
    struct kt_arena arena;
    struct kt_origin origin;
    uint64_t number; /* of the next batch */
    struct kt_hash previous;
    kt_hlc hlc;
    const struct kt_roster *roster; /* it writes under; NULL: the newest of its keyring */
    struct kt_draft_envelope envelopes[ROGUE_ENVELOPES];
    uint32_t len;
};

/* Speaks with the keys of this office, under an incarnation of its own. */
void rogue_open(struct rogue *r, struct bench_office *o);
void rogue_close(struct rogue *r);

struct kt_entity_id rogue_ward(uint8_t n);
/* A data key of the rogue's for that ward, born in the newest epoch it has, and its wrap. */
struct kt_dek rogue_key(const struct rogue *r, kt_compartment c, uint8_t ward);
struct kt_bytes rogue_wrap(struct rogue *r, kt_compartment c, uint8_t ward);
/* The same of any key, whatever its id says. */
struct kt_bytes rogue_wrap_of(struct rogue *r, kt_compartment c, uint8_t ward, const struct kt_dek *dek);

/* Adds an envelope to the next batch: a change of a ward, under any key, which that batch introduces. */
void rogue_add_change(struct rogue *r, kt_compartment c, const struct kt_change *change, const struct kt_dek *dek);
/* One op: a value for a field of a ward. */
void rogue_add(struct rogue *r, kt_compartment c, uint8_t ward, const struct kt_dek *dek, uint32_t field,
               const char *value);
/* Noise of so many bytes in fields that no schema knows. */
void rogue_add_noise(struct rogue *r, kt_compartment c, uint8_t ward, const struct kt_dek *dek, size_t bytes);
/* Seals what was added as the next batch of its chain. */
struct kt_bytes rogue_seal(struct rogue *r);
/* A batch taken apart and changed (headers, items, seal fields), with new hashes and a new signature; the rogue's chain
 * goes on from it. */
struct kt_bytes rogue_reseal(struct rogue *r, struct kt_batch *b);
/* The same with the seal's bytes as they are. */
struct kt_bytes rogue_sign(struct rogue *r, struct kt_batch *b);
/* Item `i` of section `s` sealed anew with what the clear part says, as a later version would. */
void rogue_reclear(struct rogue *r, struct kt_batch *b, uint32_t s, uint32_t i, const struct kt_clear *clear,
                   const struct kt_dek *dek, struct kt_bytes change);
/* Bytes kept in the rogue's arena, the buffer freed. */
struct kt_bytes rogue_kept(struct rogue *r, struct kt_buf *b);

/* A pulse of the rogue's member, encoded and signed. */
struct kt_bytes rogue_pulse(struct rogue *r, const struct kt_pulse *p);

/* libsodium throws the same each time: the offices of a bench share one roster only so.  Called once, first. */
void rogue_same_dice(void);

#endif
