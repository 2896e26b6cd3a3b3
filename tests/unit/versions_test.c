/* Peers of another version: what a later one adds is kept, merged and passed on by an earlier one, byte for byte; what
 * an earlier one cannot open waits there and opens once it can; what it cannot even read is asked for until it can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/journal/journal.h"
#include "proto/peer/pulse.h"
#include "proto/schema/fields.h"
#include "support/bench_group.h"
#include "support/bench_site.h"
#include "support/rogue.h"

#define OK(call)      assert_int_equal((call), KT_OK)
#define LATER_KIND    (200u << 8) /* an entity that no schema knows yet */
#define LATER_FIELD   (KT_F_CUSTOMER_OCCUPATION + 0x31u)
#define LATER_LIST    (KT_F_CUSTOMER_OCCUPATION | 0xc0u)
#define HELD_WHY_BE32 4u /* a held row begins with why it is held (engine/ward/apply.c) */

/* Bytes with a field behind them that this version does not know. */
static struct kt_bytes with_later_field(struct rogue *r, struct kt_bytes bytes)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_BATCH_BYTES_MAX);
    kt_buf_put(&b, bytes);
    kt_buf_pb_bytes(&b, 99, kt_str("said by a later version"));
    return rogue_kept(r, &b);
}

/* A change of a field, a list and an entity of a later schema, with later fields in the change itself. */
static struct kt_bytes later_change(struct rogue *r)
{
    const struct kt_op ops[] = {
        {.entity = rogue_ward(1), .field = LATER_FIELD, .has_value = true, .value = kt_str("a register")},
        {.entity = rogue_ward(1), .field = LATER_LIST, .has_value = true, .value = kt_str("a row")},
        {.entity = rogue_ward(9),
         .field = LATER_KIND | 3u,
         .element = kt_str("by name"),
         .has_value = true,
         .value = kt_str("an entity")},
    };
    const struct kt_change change = {.ward = rogue_ward(1), .ops = ops, .ops_len = 3};
    struct kt_buf b;
    kt_buf_init(&b, KT_CHANGE_BYTES_MAX);
    OK(kt_change_encode(&change, &b));
    return with_later_field(r, rogue_kept(r, &b));
}

/* What a later version would send: fields it added to batch, seal, clear part and change. */
static struct kt_bytes later_batch(struct rogue *r, const struct kt_dek *dek)
{
    struct kt_batch b;
    struct kt_clear clear;
    struct kt_item *item;
    rogue_add(r, BENCH_REVENUE, 1, dek, LATER_FIELD, "replaced below");
    OK(kt_batch_decode(rogue_seal(r), &r->arena, &b));
    item = &b.sections[0].items[0];
    OK(kt_clear_decode(item->clear, &clear));
    rogue_reclear(r, &b, 0, 0, &clear, dek, later_change(r));
    (void)rogue_reseal(r, &b);
    b.seal_bytes = with_later_field(r, b.seal_bytes);
    return with_later_field(r, rogue_sign(r, &b));
}

static void assert_same_bytes(struct site *s, struct kt_origin o, uint64_t number, struct kt_bytes batch)
{
    struct kt_store *store = s->office->store->store;
    struct kt_journal_entry entry;
    struct kt_txn *t;
    OK(store->ops->begin(store, KT_ENV_JOURNAL, false, &t));
    OK(kt_journal_find(store, t, o, number, &entry));
    assert_int_equal(entry.batch.len, batch.len);
    assert_memory_equal(entry.batch.data, batch.data, batch.len);
    store->ops->abort(t);
}

