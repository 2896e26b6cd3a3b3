/* Clients of every kind ask one service: nng's own REQ socket, our line over ipc and over TCP, and hostile ones.
 *
 * The first byte of a request says what is wanted: 'e' echo, 'l' the echo later and from another thread, 'b' so many
 * bytes (be32), 'n' no answer before 'r' comes, which answers all of those, last first. */
#include "client/service.h"
#include "net/service.h"
#include "proto/frame.h"
#include "proto/handshake.h"

#include <errno.h>
#include <fcntl.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

enum { DEADLINE_MS = 20000, HELD_MAX = 512, PATH_MAX_HERE = 100 };

struct later {
    struct kt_service *service;
    struct kt_client_ref to;
    size_t len;
    uint8_t bytes[];
};

struct office {
    struct kt_service *service;
    char path[PATH_MAX_HERE], ipc[PATH_MAX_HERE + 8], tcp[KT_URL_CHARS_MAX];
    uint8_t node_public[32], client_secret[32], client_public[32];
    struct kt_client_ref held[HELD_MAX]; /* the service thread's */
    size_t held_count;
    bool refuse_local;
    pthread_mutex_t mtx;
    pthread_t threads[HELD_MAX];
    size_t threads_count;
    atomic_int requests, gone, wakes, ticks;
    atomic_uint_fast64_t tick_ms;
    uint32_t clients_max;
};

static void *reply_later(void *arg)
{
    struct later *l = arg;
    assert_int_equal(kt_service_reply(l->service, l->to, kt_bytes(l->bytes, l->len)), KT_OK);
    free(l);
    return NULL;
}

static void start_later(struct office *o, struct kt_client_ref to, struct kt_bytes request)
{
    struct later *l = malloc(sizeof *l + request.len);
    *l = (struct later){o->service, to, request.len};
    memcpy(l->bytes, request.data, request.len);
    pthread_mutex_lock(&o->mtx);
    assert_true(o->threads_count < HELD_MAX);
    assert_int_equal(pthread_create(&o->threads[o->threads_count++], NULL, reply_later, l), 0);
    pthread_mutex_unlock(&o->mtx);
}

static void reply_bytes(struct office *o, struct kt_client_ref to, struct kt_bytes request)
{
    struct kt_reader r = kt_reader(kt_bytes(request.data + 1, request.len - 1));
    size_t len = kt_take_be32(&r);
    uint8_t *bytes = malloc(len + 1);
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)(i * 7);
    (void)kt_service_reply(o->service, to, kt_bytes(bytes, len));
    free(bytes);
}

static void on_request(void *ctx, struct kt_client_ref from, const struct kt_client_admission *who,
                       struct kt_bytes request)
{
    struct office *o = ctx;
    atomic_fetch_add(&o->requests, 1);
    char what = request.len ? (char)request.data[0] : 'e';
    if (what == 'e') (void)kt_service_reply(o->service, from, request);
    if (what == 'w') (void)kt_service_reply(o->service, from, kt_str(who->name));
    if (what == 'l') start_later(o, from, request);
    if (what == 'b') reply_bytes(o, from, request);
    if (what == 'n') o->held[o->held_count++] = from;
    if (what != 'r') return;
    while (o->held_count) (void)kt_service_reply(o->service, o->held[--o->held_count], kt_str("held"));
    (void)kt_service_reply(o->service, from, request);
}

static int admit_local(void *ctx, uid_t uid, gid_t gid, pid_t pid, struct kt_client_admission *who)
{
    struct office *o = ctx;
    assert_int_equal(uid, getuid());
    assert_int_equal(gid, getgid());
    assert_int_equal(pid, getpid());
    snprintf(who->name, sizeof who->name, "local");
    who->bits = 1;
    return o->refuse_local ? KT_EREFUSED : KT_OK;
}

static int admit_key(void *ctx, const uint8_t key[32], struct kt_client_admission *who)
{
    struct office *o = ctx;
    snprintf(who->name, sizeof who->name, "portal");
    who->bits = 2;
    return memcmp(key, o->client_public, 32) == 0 ? KT_OK : KT_ENOTMEMBER;
}

static void on_gone(void *ctx, uint64_t client)
{
    struct office *o = ctx;
    for (size_t i = 0; i < o->held_count; i++)
        if (o->held[i].client == client) o->held[i--] = o->held[--o->held_count];
    atomic_fetch_add(&o->gone, 1);
}

static void on_wake(void *ctx) { atomic_fetch_add(&((struct office *)ctx)->wakes, 1); }

