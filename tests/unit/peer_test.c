/* What two nodes say to each other: each part there and back, and what a hostile peer may send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/peer/peer.h"
#include "proto/peer/peer.pb-c.h"
#include "support/wire.h"

#define ARENA_BYTES (8u << 20)

static struct kt_bytes *random_list(struct wire_random *r, struct kt_arena *a, uint32_t n, size_t len_max)
{
    struct kt_bytes *list = kt_arena_array(a, n + 1, sizeof(*list));
    assert_non_null(list);
    for (uint32_t i = 0; i < n; i++) list[i] = wire_bytes(r, a, 1 + wire_below(r, (uint32_t)len_max));
    return list;
}

static void *array(struct kt_arena *a, uint32_t n, size_t size)
{
    void *p = kt_arena_array(a, n + 1, size);
    assert_non_null(p);
    return p;
}

static struct kt_origin random_origin(struct wire_random *r, uint32_t i)
{
    return (struct kt_origin){i + 1, wire_next(r)};
}

static struct kt_dot random_dot(struct wire_random *r, uint32_t i)
{
    return (struct kt_dot){random_origin(r, i), wire_next(r) >> 9, wire_below(r, 1024), wire_below(r, 1024)};
}

static void random_pull(struct wire_random *r, struct kt_arena *a, struct kt_pull *p)
{
    struct kt_head *heads = array(a, 40, sizeof(*heads));
    struct kt_origin *skip = array(a, 5, sizeof(*skip));
    kt_member *heard = array(a, 30, sizeof(*heard));
    struct kt_dek_id *want = array(a, 60, sizeof(*want));
    *p = (struct kt_pull){.whole = wire_below(r, 2),
                          .heads = heads,
                          .heads_len = 1 + wire_below(r, 40),
                          .skip = skip,
                          .skip_len = 1 + wire_below(r, 5),
                          .heard = heard,
                          .heard_len = 1 + wire_below(r, 30),
                          .want_wraps = want,
                          .want_wraps_len = 1 + wire_below(r, 60),
                          .grant_bytes = wire_below(r, KT_GRANT_BYTES_MAX),
                          .roster_version = wire_below(r, 99),
                          .erasures = wire_below(r, 99)};
    for (uint32_t i = 0; i < p->heads_len; i++) heads[i] = (struct kt_head){random_origin(r, i), wire_next(r) >> 20};
    for (uint32_t i = 0; i < p->skip_len; i++) skip[i] = random_origin(r, i);
    for (uint32_t i = 0; i < p->heard_len; i++) heard[i] = 1 + wire_below(r, 1u << (i % 31));
    wire_fill(r, want, p->want_wraps_len * sizeof(*want));
}

static void random_snapshot(struct wire_random *r, struct kt_arena *a, struct kt_snapshot_piece *p)
{
    struct kt_snapshot_head *heads = array(a, 5, sizeof(*heads));
    struct kt_snapshot_value *values = array(a, 5, sizeof(*values));
    struct kt_snapshot_debt *debts = array(a, 5, sizeof(*debts));
    struct kt_snapshot_held *held = array(a, 5, sizeof(*held));
    *p = (struct kt_snapshot_piece){.compartment = 1 + wire_below(r, 9),
                                    .piece = wire_below(r, 9),
                                    .last = wire_below(r, 2),
                                    .heads = heads,
                                    .heads_len = 5,
                                    .values = values,
                                    .values_len = 5,
                                    .debts = debts,
                                    .debts_len = 5,
                                    .held = held,
                                    .held_len = 5,
                                    .wraps = random_list(r, a, 3, 100),
                                    .wraps_len = 3,
                                    .erasures = random_list(r, a, 2, 100),
                                    .erasures_len = 2};
    for (uint32_t i = 0; i < 5; i++) {
        heads[i].head = (struct kt_head){random_origin(r, i), wire_next(r) >> 30};
        wire_fill(r, &heads[i].seal_hash, 32);
        values[i] = (struct kt_snapshot_value){.field = 1 + wire_below(r, 999),
                                               .element = wire_bytes(r, a, i * 8),
                                               .dot = random_dot(r, i),
                                               .stamp = wire_next(r),
                                               .generation = i,
                                               .value = wire_bytes(r, a, wire_below(r, 300))};
        wire_fill(r, &values[i].ward, 16);
        wire_fill(r, &values[i].entity, 16);
        wire_fill(r, &values[i].tag, 12);
        debts[i] = (struct kt_snapshot_debt){.field = 1 + i, .dot = random_dot(r, i), .generation = i};
        wire_fill(r, &debts[i].ward, 16);
        wire_fill(r, &debts[i].entity, 16);
        held[i] = (struct kt_snapshot_held){random_dot(r, i),     wire_bytes(r, a, 90), wire_bytes(r, a, 64),
                                            wire_bytes(r, a, 40), wire_bytes(r, a, 50), wire_bytes(r, a, 100)};
    }
}

static void random_answer(struct wire_random *r, struct kt_arena *a, struct kt_answer *x)
{
    x->batches_len = 1 + wire_below(r, 6);
    x->batches = array(a, x->batches_len, sizeof(*x->batches));
    for (uint32_t i = 0; i < x->batches_len; i++) {
        x->batches[i].batch = wire_bytes(r, a, 1 + wire_below(r, i ? 300 : 20000));
        x->batches[i].wraps_len = wire_below(r, 4);
        x->batches[i].wraps = random_list(r, a, x->batches[i].wraps_len, 120);
    }
    x->snapshot_required = wire_below(r, 2);
    x->end = wire_below(r, 2);
    x->behind_batches = wire_next(r) >> 40;
    x->behind_bytes = wire_next(r);
}

static void random_list_of(struct wire_random *r, struct kt_arena *a, struct kt_bytes_list *l)
{
    l->len = 1 + wire_below(r, 9);
    l->items = random_list(r, a, l->len, 200);
}

static struct kt_peer_message random_message(struct wire_random *r, struct kt_arena *a, enum kt_peer_part part)
{
    struct kt_peer_message m = {.part = part};
    switch (part) {
    case KT_PEER_GREETING:
        m.greeting = (struct kt_greeting){.roster_version = 1 + wire_below(r, 9), .suite = 1, .schema = 1};
        wire_fill(r, &m.greeting.roster_hash, 32);
        break;
    case KT_PEER_ROSTERS:
        m.rosters = (struct kt_rosters){random_list(r, a, 3, 3000), 3, random_list(r, a, 9, 300), 9};
        break;
    case KT_PEER_PULL:
        random_pull(r, a, &m.pull);
        break;
    case KT_PEER_ANSWER:
        random_answer(r, a, &m.answer);
        break;
    case KT_PEER_WRAPS:
        random_list_of(r, a, &m.wraps);
        break;
    case KT_PEER_PULSES:
        random_list_of(r, a, &m.pulses);
        break;
    case KT_PEER_ERASURES:
        random_list_of(r, a, &m.erasures);
        break;
    case KT_PEER_PROOFS:
        m.proofs.len = 2;
        m.proofs.items = array(a, 2, sizeof(*m.proofs.items));
        for (int i = 0; i < 2; i++)
            m.proofs.items[i] = (struct kt_fork_proof){wire_bytes(r, a, 90), wire_bytes(r, a, 64), wire_bytes(r, a, 80),
                                                       wire_bytes(r, a, 64)};
        break;
    case KT_PEER_SNAPSHOT:
        random_snapshot(r, a, &m.snapshot);
        break;
    case KT_PEER_BATCHES_BY_ID:
        m.asks.len = 3;
        m.asks.items = array(a, 3, sizeof(*m.asks.items));
        for (uint32_t i = 0; i < 3; i++) m.asks.items[i] = (struct kt_ask){random_origin(r, i), 1 + wire_below(r, 999)};
        break;
    }
    return m;
}

static int decode(struct kt_bytes in, void *context)
{
    struct kt_peer_message m;
    kt_arena_reset(context);
    return kt_peer_decode(in, context, &m);
}

/* Every part, random content, fifty times: decoding and encoding again gives the same bytes, protobuf-c agrees, and
 * cut at any byte it is refused. */