static void what_a_later_version_adds_is_kept_and_passed_on(void **state)
{
    /* A member of version N+1 writes fields, lists and entities that version N has never heard of, in messages with
     * fields of their own.  Two offices of version N take them, one by way of the other: the same bytes, the same
     * digests, and what version N+1 replaces later is replaced. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    struct rogue r;
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(*state, 1 + 2 * i));
    rogue_open(&r, bench_office(*state, 2));
    const struct kt_dek dek = rogue_key(&r, BENCH_REVENUE, 1);
    const struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1), batch = later_batch(&r, &dek);
    const uint64_t link = site_admit(&s[0], 2);
    site_join(&s[0], &s[1]);
    site_run(both, 2, 1000);
    site_give(&s[0], link, batch, &wrap, 1);
    site_run(both, 2, 10000);
    assert_int_equal(site_status(&s[1])->ledger.ops, 3);
    assert_int_equal(site_status(&s[1])->ledger.voided, 0);
    for (uint32_t i = 0; i < 2; i++) assert_same_bytes(&s[i], r.origin, 1, batch);
    site_assert_same(both, 2);
    const struct kt_hash before = site_status(&s[0])->digests[1].digest;
    const struct kt_dot dots[] = {{r.origin, 1, kt_envelope_number(BENCH_REVENUE, 0), 0},
                                  {r.origin, 1, kt_envelope_number(BENCH_REVENUE, 0), 2}};
    const struct kt_op ops[] = {
        {.entity = rogue_ward(1), .field = LATER_FIELD, .replaces = &dots[0], .replaces_len = 1},
        {.entity = rogue_ward(9),
         .field = LATER_KIND | 3u,
         .element = kt_str("by name"),
         .replaces = &dots[1],
         .replaces_len = 1},
    };
    const struct kt_change change = {.ward = rogue_ward(1), .ops = ops, .ops_len = 2};
    rogue_add_change(&r, BENCH_REVENUE, &change, &dek);
    site_give(&s[0], link, rogue_seal(&r), NULL, 0);
    site_run(both, 2, 10000);
    site_assert_same(both, 2);
    assert_memory_not_equal(&site_status(&s[0])->digests[1].digest, &before, sizeof before);
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
    rogue_close(&r);
}

static void an_unknown_schema_or_dictionary_is_held(void **state)
{
    /* Envelopes of a later schema, and packed with a dictionary that is not here: they are held, not void, before and
     * after a restart, here and at the next office; what stands beside them counts; the status says what to do. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    struct rogue r;
    struct kt_batch b;
    struct kt_clear clear;
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(*state, 1 + 2 * i));
    rogue_open(&r, bench_office(*state, 2));
    const struct kt_dek dek = rogue_key(&r, BENCH_REVENUE, 1);
    const struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    for (uint32_t i = 0; i < 3; i++) rogue_add(&r, BENCH_REVENUE, 1, &dek, LATER_FIELD, "v");
    OK(kt_batch_decode(rogue_seal(&r), &r.arena, &b));
    OK(kt_clear_decode(b.sections[0].items[0].clear, &clear));
    clear.schema = KT_SCHEMA_1 + 1;
    rogue_reclear(&r, &b, 0, 0, &clear, &dek, kt_str("a form that only schema 2 knows"));
    clear.schema = KT_SCHEMA_1;
    clear.dictionary = 7;
    rogue_reclear(&r, &b, 0, 1, &clear, &dek, kt_str("packed with dictionary 7"));
    const struct kt_bytes batch = rogue_reseal(&r, &b);
    site_give(&s[0], site_admit(&s[0], 2), batch, &wrap, 1);
    site_join(&s[0], &s[1]);
    site_run(both, 2, 10000);
    for (uint32_t restarted = 0; restarted < 2; restarted++)
        for (uint32_t i = 0; i < 2; i++) {
            assert_int_equal(site_status(&s[i])->ledger.held, 2);
            assert_int_equal(site_status(&s[i])->ledger.voided, 0);
            assert_true(site_complains(&s[i], "2 envelopes are held"));
            assert_int_equal(site_held_of(&s[i], r.origin), 1);
            site_restart(&s[i]);
            site_run(both, 2, 1000);
        }
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
    rogue_close(&r);
}

/* Makes the one held row say that it was held because this version was too old for it. */
static void held_by_an_older_binary(struct bench_office *o)
{
    struct kt_store *store = o->store->store;
    struct kt_txn *t;
    struct kt_cursor *c;
    struct kt_bytes key, row;
    struct kt_buf b;
    uint8_t name[KT_DOT_BYTES];
    kt_buf_init(&b, KT_BATCH_BYTES_MAX);
    kt_buf_be32(&b, (uint32_t)KT_EVERSION);
    OK(store->ops->begin(store, KT_ENV_STORE, true, &t));
    OK(store->ops->cursor(t, KT_T_store_held, &c));
    OK(store->ops->seek(c, KT_SEEK_AT_OR_AFTER, kt_bytes(NULL, 0), &key, &row));
    memcpy(name, key.data, sizeof name);
    kt_buf_put(&b, kt_bytes(row.data + HELD_WHY_BE32, row.len - HELD_WHY_BE32));
    store->ops->cursor_close(c);
    OK(store->ops->put(t, KT_T_store_held, KT_BYTES_OF(name), kt_buf_bytes(&b)));
    OK(store->ops->commit(t));
    kt_buf_free(&b);
}

static void keep_wrap(struct bench_office *o, struct kt_bytes wrap)
{
    struct kt_wrap_group *g;
    OK(kt_wrap_group_begin(o->keyring, &g));
    OK(kt_wrap_group_put(g, wrap));
    OK(kt_wrap_group_commit(g));
}

static void what_an_older_binary_held_opens_with_a_newer_one(void **state)
{
    /* A node held an envelope because its version did not know the schema; it is upgraded to one that does.  With its
     * start the envelope opens, and its digest is that of an office that could always read it. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    struct rogue r;
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(*state, 1 + 2 * i));
    rogue_open(&r, bench_office(*state, 2));
    const struct kt_dek dek = rogue_key(&r, BENCH_REVENUE, 1);
    const struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    rogue_add(&r, BENCH_REVENUE, 1, &dek, LATER_FIELD, "v");
    const struct kt_bytes batch = rogue_seal(&r);
    site_give(&s[0], site_admit(&s[0], 2), batch, &wrap, 1);
    site_give(&s[1], site_admit(&s[1], 2), batch, NULL, 0);
    assert_int_equal(site_status(&s[1])->ledger.held, 1);
    held_by_an_older_binary(s[1].office);
    keep_wrap(s[1].office, wrap);
    site_restart(&s[1]);
    site_run(both, 2, 1000);
    assert_int_equal(site_status(&s[1])->ledger.opened_late, 1);
    site_assert_same(both, 2);
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
    rogue_close(&r);
}

static void an_unknown_suite_is_not_taken_and_blocks_nobody_else(void **state)
{
    /* A member writes under a cipher suite of a later version, for half an hour: nothing of it is taken or void, the
     * line stays, what others write comes by the same line, and the status names the office. */
    struct site s;
    struct rogue r, other;
    struct kt_batch b;
    site_open(&s, bench_office(*state, 1));
    rogue_open(&r, bench_office(*state, 2));
    rogue_open(&other, bench_office(*state, 3));
    const struct kt_dek dek = rogue_key(&r, BENCH_REVENUE, 1);
    const struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    const struct kt_head head = {r.origin, 1};
    rogue_add(&r, BENCH_REVENUE, 1, &dek, LATER_FIELD, "v");
    OK(kt_batch_decode(rogue_seal(&r), &r.arena, &b));
    const struct kt_bytes known = rogue_sign(&r, &b);
    uint8_t *seal = kt_arena_alloc(&r.arena, b.seal_bytes.len);
    memcpy(seal, b.seal_bytes.data, b.seal_bytes.len);
    assert_int_equal(seal[1], KT_SUITE_1);
    seal[1] = KT_SUITE_1 + 1;
    b.seal_bytes.data = seal;
    const struct kt_bytes unknown = rogue_sign(&r, &b);
    const uint64_t link = site_admit(&s, 2);
    uint32_t pulls = 0;
    for (uint32_t minute = 0; minute < 30; minute++) {
        const struct kt_pulse p = {.hlc = r.hlc + (s.ms << 16), .heads = &head, .heads_len = 1};
        struct kt_bytes pulse = rogue_pulse(&r, &p);
        const struct kt_peer_message m = {.part = KT_PEER_PULSES, .pulses = {&pulse, 1}};
        site_say(&s, link, &m);
        site_give(&s, link, unknown, &wrap, 1);
        rogue_add(&other, BENCH_REVENUE, 2, &dek, LATER_FIELD, "others go on");
        site_give(&s, link, rogue_seal(&other), NULL, 0);
        for (uint32_t i = 0; i < 9; i++) site_step(&s);
        s.ms += 60000 - 11 * SITE_STEP_MS; /* nothing happens for a minute */
        pulls += site_hear(&s, link, KT_PEER_PULL, NULL);
    }
    assert_int_equal(s.closed, 0);
    assert_int_equal(site_held_of(&s, r.origin), 0);
    assert_int_equal(site_held_of(&s, other.origin), 30);
    assert_true(pulls < 30 * 5);
    site_step(&s);
    assert_true(site_complains(&s, "1 batches of office-2 have not come"));
    site_give(&s, link, known, &wrap, 1); /* as it reads to a version that knows the suite */
    assert_int_equal(site_held_of(&s, r.origin), 1);
    site_close(&s);
    rogue_close(&r);
    rogue_close(&other);
}

/* A frame of one part with these fields in it, and perhaps one that this version does not know, in it and beside it. */
static struct kt_bytes frame_of(struct rogue *r, enum kt_peer_part part, struct kt_bytes fields, bool later)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    kt_buf_pb_bytes(&b, (uint32_t)part, later ? with_later_field(r, fields) : fields);
    const struct kt_bytes frame = rogue_kept(r, &b);
    return later ? with_later_field(r, frame) : frame;
}

