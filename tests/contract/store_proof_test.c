/* Rows that prove themselves: what changed on the disk is never given out, and never passed off as not being there. */
#include "support/backends.h"
#include "support/dice.h"
#include "support/probe.h"

#include "store/row_proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), KT_OK)

static void every_bit_of_a_row_counts(void **state)
{
    /* A row is stored; each bit of its key, its value and its proof is flipped in turn, and it is read as of another
     * table, or cut short: it proves itself as it was written and in no other way. */
    (void)state;
    uint8_t key[20], stored[300 + KT_ROW_PROOF_BYTES];
    for (size_t len = 0; len <= 300; len += len < 70 ? 1 : 46) {
        struct kt_bytes value;
        for (size_t i = 0; i < sizeof(key); i++) key[i] = (uint8_t)(i * 7 + len);
        for (size_t i = 0; i < len; i++) stored[i] = (uint8_t)(i * 31 + len);
        const uint64_t proof = kt_row_proof(KT_T_store_index, KT_BYTES_OF(key), kt_bytes(stored, len));
        memcpy(stored + len, &proof, sizeof(proof));
        const struct kt_bytes whole = kt_bytes(stored, len + sizeof(proof));
        assert_true(kt_row_prove(KT_T_store_index, KT_BYTES_OF(key), whole, &value));
        assert_int_equal(value.len, len);
        assert_false(kt_row_prove(KT_T_store_view, KT_BYTES_OF(key), whole, &value));
        assert_false(kt_row_prove(KT_T_store_index, KT_BYTES_OF(key), kt_bytes(stored, whole.len - 1), &value));
        for (size_t bit = 0; bit < 8 * sizeof(key); bit++) {
            key[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(kt_row_prove(KT_T_store_index, KT_BYTES_OF(key), whole, &value));
            key[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t bit = 0; bit < 8 * whole.len; bit++) {
            stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(kt_row_prove(KT_T_store_index, KT_BYTES_OF(key), whole, &value));
            stored[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static int look(struct kt_store *s, uint64_t number)
{
    struct kt_txn *t;
    struct kt_bytes v;
    OK(s->ops->begin(s, KT_ENV_STORE, false, &t));
    const int e = s->ops->get(t, KT_T_store_index, KT_BYTES_OF(number), &v);
    s->ops->abort(t);
    return e;
}

static void a_key_that_rotted_is_no_miss(void **state)
{
    /* While the store is open, one bit flips in the key of a row in its file: whoever asks for that key, or for the one
     * it has become, is told of the damage; so is verify.  All other keys, held and not held, answer as before. */
    enum { ROWS = 2000 };
    struct kt_bench_store *b = *state;
    struct dice d = {dice_seed((uint64_t)time(NULL))};
    char path[PATH_MAX + 64], why[KT_STORE_WHY_BYTES];
    uint8_t *file = NULL;
    print_message("KT_SEED=%llu\n", (unsigned long long)d.state);
    for (uint64_t i = 0; i < ROWS; i++) OK(kt_probe_put(b->store, KT_ENV_STORE, KT_T_store_index, i * 4096, 40));
    kt_bench_path(b, "store/data.mdb", path);
    struct kt_env_info info;
    OK(b->store->ops->info(b->store, KT_ENV_STORE, &info));
    file = malloc(info.used_bytes);
    assert_non_null(file);
    for (int turn = 0; turn < 40; turn++) {
        const uint64_t number = dice_below(&d, ROWS) * 4096ull,
                       rotten = number ^ 1ull << (1 + dice_below(&d, 11)); /* no row's */
        OK(kt_meddle_read(path, 0, file, info.used_bytes));
        uint32_t flipped = 0;
        for (size_t at = 0; at + 8 <= info.used_bytes; at += 2) { /* copies in older pages too: nobody looks there */
            if (memcmp(file + at, &number, 8)) continue;
            OK(kt_meddle_write(path, (off_t)at, &rotten, 8));
            flipped++;
        }
        assert_true(flipped > 0);
        assert_int_equal(look(b->store, number), KT_EDAMAGED);
        assert_int_equal(look(b->store, rotten), KT_EDAMAGED);
        assert_int_equal(b->store->ops->verify(b->store, KT_ENV_STORE, why), KT_EDAMAGED);
        OK(kt_meddle_write(path, 0, file, info.used_bytes));
        OK(b->store->ops->verify(b->store, KT_ENV_STORE, why));
        OK(look(b->store, number));
        assert_int_equal(look(b->store, number + 1), KT_ENOTFOUND);
    }
    free(file);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_of_a_row_counts),
        KT_OVER(lmdb, a_key_that_rotted_is_no_miss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
