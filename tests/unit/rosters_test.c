/* The authority's word changes while offices are apart: who belongs, who may write, under which keys.  Whatever came
 * first, everybody decides the same about what was written; two words of one version are told and never mixed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/schema/fields.h"
#include "support/bench_group.h"
#include "support/bench_organisation.h"
#include "support/bench_site.h"
#include "support/rogue.h"

#define OK(call)    assert_int_equal((call), KT_OK)
#define FIELD       (KT_F_CUSTOMER_OCCUPATION + 0x31u)
#define BUNDLES_MAX 16u

/* The next roster of the bench, as a test changes it; it and its bundles as they travel. */
struct decree {
    struct kt_roster roster;
    struct kt_roster_member members[BENCH_OFFICES];
    struct kt_roster_compartment compartments[8];
    struct kt_roster_bundle named[BUNDLES_MAX];
    struct kt_buf sealed[BUNDLES_MAX], body;
    struct kt_bytes signed_roster, bundles[BUNDLES_MAX];
    uint32_t bundles_len;
};

/* As the newest that `o` holds, of the next version. */
static void draft(struct decree *d, struct bench_office *o)
{
    const struct kt_roster *newest = kt_keyring_roster(o->keyring);
    memset(d, 0, sizeof *d);
    d->roster = *newest;
    d->roster.version++;
    d->roster.previous = newest->hash;
    d->roster.issued_ms++;
    memcpy(d->members, newest->members, newest->members_len * sizeof *d->members);
    memcpy(d->compartments, newest->compartments, newest->compartments_len * sizeof *d->compartments);
    d->roster.members = d->members;
    d->roster.compartments = d->compartments;
}

/* Every compartment gets a new epoch, every reader a new bundle. */
static void renew_keys(struct decree *d)
{
    for (uint32_t c = 0; c < d->roster.compartments_len; c++) {
        struct kt_roster_compartment *rc = &d->compartments[c];
        rc->epoch++;
        for (uint32_t m = 0; m < rc->readers_len; m++) {
            const uint32_t n = d->bundles_len++;
            assert_true(n < BUNDLES_MAX);
            bench_bundle(rc->number, rc->readers[m], rc->epoch, &d->sealed[n]);
            d->bundles[n] = kt_buf_bytes(&d->sealed[n]);
            d->named[n] = (struct kt_roster_bundle){rc->number, rc->readers[m], kt_bundle_hash(d->bundles[n])};
        }
    }
    d->roster.bundles = d->named;
    d->roster.bundles_len = d->bundles_len;
}

static void issue(struct decree *d)
{
    bench_sign_roster(&d->roster, &d->body);
    d->signed_roster = kt_buf_bytes(&d->body);
}

static void revoke(struct decree *d)
{
    for (uint32_t i = 0; i < d->bundles_len; i++) kt_buf_free(&d->sealed[i]);
    kt_buf_free(&d->body);
}

/* An office hears of it from a member the test speaks for. */
static void tell(struct site *s, struct decree *d, bool with_bundles)
{
    const kt_member peer = s->office->member == 2 ? 1 : 2;
    const uint64_t link = site_admit(s, peer);
    const struct kt_peer_message m = {.part = KT_PEER_ROSTERS,
                                      .rosters = {&d->signed_roster, 1, d->bundles, with_bundles ? d->bundles_len : 0}};
    site_say(s, link, &m);
    site_step(s);
    site_hang_up(s, link);
    site_step(s);
}

static uint32_t version_of(struct site *s) { return kt_keyring_roster(s->office->keyring)->version; }

static void put(struct site *s, uint32_t number)
{
    char line[200];
    snprintf(line, sizeof line, "{'entity':'customer','source_system':'revenue','source_id':'C-%u','kind':'person'}",
             number);
    OK(site_put(s, line));
}

