/* A member gone rogue: it holds good keys and says what no honest node would.  Nobody else's node ends, forgets or
 * takes for true what it should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/batch/section.h"
#include "support/bench_group.h"
#include "support/bench_site.h"
#include "support/rogue.h"

#define OK(call) assert_int_equal((call), KT_OK)

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
    const struct kt_dek first = rogue_key(&r, BENCH_REVENUE, 1);
    const struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    rogue_add_noise(&r, BENCH_MOTOR, 1, &first, 1);
    const struct kt_bytes foreign = rogue_seal(&r);
    struct kt_opened o = opened_by(reader, &r, foreign, NULL, 0);
    assert_int_equal(o.verdict, KT_OK);
    assert_int_equal(o.envelopes[0].fate, KT_FATE_HELD);

    rogue_add_noise(&r, BENCH_REVENUE, 1, &first, 1);
    rogue_add_noise(&r, BENCH_REVENUE, 2, &first, 1);
    o = opened_by(reader, &r, rogue_seal(&r), &wrap, 1);
    assert_int_equal(o.verdict, KT_OK);
    assert_int_equal(o.envelopes[0].fate, KT_FATE_OPEN);
    assert_int_equal(o.envelopes[1].fate, KT_FATE_VOID);

    o = opened_by(reader, &r, foreign, NULL, 0); /* the key is in memory by now */
    assert_int_equal(o.envelopes[0].fate, KT_FATE_HELD);
    rogue_close(&r);
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
    const struct kt_dek dek = rogue_key(&r, BENCH_REVENUE, 1);
    const struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    rogue_add_noise(&r, BENCH_REVENUE, 1, &dek, 1);
    const struct kt_bytes whole = rogue_seal(&r);
    OK(kt_batch_decode(whole, &r.arena, &b));
    b.sections[0].items[0].erased = true;
    kt_buf_init(&out, KT_BATCH_BYTES_MAX);
    OK(kt_batch_encode(&b, &out));
    assert_int_equal(opened_by(reader, &r, rogue_kept(&r, &out), &wrap, 1).verdict, KT_ETRUNCATED);
    assert_int_equal(opened_by(reader, &r, whole, &wrap, 1).verdict, KT_OK);
    rogue_close(&r);
}

/* --------------------------------------------------------------------------------------------------- an engine */

static void heads_without_end_cost_a_link_not_a_node(void **state)
{
    /* A peer names as many origins as there can be, and then one more, and one more of its own: its link is closed. */
    struct site s;
    site_open(&s, bench_office(*state, 1));
    struct kt_head *heads = calloc(KT_ORIGINS_MAX, sizeof *heads);
    struct kt_peer_message m = {.part = KT_PEER_PULL,
                                .pull = {.whole = true, .heads = heads, .grant_bytes = KT_GRANT_BYTES_MAX}};
    const uint64_t link = site_admit(&s, 2);
    for (uint32_t i = 0; i < KT_ORIGINS_MAX; i++) heads[i] = (struct kt_head){{9, i + 1}, 1};
    m.pull.heads_len = KT_ORIGINS_MAX;
    site_say(&s, link, &m);
    site_step(&s);
    assert_int_equal(s.closed, 0);
    m.pull.whole = false;
    m.pull.heads_len = 1;
    heads[0] = (struct kt_head){{10, 1}, 1};
    site_say(&s, link, &m);
    site_step(&s);
    assert_int_equal(s.closed, 1);
    site_step(&s);
    free(heads);
    site_close(&s);
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
                                       .hlc = ((kt_hlc)SITE_START_MS << 16) + (i * 7) % 1000};
        kt_buf_init(&bodies[i], 4096);
        OK(kt_pulse_encode(&pulse, kt_keyring_identity(author->keyring)->sign_secret, &bodies[i]));
        items[i] = kt_buf_bytes(&bodies[i]);
    }
    const struct kt_peer_message m = {.part = KT_PEER_PULSES, .pulses = {items, 1000}};
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    OK(kt_peer_encode(&m, &b));
    struct kt_intake *i = kt_intake_frame(reader->keyring, NULL, 1, kt_buf_bytes(&b));
    OK(i->verdict);
    assert_int_equal(i->message.pulses.len, 1);
    kt_arena_init(&arena, 1u << 20);
    OK(kt_pulse_decode(i->message.pulses.items[0], &arena, &p));
    assert_int_equal(p.hlc, ((kt_hlc)SITE_START_MS << 16) + 999);
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
    site_open(&s, bench_office(*state, 1));
    const uint64_t link = site_admit(&s, 2);
    rogue_open(&r, bench_office(*state, 2));
    for (uint32_t i = 0; i < batches; i++) {
        struct kt_dek secret = {0};
        memcpy(secret.id.b, &i, sizeof i);
        rogue_add_noise(&r, BENCH_REVENUE, 1, &secret, 90u << 10);
        site_give(&s, link, rogue_seal(&r), NULL, 0);
        kt_arena_reset(&r.arena);
    }
    assert_int_equal(s.closed, 0);
    assert_int_equal(site_status(&s)->ledger.held, batches);
    site_close(&s);
    site_open(&s, bench_office(*state, 1));
    for (uint32_t i = 0; i < 100; i++) site_step(&s);
    assert_int_equal(site_status(&s)->ledger.held, batches);
    site_close(&s);
    rogue_close(&r);
}

/* Headers that introduce one key a thousand times each, sealed as they are. */
static struct kt_bytes with_many_keys(struct rogue *r, struct kt_bytes batch)
{
    struct kt_batch b;
    OK(kt_batch_decode(batch, &r->arena, &b));
    for (uint32_t i = 0; i < b.seal.sections_len; i++) {
        struct kt_section *s = &b.sections[i];
        s->keys = kt_arena_array(&r->arena, 1000, sizeof *s->keys);
        s->keys_len = 1000;
        for (uint32_t k = 0; k < s->keys_len; k++) s->keys[k].id = rogue_key(r, BENCH_REVENUE, 1).id;
    }
    return rogue_reseal(r, &b);
}

static void a_batch_that_introduces_too_many_keys_can_be_served(void **state)
{
    /* A batch says it introduces two thousand keys.  It is taken, and passed on to the next who asks. */
    struct site s;
    struct rogue r;
    site_open(&s, bench_office(*state, 1));
    rogue_open(&r, bench_office(*state, 2));
    const uint64_t link = site_admit(&s, 2);
    struct kt_dek dek = rogue_key(&r, BENCH_REVENUE, 1), other = rogue_key(&r, BENCH_MOTOR, 1);
    struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    rogue_add_noise(&r, BENCH_REVENUE, 1, &dek, 1);
    rogue_add_noise(&r, BENCH_MOTOR, 1, &other, 1);
    site_give(&s, link, with_many_keys(&r, rogue_seal(&r)), &wrap, 1);
    assert_int_equal(s.closed, 0);
    const uint64_t next = site_admit(&s, 3);
    const struct kt_peer_message m = {.part = KT_PEER_PULL, .pull = {.whole = true, .grant_bytes = KT_GRANT_BYTES_MAX}};
    site_say(&s, next, &m);
    for (uint32_t i = 0; i < 5; i++) site_step(&s);
    assert_int_equal(site_hear(&s, next, KT_PEER_ANSWER, NULL), 1);
    assert_int_equal(s.closed, 0);
    site_close(&s);
    rogue_close(&r);
}

int main(void)
{
    rogue_same_dice();
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
