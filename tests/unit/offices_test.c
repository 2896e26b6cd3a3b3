/* What happens between offices that were apart, as people would tell it: who is whom, what belongs to whom, and which
 * word counts when both wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/bench_group.h"

#define PERSON(system, id) "{'entity':'customer','source_system':'" system "','source_id':'" id "','kind':'person'}"
#define LINK(a, b, verdict, by)                                                                                        \
    "{'entity':'identity_link','a':'" a "','b':'" b "','verdict':'" verdict "','by':'" by "'}"

static void put(struct bench_office *o, const char *line)
{
    if (bench_put(o, line)) fail_msg("%s: %s", line, o->reason);
}

/* All offices give the same answer, and it is there. */
static void assert_same(struct bench *b, enum kt_lookup_by by, const char *what)
{
    char *first = bench_body(bench_office(b, 1), by, what);
    assert_true(*first);
    for (uint32_t i = 2; i <= BENCH_OFFICES; i++) {
        char *other = bench_body(bench_office(b, i), by, what);
        assert_string_equal(first, other);
        free(other);
    }
    free(first);
}

static void a_merged_customer_is_found_by_case_and_licence(void **state)
{
    /* One record has the case, another the licence; merged at a third office, both lead to the one customer, and parted
     * each to its own. */
    struct bench *b = *state;
    put(bench_office(b, 1), PERSON("revenue", "C-1"));
    put(bench_office(b, 2), PERSON("motor", "M-1"));
    put(bench_office(b, 1), "{'entity':'case','source_system':'311','source_id':'S-1','customer':[{'ref':'revenue:C-1',"
                            "'role':'requester'}],'status':'open'}");
    put(bench_office(b, 2), "{'entity':'licence','source_system':'motor','source_id':'L-1','number':'L-1','holder':"
                            "'motor:M-1','status':'active'}");
    bench_sync(b);
    for (uint32_t merged = 1; merged <= 2; merged++) {
        put(bench_office(b, 3), merged == 1 ? LINK("revenue:C-1", "motor:M-1", "MATCH", "MANUAL")
                                            : LINK("revenue:C-1", "motor:M-1", "NO_MATCH", "MANUAL"));
        bench_sync(b);
        for (uint32_t i = 1; i <= BENCH_OFFICES; i++) {
            json_t *by_case = bench_look(bench_office(b, i), KT_BY_CASE, "S-1");
            json_t *by_source = bench_look(bench_office(b, i), KT_BY_SOURCE, "motor:M-1");
            assert_int_equal(json_array_size(bench_at(by_case, "customer/sources")), merged == 1 ? 2 : 1);
            assert_int_equal(json_array_size(bench_at(by_case, "licences")), merged == 1);
            assert_int_equal(json_array_size(bench_at(by_source, "licences")), 1);
            assert_int_equal(json_array_size(bench_at(by_source, "cases")), merged == 1);
            assert_string_equal(bench_text(by_source, "licences/0/number"), "L-1");
            assert_int_equal(json_equal(bench_at(by_case, "customer"), bench_at(by_source, "customer")), merged == 1);
            json_decref(by_case);
            json_decref(by_source);
        }
        assert_same(b, KT_BY_CASE, "S-1");
        assert_same(b, KT_BY_SOURCE, "motor:M-1");
    }
}

