/* Views and answers become the JSON that the design shows: what was put comes back under the same names. */
#include "client/cli/json/json.h"
#include "proto/schema/composite.h"
#include "proto/schema/fields.h"
#include "proto/schema/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

static struct kt_arena arena;
static uint8_t id_key[KT_KEY_BYTES] = {4};

static struct kt_record parse(const char *line)
{
    struct kt_record r = {0};
    struct kt_json_fault fault = {0};
    assert_int_equal(kt_json_record(kt_str(line), 1, &arena, &r, &fault), KT_OK);
    return r;
}

static int resolve(void *ctx, uint32_t kind, struct kt_bytes system, struct kt_bytes id, struct kt_entity_id *out)
{
    return kt_ref_entity(ctx, kind, system, id, out);
}

/* What a node would keep of a put line: a section with one record. */
static struct kt_section_in kept(kt_compartment c, enum kt_place place, const char *line, uint64_t time)
{
    struct kt_record r = parse(line);
    struct kt_view_value values[64];
    struct kt_view_record record = {.kind = r.kind, .values = values};
    struct kt_buf b;
    kt_buf_init(&b, 1 << 20);
    record.id = kt_entity_id_of(id_key, r.kind, r.source_system, r.source_id);
    uint32_t source = r.kind << 8 | KT_N_SOURCE;
    kt_buf_pb_bytes(&b, KT_C_SOURCE_SYSTEM, r.source_system);
    kt_buf_pb_bytes(&b, KT_C_SOURCE_ID, r.source_id);
    if (kt_schema_field(source)->place == place)
        values[record.values_len++] = (struct kt_view_value){
            .field = source, .value = kt_arena_copy(&arena, kt_buf_bytes(&b)), .stamp = time << 16};
    kt_buf_clear(&b);
    for (uint32_t i = 0; i < r.fields_len; i++) {
        const struct kt_schema_field *f = kt_schema_field(r.fields[i].field);
        for (uint32_t j = 0; f->place == place && j < r.fields[i].add_len; j++) {
            struct kt_view_value *v = &values[record.values_len++];
            *v = (struct kt_view_value){
                .field = f->number, .stamp = time << 16, .dot = {.origin = {1, 1}, .op = j}
            };
            assert_int_equal(kt_value_resolve_refs(f, r.fields[i].add[j], resolve, id_key, &arena, &v->value), KT_OK);
            if (f->shape != KT_REGISTER || f->keyed)
                assert_int_equal(kt_element_id(f, id_key, kt_str("49"), v->value, &arena, &v->element), KT_OK);
        }
    }
    assert_int_equal(kt_view_section_encode(&record, 1, r.kind == KT_CASE, &b), KT_OK);
    struct kt_section_in in = {c, kt_arena_copy(&arena, kt_buf_bytes(&b))};
    kt_buf_free(&b);
    return in;
}

#define PERSON                                                                                                         \
    "{\"entity\":\"customer\",\"source_system\":\"revenue\",\"source_id\":\"C-1\",\"kind\":\"person\","                \
    "\"birthDate\":\"1980-02-29\",\"name\":[{\"use\":\"official\",\"familyName\":\"Ærø\",\"givenName\":[\"Ada\"]}]," \
    "\"identifier\":[{\"system\":\"tax\",\"value\":\"1\",\"period\":{\"start\":\"2020-01-01\"}}],\"occupation\":"      \
    "\"smith\","                                                                                                       \
    "\"address\":[{\"text\":\"here\",\"lat\":37.7797,\"long\":-122}],"                                                 \
    "\"contactPoint\":[{\"system\":\"phone\",\"value\":\"+49 30 "                                                      \
    "1\",\"rank\":1},{\"system\":\"email\",\"value\":\"A@b\"}]}"
#define CASE                                                                                                           \
    "{\"entity\":\"case\",\"source_system\":\"311\",\"source_id\":\"SR-1\",\"number\":\"SR-1\",\"status\":\"open\","   \
    "\"customer\":[{\"ref\":\"revenue:C-1\",\"role\":\"requester\"}],\"parent\":\"311:SR-0\","                         \
    "\"requested_datetime\":\"2026-03-01T21:10:00Z\",\"interactions\":[{\"source_id\":\"I-1\",\"body\":\"said\","      \
    "\"internal\":false}]}"

static struct kt_reply reply_of(struct kt_section_in *in, uint32_t n)
{
    struct kt_reply r = {.kind = KT_ASK_LOOKUP};
    r.lookup.sections = kt_arena_array(&arena, n, sizeof *r.lookup.sections);
    for (uint32_t i = 0; i < n; i++) {
        r.lookup.sections[i].compartment = in[i].compartment;
        r.lookup.sections[i].bytes = in[i].bytes;
    }
    r.lookup.sections_len = n;
    r.lookup.basis = kt_str("token");
    return r;
}

static json_t *lookup(const struct kt_reply *r)
{
    json_t *j = NULL;
    assert_int_equal(kt_json_lookup(r, &arena, &j), KT_OK);
    return j;
}

static const char *at(const json_t *j, const char *key) { return json_string_value(json_object_get(j, key)); }

