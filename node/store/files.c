#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES (1u << 20)

int kt_errno_error(int err)
{
    switch (err) {
    case 0:
        return KT_OK;
    case ENOENT:
        return KT_ENOTFOUND;
    case ENOMEM:
        return KT_ENOMEM;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return KT_EFULL;
    default:
        return KT_EIO;
    }
}

int kt_write_all(int fd, struct kt_bytes bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return kt_errno_error(errno);
        bytes = kt_bytes(bytes.data + n, bytes.len - (size_t)n);
    }
    return KT_OK;
}

int kt_read_at(int fd, void *out, size_t len, uint64_t offset)
{
    uint8_t *at = out;
    while (len > 0) {
        ssize_t n = pread(fd, at, len, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return kt_errno_error(errno);
        if (n == 0) return KT_ETRUNCATED;
        at += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return KT_OK;
}

int kt_file_read(int dir_fd, const char *name, void *out, size_t cap, size_t *len)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return kt_errno_error(errno);
    struct stat st;
    int err = fstat(fd, &st) ? kt_errno_error(errno) : KT_OK;
    if (!err && (st.st_size < 0 || (uint64_t)st.st_size > cap)) err = KT_EOVERSIZE;
    if (!err) err = kt_read_at(fd, out, (size_t)st.st_size, 0);
    if (!err) *len = (size_t)st.st_size;
    close(fd);
    return err;
}

int kt_dir_sync(int dir_fd) { return fsync(dir_fd) ? kt_errno_error(errno) : KT_OK; }

int kt_file_replace(int dir_fd, const char *name, struct kt_bytes bytes)
{
    char beside[256];
    int n = snprintf(beside, sizeof(beside), "%s.new", name);
    if (n < 0 || (size_t)n >= sizeof(beside)) return KT_EINVAL;
    int fd = openat(dir_fd, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return kt_errno_error(errno);
    int err = kt_write_all(fd, bytes);
    if (!err && fsync(fd)) err = kt_errno_error(errno);
    if (close(fd) && !err) err = kt_errno_error(errno);
    if (!err && renameat(dir_fd, beside, dir_fd, name)) err = kt_errno_error(errno);
    if (err) {
        unlinkat(dir_fd, beside, 0);
        return err;
    }
    return kt_dir_sync(dir_fd);
}

static int copy_bytes(int from_fd, int to_fd)
{
    uint8_t *piece = malloc(COPY_BYTES);
    if (!piece) return KT_ENOMEM;
    int err = KT_OK;
    for (uint64_t at = 0; !err;) {
        ssize_t n = pread(from_fd, piece, COPY_BYTES, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) err = kt_errno_error(errno);
        if (n <= 0) break;
        err = kt_write_all(to_fd, kt_bytes(piece, (size_t)n));
        at += (uint64_t)n;
    }
    free(piece);
    return err;
}

int kt_file_copy(int from_fd, int dir_fd, const char *name, bool sync)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return kt_errno_error(errno);
    int err = copy_bytes(from_fd, fd);
    if (!err && sync && fsync(fd)) err = kt_errno_error(errno);
    if (close(fd) && !err) err = kt_errno_error(errno);
    if (err) unlinkat(dir_fd, name, 0);
    return err;
}

int kt_dir_open(int dir_fd, const char *name, int *out)
{
    bool made = mkdirat(dir_fd, name, 0700) == 0;
    if (!made && errno != EEXIST) return kt_errno_error(errno);
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return kt_errno_error(errno);
    /* the entry lies in the folder above; AT_FDCWD has no descriptor to sync, so ask for it by its name */
    int err = KT_OK;
    if (made) {
        int up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        err = up < 0 ? kt_errno_error(errno) : kt_dir_sync(up);
        if (up >= 0) close(up);
    }
    if (err) {
        close(fd);
        return err;
    }
    *out = fd;
    return KT_OK;
}
