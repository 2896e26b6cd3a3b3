/* A member gone rogue: it holds good keys and says what no honest node would.  Nobody else's node ends, forgets or
 * takes for true what it should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "engine/intake.h"
#include "proto/batch/section.h"
#include "proto/schema/fields.h"
#include "support/bench_group.h"

#include <sodium.h>

#define OK(call)  assert_int_equal((call), KT_OK)
#define LINK      1u
#define START_MS  1772399400000u
#define ENVELOPES 4u

/* ------------------------------------------------------------------------------------------------ what it sends */

struct rogue {
    struct kt_keyring *keyring;
    struct kt_arena arena;
    uint64_t number;
    struct kt_hash previous;
    struct kt_draft_envelope envelopes[ENVELOPES];
    uint32_t len;
};

static void rogue_open(struct rogue *r, struct bench_office *o)
{
    *r = (struct rogue){.keyring = o->keyring, .number = 1};
    kt_arena_init(&r->arena, 512u << 20);
}

static struct kt_entity_id ward_of(uint8_t n) { return (struct kt_entity_id){{n}}; }

static struct kt_tag tag_of(const struct rogue *r, kt_compartment c, uint8_t ward)
{
    const struct kt_entity_id id = ward_of(ward);
    return kt_tag_of(kt_keyring_compartment(r->keyring, c), &id);
}

static struct kt_dek key_for(const struct rogue *r, kt_compartment c, uint8_t ward)
{
    const struct kt_compartment_keys *k = kt_keyring_compartment(r->keyring, c);
    const struct kt_tag tag = tag_of(r, c, ward);
    struct kt_dek dek = {
        .key = {0x77, ward}
    };
    dek.id = kt_dek_id_of(dek.key, c, &tag, 0, k->keks[k->keks_len - 1].epoch);
    return dek;
}

static struct kt_bytes kept(struct rogue *r, struct kt_buf *b)
{
    const struct kt_bytes copy = kt_arena_copy(&r->arena, kt_buf_bytes(b));
    assert_non_null(copy.data);
    kt_buf_free(b);
    return copy;
}

static struct kt_bytes wrap_of(struct rogue *r, kt_compartment c, uint8_t ward)
{
    const struct kt_compartment_keys *k = kt_keyring_compartment(r->keyring, c);
    const struct kt_kek *kek = &k->keks[k->keks_len - 1];
    const struct kt_tag tag = tag_of(r, c, ward);
    const struct kt_dek dek = key_for(r, c, ward);
    struct kt_buf b;
    kt_buf_init(&b, 1024);
    OK(kt_wrap_seal(k, kek, &dek, &tag, 0, kek->epoch, &b));
    return kept(r, &b);
}

/* An envelope about `ward` under any key. */
static void add(struct rogue *r, kt_compartment c, uint8_t ward, const struct kt_dek *dek, size_t filling)
{
    const struct kt_compartment_keys *k = kt_keyring_compartment(r->keyring, c);
    uint8_t *noise = kt_arena_alloc(&r->arena, KT_VALUE_BYTES_MAX);
    randombytes_buf_deterministic(noise, KT_VALUE_BYTES_MAX, (const uint8_t[32]){(uint8_t)r->number});
    struct kt_op ops[4];
    struct kt_buf b;
    uint32_t n = 0;
    do { /* sets of a later schema: kept by whoever can read them */
        const size_t part = filling < KT_VALUE_BYTES_MAX ? filling : KT_VALUE_BYTES_MAX;
        ops[n] = (struct kt_op){.entity = ward_of(ward),
                                .field = KT_F_CUSTOMER_OCCUPATION + 0x40 + n,
                                .has_value = true,
                                .value = kt_bytes(noise, part ? part : 1)};
        filling -= part;
        n++;
    } while (filling && n < 3);
    const struct kt_change change = {.ward = ward_of(ward), .ops = ops, .ops_len = n};
    kt_buf_init(&b, KT_CHANGE_BYTES_MAX);
    OK(kt_change_encode(&change, &b));
    assert_true(r->len < ENVELOPES);
    r->envelopes[r->len++] = (struct kt_draft_envelope){.compartment = c,
                                                        .epoch = k->keks[k->keks_len - 1].epoch,
                                                        .stamp = (kt_hlc)START_MS << 16,
                                                        .tag = tag_of(r, c, ward),
                                                        .dek = *dek,
                                                        .change = kept(r, &b)};
}

