/* What a line or the peer behind it may do to what it passes on: send it a thousand times, out of order, with holes,
 * not at all, without its keys, with another's.  Everybody ends with the same, knows what has not come, and waits for
 * it without asking itself to death. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/schema/fields.h"
#include "support/bench_group.h"
#include "support/bench_site.h"
#include "support/rogue.h"

#define OK(call) assert_int_equal((call), KT_OK)
#define BATCHES  6u

static void put_customer(struct site *s, uint32_t number, const char *occupation)
{
    char line[256];
    snprintf(line, sizeof line,
             "{'entity':'customer','source_system':'revenue','source_id':'C-%u','kind':'person','occupation':'%s'}",
             number, occupation);
    OK(site_put(s, line));
}

static void assert_occupation(struct site *s, const char *who, const char *what)
{
    json_t *j = bench_look(s->office, KT_BY_SOURCE, who);
    assert_non_null(j);
    assert_string_equal(bench_text(j, "customer/occupation"), what);
    json_decref(j);
}

/* ------------------------------------------------------------------------------------------------- again and again */

static uint32_t answers_a_thousandfold(void *ctx, struct site *from, struct kt_buf *frame)
{
    struct kt_arena arena;
    struct kt_peer_message m;
    uint32_t *often = ctx;
    (void)from;
    kt_arena_init(&arena, 8u << 20);
    OK(kt_peer_decode(kt_buf_bytes(frame), &arena, &m));
    const bool answer = m.part == KT_PEER_ANSWER;
    kt_arena_free(&arena);
    if (answer) ++*often;
    return answer ? 1000 : 2;
}

static void duplicates_a_thousandfold_count_once(void **state)
{
    /* Every answer of an office comes a thousand times, and everything else twice: each batch is taken once. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    uint32_t answers = 0;
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(*state, i + 1));
    s[0].way = answers_a_thousandfold;
    s[0].way_ctx = &answers;
    site_join(&s[0], &s[1]);
    for (uint32_t i = 0; i < 5; i++) {
        put_customer(&s[0], 1, i % 2 ? "smith" : "baker");
        site_run(both, 2, 2000);
    }
    site_run(both, 2, 10000);
    assert_true(answers >= 5);
    site_assert_same(both, 2);
    assert_int_equal(site_held_of(&s[1], site_origin(&s[0])), 5);
    assert_int_equal(site_status(&s[1])->batches_in, 5);
    assert_int_equal(s[0].closed + s[1].closed, 0);
    assert_occupation(&s[1], "revenue:C-1", "baker");
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
}

static void whatever_order_batches_come_in_the_end_is_the_same(void **state)
{
    /* Six origins wrote one after the other to one field, each replacing what the one before wrote.  Their batches come
     * to three offices forwards, backwards, and from the middle: one value is live at each, the same. */
    static const uint32_t orders[3][BATCHES] = {{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}, {3, 1, 5, 0, 4, 2}};
    struct site s[3], *all[] = {&s[0], &s[1], &s[2]};
    struct rogue r;
    struct kt_bytes batches[BATCHES];
    rogue_open(&r, bench_office(*state, 2));
    const struct kt_dek dek = rogue_key(&r, BENCH_REVENUE, 1);
    const struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    for (uint32_t i = 0; i < BATCHES; i++) {
        const struct kt_dot before = {{2, i}, 1, kt_envelope_number(BENCH_REVENUE, 0), 0};
        const struct kt_op op = {.entity = rogue_ward(1),
                                 .field = KT_F_CUSTOMER_OCCUPATION,
                                 .has_value = true,
                                 .value = kt_bytes("abcdef" + i, 1),
                                 .replaces = &before,
                                 .replaces_len = i > 0};
        const struct kt_change change = {.ward = rogue_ward(1), .ops = &op, .ops_len = 1};
        r.origin.incarnation = i + 1;
        r.number = 1;
        memset(&r.previous, 0, sizeof r.previous);
        r.hlc++;
        rogue_add_change(&r, BENCH_REVENUE, &change, &dek);
        batches[i] = rogue_seal(&r);
    }
    for (uint32_t i = 0; i < 3; i++) {
        site_open(&s[i], bench_office(*state, i + 1));
        const uint64_t link = site_admit(&s[i], i == 1 ? 1 : 2);
        for (uint32_t k = 0; k < BATCHES; k++) site_give(&s[i], link, batches[orders[i][k]], &wrap, 1);
        assert_int_equal(site_status(&s[i])->batches_in, BATCHES);
        assert_int_equal(bench_rows(s[i].office, KT_T_store_debt), 0);
    }
    site_assert_same(all, 3);
    for (uint32_t i = 0; i < 3; i++) site_close(&s[i]);
    rogue_close(&r);
}

/* ---------------------------------------------------------------------------------------------------------- holes */

