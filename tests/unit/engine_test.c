/* Two engines over real stores and a line that delivers what it is told to: what a group can hold, what a link may
 * cost, and what an end leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

#include "client/cli/json/json.h"
#include "engine/engine.h"
#include "engine/journal/journal.h"
#include "support/bench_group.h"

#define OK(call)   assert_int_equal((call), KT_OK)
#define LINK       1u
#define STEP_MAX   1024u
#define START_MS   1772399400000u
#define ROUNDS_MAX 4096u

/* An office whose time stands still until it is moved. */
struct site {
    struct kt_world world;         /* first */
    struct kt_transport transport; /* behind it */
    uint64_t ms, dice;
    struct site *other;
    struct kt_engine *engine;
    struct kt_board *board;
    struct kt_input *inbox, **end;
    uint64_t waiting_bytes, reads_max; /* a line that takes no more than so much */
    uint32_t closed, replies, refusals;
    char why[256], noted[512];
};

static uint64_t now_ms(struct kt_world *w) { return START_MS + ((struct site *)w)->ms; }
static uint64_t monotonic_ns(struct kt_world *w) { return (1000 + ((struct site *)w)->ms) * 1000000u; }

static void random_bytes(struct kt_world *w, void *out, size_t len)
{
    struct site *s = (struct site *)w;
    for (size_t i = 0; i < len; i++) {
        s->dice = s->dice * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)out)[i] = (uint8_t)(s->dice >> 56);
    }
}

static struct site *site_of(struct kt_transport *t)
{
    return (struct site *)((char *)t - offsetof(struct site, transport));
}

static void push(struct site *s, struct kt_input in)
{
    struct kt_input *copy = malloc(sizeof *copy);
    assert_non_null(copy);
    *copy = in;
    copy->next = NULL;
    *s->end = copy;
    s->end = &copy->next;
}

static int deliver(struct kt_transport *t, uint64_t link, struct kt_bytes frame)
{
    struct site *s = site_of(t);
    if (s->waiting_bytes + frame.len > s->reads_max) return KT_EAGAIN;
    s->waiting_bytes += frame.len;
    if (!s->other) return KT_OK;
    uint8_t *copy = malloc(frame.len);
    assert_non_null(copy);
    memcpy(copy, frame.data, frame.len);
    push(s->other, (struct kt_input){.kind = KT_IN_FRAME, .link = link, .request = copy, .request_len = frame.len});
    return KT_OK;
}

static void hang_up(struct kt_transport *t, uint64_t link, const char *why)
{
    struct site *s = site_of(t);
    s->closed++;
    snprintf(s->why, sizeof s->why, "%s", why);
    push(s, (struct kt_input){.kind = KT_IN_LINK_DOWN, .link = link});
}

static void replied(void *ctx, const struct kt_asker *to, struct kt_bytes bytes)
{
    struct site *s = ctx;
    struct kt_arena arena;
    struct kt_reply r;
    (void)to;
    kt_arena_init(&arena, 8u << 20);
    OK(kt_reply_decode(bytes, &arena, &r));
    s->replies++;
    s->refusals += r.code != 0;
    for (uint32_t i = 0; i < r.put.results_len; i++) s->refusals += r.put.results[i].code != 0;
    kt_arena_free(&arena);
}

static void noted(void *ctx, const char *event, const char *sentence)
{
    struct site *s = ctx;
    (void)event;
    snprintf(s->noted, sizeof s->noted, "%s", sentence);
}

static void open_site(struct site *s, struct bench_office *o)
{
    *s = (struct site){
        .world = {now_ms, monotonic_ns, random_bytes},
        .transport = {deliver,      hang_up           },
        .dice = o->member,
        .reads_max = UINT64_MAX
    };
    s->end = &s->inbox;
    OK(kt_board_create(&s->board));
    const struct kt_engine_config c = {
        .ledger = {.store = o->store->store,
                   .keyring = o->keyring,
                   .world = &s->world,
                   .phone_country = kt_str("49"),
                   .threaded = false},
        .transport = &s->transport,
        .board = s->board,
        .ctx = s,
        .reply = replied,
        .note = noted
    };
    OK(kt_engine_open(&c, &s->engine));
}

static void close_site(struct site *s)
{
    kt_engine_close(s->engine);
    kt_board_free(s->board);
    for (struct kt_input *in = s->inbox, *next; in; in = next) {
        next = in->next;
        free(in->request);
        free(in);
    }
}