static struct kt_bytes sealed(struct rogue *r)
{
    static const uint8_t bases[KT_SECTIONS_PER_BATCH_MAX][KT_NONCE_BASE_BYTES];
    const struct kt_roster *roster = kt_keyring_roster(r->keyring);
    struct kt_draft_batch d = {
        .cluster = *kt_keyring_cluster(r->keyring),
        .origin = {kt_keyring_self(r->keyring), 7},
        .number = r->number++,
        .previous = r->previous,
        .hlc = (kt_hlc)START_MS << 16,
        .roster_version = roster->version,
        .roster_hash = roster->hash,
        .envelopes = r->envelopes,
        .envelopes_len = r->len
    };
    struct kt_buf b;
    kt_buf_init(&b, KT_BATCH_BYTES_MAX);
    kt_batch_number(&d);
    OK(kt_batch_seal(&d, bases, kt_keyring_identity(r->keyring)->sign_secret, &b, &r->previous));
    r->len = 0;
    return kept(r, &b);
}

/* ------------------------------------------------------------------------------------------------- what is opened */

static struct kt_opened opened_by(struct bench_office *o, struct rogue *r, struct kt_bytes batch,
                                  const struct kt_bytes *wraps, uint32_t n)
{
    struct kt_opened out;
    OK(kt_open_batch(o->keyring, NULL, batch, wraps, n, &r->arena, &out));
    return out;
}

static void a_key_is_for_one_ward_and_compartment(void **state)
{
    /* A change sealed under another person's key would outlive an erasure: it is void.  One under another
     * compartment's key waits for a key that never comes, whether or not the reader happens to have that key at hand.
     */
    struct bench_office *reader = bench_office(*state, 1);
    struct rogue r;
    rogue_open(&r, bench_office(*state, 2));
    const struct kt_dek first = key_for(&r, BENCH_REVENUE, 1);
    const struct kt_bytes wrap = wrap_of(&r, BENCH_REVENUE, 1);
    add(&r, BENCH_MOTOR, 1, &first, 1);
    const struct kt_bytes foreign = sealed(&r);
    struct kt_opened o = opened_by(reader, &r, foreign, NULL, 0);
    assert_int_equal(o.verdict, KT_OK);
    assert_int_equal(o.envelopes[0].fate, KT_FATE_HELD);

    add(&r, BENCH_REVENUE, 1, &first, 1);
    add(&r, BENCH_REVENUE, 2, &first, 1);
    o = opened_by(reader, &r, sealed(&r), &wrap, 1);
    assert_int_equal(o.verdict, KT_OK);
    assert_int_equal(o.envelopes[0].fate, KT_FATE_OPEN);
    assert_int_equal(o.envelopes[1].fate, KT_FATE_VOID);

    o = opened_by(reader, &r, foreign, NULL, 0); /* the key is in memory by now */
    assert_int_equal(o.envelopes[0].fate, KT_FATE_HELD);
    kt_arena_free(&r.arena);
}

static void an_item_without_content_is_missing(void **state)
{
    /* A relay takes the content out of another's batch, whose seal stands all the same: without an erasure that batch
     * is not here yet. */
    struct bench_office *reader = bench_office(*state, 1);
    struct rogue r;
    struct kt_batch b;
    struct kt_buf out;
    rogue_open(&r, bench_office(*state, 2));
    const struct kt_dek dek = key_for(&r, BENCH_REVENUE, 1);
    const struct kt_bytes wrap = wrap_of(&r, BENCH_REVENUE, 1);
    add(&r, BENCH_REVENUE, 1, &dek, 1);
    const struct kt_bytes whole = sealed(&r);
    OK(kt_batch_decode(whole, &r.arena, &b));
    b.sections[0].items[0].erased = true;
    kt_buf_init(&out, KT_BATCH_BYTES_MAX);
    OK(kt_batch_encode(&b, &out));
    assert_int_equal(opened_by(reader, &r, kept(&r, &out), &wrap, 1).verdict, KT_ETRUNCATED);
    assert_int_equal(opened_by(reader, &r, whole, &wrap, 1).verdict, KT_OK);
    kt_arena_free(&r.arena);
}

