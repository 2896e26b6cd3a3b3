/* Lookups: several people for one phone, what a grant leaves out, and misses that are damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/verify.h"
#include "engine/view/index.h"
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

static uint32_t listed(struct bench_office *o, const char *id, const struct kt_grant *grant, int *code)
{
    struct kt_reply reply = {.kind = KT_ASK_CONFLICTS};
    kt_arena_reset(&o->arena);
    *code = kt_lookup_conflicts(o->lookup, kt_str(id), grant, &o->arena, &reply);
    return *code ? 0 : reply.conflicts.len;
}

static void a_grant_hides_conflicts_of_what_it_leaves_out(void **state)
{
    /* Two offices disagree on an occupation: a client that may not read the tax office's data learns neither the two
     * values nor that there is a conflict, not even by its id; one that may, does. */
    struct bench *b = *state;
    struct bench_office *o = bench_office(b, 1);
    static const kt_compartment some[] = {BENCH_CORE, BENCH_SERVICE}, tax[] = {BENCH_REVENUE};
    const struct kt_grant without = {some, 2}, with = {tax, 1}, none = {some, 0};
    char id[64];
    int code;
    put(o, "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person','occupation':'a'}");
    bench_sync(b);
    put(o, "{'entity':'customer','source_system':'revenue','source_id':'C-1','occupation':'b'}");
    put(bench_office(b, 2), "{'entity':'customer','source_system':'revenue','source_id':'C-1','occupation':'c'}");
    bench_sync(b);
    json_t *j = bench_conflicts(o);
    assert_int_equal(json_array_size(j), 1);
    snprintf(id, sizeof id, "%s", json_string_value(json_object_get(json_array_get(j, 0), "id")));
    json_decref(j);
    assert_int_equal(listed(o, "", &without, &code), 0);
    assert_int_equal(code, KT_OK);
    assert_int_equal(listed(o, id, &without, &code), 0);
    assert_int_equal(code, KT_ENOTFOUND);
    assert_int_equal(listed(o, "", &none, &code), 0);
    assert_int_equal(listed(o, "", &with, &code), 1);
    assert_int_equal(listed(o, id, &with, &code), 1);
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

#define INDEX_ROWS_MAX 64u

/* Every row of the index: keys and copies of what stands there. */
struct index_rows {
    uint64_t keys[INDEX_ROWS_MAX];
    uint8_t *values[INDEX_ROWS_MAX];
    size_t lens[INDEX_ROWS_MAX], largest;
    uint32_t len;
};

static void read_index(struct bench_office *o, struct index_rows *out)
{
    const struct kt_store_ops *ops = o->store->store->ops;
    struct kt_cursor *c;
    struct kt_bytes key, value;
    enum kt_seek how = KT_SEEK_AT_OR_AFTER;
    *out = (struct index_rows){0};
    assert_int_equal(kt_workset_begin(o->workset, false), KT_OK);
    assert_int_equal(ops->cursor(kt_workset_txn(o->workset), KT_T_store_index, &c), KT_OK);
    while (!ops->seek(c, how, kt_bytes(NULL, 0), &key, &value)) {
        how = KT_SEEK_NEXT;
        assert_true(out->len < INDEX_ROWS_MAX);
        memcpy(&out->keys[out->len], key.data, sizeof out->keys[0]);
        out->values[out->len] = malloc(value.len);
        memcpy(out->values[out->len], value.data, value.len);
        out->lens[out->len++] = value.len;
        if (value.len > out->largest) out->largest = value.len;
    }
    ops->cursor_close(c);
    kt_workset_abort(o->workset);
}

static void forget_index(struct index_rows *rows)
{
    for (uint32_t i = 0; i < rows->len; i++) free(rows->values[i]);
}

/* A row of the index is lost (len 0) or is again as it was. */
static void write_index(struct bench_office *o, uint64_t key, struct kt_bytes value)
{
    const struct kt_store_ops *ops = o->store->store->ops;
    assert_int_equal(kt_workset_begin(o->workset, true), KT_OK);
    struct kt_txn *t = kt_workset_txn(o->workset);
    assert_int_equal(value.len ? ops->put(t, KT_T_store_index, KT_BYTES_OF(key), value)
                               : ops->del(t, KT_T_store_index, KT_BYTES_OF(key)),
                     KT_OK);
    assert_int_equal(kt_workset_commit(o->workset), KT_OK);
}

static int verify(struct bench_office *o)
{
    struct kt_verify_report report;
    return kt_verify_run(o->store->store, o->keyring, &report);
}