static void a_relationship_outlives_who_it_leads_to(void **state)
{
    /* A mother's record is deleted while another office notes whose child hers is: the child shows the relationship
     * everywhere, the mother is not found, and she comes back with it when she is put again. */
    struct bench *b = *state;
    put(bench_office(b, 1), PERSON("revenue", "MOTHER"));
    put(bench_office(b, 1), PERSON("revenue", "CHILD"));
    bench_sync(b);
    put(bench_office(b, 1), "{'entity':'customer','source_system':'revenue','source_id':'MOTHER','deleted':true}");
    put(bench_office(b, 2), "{'entity':'relationship','from':'revenue:MOTHER','to':'revenue:CHILD','type':'parent'}");
    bench_sync(b);
    for (uint32_t i = 1; i <= BENCH_OFFICES; i++) {
        struct bench_office *o = bench_office(b, i);
        json_t *j = bench_look(o, KT_BY_SOURCE, "revenue:CHILD");
        assert_int_equal(json_array_size(bench_at(j, "customer/relationships")), 1);
        assert_string_equal(bench_text(j, "customer/relationships/0/to"), "revenue:CHILD");
        json_decref(j);
        j = bench_look(o, KT_BY_SOURCE, "revenue:MOTHER");
        assert_true(!j || json_is_null(bench_at(j, "customer")));
        json_decref(j);
        assert_int_equal(bench_conflict_count(o), 0); /* a reference to somebody is not something said of her */
    }
    assert_same(b, KT_BY_SOURCE, "revenue:CHILD");
    put(bench_office(b, 3), PERSON("revenue", "MOTHER"));
    bench_sync(b);
    json_t *j = bench_look(bench_office(b, 2), KT_BY_SOURCE, "revenue:MOTHER");
    assert_int_equal(json_array_size(bench_at(j, "customer/relationships")), 1);
    json_decref(j);
    assert_same(b, KT_BY_SOURCE, "revenue:MOTHER");
}

static void the_stricter_consent_counts_until_settled(void **state)
{
    /* Apart, one office notes that Ada permits letters, later the other that she does not, or the other way round: the
     * refusal counts at every office, the conflict is one, and resolved it is what was decided. */
    for (uint32_t turn = 0; turn < 2; turn++) {
        struct bench *b = *state;
        static const char *const said[] = {
            "{'entity':'consent','customer':'revenue:C-1','purpose':'letters','decision':'deny'}",
            "{'entity':'consent','customer':'revenue:C-1','purpose':'letters','decision':'permit'}"};
        bench_close(b);
        bench_open(b, false);
        put(bench_office(b, 1), PERSON("revenue", "C-1"));
        bench_sync(b);
        put(bench_office(b, 1 + turn), said[0]);
        put(bench_office(b, 2 - turn), said[1]);
        bench_sync(b);
        for (uint32_t i = 1; i <= BENCH_OFFICES; i++) {
            json_t *j = bench_look(bench_office(b, i), KT_BY_SOURCE, "revenue:C-1");
            assert_int_equal(json_array_size(bench_at(j, "customer/consent")), 1);
            assert_string_equal(bench_text(j, "customer/consent/0/decision"), "deny");
            assert_int_equal(json_array_size(bench_at(j, "customer/consent_history")), 2);
            assert_int_equal(json_array_size(bench_at(j, "conflicts")), 1);
            json_decref(j);
            assert_int_equal(bench_conflict_count(bench_office(b, i)), 1);
        }
        assert_same(b, KT_BY_SOURCE, "revenue:C-1");
        json_t *list = bench_conflicts(bench_office(b, 3));
        assert_int_equal(json_array_size(bench_at(list, "0/values")), 2);
        assert_int_equal(
            bench_resolve(bench_office(b, 3), bench_text(list, "0/id"), "{'purpose':'letters','decision':'permit'}"),
            KT_OK);
        json_decref(list);
        bench_sync(b);
        json_t *j = bench_look(bench_office(b, 1), KT_BY_SOURCE, "revenue:C-1");
        assert_string_equal(bench_text(j, "customer/consent/0/decision"), "permit");
        assert_int_equal(json_array_size(bench_at(j, "conflicts")), 0);
        json_decref(j);
        assert_same(b, KT_BY_SOURCE, "revenue:C-1");
    }
}

