/* Deletions that did not see all there is: one rule for the view, for the count, for the list, and a way out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/bench_group.h"

#define ADA    "'entity':'customer','source_system':'revenue','source_id':'C-1'"
#define PERSON "{" ADA ",'kind':'person','birthDate':'1980-02-29'}"
#define GONE   "{" ADA ",'deleted':true}"
#define CASE   "'entity':'case','source_system':'311','source_id':'S-1'"

static void put(struct bench_office *o, const char *line)
{
    if (bench_put(o, line)) fail_msg("%s: %s", line, o->reason);
}

/* View, count and list say the same: so many conflicts, all of them `deleted`.  id: of the last.  A case is found no
 * more by the number that was deleted with it. */
static void assert_conflicts(struct bench_office *o, enum kt_lookup_by by, const char *what, size_t n, char id[33])
{
    json_t *list = bench_conflicts(o), *view = bench_look(o, by, what);
    assert_int_equal(bench_conflict_count(o), n);
    assert_int_equal(json_array_size(list), n);
    if (view) assert_int_equal(json_array_size(bench_at(view, "conflicts")), n);
    for (size_t i = 0; i < n; i++) {
        char path[48];
        snprintf(path, sizeof path, "conflicts/%zu/id", i);
        assert_true(view || by == KT_BY_CASE);
        assert_string_equal(bench_text(json_array_get(list, i), "field"), "deleted");
        if (view) assert_string_equal(bench_text(view, path), bench_text(json_array_get(list, i), "id"));
        assert_int_equal(json_array_size(bench_at(json_array_get(list, i), "values")), 2);
        snprintf(id, 33, "%s", bench_text(json_array_get(list, i), "id"));
    }
    json_decref(list);
    json_decref(view);
}

/* Apart, office 1 deletes and office 2 writes `beside`; then they meet. */
static void delete_beside(struct bench *b, const char *deletion, const char *beside)
{
    bench_sync(b);
    put(bench_office(b, 1), deletion);
    put(bench_office(b, 2), beside);
    bench_sync(b);
}

static void a_deletion_beside_anything_is_one_conflict_everywhere(void **state)
{
    /* What stands beside the deletion is in core, in the record's own compartment, a row of a list, a consent: each is
     * a conflict of `deleted`, the same in view, count and list of every office, with who wrote on. */
    static const char *const beside[] = {
        "{" ADA ",'gender':'female'}",
        "{" ADA ",'occupation':'nurse'}",
        "{'entity':'note','source_system':'311','source_id':'N-1','customer':'revenue:C-1','text':'called'}",
        "{'entity':'consent','customer':'revenue:C-1','purpose':'letters','decision':'permit'}",
    };
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        struct bench *b = *state;
        char id[3][33];
        bench_close(b);
        bench_open(b, false);
        put(bench_office(b, 1), PERSON);
        delete_beside(b, GONE, beside[i]);
        for (uint32_t o = 0; o < BENCH_OFFICES; o++)
            assert_conflicts(bench_office(b, o + 1), KT_BY_SOURCE, "revenue:C-1", 1, id[o]);
        assert_string_equal(id[0], id[1]);
        assert_string_equal(id[0], id[2]);
        json_t *list = bench_conflicts(bench_office(b, 3));
        assert_true(json_is_true(bench_at(list, "0/values/1/value")) ||
                    json_is_true(bench_at(list, "0/values/0/value")));
        json_decref(list);
    }
}

static void what_came_later_into_another_compartment_counts_too(void **state)
{
    /* The deletion is known long since, with nothing beside it; then the other office's value comes, alone, in another
     * compartment: from then on it is a conflict; when that value goes, it is none. */
    struct bench *b = *state;
    struct bench_office *o = bench_office(b, 1), *other = bench_office(b, 2);
    char id[33];
    put(o, PERSON);
    bench_sync(b);
    put(other, "{" ADA ",'occupation':'nurse'}");
    put(o, GONE);
    assert_conflicts(o, KT_BY_SOURCE, "revenue:C-1", 0, id);
    assert_null(bench_look(o, KT_BY_SOURCE, "revenue:C-1"));
    bench_pull(o, other);
    assert_conflicts(o, KT_BY_SOURCE, "revenue:C-1", 1, id);
    put(other, "{" ADA ",'occupation':null}");
    bench_pull(o, other);
    assert_conflicts(o, KT_BY_SOURCE, "revenue:C-1", 0, id);
    assert_null(bench_look(o, KT_BY_SOURCE, "revenue:C-1"));
}