static void who_says_less_or_more_is_understood(void **state)
{
    /* A peer of version N-1 greets and pulls without what was added since; one of version N+1 with what this version
     * does not know.  Both are served, and keep their line. */
    struct site s, *one[] = {&s};
    struct rogue r;
    site_open(&s, bench_office(*state, 1));
    rogue_open(&r, bench_office(*state, 2));
    OK(site_put(&s, "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person'}"));
    const struct kt_roster *roster = kt_keyring_roster(s.office->keyring);
    struct kt_buf b;
    kt_buf_init(&b, 256);
    kt_buf_u8(&b, 1 << 3); /* Greeting: roster_version and roster_hash alone */
    kt_buf_u8(&b, 1);
    kt_buf_pb_bytes(&b, 2, KT_BYTES_OF(roster->hash));
    const struct kt_bytes greeting = rogue_kept(&r, &b);
    kt_buf_init(&b, 256);
    kt_buf_u8(&b, 1 << 3); /* Pull: whole, and grant_bytes */
    kt_buf_u8(&b, 1);
    kt_buf_u8(&b, 6 << 3);
    kt_buf_varint(&b, 100000);
    const struct kt_bytes pull = rogue_kept(&r, &b);
    for (uint32_t later = 0; later < 2; later++) {
        const uint64_t link = site_admit(&s, 2);
        struct kt_peer_message answer;
        site_say_bytes(&s, link, frame_of(&r, KT_PEER_GREETING, greeting, later));
        site_say_bytes(&s, link, frame_of(&r, KT_PEER_PULL, pull, later));
        site_run(one, 1, 500);
        assert_int_equal(site_hear(&s, link, KT_PEER_ANSWER, &answer), 1);
        assert_int_equal(answer.answer.batches_len, 1);
        assert_int_equal(s.closed, 0);
        site_hang_up(&s, link);
    }
    site_close(&s);
    rogue_close(&r);
}

int main(void)
{
    rogue_same_dice();
    static const struct CMUnitTest tests[] = {
        OVER(memory, what_a_later_version_adds_is_kept_and_passed_on),
        OVER(memory, an_unknown_schema_or_dictionary_is_held),
        OVER(memory, what_an_older_binary_held_opens_with_a_newer_one),
        OVER(memory, an_unknown_suite_is_not_taken_and_blocks_nobody_else),
        OVER(memory, who_says_less_or_more_is_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
