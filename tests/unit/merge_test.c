/* The merge rule, case by case; merge_property_test.c tries every order.  And slots as rows. */
#include "support/merge_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct kt_entity_id ward = {{0xa0}}, other_ward = {{0xa1}}, task = {{0xb0}};

static int start(void **state)
{
    struct merge_model *m = malloc(sizeof *m);
    if (!m) return -1;
    merge_model_init(m);
    *state = m;
    return 0;
}

static int stop(void **state)
{
    merge_model_free(*state);
    free(*state);
    return 0;
}

static struct kt_dot dot(kt_member m, uint64_t batch)
{
    return (struct kt_dot){
        {m, 1},
        batch, 0, 0
    };
}

struct write {
    struct kt_dot dot;
    uint32_t field; /* 5 where 0 */
    uint32_t generation;
    const char *element, *value; /* no value: a removal */
    struct kt_dot replaces[3];
    uint32_t replaces_len;
    const struct kt_entity_id *ward, *entity;
    kt_compartment compartment;
};

static int try_merge(struct merge_model *m, struct write w)
{
    struct kt_merge_port port = merge_model_port(m);
    const struct kt_op_context at = {.compartment = w.compartment ? w.compartment : KT_CORE,
                                     .ward = w.ward ? *w.ward : ward,
                                     .dot = w.dot,
                                     .stamp = w.dot.batch << 16,
                                     .generation = w.generation,
                                     .by = kt_str("clerk")};
    const struct kt_op op = {.entity = w.entity ? *w.entity : ward,
                             .field = w.field ? w.field : 5,
                             .element = kt_str(w.element),
                             .has_value = w.value != NULL,
                             .value = kt_str(w.value),
                             .replaces = w.replaces,
                             .replaces_len = w.replaces_len};
    return kt_merge_op(&port, &at, &op);
}

/* Merges, and takes its envelope for settled. */
static void put(struct merge_model *m, struct write w)
{
    assert_int_equal(try_merge(m, w), KT_OK);
    merge_model_settle(m, &w.dot);
}

static bool live(const struct merge_model *m, kt_member member, uint64_t batch)
{
    struct kt_dot d = dot(member, batch);
    return merge_model_holds(m, &d);
}

/* Scenario: a register is written, written over, and cleared. */
static void a_register_is_replaced(void **state)
{
    struct merge_model *m = *state;
    put(m, (struct write){.dot = dot(1, 1), .value = "clerk"});
    put(m, (struct write){.dot = dot(1, 2), .value = "teacher", .replaces = {dot(1, 1)}, .replaces_len = 1});
    assert_true(!live(m, 1, 1) && live(m, 1, 2));
    put(m, (struct write){.dot = dot(2, 1), .replaces = {dot(1, 2)}, .replaces_len = 1});
    assert_int_equal(m->live, 0);
    assert_int_equal(m->debts_len, 0);
    assert_int_equal(m->came, 2);
    assert_int_equal(m->went, 2);
}

/* Scenario: two offices write the same register unseen by each other: both stand, in dot order, until one resolves. */
static void concurrent_writes_conflict_until_resolved(void **state)
{
    struct merge_model *m = *state;
    put(m, (struct write){.dot = dot(2, 1), .value = "b"});
    put(m, (struct write){.dot = dot(1, 1), .value = "a"});
    struct kt_slot *s = merge_model_find(m, KT_CORE, &ward, &ward, 5, kt_str(""));
    assert_int_equal(s->live_len, 2);
    assert_int_equal(s->live[0].dot.origin.member, 1);
    assert_true(s->dirty);
    put(m, (struct write){
               .dot = dot(3, 1), .value = "c", .replaces = {dot(1, 1), dot(2, 1)},
                        .replaces_len = 2
    });
    assert_int_equal(s->live_len, 1);
    assert_true(live(m, 3, 1));
}

/* Scenario: the replacement comes before what it replaces: the debt cancels it, and goes. */
static void a_debt_is_paid(void **state)
{
    struct merge_model *m = *state;
    put(m, (struct write){.dot = dot(2, 1), .value = "new", .replaces = {dot(1, 1)}, .replaces_len = 1});
    assert_int_equal(m->debts_len, 1);
    put(m, (struct write){.dot = dot(1, 1), .value = "old"});
    assert_false(live(m, 1, 1));
    assert_int_equal(m->debts_len, 0);
}

