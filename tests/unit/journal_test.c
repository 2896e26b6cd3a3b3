/* The journal over every backend of the store. */
#include "engine/journal/journal.h"
#include "engine/journal/layout.h"
#include "support/backends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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

static int append(struct kt_store *s, struct kt_txn *t, struct kt_vector_entry e, uint64_t *position)
{
    char text[64];
    return kt_journal_append(s, t, &e, batch_of(&e, text), position);
}

static void append_run(struct kt_store *s, kt_member member, uint64_t from, uint64_t to)
{
    struct kt_txn *t = begin(s, true);
    uint64_t position;
    for (uint64_t n = from; n <= to; n++) OK(append(s, t, head_of(member, 1, n), &position));
    OK(s->ops->commit(t));
}

static void rows_lie_as_the_layout_says(void **state)
{
    /* The example of layout.h, byte for byte: member 7, incarnation 0x0123456789abcdef, its batch 5, at position 9. */
    struct kt_store *s = ((struct kt_bench_store *)*state)->store;
    append_run(s, 1, 1, 8);
    struct kt_txn *t = begin(s, true);
    struct kt_vector_entry e = {
        .origin = {7, 0x0123456789abcdef},
          .number = 4, .hlc = 1, .roster_version = 3
    };
    memset(e.seal_hash.b, 0xaa, KT_HASH_BYTES);
    OK(kt_journal_adopt(s, t, &e));
    uint64_t position = 0;
    e.number = 5;
    e.hlc = 0x0000019000000001;
    OK(kt_journal_append(s, t, &e, kt_str("B"), &position));
    assert_int_equal(position, 9);
    OK(kt_journal_pulse_put(s, t, 7, kt_str("P")));
    OK(kt_journal_proof_put(s, t, e.origin, 5, kt_str("F")));

    static const struct {
        enum kt_table table;
        const char *key, *value;
    } rows[] = {
        {KT_T_journal_batch, NULL,                                                   "000000070123456789abcdef000000000000000542"},
        {KT_T_journal_where, "000000070123456789abcdef0000000000000005",             "0000000000000009"                          },
        {KT_T_journal_head,  "000000070123456789abcdef",
         "0000000000000005aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa000001900000000100000003"              },
        {KT_T_journal_meta,  "6e657874",                                             "000000000000000a"                          },
        {KT_T_journal_meta,  "626173652f000000070123456789abcdef",                   "0000000000000004"                          },
        {KT_T_journal_meta,  "70726f6f662f000000070123456789abcdef0000000000000005", "46"                                        },
    };
    uint64_t nine = 9, seven = 7;
    struct kt_bytes v;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t key[64];
        char hex[256];
        size_t key_len = rows[i].key ? strlen(rows[i].key) / 2 : 0;
        if (rows[i].key) OK(kt_unhex(rows[i].key, key, key_len));
        OK(s->ops->get(t, rows[i].table, rows[i].key ? kt_bytes(key, key_len) : KT_BYTES_OF(nine), &v));
        kt_hex(v, hex);
        assert_string_equal(hex, rows[i].value);
    }
    OK(s->ops->get(t, KT_T_journal_pulse, KT_BYTES_OF(seven), &v));
    assert_true(kt_bytes_equal(v, kt_str("P")));
    OK(s->ops->commit(t));
}

