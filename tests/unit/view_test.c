/* Views: sections there and back, and what is shown of live values - by the rules, the same everywhere. */
#include "proto/schema/fields.h"
#include "proto/view/rules.h"
#include "proto/schema/value.h"
#include "proto/view/view.h"
#include "proto/view/view.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

#include "support/wire.h"

enum { REVENUE = 2, MOTOR = 3, DESK = 4, VALUES_MAX = 64 };

static struct kt_arena arena;
static const struct kt_entity_id ada = {"ada-in-revenue.."}, ada_too = {"ada-in-motor...."},
                                 noise = {"case-noise......"}, leak = {"case-leak......."},
                                 visit = {"task-visit......"};

/* A record under construction. */
struct made {
    struct kt_view_record r;
    struct kt_view_value values[VALUES_MAX];
    struct kt_view_count counts[2];
};

static struct made of(uint32_t kind, const struct kt_entity_id *id)
{
    struct made m = {
        .r = {.kind = kind, .id = *id}
    };
    return m;
}

static struct kt_bytes copy(struct kt_bytes b) { return kt_arena_copy(&arena, b); }

/* `time` is both the stamp and the batch it came in. */
static void add(struct made *m, kt_member member, uint64_t time, uint32_t field, const char *element,
                struct kt_bytes value)
{
    assert_true(m->r.values_len < VALUES_MAX);
    m->values[m->r.values_len] = (struct kt_view_value){
        .field = field,
        .element = copy(kt_str(element)),
        .value = value,
        .dot = {.origin = {member, 1000 + member}, .batch = time, .op = m->r.values_len},
        .stamp = time << 16,
    };
    m->r.values_len++;
}

static struct kt_bytes two(uint32_t a, const char *x, uint32_t b, const char *y)
{
    struct kt_buf buf;
    kt_buf_init(&buf, 1 << 16);
    kt_buf_pb_bytes(&buf, a, kt_str(x));
    if (b) kt_buf_pb_bytes(&buf, b, kt_str(y));
    struct kt_bytes v = copy(kt_buf_bytes(&buf));
    kt_buf_free(&buf);
    return v;
}

static struct kt_bytes section(const struct made *made, uint32_t n, uint64_t cases)
{
    struct kt_view_record records[8];
    struct kt_buf b;
    kt_buf_init(&b, 1 << 20);
    for (uint32_t i = 0; i < n; i++) {
        records[i] = made[i].r;
        records[i].values = (struct kt_view_value *)made[i].values;
        records[i].counts = (struct kt_view_count *)made[i].counts;
    }
    assert_int_equal(kt_view_section_encode(records, n, cases, &b), KT_OK);
    struct kt_bytes out = copy(kt_buf_bytes(&b));
    kt_buf_free(&b);
    return out;
}

static struct kt_view compose(const struct kt_section_in *sections, uint32_t n)
{
    struct kt_view v;
    assert_int_equal(kt_view_compose(sections, n, &ada, &arena, &v), KT_OK);
    return v;
}

/* The shown values of a field, joined by "|". */
static const char *shown(const struct kt_shown_entity *e, uint32_t field)
{
    char *out = kt_arena_alloc(&arena, 4096);
    for (uint32_t i = 0; i < e->shown_len; i++)
        if (e->shown[i].field->number == field)
            snprintf(out + strlen(out), 4096 - strlen(out), "%s%.*s", *out ? "|" : "", (int)e->shown[i].value.len,
                     (const char *)e->shown[i].value.data);
    return out;
}

static void customer(struct made *core, struct made *own, const struct kt_entity_id *id, const char *system,
                     const char *sid, const char *name, const char *job, kt_member member, uint64_t time)
{
    *core = of(KT_CUSTOMER, id);
    *own = of(KT_CUSTOMER, id);
    add(core, member, time, KT_F_CUSTOMER_SOURCE, "", two(KT_C_SOURCE_SYSTEM, system, KT_C_SOURCE_ID, sid));
    add(core, member, time, KT_F_CUSTOMER_LEGAL_NAME, "", kt_str(name));
    add(own, member, time + 1, KT_F_CUSTOMER_OCCUPATION, "", kt_str(job));
}

