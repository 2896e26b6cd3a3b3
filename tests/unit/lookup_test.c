/* Lookups: several people for one phone, what a grant leaves out, and misses that are damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/schema/composite.h"
#include "proto/client/token.h"
#include "support/bench_group.h"

static void put(struct bench_office *o, const char *line)
{
    if (bench_put(o, line)) fail_msg("%s: %s", line, o->reason);
}

static void people_who_share_a_phone_are_all_named(void **state)
{
    /* 60 people with one phone: 50 are named, and that there are more; joined as one they are one view. */
    struct bench_office *o = bench_office(*state, 1);
    char line[512];
    for (int i = 0; i < 60; i++) {
        snprintf(
            line, sizeof line,
            "{'entity':'customer','source_system':'revenue','source_id':'%d','kind':'person','birthDate':'1980-01-0%d',"
            "'name':[{'use':'official','familyName':'Okafor','givenName':['Ada']}],"
            "'contactPoint':[{'system':'phone','value':'+49 30 1234567'}]}",
            i, i % 9 + 1);
        put(o, line);
        if (i == 1) {
            json_t *j = bench_look(o, KT_BY_PHONE, "030 1234567");
            assert_int_equal(json_array_size(bench_at(j, "matches")), 2);
            assert_string_equal(bench_text(j, "matches/0/name"), "Ada Okafor");
            assert_string_equal(bench_text(j, "matches/0/why"), "phone");
            assert_int_equal(strlen(bench_text(j, "matches/0/id")), 32);
            assert_false(json_is_true(bench_at(j, "more")));
            json_t *one = bench_look(o, KT_BY_CUSTOMER, bench_text(j, "matches/1/id"));
            assert_string_equal(bench_text(one, "customer/id"), bench_text(j, "matches/1/id"));
            json_decref(one);
            json_decref(j);
            put(o, "{'entity':'identity_link','a':'revenue:0','b':'revenue:1','verdict':'MATCH','by':'MANUAL'}");
            j = bench_look(o, KT_BY_PHONE, "030 1234567");
            assert_int_equal(json_array_size(bench_at(j, "customer/sources")), 2);
            json_decref(j);
        }
    }
    json_t *j = bench_look(o, KT_BY_PHONE, "+49301234567");
    assert_int_equal(json_array_size(bench_at(j, "matches")), KT_MATCHES_MAX);
    assert_true(json_is_true(bench_at(j, "more")));
    json_decref(j);
}

static bool withholds(const json_t *j, const char *name)
{
    const json_t *w = bench_at(j, "withheld");
    for (size_t i = 0; i < json_array_size(w); i++)
        if (strcmp(json_string_value(json_array_get(w, i)), name) == 0) return true;
    return false;
}

static void a_grant_leaves_out_and_says_so(void **state)
{
    /* A client that may read core and the service: tax data is left out, and named as withheld; it cannot search by it.
     */
    struct bench_office *o = bench_office(*state, 1);
    static const kt_compartment some[] = {BENCH_CORE, BENCH_SERVICE};
    const struct kt_grant grant = {some, 2};
    put(o, "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person','occupation':'teacher',"
           "'identifier':[{'system':'tax','value':'1'}]}");
    put(o, "{'entity':'case','source_system':'311','source_id':'S','customer':[{'ref':'revenue:C-1','role':'requester'}"
           "],'status':'open'}");
    json_t *j = bench_look_granted(o, KT_BY_SOURCE, "revenue:C-1", &grant, 0);
    assert_string_equal(bench_text(j, "customer/kind"), "person");
    assert_null(bench_at(j, "customer/occupation"));
    assert_int_equal(json_array_size(bench_at(j, "cases")), 1);
    assert_true(withholds(j, "revenue"));
    assert_false(withholds(j, "service"));
    json_decref(j);
    assert_null(bench_look_granted(o, KT_BY_ID, "tax:1", &grant, 0));
    assert_int_equal(o->code, KT_ENOTFOUND);
    j = bench_look(o, KT_BY_ID, "tax:1");
    assert_int_equal(json_array_size(bench_at(j, "withheld")), 0);
    json_decref(j);
}

static void a_blind_office_says_what_it_cannot_read(void **state)
{
    /* office-3 reads no health data: it shows the patient's core, and that health is withheld. */
    struct bench *b = *state;
    put(bench_office(b, 1),
        "{'entity':'customer','source_system':'clinic','source_id':'P-1','kind':'person','occupation':'nurse'}");
    bench_sync(b);
    json_t *j = bench_look(bench_office(b, 3), KT_BY_SOURCE, "clinic:P-1");
    assert_non_null(j);
    assert_string_equal(bench_text(j, "customer/kind"), "person");
    assert_null(bench_at(j, "customer/occupation"));
    assert_true(withholds(j, "health"));
    json_decref(j);
    j = bench_look(bench_office(b, 2), KT_BY_SOURCE, "clinic:P-1");
    assert_string_equal(bench_text(j, "customer/occupation"), "nurse");
    json_decref(j);
}

