/* The lines of the harness's proxy: a listener on loopback each, whose connections are carried to a target port, and
 * which can be cut, hung, slowed and listened in on.
 *
 * One thread owns all of it (main.c); nothing here blocks.  Every descriptor is close-on-exec and non-blocking.  Each
 * direction of a connection holds at most KT_PROXY_QUEUE_BYTES, then reading from its sender stops, so a slow reader
 * slows its writer as a real line does.  Functions that can fail return NULL or a static sentence for people. */
#ifndef KT_SUPPORT_PROXY_LINE_H
#define KT_SUPPORT_PROXY_LINE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define KT_PROXY_QUEUE_BYTES (1u << 20)
#define KT_PROXY_NAME_MAX    63

/* What an epoll event's data.ptr points to: the first member of whatever wants the event. */
struct proxy_source {
    void (*ready)(struct proxy_source *self, uint32_t events);
};

enum line_state {
    LINE_OPEN,
    LINE_CUT,  /* connections were reset, new ones are refused: the far side is gone */
    LINE_HUNG, /* connections stand and carry nothing, new ones too: a black hole */
};

struct line;
struct lines;

/* All lines of one process, on the caller's epoll descriptor (borrowed).  NULL: out of memory. */
struct lines *lines_new(int epoll_fd);
/* Resets every connection and frees all.  NULL is nothing. */
void lines_free(struct lines *ls);

/* A new line: listens on 127.0.0.1:listen_port (0: a free one) and carries to the target.  On success NULL, and *port
 * is where it listens; that port stays the line's own while it is cut. */
const char *lines_add(struct lines *ls, const char *name, uint16_t listen_port, const struct sockaddr_in *target,
                      uint16_t *port);
struct line *lines_find(struct lines *ls, const char *name); /* NULL: no such line */

/* Each takes effect before it returns, and doing it twice does no harm. */
const char *line_cut(struct line *l);
const char *line_hang(struct line *l);
const char *line_heal(struct line *l);
void line_delay(struct line *l, uint32_t one_way_ms);
/* Appends every byte carried from now on, both directions as they come, to a file; NULL or "" ends that. */
const char *line_capture(struct line *l, const char *path);

/* One text line per line: name, listen port, target port, open|cut|hung, delay in ms, connections, bytes carried. */
void lines_list(const struct lines *ls, FILE *out);

/* How long the caller may wait for events, in ms: -1 for ever, else until a delayed byte is due. */
int lines_timeout_ms(const struct lines *ls);
/* Sends what is due and frees what ended; call it after each round of events. */
void lines_settle(struct lines *ls);

#endif
