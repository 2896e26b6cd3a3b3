/* Pulses: a member's signed word about itself, and nobody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/peer/pulse.h"
#include "proto/peer/pulse.pb-c.h"
#include "support/wire.h"

#include <sodium.h>

static uint8_t sign_public[32], sign_secret[64];

static int prepare(void **state)
{
    static const uint8_t seed[32] = {5};
    (void)state;
    return sodium_init() < 0 ? -1 : crypto_sign_seed_keypair(sign_public, sign_secret, seed);
}

static const struct kt_head HEADS[] = {
    {{3, 0x1111},             7      },
    {{3, 0xa1a2a3a4a5a6a7a8}, 1234567}
};
static const struct kt_head VECTOR[] = {
    {{1, 0x42},               9      },
    {{3, 0x1111},             7      },
    {{3, 0xa1a2a3a4a5a6a7a8}, 1234567}
};
static const struct kt_pulse_digest DIGESTS[] = {
    {1, {{0xd1}}},
    {4, {{0xd4}}}
};
static const struct kt_pulse PULSE = {
    .suite = KT_SUITE_1,
    .cluster = {{0xc1}},
    .member = 3,
    .hlc = 1767225600123ull << 16 | 4,
    .heads = HEADS,
    .heads_len = 2,
    .vector_hash = {{0xe1}},
    .vector_seals_hash = {{0xe2}},
    .digests = DIGESTS,
    .digests_len = 2,
    .vector = VECTOR,
    .vector_len = 3,
};

static int decode(struct kt_bytes in, void *context)
{
    struct kt_pulse p;
    kt_arena_reset(context);
    int err = kt_pulse_decode(in, context, &p);
    return err ? err : kt_pulse_verify(in, sign_public);
}

static void assert_same(const struct kt_pulse *a, const struct kt_pulse *b)
{
    assert_true(a->member == b->member && a->hlc == b->hlc && a->suite == b->suite);
    assert_memory_equal(&a->cluster, &b->cluster, sizeof(a->cluster));
    assert_memory_equal(&a->vector_hash, &b->vector_hash, 32);
    assert_memory_equal(&a->vector_seals_hash, &b->vector_seals_hash, 32);
    assert_true(a->heads_len == b->heads_len && a->vector_len == b->vector_len && a->digests_len == b->digests_len);
    for (uint32_t i = 0; i < a->heads_len; i++) {
        assert_int_equal(kt_origin_compare(a->heads[i].origin, b->heads[i].origin), 0);
        assert_true(a->heads[i].number == b->heads[i].number);
    }
    for (uint32_t i = 0; i < a->vector_len; i++) {
        assert_int_equal(kt_origin_compare(a->vector[i].origin, b->vector[i].origin), 0);
        assert_true(a->vector[i].number == b->vector[i].number);
    }
    for (uint32_t i = 0; i < a->digests_len; i++) {
        assert_int_equal(a->digests[i].compartment, b->digests[i].compartment);
        assert_memory_equal(&a->digests[i].digest, &b->digests[i].digest, 32);
    }
}

/* A node says how far it is; another reads just that. */
static void example(void **state)
{
    (void)state;
    struct kt_arena arena;
    struct kt_pulse p;
    struct kt_buf b;
    kt_arena_init(&arena, 1u << 20);
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    assert_int_equal(kt_pulse_encode(&PULSE, sign_secret, &b), KT_OK);
    wire_vector("pulse", kt_buf_bytes(&b));
    wire_same_as_protobuf(&kontor__pulse__descriptor, kt_buf_bytes(&b));
    wire_same_as_protobuf(&kontor__pulse_body__descriptor, wire_field(kt_buf_bytes(&b), 1));
    assert_int_equal(kt_pulse_decode(kt_buf_bytes(&b), &arena, &p), KT_OK);
    assert_same(&p, &PULSE);
    assert_int_equal(kt_pulse_verify(kt_buf_bytes(&b), sign_public), KT_OK);
    kt_buf_free(&b);
    kt_arena_free(&arena);
}

