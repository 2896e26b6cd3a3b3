#include "client/service.h"
#include "proto/session/frame.h"
#include "proto/session/handshake.h"
#include "proto/limits.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_ID_BIT 0x80000000u
#define READ_BYTES     (64u << 10)

static const uint8_t greeting_out[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0},
                     greeting_in[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};

struct kt_line {
    int fd, err; /* err: the line is over, and why */
    bool noise, greeted;
    uint32_t last_id;
    struct kt_session session;
    struct kt_frames outer, sp;
    struct kt_buf out; /* to be sent from out_at on */
    size_t out_at;
    uint8_t node_key[KT_KEY_BYTES];
};

uint64_t kt_line_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int kt_line_fd(const struct kt_line *l) { return l->fd; }

static int over(struct kt_line *l, int code)
{
    if (!l->err) l->err = code;
    return l->err;
}

/* Until something of `events` is possible. */
static int wait_for(int fd, short events, uint64_t deadline_ms, short *got)
{
    for (;;) {
        uint64_t now_ms = kt_line_now_ms();
        uint64_t left = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
        if (n < 0 && errno != EINTR) return KT_EIO;
        if (n > 0) {
            *got = p.revents;
            return KT_OK;
        }
        if (n == 0 && left <= 60000) return KT_EDEADLINE;
    }
}

/* ---- bytes in ---- */

static int take_peer(struct kt_line *l, const struct kt_session_event *e)
{
    if (sodium_memcmp(e->remote_static, l->node_key, KT_KEY_BYTES) != 0) {
        kt_session_refuse(&l->session, KT_EREFUSED, &l->out);
        return KT_EREFUSED; /* somebody else than the node we were told of */
    }
    int rc = kt_session_accept(&l->session, &l->out);
    kt_frames_limit(&l->outer, KT_SEALED_FRAME_BYTES_MAX, READ_BYTES);
    return rc;
}

/* One frame of the Noise session, where one is here. */
static int take_outer(struct kt_line *l)
{
    uint8_t *frame;
    size_t len;
    struct kt_session_event e;
    int rc = kt_frames_next(&l->outer, &frame, &len);
    if (!rc) rc = kt_session_take(&l->session, frame, len, &l->out, &e);
    if (rc) return rc;
    if (e.kind == KT_SESSION_PEER) return take_peer(l, &e);
    if (e.kind == KT_SESSION_UP) return kt_session_seal(&l->session, KT_BYTES_OF(greeting_out), &l->out);
    if (e.kind == KT_SESSION_FRAME) return kt_frames_push(&l->sp, e.bytes);
    if (e.kind == KT_SESSION_PING) return kt_session_pong(&l->session, &l->out);
    if (e.kind == KT_SESSION_BYE) return e.code ? e.code : KT_EREFUSED;
    return KT_OK;
}

static int take_greeting(struct kt_line *l)
{
    uint8_t *bytes;
    int rc = kt_frames_raw(&l->sp, sizeof greeting_in, &bytes);
    if (rc) return rc;
    if (memcmp(bytes, greeting_in, sizeof greeting_in) != 0) return KT_EMALFORMED;
    l->greeted = true;
    return KT_OK;
}

static int take_reply(struct kt_line *l, uint32_t *id, struct kt_bytes *reply)
{
    uint8_t *message;
    size_t len;
    int rc = kt_frames_next(&l->sp, &message, &len);
    if (rc) return rc;
    struct kt_reader r = kt_reader(kt_bytes(message, len));
    *id = kt_take_be32(&r);
    if (r.err || !(*id & REQUEST_ID_BIT)) return KT_EMALFORMED;
    *reply = kt_bytes(r.at, kt_reader_left(&r));
    return KT_OK;
}

