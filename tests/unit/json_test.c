/* Lines that people and scripts write become records; bad ones are named. */
#include "client/cli/json/json.h"
#include "proto/schema/fields.h"
#include "proto/limits.h"
#include "proto/schema/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

static struct kt_arena arena;

static struct kt_record parse(const char *line)
{
    struct kt_record r = {0};
    struct kt_json_fault fault = {0};
    int err = kt_json_record(kt_str(line), 1, &arena, &r, &fault);
    if (err) print_error("%s\n -> %s: %s: %s\n", line, fault.field, fault.reason, fault.todo);
    assert_int_equal(err, KT_OK);
    for (uint32_t i = 0; i < r.fields_len; i++)
        for (uint32_t j = 0; j < r.fields[i].add_len; j++)
            assert_int_equal(kt_value_check(kt_schema_field(r.fields[i].field), r.fields[i].add[j]), KT_OK);
    return r;
}

static const struct kt_record_field *field(const struct kt_record *r, uint32_t number)
{
    for (uint32_t i = 0; i < r->fields_len; i++)
        if (r->fields[i].field == number) return &r->fields[i];
    fail_msg("field %x is not there", number);
    return NULL;
}

static void is(struct kt_bytes got, const char *want)
{
    if (!kt_bytes_equal(got, kt_str(want))) print_error("%.*s, not %s\n", (int)got.len, got.data, want);
    assert_true(kt_bytes_equal(got, kt_str(want)));
}

static void column_is(struct kt_bytes value, uint32_t column, const char *want)
{
    struct kt_bytes got;
    assert_true(kt_value_column(value, column, &got));
    is(got, want);
}

/* Scenario: the four lines of the design, as they stand there. */
static void the_lines_of_the_design(void **state)
{
    (void)state;
    struct kt_record r =
        parse("{\"entity\":\"customer\",\"source_system\":\"revenue\",\"source_id\":\"C-1\",\"kind\":\"person\","
              "\"birthDate\":\"1980-02-29\",\"name\":[{\"use\":\"official\",\"familyName\":\"Okafor\","
              "\"givenName\":[\"Ada\",\"Bo\"]}],\"identifier\":[{\"system\":\"tax\",\"value\":\"123-45\"}],"
              "\"contactPoint\":[{\"system\":\"phone\",\"value\":\"+44 20 7946 0000\"}],"
              "\"occupation\":\"teacher\"}");
    assert_int_equal(r.kind, KT_CUSTOMER);
    is(r.source_system, "revenue");
    is(r.source_id, "C-1");
    assert_int_equal(r.fields_len, 6);
    is(field(&r, KT_F_CUSTOMER_BIRTH_DATE)->add[0], "1980-02-29");
    is(field(&r, KT_F_CUSTOMER_OCCUPATION)->add[0], "teacher");
    column_is(field(&r, KT_F_CUSTOMER_NAME)->add[0], KT_C_NAME_FAMILY, "Okafor");
    column_is(field(&r, KT_F_CUSTOMER_CONTACT_POINT)->add[0], KT_C_CONTACT_VALUE, "+44 20 7946 0000");

    r = parse(
        "{\"entity\":\"case\",\"source_system\":\"311\",\"source_id\":\"SR-1\",\"customer\":[{\"ref\":\"revenue:C-1\","
        "\"role\":\"requester\"}],\"service_code\":\"noise\",\"subject\":\"Noise at night\",\"status\":\"open\","
        "\"requested_datetime\":\"2026-03-01T22:10:00+01:00\"}");
    column_is(field(&r, KT_F_CASE_CUSTOMER)->add[0], KT_C_ROLE_REF, "revenue:C-1");
    is(field(&r, KT_F_CASE_REQUESTED)->add[0], "2026-03-01T21:10:00Z");
    assert_int_equal(r.parent_kind, 0);

    r = parse("{\"entity\":\"case\",\"source_system\":\"311\",\"status\":\"new\"}"); /* the node will number it */
    assert_int_equal(r.source_id.len, 0);
    r = parse("{\"entity\":\"interaction\",\"source_system\":\"311\",\"source_id\":\"I-1\",\"case\":\"311:SR-1\","
              "\"channel\":\"phone\",\"direction\":\"in\",\"occurred\":\"2026-03-01T21:10:00Z\",\"body\":\"Caller\"}");
    assert_int_equal(r.parent_kind, KT_CASE);
    is(r.parent_system, "311");
    is(r.parent_id, "SR-1");
    column_is(field(&r, KT_F_CASE_INTERACTION)->add[0], KT_C_ROW_SOURCE_ID, "I-1");
    column_is(field(&r, KT_F_CASE_INTERACTION)->add[0], KT_C_INTERACTION_BODY, "Caller");

    r = parse("{\"entity\":\"identity_link\",\"a\":\"revenue:C-1\",\"b\":\"motor:M-9\",\"verdict\":\"MATCH\",\"by\":"
              "\"MANUAL\","
              "\"reason\":\"same passport\"}");
    assert_int_equal(r.source_id.len, 0);
    is(field(&r, KT_F_IDENTITY_LINK_A)->add[0], "revenue:C-1");
    column_is(field(&r, KT_F_IDENTITY_LINK_VERDICT)->add[0], KT_C_VERDICT_VERDICT, "MATCH");
    column_is(field(&r, KT_F_IDENTITY_LINK_VERDICT)->add[0], KT_C_VERDICT_REASON, "same passport");
}

