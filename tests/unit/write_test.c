/* A put becomes changes: what is new is written, what is there is not, and nothing of a refused line counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/schema/fields.h"
#include "support/bench_group.h"

#define BASE "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person'"
#define CASE "{'entity':'case','source_system':'311','source_id':'SR-1'"

static void put(struct bench_office *o, const char *line)
{
    if (bench_put(o, line)) fail_msg("%s: %s", line, o->reason);
}

static void assert_customer(struct bench_office *o, const char *path, const char *value)
{
    json_t *j = bench_look(o, KT_BY_SOURCE, "revenue:C-1");
    assert_non_null(j);
    assert_string_equal(bench_text(j, path), value);
    json_decref(j);
}

static void the_same_again_writes_nothing(void **state)
{
    /* A customer, a case, an interaction, a link, a consent: each put twice, the second time no op; at another office
     * too. */
    struct bench *b = *state;
    static const char *const lines[] = {
        BASE ",'birthDate':'1980-02-29','occupation':'teacher','name':[{'use':'official','familyName':'Okafor'}],"
             "'contactPoint':[{'system':'phone','value':'+49 30 1'}],'language':['en','de'],'tag':['vip']}",
        CASE ",'customer':[{'ref':'revenue:C-1','role':'requester'}],'status':'open','queue':'q1','tag':['x'],"
             "'attribute':[{'code':'a','value':'1'},{'code':'b','value':'2'}],'description':['It is loud.']}",
        "{'entity':'interaction','source_system':'311','source_id':'I-1','case':'311:SR-1','channel':'phone','body':'"
        "hello'}",
        "{'entity':'note','source_system':'311','source_id':'N-1','customer':'revenue:C-1','text':'careful'}",
        "{'entity':'identity_link','a':'revenue:C-1','b':'motor:M-1','verdict':'MATCH','by':'MANUAL'}",
        "{'entity':'consent','customer':'revenue:C-1','purpose':'marketing','decision':'permit'}",
        "{'entity':'task','source_system':'311','source_id':'T-1','case':'311:SR-1','type':'call','status':'open'}",
        "{'entity':'licence','source_system':'revenue','source_id':'L-1','number':'L-1','holder':'revenue:C-1',"
        "'events':[{'type':'issued','date':'2026-01-01'}]}",
        "{'entity':'relationship','from':'revenue:C-1','to':'motor:M-2','type':'parent'}",
        "{'entity':'service','source_system':'311','source_id':'noise','name':'Noise'}",
    };
    for (uint32_t round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
            put(bench_office(b, 1), lines[i]);
            if (round == 0)
                assert_true(bench_office(b, 1)->changes > 0);
            else if (bench_office(b, 1)->changes)
                fail_msg("written again: %s", lines[i]);
        }
    bench_sync(b);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        put(bench_office(b, 2), lines[i]);
        if (bench_office(b, 2)->changes) fail_msg("written again elsewhere: %s", lines[i]);
    }
}

static void registers_are_set_changed_and_cleared(void **state)
{
    struct bench_office *o = bench_office(*state, 1);
    /* An occupation is given, corrected, and taken back with null; nothing else moves. */
    put(o, BASE ",'occupation':'teacher','birthDate':'1980-02-29'}");
    assert_int_equal(o->changes, 2); /* core and own */
    put(o, BASE ",'occupation':'baker'}");
    assert_int_equal(o->changes, 1);
    assert_int_equal(o->ops, 1);
    assert_customer(o, "customer/occupation", "baker");
    put(o, BASE ",'occupation':null}");
    assert_customer(o, "customer/occupation", "");
    assert_customer(o, "customer/birthDate", "1980-02-29");
    put(o, BASE ",'occupation':null}");
    assert_int_equal(o->changes, 0);
}

static void elements_are_known_by_what_identifies_them(void **state)
{
    /* The same phone written another way is the same element; a changed use replaces it; two are two. */
    struct bench_office *o = bench_office(*state, 1);
    put(o, BASE ",'contactPoint':[{'system':'phone','value':'+49 30 1234'}]}");
    put(o, BASE ",'contactPoint':[{'system':'phone','value':'0049301234','use':'work'}]}");
    json_t *j = bench_look(o, KT_BY_PHONE, "030 1234");
    assert_int_equal(json_array_size(bench_at(j, "customer/contactPoint")), 1);
    assert_string_equal(bench_text(j, "customer/contactPoint/0/use"), "work");
    json_decref(j);
    put(o, BASE ",'contactPoint':[{'system':'phone','value':'+49 30 99'}]}");
    j = bench_look(o, KT_BY_SOURCE, "revenue:C-1");
    assert_int_equal(json_array_size(bench_at(j, "customer/contactPoint")), 2);
    json_decref(j);
}