static const struct kt_head *random_heads(struct wire_random *r, struct kt_arena *arena, uint32_t n, kt_member member)
{
    struct kt_head *h = kt_arena_array(arena, n + 1, sizeof(*h));
    assert_non_null(h);
    struct kt_origin at = {member ? member : 1, 0};
    for (uint32_t i = 0; i < n; i++) {
        if (!member && wire_below(r, 3) == 0) at = (struct kt_origin){at.member + 1 + wire_below(r, 9), 0};
        at.incarnation += 1 + (wire_next(r) >> 24);
        h[i] = (struct kt_head){at, wire_next(r) >> wire_below(r, 64)};
    }
    return h;
}

/* A hundred pulses of every size, up to a vector of a large organisation, come back as they were said. */
static void round_trip(void **state)
{
    (void)state;
    struct wire_random r = wire_random(41);
    struct kt_arena arena, other;
    struct kt_buf b;
    kt_arena_init(&arena, 4u << 20);
    kt_arena_init(&other, 4u << 20);
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    for (int i = 0; i < 100; i++) {
        struct kt_pulse p = {.suite = KT_SUITE_1, .member = 1 + wire_below(&r, 2000), .hlc = wire_next(&r)}, back;
        struct kt_pulse_digest d[KT_COMPARTMENTS_MAX];
        kt_arena_reset(&arena);
        kt_arena_reset(&other);
        kt_buf_clear(&b);
        wire_fill(&r, &p.cluster, sizeof(p.cluster));
        wire_fill(&r, &p.vector_hash, 32);
        p.heads = random_heads(&r, &arena, p.heads_len = wire_below(&r, 5), p.member);
        p.vector = random_heads(&r, &arena, p.vector_len = wire_below(&r, i % 10 ? 20 : 6000), 0);
        p.digests = d;
        p.digests_len = wire_below(&r, KT_COMPARTMENTS_MAX + 1);
        for (uint32_t k = 0; k < p.digests_len; k++) {
            d[k].compartment = 1 + k * 3;
            wire_fill(&r, &d[k].digest, 32);
        }
        assert_int_equal(kt_pulse_encode(&p, sign_secret, &b), KT_OK);
        assert_int_equal(kt_pulse_decode(kt_buf_bytes(&b), &other, &back), KT_OK);
        assert_same(&back, &p);
    }
    kt_buf_free(&b);
    kt_arena_free(&arena);
    kt_arena_free(&other);
}

/* Builds a pulse from the example's body with one byte changed, signed properly under a label. */
static int with_byte(size_t at, uint8_t value, enum kt_label label, struct kt_arena *arena)
{
    struct kt_buf b, out;
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    kt_buf_init(&out, KT_FRAME_BYTES_MAX);
    assert_int_equal(kt_pulse_encode(&PULSE, sign_secret, &b), KT_OK);
    struct kt_bytes body = wire_field(kt_buf_bytes(&b), 1);
    if (at) b.data[(size_t)(body.data - b.data) + at] = value;
    uint8_t signature[KT_SIGNATURE_BYTES];
    kt_sign(label, sign_secret, body, signature);
    kt_buf_pb_bytes(&out, 1, body);
    kt_buf_pb_bytes(&out, 2, KT_BYTES_OF(signature));
    int err = decode(kt_buf_bytes(&out), arena);
    kt_buf_free(&b);
    kt_buf_free(&out);
    return err;
}

