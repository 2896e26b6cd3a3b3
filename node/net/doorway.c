/* Sockets that clients come in by. */
#include "net/serving.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 256 };

static int complain(char why[KT_WHY_CHARS_MAX], int code, const char *url, const char *what)
{
    snprintf(why, KT_WHY_CHARS_MAX, "service %.120s: %s", url, what);
    return code;
}

/* A socket file is in the way: whether somebody listens on it. */
static bool somebody_there(const struct sockaddr_un *sa)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return true;
    bool there = connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 || errno == EAGAIN;
    close(fd);
    return there;
}

static int open_local(struct kt_doorway *d, const char *path, char why[KT_WHY_CHARS_MAX])
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct stat st;
    if (!*path || strlen(path) >= sizeof sa.sun_path)
        return complain(why, KT_ECONFIG, d->url, "a socket path has 1 to 107 characters: choose a shorter one");
    memcpy(sa.sun_path, path, strlen(path) + 1);
    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode)) return complain(why, KT_EUNREACHABLE, d->url, "there is a file that is no socket");
        if (somebody_there(&sa)) return complain(why, KT_EUNREACHABLE, d->url, "somebody listens there already");
        unlink(path);
    }
    d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (d->fd < 0) return complain(why, KT_EIO, d->url, strerror(errno));
    if (bind(d->fd, (struct sockaddr *)&sa, sizeof sa)) return complain(why, KT_EUNREACHABLE, d->url, strerror(errno));
    /* nobody can connect before listen: the mode is right in time */
    if (chmod(path, 0660) || stat(path, &st) || listen(d->fd, BACKLOG))
        return complain(why, KT_EIO, d->url, strerror(errno));
    d->dev = st.st_dev;
    d->ino = st.st_ino;
    return KT_OK;
}

/* "127.0.0.1:4711" or "[::1]:4711" in two.  host has room for KT_URL_CHARS_MAX. */
static const char *split(const char *address, char *host)
{
    const char *colon = strrchr(address, ':');
    if (!colon || !colon[1]) return NULL;
    size_t len = (size_t)(colon - address);
    bool bracketed = len >= 2 && address[0] == '[' && address[len - 1] == ']';
    snprintf(host, KT_URL_CHARS_MAX, "%.*s", (int)(bracketed ? len - 2 : len), address + bracketed);
    return colon + 1;
}

static int bind_one(struct kt_doorway *d, const struct addrinfo *ai)
{
    int on = 1;
    d->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (d->fd < 0) return -1;
    setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* what it accepts inherits these */
    setsockopt(d->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (bind(d->fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(d->fd, BACKLOG) == 0) return 0;
    close(d->fd);
    d->fd = -1;
    return -1;
}

/* The URL with the port it really has. */
static void real_port(struct kt_doorway *d)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    char port[NI_MAXSERV], *colon = strrchr(d->url, ':');
    if (strcmp(colon, ":0") != 0 || getsockname(d->fd, (struct sockaddr *)&ss, &len)) return;
    if (getnameinfo((struct sockaddr *)&ss, len, NULL, 0, port, sizeof port, NI_NUMERICSERV)) return;
    snprintf(colon + 1, sizeof d->url - (size_t)(colon + 1 - d->url), "%s", port);
}

static int open_tcp(struct kt_doorway *d, const char *address, char why[KT_WHY_CHARS_MAX])
{
    char host[KT_URL_CHARS_MAX];
    const char *port = split(address, host);
    if (!port) return complain(why, KT_ECONFIG, d->url, "write tcp://HOST:PORT");
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list;
    int rc = getaddrinfo(*host && strcmp(host, "*") != 0 ? host : NULL, port, &hints, &list);
    if (rc) return complain(why, KT_ECONFIG, d->url, gai_strerror(rc));
    for (struct addrinfo *ai = list; ai && d->fd < 0; ai = ai->ai_next) bind_one(d, ai);
    rc = d->fd < 0 ? complain(why, KT_EUNREACHABLE, d->url, strerror(errno)) : KT_OK;
    freeaddrinfo(list);
    if (!rc) real_port(d);
    return rc;
}

int kt_doorway_open(struct kt_doorway *d, const char *url, char why[KT_WHY_CHARS_MAX])
{
    *d = (struct kt_doorway){.fd = -1};
    if (strlen(url) + sizeof "65535" > sizeof d->url) return complain(why, KT_ECONFIG, url, "the URL is too long");
    snprintf(d->url, sizeof d->url, "%s", url);
    d->local = strncmp(url, "ipc://", 6) == 0;
    if (d->local) return open_local(d, url + 6, why);
    if (strncmp(url, "tcp://", 6) == 0) return open_tcp(d, url + 6, why);
    return complain(why, KT_ECONFIG, url, "clients come in by ipc://PATH or tcp://HOST:PORT");
}

int kt_doorway_accept(struct kt_doorway *d) { return accept4(d->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

void kt_doorway_close(struct kt_doorway *d)
{
    struct stat st;
    if (d->fd >= 0) close(d->fd);
    d->fd = -1;
    if (d->local && d->ino && stat(d->url + 6, &st) == 0 && st.st_dev == d->dev && st.st_ino == d->ino)
        unlink(d->url + 6);
}
