#include "support/bench_site.h"

#include "client/cli/json/json.h"
#include "host/health_state.h"
#include "support/bench_organisation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define OK(call)      assert_int_equal((call), KT_OK)
#define STEP_MAX      512u
#define ANSWER_STEPS  400u /* eight seconds: more than a write ever waits */
#define STATUS_BYTES  (64u << 20)
#define MONO_START_MS 1000u

/* ---------------------------------------------------------------------------------------------------------- world */

static uint64_t now_ms(struct kt_world *w)
{
    struct site *s = (struct site *)w;
    const int64_t jitter = s->looks++ % 2 ? s->jitter_ms : 0;
    return (uint64_t)((int64_t)(SITE_START_MS + s->ms) + s->skew_ms + jitter);
}

static uint64_t monotonic_ns(struct kt_world *w) { return (MONO_START_MS + ((struct site *)w)->ms) * 1000000u; }

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

/* ---------------------------------------------------------------------------------------------------------- lines */

static void push(struct site *s, struct kt_input in)
{
    struct kt_input *copy = malloc(sizeof *copy);
    assert_non_null(copy);
    *copy = in;
    copy->next = NULL;
    *s->end = copy;
    s->end = &copy->next;
}

static void push_frame(struct site *s, uint64_t link, struct kt_bytes frame)
{
    uint8_t *copy = malloc(frame.len);
    assert_non_null(copy);
    memcpy(copy, frame.data, frame.len);
    push(s, (struct kt_input){.kind = KT_IN_FRAME, .link = link, .request = copy, .request_len = frame.len});
}

static struct site_line *line_of(struct site *s, uint64_t link)
{
    for (uint32_t i = 0; i < s->lines_len; i++)
        if (s->lines[i].link == link) return &s->lines[i];
    return NULL;
}

static void said(struct site *s, uint64_t link, struct kt_bytes frame)
{
    struct site_frame *f = malloc(sizeof *f + frame.len);
    assert_non_null(f);
    f->next = NULL;
    f->link = link;
    f->len = frame.len;
    memcpy(f->bytes, frame.data, frame.len);
    *s->said_end = f;
    s->said_end = &f->next;
}

static int deliver(struct kt_transport *t, uint64_t link, struct kt_bytes frame)
{
    struct site *s = site_of(t);
    const struct site_line *l = line_of(s, link);
    struct kt_buf b;
    if (!l) return KT_EGONE;
    if (!l->to) {
        said(s, link, frame);
        return KT_OK;
    }
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    kt_buf_put(&b, frame);
    const uint32_t times = s->way ? s->way(s->way_ctx, s, &b) : 1;
    for (uint32_t i = 0; i < times; i++) push_frame(l->to, link, kt_buf_bytes(&b));
    kt_buf_free(&b);
    return KT_OK;
}

static void take_down(struct site *s, uint64_t link)
{
    struct site_line *l = line_of(s, link);
    if (!l) return;
    struct site *other = l->to;
    *l = s->lines[--s->lines_len];
    push(s, (struct kt_input){.kind = KT_IN_LINK_DOWN, .link = link});
    if (other) take_down(other, link);
}

static void hang_up(struct kt_transport *t, uint64_t link, const char *why)
{
    struct site *s = site_of(t);
    s->closed++;
    snprintf(s->why, sizeof s->why, "%s", why);
    take_down(s, link);
}

static void bring_up(struct site *s, uint64_t link, kt_member member, struct site *to)
{
    assert_true(s->lines_len < SITE_LINES_MAX);
    s->lines[s->lines_len++] = (struct site_line){link, member, to};
    push(s, (struct kt_input){.kind = KT_IN_LINK_UP, .link = link, .member = member});
}

static uint64_t next_link(struct site *s) { return s->office->member * 1000u + ++s->links_made; }

void site_join(struct site *a, struct site *b)
{
    const uint64_t link = next_link(a);
    bring_up(b, link, a->office->member, a);
    site_step(b);
    struct kt_input *came = a->inbox, **end = a->end; /* a line takes its time: both have greeted before either hears */
    a->inbox = NULL;
    a->end = &a->inbox;
    bring_up(a, link, b->office->member, b);
    site_step(a);
    if (!came) return;
    *a->end = came;
    a->end = end;
}

void site_part(struct site *a, struct site *b)
{
    for (uint32_t i = a->lines_len; i-- > 0;)
        if (a->lines[i].to == b) take_down(a, a->lines[i].link);
}

void site_hang_up(struct site *s, uint64_t link) { take_down(s, link); }

uint64_t site_admit(struct site *s, kt_member member)
{
    const struct kt_roster *r = kt_keyring_roster(s->office->keyring);
    const struct kt_peer_message m = {.part = KT_PEER_GREETING,
                                      .greeting = {r->version, r->hash, KT_SUITE_1, KT_SCHEMA_1}};
    const uint64_t link = next_link(s);
    bring_up(s, link, member, NULL);
    site_say(s, link, &m);
    site_step(s);
    return link;
}