static void a_member_that_was_removed_does_not_come_back(void **state)
{
    /* Office 3 is removed while it is away, its work cut after its second batch.  It wrote three more, and returns with
     * the roster it knew: it gets no line, what it wrote after the cut counts nowhere whoever brings it, what it wrote
     * before stands, and the others go on. */
    struct site s[3], *first_two[] = {&s[0], &s[1]}, *all[] = {&s[0], &s[1], &s[2]};
    struct decree d;
    for (uint32_t i = 0; i < 3; i++) site_open(&s[i], bench_office(*state, i + 1));
    site_join(&s[0], &s[2]);
    for (uint32_t i = 0; i < 2; i++) put(&s[2], i);
    site_run(all, 3, 3000);
    const struct kt_origin removed = site_origin(&s[2]);
    assert_int_equal(site_held_of(&s[0], removed), 2);
    site_part(&s[0], &s[2]);
    for (uint32_t i = 2; i < 5; i++) put(&s[2], i);
    site_join(&s[2], &s[1]); /* one office takes them before it hears */
    site_run(all, 3, 3000);
    assert_int_equal(site_held_of(&s[1], removed), 5);
    site_part(&s[2], &s[1]);
    draft(&d, s[0].office);
    d.members[2].revoked = true;
    const struct kt_cut cut = {.member = 3, .incarnation = removed.incarnation, .last = 2};
    d.roster.cuts = &cut;
    d.roster.cuts_len = 1;
    issue(&d);
    tell(&s[0], &d, false);
    assert_int_equal(version_of(&s[0]), 2);
    for (uint32_t i = 0; i < 3; i++) {
        site_join(&s[0], &s[2]);
        site_run(all, 3, 3000);
        assert_int_equal(s[0].lines_len, 0);
        assert_string_equal(s[0].why, "is no member of this organisation any more");
    }
    assert_int_equal(site_held_of(&s[0], removed), 2);
    json_t *j = bench_look(s[0].office, KT_BY_SOURCE, "revenue:C-1");
    assert_non_null(j);
    json_decref(j);
    assert_null(bench_look(s[0].office, KT_BY_SOURCE, "revenue:C-2"));
    put(&s[0], 9);
    for (uint32_t i = 0; i < 2; i++) { /* who tells the other, which begins anew without what was cut */
        site_join(&s[0], &s[1]);
        site_run(first_two, 2, 10000);
        site_part(&s[0], &s[1]);
    }
    assert_int_equal(version_of(&s[1]), 2);
    assert_int_equal(site_held_of(&s[0], removed), 2);
    assert_int_equal(site_held_of(&s[1], removed), 2);
    assert_null(bench_look(s[1].office, KT_BY_SOURCE, "revenue:C-2"));
    assert_int_equal(site_held_of(&s[1], site_origin(&s[0])), 1);
    site_assert_same(first_two, 2);
    revoke(&d);
    for (uint32_t i = 0; i < 3; i++) site_close(&s[i]);
}

static void two_rosters_of_one_version_are_told_and_never_mixed(void **state)
{
    /* The authority signs two rosters of version 2, or another has its key.  Office 1 got one, office 2 the other: they
     * do not link however often they try, neither takes the other's roster nor a later one that follows it, nor a batch
     * written under it; both say so in their status, and both go on writing. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    struct decree one, other, later;
    struct rogue r;
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(*state, i + 1));
    draft(&one, s[0].office);
    draft(&other, s[0].office);
    other.roster.issued_ms += 1000;
    issue(&one);
    issue(&other);
    tell(&s[0], &one, false);
    tell(&s[1], &other, false);
    const struct kt_hash hashes[] = {kt_keyring_roster(s[0].office->keyring)->hash,
                                     kt_keyring_roster(s[1].office->keyring)->hash};
    assert_memory_not_equal(&hashes[0], &hashes[1], sizeof hashes[0]);
    for (uint32_t i = 0; i < 5; i++) {
        put(&s[0], i);
        put(&s[1], 10 + i);
        site_join(&s[0], &s[1]);
        site_run(both, 2, 5000);
        for (uint32_t k = 0; k < 2; k++) {
            assert_int_equal(s[k].lines_len, 0);
            assert_memory_equal(&kt_keyring_roster(s[k].office->keyring)->hash, &hashes[k], sizeof hashes[k]);
            assert_true(site_complains(&s[k], k ? "office-1 holds other rosters" : "office-2 holds other rosters"));
            assert_int_equal(site_held_of(&s[k], site_origin(&s[!k])), 0);
        }
    }
    draft(&later, s[1].office); /* version 3 of the other chain */
    issue(&later);
    tell(&s[1], &later, false);
    assert_int_equal(version_of(&s[1]), 3);
    site_join(&s[0], &s[1]);
    site_run(both, 2, 5000);
    assert_int_equal(version_of(&s[0]), 2);
    assert_int_equal(s[0].lines_len, 0);
    assert_true(site_complains(&s[0], "office-2 holds other rosters"));
    rogue_open(&r, s[1].office); /* a batch under a roster that is not ours */
    r.roster = kt_keyring_roster_version(s[1].office->keyring, 2);
    const struct kt_dek dek = rogue_key(&r, BENCH_REVENUE, 1);
    const struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    rogue_add(&r, BENCH_REVENUE, 1, &dek, FIELD, "v");
    site_give(&s[0], site_admit(&s[0], 3), rogue_seal(&r), &wrap, 1);
    assert_int_equal(site_held_of(&s[0], r.origin), 0);
    assert_int_equal(site_status(&s[0])->refused_batches, 1);
    revoke(&one);
    revoke(&other);
    revoke(&later);
    rogue_close(&r);
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
}

/* The same three batches: under roster 1, under roster 2, and under roster 1 again. */
struct record {
    struct rogue rogue;
    struct kt_bytes batches[3], wraps[2];
};