static void every_part(void **state)
{
    (void)state;
    struct wire_random r = wire_random(51);
    struct kt_arena a, b;
    struct kt_buf out, again;
    kt_arena_init(&a, ARENA_BYTES);
    kt_arena_init(&b, ARENA_BYTES);
    kt_buf_init(&out, 2 * KT_FRAME_BYTES_MAX);
    kt_buf_init(&again, 2 * KT_FRAME_BYTES_MAX);
    for (uint32_t i = 0; i < 500; i++) {
        enum kt_peer_part part = (enum kt_peer_part)(KT_PEER_GREETING + i % KT_PEER_BATCHES_BY_ID);
        struct kt_peer_message m = random_message(&r, &a, part), back;
        kt_buf_clear(&out);
        kt_buf_clear(&again);
        assert_int_equal(kt_peer_encode(&m, &out), KT_OK);
        assert_int_equal(kt_peer_decode(kt_buf_bytes(&out), &b, &back), KT_OK);
        assert_int_equal(back.part, part);
        assert_int_equal(kt_peer_encode(&back, &again), KT_OK);
        assert_true(kt_bytes_equal(kt_buf_bytes(&out), kt_buf_bytes(&again)));
        if (i < 30) wire_same_as_protobuf(&kontor__peer_message__descriptor, kt_buf_bytes(&out));
        if (i < 10 && out.len < 4000) wire_cut_everywhere(kt_buf_bytes(&out), decode, &b);
        wire_flip(kt_buf_bytes(&out), &r, 20, decode, &b);
        kt_arena_reset(&a);
        kt_arena_reset(&b);
    }
    kt_buf_free(&out);
    kt_buf_free(&again);
    kt_arena_free(&a);
    kt_arena_free(&b);
}

