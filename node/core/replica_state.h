/* The inside of a replica, shared by the files that make it up and by nobody else:
 *
 *   replica.c  events and what is held      links.c   links, greetings, rosters
 *   asking.c   pulls we send, what we refuse serve.c   pulls we answer, pauses
 *   pulses.c   pulses, freshness, forks      peers.c   what is known of each member, for status
 *
 * How a step stays whole: a handler first reserves memory and pushes its effects (both may fail), then changes the
 * replica (which cannot).  What is due on links (pulls, pulse bundles, serving) is derived at the end of each step from
 * flags; what does not fit into this step's arena stays due for the next. */
#ifndef KT_CORE_REPLICA_STATE_H
#define KT_CORE_REPLICA_STATE_H

#include "core/replica.h"

#define KT_GRANT_BYTES     (1u << 20) /* what a pull of ours allows; renewed when half used */
#define KT_BLOCKS_MAX      64u        /* origins refused on one link; past it the link is closed */
#define KT_BLOCK_MS        30000u     /* then a refused origin is tried again on the same link */
#define KT_REPAIR_MS       250u       /* between two repeats of the whole vector on one link */
#define KT_REPAIRS_MAX     3u         /* because of gaps, in KT_BLOCK_MS: past it the origin is refused on that link */
#define KT_PAUSE_MS_MIN    50u
#define KT_PAUSE_MS_MAX    1000u
#define KT_WRAPS_REPEAT_MS 1000u /* the same wanted wraps are not sent again within */
#define KT_ARRIVALS        256u
#define KT_OWN_MARKS       256u
#define KT_PROOF_ASKS      16u /* heads asked for at once when seals differ */

/* An origin that one link is to skip, because a batch of it was refused there. */
struct kt_block {
    struct kt_origin origin;
    uint64_t number;
    int verdict;
    uint64_t until_mono_ms;
};

struct kt_peer_link {
    uint64_t id;
    kt_member member;
    bool roster_only, greeted;
    uint32_t peer_roster;  /* the newest version the peer is known to have */
    uint32_t rosters_sent; /* the newest version pushed to it, and when */
    uint64_t rosters_sent_mono_ms;

    /* asking */
    bool asked;            /* a pull was sent */
    struct kt_vector told; /* what our pulls said that we hold */
    bool whole_due, nudge; /* repeat the whole vector; send a pull though nothing is new */
    uint64_t whole_after_mono_ms;
    uint32_t repairs; /* repeats that gaps caused, until then */
    uint64_t repairs_until_mono_ms;
    uint64_t told_foreign, told_lacking, told_heard; /* generations of what the last pull said */
    uint32_t told_roster;
    uint64_t grant_left;
    struct kt_block blocks[KT_BLOCKS_MAX];
    uint32_t blocks_len;

    /* serving */
    bool pulled;             /* a pull came */
    struct kt_vector cursor; /* what the peer holds or was sent */
    uint64_t give, give_left;
    struct kt_origin *skip;
    uint32_t skip_len;
    kt_member *heard;
    uint32_t heard_len;
    bool serve_due;
    struct kt_head probe; /* sent, not yet acknowledged: measures the round trip; number 0: none */
    uint64_t probe_mono_ms, round_trip_ms;
    struct kt_dek_id wraps_first, wraps_last; /* the last wish for wraps that was served */
    uint32_t wraps_len;
    uint64_t wraps_mono_ms;

    /* pulses */
    bool relay_due;
    uint64_t relayed; /* pulses up to this serial went out */
};

/* A pulse with all it points to, in one piece of memory. */
struct kt_kept_pulse {
    struct kt_pulse pulse;
    struct kt_bytes encoded;
    uint64_t serial; /* in order of coming */
    uint64_t from_link;
};

/* What is known of a member, linked or not. */
struct kt_replica_peer {
    kt_member member;
    bool pulled, wants_wraps;
    struct kt_vector acknowledged;
    struct kt_kept_pulse *pulse;
    bool covered;               /* all its heads are held here */
    uint64_t uncovered_mono_ms; /* since when some are not; 0: they are */
    bool past_journal;          /* it keeps no longer what we lack: it said so to our last pull but one, or since */
    bool said_past_journal;     /* since our last pull */
    bool other_rosters;         /* it showed rosters that are not ours */
    uint64_t pulse_mono_ms, complete_ms;
    uint64_t pulse_ms; /* the time its pulse says, no later than when it came; 0: not known */
    int64_t skew_ms;
};

struct kt_arrival {
    struct kt_head head;
    uint64_t mono_ms;
};
struct kt_own_mark {
    struct kt_head head;
    kt_hlc hlc;
};

struct kt_replica {
    struct kt_replica_config config;
    const struct kt_roster *roster; /* borrowed; NULL before the first */
    struct kt_vector held;          /* accepted or written */
    struct kt_vector durable;       /* what our pulls may speak of */
    uint64_t durable_generation;
    uint64_t foreign_generation; /* the same, without what we wrote ourselves: that needs no acknowledgement */
    struct kt_origin *pending;   /* heads of held that durable does not have yet */
    uint32_t pending_len, pending_cap;
    uint64_t hashes_generation; /* of durable, for which the hashes stand */
    struct kt_hash hash, seals_hash;