/* Pulses cut short, changed, of another label, suite or signer, or about others. */
static void refused(void **state)
{
    (void)state;
    struct wire_random r = wire_random(42);
    struct kt_arena arena;
    struct kt_buf b;
    kt_arena_init(&arena, 1u << 20);
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    assert_int_equal(kt_pulse_encode(&PULSE, sign_secret, &b), KT_OK);
    wire_cut_everywhere(kt_buf_bytes(&b), decode, &arena);
    wire_flip(kt_buf_bytes(&b), &r, 500, decode, &arena);
    uint8_t stranger[32] = {1};
    assert_int_equal(kt_pulse_verify(kt_buf_bytes(&b), stranger), KT_ESIGNATURE);

    assert_int_equal(with_byte(0, 0, KT_LABEL_PULSE, &arena), KT_OK);
    assert_int_equal(with_byte(0, 0, KT_LABEL_SEAL, &arena), KT_ESIGNATURE);    /* signed for another use */
    assert_int_equal(with_byte(2, 'P', KT_LABEL_PULSE, &arena), KT_ELABEL);     /* tag, length, "pulse" */
    assert_int_equal(with_byte(8, 2, KT_LABEL_PULSE, &arena), KT_ESUITE);       /* tag, suite */
    assert_int_equal(with_byte(10, 15, KT_LABEL_PULSE, &arena), KT_EMALFORMED); /* a cluster of 15 bytes */

    struct kt_head swapped[] =
        {
            HEADS[1], HEADS[0]
    },
                   twice[] = {HEADS[0], HEADS[0]}, others[] = {{{2, 1}, 1}};
    struct kt_pulse_digest back[] = {DIGESTS[1], DIGESTS[0]};
    struct kt_pulse p = PULSE;
    kt_buf_clear(&b);
    p.heads = swapped;
    assert_int_equal(kt_pulse_encode(&p, sign_secret, &b), KT_EINVAL);
    p.heads = twice;
    assert_int_equal(kt_pulse_encode(&p, sign_secret, &b), KT_EINVAL);
    p.heads = others, p.heads_len = 1;
    assert_int_equal(kt_pulse_encode(&p, sign_secret, &b), KT_EINVAL);
    p = PULSE, p.vector = swapped, p.vector_len = 2;
    assert_int_equal(kt_pulse_encode(&p, sign_secret, &b), KT_EINVAL);
    p = PULSE, p.digests = back;
    assert_int_equal(kt_pulse_encode(&p, sign_secret, &b), KT_EINVAL);
    p = PULSE, p.suite = 2;
    assert_int_equal(kt_pulse_encode(&p, sign_secret, &b), KT_ESUITE);
    p = PULSE, p.vector_len = KT_ORIGINS_MAX + 1;
    p.vector = random_heads(&r, &arena, p.vector_len, 0);
    assert_int_equal(kt_pulse_encode(&p, sign_secret, &b), KT_EOVERSIZE);
    assert_int_equal(b.len, 0);
    kt_buf_free(&b);
    kt_arena_free(&arena);
}

/* What arrives with heads out of order, or with more of them than there can be, is refused before it is believed. */
static void disorder(void **state)
{
    (void)state;
    struct kt_arena arena;
    struct kt_buf b;
    struct kt_pulse p;
    kt_arena_init(&arena, 1u << 20);
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    assert_int_equal(kt_pulse_encode(&PULSE, sign_secret, &b), KT_OK);
    struct kt_bytes body = wire_field(kt_buf_bytes(&b), 1), head = wire_field(body, 6);
    b.data[(size_t)(head.data - b.data) + 1] = 4; /* member 3's first head says it is member 4's */
    assert_int_equal(kt_pulse_decode(kt_buf_bytes(&b), &arena, &p), KT_EMALFORMED);

    kt_buf_clear(&b);
    size_t mark = kt_buf_pb_open(&b, 1);
    for (uint32_t i = 0; i <= KT_ORIGINS_MAX; i++) kt_buf_pb_bytes(&b, 10, kt_str(""));
    kt_buf_pb_close(&b, mark);
    uint8_t signature[KT_SIGNATURE_BYTES] = {0};
    kt_buf_pb_bytes(&b, 2, KT_BYTES_OF(signature));
    assert_int_equal(kt_pulse_decode(kt_buf_bytes(&b), &arena, &p), KT_EOVERSIZE);
    assert_true(arena.used_bytes < 4096); /* refused before anything was allocated for it */
    kt_buf_free(&b);
    kt_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(example), cmocka_unit_test(round_trip),
                                       cmocka_unit_test(refused), cmocka_unit_test(disorder)};
    return cmocka_run_group_tests(tests, prepare, NULL);
}
