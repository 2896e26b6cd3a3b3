/* The replica: who holds what, who is linked, what to ask and what to serve.  Event in, effects out; no I/O, no clock,
 * no randomness: `now` comes with the event.
 *
 * The caller (engine) verifies and opens batches, keeps the journal and the state, commits what effects ask for
 * durably, and only then sends the messages of the same effects.  The replica sees batches as heads with seal hashes;
 * what is in them is merge's business. */
#ifndef KT_CORE_REPLICA_H
#define KT_CORE_REPLICA_H

#include "core/hlc.h"
#include "core/vector.h"
#include "proto/batch/batch.h"
#include "proto/peer/peer.h"
#include "proto/roster/roster.h"

struct kt_replica;

struct kt_replica_config {
    struct kt_cluster cluster;
    kt_member self;
    uint64_t incarnation; /* the one in which this store writes now; 0: not known yet (ask a peer first) */
};

enum kt_event_kind {
    KT_EV_LINK_UP,    /* link, member, roster_only */
    KT_EV_LINK_DOWN,  /* link */
    KT_EV_MESSAGE,    /* link, message: greeting, pull, pulses (each verified by the caller), asks; answers come as
                         BATCH events and one ANSWER_END.  At start the pulses kept before come as one message of
                         link 0 */
    KT_EV_BATCH,      /* link, seal, seal_hash, verdict: one batch of an answer, as judged (KT_OK: to be accepted, where
                         ACCEPT follows: the same may have come by another link meanwhile); seal NULL: not a batch */
    KT_EV_ANSWER_END, /* link, message (its answer part without batches), bytes: size of the frame */
    KT_EV_WROTE,      /* seal, seal_hash: a batch of our own is about to be committed */
    KT_EV_SENT,       /* link, seal's origin and number, bytes: streamed to that link by the caller */
    KT_EV_COMMITTED,  /* what was accepted or written up to here is durable: acknowledge */
    KT_EV_LACKING,    /* deks, deks_len: data keys to be asked for (the whole list, replaces the one before) */
    KT_EV_ROSTER,     /* roster: a newer one is in force (borrowed until the next such event); link: by which it came,
                         or 0 */
    KT_EV_ROSTER_REFUSED, /* link: what its peer gave as rosters does not follow ours */
    KT_EV_INCARNATION,    /* incarnation: the one to write in from now on */
    KT_EV_TICK,           /* nothing but time passed */
};

struct kt_event {
    enum kt_event_kind kind;
    uint64_t now_ms;      /* wall clock */
    uint64_t now_mono_ms; /* monotonic */
    uint64_t link;
    kt_member member;
    bool roster_only;
    const struct kt_peer_message *message;
    const struct kt_seal *seal;
    const struct kt_hash *seal_hash;
    int verdict;
    uint64_t bytes;
    const struct kt_dek_id *deks;
    uint32_t deks_len;
    const struct kt_roster *roster;
    uint64_t incarnation;
};

enum kt_effect_kind {
    KT_FX_ACCEPT,        /* journal this event's batch and apply it */
    KT_FX_SEND,          /* message to link, after the commit */
    KT_FX_SERVE,         /* link has grant left: stream to it from its cursor (kt_replica_cursor) what it wants */
    KT_FX_SEND_ROSTERS,  /* link, from_version: send signed rosters after it, with the bundles */
    KT_FX_SEND_WRAPS,    /* link, message: the pull that wants them; send those that are here */
    KT_FX_SEND_BATCHES,  /* link, message: the asks; send those single batches as an answer */
    KT_FX_SEND_ERASURES, /* link: send all erasures */
    KT_FX_SEND_PROOFS,   /* link: send all proofs of forks */
    KT_FX_PULSE,         /* issue our pulse now, hand it back through kt_replica_own_pulse, relay bundles follow */
    KT_FX_KEEP_PULSE,    /* member, message: its newest pulse alone, to be kept durably */
    KT_FX_FORK, /* origin: the event's batch is of another side than ours: keep the proof, frozen until a cut */
    KT_FX_OWN_HEAD_AHEAD, /* a peer holds batches of our own that we lack, or ours has forked: take a new incarnation */
    KT_FX_CLOSE,          /* link, why */
};

