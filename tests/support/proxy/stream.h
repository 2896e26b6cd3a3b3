/* One connection through a line of the proxy: two sockets, and what is on its way between them.
 *
 * Owned by a list (its line's); the same single thread as line.h.  A stream that ended keeps its memory until
 * stream_sweep, because events that name it may still be waiting in the round that ended it. */
#ifndef KT_SUPPORT_PROXY_STREAM_H
#define KT_SUPPORT_PROXY_STREAM_H

#include "support/proxy/line.h"

#include <netinet/in.h>

/* What all connections of one line are subject to; outlives them.  Changes count from the next stream_attend. */
struct stream_terms {
    int epoll_fd;
    int capture_fd;    /* -1: nobody listens in */
    uint32_t delay_ms; /* each way, of bytes that enter from now on */
    bool hung;         /* carry nothing, notice nothing */
    uint64_t carried_bytes;
};

struct stream;

/* Takes over an accepted socket, dials the target and adds the stream to the list.  Where that fails the
 * socket is reset: the caller sees a dead line, as it would without a proxy. */
void stream_open(struct stream **list, struct stream_terms *terms, int accepted_fd, const struct sockaddr_in *target);
struct stream *stream_next(const struct stream *s);
/* Ends it at once, both ends with a reset, bytes on their way lost. */
void stream_reset(struct stream *s);
/* Sends what is due, passes an end on, and sets what it waits for by its terms. */
void stream_attend(struct stream *s);
/* ms until its next delayed byte is due; -1: none waits for the clock */
int stream_due_ms(const struct stream *s);
/* Frees those that ended. */
void stream_sweep(struct stream **list);

#endif
