#include "client/cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int from_errno(void)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return KT_ENOTFOUND;
    case EEXIST:
        return KT_EDUPLICATE;
    case ENOSPC:
    case EDQUOT:
        return KT_EFULL;
    default:
        return KT_EIO;
    }
}

int kt_path_join(const char *dir, const char *name, char out[KT_PATH_MAX])
{
    char path[KT_PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof(path)) return KT_EOVERSIZE;
    memcpy(out, path, (size_t)n + 1);
    return KT_OK;
}

/* Reads to the end; a file that grows meanwhile is refused as too long rather than half read. */
static int read_all(int fd, size_t len, struct kt_buf *out)
{
    uint8_t *at = kt_buf_extend(out, len + 1); /* one more than it should have: to see that it ends */
    if (!at) return out->err;
    size_t got = 0;
    while (got < len + 1) {
        ssize_t n = read(fd, at + got, len + 1 - got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return KT_EIO;
        if (n == 0) break;
        got += (size_t)n;
    }
    if (got > len) return KT_EOVERSIZE;
    out->len -= len + 1 - got;
    return KT_OK;
}

static int read_file(const char *path, size_t bytes_max, mode_t forbidden, struct kt_buf *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return from_errno();
    int err = fstat(fd, &st) != 0 ? KT_EIO : KT_OK;
    if (!err && !S_ISREG(st.st_mode)) err = KT_EMALFORMED;
    if (!err && (st.st_mode & forbidden)) err = KT_ERIGHTS;
    if (!err && (uint64_t)st.st_size > bytes_max) err = KT_EOVERSIZE;
    size_t before = out->len;
    if (!err) err = read_all(fd, (size_t)st.st_size, out);
    if (err) out->len = before;
    close(fd);
    return err;
}

int kt_file_read(const char *path, size_t bytes_max, struct kt_buf *out) { return read_file(path, bytes_max, 0, out); }

int kt_file_read_secret(const char *path, size_t bytes_max, struct kt_buf *out)
{
    return read_file(path, bytes_max, S_IRWXG | S_IRWXO, out);
}

static int write_all(int fd, struct kt_bytes bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return from_errno();
        bytes = kt_bytes(bytes.data + n, bytes.len - (size_t)n);
    }
    return fsync(fd) == 0 ? KT_OK : from_errno();
}

static int sync_folder_of(const char *path)
{
    char copy[KT_PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return from_errno();
    int err = fsync(fd) == 0 ? KT_OK : from_errno();
    close(fd);
    return err;
}

/* Into its place in one step; without replacing where that was asked, also on file systems that cannot rename so. */
static int put_in_place(const char *temporary, const char *path, enum kt_file_over over)
{
    unsigned flags = over == KT_FILE_NEW ? RENAME_NOREPLACE : 0;
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, flags) == 0) return KT_OK;
    if (errno != EINVAL || over == KT_FILE_REPLACE) return from_errno();
    if (link(temporary, path) != 0) return from_errno();
    unlink(temporary);
    return KT_OK;
}

int kt_file_write(const char *path, mode_t mode, enum kt_file_over over, struct kt_bytes bytes)
{
    char temporary[KT_PATH_MAX];
    int n = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof(temporary)) return KT_EOVERSIZE;
    int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 from the start */
    if (fd < 0) return from_errno();
    int err = write_all(fd, bytes);
    if (!err && fchmod(fd, mode) != 0) err = from_errno();
    if (close(fd) != 0 && !err) err = from_errno();
    if (!err) err = put_in_place(temporary, path, over);
    if (err) {
        int why = errno;
        unlink(temporary);
        errno = why;
    }
    return err ? err : sync_folder_of(path);
}

int kt_folder_make(const char *path)
{
    struct stat st;
    if (mkdir(path, 0700) == 0) return sync_folder_of(path);
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return KT_OK;
    return KT_EIO;
}
