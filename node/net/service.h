/* The client service: nng's REQ/REP wire protocol from one epoll loop of our own.
 *
 *   ipc://PATH        SP over a unix socket, as nng speaks it: a stock REQ socket interoperates.  The peer's uid
 *                     (SO_PEERCRED) is asked about through admit_local
 *   tcp://HOST:PORT   the same SP bytes inside a Noise session of role client (proto/session/handshake.h): its static key is
 *                     asked about through admit_key.  Port 0 takes a free one
 *
 * A connection begins with 8 bytes each way (00 'S' 'P' 00, protocol be16, 0 0).  A message is a backtrace of be32
 * words, the last with its high bit set (the request id), then the request.  Several may be on their way on one
 * connection; replies go back in any order with the words of their request.
 *
 * Threads: one service thread runs every callback.  kt_service_reply, kt_service_wake, kt_service_deadline and
 * kt_service_clients may be called from any thread, the rest from the owner.
 *
 * A client is closed at once for: another protocol, a length beyond KT_REQUEST_BYTES_MAX, more than
 * KT_BACKTRACE_WORDS_MAX words, replies it does not read (KT_CLIENT_QUEUE_BYTES_MAX).  With KT_REQUESTS_IN_FLIGHT_MAX
 * unanswered requests nothing more is read from it until replies go out. */
#ifndef KT_NET_SERVICE_H
#define KT_NET_SERVICE_H

#include "proto/ids.h"
#include "proto/limits.h"

#include <sys/types.h>

#define KT_CLIENT_NAME_CHARS_MAX 64u

struct kt_service;

/* Who a client is and what it may do; what the bits mean is the owner's business. */
struct kt_client_admission {
    char name[KT_CLIENT_NAME_CHARS_MAX];
    uint64_t bits;
};

/* Where a reply goes.  A plain value: keep it as long as you like; once the client has left, replies are dropped. */
struct kt_client_ref {
    uint64_t client; /* never used again for another connection */
    uint32_t words;
    uint32_t backtrace[KT_BACKTRACE_WORDS_MAX];
};

struct kt_service_config {
    const char *const *listen; /* URLs, copied */
    size_t listen_count;
    uint32_t clients_max; /* 0: KT_CLIENTS_MAX */
    /* for tcp:// only */
    struct kt_cluster cluster;
    uint8_t session_secret[KT_KEY_BYTES];
    int (*certificate)(void *ctx, struct kt_buf *out); /* appends our certificate; NULL: an empty one */

    void *ctx;
    /* KT_OK and *who, or the code it is refused with. */
    int (*admit_local)(void *ctx, uid_t uid, gid_t gid, pid_t pid, struct kt_client_admission *who);
    int (*admit_key)(void *ctx, const uint8_t key[KT_KEY_BYTES], struct kt_client_admission *who);
    /* One request, borrowed.  Every request must be answered with one kt_service_reply, now or later. */
    void (*on_request)(void *ctx, struct kt_client_ref from, const struct kt_client_admission *who,
                       struct kt_bytes request);
    /* The rest may be NULL. */
    void (*on_start)(void *ctx, struct kt_service *s); /* on the service thread, before anything else it calls */
    void (*on_gone)(void *ctx, uint64_t client);       /* its replies are not wanted any more; not while closing */
    void (*on_wake)(void *ctx);                        /* after kt_service_wake; several wakes may be one call */
    void (*on_tick)(void *ctx, uint64_t now_ms);       /* the deadline has passed (CLOCK_MONOTONIC, milliseconds) */
};

/* Starts the service.  KT_ECONFIG: not a URL of ours; KT_EUNREACHABLE: it cannot be listened on (in use); KT_EIO,
 * KT_ENOMEM.  On failure nothing is left and *out is NULL; else *out is set before the
 * first callback comes.  A socket file nobody listens on is replaced; the new one has mode 0660.
 * `why` gets one line for the operator. */
int kt_service_open(const struct kt_service_config *c, struct kt_service **out, char why[KT_WHY_CHARS_MAX]) KT_MUST;
/* Ends the thread (after the callback it is in), every connection, and removes the socket files.  NULL is nothing. */
void kt_service_close(struct kt_service *s);

/* The URL of listener i with the port it really has.  KT_ENOTFOUND. */
int kt_service_listen_url(struct kt_service *s, size_t i, char out[KT_URL_CHARS_MAX]) KT_MUST;

/* Sends a reply (at most KT_REPLY_BYTES_MAX, copied).  KT_EGONE: the client has left (from the service thread only;
 * elsewhere the reply is dropped later); KT_EOVERSIZE; KT_ENOMEM. */
int kt_service_reply(struct kt_service *s, struct kt_client_ref to, struct kt_bytes reply);
/* Has on_wake called soon. */
void kt_service_wake(struct kt_service *s);
/* Has on_tick called at or after this time (CLOCK_MONOTONIC, milliseconds) unless an earlier one is set; UINT64_MAX is
 * nothing.  Each deadline is used up by its on_tick. */
void kt_service_deadline(struct kt_service *s, uint64_t at_ms);
/* How many clients are connected; how many were turned away or closed for misbehaving since the start. */
void kt_service_clients(struct kt_service *s, uint64_t *now, uint64_t *turned_away);

#endif
