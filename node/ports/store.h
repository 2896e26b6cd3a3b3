/* What a disk must do for Kontor: ordered maps of bytes in three environments, with transactions.
 *
 * The production backend is LMDB (store/lmdb.c), the simulator brings its own with faults; both pass the same contract
 * suite (tests/contract).  What the rows mean is the engine's business (engine/journal/layout.h), not the backend's.
 *
 * A row read is the row that was written: a backend whose medium rots says KT_EDAMAGED instead, of what it finds as of
 * what it does not find (in read transactions; in write transactions a key that rotted may go unseen until the next
 * whole look at the file).
 *
 * Errors inside a transaction are sticky: after the first failure reads find nothing, writes do nothing, and commit
 * gives that error back (and aborts).  Bytes handed out by get and seek stay valid until the next write in the same
 * transaction, or its end; they may lie at any address.  At most one write transaction per environment at a time (begin
 * refuses a second with KT_EAGAIN); read transactions from any thread, each used by one thread. */
#ifndef KT_PORTS_STORE_H
#define KT_PORTS_STORE_H

#include "proto/bytes.h"
#include "proto/errors.h"

enum kt_env { KT_ENV_KEYS, KT_ENV_JOURNAL, KT_ENV_STORE, KT_ENV_COUNT };

/* Every table of every environment.  `integer`: keys are 8 bytes, uint64_t in native order, and sort as numbers
 * (MDB_INTEGERKEY); else keys are at most 500 bytes and sort as kt_bytes_compare does. */
#define KT_TABLES(X)                                                                                                   \
    /* name            environment     integer   holds */                                                              \
    X(keys_meta,       KT_ENV_KEYS,    false, "identity, cluster, incarnation, clock ceiling, store keys")             \
    X(keys_roster,     KT_ENV_KEYS,    true,  "roster version -> signed roster")                                       \
    X(keys_bundle,     KT_ENV_KEYS,    false, "bundle hash -> sealed compartment bundle")                              \
    X(keys_wrap,       KT_ENV_KEYS,    false, "data key id -> wrap")                                                   \
    X(keys_ward,       KT_ENV_KEYS,    false, "compartment, tag, generation, birth epoch, data key id -> nothing")     \
    X(keys_erasure,    KT_ENV_KEYS,    false, "compartment, tag -> erasure")                                           \
    X(journal_batch,   KT_ENV_JOURNAL, true,  "position -> batch as received")                                         \
    X(journal_where,   KT_ENV_JOURNAL, false, "origin, number -> position")                                            \
    X(journal_head,    KT_ENV_JOURNAL, false, "origin -> last number held, hash of its seal, its clock")               \
    X(journal_pulse,   KT_ENV_JOURNAL, true,  "member -> its newest pulse")                                            \
    X(journal_meta,    KT_ENV_JOURNAL, false, "next position, base position, base vector, fork proofs")                \
    X(store_meta,      KT_ENV_STORE,   false, "boot id, journal position reflected, vector, next row")                 \
    X(store_state,     KT_ENV_STORE,   false, "compartment, ward -> live values of its registers and sets")            \
    X(store_list,      KT_ENV_STORE,   false, "compartment, ward, entity, field, element -> live rows of a list")      \
    X(store_debt,      KT_ENV_STORE,   false, "dot -> what it will be cancelled for when it comes")                    \
    X(store_held,      KT_ENV_STORE,   false, "origin, batch, envelope -> sealed envelope and why it is held")         \
    X(store_entity,    KT_ENV_STORE,   false, "entity id -> kind and row")                                             \
    X(store_back,      KT_ENV_STORE,   false, "entity id, compartment, ward -> the ward refers to the entity")         \
    X(store_view,      KT_ENV_STORE,   true,  "row -> the packed view, or the row it redirects to")                    \
    X(store_index,     KT_ENV_STORE,   true,  "hash of an identifier -> postings")                                     \
    X(store_conflict,  KT_ENV_STORE,   false, "conflict id -> where it is")                                            \
    X(store_contradiction, KT_ENV_STORE, false, "NO_MATCH link inside a golden customer -> nothing")                    \
    X(store_digest,    KT_ENV_STORE,   false, "compartment, bucket -> sum")

