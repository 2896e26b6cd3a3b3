/* The ledger: keys, journal and store as one.  What is taken from peers and written by clients between begin and commit
 * becomes durable and visible together, or not at all.
 *
 * Order of a commit: data keys (keys), batches (journal; its sync overlaps the building of views), store.  The store is
 * a function of the journal: where it lags behind - after a machine crash, a lost file, a full disk - begin and open
 * catch it up from its checkpoint and the journal's tail before anything else.  Engine thread only. */
#ifndef KT_ENGINE_LEDGER_H
#define KT_ENGINE_LEDGER_H

#include "core/hlc.h"
#include "core/vector.h"
#include "engine/ward/apply.h"
#include "engine/write/write.h"

struct kt_ledger;

struct kt_ledger_config {
    struct kt_store *store;
    struct kt_keyring *keyring;
    struct kt_world *world;
    struct kt_bytes phone_country; /* outlives the ledger */
    bool threaded;                 /* a journal thread of its own; false: all in the caller's (simulator) */
    /* Called now and then while the store is made again; may be NULL. */
    void (*progress)(void *ctx, uint64_t position, uint64_t last);
    void *progress_ctx;
};

/* Recovers what needs it.  KT_EDAMAGED: journal or keys do not hold together. */
int kt_ledger_open(const struct kt_ledger_config *c, struct kt_ledger **out) KT_MUST;
void kt_ledger_close(struct kt_ledger *l);

const struct kt_vector *kt_ledger_vector(const struct kt_ledger *l); /* with what the open group took */
struct kt_origin kt_ledger_origin(const struct kt_ledger *l);        /* member and incarnation it writes as */
int kt_ledger_new_incarnation(struct kt_ledger *l) KT_MUST;          /* between groups; durable on return */
uint64_t kt_ledger_store_life(const struct kt_ledger *l);
uint64_t kt_ledger_position(const struct kt_ledger *l);    /* last journal position */
struct kt_workset *kt_ledger_workset(struct kt_ledger *l); /* to read in, within a group */

/* Between groups, after a newer roster: what its cuts leave of the vector, and the store made again where they change
 * what was applied; *changed: they do.  Lookups meet a store that is not whole meanwhile.  KT_EAGAIN: one of them is
 * under way, or there is no room; call again soon. */
int kt_ledger_heed_cuts(struct kt_ledger *l, bool *changed) KT_MUST;
/* Between groups: what the keyring says is erased leaves the store; nothing to do costs nothing.  Also the journal's
 * batches, some at a time: call it until it is due no more, that is, now and then. */
int kt_ledger_erase(struct kt_ledger *l) KT_MUST;
int kt_ledger_sweep(struct kt_ledger *l) KT_MUST;
/* Origins of which the journal has more than counts. */
const struct kt_origin *kt_ledger_cut_origins(const struct kt_ledger *l, size_t *n);

int kt_ledger_begin(struct kt_ledger *l) KT_MUST;
/* A batch of another's, judged good and next in its chain.  `o` and all it borrows stay until the commit. */
int kt_ledger_take(struct kt_ledger *l, struct kt_opened *o) KT_MUST;
/* How many more batches this group has places for; past that, taking and putting give KT_EAGAIN until it ends. */
uint32_t kt_ledger_room(const struct kt_ledger *l);
/* Wraps that came by themselves: forged ones are dropped.  *useful: at least one was new. */
int kt_ledger_take_wraps(struct kt_ledger *l, const struct kt_bytes *wraps, uint32_t n, bool *useful) KT_MUST;
/* The newest pulse of a member, to be kept with this group's batches. */
int kt_ledger_keep_pulse(struct kt_ledger *l, kt_member member, struct kt_bytes pulse) KT_MUST;
/* Tries some of what is held again; `again`: keys came, once round from here.  *more: call it in the next group too. */
int kt_ledger_retry_held(struct kt_ledger *l, bool again, bool *more) KT_MUST;

/* One record of a client.  KT_OK: merged, *token says what to wait for.  A refusal leaves the group as it was, with
 * plan->field and plan->reason set; *fatal: the group cannot go on (the store failed). */