/* One step with all that has come. */
static void step(struct site *s, struct bench_office *o)
{
    struct kt_input *inputs[STEP_MAX];
    uint32_t n = 0;
    struct kt_input *in = s->inbox;
    s->inbox = NULL;
    s->end = &s->inbox;
    if (s->other) s->other->waiting_bytes = 0;
    for (; in; in = in->next) {
        assert_true(n < STEP_MAX);
        inputs[n++] = in;
        if (in->kind != KT_IN_FRAME) continue;
        in->intake = kt_intake_frame(o->keyring, NULL, in->link, kt_bytes(in->request, in->request_len));
        assert_non_null(in->intake);
        free(in->request);
        in->request = NULL;
    }
    OK(kt_engine_step(s->engine, inputs, n));
    for (uint32_t i = 0; i < n; i++) free(inputs[i]);
}

static void put(struct site *s, const char *line, uint32_t copies)
{
    struct kt_arena arena;
    struct kt_record record;
    struct kt_json_fault fault;
    struct kt_buf b;
    kt_arena_init(&arena, 1u << 20);
    kt_buf_init(&b, KT_REQUEST_BYTES_MAX);
    OK(kt_json_record(kt_str(line), 1, &arena, &record, &fault));
    struct kt_request r = {.kind = KT_ASK_PUT, .actor = kt_str("a"), .purpose = kt_str("p")};
    r.put.records = &record;
    r.put.records_len = 1;
    r.put.copies = copies;
    OK(kt_request_encode(&r, &b));
    uint8_t *bytes = malloc(b.len);
    assert_non_null(bytes);
    memcpy(bytes, b.data, b.len);
    push(s, (struct kt_input){.kind = KT_IN_REQUEST, .request = bytes, .request_len = b.len});
    kt_buf_free(&b);
    kt_arena_free(&arena);
}

static void put_customer(struct site *s, uint32_t number, uint32_t copies)
{
    char line[256];
    snprintf(line, sizeof line,
             "{\"entity\":\"customer\",\"source_system\":\"revenue\",\"source_id\":\"C-%u\",\"kind\":\"person\"}",
             number);
    put(s, line, copies);
}

static void join(struct site *a, struct bench_office *oa, struct site *b, struct bench_office *ob)
{
    a->other = b;
    b->other = a;
    push(a, (struct kt_input){.kind = KT_IN_LINK_UP, .link = LINK, .member = ob->member});
    push(b, (struct kt_input){.kind = KT_IN_LINK_UP, .link = LINK, .member = oa->member});
}

static uint64_t held(struct site *s, kt_member member)
{
    const struct kt_vector *v = kt_ledger_vector(kt_engine_ledger(s->engine));
    uint64_t n = 0;
    for (size_t i = 0; i < v->len; i++)
        if (v->entries[i].origin.member == member) n += v->entries[i].number;
    return n;
}

/* A month of lone lines makes thousands of small batches.  A peer that catches up on a fast machine takes more of them
 * between two looks at its clock than a group has places for: the group ends early, and nothing is lost or begun anew.
 */
static void more_batches_than_a_group_holds(void **state)
{
    struct bench *bench = *state;
    struct bench_office *oa = bench_office(bench, 1), *ob = bench_office(bench, 2);
    struct site a, b;
    const uint32_t batches = 1500;
    open_site(&a, oa);
    open_site(&b, ob);
    for (uint32_t i = 0; i < batches; i++) {
        put_customer(&a, i, 0);
        step(&a, oa);
    }
    assert_int_equal(a.refusals, 0);
    assert_int_equal(held(&a, oa->member), batches);
    join(&a, oa, &b, ob);
    for (uint32_t i = 0; i < ROUNDS_MAX && held(&b, oa->member) < batches; i++) {
        for (uint32_t turn = 0; turn < 4; turn++) step(&a, oa); /* its frames gather on the line */
        step(&b, ob);
        a.ms++, b.ms++;
    }
    assert_string_equal(b.noted, "");
    assert_string_equal(b.why, "");
    assert_int_equal(held(&b, oa->member), batches);
    close_site(&a);
    close_site(&b);
}

/* A put waits for a copy that nobody takes, and the node is told to stop: its writer is told that it is durable here.
 */