enum kt_table {
#define KT_TABLE_ENUM(name, env, integer, holds) KT_T_##name,
    KT_TABLES(KT_TABLE_ENUM)
#undef KT_TABLE_ENUM
    KT_TABLE_COUNT
};

struct kt_txn; /* belongs to the backend */

/* Where a cursor goes. */
enum kt_seek {
    KT_SEEK_AT_OR_AFTER, /* the first key >= the one given (an empty key: the first of all) */
    KT_SEEK_NEXT,        /* the one after the last */
    KT_SEEK_LAST,        /* the greatest of all */
    KT_SEEK_PREV,
};

struct kt_cursor; /* belongs to the backend; ends with kt_store_ops.cursor_close, at the latest with its transaction */

struct kt_env_info {
    uint64_t used_bytes, map_bytes, disk_free_bytes;
    uint64_t readers, last_txn;
};

#define KT_STORE_WHY_BYTES 160u

struct kt_store; /* a backend's own; begins with this table */
struct kt_store_ops {
    int (*begin)(struct kt_store *s, enum kt_env env, bool write, struct kt_txn **out);
    int (*commit)(struct kt_txn *t);  /* ends it either way; durable on return for keys and journal */
    void (*abort)(struct kt_txn *t);  /* ends it; NULL is nothing */
    int (*error)(const struct kt_txn *t); /* the sticky error so far */
    /* KT_ENOTFOUND where there is none (not sticky) */
    int (*get)(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes *value);
    int (*put)(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes value);
    /* the same where the key is greater than all present (MDB_APPEND) */
    int (*append)(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes value);
    int (*del)(struct kt_txn *t, enum kt_table table, struct kt_bytes key); /* KT_OK also where there is none */
    int (*count)(struct kt_txn *t, enum kt_table table, uint64_t *rows);
    int (*cursor)(struct kt_txn *t, enum kt_table table, struct kt_cursor **out);
    void (*cursor_close)(struct kt_cursor *c);
    /* KT_ENOTFOUND past either end; key and value may be NULL where not wanted */
    int (*seek)(struct kt_cursor *c, enum kt_seek how, struct kt_bytes at, struct kt_bytes *key, struct kt_bytes *value);
    /* A verified, synced copy of the store environment under the name "checkpoint" (replaces the one before, in one
     * step), and the way back.  Only while no write transaction of the store is open. */
    int (*checkpoint)(struct kt_store *s);
    int (*restore)(struct kt_store *s);      /* KT_ENOTFOUND: there is none.  The store holds the copy afterwards */
    int (*discard)(struct kt_store *s);      /* empties the store environment (only that) */
    /* The node knows its own head again (a peer told, or it took a new incarnation): files_moved is false from here on,
     * durably.  Until then every open finds it true again. */
    int (*settled)(struct kt_store *s);
    int (*info)(struct kt_store *s, enum kt_env env, struct kt_env_info *out);
    /* Is the environment whole below what the tables hold?  Reads all of its file, beside readers and a writer.
     * KT_EDAMAGED: a sentence in `why`. */
    int (*verify)(struct kt_store *s, enum kt_env env, char why[KT_STORE_WHY_BYTES]);
    void (*close)(struct kt_store *s);
};
struct kt_store {
    const struct kt_store_ops *ops;
    bool store_survived; /* at open: the store environment is from this boot and this file (else recover) */
    bool files_moved;    /* at open: the journal is not the file (device, inode) it was at the last stop, or the boot
                            is another: the node must ask a peer for its own head before it writes (DESIGN section 3) */
};

#endif
