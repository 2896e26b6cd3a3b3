/* Every call to the store fails in turn while a line is written: the line fails whole, and afterwards goes through as
 * if nothing had been. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/cli/json/json.h"
#include "engine/ward/apply.h"
#include "support/bench_group.h"

/* The engine's way of one line, without a word to cmocka: what failed comes back. */
static int write_in(struct bench_office *o, const struct kt_record *record, uint64_t batch)
{
    const struct kt_writer who = {
        .phone_country = kt_str("49"), .self = o->member, .office = kt_str("office-1"), .now_ms = 1772399400000};
    struct kt_plan plan;
    int e = kt_write_plan(o->workset, &who, record, &plan);
    for (uint32_t i = 0; i < plan.changes_len && !e; i++) {
        const struct kt_op_context at = {
            .compartment = plan.changes[i].compartment,
            .dot = {{o->member, 1}, batch, i, 0},
            .stamp = (kt_hlc)batch << 16,
            .position = batch
        };
        e = kt_apply_change(o->workset, &o->vector, at, &plan.changes[i].change);
    }
    return e ? e : kt_views_update(o->views);
}

static int write_line(struct bench_office *o, const char *line, uint64_t batch)
{
    struct kt_record record;
    struct kt_json_fault fault;
    kt_arena_reset(&o->arena);
    assert_int_equal(kt_json_record(kt_str(line), 1, &o->arena, &record, &fault), KT_OK);
    int e = kt_workset_begin(o->workset, true);
    if (e) return e;
    if (!(e = write_in(o, &record, batch))) return kt_workset_commit(o->workset);
    kt_workset_abort(o->workset);
    return e;
}

static void a_failing_store_leaves_no_trace(void **state)
{
    /* A customer with a case and a call, then joined with another: each line survives a failure at any call. */
    static const char *const lines[] = {
        "{\"entity\":\"case\",\"source_system\":\"311\",\"source_id\":\"S\",\"customer\":[{\"ref\":\"revenue:C\","
        "\"role\":\"requester\"}],\"status\":\"open\"}",
        "{\"entity\":\"customer\",\"source_system\":\"revenue\",\"source_id\":\"C\",\"kind\":\"person\",\"occupation\":"
        "\"smith\","
        "\"contactPoint\":[{\"system\":\"phone\",\"value\":\"+49 30 1\"}]}",
        "{\"entity\":\"interaction\",\"source_system\":\"311\",\"source_id\":\"I\",\"case\":\"311:S\",\"channel\":"
        "\"phone\",\"body\":\"x\"}",
        "{\"entity\":\"customer\",\"source_system\":\"motor\",\"source_id\":\"M\",\"kind\":\"person\"}",
        "{\"entity\":\"identity_link\",\"a\":\"revenue:C\",\"b\":\"motor:M\",\"verdict\":\"MATCH\",\"by\":\"MANUAL\"}",
    };
    struct bench *b = *state;
    struct bench_office *o = bench_office(b, 1);
    uint64_t failures = 0;
    for (uint64_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        int e = KT_EIO;
        for (uint64_t nth = 1; e; nth++) {
            kt_memory_fail(o->store->memory, nth, KT_EIO);
            e = write_line(o, lines[i], i + 1);
            kt_memory_fail(o->store->memory, 0, KT_OK);
            if (e) assert_int_equal(e, KT_EIO);
            failures += e != 0;
            assert_true(nth < 10000);
        }
    }
    assert_true(failures > 50);
    json_t *j = bench_look(o, KT_BY_PHONE, "030 1");
    assert_int_equal(json_array_size(bench_at(j, "customer/sources")), 2);
    assert_string_equal(bench_text(j, "customer/occupation"), "smith");
    assert_string_equal(bench_text(j, "cases/0/interactions/0/body"), "x");
    json_decref(j);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {OVER(memory, a_failing_store_leaves_no_trace)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