/* Scenario: a section goes out, is read by protoc-c's code as view.proto has it, and comes back as it was. */
static void sections_return(void **state)
{
    struct made m[2] = {of(KT_CUSTOMER, &ada), of(KT_TASK, &visit)};
    struct kt_view_record *back;
    uint32_t n;
    uint64_t cases;
    (void)state;
    m[1].r.parent = noise;
    add(&m[0], 1, 5, KT_F_CUSTOMER_LEGAL_NAME, "", kt_str("Ada"));
    add(&m[0], 1, 5, KT_F_CUSTOMER_TAG, "elem", kt_str("vip"));
    add(&m[0], 2, 9, KT_F_CUSTOMER_NOTE, "", two(KT_C_NOTE_ROW_TEXT, "a note", 0, NULL));
    m[0].counts[0] = (struct kt_view_count){KT_F_CUSTOMER_NOTE, 120};
    m[0].r.counts_len = 1;
    add(&m[1], 2, 9, KT_F_TASK_STATUS, "", kt_str("done"));
    struct kt_bytes bytes = section(m, 2, 7);
    wire_vector("view-section", bytes);
    wire_same_as_protobuf(&kontor__view__view_section__descriptor, bytes);

    Kontor__View__ViewSection *s = kontor__view__view_section__unpack(NULL, bytes.len, bytes.data);
    assert_non_null(s);
    assert_int_equal(s->n_record, 2);
    assert_int_equal(s->n_commit, 2); /* three values of one record came in two envelopes, the task's in the second */
    assert_true(s->has_cases_in_all && s->cases_in_all == 7);
    assert_int_equal(s->record[0]->n_value, 3);
    assert_int_equal(s->record[0]->value[1]->field, KT_F_CUSTOMER_TAG);
    assert_memory_equal(s->record[0]->value[1]->element.data, "elem", 4);
    assert_int_equal(s->record[0]->value[2]->commit, 1);
    assert_int_equal(s->record[0]->count[0]->rows, 120);
    assert_int_equal(s->commit[0]->incarnation, 1001);
    assert_true(s->record[1]->has_parent);
    /* and what protoc-c writes of it, we read */
    uint8_t again[4096];
    size_t again_len = kontor__view__view_section__pack(s, again);
    kontor__view__view_section__free_unpacked(s, NULL);

    assert_int_equal(kt_view_section_decode(kt_bytes(again, again_len), &arena, &back, &n, &cases), KT_OK);
    assert_true(n == 2 && cases == 7);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(back[i].kind, m[i].r.kind);
        assert_memory_equal(&back[i].id, &m[i].r.id, 16);
        assert_memory_equal(&back[i].parent, &m[i].r.parent, 16);
        assert_int_equal(back[i].values_len, m[i].r.values_len);
        for (uint32_t j = 0; j < back[i].values_len; j++) {
            const struct kt_view_value *x = &back[i].values[j], *y = &m[i].values[j];
            assert_true(x->field == y->field && kt_bytes_equal(x->element, y->element) &&
                        kt_bytes_equal(x->value, y->value));
            assert_true(kt_dot_compare(&x->dot, &y->dot) == 0 && x->stamp == y->stamp);
        }
    }
    assert_true(back[0].counts_len == 1 && back[0].counts[0].rows == 120);
}