/* Scenario: an op names dots of another field, entity, ward, compartment: none of its business, early or late. */
static void other_names_have_no_effect(void **state)
{
    struct merge_model *m = *state;
    const struct write strangers[] = {
        {.field = 6},
        {.entity = &task},
        {.ward = &other_ward},
        {.compartment = 2},
    };
    put(m, (struct write){.dot = dot(1, 1), .value = "early"});
    for (unsigned i = 0; i < 4; i++) {
        struct write w = strangers[i];
        w.dot = dot(2, i + 1);
        w.replaces[0] = dot(1, 1);
        w.replaces[1] = dot(1, 2);
        w.replaces_len = 2;
        put(m, w);
    }
    assert_int_equal(m->debts_len, 4); /* for the one that is not here yet, side by side */
    put(m, (struct write){.dot = dot(1, 2), .value = "late"});
    assert_true(live(m, 1, 1) && live(m, 1, 2));
    assert_int_equal(m->debts_len, 0);
}

/* Scenario: after an erasure a ward lives on in generation 2; an op of generation 1 does not reach into it. */
static void generations_protect(void **state)
{
    struct merge_model *m = *state;
    put(m, (struct write){.dot = dot(1, 1), .value = "second life", .generation = 2});
    put(m, (struct write){
               .dot = dot(2, 1), .generation = 1, .replaces = {dot(1, 1), dot(1, 2)},
                        .replaces_len = 2
    });
    put(m, (struct write){.dot = dot(1, 2), .value = "second too", .generation = 2});
    assert_true(live(m, 1, 1) && live(m, 1, 2));
    put(m, (struct write){
               .dot = dot(2, 2), .generation = 2, .replaces = {dot(1, 1), dot(1, 3)},
                        .replaces_len = 2
    });
    put(m, (struct write){.dot = dot(2, 3), .generation = 1, .replaces = {dot(1, 3)}, .replaces_len = 1});
    put(m, (struct write){.dot = dot(1, 3), .value = "cancelled", .generation = 2});
    assert_true(!live(m, 1, 1) && !live(m, 1, 3));
}

/* Scenario: a set element is removed at one office while another adds it again unseen: add wins. */
static void add_wins_in_a_set(void **state)
{
    struct merge_model *m = *state;
    put(m, (struct write){.dot = dot(1, 1), .element = "phone-1", .value = "+44"});
    put(m, (struct write){.dot = dot(1, 2), .element = "phone-2", .value = "+49"});
    put(m, (struct write){.dot = dot(2, 1), .element = "phone-1", .value = "+44"});
    put(m, (struct write){.dot = dot(3, 1), .element = "phone-1", .replaces = {dot(1, 1)}, .replaces_len = 1});
    assert_true(!live(m, 1, 1) && live(m, 2, 1) && live(m, 1, 2));
}

/* Scenario: every op is merged twice, a self-naming one among them; nothing changes the second time. */
static void again_changes_nothing(void **state)
{
    struct merge_model *m = *state;
    /* clang-format off */
    const struct write ops[] = {
        {.dot = dot(1, 1), .value = "a"},
        {.dot = dot(1, 2), .value = "b", .replaces = {dot(1, 1), dot(9, 9)}, .replaces_len = 2},
        {.dot = dot(1, 3), .value = "c", .replaces = {dot(1, 3), dot(1, 2)}, .replaces_len = 2},
        {.dot = dot(9, 9), .value = "owed"},
        {.dot = dot(1, 4)},
    };
    /* clang-format on */
    for (unsigned i = 0; i < sizeof ops / sizeof *ops; i++) {
        assert_int_equal(try_merge(m, ops[i]), KT_OK);
        struct kt_sum sum = m->sum;
        size_t debts = m->debts_len;
        assert_int_equal(try_merge(m, ops[i]), KT_OK);
        assert_memory_equal(&sum, &m->sum, sizeof sum);
        assert_int_equal(debts, m->debts_len);
        merge_model_settle(m, &ops[i].dot);
    }
    assert_int_equal(m->live, 1);
    assert_true(live(m, 1, 3));
}

/* Scenario: the disk fails at every callback in turn; each time the error comes back. */
static void errors_come_back(void **state)
{
    struct merge_model *m = *state;
    const struct write w = {
        .dot = dot(2, 1), .value = "x", .replaces = {dot(1, 1), dot(9, 9)},
                 .replaces_len = 2
    };
    put(m, (struct write){.dot = dot(1, 1), .value = "a"});
    int calls = 0;
    for (;; calls++) {
        m->calls_left = calls;
        int err = try_merge(m, w);
        if (err == KT_OK) break;
        assert_int_equal(err, KT_EIO);
        assert_false(live(m, 2, 1));
    }
    assert_true(calls > 4);
    assert_true(live(m, 2, 1));
}

/* ----------------------------------------------------------------------------------------------------- slots as rows
 */

#define ROW_BYTES_MAX 4096u

