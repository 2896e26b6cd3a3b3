#include "host/node_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADMISSION_BYTES_MAX (64u << 20)

/* Reads data_dir/name whole.  KT_ENOTFOUND where there is none. */
static int read_file(const struct kt_config *c, const char *name, struct kt_buf *out)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", c->data_dir, name) >= (int)sizeof path) return KT_EOVERSIZE;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? KT_ENOTFOUND : KT_EIO;
    uint8_t chunk[4096];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0) kt_buf_put(out, kt_bytes(chunk, (size_t)n));
    close(fd);
    sodium_memzero(chunk, sizeof chunk);
    return n < 0 ? KT_EIO : out->err;
}

/* The root key is 32 bytes that nobody else may read. */
int kt_node_files_root_key(const struct kt_config *c, struct kt_log *log, uint8_t **out)
{
    char path[4096];
    struct stat st;
    struct kt_buf b;
    snprintf(path, sizeof path, "%s/root.key", c->data_dir);
    if (stat(path, &st) == 0 && (st.st_mode & 077)) {
        kt_log(log, KT_LOG_ERROR, "root-key", kt_log_text("path", path), kt_log_text("what", "others may read it"),
               kt_log_text("do", "chmod 600 it"));
        return KT_ECONFIG;
    }
    kt_buf_init(&b, 4096);
    int e = read_file(c, "root.key", &b);
    if (!e && b.len != KT_KEY_BYTES) e = KT_EMALFORMED;
    uint8_t *key = e ? NULL : sodium_malloc(KT_KEY_BYTES);
    if (key) memcpy(key, b.data, KT_KEY_BYTES);
    kt_buf_wipe_free(&b);
    if (!e && !key) e = KT_ENOMEM;
    if (e) {
        kt_log(log, KT_LOG_ERROR, "root-key", kt_log_text("path", path), kt_log_error(e),
               kt_log_text("do", "make a node here with kontor node init, or bring back its root.key"));
        return e;
    }
    *out = key;
    return KT_OK;
}

static int take_identity(const struct kt_config *c, struct kt_store *store, const uint8_t *root, struct kt_log *log)
{
    struct kt_buf b;
    kt_buf_init(&b, 4096);
    int e = read_file(c, "identity", &b);
    if (!e) e = kt_keyring_install_identity(store, kt_buf_bytes(&b), root);
    kt_buf_free(&b);
    if (e)
        kt_log(log, KT_LOG_ERROR, "identity", kt_log_error(e),
               kt_log_text("do", e == KT_EOPEN
                                     ? "this identity does not belong to this root.key: bring back the one that does"
                                     : "make a node here with kontor node init"));
    return e;
}

static int take_admission(const struct kt_config *c, struct kt_keyring *k, struct kt_log *log)
{
    struct kt_buf b;
    kt_buf_init(&b, ADMISSION_BYTES_MAX);
    int e = read_file(c, "admission", &b);
    if (!e) e = kt_keyring_admit(k, kt_buf_bytes(&b));
    kt_buf_free(&b);
    if (e == KT_ENOTFOUND && kt_keyring_admitted(k)) return KT_OK;
    if (e == KT_ENOTFOUND) e = KT_ENOTMEMBER;
    if (e)
        kt_log(log, KT_LOG_ERROR, "admission", kt_log_error(e), kt_log_text("what", kt_error_text(e)),
               kt_log_text("do", e == KT_ENOTMEMBER
                                     ? "give join.request to the authority (kontor authority admit) and put the "
                                       "admission it writes beside it"
                                     : "use the admission that this organisation's authority wrote for this node"));
    return e;
}

int kt_node_files_keyring(const struct kt_config *c, struct kt_store *store, struct kt_world *world, struct kt_log *log,
                          struct kt_keyring **out)
{
    uint8_t *root;
    int e = kt_node_files_root_key(c, log, &root);
    if (e) return e;
    struct kt_keyring *k = NULL;
    e = kt_keyring_open(store, world, root, &k);
    if (e == KT_ENOTFOUND && !(e = take_identity(c, store, root, log)))
        e = kt_keyring_open(store, world, root, &k);
    else if (e)
        kt_log(
            log, KT_LOG_ERROR, "keys", kt_log_error(e),
            kt_log_text("do", e == KT_EOPEN
                                  ? "these keys are sealed under another root.key: bring back the one that belongs here"
                                  : kt_error_advice(e)));
    sodium_free(root);
    if (!e && (e = take_admission(c, k, log))) kt_keyring_close(k);
    if (!e) *out = k;
    return e;
}

int kt_pid_file_write(const char *path, struct kt_log *log)
{
    if (!*path) return KT_OK;
    FILE *f = fopen(path, "we");
    bool good = f && fprintf(f, "%ld\n", (long)getpid()) > 0;
    int why = good ? 0 : errno;
    if (f && fclose(f) != 0 && good) good = false, why = errno;
    if (good) return KT_OK;
    const bool full = why == ENOSPC || why == EDQUOT; /* no reason not to serve: what is there can be read */
    kt_log(log, full ? KT_LOG_WARN : KT_LOG_ERROR, "pid-file", kt_log_text("path", path),
           kt_log_text("what", strerror(why)),
           kt_log_text("do", full ? "free space on this disk: the node reads, and takes no writes meanwhile"
                                  : "give a pid_file in a folder kontord may write"));
    return full ? KT_OK : KT_EIO;
}

void kt_pid_file_remove(const char *path)
{
    if (*path) unlink(path);
}
