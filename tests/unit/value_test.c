/* Values: one form for each meaning, and a word for what is wrong with the others. */
#include "proto/schema/composite.h"
#include "proto/schema/datetime.h"
#include "proto/schema/fields.h"
#include "proto/limits.h"
#include "proto/schema/value.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

static struct kt_arena arena;

struct
try {
    enum kt_type type;
    const char *in, *out; /* out NULL: refused with `code` */
    int code;
};

static void try_all(const struct try *tries, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct kt_bytes out = {0};
        const char *why = NULL;
        int err = kt_scalar_canonical(tries[i].type, NULL, kt_str(tries[i].in), &arena, &out, &why);
        if (tries[i].out) {
            if (err) print_error("%s: %s\n", tries[i].in, why);
            assert_int_equal(err, KT_OK);
            if (!kt_bytes_equal(out, kt_str(tries[i].out)))
                print_error("%s -> %.*s, not %s\n", tries[i].in, (int)out.len, out.data, tries[i].out);
            assert_true(kt_bytes_equal(out, kt_str(tries[i].out)));
        } else {
            if (err != tries[i].code) print_error("%s -> %s\n", tries[i].in, kt_error_name(err));
            assert_int_equal(err, tries[i].code);
            assert_null(out.data); /* a failing call leaves its outputs untouched */
            assert_true(why && strlen(why) > 5 && !strchr(why, ':'));
        }
    }
}
#define TRY(t) try_all(t, sizeof t / sizeof t[0])

/* Scenario: dates are days that exist, written one way. */
static void dates(void **state)
{
    static const struct try t[] = {
        {KT_DATE, "1980-02-29",  "1980-02-29", 0       },
        {KT_DATE, "2000-02-29",  "2000-02-29", 0       },
        {KT_DATE, "1981-02-29",  NULL,         KT_ETYPE},
        {KT_DATE, "1900-02-29",  NULL,         KT_ETYPE},
        {KT_DATE, "1980-13-01",  NULL,         KT_ETYPE},
        {KT_DATE, "1980-00-01",  NULL,         KT_ETYPE},
        {KT_DATE, "1980-04-31",  NULL,         KT_ETYPE},
        {KT_DATE, "yesterday",   NULL,         KT_ETYPE},
        {KT_DATE, "1980-2-29",   NULL,         KT_ETYPE},
        {KT_DATE, "1980-02-29Z", NULL,         KT_ETYPE},
        {KT_DATE, "",            NULL,         KT_ETYPE},
        {KT_DATE, "0000-01-01",  NULL,         KT_ETYPE},
    };
    (void)state;
    TRY(t);
}

