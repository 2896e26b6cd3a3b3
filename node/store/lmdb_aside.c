/* Files that are not to be used: moved out of the way, never deleted before what they hold was got back, and never
 * overwritten. */
#include "store/lmdb_env.h"

#include "store/files.h"
#include "store/mdb_salvage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA        "data.mdb"
#define LOCK        "lock.mdb"
#define SALVAGE     "salvage.mdb"
#define CONDEMNED   "condemned"
#define KEPT        "damaged-%u.mdb"
#define STORE_ASIDE "damaged.mdb"
#define KEPT_MAX    8u /* past so many nobody looks: what condemns goes wrong itself */

static bool there(int dir_fd, const char *name) { return faccessat(dir_fd, name, F_OK, 0) == 0; }

static int gone(int dir_fd, const char *name)
{
    return unlinkat(dir_fd, name, 0) && errno != ENOENT ? kt_errno_error(errno) : KT_OK;
}

static int open_folder(const struct kt_lmdb *l, const struct kt_lmdb_env *e, int *out)
{
    *out = openat(l->dir_fd, e->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *out < 0 ? kt_errno_error(errno) : KT_OK;
}

/* A store is made again from the others: one file of it is kept, for who wants to look.  A journal or keys wait to be
 * salvaged under a name that says so at every open. */
static int move_away(struct kt_lmdb *l, struct kt_lmdb_env *e, int env_fd)
{
    const char *to = e->id == KT_ENV_STORE ? STORE_ASIDE : SALVAGE;
    if (there(env_fd, DATA) && renameat(env_fd, DATA, env_fd, to)) return kt_errno_error(errno);
    int err = kt_dir_sync(env_fd);
    if (!err) err = gone(env_fd, LOCK);
    if (!err) err = gone(env_fd, CONDEMNED);
    if (!err) kt_lmdb_say(l, "%s/" DATA " was set aside as %s/%s/%s", e->name, l->dir, e->name, to);
    return err;
}

int kt_lmdb_set_aside(struct kt_lmdb *l, struct kt_lmdb_env *e, int env_fd, const char *why)
{
    if (there(env_fd, SALVAGE) && e->id != KT_ENV_STORE) {
        if (l->config.look_only) {
            kt_lmdb_say(l, "%s was found damaged and is yet to be salvaged: start the node", e->name);
            return KT_EDAMAGED;
        }
        /* what was made of it so far was never in use */
        int err = gone(env_fd, DATA);
        if (!err) err = gone(env_fd, LOCK);
        if (!err) err = gone(env_fd, CONDEMNED);
        if (err) return err;
        kt_lmdb_say(l, "%s is salvaged again from the beginning: it was not finished", e->name);
        e->salvage_due = true;
        return KT_ENOTFOUND;
    }
    if (!why && there(env_fd, CONDEMNED)) why = "it was found so while the node ran";
    if (!why) return KT_OK;
    kt_lmdb_say(l, "%s/" DATA " is damaged: %s", e->name, why);
    if (l->config.look_only) return KT_EDAMAGED;
    int err = move_away(l, e, env_fd);
    if (err) return err;
    e->salvage_due = there(env_fd, SALVAGE) && e->id != KT_ENV_STORE;
    return KT_ENOTFOUND;
}

bool kt_lmdb_salvage_due(const struct kt_store *s, enum kt_env env)
{
    return ((const struct kt_lmdb *)s)->env[env].salvage_due;
}

int kt_lmdb_salvage_open(struct kt_store *s, enum kt_env env, struct kt_salvage **out)
{
    struct kt_lmdb *l = kt_lmdb_of(s);
    int dir_fd;
    int err = open_folder(l, &l->env[env], &dir_fd);
    if (err) return err;
    int fd = openat(dir_fd, SALVAGE, O_RDONLY | O_CLOEXEC);
    err = fd < 0 ? kt_errno_error(errno) : kt_mdb_salvage_open(fd, out);
    if (err && fd >= 0) close(fd);
    close(dir_fd);
    return err;
}

/* The greatest number that a kept file bears; 0: none. */
static unsigned last_kept(int dir_fd)
{
    unsigned most = 0, n;
    const int own_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = own_fd < 0 ? NULL : fdopendir(own_fd);
    for (struct dirent *f; d && (f = readdir(d));)
        if (sscanf(f->d_name, "damaged-%9u.mdb", &n) == 1 && n > most) most = n;
    if (d) closedir(d);
    return most;
}

/* A checkpoint counts positions of the journal it was made from; one that was salvaged has others behind what it lost. */
static int drop_checkpoint(struct kt_lmdb *l)
{
    const int dir_fd = openat(l->dir_fd, "checkpoint", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) return errno == ENOENT ? KT_OK : kt_errno_error(errno);
    int err = gone(dir_fd, DATA);
    if (!err) err = kt_dir_sync(dir_fd);
    close(dir_fd);
    return err;
}

int kt_lmdb_salvage_done(struct kt_store *s, enum kt_env env)
{
    struct kt_lmdb *l = kt_lmdb_of(s);
    struct kt_lmdb_env *e = &l->env[env];
    char name[32];
    int dir_fd;
    int err = env == KT_ENV_JOURNAL ? drop_checkpoint(l) : KT_OK;
    if (!err) err = open_folder(l, e, &dir_fd);
    if (err) return err;
    snprintf(name, sizeof(name), KEPT, last_kept(dir_fd) + 1);
    if (renameat(dir_fd, SALVAGE, dir_fd, name)) err = kt_errno_error(errno);
    if (!err) err = kt_dir_sync(dir_fd);
    close(dir_fd);
    if (err) return err;
    e->salvage_due = false;
    kt_lmdb_say(l, "%s was salvaged; the damaged file is kept as %s/%s/%s", e->name, l->dir, e->name, name);
    return KT_OK;
}

int kt_lmdb_salvage_kept(const struct kt_store *s, enum kt_env env, char *path, size_t cap)
{
    const struct kt_lmdb *l = (const struct kt_lmdb *)s;
    char name[32];
    int dir_fd;
    int err = open_folder(l, &l->env[env], &dir_fd);
    if (err) return err;
    const unsigned n = last_kept(dir_fd);
    close(dir_fd);
    if (n == 0) return KT_ENOTFOUND;
    snprintf(name, sizeof(name), KEPT, n);
    return (size_t)snprintf(path, cap, "%s/%s/%s", l->dir, l->env[env].name, name) < cap ? KT_OK : KT_EOVERSIZE;
}

int kt_lmdb_condemn(struct kt_store *s, enum kt_env env)
{
    struct kt_lmdb *l = kt_lmdb_of(s);
    int dir_fd;
    int err = open_folder(l, &l->env[env], &dir_fd);
    if (err) return err;
    if (last_kept(dir_fd) >= KEPT_MAX) {
        close(dir_fd);
        return KT_ELIMIT;
    }
    int fd = openat(dir_fd, CONDEMNED, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) err = kt_errno_error(errno);
    if (fd >= 0) close(fd);
    if (!err) err = kt_dir_sync(dir_fd);
    close(dir_fd);
    return err;
}
