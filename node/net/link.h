/* Peer links: one authenticated session per pair of nodes, over nng's stream API (tcp://, ws://, tls+tcp:// by URL).
 *
 * Either side may dial.  A dialled URL is tried for ever: again within 300 ms at first and after a link that stood,
 * then with growing, jittered times from attempt to attempt, up to redial_ms_max; not while a link to the member
 * behind it stands.  Where two links to one member meet, both ends keep the same one (node/net/register.h says which).
 * A link ends when nothing arrived for KT_LINK_SILENT_MS (it pings on its own), at KT_SESSION_BYTES_MAX or KT_SESSION_MS_MAX (then it is
 * dialled again at once), when either side closes it, or when the line fails.  Before the other side is known it costs
 * at most KT_HANDSHAKE_FRAME_BYTES_MAX of memory and KT_HANDSHAKE_MS_MAX of time, and at most half_open_max such
 * strangers are kept: the one silent for longest goes first.
 *
 * Threads: every function may be called from any thread, but not from within a callback, kt_links_close from one only.
 * Callbacks come from nng's threads and from one of our own; those of one link one after the other, those of different
 * links at the same time.  They must not block and must not call back into kt_links: they push to a queue.
 *
 * What nng's own code taught (1.5.2 and 1.10): a stream is freed only when its operations are done and never from a
 * callback (github.com/nanomsg/nng issues 1138, 1313, 1506); a receive begun on a closed stream never ends, so
 * beginning and closing exclude each other; no timeouts and no aborts on operations, closing ends them. */
#ifndef KT_NET_LINK_H
#define KT_NET_LINK_H

#include "ports/transport.h"
#include "proto/ids.h"
#include "proto/limits.h"

/* What becomes of links.  For each link: on_up once, then on_frame in order, then on_down once.  A link that replaces
 * another of the same member may come up before the other's on_down. */
struct kt_links_inbox {
    void *ctx;
    /* roster_only: as verify said.  url: the one dialled, or where the other side came from; borrowed. */
    void (*on_up)(void *ctx, uint64_t link, kt_member member, bool roster_only, bool dialled, const char *url);
    /* false: no room (KT_INBOX_FRAMES_MAX); the frame was not taken and comes again after kt_links_resume.  Until then
     * nothing more is read from that link.  The frame is borrowed. */
    bool (*on_frame)(void *ctx, uint64_t link, struct kt_bytes frame);
    /* code: why, as a kt_error; why: in words, borrowed. */
    void (*on_down)(void *ctx, uint64_t link, int code, const char *why);
    /* May be NULL.  After a send that gave KT_EAGAIN: there is room again. */
    void (*on_room)(void *ctx, uint64_t link);
};

struct kt_links_config {
    const char *const *listen, *const *dial; /* URLs, copied */
    size_t listen_count, dial_count;
    struct kt_cluster cluster;
    kt_member member;                     /* our own */
    uint8_t session_secret[KT_KEY_BYTES]; /* X25519; copied into locked memory */
    void *ctx;                            /* of the two callbacks that follow */
    /* Appends our certificate as it is now (at most KT_CERTIFICATE_BYTES_MAX). */
    int (*certificate)(void *ctx, struct kt_buf *out);
    /* Judges the other side, before any byte it says beyond this is looked at: whose certificate it is, and that its
     * static key is `key`.  KT_OK, *member and *roster_only, or the code it is refused with. */
    int (*verify)(void *ctx, struct kt_bytes certificate, const uint8_t key[KT_KEY_BYTES], kt_member *member,
                  bool *roster_only);
    struct kt_links_inbox inbox;
    uint32_t redial_ms_max;        /* 0: KT_REDIAL_MS_DEFAULT; at most KT_REDIAL_MS_MAX */
    uint32_t half_open_max;        /* 0: KT_HALF_OPEN_MAX */
    uint64_t session_bytes_max;    /* 0: KT_SESSION_BYTES_MAX */
    uint32_t session_ms_max;       /* 0: KT_SESSION_MS_MAX */
    uint32_t silent_ms;            /* 0: KT_LINK_SILENT_MS; a third of it without a byte makes a ping */
    const char *tls_cert_key_file; /* PEM, for listening on tls+tcp://; NULL: none.  TLS is an envelope only: Noise */
    const char *tls_ca_file;       /* inside proves who speaks; with NULL a dialler takes any TLS certificate */
};

struct kt_links;

/* Starts listening and dialling.  KT_ECONFIG: a URL nng does not take; KT_EUNREACHABLE: one that cannot be listened on
 * (in use); KT_ENOMEM.  On failure nothing is left running and *out is NULL; else *out is set before the first callback
 * comes.  `why` gets one line for the operator. */
int kt_links_open(const struct kt_links_config *c, struct kt_links **out, char why[KT_WHY_CHARS_MAX]) KT_MUST;
/* Says goodbye on every link, gives each its on_down, waits until every callback has returned and frees everything.
 * nng closes the last descriptors on a thread of its own within moments.  No other call may be under way or follow.
 * NULL is nothing. */
void kt_links_close(struct kt_links *l);

/* The port of the engine: sends to and closes links of `l`, lives as long. */
struct kt_transport *kt_links_transport(struct kt_links *l);

/* There is room for frames of this link again (on_frame had said false). */
void kt_links_resume(struct kt_links *l, uint64_t link);
/* One more URL to dial from now on.  KT_ECONFIG, KT_ENOMEM, KT_ELIMIT (KT_PEERS_MAX). */
int kt_links_dial(struct kt_links *l, const char *url) KT_MUST;
/* The URL of listener i with the port it really has, NUL-terminated.  KT_ENOTFOUND. */
int kt_links_listen_url(struct kt_links *l, size_t i, char out[KT_URL_CHARS_MAX]) KT_MUST;

/* For status pages: copies, at most `max` of them; the return is how many were written. */
struct kt_link_info {
    uint64_t link;
    kt_member member;
    bool dialled, roster_only, paused; /* paused: its inbox is full, nothing is read */
    char url[KT_URL_CHARS_MAX];
    uint64_t up_ms, silent_ms; /* how long it stands; since when nothing arrived */
    uint64_t bytes_in, bytes_out, frames_in, frames_out, queued_bytes;
};
size_t kt_links_list(struct kt_links *l, struct kt_link_info *out, size_t max);

enum kt_dial_state {
    KT_DIAL_DIALLING, /* trying, or waiting to try again */
    KT_DIAL_LINKED,   /* a link to the member behind this URL stands, whoever dialled it */
    KT_DIAL_REFUSED,  /* the last attempt reached somebody, and one side refused the other */
};
struct kt_dial_info {
    char url[KT_URL_CHARS_MAX];
    enum kt_dial_state state;
    kt_member member;  /* who answered last at this URL; 0: nobody yet */
    uint64_t state_ms; /* since when it is in this state */
    uint64_t attempts;
    int last_error; /* of the last attempt or link that failed; KT_OK: none did */
    char last_error_text[KT_WHY_CHARS_MAX];
};
size_t kt_links_dials(struct kt_links *l, struct kt_dial_info *out, size_t max);

/* Strangers now (half open), refused or timed out since the start. */
void kt_links_strangers(struct kt_links *l, uint64_t *now, uint64_t *turned_away);

#endif
