/* The engine: what a node does.  Inputs in, commits and messages out; one thread owns it.
 *
 * It drives the replica (core/replica.h: who holds what), the ledger (keys, journal, store) and the line.  Inputs are
 * handled in groups: what arrived while one group committed is the next group.  No clock, line or disk but through the
 * ports, so the simulator runs this very code. */
#ifndef KT_ENGINE_ENGINE_H
#define KT_ENGINE_ENGINE_H

#include "core/judge.h"
#include "core/replica.h"
#include "engine/board.h"
#include "engine/intake.h"
#include "engine/ledger/ledger.h"
#include "ports/transport.h"
#include "proto/client/request.h"

struct kt_engine;

/* Who asked; the reply goes back under the same value. */
struct kt_asker {
    uint64_t client;                 /* opaque to the engine */
    void *ref;                       /* opaque; given back exactly once */
    const kt_compartment *may_write; /* NULL: all the node may; outlives the request */
    uint32_t may_write_len;
};

struct kt_engine_config {
    struct kt_ledger_config ledger;
    struct kt_transport *transport;
    struct kt_board *board;
    void *ctx;
    /* One reply for each put and resolve.  Encoded; borrowed. */
    void (*reply)(void *ctx, const struct kt_asker *to, struct kt_bytes reply);
    /* One line an event, for the log: an event name and a sentence.  Never customer data. */
    void (*note)(void *ctx, const char *event, const char *sentence);
    /* A frame was handled: its peer may send another. */
    void (*frame_done)(void *ctx, uint64_t link);
};

enum kt_input_kind {
    KT_IN_LINK_UP,   /* link, member, roster_only */
    KT_IN_LINK_DOWN, /* link */
    KT_IN_FRAME,     /* link, intake: taken over; NULL: no memory was to be had for it, and its link ends */
    KT_IN_REQUEST,   /* asker, request bytes (put or resolve; taken over, freed with free) */
    KT_IN_CALL,      /* call(arg, engine) on the engine thread, between groups */
};
struct kt_input {
    enum kt_input_kind kind;
    uint64_t link;
    kt_member member;
    bool roster_only;
    struct kt_intake *intake;
    struct kt_asker asker;
    uint8_t *request;
    size_t request_len;
    void (*call)(void *arg, struct kt_engine *e);
    void *arg;
    struct kt_input *next; /* for whoever queues it */
};

/* Before its end: answers the puts that still wait, for copies or for our own head.  No step comes after it. */
void kt_engine_finish(struct kt_engine *e);
int kt_engine_open(const struct kt_engine_config *c, struct kt_engine **out) KT_MUST;
void kt_engine_close(struct kt_engine *e);

/* Handles some inputs as one group and whatever time made due.  Takes the contents of the inputs over.  KT_OK also
 * where inputs were refused; an error means that the process should end and recover. */
int kt_engine_step(struct kt_engine *e, struct kt_input *const *inputs, uint32_t n) KT_MUST;
/* How long until time alone makes something due. */
uint32_t kt_engine_idle_ms(const struct kt_engine *e);

/* What it knows of itself, for status pages; engine thread (through KT_IN_CALL), memory from the arena. */
struct kt_engine_status {
    kt_member member;
    uint64_t incarnation;
    const struct kt_vector *vector;
    struct kt_pulse_digest *digests;
    uint32_t digests_len;
    struct kt_ledger_state ledger;
    struct kt_peer_status *peers;
    uint32_t peers_len;
    uint64_t store_life, started_mono_ms, now_mono_ms, now_ms;
    uint64_t puts, puts_refused, batches_in, batches_out, bytes_out;
    uint64_t commit_count, commit_sum_ns, commit_buckets[20]; /* durations; bucket i: below 100 us * 2^i */
    int last_commit_error;                                    /* of the last group; KT_OK */
    uint64_t last_commit_error_mono_ms;
    uint64_t skewed_stamps; /* stamps too far ahead to follow */
    uint64_t refused_batches;
    const struct kt_fork *forks; /* proved, and not cut yet; until the next step */
    uint32_t forks_len;
};
int kt_engine_status(struct kt_engine *e, struct kt_arena *a, struct kt_engine_status *out) KT_MUST;
struct kt_ledger *kt_engine_ledger(struct kt_engine *e);

#endif