static void on_tick(void *ctx, uint64_t now_ms)
{
    struct office *o = ctx;
    atomic_store(&o->tick_ms, now_ms);
    atomic_fetch_add(&o->ticks, 1);
}

static struct kt_service_config config_of(struct office *o)
{
    struct kt_service_config c = {.ctx = o, .clients_max = o->clients_max, .on_request = on_request};
    memset(c.cluster.b, 5, sizeof c.cluster.b);
    memset(c.session_secret, 6, sizeof c.session_secret);
    c.admit_local = admit_local;
    c.admit_key = admit_key;
    c.on_gone = on_gone;
    c.on_wake = on_wake;
    c.on_tick = on_tick;
    return c;
}

static void office_open(struct office *o, uint32_t clients_max)
{
    static atomic_int number;
    char why[KT_WHY_CHARS_MAX];
    memset(o, 0, sizeof *o);
    o->clients_max = clients_max;
    pthread_mutex_init(&o->mtx, NULL);
    snprintf(o->path, sizeof o->path, "/tmp/kontor-service-test-%d-%d", (int)getpid(), atomic_fetch_add(&number, 1));
    snprintf(o->ipc, sizeof o->ipc, "ipc://%s", o->path);
    struct kt_service_config c = config_of(o);
    crypto_scalarmult_base(o->node_public, c.session_secret);
    memset(o->client_secret, 9, 32);
    crypto_scalarmult_base(o->client_public, o->client_secret);
    const char *listen[] = {o->ipc, "tcp://127.0.0.1:0"};
    c.listen = listen;
    c.listen_count = 2;
    int rc = kt_service_open(&c, &o->service, why);
    if (rc) print_error("%s\n", why);
    assert_int_equal(rc, KT_OK);
    assert_int_equal(kt_service_listen_url(o->service, 1, o->tcp), KT_OK);
}

static void office_close(struct office *o)
{
    for (size_t i = 0; i < o->threads_count; i++) pthread_join(o->threads[i], NULL);
    kt_service_close(o->service);
    assert_int_equal(access(o->path, F_OK), -1);
}

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        uint64_t end = kt_line_now_ms() + DEADLINE_MS;                                                                 \
        bool met;                                                                                                      \
        while (!(met = (condition)) && kt_line_now_ms() < end) poll(NULL, 0, 2);                                       \
        if (!met) print_error("never: %s\n", #condition);                                                              \
        assert_true(met);                                                                                              \
    } while (0)

static uint64_t soon(void) { return kt_line_now_ms() + DEADLINE_MS; }

static struct kt_line *line_open(struct office *o, const char *url)
{
    struct kt_line *l;
    struct kt_line_config c = {.url = url, .deadline_ms = soon(), .secret = o->client_secret};
    c.node_key = o->node_public;
    memset(c.cluster.b, 5, sizeof c.cluster.b);
    assert_int_equal(kt_line_open(&c, &l), KT_OK);
    return l;
}

static void ask(struct kt_line *l, struct kt_bytes request, struct kt_bytes *reply)
{
    uint32_t id, got;
    assert_int_equal(kt_line_send(l, request, soon(), &id), KT_OK);
    assert_int_equal(kt_line_receive(l, soon(), &got, reply), KT_OK);
    assert_int_equal(id, got);
}

static void must_echo(struct kt_line *l, size_t len)
{
    uint8_t *request = malloc(len);
    struct kt_bytes reply;
    for (size_t i = 0; i < len; i++) request[i] = i ? (uint8_t)(i * 13) : 'e';
    ask(l, kt_bytes(request, len), &reply);
    assert_true(kt_bytes_equal(reply, kt_bytes(request, len)));
    free(request);
}

/* nng's REQ socket dials, asks and is answered, small and large, at once and later. */
static void nng_asks(void **state)
{
    static const size_t sizes[] = {0, 1, 5, 1000, 70000, KT_REQUEST_BYTES_MAX};
    struct office o;
    nng_socket req;
    (void)state;
    office_open(&o, 0);
    assert_int_equal(nng_req0_open(&req), 0);
    assert_int_equal(nng_socket_set_size(req, NNG_OPT_RECVMAXSZ, 0), 0);
    assert_int_equal(nng_socket_set_ms(req, NNG_OPT_RECVTIMEO, DEADLINE_MS), 0);
    assert_int_equal(nng_dial(req, o.ipc, NULL, 0), 0);
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        size_t len = sizes[i / 2], got;
        char *request = malloc(len + 1), *reply;
        memset(request, 'x', len + 1);
        request[0] = i % 2 ? 'l' : 'e';
        assert_int_equal(nng_send(req, request, len, 0), 0);
        assert_int_equal(nng_recv(req, &reply, &got, NNG_FLAG_ALLOC), 0);
        assert_int_equal(got, len);
        assert_memory_equal(reply, request, len);
        nng_free(reply, got);
        free(request);
    }
    nng_close(req);
    UNTIL(atomic_load(&o.gone) == 1);
    office_close(&o);
}

