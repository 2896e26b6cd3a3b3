#include "support/probe.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int kt_probe_put(struct kt_store *s, enum kt_env env, enum kt_table table, uint64_t key, size_t len)
{
    struct kt_txn *t;
    uint8_t *value = malloc(len);
    if (!value) return KT_ENOMEM;
    memset(value, (int)(key & 0xff), len);
    int err = s->ops->begin(s, env, true, &t);
    if (!err) {
        (void)s->ops->put(t, table, KT_BYTES_OF(key), kt_bytes(value, len));
        err = s->ops->commit(t);
    }
    free(value);
    return err;
}

bool kt_probe_has(struct kt_store *s, enum kt_env env, enum kt_table table, uint64_t key)
{
    struct kt_txn *t;
    struct kt_bytes v;
    if (s->ops->begin(s, env, false, &t)) return false;
    bool whole = s->ops->get(t, table, KT_BYTES_OF(key), &v) == KT_OK && v.len > 0;
    for (size_t i = 0; whole && i < v.len; i++) whole = v.data[i] == (uint8_t)key;
    s->ops->abort(t);
    return whole;
}

void kt_bench_path(const struct kt_bench_store *b, const char *name, char out[KT_PROBE_PATH_MAX])
{
    snprintf(out, KT_PROBE_PATH_MAX, "%s/%s", b->dir, name);
}

int kt_meddle_read(const char *path, off_t offset, void *bytes, size_t len)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0) return KT_ENOTFOUND;
    ssize_t n = pread(fd, bytes, len, offset);
    close(fd);
    return n == (ssize_t)len ? KT_OK : KT_EIO;
}

int kt_meddle_write(const char *path, off_t offset, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0) return KT_ENOTFOUND;
    ssize_t n = pwrite(fd, bytes, len, offset);
    close(fd);
    return n == (ssize_t)len ? KT_OK : KT_EIO;
}

int kt_meddle_copy(const char *from, const char *to, bool same_inode)
{
    struct stat st;
    if (stat(from, &st)) return KT_ENOTFOUND;
    uint8_t *bytes = malloc((size_t)st.st_size + 1);
    if (!bytes) return KT_ENOMEM;
    int err = kt_meddle_read(from, 0, bytes, (size_t)st.st_size);
    int fd = err ? -1 : open(to, O_WRONLY | O_CREAT | (same_inode ? O_TRUNC : O_EXCL), 0600);
    if (!err && (fd < 0 || write(fd, bytes, (size_t)st.st_size) != st.st_size)) err = KT_EIO;
    if (fd >= 0) close(fd);
    free(bytes);
    return err;
}
