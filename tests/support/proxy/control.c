#include "support/proxy/control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { COMMAND_BYTES = 4608, WORDS_MAX = 5 };

struct client {
    struct proxy_source source;
    struct client *next;
    struct control *control;
    int fd; /* -1: left */
    size_t len;
    char text[COMMAND_BYTES];
};

struct control {
    struct proxy_source source; /* of the listener */
    int epoll_fd, fd;
    const char *path;
    struct lines *lines;
    bool *quit;
    struct client *clients;
};

static bool number(const char *text, unsigned long max, unsigned long *out)
{
    char *end;
    if (text[0] < '0' || text[0] > '9') return false;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno || *end || n > max) return false;
    *out = n;
    return true;
}

static const char *do_line(struct control *c, char **w, FILE *out)
{
    unsigned long listen_port, target_port;
    uint16_t port;
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char *colon = strchr(w[3], ':');
    if (colon) *colon = 0;
    if (colon && inet_pton(AF_INET, w[3], &target.sin_addr) != 1) return "a target is PORT or ADDRESS:PORT";
    if (!number(w[2], 65535, &listen_port) || !number(colon ? colon + 1 : w[3], 65535, &target_port))
        return "a port is a number up to 65535";
    target.sin_port = htons((uint16_t)target_port);
    const char *wrong = lines_add(c->lines, w[1], (uint16_t)listen_port, &target, &port);
    if (!wrong) fprintf(out, "ok %u\n", port);
    return wrong;
}

static const char *do_delay(struct line *l, char **w)
{
    unsigned long ms;
    if (!number(w[2], 60000, &ms)) return "a delay is a number of ms up to 60000";
    line_delay(l, (uint32_t)ms);
    return NULL;
}

static const char *do_cut(struct line *l, char **w) { return (void)w, line_cut(l); }
static const char *do_hang(struct line *l, char **w) { return (void)w, line_hang(l); }
static const char *do_heal(struct line *l, char **w) { return (void)w, line_heal(l); }
static const char *do_capture(struct line *l, char **w) { return line_capture(l, w[2]); }

static const struct {
    const char *name;
    int words_min, words_max;
    const char *(*run)(struct line *l, char **w);
} line_commands[] = {
    {"cut", 2, 2, do_cut},     {"hang", 2, 2, do_hang},       {"heal", 2, 2, do_heal},
    {"delay", 3, 3, do_delay}, {"capture", 2, 3, do_capture},
};

static const char *obey_line(struct control *c, int n, char **w)
{
    for (size_t i = 0; i < sizeof line_commands / sizeof line_commands[0]; i++) {
        if (strcmp(w[0], line_commands[i].name) != 0) continue;
        if (n < line_commands[i].words_min || n > line_commands[i].words_max) return "wrong number of words";
        struct line *l = lines_find(c->lines, w[1]);
        return l ? line_commands[i].run(l, w) : "no line of that name";
    }
    return "no such command";
}

static void obey(struct control *c, char *text, FILE *out)
{
    char *w[WORDS_MAX + 1] = {NULL}, *rest = NULL;
    int n = 0;
    for (char *t = strtok_r(text, " \t\r\n", &rest); t && n < WORDS_MAX; t = strtok_r(NULL, " \t\r\n", &rest))
        w[n++] = t;
    const char *wrong = NULL;
    if (n == 0)
        wrong = "an empty command";
    else if (strcmp(w[0], "line") == 0 && n == 4) {
        wrong = do_line(c, w, out);
        if (!wrong) return;
    } else if (strcmp(w[0], "list") == 0 && n == 1)
        lines_list(c->lines, out);
    else if (strcmp(w[0], "quit") == 0 && n == 1)
        *c->quit = true;
    else
        wrong = obey_line(c, n, w);
    if (wrong)
        fprintf(out, "error: %s\n", wrong);
    else
        fputs("ok\n", out);
}

static void leave(struct client *k)
{
    if (k->fd >= 0) close(k->fd);
    k->fd = -1;
}

/* Answers one command.  An answer is a few KiB at most and its reader waits for it, so it fits the socket; a client
 * that does not read loses its connection instead of stalling the lines. */
static void answer(struct client *k, char *command)
{
    char *said = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&said, &len);
    if (out) {
        obey(k->control, command, out);
        if (fclose(out) != 0) len = 0;
    }
    if (len == 0 || send(k->fd, said, len, MSG_NOSIGNAL) != (ssize_t)len) leave(k);
    free(said);
}