/* A pull as it goes, member by member. */
static void pull_means_what_it_says(void **state)
{
    (void)state;
    struct kt_arena a;
    struct kt_buf out;
    kt_arena_init(&a, ARENA_BYTES);
    kt_buf_init(&out, KT_FRAME_BYTES_MAX);
    static const struct kt_head heads[] = {
        {{1, 0x42},               9      },
        {{3, 0xa1a2a3a4a5a6a7a8}, 1234567}
    };
    static const struct kt_origin skip[] = {
        {2, 5}
    };
    static const kt_member heard[] = {1, 300};
    static const struct kt_dek_id want[] = {{{0xde, 0xad}}};
    struct kt_peer_message m = {KT_PEER_PULL, {.pull = {true, heads, 2, skip, 1, heard, 2, want, 1, 1u << 20, 4, 7}}},
                           d;
    assert_int_equal(kt_peer_encode(&m, &out), KT_OK);
    wire_vector("pull", kt_buf_bytes(&out));
    assert_int_equal(kt_peer_decode(kt_buf_bytes(&out), &a, &d), KT_OK);
    assert_true(d.pull.whole && d.pull.heads_len == 2 && d.pull.skip_len == 1 && d.pull.heard_len == 2);
    assert_true(d.pull.heads[1].number == 1234567 && d.pull.heads[1].origin.incarnation == 0xa1a2a3a4a5a6a7a8);
    assert_true(d.pull.skip[0].member == 2 && d.pull.heard[1] == 300 && d.pull.want_wraps[0].b[1] == 0xad);
    assert_true(d.pull.grant_bytes == 1u << 20 && d.pull.roster_version == 4 && d.pull.erasures == 7);

    struct kt_head swapped[] = {heads[1], heads[0]};
    m.pull.heads = swapped;
    assert_int_equal(kt_peer_encode(&m, &out), KT_EINVAL);
    kt_buf_free(&out);
    kt_arena_free(&a);
}