int kt_ledger_put(struct kt_ledger *l, const struct kt_writer *who, const struct kt_record *record,
                  struct kt_plan *plan, struct kt_token *token, bool *fatal) KT_MUST;
int kt_ledger_resolve(struct kt_ledger *l, const struct kt_writer *who, struct kt_bytes conflict_id,
                      struct kt_bytes value, bool clear, struct kt_plan *plan, struct kt_token *token,
                      bool *fatal) KT_MUST;

/* What an incarnation of ours that forked at batch `from` said and only it, said again under the present one: some
 * batches from *next on; *more: call it in the next group too.  Saying it twice changes nothing that shows. */
int kt_ledger_reissue(struct kt_ledger *l, struct kt_origin origin, uint64_t from, uint64_t *next, bool *more) KT_MUST;

/* Batches of our own that this group wrote; valid until the next begin. */
struct kt_wrote {
    struct kt_seal seal;
    struct kt_hash seal_hash;
};
/* Ends the group.  On an error nothing of it counts, and vector and working set are as before; KT_EFULL and KT_EIO may
 * pass, others mean the process should end and recover. */
int kt_ledger_commit(struct kt_ledger *l, const struct kt_wrote **wrote, uint32_t *wrote_len) KT_MUST;
void kt_ledger_abort(struct kt_ledger *l);
/* After a failed commit or an abort: KT_OK, or why vector and positions could not be read back and are not to be
 * believed.  The process should end with that and recover: a vector that forgot our own head would number batches
 * again. */
int kt_ledger_lost(const struct kt_ledger *l);

/* Holes: batches that are held by name and that the disk lost (engine/journal/journal.h), until a peer's copy fills
 * them.  Between groups but for reading. */
struct kt_hole {
    struct kt_origin origin;
    uint64_t number, position;
};
const struct kt_hole *kt_ledger_holes(const struct kt_ledger *l, uint32_t *n); /* until the next punch or fill */
const struct kt_hole *kt_ledger_hole(const struct kt_ledger *l, struct kt_origin origin, uint64_t number); /* or NULL */
/* What the journal has at a position is not what was put there. */
int kt_ledger_punch(struct kt_ledger *l, uint64_t position) KT_MUST;
/* A batch, judged good, that may be the one of a hole: durable in its place, and applied where the store was made
 * without it.  KT_ENOTFOUND: there is no such hole; KT_EFORK: its neighbours name another. */
int kt_ledger_fill(struct kt_ledger *l, const struct kt_opened *o) KT_MUST;

/* Stamps.  pulse_time: below every later stamp of ours, durably. */
int kt_ledger_pulse_time(struct kt_ledger *l, kt_hlc *out) KT_MUST;
/* Takes note of a stamp of another's; false: too far ahead of our clock to follow. */
bool kt_ledger_observe(struct kt_ledger *l, kt_hlc seen);

/* Between groups. */
/* The store could not follow the journal (its disk was full): lookups show less than the vector says, and there are no
 * digests, until a begin has caught up. */
bool kt_ledger_lags(const struct kt_ledger *l);
struct kt_ledger_state {
    uint64_t holes;   /* batches that the disk lost, asked of peers */
    bool erasing;     /* there are erasures that the store or the journal does not heed yet */
    uint64_t without; /* of them and of those that came since, what the store does not show yet */
    uint64_t position, store_position, held, conflicts, contradictions, voided, opened_late, ops;
    uint64_t groups, commit_ns_last; /* of the last commit, from begin of sealing to visible */
};
int kt_ledger_state(struct kt_ledger *l, struct kt_ledger_state *out) KT_MUST;
/* Digests of every compartment this node reads, at the vector, between groups; KT_PULSE digests.  Held ones are left
 * out when `settled_only` and anything is held. */
int kt_ledger_digests(struct kt_ledger *l, struct kt_arena *a, struct kt_pulse_digest **out, uint32_t *n) KT_MUST;
/* How many envelopes were put aside since the start: a change means that other keys are lacking. */
uint64_t kt_ledger_held_so_far(const struct kt_ledger *l);
/* Data keys that held envelopes wait for; where there are many, each time the next ones. */
int kt_ledger_lacking(struct kt_ledger *l, struct kt_arena *a, struct kt_dek_id **ids, uint32_t *n) KT_MUST;

#endif