    struct kt_peer_link **links;
    uint32_t links_len, links_cap;
    struct kt_replica_peer **peers; /* ascending member */
    uint32_t peers_len, peers_cap;
    uint64_t heard_generation; /* of the set of open links */
    struct kt_origin *frozen;
    uint32_t frozen_len, frozen_cap;

    struct kt_dek_id *lacking;
    uint32_t lacking_len;
    uint64_t lacking_generation;

    bool own_ahead_told;
    bool pulsed;
    uint64_t pulsed_mono_ms, vector_pulsed_mono_ms;
    struct kt_kept_pulse *own_pulse;
    uint64_t pulse_serial;
    size_t proof_at; /* where the search for differing seals goes on */

    struct kt_arrival arrivals[KT_ARRIVALS]; /* a ring: the last accepted, for pauses */
    uint64_t arrivals_count;
    struct kt_own_mark own_marks[KT_OWN_MARKS]; /* our batches and their clocks, thinned out when full */
    uint32_t own_marks_len;
};

/* effects */
struct kt_effect *kt_fx_add(struct kt_effects *fx, enum kt_effect_kind kind, uint64_t link); /* NULL: no room */
int kt_fx_close(struct kt_effects *fx, uint64_t link, const char *why) KT_MUST;
struct kt_peer_message *kt_fx_send(struct kt_effects *fx, uint64_t link, enum kt_peer_part part); /* NULL: no room */

/* replica.c */
uint32_t kt_replica_roster_version(const struct kt_replica *r);
/* Held, or cut off: up to `number`. */
bool kt_replica_has(const struct kt_replica *r, struct kt_head h);
int kt_replica_reserve_head(struct kt_replica *r, struct kt_origin o) KT_MUST;
void kt_replica_take(struct kt_replica *r, const struct kt_seal *seal, const struct kt_hash *seal_hash);
int kt_replica_reserve_frozen(struct kt_replica *r) KT_MUST;
void kt_replica_freeze_reserved(struct kt_replica *r, struct kt_origin o);
/* The effect that a peer holds more of our own than we do, where these heads say so; `*told` then. */
int kt_replica_check_own(struct kt_replica *r, uint64_t link, const struct kt_head *heads, uint32_t n,
                         struct kt_effects *fx, bool *told) KT_MUST;
/* Raising one head of a vector of a peer's: first room, then the deed (true where it was lower). */
int kt_raise_reserve(struct kt_vector *v, struct kt_origin o) KT_MUST;
bool kt_raise(struct kt_vector *v, struct kt_origin o, uint64_t number);

/* links.c */
struct kt_peer_link *kt_replica_link(const struct kt_replica *r, uint64_t id);
bool kt_link_open(const struct kt_peer_link *l); /* greeted, and more than rosters may pass */
int kt_replica_on_link_up(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx) KT_MUST;
int kt_replica_on_link_down(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx) KT_MUST;
int kt_replica_on_greeting(struct kt_replica *r, struct kt_peer_link *l, const struct kt_event *ev,
                           struct kt_effects *fx) KT_MUST;
int kt_replica_on_roster(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx) KT_MUST;
int kt_replica_on_roster_refused(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx) KT_MUST;
bool kt_link_rosters_due(const struct kt_replica *r, const struct kt_peer_link *l, uint32_t peer_roster, uint64_t now);
int kt_link_push_rosters(const struct kt_peer_link *l, uint32_t from_version, struct kt_effects *fx) KT_MUST;
void kt_link_free(struct kt_peer_link *l);

/* asking.c */
int kt_replica_on_batch(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx) KT_MUST;
int kt_replica_on_answer_end(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx) KT_MUST;
/* Blocks that end: past their time (now), past the head held, or by a new roster. */
void kt_link_unblock(const struct kt_replica *r, struct kt_peer_link *l, uint64_t now_mono_ms, bool new_roster);
bool kt_link_pull_due(const struct kt_replica *r, const struct kt_peer_link *l, uint64_t now_mono_ms);
int kt_link_pull(const struct kt_replica *r, struct kt_peer_link *l, uint64_t now_mono_ms,
                 struct kt_effects *fx) KT_MUST;

/* serve.c */
int kt_replica_on_pull(struct kt_replica *r, struct kt_peer_link *l, const struct kt_event *ev,
                       struct kt_effects *fx) KT_MUST;
int kt_replica_on_sent(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx) KT_MUST;
bool kt_link_serve_ready(const struct kt_replica *r, const struct kt_peer_link *l, uint64_t now_mono_ms);

/* pulses.c */
int kt_replica_on_pulses(struct kt_replica *r, struct kt_peer_link *l, const struct kt_event *ev,
                         struct kt_effects *fx) KT_MUST;
int kt_link_relay(const struct kt_replica *r, struct kt_peer_link *l, struct kt_effects *fx) KT_MUST;

/* peers.c */
struct kt_replica_peer *kt_replica_peer(const struct kt_replica *r, kt_member m); /* NULL: not known */
int kt_replica_peer_make(struct kt_replica *r, kt_member m, struct kt_replica_peer **out) KT_MUST;
void kt_replica_promote(struct kt_replica *r, struct kt_replica_peer *p);
void kt_replica_peer_free(struct kt_replica_peer *p);

#endif