/* What the socket has, once. */
static int read_some(struct kt_line *l)
{
    size_t room;
    uint8_t *to = kt_frames_room(l->noise ? &l->outer : &l->sp, &room);
    if (!to) return KT_ENOMEM;
    ssize_t n = recv(l->fd, to, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return KT_OK;
    if (n <= 0) return l->greeted ? KT_EGONE : KT_EREFUSED; /* it hung up before a word: it does not want us */
    kt_frames_took(l->noise ? &l->outer : &l->sp, (size_t)n);
    return KT_OK;
}

/* ---- bytes out ---- */

static int write_some(struct kt_line *l)
{
    while (l->out_at < l->out.len) {
        ssize_t n = send(l->fd, l->out.data + l->out_at, l->out.len - l->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return KT_OK;
        if (n < 0) return l->greeted ? KT_EGONE : KT_EREFUSED;
        l->out_at += (size_t)n;
    }
    kt_buf_clear(&l->out);
    l->out_at = 0;
    return KT_OK;
}

/* One turn of waiting: writes while there is something to write, and takes in what comes, as far as it fits. */
static int turn(struct kt_line *l, uint64_t deadline_ms)
{
    int rc = write_some(l);
    short events = (short)((kt_frames_full(&l->sp) ? 0 : POLLIN) | (l->out.len ? POLLOUT : 0)), got = 0;
    if (!rc) rc = wait_for(l->fd, events, deadline_ms, &got);
    if (!rc && got & (POLLIN | POLLHUP | POLLERR)) rc = read_some(l);
    return rc;
}

/* ---- connecting ---- */

static int finish_connect(int fd, uint64_t deadline_ms)
{
    short got;
    int err = 0;
    socklen_t len = sizeof err;
    int rc = wait_for(fd, POLLOUT, deadline_ms, &got);
    if (rc) return rc;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) || err ? KT_EUNREACHABLE : KT_OK;
}

static int connect_socket(int fd, const struct sockaddr *sa, socklen_t len, uint64_t deadline_ms)
{
    for (;;) {
        if (connect(fd, sa, len) == 0) return KT_OK;
        if (errno == EINPROGRESS) return finish_connect(fd, deadline_ms);
        if (errno != EAGAIN && errno != EINTR) return KT_EUNREACHABLE;
        if (kt_line_now_ms() >= deadline_ms) return KT_EDEADLINE; /* a unix socket with a full queue */
        poll(NULL, 0, 1);
    }
}

static int connect_local(struct kt_line *l, const char *path, uint64_t deadline_ms)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (!*path || strlen(path) >= sizeof sa.sun_path) return KT_EINVAL;
    memcpy(sa.sun_path, path, strlen(path) + 1);
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0) return KT_EIO;
    return connect_socket(l->fd, (struct sockaddr *)&sa, sizeof sa, deadline_ms);
}

static int connect_tcp(struct kt_line *l, const char *address, uint64_t deadline_ms)
{
    char host[KT_URL_CHARS_MAX];
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || !colon[1] || strlen(address) >= sizeof host) return KT_EINVAL;
    bool bracketed = address[0] == '[' && colon[-1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(colon - address) - 2 * bracketed, address + bracketed);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    if (getaddrinfo(host, colon + 1, &hints, &list)) return KT_EUNREACHABLE;
    int rc = KT_EUNREACHABLE, on = 1;
    for (struct addrinfo *ai = list; ai && rc && rc != KT_EDEADLINE; ai = ai->ai_next) {
        if (l->fd >= 0) close(l->fd);
        l->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        rc = l->fd < 0 ? KT_EIO : connect_socket(l->fd, ai->ai_addr, ai->ai_addrlen, deadline_ms);
    }
    freeaddrinfo(list);
    if (!rc) setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return rc;
}

static int start_session(struct kt_line *l, const struct kt_line_config *c)
{
    if (!l->noise) {
        kt_buf_put(&l->out, KT_BYTES_OF(greeting_out));
        return l->out.err;
    }
    struct kt_session_config sc = {.dialler = true, .role = KT_ROLE_CLIENT, .cluster = c->cluster};
    memcpy(sc.static_secret, c->secret, sizeof sc.static_secret);
    randombytes_buf(sc.ephemeral_secret, sizeof sc.ephemeral_secret);
    int rc = kt_session_start(&l->session, &sc, &l->out);
    sodium_memzero(&sc, sizeof sc);
    return rc;
}

static int greet(struct kt_line *l, uint64_t deadline_ms)
{
    int rc = KT_OK;
    while (!rc && !l->greeted) {
        rc = take_greeting(l);
        if (rc == KT_EAGAIN && l->noise) rc = take_outer(l);
        if (rc == KT_EAGAIN) rc = turn(l, deadline_ms);
    }
    return rc ? rc : write_some(l);
}