/* Scenario: the shapes people write: one element alone, text alone, nesting, numbers, nothing, empty strings. */
static void shapes(void **state)
{
    (void)state;
    struct kt_record r =
        parse("{\"entity\":\"customer\",\"source_system\":\"s\",\"source_id\":\"1\",\"language\":\"en\","
              "\"tag\":[\"a\",\"b\"],\"address\":{\"text\":\"1 Main St\",\"lat\":37.7797,\"postCode\":\"\","
              "\"long\":-122},\"identifier\":{\"system\":\"t\",\"value\":\"1\",\"period\":{\"start\":"
              "\"2020-01-01\",\"end\":null}},\"occupation\":null,\"flag\":[],\"name\":\"Ada Okafor\"}");
    assert_int_equal(field(&r, KT_F_CUSTOMER_TAG)->add_len, 2);
    is(field(&r, KT_F_CUSTOMER_LANGUAGE)->add[0], "en");
    column_is(field(&r, KT_F_CUSTOMER_ADDRESS)->add[0], KT_C_ADDRESS_LAT, "37.7797");
    column_is(field(&r, KT_F_CUSTOMER_ADDRESS)->add[0], KT_C_ADDRESS_LONG, "-122");
    struct kt_bytes none;
    assert_false(kt_value_column(field(&r, KT_F_CUSTOMER_ADDRESS)->add[0], KT_C_ADDRESS_POST_CODE, &none));
    column_is(field(&r, KT_F_CUSTOMER_IDENTIFIER)->add[0], KT_C_IDENTIFIER_START, "2020-01-01");
    column_is(field(&r, KT_F_CUSTOMER_NAME)->add[0], KT_C_NAME_TEXT, "Ada Okafor");
    assert_true(field(&r, KT_F_CUSTOMER_OCCUPATION)->clear);

    r = parse(
        "{\"entity\":\"case\",\"source_system\":\"311\",\"source_id\":\"1\",\"description\":\"loud\",\"location\":"
        "\"here\","
        "\"attribute\":[{\"code\":\"colour\",\"value\":\"red\"}],\"notes\":[{\"source_id\":\"N-1\",\"text\":\"x\"}],"
        "\"parent\":\"311:0\"}");
    column_is(field(&r, KT_F_CASE_DESCRIPTION)->add[0], KT_C_DESCRIPTION_TEXT, "loud");
    column_is(field(&r, KT_F_CASE_NOTE)->add[0], KT_C_ROW_SOURCE_SYSTEM, "311"); /* of the line, where it names none */
    is(field(&r, KT_F_CASE_PARENT)->add[0], "311:0");
    r = parse("{\"entity\":\"licence\",\"source_system\":\"l\",\"source_id\":\"1\",\"holder\":\"r:1\",\"event\":[{"
              "\"type\":\"RENEW\","
              "\"date\":\"2005-01-01\"}]}");
    assert_int_equal(field(&r, KT_F_LICENCE_EVENT)->add_len, 1);
    r = parse(
        "{\"entity\":\"task\",\"source_system\":\"311\",\"source_id\":\"T\",\"case\":\"311:1\",\"status\":\"open\"}");
    assert_true(r.parent_kind == KT_CASE && r.fields_len == 1);
    r = parse("{\"entity\":\"consent\",\"customer\":\"r:1\",\"purpose\":\"news\",\"decision\":\"deny\"}");
    assert_int_equal(r.parent_kind, KT_CUSTOMER);
    column_is(field(&r, KT_F_CUSTOMER_CONSENT)->add[0], KT_C_CONSENT_DECISION, "deny");
    r = parse("{\"entity\":\"customer\",\"source_system\":\"s\",\"source_id\":\"1\"}");
    assert_int_equal(r.fields_len, 0);
}

