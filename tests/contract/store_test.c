/* The store port, as its header promises it, over every backend. */
#include "support/backends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), KT_OK)

static const struct kt_bytes none;

static struct kt_store *store_of(void **state) { return ((struct kt_bench_store *)*state)->store; }

static struct kt_txn *begin(struct kt_store *s, enum kt_env env, bool write)
{
    struct kt_txn *t = NULL;
    OK(s->ops->begin(s, env, write, &t));
    return t;
}

static void put_one(struct kt_store *s, enum kt_env env, enum kt_table table, const char *key, const char *value)
{
    struct kt_txn *t = begin(s, env, true);
    OK(s->ops->put(t, table, kt_str(key), kt_str(value)));
    OK(s->ops->commit(t));
}

/* "" where there is none */
static void expect(struct kt_store *s, enum kt_env env, enum kt_table table, const char *key, const char *value)
{
    struct kt_txn *t = begin(s, env, false);
    struct kt_bytes v = kt_str("");
    int err = s->ops->get(t, table, kt_str(key), &v);
    assert_int_equal(err, value[0] ? KT_OK : KT_ENOTFOUND);
    assert_true(kt_bytes_equal(v, kt_str(value)));
    s->ops->abort(t);
}

static void rows_come_back_as_they_were_put(void **state)
{
    /* Values of every size, an empty one and one over many pages among them, are put, replaced and deleted. */
    struct kt_store *s = store_of(state);
    static const size_t sizes[] = {0, 1, 100, 1900, 2100, 4096, 70000, 200000};
    uint8_t *big = malloc(200000);
    for (size_t i = 0; i < 200000; i++) big[i] = (uint8_t)(i * 7 + i / 251);
    struct kt_txn *t = begin(s, KT_ENV_STORE, true);
    for (uint8_t i = 0; i < 8; i++) OK(s->ops->put(t, KT_T_store_state, KT_BYTES_OF(i), kt_bytes(big, sizes[i])));
    OK(s->ops->commit(t));

    t = begin(s, KT_ENV_STORE, true);
    struct kt_bytes v;
    uint64_t rows = 0;
    for (uint8_t i = 0; i < 8; i++) {
        OK(s->ops->get(t, KT_T_store_state, KT_BYTES_OF(i), &v));
        assert_true(kt_bytes_equal(v, kt_bytes(big, sizes[i])));
    }
    uint8_t key = 6;
    OK(s->ops->put(t, KT_T_store_state, KT_BYTES_OF(key), kt_str("small now")));
    OK(s->ops->get(t, KT_T_store_state, KT_BYTES_OF(key), &v));
    assert_true(kt_bytes_equal(v, kt_str("small now")));
    OK(s->ops->del(t, KT_T_store_state, KT_BYTES_OF(key)));
    OK(s->ops->del(t, KT_T_store_state, KT_BYTES_OF(key))); /* none there: fine */
    assert_int_equal(s->ops->get(t, KT_T_store_state, KT_BYTES_OF(key), &v), KT_ENOTFOUND);
    assert_int_equal(s->ops->error(t), KT_OK); /* a miss is not sticky */
    OK(s->ops->count(t, KT_T_store_state, &rows));
    assert_int_equal(rows, 7);
    OK(s->ops->commit(t));
    free(big);
}

static void a_row_can_be_copied_to_another(void **state)
{
    /* Rows written in this transaction are read and put under other keys, so that pages fill and split under them. */
    struct kt_store *s = store_of(state);
    struct kt_txn *t = begin(s, KT_ENV_STORE, true);
    for (uint64_t i = 0; i < 600; i++) {
        uint64_t from = i / 3, to = i * 7919 % 600;
        uint8_t value[900];
        struct kt_bytes v;
        if (s->ops->get(t, KT_T_store_view, KT_BYTES_OF(from), &v)) {
            memset(value, (int)(i % 251), sizeof(value));
            v = kt_bytes(value, 1 + i * 13 % sizeof(value));
        }
        uint8_t first = v.data[0];
        size_t len = v.len;
        OK(s->ops->put(t, KT_T_store_view, KT_BYTES_OF(to), v));
        OK(s->ops->get(t, KT_T_store_view, KT_BYTES_OF(to), &v));
        assert_int_equal(v.len, len);
        for (size_t b = 0; b < v.len; b++) assert_int_equal(v.data[b], first);
    }
    OK(s->ops->commit(t));
}