struct kt_effect {
    enum kt_effect_kind kind;
    uint64_t link;
    struct kt_peer_message message; /* SEND: in the effects' arena; SEND_WRAPS, SEND_BATCHES, KEEP_PULSE: the event's,
                                       good as long as the event is */
    uint32_t from_version;
    struct kt_origin origin;
    kt_member member;
    const char *why;
    bool whole; /* PULSE: with the full vector */
};

struct kt_effects {
    struct kt_arena arena; /* the caller initialises it, and resets it before each step */
    struct kt_effect *items;
    uint32_t len;
};

int kt_replica_create(const struct kt_replica_config *c, const struct kt_vector *held, struct kt_replica **out) KT_MUST;
void kt_replica_free(struct kt_replica *r);

/* Advance the replica by one event.  `now` comes in with the event.  On KT_OK the caller commits what fx asks for
 * durably before it sends fx's messages.  On error the replica is unchanged. */
int kt_replica_step(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx) KT_MUST;

/* What is held (accepted or written, durable or about to be). */
const struct kt_vector *kt_replica_vector(const struct kt_replica *r);
uint64_t kt_replica_incarnation(const struct kt_replica *r);
bool kt_replica_frozen(const struct kt_replica *r, struct kt_origin o);
/* Freezes an origin whose fork was proved: before this start (the proof is kept in the journal), or by what a peer
 * passed on. */
int kt_replica_freeze(struct kt_replica *r, struct kt_origin o) KT_MUST;
/* Our pulse as issued (encoded and decoded), to be relayed with the others. */
int kt_replica_own_pulse(struct kt_replica *r, struct kt_bytes encoded, const struct kt_pulse *p,
                         uint64_t now_mono_ms) KT_MUST;

/* Serving.  cursor: the heads the link is known to hold or was sent, from which the engine finds the first journal
 * position of anything missing; wants: is this batch to be sent now (false: it has it or skips it); pause: it hears the
 * author directly, give it one round trip before it is sent. */
enum kt_want { KT_WANT_NO, KT_WANT_YES, KT_WANT_PAUSE, KT_WANT_FULL /* grant used up */ };
const struct kt_vector *kt_replica_cursor(const struct kt_replica *r, uint64_t link);
/* The origins its last pull asked to leave out. */
const struct kt_origin *kt_replica_skipped(const struct kt_replica *r, uint64_t link, uint32_t *n);
enum kt_want kt_replica_wants(const struct kt_replica *r, uint64_t link, struct kt_origin o, uint64_t number,
                              uint64_t bytes, uint64_t now_mono_ms);
/* What the link lacks is not in the journal any more: nothing more is served to it before its next pull. */
void kt_replica_cannot_serve(struct kt_replica *r, uint64_t link);
/* Is this one of the data keys that peers were asked for? */
bool kt_replica_lacks(const struct kt_replica *r, const struct kt_dek_id *id);
/* Has the peer behind this member acknowledged this head durably, with no wraps wanting? */
bool kt_replica_acknowledged(const struct kt_replica *r, kt_member m, struct kt_origin o, uint64_t number);

/* For status and freshness.  Times are 0 where not known. */
struct kt_peer_status {
    kt_member member;
    bool linked;
    uint64_t link;
    uint64_t last_pulse_mono_ms;  /* when a new pulse of it last came, by whatever way; 0: never in this life */
    kt_hlc pulse_hlc;             /* of its newest pulse */
    uint64_t complete_through_ms; /* everything it wrote up to then is held here; 0: not known */
    bool behind_known;
    uint64_t batches_behind;          /* what we hold that it lacks */
    uint64_t we_lack_batches;         /* by its newest pulse's heads and vector, what it wrote that we lack */
    uint64_t lacking_ms;              /* for how long there has been such, without a break */
    bool past_journal;                /* it answered that its journal no longer reaches back to what we lack */
    bool other_rosters;               /* it holds rosters that are not ours */
    int64_t skew_ms;                  /* its clock - ours at the arrival of its pulse, at best an estimate */
    bool digest_known, digest_agrees; /* at equal vectors */
    kt_hlc oldest_unacknowledged;     /* of our own batches it has not acknowledged; 0: none */
};
/* Every other member of the roster, ascending; an array in the arena. */
int kt_replica_peers(const struct kt_replica *r, uint64_t now_ms, uint64_t now_mono_ms, struct kt_arena *a,
                     struct kt_peer_status **out, uint32_t *len) KT_MUST;

#endif
