/* The preload shim: writes down every call that changes the disk, and makes chosen ones fail.
 *
 * Built as a shared object of libc alone, loaded by LD_PRELOAD.  It minds files below KT_SHIM_DIR:
 *
 *   KT_SHIM_TRACE  where to write the records down (trace.h); appended to
 *   KT_SHIM_NTH    the call that something happens at, counted from 1 ...
 *   KT_SHIM_ON     ... among: any (default), write (also create, truncate), sync
 *   KT_SHIM_DO     kill | eio | enospc
 *   KT_SHIM_WHEN   before (default): it does nothing; half: a write is cut short in its middle; after: it happens whole
 *   KT_SHIM_LASTS  1: from that call on, every one
 *
 * Calls are serialised, so that the order of the records is the order in which they took effect. */
#include "crash/trace.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_MAX     4096
#define WRITE_MAX   (16u << 20) /* of one writev */
#define EXPORT(ret) __attribute__((visibility("default"))) ret

enum when { BEFORE, HALF, AFTER };

/* One per process: what the environment said, and which descriptors matter. */
static struct {
    pthread_mutex_t lock;
    bool ready;
    char dir[PATH_MAX];
    size_t dir_len;
    int trace_fd;
    uint64_t records, counted, nth;
    int error; /* 0: kill */
    enum when when;
    bool writes, syncs, lasts, armed;
    struct {
        bool minded, folder, durable, notebook;
        uint64_t file;
        char *path; /* of a folder, below dir */
    } fd[FDS_MAX];
} shim = {.lock = PTHREAD_MUTEX_INITIALIZER, .trace_fd = -1};

static void set_up(void)
{
    const char *dir = getenv("KT_SHIM_DIR"), *trace = getenv("KT_SHIM_TRACE"), *nth = getenv("KT_SHIM_NTH");
    const char *on = getenv("KT_SHIM_ON"), *what = getenv("KT_SHIM_DO"), *when = getenv("KT_SHIM_WHEN");
    shim.ready = true;
    if (!dir) return;
    shim.dir_len = (size_t)snprintf(shim.dir, sizeof shim.dir, "%s/", dir);
    if (trace)
        shim.trace_fd = (int)syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    shim.nth = nth ? strtoull(nth, NULL, 10) : 0;
    shim.error = !what || strcmp(what, "kill") == 0 ? 0 : strcmp(what, "enospc") == 0 ? ENOSPC : EIO;
    shim.when = !when ? BEFORE : strcmp(when, "half") == 0 ? HALF : strcmp(when, "after") == 0 ? AFTER : BEFORE;
    shim.writes = !on || strcmp(on, "sync") != 0;
    shim.syncs = !on || strcmp(on, "write") != 0;
    shim.lasts = getenv("KT_SHIM_LASTS") != NULL;
    shim.armed = shim.nth > 0;
}

static void enter(void)
{
    pthread_mutex_lock(&shim.lock);
    if (!shim.ready) set_up();
}
static void leave(void) { pthread_mutex_unlock(&shim.lock); }

/* ------------------------------------------------------------------------------------------------------- records */

static void record(enum kt_trace_call call, uint32_t flags, uint64_t file, uint64_t offset, const char *path,
                   const char *second, const void *data, size_t len)
{
    shim.records++;
    if (shim.trace_fd < 0) return;
    struct kt_trace_record r = {.call = call,
                                .flags = flags,
                                .file = file,
                                .offset = offset,
                                .path_len = path ? (uint32_t)strlen(path) : 0,
                                .second_len = second ? (uint32_t)strlen(second) : 0,
                                .data_len = (uint32_t)len};
    const struct iovec parts[4] = {
        {&r, sizeof r}, {(void *)path, r.path_len}, {(void *)second, r.second_len}, {(void *)data, len}};
    if (syscall(SYS_writev, shim.trace_fd, parts, 4) != (long)(sizeof r + r.path_len + r.second_len + len)) abort();
}

/* The path below dir of what a call names; NULL: not ours. */
static const char *below(int dir_fd, const char *path, char out[PATH_MAX])
{
    char link[64];
    if (path[0] == '/' || dir_fd == AT_FDCWD) {
        snprintf(out, PATH_MAX, "%s", path);
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd);
        ssize_t n = readlink(link, out, PATH_MAX - 2);
        if (n < 0) return NULL;
        out[n] = '/';
        snprintf(out + n + 1, (size_t)(PATH_MAX - n - 1), "%s", path);
    }
    return shim.dir_len && strncmp(out, shim.dir, shim.dir_len) == 0 ? out + shim.dir_len : NULL;
}

