/* The rules of reading: which of several live values is shown, and when that is a conflict. */
#include "proto/schema/fields.h"
#include "proto/view/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

static struct kt_arena arena;

static struct kt_bytes two(uint32_t a, const char *x, uint32_t b, const char *y)
{
    struct kt_buf buf;
    kt_buf_init(&buf, 1 << 16);
    kt_buf_pb_bytes(&buf, a, kt_str(x));
    if (b) kt_buf_pb_bytes(&buf, b, kt_str(y));
    struct kt_bytes v = kt_arena_copy(&arena, kt_buf_bytes(&buf));
    kt_buf_free(&buf);
    return v;
}

static uint32_t pick(uint32_t field, const char *const *values, uint32_t n, bool *conflict)
{
    struct kt_view_value v[8] = {0};
    for (uint32_t i = 0; i < n; i++) {
        v[i].field = field;
        v[i].value = kt_str(values[i]);
        v[i].stamp = i + 1;
        v[i].dot.batch = i + 1;
    }
    return kt_rule_pick(kt_schema_field(field), v, n, conflict);
}

/* Scenario: each rule at work on values of one register. */
static void rules_pick(void **state)
{
    bool conflict;
    (void)state;
    assert_int_equal(pick(KT_F_CUSTOMER_GENDER, (const char *const[]){"a", "b"}, 2, &conflict), 1);
    assert_true(conflict);
    assert_int_equal(pick(KT_F_CUSTOMER_GENDER, (const char *const[]){"a", "a"}, 2, &conflict), 1);
    assert_false(conflict);
    assert_int_equal(pick(KT_F_CUSTOMER_OFFICE, (const char *const[]){"a", "b"}, 2, &conflict), 0);
    assert_false(conflict);
    assert_int_equal(pick(KT_F_CUSTOMER_DELETED, (const char *const[]){"true", "false"}, 2, &conflict), 0);
    assert_true(conflict);

    struct kt_view_value v[3] = {0};
    const struct kt_schema_field *consent = kt_schema_field(KT_F_CUSTOMER_CONSENT);
    const struct kt_schema_field *verdict = kt_schema_field(KT_F_IDENTITY_LINK_VERDICT);
    v[0].value = two(KT_C_CONSENT_PURPOSE, "news", KT_C_CONSENT_DECISION, "deny");
    v[1].value = two(KT_C_CONSENT_PURPOSE, "news", KT_C_CONSENT_DECISION, "permit");
    for (uint32_t i = 0; i < 3; i++) v[i].stamp = i + 1;
    assert_int_equal(kt_rule_pick(consent, v, 2, &conflict), 0);
    assert_true(conflict);
    /* a program says no, a person says yes: the person; another person says no: that */
    v[0].value = two(KT_C_VERDICT_VERDICT, "NO_MATCH", KT_C_VERDICT_BY, "AUTO");
    v[1].value = two(KT_C_VERDICT_VERDICT, "MATCH", KT_C_VERDICT_BY, "MANUAL");
    assert_int_equal(kt_rule_pick(verdict, v, 2, &conflict), 1);
    v[2] = v[1];
    v[1].value = two(KT_C_VERDICT_VERDICT, "NO_MATCH", KT_C_VERDICT_BY, "MANUAL");
    assert_int_equal(kt_rule_pick(verdict, v, 3, &conflict), 1);
}

/* Scenario: a deleted entity stays so beside what the node writes by itself; anything else that is live speaks against.
 */
static void deletion(void **state)
{
    struct kt_view_value v[] = {
        {.field = KT_F_CASE_DELETED,         .value = kt_str("true")                },
        {.field = KT_F_CASE_CREATED,         .value = kt_str("2026-03-01T21:10:00Z")},
        {.field = KT_F_CASE_RETENTION_UNTIL, .value = kt_str("2030-01-01")          },
        {.field = KT_F_CASE_SUBJECT,         .value = kt_str("noise")               }
    };
    (void)state;
    assert_int_equal(kt_entity_deletion(v, 0), KT_NOT_DELETED);
    assert_int_equal(kt_entity_deletion(v, 3), KT_DELETED);
    assert_int_equal(kt_entity_deletion(v, 4), KT_DELETED_IN_CONFLICT);
    assert_int_equal(kt_entity_deletion(v + 1, 3), KT_NOT_DELETED);
    v[0].value = kt_str("false");
    assert_int_equal(kt_entity_deletion(v, 4), KT_NOT_DELETED);
}

static int start(void **state)
{
    (void)state;
    kt_arena_init(&arena, 64 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    kt_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules_pick), cmocka_unit_test(deletion)};
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, start, end);
}