static void tables_are_worlds_of_their_own(void **state)
{
    /* The same key in two tables of one environment and in another environment names three rows. */
    struct kt_store *s = store_of(state);
    put_one(s, KT_ENV_STORE, KT_T_store_state, "k", "state");
    put_one(s, KT_ENV_STORE, KT_T_store_list, "k", "list");
    put_one(s, KT_ENV_KEYS, KT_T_keys_wrap, "k", "wrap");
    expect(s, KT_ENV_STORE, KT_T_store_state, "k", "state");
    expect(s, KT_ENV_STORE, KT_T_store_list, "k", "list");
    expect(s, KT_ENV_KEYS, KT_T_keys_wrap, "k", "wrap");
    expect(s, KT_ENV_KEYS, KT_T_keys_bundle, "k", "");
}

static void integer_keys_sort_as_numbers(void **state)
{
    /* Numbers put in a muddle come out in order, across every byte boundary, forwards and backwards. */
    static const uint64_t muddled[] = {65536, 1, UINT64_MAX, 255, 256, 1ull << 40, 0, 257, 65535};
    static const uint64_t sorted[] = {0, 1, 255, 256, 257, 65535, 65536, 1ull << 40, UINT64_MAX};
    struct kt_store *s = store_of(state);
    struct kt_txn *t = begin(s, KT_ENV_STORE, true);
    for (size_t i = 0; i < 9; i++)
        OK(s->ops->put(t, KT_T_store_view, KT_BYTES_OF(muddled[i]), KT_BYTES_OF(muddled[i])));
    struct kt_cursor *c;
    struct kt_bytes k, v;
    OK(s->ops->cursor(t, KT_T_store_view, &c));
    for (size_t i = 0; i < 9; i++) {
        OK(s->ops->seek(c, i ? KT_SEEK_NEXT : KT_SEEK_AT_OR_AFTER, none, &k, &v));
        assert_true(kt_bytes_equal(k, KT_BYTES_OF(sorted[i])) && kt_bytes_equal(v, KT_BYTES_OF(sorted[i])));
    }
    assert_int_equal(s->ops->seek(c, KT_SEEK_NEXT, none, &k, &v), KT_ENOTFOUND);
    for (size_t i = 9; i-- > 0;) {
        OK(s->ops->seek(c, i == 8 ? KT_SEEK_LAST : KT_SEEK_PREV, none, &k, NULL));
        assert_true(kt_bytes_equal(k, KT_BYTES_OF(sorted[i])));
    }
    assert_int_equal(s->ops->seek(c, KT_SEEK_PREV, none, &k, NULL), KT_ENOTFOUND);
    uint64_t between = 300;
    OK(s->ops->seek(c, KT_SEEK_AT_OR_AFTER, KT_BYTES_OF(between), &k, NULL));
    assert_true(kt_bytes_equal(k, KT_BYTES_OF(sorted[5])));
    s->ops->cursor_close(c);
    s->ops->abort(t);
}

static void byte_keys_sort_with_the_shorter_first(void **state)
{
    /* Byte keys sort as kt_bytes_compare does, and a seek between two lands on the later. */
    static const char *const sorted[] = {"\x01", "a", "aa", "ab", "b", "b\x01", "b\xff", "\xff\xff"};
    struct kt_store *s = store_of(state);
    struct kt_txn *t = begin(s, KT_ENV_STORE, true);
    for (size_t i = 8; i-- > 0;) OK(s->ops->put(t, KT_T_store_back, kt_str(sorted[i * 3 % 8]), none));
    struct kt_cursor *c;
    struct kt_bytes k, v;
    OK(s->ops->cursor(t, KT_T_store_back, &c));
    for (size_t i = 0; i < 8; i++) {
        OK(s->ops->seek(c, i ? KT_SEEK_NEXT : KT_SEEK_AT_OR_AFTER, none, &k, &v));
        assert_true(kt_bytes_equal(k, kt_str(sorted[i])));
        assert_int_equal(v.len, 0);
    }
    OK(s->ops->seek(c, KT_SEEK_AT_OR_AFTER, kt_str("aaa"), &k, NULL));
    assert_true(kt_bytes_equal(k, kt_str("ab")));
    assert_int_equal(s->ops->seek(c, KT_SEEK_AT_OR_AFTER, kt_str("\xff\xff\x01"), &k, NULL), KT_ENOTFOUND);
    assert_true(kt_bytes_equal(k, kt_str("ab"))); /* a failing call leaves its outputs */
    s->ops->abort(t);                             /* takes the cursor along */
}

