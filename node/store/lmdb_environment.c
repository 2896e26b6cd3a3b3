#include "store/lmdb_env.h"

#include "store/files.h"
#include "store/mdb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_COMMIT_PAGES 4 /* both meta pages, and the main tree in one */

static const struct {
    const char *name;
    unsigned flags;
} kinds[KT_ENV_COUNT] = {
    [KT_ENV_KEYS] = {"keys", 0},
    [KT_ENV_JOURNAL] = {"journal", 0},
    /* lookups hit single pages: readahead would push others out */
    [KT_ENV_STORE] = {"store", MDB_NOSYNC | MDB_NORDAHEAD},
};

void kt_lmdb_env_enter(struct kt_lmdb_env *e)
{
    pthread_mutex_lock(&e->lock);
    while (e->reopening) pthread_cond_wait(&e->reopened, &e->lock);
    e->inside++;
    pthread_mutex_unlock(&e->lock);
}

void kt_lmdb_env_leave(struct kt_lmdb_env *e)
{
    pthread_mutex_lock(&e->lock);
    e->inside--;
    pthread_mutex_unlock(&e->lock);
}

/* A file that ends within LMDB's first commit, that of the empty tables: nothing went on before it was durable, so what
 * a crash left of it, in whatever order it reached the disk, never held anything. */
static bool just_begun(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_size <= FIRST_COMMIT_PAGES * sysconf(_SC_PAGESIZE);
}

/* KT_ENOTFOUND: no file, or none that may be kept (then it is out of the way). */
static int look_at_file(struct kt_lmdb *l, struct kt_lmdb_env *e, int env_fd, bool first)
{
    int err = kt_lmdb_set_aside(l, e, env_fd, NULL);
    if (err) return err;
    int fd = openat(env_fd, "data.mdb", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return kt_errno_error(errno);
    char why[KT_MDB_WHY_BYTES] = "it cannot be read";
    err = kt_mdb_check(fd, 0, why);
    bool unfinished = err && first && just_begun(fd);
    close(fd);
    if (!err || err == KT_ENOTFOUND) return err;
    if (unfinished) return unlinkat(env_fd, "data.mdb", 0) ? kt_errno_error(errno) : KT_ENOTFOUND;
    if (err == KT_EDAMAGED) return kt_lmdb_set_aside(l, e, env_fd, why);
    kt_lmdb_say(l, "%s/data.mdb cannot be used: %s", e->name, why);
    return err;
}

static int open_tables(struct kt_lmdb_env *e)
{
    static const char *const names[] = {
#define TABLE_NAME(name, env, integer, holds) #name,
        KT_TABLES(TABLE_NAME)
#undef TABLE_NAME
    };
    MDB_txn *txn;
    int rc = mdb_txn_begin(e->mdb, NULL, 0, &txn);
    if (rc) return kt_lmdb_error(rc);
    for (unsigned t = 0; !rc && t < KT_TABLE_COUNT; t++) {
        if (kt_lmdb_table_env(t) != e->id) continue;
        unsigned want = kt_lmdb_table_integer(t) ? MDB_INTEGERKEY : 0, have = 0;
        rc = mdb_dbi_open(txn, names[t], MDB_CREATE | want, &e->dbi[t]);
        if (!rc) rc = mdb_dbi_flags(txn, e->dbi[t], &have);
        if (!rc && have != want) rc = MDB_INCOMPATIBLE;
    }
    if (rc) {
        mdb_txn_abort(txn);
        return kt_lmdb_error(rc);
    }
    return kt_lmdb_error(mdb_txn_commit(txn));
}

static int open_mdb(struct kt_lmdb *l, struct kt_lmdb_env *e)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/%s", l->dir, e->name);
    int rc = mdb_env_create(&e->mdb);
    if (rc) return kt_lmdb_error(rc);
    rc = mdb_env_set_mapsize(e->mdb, e->map_bytes);
    if (!rc) rc = mdb_env_set_maxdbs(e->mdb, KT_TABLE_COUNT);
    if (!rc) rc = mdb_env_set_maxreaders(e->mdb, l->config.readers_max);
    if (!rc) rc = mdb_env_open(e->mdb, path, MDB_NOTLS | kinds[e->id].flags, 0600);
    if (!rc) return KT_OK;
    kt_lmdb_say(l, "%s: LMDB cannot open it: %s", e->name, mdb_strerror(rc));
    return kt_lmdb_error(rc);
}

int kt_lmdb_env_open(struct kt_lmdb *l, enum kt_env id, bool first, bool *made)
{
    struct kt_lmdb_env *e = &l->env[id];
    e->id = id;
    e->name = kinds[id].name;
    e->map_bytes = l->config.map_bytes[id];
    int env_fd = -1;
    int err = kt_dir_open(l->dir_fd, e->name, &env_fd);
    if (err) return err;
    err = look_at_file(l, e, env_fd, first);
    *made = err == KT_ENOTFOUND;
    if (*made) err = KT_OK;
    if (!err) err = open_mdb(l, e);
    if (!err) err = open_tables(e);
    if (!err && *made) err = kt_dir_sync(env_fd);

    MDB_stat st;
    struct stat file;
    if (!err) err = kt_lmdb_error(mdb_env_stat(e->mdb, &st));
    if (!err && fstatat(env_fd, "data.mdb", &file, 0)) err = KT_EIO;
    if (!err) {
        e->page_bytes = st.ms_psize;
        e->map_page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
        e->file_bytes = (uint64_t)file.st_size;
        if (e->map_bytes < e->file_bytes) {
            /* LMDB has taken what is used as the least; so do we */
            MDB_envinfo info;
            if (!mdb_env_info(e->mdb, &info)) e->map_bytes = info.me_mapsize;
        }
        err = kt_lmdb_grow(l, e, NULL);
    }
    close(env_fd);
    if (err) kt_lmdb_env_close(e);
    return err;
}

void kt_lmdb_env_close(struct kt_lmdb_env *e)
{
    if (e->mdb) mdb_env_close(e->mdb);
    e->mdb = NULL;
}

int kt_lmdb_env_identity(const struct kt_lmdb_env *e, struct kt_file_id *out)
{
    mdb_filehandle_t fd;
    MDB_envinfo info;
    struct stat st;
    int rc = mdb_env_get_fd(e->mdb, &fd);
    if (!rc) rc = mdb_env_info(e->mdb, &info);
    if (!rc && fstat(fd, &st)) rc = errno;
    if (rc) return kt_lmdb_error(rc);
    *out = (struct kt_file_id){.device = st.st_dev, .inode = st.st_ino, .txn = info.me_last_txnid};
    return KT_OK;
}