/* Several nng contexts share one connection: replies in another order still find their request. */
static void nng_contexts(void **state)
{
    enum { CONTEXTS = 8 };
    struct office o;
    nng_socket req;
    nng_ctx ctx[CONTEXTS];
    nng_aio *aio[CONTEXTS];
    (void)state;
    office_open(&o, 0);
    assert_int_equal(nng_req0_open(&req), 0);
    assert_int_equal(nng_dial(req, o.ipc, NULL, 0), 0);
    for (int i = 0; i < CONTEXTS; i++) {
        nng_msg *m;
        assert_int_equal(nng_ctx_open(&ctx[i], req), 0);
        assert_int_equal(nng_aio_alloc(&aio[i], NULL, NULL), 0);
        nng_aio_set_timeout(aio[i], DEADLINE_MS);
        assert_int_equal(nng_msg_alloc(&m, 0), 0);
        assert_int_equal(nng_msg_append(m, i + 1 < CONTEXTS ? "n" : "r", 1), 0);
        nng_aio_set_msg(aio[i], m);
        nng_ctx_send(ctx[i], aio[i]);
        nng_aio_wait(aio[i]);
        assert_int_equal(nng_aio_result(aio[i]), 0);
        UNTIL(atomic_load(&o.requests) == i + 1);
    }
    for (int i = 0; i < CONTEXTS; i++) {
        nng_ctx_recv(ctx[i], aio[i]);
        nng_aio_wait(aio[i]);
        assert_int_equal(nng_aio_result(aio[i]), 0);
        assert_memory_equal(nng_msg_body(nng_aio_get_msg(aio[i])), i + 1 < CONTEXTS ? "held" : "r", 1);
        nng_msg_free(nng_aio_get_msg(aio[i]));
    }
    for (int i = 0; i < CONTEXTS; i++) {
        nng_aio_free(aio[i]);
        nng_ctx_close(ctx[i]);
    }
    nng_close(req);
    office_close(&o);
}

/* Our line, over either way in: echoes, replies out of order, replies larger than a frame, many requests at once. */
static void line_asks(struct office *o, const char *url, const char *name)
{
    static const size_t sizes[] = {1, 100, 4096, 65519, 262140, 262144, 500000, KT_REQUEST_BYTES_MAX};
    struct kt_line *l = line_open(o, url);
    struct kt_bytes reply;
    uint32_t id, ids[200];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) must_echo(l, sizes[i]);
    ask(l, kt_str("w"), &reply);
    assert_true(kt_bytes_equal(reply, kt_str(name)));
    ask(l, kt_bytes("b\x00\x40\x00\x00", 5), &reply);
    assert_int_equal(reply.len, KT_REPLY_BYTES_MAX);
    for (size_t i = 0; i < reply.len; i += 1009) assert_int_equal(reply.data[i], (uint8_t)(i * 7));
    for (int i = 0; i < 200; i++) assert_int_equal(kt_line_send(l, kt_str("n"), soon(), &ids[i]), KT_OK);
    assert_int_equal(kt_line_receive(l, kt_line_now_ms() + 20, &id, &reply), KT_EDEADLINE);
    assert_int_equal(kt_line_send(l, kt_str("r"), soon(), &id), KT_OK);
    for (int i = 199; i >= 0; i--) {
        uint32_t got;
        assert_int_equal(kt_line_receive(l, soon(), &got, &reply), KT_OK);
        assert_int_equal(got, ids[i]);
    }
    assert_int_equal(kt_line_receive(l, soon(), &id, &reply), KT_OK);
    assert_true(kt_bytes_equal(reply, kt_str("r")));
    kt_line_close(l);
}

/* More requests than may be in flight, more replies than sockets hold: both ends go on, nobody waits for ever. */
static void line_floods(struct office *o, const char *url)
{
    enum { MANY = 1500 };
    struct kt_line *l = line_open(o, url);
    struct kt_bytes reply;
    uint32_t id;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(kt_line_send(l, kt_bytes(i % 5 ? "b\0\0\x08\0" : "l", i % 5 ? 5 : 1), soon(), &id), KT_OK);
    for (int i = 0; i < MANY; i++) assert_int_equal(kt_line_receive(l, soon(), &id, &reply), KT_OK);
    kt_line_close(l);
}