static void example(const char *name, const struct kt_peer_message *m)
{
    struct kt_buf out;
    kt_buf_init(&out, KT_FRAME_BYTES_MAX);
    assert_int_equal(kt_peer_encode(m, &out), KT_OK);
    wire_same_as_protobuf(&kontor__peer_message__descriptor, kt_buf_bytes(&out));
    wire_vector(name, kt_buf_bytes(&out));
    kt_buf_free(&out);
}

/* One example of each of the other parts, small enough to read, for PROTOCOL.md. */
static void examples(void **state)
{
    (void)state;
    struct kt_bytes roster = kt_str("roster"), bundle = kt_str("bundle"), wrap = kt_str("wrap"),
                    pulse = kt_str("pulse"), erasure = kt_str("erasure");
    struct kt_fork_proof proof = {kt_str("seal a"), kt_str("signature a"), kt_str("seal b"), kt_str("signature b")};
    struct kt_ask ask = {
        {3, 0x1122334455667788},
        42
    };
    const struct kt_dot dot = {
        {3, 0x1122334455667788},
        42, 0x20000, 1
    };
    const struct kt_entity_id ward =
                                  {
                                      {0xa0, 0xa1}
    },
                              task = {{0xb0, 0xb1}};
    struct kt_snapshot_head head = {
        {{3, 0x1122334455667788}, 42},
        {{0xe0, 0xe1}                      }
    };
    struct kt_snapshot_value value = {
        ward, task, 0x10a, kt_str("element"), dot, 1767225600123ull << 16, {{0xf0}}, 1, kt_str("teacher")};
    struct kt_snapshot_debt debt = {ward, ward, 0x10b, dot, 1};
    struct kt_snapshot_held held = {
        dot, kt_str("seal"), kt_str("signature"), kt_str("header"), kt_str("clear"), kt_str("cipher")};

    example("greeting", &(struct kt_peer_message){KT_PEER_GREETING, {.greeting = {4, {{0x60, 0x61}}, 1, 1}}});
    example("rosters", &(struct kt_peer_message){KT_PEER_ROSTERS, {.rosters = {&roster, 1, &bundle, 1}}});
    example("wraps", &(struct kt_peer_message){KT_PEER_WRAPS, {.wraps = {&wrap, 1}}});
    example("pulses", &(struct kt_peer_message){KT_PEER_PULSES, {.pulses = {&pulse, 1}}});
    example("erasures", &(struct kt_peer_message){KT_PEER_ERASURES, {.erasures = {&erasure, 1}}});
    example("proofs", &(struct kt_peer_message){KT_PEER_PROOFS, {.proofs = {&proof, 1}}});
    example("batches-by-id", &(struct kt_peer_message){KT_PEER_BATCHES_BY_ID, {.asks = {&ask, 1}}});
    example("snapshot", &(struct kt_peer_message){KT_PEER_SNAPSHOT,
                                                  {.snapshot = {2, 1, true, &head, 1, &value, 1, &debt, 1, &held, 1,
                                                                &wrap, 1, &erasure, 1}}});
}

