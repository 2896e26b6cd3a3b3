/* The runner around a real engine on a real disk: clients that never pause, and an end in the midst of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/cli/json/json.h"
#include "host/real_world.h"
#include "host/runner.h"
#include "support/bench_group.h"

#define OK(call)     assert_int_equal((call), KT_OK)
#define DEADLINE_S   30u
#define CLIENTS      8u
#define REPLIES_THEN 50u

struct house {
    struct kt_world world;
    struct kt_transport transport;
    struct kt_board *board;
    struct kt_engine *engine;
    struct kt_runner *runner;
    uint8_t request[4096];
    size_t request_len;
    atomic_uint replies, refused, taken;
};

static int send_nowhere(struct kt_transport *t, uint64_t link, struct kt_bytes frame)
{
    (void)t, (void)link, (void)frame;
    return KT_EGONE;
}

static void close_nothing(struct kt_transport *t, uint64_t link, const char *why) { (void)t, (void)link, (void)why; }
static void resume(void *ctx, uint64_t link) { (void)ctx, (void)link; }

static void failed(void *ctx, int code)
{
    (void)ctx;
    printf("the engine ended: %s\n", kt_error_text(code));
    abort();
}

static int ask(struct house *h)
{
    const struct kt_asker asker = {.client = 1};
    int e = kt_runner_request(h->runner, &asker, kt_bytes(h->request, h->request_len));
    if (!e) atomic_fetch_add(&h->taken, 1);
    return e;
}

/* A client that asks again as soon as it has its answer. */
static void replied(void *ctx, const struct kt_asker *to, struct kt_bytes reply)
{
    struct house *h = ctx;
    (void)to, (void)reply;
    atomic_fetch_add(&h->replies, 1);
    if (ask(h)) atomic_fetch_add(&h->refused, 1);
}

static void make_request(struct house *h, const char *line)
{
    struct kt_arena arena;
    struct kt_record record;
    struct kt_json_fault fault;
    struct kt_buf b;
    kt_arena_init(&arena, 1u << 20);
    kt_buf_init(&b, sizeof h->request);
    OK(kt_json_record(kt_str(line), 1, &arena, &record, &fault));
    struct kt_request r = {.kind = KT_ASK_PUT, .actor = kt_str("a"), .purpose = kt_str("p")};
    r.put.records = &record;
    r.put.records_len = 1;
    OK(kt_request_encode(&r, &b));
    memcpy(h->request, b.data, b.len);
    h->request_len = b.len;
    kt_buf_free(&b);
    kt_arena_free(&arena);
}

static void open_house(struct house *h, struct bench_office *o)
{
    *h = (struct house){
        .world = kt_real_world(), .transport = {send_nowhere, close_nothing}
    };
    OK(kt_board_create(&h->board));
    const struct kt_engine_config c = {
        .ledger = {.store = o->store->store,
                   .keyring = o->keyring,
                   .world = &h->world,
                   .phone_country = kt_str("49"),
                   .threaded = true},
        .transport = &h->transport,
        .board = h->board,
        .ctx = h,
        .reply = replied
    };
    OK(kt_engine_open(&c, &h->engine));
    const struct kt_runner_config rc = {.keyring = o->keyring, .ctx = h, .resume = resume, .failed = failed};
    OK(kt_runner_create(&rc, &h->runner));
    OK(kt_runner_start(h->runner, h->engine));
    make_request(h, "{\"entity\":\"customer\",\"source_system\":\"revenue\",\"source_id\":\"C\",\"kind\":\"person\"}");
}

static void close_house(struct house *h)
{
    kt_runner_stop(h->runner);
    kt_engine_close(h->engine);
    kt_runner_free(h->runner);
    kt_board_free(h->board);
}

/* Clients ask again the moment they are answered.  A node told to stop answers what it has taken, takes nothing more,
 * and ends. */
static void it_ends_among_clients_that_never_pause(void **state)
{
    struct bench *bench = *state;
    struct house h;
    const struct timespec pause = {0, 1000000};
    open_house(&h, bench_office(bench, 1));
    alarm(DEADLINE_S);
    for (uint32_t i = 0; i < CLIENTS; i++) OK(ask(&h));
    while (atomic_load(&h.replies) < REPLIES_THEN) nanosleep(&pause, NULL);
    kt_runner_stop(h.runner);
    assert_int_equal(atomic_load(&h.refused), CLIENTS);
    assert_int_equal(atomic_load(&h.replies), atomic_load(&h.taken));
    assert_int_not_equal(ask(&h), KT_OK);
    close_house(&h);
    alarm(0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {OVER(lmdb, it_ends_among_clients_that_never_pause)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
