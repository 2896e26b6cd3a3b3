#include "host/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct kt_log {
    pthread_mutex_t lock; /* of fd and dropped */
    enum kt_log_level most;
    int fd;
    uint64_t dropped;
    char *path; /* NULL: standard error */
};

/* A line in the making.  Past its end nothing more is taken; two bytes stay free for the mark and the line feed. */
struct text {
    size_t len;
    char at[KT_LOG_LINE_BYTES_MAX];
};

static const char *const level_names[KT_LOG_LEVELS] = {"error", "warn", "info", "debug"};

const char *kt_log_level_name(enum kt_log_level level) { return level < KT_LOG_LEVELS ? level_names[level] : "?"; }

int kt_log_level_of(const char *name, enum kt_log_level *out)
{
    for (int i = 0; i < KT_LOG_LEVELS; i++)
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum kt_log_level)i;
            return KT_OK;
        }
    return KT_EINVAL;
}

static int open_file(const char *path) { return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640); }

int kt_log_open(const char *path, enum kt_log_level most, struct kt_log **out)
{
    struct kt_log *l = calloc(1, sizeof *l);
    if (!l) return KT_ENOMEM;
    l->most = most;
    l->fd = STDERR_FILENO;
    int rc = KT_OK;
    if (path && path[0]) {
        l->path = strdup(path);
        l->fd = l->path ? open_file(path) : -1;
        rc = !l->path ? KT_ENOMEM : l->fd < 0 ? KT_EIO : KT_OK;
    }
    if (rc == KT_OK && pthread_mutex_init(&l->lock, NULL) != 0) rc = KT_ENOMEM;
    if (rc == KT_OK) {
        *out = l;
        return KT_OK;
    }
    int why = errno;
    if (l->path && l->fd >= 0) close(l->fd);
    free(l->path);
    free(l);
    errno = why;
    return rc;
}

int kt_log_reopen(struct kt_log *l)
{
    if (!l || !l->path) return KT_OK;
    int fd = open_file(l->path);
    if (fd < 0) return KT_EIO;
    pthread_mutex_lock(&l->lock);
    int old = l->fd;
    l->fd = fd;
    pthread_mutex_unlock(&l->lock);
    close(old);
    return KT_OK;
}

void kt_log_close(struct kt_log *l)
{
    if (!l) return;
    if (l->path) close(l->fd);
    pthread_mutex_destroy(&l->lock);
    free(l->path);
    free(l);
}

static void add(struct text *t, const char *s, size_t len)
{
    size_t room = sizeof t->at - 1 - t->len;
    if (len > room) len = room;
    memcpy(t->at + t->len, s, len);
    t->len += len;
}

static void add_text(struct text *t, const char *s) { add(t, s, strlen(s)); }

static bool plain(uint8_t c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '='; }

/* Letters beyond ASCII are written as they are where they are printing UTF-8 in a terminal; control characters of both
 * ranges never are, which is all that keeping one line whole needs. */
static void add_quoted(struct text *t, struct kt_bytes v)
{
    char hex[8];
    size_t start = t->len;
    add(t, "\"", 1);
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.data[i];
        if (t->len - start >= KT_LOG_VALUE_BYTES_MAX) {
            add(t, "..", 2);
            break;
        }
        if (c == '"' || c == '\\')
            add(t, (const char[]){'\\', (char)c}, 2);
        else if (c < ' ' || c == 0x7f)
            add(t, hex, (size_t)snprintf(hex, sizeof hex, "\\x%02x", c));
        else
            add(t, (const char *)&c, 1);
    }
    add(t, "\"", 1);
}

static void add_value(struct text *t, struct kt_bytes v)
{
    bool bare = v.len > 0 && v.len < KT_LOG_VALUE_BYTES_MAX;
    for (size_t i = 0; bare && i < v.len; i++) bare = plain(v.data[i]);
    if (bare)
        add(t, (const char *)v.data, v.len);
    else
        add_quoted(t, v);
}

static void add_hex(struct text *t, struct kt_bytes v)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < v.len; i++) {
        if (2 * i >= KT_LOG_VALUE_BYTES_MAX) {
            add(t, "..", 2);
            return;
        }
        add(t, (const char[]){digits[v.data[i] >> 4], digits[v.data[i] & 15]}, 2);
    }
}

static void add_field(struct text *t, const struct kt_log_field *f)
{
    char number[24];
    add(t, " ", 1);
    add_text(t, f->key);
    add(t, "=", 1);
    switch (f->kind) {
    case KT_FIELD_TEXT:
        add_value(t, f->bytes);
        return;
    case KT_FIELD_HEX:
        add_hex(t, f->bytes);
        return;
    case KT_FIELD_UNSIGNED:
        snprintf(number, sizeof number, "%llu", (unsigned long long)f->number);
        add_text(t, number);
        return;
    case KT_FIELD_SIGNED:
        snprintf(number, sizeof number, "%lld", (long long)f->number);
        add_text(t, number);
        return;
    }
}

static void begin_line(struct text *t, enum kt_log_level level, const char *event)
{
    struct timespec now;
    struct tm utc;
    char stamp[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t n = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(stamp + n, sizeof stamp - n, ".%03ldZ ", now.tv_nsec / 1000000);
    t->len = 0;
    add_text(t, stamp);
    add_text(t, kt_log_level_name(level));
    add(t, " ", 1);
    add_text(t, event);
}

static bool put_line(int fd, struct text *t)
{
    if (t->len == sizeof t->at - 1) memcpy(t->at + t->len - 2, "..", 2);
    t->at[t->len++] = '\n';
    ssize_t n;
    do n = write(fd, t->at, t->len);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)t->len;
}

void kt_log_write(struct kt_log *l, enum kt_log_level level, const char *event, const struct kt_log_field *fields,
                  size_t n)
{
    if (!l || level > l->most) return;
    int saved = errno; /* a caller that logs on its way out still wants its own */
    struct text line, note;
    begin_line(&line, level, event);
    for (size_t i = 0; i < n; i++)
        if (fields[i].key) add_field(&line, &fields[i]);
    pthread_mutex_lock(&l->lock);
    if (l->dropped) {
        struct kt_log_field count = kt_log_number("lines", l->dropped);
        begin_line(&note, KT_LOG_WARN, "log-dropped");
        add_field(&note, &count);
        if (put_line(l->fd, &note)) l->dropped = 0;
    }
    if (!put_line(l->fd, &line)) l->dropped++;
    pthread_mutex_unlock(&l->lock);
    errno = saved;
}