/* Scenario: a section cut short, or with any byte changed, is refused or read as something - never beyond its end. */
static void damaged_sections(void **state)
{
    struct made m = of(KT_CUSTOMER, &ada);
    struct kt_view_record *back;
    struct wire_random dice = wire_random(randombytes_random());
    uint32_t n;
    uint64_t cases;
    (void)state;
    add(&m, 1, 5, KT_F_CUSTOMER_LEGAL_NAME, "", kt_str("Ada"));
    add(&m, 1, 6, KT_F_CUSTOMER_TAG, "elem", kt_str("vip"));
    struct kt_bytes made = section(&m, 1, 0);
    uint8_t kept[512]; /* outlives the arena's resets */
    assert_true(made.len < sizeof kept);
    memcpy(kept, made.data, made.len);
    struct kt_bytes bytes = kt_bytes(kept, made.len);
    for (size_t len = 1; len < bytes.len; len++) {
        uint8_t *cut = malloc(len); /* of its own, so that the sanitizer sees the end */
        memcpy(cut, bytes.data, len);
        int err = kt_view_section_decode(kt_bytes(cut, len), &arena, &back, &n, &cases);
        assert_true(err == KT_OK || err == KT_ETRUNCATED || err == KT_EMALFORMED);
        free(cut);
    }
    for (int round = 0; round < 2000; round++) {
        uint8_t *bad = malloc(bytes.len);
        struct kt_view v;
        memcpy(bad, bytes.data, bytes.len);
        bad[wire_below(&dice, (uint32_t)bytes.len)] = (uint8_t)wire_next(&dice);
        struct kt_section_in in = {KT_CORE, kt_bytes(bad, bytes.len)};
        int err = kt_view_compose(&in, 1, &ada, &arena, &v);
        assert_true(err == KT_OK || err == KT_ETRUNCATED || err == KT_EMALFORMED || err == KT_EOVERSIZE);
        free(bad);
        if (round % 100 == 99) kt_arena_reset(&arena);
    }
    /* a value that names an envelope which is not there */
    assert_int_equal(kt_view_section_decode(kt_bytes("\x12\x0a\x08\x01\x22\x06\x08\x01\x18\x00\x20\x00", 12), &arena,
                                            &back, &n, &cases),
                     KT_EMALFORMED);
}

/* Scenario: one record, known to core by name and to revenue by occupation: one customer. */
static void compartments_come_together(void **state)
{
    struct made core, own;
    (void)state;
    customer(&core, &own, &ada, "revenue", "C-1", "Ada", "teacher", 1, 5);
    struct kt_section_in in[] = {
        {REVENUE, section(&own,  1, 0)},
        {KT_CORE, section(&core, 1, 0)}
    };
    struct kt_view v = compose(in, 2);
    assert_true(v.has_customer && v.sources_len == 1 && v.conflicts_len == 0);
    assert_true(kt_bytes_equal(v.sources[0].source_id, kt_str("C-1")));
    assert_string_equal(shown(&v.customer, KT_F_CUSTOMER_LEGAL_NAME), "Ada");
    assert_string_equal(shown(&v.customer, KT_F_CUSTOMER_OCCUPATION), "teacher");
    assert_true(v.customer.created == 5 << 16 && v.customer.modified == 6 << 16);
    /* one who may not read revenue sees the same without it */
    v = compose(&in[1], 1);
    assert_string_equal(shown(&v.customer, KT_F_CUSTOMER_OCCUPATION), "");
}

/* Scenario: two offices, cut from each other, write an occupation: the later is shown, and it is one conflict, of the
 * same name whoever looks; once one value is left it is none. */
static void a_conflict_is_told(void **state)
{
    struct made core, own;
    uint8_t id[16];
    (void)state;
    customer(&core, &own, &ada, "revenue", "C-1", "Ada", "teacher", 1, 5);
    add(&own, 3, 9, KT_F_CUSTOMER_OCCUPATION, "", kt_str("nurse"));
    struct kt_section_in in[] = {
        {KT_CORE, section(&core, 1, 0)},
        {REVENUE, section(&own,  1, 0)}
    };
    struct kt_view v = compose(in, 2);
    assert_string_equal(shown(&v.customer, KT_F_CUSTOMER_OCCUPATION), "nurse");
    assert_int_equal(v.conflicts_len, 1);
    assert_int_equal(v.conflicts[0].field, KT_F_CUSTOMER_OCCUPATION);
    kt_conflict_id(REVENUE, &ada, &ada, KT_F_CUSTOMER_OCCUPATION, kt_bytes(NULL, 0), id);
    assert_memory_equal(id, v.conflicts[0].id, 16);
    wire_vector("conflict-id", kt_bytes(id, sizeof id));
    kt_conflict_id(MOTOR, &ada, &ada, KT_F_CUSTOMER_OCCUPATION, kt_bytes(NULL, 0), id);
    assert_memory_not_equal(id, v.conflicts[0].id, 16);
    /* both wrote the same: nobody need be asked */
    own.values[1].value = kt_str("teacher");
    in[1].bytes = section(&own, 1, 0);
    v = compose(in, 2);
    assert_int_equal(v.conflicts_len, 0);
}

