#include "client/cli/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_BYTES (64u << 10)

void kt_lines_init(struct kt_lines *l, int fd, size_t line_bytes_max)
{
    *l = (struct kt_lines){.fd = fd, .line_bytes_max = line_bytes_max};
}

void kt_lines_free(struct kt_lines *l)
{
    free(l->data);
    *l = (struct kt_lines){.fd = -1};
}

static struct kt_bytes without_mark(const struct kt_lines *l, struct kt_bytes line)
{
    if (l->number == 1 && line.len >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0)
        return kt_bytes(line.data + 3, line.len - 3);
    return line;
}

/* What stands before `stop` is a line, or the end of one that is skipped. */
static int give(struct kt_lines *l, size_t stop, size_t next, struct kt_bytes *line)
{
    struct kt_bytes whole = kt_bytes(l->data ? l->data + l->start : NULL, stop - l->start);
    bool skipped = l->skipping;
    l->start = l->scanned = next;
    l->skipping = false;
    l->number++;
    if (skipped || whole.len > l->line_bytes_max) return KT_EOVERSIZE;
    *line = without_mark(l, whole);
    return KT_OK;
}

int kt_lines_next(struct kt_lines *l, struct kt_bytes *line)
{
    char *end = l->end > l->scanned ? memchr(l->data + l->scanned, '\n', l->end - l->scanned) : NULL;
    if (end) return give(l, (size_t)(end - l->data), (size_t)(end - l->data) + 1, line);
    l->scanned = l->end;
    if (l->end - l->start > l->line_bytes_max) {
        l->skipping = true;
        l->start = l->end = l->scanned = 0;
    }
    if (!l->at_end) return KT_EAGAIN;
    return l->end > l->start || l->skipping ? give(l, l->end, l->end, line) : KT_EEND;
}

static int make_room(struct kt_lines *l)
{
    if (l->start) {
        memmove(l->data, l->data + l->start, l->end - l->start);
        l->end -= l->start;
        l->scanned -= l->start;
        l->start = 0;
    }
    if (l->cap - l->end >= READ_BYTES) return KT_OK;
    size_t cap = l->cap * 2 > l->end + READ_BYTES ? l->cap * 2 : l->end + READ_BYTES;
    char *grown = realloc(l->data, cap);
    if (!grown) return KT_ENOMEM;
    l->data = grown;
    l->cap = cap;
    return KT_OK;
}

int kt_lines_read(struct kt_lines *l)
{
    int err = make_room(l);
    if (err) return err;
    ssize_t n;
    do n = read(l->fd, l->data + l->end, READ_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0) return KT_EIO;
    if (n == 0) l->at_end = true;
    l->end += (size_t)n;
    return KT_OK;
}
