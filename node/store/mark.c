#include "store/mark.h"

#include "proto/ids.h"
#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_NAME    "mark"
#define MARK_VERSION 2u
#define SLOT_BYTES   1024u
#define MARK_BYTES   (2 * SLOT_BYTES)

static void mark_sum(struct kt_bytes text, char out[2 * KT_HASH_BYTES + 1])
{
    struct kt_hash h = kt_hash_parts("mark", &text, 1);
    kt_hex(KT_BYTES_OF(h), out);
}

/* The whole slot, filled up. */
static void slot_write(const struct kt_mark *m, char out[SLOT_BYTES])
{
    const struct kt_file_id *k = &m->file[KT_ENV_KEYS], *j = &m->file[KT_ENV_JOURNAL], *s = &m->file[KT_ENV_STORE];
    char sum[2 * KT_HASH_BYTES + 1];
    memset(out, '\n', SLOT_BYTES);
    int n = snprintf(out, SLOT_BYTES,
                     "kontor mark 2\nturn %" PRIu64 "\nboot %s\nclean %d\nstore %d\nmoved %d\n"
                     "keys %" PRIu64 " %" PRIu64 " %" PRIu64 "\njournal %" PRIu64 " %" PRIu64 " %" PRIu64
                     "\nstore %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                     m->turn, m->boot, m->clean, m->store_ok, m->moved, k->device, k->inode, k->txn, j->device,
                     j->inode, j->txn, s->device, s->inode, s->txn);
    mark_sum(kt_bytes(out, (size_t)n), sum);
    n += snprintf(out + n, SLOT_BYTES - (size_t)n, "sum %s", sum);
    out[n] = '\n'; /* where snprintf ended it */
}

static bool slot_read(const char in[SLOT_BYTES], struct kt_mark *out)
{
    char text[SLOT_BYTES + 1], again[SLOT_BYTES];
    memcpy(text, in, SLOT_BYTES);
    text[SLOT_BYTES] = 0;
    struct kt_mark m = {0};
    struct kt_file_id *k = &m.file[KT_ENV_KEYS], *j = &m.file[KT_ENV_JOURNAL], *s = &m.file[KT_ENV_STORE];
    int clean = 0, store = 0, moved = 0;
    int fields = sscanf(text,
                        "kontor mark 2\nturn %20" SCNu64 "\nboot %63[0-9a-f-]\nclean %1d\nstore %1d\nmoved %1d\n"
                        "keys %20" SCNu64 " %20" SCNu64 " %20" SCNu64 "\njournal %20" SCNu64 " %20" SCNu64 " %20" SCNu64
                        "\nstore %20" SCNu64 " %20" SCNu64 " %20" SCNu64 "\n",
                        &m.turn, m.boot, &clean, &store, &moved, &k->device, &k->inode, &k->txn, &j->device, &j->inode,
                        &j->txn, &s->device, &s->inode, &s->txn);
    m.clean = clean == 1;
    m.store_ok = store == 1;
    m.moved = moved == 1;
    if (fields != 14) return false;
    slot_write(&m, again); /* what was read must write itself the same, sum and all */
    if (memcmp(in, again, SLOT_BYTES) != 0) return false;
    *out = m;
    return true;
}

/* Sound, and of another version: its sum is over all before it, whatever that says. */
static bool slot_is_foreign(const char in[SLOT_BYTES])
{
    char text[SLOT_BYTES + 1], sum[2 * KT_HASH_BYTES + 1];
    unsigned version;
    memcpy(text, in, SLOT_BYTES);
    text[SLOT_BYTES] = 0;
    const char *last = strstr(text, "\nsum ");
    if (!last || sscanf(text, "kontor mark %9u", &version) != 1 || version == MARK_VERSION) return false;
    mark_sum(kt_bytes(text, (size_t)(last + 1 - text)), sum);
    return strncmp(last + strlen("\nsum "), sum, strlen(sum)) == 0;
}

int kt_mark_read(int dir_fd, struct kt_mark *out)
{
    char text[MARK_BYTES];
    size_t len;
    int err = kt_file_read(dir_fd, MARK_NAME, text, sizeof(text), &len);
    if (err) return err == KT_EOVERSIZE || err == KT_ETRUNCATED ? KT_EDAMAGED : err;
    if (len == sizeof(text) && (slot_is_foreign(text) || slot_is_foreign(text + SLOT_BYTES))) return KT_EVERSION;
    struct kt_mark m[2];
    bool reads[2] = {len == sizeof(text) && slot_read(text, &m[0]),
                     len == sizeof(text) && slot_read(text + SLOT_BYTES, &m[1])};
    if (!reads[0] && !reads[1]) return KT_EDAMAGED;
    *out = m[reads[1] && (!reads[0] || m[1].turn > m[0].turn)];
    return KT_OK;
}

static int write_in_place(int dir_fd, const char slot[SLOT_BYTES], uint64_t turn)
{
    int fd = openat(dir_fd, MARK_NAME, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return kt_errno_error(errno);
    struct stat st;
    int err = fstat(fd, &st) ? kt_errno_error(errno) : st.st_size != MARK_BYTES ? KT_ENOTFOUND : KT_OK;
    if (!err && lseek(fd, (off_t)(turn % 2 * SLOT_BYTES), SEEK_SET) < 0) err = kt_errno_error(errno);
    if (!err) err = kt_write_all(fd, kt_bytes(slot, SLOT_BYTES));
    if (!err && fsync(fd)) err = kt_errno_error(errno);
    if (close(fd) && !err) err = kt_errno_error(errno);
    return err;
}

int kt_mark_write(int dir_fd, struct kt_mark *m)
{
    char text[MARK_BYTES];
    struct kt_mark next = *m;
    next.turn++;
    char *slot = text + next.turn % 2 * SLOT_BYTES;
    memset(text, '\n', sizeof(text));
    slot_write(&next, slot);
    int err = write_in_place(dir_fd, slot, next.turn);
    if (err == KT_ENOTFOUND) err = kt_file_replace(dir_fd, MARK_NAME, KT_BYTES_OF(text));
    if (!err) m->turn = next.turn;
    return err;
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
    snprintf(out, KT_BOOT_CHARS_MAX + 1, "%s", text[0] ? text : "-");
}

bool kt_boot_same(const char *a, const char *b) { return strcmp(a, b) == 0 && strcmp(a, "-") != 0; }