static void write_record(struct record *w, struct bench_office *author)
{
    rogue_open(&w->rogue, author);
    const struct kt_dek motor = rogue_key(&w->rogue, BENCH_MOTOR, 1), revenue = rogue_key(&w->rogue, BENCH_REVENUE, 1);
    w->wraps[0] = rogue_wrap(&w->rogue, BENCH_MOTOR, 1);
    w->wraps[1] = rogue_wrap(&w->rogue, BENCH_REVENUE, 1);
    for (uint32_t i = 0; i < 3; i++) {
        w->rogue.roster = kt_keyring_roster_version(author->keyring, i == 1 ? 2 : 1);
        rogue_add(&w->rogue, BENCH_MOTOR, 1, &motor, FIELD + i, "with or without the right");
        rogue_add(&w->rogue, BENCH_REVENUE, 1, &revenue, FIELD + i, "with the right");
        w->batches[i] = rogue_seal(&w->rogue);
    }
}

static void a_batch_counts_by_the_roster_it_names(void **state)
{
    /* Office 2 wrote into motor, then lost the right to, and wrote on.  Office 1 hears of the new roster first and gets
     * both batches afterwards; office 3 gets the first, then the roster, then the second; the second before its roster
     * waits.  Both count the same: the first whole, of the second what it had the right to; back to the old roster it
     * cannot go. */
    struct site s[3], *both[] = {&s[0], &s[2]};
    struct decree d;
    struct record w;
    for (uint32_t i = 0; i < 3; i++) site_open(&s[i], bench_office(*state, i + 1));
    static const kt_member writers[] = {1, 3};
    draft(&d, s[0].office);
    d.compartments[2].writers = writers;
    d.compartments[2].writers_len = 2;
    assert_int_equal(d.compartments[2].number, BENCH_MOTOR);
    issue(&d);
    tell(&s[1], &d, false);
    tell(&s[0], &d, false);
    write_record(&w, s[1].office);
    const uint64_t to_first = site_admit(&s[0], 2);
    for (uint32_t i = 0; i < 3; i++) site_give(&s[0], to_first, w.batches[i], w.wraps, 2);
    uint64_t to_third = site_admit(&s[2], 2);
    site_give(&s[2], to_third, w.batches[0], w.wraps, 2);
    site_give(&s[2], to_third, w.batches[1], w.wraps, 2);
    assert_int_equal(site_held_of(&s[2], w.rogue.origin), 1); /* its roster is not here */
    tell(&s[2], &d, false);
    site_give(&s[2], to_third, w.batches[1], w.wraps, 2);
    site_give(&s[2], to_third, w.batches[2], w.wraps, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(site_held_of(both[i], w.rogue.origin), 2);
        assert_int_equal(site_status(both[i])->ledger.voided, 1);
        assert_int_equal(site_status(both[i])->ledger.ops, 3);
        assert_int_equal(both[i]->closed, 0);
    }
    site_assert_same(both, 2);
    revoke(&d);
    rogue_close(&w.rogue);
    for (uint32_t i = 0; i < 3; i++) site_close(&s[i]);
}

static void an_unknown_key_epoch_waits_for_its_bundle(void **state)
{
    /* Every compartment gets a new epoch.  Office 2 has its bundle and writes under it; to office 1 the roster comes
     * without: what office 2 writes is held there, office 1 writes on under the epoch it has, and when the bundle comes
     * all of it opens. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    struct decree d;
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(*state, i + 1));
    put(&s[0], 1);
    draft(&d, s[0].office);
    renew_keys(&d);
    issue(&d);
    tell(&s[1], &d, true);
    tell(&s[0], &d, false);
    assert_int_equal(version_of(&s[0]), 2);
    put(&s[1], 2);
    put(&s[0], 3);
    const struct kt_origin author = site_origin(&s[1]);
    struct rogue r; /* the same as a batch of office 2's under the new epoch, given by hand */
    rogue_open(&r, s[1].office);
    const struct kt_dek dek = rogue_key(&r, BENCH_REVENUE, 1);
    const struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    rogue_add(&r, BENCH_REVENUE, 1, &dek, FIELD, "under epoch 2");
    site_give(&s[0], site_admit(&s[0], 2), rogue_seal(&r), &wrap, 1);
    assert_int_equal(site_held_of(&s[0], r.origin), 1);
    assert_int_equal(site_status(&s[0])->ledger.held, 1);
    assert_int_equal(site_status(&s[0])->ledger.voided, 0);
    site_restart(&s[0]);
    assert_int_equal(site_status(&s[0])->ledger.held, 1);
    put(&s[0], 4);
    site_join(&s[0], &s[1]); /* who has all bundles and is asked for them, since the newest is told as not held */
    site_run(both, 2, 15000);
    assert_int_equal(site_status(&s[0])->ledger.held, 0);
    assert_int_equal(site_held_of(&s[0], author), 1);
    site_assert_same(both, 2);
    put(&s[0], 5);
    site_run(both, 2, 3000);
    site_assert_same(both, 2);
    revoke(&d);
    rogue_close(&r);
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
}

int main(void)
{
    rogue_same_dice();
    static const struct CMUnitTest tests[] = {
        OVER(memory, a_member_that_was_removed_does_not_come_back),
        OVER(memory, two_rosters_of_one_version_are_told_and_never_mixed),
        OVER(memory, a_batch_counts_by_the_roster_it_names),
        OVER(memory, an_unknown_key_epoch_waits_for_its_bundle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