static bool minded(int fd) { return fd >= 0 && fd < FDS_MAX && shim.fd[fd].minded; }

/* -------------------------------------------------------------------------------------------------------- faults */

struct fault {
    bool hit;
    bool act; /* the call happens, at least in part */
    size_t len;
};

/* Counts a call; what is to become of it.  `len` of a write. */
static struct fault meet(bool sync, size_t len)
{
    if (sync ? shim.syncs : shim.writes) shim.counted++;
    const bool counts = sync ? shim.syncs : shim.writes;
    const bool hit = shim.armed && counts && (shim.counted == shim.nth || (shim.lasts && shim.counted > shim.nth));
    if (!hit) return (struct fault){.act = true, .len = len};
    if (shim.error == 0 && shim.when == BEFORE) kill(getpid(), SIGKILL);
    return (struct fault){.hit = true, .act = shim.when != BEFORE, .len = shim.when == HALF ? len / 2 : len};
}

/* After the call: dies, or gives the error. */
static long end(struct fault f, long result)
{
    if (!f.hit) return result;
    if (shim.error == 0) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    errno = shim.error;
    return -1;
}

static uint32_t flags_of(struct fault f, bool durable)
{
    return f.hit && shim.error ? KT_TRACE_FAILED : durable && !f.hit ? KT_TRACE_DURABLE : 0;
}

/* --------------------------------------------------------------------------------------------------------- opening */

static void mind(int fd, const char *path, int flags)
{
    struct stat st;
    if (fd < 0 || fd >= FDS_MAX || fstat(fd, &st)) return;
    free(shim.fd[fd].path);
    shim.fd[fd].path = S_ISDIR(st.st_mode) ? strdup(path) : NULL;
    shim.fd[fd].folder = S_ISDIR(st.st_mode);
    shim.fd[fd].file = st.st_ino;
    shim.fd[fd].durable = flags & O_DSYNC;
    shim.fd[fd].notebook = strcmp(path, KT_TRACE_NOTEBOOK) == 0;
    shim.fd[fd].minded = true;
}

static int open_any(int dir_fd, const char *path, int flags, mode_t mode)
{
    char full[PATH_MAX], folder[PATH_MAX + 1];
    enter();
    const char *ours = below(dir_fd, path, full);
    if (!ours && shim.dir_len) { /* the folder itself, or ".." up to it */
        snprintf(folder, sizeof folder, "%s/", full);
        if (strcmp(folder, shim.dir) == 0) ours = "";
    }
    if (ours && strcmp(path, "..") == 0) { /* what is above, by its own name */
        char *slash = strrchr(full, '/');
        *slash = '\0';
        slash = strrchr(full, '/');
        *slash = '\0';
        ours = strlen(full) < shim.dir_len ? "" : full + shim.dir_len;
    }
    const bool creates =
        ours && (flags & O_CREAT) && faccessat(dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
    const bool empties = ours && !creates && (flags & O_TRUNC);
    struct fault f = {.act = true};
    if ((creates || empties) && strcmp(ours, KT_TRACE_NOTEBOOK) != 0) f = meet(false, 0);
    long fd = f.act ? syscall(SYS_openat, dir_fd, path, flags, mode) : -1;
    if (fd >= 0 && ours) {
        mind((int)fd, ours, flags);
        if (creates) record(KT_TRACE_CREATE, flags_of(f, false), shim.fd[fd].file, 0, ours, NULL, NULL, 0);
        if (empties) record(KT_TRACE_TRUNCATE, flags_of(f, false), shim.fd[fd].file, 0, NULL, NULL, NULL, 0);
    }
    if (f.hit && fd >= 0 && shim.error) {
        shim.fd[fd].minded = false;
        syscall(SYS_close, fd);
    }
    fd = end(f, fd);
    leave();
    return (int)fd;
}

#define OPEN_MODE(flags)                                                                                               \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list args;                                                                                                  \
        va_start(args, flags);                                                                                         \
        mode = va_arg(args, mode_t);                                                                                   \
        va_end(args);                                                                                                  \
    }
