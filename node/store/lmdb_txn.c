#include "store/lmdb_env.h"

#include "store/row_proof.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

/* What LMDB keeps inside a leaf of 4 KiB pages (me_nodemax) is shorter.  Such a value may come out of a leaf that LMDB
 * is about to shift, so it is copied first; a longer one lies in pages of its own, which stay where they are. */
#define SMALL_VALUE_BYTES 2048u

#define ROOM_BYTES_MIN (1ull << 20) /* a disk with less is full */

static const struct {
    enum kt_env env;
    bool integer;
} tables[] = {
#define TABLE_ROW(name, env, integer, holds) {env, integer},
    KT_TABLES(TABLE_ROW)
#undef TABLE_ROW
};
_Static_assert(sizeof(uint64_t) == sizeof(size_t), "LMDB's integer keys are 64 bits wide here");

enum kt_env kt_lmdb_table_env(enum kt_table table) { return tables[table].env; }
bool kt_lmdb_table_integer(enum kt_table table) { return tables[table].integer; }

int kt_lmdb_error(int rc)
{
    static const struct {
        int rc, err;
    } map[] = {
        {0, KT_OK},
        {MDB_NOTFOUND, KT_ENOTFOUND},
        {MDB_KEYEXIST, KT_EINVAL}, /* an append that is not the greatest */
        {MDB_BAD_VALSIZE, KT_EINVAL},
        {MDB_MAP_FULL, KT_EFULL},
        {MDB_TXN_FULL, KT_ELIMIT},
        {MDB_READERS_FULL, KT_EAGAIN},
        {MDB_VERSION_MISMATCH, KT_EVERSION},
        {MDB_CORRUPTED, KT_EDAMAGED},
        {MDB_PAGE_NOTFOUND, KT_EDAMAGED},
        {MDB_PAGE_FULL, KT_EDAMAGED},
        {MDB_CURSOR_FULL, KT_EDAMAGED},
        {MDB_INVALID, KT_EDAMAGED},
        {MDB_INCOMPATIBLE, KT_EDAMAGED},
        {MDB_BAD_DBI, KT_EDAMAGED},
        {ENOSPC, KT_EFULL},
        {EDQUOT, KT_EFULL},
        {EFBIG, KT_EFULL},
        {ENOMEM, KT_ENOMEM},
    };
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        if (map[i].rc == rc) return map[i].err;
    return KT_EIO;
}

int kt_lmdb_fail(struct kt_txn *t, int rc)
{
    if (!t->err) t->err = kt_lmdb_error(rc);
    return t->err;
}

static int refuse(struct kt_txn *t, int err)
{
    if (!t->err) t->err = err;
    return t->err;
}

int kt_lmdb_check(struct kt_txn *t, enum kt_table table, struct kt_bytes key)
{
    if (t->err) return t->err;
    if ((unsigned)table >= KT_TABLE_COUNT || tables[table].env != t->env->id) return refuse(t, KT_EINVAL);
    if (tables[table].integer ? key.len != sizeof(uint64_t) : key.len == 0 || key.len > KT_LMDB_KEY_BYTES_MAX)
        return refuse(t, KT_EINVAL);
    return KT_OK;
}

int kt_lmdb_begin(struct kt_store *s, enum kt_env env, bool write, struct kt_txn **out)
{
    struct kt_lmdb_env *e = &kt_lmdb_of(s)->env[env];
    struct kt_txn *t = calloc(1, sizeof(*t));
    if (!t) return KT_ENOMEM;
    *t = (struct kt_txn){.lmdb = kt_lmdb_of(s), .env = e, .write = write};

    kt_lmdb_env_enter(e);
    pthread_mutex_lock(&e->lock);
    bool busy = write && e->writing;
    if (write && !busy) e->writing = true;
    pthread_mutex_unlock(&e->lock);
    int err = busy ? KT_EAGAIN : KT_OK;
    if (!err && !e->mdb) err = KT_EIO; /* it did not come back from restore or discard */
    if (!err) err = kt_lmdb_error(mdb_txn_begin(e->mdb, NULL, write ? 0 : MDB_RDONLY, &t->mdb));
    if (!err) {
        *out = t;
        return KT_OK;
    }
    pthread_mutex_lock(&e->lock);
    if (write && !busy) e->writing = false;
    pthread_mutex_unlock(&e->lock);
    kt_lmdb_env_leave(e);
    free(t);
    return err;
}

/* What remains once LMDB's part of it has ended. */
static void txn_end(struct kt_txn *t)
{
    struct kt_lmdb_env *e = t->env;
    if (t->write) {
        pthread_mutex_lock(&e->lock);
        e->writing = false;
        pthread_mutex_unlock(&e->lock);
    }
    kt_lmdb_env_leave(e);
    free(t);
}

void kt_lmdb_abort(struct kt_txn *t)
{
    if (!t) return;
    while (t->cursors) kt_lmdb_cursor_close(t->cursors);
    mdb_txn_abort(t->mdb);
    txn_end(t);
}

/* LMDB gives an environment up when it could not write a meta page, whatever the error was: nobody knows what the disk
 * holds then. */
