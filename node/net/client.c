/* One client's connection: SP messages, plain over a unix socket, inside a Noise session over TCP. */
#include "net/serving.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES     4096u              /* at least so much room for a read */
#define KEEP_BYTES     (256u << 10)       /* of an empty `out` */
#define BEHIND_BYTES   KT_REPLY_BYTES_MAX /* so much unread by the client: no more requests are read */
#define REQUEST_ID_BIT 0x80000000u

/* nng's greeting (SP over TCP and IPC): REQ is protocol 0x30, REP 0x31. */
static const uint8_t greeting_out[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0},
                     greeting_in[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

static size_t waiting(const struct kt_client *c) { return c->out.len - c->out_at; }

static bool may_read(const struct kt_client *c)
{
    return !c->doomed && !c->ending && c->in_flight < KT_REQUESTS_IN_FLIGHT_MAX && waiting(c) <= BEHIND_BYTES;
}

uint32_t kt_client_interest(const struct kt_client *c)
{
    /* one that was stopped with requests left wants a turn, whatever its socket has: writable comes at once */
    return (may_read(c) ? EPOLLIN : 0u) | (waiting(c) || (c->stalled && may_read(c)) ? EPOLLOUT : 0u);
}

/* ---- out ---- */

static void flush(struct kt_client *c)
{
    while (!c->doomed && waiting(c)) {
        ssize_t n = send(c->fd, c->out.data + c->out_at, waiting(c), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n < 0)
            c->doomed = true;
        else
            c->out_at += (size_t)n;
    }
    c->out_at = 0;
    if (c->out.cap > KEEP_BYTES)
        kt_buf_free(&c->out);
    else
        kt_buf_clear(&c->out);
    if (c->ending) c->doomed = true;
}

/* Bytes of the SP stream, sealed where the line is not the host's own. */
static int put_stream(struct kt_client *c, struct kt_bytes bytes)
{
    if (!c->noise) {
        kt_buf_put(&c->out, bytes);
        return c->out.err;
    }
    int rc = KT_OK;
    while (!rc && bytes.len) {
        size_t n = bytes.len < KT_FRAME_BYTES_MAX ? bytes.len : KT_FRAME_BYTES_MAX;
        rc = kt_session_seal(&c->session, kt_bytes(bytes.data, n), &c->out);
        bytes = kt_bytes(bytes.data + n, bytes.len - n);
    }
    return rc;
}

/* What has gone makes room before more is added. */
static void compact(struct kt_client *c)
{
    if (!c->out_at || c->out_at < c->out.len / 2) return;
    memmove(c->out.data, c->out.data + c->out_at, waiting(c));
    c->out.len -= c->out_at;
    c->out_at = 0;
}

int kt_client_reply(struct kt_client *c, const struct kt_client_ref *to, struct kt_bytes reply)
{
    if (c->doomed || c->ending) return KT_EGONE;
    if (c->in_flight) c->in_flight--;
    struct kt_buf head;
    kt_buf_init(&head, 64);
    kt_frame_header(&head, c->sp.framing, to->words * 4 + reply.len);
    for (uint32_t i = 0; i < to->words; i++) kt_buf_be32(&head, to->backtrace[i]);
    compact(c);
    int rc = head.err;
    if (!rc && c->noise && reply.len + head.len <= KT_FRAME_BYTES_MAX) { /* one frame rather than two */
        struct kt_buf whole;
        kt_buf_init(&whole, KT_FRAME_BYTES_MAX);
        kt_buf_put(&whole, kt_buf_bytes(&head));
        kt_buf_put(&whole, reply);
        rc = whole.err ? whole.err : put_stream(c, kt_buf_bytes(&whole));
        kt_buf_free(&whole);
    } else if (!rc) {
        rc = put_stream(c, kt_buf_bytes(&head));
        if (!rc) rc = put_stream(c, reply);
    }
    kt_buf_free(&head);
    if (rc) c->doomed = true; /* half a message may be in there; KT_ELIMIT: it does not read its replies */
    if (rc == KT_ELIMIT) atomic_fetch_add(&c->service->turned_away, 1);
    if (!c->running && !rc) flush(c);
    return rc == KT_ELIMIT ? KT_EGONE : rc;
}

/* ---- in ---- */

static void misbehaved(struct kt_client *c)
{
    c->doomed = true;
    atomic_fetch_add(&c->service->turned_away, 1);
}

static void take_message(struct kt_client *c, struct kt_bytes message)
{
    struct kt_client_ref from = {.client = c->id};
    struct kt_reader r = kt_reader(message);
    do {
        if (from.words == KT_BACKTRACE_WORDS_MAX) {
            misbehaved(c);
            return;
        }
        from.backtrace[from.words++] = kt_take_be32(&r);
    } while (!r.err && !(from.backtrace[from.words - 1] & REQUEST_ID_BIT));
    if (r.err) {
        misbehaved(c);
        return;
    }
    c->in_flight++;
    c->service->c.on_request(c->service->c.ctx, from, &c->who, kt_bytes(r.at, kt_reader_left(&r)));
}

static int take_greeting(struct kt_client *c)
{
    uint8_t *bytes;
    int rc = kt_frames_raw(&c->sp, sizeof greeting_in, &bytes);
    if (rc) return rc;
    if (memcmp(bytes, greeting_in, sizeof greeting_in) != 0) return KT_EMALFORMED;
    c->greeted = true;
    c->service->newcomers--;
    return KT_OK;
}

/* One step of the SP stream; KT_EAGAIN: more bytes are needed. */
static int take_sp(struct kt_client *c)
{
    if (!c->greeted) return take_greeting(c);
    uint8_t *message;
    size_t len;
    int rc = kt_frames_next(&c->sp, &message, &len);
    if (!rc) take_message(c, kt_bytes(message, len));
    return rc;
}

static void admit_by_key(struct kt_client *c, const struct kt_session_event *e)
{
    struct kt_service *s = c->service;
    int rc = s->c.admit_key ? s->c.admit_key(s->c.ctx, e->remote_static, &c->who) : KT_EREFUSED;
    if (rc) {
        kt_session_refuse(&c->session, rc, &c->out);
        c->ending = true;
        atomic_fetch_add(&s->turned_away, 1);
        return;
    }
    rc = kt_session_accept(&c->session, &c->out);
    if (!rc) rc = put_stream(c, KT_BYTES_OF(greeting_out));
    kt_frames_limit(&c->outer, KT_SEALED_FRAME_BYTES_MAX, READ_BYTES);
    kt_buf_free(&c->certificate);
    c->doomed |= rc != KT_OK;
}

/* One step of the Noise stream around it. */
static int take_outer(struct kt_client *c)
{
    uint8_t *frame;
    size_t len;
    struct kt_session_event e;
    int rc = kt_frames_next(&c->outer, &frame, &len);
    if (rc) return rc;
    rc = kt_session_take(&c->session, frame, len, &c->out, &e);
    if (rc) {
        c->ending = waiting(c) > 0; /* a refusal in the clear, perhaps */
        return rc;
    }
    if (e.kind == KT_SESSION_PEER) admit_by_key(c, &e);
    if (e.kind == KT_SESSION_FRAME) return kt_frames_push(&c->sp, e.bytes);
    if (e.kind == KT_SESSION_PING) return kt_session_pong(&c->session, &c->out);
    if (e.kind == KT_SESSION_BYE) c->doomed = true;
    return KT_OK;
}

/* All that is here, as far as the client may go on. */
static void run(struct kt_client *c)
{
    int rc = KT_OK;
    c->running = true;
    c->stalled = false;
    while (!rc && may_read(c)) {
        rc = take_sp(c);
        if (rc == KT_EAGAIN && c->noise) rc = take_outer(c);
    }
    c->running = false;
    c->stalled = !rc;
    if (rc && rc != KT_EAGAIN) {
        atomic_fetch_add(&c->service->turned_away, 1);
        if (!c->ending) c->doomed = true;
    }
    flush(c);
}

void kt_client_readable(struct kt_client *c)
{
    struct kt_frames *in = c->noise ? &c->outer : &c->sp;
    size_t room;
    if (c->stalled) return; /* what is here comes first */
    uint8_t *to = kt_frames_room(in, &room);
    ssize_t n = to ? recv(c->fd, to, room, 0) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        c->doomed = true;
        return;
    }
    kt_frames_took(in, (size_t)n);
    run(c);
}