EXPORT(int) open(const char *path, int flags, ...)
{
    OPEN_MODE(flags)
    return open_any(AT_FDCWD, path, flags, mode);
}
EXPORT(int) open64(const char *path, int flags, ...)
{
    OPEN_MODE(flags)
    return open_any(AT_FDCWD, path, flags, mode);
}
EXPORT(int) openat(int dir_fd, const char *path, int flags, ...)
{
    OPEN_MODE(flags)
    return open_any(dir_fd, path, flags, mode);
}
EXPORT(int) openat64(int dir_fd, const char *path, int flags, ...)
{
    OPEN_MODE(flags)
    return open_any(dir_fd, path, flags, mode);
}
EXPORT(int) close(int fd)
{
    enter();
    if (minded(fd)) shim.fd[fd].minded = false;
    const int result = (int)syscall(SYS_close, fd);
    leave();
    return result;
}

/* --------------------------------------------------------------------------------------------------------- writing */

static ssize_t write_at(int fd, const void *data, size_t len, off_t offset, bool moves)
{
    const struct fault f = shim.fd[fd].notebook ? (struct fault){.act = true, .len = len} : meet(false, len);
    long n = f.act ? syscall(SYS_pwrite64, fd, data, f.len, offset) : -1;
    if (n > 0)
        record(KT_TRACE_WRITE, flags_of(f, shim.fd[fd].durable), shim.fd[fd].file, (uint64_t)offset, NULL, NULL, data,
               (size_t)n);
    n = end(f, n);
    if (n > 0 && moves) lseek(fd, offset + n, SEEK_SET);
    return n;
}

static off_t place_of(int fd)
{
    const int flags = fcntl(fd, F_GETFL);
    return lseek(fd, 0, flags >= 0 && (flags & O_APPEND) ? SEEK_END : SEEK_CUR);
}

EXPORT(ssize_t) pwrite(int fd, const void *data, size_t len, off_t offset)
{
    enter();
    const ssize_t n =
        minded(fd) ? write_at(fd, data, len, offset, false) : syscall(SYS_pwrite64, fd, data, len, offset);
    leave();
    return n;
}
EXPORT(ssize_t) pwrite64(int fd, const void *data, size_t len, off64_t offset) { return pwrite(fd, data, len, offset); }
EXPORT(ssize_t) write(int fd, const void *data, size_t len)
{
    enter();
    const ssize_t n = minded(fd) ? write_at(fd, data, len, place_of(fd), true) : syscall(SYS_write, fd, data, len);
    leave();
    return n;
}

static ssize_t write_parts(int fd, const struct iovec *parts, int n, off_t offset, bool moves)
{
    size_t len = 0, at = 0;
    for (int i = 0; i < n; i++) len += parts[i].iov_len;
    if (len > WRITE_MAX) abort();
    char *all = malloc(len ? len : 1);
    if (!all) abort();
    for (int i = 0; i < n; at += parts[i++].iov_len) memcpy(all + at, parts[i].iov_base, parts[i].iov_len);
    const ssize_t result = write_at(fd, all, len, offset, moves);
    free(all);
    return result;
}
EXPORT(ssize_t) writev(int fd, const struct iovec *parts, int n)
{
    enter();
    const ssize_t result =
        minded(fd) ? write_parts(fd, parts, n, place_of(fd), true) : syscall(SYS_writev, fd, parts, n);
    leave();
    return result;
}
EXPORT(ssize_t) pwritev(int fd, const struct iovec *parts, int n, off_t offset)
{
    enter();
    const ssize_t result =
        minded(fd) ? write_parts(fd, parts, n, offset, false) : syscall(SYS_pwritev, fd, parts, n, offset, (long)0);
    leave();
    return result;
}
EXPORT(ssize_t) pwritev64(int fd, const struct iovec *parts, int n, off64_t offset)
{
    return pwritev(fd, parts, n, offset);
}

EXPORT(int) ftruncate(int fd, off_t size)
{
    enter();
    const struct fault f = minded(fd) ? meet(false, 0) : (struct fault){.act = true};
    long result = f.act ? syscall(SYS_ftruncate, fd, size) : -1;
    if (result == 0 && minded(fd))
        record(KT_TRACE_TRUNCATE, flags_of(f, false), shim.fd[fd].file, (uint64_t)size, NULL, NULL, NULL, 0);
    result = end(f, result);
    leave();
    return (int)result;
}
EXPORT(int) ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }
EXPORT(int) fallocate(int fd, int mode, off_t offset, off_t len)
{
    enter();
    struct stat st;
    const struct fault f = minded(fd) ? meet(false, 0) : (struct fault){.act = true};
    long result = f.act ? syscall(SYS_fallocate, fd, mode, offset, len) : -1;
    if (result == 0 && minded(fd) && !fstat(fd, &st))
        record(KT_TRACE_TRUNCATE, flags_of(f, false), shim.fd[fd].file, (uint64_t)st.st_size, NULL, NULL, NULL, 0);
    result = end(f, result);
    leave();
    return (int)result;
}
EXPORT(int) posix_fallocate(int fd, off_t offset, off_t len) { return fallocate(fd, 0, offset, len) ? errno : 0; }