static bool given_up(const struct kt_lmdb_env *e)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(e->mdb, NULL, MDB_RDONLY, &txn);
    if (rc == 0) mdb_txn_abort(txn);
    return rc == MDB_PANIC;
}

/* LMDB calls a write that was cut short an I/O error (EIO); on a disk without room it was cut short by that. */
static bool without_room(const struct kt_txn *t)
{
    struct statvfs disk;
    return fstatvfs(t->lmdb->dir_fd, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < ROOM_BYTES_MIN;
}

int kt_lmdb_commit(struct kt_txn *t)
{
    if (t->write && t->writes > 0 && !t->err) {
        int err = kt_lmdb_grow(t->lmdb, t->env, t);
        if (err) t->err = err;
    }
    int err = t->err;
    if (err || !t->write) {
        kt_lmdb_abort(t);
        return err;
    }
    while (t->cursors) kt_lmdb_cursor_close(t->cursors);
    err = kt_lmdb_error(mdb_txn_commit(t->mdb));
    if (err == KT_EIO && without_room(t)) err = KT_EFULL;
    if (err && given_up(t->env)) err = KT_EIO;
    txn_end(t);
    return err;
}

int kt_lmdb_txn_error(const struct kt_txn *t) { return t->err; }

/* Keys of integer tables are read as numbers by LMDB: give it aligned ones. */
struct key_copy {
    union {
        uint8_t bytes[KT_LMDB_KEY_BYTES_MAX];
        uint64_t number;
    };
};

static MDB_val key_of(struct kt_bytes key, struct key_copy *copy)
{
    memcpy(copy->bytes, key.data, key.len);
    return (MDB_val){key.len, copy->bytes};
}

int kt_lmdb_get(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes *value)
{
    int err = kt_lmdb_check(t, table, key);
    if (err) return err;
    struct key_copy copy;
    MDB_val k = key_of(key, &copy), v;
    int rc = mdb_get(t->mdb, t->env->dbi[table], &k, &v);
    if (rc == MDB_NOTFOUND) return t->write ? KT_ENOTFOUND : kt_lmdb_confirm_miss(t, table, k);
    if (rc) return kt_lmdb_fail(t, rc);
    return kt_row_prove(table, key, kt_bytes(v.mv_data, v.mv_size), value) ? KT_OK : kt_lmdb_fail(t, MDB_CORRUPTED);
}

/* The value with its proof behind it.  A short one goes through the stack, a long one right into its pages. */
static int put_proven(struct kt_txn *t, enum kt_table table, MDB_val *k, struct kt_bytes value, uint64_t proof,
                      unsigned flags)
{
    uint8_t small[SMALL_VALUE_BYTES + KT_ROW_PROOF_BYTES];
    MDB_val v = {value.len + KT_ROW_PROOF_BYTES, small};
    const bool in_place = value.len > SMALL_VALUE_BYTES;
    uint8_t *to = small;
    if (in_place) {
        int rc = mdb_put(t->mdb, t->env->dbi[table], k, &v, flags | MDB_RESERVE);
        if (rc) return rc;
        to = v.mv_data;
    }
    if (value.len) memcpy(to, value.data, value.len);
    memcpy(to + value.len, &proof, sizeof(proof));
    return in_place ? 0 : mdb_put(t->mdb, t->env->dbi[table], k, &v, flags);
}

static int put(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes value, unsigned flags)
{
    int err = kt_lmdb_check(t, table, key);
    if (!err && !t->write) err = refuse(t, KT_EINVAL);
    if (err) return err;
    struct key_copy copy;
    MDB_val k = key_of(key, &copy);
    t->writes++;
    t->bytes_put += value.len + 2 * t->env->page_bytes;
    int rc = put_proven(t, table, &k, value, kt_row_proof(table, key, value), flags);
    return rc ? kt_lmdb_fail(t, rc) : KT_OK;
}

int kt_lmdb_put(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes value)
{
    return put(t, table, key, value, 0);
}

int kt_lmdb_append(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes value)
{
    t->appended = true;
    return put(t, table, key, value, MDB_APPEND);
}

int kt_lmdb_del(struct kt_txn *t, enum kt_table table, struct kt_bytes key)
{
    int err = kt_lmdb_check(t, table, key);
    if (!err && !t->write) err = refuse(t, KT_EINVAL);
    if (err) return err;
    struct key_copy copy;
    MDB_val k = key_of(key, &copy);
    t->writes++;
    t->bytes_put += 2 * t->env->page_bytes;
    int rc = mdb_del(t->mdb, t->env->dbi[table], &k, NULL);
    return rc && rc != MDB_NOTFOUND ? kt_lmdb_fail(t, rc) : KT_OK;
}

int kt_lmdb_count(struct kt_txn *t, enum kt_table table, uint64_t *rows)
{
    uint64_t any = 0;
    int err = kt_lmdb_check(t, table, kt_bytes(&any, sizeof(any)));
    if (err) return err;
    MDB_stat st;
    int rc = mdb_stat(t->mdb, t->env->dbi[table], &st);
    if (rc) return kt_lmdb_fail(t, rc);
    *rows = st.ms_entries;
    return KT_OK;
}
