/* Clients that are not to come in, talk garbage, leave in the middle, sit there, or never read. */
#include "support/service_office.h"

#include <signal.h>

/* Who is not to come in is told so: another uid, key, organisation; and a client refuses another node. */
static void refusals(void **state)
{
    struct office o;
    struct kt_line *l;
    (void)state;
    office_open(&o, 0);
    struct kt_line_config c = {.url = o.tcp, .deadline_ms = soon(), .secret = o.node_public, .node_key = o.node_public};
    memset(c.cluster.b, 5, sizeof c.cluster.b);
    assert_int_equal(kt_line_open(&c, &l), KT_ENOTMEMBER);
    c.secret = o.client_secret;
    c.node_key = o.client_public;
    assert_int_equal(kt_line_open(&c, &l), KT_EREFUSED);
    c.node_key = o.node_public;
    c.cluster.b[0]++;
    assert_int_equal(kt_line_open(&c, &l), KT_ECLUSTER);
    c.node_key = NULL; /* whoever answers is not good enough */
    assert_int_equal(kt_line_open(&c, &l), KT_EINVAL);
    c.node_key = o.node_public;
    c.secret = NULL;
    assert_int_equal(kt_line_open(&c, &l), KT_EINVAL);
    c.url = "ipc:///tmp/kontor-nobody-is-here";
    assert_int_equal(kt_line_open(&c, &l), KT_EUNREACHABLE);
    c.url = "http://127.0.0.1";
    assert_int_equal(kt_line_open(&c, &l), KT_EINVAL);
    o.refuse_local = true;
    c.url = o.ipc;
    assert_int_equal(kt_line_open(&c, &l), KT_EREFUSED);
    office_close(&o);
}

static int raw_connect(struct office *o)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    memcpy(sa.sun_path, o->path, strlen(o->path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static bool closed_by_other(int fd)
{
    uint8_t sink[4096];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, DEADLINE_MS) == 1)
        if (recv(fd, sink, sizeof sink, 0) <= 0) return true;
    return false;
}

#define HELLO "\0SP\0\0\x30\0\0"

/* Garbage, another protocol, a length of 2 GiB, a backtrace without end: each closed at once, nobody else notices. */
static void garbage(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } say[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"\0SP\0\0\x10\0\0", 8},            /* PUB */
        {HELLO "\1\0\0\0\0\x80\0\0\0", 17}, /* 2 GiB */
        {HELLO "\1\xff\xff\xff\xff\xff\xff\xff\xff", 17},
        {HELLO "\2\0\0\0\0\0\0\0\4\x80\0\0\1", 21}, /* not nng's ipc framing */
        {HELLO "\1\0\0\0\0\0\0\0\2\x80\0", 19},     /* shorter than a request id */
        {HELLO "\1\0\0\0\0\0\0\0\x24\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\x80\0\0\1", 53},
    };
    struct office o;
    (void)state;
    office_open(&o, 0);
    struct kt_line *l = line_open(&o, o.ipc);
    for (size_t i = 0; i < 10 * sizeof say / sizeof say[0]; i++) {
        int fd = raw_connect(&o);
        size_t k = i % (sizeof say / sizeof say[0]);
        assert_int_equal(send(fd, say[k].bytes, say[k].len, MSG_NOSIGNAL), say[k].len);
        if (!closed_by_other(fd)) fail_msg("not closed: %zu", k);
        close(fd);
    }
    must_echo(l, 1000);
    uint64_t now, away;
    UNTIL((kt_service_clients(o.service, &now, &away), now == 1 && away == 70));
    kt_line_close(l);
    office_close(&o);
}

/* A client that leaves in the middle of anything; replies to it are dropped. */
static void abrupt(void **state)
{
    struct office o;
    (void)state;
    office_open(&o, 0);
    struct kt_line *steady = line_open(&o, o.ipc);
    for (int i = 0; i < 200; i++) {
        if (i % 3 == 0) {
            close(raw_connect(&o));
            continue;
        }
        struct kt_line *l = line_open(&o, i % 2 ? o.ipc : o.tcp);
        uint32_t id;
        assert_int_equal(kt_line_send(l, kt_str("n"), soon(), &id), KT_OK);
        if (i % 4 == 0) assert_int_equal(kt_line_send(l, kt_bytes("b\0\x20\0\0", 5), soon(), &id), KT_OK);
        if (i % 5 == 0) assert_int_equal(kt_line_send(l, kt_str("late"), soon(), &id), KT_OK);
        kt_line_close(l);
    }
    struct kt_bytes reply;
    uint32_t id;
    assert_int_equal(kt_line_send(steady, kt_str("r"), soon(), &id), KT_OK);
    assert_int_equal(kt_line_receive(steady, soon(), &id, &reply), KT_OK);
    must_echo(steady, 100);
    uint64_t now, away;
    UNTIL((kt_service_clients(o.service, &now, &away), now == 1));
    kt_line_close(steady);
    office_close(&o);
}

/* Two hundred clients that only sit there, and more newcomers than there are places: who asks is answered. */
static void idle(void **state)
{
    enum { IDLE = 200, PLACES = 210 };
    static struct kt_line *line[IDLE];
    static int silent[40];
    struct office o;
    uint64_t now, away;
    (void)state;
    office_open(&o, PLACES);
    for (int i = 0; i < IDLE; i++) {
        line[i] = line_open(&o, i % 10 ? o.ipc : o.tcp);
        must_echo(line[i], 1); /* it has greeted: it keeps its place */
    }
    for (int i = 0; i < 40; i++) silent[i] = raw_connect(&o); /* they never greet */
    for (int i = 0; i < 20; i++) {
        struct kt_line *l = line_open(&o, o.ipc); /* in the place of one of those */
        must_echo(l, 10);
        kt_line_close(l);
    }
    for (int i = 0; i < IDLE; i++) must_echo(line[i], 10);
    UNTIL((kt_service_clients(o.service, &now, &away), now == IDLE)); /* the silent ones' time is up */
    for (int i = 0; i < 40; i++) close(silent[i]);
    for (int i = 0; i < IDLE; i++) kt_line_close(line[i]);
    office_close(&o);
}

/* A client that asks for much and reads nothing costs a bounded amount, then its requests are read no more. */
static void never_reads(void **state)
{
    static const char want[] = HELLO "\1\0\0\0\0\0\0\0\x09\x80\0\0\1b\0\x10\0\0"; /* 1 MiB each */
    struct office o;
    (void)state;
    office_open(&o, 0);
    int fd = raw_connect(&o);
    assert_int_equal(send(fd, want, sizeof want - 1, MSG_NOSIGNAL), sizeof want - 1);
    for (int i = 0; i < 300; i++) (void)!send(fd, want + 8, sizeof want - 9, MSG_NOSIGNAL | MSG_DONTWAIT);
    struct kt_line *l = line_open(&o, o.ipc);
    for (int i = 0; i < 50; i++) must_echo(l, 1000);
    assert_true(atomic_load(&o.requests) < 50 + 20);
    close(fd);
    UNTIL(atomic_load(&o.gone) == 1);
    kt_line_close(l);
    office_close(&o);
}

int main(void)
{
    if (sodium_init() < 0) return 1;
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals), cmocka_unit_test(garbage),     cmocka_unit_test(abrupt),
        cmocka_unit_test(idle),     cmocka_unit_test(never_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
