/* The client's end of the wire: requests to a node over one plain descriptor, no thread, nothing global.
 *
 *   ipc://PATH        nng's REQ/REP over a unix socket
 *   tcp://HOST:PORT   the same inside a Noise session: needs the client's key
 *
 * A line is used by one thread at a time.  Requests are pipelined: send several, take the replies in the order they
 * come, match them by id.  While the node does not read, sending takes in replies; with about KT_REPLY_BYTES_MAX of
 * them untaken it waits, to its deadline.
 *
 * Deadlines are points in time of CLOCK_MONOTONIC in milliseconds (kt_line_now_ms).  After KT_EGONE, KT_EMALFORMED,
 * KT_EOVERSIZE, KT_EOPEN or a deadline in kt_line_send the line is over: only kt_line_close makes sense.  A deadline in
 * kt_line_receive leaves it as it was. */
#ifndef KT_CLIENT_SERVICE_H
#define KT_CLIENT_SERVICE_H

#include "proto/ids.h"

struct kt_line;

struct kt_line_config {
    const char *url;
    uint64_t deadline_ms; /* for connecting, the handshake included */
    /* for tcp:// only */
    const uint8_t *secret;   /* KT_KEY_BYTES, X25519: who we are; copied */
    const uint8_t *node_key; /* KT_KEY_BYTES, X25519: the node must have this key, else KT_EREFUSED; copied */
    struct kt_cluster cluster;
};

/* KT_EINVAL: not such a URL, or tcp:// without both keys; KT_EUNREACHABLE: nobody there; KT_EREFUSED (or the node's own reason): it does not let us
 * in; KT_EDEADLINE; KT_ENOMEM. */
int kt_line_open(const struct kt_line_config *c, struct kt_line **out) KT_MUST;
void kt_line_close(struct kt_line *l); /* NULL is nothing */

/* *id names the reply that will come.  KT_EOVERSIZE past KT_REQUEST_BYTES_MAX (nothing was sent). */
int kt_line_send(struct kt_line *l, struct kt_bytes request, uint64_t deadline_ms, uint32_t *id) KT_MUST;
/* The next reply, borrowed until the next call on this line.  KT_EDEADLINE: none yet. */
int kt_line_receive(struct kt_line *l, uint64_t deadline_ms, uint32_t *id, struct kt_bytes *reply) KT_MUST;

/* The descriptor, for a caller's own poll. */
int kt_line_fd(const struct kt_line *l);

uint64_t kt_line_now_ms(void);

#endif