static void batches_are_found_by_place_and_by_name(void **state)
{
    /* Three origins interleave; each batch is found both ways, before and after the commit and a restart. */
    struct kt_bench_store *b = *state;
    struct kt_txn *t = begin(b->store, true);
    uint64_t position, place = 0, base, next;
    for (uint64_t n = 1; n <= 20; n++)
        for (kt_member m = 1; m <= 3; m++) {
            OK(append(b->store, t, head_of(m, m * 100, n), &position));
            assert_int_equal(position, ++place);
        }
    for (int round = 0; round < 3; round++) {
        struct kt_store *s = b->store;
        place = 0;
        for (uint64_t n = 1; n <= 20; n++)
            for (kt_member m = 1; m <= 3; m++) {
                struct kt_vector_entry e = head_of(m, m * 100, n);
                struct kt_journal_entry by_place, by_name;
                char text[64];
                OK(kt_journal_get(s, t, ++place, &by_place));
                OK(kt_journal_find(s, t, e.origin, n, &by_name));
                assert_true(kt_bytes_equal(by_place.batch, batch_of(&e, text)));
                assert_true(kt_bytes_equal(by_name.batch, by_place.batch));
                assert_int_equal(kt_origin_compare(by_place.origin, e.origin), 0);
                assert_int_equal(by_place.number, n);
            }
        OK(kt_journal_span(s, t, &base, &next));
        assert_true(base == 1 && next == 61);
        struct kt_journal_entry none;
        assert_int_equal(kt_journal_get(s, t, 61, &none), KT_ENOTFOUND);
        assert_int_equal(kt_journal_where(s, t, (struct kt_origin){1, 100}, 21, &position), KT_ENOTFOUND);
        assert_int_equal(kt_journal_where(s, t, (struct kt_origin){1, 101}, 1, &position), KT_ENOTFOUND);
        OK(s->ops->commit(t));
        if (round == 1) OK(kt_bench_reopen(b));
        t = begin(b->store, false);
    }
    b->store->ops->abort(t);
}

static void numbers_have_no_gaps_and_no_doubles(void **state)
{
    /* A batch that is held already, one that leaves a gap, an empty and an oversized one are refused; the transaction
     * goes on, and takes the right one. */
    struct kt_store *s = ((struct kt_bench_store *)*state)->store;
    append_run(s, 1, 1, 3);
    struct kt_txn *t = begin(s, true);
    uint64_t position = 77;
    static uint8_t huge[KT_BATCH_BYTES_MAX + 1];
    struct kt_vector_entry four = head_of(1, 1, 4);
    assert_int_equal(append(s, t, head_of(1, 1, 3), &position), KT_EDUPLICATE);
    assert_int_equal(append(s, t, head_of(1, 1, 1), &position), KT_EDUPLICATE);
    assert_int_equal(append(s, t, head_of(1, 1, 5), &position), KT_EGAP);
    assert_int_equal(append(s, t, head_of(2, 1, 2), &position), KT_EGAP);
    assert_int_equal(append(s, t, head_of(0, 1, 1), &position), KT_EINVAL);
    assert_int_equal(append(s, t, head_of(1, 1, 0), &position), KT_EINVAL);
    assert_int_equal(kt_journal_append(s, t, &four, kt_bytes(NULL, 0), &position), KT_EINVAL);
    assert_int_equal(kt_journal_append(s, t, &four, KT_BYTES_OF(huge), &position), KT_EOVERSIZE);
    assert_int_equal(position, 77);
    OK(s->ops->error(t));
    OK(kt_journal_append(s, t, &four, kt_bytes(huge, KT_BATCH_BYTES_MAX), &position));
    assert_int_equal(position, 4);
    OK(s->ops->commit(t));
    t = begin(s, false);
    struct kt_vector_entry head;
    OK(kt_journal_head(s, t, four.origin, &head));
    assert_true(head.number == 4 && head.hlc == four.hlc && head.roster_version == 3);
    assert_memory_equal(head.seal_hash.b, four.seal_hash.b, KT_HASH_BYTES);
    assert_int_equal(kt_journal_head(s, t, (struct kt_origin){9, 9}, &head), KT_ENOTFOUND);
    s->ops->abort(t);
}

struct seen {
    uint64_t count, sum;
    uint64_t stop_at;
};

static int see_head(void *context, const struct kt_vector_entry *e)
{
    struct seen *seen = context;
    seen->sum = seen->sum * 31 + e->origin.member * 7 + e->origin.incarnation * 3 + e->number;
    return ++seen->count == seen->stop_at ? KT_ENOTFOUND : KT_OK;
}

