/* Fixed inputs for the tests of formats: one organisation, one member, one ward, so that vectors never change.
 *
 * Bytes count up from a start that tells them apart in a dump (cluster c0 c1 c2..., ward a0 a1 a2...). */
#ifndef KT_TESTS_FORMAT_SAMPLES_H
#define KT_TESTS_FORMAT_SAMPLES_H

#include "proto/batch/batch.h"
#include "proto/batch/erasure.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sodium.h>

#define SAMPLE_MEMBER       3u
#define SAMPLE_INCARNATION  0x1122334455667788ull
#define SAMPLE_HLC          (0x0193a0b1c2d3ull << 16 | 7)
#define SAMPLE_COMPARTMENT  2u
#define SAMPLE_GENERATION   1u
#define SAMPLE_BIRTH_EPOCH  1u

static inline void sample_fill(void *out, size_t len, uint8_t from)
{
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)(from + i);
}

static inline struct kt_cluster sample_cluster(void)
{
    struct kt_cluster c;
    sample_fill(c.b, sizeof(c.b), 0xc0);
    return c;
}

static inline struct kt_hash sample_hash(uint8_t from)
{
    struct kt_hash h;
    sample_fill(h.b, sizeof(h.b), from);
    return h;
}

static inline struct kt_entity_id sample_entity(uint8_t from)
{
    struct kt_entity_id e;
    sample_fill(e.b, sizeof(e.b), from);
    return e;
}

static inline struct kt_identity *sample_identity(uint8_t from)
{
    uint8_t seed[96];
    sample_fill(seed, sizeof(seed), from);
    return kt_identity_create(seed);
}

/* Epochs 1 and 2. */
static inline struct kt_compartment_keys *sample_keys(kt_compartment compartment)
{
    struct kt_compartment_keys *k = kt_compartment_keys_alloc();
    k->compartment = compartment;
    sample_fill(k->tag_key, KT_KEY_BYTES, (uint8_t)(0x10 + compartment));
    sample_fill(k->digest_key, KT_KEY_BYTES, (uint8_t)(0x30 + compartment));
    sample_fill(k->id_key, KT_KEY_BYTES, 0x50);
    k->keks_len = 2;
    for (uint32_t i = 0; i < k->keks_len; i++) {
        k->keks[i].epoch = i + 1;
        sample_fill(k->keks[i].key, KT_KEY_BYTES, (uint8_t)(0x70 + compartment + 0x20 * i));
    }
    return k;
}

static inline struct kt_tag sample_tag(kt_compartment compartment)
{
    struct kt_compartment_keys *k = sample_keys(compartment);
    struct kt_entity_id ward = sample_entity(0xa0);
    struct kt_tag tag = kt_tag_of(k, &ward);
    kt_compartment_keys_free(k);
    return tag;
}

static inline struct kt_dek sample_dek(kt_compartment compartment)
{
    struct kt_dek dek;
    struct kt_tag tag = sample_tag(compartment);
    sample_fill(dek.key, sizeof(dek.key), (uint8_t)(0xd0 + compartment));
    dek.id = kt_dek_id_of(dek.key, compartment, &tag, SAMPLE_GENERATION, SAMPLE_BIRTH_EPOCH);
    return dek;
}

static inline void sample_wrap(kt_compartment compartment, struct kt_buf *out)
{
    struct kt_compartment_keys *k = sample_keys(compartment);
    struct kt_dek dek = sample_dek(compartment);
    struct kt_tag tag = sample_tag(compartment);
    assert_int_equal(
        kt_wrap_seal(k, kt_kek_find(k, 2), &dek, &tag, SAMPLE_GENERATION, SAMPLE_BIRTH_EPOCH, out), KT_OK);
    kt_compartment_keys_free(k);
}

/* A change with one op of each shape: a register that replaces, a set element of another entity, a removal. */
struct sample_change {
    struct kt_change change;
    struct kt_op ops[3];
    struct kt_dot dots[3];
    uint8_t element[16];
};

static inline void sample_change(struct sample_change *s)
{
    memset(s, 0, sizeof(*s));
    s->dots[0] = (struct kt_dot){{2, 0x0102030405060708}, 9, kt_envelope_number(2, 0), 0};
    s->dots[1] = (struct kt_dot){{SAMPLE_MEMBER, SAMPLE_INCARNATION}, 41, kt_envelope_number(2, 1), 2};
    s->dots[2] = (struct kt_dot){{1023, UINT64_MAX}, 1ull << 40, kt_envelope_number(63, 1023), 300};
    sample_fill(s->element, sizeof(s->element), 0xe0);
    s->ops[0] = (struct kt_op){.entity = sample_entity(0xa0),
                               .field = 1 << 8 | 5,
                               .has_value = true,
                               .value = kt_str("teacher"),
                               .replaces = s->dots,
                               .replaces_len = 1};
    s->ops[1] = (struct kt_op){.entity = sample_entity(0xb0),
                               .field = 2 << 8 | 17,
                               .element = KT_BYTES_OF(s->element),
                               .has_value = true,
                               .value = kt_str("")};
    s->ops[2] = (struct kt_op){.entity = sample_entity(0xa0),
                               .field = 1 << 8 | 9,
                               .replaces = s->dots + 1,
                               .replaces_len = 2};
    s->change = (struct kt_change){.ward = sample_entity(0xa0),
                                   .actor = kt_str("clerk-7"),
                                   .purpose = kt_str("move of house"),
                                   .basis = kt_str("SR-1"),
                                   .ops = s->ops,
                                   .ops_len = 3};
}

