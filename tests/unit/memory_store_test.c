/* The store in memory: its crashes, reboots, copies and faults.  What it shares with LMDB is in tests/contract. */
#include "support/memory_store.h"
#include "support/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), KT_OK)

static void put_everywhere(struct kt_store *s, uint64_t key)
{
    OK(kt_probe_put(s, KT_ENV_KEYS, KT_T_keys_roster, key, 10));
    OK(kt_probe_put(s, KT_ENV_JOURNAL, KT_T_journal_batch, key, 10));
    OK(kt_probe_put(s, KT_ENV_STORE, KT_T_store_view, key, 10));
}

static void expect(struct kt_store *s, uint64_t key, bool truth, bool store)
{
    assert_int_equal(kt_probe_has(s, KT_ENV_KEYS, KT_T_keys_roster, key), truth);
    assert_int_equal(kt_probe_has(s, KT_ENV_JOURNAL, KT_T_journal_batch, key), truth);
    assert_int_equal(kt_probe_has(s, KT_ENV_STORE, KT_T_store_view, key), store);
}

static void a_killed_process_keeps_what_it_committed(void **state)
{
    /* The process ends with transactions open: what was committed is there, the rest is not, nothing has moved. */
    struct kt_bench_store *b = *state;
    struct kt_txn *t, *u;
    put_everywhere(b->store, 1);
    OK(b->store->ops->begin(b->store, KT_ENV_JOURNAL, true, &t));
    OK(b->store->ops->begin(b->store, KT_ENV_STORE, false, &u));
    uint64_t two = 2;
    OK(b->store->ops->put(t, KT_T_journal_batch, KT_BYTES_OF(two), kt_str("lost")));
    kt_memory_crash(b->store, false);
    OK(kt_memory_open(b->memory, &b->store));
    assert_true(b->store->store_survived && !b->store->files_moved);
    expect(b->store, 1, true, true);
    expect(b->store, 2, false, false);
}

static void a_dead_machine_loses_the_store(void **state)
{
    /* Power goes: keys and journal stand, the store is gone, and the node must ask for its own head until it settled.
     */
    struct kt_bench_store *b = *state;
    put_everywhere(b->store, 1);
    OK(b->store->ops->checkpoint(b->store));
    put_everywhere(b->store, 2);
    kt_memory_crash(b->store, true);
    for (int i = 0; i < 2; i++) {
        OK(kt_memory_open(b->memory, &b->store));
        assert_true(!b->store->store_survived && b->store->files_moved);
        expect(b->store, 2, true, false);
        if (i == 0) kt_bench_close(b); /* a restart forgets neither */
    }
    OK(b->store->ops->restore(b->store));
    OK(b->store->ops->settled(b->store));
    expect(b->store, 1, true, true);
    expect(b->store, 2, true, false);
    OK(kt_bench_reopen(b));
    assert_true(b->store->store_survived && !b->store->files_moved);
    kt_bench_close(b);
    kt_memory_reboot(b->memory);
    OK(kt_bench_open(b));
    assert_true(b->store->store_survived && b->store->files_moved);
}

static void a_copied_disk_knows_that_it_is_one(void **state)
{
    /* A disk is copied and both go on: the copy has moved, the original has not, and neither sees the other's rows. */
    struct kt_bench_store *b = *state;
    struct kt_memory_disk *copy;
    struct kt_store *other, *second;
    put_everywhere(b->store, 1);
    OK(kt_memory_disk_copy(b->memory, &copy));
    OK(kt_memory_open(copy, &other));
    assert_int_equal(kt_memory_open(copy, &second), KT_EAGAIN);
    assert_true(other->files_moved && !other->store_survived && !b->store->files_moved);
    put_everywhere(other, 2);
    put_everywhere(b->store, 3);
    expect(other, 3, false, false);
    expect(b->store, 2, false, false);
    expect(other, 1, true, true);
    other->ops->close(other);
    kt_memory_disk_free(copy);
}

static void faults_come_when_asked_for(void **state)
{
    /* The nth call fails once, with the error asked for, and sticks to its transaction only; a flipped bit is read. */
    struct kt_bench_store *b = *state;
    uint64_t before = kt_memory_calls(b->memory), key = 1;
    put_everywhere(b->store, key);
    uint64_t calls = (kt_memory_calls(b->memory) - before) / 3; /* begin, put, commit */
    assert_int_equal(calls, 3);
    for (uint64_t nth = 1; nth <= calls; nth++) {
        kt_memory_fail(b->memory, nth, KT_EIO);
        assert_int_equal(kt_probe_put(b->store, KT_ENV_STORE, KT_T_store_view, 7, 5), KT_EIO);
        assert_false(kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, 7));
    }
    OK(kt_probe_put(b->store, KT_ENV_STORE, KT_T_store_view, 7, 5));
    OK(kt_memory_rot(b->memory, KT_T_store_view, KT_BYTES_OF(key), 9));
    assert_false(kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, key));
    OK(kt_memory_rot(b->memory, KT_T_store_view, KT_BYTES_OF(key), 9));
    expect(b->store, key, true, true);
    key = 99;
    assert_int_equal(kt_memory_rot(b->memory, KT_T_store_view, KT_BYTES_OF(key), 9), KT_ENOTFOUND);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        KT_OVER(memory, a_killed_process_keeps_what_it_committed),
        KT_OVER(memory, a_dead_machine_loses_the_store),
        KT_OVER(memory, a_copied_disk_knows_that_it_is_one),
        KT_OVER(memory, faults_come_when_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
