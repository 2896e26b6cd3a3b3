/* State becomes one view per customer, over every backend: what several offices wrote is found at once, in any order of
 * coming, and what is gone is found no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/bench_group.h"

#define ADA                                                                                                            \
    "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person','birthDate':'1980-02-29',"       \
    "'name':[{'use':'official','familyName':'Okafor','givenName':['Ada']}],"                                           \
    "'identifier':[{'system':'tax','value':'123-45'}],"                                                                \
    "'contactPoint':[{'system':'phone','value':'+44 20 7946 0000'},{'system':'email','value':'ada@example.org'}]}"
#define NOISE                                                                                                          \
    "{'entity':'case','source_system':'311','source_id':'SR-1','customer':[{'ref':'revenue:C-1','role':'requester'}]," \
    "'service_code':'noise','subject':'Noise at night','status':'open','requested_datetime':'2026-03-01T21:10:00Z'}"
#define CALL                                                                                                           \
    "{'entity':'interaction','source_system':'311','source_id':'I-1','case':'311:SR-1','channel':'phone',"             \
    "'direction':'in','occurred':'2026-03-01T21:10:00Z','body':'Caller reports a party.'}"

static void assert_whole(struct bench_office *o, enum kt_lookup_by by, const char *what)
{
    json_t *j = bench_look(o, by, what);
    assert_non_null(j);
    assert_string_equal(bench_text(j, "customer/birthDate"), "1980-02-29");
    assert_string_equal(bench_text(j, "customer/kind"), "person");
    assert_string_equal(bench_text(j, "customer/name/0/familyName"), "Okafor");
    assert_string_equal(bench_text(j, "customer/sources/0"), "revenue:C-1");
    assert_int_equal(json_array_size(bench_at(j, "customer/contactPoint")), 2);
    assert_int_equal(json_array_size(bench_at(j, "cases")), 1);
    assert_string_equal(bench_text(j, "cases/0/number"), "SR-1");
    assert_string_equal(bench_text(j, "cases/0/subject"), "Noise at night");
    assert_int_equal(json_array_size(bench_at(j, "cases/0/interactions")), 1);
    assert_string_equal(bench_text(j, "cases/0/interactions/0/body"), "Caller reports a party.");
    assert_int_equal(json_array_size(bench_at(j, "conflicts")), 0);
    json_decref(j);
}

static void the_whole_view_is_found_in_every_way(void **state)
{
    /* A customer, a case of theirs and a call about it: found by source, identifier, phone, e-mail and case number. */
    struct bench_office *o = bench_office(*state, 1);
    assert_int_equal(bench_put(o, ADA), KT_OK);
    assert_int_equal(bench_put(o, NOISE), KT_OK);
    assert_int_equal(bench_put(o, CALL), KT_OK);
    assert_whole(o, KT_BY_SOURCE, "revenue:C-1");
    assert_whole(o, KT_BY_ID, "tax:123-45");
    assert_whole(o, KT_BY_PHONE, "0044 20 79460000");
    assert_whole(o, KT_BY_EMAIL, "ADA@EXAMPLE.ORG");
    assert_whole(o, KT_BY_CASE, "SR-1");
    bench_restart(o);
    assert_whole(o, KT_BY_SOURCE, "revenue:C-1");
    assert_null(bench_look(o, KT_BY_ID, "tax:none"));
    assert_int_equal(o->code, KT_ENOTFOUND);
    assert_null(bench_look(o, KT_BY_SOURCE, "revenue:C-2"));
    assert_int_equal(o->code, KT_ENOTFOUND);
}

static void things_may_come_before_what_they_name(void **state)
{
    /* A call comes before its case, the case before its customer: nothing, then the case alone, then everything. */
    struct bench_office *o = bench_office(*state, 1);
    assert_int_equal(bench_put(o, CALL), KT_OK);
    assert_null(bench_look(o, KT_BY_CASE, "SR-1"));
    assert_int_equal(o->code, KT_ENOTFOUND);
    assert_int_equal(bench_put(o, NOISE), KT_OK);
    json_t *j = bench_look(o, KT_BY_CASE, "SR-1");
    assert_non_null(j);
    assert_true(json_is_null(bench_at(j, "customer")));
    assert_string_equal(bench_text(j, "cases/0/interactions/0/body"), "Caller reports a party.");
    json_decref(j);
    assert_int_equal(bench_put(o, ADA), KT_OK);
    assert_whole(o, KT_BY_CASE, "SR-1");
    assert_whole(o, KT_BY_ID, "tax:123-45");
}

