/* Inside the LMDB backend: what its files share.  Nothing here is for other layers. */
#ifndef KT_STORE_LMDB_ENV_H
#define KT_STORE_LMDB_ENV_H

#include "store/lmdb.h"
#include "store/mark.h"

#include <limits.h>
#include <lmdb.h>
#include <pthread.h>

#define KT_LMDB_KEY_BYTES_MAX 500u

struct kt_lmdb_env {
    enum kt_env id;
    const char *name; /* of its folder */
    bool salvage_due;
    MDB_env *mdb; /* NULL while closed */
    MDB_dbi dbi[KT_TABLE_COUNT];
    uint64_t map_bytes, page_bytes, map_page_bytes; /* page_bytes: of the file; map_page_bytes: of this machine */
    uint64_t file_bytes; /* as grown so far; belongs to whoever holds the write transaction */

    /* Who is inside: reopening waits for nobody, others wait for it. */
    pthread_mutex_t lock;
    pthread_cond_t reopened;
    unsigned inside;
    bool writing, reopening;
};

struct kt_lmdb {
    struct kt_store store; /* first: the port's view of it */
    struct kt_lmdb_config config;
    char dir[PATH_MAX];
    int dir_fd, lock_fd;
    struct kt_lmdb_env env[KT_ENV_COUNT];
    pthread_mutex_t mark_lock;
    struct kt_mark mark; /* as it stands on disk */
    pthread_mutex_t checkpoint_lock;
};

struct kt_cursor {
    struct kt_cursor *next, **link; /* among those of its transaction */
    struct kt_txn *txn;
    MDB_cursor *mdb;
    enum kt_table table;
    bool placed;
    uint64_t leaf;        /* in read transactions: the page looked at last */
    uint64_t writes_seen; /* of its transaction, when it was placed */
    size_t key_len;
    union {
        uint8_t bytes[KT_LMDB_KEY_BYTES_MAX];
        uint64_t number;
    } key; /* where it stands */
};

struct kt_txn {
    struct kt_lmdb *lmdb;
    struct kt_lmdb_env *env;
    MDB_txn *mdb;
    int err;
    bool write;
    bool appended;      /* it adds to the end of a table: a full disk refuses it earlier than others */
    uint64_t writes;    /* how many so far; a cursor that saw fewer finds its place again */
    uint64_t bytes_put; /* an upper bound of the new pages it may need, in bytes */
    struct kt_cursor *cursors;
};

/* What LMDB or the system said (MDB_*, errno), as ours. */
int kt_lmdb_error(int rc);
__attribute__((format(printf, 2, 3))) void kt_lmdb_say(const struct kt_lmdb *l, const char *format, ...);

static inline struct kt_lmdb *kt_lmdb_of(struct kt_store *s) { return (struct kt_lmdb *)s; }
enum kt_env kt_lmdb_table_env(enum kt_table table);
bool kt_lmdb_table_integer(enum kt_table table);

/* lmdb_environment.c: one environment, opened and closed.  `first`: DIR was never opened to the end, so a file that was
 * begun and not finished may be made again.  *made: there was no file, or none that could be kept. */
int kt_lmdb_env_open(struct kt_lmdb *l, enum kt_env id, bool first, bool *made) KT_MUST;
void kt_lmdb_env_close(struct kt_lmdb_env *e);
int kt_lmdb_env_identity(const struct kt_lmdb_env *e, struct kt_file_id *out) KT_MUST;
/* Inside and outside: an environment is not reopened while somebody is inside. */
void kt_lmdb_env_enter(struct kt_lmdb_env *e);
void kt_lmdb_env_leave(struct kt_lmdb_env *e);

/* lmdb_aside.c: files that are not to be used.  Looks whether one lies in the way of this environment's data.mdb, and
 * moves data.mdb out of the way where `why` (NULL: nothing) says that it is damaged.  KT_ENOTFOUND: data.mdb is to be
 * made anew; KT_OK: nothing is wrong. */
int kt_lmdb_set_aside(struct kt_lmdb *l, struct kt_lmdb_env *e, int env_fd, const char *why) KT_MUST;

/* lmdb_grow.c: makes the file long enough for what is about to be committed (NULL: nothing), and some ahead. */
int kt_lmdb_grow(struct kt_lmdb *l, struct kt_lmdb_env *e, const struct kt_txn *t) KT_MUST;

/* lmdb_txn.c and lmdb_cursor.c: the port's functions */
int kt_lmdb_begin(struct kt_store *s, enum kt_env env, bool write, struct kt_txn **out) KT_MUST;
int kt_lmdb_commit(struct kt_txn *t) KT_MUST;
void kt_lmdb_abort(struct kt_txn *t);
int kt_lmdb_txn_error(const struct kt_txn *t) KT_MUST;
int kt_lmdb_get(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes *value) KT_MUST;
int kt_lmdb_put(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes value) KT_MUST;
int kt_lmdb_append(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes value) KT_MUST;
int kt_lmdb_del(struct kt_txn *t, enum kt_table table, struct kt_bytes key) KT_MUST;
int kt_lmdb_count(struct kt_txn *t, enum kt_table table, uint64_t *rows) KT_MUST;
int kt_lmdb_cursor(struct kt_txn *t, enum kt_table table, struct kt_cursor **out) KT_MUST;
void kt_lmdb_cursor_close(struct kt_cursor *c);
int kt_lmdb_seek(struct kt_cursor *c, enum kt_seek how, struct kt_bytes at, struct kt_bytes *key,
                 struct kt_bytes *value) KT_MUST;
/* The sticky error after a table and a key were looked at: KT_EINVAL for one of another environment or a key that no
 * table of that kind can hold. */
int kt_lmdb_check(struct kt_txn *t, enum kt_table table, struct kt_bytes key) KT_MUST;
int kt_lmdb_fail(struct kt_txn *t, int rc) KT_MUST; /* keeps the first failure; gives it back */
/* lmdb_miss.c: KT_ENOTFOUND where the leaf in which the key would lie is whole, and what is around it in order; else
 * KT_EDAMAGED.  In read transactions. */
bool kt_lmdb_leaf_is_whole(const struct kt_txn *t, enum kt_table table, const MDB_val *key) KT_MUST;
bool kt_lmdb_is_empty(const struct kt_txn *t, enum kt_table table) KT_MUST;
int kt_lmdb_confirm_miss(struct kt_txn *t, enum kt_table table, MDB_val key) KT_MUST;

/* lmdb_checkpoint.c */
int kt_lmdb_checkpoint(struct kt_store *s) KT_MUST;
int kt_lmdb_restore(struct kt_store *s) KT_MUST;
int kt_lmdb_discard(struct kt_store *s) KT_MUST;

#endif
