/* A session between two ends: a clear hello, Noise XX, then sealed frames (DESIGN section 6; PROTOCOL.md, "Session").
 *
 * Pure: no I/O, no clock, no randomness.  Frames go in, frames to send come out, and an event says what happened. Every
 * frame is a be32 length and so many bytes (proto/session/frame.h, KT_FRAMING_BE32); before both sides are known none is longer
 * than KT_HANDSHAKE_FRAME_BYTES_MAX.
 *
 *   dialler                                          acceptor
 *   hello, Noise 1 (e)                     ->        checks the hello; it is the prologue, byte for byte
 *                                          <-        Noise 2 (e, ee, s, es; certificate)
 *   KT_SESSION_PEER: accept or refuse
 *   Noise 3 (s, se; certificate)           ->        KT_SESSION_PEER: accept or refuse
 *                                          <-        welcome (sealed): now both are up
 *
 * Afterwards a frame is one or several Noise messages of at most 65535 bytes, all but the last of full length.  Each
 * plaintext starts with one byte: 0 more of this frame follows, 1 the end of a data frame, 2 the end of a control
 * frame; so nobody on the line can split a frame or join two.  A control frame is one byte (welcome, bye, ping, pong)
 * and, in a bye, the reason (be16, the number of a kt_error without its sign).
 *
 * An acceptor that refuses before it has keys says so in the clear ("KONTNO", be16 reason): a hint for the operator,
 * worth no more than any unauthenticated byte.
 *
 * One thread may take frames while another seals: after KT_SESSION_UP kt_session_take uses the receiving half only,
 * kt_session_seal, _bye, _ping and _pong the sending half only (one thread at a time each). */
#ifndef KT_PROTO_HANDSHAKE_H
#define KT_PROTO_HANDSHAKE_H

#include "proto/ids.h"
#include "proto/session/noise.h"

#define KT_WIRE_VERSION          1u
#define KT_HELLO_BYTES           27u
#define KT_CERTIFICATE_BYTES_MAX 3072u /* so that message 2 fits a handshake frame */
/* A sealed data frame is never longer: the frame, and per Noise message one byte and one tag. */
#define KT_SEALED_FRAME_BYTES_MAX (KT_FRAME_BYTES_MAX + 5u * 17u)

enum kt_role { KT_ROLE_PEER = 1, KT_ROLE_CLIENT = 2 };

/* "KONTOR", lowest and highest version understood (be16 each), cluster (16), role (1) */
struct kt_hello {
    uint16_t version_min, version_max;
    struct kt_cluster cluster;
    enum kt_role role;
};
void kt_hello_encode(const struct kt_hello *h, uint8_t out[KT_HELLO_BYTES]);
/* KT_ETRUNCATED, KT_EOVERSIZE; KT_EMALFORMED: another magic, an empty version range or an unknown role. */
int kt_hello_decode(struct kt_bytes in, struct kt_hello *out) KT_MUST;

struct kt_session_config {
    bool dialler;
    enum kt_role role; /* what the dialler is: said by the dialler, demanded by the acceptor */
    struct kt_cluster cluster;
    uint8_t static_secret[KT_NOISE_KEY_BYTES];
    uint8_t ephemeral_secret[KT_NOISE_KEY_BYTES]; /* fresh random bytes for this session alone */
    struct kt_bytes certificate; /* our payload; borrowed until the session is up; at most KT_CERTIFICATE_BYTES_MAX */
};

enum kt_session_event_kind {
    KT_SESSION_NOTHING, /* go on reading */
    KT_SESSION_PEER,    /* the other side proved its key: now kt_session_accept or kt_session_refuse */
    KT_SESSION_UP,      /* data frames may be sealed (the acceptor is up after kt_session_accept, without this event) */
    KT_SESSION_FRAME,   /* a data frame */
    KT_SESSION_PING,    /* answer with kt_session_pong when there is room */
    KT_SESSION_PONG,
    KT_SESSION_BYE, /* the other side ends the session; `code` is its reason */
};

struct kt_session_event {
    enum kt_session_event_kind kind;
    struct kt_bytes bytes;        /* PEER: the certificate; FRAME: the frame.  Inside the frame given to take */
    const uint8_t *remote_static; /* PEER: 32 bytes, valid as long as the session */
    int code;                     /* BYE: a kt_error */
};

enum kt_session_phase { KT_PHASE_HELLO, KT_PHASE_NOISE, KT_PHASE_JUDGE, KT_PHASE_WELCOME, KT_PHASE_UP, KT_PHASE_OVER };

struct kt_session {
    enum kt_session_phase phase;
    bool dialler;
    enum kt_role role;
    struct kt_cluster cluster;
    struct kt_bytes certificate;
    uint8_t static_secret[KT_NOISE_KEY_BYTES], ephemeral_secret[KT_NOISE_KEY_BYTES];
    uint8_t remote_static[KT_NOISE_KEY_BYTES];
    struct kt_noise noise;
    struct kt_noise_cipher send, receive;
};

/* Begins; a dialler writes its first two frames to `out`.  KT_EOVERSIZE: the certificate is too long. */
int kt_session_start(struct kt_session *s, const struct kt_session_config *c, struct kt_buf *out) KT_MUST;
void kt_session_wipe(struct kt_session *s);

/* Takes one frame (without its length), decrypting in place; appends what must be sent to `out` (also on an error: a
 * refusal in the clear; after KT_SESSION_UP nothing ever).  Any error ends the session: KT_EMALFORMED not our magic, or
 * a frame that has no sense here; KT_EVERSION no version in common; KT_ECLUSTER another organisation; KT_EREFUSED
 * another role than demanded; those of proto/session/noise.h. */
int kt_session_take(struct kt_session *s, uint8_t *frame, size_t len, struct kt_buf *out,
                    struct kt_session_event *event) KT_MUST;

/* After KT_SESSION_PEER. */
int kt_session_accept(struct kt_session *s, struct kt_buf *out) KT_MUST;
void kt_session_refuse(struct kt_session *s, int code, struct kt_buf *out); /* a bye; the session is over */

static inline bool kt_session_is_up(const struct kt_session *s) { return s->phase == KT_PHASE_UP; }

/* Appends a sealed frame, with its length, to `out`.  KT_EOVERSIZE past KT_FRAME_BYTES_MAX; KT_ENOMEM, KT_ELIMIT when
 * `out` is full: the frame was not sent, but its nonces are used, so the session must end. */
int kt_session_seal(struct kt_session *s, struct kt_bytes frame, struct kt_buf *out) KT_MUST;
int kt_session_bye(struct kt_session *s, int code, struct kt_buf *out) KT_MUST;
int kt_session_ping(struct kt_session *s, struct kt_buf *out) KT_MUST;
int kt_session_pong(struct kt_session *s, struct kt_buf *out) KT_MUST;

#endif