/* A server writes an answer while it reads its journal: the same bytes as from an array. */
static void answer_builder(void **state)
{
    (void)state;
    struct wire_random r = wire_random(52);
    struct kt_arena a;
    struct kt_buf whole, built;
    struct kt_answer_builder b;
    kt_arena_init(&a, ARENA_BYTES);
    kt_buf_init(&whole, 2 * KT_FRAME_BYTES_MAX);
    kt_buf_init(&built, 2 * KT_FRAME_BYTES_MAX);
    for (int i = 0; i < 50; i++) {
        struct kt_peer_message m = random_message(&r, &a, KT_PEER_ANSWER);
        kt_buf_clear(&whole);
        kt_buf_clear(&built);
        assert_int_equal(kt_peer_encode(&m, &whole), KT_OK);
        kt_answer_begin(&b, &built);
        for (uint32_t k = 0; k < m.answer.batches_len; k++) {
            struct kt_answer_batch *x = &m.answer.batches[k];
            assert_int_equal(kt_answer_add(&b, x->batch, x->wraps, x->wraps_len), KT_OK);
        }
        assert_int_equal(kt_answer_finish(&b, &m.answer), KT_OK);
        assert_true(kt_bytes_equal(kt_buf_bytes(&whole), kt_buf_bytes(&built)));
        kt_arena_reset(&a);
    }
    struct kt_bytes wraps[] = {kt_str("wrap")};
    struct kt_answer rest = {.end = true, .behind_batches = 2, .behind_bytes = 300};
    kt_buf_clear(&built);
    kt_answer_begin(&b, &built);
    assert_int_equal(kt_answer_add(&b, kt_str("a batch"), wraps, 1), KT_OK);
    assert_int_equal(kt_answer_finish(&b, &rest), KT_OK);
    wire_vector("answer", kt_buf_bytes(&built));
    kt_buf_free(&whole);
    kt_buf_free(&built);
    kt_arena_free(&a);
}

/* Frames are filled to the brim and never beyond; the largest batch goes even with more wraps than fit. */
static void full_frames(void **state)
{
    (void)state;
    struct wire_random r = wire_random(53);
    struct kt_arena a, d;
    struct kt_buf built;
    struct kt_answer_builder b;
    struct kt_peer_message m;
    struct kt_answer rest = {
        .end = true, .snapshot_required = true, .behind_batches = UINT64_MAX, .behind_bytes = UINT64_MAX};
    kt_arena_init(&a, ARENA_BYTES);
    kt_arena_init(&d, ARENA_BYTES);
    kt_buf_init(&built, 2 * KT_FRAME_BYTES_MAX);
    struct kt_bytes big = wire_bytes(&r, &a, KT_BATCH_BYTES_MAX),
                    *wraps = random_list(&r, &a, 1024, KT_WRAP_BYTES_MAX - 1);

    kt_answer_begin(&b, &built);
    assert_int_equal(kt_answer_add(&b, big, wraps, 1024), KT_OK);
    assert_int_equal(kt_answer_finish(&b, &rest), KT_OK);
    assert_true(built.len <= KT_FRAME_BYTES_MAX && built.len > KT_FRAME_BYTES_MAX - 400);
    assert_int_equal(kt_peer_decode(kt_buf_bytes(&built), &d, &m), KT_OK);
    assert_true(kt_bytes_equal(m.answer.batches[0].batch, big) && m.answer.batches[0].wraps_len < 1024);

    for (uint32_t size = 1; size < 70000; size = size * 3 + 7) { /* the same batch until the frame is full */
        uint32_t n = 0;
        int err;
        kt_buf_clear(&built);
        kt_arena_reset(&d);
        kt_answer_begin(&b, &built);
        while ((err = kt_answer_add(&b, kt_bytes(big.data, size), wraps, n % 3)) == KT_OK) n++;
        assert_int_equal(err, KT_ELIMIT);
        assert_int_equal(kt_answer_finish(&b, &rest), KT_OK);
        assert_true(built.len <= KT_FRAME_BYTES_MAX);
        assert_int_equal(kt_peer_decode(kt_buf_bytes(&built), &d, &m), KT_OK);
        assert_int_equal(m.answer.batches_len, n);
    }
    assert_int_equal(kt_answer_add(&b, kt_bytes(big.data, KT_BATCH_BYTES_MAX + 1), NULL, 0), KT_EOVERSIZE);
    kt_buf_free(&built);
    kt_arena_free(&a);
    kt_arena_free(&d);
}