/* A member the test speaks for: what it holds, and what of that it gives. */
struct keeper {
    struct rogue rogue;
    struct kt_bytes batches[BATCHES];
    struct kt_bytes wrap;
    uint64_t pulses;
    uint32_t asked, by_id, missing; /* missing: a number it has not, and serves past; 0: none */
};

static void keeper_open(struct keeper *k, struct bench_office *o)
{
    memset(k, 0, sizeof *k);
    rogue_open(&k->rogue, o);
    const struct kt_dek dek = rogue_key(&k->rogue, BENCH_REVENUE, 1);
    k->wrap = rogue_wrap(&k->rogue, BENCH_REVENUE, 1);
    for (uint32_t i = 0; i < BATCHES; i++) {
        rogue_add(&k->rogue, BENCH_REVENUE, 1, &dek, KT_F_CUSTOMER_OCCUPATION + 0x40 + i, "later");
        k->batches[i] = rogue_seal(&k->rogue);
    }
}

/* Its pulse: this is my head. */
static void keeper_pulse(struct keeper *k, struct site *s, uint64_t link)
{
    const struct kt_head head = {k->rogue.origin, BATCHES};
    const struct kt_pulse p = {.hlc = k->rogue.hlc + (s->ms << 16), .heads = &head, .heads_len = 1};
    struct kt_bytes pulse = rogue_pulse(&k->rogue, &p);
    const struct kt_peer_message m = {.part = KT_PEER_PULSES, .pulses = {&pulse, 1}};
    site_say(s, link, &m);
}

/* Serves as an honest node does whose journal lacks one batch. */
static void keeper_serve(struct keeper *k, struct site *s, uint64_t link)
{
    struct kt_peer_message m;
    const uint32_t pulls = site_hear(s, link, KT_PEER_PULL, &m);
    k->asked += pulls;
    bool skips = false;
    for (uint32_t i = 0; pulls && i < m.pull.skip_len; i++)
        skips |= kt_origin_compare(m.pull.skip[i], k->rogue.origin) == 0;
    for (uint32_t n = 1; pulls && !skips && n <= BATCHES; n++)
        if (n != k->missing && n > site_held_of(s, k->rogue.origin)) site_give(s, link, k->batches[n - 1], &k->wrap, 1);
    k->by_id += site_hear(s, link, KT_PEER_BATCHES_BY_ID, NULL);
}

static void a_gap_never_filled_costs_little_and_is_told(void **state)
{
    /* A peer has lost the third batch of six and serves the rest, for two minutes: what comes before the gap counts,
     * what comes after waits, the peer is not asked without end, and the status says so.  From another peer all comes.
     */
    struct site s;
    struct keeper k;
    site_open(&s, bench_office(*state, 1));
    keeper_open(&k, bench_office(*state, 2));
    k.missing = 3;
    const uint64_t link = site_admit(&s, 2);
    for (uint32_t second = 0; second < 120; second++) {
        if (second % 5 == 0) keeper_pulse(&k, &s, link);
        for (uint32_t i = 0; i < 50; i++) {
            keeper_serve(&k, &s, link);
            site_step(&s);
        }
    }
    assert_int_equal(s.closed, 0);
    assert_int_equal(site_held_of(&s, k.rogue.origin), 2);
    assert_int_equal(site_peer(&s, 2)->we_lack_batches, BATCHES - 2);
    assert_true(site_complains(&s, "4 batches of office-2 have not come"));
    assert_true(k.asked > 4 && k.asked < 60);
    k.missing = 0;
    const uint64_t other = site_admit(&s, 3);
    for (uint32_t i = 0; i < 2000 && site_held_of(&s, k.rogue.origin) < BATCHES; i++) {
        keeper_serve(&k, &s, other);
        site_step(&s);
    }
    assert_int_equal(site_held_of(&s, k.rogue.origin), BATCHES);
    assert_false(site_complains(&s, "have not come"));
    site_close(&s);
    rogue_close(&k.rogue);
}

static void what_a_relay_withholds_is_known_to_be_missing(void **state)
{
    /* The only peer passes on the pulses of a third office and none of its batches: what is shown is not said to be
     * complete, the status names the office, and with another line all comes. */
    struct site s;
    struct keeper k;
    site_open(&s, bench_office(*state, 1));
    keeper_open(&k, bench_office(*state, 3));
    const uint64_t link = site_admit(&s, 2);
    for (uint32_t second = 0; second < 70; second++) {
        if (second % 5 == 0) keeper_pulse(&k, &s, link);
        for (uint32_t i = 0; i < 50; i++) site_step(&s);
    }
    assert_int_equal(site_held_of(&s, k.rogue.origin), 0);
    assert_int_equal(site_peer(&s, 3)->complete_through_ms, 0);
    assert_int_equal(site_peer(&s, 3)->we_lack_batches, BATCHES);
    assert_true(site_complains(&s, "6 batches of office-3 have not come"));
    const uint64_t other = site_admit(&s, 3);
    keeper_serve(&k, &s, other);
    for (uint32_t i = 0; i < 10; i++) site_step(&s);
    assert_int_equal(site_held_of(&s, k.rogue.origin), BATCHES);
    assert_true(site_peer(&s, 3)->complete_through_ms > SITE_START_MS);
    assert_false(site_complains(&s, "have not come"));
    site_close(&s);
    rogue_close(&k.rogue);
}