/* Scenario: what was put comes back under the same names, with its references by name. */
static void views_show_what_was_put(void **state)
{
    struct kt_section_in in[] = {kept(KT_CORE, KT_IN_CORE, PERSON, 5), kept(2, KT_IN_OWN, PERSON, 5),
                                 kept(3, KT_IN_OWN, CASE, 6)};
    struct kt_reply r = reply_of(in, 3);
    struct kt_bytes withheld[] = {kt_str("health")};
    struct kt_office_freshness offices[] = {
        {kt_str("office-2"), true,  1772399400000},
        {kt_str("office-3"), false, 0            }
    };
    (void)state;
    r.lookup.withheld = withheld;
    r.lookup.withheld_len = 1;
    r.lookup.offices = offices;
    r.lookup.offices_len = 1;
    r.lookup.now_ms = 1772399402500;
    json_t *j = lookup(&r), *put = json_loads(PERSON, 0, NULL), *c = json_object_get(j, "customer");
    static const char *const same[] = {"kind",       "birthDate", "name",        "identifier",
                                       "occupation", "address",   "contactPoint"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        json_t *x = json_object_get(c, same[i]), *y = json_object_get(put, same[i]);
        char *got = kt_json_text(x), *want = kt_json_text(y);
        assert_string_equal(got, want);
        free(got);
        free(want);
    }
    assert_string_equal(json_string_value(json_array_get(json_object_get(c, "sources"), 0)), "revenue:C-1");
    json_t *one = json_array_get(json_object_get(j, "cases"), 0),
           *role = json_array_get(json_object_get(one, "customer"), 0);
    assert_string_equal(at(one, "number"), "SR-1");
    assert_string_equal(at(one, "source"), "311:SR-1");
    assert_string_equal(at(role, "ref"), "revenue:C-1");
    assert_true(strncmp(at(one, "parent"), "case:", 5) == 0 && strlen(at(one, "parent")) == 37); /* not in this view */
    json_t *row = json_array_get(json_object_get(one, "interactions"), 0);
    assert_string_equal(at(row, "body"), "said");
    assert_true(json_is_false(json_object_get(row, "internal")));
    assert_true(json_array_size(json_object_get(j, "conflicts")) == 0 &&
                json_array_size(json_object_get(j, "licences")) == 0);
    assert_string_equal(json_string_value(json_array_get(json_object_get(j, "withheld"), 0)), "health");
    assert_string_equal(at(j, "basis"), "token");
    json_t *fresh = json_object_get(j, "freshness");
    assert_true(json_real_value(json_object_get(fresh, "worst_age_s")) == 2.5);
    assert_string_equal(at(json_object_get(json_object_get(fresh, "offices"), "office-2"), "complete_through"),
                        "2026-03-01T21:10:00Z");
    json_decref(j);
    json_decref(put);

    r.lookup.offices_len = 2; /* one office was never heard of: how old the answer is, nobody knows */
    j = lookup(&r);
    fresh = json_object_get(j, "freshness");
    assert_true(json_is_null(json_object_get(fresh, "worst_age_s")));
    assert_true(json_is_null(
        json_object_get(json_object_get(json_object_get(fresh, "offices"), "office-3"), "complete_through")));
    json_decref(j);
}

/* Scenario: a case nobody's, a view with nothing in it, several people. */
static void other_answers(void **state)
{
    struct kt_section_in in[] = {kept(3, KT_IN_OWN, CASE, 6)};
    struct kt_reply r = reply_of(in, 1);
    struct kt_match matches[] = {
        {kt_str("0a"), kt_str("Ada"), {0}, kt_str("phone")},
        {kt_str("0b"), {0},           {0}, kt_str("phone")}
    };
    json_t *j = lookup(&r);
    (void)state;
    assert_true(json_is_null(json_object_get(j, "customer")) && json_array_size(json_object_get(j, "cases")) == 1);
    const char *ref =
        at(json_array_get(json_object_get(json_array_get(json_object_get(j, "cases"), 0), "customer"), 0), "ref");
    assert_true(strncmp(ref, "customer:", 9) == 0);
    json_decref(j);

    r = reply_of(in, 0);
    assert_int_equal(kt_json_lookup(&r, &arena, &j), KT_ENOTFOUND);
    r.lookup.matches = matches;
    r.lookup.matches_len = 2;
    r.lookup.more = true;
    j = lookup(&r);
    char *text = kt_json_text(j);
    assert_string_equal(text,
                        "{\"matches\": [{\"id\": \"0a\", \"name\": \"Ada\", \"birthDate\": null, \"why\": \"phone\"}, "
                        "{\"id\": \"0b\", \"name\": null, \"birthDate\": null, \"why\": \"phone\"}], \"more\": true}");
    free(text);
    json_decref(j);
}

/* Scenario: the list of conflicts says what each office wrote, who and when. */
static void conflicts_are_listed(void **state)
{
    struct kt_conflict_value values[] = {
        {kt_str("nurse"), true,  kt_str("office-3"), kt_str("ada"), (uint64_t)1772399400500 << 16},
        {{0},             false, kt_str("office-1"), {0},           (uint64_t)1772399400000 << 16}
    };
    struct kt_conflict c = {kt_str("00ff"), kt_str("revenue:C-1"), KT_F_CUSTOMER_OCCUPATION, {0}, values, 2};
    struct kt_reply r = {.kind = KT_ASK_CONFLICTS};
    (void)state;
    r.conflicts.items = &c;
    r.conflicts.len = 1;
    json_t *j = kt_json_conflicts(&r);
    char *text = kt_json_text(j);
    assert_string_equal(
        text, "[{\"id\": \"00ff\", \"ref\": \"revenue:C-1\", \"field\": \"occupation\", \"values\": ["
              "{\"value\": \"nurse\", \"office\": \"office-3\", \"by\": \"ada\", \"at\": "
              "\"2026-03-01T21:10:00.5Z\"}, {\"value\": null, \"office\": \"office-1\", \"by\": null, \"at\": "
              "\"2026-03-01T21:10:00Z\"}]}]");
    free(text);
    json_decref(j);
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
        cmocka_unit_test(views_show_what_was_put),
        cmocka_unit_test(other_answers),
        cmocka_unit_test(conflicts_are_listed),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, start, end);
}
