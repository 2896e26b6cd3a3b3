/* Offices that come back: after thirty days, from an old backup, as a copy beside the one that lives on, or so late
 * that nobody keeps what they lack.  Nothing acknowledged is lost, no number is used twice, and what cannot be had is
 * told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/journal/journal.h"
#include "support/bench_group.h"
#include "support/bench_site.h"
#include "support/rogue.h"

#define OK(call)  assert_int_equal((call), KT_OK)
#define DAY_MS    86400000ull
#define SECOND_MS 1000u

static void put(struct site *s, uint32_t number, const char *occupation)
{
    char line[256];
    snprintf(line, sizeof line,
             "{'entity':'customer','source_system':'revenue','source_id':'C-%u','kind':'person','occupation':'%s'}",
             number, occupation);
    OK(site_put(s, line));
}

static void assert_shows(struct site *s, uint32_t number, const char *occupation)
{
    char who[32];
    snprintf(who, sizeof who, "revenue:C-%u", number);
    json_t *j = bench_look(s->office, KT_BY_SOURCE, who);
    if (!j) fail_msg("%s is not found at office %u", who, s->office->member);
    assert_string_equal(bench_text(j, "customer/occupation"), occupation);
    json_decref(j);
}

static void thirty_days_away_is_one_question(void **state)
{
    /* Two offices are apart for thirty days, and both write every few hours: new people, one person both know, and one
     * that one of them deletes.  Linked again they hold the same within seconds, with nothing lost: what both wrote is
     * a conflict with both values. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(*state, i + 1));
    site_join(&s[0], &s[1]);
    put(&s[0], 1, "smith");
    put(&s[0], 2, "smith");
    site_run(both, 2, 6 * SECOND_MS);
    site_assert_same(both, 2);
    site_part(&s[0], &s[1]);
    for (uint32_t i = 0; i < 120; i++) {
        put(&s[i % 2], 100 + i, "baker");
        if (i == 50) put(&s[0], 1, "cook");
        if (i == 51) put(&s[1], 1, "judge");
        for (uint32_t k = 0; k < 2; k++) s[k].ms += DAY_MS / 4;
        site_run(both, 2, 100);
    }
    OK(site_put(&s[0], "{'entity':'customer','source_system':'revenue','source_id':'C-2','deleted':true}"));
    put(&s[1], 2, "clerk");
    assert_true(site_complains(&s[0], "office-2 has said nothing for 259"));
    site_join(&s[0], &s[1]);
    site_run(both, 2, 15 * SECOND_MS);
    site_assert_same(both, 2);
    for (uint32_t k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < 120; i++) assert_shows(&s[k], 100 + i, "baker");
        json_t *list = bench_conflicts(s[k].office);
        assert_int_equal(json_array_size(list), 2); /* occupation of the one, deletion of the other */
        json_decref(list);
        const struct kt_peer_status *p = site_peer(&s[k], k ? 1 : 2);
        assert_true(site_status(&s[k])->now_ms - p->complete_through_ms < 10 * SECOND_MS);
    }
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
}

/* ------------------------------------------------------------------------------------------------------- backups */

/* Office 1 wrote five batches, all at office 2, and a backup is from after the third. */
static struct kt_memory_disk *write_five(struct site *s)
{
    struct site *both[] = {&s[0], &s[1]};
    struct kt_memory_disk *backup = NULL;
    site_join(&s[0], &s[1]);
    for (uint32_t i = 1; i <= 5; i++) {
        put(&s[0], i, "smith");
        if (i == 3) OK(kt_memory_disk_copy(s[0].office->store->memory, &backup));
    }
    site_run(both, 2, 6 * SECOND_MS);
    site_assert_same(both, 2);
    return backup;
}

static void assert_all_there(struct site *const *all, uint32_t n, struct kt_origin before)
{
    site_assert_same(all, n);
    for (uint32_t k = 0; k < n; k++) {
        for (uint32_t i = 1; i <= 6; i++) assert_shows(all[k], i, i == 6 ? "baker" : "smith");
        assert_int_equal(site_held_of(all[k], before), 5);
        assert_int_equal(site_status(all[k])->forks_len, 0);
    }
}

