/* Inside the links: what conn.c, session.c, dial.c, listen.c, keeper.c and link.c share.  Not for anybody else.
 *
 * Locks: links->mtx guards the lists, the dials, the listeners and each conn's place; conn->mtx its sending half and
 * its end.  links->mtx first.  No callback and no nng operation is begun with either held.
 *
 * A conn's receiving half (frames, the receiving cipher, the frame held back) belongs to its receive chain: the nng
 * callback that runs while rx_busy, or the keeper while it resumes a paused one. */
#ifndef KT_NET_LINKS_H
#define KT_NET_LINKS_H

#include "net/link.h"
#include "net/register.h"
#include "proto/session/frame.h"
#include "proto/session/handshake.h"

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>

#define KT_LINK_SLOTS    2048u /* peers, strangers, and those just ending */
#define KT_READ_BYTES    (64u << 10)
#define KT_LINGER_MS     500u
#define KT_ENQUIRE_MS    1000u /* an old link asked whether it lives has so long */
#define KT_REDIAL_MS_MIN 100u
#define KT_ACCEPT_MS     100u /* after a failed accept (no descriptors left) */

enum kt_place {
    KT_PLACE_STRANGER, /* not yet proved */
    KT_PLACE_WAITING,  /* we dialled, it proved, its welcome is on the way */
    KT_PLACE_UP,
};

struct kt_conn {
    struct kt_links *links;
    uint64_t id;
    struct kt_conn *next; /* in links->conns */
    struct kt_dial *dial; /* NULL: accepted */
    char url[KT_URL_CHARS_MAX];
    uint64_t made_ms;
    nng_stream *stream;
    nng_aio *rx, *tx;
    atomic_int users; /* threads inside: callbacks, senders, the keeper */

    /* under links->mtx */
    enum kt_place place;
    kt_member member;
    bool roster_only;
    uint64_t up_ms;

    /* the receive chain's own */
    struct kt_session session; /* its sending half is under mtx once the session is up */
    struct kt_buf certificate; /* ours, until the session is up */
    struct kt_frames frames;
    struct kt_bytes held; /* a frame the inbox had no room for */
    bool has_held, started, announced;

    /* under mtx */
    pthread_mutex_t mtx;
    bool rx_busy, tx_busy, paused, resume;
    int beginning;        /* operations being begun right now: closing waits for them */
    bool closing, closed; /* asked to end; nng_stream_close was called */
    bool ending;          /* a goodbye was queued: close when it is out, or at end_by_ms */
    bool refused;         /* one side did not want the other: for the state of the dial */
    bool want_room;       /* a send was turned away */
    uint64_t end_by_ms;   /* 0: none */
    int code;             /* why it ended */
    char why[KT_WHY_CHARS_MAX];
    struct kt_buf pending, flight; /* sealed: waiting, and being sent from flight_at on */
    size_t flight_at;

    atomic_uint_fast64_t bytes_in, bytes_out, frames_in, frames_out, last_in_ms, pinged_ms;
    atomic_uint_fast64_t enquire_by_ms; /* 0, or nothing arriving until then ends it */
};

struct kt_dial {
    struct kt_links *links;
    char url[KT_URL_CHARS_MAX];
    nng_stream_dialer *dialer;
    nng_aio *aio;
    bool busy; /* an nng dial is on its way */
    bool cancelled;
    struct kt_conn *conn; /* the one it made, until that is gone */
    uint64_t next_ms, pause_ms, dialled_ms;
    enum kt_dial_state state;
    uint64_t state_since_ms;
    kt_member member;
    uint64_t attempts;
    int last_error;
    char last_error_text[KT_WHY_CHARS_MAX];
};

struct kt_listener {
    struct kt_links *links;
    char url[KT_URL_CHARS_MAX];
    nng_stream_listener *listener;
    nng_aio *aio;
    bool busy;
    uint64_t retry_ms; /* 0, or accept again then */
};

struct kt_round;

struct kt_links {
    struct kt_transport transport; /* first: the port is a view of this */
    struct kt_links_config c;      /* strings and secret not in here */
    uint8_t *session_secret;       /* sodium_malloc */
    pthread_mutex_t mtx;
    pthread_cond_t wake;
    pthread_t keeper;
    bool kicked, stopping;
    struct kt_round *round; /* the keeper's notes */
    struct kt_conn *conns;
    struct kt_conn *slots[KT_LINK_SLOTS];
    uint64_t ids;
    uint64_t turned_away;
    struct kt_dial *dials[KT_PEERS_MAX];
    size_t dials_count;
    struct kt_listener *listeners;
    size_t listeners_count;
};

uint64_t kt_net_now_ms(void); /* CLOCK_MONOTONIC */
void kt_links_kick(struct kt_links *l);

/* conn.c: a stream with a receive chain and gathered sends */

/* Takes the stream (also on failure) and starts receiving; dial: whose, or NULL. */
int kt_conn_start(struct kt_links *l, nng_stream *stream, struct kt_dial *dial, const char *url);
/* Ends it now; the first reason counts. */
void kt_conn_close(struct kt_conn *c, int code, const char *why);
/* Queues bytes that are sealed already, in the handshake. */
int kt_conn_queue(struct kt_conn *c, struct kt_bytes bytes);
/* Ends it once what is queued is out. */
void kt_conn_end(struct kt_conn *c, int code, const char *why, bool refused);
/* A bye on a link that is up, then the end. */
void kt_conn_bye(struct kt_conn *c, int code, const char *why);
void kt_conn_ping(struct kt_conn *c, bool pong);
int kt_conn_send(struct kt_conn *c, struct kt_bytes frame);
void kt_conn_resume(struct kt_conn *c);  /* the keeper's: goes on where the inbox was full */
bool kt_conn_is_idle(struct kt_conn *c); /* it ended and nobody is inside any more: it may be freed */
void kt_conn_enter(struct kt_conn *c);   /* holds it: under links->mtx, or where it is held already */
void kt_conn_leave(struct kt_conn *c);
void kt_conn_free(struct kt_conn *c); /* never from a callback of nng */

/* session.c: one frame of the stream; false ends the receive chain (then the conn is closing) */
enum kt_took { KT_TOOK_ON, KT_TOOK_FULL, KT_TOOK_END };
enum kt_took kt_conn_frame(struct kt_conn *c, uint8_t *frame, size_t len);
enum kt_took kt_conn_deliver(struct kt_conn *c, struct kt_bytes frame);

/* dial.c */
int kt_dial_add(struct kt_links *l, const char *url, char why[KT_WHY_CHARS_MAX]);
void kt_dial_due(struct kt_dial *d, uint64_t now_ms); /* without links->mtx */
uint64_t kt_dial_next_ms(const struct kt_dial *d);
bool kt_links_has(const struct kt_links *l, kt_member member); /* under links->mtx: a link that is up */
void kt_dial_member_up(struct kt_links *l, kt_member member);  /* under links->mtx */
void kt_dial_conn_lost(struct kt_links *l, const struct kt_conn *c, uint64_t now_ms); /* under links->mtx */
void kt_dial_stop(struct kt_dial *d);
void kt_dial_free(struct kt_dial *d);

/* listen.c */
int kt_listener_open(struct kt_listener *n, struct kt_links *l, const char *url, char why[KT_WHY_CHARS_MAX]);
void kt_listener_accept(struct kt_listener *n);
void kt_listener_close(struct kt_listener *n);

/* keeper.c */
struct kt_round *kt_round_new(void); /* free() ends it; NULL: out of memory */
void *kt_keeper(void *links);

#endif