static inline struct kt_clear sample_clear(void)
{
    return (struct kt_clear){.hlc_delta = 5,
                             .tag = sample_tag(SAMPLE_COMPARTMENT),
                             .generation = SAMPLE_GENERATION,
                             .dek = sample_dek(SAMPLE_COMPARTMENT).id,
                             .schema = KT_SCHEMA_1,
                             .dictionary = KT_DICTIONARY_0};
}

static inline struct kt_envelope_place sample_place(void)
{
    struct kt_envelope_place at = {.suite = KT_SUITE_1,
                                   .cluster = sample_cluster(),
                                   .origin = {SAMPLE_MEMBER, SAMPLE_INCARNATION},
                                   .batch = 42,
                                   .roster_hash = sample_hash(0x60),
                                   .compartment = SAMPLE_COMPARTMENT,
                                   .epoch = 2,
                                   .envelope = kt_envelope_number(SAMPLE_COMPARTMENT, 1)};
    sample_fill(at.nonce_base, sizeof(at.nonce_base), 0x20);
    return at;
}

/* Three envelopes in two compartments, given out of order; the two of SAMPLE_COMPARTMENT introduce one key.  Their change
 * is one op, too short to be compressed: versions of zstd write different bytes. */
struct sample_draft {
    struct kt_draft_batch batch;
    struct kt_draft_envelope envelopes[3];
    uint8_t nonce_bases[2][KT_NONCE_BASE_BYTES];
    struct kt_buf change, wrap;
};

static inline void sample_draft(struct sample_draft *s)
{
    struct sample_change change;

    memset(s, 0, sizeof(*s));
    sample_change(&change);
    change.change.ops_len = 1;
    kt_buf_init(&s->change, KT_CHANGE_BYTES_MAX);
    kt_buf_init(&s->wrap, 1024);
    assert_int_equal(kt_change_encode(&change.change, &s->change), KT_OK);
    sample_wrap(SAMPLE_COMPARTMENT, &s->wrap);
    for (uint32_t i = 0; i < 3; i++) {
        kt_compartment c = i == 1 ? KT_CORE : SAMPLE_COMPARTMENT;
        s->envelopes[i] = (struct kt_draft_envelope){.compartment = c,
                                                     .epoch = c == KT_CORE ? 1 : 2,
                                                     .stamp = SAMPLE_HLC - 2 + i,
                                                     .tag = sample_tag(c),
                                                     .generation = SAMPLE_GENERATION,
                                                     .dek = sample_dek(c),
                                                     .introduces = c != KT_CORE,
                                                     .wrap_hash = kt_wrap_hash(kt_buf_bytes(&s->wrap)),
                                                     .change = kt_buf_bytes(&s->change)};
    }
    sample_fill(s->nonce_bases, sizeof(s->nonce_bases), 0x20);
    s->batch = (struct kt_draft_batch){.cluster = sample_cluster(),
                                       .origin = {SAMPLE_MEMBER, SAMPLE_INCARNATION},
                                       .number = 42,
                                       .previous = sample_hash(0x80),
                                       .hlc = SAMPLE_HLC,
                                       .roster_version = 4,
                                       .roster_hash = sample_hash(0x60),
                                       .envelopes = s->envelopes,
                                       .envelopes_len = 3};
    kt_batch_number(&s->batch);
}

static inline void sample_draft_free(struct sample_draft *s)
{
    kt_buf_free(&s->change);
    kt_buf_free(&s->wrap);
}

/* The batch above, sealed by sample_identity(0). */
static inline void sample_batch(struct kt_buf *out, struct kt_hash *seal_hash)
{
    struct sample_draft draft;
    struct kt_identity *id = sample_identity(0);

    sample_draft(&draft);
    assert_int_equal(kt_batch_seal(&draft.batch, draft.nonce_bases, id->sign_secret, out, seal_hash), KT_OK);
    sample_draft_free(&draft);
    kt_identity_free(id);
}

/* What lies on the heap at its exact length, so that reading past the end is an error the sanitizer sees. */
static inline struct kt_bytes sample_exact(struct kt_bytes b)
{
    uint8_t *p = malloc(b.len ? b.len : 1);
    if (b.len) memcpy(p, b.data, b.len);
    return kt_bytes(p, b.len);
}

#endif