static void a_token_names_the_batches_behind_the_answer(void **state)
{
    /* Three offices wrote a part each: the token of the answer holds the head of each. */
    struct bench *b = *state;
    struct kt_token t;
    put(bench_office(b, 1), "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person'}");
    put(bench_office(b, 2), "{'entity':'case','source_system':'311','source_id':'S','customer':[{'ref':'revenue:C-1','"
                            "role':'requester'}]}");
    put(bench_office(b, 3), "{'entity':'note','source_system':'311','source_id':'N','case':'311:S','text':'x'}");
    bench_sync(b);
    json_t *j = bench_look(bench_office(b, 2), KT_BY_CASE, "S");
    assert_int_equal(kt_token_decode(bench_text(j, "basis"), kt_keyring_id_key(bench_office(b, 2)->keyring), &t),
                     KT_OK);
    assert_int_equal(t.issuer, 2);
    assert_int_equal(t.sequence, bench_office(b, 2)->position);
    assert_int_equal(t.heads_len, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(t.heads[i].origin.member, i + 1);
        assert_int_equal(t.heads[i].number, 1);
    }
    json_decref(j);
}

static void questions_that_mean_nothing_are_refused(void **state)
{
    struct bench_office *o = bench_office(*state, 1);
    static const struct {
        enum kt_lookup_by by;
        const char *what;
        int code;
    } asked[] = {
  /* each with what it gets */
        {KT_BY_CUSTOMER, "no hex",                           KT_EINVAL   },
        {KT_BY_CUSTOMER, "00112233445566778899aabbccddeeff", KT_ENOTFOUND},
        {KT_BY_PHONE,    "no digits",                        KT_EINVAL   },
        {KT_BY_EMAIL,    "",                                 KT_EINVAL   },
        {KT_BY_CASE,     "none",                             KT_ENOTFOUND},
    };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        assert_null(bench_look(o, asked[i].by, asked[i].what));
        assert_int_equal(o->code, asked[i].code);
    }
}

static void a_head_row_that_vanished_is_damage(void **state)
{
    /* A key rots away in the table of heads: the customer is not "not found", the disk is damaged. */
    struct bench_office *o = bench_office(*state, 1);
    struct kt_entity_id id;
    put(o, "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person'}");
    assert_int_equal(kt_ref_entity(kt_keyring_id_key(o->keyring), KT_CUSTOMER, kt_str("revenue"), kt_str("C-1"), &id),
                     KT_OK);
    assert_int_equal(kt_workset_begin(o->workset, true), KT_OK);
    assert_int_equal(o->store->store->ops->del(kt_workset_txn(o->workset), KT_T_store_entity, KT_BYTES_OF(id)), KT_OK);
    assert_int_equal(kt_workset_commit(o->workset), KT_OK);
    assert_null(bench_look(o, KT_BY_SOURCE, "revenue:C-1"));
    assert_int_equal(o->code, KT_EDAMAGED);
}

static void a_view_that_rotted_is_damage(void **state)
{
    /* One bit of a view row flips: the answer is "damaged", never a wrong view. */
    struct bench *b = *state;
    struct bench_office *o = bench_office(b, 1);
    put(o, "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person','occupation':'teacher'}");
    const uint64_t row = 1;
    for (size_t bit = 45 * 8; bit < 300 * 8; bit += 67) {
        assert_int_equal(kt_memory_rot(o->store->memory, KT_T_store_view, KT_BYTES_OF(row), bit), KT_OK);
        json_t *j = bench_look(o, KT_BY_SOURCE, "revenue:C-1");
        if (j)
            assert_string_equal(bench_text(j, "customer/occupation"), "teacher"); /* only the token's heads changed */
        json_decref(j);
        assert_int_equal(kt_memory_rot(o->store->memory, KT_T_store_view, KT_BYTES_OF(row), bit), KT_OK);
    }
    json_t *j = bench_look(o, KT_BY_SOURCE, "revenue:C-1");
    assert_non_null(j);
    json_decref(j);
}

static void failing_reads_are_errors_not_misses(void **state)
{
    /* Every call to the store fails in turn: the lookup gives the error, or the right answer; never "not found". */
    struct bench *b = *state;
    struct bench_office *o = bench_office(b, 1);
    put(o, "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person','identifier':[{'system':'"
           "tax','value':'1'}]}");
    for (uint64_t nth = 1; nth < 40; nth++) {
        kt_memory_fail(o->store->memory, nth, KT_EIO);
        json_t *j = bench_look(o, KT_BY_ID, "tax:1");
        kt_memory_fail(o->store->memory, 0, KT_OK);
        if (j)
            assert_string_equal(bench_text(j, "customer/kind"), "person");
        else
            assert_int_equal(o->code, KT_EIO);
        json_decref(j);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        OVER_BOTH(people_who_share_a_phone_are_all_named),
        OVER_BOTH(a_grant_leaves_out_and_says_so),
        OVER_BOTH(a_blind_office_says_what_it_cannot_read),
        OVER_BOTH(a_token_names_the_batches_behind_the_answer),
        OVER(memory, questions_that_mean_nothing_are_refused),
        OVER_BOTH(a_head_row_that_vanished_is_damage),
        OVER(memory, a_view_that_rotted_is_damage),
        OVER(memory, failing_reads_are_errors_not_misses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