static void resolved_with_true_it_is_gone_everywhere(void **state)
{
    /* A case with a note of another system's: true deletes in every compartment the node may write. */
    struct bench *b = *state;
    char id[33];
    put(bench_office(b, 1), "{" CASE ",'status':'open','subject':'noise'}");
    put(bench_office(b, 1), "{'entity':'note','source_system':'motor','source_id':'N','case':'311:S-1','text':'old'}");
    delete_beside(b, "{" CASE ",'deleted':true}", "{" CASE ",'priority':'high'}");
    assert_conflicts(bench_office(b, 3), KT_BY_CASE, "S-1", 1, id);
    assert_int_equal(bench_resolve(bench_office(b, 3), id, "true"), KT_OK);
    assert_true(bench_office(b, 3)->changes == 2);
    bench_sync(b);
    for (uint32_t o = 1; o <= BENCH_OFFICES; o++) {
        assert_null(bench_look(bench_office(b, o), KT_BY_CASE, "S-1"));
        assert_int_equal(bench_conflict_count(bench_office(b, o)), 0);
        assert_int_equal(bench_rows(bench_office(b, o), KT_T_store_index), 0);
    }
}

static void resolved_with_false_it_lives(void **state)
{
    /* false revives, and so does null: nothing is deleted by it, and what outlived the deletion stays as it is. */
    static const char *const ways[] = {"false", "null"};
    for (size_t i = 0; i < 2; i++) {
        struct bench *b = *state;
        char id[33];
        bench_close(b);
        bench_open(b, false);
        put(bench_office(b, 1), PERSON);
        delete_beside(b, GONE, "{" ADA ",'occupation':'nurse','gender':'female'}");
        assert_conflicts(bench_office(b, 1), KT_BY_SOURCE, "revenue:C-1", 1, id);
        assert_int_equal(bench_resolve(bench_office(b, 1), id, ways[i]), KT_OK);
        bench_sync(b);
        for (uint32_t o = 1; o <= BENCH_OFFICES; o++) {
            json_t *j = bench_look(bench_office(b, o), KT_BY_SOURCE, "revenue:C-1");
            assert_string_equal(bench_text(j, "customer/occupation"), "nurse");
            assert_string_equal(bench_text(j, "customer/gender"), "female");
            assert_null(bench_at(j, "customer/deleted"));
            json_decref(j);
            assert_conflicts(bench_office(b, o), KT_BY_SOURCE, "revenue:C-1", 0, id);
        }
    }
}

static void what_this_office_may_not_write_stays_in_conflict(void **state)
{
    /* Office 2 may not write health data: its true deletes the rest, and the conflict stays for who may. */
    struct bench *b = *state;
    char id[33];
    put(bench_office(b, 1), "{'entity':'customer','source_system':'clinic','source_id':'P-1','kind':'person'}");
    bench_sync(b);
    put(bench_office(b, 1), "{'entity':'customer','source_system':'clinic','source_id':'P-1','occupation':'nurse'}");
    put(bench_office(b, 2),
        "{'entity':'note','source_system':'311','source_id':'N','customer':'clinic:P-1','text':'x'}");
    bench_pull(bench_office(b, 2), bench_office(b, 1));
    put(bench_office(b, 1), "{'entity':'customer','source_system':'clinic','source_id':'P-1','deleted':true}");
    put(bench_office(b, 1), "{'entity':'note','source_system':'clinic','source_id':'N','customer':'clinic:P-1',"
                            "'text':'secret'}");
    bench_pull(bench_office(b, 2), bench_office(b, 1));
    bench_pull(bench_office(b, 1), bench_office(b, 2));
    assert_conflicts(bench_office(b, 2), KT_BY_SOURCE, "clinic:P-1", 1, id);
    assert_int_equal(bench_resolve(bench_office(b, 2), id, "true"), KT_OK);
    bench_sync(b);
    assert_conflicts(bench_office(b, 1), KT_BY_SOURCE, "clinic:P-1", 1, id);
    assert_conflicts(bench_office(b, 3), KT_BY_SOURCE, "clinic:P-1", 0, id); /* which does not read it */
    assert_int_equal(bench_resolve(bench_office(b, 1), id, "true"), KT_OK);
    assert_conflicts(bench_office(b, 1), KT_BY_SOURCE, "clinic:P-1", 0, id);
    assert_null(bench_look(bench_office(b, 1), KT_BY_SOURCE, "clinic:P-1"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        OVER(memory, a_deletion_beside_anything_is_one_conflict_everywhere),
        OVER_BOTH(what_came_later_into_another_compartment_counts_too),
        OVER_BOTH(resolved_with_true_it_is_gone_everywhere),
        OVER(memory, resolved_with_false_it_lives),
        OVER_BOTH(what_this_office_may_not_write_stays_in_conflict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