static void lines(void **state)
{
    struct office o;
    (void)state;
    office_open(&o, 0);
    struct kt_line *l = line_open(&o, o.ipc);
    must_echo(l, 10);
    kt_line_close(l);
    line_asks(&o, o.ipc, "local");
    line_asks(&o, o.tcp, "portal");
    office_close(&o);
}

static void floods(void **state)
{
    struct office o;
    (void)state;
    office_open(&o, 0);
    line_floods(&o, o.ipc);
    office_close(&o);
    office_open(&o, 0);
    line_floods(&o, o.tcp);
    office_close(&o);
}

/* Who is not to come in is told so: another uid, key, organisation; and a client refuses another node. */
static void refusals(void **state)
{
    struct office o;
    struct kt_line *l;
    (void)state;
    office_open(&o, 0);
    struct kt_line_config c = {.url = o.tcp, .deadline_ms = soon(), .secret = o.node_public};
    memset(c.cluster.b, 5, sizeof c.cluster.b);
    assert_int_equal(kt_line_open(&c, &l), KT_ENOTMEMBER);
    c.secret = o.client_secret;
    c.node_key = o.client_public;
    assert_int_equal(kt_line_open(&c, &l), KT_EREFUSED);
    c.node_key = NULL;
    c.cluster.b[0]++;
    assert_int_equal(kt_line_open(&c, &l), KT_ECLUSTER);
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

/* ---- hostile clients ---- */

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
        {"GET / HTTP/1.1\r\n\r\n",                                                                               18},
        {"\0SP\0\0\x10\0\0",                                                                                     8 }, /* PUB */
        {HELLO "\1\0\0\0\0\x80\0\0\0",                                                                           17}, /* 2 GiB */
        {HELLO "\1\xff\xff\xff\xff\xff\xff\xff\xff",                                                             17},
        {HELLO "\2\0\0\0\0\0\0\0\4\x80\0\0\1",                                                                   21}, /* not nng's ipc framing */
        {HELLO "\1\0\0\0\0\0\0\0\2\x80\0",                                                                       19}, /* shorter than a request id */
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

/* Wakes and deadlines reach the service thread, from any thread. */
static void wakes_and_ticks(void **state)
{
    struct office o;
    (void)state;
    office_open(&o, 0);
    kt_service_wake(o.service);
    UNTIL(atomic_load(&o.wakes) >= 1);
    uint64_t at = kt_line_now_ms() + 30;
    kt_service_deadline(o.service, at + 100000);
    kt_service_deadline(o.service, at);
    kt_service_deadline(o.service, at + 50);
    UNTIL(atomic_load(&o.ticks) == 1);
    assert_true(atomic_load(&o.tick_ms) >= at);
    poll(NULL, 0, 100);
    assert_int_equal(atomic_load(&o.ticks), 1); /* used up: the later ones were not kept */
    office_close(&o);
}

/* The socket file: of mode 0660, not taken from a live service, taken over from a dead one, and gone at the end. */
static void socket_file(void **state)
{
    struct office o;
    struct stat st;
    struct kt_service *second;
    char why[KT_WHY_CHARS_MAX];
    (void)state;
    office_open(&o, 0);
    assert_int_equal(stat(o.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    struct kt_service_config c = config_of(&o);
    const char *url = o.ipc;
    c.listen = &url;
    c.listen_count = 1;
    assert_int_equal(kt_service_open(&c, &second, why), KT_EUNREACHABLE);
    assert_non_null(strstr(why, o.path));
    const char *bad = "udp://127.0.0.1:1";
    c.listen = &bad;
    assert_int_equal(kt_service_open(&c, &second, why), KT_ECONFIG);
    office_close(&o);

    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    memcpy(sa.sun_path, o.path, strlen(o.path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    close(fd); /* as a killed node leaves it */
    c.listen = &url;
    assert_int_equal(kt_service_open(&c, &second, why), KT_OK);
    kt_service_close(second);
    assert_int_equal(access(o.path, F_OK), -1);
}

int main(void)
{
    if (sodium_init() < 0) return 1;
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nng_asks),        cmocka_unit_test(nng_contexts), cmocka_unit_test(lines),
        cmocka_unit_test(floods),          cmocka_unit_test(refusals),     cmocka_unit_test(garbage),
        cmocka_unit_test(abrupt),          cmocka_unit_test(idle),         cmocka_unit_test(never_reads),
        cmocka_unit_test(wakes_and_ticks), cmocka_unit_test(socket_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