/* --------------------------------------------------------------------------------------------------- an engine */

struct site {
    struct kt_world world;         /* first */
    struct kt_transport transport; /* behind it */
    uint64_t ms;
    struct bench_office *office;
    struct kt_engine *engine;
    struct kt_board *board;
    uint32_t sent, closed;
};

static uint64_t now_ms(struct kt_world *w) { return START_MS + ((struct site *)w)->ms; }
static uint64_t monotonic_ns(struct kt_world *w) { return (1000 + ((struct site *)w)->ms) * 1000000u; }
static void random_bytes(struct kt_world *w, void *out, size_t len)
{
    static uint64_t dice;
    (void)w;
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)((dice += 0x9e3779b97f4a7c15u) >> 40);
}

static struct site *site_of(struct kt_transport *t)
{
    return (struct site *)((char *)t - offsetof(struct site, transport));
}

static int send_frame(struct kt_transport *t, uint64_t link, struct kt_bytes frame)
{
    (void)link, (void)frame;
    site_of(t)->sent++;
    return KT_OK;
}

static void close_link(struct kt_transport *t, uint64_t link, const char *why)
{
    (void)link, (void)why;
    site_of(t)->closed++;
}

static void nobody_replied(void *ctx, const struct kt_asker *to, struct kt_bytes reply)
{
    (void)ctx, (void)to, (void)reply;
}

static void open_site(struct site *s, struct bench_office *o)
{
    *s = (struct site){
        .world = {now_ms, monotonic_ns, random_bytes},
          .transport = {send_frame,      close_link        },
          .office = o
    };
    OK(kt_board_create(&s->board));
    const struct kt_engine_config c = {
        .ledger = {.store = o->store->store, .keyring = o->keyring, .world = &s->world},
        .transport = &s->transport,
        .board = s->board,
        .ctx = s,
        .reply = nobody_replied
    };
    OK(kt_engine_open(&c, &s->engine));
}

static void close_site(struct site *s)
{
    kt_engine_close(s->engine);
    kt_board_free(s->board);
}

static void step(struct site *s, struct kt_input in)
{
    struct kt_input *const inputs[] = {&in};
    OK(kt_engine_step(s->engine, inputs, in.kind == KT_IN_CALL ? 0 : 1));
    s->ms += 20;
}

static void say(struct site *s, uint64_t link, const struct kt_peer_message *m)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    OK(kt_peer_encode(m, &b));
    struct kt_intake *i = kt_intake_frame(s->office->keyring, NULL, link, kt_buf_bytes(&b));
    assert_non_null(i);
    kt_buf_free(&b);
    step(s, (struct kt_input){.kind = KT_IN_FRAME, .link = link, .intake = i});
}

static void greet(struct site *s, uint64_t link, kt_member member)
{
    const struct kt_roster *r = kt_keyring_roster(s->office->keyring);
    const struct kt_peer_message m = {
        .part = KT_PEER_GREETING, .greeting = {r->version, r->hash, KT_SUITE_1, KT_SCHEMA_1}
    };
    step(s, (struct kt_input){.kind = KT_IN_LINK_UP, .link = link, .member = member});
    say(s, link, &m);
}

static void give(struct site *s, uint64_t link, struct kt_bytes batch, struct kt_bytes *wraps, uint32_t n)
{
    struct kt_answer_batch b = {batch, wraps, n};
    const struct kt_peer_message m = {
        .part = KT_PEER_ANSWER, .answer = {.batches = &b, .batches_len = 1}
    };
    say(s, link, &m);
}

static uint64_t held_by(struct site *s)
{
    struct kt_engine_status status;
    struct kt_arena a;
    kt_arena_init(&a, 64u << 20);
    OK(kt_engine_status(s->engine, &a, &status));
    kt_arena_free(&a);
    return status.ledger.held;
}

