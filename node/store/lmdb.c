#include "store/lmdb_env.h"

#include "store/files.h"
#include "store/mdb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define GIB                 (1ull << 30)
#define AHEAD_BYTES_DEFAULT (16ull << 20)
#define READERS_DEFAULT     1024u
#define BOOT_ID_PATH        "/proc/sys/kernel/random/boot_id"
#define VERIFY_TRIES        16 /* commits of others between our read transaction and our look at the meta pages */

static const uint64_t map_bytes_default[KT_ENV_COUNT] = {
    [KT_ENV_KEYS] = 16 * GIB,
    [KT_ENV_JOURNAL] = 256 * GIB,
    [KT_ENV_STORE] = 256 * GIB,
};

void kt_lmdb_say(const struct kt_lmdb *l, const char *format, ...)
{
    if (!l->config.say) return;
    char text[PATH_MAX + 256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    l->config.say(l->config.context, text);
}

static int lmdb_settled(struct kt_store *s)
{
    struct kt_lmdb *l = kt_lmdb_of(s);
    pthread_mutex_lock(&l->mark_lock);
    struct kt_mark m = l->mark;
    m.moved = false;
    int err = kt_mark_write(l->dir_fd, &m);
    if (!err) {
        l->mark = m;
        s->files_moved = false;
    }
    pthread_mutex_unlock(&l->mark_lock);
    return err;
}

static int lmdb_info(struct kt_store *s, enum kt_env env, struct kt_env_info *out)
{
    struct kt_lmdb *l = kt_lmdb_of(s);
    struct kt_lmdb_env *e = &l->env[env];
    MDB_envinfo info = {0};
    struct statvfs disk;
    kt_lmdb_env_enter(e);
    int err = e->mdb ? kt_lmdb_error(mdb_env_info(e->mdb, &info)) : KT_EIO;
    kt_lmdb_env_leave(e);
    if (!err && fstatvfs(l->dir_fd, &disk)) err = KT_EIO;
    if (err) return err;
    *out = (struct kt_env_info){
        .used_bytes = ((uint64_t)info.me_last_pgno + 1) * e->page_bytes,
        .map_bytes = info.me_mapsize,
        .disk_free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize,
        .readers = info.me_numreaders,
        .last_txn = info.me_last_txnid,
    };
    return KT_OK;
}

/* The store is synced first, then the mark says so: a mark never promises what is not there. */
static void leave_clean_mark(struct kt_lmdb *l)
{
    struct kt_mark m = l->mark;
    int err = KT_OK;
    for (unsigned i = 0; !err && i < KT_ENV_COUNT; i++) {
        if (!l->env[i].mdb) return;
        err = kt_lmdb_error(mdb_env_sync(l->env[i].mdb, 1));
        if (!err) err = kt_lmdb_env_identity(&l->env[i], &m.file[i]);
    }
    m.clean = true;
    if (!err) err = kt_mark_write(l->dir_fd, &m);
    if (err) kt_lmdb_say(l, "the store could not be stopped cleanly: %s", kt_error_text(err));
}

static void free_store(struct kt_lmdb *l)
{
    for (unsigned i = 0; i < KT_ENV_COUNT; i++) {
        kt_lmdb_env_close(&l->env[i]);
        pthread_cond_destroy(&l->env[i].reopened);
        pthread_mutex_destroy(&l->env[i].lock);
    }
    pthread_mutex_destroy(&l->checkpoint_lock);
    pthread_mutex_destroy(&l->mark_lock);
    if (l->lock_fd >= 0) close(l->lock_fd);
    if (l->dir_fd >= 0) close(l->dir_fd);
    free(l);
}

static void lmdb_close(struct kt_store *s)
{
    if (!s) return;
    leave_clean_mark(kt_lmdb_of(s));
    free_store(kt_lmdb_of(s));
}

/* Past LMDB: the newest commit, held by a read transaction meanwhile. */
static int lmdb_verify(struct kt_store *s, enum kt_env env, char why[KT_STORE_WHY_BYTES])
{
    struct kt_lmdb *l = kt_lmdb_of(s);
    char path[PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/%s/data.mdb", l->dir, l->env[env].name);
    snprintf(why, KT_STORE_WHY_BYTES, "it cannot be read");
    int err = KT_EAGAIN;
    for (int i = 0; err == KT_EAGAIN && i < VERIFY_TRIES; i++) {
        struct kt_txn *t;
        err = kt_lmdb_begin(s, env, false, &t);
        if (err) return err;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        err = fd < 0 ? KT_EIO : kt_mdb_check(fd, mdb_txn_id(t->mdb), why);
        if (fd >= 0) close(fd);
        kt_lmdb_abort(t);
    }
    return err;
}

static const struct kt_store_ops lmdb_ops = {
    .begin = kt_lmdb_begin,
    .commit = kt_lmdb_commit,
    .abort = kt_lmdb_abort,
    .error = kt_lmdb_txn_error,
    .get = kt_lmdb_get,
    .put = kt_lmdb_put,
    .append = kt_lmdb_append,
    .del = kt_lmdb_del,
    .count = kt_lmdb_count,
    .cursor = kt_lmdb_cursor,
    .cursor_close = kt_lmdb_cursor_close,
    .seek = kt_lmdb_seek,
    .checkpoint = kt_lmdb_checkpoint,
    .restore = kt_lmdb_restore,
    .discard = kt_lmdb_discard,
    .settled = lmdb_settled,
    .info = lmdb_info,
    .verify = lmdb_verify,
    .close = lmdb_close,
};

static struct kt_lmdb *new_store(const struct kt_lmdb_config *config)
{
    struct kt_lmdb *l = calloc(1, sizeof(*l));
    if (!l) return NULL;
    l->store.ops = &lmdb_ops;
    l->config = *config;
    l->config.dir = l->config.boot_id_path = NULL; /* the caller's strings */
    l->dir_fd = l->lock_fd = -1;
    if (!l->config.ahead_bytes) l->config.ahead_bytes = AHEAD_BYTES_DEFAULT;
    if (!l->config.readers_max) l->config.readers_max = READERS_DEFAULT;
    for (unsigned i = 0; i < KT_ENV_COUNT; i++) {
        if (!l->config.map_bytes[i]) l->config.map_bytes[i] = map_bytes_default[i];
        pthread_mutex_init(&l->env[i].lock, NULL);
        pthread_cond_init(&l->env[i].reopened, NULL);
    }
    pthread_mutex_init(&l->mark_lock, NULL);
    pthread_mutex_init(&l->checkpoint_lock, NULL);
    return l;
}

static int take_dir(struct kt_lmdb *l, const char *dir)
{
    int n = snprintf(l->dir, sizeof(l->dir), "%s", dir);
    if (n <= 0 || (size_t)n >= sizeof(l->dir)) return KT_EINVAL;
    int err = kt_dir_open(AT_FDCWD, dir, &l->dir_fd);
    if (err) {
        kt_lmdb_say(l, "%s cannot be opened: %s", dir, strerror(errno));
        return err;
    }
    l->lock_fd = openat(l->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (l->lock_fd < 0) return kt_errno_error(errno);
    if (flock(l->lock_fd, LOCK_EX | LOCK_NB) == 0) return KT_OK;
    if (errno != EWOULDBLOCK) return kt_errno_error(errno);
    kt_lmdb_say(l, "another kontord holds %s", dir);
    return KT_EAGAIN;
}

/* The same file, and not an older copy of what was in it. */
static bool same_file(const struct kt_file_id *was, const struct kt_file_id *is, bool clean)
{
    return was->device == is->device && was->inode == is->inode && (clean ? is->txn == was->txn : is->txn >= was->txn);
}

/* What was left here against what is here.  `was` NULL: no mark. */
static int judge_files(struct kt_lmdb *l, const struct kt_mark *was, const char *boot, const bool made[KT_ENV_COUNT])
{
    struct kt_mark now = {.turn = was ? was->turn : 0};
    bool same[KT_ENV_COUNT], all_made = true;
    snprintf(now.boot, sizeof(now.boot), "%s", boot);
    for (unsigned i = 0; i < KT_ENV_COUNT; i++) {
        int err = kt_lmdb_env_identity(&l->env[i], &now.file[i]);
        if (err) return err;
        same[i] = was && !made[i] && same_file(&was->file[i], &now.file[i], was->clean);
        all_made = all_made && made[i];
    }
    bool fresh = !was && all_made, same_boot = was && kt_boot_same(was->boot, boot);
    bool truth_stayed = same[KT_ENV_KEYS] && same[KT_ENV_JOURNAL];
    /* a store may be ahead of a journal that is not the one it was made from */
    now.store_ok = fresh || (truth_stayed && same[KT_ENV_STORE] && was->store_ok && (same_boot || was->clean));
    now.moved = !fresh && (!truth_stayed || !same_boot || was->moved);
    int err = kt_mark_write(l->dir_fd, &now); /* not clean from here on: durably, before anything is written */
    if (err) return err;
    l->mark = now;
    l->store.store_survived = now.store_ok;
    l->store.files_moved = now.moved;
    return KT_OK;
}

static int open_all(struct kt_lmdb *l, const char *boot_id_path)
{
    char boot[KT_BOOT_CHARS_MAX + 1];
    kt_boot_read(boot_id_path ? boot_id_path : BOOT_ID_PATH, boot);
    struct kt_mark was;
    int marked = kt_mark_read(l->dir_fd, &was);
    if (marked == KT_EDAMAGED) kt_lmdb_say(l, "the mark of the last stop does not read; starting as after a crash");
    if (marked == KT_EVERSION)
        kt_lmdb_say(l,
                    "another version of kontord wrote these files, and this one would not read them right: nothing was "
                    "changed; start the version that wrote them, or restore a backup of this version's");
    if (marked && marked != KT_ENOTFOUND && marked != KT_EDAMAGED) return marked;

    bool made[KT_ENV_COUNT];
    for (unsigned i = 0; i < KT_ENV_COUNT; i++) {
        int err = kt_lmdb_env_open(l, i, marked == KT_ENOTFOUND, &made[i]);
        if (err) return err;
    }
    return judge_files(l, marked ? NULL : &was, boot, made);
}

int kt_lmdb_open(const struct kt_lmdb_config *config, struct kt_store **out)
{
    if (!config->dir || !config->dir[0]) return KT_EINVAL;
    struct kt_lmdb *l = new_store(config);
    if (!l) return KT_ENOMEM;
    int err = take_dir(l, config->dir);
    if (!err) err = open_all(l, config->boot_id_path);
    if (err) {
        free_store(l);
        return err == KT_ENOTFOUND ? KT_EIO : err;
    }
    *out = &l->store;
    return KT_OK;
}

int kt_lmdb_check_readers(struct kt_store *s, int *cleared)
{
    int all = 0, err = KT_OK;
    for (unsigned i = 0; !err && i < KT_ENV_COUNT; i++) {
        struct kt_lmdb_env *e = &kt_lmdb_of(s)->env[i];
        int dead = 0;
        kt_lmdb_env_enter(e);
        err = e->mdb ? kt_lmdb_error(mdb_reader_check(e->mdb, &dead)) : KT_EIO;
        kt_lmdb_env_leave(e);
        all += dead;
    }
    if (!err && cleared) *cleared = all;
    return err;
}

int kt_lmdb_verify(struct kt_store *s, enum kt_env env)
{
    char why[KT_STORE_WHY_BYTES];
    int err = lmdb_verify(s, env, why);
    if (err && err != KT_EAGAIN)
        kt_lmdb_say(kt_lmdb_of(s), "%s/data.mdb is damaged: %s", kt_lmdb_of(s)->env[env].name, why);
    return err;
}