static void heads_come_in_order_of_origin(void **state)
{
    /* Members and incarnations, taken in a muddle, are walked by rising origin; a walk can be ended in the middle. */
    struct kt_store *s = ((struct kt_bench_store *)*state)->store;
    static const struct kt_origin muddled[] = {
        {300, 1         },
        {2,   9         },
        {2,   1         },
        {1,   UINT64_MAX},
        {300, 0         }
    };
    static const struct kt_origin sorted[] = {
        {1,   UINT64_MAX},
        {2,   1         },
        {2,   9         },
        {300, 0         },
        {300, 1         }
    };
    struct kt_txn *t = begin(s, true);
    uint64_t position;
    struct seen want = {0}, got = {0}, half = {.stop_at = 3};
    OK(kt_journal_heads(s, t, see_head, &got));
    assert_int_equal(got.count, 0);
    for (int i = 0; i < 5; i++) OK(append(s, t, head_of(muddled[i].member, muddled[i].incarnation, 1), &position));
    for (int i = 0; i < 5; i++) {
        struct kt_vector_entry e = head_of(sorted[i].member, sorted[i].incarnation, 1);
        OK(see_head(&want, &e));
    }
    OK(kt_journal_heads(s, t, see_head, &got));
    assert_true(got.count == 5 && got.sum == want.sum);
    assert_int_equal(kt_journal_heads(s, t, see_head, &half), KT_ENOTFOUND);
    assert_int_equal(half.count, 3);
    s->ops->abort(t);
}

static void what_an_asker_lacks_starts_at_the_right_place(void **state)
{
    /* Random journals of four origins, cut at random; random askers: the answer equals that of a plain walk over what
     * was appended. */
    struct kt_store *s = ((struct kt_bench_store *)*state)->store;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    struct {
        kt_member member;
        uint64_t number;
    } order[200];
    uint64_t heads[5] = {0}, bases[5] = {0}, position, base = 1;
    struct kt_txn *t = begin(s, true);
    for (uint64_t i = 0; i < 200; i++) {
        order[i].member = 1 + (kt_member)rand_r(&seed) % 4;
        order[i].number = ++heads[order[i].member];
        OK(append(s, t, head_of(order[i].member, 1, order[i].number), &position));
    }
    for (int round = 0; round < 300; round++) {
        if (round == 150) {
            OK(kt_journal_truncate(s, t, 61, SIZE_MAX, &base));
            for (int i = 0; i < 60; i++) bases[order[i].member] = order[i].number;
        }
        struct kt_vector_entry entries[4];
        struct kt_vector have = {.entries = entries};
        struct kt_origin skip = {1 + (kt_member)rand_r(&seed) % 4, 1};
        size_t skip_len = (size_t)rand_r(&seed) % 2;
        uint64_t his[5] = {0}, want = 0;
        bool below = false;
        for (kt_member m = 1; m <= 4; m++) {
            his[m] =
                rand_r(&seed) % 3 ? heads[m] + (uint64_t)(rand_r(&seed) % 2) : (uint64_t)rand_r(&seed) % (heads[m] + 1);
            if (his[m]) entries[have.len++] = head_of(m, 1, his[m]);
            below = below || ((!skip_len || skip.member != m) && his[m] < bases[m]);
        }
        for (uint64_t i = 200; i-- > 0;)
            if (order[i].number > his[order[i].member] && (!skip_len || skip.member != order[i].member)) want = i + 1;
        int err = kt_journal_first_missing(s, t, &have, &skip, skip_len, &position);
        assert_int_equal(err, below ? KT_ESNAPSHOT : want ? KT_OK : KT_ENOTFOUND);
        if (!err) assert_int_equal(position, want);
    }
    s->ops->abort(t);
}