static void a_cursor_keeps_its_place_while_rows_change(void **state)
{
    /* The row under a cursor is deleted, rows appear before and behind it: next is the next greater key, no more. */
    struct kt_store *s = store_of(state);
    struct kt_txn *t = begin(s, KT_ENV_STORE, true);
    for (uint64_t i = 10; i <= 2000; i += 10) OK(s->ops->put(t, KT_T_store_view, KT_BYTES_OF(i), kt_str("row")));
    struct kt_cursor *c;
    struct kt_bytes k;
    uint64_t got, seen = 0, zero = 5;
    OK(s->ops->cursor(t, KT_T_store_view, &c));
    int err = s->ops->seek(c, KT_SEEK_AT_OR_AFTER, none, &k, NULL);
    while (!err) {
        memcpy(&got, k.data, sizeof(got));
        assert_int_equal(got, 10 * ++seen);
        OK(s->ops->del(t, KT_T_store_view, k));
        OK(s->ops->put(t, KT_T_store_view, KT_BYTES_OF(zero), kt_str("behind")));
        err = s->ops->seek(c, KT_SEEK_NEXT, none, &k, NULL);
    }
    assert_int_equal(err, KT_ENOTFOUND);
    assert_int_equal(seen, 200);
    OK(s->ops->seek(c, KT_SEEK_LAST, none, &k, NULL));
    assert_true(kt_bytes_equal(k, KT_BYTES_OF(zero)));
    uint64_t low = 1, high = 9;
    OK(s->ops->put(t, KT_T_store_view, KT_BYTES_OF(low), none));
    OK(s->ops->put(t, KT_T_store_view, KT_BYTES_OF(high), none));
    OK(s->ops->del(t, KT_T_store_view, KT_BYTES_OF(zero)));
    OK(s->ops->seek(c, KT_SEEK_PREV, none, &k, NULL));
    assert_true(kt_bytes_equal(k, KT_BYTES_OF(low)));
    OK(s->ops->seek(c, KT_SEEK_NEXT, none, &k, NULL));
    assert_true(kt_bytes_equal(k, KT_BYTES_OF(high)));
    s->ops->cursor_close(c);
    OK(s->ops->commit(t));
}

static void append_takes_only_the_greatest(void **state)
{
    /* Appending in order works; an append that is not the greatest spoils the transaction, and only that. */
    struct kt_store *s = store_of(state);
    struct kt_txn *t = begin(s, KT_ENV_JOURNAL, true);
    for (uint64_t i = 1; i <= 500; i++) OK(s->ops->append(t, KT_T_journal_batch, KT_BYTES_OF(i), kt_str("batch")));
    OK(s->ops->commit(t));
    for (uint64_t i = 499; i <= 500; i++) {
        t = begin(s, KT_ENV_JOURNAL, true);
        uint64_t next = 501, rows = 0;
        OK(s->ops->append(t, KT_T_journal_batch, KT_BYTES_OF(next), kt_str("lost")));
        assert_int_equal(s->ops->append(t, KT_T_journal_batch, KT_BYTES_OF(i), kt_str("x")), KT_EINVAL);
        assert_int_equal(s->ops->commit(t), KT_EINVAL);
        t = begin(s, KT_ENV_JOURNAL, false);
        OK(s->ops->count(t, KT_T_journal_batch, &rows));
        assert_int_equal(rows, 500);
        s->ops->abort(t);
    }
}