/* Scenario: times come with their zone, and go out in UTC. */
static void datetimes(void **state)
{
    static const struct try t[] = {
        {KT_DATETIME, "2026-03-01T21:10:00Z",            "2026-03-01T21:10:00Z",    0       },
        {KT_DATETIME, "2026-03-01 21:10:00+00:00",       "2026-03-01T21:10:00Z",    0       },
        {KT_DATETIME, "2026-03-01T22:10:00+01:00",       "2026-03-01T21:10:00Z",    0       },
        {KT_DATETIME, "2015-07-27T16:24:28-07:00",       "2015-07-27T23:24:28Z",    0       },
        {KT_DATETIME, "2026-01-01T00:30:00+0100",        "2025-12-31T23:30:00Z",    0       },
        {KT_DATETIME, "2024-02-28T23:30:00-01:00",       "2024-02-29T00:30:00Z",    0       },
        {KT_DATETIME, "2026-03-01t21:10:00.120z",        "2026-03-01T21:10:00.12Z", 0       },
        {KT_DATETIME, "2026-03-01T21:10:00.000Z",        "2026-03-01T21:10:00Z",    0       },
        {KT_DATETIME, "2016-12-31T23:59:60Z",            "2017-01-01T00:00:00Z",    0       },
        {KT_DATETIME, "1905-06-01T00:00:00Z",            "1905-06-01T00:00:00Z",    0       },
        {KT_DATETIME, "2026-03-01T21:10:00",             NULL,                      KT_ETYPE},
        {KT_DATETIME, "2026-03-01T24:10:00Z",            NULL,                      KT_ETYPE},
        {KT_DATETIME, "2026-03-01T21:60:00Z",            NULL,                      KT_ETYPE},
        {KT_DATETIME, "2026-02-30T21:10:00Z",            NULL,                      KT_ETYPE},
        {KT_DATETIME, "2026-03-01T21:10:00.Z",           NULL,                      KT_ETYPE},
        {KT_DATETIME, "2026-03-01T21:10:00.1234567890Z", NULL,                      KT_ETYPE},
        {KT_DATETIME, "2026-03-01T21:10:00+24:00",       NULL,                      KT_ETYPE},
        {KT_DATETIME, "2026-03-01T21:10:00Zulu",         NULL,                      KT_ETYPE},
        {KT_DATETIME, "2026-03-01",                      NULL,                      KT_ETYPE},
        {KT_DATETIME, "0001-01-01T00:00:00+10:00",       NULL,                      KT_ETYPE},
    };
    char at[KT_DATETIME_CHARS_MAX];
    (void)state;
    TRY(t);
    kt_datetime_of_ms(1772399400250, true, at);
    assert_string_equal(at, "2026-03-01T21:10:00.25Z");
    kt_datetime_of_ms(1772399400250, false, at);
    assert_string_equal(at, "2026-03-01T21:10:00Z");
    kt_datetime_of_ms(UINT64_MAX / 2, false, at);
    assert_string_equal(at, "9999-12-31T23:59:59Z");
}

/* Scenario: numbers are as short as they read back, whatever locale the program runs in. */
static void numbers(void **state)
{
    static const struct try t[] = {
        {KT_INTEGER, "007",                  "7",                    0       },
        {KT_INTEGER, "+7",                   "7",                    0       },
        {KT_INTEGER, "-0",                   "0",                    0       },
        {KT_INTEGER, "-9223372036854775808", "-9223372036854775808", 0       },
        {KT_INTEGER, "9223372036854775808",  NULL,                   KT_ETYPE},
        {KT_INTEGER, "1.0",                  NULL,                   KT_ETYPE},
        {KT_INTEGER, "",                     NULL,                   KT_ETYPE},
        {KT_INTEGER, " 7",                   NULL,                   KT_ETYPE},
        {KT_INTEGER, "+-7",                  NULL,                   KT_ETYPE},
        {KT_NUMBER,  "37.7797",              "37.7797",              0       },
        {KT_NUMBER,  "37.779699999999998",   "37.7797",              0       },
        {KT_NUMBER,  "-0.0",                 "0",                    0       },
        {KT_NUMBER,  "1e3",                  "1000",                 0       },
        {KT_NUMBER,  "0.1",                  "0.1",                  0       },
        {KT_NUMBER,  "0.30000000000000004",  "0.30000000000000004",  0       },
        {KT_NUMBER,  "41,9",                 NULL,                   KT_ETYPE},
        {KT_NUMBER,  "nan",                  NULL,                   KT_ETYPE},
        {KT_NUMBER,  "inf",                  NULL,                   KT_ETYPE},
        {KT_NUMBER,  "1e999",                NULL,                   KT_ETYPE},
        {KT_NUMBER,  "0x10",                 NULL,                   KT_ETYPE},
        {KT_NUMBER,  "",                     NULL,                   KT_ETYPE},
        {KT_BOOLEAN, "true",                 "true",                 0       },
        {KT_BOOLEAN, "yes",                  NULL,                   KT_ETYPE},
    };
    (void)state;
    TRY(t);
    /* where the machine has a locale with a decimal comma, in it as well */
    if (setlocale(LC_ALL, "de_DE.UTF-8")) TRY(t);
    setlocale(LC_ALL, "C");
}

