/* kontor-poke: a rude peer or client.  Opens many connections, says on each what stands on its standard input, and
 * waits for the other side to close them. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 8000, INPUT_BYTES_MAX = 1 << 20 };

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* "ipc://PATH" or "tcp://127.0.0.1:PORT" */
static int dial(const char *url)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    bool local = strncmp(url, "ipc://", 6) == 0;
    const char *colon = strrchr(url, ':');
    if (!local && strncmp(url, "tcp://127.0.0.1:", 16) != 0) return -1;
    snprintf(un.sun_path, sizeof un.sun_path, "%s", url + 6);
    in.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int rc = local ? connect(fd, (struct sockaddr *)&un, sizeof un) : connect(fd, (struct sockaddr *)&in, sizeof in);
    if (rc == 0) return fd;
    close(fd);
    return -1;
}

/* Reads what comes and drops it; true once the other side has ended. */
static bool ended(int fd)
{
    char bytes[4096];
    ssize_t n;
    do n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    while (n > 0);
    return n == 0 || (errno != EAGAIN && errno != EINTR);
}

static unsigned wait_for_ends(struct pollfd *p, unsigned n, int64_t until_ms)
{
    unsigned over = 0;
    while (over < n) {
        int64_t left = until_ms - now_ms();
        if (left <= 0 || poll(p, n, (int)left) <= 0) break;
        for (unsigned i = 0; i < n; i++) {
            if (p[i].fd < 0 || !p[i].revents || !ended(p[i].fd)) continue;
            close(p[i].fd);
            p[i].fd = -1; /* poll passes over it */
            over++;
        }
    }
    return over;
}

int main(int argc, char **argv)
{
    static char input[INPUT_BYTES_MAX];
    static struct pollfd p[CONNECTIONS_MAX];
    unsigned long count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0,
                  seconds = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (argc != 4 || count == 0 || count > CONNECTIONS_MAX || seconds == 0) {
        fputs("usage: kontor-poke URL CONNECTIONS SECONDS <BYTES\n"
              "Prints \"opened N, said to M, closed by the other side K\"; status 0 if any was opened.\n",
              stderr);
        return 2;
    }
    struct rlimit files = {CONNECTIONS_MAX + 64, CONNECTIONS_MAX + 64}, now;
    if (getrlimit(RLIMIT_NOFILE, &now) == 0) {
        files.rlim_max = now.rlim_max;
        if (files.rlim_cur > files.rlim_max) files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    size_t len = fread(input, 1, sizeof input, stdin);
    unsigned opened = 0, said = 0;
    while (opened < count) {
        int fd = dial(argv[1]);
        if (fd < 0) break;
        p[opened++] = (struct pollfd){.fd = fd, .events = POLLIN};
        ssize_t n = len ? send(fd, input, len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        said += n == (ssize_t)len;
    }
    unsigned over = wait_for_ends(p, opened, now_ms() + (int64_t)seconds * 1000);
    printf("opened %u, said to %u, closed by the other side %u\n", opened, said, over);
    return opened ? 0 : 1;
}