static void the_first_failure_sticks(void **state)
{
    /* After one refused call reads find nothing new, writes do nothing, and commit gives that error back. */
    struct kt_store *s = store_of(state);
    uint8_t long_key[501] = {1};
    put_one(s, KT_ENV_STORE, KT_T_store_state, "before", "stays");
    struct {
        enum kt_table table;
        struct kt_bytes key;
    } bad[] = {
        {KT_T_store_state, none                 },
        {KT_T_store_state, KT_BYTES_OF(long_key)},
        {KT_T_store_view,  kt_str("short")      }, /* an integer table */
        {KT_T_keys_meta,   kt_str("k")          }, /* of another environment */
    };
    for (size_t i = 0; i < 4; i++) {
        struct kt_bytes v = none;
        uint64_t rows = 77;
        struct kt_txn *t = begin(s, KT_ENV_STORE, true);
        OK(s->ops->put(t, KT_T_store_state, kt_str("mine"), kt_str("lost")));
        assert_int_equal(s->ops->put(t, bad[i].table, bad[i].key, kt_str("v")), KT_EINVAL);
        assert_int_equal(s->ops->error(t), KT_EINVAL);
        assert_int_equal(s->ops->get(t, KT_T_store_state, kt_str("before"), &v), KT_EINVAL);
        assert_int_equal(s->ops->count(t, KT_T_store_state, &rows), KT_EINVAL);
        assert_true(v.data == NULL && rows == 77);
        assert_int_equal(s->ops->commit(t), KT_EINVAL);
    }
    expect(s, KT_ENV_STORE, KT_T_store_state, "before", "stays");
    expect(s, KT_ENV_STORE, KT_T_store_state, "mine", "");
    struct kt_txn *t = begin(s, KT_ENV_STORE, false); /* writing where one may only read */
    assert_int_equal(s->ops->put(t, KT_T_store_state, kt_str("k"), kt_str("v")), KT_EINVAL);
    assert_int_equal(s->ops->commit(t), KT_EINVAL);
}

static void the_longest_key_fits(void **state)
{
    /* 500 bytes are a key, in every byte table. */
    struct kt_store *s = store_of(state);
    uint8_t key[500];
    memset(key, 'k', sizeof(key));
    struct kt_txn *t = begin(s, KT_ENV_STORE, true);
    for (uint8_t i = 0; i < 100; i++) {
        key[499] = i;
        OK(s->ops->put(t, KT_T_store_list, KT_BYTES_OF(key), KT_BYTES_OF(i)));
    }
    OK(s->ops->commit(t));
    t = begin(s, KT_ENV_STORE, false);
    struct kt_bytes v;
    OK(s->ops->get(t, KT_T_store_list, KT_BYTES_OF(key), &v));
    assert_int_equal(v.data[0], 99);
    s->ops->abort(t);
}

static void a_reader_sees_one_moment(void **state)
{
    /* A reader that began before a commit sees none of it, however often it looks; one that began later sees all. */
    struct kt_store *s = store_of(state);
    put_one(s, KT_ENV_STORE, KT_T_store_state, "k", "old");
    struct kt_txn *reader = begin(s, KT_ENV_STORE, false), *writer = begin(s, KT_ENV_STORE, true);
    struct kt_bytes v;
    OK(s->ops->put(writer, KT_T_store_state, kt_str("k"), kt_str("new")));
    OK(s->ops->put(writer, KT_T_store_state, kt_str("l"), kt_str("more")));
    OK(s->ops->get(reader, KT_T_store_state, kt_str("k"), &v));
    assert_true(kt_bytes_equal(v, kt_str("old")));
    OK(s->ops->commit(writer));
    for (int i = 0; i < 50; i++) put_one(s, KT_ENV_STORE, KT_T_store_state, "k", "newer");
    OK(s->ops->get(reader, KT_T_store_state, kt_str("k"), &v));
    assert_true(kt_bytes_equal(v, kt_str("old")));
    assert_int_equal(s->ops->get(reader, KT_T_store_state, kt_str("l"), &v), KT_ENOTFOUND);
    expect(s, KT_ENV_STORE, KT_T_store_state, "l", "more");
    expect(s, KT_ENV_STORE, KT_T_store_state, "k", "newer");
    s->ops->abort(reader);
}

static void an_abort_leaves_nothing(void **state)
{
    /* What was put, replaced and deleted before an abort is as it was. */
    struct kt_store *s = store_of(state);
    put_one(s, KT_ENV_KEYS, KT_T_keys_meta, "k", "old");
    struct kt_txn *t = begin(s, KT_ENV_KEYS, true);
    OK(s->ops->put(t, KT_T_keys_meta, kt_str("l"), kt_str("new")));
    OK(s->ops->del(t, KT_T_keys_meta, kt_str("k")));
    s->ops->abort(t);
    s->ops->abort(NULL);
    expect(s, KT_ENV_KEYS, KT_T_keys_meta, "k", "old");
    expect(s, KT_ENV_KEYS, KT_T_keys_meta, "l", "");
}

