/* Batches: built, taken apart, erased in part, and everything a hostile peer may hand over instead. */
#include "support/format_samples.h"

#include "proto/batch/section.h"

struct fixture {
    struct kt_buf bytes;
    struct kt_hash seal_hash;
    struct kt_arena arena;
    struct kt_batch batch;
    struct kt_identity *id;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    kt_buf_init(&f->bytes, 1 << 20);
    kt_arena_init(&f->arena, KT_BATCH_ARENA_BYTES);
    sample_batch(&f->bytes, &f->seal_hash);
    f->id = sample_identity(0);
    assert_int_equal(kt_batch_decode(kt_buf_bytes(&f->bytes), &f->arena, &f->batch), KT_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    kt_identity_free(f->id);
    kt_arena_free(&f->arena);
    kt_buf_free(&f->bytes);
    free(f);
    return 0;
}

/* Scenario: three envelopes in two compartments are named by compartment and place; the batch names its origin
 * and number, verifies under its member's key alone, and each envelope opens at its place. */
static void batch_returns(void **state)
{
    struct fixture *f = *state;
    struct kt_identity *other = sample_identity(1);
    struct sample_draft d;
    struct kt_buf out;
    uint32_t opened = 0;

    sample_draft(&d);
    assert_int_equal(d.envelopes[1].envelope, 0x10000);
    assert_int_equal(d.envelopes[0].envelope, 0x20000);
    assert_int_equal(d.envelopes[2].envelope, 0x20001);
    assert_int_equal(f->batch.seal.number, 42);
    assert_memory_equal(f->batch.seal_hash.b, f->seal_hash.b, KT_HASH_BYTES);
    assert_int_equal(kt_seal_verify(&f->batch, f->id->pub.sign), KT_OK);
    assert_int_equal(kt_seal_verify(&f->batch, other->pub.sign), KT_ESIGNATURE);
    kt_buf_init(&out, KT_CHANGE_BYTES_MAX);
    for (uint32_t i = 0; i < f->batch.seal.sections_len; i++) {
        const struct kt_section *s = &f->batch.sections[i];
        struct kt_envelope_place at = sample_place();
        at.compartment = f->batch.seal.sections[i].compartment;
        at.epoch = f->batch.seal.sections[i].epoch;
        memcpy(at.nonce_base, s->nonce_base, sizeof(at.nonce_base));
        for (uint32_t j = 0; j < s->items_len; j++) {
            at.envelope = kt_envelope_number(at.compartment, j);
            opened++;
            kt_buf_clear(&out);
            assert_int_equal(
                kt_envelope_open(&at, sample_dek(at.compartment).key, s->items[j].clear, s->items[j].cipher, &out),
                KT_OK);
            assert_true(kt_bytes_equal(kt_buf_bytes(&out), kt_buf_bytes(&d.change)));
        }
    }
    assert_int_equal(opened, 3);
    kt_buf_free(&out);
    sample_draft_free(&d);
    kt_identity_free(other);
}

/* Scenario: somebody looks up only whose batch it is. */
static void batch_peeks(void **state)
{
    struct fixture *f = *state;
    struct kt_seal seal;
    struct kt_hash hash;

    assert_int_equal(kt_batch_peek(kt_buf_bytes(&f->bytes), &f->arena, &seal, &hash), KT_OK);
    assert_true(seal.number == 42 && seal.origin.member == SAMPLE_MEMBER && seal.sections_len == 2);
    assert_memory_equal(hash.b, f->seal_hash.b, KT_HASH_BYTES);
    for (size_t len = 0; len < f->bytes.len; len++) {
        int rc = kt_batch_peek(kt_bytes(f->bytes.data, len), &f->arena, &seal, &hash);
        assert_true(rc == KT_OK || rc == KT_ETRUNCATED || rc == KT_EMALFORMED);
        kt_arena_reset(&f->arena);
    }
}

/* Scenario: a batch cut at each byte never decodes. */
static void batch_cut_short(void **state)
{
    struct fixture *f = *state;
    struct kt_batch back;
    int truncated = 0;

    for (size_t len = 0; len < f->bytes.len; len++) {
        struct kt_bytes cut = sample_exact(kt_bytes(f->bytes.data, len));
        int rc = kt_batch_decode(cut, &f->arena, &back);
        assert_true(rc == KT_ETRUNCATED || rc == KT_EMALFORMED); /* malformed: between two fields */
        truncated += rc == KT_ETRUNCATED;
        free((void *)cut.data);
        kt_arena_reset(&f->arena);
    }
    assert_int_equal(f->bytes.len - truncated, 4); /* nothing, seal, signature, first section */
}

/* Scenario: each bit of a batch flipped in turn.  Either it does not decode, or its signature fails; the only bits that
 * may go unnoticed are those that keep the same fields in another spelling, and then all that is hashed is the same. */
static void batch_bits_flipped(void **state)
{
    struct fixture *f = *state;
    int seen[101] = {0};

    for (size_t i = 0; i < 8 * f->bytes.len; i++) {
        struct kt_bytes copy = sample_exact(kt_buf_bytes(&f->bytes));
        struct kt_batch back;
        ((uint8_t *)copy.data)[i / 8] ^= (uint8_t)(1 << i % 8);
        kt_arena_reset(&f->arena);
        int rc = kt_batch_decode(copy, &f->arena, &back);
        if (rc == KT_OK) rc = kt_seal_verify(&back, f->id->pub.sign);
        if (rc == KT_OK) fail_msg("bit %zu goes unnoticed", i);
        assert_true(rc >= -100 && rc < 0);
        seen[-rc]++;
        free((void *)copy.data);
    }
    assert_true(seen[-KT_EHASH] && seen[-KT_ESIGNATURE] && seen[-KT_ESUITE] && seen[-KT_EMALFORMED] &&
                seen[-KT_ETRUNCATED]);
}

/* Scenario: a seal that its member signed for another use does not count as a seal. */
static void seal_under_another_label(void **state)
{
    struct fixture *f = *state;
    uint8_t signature[KT_SIGNATURE_BYTES] = {0};

    f->batch.signature = KT_BYTES_OF(signature);
    assert_int_equal(kt_sign(KT_LABEL_PULSE, f->id->sign_secret, f->batch.seal_bytes, signature), KT_OK);
    assert_int_equal(kt_seal_verify(&f->batch, f->id->pub.sign), KT_ESIGNATURE);
    assert_int_equal(kt_sign(KT_LABEL_SEAL, f->id->sign_secret, f->batch.seal_bytes, signature), KT_OK);
    assert_int_equal(kt_seal_verify(&f->batch, f->id->pub.sign), KT_OK);
}

/* Scenario: one item is erased.  The batch is shorter, holds nothing of it, and its seal stands. */
static void item_erased(void **state)
{
    struct fixture *f = *state;
    struct kt_batch back;
    struct kt_buf b, again;

    kt_buf_init(&b, KT_BATCH_BYTES_MAX);
    kt_buf_init(&again, KT_BATCH_BYTES_MAX);
    assert_int_equal(kt_batch_encode(&f->batch, &b), KT_OK);
    assert_true(kt_bytes_equal(kt_buf_bytes(&b), kt_buf_bytes(&f->bytes)));
    struct kt_bytes gone = f->batch.sections[1].items[0].cipher;
    f->batch.sections[1].items[0].erased = true;
    kt_buf_clear(&b);
    assert_int_equal(kt_batch_encode(&f->batch, &b), KT_OK);
    assert_true(b.len + 100 < f->bytes.len);
    assert_null(memmem(b.data, b.len, gone.data, gone.len));
    assert_int_equal(kt_batch_decode(kt_buf_bytes(&b), &f->arena, &back), KT_OK);
    assert_int_equal(kt_seal_verify(&back, f->id->pub.sign), KT_OK);
    assert_memory_equal(back.seal_hash.b, f->seal_hash.b, KT_HASH_BYTES);
    assert_true(back.sections[1].items[0].erased && !back.sections[1].items[1].erased);
    assert_int_equal(back.sections[1].items[0].generation, SAMPLE_GENERATION);
    back.sections[1].items[0].body_hash.b[0] ^= 1; /* another erased item than the one that stood there */
    assert_int_equal(kt_batch_encode(&back, &again), KT_OK);
    assert_int_equal(kt_batch_decode(kt_buf_bytes(&again), &f->arena, &back), KT_EHASH);
    kt_buf_free(&b);
    kt_buf_free(&again);
}

/* Scenario: a batch with fields of a later format decodes, and what is signed and hashed in it stays as it came. */
static void later_fields_pass(void **state)
{
    struct fixture *f = *state;
    struct kt_batch back;

    kt_buf_pb_bytes(&f->bytes, 99, kt_str("later"));
    assert_int_equal(kt_batch_decode(kt_buf_bytes(&f->bytes), &f->arena, &back), KT_OK);
    assert_memory_equal(back.seal_hash.b, f->seal_hash.b, KT_HASH_BYTES);
}

static int decode_of(struct fixture *f, const struct kt_seal *seal)
{
    struct kt_seal back;

    kt_buf_clear(&f->bytes);
    int rc = kt_seal_encode(seal, &f->bytes);
    return rc ? rc : kt_seal_decode(kt_buf_bytes(&f->bytes), &f->arena, &back);
}

/* Scenario: seals that no batch may have. */
static void seals_refused(void **state)
{
    struct fixture *f = *state;
    struct kt_section_summary many[KT_SECTIONS_PER_BATCH_MAX + 1];
    struct kt_seal seal = f->batch.seal;

    assert_int_equal(decode_of(f, &seal), KT_OK);
    seal.sections[0].compartment = seal.sections[1].compartment;
    assert_int_equal(decode_of(f, &seal), KT_EMALFORMED);
    seal.sections[0].compartment = KT_CORE;
    seal.sections[1].count = KT_ENVELOPES_PER_BATCH_MAX;
    assert_int_equal(decode_of(f, &seal), KT_EOVERSIZE);
    seal.sections[1].count = 0;
    assert_int_equal(decode_of(f, &seal), KT_EMALFORMED);
    seal.sections[1].count = 1;
    seal.sections[1].compartment = KT_COMPARTMENT_MAX + 1;
    assert_int_equal(decode_of(f, &seal), KT_EMALFORMED);
    for (uint32_t i = 0; i <= KT_SECTIONS_PER_BATCH_MAX; i++)
        many[i] = (struct kt_section_summary){.compartment = i + 1, .count = 1};
    seal.sections = many;
    seal.sections_len = KT_SECTIONS_PER_BATCH_MAX;
    assert_int_equal(decode_of(f, &seal), KT_OK);
    seal.sections_len++;
    assert_int_equal(decode_of(f, &seal), KT_EOVERSIZE);
    seal.sections_len = 1;
    seal.number = 0;
    assert_int_equal(decode_of(f, &seal), KT_EMALFORMED);
    seal.number = 1;
    seal.origin.member = 0;
    assert_int_equal(decode_of(f, &seal), KT_EMALFORMED);
    seal.origin.member = 1;
    seal.suite = 2;
    assert_int_equal(decode_of(f, &seal), KT_ESUITE);
}

/* Puts a batch together from a good seal and one item of given bytes in place of its first section. */
static int decode_with_item(struct fixture *f, const struct kt_item *item, uint32_t times)
{
    struct kt_batch forged = f->batch, back;
    struct kt_section sections[2] = {f->batch.sections[0], f->batch.sections[1]};
    struct kt_item *items = calloc(times, sizeof(*items));
    struct kt_buf b;

    for (uint32_t i = 0; i < times; i++) items[i] = *item;
    sections[0].items = items;
    sections[0].items_len = times;
    forged.sections = sections;
    kt_buf_init(&b, 1 << 20);
    int rc = kt_batch_encode(&forged, &b);
    if (!rc) rc = kt_batch_decode(kt_buf_bytes(&b), &f->arena, &back);
    kt_buf_free(&b);
    free(items);
    return rc;
}

/* Scenario: items past their bounds, items that are half erased, too many of them. */
static void items_refused(void **state)
{
    struct fixture *f = *state;
    static uint8_t big[KT_BATCH_BYTES_MAX + 1];
    const struct kt_item good = f->batch.sections[0].items[0];
    struct kt_item item = good;

    assert_int_equal(decode_with_item(f, &good, 1), KT_OK);
    assert_int_equal(decode_with_item(f, &good, 2), KT_EMALFORMED); /* the seal counts one */
    item.clear = kt_bytes(big, KT_CLEAR_BYTES_MAX + 1);
    assert_int_equal(decode_with_item(f, &item, 1), KT_EOVERSIZE);
    item = good;
    item.cipher = kt_bytes(big, KT_ITEM_BYTES_MAX - item.clear.len + 1);
    assert_int_equal(decode_with_item(f, &item, 1), KT_EOVERSIZE);
    item.cipher = kt_bytes(big, KT_BATCH_BYTES_MAX);
    assert_int_equal(decode_with_item(f, &item, 1), KT_EOVERSIZE);
    item.clear = kt_bytes(big, 3);
    item.cipher = good.cipher;
    assert_int_equal(decode_with_item(f, &item, 1), KT_EMALFORMED); /* field 0 in the clear part */
    item = good;
    item.cipher = f->batch.sections[1].items[0].cipher;
    assert_int_equal(decode_with_item(f, &item, 1), KT_EHASH);
    f->batch.signature.len--;
    assert_int_equal(decode_with_item(f, &good, 1), KT_EMALFORMED);
    assert_int_equal(kt_batch_decode(kt_bytes(big, sizeof(big)), &f->arena, &f->batch), KT_EOVERSIZE);
}

/* Scenario: an arena too small is our own limit. */
static void batch_needs_room(void **state)
{
    struct fixture *f = *state;
    struct kt_arena small;
    struct kt_batch back;

    for (size_t cap = 0; cap < 4096; cap += 64) {
        kt_arena_init(&small, cap);
        int rc = kt_batch_decode(kt_buf_bytes(&f->bytes), &small, &back);
        assert_true(rc == KT_ELIMIT || (rc == KT_OK && cap > 400));
        kt_arena_free(&small);
    }
}

/* Scenario: drafts that cannot be sealed; what was there already stays as it was. */
static void drafts_refused(void **state)
{
    struct fixture *f = *state;
    struct sample_draft d;
    struct kt_hash hash;
    size_t before = f->bytes.len;

    sample_draft(&d);
#define SEAL() kt_batch_seal(&d.batch, d.nonce_bases, f->id->sign_secret, &f->bytes, &hash)
    d.envelopes[2].envelope--;
    assert_int_equal(SEAL(), KT_EINVAL); /* not numbered */
    kt_batch_number(&d.batch);
    d.envelopes[0].stamp = SAMPLE_HLC + 1;
    assert_int_equal(SEAL(), KT_EINVAL);
    d.envelopes[0].stamp = SAMPLE_HLC;
    d.envelopes[2].epoch = 1;
    assert_int_equal(SEAL(), KT_EINVAL);
    d.envelopes[2].epoch = 2;
    d.envelopes[1].compartment = 0;
    kt_batch_number(&d.batch);
    assert_int_equal(SEAL(), KT_EINVAL);
    d.envelopes[1].compartment = KT_COMPARTMENT_MAX + 1;
    kt_batch_number(&d.batch);
    assert_int_equal(SEAL(), KT_EINVAL);
    d.envelopes[1].compartment = KT_CORE;
    kt_batch_number(&d.batch);
    d.batch.number = 0;
    assert_int_equal(SEAL(), KT_EINVAL);
    d.batch.number = 1;
    d.batch.envelopes_len = KT_ENVELOPES_PER_BATCH_MAX + 1;
    assert_int_equal(SEAL(), KT_ELIMIT);
    d.batch.envelopes_len = 0;
    assert_int_equal(SEAL(), KT_EINVAL);
    d.batch.envelopes_len = 3;
    assert_int_equal(f->bytes.len, before);
    assert_int_equal(SEAL(), KT_OK);
#undef SEAL
    sample_draft_free(&d);
}

/* Scenario: batches filled to the brim: the most envelopes, and more bytes than a batch may have. */
static void batch_full(void **state)
{
    struct fixture *f = *state;
    static struct kt_draft_envelope many[KT_ENVELOPES_PER_BATCH_MAX];
    uint8_t *noise = malloc(KT_CHANGE_BYTES_MAX);
    struct sample_draft d;
    struct kt_hash hash;

    sample_draft(&d);
    for (uint32_t i = 0; i < KT_ENVELOPES_PER_BATCH_MAX; i++) {
        many[i] = d.envelopes[i % 3];
        many[i].change = kt_str("small");
    }
    d.batch.envelopes = many;
    d.batch.envelopes_len = KT_ENVELOPES_PER_BATCH_MAX;
    kt_batch_number(&d.batch);
    kt_buf_clear(&f->bytes);
    assert_int_equal(kt_batch_seal(&d.batch, d.nonce_bases, f->id->sign_secret, &f->bytes, &hash), KT_OK);
    print_message("%u small envelopes: %zu bytes each\n", KT_ENVELOPES_PER_BATCH_MAX,
                  f->bytes.len / KT_ENVELOPES_PER_BATCH_MAX);
    assert_int_equal(kt_batch_decode(kt_buf_bytes(&f->bytes), &f->arena, &f->batch), KT_OK);
    randombytes_buf_deterministic(noise, KT_CHANGE_BYTES_MAX, (const uint8_t[32]){2});
    d.batch.envelopes_len = 2;
    for (uint32_t i = 0; i < 2; i++) many[i].change = kt_bytes(noise, KT_CHANGE_BYTES_MAX);
    kt_batch_number(&d.batch);
    kt_buf_clear(&f->bytes);
    assert_int_equal(kt_batch_seal(&d.batch, d.nonce_bases, f->id->sign_secret, &f->bytes, &hash), KT_EOVERSIZE);
    assert_int_equal(f->bytes.len, 0);
    d.batch.envelopes_len = 1;
    kt_batch_number(&d.batch);
    assert_int_equal(kt_batch_seal(&d.batch, d.nonce_bases, f->id->sign_secret, &f->bytes, &hash), KT_OK);
    free(noise);
    sample_draft_free(&d);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(batch_returns),    TEST(batch_peeks),   TEST(batch_cut_short), TEST(batch_bits_flipped),
        TEST(item_erased),      TEST(seals_refused), TEST(items_refused),   TEST(seal_under_another_label),
        TEST(batch_needs_room), TEST(batch_full),    TEST(drafts_refused),  TEST(later_fields_pass),
    };

    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
