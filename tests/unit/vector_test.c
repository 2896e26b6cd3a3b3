/* Vectors: what is held, compared and hashed. */
#include "core/vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct kt_vector_entry entry(kt_member m, uint64_t incarnation, uint64_t number, uint8_t seal)
{
    struct kt_vector_entry e = {
        .origin = {m, incarnation},
          .number = number, .hlc = number << 16, .roster_version = 1
    };
    memset(e.seal_hash.b, seal, sizeof e.seal_hash.b);
    return e;
}

static void set(struct kt_vector *v, kt_member m, uint64_t incarnation, uint64_t number)
{
    struct kt_vector_entry e = entry(m, incarnation, number, (uint8_t)number);
    assert_int_equal(kt_vector_set(v, &e), KT_OK);
}

static bool same_hash(struct kt_hash a, struct kt_hash b) { return memcmp(&a, &b, sizeof a) == 0; }

/* Scenario: heads come in any order; they stand sorted, are found, rise, and never fall. */
static void heads_are_kept_in_order(void **state)
{
    (void)state;
    struct kt_vector v = {0};
    for (uint64_t i = 0; i < 100; i++) set(&v, (kt_member)(1 + (i * 37) % 100), i % 3, i + 1);
    assert_int_equal(v.len, 100);
    for (size_t i = 1; i < v.len; i++) assert_true(kt_origin_compare(v.entries[i - 1].origin, v.entries[i].origin) < 0);
    struct kt_origin o = {38, 1};
    assert_int_equal(kt_vector_get(&v, o), 2);
    struct kt_vector_entry lower = entry(38, 1, 1, 1);
    assert_int_equal(kt_vector_set(&v, &lower), KT_EBUG);
    set(&v, 38, 1, 9);
    assert_int_equal(kt_vector_get(&v, o), 9);
    assert_int_equal(kt_vector_get(&v, (struct kt_origin){38, 2}), 0);
    assert_null(kt_vector_find(&v, (struct kt_origin){101, 0}));
    set(&v, 200, 1, 0); /* nothing of it: no entry */
    assert_int_equal(v.len, 100);
    kt_vector_free(&v);
    assert_int_equal(v.len, 0);
}

/* Scenario: a hostile organisation has more origins than the bound; the vector refuses and stays as it was. */
static void too_many_origins_are_refused(void **state)
{
    (void)state;
    struct kt_vector v = {0};
    for (uint64_t i = 1; i <= KT_ORIGINS_MAX; i++) set(&v, 1, i, 1);
    struct kt_vector_entry more = entry(2, 1, 1, 1);
    assert_int_equal(kt_vector_set(&v, &more), KT_ELIMIT);
    assert_int_equal(v.len, KT_ORIGINS_MAX);
    kt_vector_free(&v);
}

/* Scenario: two offices compare: one is ahead in one origin, behind in another. */
static void behind_counts_batches(void **state)
{
    (void)state;
    struct kt_vector a = {0}, b = {0};
    set(&a, 1, 7, 10), set(&a, 2, 7, 3);
    set(&b, 1, 7, 4), set(&b, 3, 7, 5);
    assert_int_equal(kt_vector_behind(&a, &b), 6 + 3);
    assert_int_equal(kt_vector_behind(&b, &a), 5);
    struct kt_head heads[] = {
        {{1, 7}, 10},
        {{2, 7}, 1 },
        {{9, 9}, 0 }
    };
    assert_true(kt_vector_covers(&a, heads, 3));
    assert_false(kt_vector_covers(&b, heads, 3));
    kt_vector_free(&a);
    kt_vector_free(&b);
}