/* Scenario: taking out elements, clearing, deleting. */
static void removals(void **state)
{
    (void)state;
    struct kt_record r =
        parse("{\"entity\":\"customer\",\"source_system\":\"r\",\"source_id\":\"1\",\"remove\":{\"contactPoint\":"
              "[{\"system\":\"phone\",\"value\":\"1\"}],\"tag\":\"x\",\"consent\":[{\"purpose\":\"news\"}]},"
              "\"contactPoint\":[{\"system\":\"phone\",\"value\":\"2\"}]}");
    assert_int_equal(field(&r, KT_F_CUSTOMER_CONTACT_POINT)->remove_len, 1);
    assert_int_equal(field(&r, KT_F_CUSTOMER_CONTACT_POINT)->add_len, 1);
    is(field(&r, KT_F_CUSTOMER_TAG)->remove[0], "x");
    column_is(field(&r, KT_F_CUSTOMER_CONSENT)->remove[0], KT_C_CONSENT_PURPOSE, "news");
    r = parse("{\"entity\":\"customer\",\"source_system\":\"r\",\"source_id\":\"1\",\"deleted\":true}");
    assert_true(r.deleted && r.fields_len == 0);
    r = parse("{\"entity\":\"note\",\"source_system\":\"r\",\"source_id\":\"N\",\"customer\":\"r:1\",\"deleted\":"
              "true}");
    assert_true(r.deleted && field(&r, KT_F_CUSTOMER_NOTE)->remove_len == 1);
}

#define C "{\"entity\":\"customer\",\"source_system\":\"r\",\"source_id\":\"1\","