static void cutting_moves_the_base(void **state)
{
    /* The journal is cut in pieces of seven; what went is answered with "snapshot required", what stays is there, and
     * appending goes on where it was, even after all was cut. */
    struct kt_store *s = ((struct kt_bench_store *)*state)->store;
    append_run(s, 1, 1, 30);
    append_run(s, 2, 1, 30);
    uint64_t base = 0, next, position, number;
    struct kt_journal_entry e;
    for (uint64_t want = 8; base < 41; want += 7) {
        struct kt_txn *t = begin(s, true);
        OK(kt_journal_truncate(s, t, 41, 7, &base));
        assert_int_equal(base, want < 41 ? want : 41);
        OK(s->ops->commit(t));
    }
    struct kt_txn *t = begin(s, true);
    assert_int_equal(kt_journal_truncate(s, t, 62, 7, &base), KT_EINVAL);
    OK(kt_journal_truncate(s, t, 10, 7, &base)); /* cut already */
    assert_int_equal(base, 41);
    assert_int_equal(kt_journal_get(s, t, 40, &e), KT_ESNAPSHOT);
    assert_int_equal(kt_journal_find(s, t, (struct kt_origin){2, 1}, 10, &e), KT_ESNAPSHOT);
    OK(kt_journal_find(s, t, (struct kt_origin){2, 1}, 11, &e));
    OK(kt_journal_base_of(s, t, (struct kt_origin){2, 1}, &number));
    assert_int_equal(number, 10);
    uint64_t rows;
    OK(s->ops->count(t, KT_T_journal_where, &rows));
    assert_int_equal(rows, 20);
    OK(kt_journal_truncate(s, t, 61, SIZE_MAX, &base));
    OK(kt_journal_span(s, t, &base, &next));
    assert_true(base == 61 && next == 61);
    assert_int_equal(append(s, t, head_of(2, 1, 30), &position), KT_EDUPLICATE);
    OK(append(s, t, head_of(2, 1, 31), &position));
    assert_int_equal(position, 61);
    OK(s->ops->commit(t));
}

static void a_snapshot_sets_heads(void **state)
{
    /* After a snapshot an origin goes on from where the snapshot ended; what it covered was never here. */
    struct kt_store *s = ((struct kt_bench_store *)*state)->store;
    append_run(s, 1, 1, 5);
    struct kt_txn *t = begin(s, true);
    uint64_t position;
    struct kt_vector_entry far = head_of(1, 1, 90), near = head_of(1, 1, 5);
    assert_int_equal(kt_journal_adopt(s, t, &near), KT_EDUPLICATE);
    OK(kt_journal_adopt(s, t, &far));
    assert_int_equal(append(s, t, head_of(1, 1, 6), &position), KT_EDUPLICATE);
    OK(append(s, t, head_of(1, 1, 91), &position));
    assert_int_equal(position, 6);
    assert_int_equal(kt_journal_where(s, t, far.origin, 50, &position), KT_ESNAPSHOT);
    struct kt_vector_entry held = head_of(1, 1, 90);
    struct kt_vector have = {.entries = &held, .len = 1};
    OK(kt_journal_first_missing(s, t, &have, NULL, 0, &position));
    assert_int_equal(position, 6);
    held.number = 10;
    assert_int_equal(kt_journal_first_missing(s, t, &have, NULL, 0, &position), KT_ESNAPSHOT);
    OK(s->ops->commit(t));
}

static int see_pulse(void *context, kt_member member, struct kt_bytes pulse)
{
    struct seen *seen = context;
    seen->count++;
    seen->sum = seen->sum * 31 + member * 1000 + pulse.data[0];
    return KT_OK;
}

static int see_proof(void *context, struct kt_origin origin, uint64_t number, struct kt_bytes proof)
{
    struct seen *seen = context;
    seen->count++;
    seen->sum = seen->sum * 31 + origin.member * 1000 + number * 10 + proof.data[0];
    return KT_OK;
}

static void pulses_and_proofs_are_kept(void **state)
{
    /* Of pulses the newest per member stays, of proofs the first per number; walks give all of them and nothing else.
     */
    struct kt_store *s = ((struct kt_bench_store *)*state)->store;
    append_run(s, 1, 1, 3);
    struct kt_txn *t = begin(s, true);
    struct seen pulses = {0}, proofs = {0};
    OK(kt_journal_pulse_put(s, t, 300, kt_str("a")));
    OK(kt_journal_pulse_put(s, t, 2, kt_str("b")));
    OK(kt_journal_pulse_put(s, t, 300, kt_str("c")));
    struct kt_origin o = {5, 5}, p = {4, 9};
    OK(kt_journal_proof_put(s, t, o, 3, kt_str("x")));
    assert_int_equal(kt_journal_proof_put(s, t, o, 3, kt_str("y")), KT_EDUPLICATE);
    OK(kt_journal_proof_put(s, t, p, 1, kt_str("z")));
    OK(kt_journal_pulses(s, t, see_pulse, &pulses));
    assert_true(pulses.count == 2 && pulses.sum == (2000 + 'b') * 31 + 300000 + 'c');
    OK(kt_journal_proofs(s, t, see_proof, &proofs));
    assert_true(proofs.count == 2 && proofs.sum == (4010 + 'z') * 31 + 5030 + 'x');
    OK(s->ops->commit(t));
}