static void one_writer_at_a_time(void **state)
{
    /* A second write transaction of one environment is refused at once; of another environment it is not. */
    struct kt_store *s = store_of(state);
    struct kt_txn *t = begin(s, KT_ENV_STORE, true), *u = NULL;
    assert_int_equal(s->ops->begin(s, KT_ENV_STORE, true, &u), KT_EAGAIN);
    assert_null(u);
    u = begin(s, KT_ENV_JOURNAL, true);
    s->ops->abort(u);
    s->ops->abort(t);
    u = begin(s, KT_ENV_STORE, true);
    s->ops->abort(u);
}

static void a_full_environment_keeps_what_it_has(void **state)
{
    /* Rows are put until there is no room: that transaction fails whole, all before it stands, deleting makes room. */
    struct kt_bench_store *b = *state;
    kt_bench_close(b);
    b->config.map_bytes[KT_ENV_STORE] = 2 << 20;
    if (b->memory) kt_memory_limit(b->memory, KT_ENV_STORE, 2 << 20);
    OK(kt_bench_open(b));
    struct kt_store *s = b->store;
    uint8_t row[3000] = {1};
    uint64_t key = 0, committed = 0;
    int err = KT_OK;
    while (!err && key < 10000) {
        struct kt_txn *t = begin(s, KT_ENV_STORE, true);
        for (int i = 0; i < 10; i++, key++) (void)s->ops->put(t, KT_T_store_view, KT_BYTES_OF(key), KT_BYTES_OF(row));
        err = s->ops->commit(t);
        if (!err) committed = key;
    }
    assert_int_equal(err, KT_EFULL);
    assert_true(committed > 100);
    struct kt_txn *t = begin(s, KT_ENV_STORE, false);
    uint64_t rows = 0;
    struct kt_bytes v;
    OK(s->ops->count(t, KT_T_store_view, &rows));
    assert_int_equal(rows, committed);
    for (key = 0; key < committed; key++) OK(s->ops->get(t, KT_T_store_view, KT_BYTES_OF(key), &v));
    s->ops->abort(t);
    for (key = 0; key < 100; key += 10) {
        t = begin(s, KT_ENV_STORE, true);
        for (uint64_t i = key; i < key + 10; i++) OK(s->ops->del(t, KT_T_store_view, KT_BYTES_OF(i)));
        OK(s->ops->commit(t));
    }
    t = begin(s, KT_ENV_STORE, true);
    OK(s->ops->put(t, KT_T_store_view, KT_BYTES_OF(key), KT_BYTES_OF(row)));
    OK(s->ops->commit(t));
}

static void what_was_stopped_cleanly_is_there_again(void **state)
{
    /* After close and open everything committed is there, and nothing is said to have moved. */
    struct kt_bench_store *b = *state;
    assert_true(b->store->store_survived);
    assert_false(b->store->files_moved);
    put_one(b->store, KT_ENV_KEYS, KT_T_keys_meta, "k", "keys");
    put_one(b->store, KT_ENV_JOURNAL, KT_T_journal_meta, "k", "journal");
    put_one(b->store, KT_ENV_STORE, KT_T_store_meta, "k", "store");
    for (int i = 0; i < 3; i++) {
        OK(kt_bench_reopen(b));
        assert_true(b->store->store_survived);
        assert_false(b->store->files_moved);
        expect(b->store, KT_ENV_KEYS, KT_T_keys_meta, "k", "keys");
        expect(b->store, KT_ENV_JOURNAL, KT_T_journal_meta, "k", "journal");
        expect(b->store, KT_ENV_STORE, KT_T_store_meta, "k", "store");
    }
}