/* clang-format off */
static const struct {
    const char *line;
    int code;
    const char *at;
} bad[] = {
    {"{\"entity\":", KT_EMALFORMED, "line" },
    {"", KT_EMALFORMED, "line" },
    {"{\"entity\":\"customer\"} x", KT_EMALFORMED, "line" },
    {"[1]", KT_ETYPE, "line" },
    {"{\"a\":1,\"a\":2}", KT_EMALFORMED, "line" },
    {"{\"entity\":\"customer\",\"source_id\":\"\xff\"}", KT_EUTF8, "line" },
    {"{}", KT_EFIELD, "entity" },
    {"{\"entity\":\"dragon\",\"source_system\":\"r\",\"source_id\":\"1\"}", KT_EFIELD, "entity" },
    {"{\"entity\":5}", KT_EFIELD, "entity" },
    {"{\"entity\":\"customer\",\"source_id\":\"1\"}", KT_ETYPE, "source_system" },
    {"{\"entity\":\"customer\",\"source_system\":\"r\"}", KT_ETYPE, "source_id" },
    {"{\"entity\":\"case\",\"source_system\":\"r\",\"deleted\":true}", KT_ETYPE, "source_id" },
    {"{\"entity\":\"customer\",\"source_system\":\"a:b\",\"source_id\":\"1\"}", KT_ETYPE, "source_system" },
    {"{\"entity\":\"customer\",\"source_system\":7,\"source_id\":\"1\"}", KT_ETYPE, "source_system" },
    {C "\"nosuchfield\":1}", KT_EFIELD, "nosuchfield" },
    {C "\"no:such\":1}", KT_EFIELD, "no_such" },
    {C "\"birthDate\":\"yesterday\"}", KT_ETYPE, "birthDate" },
    {C "\"birthDate\":19800229}", KT_ETYPE, "birthDate" },
    {C "\"occupation\":[\"a\"]}", KT_ETYPE, "occupation" },
    {C "\"occupation\":\"\"}", KT_ETYPE, "occupation" },
    {C "\"kind\":\"robot\"}", KT_ETYPE, "kind" },
    {C "\"name\":[{\"surname\":\"x\"}]}", KT_EFIELD, "name.surname" },
    {C "\"name\":[{\"familyName\":7}]}", KT_ETYPE, "name.familyName" },
    {C "\"name\":[{}]}", KT_ETYPE, "name" },
    {C "\"name\":[{\"prefix\":\"Dr\"}]}", KT_ETYPE, "name" },
    {C "\"name\":[7]}", KT_ETYPE, "name" },
    {C "\"contactPoint\":[{\"system\":\"phone\"}]}", KT_ETYPE, "contactPoint.value" },
    {C "\"contactPoint\":[{\"system\":\"pigeon\",\"value\":\"1\"}]}", KT_ETYPE, "contactPoint.system"},
    {C "\"contactPoint\":[{\"system\":\"url\",\"value\":\"1\",\"rank\":1.5}]}", KT_ETYPE, "contactPoint.rank" },
    {C "\"contactPoint\":null}", KT_ETYPE, "contactPoint" },
    {C "\"identifier\":[{\"system\":\"t\",\"value\":\"1\",\"period\":\"now\"}]}", KT_ETYPE, "identifier.period" },
    {C "\"identifier\":[{\"system\":\"t\",\"value\":\"1\",\"period\":{\"from\":\"now\"}}]}", KT_EFIELD,
     "identifier.period.from" },
    {C "\"address\":{\"text\":\"x\",\"lat\":\"37\"}}", KT_ETYPE, "address.lat" },
    {C "\"office\":\"x\"}", KT_EFIELD, "office" },
    {C "\"consent_history\":[]}", KT_EFIELD, "consent_history" },
    {C "\"notes\":[{\"text\":\"a\"}],\"note\":[{\"text\":\"b\"}]}", KT_EFIELD, "notes" },
    {C "\"deleted\":\"yes\"}", KT_ETYPE, "deleted" },
    {C "\"remove\":[]}", KT_ETYPE, "remove" },
    {C "\"remove\":{\"occupation\":\"x\"}}", KT_ETYPE, "occupation" },
    {C "\"remove\":{\"nothing\":\"x\"}}", KT_EFIELD, "nothing" },
    {C "\"occupation\":\"a\\u0000b\"}", KT_EMALFORMED, "line" },
    {"{\"entity\":\"interaction\",\"source_system\":\"r\",\"body\":\"x\"}", KT_EFIELD, "case" },
    {"{\"entity\":\"interaction\",\"source_system\":\"r\",\"case\":\"nocolon\",\"body\":\"x\"}", KT_ETYPE, "case" },
    {"{\"entity\":\"interaction\",\"source_system\":\"r\",\"case\":\"r:1\",\"customer\":\"r:1\",\"body\":\"x\"}",
     KT_EFIELD, "customer" },
    {"{\"entity\":\"interaction\",\"source_system\":\"r\",\"case\":\"r:1\",\"channel\":\"pigeon\"}", KT_ETYPE,
     "channel" },
    {"{\"entity\":\"interaction\",\"source_system\":\"r\",\"case\":\"r:1\"}", KT_ETYPE, "interactions" },
    {"{\"entity\":\"interaction\",\"case\":\"r:1\",\"body\":\"x\"}", KT_ETYPE, "source_system" },
    {"{\"entity\":\"case\",\"source_system\":\"r\",\"source_id\":\"1\",\"customer\":[{\"role\":\"x\"}]}", KT_ETYPE,
     "customer.ref" },
    {"{\"entity\":\"case\",\"source_system\":\"r\",\"source_id\":\"1\",\"attribute\":[{\"value\":\"x\"}]}",
     KT_ETYPE, "attribute.code" },
    {"{\"entity\":\"identity_link\",\"a\":\"r:1\",\"verdict\":\"MATCH\"}", KT_ETYPE, "b" },
    {"{\"entity\":\"identity_link\",\"a\":\"r:1\",\"b\":\"r:2\",\"by\":\"AUTO\"}", KT_ETYPE, "verdict" },
    {"{\"entity\":\"identity_link\",\"a\":\"r:1\",\"b\":\"r:2\",\"verdict\":\"MAYBE\"}", KT_ETYPE, "verdict" },
    {"{\"entity\":\"consent\",\"customer\":\"r:1\",\"purpose\":\"x\"}", KT_ETYPE, "decision" },
    {"{\"entity\":\"task\",\"source_system\":\"r\",\"source_id\":\"1\",\"status\":\"x\"}", KT_EFIELD, "case" },
};
/* clang-format on */

/* Scenario: every way a line can be wrong has its code, the field at fault, the reason, and what to do; and the form
 * "line N: field: reason: what to do" can be taken apart. */
static void bad_lines_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct kt_record r = {.line = 77};
        struct kt_json_fault f = {0};
        int err = kt_json_record(kt_str(bad[i].line), 1, &arena, &r, &f);
        if (err != bad[i].code || strcmp(f.field, bad[i].at) != 0)
            print_error("%s\n -> %s at %s: %s\n", bad[i].line, kt_error_name(err), f.field, f.reason);
        assert_int_equal(err, bad[i].code);
        assert_string_equal(f.field, bad[i].at);
        assert_true(*f.reason && *f.todo && !strpbrk(f.field, ":\n") && !strpbrk(f.reason, ":\n"));
        assert_int_equal(r.line, 77); /* untouched */
    }
}