static struct kt_line *line_new(const struct kt_line_config *c, bool noise)
{
    struct kt_line *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->fd = -1;
    l->noise = noise;
    if (noise) memcpy(l->node_key, c->node_key, sizeof l->node_key);
    kt_buf_init(&l->out, 2 * KT_REQUEST_BYTES_MAX + KT_SEALED_FRAME_BYTES_MAX);
    kt_frames_init(&l->outer, KT_FRAMING_BE32, KT_HANDSHAKE_FRAME_BYTES_MAX);
    kt_frames_init(&l->sp, noise ? KT_FRAMING_BE64 : KT_FRAMING_SP_IPC, KT_REPLY_BYTES_MAX + 4);
    if (!noise) kt_frames_limit(&l->sp, l->sp.bytes_max, 4096);
    return l;
}

int kt_line_open(const struct kt_line_config *c, struct kt_line **out)
{
    bool local = strncmp(c->url, "ipc://", 6) == 0, tcp = strncmp(c->url, "tcp://", 6) == 0;
    if ((!local && !tcp) || (tcp && (!c->secret || !c->node_key))) return KT_EINVAL;
    if (sodium_init() < 0) return KT_EIO;
    struct kt_line *l = line_new(c, tcp);
    if (!l) return KT_ENOMEM;
    int rc = (local ? connect_local : connect_tcp)(l, c->url + 6, c->deadline_ms);
    if (!rc) rc = start_session(l, c);
    if (!rc) rc = greet(l, c->deadline_ms);
    if (rc) {
        kt_line_close(l);
        return rc;
    }
    *out = l;
    return KT_OK;
}

void kt_line_close(struct kt_line *l)
{
    if (!l) return;
    if (l->fd >= 0) close(l->fd);
    kt_session_wipe(&l->session);
    kt_frames_free(&l->outer);
    kt_frames_free(&l->sp);
    kt_buf_free(&l->out);
    free(l);
}

/* ---- requests and replies ---- */

static int put_stream(struct kt_line *l, struct kt_bytes bytes)
{
    if (!l->noise) {
        kt_buf_put(&l->out, bytes);
        return l->out.err;
    }
    int rc = KT_OK;
    while (!rc && bytes.len) {
        size_t n = bytes.len < KT_FRAME_BYTES_MAX ? bytes.len : KT_FRAME_BYTES_MAX;
        rc = kt_session_seal(&l->session, kt_bytes(bytes.data, n), &l->out);
        bytes = kt_bytes(bytes.data + n, bytes.len - n);
    }
    return rc;
}

/* Frames of the session become bytes of SP, as far as they fit. */
static int absorb(struct kt_line *l)
{
    int rc = KT_OK;
    while (!rc && l->noise && !kt_frames_full(&l->sp)) rc = take_outer(l);
    return rc == KT_EAGAIN ? KT_OK : rc;
}

/* Until all is out.  Replies that arrive meanwhile are kept, so that two ends that only write do not wait for each
 * other. */
static int drain(struct kt_line *l, uint64_t deadline_ms)
{
    int rc = write_some(l);
    while (!rc && l->out.len) {
        rc = turn(l, deadline_ms);
        if (!rc) rc = absorb(l);
    }
    return rc;
}

int kt_line_send(struct kt_line *l, struct kt_bytes request, uint64_t deadline_ms, uint32_t *id)
{
    if (l->err) return l->err;
    if (request.len > KT_REQUEST_BYTES_MAX) return KT_EOVERSIZE;
    struct kt_buf head;
    kt_buf_init(&head, 64);
    l->last_id = (l->last_id + 1) & ~REQUEST_ID_BIT;
    kt_frame_header(&head, l->sp.framing, 4 + request.len);
    kt_buf_be32(&head, REQUEST_ID_BIT | l->last_id);
    int rc = head.err ? head.err : put_stream(l, kt_buf_bytes(&head));
    kt_buf_free(&head);
    if (!rc) rc = put_stream(l, request);
    if (!rc) rc = drain(l, deadline_ms);
    if (rc) return over(l, rc);
    *id = REQUEST_ID_BIT | l->last_id;
    return KT_OK;
}

int kt_line_receive(struct kt_line *l, uint64_t deadline_ms, uint32_t *id, struct kt_bytes *reply)
{
    for (;;) {
        int rc = take_reply(l, id, reply); /* what came before the line ended still counts */
        if (rc == KT_EAGAIN && l->err) return l->err;
        if (rc == KT_EAGAIN && l->noise)
            rc = take_outer(l);
        else if (!rc)
            return KT_OK;
        if (rc == KT_EAGAIN) rc = turn(l, deadline_ms);
        if (rc == KT_EDEADLINE) return rc;
        if (rc) return over(l, rc);
    }
}