static void who_waits_is_answered_at_the_end(void **state)
{
    struct bench *bench = *state;
    struct bench_office *oa = bench_office(bench, 1);
    struct site a;
    open_site(&a, oa);
    put_customer(&a, 1, 1);
    step(&a, oa);
    assert_int_equal(a.replies, 0);
    kt_engine_finish(a.engine);
    assert_int_equal(a.replies, 1);
    assert_int_equal(a.refusals, 1);
    assert_int_equal(held(&a, oa->member), 1);
    close_site(&a);
}

static void tell(struct site *s, const struct kt_peer_message *m)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    OK(kt_peer_encode(m, &b));
    uint8_t *copy = malloc(b.len);
    assert_non_null(copy);
    memcpy(copy, b.data, b.len);
    push(s, (struct kt_input){.kind = KT_IN_FRAME, .link = LINK, .request = copy, .request_len = b.len});
    kt_buf_free(&b);
}

/* A peer asks for one batch over and over and reads nothing: its link ends before it has cost more than a link may. */
static void who_asks_and_never_reads_is_given_up(void **state)
{
    enum { ASKS = 4000, TIMES = 400 };
    static struct kt_ask asks[ASKS];
    struct bench *bench = *state;
    struct bench_office *oa = bench_office(bench, 1);
    struct site a;
    open_site(&a, oa);
    put_customer(&a, 1, 0);
    step(&a, oa);
    const struct kt_vector *v = kt_ledger_vector(kt_engine_ledger(a.engine));
    for (uint32_t i = 0; i < ASKS; i++) asks[i] = (struct kt_ask){v->entries[0].origin, 1};
    push(&a, (struct kt_input){.kind = KT_IN_LINK_UP, .link = LINK, .member = 2});
    struct kt_peer_message m = {.part = KT_PEER_GREETING};
    m.greeting.suite = KT_SUITE_1;
    m.greeting.schema = KT_SCHEMA_1;
    tell(&a, &m);
    a.reads_max = 0;
    m = (struct kt_peer_message){.part = KT_PEER_BATCHES_BY_ID};
    m.asks.items = asks;
    m.asks.len = ASKS;
    uint32_t times = 0;
    for (; times < TIMES && !a.closed; times++) {
        tell(&a, &m);
        step(&a, oa);
    }
    assert_string_equal(a.why, "it does not read what it asks for");
    assert_true(times > 10);
    step(&a, oa);
    close_site(&a);
}

/* Our own incarnation was seen to have two sides, and the node stops before its next write.  Started again it
 * remembers: what it wrote under the frozen one nobody would take. */
static void a_fork_of_our_own_outlives_a_restart(void **state)
{
    struct bench *bench = *state;
    struct bench_office *oa = bench_office(bench, 1);
    struct kt_store *store = oa->store->store;
    struct kt_txn *t;
    struct site a;
    open_site(&a, oa);
    put_customer(&a, 1, 0);
    step(&a, oa);
    const struct kt_origin forked = kt_ledger_origin(kt_engine_ledger(a.engine));
    close_site(&a);
    OK(store->ops->begin(store, KT_ENV_JOURNAL, true, &t));
    OK(kt_journal_proof_put(store, t, forked, 1, kt_str("two seals")));
    OK(store->ops->commit(t));
    open_site(&a, oa);
    a.dice = 99; /* else it throws what it threw before */
    put_customer(&a, 2, 0);
    step(&a, oa);
    assert_int_equal(a.replies, 1);
    assert_int_equal(a.refusals, 0);
    assert_int_not_equal(kt_ledger_origin(kt_engine_ledger(a.engine)).incarnation, forked.incarnation);
    assert_int_equal(kt_vector_get(kt_ledger_vector(kt_engine_ledger(a.engine)), forked), 1);
    close_site(&a);
}

/* The bundles of an organisation are sealed with fresh randomness for each admission: the offices of this bench share
 * one roster only where it is the same each time. */
static const char *same_name(void) { return "same"; }
static uint32_t same_number(void) { return 4; }
static void same_bytes(void *out, const size_t len) { memset(out, 0x42, len); }

int main(void)
{
    static randombytes_implementation same = {
        .implementation_name = same_name, .random = same_number, .buf = same_bytes};
    if (randombytes_set_implementation(&same)) return 1;
    static const struct CMUnitTest tests[] = {
        OVER(memory, more_batches_than_a_group_holds), OVER(memory, who_waits_is_answered_at_the_end),
        OVER(memory, who_asks_and_never_reads_is_given_up), OVER(memory, a_fork_of_our_own_outlives_a_restart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