static void heads_without_end_cost_a_link_not_a_node(void **state)
{
    /* A peer names as many origins as there can be, and then one more, and one more of its own: its link is closed. */
    struct site s;
    open_site(&s, bench_office(*state, 1));
    struct kt_head *heads = calloc(KT_ORIGINS_MAX, sizeof *heads);
    struct kt_peer_message m = {
        .part = KT_PEER_PULL, .pull = {.whole = true, .heads = heads, .grant_bytes = KT_GRANT_BYTES_MAX}
    };
    greet(&s, LINK, 2);
    for (uint32_t i = 0; i < KT_ORIGINS_MAX; i++)
        heads[i] = (struct kt_head){
            {9, i + 1},
            1
        };
    m.pull.heads_len = KT_ORIGINS_MAX;
    say(&s, LINK, &m);
    assert_int_equal(s.closed, 0);
    m.pull.whole = false;
    m.pull.heads_len = 1;
    heads[0] = (struct kt_head){
        {10, 1},
        1
    };
    say(&s, LINK, &m);
    assert_int_equal(s.closed, 1);
    step(&s, (struct kt_input){.kind = KT_IN_CALL});
    free(heads);
    close_site(&s);
}

static void of_a_thousand_pulses_the_newest_counts(void **state)
{
    /* One member signs a thousand pulses for one frame: the newest is kept, the others cost their signatures. */
    struct bench_office *reader = bench_office(*state, 1), *author = bench_office(*state, 2);
    struct kt_bytes items[1000];
    struct kt_buf b, bodies[1000];
    struct kt_arena arena;
    struct kt_pulse p;
    for (uint32_t i = 0; i < 1000; i++) {
        const struct kt_pulse pulse = {.suite = KT_SUITE_1,
                                       .cluster = *kt_keyring_cluster(author->keyring),
                                       .member = 2,
                                       .hlc = ((kt_hlc)START_MS << 16) + (i * 7) % 1000};
        kt_buf_init(&bodies[i], 4096);
        OK(kt_pulse_encode(&pulse, kt_keyring_identity(author->keyring)->sign_secret, &bodies[i]));
        items[i] = kt_buf_bytes(&bodies[i]);
    }
    const struct kt_peer_message m = {
        .part = KT_PEER_PULSES, .pulses = {items, 1000}
    };
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    OK(kt_peer_encode(&m, &b));
    struct kt_intake *i = kt_intake_frame(reader->keyring, NULL, LINK, kt_buf_bytes(&b));
    OK(i->verdict);
    assert_int_equal(i->message.pulses.len, 1);
    kt_arena_init(&arena, 1u << 20);
    OK(kt_pulse_decode(i->message.pulses.items[0], &arena, &p));
    assert_int_equal(p.hlc, ((kt_hlc)START_MS << 16) + 999);
    kt_arena_free(&arena);
    kt_intake_free(i);
    kt_buf_free(&b);
    for (uint32_t k = 0; k < 1000; k++) kt_buf_free(&bodies[k]);
}

static void changes_that_nobody_can_open_are_put_aside(void **state)
{
    /* A member sends eighty megabytes under keys it never gives away: they wait, the node goes on, also after it was
     * started again. */
    const uint32_t batches = 900;
    struct site s;
    struct rogue r;
    open_site(&s, bench_office(*state, 1));
    greet(&s, LINK, 2);
    rogue_open(&r, bench_office(*state, 2));
    for (uint32_t i = 0; i < batches; i++) {
        struct kt_dek secret = {0};
        memcpy(secret.id.b, &i, sizeof i);
        add(&r, BENCH_REVENUE, 1, &secret, 90u << 10);
        give(&s, LINK, sealed(&r), NULL, 0);
        kt_arena_reset(&r.arena);
    }
    assert_int_equal(s.closed, 0);
    assert_int_equal(held_by(&s), batches);
    close_site(&s);
    open_site(&s, bench_office(*state, 1));
    for (uint32_t i = 0; i < 100; i++) step(&s, (struct kt_input){.kind = KT_IN_CALL});
    assert_int_equal(held_by(&s), batches);
    close_site(&s);
    kt_arena_free(&r.arena);
}