void site_say(struct site *s, uint64_t link, const struct kt_peer_message *m)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    OK(kt_peer_encode(m, &b));
    push_frame(s, link, kt_buf_bytes(&b));
    kt_buf_free(&b);
}

void site_say_bytes(struct site *s, uint64_t link, struct kt_bytes frame) { push_frame(s, link, frame); }

void site_give(struct site *s, uint64_t link, struct kt_bytes batch, const struct kt_bytes *wraps, uint32_t n)
{
    struct kt_answer_batch b = {batch, (struct kt_bytes *)wraps, n};
    const struct kt_peer_message m = {.part = KT_PEER_ANSWER, .answer = {.batches = &b, .batches_len = 1}};
    site_say(s, link, &m);
    site_step(s);
}

uint32_t site_hear(struct site *s, uint64_t link, enum kt_peer_part part, struct kt_peer_message *out)
{
    uint32_t heard = 0;
    struct kt_peer_message m;
    kt_arena_reset(&s->heard);
    for (struct site_frame **at = &s->said, *f; (f = *at);) {
        const struct kt_bytes bytes = kt_arena_copy(&s->heard, kt_bytes(f->bytes, f->len));
        OK(kt_peer_decode(bytes, &s->heard, &m));
        if (f->link != link || m.part != part) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        free(f);
        heard++;
        if (out) *out = m;
    }
    s->said_end = &s->said;
    while (*s->said_end) s->said_end = &(*s->said_end)->next;
    return heard;
}

/* ----------------------------------------------------------------------------------------------------------- life */

static void replied(void *ctx, const struct kt_asker *to, struct kt_bytes bytes)
{
    struct site *s = ctx;
    struct kt_arena arena;
    struct kt_reply r;
    (void)to;
    kt_arena_init(&arena, 8u << 20);
    OK(kt_reply_decode(bytes, &arena, &r));
    s->replies++;
    int code = r.code;
    for (uint32_t i = 0; i < r.put.results_len && !code; i++) code = r.put.results[i].code;
    s->refusals += code != 0;
    s->office->code = code;
    kt_arena_free(&arena);
}

static void noted(void *ctx, const char *event, const char *sentence)
{
    struct site *s = ctx;
    (void)event;
    snprintf(s->noted, sizeof s->noted, "%s", sentence);
}

static void start(struct site *s)
{
    OK(kt_board_create(&s->board));
    const struct kt_engine_config c = {.ledger = {.store = s->office->store->store,
                                                  .keyring = s->office->keyring,
                                                  .world = &s->world,
                                                  .phone_country = kt_str("49"),
                                                  .threaded = false},
                                       .transport = &s->transport,
                                       .board = s->board,
                                       .ctx = s,
                                       .reply = replied,
                                       .note = noted};
    OK(kt_engine_open(&c, &s->engine));
}

static void drop_inbox(struct site *s)
{
    for (struct kt_input *in = s->inbox, *next; in; in = next) {
        next = in->next;
        free(in->request);
        free(in);
    }
    s->inbox = NULL;
    s->end = &s->inbox;
}

static void stop(struct site *s)
{
    kt_engine_close(s->engine);
    kt_board_free(s->board);
    while (s->lines_len) take_down(s, s->lines[0].link);
    drop_inbox(s);
}

void site_open(struct site *s, struct bench_office *o)
{
    *s = (struct site){
        .world = {now_ms, monotonic_ns, random_bytes}, .transport = {deliver, hang_up}, .office = o, .dice = o->member};
    s->end = &s->inbox;
    s->said_end = &s->said;
    kt_arena_init(&s->arena, STATUS_BYTES);
    kt_arena_init(&s->heard, STATUS_BYTES);
    start(s);
}

void site_close(struct site *s)
{
    stop(s);
    for (struct site_frame *f = s->said, *next; f; f = next) {
        next = f->next;
        free(f);
    }
    kt_arena_free(&s->arena);
    kt_arena_free(&s->heard);
}

void site_restart(struct site *s)
{
    stop(s);
    bench_restart(s->office);
    start(s);
}

void site_restart_over(struct site *s, void (*meddle)(void *ctx), void *ctx)
{
    stop(s);
    bench_restart_over(s->office, meddle, ctx);
    s->dice ^= 0x5bd1e995u; /* it does not throw again what it threw before */
    start(s);
}

void site_restore(struct site *s, struct kt_memory_disk *disk)
{
    struct kt_memory_disk *old = s->office->store->memory;
    stop(s);
    s->office->store->memory = disk; /* the next open is of this one */
    bench_restart(s->office);
    kt_memory_disk_free(old);
    s->dice ^= 0x5bd1e995u; /* it does not throw again what it threw before */
    start(s);
}

/* ---------------------------------------------------------------------------------------------------------- steps */