/* Three slots, two values in the first; the last is empty and has no place in a row. */
static void encode_some(struct merge_model *m, struct kt_buf *row)
{
    put(m, (struct write){.dot = dot(1, 1), .value = "a", .generation = 3});
    put(m, (struct write){.dot = dot(2, 7), .value = ""});
    put(m, (struct write){.dot = dot(1, 2), .element = "e", .value = "in a set"});
    put(m, (struct write){.dot = dot(1, 3), .field = 300, .value = "gone"});
    put(m, (struct write){.dot = dot(1, 4), .field = 300, .replaces = {dot(1, 3)}, .replaces_len = 1});
    const struct kt_slot *slots[] = {
        merge_model_find(m, KT_CORE, &ward, &ward, 5, kt_str("")),
        merge_model_find(m, KT_CORE, &ward, &ward, 5, kt_str("e")),
        merge_model_find(m, KT_CORE, &ward, &ward, 300, kt_str("")),
    };
    kt_buf_init(row, ROW_BYTES_MAX);
    assert_int_equal(kt_slots_encode(slots, 3, row), KT_OK);
    const struct kt_slot *wrong[] = {slots[1], slots[0]};
    assert_int_equal(kt_slots_encode(wrong, 2, row), KT_EBUG);
}

/* Scenario: a ward's slots go into a row and come back as they were. */
static void slots_return(void **state)
{
    struct merge_model *m = *state;
    struct kt_buf row;
    struct kt_arena arena;
    encode_some(m, &row);
    kt_arena_init(&arena, 1 << 16);
    struct kt_slot *slots = NULL;
    size_t n = 0;
    assert_int_equal(kt_slots_decode(kt_buf_bytes(&row), &arena, &slots, &n), KT_OK);
    assert_int_equal(n, 2);
    assert_int_equal(slots[0].live_len, 2);
    assert_int_equal(slots[0].live[0].generation, 3);
    assert_int_equal(slots[0].live[1].dot.batch, 7);
    assert_int_equal(slots[0].live[1].value.len, 0);
    assert_int_equal(slots[0].live[1].stamp, 7 << 16);
    assert_true(kt_bytes_equal(slots[1].element, kt_str("e")));
    assert_true(kt_bytes_equal(slots[1].live[0].value, kt_str("in a set")));
    assert_true(kt_bytes_equal(slots[1].live[0].by, kt_str("clerk")));
    kt_buf_clear(&row);
    assert_int_equal(kt_slots_encode(NULL, 0, &row), KT_OK);
    assert_int_equal(kt_slots_decode(kt_buf_bytes(&row), &arena, &slots, &n), KT_OK);
    assert_int_equal(n, 0);
    kt_arena_free(&arena);
    kt_buf_free(&row);
}

static void in_order(const struct kt_slot *slots, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || kt_slot_compare(&slots[i - 1], &slots[i]) < 0);
        for (uint32_t j = 1; j < slots[i].live_len; j++)
            assert_true(kt_dot_compare(&slots[i].live[j - 1].dot, &slots[i].live[j].dot) < 0);
    }
}

/* Scenario: the row is cut short everywhere, one byte more, and every bit of it flipped: never a crash, never a slot
 * out of order. */
static void damaged_rows_are_noticed(void **state)
{
    struct merge_model *m = *state;
    struct kt_buf row;
    encode_some(m, &row);
    struct kt_slot *slots = NULL;
    size_t n = 0;
    for (size_t len = 0; len <= row.len + 1; len++) {
        struct kt_arena arena;
        kt_arena_init(&arena, 1 << 16);
        uint8_t *exact = calloc(1, len + 1); /* the sanitizer guards the byte after it */
        memcpy(exact, row.data, len < row.len ? len : row.len);
        int err = kt_slots_decode(kt_bytes(exact, len), &arena, &slots, &n);
        assert_true((err == KT_OK) == (len == row.len));
        free(exact);
        kt_arena_free(&arena);
    }
    for (size_t bit = 0; bit < row.len * 8; bit++) {
        struct kt_arena arena;
        kt_arena_init(&arena, 1 << 16);
        row.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (kt_slots_decode(kt_buf_bytes(&row), &arena, &slots, &n) == KT_OK) in_order(slots, n);
        row.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        kt_arena_free(&arena);
    }
    kt_buf_free(&row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_register_is_replaced, start, stop),
        cmocka_unit_test_setup_teardown(concurrent_writes_conflict_until_resolved, start, stop),
        cmocka_unit_test_setup_teardown(a_debt_is_paid, start, stop),
        cmocka_unit_test_setup_teardown(other_names_have_no_effect, start, stop),
        cmocka_unit_test_setup_teardown(generations_protect, start, stop),
        cmocka_unit_test_setup_teardown(add_wins_in_a_set, start, stop),
        cmocka_unit_test_setup_teardown(again_changes_nothing, start, stop),
        cmocka_unit_test_setup_teardown(errors_come_back, start, stop),
        cmocka_unit_test_setup_teardown(slots_return, start, stop),
        cmocka_unit_test_setup_teardown(damaged_rows_are_noticed, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
