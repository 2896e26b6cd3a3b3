/* The hybrid logical clock: never back, never far ahead of the wall. */
#include "core/hlc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static kt_hlc at(uint64_t ms, uint64_t counter) { return ms << 16 | counter; }

/* Scenario: the wall clock moves on, stands still, and is set back by an hour; stamps rise all the same. */
static void stamps_always_rise(void **state)
{
    (void)state;
    struct kt_clock c = {0};
    assert_int_equal(kt_clock_next(&c, 1000), at(1000, 0));
    assert_int_equal(kt_clock_next(&c, 1000), at(1000, 1));
    assert_int_equal(kt_clock_next(&c, 1001), at(1001, 0));
    assert_int_equal(kt_clock_next(&c, 1), at(1001, 1));
    assert_int_equal(kt_clock_next(&c, 5000), at(5000, 0));
}

/* Scenario: the counter of one millisecond runs over; the stamp goes into the next one. */
static void a_full_counter_carries(void **state)
{
    (void)state;
    struct kt_clock c = {at(7, 0xffff)};
    assert_int_equal(kt_clock_next(&c, 7), at(8, 0));
}

/* Scenario: another office's clock is ahead by less than the limit; our next stamp exceeds what we saw. */
static void what_was_seen_is_exceeded(void **state)
{
    (void)state;
    struct kt_clock c = {0};
    kt_clock_next(&c, 1000);
    assert_true(kt_clock_observe(&c, at(1000 + KT_SKEW_MS_MAX, 9), 1000));
    assert_int_equal(kt_clock_next(&c, 1001), at(1000 + KT_SKEW_MS_MAX, 10));
    assert_true(kt_clock_observe(&c, at(3, 0), 1001)); /* old stamps move nothing */
    assert_int_equal(kt_clock_next(&c, 1001), at(1000 + KT_SKEW_MS_MAX, 11));
}

/* Scenario: a stamp from years ahead arrives; it is reported and moves no clock. */
static void a_mad_clock_is_reported(void **state)
{
    (void)state;
    struct kt_clock c = {0};
    kt_clock_next(&c, 1000);
    assert_false(kt_clock_observe(&c, at(1001 + KT_SKEW_MS_MAX, 0), 1000));
    assert_false(kt_clock_observe(&c, UINT64_MAX, 1000));
    assert_int_equal(kt_clock_next(&c, 1000), at(1000, 1));
}

/* Scenario: a wall clock beyond 48 bits of milliseconds stays within the stamp. */
static void the_end_of_time_is_kept(void **state)
{
    (void)state;
    struct kt_clock c = {0};
    assert_int_equal(kt_clock_next(&c, UINT64_MAX), 0xffffffffffff0000ull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps_always_rise),        cmocka_unit_test(a_full_counter_carries),
        cmocka_unit_test(what_was_seen_is_exceeded), cmocka_unit_test(a_mad_clock_is_reported),
        cmocka_unit_test(the_end_of_time_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