/* Scenario: two source records are one person: registers by rule, sets united, lists by time, and no conflict between
 * what two systems each say for themselves. */
static void records_become_one(void **state)
{
    struct made core[2], own[2];
    (void)state;
    customer(&core[0], &own[0], &ada, "revenue", "C-1", "Ada Okafor", "teacher", 1, 5);
    customer(&core[1], &own[1], &ada_too, "motor", "M-9", "A. Okafor", "nurse", 2, 7);
    add(&core[0], 1, 11, KT_F_CUSTOMER_LANGUAGE, "e-en", kt_str("en"));
    add(&core[1], 2, 10, KT_F_CUSTOMER_LANGUAGE, "e-de", kt_str("de"));
    add(&core[1], 2, 12, KT_F_CUSTOMER_LANGUAGE, "e-en", kt_str("en"));
    add(&own[0], 1, 20, KT_F_CUSTOMER_NOTE, "", two(KT_C_NOTE_ROW_TEXT, "older", 0, NULL));
    add(&own[1], 2, 21, KT_F_CUSTOMER_NOTE, "", two(KT_C_NOTE_ROW_TEXT, "newer", 0, NULL));
    own[1].counts[0] = (struct kt_view_count){KT_F_CUSTOMER_NOTE, 60};
    own[1].r.counts_len = 1;
    struct kt_section_in in[] = {
        {KT_CORE, section(core,    2, 0)},
        {REVENUE, section(&own[0], 1, 0)},
        {MOTOR,   section(&own[1], 1, 0)}
    };
    struct kt_view v = compose(in, 3);
    assert_int_equal(v.sources_len, 2);
    assert_true(kt_bytes_equal(v.sources[0].source_system, kt_str("motor"))); /* in order of their names */
    assert_int_equal(v.conflicts_len, 0);
    assert_string_equal(shown(&v.customer, KT_F_CUSTOMER_LEGAL_NAME), "A. Okafor");
    assert_string_equal(shown(&v.customer, KT_F_CUSTOMER_OCCUPATION), "nurse");
    assert_string_equal(shown(&v.customer, KT_F_CUSTOMER_LANGUAGE), "de|en");
    assert_string_equal(shown(&v.customer, KT_F_CUSTOMER_NOTE), "\x1a\x05newer|\x1a\x05older");
    assert_true(v.customer.counts_len == 1 && v.customer.counts[0].rows == 61);
    assert_memory_equal(&v.customer.id, &ada, 16);
    /* the records themselves are as they were */
    assert_string_equal(shown(&v.sources[1], KT_F_CUSTOMER_OCCUPATION), "teacher");
    assert_string_equal(shown(&v.sources[1], KT_F_CUSTOMER_LANGUAGE), "en");
}

/* Scenario: an element written twice at once shows its latest form, in the place of its first. */
static void elements_keep_their_place(void **state)
{
    struct made core = of(KT_CUSTOMER, &ada);
    (void)state;
    add(&core, 1, 5, KT_F_CUSTOMER_LANGUAGE, "e-1", kt_str("old"));
    add(&core, 2, 9, KT_F_CUSTOMER_LANGUAGE, "e-1", kt_str("new"));
    add(&core, 1, 6, KT_F_CUSTOMER_LANGUAGE, "e-0", kt_str("next"));
    struct kt_section_in in = {KT_CORE, section(&core, 1, 0)};
    struct kt_view v = compose(&in, 1);
    assert_string_equal(shown(&v.customer, KT_F_CUSTOMER_LANGUAGE), "new|next");
    assert_int_equal(v.conflicts_len, 0);
    assert_true(v.customer.shown[0].stamp == 5 << 16);
}