static void an_index_key_that_vanished_is_damage(void **state)
{
    /* Every row of the index is lost in turn: no lookup says that there is nobody, and verify sees it; when the row is
     * back all is well. */
    struct bench_office *o = bench_office(*state, 1);
    static const struct {
        enum kt_lookup_by by;
        const char *what;
    } asked[] = {
        {KT_BY_ID,    "tax:1"          },
        {KT_BY_PHONE, "030 1234567"    },
        {KT_BY_EMAIL, "ada@example.org"},
        {KT_BY_CASE,  "S-1"            },
    };
    struct index_rows rows;
    put(o, "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person','identifier':[{'system':'"
           "tax','value':'1'}],'contactPoint':[{'system':'phone','value':'+49 30 1234567'},{'system':'email','value':"
           "'ada@example.org'}]}");
    put(o, "{'entity':'case','source_system':'311','source_id':'S-1','status':'open'}");
    assert_int_equal(verify(o), KT_OK);
    read_index(o, &rows);
    assert_int_equal(rows.len, 8); /* four terms, each in a bucket of its own */
    for (uint32_t i = 0; i < rows.len; i++) {
        uint32_t damaged = 0;
        write_index(o, rows.keys[i], kt_bytes(NULL, 0));
        for (size_t k = 0; k < sizeof asked / sizeof asked[0]; k++) {
            json_t *j = bench_look(o, asked[k].by, asked[k].what);
            assert_true(j || o->code == KT_EDAMAGED);
            damaged += !j;
            json_decref(j);
        }
        /* a sum alone costs nobody a hit */
        assert_int_equal(damaged, (rows.keys[i] & ~(UINT64_MAX << 48)) != 0);
        assert_int_equal(verify(o), KT_EDAMAGED);
        write_index(o, rows.keys[i], kt_bytes(rows.values[i], rows.lens[i]));
        assert_int_equal(verify(o), KT_OK);
    }
    forget_index(&rows);
    assert_null(bench_look(o, KT_BY_EMAIL, "eve@example.org"));
    assert_int_equal(o->code, KT_ENOTFOUND);
}

static void a_switchboard_is_counted_not_listed(void **state)
{
    /* 5,000 customers with one phone: the index stays small, lookups say that there are more, and those who take the
     * number out leave none behind. */
    struct bench_office *o = bench_office(*state, 1);
    const uint32_t n = 5000, group = 250;
    char *lines[250];
    struct index_rows rows;
    for (uint32_t taking = 0; taking < 2; taking++) {
        for (uint32_t first = 0; first < n; first += group) {
            for (uint32_t i = 0; i < group; i++)
                assert_true(asprintf(&lines[i],
                                     "{'entity':'customer','source_system':'revenue','source_id':'%u','kind':'person',"
                                     "%s'contactPoint':[{'system':'phone','value':'+49 30 1'}]%s}",
                                     first + i, taking ? "'remove':{" : "", taking ? "}" : "") > 0);
            bench_put_all(o, (const char *const *)lines, group);
            for (uint32_t i = 0; i < group; i++) free(lines[i]);
        }
        if (taking) break;
        json_t *j = bench_look(o, KT_BY_PHONE, "030 1");
        assert_int_equal(json_array_size(bench_at(j, "matches")), KT_MATCHES_MAX);
        assert_true(json_is_true(bench_at(j, "more")));
        json_decref(j);
        read_index(o, &rows);
        assert_int_equal(rows.len, 2);
        assert_int_equal(rows.largest, (KT_TERM_POSTINGS_MAX + 1) * KT_POSTING_BYTES);
        forget_index(&rows);
    }
    assert_int_equal(bench_rows(o, KT_T_store_index), 0);
    assert_null(bench_look(o, KT_BY_PHONE, "030 1"));
    assert_int_equal(o->code, KT_ENOTFOUND);
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
        OVER_BOTH(a_grant_hides_conflicts_of_what_it_leaves_out),
        OVER_BOTH(a_blind_office_says_what_it_cannot_read),
        OVER_BOTH(a_token_names_the_batches_behind_the_answer),
        OVER(memory, questions_that_mean_nothing_are_refused),
        OVER_BOTH(a_head_row_that_vanished_is_damage),
        OVER(memory, a_view_that_rotted_is_damage),
        OVER_BOTH(an_index_key_that_vanished_is_damage),
        OVER_BOTH(a_switchboard_is_counted_not_listed),
        OVER(memory, failing_reads_are_errors_not_misses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
