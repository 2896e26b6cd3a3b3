/* An office that only answers clients, for tests of the service.
 *
 * The first byte of a request says what is wanted: 'e' echo, 'l' the echo later and from another thread, 'w' the
 * client's name, 'b' so many bytes (be32), 'n' no answer before 'r' comes, which answers all of those, last first. */
#ifndef KT_SUPPORT_SERVICE_OFFICE_H
#define KT_SUPPORT_SERVICE_OFFICE_H

#include "client/service.h"
#include "net/service.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
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

static inline void *reply_later(void *arg)
{
    struct later *l = arg;
    assert_int_equal(kt_service_reply(l->service, l->to, kt_bytes(l->bytes, l->len)), KT_OK);
    free(l);
    return NULL;
}

static inline void start_later(struct office *o, struct kt_client_ref to, struct kt_bytes request)
{
    struct later *l = malloc(sizeof *l + request.len);
    *l = (struct later){o->service, to, request.len};
    memcpy(l->bytes, request.data, request.len);
    pthread_mutex_lock(&o->mtx);
    assert_true(o->threads_count < HELD_MAX);
    assert_int_equal(pthread_create(&o->threads[o->threads_count++], NULL, reply_later, l), 0);
    pthread_mutex_unlock(&o->mtx);
}

static inline void reply_bytes(struct office *o, struct kt_client_ref to, struct kt_bytes request)
{
    struct kt_reader r = kt_reader(kt_bytes(request.data + 1, request.len - 1));
    size_t len = kt_take_be32(&r);
    uint8_t *bytes = malloc(len + 1);
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)(i * 7);
    (void)kt_service_reply(o->service, to, kt_bytes(bytes, len));
    free(bytes);
}

static inline void on_request(void *ctx, struct kt_client_ref from, const struct kt_client_admission *who,
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

static inline int admit_local(void *ctx, uid_t uid, gid_t gid, pid_t pid, struct kt_client_admission *who)
{
    struct office *o = ctx;
    assert_int_equal(uid, getuid());
    assert_int_equal(gid, getgid());
    assert_int_equal(pid, getpid());
    snprintf(who->name, sizeof who->name, "local");
    who->bits = 1;
    return o->refuse_local ? KT_EREFUSED : KT_OK;
}

static inline int admit_key(void *ctx, const uint8_t key[32], struct kt_client_admission *who)
{
    struct office *o = ctx;
    snprintf(who->name, sizeof who->name, "portal");
    who->bits = 2;
    return memcmp(key, o->client_public, 32) == 0 ? KT_OK : KT_ENOTMEMBER;
}

static inline void on_gone(void *ctx, uint64_t client)
{
    struct office *o = ctx;
    for (size_t i = 0; i < o->held_count; i++)
        if (o->held[i].client == client) o->held[i--] = o->held[--o->held_count];
    atomic_fetch_add(&o->gone, 1);
}

static inline void on_wake(void *ctx) { atomic_fetch_add(&((struct office *)ctx)->wakes, 1); }

static inline void on_tick(void *ctx, uint64_t now_ms)
{
    struct office *o = ctx;
    atomic_store(&o->tick_ms, now_ms);
    atomic_fetch_add(&o->ticks, 1);
}

static inline struct kt_service_config config_of(struct office *o)
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

static inline void office_open(struct office *o, uint32_t clients_max)
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

static inline void office_close(struct office *o)
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

static inline uint64_t soon(void) { return kt_line_now_ms() + DEADLINE_MS; }

static inline struct kt_line *line_open(struct office *o, const char *url)
{
    struct kt_line *l;
    struct kt_line_config c = {.url = url, .deadline_ms = soon(), .secret = o->client_secret};
    c.node_key = o->node_public;
    memset(c.cluster.b, 5, sizeof c.cluster.b);
    assert_int_equal(kt_line_open(&c, &l), KT_OK);
    return l;
}

static inline void ask(struct kt_line *l, struct kt_bytes request, struct kt_bytes *reply)
{
    uint32_t id, got;
    assert_int_equal(kt_line_send(l, request, soon(), &id), KT_OK);
    assert_int_equal(kt_line_receive(l, soon(), &got, reply), KT_OK);
    assert_int_equal(id, got);
}

static inline void must_echo(struct kt_line *l, size_t len)
{
    uint8_t *request = malloc(len);
    struct kt_bytes reply;
    for (size_t i = 0; i < len; i++) request[i] = i ? (uint8_t)(i * 13) : 'e';
    ask(l, kt_bytes(request, len), &reply);
    assert_true(kt_bytes_equal(reply, kt_bytes(request, len)));
    free(request);
}

#endif