/* Scenario: attributes are a register for each code; one in conflict leaves the others alone. */
static void keyed_registers_stand_apart(void **state)
{
    struct made m = of(KT_CASE, &noise);
    (void)state;
    add(&m, 1, 5, KT_F_CASE_ATTRIBUTE, "e-b", two(KT_C_ATTRIBUTE_CODE, "b", KT_C_ATTRIBUTE_VALUE, "1"));
    add(&m, 1, 6, KT_F_CASE_ATTRIBUTE, "e-a", two(KT_C_ATTRIBUTE_CODE, "a", KT_C_ATTRIBUTE_VALUE, "1"));
    add(&m, 2, 7, KT_F_CASE_ATTRIBUTE, "e-a", two(KT_C_ATTRIBUTE_CODE, "a", KT_C_ATTRIBUTE_VALUE, "2"));
    struct kt_section_in in = {DESK, section(&m, 1, 1)};
    struct kt_view v = compose(&in, 1);
    assert_false(v.has_customer);
    assert_true(v.cases_len == 1 && v.cases_in_all == 1 && v.conflicts_len == 1);
    assert_string_equal(shown(&v.cases[0], KT_F_CASE_ATTRIBUTE), "\n\x01"
                                                                 "a\x12\x01"
                                                                 "2|\n\x01"
                                                                 "b\x12\x01"
                                                                 "1");
    assert_true(kt_bytes_equal(v.conflicts[0].element, kt_str("e-a")));
}

/* Scenario: cases stand newest first, by when they were asked for; tasks know their case. */
static void cases_stand_newest_first(void **state)
{
    struct made m[4] = {of(KT_CASE, &noise), of(KT_CASE, &leak), of(KT_TASK, &visit), of(KT_LICENCE, &ada)};
    (void)state;
    add(&m[0], 1, 9, KT_F_CASE_REQUESTED, "", kt_str("2026-03-01T21:10:00Z"));
    add(&m[1], 1, 5, KT_F_CASE_REQUESTED, "", kt_str("2026-03-01T21:10:00.5Z"));
    m[2].r.parent = leak;
    add(&m[2], 1, 6, KT_F_TASK_STATUS, "", kt_str("open"));
    add(&m[2], 2, 7, KT_F_TASK_STATUS, "", kt_str("done"));
    add(&m[3], 1, 6, KT_F_LICENCE_NUMBER, "", kt_str("L-1"));
    struct kt_section_in in = {DESK, section(m, 4, 0)};
    struct kt_view v = compose(&in, 1);
    uint8_t id[16];
    assert_true(v.cases_len == 2 && v.others_len == 1 && v.licences_len == 1);
    assert_memory_equal(&v.cases[0].id, &leak, 16);
    assert_memory_equal(&v.others[0].parent, &leak, 16);
    kt_conflict_id(DESK, &leak, &visit, KT_F_TASK_STATUS, kt_bytes(NULL, 0), id); /* a task's ward is its case */
    assert_true(v.conflicts_len == 1 && memcmp(v.conflicts[0].id, id, 16) == 0);
}

/* Scenario: what is deleted is not shown; what somebody wrote meanwhile brings it back, with a conflict to settle. */
static void deleted_is_hidden(void **state)
{
    struct made core = of(KT_CUSTOMER, &ada), own = of(KT_CUSTOMER, &ada), m = of(KT_CASE, &noise);
    (void)state;
    add(&core, 1, 5, KT_F_CUSTOMER_DELETED, "", kt_str("true"));
    add(&core, 1, 5, KT_F_CUSTOMER_SOURCE, "", two(1, "revenue", 2, "C-1"));
    add(&m, 1, 5, KT_F_CASE_DELETED, "", kt_str("true"));
    struct kt_section_in in[] = {
        {KT_CORE,     section(&core, 1, 0)},
        {DESK,         section(&m,                      1, 0)},
        {REVENUE,{0}}
    };
    struct kt_view v = compose(in, 2);
    assert_true(!v.has_customer && v.cases_len == 0 && v.conflicts_len == 0);

    add(&own, 2, 7, KT_F_CUSTOMER_OCCUPATION, "", kt_str("nurse"));
    in[2].bytes = section(&own, 1, 0);
    v = compose(in, 3);
    assert_true(v.has_customer && v.conflicts_len == 1);
    assert_int_equal(v.conflicts[0].field, KT_F_CUSTOMER_DELETED);
    assert_string_equal(shown(&v.customer, KT_F_CUSTOMER_OCCUPATION), "nurse");
}

