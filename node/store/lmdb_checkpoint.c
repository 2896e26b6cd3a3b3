/* A verified copy of the store, and the ways back to one. */
#include "store/lmdb_env.h"

#include "store/files.h"
#include "store/mdb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA     "data.mdb"
#define NEW_DATA "new.mdb"

static int copy_store(struct kt_lmdb *l, int fd)
{
    struct kt_lmdb_env *e = &l->env[KT_ENV_STORE];
    kt_lmdb_env_enter(e);
    pthread_mutex_lock(&e->lock);
    bool writing = e->writing;
    pthread_mutex_unlock(&e->lock);
    int rc = e->mdb ? mdb_env_copyfd2(e->mdb, fd, MDB_CP_COMPACT) : EIO;
    if (rc == MDB_INCOMPATIBLE && !writing) {
        /* a page that neither a table nor the free list knows: harmless, but only a plain copy takes it */
        rc = ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET) ? errno : mdb_env_copyfd2(e->mdb, fd, 0);
    }
    kt_lmdb_env_leave(e);
    return rc == MDB_INCOMPATIBLE && writing ? KT_EAGAIN : kt_lmdb_error(rc);
}

static int check_copy(const struct kt_lmdb *l, int fd)
{
    char why[KT_MDB_WHY_BYTES] = "it cannot be read";
    int err = kt_mdb_check(fd, 0, why);
    if (err == KT_ENOTFOUND) err = KT_EDAMAGED;
    if (err) kt_lmdb_say(l, "the checkpoint is damaged: %s", why);
    return err;
}

static int write_checkpoint(struct kt_lmdb *l, int dir_fd)
{
    if (unlinkat(dir_fd, NEW_DATA, 0) && errno != ENOENT) return kt_errno_error(errno);
    int fd = openat(dir_fd, NEW_DATA, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return kt_errno_error(errno);
    int err = copy_store(l, fd);
    if (!err && fsync(fd)) err = kt_errno_error(errno);
    /* read it back from the disk, not from memory */
    if (!err) (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (!err) err = check_copy(l, fd);
    if (close(fd) && !err) err = kt_errno_error(errno);
    if (!err && renameat(dir_fd, NEW_DATA, dir_fd, DATA)) err = kt_errno_error(errno);
    if (err) {
        unlinkat(dir_fd, NEW_DATA, 0);
        return err;
    }
    return kt_dir_sync(dir_fd);
}

int kt_lmdb_checkpoint(struct kt_store *s)
{
    struct kt_lmdb *l = kt_lmdb_of(s);
    pthread_mutex_lock(&l->checkpoint_lock);
    int dir_fd;
    int err = kt_dir_open(l->dir_fd, "checkpoint", &dir_fd);
    if (!err) {
        err = write_checkpoint(l, dir_fd);
        close(dir_fd);
    }
    pthread_mutex_unlock(&l->checkpoint_lock);
    return err;
}

/* Shuts the environment to others; KT_EAGAIN while somebody is inside. */
static int shut(struct kt_lmdb_env *e)
{
    pthread_mutex_lock(&e->lock);
    bool free_now = e->inside == 0 && !e->reopening;
    if (free_now) e->reopening = true;
    pthread_mutex_unlock(&e->lock);
    return free_now ? KT_OK : KT_EAGAIN;
}

static void unshut(struct kt_lmdb_env *e)
{
    pthread_mutex_lock(&e->lock);
    e->reopening = false;
    pthread_cond_broadcast(&e->reopened);
    pthread_mutex_unlock(&e->lock);
}

/* The mark says whether the store may be trusted: not while it is exchanged. */
static int mark_store(struct kt_lmdb *l, bool ok)
{
    pthread_mutex_lock(&l->mark_lock);
    struct kt_mark m = l->mark;
    m.store_ok = ok;
    int err = ok ? kt_lmdb_env_identity(&l->env[KT_ENV_STORE], &m.file[KT_ENV_STORE]) : KT_OK;
    if (!err) err = kt_mark_write(l->dir_fd, &m);
    if (!err) l->mark = m;
    pthread_mutex_unlock(&l->mark_lock);
    return err;
}

/* data.mdb := new.mdb of the same folder, or nothing, with the environment closed in between. */
static int exchange(struct kt_lmdb *l, int store_fd, bool with_new)
{
    struct kt_lmdb_env *e = &l->env[KT_ENV_STORE];
    int err = shut(e);
    if (err) return err;
    err = mark_store(l, false);
    if (!err) {
        kt_lmdb_env_close(e);
        /* its lock file counts transactions of the old data: other processes' readers keep the old pair */
        if (unlinkat(store_fd, "lock.mdb", 0) && errno != ENOENT) err = kt_errno_error(errno);
        if (!err && with_new && renameat(store_fd, NEW_DATA, store_fd, DATA)) err = kt_errno_error(errno);
        if (!err && !with_new && unlinkat(store_fd, DATA, 0) && errno != ENOENT) err = kt_errno_error(errno);
        bool made;
        int opened = kt_lmdb_env_open(l, KT_ENV_STORE, false, &made);
        if (!err) err = opened;
    }
    if (!err) err = mark_store(l, true);
    unshut(e);
    return err;
}

static int bring_copy(struct kt_lmdb *l, int store_fd)
{
    int dir_fd = openat(l->dir_fd, "checkpoint", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) return kt_errno_error(errno);
    int fd = openat(dir_fd, DATA, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 ? kt_errno_error(errno) : check_copy(l, fd);
    if (!err && unlinkat(store_fd, NEW_DATA, 0) && errno != ENOENT) err = kt_errno_error(errno);
    if (!err) err = kt_file_copy(fd, store_fd, NEW_DATA, false);
    if (fd >= 0) close(fd);
    close(dir_fd);
    return err;
}

static int replace_store(struct kt_store *s, bool by_copy)
{
    struct kt_lmdb *l = kt_lmdb_of(s);
    pthread_mutex_lock(&l->checkpoint_lock);
    int store_fd;
    int err = kt_dir_open(l->dir_fd, "store", &store_fd);
    if (!err) {
        if (by_copy) err = bring_copy(l, store_fd);
        if (!err) err = exchange(l, store_fd, by_copy);
        if (err) unlinkat(store_fd, NEW_DATA, 0);
        close(store_fd);
    }
    pthread_mutex_unlock(&l->checkpoint_lock);
    return err;
}

int kt_lmdb_restore(struct kt_store *s) { return replace_store(s, true); }
int kt_lmdb_discard(struct kt_store *s) { return replace_store(s, false); }
