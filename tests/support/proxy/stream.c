#include "support/proxy/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024 };

struct chunk {
    struct chunk *next;
    uint64_t due_ms;
    size_t at, len;
    uint8_t data[];
};

/* One of the two sockets, with what waits to be sent to it. */
struct end {
    struct proxy_source source;
    struct stream *stream;
    int fd;
    uint32_t watched; /* events registered; 0: not in the epoll set, because a hang-up is reported to whoever is */
    bool blocked;     /* the last send filled its socket */
    bool read_all;    /* its sender has ended */
    bool told_end;    /* it was told that the other sender has ended */
    struct chunk *first, **last;
    size_t queued_bytes;
};

struct stream {
    struct stream *next;
    struct stream_terms *terms;
    struct end end[2]; /* who dialled us, whom we dialled */
    bool connecting, ended;
};

static uint64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static struct end *other(struct end *e) { return &e->stream->end[e == &e->stream->end[0]]; }

static void watch(struct end *e, uint32_t events)
{
    if (events == e->watched) return;
    struct epoll_event ev = {.events = events, .data.ptr = &e->source};
    epoll_ctl(e->stream->terms->epoll_fd,
              !events      ? EPOLL_CTL_DEL
              : e->watched ? EPOLL_CTL_MOD
                           : EPOLL_CTL_ADD,
              e->fd, &ev);
    e->watched = events;
}

static void capture(struct stream_terms *terms, const uint8_t *data, size_t len)
{
    terms->carried_bytes += len;
    while (terms->capture_fd >= 0 && len > 0) {
        ssize_t n = write(terms->capture_fd, data, len);
        if (n <= 0) { /* a capture with a hole would prove nothing: better none, and the tests that read it fail */
            close(terms->capture_fd);
            terms->capture_fd = -1;
            return;
        }
        data += n;
        len -= (size_t)n;
    }
}

/* Reads once from `from` and queues it for the other end. */
static void take(struct end *from)
{
    uint8_t bytes[READ_BYTES];
    struct end *to = other(from);
    ssize_t n = recv(from->fd, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) {
        stream_reset(from->stream);
        return;
    }
    if (n == 0) {
        from->read_all = true;
        return;
    }
    struct chunk *c = malloc(sizeof *c + (size_t)n);
    if (!c) {
        stream_reset(from->stream);
        return;
    }
    *c = (struct chunk){.due_ms = clock_ms() + from->stream->terms->delay_ms, .len = (size_t)n};
    memcpy(c->data, bytes, (size_t)n);
    capture(from->stream->terms, c->data, c->len);
    *to->last = c;
    to->last = &c->next;
    to->queued_bytes += c->len;
}

static void give(struct end *to, uint64_t now_ms)
{
    while (to->first && to->first->due_ms <= now_ms) {
        struct chunk *c = to->first;
        ssize_t n = send(to->fd, c->data + c->at, c->len - c->at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) {
            to->blocked = true;
            return;
        }
        if (n < 0) {
            stream_reset(to->stream);
            return;
        }
        to->queued_bytes -= (size_t)n;
        c->at += (size_t)n;
        if (c->at < c->len) continue;
        to->first = c->next;
        if (!to->first) to->last = &to->first;
        free(c);
    }
}

static void on_event(struct proxy_source *self, uint32_t events)
{
    struct end *e = (struct end *)self;
    struct stream *s = e->stream;
    if (s->ended || s->terms->hung) return; /* ended, or hung, earlier in the same round */
    if (events & EPOLLOUT) {
        e->blocked = false;
        if (s->connecting && e == &s->end[1]) {
            int wrong = 0;
            socklen_t len = sizeof wrong;
            if (getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &wrong, &len) != 0 || wrong) {
                stream_reset(s);
                return;
            }
            s->connecting = false;
        }
    }
    if (!e->read_all && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) take(e);
    stream_attend(s);
}

void stream_attend(struct stream *s)
{
    uint64_t now = clock_ms();
    for (int i = 0; i < 2 && !s->ended; i++) {
        struct end *e = &s->end[i], *from = other(e);
        if (s->terms->hung) {
            watch(e, 0);
            continue;
        }
        bool dialling = s->connecting && i == 1;
        if (!dialling && !e->blocked) give(e, now);
        if (s->ended) return;
        if (!dialling && !e->first && from->read_all && !e->told_end) {
            shutdown(e->fd, SHUT_WR);
            e->told_end = true;
        }
    }
    if (s->ended || s->terms->hung) return;
    if (s->end[0].told_end && s->end[1].told_end) {
        for (int i = 0; i < 2; i++) close(s->end[i].fd);
        s->ended = true;
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct end *e = &s->end[i];
        bool room = !e->read_all && other(e)->queued_bytes < KT_PROXY_QUEUE_BYTES;
        bool full = e->blocked || (s->connecting && i == 1);
        watch(e, (room ? EPOLLIN : 0u) | (full ? EPOLLOUT : 0u));
    }
}

int stream_due_ms(const struct stream *s)
{
    if (s->ended || s->terms->hung) return -1;
    uint64_t now = clock_ms();
    int least = -1;
    for (int i = 0; i < 2; i++) {
        const struct end *e = &s->end[i];
        if (!e->first || e->blocked || (s->connecting && i == 1)) continue;
        int ms = e->first->due_ms <= now ? 0 : (int)(e->first->due_ms - now);
        if (least < 0 || ms < least) least = ms;
    }
    return least;
}

void stream_reset(struct stream *s)
{
    if (s->ended) return;
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    for (int i = 0; i < 2; i++) {
        setsockopt(s->end[i].fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(s->end[i].fd); /* leaves the epoll set with it */
    }
    s->ended = true;
}

struct stream *stream_next(const struct stream *s) { return s->next; }

void stream_sweep(struct stream **list)
{
    for (struct stream **at = list; *at;) {
        struct stream *s = *at;
        if (!s->ended) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        for (int i = 0; i < 2; i++)
            for (struct chunk *c = s->end[i].first, *next; c; c = next) {
                next = c->next;
                free(c);
            }
        free(s);
    }
}

void stream_open(struct stream **list, struct stream_terms *terms, int accepted_fd, const struct sockaddr_in *target)
{
    struct stream *s = calloc(1, sizeof *s);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (!s || fd < 0) {
        if (fd >= 0) close(fd);
        close(accepted_fd);
        free(s);
        return;
    }
    s->terms = terms;
    int fds[2] = {accepted_fd, fd};
    for (int i = 0; i < 2; i++) {
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a proxy adds no wait of its own */
        s->end[i] = (struct end){.source = {on_event}, .stream = s, .fd = fds[i]};
        s->end[i].last = &s->end[i].first;
    }
    s->next = *list;
    *list = s;
    int rc = connect(fd, (const struct sockaddr *)target, sizeof *target);
    s->connecting = rc != 0;
    if (rc != 0 && errno != EINPROGRESS)
        stream_reset(s);
    else
        stream_attend(s);
}
