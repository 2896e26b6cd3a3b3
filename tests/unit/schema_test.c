/* The schema's table is whole: what readers and writers take from it for granted. */
#include "proto/schema/composite.h"
#include "proto/schema/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Scenario: every kind is found by number and by name, and no number beyond is one. */
static void kinds_are_found(void **state)
{
    (void)state;
    for (uint32_t k = 1; k < KT_KIND_COUNT; k++) {
        const struct kt_schema_kind *kind = kt_schema_kind(k);
        assert_non_null(kind);
        assert_int_equal(kind->kind, k);
        assert_ptr_equal(kt_schema_kind_named(kt_str(kind->name)), kind);
    }
    assert_null(kt_schema_kind(0));
    assert_null(kt_schema_kind(KT_KIND_COUNT));
    assert_null(kt_schema_kind_named(kt_str("dragon")));
    assert_null(kt_schema_kind_named(kt_str("")));
}

/* Scenario: fields stand in order of number, each once; lists and only lists have numbers from 0x80. */
static void fields_are_in_order(void **state)
{
    uint32_t all = 0;
    (void)state;
    for (uint32_t k = 1; k < KT_KIND_COUNT; k++) {
        uint32_t len, last = k << 8;
        const struct kt_schema_field *f = kt_schema_fields(k, &len);
        bool rows = kt_schema_kind(k)->home == KT_HOME_ROW || kt_schema_kind(k)->home == KT_HOME_KEYED;
        assert_int_equal(rows, len == 0);
        for (uint32_t i = 0; i < len; i++, all++) {
            assert_true(f[i].number > last && kt_field_kind(f[i].number) == k);
            assert_int_equal(kt_field_is_list(f[i].number), f[i].shape == KT_LIST);
            assert_ptr_equal(kt_schema_field(f[i].number), &f[i]);
            assert_ptr_equal(kt_schema_field_named(k, kt_str(f[i].name)), &f[i]); /* so names are unique */
            last = f[i].number;
        }
    }
    assert_true(all > 120);
    assert_null(kt_schema_field(0));
    assert_null(kt_schema_field(KT_CUSTOMER << 8 | 0x7f));
    assert_null(kt_schema_field(UINT32_MAX));
}

/* Scenario: columns ascend, have names of their own, and a composite has some while a scalar has none. */
static void columns_are_in_order(void **state)
{
    (void)state;
    for (uint32_t k = 1; k < KT_KIND_COUNT; k++) {
        uint32_t len;
        const struct kt_schema_field *f = kt_schema_fields(k, &len);
        for (uint32_t i = 0; i < len; i++) {
            uint32_t last = 0;
            assert_int_equal(f[i].type == KT_COMPOSITE, f[i].columns != NULL);
            for (const struct kt_schema_column *c = f[i].columns; c && c->number; c++) {
                assert_true(c->number > last);
                assert_true(c->type != KT_COMPOSITE);
                assert_int_equal(c->type == KT_REF, c->ref_kind != 0);
                assert_ptr_equal(kt_schema_column_named(&f[i], kt_str(c->name)), c);
                assert_ptr_equal(kt_schema_column(&f[i], c->number), c);
                last = c->number;
            }
        }
    }
}

/* Scenario: what one row says about another is so - histories are lists of the same kind, keyed and indexed fields say
 * what identifies them, strict ones how strict. */
static void rows_fit_each_other(void **state)
{
    (void)state;
    for (uint32_t k = 1; k < KT_KIND_COUNT; k++) {
        uint32_t len;
        const struct kt_schema_field *f = kt_schema_fields(k, &len);
        for (uint32_t i = 0; i < len; i++) {
            bool identifying = false;
            for (const struct kt_schema_column *c = f[i].columns; c && c->number; c++) identifying |= c->identifying;
            assert_int_equal(f[i].type == KT_REF, f[i].ref_kind != 0);
            if (f[i].history) {
                const struct kt_schema_field *h = kt_schema_field(f[i].history);
                assert_true(h && h->shape == KT_LIST && h->derived && kt_field_kind(h->number) == k);
                assert_int_equal(f[i].shape, KT_REGISTER);
                assert_int_equal(h->place, f[i].place);
            }
            if (f[i].keyed) assert_true(f[i].shape == KT_REGISTER && identifying);
            if (f[i].shape == KT_SET && f[i].columns) assert_true(identifying);
            if (f[i].shape == KT_REGISTER && f[i].rule == KT_STRICTEST) {
                const char *const *allowed;
                kt_value_deciding(&f[i], kt_str(""), &allowed);
                assert_non_null(allowed);
            }
            if (f[i].rule == KT_AUTHORITY) assert_non_null(kt_schema_authority(f[i].number));
        }
    }
    assert_null(kt_schema_authority(KT_F_CUSTOMER_NAME));
}