/* Scenario: text is any UTF-8 without NUL; codes are short and plain; a reference has two sides. */
static void texts(void **state)
{
    static const struct try t[] = {
        {KT_TEXT, "Şebnem\tO'Neill\n", "Şebnem\tO'Neill\n", 0       },
        {KT_TEXT, "",                   NULL,                 KT_ETYPE},
        {KT_TEXT, "\xff",               NULL,                 KT_EUTF8},
        {KT_TEXT, "\xed\xa0\x80",       NULL,                 KT_EUTF8}, /* half a surrogate pair */
        {KT_TEXT, "\xc0\x80",           NULL,                 KT_EUTF8}, /* NUL the long way round */
        {KT_TEXT, "caf\xc3",            NULL,                 KT_EUTF8},
        {KT_CODE, "no-auto-match",      "no-auto-match",      0       },
        {KT_CODE, "a\nb",               NULL,                 KT_ETYPE},
        {KT_CODE, "",                   NULL,                 KT_ETYPE},
        {KT_REF,  "revenue:C-1",        "revenue:C-1",        0       },
        {KT_REF,  "revenue:C:1",        "revenue:C:1",        0       },
        {KT_REF,  "revenue",            NULL,                 KT_ETYPE},
        {KT_REF,  ":C-1",               NULL,                 KT_ETYPE},
        {KT_REF,  "revenue:",           NULL,                 KT_ETYPE},
    };
    (void)state;
    TRY(t);

    char *big = malloc(KT_TEXT_BYTES_MAX + 1);
    struct kt_bytes out;
    const char *why;
    memset(big, 'x', KT_TEXT_BYTES_MAX + 1);
    assert_int_equal(kt_scalar_canonical(KT_TEXT, NULL, kt_bytes(big, KT_TEXT_BYTES_MAX), &arena, &out, &why), KT_OK);
    assert_int_equal(kt_scalar_canonical(KT_TEXT, NULL, kt_bytes(big, KT_TEXT_BYTES_MAX + 1), &arena, &out, &why),
                     KT_EOVERSIZE);
    assert_int_equal(kt_scalar_canonical(KT_CODE, NULL, kt_bytes(big, KT_NAME_BYTES_MAX + 1), &arena, &out, &why),
                     KT_EOVERSIZE);
    assert_int_equal(kt_scalar_canonical(KT_TEXT, NULL, kt_bytes("a\0b", 3), &arena, &out, &why), KT_EUTF8);
    free(big);
}

/* Scenario: codes from a list are taken as they stand there. */
static void allowed_codes(void **state)
{
    const struct kt_schema_field *f = kt_schema_field(KT_F_CASE_STATUS);
    struct kt_bytes out;
    const char *why;
    (void)state;
    for (const char *const *code = f->allowed; *code; code++)
        assert_int_equal(kt_scalar_canonical(f->type, f->allowed, kt_str(*code), &arena, &out, &why), KT_OK);
    assert_int_equal(kt_scalar_canonical(f->type, f->allowed, kt_str("Open"), &arena, &out, &why), KT_ETYPE);
}

static struct kt_bytes built(struct kt_buf *b)
{
    assert_int_equal(b->err, KT_OK);
    struct kt_bytes copy = kt_arena_copy(&arena, kt_buf_bytes(b));
    kt_buf_free(b);
    return copy;
}

static struct kt_bytes composite(uint32_t a, const char *x, uint32_t c, const char *y)
{
    struct kt_buf b;
    kt_buf_init(&b, 1 << 20);
    kt_buf_pb_bytes(&b, a, kt_str(x));
    if (c) kt_buf_pb_bytes(&b, c, kt_str(y));
    return built(&b);
}