/* Scenario: somebody known only because others refer to him is nobody yet; fields of a later schema are not shown. */
static void placeholders_are_nobody(void **state)
{
    struct made m[2] = {of(KT_CUSTOMER, &ada), of(KT_CASE, &noise)};
    (void)state;
    add(&m[1], 1, 5, KT_F_CASE_SUBJECT, "", kt_str("noise"));
    add(&m[1], 1, 5, KT_CASE << 8 | 0x7f, "", kt_str("from the future"));
    add(&m[1], 1, 5, KT_F_CUSTOMER_OCCUPATION, "", kt_str("of another kind"));
    struct kt_section_in in = {DESK, section(m, 2, 0)};
    struct kt_view v = compose(&in, 1);
    assert_true(!v.has_customer && v.cases_len == 1);
    assert_int_equal(v.cases[0].shown_len, 1);
}

/* Scenario: the parts of a view arrive in any order, and it is the same view. */
static void order_does_not_matter(void **state)
{
    struct wire_random dice = wire_random(randombytes_random());
    struct made m[6];
    const char *want = NULL;
    (void)state;
    customer(&m[0], &m[1], &ada, "revenue", "C-1", "Ada Okafor", "teacher", 1, 5);
    customer(&m[2], &m[3], &ada_too, "motor", "M-9", "A. Okafor", "nurse", 2, 5);
    m[4] = of(KT_CASE, &noise);
    add(&m[4], 1, 5, KT_F_CASE_STATUS, "", kt_str("open"));
    add(&m[4], 2, 5, KT_F_CASE_STATUS, "", kt_str("closed"));
    m[5] = of(KT_CASE, &leak);
    add(&m[5], 2, 5, KT_F_CASE_STATUS, "", kt_str("new"));
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 6; i++)
            for (uint32_t j = m[i].r.values_len; j > 1; j--) {
                uint32_t k = wire_below(&dice, j);
                struct kt_view_value swap = m[i].values[j - 1];
                m[i].values[j - 1] = m[i].values[k];
                m[i].values[k] = swap;
            }
        bool flip = wire_below(&dice, 2);
        struct made core[2] = {m[flip ? 2 : 0], m[flip ? 0 : 2]}, cases[2] = {m[flip ? 4 : 5], m[flip ? 5 : 4]};
        struct kt_section_in in[] = {
            {KT_CORE, section(core,  2, 0)},
            {REVENUE, section(&m[1], 1, 0)},
            {MOTOR,   section(&m[3], 1, 0)},
            {DESK,    section(cases, 2, 2)}
        };
        for (uint32_t j = 4; j > 1; j--) {
            uint32_t k = wire_below(&dice, j);
            struct kt_section_in swap = in[j - 1];
            in[j - 1] = in[k];
            in[k] = swap;
        }
        struct kt_view v = compose(in, 4);
        char *got = kt_arena_alloc(&arena, 512);
        snprintf(got, 512, "%s %s %.16s %.16s %s %u", shown(&v.customer, KT_F_CUSTOMER_LEGAL_NAME),
                 shown(&v.customer, KT_F_CUSTOMER_OCCUPATION), (const char *)v.cases[0].id.b,
                 (const char *)v.cases[1].id.b, shown(&v.cases[0], KT_F_CASE_STATUS), v.conflicts_len);
        if (!want) want = got;
        assert_string_equal(got, want);
    }
}

static int start(void **state)
{
    (void)state;
    kt_arena_init(&arena, 32 << 20);
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
        cmocka_unit_test(sections_return),
        cmocka_unit_test(damaged_sections),
        cmocka_unit_test(compartments_come_together),
        cmocka_unit_test(a_conflict_is_told),
        cmocka_unit_test(records_become_one),
        cmocka_unit_test(elements_keep_their_place),
        cmocka_unit_test(keyed_registers_stand_apart),
        cmocka_unit_test(cases_stand_newest_first),
        cmocka_unit_test(deleted_is_hidden),
        cmocka_unit_test(placeholders_are_nobody),
        cmocka_unit_test(order_does_not_matter),
    };
    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, start, end);
}