static void an_old_backup_restored_among_its_peers_gets_its_work_back(void **state)
{
    /* Office 1 is restored to its backup and linked, and somebody writes at once: under another incarnation, after
     * which the two batches that only office 2 still had are there again. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(*state, i + 1));
    struct kt_memory_disk *backup = write_five(s);
    const struct kt_origin before = site_origin(&s[0]);
    site_restore(&s[0], backup);
    site_join(&s[0], &s[1]);
    put(&s[0], 6, "baker");
    assert_int_not_equal(site_origin(&s[0]).incarnation, before.incarnation);
    site_run(both, 2, 10 * SECOND_MS);
    assert_all_there(both, 2, before);
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
}

static void an_old_backup_restored_alone_writes_and_is_joined_later(void **state)
{
    /* The same without a line: the write waits a moment for a peer, is acknowledged under another incarnation, and a
     * day later, after a restart, all of it comes together. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(*state, i + 1));
    struct kt_memory_disk *backup = write_five(s);
    const struct kt_origin before = site_origin(&s[0]);
    site_restore(&s[0], backup);
    put(&s[0], 6, "baker");
    assert_int_not_equal(site_origin(&s[0]).incarnation, before.incarnation);
    assert_int_equal(site_held_of(&s[0], before), 3);
    site_restart(&s[0]);
    for (uint32_t k = 0; k < 2; k++) s[k].ms += DAY_MS;
    site_join(&s[0], &s[1]);
    site_run(both, 2, 10 * SECOND_MS);
    assert_all_there(both, 2, before);
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
}

static void a_copy_beside_the_original_writes_as_itself(void **state)
{
    /* The files of office 1 are copied and started elsewhere while it goes on: both write, both are linked to office 2
     * in turn.  The copy notices whose files it has and takes an incarnation of its own: nothing forks, nothing is
     * lost. */
    struct site s[3], *all[] = {&s[0], &s[1], &s[2]};
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(*state, i + 1));
    struct kt_memory_disk *files = write_five(s);
    const struct kt_origin before = site_origin(&s[0]);
    struct bench_office *copy = bench_office(*state, 3);
    struct kt_memory_disk *unused = copy->store->memory;
    copy->store->memory = files;
    copy->member = 1;
    bench_restart(copy);
    kt_memory_disk_free(unused);
    site_open(&s[2], copy);
    s[2].dice = 77;
    for (uint32_t i = 0; i < 3; i++) {
        put(&s[0], 10 + i, "original");
        put(&s[2], 20 + i, "copy");
        site_part(&s[i % 2 ? 0 : 2], &s[1]);
        site_join(&s[i % 2 ? 2 : 0], &s[1]);
        site_run(all, 3, 10 * SECOND_MS);
    }
    assert_int_equal(site_origin(&s[0]).incarnation, before.incarnation);
    assert_int_not_equal(site_origin(&s[2]).incarnation, before.incarnation);
    site_part(&s[0], &s[1]);
    site_part(&s[2], &s[1]);
    site_join(&s[0], &s[1]);
    site_run(all, 3, 10 * SECOND_MS);
    site_part(&s[0], &s[1]);
    site_join(&s[2], &s[1]);
    site_run(all, 3, 10 * SECOND_MS);
    site_part(&s[2], &s[1]);
    site_join(&s[0], &s[1]);
    site_run(all, 3, 10 * SECOND_MS);
    site_assert_same(all, 3);
    for (uint32_t k = 0; k < 3; k++) {
        assert_int_equal(site_status(all[k])->forks_len, 0);
        for (uint32_t i = 0; i < 3; i++) {
            assert_shows(all[k], 10 + i, "original");
            assert_shows(all[k], 20 + i, "copy");
        }
    }
    for (uint32_t i = 0; i < 3; i++) site_close(&s[i]);
}

/* ---------------------------------------------------------------------------------------------------- too far back */

static void cut_journal(struct site *s, uint64_t before)
{
    struct kt_store *store = s->office->store->store;
    struct kt_txn *t;
    uint64_t base;
    OK(store->ops->begin(store, KT_ENV_JOURNAL, true, &t));
    OK(kt_journal_truncate(store, t, before, 1000, &base));
    OK(store->ops->commit(t));
    assert_int_equal(base, before);
}

static void who_asks_for_what_is_no_longer_kept_is_told(void **state)
{
    /* Office 1 keeps the last five of ten batches.  Office 2, which has none, asks: it is told once for each time it
     * asks, takes nothing with a hole in it, and its status says what to do.  From office 3, which has them all, it
     * gets them, and the complaint is gone. */
    struct site s[3], *all[] = {&s[0], &s[1], &s[2]};
    for (uint32_t i = 0; i < 3; i++) site_open(&s[i], bench_office(*state, i + 1));
    site_join(&s[0], &s[2]);
    for (uint32_t i = 1; i <= 10; i++) put(&s[0], i, "smith");
    site_run(all, 3, 3 * SECOND_MS);
    cut_journal(&s[0], 6);
    const uint64_t link = site_admit(&s[0], 2);
    const struct kt_peer_message m = {.part = KT_PEER_PULL,
                                      .pull = {.whole = true, .grant_bytes = KT_GRANT_BYTES_MAX, .roster_version = 1}};
    for (uint32_t times = 0; times < 2; times++) {
        struct kt_peer_message answer;
        site_say(&s[0], link, &m);
        site_run(all, 1, 20 * SECOND_MS);
        assert_int_equal(site_hear(&s[0], link, KT_PEER_ANSWER, &answer), 1);
        assert_true(answer.answer.snapshot_required);
        assert_int_equal(answer.answer.batches_len, 0);
    }
    site_hang_up(&s[0], link);
    site_join(&s[0], &s[1]);
    site_run(all, 3, 20 * SECOND_MS);
    assert_int_equal(site_status(&s[1])->batches_in, 0);
    assert_true(site_complains(&s[1], "office-1 no longer keeps what this node lacks"));
    put(&s[1], 20, "baker"); /* its own work goes on */
    site_run(all, 3, 5 * SECOND_MS);
    assert_int_equal(site_held_of(&s[0], site_origin(&s[1])), 1);
    site_join(&s[1], &s[2]);
    site_run(all, 3, 10 * SECOND_MS);
    site_assert_same(all, 3);
    assert_false(site_complains(&s[1], "no longer keeps"));
    for (uint32_t i = 1; i <= 10; i++) assert_shows(&s[1], i, "smith");
    for (uint32_t i = 0; i < 3; i++) site_close(&s[i]);
}

int main(void)
{
    rogue_same_dice();
    static const struct CMUnitTest tests[] = {
        OVER(memory, thirty_days_away_is_one_question),
        OVER(memory, an_old_backup_restored_among_its_peers_gets_its_work_back),
        OVER(memory, an_old_backup_restored_alone_writes_and_is_joined_later),
        OVER(memory, a_copy_beside_the_original_writes_as_itself),
        OVER(memory, who_asks_for_what_is_no_longer_kept_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