/* Scenario: a composite from anywhere is checked column by column: order, types, repeats, strangers, size. */
static void composites_are_checked(void **state)
{
    const struct kt_schema_field *name = kt_schema_field(KT_F_CUSTOMER_NAME);
    const struct kt_schema_field *contact = kt_schema_field(KT_F_CUSTOMER_CONTACT_POINT);
    const struct kt_schema_field *birth = kt_schema_field(KT_F_CUSTOMER_BIRTH_DATE);
    const struct kt_schema_field *holder = kt_schema_field(KT_F_LICENCE_HOLDER);
    (void)state;
    assert_int_equal(kt_value_check(name, composite(KT_C_NAME_FAMILY, "Okafor", KT_C_NAME_GIVEN, "Ada")), KT_OK);
    assert_int_equal(kt_value_check(name, composite(KT_C_NAME_GIVEN, "Ada", KT_C_NAME_GIVEN, "Bo")), KT_OK);
    assert_int_equal(kt_value_check(name, composite(KT_C_NAME_FAMILY, "A", KT_C_NAME_FAMILY, "B")), KT_EMALFORMED);
    assert_int_equal(kt_value_check(name, composite(KT_C_NAME_GIVEN, "A", KT_C_NAME_FAMILY, "B")), KT_EMALFORMED);
    assert_int_equal(kt_value_check(name, composite(99, "A", 0, NULL)), KT_EFIELD);
    assert_int_equal(kt_value_check(name, composite(KT_C_NAME_FAMILY, "\xff", 0, NULL)), KT_EUTF8);
    assert_int_equal(kt_value_check(name, kt_bytes(NULL, 0)), KT_ETYPE);
    assert_int_equal(kt_value_check(name, kt_bytes("\x12\x7f", 2)), KT_ETRUNCATED);
    assert_int_equal(kt_value_check(contact, composite(KT_C_CONTACT_SYSTEM, "pigeon", 0, NULL)), KT_ETYPE);
    assert_int_equal(kt_value_check(contact, composite(KT_C_CONTACT_VALUE, "1", KT_C_CONTACT_RANK, "01")), KT_ETYPE);
    assert_int_equal(kt_value_check(birth, kt_str("1980-02-29")), KT_OK);
    assert_int_equal(kt_value_check(birth, kt_str("29.2.1980")), KT_ETYPE);
    assert_int_equal(
        kt_value_check(holder, kt_bytes("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", 16)),
        KT_OK);
    assert_int_equal(kt_value_check(holder, kt_bytes("\x00\x01\x02", 3)), KT_ETYPE);
    uint8_t *big = calloc(1, KT_VALUE_BYTES_MAX + 1);
    assert_int_equal(kt_value_check(name, kt_bytes(big, KT_VALUE_BYTES_MAX + 1)), KT_EOVERSIZE);
    free(big);
}

/* Scenario: columns are read out of a composite, repeated ones one after the other. */
static void columns_are_read(void **state)
{
    struct kt_bytes v = composite(KT_C_NAME_GIVEN, "Ada", KT_C_NAME_GIVEN, "Bo"), one;
    struct kt_reader at = {0};
    (void)state;
    assert_true(kt_value_column(v, KT_C_NAME_GIVEN, &one) && kt_bytes_equal(one, kt_str("Ada")));
    assert_false(kt_value_column(v, KT_C_NAME_FAMILY, &one));
    assert_true(kt_value_column_next(v, KT_C_NAME_GIVEN, &at, &one) && kt_bytes_equal(one, kt_str("Ada")));
    assert_true(kt_value_column_next(v, KT_C_NAME_GIVEN, &at, &one) && kt_bytes_equal(one, kt_str("Bo")));
    assert_false(kt_value_column_next(v, KT_C_NAME_GIVEN, &at, &one));
    assert_false(kt_value_column(kt_bytes(NULL, 0), 1, &one));
}

static int resolve(void *ctx, uint32_t kind, struct kt_bytes system, struct kt_bytes id, struct kt_entity_id *out)
{
    return kt_ref_entity(ctx, kind, system, id, out);
}