static void nothing_of_a_refused_line_counts(void **state)
{
    /* Unmapped systems, compartments not to be written, a client's narrower grant: refused, with a reason, without
     * trace. */
    struct bench *b = *state;
    struct bench_office *one = bench_office(b, 1), *two = bench_office(b, 2), *three = bench_office(b, 3);
    assert_int_equal(bench_put(one, "{'entity':'customer','source_system':'nowhere','source_id':'X','kind':'person'}"),
                     KT_EUNMAPPED);
    assert_non_null(strstr(one->reason, "nowhere"));
    assert_int_equal(bench_put(two, "{'entity':'customer','source_system':'clinic','source_id':'P','kind':'person'}"),
                     KT_ERIGHTS);
    assert_non_null(strstr(two->reason, "health"));
    assert_int_equal(bench_put(three, "{'entity':'customer','source_system':'clinic','source_id':'P','kind':'person'}"),
                     KT_ERIGHTS);
    assert_int_equal(
        bench_rows(one, KT_T_store_state) + bench_rows(two, KT_T_store_state) + bench_rows(three, KT_T_store_state), 0);
    assert_int_equal(bench_rows(one, KT_T_store_entity) + bench_rows(two, KT_T_store_entity), 0);
    assert_int_equal(bench_put(one, "{'entity':'identity_link','a':'revenue:C-1','b':'revenue:C-1','verdict':'MATCH'}"),
                     KT_EFIELD);
    assert_int_equal(one->field, KT_F_IDENTITY_LINK_B);
}

static void a_case_number_is_made_where_none_is_given(void **state)
{
    /* Two cases without number or source id get one each, with the office's prefix; looked up by it. */
    struct bench_office *o = bench_office(*state, 1);
    struct kt_record r = {.kind = KT_CASE, .source_system = kt_str("311")};
    struct kt_writer who = {.self = 1, .office = kt_str("office-1"), .now_ms = 1};
    struct kt_plan plan;
    char numbers[2][64];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kt_workset_begin(o->workset, true), KT_OK);
        assert_int_equal(kt_write_plan(o->workset, &who, &r, &plan), KT_OK);
        assert_int_equal(plan.changes_len, 1);
        numbers[i][0] = 0;
        for (uint32_t k = 0; k < plan.changes[0].change.ops_len; k++) {
            const struct kt_op *op = &plan.changes[0].change.ops[k];
            if (op->field == KT_F_CASE_NUMBER)
                snprintf(numbers[i], 64, "%.*s", (int)op->value.len, (const char *)op->value.data);
        }
        assert_int_equal(strncmp(numbers[i], "OFFICE1-", 8), 0);
        assert_int_equal(strlen(numbers[i]), 8 + 11);
        assert_true(kt_bytes_equal(plan.number, kt_str(numbers[i])));
        kt_workset_abort(o->workset);
    }
    assert_string_not_equal(numbers[0], numbers[1]);
}