static void a_checkpoint_brings_the_store_back(void **state)
{
    /* The store goes on after a checkpoint; restore brings back that moment, discard empties it; keys stay. */
    struct kt_store *s = store_of(state);
    assert_int_equal(s->ops->restore(s), KT_ENOTFOUND);
    put_one(s, KT_ENV_KEYS, KT_T_keys_meta, "k", "key");
    put_one(s, KT_ENV_STORE, KT_T_store_state, "k", "first");
    OK(s->ops->checkpoint(s));
    put_one(s, KT_ENV_STORE, KT_T_store_state, "k", "second");
    OK(s->ops->restore(s));
    expect(s, KT_ENV_STORE, KT_T_store_state, "k", "first");
    put_one(s, KT_ENV_STORE, KT_T_store_state, "k", "third");
    OK(s->ops->checkpoint(s)); /* replaces the one before */
    OK(s->ops->discard(s));
    expect(s, KT_ENV_STORE, KT_T_store_state, "k", "");
    put_one(s, KT_ENV_STORE, KT_T_store_state, "l", "after");
    OK(s->ops->restore(s));
    expect(s, KT_ENV_STORE, KT_T_store_state, "k", "third");
    expect(s, KT_ENV_STORE, KT_T_store_state, "l", "");
    expect(s, KT_ENV_KEYS, KT_T_keys_meta, "k", "key");
    struct kt_bench_store *b = *state;
    OK(kt_bench_reopen(b));
    expect(b->store, KT_ENV_STORE, KT_T_store_state, "k", "third");
    assert_true(b->store->store_survived);
}

static void nobody_loses_the_ground_he_stands_on(void **state)
{
    /* While a reader is inside, restore and discard are refused; after it left they work. */
    struct kt_store *s = store_of(state);
    put_one(s, KT_ENV_STORE, KT_T_store_state, "k", "v");
    OK(s->ops->checkpoint(s));
    struct kt_txn *reader = begin(s, KT_ENV_STORE, false);
    assert_int_equal(s->ops->restore(s), KT_EAGAIN);
    assert_int_equal(s->ops->discard(s), KT_EAGAIN);
    struct kt_bytes v;
    OK(s->ops->get(reader, KT_T_store_state, kt_str("k"), &v));
    s->ops->abort(reader);
    OK(s->ops->restore(s));
    expect(s, KT_ENV_STORE, KT_T_store_state, "k", "v");
}

static void info_counts(void **state)
{
    /* Use grows with what is put, and a commit counts. */
    struct kt_store *s = store_of(state);
    struct kt_env_info before, after;
    OK(s->ops->info(s, KT_ENV_STORE, &before));
    struct kt_txn *t = begin(s, KT_ENV_STORE, true);
    uint8_t row[20000] = {0};
    for (uint64_t i = 0; i < 20; i++) OK(s->ops->put(t, KT_T_store_view, KT_BYTES_OF(i), KT_BYTES_OF(row)));
    OK(s->ops->commit(t));
    OK(s->ops->info(s, KT_ENV_STORE, &after));
    assert_true(after.used_bytes >= before.used_bytes + 20 * sizeof(row));
    assert_true(after.last_txn == before.last_txn + 1 && after.map_bytes > after.used_bytes);
    assert_true(after.disk_free_bytes > 0);
}

#define ALL_OVER(backend)                                                                                              \
    KT_OVER(backend, rows_come_back_as_they_were_put), KT_OVER(backend, tables_are_worlds_of_their_own),               \
        KT_OVER(backend, a_row_can_be_copied_to_another), KT_OVER(backend, integer_keys_sort_as_numbers),              \
        KT_OVER(backend, byte_keys_sort_with_the_shorter_first),                                                       \
        KT_OVER(backend, a_cursor_keeps_its_place_while_rows_change),                                                  \
        KT_OVER(backend, append_takes_only_the_greatest), KT_OVER(backend, the_first_failure_sticks),                  \
        KT_OVER(backend, the_longest_key_fits), KT_OVER(backend, a_reader_sees_one_moment),                            \
        KT_OVER(backend, an_abort_leaves_nothing), KT_OVER(backend, one_writer_at_a_time),                             \
        KT_OVER(backend, a_full_environment_keeps_what_it_has),                                                        \
        KT_OVER(backend, what_was_stopped_cleanly_is_there_again),                                                     \
        KT_OVER(backend, a_checkpoint_brings_the_store_back), KT_OVER(backend, nobody_loses_the_ground_he_stands_on),  \
        KT_OVER(backend, info_counts)

int main(void)
{
    static const struct CMUnitTest tests[] = {ALL_OVER(lmdb), ALL_OVER(memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