static void every_order_of_coming_gives_the_same_view(void **state)
{
    /* Three offices write a third each and take the others' in different orders: the same bytes of view everywhere. */
    struct bench *b = *state;
    assert_int_equal(bench_put(bench_office(b, 1), ADA), KT_OK);
    assert_int_equal(bench_put(bench_office(b, 2), NOISE), KT_OK);
    assert_int_equal(bench_put(bench_office(b, 3), CALL), KT_OK);
    bench_sync(b);
    char *first = bench_body(bench_office(b, 1), KT_BY_SOURCE, "revenue:C-1");
    for (uint32_t i = 1; i <= 3; i++) {
        assert_whole(bench_office(b, i), KT_BY_ID, "tax:123-45");
        char *body = bench_body(bench_office(b, i), KT_BY_CASE, "SR-1");
        assert_string_equal(body, first);
        free(body);
    }
    free(first);
}

static void what_is_gone_is_found_no_more(void **state)
{
    /* An e-mail address is taken out, a phone changes: the old ones lead nowhere, and no index row is left of them. */
    struct bench_office *o = bench_office(*state, 1);
    assert_int_equal(bench_put(o, ADA), KT_OK);
    const uint64_t before = bench_rows(o, KT_T_store_index);
    assert_int_equal(bench_put(o, "{'entity':'customer','source_system':'revenue','source_id':'C-1',"
                                  "'remove':{'contactPoint':[{'system':'email','value':'ada@example.org'}]}}"),
                     KT_OK);
    assert_int_equal(o->ops, 1);
    assert_int_equal(bench_rows(o, KT_T_store_index), before - 2); /* the address, and the sum of its bucket */
    assert_null(bench_look(o, KT_BY_EMAIL, "ada@example.org"));
    assert_int_equal(o->code, KT_ENOTFOUND);
    assert_int_equal(bench_put(o, "{'entity':'customer','source_system':'revenue','source_id':'C-1','deleted':true}"),
                     KT_OK);
    assert_null(bench_look(o, KT_BY_SOURCE, "revenue:C-1"));
    assert_int_equal(bench_rows(o, KT_T_store_index), 0);
    assert_int_equal(bench_put(o, ADA), KT_OK);
    json_t *j = bench_look(o, KT_BY_EMAIL, "ada@example.org");
    assert_non_null(j);
    assert_int_equal(json_array_size(bench_at(j, "customer/contactPoint")), 2);
    json_decref(j);
}

static void a_case_moves_from_one_customer_to_another(void **state)
{
    /* The clerk had the wrong customer: the case leaves the first view and appears in the second. */
    struct bench_office *o = bench_office(*state, 1);
    assert_int_equal(bench_put(o, ADA), KT_OK);
    assert_int_equal(bench_put(o, NOISE), KT_OK);
    assert_int_equal(bench_put(o, "{'entity':'customer','source_system':'motor','source_id':'M-1','kind':'person'}"),
                     KT_OK);
    assert_int_equal(
        bench_put(o, "{'entity':'case','source_system':'311','source_id':'SR-1','customer':[{'ref':'motor:M-1',"
                     "'role':'requester'}],'remove':{'customer':[{'ref':'revenue:C-1','role':'requester'}]}}"),
        KT_OK);
    json_t *j = bench_look(o, KT_BY_SOURCE, "revenue:C-1");
    assert_int_equal(json_array_size(bench_at(j, "cases")), 0);
    json_decref(j);
    j = bench_look(o, KT_BY_CASE, "SR-1");
    assert_string_equal(bench_text(j, "customer/sources/0"), "motor:M-1");
    assert_string_equal(bench_text(j, "cases/0/number"), "SR-1");
    json_decref(j);
}

static void a_long_list_shows_its_newest_and_the_rest_by_pages(void **state)
{
    /* 120 calls about one case: the view shows 50 of them and how many there are; pages give the others, each once. */
    struct bench_office *o = bench_office(*state, 1);
    bool seen[120] = {false};
    assert_int_equal(bench_put(o, NOISE), KT_OK);
    for (int i = 0; i < 120; i++) {
        char line[256];
        snprintf(line, sizeof line,
                 "{'entity':'interaction','source_system':'311','source_id':'I-%d','case':'311:SR-1','channel':'phone',"
                 "'body':'%d'}",
                 i, i);
        assert_int_equal(bench_put(o, line), KT_OK);
    }
    for (uint32_t page = 0; page < 3; page++) {
        json_t *j = bench_look_granted(o, KT_BY_CASE, "SR-1", NULL, page);
        const json_t *rows = bench_at(j, "cases/0/interactions");
        assert_int_equal(json_array_size(rows), page < 2 ? 50 : 20);
        for (size_t i = 0; i < json_array_size(rows); i++) {
            const int n = (int)strtoul(bench_text(json_array_get(rows, i), "body"), NULL, 10);
            assert_int_equal(n, 119 - (int)(page * 50 + i));
            assert_false(seen[n]);
            seen[n] = true;
        }
        json_decref(j);
    }
}