static void a_case_without_a_source_id_is_its_number(void **state)
{
    /* A clerk puts a case and says not what it is called: its customer shows its number, by which it is found at every
     * office and added to from then on.  Given a number alone, the case is that one however often it is put. */
    struct bench *b = *state;
    struct bench_office *o = bench_office(b, 1);
    char number[64], line[256];
    put(o, BASE "}");
    put(o,
        "{'entity':'case','source_system':'311','subject':'lamp','customer':[{'ref':'revenue:C-1','role':'requester'}"
        "]}");
    json_t *j = bench_look(o, KT_BY_SOURCE, "revenue:C-1");
    snprintf(number, sizeof number, "%s", bench_text(j, "cases/0/number"));
    json_decref(j);
    assert_int_equal(strncmp(number, "OFFICE1-", 8), 0);
    snprintf(line, sizeof line, "{'entity':'note','source_system':'311','case':'311:%s','text':'seen to'}", number);
    bench_sync(b);
    put(bench_office(b, 2), line);
    put(bench_office(b, 2), "{'entity':'case','source_system':'311','number':'A-7','subject':'bench'}");
    put(bench_office(b, 2), "{'entity':'case','source_system':'311','number':'A-7','subject':'bench','status':'open'}");
    bench_sync(b);
    for (uint32_t i = 1; i <= BENCH_OFFICES; i++) {
        j = bench_look(bench_office(b, i), KT_BY_CASE, number);
        assert_string_equal(bench_text(j, "cases/0/notes/0/text"), "seen to");
        assert_string_equal(bench_text(j, "customer/sources/0"), "revenue:C-1");
        json_decref(j);
        j = bench_look(bench_office(b, i), KT_BY_CASE, "A-7");
        assert_int_equal(json_array_size(bench_at(j, "cases")), 1);
        assert_string_equal(bench_text(j, "cases/0/source"), "311:A-7");
        assert_string_equal(bench_text(j, "cases/0/status"), "open");
        json_decref(j);
    }
}

static void transitions_are_kept_each_once(void **state)
{
    /* One case is opened at two offices while they are apart, then closed and opened again: three transitions. */
    struct bench *b = *state;
    put(bench_office(b, 1), CASE ",'status':'open'}");
    put(bench_office(b, 2), CASE ",'status':'open'}");
    bench_sync(b);
    put(bench_office(b, 3), CASE ",'status':'closed'}");
    put(bench_office(b, 3), CASE ",'status':'open'}");
    bench_sync(b);
    for (uint32_t i = 1; i <= 3; i++) {
        json_t *j = bench_look(bench_office(b, i), KT_BY_CASE, "SR-1");
        const json_t *h = bench_at(j, "cases/0/status_history");
        assert_int_equal(json_array_size(h), 3);
        assert_string_equal(bench_text(h, "0/value"), "open");
        assert_string_equal(bench_text(h, "1/value"), "closed");
        assert_string_equal(bench_text(h, "2/value"), "open");
        assert_int_equal(json_array_size(bench_at(j, "conflicts")), 0);
        json_decref(j);
    }
}

static void a_corrected_row_replaces_itself(void **state)
{
    /* An interaction put again with another text is corrected; deleted, it is gone. */
    struct bench_office *o = bench_office(*state, 1);
    put(o, CASE ",'status':'open'}");
    put(o, "{'entity':'interaction','source_system':'311','source_id':'I-1','case':'311:SR-1','channel':'phone','body':"
           "'helo'}");
    put(o, "{'entity':'interaction','source_system':'311','source_id':'I-1','case':'311:SR-1','channel':'phone','body':"
           "'hello'}");
    json_t *j = bench_look(o, KT_BY_CASE, "SR-1");
    assert_int_equal(json_array_size(bench_at(j, "cases/0/interactions")), 1);
    assert_string_equal(bench_text(j, "cases/0/interactions/0/body"), "hello");
    json_decref(j);
    put(o, "{'entity':'interaction','source_system':'311','source_id':'I-1','case':'311:SR-1','deleted':true}");
    j = bench_look(o, KT_BY_CASE, "SR-1");
    assert_int_equal(json_array_size(bench_at(j, "cases/0/interactions")), 0);
    json_decref(j);
    put(o, "{'entity':'interaction','source_system':'311','source_id':'I-1','case':'311:SR-1','deleted':true}");
    assert_int_equal(o->changes, 0);
}

static void rows_without_a_source_are_each_their_own(void **state)
{
    /* Two notes with the same words and no source id are two notes. */
    struct bench_office *o = bench_office(*state, 1);
    put(o, CASE ",'status':'open'}");
    put(o, "{'entity':'note','source_system':'311','case':'311:SR-1','text':'called, no answer'}");
    put(o, "{'entity':'note','source_system':'311','case':'311:SR-1','text':'called, no answer'}");
    json_t *j = bench_look(o, KT_BY_CASE, "SR-1");
    assert_int_equal(json_array_size(bench_at(j, "cases/0/notes")), 2);
    json_decref(j);
}