/* --------------------------------------------------------------------------------------------------------- syncing */

/* The lock is not held while it lasts: others write meanwhile, and that is not covered. */
static int sync_any(int fd, long number)
{
    enter();
    const bool ours = minded(fd);
    const uint64_t began = shim.records;
    const struct fault f = ours ? meet(true, 0) : (struct fault){.act = true};
    leave();
    long result = f.act ? syscall(number, fd) : -1;
    if (!ours) return (int)result;
    enter();
    if (result == 0 || f.hit)
        record(KT_TRACE_SYNC, flags_of(f, false), shim.fd[fd].file, began,
               shim.fd[fd].folder ? (shim.fd[fd].path[0] ? shim.fd[fd].path : ".") : NULL, NULL, NULL, 0);
    result = end(f, result);
    leave();
    return (int)result;
}
EXPORT(int) fsync(int fd) { return sync_any(fd, SYS_fsync); }
EXPORT(int) fdatasync(int fd) { return sync_any(fd, SYS_fdatasync); }
/* Kontor maps no data file for writing: a sync through a map covers lock files, which nobody needs after a crash. */
EXPORT(int) msync(void *at, size_t len, int flags) { return (int)syscall(SYS_msync, at, len, flags); }

/* ----------------------------------------------------------------------------------------------------------- names */

static int name_any(enum kt_trace_call call, int from_fd, const char *from, int to_fd, const char *to, long mode)
{
    char full[PATH_MAX], second[PATH_MAX];
    enter();
    const char *ours = below(from_fd, from, full), *there = to ? below(to_fd, to, second) : NULL;
    const bool there_already = faccessat(from_fd, from, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (there_already == (call == KT_TRACE_MKDIR)) ours = NULL; /* it will fail, and change nothing */
    const struct fault f = ours ? meet(false, 0) : (struct fault){.act = true};
    long result = -1;
    if (f.act && call == KT_TRACE_RENAME) result = syscall(SYS_renameat, from_fd, from, to_fd, to);
    if (f.act && call == KT_TRACE_LINK) result = syscall(SYS_linkat, from_fd, from, to_fd, to, mode);
    if (f.act && call == KT_TRACE_UNLINK) result = syscall(SYS_unlinkat, from_fd, from, mode);
    if (f.act && call == KT_TRACE_MKDIR) result = syscall(SYS_mkdirat, from_fd, from, mode);
    if (ours && result == 0) record(call, flags_of(f, false), 0, 0, ours, there, NULL, 0);
    result = end(f, result);
    leave();
    return (int)result;
}
EXPORT(int) rename(const char *from, const char *to)
{
    return name_any(KT_TRACE_RENAME, AT_FDCWD, from, AT_FDCWD, to, 0);
}
EXPORT(int) renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return name_any(KT_TRACE_RENAME, from_fd, from, to_fd, to, 0);
}
EXPORT(int) link(const char *from, const char *to) { return name_any(KT_TRACE_LINK, AT_FDCWD, from, AT_FDCWD, to, 0); }
EXPORT(int) linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    return name_any(KT_TRACE_LINK, from_fd, from, to_fd, to, flags);
}
EXPORT(int) unlink(const char *path) { return name_any(KT_TRACE_UNLINK, AT_FDCWD, path, AT_FDCWD, NULL, 0); }
EXPORT(int) unlinkat(int dir_fd, const char *path, int flags)
{
    return name_any(KT_TRACE_UNLINK, dir_fd, path, AT_FDCWD, NULL, flags);
}
EXPORT(int) mkdir(const char *path, mode_t mode)
{
    return name_any(KT_TRACE_MKDIR, AT_FDCWD, path, AT_FDCWD, NULL, mode);
}
EXPORT(int) mkdirat(int dir_fd, const char *path, mode_t mode)
{
    return name_any(KT_TRACE_MKDIR, dir_fd, path, AT_FDCWD, NULL, mode);
}
