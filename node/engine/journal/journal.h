/* The journal: the batches a node holds, in the order it took them, after a base.  The truth; its commit is the
 * acknowledgement (DESIGN sections 3 and 7).  Layout: engine/journal/layout.h.
 *
 * Every function works inside a transaction of the journal environment that the caller begins and ends; `t` belongs to
 * `s`.  Bytes handed out are borrowed: until the next write in that transaction, or its end.  One thread per
 * transaction.  Errors of the port are sticky in `t` and come back as they are; a row that does not read is
 * KT_EDAMAGED.  A missing row is believed only when a second one agrees (LMDB does not notice bit rot): where the head
 * of an origin says a batch is held and no row has it, that is KT_EDAMAGED too. */
#ifndef KT_ENGINE_JOURNAL_H
#define KT_ENGINE_JOURNAL_H

#include "core/vector.h"
#include "ports/store.h"

/* One batch as the journal keeps it. */
struct kt_journal_entry {
    struct kt_origin origin;
    uint64_t number;
    struct kt_bytes batch; /* as received; borrowed */
};

/* Adds a batch at the end.  `head` names it: origin, number, hash of its seal, clock, roster version.  *position: where
 * it lies.  KT_EDUPLICATE: held already (or cut away); KT_EGAP: one before it is missing; KT_EOVERSIZE: more than
 * KT_BATCH_BYTES_MAX; KT_EINVAL: no bytes, or no origin.  None of these four touches `t`. */
int kt_journal_append(const struct kt_store *s, struct kt_txn *t, const struct kt_vector_entry *head,
                      struct kt_bytes batch, uint64_t *position) KT_MUST;

/* The batch at a position.  KT_ENOTFOUND: nothing was taken there yet; KT_ESNAPSHOT: it was cut away. */
int kt_journal_get(const struct kt_store *s, struct kt_txn *t, uint64_t position, struct kt_journal_entry *out) KT_MUST;

/* The same batch with less in it, in its place.  KT_ENOTFOUND, KT_ESNAPSHOT: there is none; KT_EINVAL: no batch's size. */
int kt_journal_replace(const struct kt_store *s, struct kt_txn *t, uint64_t position, struct kt_bytes batch) KT_MUST;

/* Where a batch lies.  KT_ENOTFOUND: not held; KT_ESNAPSHOT: cut away, or never here because a snapshot covered it. */
int kt_journal_where(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t number,
                     uint64_t *position) KT_MUST;

/* The batch of a name: where and get in one, each checked against the other. */
int kt_journal_find(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t number,
                    struct kt_journal_entry *out) KT_MUST;

/* The positions kept are [base, next). */
int kt_journal_span(const struct kt_store *s, struct kt_txn *t, uint64_t *base, uint64_t *next) KT_MUST;

/* The head of one origin.  KT_ENOTFOUND: nothing of it. */
int kt_journal_head(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin,
                    struct kt_vector_entry *out) KT_MUST;
/* Every head, by rising origin.  What `each` returns other than KT_OK ends the walk and is returned.  `each` writes
 * nothing in `t`. */
int kt_journal_heads(const struct kt_store *s, struct kt_txn *t,
                     int (*each)(void *context, const struct kt_vector_entry *head), void *context) KT_MUST;

/* The first position of anything that somebody who holds `have` lacks, of origins not in skip[].  Everything after it
 * that he lacks lies behind it, in the order it was taken here.  KT_ENOTFOUND: he lacks nothing; KT_ESNAPSHOT: what he
 * lacks was cut away. */
int kt_journal_first_missing(const struct kt_store *s, struct kt_txn *t, const struct kt_vector *have,
                             const struct kt_origin *skip, size_t skip_len, uint64_t *position) KT_MUST;

/* Cuts away positions below `before` (at most `next`), at most batches_max of them.  *base: the first kept now; call
 * again, in another transaction, while it is below `before`. */
int kt_journal_truncate(const struct kt_store *s, struct kt_txn *t, uint64_t before, size_t batches_max,
                        uint64_t *base) KT_MUST;
/* Of this origin, batches up to a number were cut away or came in a snapshot (0: none were). */
int kt_journal_base_of(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t *number) KT_MUST;
/* A snapshot brought all of an origin up to `head`: its next batch is the one after.  KT_EDUPLICATE: held so far
 * already, nothing changed. */
int kt_journal_adopt(const struct kt_store *s, struct kt_txn *t, const struct kt_vector_entry *head) KT_MUST;

/* Holes: places of batches that are held by name and are not there, because the disk lost them.  A hole reads as
 * KT_EDAMAGED until a peer's copy fills it.  append_hole: the next of its origin, at the end, with a head that knows
 * nothing of it (KT_EDUPLICATE, KT_EGAP). */
int kt_journal_append_hole(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin,
                           uint64_t number) KT_MUST;
/* What lies at a position is not what was put there: it becomes a hole, under the name that leads to it.  KT_EDAMAGED:
 * no name does. */
int kt_journal_punch(const struct kt_store *s, struct kt_txn *t, uint64_t position) KT_MUST;
int kt_journal_holes(const struct kt_store *s, struct kt_txn *t,
                     int (*each)(void *context, struct kt_origin origin, uint64_t number, uint64_t position),
                     void *context) KT_MUST;
/* The batch of a hole, judged good by the caller, in its place.  KT_ENOTFOUND: there is no such hole; KT_EINVAL. */
int kt_journal_fill(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t number,
                    struct kt_bytes batch, uint64_t *position) KT_MUST;

/* The newest pulse of each member, as received. */
int kt_journal_pulse_put(const struct kt_store *s, struct kt_txn *t, kt_member member, struct kt_bytes pulse) KT_MUST;
int kt_journal_pulses(const struct kt_store *s, struct kt_txn *t,
                      int (*each)(void *context, kt_member member, struct kt_bytes pulse), void *context) KT_MUST;

/* Proofs of forks, as received; one per origin and number, the first stays (KT_EDUPLICATE for another). */
int kt_journal_proof_put(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t number,
                         struct kt_bytes proof) KT_MUST;
int kt_journal_proof_drop(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin,
                          uint64_t number) KT_MUST; /* KT_OK also where there is none */
int kt_journal_proofs(const struct kt_store *s, struct kt_txn *t,
                      int (*each)(void *context, struct kt_origin origin, uint64_t number, struct kt_bytes proof),
                      void *context) KT_MUST;

#endif