static void a_delete_hides_and_a_put_brings_back(void **state)
{
    struct bench_office *o = bench_office(*state, 1);
    /* A customer is deleted: not found; put again: there, with what that put says and nothing of before. */
    put(o, BASE ",'occupation':'teacher','birthDate':'1980-02-29'}");
    put(o, "{'entity':'customer','source_system':'revenue','source_id':'C-1','deleted':true}");
    assert_null(bench_look(o, KT_BY_SOURCE, "revenue:C-1"));
    assert_int_equal(o->code, KT_ENOTFOUND);
    put(o, "{'entity':'customer','source_system':'revenue','source_id':'C-1','deleted':true}");
    assert_int_equal(o->changes, 0);
    put(o, BASE ",'occupation':'baker'}");
    assert_customer(o, "customer/occupation", "baker");
    assert_customer(o, "customer/birthDate", "");
    assert_int_equal(bench_conflict_count(o), 0);
}

static void a_conflict_lasts_until_it_is_resolved(void **state)
{
    /* Two offices apart change one occupation: the latest is shown, both are listed, resolving ends it everywhere. */
    struct bench *b = *state;
    put(bench_office(b, 1), BASE ",'occupation':'pilot'}");
    bench_sync(b);
    put(bench_office(b, 1), BASE ",'occupation':'teacher'}");
    put(bench_office(b, 3), BASE ",'occupation':'nurse'}");
    bench_sync(b);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_customer(bench_office(b, i), "customer/occupation", "nurse");
        assert_customer(bench_office(b, i), "conflicts/0/field", "occupation");
        assert_int_equal(bench_conflict_count(bench_office(b, i)), 1);
    }
    json_t *list = bench_conflicts(bench_office(b, 2));
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(bench_text(list, "0/ref"), "revenue:C-1");
    assert_string_equal(bench_text(list, "0/field"), "occupation");
    assert_string_equal(bench_text(list, "0/values/0/value"), "nurse");
    assert_string_equal(bench_text(list, "0/values/0/office"), "office-3");
    assert_string_equal(bench_text(list, "0/values/0/by"), "clerk");
    assert_string_equal(bench_text(list, "0/values/1/value"), "teacher");
    assert_string_equal(bench_text(list, "0/values/1/office"), "office-1");

    /* re-imports of either value change nothing */
    put(bench_office(b, 1), BASE ",'occupation':'teacher'}");
    assert_int_equal(bench_office(b, 1)->changes, 0);
    put(bench_office(b, 2), BASE ",'occupation':'nurse'}");
    assert_int_equal(bench_office(b, 2)->changes, 0);

    assert_int_equal(bench_resolve(bench_office(b, 2), bench_text(list, "0/id"), "'teacher'"), KT_OK);
    json_decref(list);
    bench_sync(b);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_customer(bench_office(b, i), "customer/occupation", "teacher");
        assert_int_equal(bench_conflict_count(bench_office(b, i)), 0);
        json_t *j = bench_look(bench_office(b, i), KT_BY_SOURCE, "revenue:C-1");
        assert_int_equal(json_array_size(bench_at(j, "conflicts")), 0);
        json_decref(j);
    }
}

static void a_basis_replaces_what_its_lookup_saw(void **state)
{
    /* With the token of a lookup that saw both values, a put settles the conflict; with one from before it, it does
     * not. */
    struct bench *b = *state;
    struct bench_office *one = bench_office(b, 1);
    char basis[KT_TOKEN_CHARS_MAX + 1];
    put(one, BASE ",'occupation':'teacher'}");
    put(bench_office(b, 3), BASE ",'occupation':'nurse'}");
    json_t *j = bench_look(one, KT_BY_SOURCE, "revenue:C-1");
    snprintf(basis, sizeof basis, "%s", bench_text(j, "basis"));
    json_decref(j);
    bench_sync(b);
    assert_int_equal(bench_conflict_count(one), 1);
    assert_int_equal(bench_put_based(one, BASE ",'occupation':'smith'}", basis), KT_OK);
    assert_int_equal(bench_conflict_count(one), 1); /* the nurse was not seen */
    j = bench_look(one, KT_BY_SOURCE, "revenue:C-1");
    snprintf(basis, sizeof basis, "%s", bench_text(j, "basis"));
    json_decref(j);
    assert_int_equal(bench_put_based(one, BASE ",'occupation':'baker'}", basis), KT_OK);
    assert_int_equal(bench_conflict_count(one), 0);
    assert_customer(one, "customer/occupation", "baker");
}