/* A peer that talks garbage: nothing, two parts, an unknown part, wrong wire types, lengths beyond every bound. */
static void hostile(void **state)
{
    (void)state;
    struct kt_arena a;
    struct kt_buf out;
    struct kt_peer_message m = {.part = 77};
    kt_arena_init(&a, ARENA_BYTES);
    kt_buf_init(&out, 2 * KT_FRAME_BYTES_MAX);
    assert_int_equal(kt_peer_decode(kt_str(""), &a, &m), KT_EMALFORMED);
    assert_int_equal(kt_peer_decode(kt_bytes("\x62\x00", 2), &a, &m), KT_EMALFORMED);         /* field 12 alone */
    assert_int_equal(kt_peer_decode(kt_bytes("\x0a\x00\x2a\x00", 4), &a, &m), KT_EMALFORMED); /* two parts */
    assert_int_equal(kt_peer_decode(kt_bytes("\x0a\x00\x0a\x00", 4), &a, &m), KT_EMALFORMED); /* one twice */
    assert_int_equal(kt_peer_decode(kt_bytes("\x08\x01", 2), &a, &m), KT_EMALFORMED);         /* a number as a part */
    assert_int_equal(kt_peer_decode(kt_bytes("\x1a\x02\x0a\x00", 4), &a, &m), KT_EMALFORMED); /* whole as bytes */
    assert_int_equal(kt_peer_decode(kt_bytes("\x1a\x02\x08\x02", 4), &a, &m), KT_EMALFORMED); /* whole = 2 */
    assert_int_equal(kt_peer_decode(kt_bytes("\x0a\x7f\x08", 3), &a, &m), KT_ETRUNCATED);
    assert_int_equal(kt_peer_decode(kt_bytes("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11), &a, &m),
                     KT_ETRUNCATED);
    assert_int_equal(m.part, 77);
    assert_int_equal(kt_peer_decode(kt_bytes("\x0a\x00\x62\x00", 4), &a, &m),
                     KT_OK); /* a later version's field beside it */
    assert_int_equal(m.part, KT_PEER_GREETING);

    const struct {
        uint32_t part, field, n;
    } flood[] = {
        {KT_PEER_PULL,     2, KT_ORIGINS_MAX          },
        {KT_PEER_PULL,     5, KT_WRAPS_PER_FRAME_MAX  },
        {KT_PEER_ANSWER,   1, KT_BATCHES_PER_FRAME_MAX},
        {KT_PEER_WRAPS,    1, KT_WRAPS_PER_FRAME_MAX  },
        {KT_PEER_PULSES,   1, KT_MEMBERS_MAX          },
        {KT_PEER_SNAPSHOT, 5, KT_SNAPSHOT_ROWS_MAX    }
    };
    for (size_t i = 0; i < sizeof(flood) / sizeof(flood)[0]; i++) { /* more empty elements than there can be */
        kt_arena_reset(&a);
        kt_buf_clear(&out);
        size_t mark = kt_buf_pb_open(&out, flood[i].part);
        for (uint32_t k = 0; k <= flood[i].n; k++) kt_buf_pb_bytes(&out, flood[i].field, kt_str(""));
        kt_buf_pb_close(&out, mark);
        assert_int_equal(kt_peer_decode(kt_buf_bytes(&out), &a, &m), KT_EOVERSIZE);
        assert_int_equal(a.used_bytes, 0);
    }
    kt_buf_clear(&out);
    assert_non_null(kt_buf_extend(&out, KT_FRAME_BYTES_MAX + 1));
    memset(out.data, 0, out.len);
    assert_int_equal(kt_peer_decode(kt_buf_bytes(&out), &a, &m), KT_EOVERSIZE);

    struct wire_random r = wire_random(54);
    struct kt_arena small;
    kt_arena_init(&small, 256);
    m = random_message(&r, &a, KT_PEER_SNAPSHOT);
    kt_buf_clear(&out);
    assert_int_equal(kt_peer_encode(&m, &out), KT_OK);
    assert_int_equal(kt_peer_decode(kt_buf_bytes(&out), &small, &m), KT_ELIMIT); /* past the arena's cap */
    kt_buf_free(&out);
    kt_arena_free(&small);
    kt_arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part),  cmocka_unit_test(pull_means_what_it_says),
        cmocka_unit_test(examples),    cmocka_unit_test(answer_builder),
        cmocka_unit_test(full_frames), cmocka_unit_test(hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
