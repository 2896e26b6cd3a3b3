/* A NO_MATCH between records that other links join: the customer stays one, and people are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/bench_group.h"
#include "support/dice.h"

#define RECORDS 6u

static void put(struct bench_office *o, const char *line)
{
    if (bench_put(o, line)) fail_msg("%s: %s", line, o->reason);
}

static void put_people(struct bench_office *o, uint32_t n)
{
    for (uint32_t i = 1; i <= n; i++) {
        char line[160];
        snprintf(line, sizeof line, "{'entity':'customer','source_system':'motor','source_id':'%u','kind':'person'}",
                 i);
        put(o, line);
    }
}

static void put_link(struct bench_office *o, uint32_t a, uint32_t b, const char *verdict)
{
    char line[192];
    snprintf(line, sizeof line,
             "{'entity':'identity_link','a':'motor:%u','b':'motor:%u','verdict':'%s','by':'MANUAL','reason':'papers'}",
             a, b, verdict);
    put(o, line);
}

static uint64_t count(struct bench_office *o)
{
    uint64_t n;
    assert_int_equal(kt_workset_begin(o->workset, false), KT_OK);
    assert_int_equal(kt_views_contradictions(o->workset, &n), KT_OK);
    kt_workset_abort(o->workset);
    return n;
}

static json_t *contradictions_of(struct bench_office *o, uint32_t who)
{
    char source[16];
    snprintf(source, sizeof source, "motor:%u", who);
    json_t *j = bench_look(o, KT_BY_SOURCE, source);
    assert_non_null(j);
    json_t *out = json_incref(json_object_get(j, "contradictions"));
    assert_true(json_is_array(out));
    assert_null(bench_at(j, "customer/contradictions"));
    json_decref(j);
    return out;
}

static bool names(const json_t *c, const char *a, const char *b)
{
    return (strcmp(bench_text(c, "a"), a) == 0 && strcmp(bench_text(c, "b"), b) == 0) ||
           (strcmp(bench_text(c, "a"), b) == 0 && strcmp(bench_text(c, "b"), a) == 0);
}

static void a_no_match_inside_a_group_is_reported(void **state)
{
    /* 1 is 2, and 2 is 3; somebody else knows that 1 is not 3.  Every office reports it from all three records, until
     * the chain is cut, and again when it is mended. */
    struct bench *b = *state;
    put_people(bench_office(b, 1), 3);
    bench_sync(b);
    put_link(bench_office(b, 1), 1, 2, "MATCH");
    put_link(bench_office(b, 2), 2, 3, "MATCH");
    put_link(bench_office(b, 3), 3, 1, "NO_MATCH");
    assert_int_equal(count(bench_office(b, 3)), 0);
    for (uint32_t turn = 0; turn < 3; turn++) {
        const bool joined = turn != 1;
        if (turn) put_link(bench_office(b, turn), 2, 3, joined ? "MATCH" : "POSSIBLE_MATCH");
        bench_sync(b);
        for (uint32_t o = 1; o <= BENCH_OFFICES; o++) {
            assert_int_equal(count(bench_office(b, o)), joined);
            for (uint32_t who = 1; who <= 3; who++) {
                json_t *c = contradictions_of(bench_office(b, o), who);
                assert_int_equal(json_array_size(c), joined);
                if (joined) {
                    assert_true(names(json_array_get(c, 0), "motor:1", "motor:3"));
                    assert_string_equal(bench_text(c, "0/reason"), "papers");
                }
                json_decref(c);
            }
        }
    }
    put_link(bench_office(b, 2), 1, 3, "MATCH"); /* he was wrong */
    bench_sync(b);
    for (uint32_t o = 1; o <= BENCH_OFFICES; o++) assert_int_equal(count(bench_office(b, o)), 0);
}

static void a_no_match_between_two_groups_is_none(void **state)
{
    /* 1 is 2, 3 is 4, 1 is not 3: nothing to report; the verdict that joins the two groups makes it one. */
    struct bench_office *o = bench_office(*state, 1);
    put_people(o, 4);
    put_link(o, 1, 2, "MATCH");
    put_link(o, 3, 4, "MATCH");
    put_link(o, 1, 3, "NO_MATCH");
    assert_int_equal(count(o), 0);
    put_link(o, 2, 4, "MATCH");
    assert_int_equal(count(o), 1);
    json_t *c = contradictions_of(o, 4);
    assert_int_equal(json_array_size(c), 1);
    json_decref(c);
    /* a case of one of them changes: the report stays in the view */
    put(o, "{'entity':'case','source_system':'311','source_id':'S','customer':[{'ref':'motor:2','role':'requester'}]}");
    c = contradictions_of(o, 2);
    assert_int_equal(json_array_size(c), 1);
    json_decref(c);
    put_link(o, 1, 3, "POSSIBLE_MATCH");
    assert_int_equal(count(o), 0);
}

/* Which pairs are parted though joined through others, by hand. */
static uint32_t expect(const uint8_t verdicts[RECORDS][RECORDS])
{
    uint32_t labels[RECORDS], n = 0;
    for (uint32_t i = 0; i < RECORDS; i++) labels[i] = i;
    for (uint32_t round = 0; round < RECORDS; round++)
        for (uint32_t i = 0; i < RECORDS; i++)
            for (uint32_t k = 0; k < RECORDS; k++)
                if (verdicts[i][k] == 1 && labels[k] < labels[i]) labels[i] = labels[k];
    for (uint32_t i = 0; i < RECORDS; i++)
        for (uint32_t k = i + 1; k < RECORDS; k++) n += verdicts[i][k] == 2 && labels[i] == labels[k];
    return n;
}

static void any_verdicts_in_any_order_count_right(void **state)
{
    /* A hundred and fifty verdicts at random among six records: the count, and what the views say, is what a look at
     * all verdicts says; an office that takes them all at once agrees. */
    static const char *const said[] = {"POSSIBLE_MATCH", "MATCH", "NO_MATCH"};
    struct bench *b = *state;
    struct bench_office *o = bench_office(b, 1);
    struct dice d = {dice_seed(20261122)};
    uint8_t verdicts[RECORDS][RECORDS] = {{0}};
    print_message("seed %llu\n", (unsigned long long)d.state);
    put_people(o, RECORDS);
    for (uint32_t turn = 0; turn < 150; turn++) {
        const uint32_t x = dice_below(&d, RECORDS), y = (x + 1 + dice_below(&d, RECORDS - 1)) % RECORDS;
        uint32_t ends = 0;
        verdicts[x][y] = verdicts[y][x] = (uint8_t)dice_below(&d, 3);
        put_link(o, x + 1, y + 1, said[verdicts[x][y]]);
        const uint32_t want = expect((const uint8_t(*)[RECORDS])verdicts);
        assert_int_equal(count(o), want);
        for (uint32_t who = 1; who <= RECORDS; who++) {
            json_t *c = contradictions_of(o, who);
            char source[16];
            snprintf(source, sizeof source, "motor:%u", who);
            for (size_t i = 0; i < json_array_size(c); i++)
                ends += strcmp(bench_text(json_array_get(c, i), "a"), source) == 0 ||
                        strcmp(bench_text(json_array_get(c, i), "b"), source) == 0;
            json_decref(c);
        }
        assert_int_equal(ends, 2 * want);
    }
    bench_pull(bench_office(b, 2), o);
    assert_int_equal(count(bench_office(b, 2)), count(o));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        OVER_BOTH(a_no_match_inside_a_group_is_reported),
        OVER_BOTH(a_no_match_between_two_groups_is_none),
        OVER_BOTH(any_verdicts_in_any_order_count_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