/* Headers that introduce one key a thousand times each, sealed as they are. */
static struct kt_bytes with_many_keys(struct rogue *r, struct kt_bytes batch)
{
    struct kt_batch b;
    struct kt_buf out;
    uint8_t signature[KT_SIGNATURE_BYTES];
    OK(kt_batch_decode(batch, &r->arena, &b));
    for (uint32_t i = 0; i < b.seal.sections_len; i++) {
        struct kt_section *s = &b.sections[i];
        struct kt_hasher h;
        s->keys = kt_arena_array(&r->arena, 1000, sizeof *s->keys);
        s->keys_len = 1000;
        for (uint32_t k = 0; k < s->keys_len; k++) s->keys[k].id = key_for(r, BENCH_REVENUE, 1).id;
        kt_buf_init(&out, KT_BATCH_BYTES_MAX);
        OK(kt_section_header_encode(s, &out));
        s->header = kept(r, &out);
        kt_section_hash_begin(&h, s->header);
        for (uint32_t k = 0; k < s->items_len; k++) kt_section_hash_item(&h, &s->items[k]);
        kt_hash_end(&h, b.seal.sections[i].hash.b);
    }
    kt_buf_init(&out, KT_BATCH_BYTES_MAX);
    OK(kt_seal_encode(&b.seal, &out));
    b.seal_bytes = kept(r, &out);
    OK(kt_sign(KT_LABEL_SEAL, kt_keyring_identity(r->keyring)->sign_secret, b.seal_bytes, signature));
    b.signature = KT_BYTES_OF(signature);
    kt_buf_init(&out, KT_BATCH_BYTES_MAX);
    OK(kt_batch_encode(&b, &out));
    return kept(r, &out);
}

static void a_batch_that_introduces_too_many_keys_can_be_served(void **state)
{
    /* A batch says it introduces two thousand keys.  It is taken, and passed on to the next who asks. */
    struct site s;
    struct rogue r;
    open_site(&s, bench_office(*state, 1));
    rogue_open(&r, bench_office(*state, 2));
    greet(&s, LINK, 2);
    struct kt_dek dek = key_for(&r, BENCH_REVENUE, 1), other = key_for(&r, BENCH_MOTOR, 1);
    struct kt_bytes wrap = wrap_of(&r, BENCH_REVENUE, 1);
    add(&r, BENCH_REVENUE, 1, &dek, 1);
    add(&r, BENCH_MOTOR, 1, &other, 1);
    give(&s, LINK, with_many_keys(&r, sealed(&r)), &wrap, 1);
    assert_int_equal(s.closed, 0);
    greet(&s, LINK + 1, 3);
    const struct kt_peer_message m = {
        .part = KT_PEER_PULL, .pull = {.whole = true, .grant_bytes = KT_GRANT_BYTES_MAX}
    };
    const uint32_t before = s.sent;
    say(&s, LINK + 1, &m);
    for (uint32_t i = 0; i < 5; i++) step(&s, (struct kt_input){.kind = KT_IN_CALL});
    assert_true(s.sent > before);
    assert_int_equal(s.closed, 0);
    close_site(&s);
    kt_arena_free(&r.arena);
}

/* The offices of this bench share one roster only where its bundles are sealed with the same randomness each time. */
static const char *same_name(void) { return "same"; }
static uint32_t same_number(void) { return 4; }
static void same_bytes(void *out, const size_t len) { memset(out, 0x42, len); }

int main(void)
{
    static randombytes_implementation same = {
        .implementation_name = same_name, .random = same_number, .buf = same_bytes};
    if (randombytes_set_implementation(&same)) return 1;
    static const struct CMUnitTest tests[] = {
        OVER(memory, a_key_is_for_one_ward_and_compartment),
        OVER(memory, an_item_without_content_is_missing),
        OVER(memory, heads_without_end_cost_a_link_not_a_node),
        OVER(memory, of_a_thousand_pulses_the_newest_counts),
        OVER(memory, changes_that_nobody_can_open_are_put_aside),
        OVER(memory, a_batch_that_introduces_too_many_keys_can_be_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
