#include "crash/notebook.h"

#include "crash/site.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void book_note(int fd, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    site_must(n > 0 && (size_t)n < sizeof line && write(fd, line, (size_t)n) == n, "the notebook cannot be written");
}

static void take_head(struct book *b, const struct kt_head *h)
{
    uint32_t i = 0;
    while (i < b->holds_len && kt_origin_compare(b->holds[i].origin, h->origin) != 0) i++;
    site_must(i < BOOK_HEADS_MAX, "too many origins");
    if (i == b->holds_len) b->holds[b->holds_len++] = *h;
    if (b->holds[i].number < h->number) b->holds[i] = *h;
}

static uint32_t key_of(struct book *b, const char *key)
{
    uint32_t i = 0;
    while (i < b->here_len && strcmp(b->here[i].key, key) != 0) i++;
    site_must(i < BOOK_KEYS_MAX, "too many keys");
    if (i == b->here_len) snprintf(b->here[b->here_len++].key, sizeof b->here[i].key, "%s", key);
    return i;
}

static void take_line(struct book *b, const char *line)
{
    char key[24];
    uint64_t n = 0;
    struct kt_head h = {0};
    if (strcmp(line, "serves") == 0) {
        b->serves = true;
    } else if (sscanf(line, "tried %23s %" SCNu64, key, &n) == 2) {
        b->here[key_of(b, key)].tried = n;
        b->tries++;
    } else if (sscanf(line, "wrote %23s %" SCNu64 " %" SCNu32 "/%" SCNu64 " %" SCNu64, key, &n, &h.origin.member,
                      &h.origin.incarnation, &h.number) == 5) {
        b->here[key_of(b, key)].wrote = n;
        b->writes++;
        take_head(b, &h);
    } else if (sscanf(line, "holds %" SCNu32 "/%" SCNu64 " %" SCNu64, &h.origin.member, &h.origin.incarnation,
                      &h.number) == 3) {
        take_head(b, &h);
    } else if (sscanf(line, "ticked %" SCNu64, &n) == 1) {
        if (n > b->ticked) b->ticked = n;
    } else if (sscanf(line, "far %23s %" SCNu64 " %" SCNu32 "/%" SCNu64 " %" SCNu64, key, &n, &h.origin.member,
                      &h.origin.incarnation, &h.number) == 5) {
        site_must(b->far_len < sizeof b->far / sizeof b->far[0], "too much at the other office");
        snprintf(b->far[b->far_len].key, sizeof key, "%s", key);
        b->far[b->far_len].n = n;
        b->far[b->far_len++].head = h;
    } else {
        site_must(false, "a line of the notebook does not read");
    }
}

void book_read(struct book *b, const char *text, size_t len)
{
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        if (!end) return;
        char line[256];
        snprintf(line, sizeof line, "%.*s", (int)(end - text), text);
        take_line(b, line);
        len -= (size_t)(end + 1 - text);
        text = end + 1;
    }
}