static void on_text(struct proxy_source *self, uint32_t events)
{
    struct client *k = (struct client *)self;
    (void)events;
    if (k->fd < 0) return;
    ssize_t n = recv(k->fd, k->text + k->len, sizeof k->text - 1 - k->len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        leave(k);
        return;
    }
    k->len += (size_t)n;
    k->text[k->len] = 0;
    char *end;
    while (k->fd >= 0 && (end = memchr(k->text, '\n', k->len))) {
        size_t used = (size_t)(end - k->text) + 1;
        *end = 0;
        answer(k, k->text);
        memmove(k->text, k->text + used, k->len - used + 1);
        k->len -= used;
    }
    if (k->len == sizeof k->text - 1) leave(k); /* longer than any command */
}

static void on_client(struct proxy_source *self, uint32_t events)
{
    struct control *c = (struct control *)self;
    (void)events;
    int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct client *k = calloc(1, sizeof *k);
    if (!k) {
        close(fd);
        return;
    }
    k->source.ready = on_text;
    k->control = c;
    k->fd = fd;
    k->next = c->clients;
    c->clients = k;
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &k->source};
    if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) leave(k);
}

static int unix_socket(const char *path, struct sockaddr_un *at, int flags)
{
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof at->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(at->sun_path, path, strlen(path) + 1);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
}

/* A socket file may be left from a proxy that was killed: if nobody answers there it is removed. */
static int listen_at(const char *path)
{
    struct sockaddr_un at;
    int probe = unix_socket(path, &at, 0);
    if (probe < 0) return -1;
    int rc = connect(probe, (struct sockaddr *)&at, sizeof at);
    int why = errno;
    close(probe);
    if (rc == 0) {
        errno = EADDRINUSE;
        return -1;
    }
    if (why == ECONNREFUSED) unlink(path);
    int fd = unix_socket(path, &at, SOCK_NONBLOCK);
    if (fd < 0) return -1;
    mode_t mask = umask(0077);
    rc = bind(fd, (struct sockaddr *)&at, sizeof at);
    umask(mask);
    if (rc == 0 && listen(fd, 16) == 0) return fd;
    why = errno;
    close(fd);
    errno = why;
    return -1;
}

struct control *control_open(int epoll_fd, const char *path, struct lines *ls, bool *quit)
{
    struct control *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    *c = (struct control){.source = {on_client}, .epoll_fd = epoll_fd, .path = path, .lines = ls, .quit = quit};
    c->fd = listen_at(path);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &c->source};
    if (c->fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) == 0) return c;
    int why = errno;
    if (c->fd >= 0) close(c->fd);
    free(c);
    errno = why;
    return NULL;
}

void control_settle(struct control *c)
{
    for (struct client **at = &c->clients; *at;) {
        struct client *k = *at;
        if (k->fd >= 0) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        free(k);
    }
}

void control_close(struct control *c)
{
    if (!c) return;
    for (struct client *k = c->clients; k; k = k->next) leave(k);
    control_settle(c);
    close(c->fd);
    unlink(c->path);
    free(c);
}

int control_ask(const char *path, int words, char *const *word)
{
    struct sockaddr_un at;
    int fd = unix_socket(path, &at, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        fprintf(stderr, "kontor-proxy: nobody answers at %s: %s\n", path, strerror(errno));
        if (fd >= 0) close(fd);
        return 3;
    }
    FILE *line = fdopen(fd, "r+");
    if (!line) {
        close(fd);
        return 3;
    }
    for (int i = 0; i < words; i++) fprintf(line, "%s%s", word[i], i + 1 < words ? " " : "\n");
    int rc = fflush(line) == 0 ? -1 : 3;
    char text[COMMAND_BYTES];
    while (rc < 0 && fgets(text, sizeof text, line)) {
        bool error = strncmp(text, "error: ", 7) == 0;
        fputs(text, error ? stderr : stdout);
        if (error) rc = 1;
        if (strcmp(text, "ok\n") == 0 || strncmp(text, "ok ", 3) == 0) rc = 0;
    }
    if (rc < 0) {
        fprintf(stderr, "kontor-proxy: %s went away without an answer\n", path);
        rc = 3;
    }
    fclose(line);
    return rc;
}
