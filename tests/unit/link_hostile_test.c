/* What a node's links meet from outside: strangers, impostors, garbage, silence, and lines that go dead. */
#include "support/link_node.h"

#include <signal.h>
#include <stdatomic.h>

/* Another's certificate, and another organisation, are refused before any frame; the dialler is told. */
static void refused(void **state)
{
    (void)state;
    struct node a, b;
    node_init(&a, 1);
    node_init(&b, 2);
    node_open(&a, "tcp://127.0.0.1:0", NULL);
    b.claims = 3;
    node_open(&b, NULL, url_of(&a));
    UNTIL(dial_of(&b).state == KT_DIAL_REFUSED);
    assert_int_equal(dial_of(&b).last_error, KT_ENOTMEMBER);
    node_close(&b);
    node_init(&b, 2);
    b.cluster = 8;
    node_open(&b, NULL, url_of(&a));
    UNTIL(dial_of(&b).state == KT_DIAL_REFUSED);
    assert_int_equal(dial_of(&b).last_error, KT_ECLUSTER);
    assert_int_equal(b.verified, 0);
    node_close(&b);
    node_init(&b, 1); /* our own number and key, come back by some loop */
    node_open(&b, NULL, url_of(&a));
    UNTIL(dial_of(&b).state == KT_DIAL_REFUSED);
    node_close(&b);
    assert_int_equal(seen(&a), 0);
    assert_int_equal(seen(&b), 0);
    node_close(&a);
}

static bool closed_by_other(int fd)
{
    uint8_t sink[4096];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, DEADLINE_MS) == 1)
        if (recv(fd, sink, sizeof sink, 0) <= 0) return true;
    return false;
}

/* Peers that talk garbage are closed at once and a good link beside them never notices. */
static void garbage(void **state)
{
    (void)state;
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 1}, empty[] = {0, 0, 0, 0};
    static const uint8_t almost[] = "\0\0\0\x1bKONTOR\0\1\0\1clusterclusterXX\1";
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    struct node a, b;
    struct link_seen lb;
    pair(&a, &b, "tcp://127.0.0.1:0");
    assert_int_equal(up_count(&b, 1, &lb), 1);
    for (int i = 0; i < 60; i++) {
        uint8_t noise[300];
        for (size_t k = 0; k < sizeof noise; k++) noise[k] = (uint8_t)rand_r(&seed);
        noise[0] |= 1; /* no length below 16 MiB */
        struct kt_bytes say[4] = {KT_BYTES_OF(huge), KT_BYTES_OF(empty), kt_bytes(almost, 31), KT_BYTES_OF(noise)};
        int fd = connect_to(url_of(&a));
        assert_int_equal(send(fd, say[i % 4].data, say[i % 4].len, MSG_NOSIGNAL), say[i % 4].len);
        assert_true(closed_by_other(fd));
        close(fd);
    }
    assert_int_equal(send_number(&b, lb.link, 0, 5000), KT_OK);
    UNTIL(frames_of(&a) == 1);
    assert_int_equal(seen(&a), 1);
    uint64_t now, away;
    UNTIL((kt_links_strangers(a.links, &now, &away), now == 0 && away >= 60));
    node_close(&b);
    node_close(&a);
}

/* Three hundred peers connect and say nothing: an honest one gets in, and no more than the bound are kept. */
static void silent_strangers(void **state)
{
    (void)state;
    enum { SILENT = 300 };
    static int fds[SILENT];
    struct node a, b;
    node_init(&a, 1);
    node_init(&b, 2);
    node_open(&a, "tcp://127.0.0.1:0", NULL);
    for (int i = 0; i < SILENT / 2; i++) fds[i] = connect_to(url_of(&a));
    node_open(&b, NULL, url_of(&a));
    for (int i = SILENT / 2; i < SILENT; i++) fds[i] = connect_to(url_of(&a));
    links_up(&a, &b);
    uint64_t now, away;
    UNTIL((kt_links_strangers(a.links, &now, &away), now <= KT_HALF_OPEN_MAX && away >= SILENT - KT_HALF_OPEN_MAX));
    UNTIL((kt_links_strangers(a.links, &now, &away), now == 0 && away >= SILENT)); /* their time is up */
    for (int i = 0; i < SILENT; i++) close(fds[i]);
    assert_int_equal(up_count(&a, 2, NULL), 1);
    node_close(&a);
    node_close(&b);
}

/* A line that goes dead without a word (a relay stops relaying) is given up and a new one is made. */
struct relay {
    int listen, in, out;
    atomic_bool stuck, stop;
    uint16_t to;
    pthread_t thread;
};

static void pass(int from, int to)
{
    uint8_t some[65536];
    ssize_t n = recv(from, some, sizeof some, MSG_DONTWAIT);
    if (n > 0) (void)!send(to, some, (size_t)n, MSG_NOSIGNAL);
}

static void *relay_run(void *arg)
{
    struct relay *r = arg;
    char to[64];
    snprintf(to, sizeof to, "tcp://127.0.0.1:%u", r->to);
    while (!atomic_load(&r->stop)) {
        struct pollfd p[3] = {
            {r->listen, POLLIN, 0},
            {r->in,     POLLIN, 0},
            {r->out,    POLLIN, 0}
        };
        if (atomic_load(&r->stuck)) p[1].fd = p[2].fd = -1;
        if (poll(p, 3, 20) <= 0) continue;
        if (p[1].revents) pass(r->in, r->out);
        if (p[2].revents) pass(r->out, r->in);
        if (!p[0].revents) continue;
        if (r->in >= 0) close(r->in), close(r->out);
        r->in = accept(r->listen, NULL, NULL);
        r->out = connect_to(to);
        atomic_store(&r->stuck, false);
    }
    if (r->in >= 0) close(r->in), close(r->out);
    close(r->listen);
    return NULL;
}

static void dead_line(void **state)
{
    (void)state;
    struct node a, b;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    struct relay r = {.in = -1, .out = -1, .listen = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(r.listen, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(r.listen, 5), 0);
    assert_int_equal(getsockname(r.listen, (struct sockaddr *)&sa, &len), 0);
    node_init(&a, 1);
    node_init(&b, 2);
    a.silent_ms = b.silent_ms = 1500;
    node_open(&a, "tcp://127.0.0.1:0", NULL);
    r.to = (uint16_t)strtoul(strrchr(url_of(&a), ':') + 1, NULL, 10);
    assert_int_equal(pthread_create(&r.thread, NULL, relay_run, &r), 0);
    char url[64];
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", ntohs(sa.sin_port));
    node_open(&b, NULL, url);
    links_up(&a, &b);
    poll(NULL, 0, 4000); /* idle for longer than silence is allowed: pings keep it */
    assert_int_equal(seen(&a) + seen(&b), 2);
    atomic_store(&r.stuck, true);
    UNTIL(seen(&b) == 2 && !seen_at(&b, 0).up);
    assert_int_equal(seen_at(&b, 0).code, KT_EDEADLINE);
    links_up(&a, &b);
    node_close(&b);
    node_close(&a);
    atomic_store(&r.stop, true);
    pthread_join(r.thread, NULL);
}

int main(void)
{
    if (sodium_init() < 0) return 1;
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(garbage),
        cmocka_unit_test(silent_strangers),
        cmocka_unit_test(dead_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
