/* kontor-proxy: many TCP lines on loopback in one process, for the harness to cut, hang, slow and listen in on. */
#include "support/proxy/control.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EVENTS = 64 };

static int usage(FILE *out, int status)
{
    fputs("usage: kontor-proxy serve SOCKET             carry lines until told to quit, or SIGTERM or SIGINT\n"
          "       kontor-proxy ask SOCKET COMMAND...    tell it what to do: line NAME LISTEN TARGET, cut NAME,\n"
          "                                             hang NAME, heal NAME, delay NAME MS, capture NAME [FILE],\n"
          "                                             list, quit\n",
          out);
    return status;
}

struct stopper {
    struct proxy_source source;
    bool *quit;
};

static void on_signal(struct proxy_source *self, uint32_t events)
{
    (void)events;
    *((struct stopper *)self)->quit = true;
}

static void carry(int epoll_fd, struct lines *ls, struct control *control, const bool *quit)
{
    struct epoll_event ev[EVENTS];
    while (!*quit) {
        int n = epoll_wait(epoll_fd, ev, EVENTS, lines_timeout_ms(ls));
        for (int i = 0; i < n; i++) {
            struct proxy_source *s = ev[i].data.ptr;
            s->ready(s, ev[i].events);
        }
        lines_settle(ls);
        control_settle(control);
    }
}

static int serve(const char *path)
{
    bool quit = false;
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct stopper stopper = {{on_signal}, &quit};
    int signal_fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &stopper.source};
    struct lines *ls = lines_new(epoll_fd);
    struct control *control = NULL;
    int status = 1;
    if (epoll_fd >= 0 && signal_fd >= 0 && ls && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, signal_fd, &ev) == 0)
        control = control_open(epoll_fd, path, ls, &quit);
    if (control) {
        carry(epoll_fd, ls, control, &quit);
        status = 0;
    } else {
        fprintf(stderr, "kontor-proxy: cannot serve at %s: %s\n", path, strerror(errno));
    }
    control_close(control);
    lines_free(ls);
    if (signal_fd >= 0) close(signal_fd);
    if (epoll_fd >= 0) close(epoll_fd);
    return status;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve(argv[2]);
    if (argc >= 4 && strcmp(argv[1], "ask") == 0) return control_ask(argv[2], argc - 3, argv + 3);
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return usage(stdout, 0);
    return usage(stderr, 2);
}