/* Scenario: the fields every entity has are the same number everywhere, and a customer's are in core. */
static void common_fields_are_common(void **state)
{
    static const struct {
        uint32_t n;
        const char *name;
    } common[] = {
        {KT_N_OFFICE,          "office"         },
        {KT_N_AGENCY,          "agency"         },
        {KT_N_CREATED,         "created"        },
        {KT_N_DELETED,         "deleted"        },
        {KT_N_SOURCE,          "source"         },
        {KT_N_RETENTION_UNTIL, "retention_until"}
    };
    (void)state;
    for (uint32_t k = 1; k < KT_KIND_COUNT; k++) {
        uint32_t len;
        if (!kt_schema_fields(k, &len)) continue;
        bool own = k == KT_CASE || k == KT_TASK || k == KT_LICENCE;
        for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
            const struct kt_schema_field *f = kt_schema_field(k << 8 | common[i].n);
            assert_non_null(f);
            assert_string_equal(f->name, common[i].name);
            assert_int_equal(f->place, own ? KT_IN_OWN : KT_IN_CORE);
        }
    }
}

/* Scenario: a row kind points at lists that exist where it says, and their rows begin with the source columns. */
static void rows_have_homes(void **state)
{
    (void)state;
    for (uint32_t k = 1; k < KT_KIND_COUNT; k++) {
        const struct kt_schema_kind *kind = kt_schema_kind(k);
        const uint32_t fields[] = {kind->list_field_customer, kind->list_field_case};
        bool any = kind->home == KT_HOME_ROW || kind->home == KT_HOME_KEYED;
        assert_int_equal(any, fields[0] || fields[1]);
        for (int i = 0; i < 2; i++) {
            if (!fields[i]) continue;
            const struct kt_schema_field *f = kt_schema_field(fields[i]);
            assert_true(f && kt_field_kind(fields[i]) == (i ? KT_CASE : KT_CUSTOMER));
            assert_int_equal(f->shape == KT_LIST, kind->home == KT_HOME_ROW);
            assert_int_equal(f->keyed, kind->home == KT_HOME_KEYED);
        }
    }
    for (uint32_t k = 1; k < KT_KIND_COUNT; k++) {
        uint32_t len;
        const struct kt_schema_field *f = kt_schema_fields(k, &len);
        for (uint32_t i = 0; i < len; i++) {
            if (f[i].shape != KT_LIST) continue;
            assert_string_equal(kt_schema_column(&f[i], KT_C_ROW_SOURCE_SYSTEM)->name, "source_system");
            assert_string_equal(kt_schema_column(&f[i], KT_C_ROW_SOURCE_ID)->name, "source_id");
        }
    }
}

/* Scenario: numbers that are in journals already: they never change. */
static void numbers_stand(void **state)
{
    (void)state;
    assert_int_equal(KT_F_CUSTOMER_NAME, 0x117);
    assert_int_equal(KT_F_CUSTOMER_CONTACT_POINT, 0x119);
    assert_int_equal(KT_F_CUSTOMER_IDENTIFIER, 0x130);
    assert_int_equal(KT_F_CUSTOMER_OCCUPATION, 0x131);
    assert_int_equal(KT_F_IDENTITY_LINK_VERDICT, 0x212);
    assert_int_equal(KT_F_CASE_STATUS, 0x517);
    assert_int_equal(KT_F_CASE_INTERACTION, 0x580);
    assert_int_equal(KT_F_LICENCE_EVENT, 0xb80);
    assert_int_equal(KT_C_NAME_GIVEN, 3);
    assert_int_equal(KT_C_INTERACTION_BODY, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_found),
        cmocka_unit_test(fields_are_in_order),
        cmocka_unit_test(columns_are_in_order),
        cmocka_unit_test(rows_fit_each_other),
        cmocka_unit_test(common_fields_are_common),
        cmocka_unit_test(rows_have_homes),
        cmocka_unit_test(numbers_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
