/* Clocks that are wrong: years ahead, a day back, stepping while a group is written.  Writes go on, later ones replace
 * earlier ones whatever the clock says, nobody else's clock is moved, and what is shown is not called fresher than it
 * is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/bench_group.h"
#include "support/bench_site.h"
#include "support/rogue.h"

#define OK(call)  assert_int_equal((call), KT_OK)
#define DAY_MS    86400000ll
#define YEARS_MS  (3652 * DAY_MS)
#define SECOND_MS 1000u

static void put(struct site *s, const char *occupation)
{
    char line[256];
    snprintf(line, sizeof line,
             "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person','occupation':'%s'}",
             occupation);
    OK(site_put(s, line));
}

static void assert_all_show(struct site *const *all, uint32_t n, const char *occupation)
{
    for (uint32_t i = 0; i < n; i++) {
        json_t *j = bench_look(all[i]->office, KT_BY_SOURCE, "revenue:C-1");
        assert_string_equal(bench_text(j, "customer/occupation"), occupation);
        assert_int_equal(json_array_size(bench_at(j, "conflicts")), 0);
        json_decref(j);
    }
}

static kt_hlc newest_stamp(struct site *s)
{
    const struct kt_vector_entry *e = kt_vector_find(kt_ledger_vector(kt_engine_ledger(s->engine)), site_origin(s));
    return e ? e->hlc : 0;
}

static void open_both(struct bench *b, struct site *s)
{
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(b, i + 1));
    site_join(&s[0], &s[1]);
}

static void ten_years_ahead_moves_nobody_else(void **state)
{
    /* The clock of office 1 stands ten years ahead, for a while.  Its writes count; what office 2 writes after having
     * seen them replaces them; the clock of office 2 stays; both say whose clock is wrong.  Set right again, office 1
     * writes on, also after a restart.  Cut off, it is not called complete up to now. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    open_both(*state, s);
    put(&s[0], "smith");
    site_run(both, 2, 6 * SECOND_MS);
    s[0].skew_ms = YEARS_MS;
    put(&s[0], "baker");
    site_run(both, 2, 12 * SECOND_MS);
    assert_all_show(both, 2, "baker");
    assert_true(site_status(&s[1])->skewed_stamps > 0);
    assert_true(site_complains(&s[1], "the clock of office-1 differs"));
    assert_true(site_complains(&s[0], "the clock of office-2 differs"));
    put(&s[1], "cook");
    site_run(both, 2, 6 * SECOND_MS);
    assert_all_show(both, 2, "cook");
    s[0].skew_ms = 0;
    put(&s[0], "judge");
    site_run(both, 2, 6 * SECOND_MS);
    assert_all_show(both, 2, "judge");
    site_restart(&s[0]);
    site_join(&s[0], &s[1]);
    put(&s[0], "clerk");
    site_run(both, 2, 12 * SECOND_MS);
    assert_all_show(both, 2, "clerk");
    site_assert_same(both, 2);
    OK(site_put(&s[1], "{'entity':'customer','source_system':'revenue','source_id':'C-2','kind':'person'}"));
    const uint64_t now = site_status(&s[1])->now_ms;
    assert_true(kt_hlc_ms(newest_stamp(&s[1])) < now + KT_SKEW_MS_MAX);
    const uint64_t complete = site_peer(&s[1], 1)->complete_through_ms;
    assert_true(complete > SITE_START_MS && complete <= now);
    site_part(&s[0], &s[1]);
    site_run(both, 2, 3600 * SECOND_MS / 60);
    s[1].ms += 3600 * SECOND_MS;
    site_run(both, 2, SECOND_MS);
    assert_true(site_peer(&s[1], 1)->complete_through_ms <= complete + 10 * SECOND_MS);
    site_restart(&s[1]); /* nor after a restart, from the pulse that was kept */
    assert_true(site_peer(&s[1], 1)->complete_through_ms <= complete + 10 * SECOND_MS);
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
}

static void a_day_back_changes_nothing(void **state)
{
    /* The clock of office 1 is set back by a day, and the office restarted.  It writes on: later stays later, its
     * pulses are news to the other, and what is complete does not go back. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    open_both(*state, s);
    put(&s[0], "smith");
    site_run(both, 2, 12 * SECOND_MS);
    const uint64_t complete = site_peer(&s[1], 1)->complete_through_ms;
    kt_hlc before = newest_stamp(&s[0]);
    assert_true(complete > SITE_START_MS);
    s[0].skew_ms = -DAY_MS;
    for (uint32_t i = 0; i < 4; i++) {
        put(&s[0], i % 2 ? "smith" : "baker");
        assert_true(newest_stamp(&s[0]) > before);
        before = newest_stamp(&s[0]);
        site_run(both, 2, 20 * SECOND_MS);
        assert_false(site_complains(&s[1], "office-1 has said nothing"));
        assert_true(site_peer(&s[1], 1)->complete_through_ms >= complete);
        assert_all_show(both, 2, i % 2 ? "smith" : "baker");
        if (i != 1) continue;
        site_restart(&s[0]);
        site_join(&s[0], &s[1]);
    }
    put(&s[1], "cook");
    site_run(both, 2, 6 * SECOND_MS);
    assert_all_show(both, 2, "cook");
    site_assert_same(both, 2);
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
}

static void a_clock_that_steps_within_a_commit_is_survived(void **state)
{
    /* Office 1's clock jumps at every second look, so also between two looks of one commit: by seconds, a day, years,
     * forth and back.  Every write is acknowledged, stamps rise, the other office takes it all. */
    static const int64_t jumps_ms[] = {5000, -5000, DAY_MS, -DAY_MS, -YEARS_MS, YEARS_MS};
    struct site s[2], *both[] = {&s[0], &s[1]};
    open_both(*state, s);
    kt_hlc before = 0;
    for (uint32_t i = 0; i < 36; i++) {
        s[0].jitter_ms = jumps_ms[i % 6];
        put(&s[0], i % 2 ? "smith" : "baker");
        assert_true(newest_stamp(&s[0]) > before);
        before = newest_stamp(&s[0]);
        site_run(both, 2, 200);
    }
    assert_int_equal(s[0].refusals, 0);
    s[0].jitter_ms = 0;
    site_run(both, 2, 12 * SECOND_MS);
    assert_int_equal(site_status(&s[1])->refused_batches, 0);
    assert_int_equal(site_held_of(&s[1], site_origin(&s[0])), 36);
    site_assert_same(both, 2);
    assert_all_show(both, 2, "smith");
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
}

int main(void)
{
    rogue_same_dice();
    static const struct CMUnitTest tests[] = {
        OVER(memory, ten_years_ahead_moves_nobody_else),
        OVER(memory, a_day_back_changes_nothing),
        OVER(memory, a_clock_that_steps_within_a_commit_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