/* ----------------------------------------------------------------------------------------------------------- keys */

/* A relay that does something to the wraps it passes on, wherever they stand. */
static uint32_t changed(struct kt_buf *frame, void (*deed)(struct kt_bytes *wraps, uint32_t *n))
{
    struct kt_arena arena;
    struct kt_peer_message m;
    kt_arena_init(&arena, 8u << 20);
    OK(kt_peer_decode(kt_buf_bytes(frame), &arena, &m));
    const bool wraps = m.part == KT_PEER_WRAPS, answer = m.part == KT_PEER_ANSWER;
    if (wraps) deed(m.wraps.items, &m.wraps.len);
    for (uint32_t i = 0; answer && i < m.answer.batches_len; i++)
        deed(m.answer.batches[i].wraps, &m.answer.batches[i].wraps_len);
    if (wraps || answer) {
        struct kt_buf again;
        kt_buf_init(&again, KT_FRAME_BYTES_MAX);
        OK(kt_peer_encode(&m, &again));
        kt_buf_clear(frame);
        kt_buf_put(frame, kt_buf_bytes(&again));
        kt_buf_free(&again);
    }
    kt_arena_free(&arena);
    return 1;
}

static void drop(struct kt_bytes *wraps, uint32_t *n)
{
    (void)wraps;
    *n = 0;
}

/* Every wrap becomes the first one seen, or has a bit of its sealed key changed. */
static void spoil(struct kt_bytes *wraps, uint32_t *n)
{
    for (uint32_t i = 0; i < *n; i++) ((uint8_t *)wraps[i].data)[wraps[i].len - 1] ^= 1;
    if (*n > 1) wraps[0] = wraps[1];
}

static uint32_t drops_wraps(void *ctx, struct site *from, struct kt_buf *frame)
{
    (void)ctx, (void)from;
    return changed(frame, drop);
}

static uint32_t spoils_wraps(void *ctx, struct site *from, struct kt_buf *frame)
{
    (void)ctx, (void)from;
    return changed(frame, spoil);
}

static void wait_for_keys(struct bench *bench, site_way way)
{
    struct site s[3], *all[] = {&s[0], &s[1], &s[2]};
    for (uint32_t i = 0; i < 3; i++) site_open(&s[i], bench_office(bench, i + 1));
    s[1].way = way;
    site_join(&s[0], &s[1]);
    site_join(&s[1], &s[2]);
    put_customer(&s[0], 1, "smith");
    put_customer(&s[0], 2, "baker");
    site_run(all, 3, 20000);
    assert_int_equal(s[2].closed, 0);
    assert_int_equal(site_held_of(&s[2], site_origin(&s[0])), 2); /* the batches are good */
    assert_int_equal(site_status(&s[1])->ledger.held, 0);
    assert_int_equal(site_status(&s[2])->ledger.held, 4); /* core and revenue of both */
    assert_int_equal(site_status(&s[2])->ledger.voided, 0);
    assert_true(site_complains(&s[2], "4 envelopes are held"));
    assert_null(bench_look(s[2].office, KT_BY_SOURCE, "revenue:C-1"));
    site_restart(&s[2]);
    site_join(&s[2], &s[0]);
    site_run(all, 3, 20000);
    site_assert_same(all, 3);
    assert_occupation(&s[2], "revenue:C-1", "smith");
    assert_occupation(&s[2], "revenue:C-2", "baker");
    for (uint32_t i = 0; i < 3; i++) site_close(&s[i]);
}

static void without_its_keys_a_batch_waits(void **state)
{
    /* A relay takes the data keys out of all it passes on: the batches are held, the status says so, and they open with
     * the first peer that has the keys. */
    wait_for_keys(*state, drops_wraps);
}

static void a_swapped_key_opens_nothing(void **state)
{
    /* A relay swaps and spoils data keys: none of them is taken for another, and the right ones open what waited. */
    wait_for_keys(*state, spoils_wraps);
}

