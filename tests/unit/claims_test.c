/* What a member may say without being believed: a digest that is not so, a head of ours that never was, keys that
 * nobody asked for. */
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

#define OK(call)  assert_int_equal((call), KT_OK)
#define SECOND_MS 1000u
#define MINUTE_MS 60000u

static void put(struct site *s, uint32_t number)
{
    char line[200];
    snprintf(line, sizeof line, "{'entity':'customer','source_system':'revenue','source_id':'C-%u','kind':'person'}",
             number);
    OK(site_put(s, line));
}

static void say_pulse(struct site *s, uint64_t link, struct rogue *r, struct kt_pulse p)
{
    p.hlc = r->hlc + (s->ms << 16);
    struct kt_bytes pulse = rogue_pulse(r, &p);
    const struct kt_peer_message m = {.part = KT_PEER_PULSES, .pulses = {&pulse, 1}};
    site_say(s, link, &m);
    site_step(s);
}

static void a_lying_digest_is_told_and_changes_nothing(void **state)
{
    /* A member says that it holds the same batches and shows other digests, or other seals, for a minute: the status
     * names it, nothing of ours changes, the line stays, and it is asked for a few batches with each such word, no
     * more.  When it says the truth the complaint is gone. */
    struct site s, *one[] = {&s};
    struct rogue r;
    site_open(&s, bench_office(*state, 1));
    rogue_open(&r, bench_office(*state, 2));
    put(&s, 1);
    site_run(one, 1, 6 * SECOND_MS);
    const struct kt_engine_status *status = site_status(&s);
    struct kt_pulse truth = {.vector_hash = kt_vector_hash(status->vector),
                             .vector_seals_hash = kt_vector_seals_hash(status->vector),
                             .digests_len = 2};
    struct kt_pulse_digest digests[2] = {status->digests[0], status->digests[1]}, lies[2];
    const struct kt_hash before = digests[1].digest;
    truth.digests = digests;
    memcpy(lies, digests, sizeof lies);
    lies[1].digest.b[5] ^= 1;
    struct kt_pulse lie = truth;
    const uint64_t link = site_admit(&s, 2);
    say_pulse(&s, link, &r, truth);
    assert_true(site_peer(&s, 2)->digest_known && site_peer(&s, 2)->digest_agrees);
    lie.digests = lies;
    for (uint32_t i = 0; i < 12; i++) {
        if (i == 6) {
            lie.digests = digests;
            lie.vector_seals_hash.b[7] ^= 1;
        }
        say_pulse(&s, link, &r, lie);
        assert_true(site_complains(&s, "office-2 holds the same batches and shows another digest"));
        site_run(one, 1, 5 * SECOND_MS);
    }
    assert_true(site_hear(&s, link, KT_PEER_BATCHES_BY_ID, NULL) <= 6);
    say_pulse(&s, link, &r, truth);
    assert_false(site_complains(&s, "shows another digest"));
    assert_memory_equal(&site_status(&s)->digests[1].digest, &before, sizeof before);
    assert_int_equal(s.closed, 0);
    put(&s, 2);
    site_close(&s);
    rogue_close(&r);
}

static void a_head_of_ours_that_never_was_ends_no_incarnation_for_ever(void **state)
{
    /* A member says with every pull, for an hour, that it holds more of what we wrote than we do, and shows none of it.
     * The first word is believed, since a restored office is told in the same way; after that once in ten minutes: an
     * hour of it costs no more than seven of the places that a vector has. */
    struct site s, *one[] = {&s};
    site_open(&s, bench_office(*state, 1));
    const uint64_t link = site_admit(&s, 2);
    struct kt_origin last = site_origin(&s);
    uint32_t incarnations = 1;
    for (uint32_t minute = 0; minute < 60; minute++) {
        for (uint32_t i = 0; i < 4; i++) {
            const struct kt_head head = {site_origin(&s), 1000000};
            const struct kt_peer_message m = {
                .part = KT_PEER_PULL,
                .pull = {.whole = true, .heads = &head, .heads_len = 1, .grant_bytes = 1000, .roster_version = 1}};
            put(&s, minute * 10 + i);
            site_say(&s, link, &m);
            site_run(one, 1, SECOND_MS);
            incarnations += kt_origin_compare(site_origin(&s), last) != 0;
            last = site_origin(&s);
        }
        s.ms += MINUTE_MS - 4 * SECOND_MS;
    }
    assert_int_equal(s.refusals, 0);
    assert_int_equal(s.closed, 0);
    assert_true(incarnations >= 2 && incarnations <= 8);
    assert_true(site_status(&s)->vector->len <= 8);
    site_close(&s);
}

static void keys_that_nobody_asked_for_are_not_kept(void **state)
{
    /* A member seals ten thousand data keys that no batch introduces and no envelope waits for, by themselves and
     * beside a batch: none is kept.  The one that was asked for is. */
    struct site s, *one[] = {&s};
    struct rogue r;
    struct kt_bytes wraps[500];
    site_open(&s, bench_office(*state, 1));
    rogue_open(&r, bench_office(*state, 2));
    const struct kt_dek wanted = rogue_key(&r, BENCH_REVENUE, 1);
    struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    rogue_add(&r, BENCH_REVENUE, 1, &wanted, KT_F_CUSTOMER_OCCUPATION + 0x31, "v");
    const struct kt_tag tag = r.envelopes[0].tag;
    const uint64_t link = site_admit(&s, 2);
    const uint64_t before = bench_rows(s.office, KT_T_store_held);
    site_give(&s, link, rogue_seal(&r), NULL, 0);
    assert_int_equal(site_status(&s)->ledger.held, before + 1);
    for (uint32_t frame = 0; frame < 20; frame++) {
        for (uint32_t i = 0; i < 500; i++) {
            struct kt_dek dek = {.key = {0x11, (uint8_t)i, (uint8_t)(i >> 8), (uint8_t)frame}};
            dek.id = kt_dek_id_of(dek.key, BENCH_REVENUE, &tag, 0, 1);
            wraps[i] = rogue_wrap_of(&r, BENCH_REVENUE, 1, &dek);
        }
        const struct kt_peer_message m = {.part = KT_PEER_WRAPS, .wraps = {wraps, 500}};
        site_say(&s, link, &m);
        site_step(&s);
        if (frame % 10) continue;
        rogue_add(&r, BENCH_REVENUE, 1, &wanted, KT_F_CUSTOMER_OCCUPATION + 0x32, "v");
        site_give(&s, link, rogue_seal(&r), wraps, 500);
    }
    struct kt_store *store = s.office->store->store;
    uint64_t kept;
    struct kt_txn *t;
    OK(store->ops->begin(store, KT_ENV_KEYS, false, &t));
    OK(store->ops->count(t, KT_T_keys_wrap, &kept));
    store->ops->abort(t);
    assert_int_equal(kept, 0);
    assert_int_equal(s.closed, 0);
    const struct kt_peer_message m = {.part = KT_PEER_WRAPS, .wraps = {&wrap, 1}};
    site_say(&s, link, &m);
    site_run(one, 1, SECOND_MS);
    assert_int_equal(site_status(&s)->ledger.held, 0);
    site_close(&s);
    rogue_close(&r);
}

int main(void)
{
    rogue_same_dice();
    static const struct CMUnitTest tests[] = {
        OVER(memory, a_lying_digest_is_told_and_changes_nothing),
        OVER(memory, a_head_of_ours_that_never_was_ends_no_incarnation_for_ever),
        OVER(memory, keys_that_nobody_asked_for_are_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
