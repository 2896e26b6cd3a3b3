/* Digests: sums of keyed hashes that do not care in which order things came and went. */
#include "core/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint8_t key[KT_KEY_BYTES] = "digest key of a test";
static const struct kt_entity_id ward = {
    {1, 2, 3}
};

static struct kt_sum term(uint8_t entity, uint32_t field, const char *element, uint64_t batch, const char *value)
{
    struct kt_slot slot = {.entity = {{entity}}, .field = field, .element = kt_str(element)};
    struct kt_live live = {
        .dot = {{1, 1}, batch, 0, 0},
          .value = kt_str(value)
    };
    return kt_digest_term(key, &ward, &slot, &live);
}

static bool same(const struct kt_sum *a, const struct kt_sum *b) { return memcmp(a, b, sizeof *a) == 0; }

/* Scenario: three values come in two different orders, one more comes and goes; the sums are the same. */
static void order_does_not_matter(void **state)
{
    (void)state;
    struct kt_sum a = term(1, 1, "", 1, "x"), b = term(1, 2, "", 1, "y"), c = term(2, 1, "e", 2, "z"),
                  d = term(9, 9, "", 9, "");
    struct kt_sum one = {0}, two = {0}, zero = {0};
    kt_sum_add(&one, &a), kt_sum_add(&one, &b), kt_sum_add(&one, &c);
    kt_sum_add(&two, &c), kt_sum_add(&two, &d), kt_sum_add(&two, &a), kt_sum_sub(&two, &d), kt_sum_add(&two, &b);
    assert_true(same(&one, &two));
    kt_sum_sub(&one, &b), kt_sum_sub(&one, &a), kt_sum_sub(&one, &c);
    assert_true(same(&one, &zero));
}

/* Scenario: sums wrap at 2^256 both ways. */
static void sums_wrap(void **state)
{
    (void)state;
    struct kt_sum all, one = {{1}}, zero = {0}, s = {0};
    memset(&all, 0xff, sizeof all);
    kt_sum_sub(&s, &one);
    assert_true(same(&s, &all));
    kt_sum_add(&s, &one);
    assert_true(same(&s, &zero));
    struct kt_sum high =
                      {
                          {0, 0xff}
    },
                  expected = {{0, 0xfe, 1}};
    s = high;
    kt_sum_add(&s, &high);
    assert_true(same(&s, &expected));
}

/* Scenario: whatever part of a live value differs, its term differs; bytes do not slide between parts. */
static void every_part_counts(void **state)
{
    (void)state;
    struct kt_sum t[] = {term(1, 1, "e", 1, "v"), term(2, 1, "e", 1, "v"), term(1, 2, "e", 1, "v"),
                         term(1, 1, "f", 1, "v"), term(1, 1, "e", 2, "v"), term(1, 1, "e", 1, "w"),
                         term(1, 1, "", 1, "ev"), term(1, 1, "ev", 1, "")};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        for (size_t j = 0; j < i; j++) assert_false(same(&t[i], &t[j]));
    struct kt_slot slot = {.entity = {{1}}, .field = 1, .element = kt_str("e")};
    struct kt_live live = {
        .dot = {{1, 1}, 1, 0, 0},
          .value = kt_str("v"), .stamp = 5, .generation = 3, .position = 7
    };
    struct kt_sum local = kt_digest_term(key, &ward, &slot, &live);
    assert_true(same(&local, &t[0])); /* what is local to a node is left out */
    uint8_t other_key[KT_KEY_BYTES] = {0};
    local = kt_digest_term(other_key, &ward, &slot, &live);
    assert_false(same(&local, &t[0]));
}

/* Scenario: the shown digest covers all buckets, wherever a term went. */
static void shown_digest_covers_buckets(void **state)
{
    (void)state;
    static struct kt_sum buckets[KT_DIGEST_BUCKETS], others[KT_DIGEST_BUCKETS];
    struct kt_sum t = term(1, 1, "", 1, "x"), u = term(2, 1, "", 1, "y");
    struct kt_entity_id e = {
        {0xff, 0xff, 1}
    };
    assert_true(kt_digest_bucket(&e) < KT_DIGEST_BUCKETS);
    kt_sum_add(&buckets[kt_digest_bucket(&e)], &t), kt_sum_add(&buckets[3], &u);
    kt_sum_add(&others[3], &t), kt_sum_add(&others[3], &u);
    struct kt_hash a = kt_digest_of(buckets, KT_DIGEST_BUCKETS), b = kt_digest_of(others, KT_DIGEST_BUCKETS);
    assert_memory_equal(&a, &b, sizeof a);
    kt_sum_sub(&others[3], &u);
    b = kt_digest_of(others, KT_DIGEST_BUCKETS);
    assert_memory_not_equal(&a, &b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(sums_wrap),
        cmocka_unit_test(every_part_counts),
        cmocka_unit_test(shown_digest_covers_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