static uint32_t spoils_ciphers(void *ctx, struct site *from, struct kt_buf *frame)
{
    struct kt_arena arena;
    struct kt_peer_message m;
    (void)ctx, (void)from;
    kt_arena_init(&arena, 8u << 20);
    OK(kt_peer_decode(kt_buf_bytes(frame), &arena, &m));
    if (m.part == KT_PEER_ANSWER && m.answer.batches_len) { /* the last byte of a batch is one of a ciphertext's */
        const struct kt_bytes batch = m.answer.batches[0].batch;
        frame->data[(size_t)(batch.data - frame->data) + batch.len - 1] ^= 1;
    }
    kt_arena_free(&arena);
    return 1;
}

static void a_corrupted_batch_is_asked_of_another(void **state)
{
    /* A relay changes a byte of every first batch it passes on: never applied, never passed on; the office behind it
     * gets the batch from its author, by id. */
    struct site s[3], *all[] = {&s[0], &s[1], &s[2]};
    for (uint32_t i = 0; i < 3; i++) site_open(&s[i], bench_office(*state, i + 1));
    s[1].way = spoils_ciphers;
    site_join(&s[0], &s[1]);
    site_join(&s[1], &s[2]);
    put_customer(&s[0], 1, "smith");
    site_run(all, 3, 10000);
    assert_int_equal(site_held_of(&s[2], site_origin(&s[0])), 0);
    assert_true(site_status(&s[2])->refused_batches > 0);
    site_join(&s[2], &s[0]);
    site_run(all, 3, 10000);
    site_assert_same(all, 3);
    assert_occupation(&s[2], "revenue:C-1", "smith");
    for (uint32_t i = 0; i < 3; i++) site_close(&s[i]);
}

static void what_was_replaced_while_held_does_not_come_back(void **state)
{
    /* A value waits for its key.  Meanwhile another office, which could read it, replaced it, and its batch is here.
     * When the key comes, the old value stays gone; the office that had both in order holds the same. */
    struct site late, early, *both[] = {&late, &early};
    struct rogue r;
    site_open(&late, bench_office(*state, 1));
    site_open(&early, bench_office(*state, 3));
    rogue_open(&r, bench_office(*state, 2));
    const struct kt_dek first = rogue_key(&r, BENCH_REVENUE, 1);
    struct kt_dek later = first; /* another key of the same ward */
    rogue_add(&r, BENCH_REVENUE, 1, &first, KT_F_CUSTOMER_OCCUPATION, "old");
    later.key[5] ^= 0x40;
    later.id = kt_dek_id_of(later.key, BENCH_REVENUE, &r.envelopes[0].tag, 0, 1);
    struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    const struct kt_bytes later_wrap = rogue_wrap_of(&r, BENCH_REVENUE, 1, &later), old = rogue_seal(&r);
    const struct kt_dot replaced = {r.origin, 1, kt_envelope_number(BENCH_REVENUE, 0), 0};
    const struct kt_op op = {.entity = rogue_ward(1),
                             .field = KT_F_CUSTOMER_OCCUPATION,
                             .has_value = true,
                             .value = kt_str("new"),
                             .replaces = &replaced,
                             .replaces_len = 1};
    const struct kt_change change = {.ward = rogue_ward(1), .ops = &op, .ops_len = 1};
    rogue_add_change(&r, BENCH_REVENUE, &change, &later);
    const struct kt_bytes new = rogue_seal(&r);
    const uint64_t to_early = site_admit(&early, 2), to_late = site_admit(&late, 2);
    site_give(&early, to_early, old, &wrap, 1);
    site_give(&early, to_early, new, &later_wrap, 1);
    site_give(&late, to_late, old, NULL, 0);
    site_give(&late, to_late, new, &later_wrap, 1);
    assert_int_equal(site_status(&late)->ledger.held, 1);
    site_restart(&late);
    const uint64_t again = site_admit(&late, 2);
    const struct kt_peer_message m = {.part = KT_PEER_WRAPS, .wraps = {&wrap, 1}};
    site_run(both, 2, 200);
    site_say(&late, again, &m);
    site_run(both, 2, 200);
    assert_int_equal(site_status(&late)->ledger.opened_late, 1);
    assert_int_equal(bench_rows(late.office, KT_T_store_debt), 0);
    site_assert_same(both, 2);
    site_close(&late);
    site_close(&early);
    rogue_close(&r);
}

int main(void)
{
    rogue_same_dice();
    static const struct CMUnitTest tests[] = {
        OVER(memory, duplicates_a_thousandfold_count_once),
        OVER(memory, whatever_order_batches_come_in_the_end_is_the_same),
        OVER(memory, a_gap_never_filled_costs_little_and_is_told),
        OVER(memory, what_a_relay_withholds_is_known_to_be_missing),
        OVER(memory, without_its_keys_a_batch_waits),
        OVER(memory, a_swapped_key_opens_nothing),
        OVER(memory, a_corrupted_batch_is_asked_of_another),
        OVER(memory, what_was_replaced_while_held_does_not_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