static void a_task_and_a_note_from_two_offices_both_stand(void **state)
{
    /* Apart, two offices work on one case: each notes something, both take the same task further.  All notes stand,
     * each once; the task is one, and what both said differently of it is a conflict. */
    struct bench *b = *state;
    static const char *const task[] = {"{'entity':'task','source_system':'311','source_id':'T-1','case':'311:S-1','"
                                       "type':'visit','status':'in_progress',"
                                       "'owner':'ann'}",
                                       "{'entity':'task','source_system':'311','source_id':'T-1','case':'311:S-1','"
                                       "type':'visit','status':'in_progress',"
                                       "'owner':'bob'}"};
    put(bench_office(b, 1), PERSON("revenue", "C-1"));
    put(bench_office(b, 1), "{'entity':'case','source_system':'311','source_id':'S-1','customer':[{'ref':'revenue:C-1',"
                            "'role':'requester'}],'status':'open'}");
    bench_sync(b);
    for (uint32_t i = 1; i <= 2; i++) {
        put(bench_office(b, i), "{'entity':'note','source_system':'311','source_id':'N-1','case':'311:S-1','text':"
                                "'the same import'}");
        put(bench_office(b, i), "{'entity':'note','source_system':'311','case':'311:S-1','text':'seen by us'}");
        put(bench_office(b, i), task[i - 1]);
    }
    bench_sync(b);
    for (uint32_t i = 1; i <= BENCH_OFFICES; i++) {
        json_t *j = bench_look(bench_office(b, i), KT_BY_CASE, "S-1");
        assert_int_equal(json_array_size(bench_at(j, "cases/0/notes")), 3);
        assert_int_equal(json_array_size(bench_at(j, "cases/0/tasks")), 1);
        assert_string_equal(bench_text(j, "cases/0/tasks/0/status"), "in_progress");
        assert_string_equal(bench_text(j, "cases/0/tasks/0/owner"), "bob"); /* the latest */
        assert_int_equal(json_array_size(bench_at(j, "conflicts")), 1);
        assert_string_equal(bench_text(j, "conflicts/0/field"), "owner");
        assert_string_equal(bench_text(j, "conflicts/0/ref"), "311:T-1");
        json_decref(j);
        assert_int_equal(bench_conflict_count(bench_office(b, i)), 1);
    }
    assert_same(b, KT_BY_CASE, "S-1");
    assert_same(b, KT_BY_SOURCE, "revenue:C-1");
}

static void a_person_is_heard_before_a_program_whoever_was_first(void **state)
{
    /* Apart, a program and a person judge the same pair, each before the other in turn, joining or parting: the
     * person's word stands everywhere; two persons: the one who parts. */
    static const struct {
        const char *first, *second;
        bool joined;
    } told[] = {
        {LINK("revenue:C-1", "motor:M-1", "MATCH",    "AUTO"),   LINK("motor:M-1", "revenue:C-1", "NO_MATCH", "MANUAL"),
         false},
        {LINK("revenue:C-1", "motor:M-1", "NO_MATCH", "AUTO"),   LINK("motor:M-1", "revenue:C-1", "MATCH",    "MANUAL"),
         true },
        {LINK("revenue:C-1", "motor:M-1", "MATCH",    "MANUAL"), LINK("motor:M-1", "revenue:C-1", "NO_MATCH", "AUTO"),
         true },
        {LINK("revenue:C-1", "motor:M-1", "NO_MATCH", "MANUAL"), LINK("motor:M-1", "revenue:C-1", "MATCH",    "MANUAL"),
         false},
    };
    for (size_t t = 0; t < sizeof told / sizeof told[0]; t++) {
        struct bench *b = *state;
        bench_close(b);
        bench_open(b, false);
        put(bench_office(b, 1), PERSON("revenue", "C-1"));
        put(bench_office(b, 1), PERSON("motor", "M-1"));
        bench_sync(b);
        put(bench_office(b, 1), told[t].first);
        put(bench_office(b, 2), told[t].second);
        bench_sync(b);
        for (uint32_t i = 1; i <= BENCH_OFFICES; i++) {
            json_t *j = bench_look(bench_office(b, i), KT_BY_SOURCE, "motor:M-1");
            assert_int_equal(json_array_size(bench_at(j, "customer/sources")), told[t].joined ? 2 : 1);
            json_decref(j);
            assert_int_equal(bench_conflict_count(bench_office(b, i)), 1);
        }
        assert_same(b, KT_BY_SOURCE, "motor:M-1");
        assert_same(b, KT_BY_SOURCE, "revenue:C-1");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        OVER_BOTH(a_merged_customer_is_found_by_case_and_licence),
        OVER_BOTH(a_relationship_outlives_who_it_leads_to),
        OVER(memory, the_stricter_consent_counts_until_settled),
        OVER_BOTH(a_task_and_a_note_from_two_offices_both_stand),
        OVER(memory, a_person_is_heard_before_a_program_whoever_was_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
