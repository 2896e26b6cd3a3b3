#include "support/proxy/line.h"
#include "support/proxy/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINES_MAX = 4096, BACKLOG = 128, PORT_TRIES = 32 };

struct line {
    struct proxy_source source; /* of the listener */
    struct line *next;
    struct lines *all;
    char name[KT_PROXY_NAME_MAX + 1];
    uint16_t listen_port;
    struct sockaddr_in target;
    enum line_state state;
    int listen_fd;
    struct stream_terms terms; /* what its connections are subject to */
    struct stream *streams;
};

struct lines {
    int epoll_fd;
    unsigned count;
    struct line *first;
};

struct lines *lines_new(int epoll_fd)
{
    struct lines *ls = calloc(1, sizeof *ls);
    if (ls) ls->epoll_fd = epoll_fd;
    return ls;
}

static void on_connect(struct proxy_source *self, uint32_t events)
{
    struct line *l = (struct line *)self;
    (void)events;
    int fd = accept4(l->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) stream_open(&l->streams, &l->terms, fd, &l->target);
}

static void listener_watch(struct line *l, bool on)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &l->source};
    epoll_ctl(l->all->epoll_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l->listen_fd, &ev);
}

static int bound_socket(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) return -1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Linux frees a port it chose itself when a listener is shut down, but keeps one that was asked for by number.  A line
 * must keep its port while it is cut, so a free port is found first and then asked for. */
static int bound_to_free_port(uint16_t *port)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        struct sockaddr_in at;
        socklen_t len = sizeof at;
        int probe = bound_socket(0);
        if (probe < 0) return -1;
        bool known = getsockname(probe, (struct sockaddr *)&at, &len) == 0;
        close(probe);
        int fd = known ? bound_socket(ntohs(at.sin_port)) : -1;
        if (fd >= 0) {
            *port = ntohs(at.sin_port);
            return fd;
        }
    }
    return -1;
}

const char *lines_add(struct lines *ls, const char *name, uint16_t listen_port, const struct sockaddr_in *target,
                      uint16_t *port)
{
    if (!name[0] || strlen(name) > KT_PROXY_NAME_MAX) return "a line's name has 1 to 63 characters";
    if (target->sin_port == 0) return "a line needs a target port";
    if (lines_find(ls, name)) return "there is a line of that name";
    if (ls->count == LINES_MAX) return "too many lines";
    struct line *l = calloc(1, sizeof *l);
    if (!l) return "out of memory";
    l->source.ready = on_connect;
    l->all = ls;
    memcpy(l->name, name, strlen(name) + 1); /* length checked above */
    l->listen_port = listen_port;
    l->target = *target;
    l->terms = (struct stream_terms){.epoll_fd = ls->epoll_fd, .capture_fd = -1};
    l->listen_fd = listen_port ? bound_socket(listen_port) : bound_to_free_port(&l->listen_port);
    if (l->listen_fd < 0 || listen(l->listen_fd, BACKLOG) != 0) {
        if (l->listen_fd >= 0) close(l->listen_fd);
        free(l);
        return "that port cannot be listened on";
    }
    listener_watch(l, true);
    l->next = ls->first;
    ls->first = l;
    ls->count++;
    *port = l->listen_port;
    return NULL;
}

struct line *lines_find(struct lines *ls, const char *name)
{
    struct line *l = ls->first;
    while (l && strcmp(l->name, name) != 0) l = l->next;
    return l;
}

const char *line_cut(struct line *l)
{
    if (l->state == LINE_CUT) return NULL;
    listener_watch(l, false);
    /* On a listener this refuses what comes and resets what waited, while the port stays bound. */
    if (shutdown(l->listen_fd, SHUT_RD) != 0) return "the listener cannot be shut down";
    l->state = LINE_CUT;
    l->terms.hung = false;
    for (struct stream *s = l->streams; s; s = stream_next(s)) stream_reset(s);
    stream_sweep(&l->streams);
    return NULL;
}

const char *line_heal(struct line *l)
{
    if (l->state == LINE_CUT) {
        if (listen(l->listen_fd, BACKLOG) != 0) return "its port cannot be listened on again";
        listener_watch(l, true);
    }
    l->state = LINE_OPEN;
    l->terms.hung = false;
    for (struct stream *s = l->streams; s; s = stream_next(s)) stream_attend(s);
    return NULL;
}

const char *line_hang(struct line *l)
{
    const char *wrong = line_heal(l); /* a cut line that hangs takes connections again, and carries nothing */
    if (wrong) return wrong;
    l->state = LINE_HUNG;
    l->terms.hung = true;
    for (struct stream *s = l->streams; s; s = stream_next(s)) stream_attend(s);
    return NULL;
}

void line_delay(struct line *l, uint32_t one_way_ms) { l->terms.delay_ms = one_way_ms; }

const char *line_capture(struct line *l, const char *path)
{
    int fd = -1;
    if (path && path[0]) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0) return "the capture file cannot be opened";
    }
    if (l->terms.capture_fd >= 0) close(l->terms.capture_fd);
    l->terms.capture_fd = fd;
    return NULL;
}

void lines_list(const struct lines *ls, FILE *out)
{
    static const char *const words[] = {[LINE_OPEN] = "open", [LINE_CUT] = "cut", [LINE_HUNG] = "hung"};
    for (const struct line *l = ls->first; l; l = l->next) {
        unsigned n = 0;
        for (struct stream *s = l->streams; s; s = stream_next(s)) n++;
        fprintf(out, "%s %u %u %s %u %u %llu\n", l->name, l->listen_port, ntohs(l->target.sin_port), words[l->state],
                l->terms.delay_ms, n, (unsigned long long)l->terms.carried_bytes);
    }
}

int lines_timeout_ms(const struct lines *ls)
{
    int least = -1;
    for (const struct line *l = ls->first; l; l = l->next)
        for (struct stream *s = l->streams; s; s = stream_next(s)) {
            int ms = stream_due_ms(s);
            if (ms >= 0 && (least < 0 || ms < least)) least = ms;
        }
    return least;
}

void lines_settle(struct lines *ls)
{
    for (struct line *l = ls->first; l; l = l->next) {
        for (struct stream *s = l->streams; s; s = stream_next(s)) stream_attend(s);
        stream_sweep(&l->streams);
    }
}

void lines_free(struct lines *ls)
{
    if (!ls) return;
    while (ls->first) {
        struct line *l = ls->first;
        ls->first = l->next;
        for (struct stream *s = l->streams; s; s = stream_next(s)) stream_reset(s);
        stream_sweep(&l->streams);
        line_capture(l, NULL);
        close(l->listen_fd);
        free(l);
    }
    free(ls);
}
