/* Clients ask one service: nng's own REQ socket, and our line over ipc and over TCP. */
#include "support/service_office.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <sys/stat.h>

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
        cmocka_unit_test(nng_asks), cmocka_unit_test(nng_contexts),    cmocka_unit_test(lines),
        cmocka_unit_test(floods),   cmocka_unit_test(wakes_and_ticks), cmocka_unit_test(socket_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