/* Scenario: a line of a hundred thousand brackets, open and not closed, and closed. */
static void too_deep(void **state)
{
    enum { DEPTH = 100000 };
    char *line = malloc(2 * DEPTH + 100);
    struct kt_record r;
    struct kt_json_fault f;
    (void)state;
    int at = snprintf(line, 100, C "\"name\":");
    memset(line + at, '[', DEPTH);
    assert_true(kt_json_record(kt_bytes(line, (size_t)at + DEPTH), 1, &arena, &r, &f) < 0);
    memset(line + at + DEPTH, ']', DEPTH);
    line[at + 2 * DEPTH] = '}';
    assert_true(kt_json_record(kt_bytes(line, (size_t)at + 2 * DEPTH + 1), 1, &arena, &r, &f) < 0);
    assert_true(f.reason && *f.reason);
    free(line);
}

/* Scenario: text over the limit of a column, of a value, of a record and of a line. */
static void too_long(void **state)
{
    size_t room = KT_REQUEST_BYTES_MAX + 100;
    char *line = malloc(room);
    struct kt_record r;
    struct kt_json_fault f;
    (void)state;
    int head = snprintf(line, room, C "\"occupation\":\"");
    memset(line + head, 'x', KT_TEXT_BYTES_MAX + 1);
    snprintf(line + head + KT_TEXT_BYTES_MAX + 1, 3, "\"}");
    assert_int_equal(kt_json_record(kt_str(line), 1, &arena, &r, &f), KT_EOVERSIZE);
    assert_string_equal(f.field, "occupation");

    int at = snprintf(line, room, C "\"name\":[{\"familyName\":\"x\",\"givenName\":[");
    for (int i = 0; i < 3; i++) {
        at += snprintf(line + at, room - (size_t)at, "%s\"", i ? "," : "");
        memset(line + at, 'x', KT_TEXT_BYTES_MAX);
        at += (int)KT_TEXT_BYTES_MAX;
        at += snprintf(line + at, room - (size_t)at, "\"");
    }
    snprintf(line + at, room - (size_t)at, "]}]}");
    assert_int_equal(kt_json_record(kt_str(line), 1, &arena, &r, &f), KT_EOVERSIZE);
    assert_string_equal(f.field, "name");

    at = snprintf(line, room, C "\"activity\":[");
    for (int i = 0; i < 7; i++) {
        at += snprintf(line + at, room - (size_t)at, "%s\"", i ? "," : "");
        memset(line + at, 'a' + i, KT_TEXT_BYTES_MAX);
        at += (int)KT_TEXT_BYTES_MAX;
        at += snprintf(line + at, room - (size_t)at, "\"");
    }
    snprintf(line + at, room - (size_t)at, "]}");
    assert_int_equal(kt_json_record(kt_str(line), 1, &arena, &r, &f), KT_EOVERSIZE);
    assert_string_equal(f.field, "customer");

    memset(line, ' ', KT_REQUEST_BYTES_MAX + 1);
    assert_int_equal(kt_json_record(kt_bytes(line, KT_REQUEST_BYTES_MAX + 1), 1, &arena, &r, &f), KT_EOVERSIZE);
    free(line);
}

/* Scenario: the value that settles a conflict is given as JSON. */
static void values_settle(void **state)
{
    struct kt_bytes v;
    struct kt_json_fault f;
    bool clear = true;
    (void)state;
    const struct kt_schema_field *job = kt_schema_field(KT_F_CUSTOMER_OCCUPATION);
    assert_int_equal(kt_json_value(job, kt_str("\"teacher\""), &arena, &v, &clear, &f), KT_OK);
    is(v, "teacher");
    assert_false(clear);
    assert_int_equal(kt_json_value(job, kt_str("null"), &arena, &v, &clear, &f), KT_OK);
    assert_true(clear);
    assert_int_equal(kt_json_value(job, kt_str("teacher"), &arena, &v, &clear, &f), KT_EMALFORMED);
    assert_int_equal(kt_json_value(job, kt_str("7"), &arena, &v, &clear, &f), KT_ETYPE);
    assert_int_equal(kt_json_value(kt_schema_field(KT_F_CUSTOMER_CONSENT),
                                   kt_str("{\"purpose\":\"news\",\"decision\":\"deny\"}"), &arena, &v, &clear, &f),
                     KT_OK);
    column_is(v, KT_C_CONSENT_DECISION, "deny");
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lines_of_the_design), cmocka_unit_test(shapes),   cmocka_unit_test(removals),
        cmocka_unit_test(bad_lines_are_named),     cmocka_unit_test(too_deep), cmocka_unit_test(too_long),
        cmocka_unit_test(values_settle),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, start, end);
}