static void rows_of_another_system_stand_in_its_compartment(void **state)
{
    /* The clinic adds a note to a case of the service: who reads health sees it, who does not sees the case without it.
     */
    struct bench *b = *state;
    assert_int_equal(bench_put(bench_office(b, 1), ADA), KT_OK);
    assert_int_equal(bench_put(bench_office(b, 1), NOISE), KT_OK);
    assert_int_equal(bench_put(bench_office(b, 1),
                               "{'entity':'note','source_system':'clinic','source_id':'N','case':'311:SR-1',"
                               "'text':'cannot sleep'}"),
                     KT_OK);
    bench_sync(b);
    for (uint32_t i = 1; i <= 3; i++) {
        json_t *j = bench_look(bench_office(b, i), KT_BY_ID, "tax:123-45");
        assert_int_equal(json_array_size(bench_at(j, "cases")), 1);
        assert_string_equal(bench_text(j, "cases/0/notes/0/text"), i < 3 ? "cannot sleep" : "");
        json_decref(j);
    }
}

static void many_cases_show_their_newest(void **state)
{
    /* 210 cases of one customer: the view holds the 200 newest by the day they were requested. */
    struct bench_office *o = bench_office(*state, 1);
    assert_int_equal(bench_put(o, ADA), KT_OK);
    for (int i = 0; i < 210; i++) {
        char line[300];
        snprintf(line, sizeof line,
                 "{'entity':'case','source_system':'311','source_id':'K-%d','customer':[{'ref':'revenue:C-1','role':'"
                 "requester'}],"
                 "'requested_datetime':'2026-03-01T%02d:%02d:00Z'}",
                 i, (i * 37 % 210) / 60, (i * 37 % 210) % 60);
        assert_int_equal(bench_put(o, line), KT_OK);
    }
    json_t *j = bench_look(o, KT_BY_SOURCE, "revenue:C-1");
    const json_t *cases = bench_at(j, "cases");
    assert_int_equal(json_array_size(cases), KT_VIEW_CASES_MAX);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        char want[48];
        snprintf(want, sizeof want, "2026-03-01T%02zu:%02zu:00Z", (209 - i) / 60, (209 - i) % 60);
        assert_string_equal(bench_text(json_array_get(cases, i), "requested_datetime"), want);
    }
    json_decref(j);
}

static void too_much_for_one_answer_is_cut_and_counted(void **state)
{
    /* 60 cases with ten long calls each make more than a section may hold: all cases stay, the newest calls of each
     * stay, their number is right, and the pages still hold what was cut. */
    struct bench_office *o = bench_office(*state, 1);
    char *lines[11], body[2001];
    for (int k = 0; k <= 10; k++) lines[k] = malloc(4096);
    memset(body, 'x', sizeof body);
    body[2000] = 0;
    for (int i = 0; i < 60; i++) {
        snprintf(lines[0], 4096,
                 "{'entity':'case','source_system':'311','source_id':'K-%d','customer':[{'ref':'revenue:C-1','role':'"
                 "requester'}]}",
                 i);
        for (int k = 0; k < 10; k++)
            snprintf(lines[k + 1], 4096,
                     "{'entity':'interaction','source_system':'311','source_id':'I-%d-%d','case':'311:K-%d','channel':'"
                     "phone','subject':'%d','body':'%s'}",
                     i, k, i, k, body);
        bench_put_all(o, (const char *const *)lines, 11);
    }
    json_t *j = bench_look(o, KT_BY_CASE, "K-7");
    assert_int_equal(json_array_size(bench_at(j, "cases")), 60);
    assert_int_equal(o->reply.lookup.sections_len, 1);
    assert_true(o->reply.lookup.sections[0].bytes.len <= KT_VIEW_SECTION_BYTES_MAX);
    for (size_t i = 0; i < 60; i++) {
        const json_t *c = json_array_get(bench_at(j, "cases"), i);
        assert_true(json_array_size(bench_at(c, "interactions")) == 1);
        assert_string_equal(bench_text(c, "interactions/0/subject"), "9");
    }
    json_decref(j);
    j = bench_look_granted(o, KT_BY_CASE, "K-7", NULL, 1);
    assert_int_equal(json_array_size(bench_at(j, "cases")), 60);
    assert_int_equal(json_array_size(bench_at(j, "cases/0/interactions")), 9);
    assert_string_equal(bench_text(j, "cases/0/interactions/0/subject"), "8");
    json_decref(j);
    for (int k = 0; k <= 10; k++) free(lines[k]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        OVER_BOTH(the_whole_view_is_found_in_every_way),
        OVER_BOTH(things_may_come_before_what_they_name),
        OVER_BOTH(every_order_of_coming_gives_the_same_view),
        OVER_BOTH(what_is_gone_is_found_no_more),
        OVER_BOTH(a_case_moves_from_one_customer_to_another),
        OVER_BOTH(a_long_list_shows_its_newest_and_the_rest_by_pages),
        OVER_BOTH(rows_of_another_system_stand_in_its_compartment),
        OVER(memory, many_cases_show_their_newest),
        OVER(memory, too_much_for_one_answer_is_cut_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
