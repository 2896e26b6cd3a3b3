/* What two nodes say to each other: one message per frame, exactly one part set (peer.proto, PeerMessage).
 *
 * A link starts with `greeting` both ways; rosters come before all else.  Then each side pulls: a pull says what I hold
 * (the whole vector first, changes to it afterwards), what to skip, which data keys I lack, and how many bytes I can
 * take; it is also the acknowledgement of what I have made durable.  An answer carries batches in the order their
 * server took them, each with the wraps of the keys it introduces. */
#ifndef KT_PROTO_PEER_H
#define KT_PROTO_PEER_H

#include "proto/arena.h"
#include "proto/peer/pulse.h"

enum kt_peer_part {
    KT_PEER_GREETING = 1, /* roster version and hash, schema and suite numbers known */
    KT_PEER_ROSTERS,      /* signed rosters after a version, with all bundles of the newest */
    KT_PEER_PULL,
    KT_PEER_ANSWER,
    KT_PEER_WRAPS,        /* answer to wanted ids in a pull */
    KT_PEER_PULSES,       /* newest pulses, one bundle per link each KT_PULSE_MS */
    KT_PEER_ERASURES,
    KT_PEER_PROOFS,       /* two signed seals of one number */
    KT_PEER_SNAPSHOT,     /* one piece of a snapshot */
    KT_PEER_BATCHES_BY_ID, /* ask for single batches (origin, number) held back elsewhere */
};

struct kt_greeting { uint32_t roster_version; struct kt_hash roster_hash; uint32_t suite, schema; };

struct kt_rosters {
    struct kt_bytes *rosters; uint32_t rosters_len; /* signed, ascending versions */
    struct kt_bytes *bundles; uint32_t bundles_len; /* of the newest roster; named by their hash */
};

struct kt_pull {
    bool whole;                            /* heads is the whole vector; else changes since my last pull */
    const struct kt_head *heads; uint32_t heads_len;
    const struct kt_origin *skip; uint32_t skip_len;             /* blocked here: send nothing of these */
    const kt_member *heard; uint32_t heard_len;                  /* members I hear directly */
    const struct kt_dek_id *want_wraps; uint32_t want_wraps_len; /* data keys I lack */
    uint32_t grant_bytes;                  /* how much I can take now, in all; replaces the grant before */
    uint32_t roster_version;               /* of mine: a server that has newer sends them */
    uint32_t erasures;                     /* how many I hold: a server that has more sends all */
};

struct kt_answer_batch {
    struct kt_bytes batch;
    struct kt_bytes *wraps; uint32_t wraps_len; /* of the keys its sections introduce */
};
struct kt_answer {
    struct kt_answer_batch *batches; uint32_t batches_len;
    bool snapshot_required;  /* the asker is below this journal's base */
    bool end;                /* all this server has for the asker was sent; it will send more as it comes */
    uint64_t behind_batches, behind_bytes; /* what the server still has for the asker after this frame */
};

struct kt_ask { struct kt_origin origin; uint64_t number; };

/* Snapshot (DESIGN section 3); per compartment, in pieces, in order. */
struct kt_snapshot_value {
    struct kt_entity_id ward, entity; uint32_t field; struct kt_bytes element;
    struct kt_dot dot; kt_hlc stamp; struct kt_tag tag; uint32_t generation; struct kt_bytes value;
};
struct kt_snapshot_debt { struct kt_entity_id ward, entity; uint32_t field; struct kt_dot dot; uint32_t generation; };
struct kt_snapshot_head { struct kt_head head; struct kt_hash seal_hash; };
struct kt_snapshot_held { struct kt_dot first; struct kt_bytes seal, signature, header, clear, cipher; };
struct kt_snapshot_piece {
    kt_compartment compartment;
    uint32_t piece; bool last;
    const struct kt_snapshot_head *heads; uint32_t heads_len;
    const struct kt_snapshot_value *values; uint32_t values_len;
    const struct kt_snapshot_debt *debts; uint32_t debts_len;
    const struct kt_snapshot_held *held; uint32_t held_len;
    struct kt_bytes *wraps; uint32_t wraps_len;
    struct kt_bytes *erasures; uint32_t erasures_len;
};

struct kt_fork_proof { struct kt_bytes seal_a, signature_a, seal_b, signature_b; };

struct kt_bytes_list { struct kt_bytes *items; uint32_t len; };

struct kt_peer_message {
    enum kt_peer_part part;
    union {
        struct kt_greeting greeting;
        struct kt_rosters rosters;
        struct kt_pull pull;
        struct kt_answer answer;
        struct kt_bytes_list wraps, pulses, erasures; /* encoded, as received */
        struct { struct kt_fork_proof *items; uint32_t len; } proofs;
        struct kt_snapshot_piece snapshot;
        struct { struct kt_ask *items; uint32_t len; } asks;
    };
};

int kt_peer_encode(const struct kt_peer_message *m, struct kt_buf *out) KT_MUST; /* KT_EOVERSIZE past KT_FRAME_BYTES_MAX */
/* Borrows from `in`, arrays from the arena.  KT_ETRUNCATED, KT_EMALFORMED (also: not exactly one part, heads out of
 * order), KT_EOVERSIZE; KT_ELIMIT past the arena's cap. */
int kt_peer_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_peer_message *out) KT_MUST;

/* The same answer without an array of batches, for a server that reads its journal: begin, add until KT_ELIMIT (the
 * frame is full: finish, send, begin the next), finish.  The bytes are those kt_peer_encode would write. */
struct kt_answer_builder {
    struct kt_buf *out;
    size_t start, mark;
    uint32_t batches_len; /* added so far */
};
void kt_answer_begin(struct kt_answer_builder *b, struct kt_buf *out);
/* A batch with the wraps of the keys it introduces.  KT_ELIMIT: not in this frame, nothing was added.  The first batch
 * of a frame always fits; of its wraps as many as do (the others are asked for by id). */
int kt_answer_add(struct kt_answer_builder *b, struct kt_bytes batch, const struct kt_bytes *wraps,
                  uint32_t wraps_len) KT_MUST;
/* Everything of `rest` but its batches. */
int kt_answer_finish(struct kt_answer_builder *b, const struct kt_answer *rest) KT_MUST;

#endif