/* Scenario: the hash says what is held, however it came; the seals' hash tells two sides of a fork apart. */
static void hashes_name_contents(void **state)
{
    (void)state;
    struct kt_vector a = {0}, b = {0};
    assert_true(same_hash(kt_vector_hash(&a), kt_vector_hash(&b)));
    for (uint64_t i = 1; i <= 200; i++) set(&a, 1, i, i), set(&b, 1, 201 - i, 201 - i); /* more than one run */
    assert_true(same_hash(kt_vector_hash(&a), kt_vector_hash(&b)));
    assert_true(same_hash(kt_vector_seals_hash(&a), kt_vector_seals_hash(&b)));
    assert_false(same_hash(kt_vector_hash(&a), kt_vector_seals_hash(&a)));
    struct kt_vector_entry forked = entry(1, 150, 150, 0xee);
    assert_int_equal(kt_vector_set(&b, &forked), KT_OK);
    assert_true(same_hash(kt_vector_hash(&a), kt_vector_hash(&b)));
    assert_false(same_hash(kt_vector_seals_hash(&a), kt_vector_seals_hash(&b)));
    set(&b, 1, 3, 4);
    assert_false(same_hash(kt_vector_hash(&a), kt_vector_hash(&b)));
    kt_vector_free(&a);
    kt_vector_free(&b);
}

/* Scenario: one run of entries exactly, and one more: the hash does not stop at the border. */
static void hashes_see_every_entry(void **state)
{
    (void)state;
    struct kt_vector v = {0};
    struct kt_hash seen[130];
    for (uint64_t i = 0; i < 130; i++) {
        set(&v, 1, i + 1, 1);
        seen[i] = kt_vector_hash(&v);
        for (uint64_t j = 0; j < i; j++) assert_false(same_hash(seen[i], seen[j]));
    }
    kt_vector_free(&v);
}

/* Scenario: a vector is copied over another, and read out as heads. */
static void copies_and_heads_agree(void **state)
{
    (void)state;
    struct kt_vector a = {0}, b = {0};
    struct kt_arena arena;
    kt_arena_init(&arena, 1 << 16);
    set(&a, 2, 1, 5), set(&a, 1, 1, 6);
    set(&b, 9, 9, 9), set(&b, 8, 8, 8), set(&b, 7, 7, 7);
    assert_int_equal(kt_vector_copy(&a, &b), KT_OK);
    assert_true(same_hash(kt_vector_seals_hash(&a), kt_vector_seals_hash(&b)));
    struct kt_head *heads = NULL;
    uint32_t n = 0;
    assert_int_equal(kt_vector_heads(&b, &arena, &heads, &n), KT_OK);
    assert_int_equal(n, 2);
    assert_int_equal(heads[0].origin.member, 1);
    assert_int_equal(heads[0].number, 6);
    assert_int_equal(heads[1].number, 5);
    kt_arena_free(&arena);
    kt_vector_free(&a);
    kt_vector_free(&b);
}

/* Scenario: member 1 is cut at 5 of its life 1 and at nothing of its life 2; member 2 is not cut. */
static void cuts_clip(void **state)
{
    (void)state;
    const struct kt_cut cuts[] = {
        {.member = 1, .compartment = 0, .incarnation = 1, .last = 5}
    };
    const struct kt_roster roster = {.version = 2, .cuts = cuts, .cuts_len = 1};
    struct kt_vector v = {0};
    set(&v, 1, 1, 9), set(&v, 1, 2, 4), set(&v, 2, 1, 7);
    kt_vector_clip(&v, &roster);
    assert_int_equal(v.len, 2);
    assert_int_equal(kt_vector_get(&v, (struct kt_origin){1, 1}), 5);
    assert_int_equal(kt_vector_get(&v, (struct kt_origin){2, 1}), 7);
    kt_vector_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_kept_in_order),
        cmocka_unit_test(too_many_origins_are_refused),
        cmocka_unit_test(behind_counts_batches),
        cmocka_unit_test(hashes_name_contents),
        cmocka_unit_test(hashes_see_every_entry),
        cmocka_unit_test(copies_and_heads_agree),
        cmocka_unit_test(cuts_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