static void an_element_changed_elsewhere_outlives_its_removal(void **state)
{
    /* One office takes a phone out while another says it is for work: it stays, for work. */
    struct bench *b = *state;
    put(bench_office(b, 1), BASE ",'contactPoint':[{'system':'phone','value':'+49 30 5'}]}");
    bench_sync(b);
    put(bench_office(b, 1), "{'entity':'customer','source_system':'revenue','source_id':'C-1',"
                            "'remove':{'contactPoint':[{'system':'phone','value':'+49 30 5'}]}}");
    put(bench_office(b, 3), BASE ",'contactPoint':[{'system':'phone','value':'+49 30 5','use':'work'}]}");
    bench_sync(b);
    for (uint32_t i = 1; i <= 3; i++) assert_customer(bench_office(b, i), "customer/contactPoint/0/use", "work");
}

static void one_record_put_at_two_offices_is_one_customer(void **state)
{
    /* Apart, two offices put the same record: afterwards one customer, one name, no conflict, the same bytes. */
    struct bench *b = *state;
    for (uint32_t i = 1; i <= 3; i += 2)
        put(bench_office(b, i), BASE ",'name':[{'use':'official','familyName':'Twice','givenName':['A']}]}");
    bench_sync(b);
    char *first = bench_body(bench_office(b, 1), KT_BY_SOURCE, "revenue:C-1");
    for (uint32_t i = 1; i <= 3; i++) {
        json_t *j = bench_look(bench_office(b, i), KT_BY_SOURCE, "revenue:C-1");
        char *body = bench_body(bench_office(b, i), KT_BY_SOURCE, "revenue:C-1");
        assert_int_equal(json_array_size(bench_at(j, "customer/name")), 1);
        assert_int_equal(json_array_size(bench_at(j, "conflicts")), 0);
        assert_string_equal(body, first);
        free(body);
        json_decref(j);
    }
    free(first);
}

static void consents_are_strict_and_keyed(void **state)
{
    /* Apart, one office notes a permit and another a refusal for one purpose: the refusal is shown. */
    struct bench *b = *state;
    put(bench_office(b, 1), BASE "}");
    bench_sync(b);
    put(bench_office(b, 1), "{'entity':'consent','customer':'revenue:C-1','purpose':'marketing','decision':'deny'}");
    put(bench_office(b, 2), "{'entity':'consent','customer':'revenue:C-1','purpose':'marketing','decision':'permit'}");
    put(bench_office(b, 2), "{'entity':'consent','customer':'revenue:C-1','purpose':'research','decision':'permit'}");
    bench_sync(b);
    json_t *j = bench_look(bench_office(b, 3), KT_BY_SOURCE, "revenue:C-1");
    const json_t *c = bench_at(j, "customer/consent");
    assert_int_equal(json_array_size(c), 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(bench_text(json_array_get(c, i), "decision"),
                            strcmp(bench_text(json_array_get(c, i), "purpose"), "marketing") ? "permit" : "deny");
    json_decref(j);
    assert_int_equal(bench_conflict_count(bench_office(b, 3)), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        OVER_BOTH(the_same_again_writes_nothing),
        OVER(memory, registers_are_set_changed_and_cleared),
        OVER(memory, elements_are_known_by_what_identifies_them),
        OVER_BOTH(nothing_of_a_refused_line_counts),
        OVER(memory, a_case_number_is_made_where_none_is_given),
        OVER(memory, a_case_without_a_source_id_is_its_number),
        OVER_BOTH(transitions_are_kept_each_once),
        OVER(memory, a_corrected_row_replaces_itself),
        OVER(memory, rows_without_a_source_are_each_their_own),
        OVER(memory, a_delete_hides_and_a_put_brings_back),
        OVER_BOTH(a_conflict_lasts_until_it_is_resolved),
        OVER(memory, a_basis_replaces_what_its_lookup_saw),
        OVER_BOTH(an_element_changed_elsewhere_outlives_its_removal),
        OVER_BOTH(one_record_put_at_two_offices_is_one_customer),
        OVER(memory, consents_are_strict_and_keyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