void kt_client_writable(struct kt_client *c)
{
    flush(c);
    if (may_read(c)) run(c); /* what came in while it was behind */
}

/* ---- beginning and end ---- */

static int admit_local(struct kt_client *c)
{
    struct kt_service *s = c->service;
    struct ucred who;
    socklen_t len = sizeof who;
    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &len)) return KT_EIO;
    int rc = s->c.admit_local ? s->c.admit_local(s->c.ctx, who.uid, who.gid, who.pid, &c->who) : KT_EREFUSED;
    return rc ? rc : put_stream(c, KT_BYTES_OF(greeting_out));
}

static int start_noise(struct kt_client *c)
{
    struct kt_service *s = c->service;
    struct kt_session_config sc = {.dialler = false, .role = KT_ROLE_CLIENT, .cluster = s->c.cluster};
    int rc = s->c.certificate ? s->c.certificate(s->c.ctx, &c->certificate) : KT_OK;
    sc.certificate = kt_buf_bytes(&c->certificate);
    memcpy(sc.static_secret, s->session_secret, sizeof sc.static_secret);
    randombytes_buf(sc.ephemeral_secret, sizeof sc.ephemeral_secret);
    if (!rc) rc = kt_session_start(&c->session, &sc, &c->out);
    sodium_memzero(&sc, sizeof sc);
    return rc;
}

int kt_client_new(struct kt_service *s, int fd, bool local, struct kt_client **out)
{
    struct kt_client *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return KT_ENOMEM;
    }
    c->service = s;
    c->fd = fd;
    c->noise = !local;
    c->made_ms = kt_service_now_ms();
    kt_buf_init(&c->out, KT_CLIENT_QUEUE_BYTES_MAX);
    kt_buf_init(&c->certificate, KT_CERTIFICATE_BYTES_MAX);
    kt_frames_init(&c->outer, KT_FRAMING_BE32, KT_HANDSHAKE_FRAME_BYTES_MAX);
    kt_frames_init(&c->sp, local ? KT_FRAMING_SP_IPC : KT_FRAMING_BE64,
                   KT_REQUEST_BYTES_MAX + 4 * KT_BACKTRACE_WORDS_MAX);
    if (local) kt_frames_limit(&c->sp, c->sp.bytes_max, READ_BYTES);
    int rc = local ? admit_local(c) : start_noise(c);
    if (rc) {
        kt_client_free(c);
        return rc;
    }
    s->newcomers++;
    flush(c);
    *out = c;
    return KT_OK;
}

void kt_client_free(struct kt_client *c)
{
    close(c->fd);
    kt_session_wipe(&c->session);
    kt_frames_free(&c->outer);
    kt_frames_free(&c->sp);
    kt_buf_free(&c->out);
    kt_buf_free(&c->certificate);
    free(c);
}
