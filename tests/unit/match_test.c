/* Finding people: the same phone, address or name, however it is written. */
#include "proto/schema/fields.h"
#include "proto/schema/match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

#include "support/wire.h"

static struct kt_arena arena;
static const uint8_t key[KT_KEY_BYTES] = {1, 2, 3};
static const struct kt_bytes nothing = {0};

static void is(int err, struct kt_bytes got, const char *want)
{
    assert_int_equal(err, KT_OK);
    if (!kt_bytes_equal(got, kt_str(want))) print_error("%.*s, not %s\n", (int)got.len, got.data, want ? want : "nothing");
    assert_true(kt_bytes_equal(got, kt_str(want)));
}

/* Scenario: one phone in all the ways people write it. */
static void phones(void **state)
{
    static const struct {
        const char *in, *country, *out;
    } t[] = {
        {"+49 30 1234",            "",   "49301234"    },
        {"0049301234",             "",   "49301234"    },
        {"030 1234",               "49", "49301234"    },
        {"+49 (0)30 / 12-34",      "49", "49301234"    },
        {"030 1234",               "",   "0301234"     },
        {"tel:+49-30-1234",        "49", "49301234"    },
        {"+44 20 7946 0000",       "49", "442079460000"},
        {"(415) 555-0100",         "1",  "14155550100" },
        {"1 415 555 0100 ext. 22", "1",  "14155550100" },
        {"112",                    "49", "112"         },
        {"+1 415 555 0100;ext=22", "",   "14155550100" },
    };
    struct kt_bytes out;
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        is(kt_match_phone(kt_str(t[i].in), kt_str(t[i].country), &arena, &out), out, t[i].out);
    assert_int_equal(kt_match_phone(kt_str("none"), nothing, &arena, &out), KT_ETYPE);
    assert_int_equal(kt_match_phone(kt_str(""), kt_str("49"), &arena, &out), KT_ETYPE);
}

/* Scenario: texts match whatever their case, composition and blanks; names match without their marks too. */
static void texts_and_names(void **state)
{
    struct kt_bytes out;
    (void)state;
    is(kt_match_text(kt_str("  Zoe\xcc\x88 \t\xc2\xa0 STRASSE "), &arena, &out), out, "zoë strasse");
    is(kt_match_text(kt_str("Straße"), &arena, &out), out, "strasse");
    is(kt_match_text(kt_str(""), &arena, &out), out, "");
    is(kt_match_email(kt_str(" Ada@Example.ORG"), &arena, &out), out, "ada@example.org");
    is(kt_match_name(kt_str("Ærø"), &arena, &out), out, "aero");
    is(kt_match_name(kt_str("ŁÓDŹ  Đorđe"), &arena, &out), out, "lodz dorde");
    is(kt_match_name(kt_str("Nguyễn"), &arena, &out), out, "nguyen");
    is(kt_match_name(kt_str("Groß"), &arena, &out), out, "gross");
    is(kt_match_name(kt_str("Þór Iğdır"), &arena, &out), out, "thor igdir");
    assert_int_equal(kt_match_text(kt_str("\xff"), &arena, &out), KT_EUTF8);
}