void site_step(struct site *s)
{
    struct kt_input *inputs[STEP_MAX] = {NULL};
    uint32_t n = 0;
    while (s->inbox && n < STEP_MAX) {
        struct kt_input *in = s->inbox;
        s->inbox = in->next;
        if (!s->inbox) s->end = &s->inbox;
        in->next = NULL;
        inputs[n++] = in;
        if (in->kind != KT_IN_FRAME) continue;
        in->intake = kt_intake_frame(s->office->keyring, NULL, in->link, kt_bytes(in->request, in->request_len));
        assert_non_null(in->intake);
        free(in->request);
        in->request = NULL;
    }
    OK(kt_engine_step(s->engine, inputs, n));
    for (uint32_t i = 0; i < n; i++) free(inputs[i]);
    s->ms += SITE_STEP_MS;
}

void site_run(struct site *const *all, uint32_t n, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += SITE_STEP_MS)
        for (uint32_t i = 0; i < n; i++) site_step(all[i]);
}

int site_put(struct site *s, const char *line)
{
    struct kt_arena arena;
    struct kt_record record;
    struct kt_json_fault fault;
    struct kt_buf b;
    kt_arena_init(&arena, 1u << 20);
    kt_buf_init(&b, KT_REQUEST_BYTES_MAX);
    char *text = kt_arena_str(&arena, kt_str(line));
    assert_non_null(text);
    for (char *p = text; *p; p++)
        if (*p == '\'') *p = '"';
    OK(kt_json_record(kt_str(text), 1, &arena, &record, &fault));
    struct kt_request r = {.kind = KT_ASK_PUT, .actor = kt_str("clerk"), .purpose = kt_str("test")};
    r.put.records = &record;
    r.put.records_len = 1;
    OK(kt_request_encode(&r, &b));
    uint8_t *bytes = malloc(b.len);
    assert_non_null(bytes);
    memcpy(bytes, b.data, b.len);
    push(s, (struct kt_input){.kind = KT_IN_REQUEST, .request = bytes, .request_len = b.len});
    kt_buf_free(&b);
    kt_arena_free(&arena);
    const uint32_t before = s->replies;
    for (uint32_t i = 0; i < ANSWER_STEPS && s->replies == before; i++) site_step(s);
    assert_int_equal(s->replies, before + 1);
    return s->office->code;
}

/* ---------------------------------------------------------------------------------------------------------- looks */

const struct kt_engine_status *site_status(struct site *s)
{
    kt_arena_reset(&s->arena);
    OK(kt_engine_status(s->engine, &s->arena, &s->status));
    return &s->status;
}

const struct kt_peer_status *site_peer(struct site *s, kt_member m)
{
    const struct kt_engine_status *status = site_status(s);
    for (uint32_t i = 0; i < status->peers_len; i++)
        if (status->peers[i].member == m) return &status->peers[i];
    return NULL;
}

bool site_complains(struct site *s, const char *words)
{
    const struct kt_health_config c = {.keyring = s->office->keyring, .store = s->office->store->store};
    struct kt_problems problems;
    kt_health_problems(&c, site_status(s), &s->arena, &problems);
    for (uint32_t i = 0; i < problems.len; i++)
        if (strstr(problems.items[i].what, words)) return *problems.items[i].action != '\0';
    return false;
}

uint64_t site_held_of(struct site *s, struct kt_origin o)
{
    return kt_vector_get(kt_ledger_vector(kt_engine_ledger(s->engine)), o);
}

struct kt_origin site_origin(struct site *s) { return kt_ledger_origin(kt_engine_ledger(s->engine)); }

static void assert_digests_agree(const struct kt_engine_status *a, const struct kt_engine_status *b)
{
    for (uint32_t i = 0; i < a->digests_len; i++)
        for (uint32_t k = 0; k < b->digests_len; k++)
            if (a->digests[i].compartment == b->digests[k].compartment)
                assert_memory_equal(&a->digests[i].digest, &b->digests[k].digest, sizeof a->digests[i].digest);
}

void site_assert_same(struct site *const *all, uint32_t n)
{
    const struct kt_engine_status *first = site_status(all[0]);
    assert_int_equal(first->ledger.held, 0);
    for (uint32_t i = 1; i < n; i++) {
        const struct kt_engine_status *other = site_status(all[i]);
        assert_int_equal(other->ledger.held, 0);
        assert_int_equal(other->vector->len, first->vector->len);
        for (size_t k = 0; k < first->vector->len; k++) {
            const struct kt_vector_entry *x = &first->vector->entries[k], *y = &other->vector->entries[k];
            assert_int_equal(kt_origin_compare(x->origin, y->origin), 0);
            assert_int_equal(x->number, y->number);
            assert_memory_equal(&x->seal_hash, &y->seal_hash, sizeof x->seal_hash);
        }
        assert_digests_agree(first, other);
    }
}