static void rows_that_vanish_or_do_not_read_are_damage(void **state)
{
    /* A row goes missing behind the journal's back, or another name stands in it: said, not taken for "not held". */
    struct kt_store *s = ((struct kt_bench_store *)*state)->store;
    append_run(s, 1, 1, 10);
    struct kt_origin o = {1, 1};
    uint64_t five = 5, position;
    uint8_t name[KT_JOURNAL_NAME_BYTES] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5};
    struct kt_journal_entry e;
    struct kt_vector none = {0};
    struct kt_txn *t = begin(s, true);
    OK(s->ops->del(t, KT_T_journal_batch, KT_BYTES_OF(five)));
    assert_int_equal(kt_journal_get(s, t, 5, &e), KT_EDAMAGED);
    assert_int_equal(kt_journal_find(s, t, o, 5, &e), KT_EDAMAGED);
    assert_int_equal(kt_journal_truncate(s, t, 8, 100, &position), KT_EDAMAGED);
    s->ops->abort(t);

    t = begin(s, true);
    OK(s->ops->del(t, KT_T_journal_where, KT_BYTES_OF(name)));
    assert_int_equal(kt_journal_where(s, t, o, 5, &position), KT_EDAMAGED);
    name[19] = 1;
    OK(s->ops->del(t, KT_T_journal_where, KT_BYTES_OF(name)));
    assert_int_equal(kt_journal_first_missing(s, t, &none, NULL, 0, &position), KT_EDAMAGED);
    s->ops->abort(t);

    static const char *const bad[] = {"", "short", "00000000000000000000"}; /* the last: name only, no batch */
    for (int i = 0; i < 3; i++) {
        t = begin(s, true);
        OK(s->ops->put(t, KT_T_journal_batch, KT_BYTES_OF(five), kt_str(bad[i])));
        assert_int_equal(kt_journal_get(s, t, 5, &e), KT_EDAMAGED);
        OK(s->ops->put(t, KT_T_journal_head, kt_bytes(name, KT_ORIGIN_BYTES), kt_str(bad[i])));
        assert_int_equal(kt_journal_where(s, t, o, 50, &position), KT_EDAMAGED);
        OK(s->ops->put(t, KT_T_journal_meta, kt_str("next"), kt_str(bad[i])));
        assert_int_equal(kt_journal_span(s, t, &position, &position), KT_EDAMAGED);
        s->ops->abort(t);
    }
    t = begin(s, true);
    uint8_t row[64] = "000000000000xxxxxxxxbatch"; /* somebody else's */
    OK(s->ops->put(t, KT_T_journal_batch, KT_BYTES_OF(five), kt_bytes(row, 25)));
    assert_int_equal(kt_journal_find(s, t, o, 5, &e), KT_EDAMAGED);
    s->ops->abort(t);
}

#define ALL_OVER(backend)                                                                                              \
    KT_OVER(backend, rows_lie_as_the_layout_says), KT_OVER(backend, batches_are_found_by_place_and_by_name),           \
        KT_OVER(backend, numbers_have_no_gaps_and_no_doubles), KT_OVER(backend, heads_come_in_order_of_origin),        \
        KT_OVER(backend, what_an_asker_lacks_starts_at_the_right_place), KT_OVER(backend, cutting_moves_the_base),     \
        KT_OVER(backend, a_snapshot_sets_heads), KT_OVER(backend, pulses_and_proofs_are_kept),                         \
        KT_OVER(backend, rows_that_vanish_or_do_not_read_are_damage)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ALL_OVER(lmdb),
        ALL_OVER(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
