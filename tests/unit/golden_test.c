/* Who is one person: records joined by MATCH are one view, and parting gives each back exactly as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/bench_group.h"
#include "support/dice.h"

#define PERSON(system, id, family)                                                                                     \
    "{'entity':'customer','source_system':'" system "','source_id':'" id "','kind':'person',"                          \
    "'name':[{'use':'official','familyName':'" family "','givenName':['Ada']}],"                                       \
    "'identifier':[{'system':'" system "-no','value':'" id "'}]}"
#define LINK(a, b, verdict, by)                                                                                        \
    "{'entity':'identity_link','a':'" a "','b':'" b "','verdict':'" verdict "','by':'" by "','reason':'papers'}"

static void put(struct bench_office *o, const char *line)
{
    if (bench_put(o, line)) fail_msg("%s: %s", line, o->reason);
}

static void assert_sources(struct bench_office *o, const char *what, const char *const *sources, size_t n)
{
    json_t *j = bench_look(o, KT_BY_SOURCE, what);
    assert_non_null(j);
    const json_t *got = bench_at(j, "customer/sources");
    assert_int_equal(json_array_size(got), n);
    for (size_t i = 0; i < n; i++) assert_string_equal(json_string_value(json_array_get(got, i)), sources[i]);
    json_decref(j);
}

static void a_match_joins_and_a_no_match_parts_exactly(void **state)
{
    /* Two records, each with a case; a clerk finds the same passport, another that they are twins. */
    struct bench_office *o = bench_office(*state, 1);
    static const char *const both[] = {"motor:M-1", "revenue:C-1"};
    put(o, PERSON("revenue", "C-1", "Okafor"));
    put(o, PERSON("motor", "M-1", "Okafor-Smith"));
    put(o, "{'entity':'case','source_system':'311','source_id':'S-1','customer':[{'ref':'revenue:C-1','role':'"
           "requester'}],"
           "'status':'open'}");
    put(o,
        "{'entity':'case','source_system':'311','source_id':'S-2','customer':[{'ref':'motor:M-1','role':'requester'}],"
        "'status':'open'}");
    char *before_a = bench_body(o, KT_BY_SOURCE, "revenue:C-1"), *before_b = bench_body(o, KT_BY_SOURCE, "motor:M-1");
    put(o, LINK("revenue:C-1", "motor:M-1", "MATCH", "MANUAL"));
    assert_sources(o, "revenue:C-1", both, 2);
    char *joined_a = bench_body(o, KT_BY_SOURCE, "revenue:C-1"), *joined_b = bench_body(o, KT_BY_ID, "motor-no:M-1");
    assert_string_equal(joined_a, joined_b);
    json_t *j = bench_look(o, KT_BY_CASE, "S-2");
    assert_int_equal(json_array_size(bench_at(j, "cases")), 2);
    assert_int_equal(json_array_size(bench_at(j, "customer/name")), 2);
    json_decref(j);

    put(o, LINK("motor:M-1", "revenue:C-1", "NO_MATCH", "MANUAL")); /* the other way round is the same link */
    char *after_a = bench_body(o, KT_BY_SOURCE, "revenue:C-1"), *after_b = bench_body(o, KT_BY_SOURCE, "motor:M-1");
    assert_string_equal(after_a, before_a);
    assert_string_equal(after_b, before_b);
    free(before_a), free(before_b), free(joined_a), free(joined_b), free(after_a), free(after_b);
}

static void a_match_may_come_before_its_records(void **state)
{
    /* The link comes first, then one record, then the other. */
    struct bench_office *o = bench_office(*state, 1);
    static const char *const one[] = {"motor:M-1"}, *const both[] = {"motor:M-1", "revenue:C-1"};
    put(o, LINK("revenue:C-1", "motor:M-1", "MATCH", "AUTO"));
    assert_null(bench_look(o, KT_BY_SOURCE, "motor:M-1"));
    assert_int_equal(o->code, KT_ENOTFOUND);
    put(o, PERSON("motor", "M-1", "Okafor"));
    assert_sources(o, "revenue:C-1", one, 1);
    put(o, PERSON("revenue", "C-1", "Okafor"));
    assert_sources(o, "motor:M-1", both, 2);
}

static void a_chain_parts_in_the_middle(void **state)
{
    /* Four records joined in a row; the middle link goes: two pairs. */
    struct bench_office *o = bench_office(*state, 1);
    static const char *const all[] = {"motor:1", "motor:2", "motor:3", "motor:4"};
    put(o, PERSON("motor", "1", "A"));
    put(o, PERSON("motor", "2", "B"));
    put(o, PERSON("motor", "3", "C"));
    put(o, PERSON("motor", "4", "D"));
    put(o, LINK("motor:1", "motor:2", "MATCH", "AUTO"));
    put(o, LINK("motor:3", "motor:4", "MATCH", "AUTO"));
    put(o, LINK("motor:2", "motor:3", "MATCH", "AUTO"));
    assert_sources(o, "motor:4", all, 4);
    put(o, LINK("motor:2", "motor:3", "POSSIBLE_MATCH", "AUTO"));
    assert_sources(o, "motor:1", all, 2);
    assert_sources(o, "motor:4", all + 2, 2);
}

