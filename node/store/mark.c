#include "store/mark.h"

#include "proto/ids.h"
#include "store/files.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define MARK_NAME      "mark"
#define MARK_BYTES_MAX 1024u

static void mark_sum(struct kt_bytes text, char out[2 * KT_HASH_BYTES + 1])
{
    struct kt_hash h = kt_hash_parts("mark", &text, 1);
    kt_hex(KT_BYTES_OF(h), out);
}

static size_t mark_text(const struct kt_mark *m, char out[MARK_BYTES_MAX])
{
    const struct kt_file_id *k = &m->file[KT_ENV_KEYS], *j = &m->file[KT_ENV_JOURNAL], *s = &m->file[KT_ENV_STORE];
    int n = snprintf(out, MARK_BYTES_MAX,
                     "kontor mark 1\nboot %s\nclean %d\nstore %d\nmoved %d\n"
                     "keys %" PRIu64 " %" PRIu64 " %" PRIu64 "\njournal %" PRIu64 " %" PRIu64 " %" PRIu64
                     "\nstore %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                     m->boot, m->clean, m->store_ok, m->moved, k->device, k->inode, k->txn, j->device, j->inode, j->txn,
                     s->device, s->inode, s->txn);
    char sum[2 * KT_HASH_BYTES + 1];
    mark_sum(kt_bytes(out, (size_t)n), sum);
    return (size_t)n + (size_t)snprintf(out + n, MARK_BYTES_MAX - (size_t)n, "sum %s\n", sum);
}

int kt_mark_read(int dir_fd, struct kt_mark *out)
{
    char text[MARK_BYTES_MAX], again[MARK_BYTES_MAX];
    size_t len;
    int err = kt_file_read(dir_fd, MARK_NAME, text, sizeof(text) - 1, &len);
    if (err) return err == KT_EOVERSIZE || err == KT_ETRUNCATED ? KT_EDAMAGED : err;
    text[len] = 0;

    struct kt_mark m = {0};
    struct kt_file_id *k = &m.file[KT_ENV_KEYS], *j = &m.file[KT_ENV_JOURNAL], *s = &m.file[KT_ENV_STORE];
    int clean = 0, store = 0, moved = 0;
    int fields = sscanf(text,
                        "kontor mark 1\nboot %63[0-9a-f-]\nclean %1d\nstore %1d\nmoved %1d\n"
                        "keys %20" SCNu64 " %20" SCNu64 " %20" SCNu64 "\njournal %20" SCNu64 " %20" SCNu64 " %20" SCNu64
                        "\nstore %20" SCNu64 " %20" SCNu64 " %20" SCNu64 "\n",
                        m.boot, &clean, &store, &moved, &k->device, &k->inode, &k->txn, &j->device, &j->inode, &j->txn,
                        &s->device, &s->inode, &s->txn);
    m.clean = clean == 1;
    m.store_ok = store == 1;
    m.moved = moved == 1;
    /* what was read must write itself the same, sum and all */
    if (fields != 13 || mark_text(&m, again) != len || memcmp(text, again, len) != 0) return KT_EDAMAGED;
    *out = m;
    return KT_OK;
}

int kt_mark_write(int dir_fd, const struct kt_mark *m)
{
    char text[MARK_BYTES_MAX];
    size_t len = mark_text(m, text);
    return kt_file_replace(dir_fd, MARK_NAME, kt_bytes(text, len));
}

void kt_boot_read(const char *path, char out[KT_BOOT_CHARS_MAX + 1])
{
    size_t len = 0;
    char text[KT_BOOT_CHARS_MAX + 1] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        /* a file of /proc has no size: read until it ends */
        ssize_t n;
        while (len < KT_BOOT_CHARS_MAX && (n = read(fd, text + len, KT_BOOT_CHARS_MAX - len)) > 0) len += (size_t)n;
        close(fd);
    }
    text[len] = 0;
    text[strspn(text, "0123456789abcdef-")] = 0;
    strcpy(out, text[0] ? text : "-");
}

bool kt_boot_same(const char *a, const char *b) { return strcmp(a, b) == 0 && strcmp(a, "-") != 0; }