static struct kt_bytes pairs(const char *const *columns, const uint32_t *numbers, size_t n)
{
    struct kt_buf b;
    kt_buf_init(&b, 1 << 16);
    for (size_t i = 0; i < n; i++) kt_buf_pb_bytes(&b, numbers[i], kt_str(columns[i]));
    struct kt_bytes copy = kt_arena_copy(&arena, kt_buf_bytes(&b));
    kt_buf_free(&b);
    return copy;
}
#define VALUE(...)                                                                                                     \
    pairs((const char *const[]){__VA_ARGS__}, (const uint32_t[]){1, 2, 3, 4, 5},                                       \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static struct kt_bytes id_of(uint32_t field, const char *country, struct kt_bytes value)
{
    struct kt_bytes out;
    assert_int_equal(kt_element_id(kt_schema_field(field), key, kt_str(country), value, &arena, &out), KT_OK);
    return out;
}

/* Scenario: two offices write one contact point differently, and it is one element; another is another. */
static void contact_points_are_one(void **state)
{
    struct kt_bytes a = id_of(KT_F_CUSTOMER_CONTACT_POINT, "49", VALUE("phone", "+49 30 1234", "home"));
    (void)state;
    assert_int_equal(a.len, 16);
    assert_true(kt_bytes_equal(a, id_of(KT_F_CUSTOMER_CONTACT_POINT, "49", VALUE("phone", "030-1234", "work", "1"))));
    assert_false(kt_bytes_equal(a, id_of(KT_F_CUSTOMER_CONTACT_POINT, "49", VALUE("fax", "030-1234"))));
    assert_false(kt_bytes_equal(a, id_of(KT_F_CUSTOMER_CONTACT_POINT, "49", VALUE("phone", "030-1235"))));
    assert_true(kt_bytes_equal(id_of(KT_F_CUSTOMER_CONTACT_POINT, "", VALUE("email", "A@b.c")),
                               id_of(KT_F_CUSTOMER_CONTACT_POINT, "", VALUE("email", "a@B.C"))));
    assert_false(kt_bytes_equal(id_of(KT_F_CUSTOMER_CONTACT_POINT, "", VALUE("url", "A@b.c")),
                                id_of(KT_F_CUSTOMER_CONTACT_POINT, "", VALUE("url", "a@B.C"))));
}

/* Scenario: elements are named by field and identifying columns, however their letters are composed, under the
 * organisation's key. */
static void elements_are_named_alike(void **state)
{
    static const uint8_t other[KT_KEY_BYTES] = {9};
    struct kt_bytes composed = VALUE("tax", "Zo\xc3\xab"), apart = VALUE("tax", "Zoe\xcc\x88"), out;
    struct kt_bytes a = id_of(KT_F_CUSTOMER_IDENTIFIER, "", composed);
    (void)state;
    assert_true(kt_bytes_equal(a, id_of(KT_F_CUSTOMER_IDENTIFIER, "", apart)));
    assert_false(kt_bytes_equal(a, id_of(KT_F_CUSTOMER_IDENTIFIER, "", VALUE("tax", "ZO\xc3\xab"))));
    assert_int_equal(kt_element_id(kt_schema_field(KT_F_CUSTOMER_IDENTIFIER), other, nothing, composed, &arena, &out),
                     KT_OK);
    assert_false(kt_bytes_equal(a, out));
    assert_false(kt_bytes_equal(id_of(KT_F_CUSTOMER_TAG, "", kt_str("x")), id_of(KT_F_CUSTOMER_FLAG, "", kt_str("x"))));
    /* columns are kept apart: givenName "a","b" is not "ab" */
    const uint32_t given[] = {3, 3};
    assert_false(kt_bytes_equal(id_of(KT_F_CUSTOMER_NAME, "", pairs((const char *const[]){"a", "b"}, given, 2)),
                                id_of(KT_F_CUSTOMER_NAME, "", pairs((const char *const[]){"ab"}, given, 1))));
}

/* Scenario: the example of PROTOCOL.md: a name, a phone, and what they are called as elements. */
static void examples(void **state)
{
    const uint32_t official[] = {1, 2, 3, 3};
    const uint8_t counted[KT_KEY_BYTES] = {1, 2, 3};
    struct kt_bytes name = pairs((const char *const[]){"official", "Okafor", "Ada", "Bo"}, official, 4);
    struct kt_bytes phone = VALUE("phone", "+44 20 7946 0000"), ids[2];
    uint8_t both[32];
    (void)state;
    assert_int_equal(kt_element_id(kt_schema_field(KT_F_CUSTOMER_NAME), counted, nothing, name, &arena, &ids[0]),
                     KT_OK);
    assert_int_equal(
        kt_element_id(kt_schema_field(KT_F_CUSTOMER_CONTACT_POINT), counted, nothing, phone, &arena, &ids[1]), KT_OK);
    for (int i = 0; i < 2; i++) memcpy(both + 16 * i, ids[i].data, 16);
    wire_vector("value-name", name);
    wire_vector("value-phone", phone);
    wire_vector("elements", kt_bytes(both, sizeof both));
}

/* Scenario: a row is named by its source record; without one by what identifies it; an interaction without one has no
 * name but its dot. */
static void rows_are_named_by_their_source(void **state)
{
    const uint32_t sourced[] = {1, 2, 7}, event[] = {3, 4}, body[] = {7};
    struct kt_bytes a = id_of(KT_F_CASE_INTERACTION, "", pairs((const char *const[]){"311", "I-1", "one"}, sourced, 3));
    (void)state;
    assert_true(kt_bytes_equal(
        a, id_of(KT_F_CASE_INTERACTION, "", pairs((const char *const[]){"311", "I-1", "another"}, sourced, 3))));
    assert_false(kt_bytes_equal(
        a, id_of(KT_F_CASE_INTERACTION, "", pairs((const char *const[]){"311", "I-2", "one"}, sourced, 3))));
    assert_int_equal(id_of(KT_F_CASE_INTERACTION, "", pairs((const char *const[]){"said"}, body, 1)).len, 0);
    struct kt_bytes e = id_of(KT_F_LICENCE_EVENT, "", pairs((const char *const[]){"RENEW", "2005-01-01"}, event, 2));
    assert_int_equal(e.len, 16);
    assert_false(kt_bytes_equal(
        e, id_of(KT_F_LICENCE_EVENT, "", pairs((const char *const[]){"RENEW", "2006-01-01"}, event, 2))));
}

/* Scenario: what stands in an index, and what is looked for, are the same bytes. */
static void indexes_find(void **state)
{
    struct kt_bytes stored, asked;
    enum kt_index index;
    (void)state;
    assert_int_equal(kt_value_index(kt_schema_field(KT_F_CUSTOMER_IDENTIFIER), VALUE("Tax", "AB 1"), nothing, &arena,
                                    &index, &stored),
                     KT_OK);
    assert_int_equal(index, KT_INDEX_IDENTIFIER);
    assert_int_equal(kt_index_form(KT_INDEX_IDENTIFIER, kt_str("tax"), kt_str("ab  1"), nothing, &arena, &asked),
                     KT_OK);
    assert_true(kt_bytes_equal(stored, asked));
    assert_int_equal(kt_index_form(KT_INDEX_IDENTIFIER, kt_str("ta"), kt_str("xab 1"), nothing, &arena, &asked), KT_OK);
    assert_false(kt_bytes_equal(stored, asked));

    static const struct {
        const char *system, *value;
        enum kt_index index;
    } contacts[] = {
        {"phone", "030 1",    KT_INDEX_PHONE},
        {"sms",   "030 1",    KT_INDEX_PHONE},
        {"fax",   "1",        KT_INDEX_PHONE},
        {"email", "a@b",      KT_INDEX_EMAIL},
        {"url",   "http://a", KT_INDEX_NONE },
        {"phone", "none",     KT_INDEX_NONE }
    };
    for (size_t i = 0; i < sizeof contacts / sizeof contacts[0]; i++) {
        assert_int_equal(kt_value_index(kt_schema_field(KT_F_CUSTOMER_CONTACT_POINT),
                                        VALUE(contacts[i].system, contacts[i].value), kt_str("49"), &arena, &index,
                                        &stored),
                         KT_OK);
        assert_int_equal(index, contacts[i].index);
    }
    assert_int_equal(
        kt_value_index(kt_schema_field(KT_F_CASE_NUMBER), kt_str("SR-1"), nothing, &arena, &index, &stored), KT_OK);
    assert_int_equal(index, KT_INDEX_CASE_NUMBER);
    is(KT_OK, stored, "sr-1");
    assert_int_equal(
        kt_value_index(kt_schema_field(KT_F_LICENCE_NUMBER), kt_str("L-1"), nothing, &arena, &index, &stored), KT_OK);
    assert_int_equal(
        kt_index_form(KT_INDEX_IDENTIFIER, kt_str(KT_LICENCE_NUMBER_SYSTEM), kt_str("l-1"), nothing, &arena, &asked),
        KT_OK);
    assert_true(index == KT_INDEX_IDENTIFIER && kt_bytes_equal(stored, asked));
    assert_int_equal(
        kt_value_index(kt_schema_field(KT_F_CUSTOMER_OCCUPATION), kt_str("x"), nothing, &arena, &index, &stored),
        KT_OK);
    assert_int_equal(index, KT_INDEX_NONE);
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
        cmocka_unit_test(phones),
        cmocka_unit_test(texts_and_names),
        cmocka_unit_test(contact_points_are_one),
        cmocka_unit_test(elements_are_named_alike),
        cmocka_unit_test(examples),
        cmocka_unit_test(rows_are_named_by_their_source),
        cmocka_unit_test(indexes_find),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, start, end);
}