static void a_persons_verdict_counts_before_a_programs(void **state)
{
    /* Apart, a clerk decides NO_MATCH and a program MATCH, later: when they meet, the clerk's stands everywhere. */
    struct bench *b = *state;
    static const char *const alone[] = {"revenue:C-1"};
    put(bench_office(b, 1), PERSON("revenue", "C-1", "Okafor"));
    put(bench_office(b, 1), PERSON("motor", "M-1", "Okafor"));
    bench_sync(b);
    put(bench_office(b, 1), LINK("revenue:C-1", "motor:M-1", "NO_MATCH", "MANUAL"));
    put(bench_office(b, 2), LINK("revenue:C-1", "motor:M-1", "MATCH", "AUTO"));
    bench_sync(b);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_sources(bench_office(b, i), "revenue:C-1", alone, 1);
        assert_int_equal(bench_conflict_count(bench_office(b, i)), 1);
    }
}

static void a_group_too_large_is_not_joined(void **state)
{
    /* 257 records in a row: each stands alone; one link less and 256 of them are one.  Links come in an order that
     * doubles groups, because each makes the views of its group anew. */
    struct bench_office *o = bench_office(*state, 1);
    static const char *const last[] = {"motor:257"};
    const uint32_t n = KT_GROUP_RECORDS_MAX + 1;
    char line[256];
    for (uint32_t i = 1; i <= n; i++) {
        snprintf(line, sizeof line, "{'entity':'customer','source_system':'motor','source_id':'%u','kind':'person'}",
                 i);
        put(o, line);
    }
    for (uint32_t size = 1; size < n; size *= 2)
        for (uint32_t i = size; i < n; i += 2 * size) {
            snprintf(line, sizeof line,
                     "{'entity':'identity_link','a':'motor:%u','b':'motor:%u','verdict':'MATCH','by':'AUTO'}", i,
                     i + 1);
            put(o, line);
        }
    assert_sources(o, "motor:257", last, 1);
    json_t *j = bench_look(o, KT_BY_SOURCE, "motor:1");
    assert_int_equal(json_array_size(bench_at(j, "customer/sources")), 1);
    json_decref(j);
    put(o, LINK("motor:256", "motor:257", "NO_MATCH", "MANUAL"));
    assert_sources(o, "motor:257", last, 1);
    j = bench_look(o, KT_BY_SOURCE, "motor:100");
    assert_int_equal(json_array_size(bench_at(j, "customer/sources")), 256);
    json_decref(j);
}

/* Groups by hand: a label for each record, from the verdicts as they stand. */
static void label(const bool joined[8][8], uint32_t out[8])
{
    for (uint32_t i = 0; i < 8; i++) out[i] = i;
    for (uint32_t round = 0; round < 8; round++)
        for (uint32_t i = 0; i < 8; i++)
            for (uint32_t k = 0; k < 8; k++)
                if (joined[i][k] && out[k] < out[i]) out[i] = out[k];
}

static void any_links_in_any_order_give_the_groups_they_say(void **state)
{
    /* Eight records, a hundred verdicts at random: after each, every record's view holds just its group. */
    struct bench_office *o = bench_office(*state, 1);
    struct dice d = {dice_seed(20261121)};
    bool joined[8][8] = {{false}};
    char line[256];
    print_message("seed %llu\n", (unsigned long long)d.state);
    for (uint32_t i = 0; i < 8; i++) {
        snprintf(line, sizeof line, "{'entity':'customer','source_system':'motor','source_id':'%u','kind':'person'}",
                 i);
        put(o, line);
    }
    for (uint32_t turn = 0; turn < 100; turn++) {
        const uint32_t a = dice_below(&d, 8), b = (a + 1 + dice_below(&d, 7)) % 8;
        const bool match = dice_in(&d, 2);
        uint32_t labels[8];
        snprintf(line, sizeof line,
                 "{'entity':'identity_link','a':'motor:%u','b':'motor:%u','verdict':'%s','by':'MANUAL'}", a, b,
                 match ? "MATCH" : "NO_MATCH");
        put(o, line);
        joined[a][b] = joined[b][a] = match;
        label((const bool(*)[8])joined, labels);
        for (uint32_t i = 0; i < 8; i++) {
            char source[16];
            uint32_t want = 0;
            snprintf(source, sizeof source, "motor:%u", i);
            for (uint32_t k = 0; k < 8; k++) want += labels[k] == labels[i];
            json_t *j = bench_look(o, KT_BY_SOURCE, source);
            assert_int_equal(json_array_size(bench_at(j, "customer/sources")), want);
            json_decref(j);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        OVER_BOTH(a_match_joins_and_a_no_match_parts_exactly),
        OVER_BOTH(a_match_may_come_before_its_records),
        OVER_BOTH(a_chain_parts_in_the_middle),
        OVER_BOTH(a_persons_verdict_counts_before_a_programs),
        OVER(memory, a_group_too_large_is_not_joined),
        OVER_BOTH(any_links_in_any_order_give_the_groups_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