/* Scenario: "revenue:C-1" inside a case's customer becomes the id of that record; an id given in full is itself. */
static void refs_resolve(void **state)
{
    static uint8_t key[KT_KEY_BYTES] = {7};
    const struct kt_schema_field *f = kt_schema_field(KT_F_CASE_CUSTOMER);
    const struct kt_schema_field *parent = kt_schema_field(KT_F_CASE_PARENT);
    struct kt_entity_id want = kt_entity_id_of(key, KT_CUSTOMER, kt_str("revenue"), kt_str("C-1"));
    struct kt_bytes out, ref, role, in = composite(KT_C_ROLE_REF, "revenue:C-1", KT_C_ROLE_ROLE, "requester");
    (void)state;
    assert_int_equal(kt_value_resolve_refs(f, in, resolve, key, &arena, &out), KT_OK);
    assert_true(kt_value_column(out, KT_C_ROLE_REF, &ref) && kt_bytes_equal(ref, KT_BYTES_OF(want)));
    assert_true(kt_value_column(out, KT_C_ROLE_ROLE, &role) && kt_bytes_equal(role, kt_str("requester")));
    assert_int_equal(kt_value_check(f, out), KT_OK);

    assert_int_equal(
        kt_value_resolve_refs(parent, kt_str("case:000102030405060708090a0b0c0d0e0f"), resolve, key, &arena, &out),
        KT_OK);
    assert_true(kt_bytes_equal(out, kt_bytes("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", 16)));
    /* of another kind it is a source record like any other */
    assert_int_equal(
        kt_value_resolve_refs(parent, kt_str("customer:000102030405060708090a0b0c0d0e0f"), resolve, key, &arena, &out),
        KT_OK);
    assert_int_equal(out.data[0] == 0 && out.data[1] == 1, false);
    assert_int_equal(kt_value_resolve_refs(parent, kt_str("none"), resolve, key, &arena, &out), KT_ETYPE);
    assert_int_equal(
        kt_value_resolve_refs(kt_schema_field(KT_F_CASE_SUBJECT), kt_str("a:b"), resolve, key, &arena, &out), KT_OK);
    assert_true(kt_bytes_equal(out, kt_str("a:b")));
}

static const char *column_text(struct kt_bytes row, uint32_t column)
{
    struct kt_bytes v;
    return kt_value_column(row, column, &v) ? kt_arena_str(&arena, v) : "";
}

/* Scenario: a status goes from open to closed, a consent from nothing to deny: each is a row that says so. */
static void transitions_become_rows(void **state)
{
    const struct kt_schema_field *status = kt_schema_field(KT_F_CASE_STATUS);
    const struct kt_schema_field *consent = kt_schema_field(KT_F_CUSTOMER_CONSENT);
    struct kt_bytes row;
    (void)state;
    assert_int_equal(
        kt_history_row(status, kt_str("open"), kt_str("closed"), 1772399400000, kt_str("clerk"), &arena, &row), KT_OK);
    assert_int_equal(kt_value_check(kt_schema_field(status->history), row), KT_OK);
    assert_string_equal(column_text(row, KT_C_HISTORY_WHAT), "status");
    assert_string_equal(column_text(row, KT_C_HISTORY_VALUE), "closed");
    assert_string_equal(column_text(row, KT_C_HISTORY_FROM), "open");
    assert_string_equal(column_text(row, KT_C_HISTORY_AT), "2026-03-01T21:10:00Z");
    assert_string_equal(column_text(row, KT_C_HISTORY_BY), "clerk");

    struct kt_bytes deny = composite(KT_C_CONSENT_PURPOSE, "marketing", KT_C_CONSENT_DECISION, "deny");
    assert_int_equal(kt_history_row(consent, kt_bytes(NULL, 0), deny, 1772399400000, kt_bytes(NULL, 0), &arena, &row),
                     KT_OK);
    assert_string_equal(column_text(row, KT_C_HISTORY_WHAT), "marketing");
    assert_string_equal(column_text(row, KT_C_HISTORY_VALUE), "deny");
    assert_string_equal(column_text(row, KT_C_HISTORY_FROM), "");
    assert_int_equal(kt_history_row(consent, deny, kt_bytes(NULL, 0), 1, kt_bytes(NULL, 0), &arena, &row), KT_OK);
    assert_string_equal(column_text(row, KT_C_HISTORY_WHAT), "marketing");
    assert_string_equal(column_text(row, KT_C_HISTORY_FROM), "deny");
}

static int start(void **state)
{
    (void)state;
    kt_arena_init(&arena, 4 << 20);
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
        cmocka_unit_test(dates),
        cmocka_unit_test(datetimes),
        cmocka_unit_test(numbers),
        cmocka_unit_test(texts),
        cmocka_unit_test(allowed_codes),
        cmocka_unit_test(composites_are_checked),
        cmocka_unit_test(columns_are_read),
        cmocka_unit_test(refs_resolve),
        cmocka_unit_test(transitions_become_rows),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, start, end);
}
