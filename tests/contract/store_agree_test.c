/* The backends side by side: whatever is done to both, both answer alike. */
#include "support/backends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), KT_OK)
#define ROUNDS   400
#define CALLS    60

/* The same call on both. */
#define BOTH(result, call)                                                                                             \
    do {                                                                                                               \
        for (int i = 0; i < 2; i++) {                                                                                  \
            struct kt_store *s = pair->b[i]->store;                                                                    \
            (result)[i] = (call);                                                                                      \
        }                                                                                                              \
        assert_int_equal((result)[0], (result)[1]);                                                                    \
    } while (0)

struct pair {
    struct kt_bench_store *b[2];
    struct kt_txn *t[2];
    struct kt_cursor *c[2];
    unsigned seed;
};

static unsigned pick(struct pair *pair, unsigned below) { return (unsigned)rand_r(&pair->seed) % below; }

struct key {
    uint8_t bytes[8];
    size_t len;
};

/* Few keys, so that they meet: numbers up to 299, or one to three letters. */
static struct key some_key(struct pair *pair, enum kt_table table)
{
    struct key k = {.len = 8};
    if (table == KT_T_store_view) {
        uint64_t n = (uint64_t)pick(pair, 300) << (pick(pair, 10) ? 0 : 40);
        memcpy(k.bytes, &n, sizeof(n));
        return k;
    }
    k.len = 1 + pick(pair, 3);
    for (size_t i = 0; i < k.len; i++) k.bytes[i] = (uint8_t)(pick(pair, 7) * 42);
    return k;
}

static void compare(const int err[2], const struct kt_bytes v[2])
{
    if (err[0] == KT_OK) assert_true(kt_bytes_equal(v[0], v[1]));
}

static void one_call(struct pair *pair, enum kt_table table, bool write)
{
    static const size_t sizes[] = {0, 1, 30, 500, 1990, 2100, 9000};
    static uint8_t filler[9000];
    struct key k = some_key(pair, table);
    struct kt_bytes key = kt_bytes(k.bytes, k.len), v[2] = {0}, found[2] = {0};
    int err[2] = {0};
    uint64_t rows[2] = {0};
    memset(filler, (int)pick(pair, 256), sizeof(filler));
    struct kt_bytes value = kt_bytes(filler, sizes[pick(pair, 7)]);
    unsigned what = write ? pick(pair, 12) : 6 + pick(pair, 6);
    if (what < 4) {
        BOTH(err, s->ops->put(pair->t[i], table, key, value));
    } else if (what < 6) {
        BOTH(err, s->ops->del(pair->t[i], table, key));
    } else if (what < 8) {
        BOTH(err, s->ops->get(pair->t[i], table, key, &v[i]));
        compare(err, v);
    } else if (what == 8) {
        BOTH(err, s->ops->count(pair->t[i], table, &rows[i]));
        assert_int_equal(rows[0], rows[1]);
    } else if (table == KT_T_store_view) { /* the cursors' table */
        enum kt_seek how = (enum kt_seek)(what == 9 ? pick(pair, 4) : pick(pair, 2) ? KT_SEEK_NEXT : KT_SEEK_PREV);
        struct kt_bytes at = pick(pair, 9) ? key : kt_bytes(NULL, 0);
        BOTH(err, s->ops->seek(pair->c[i], how, at, &found[i], &v[i]));
        compare(err, found);
        compare(err, v);
    }
}

static void one_transaction(struct pair *pair, bool write)
{
    int err[2];
    BOTH(err, s->ops->begin(s, KT_ENV_STORE, write, &pair->t[i]));
    BOTH(err, s->ops->cursor(pair->t[i], KT_T_store_view, &pair->c[i]));
    for (int n = 0; n < CALLS; n++) one_call(pair, pick(pair, 2) ? KT_T_store_view : KT_T_store_list, write);
    if (pick(pair, 5) == 0) {
        for (int i = 0; i < 2; i++) pair->b[i]->store->ops->abort(pair->t[i]);
        return;
    }
    BOTH(err, s->ops->commit(pair->t[i]));
}

static void both_backends_answer_alike(void **state)
{
    /* Random puts, deletes, reads and cursor moves in random transactions, with restarts, checkpoints and ways back in
     * between, go to LMDB and to memory alike: every answer is the same on both. */
    (void)state;
    struct pair pair_here = {.seed = (unsigned)time(NULL)}, *pair = &pair_here;
    print_message("seed %u\n", pair->seed);
    void *lmdb = NULL, *memory = NULL;
    assert_int_equal(kt_setup_lmdb(&lmdb), 0);
    assert_int_equal(kt_setup_memory(&memory), 0);
    pair->b[0] = lmdb;
    pair->b[1] = memory;
    int err[2];
    for (int round = 0; round < ROUNDS; round++) {
        unsigned what = pick(pair, 40);
        if (what == 0)
            for (int i = 0; i < 2; i++) OK(kt_bench_reopen(pair->b[i]));
        if (what == 1) BOTH(err, s->ops->checkpoint(s));
        if (what == 2) BOTH(err, s->ops->restore(s));
        if (what == 3) BOTH(err, s->ops->discard(s));
        one_transaction(pair, what % 2);
    }
    assert_int_equal(kt_teardown_store(&lmdb), 0);
    assert_int_equal(kt_teardown_store(&memory), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(both_backends_answer_alike)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
