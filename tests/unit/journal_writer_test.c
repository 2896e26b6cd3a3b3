/* The journal writer over every backend of the store. */
#include "engine/journal/journal_writer.h"
#include "support/backends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), KT_OK)

static struct kt_txn *begin(struct kt_store *s, bool write)
{
    struct kt_txn *t = NULL;
    OK(s->ops->begin(s, KT_ENV_JOURNAL, write, &t));
    return t;
}

static struct kt_vector_entry head_of(kt_member member, uint64_t incarnation, uint64_t number)
{
    struct kt_vector_entry e = {
        .origin = {member, incarnation},
          .number = number, .hlc = number << 16 | member, .roster_version = 3
    };
    memset(e.seal_hash.b, (int)(member * 16 + number), KT_HASH_BYTES);
    return e;
}

/* A batch whose bytes say whose it is. */
static struct kt_bytes batch_of(const struct kt_vector_entry *e, char text[64])
{
    int n = snprintf(text, 64, "batch %u/%llu/%llu", e->origin.member, (unsigned long long)e->origin.incarnation,
                     (unsigned long long)e->number);
    return kt_bytes(text, (size_t)n);
}

static int count_pulse(void *context, kt_member member, struct kt_bytes pulse)
{
    assert_int_equal(member, 1);
    assert_true(kt_bytes_equal(pulse, kt_str("pulse")));
    ++*(int *)context;
    return KT_OK;
}

static void a_group_goes_in_whole(struct kt_store *s, bool threaded)
{
    struct kt_journal_writer *w;
    char text[8][64];
    struct kt_journal_record r[8];
    struct kt_journal_pulse_record pulse = {.member = 1, .pulse = kt_str("pulse")};
    OK(kt_journal_writer_new(s, threaded, &w));
    OK(kt_journal_writer_wait(w)); /* nothing begun: nothing to wait for */
    for (uint64_t round = 0; round < 20; round++) {
        for (uint64_t i = 0; i < 8; i++) {
            struct kt_vector_entry e = head_of(1, 1, 8 * round + i + 1);
            r[i] = (struct kt_journal_record){.head = e, .batch = batch_of(&e, text[i]), .position = 999};
        }
        struct kt_journal_group g = {.records = r, .records_len = 8, .pulses = &pulse, .pulses_len = 1};
        r[7].head.number += round % 4 == 3; /* every fourth group has a gap at its end */
        OK(kt_journal_writer_begin(w, &g));
        assert_int_equal(kt_journal_writer_begin(w, &g), KT_EAGAIN);
        if (round % 4 == 3) {
            assert_int_equal(kt_journal_writer_wait(w), KT_EGAP);
            assert_int_equal(r[0].position, 999);
            r[7].head.number--;
            OK(kt_journal_writer_begin(w, &g));
        }
        OK(kt_journal_writer_wait(w));
        for (uint64_t i = 0; i < 8; i++) assert_int_equal(r[i].position, 8 * round + i + 1);
    }
    kt_journal_writer_free(w);
    struct kt_txn *t = begin(s, false);
    struct kt_journal_entry e;
    int pulses = 0;
    for (uint64_t i = 1; i <= 160; i++) OK(kt_journal_get(s, t, i, &e));
    OK(kt_journal_pulses(s, t, count_pulse, &pulses));
    assert_int_equal(pulses, 1);
    s->ops->abort(t);
}

static void groups_go_in_whole(void **state)
{
    /* Groups are handed over and waited for, without a thread: a group with a gap leaves nothing behind. */
    a_group_goes_in_whole(((struct kt_bench_store *)*state)->store, false);
}

static void groups_go_in_whole_by_a_thread(void **state)
{
    /* The same with a thread; at the end a group still under way is finished before the thread ends. */
    struct kt_store *s = ((struct kt_bench_store *)*state)->store;
    a_group_goes_in_whole(s, true);
    struct kt_journal_writer *w;
    struct kt_journal_record r = {.head = head_of(2, 1, 1), .batch = kt_str("last")};
    OK(kt_journal_writer_new(s, true, &w));
    OK(kt_journal_writer_begin(w, &(struct kt_journal_group){.records = &r, .records_len = 1}));
    kt_journal_writer_free(w);
    struct kt_txn *t = begin(s, false);
    struct kt_journal_entry e;
    OK(kt_journal_find(s, t, r.head.origin, 1, &e));
    s->ops->abort(t);
    kt_journal_writer_free(NULL);
}

static void every_failing_call_leaves_all_or_nothing(void **state)
{
    /* Each call of the store fails in turn while a group is written: the group is there whole, or not at all, and the
     * next attempt succeeds. */
    struct kt_bench_store *b = *state;
    struct kt_store *s = b->store;
    struct kt_journal_writer *w;
    OK(kt_journal_writer_new(s, false, &w));
    uint64_t number = 1, failures = 0;
    for (uint64_t nth = 1;; nth++) {
        struct kt_journal_record r[3];
        for (uint64_t i = 0; i < 3; i++)
            r[i] = (struct kt_journal_record){.head = head_of(1, 1, number + i), .batch = kt_str("batch")};
        struct kt_journal_group g = {.records = r, .records_len = 3};
        kt_memory_fail(b->memory, nth, nth % 2 ? KT_EFULL : KT_EIO);
        OK(kt_journal_writer_begin(w, &g));
        int err = kt_journal_writer_wait(w);
        kt_memory_fail(b->memory, 0, KT_OK);
        struct kt_txn *t = begin(s, false);
        uint64_t rows;
        OK(s->ops->count(t, KT_T_journal_batch, &rows));
        s->ops->abort(t);
        assert_int_equal(rows, err ? number - 1 : number + 2);
        if (!err) break;
        assert_int_equal(err, nth % 2 ? KT_EFULL : KT_EIO);
        failures++;
        OK(kt_journal_writer_begin(w, &g));
        OK(kt_journal_writer_wait(w));
        number += 3;
    }
    print_message("%llu calls failed in turn\n", (unsigned long long)failures);
    assert_true(failures > 20);
    kt_journal_writer_free(w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        KT_OVER(lmdb, groups_go_in_whole),
        KT_OVER(lmdb, groups_go_in_whole_by_a_thread),
        KT_OVER(memory, groups_go_in_whole),
        KT_OVER(memory, groups_go_in_whole_by_a_thread),
        KT_OVER(memory, every_failing_call_leaves_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
