/* Our own codecs against protoc-c's: what one writes the other reads, field by field. */
#include "support/format_samples.h"

#include "proto/batch/batch.pb-c.h"
#include "proto/batch/change.pb-c.h"
#include "proto/batch/erasure.pb-c.h"
#include "proto/batch/section.h"
#include "proto/keys/wrap.pb-c.h"

static void same_bytes(ProtobufCBinaryData got, const void *want, size_t len)
{
    assert_int_equal(got.len, len);
    if (len) assert_memory_equal(got.data, want, len);
}

/* Scenario: a change with every shape of op, as another implementation reads it. */
static void change_reads_elsewhere(void **state)
{
    struct sample_change s;
    struct kt_buf b;

    (void)state;
    sample_change(&s);
    kt_buf_init(&b, KT_CHANGE_BYTES_MAX);
    assert_int_equal(kt_change_encode(&s.change, &b), KT_OK);
    Kontor__Change *c = kontor__change__unpack(NULL, b.len, b.data);
    assert_non_null(c);
    same_bytes(c->ward, s.change.ward.b, 16);
    same_bytes(c->actor, "clerk-7", 7);
    same_bytes(c->purpose, "move of house", 13);
    same_bytes(c->basis, "SR-1", 4);
    assert_int_equal(c->n_op, 3);
    for (size_t i = 0; i < c->n_op; i++) {
        const struct kt_op *op = &s.ops[i];
        assert_int_equal(c->op[i]->has_entity, i == 1); /* the ward goes without saying */
        if (i == 1) same_bytes(c->op[i]->entity, op->entity.b, 16);
        assert_int_equal(c->op[i]->field, op->field);
        same_bytes(c->op[i]->element, op->element.data, op->element.len);
        assert_int_equal(c->op[i]->has_value, op->has_value);
        same_bytes(c->op[i]->value, op->value.data, op->value.len);
        assert_int_equal(c->op[i]->n_replaces, op->replaces_len);
        for (size_t j = 0; j < op->replaces_len; j++) {
            const Kontor__Dot *d = c->op[i]->replaces[j];
            const struct kt_dot got = {
                {d->member, d->incarnation},
                d->batch, d->envelope, d->op
            };
            assert_int_equal(kt_dot_compare(&got, &op->replaces[j]), 0);
        }
    }
    uint8_t *again = malloc(kontor__change__get_packed_size(c));
    assert_int_equal(kontor__change__pack(c, again), b.len);
    assert_memory_equal(again, b.data, b.len);
    free(again);
    kontor__change__free_unpacked(c, NULL);
    kt_buf_free(&b);
}

static void same_change(const struct kt_change *a, const struct kt_change *b)
{
    assert_memory_equal(a->ward.b, b->ward.b, 16);
    assert_true(kt_bytes_equal(a->actor, b->actor) && kt_bytes_equal(a->purpose, b->purpose) &&
                kt_bytes_equal(a->basis, b->basis));
    assert_int_equal(a->ops_len, b->ops_len);
    for (uint32_t i = 0; i < a->ops_len; i++) {
        assert_memory_equal(a->ops[i].entity.b, b->ops[i].entity.b, 16);
        assert_int_equal(a->ops[i].field, b->ops[i].field);
        assert_int_equal(a->ops[i].has_value, b->ops[i].has_value);
        assert_true(kt_bytes_equal(a->ops[i].element, b->ops[i].element));
        assert_true(kt_bytes_equal(a->ops[i].value, b->ops[i].value));
        assert_int_equal(a->ops[i].replaces_len, b->ops[i].replaces_len);
        for (uint32_t j = 0; j < a->ops[i].replaces_len; j++)
            assert_int_equal(kt_dot_compare(&a->ops[i].replaces[j], &b->ops[i].replaces[j]), 0);
    }
}

/* Scenario: a change comes back as it went, also with fields of a later format between ours. */
static void change_returns(void **state)
{
    struct sample_change s;
    struct kt_change back;
    struct kt_arena a;
    struct kt_buf b;

    (void)state;
    sample_change(&s);
    kt_arena_init(&a, 1 << 20);
    kt_buf_init(&b, KT_CHANGE_BYTES_MAX);
    kt_buf_pb_bytes(&b, 77, kt_str("later"));
    assert_int_equal(kt_change_encode(&s.change, &b), KT_OK);
    kt_buf_pb_uint(&b, 78, 5);
    assert_int_equal(kt_change_decode(kt_buf_bytes(&b), &a, &back), KT_OK);
    same_change(&back, &s.change);
    kt_arena_free(&a);
    kt_buf_free(&b);
}

/* Scenario: a change cut at each byte.  Inside a field it is truncated; between fields what is left must be a change.
 */
static void change_cut_short(void **state)
{
    struct sample_change s;
    struct kt_change back;
    struct kt_arena a;
    struct kt_buf b;
    int truncated = 0;

    (void)state;
    sample_change(&s);
    kt_arena_init(&a, 1 << 20);
    kt_buf_init(&b, KT_CHANGE_BYTES_MAX);
    assert_int_equal(kt_change_encode(&s.change, &b), KT_OK);
    for (size_t len = 0; len < b.len; len++) {
        struct kt_bytes cut = sample_exact(kt_bytes(b.data, len));
        int rc = kt_change_decode(cut, &a, &back);
        truncated += rc == KT_ETRUNCATED;
        if (len == 0) assert_int_equal(rc, KT_EMALFORMED); /* no ward */
        if (rc == KT_OK) assert_true(back.ops_len < 3);
        assert_true(rc == KT_OK || rc == KT_ETRUNCATED || rc == KT_EMALFORMED);
        free((void *)cut.data);
        kt_arena_reset(&a);
    }
    assert_true(truncated > (int)b.len - 10);
    kt_arena_free(&a);
    kt_buf_free(&b);
}

/* Scenario: each bound of a change, one past it, on the way out and on the way in. */
static void change_bounds(void **state)
{
    static uint8_t big[KT_VALUE_BYTES_MAX + 1];
    static struct kt_op ops[KT_OPS_PER_CHANGE_MAX + 1];
    static struct kt_dot dots[KT_REPLACES_PER_OP_MAX + 1];
    struct kt_op op = {.field = 1};
    struct kt_change c = {.ops = &op, .ops_len = 1};
    struct kt_buf b;

    (void)state;
    kt_buf_init(&b, 1 << 20);
    op.has_value = true;
    op.value = kt_bytes(big, KT_VALUE_BYTES_MAX + 1);
    assert_int_equal(kt_change_encode(&c, &b), KT_EOVERSIZE);
    op.value.len--;
    assert_int_equal(kt_change_encode(&c, &b), KT_OK);
    op.element = kt_bytes(big, KT_ELEMENT_BYTES_MAX + 1);
    assert_int_equal(kt_change_encode(&c, &b), KT_EOVERSIZE);
    op = (struct kt_op){.replaces = dots, .replaces_len = KT_REPLACES_PER_OP_MAX + 1};
    assert_int_equal(kt_change_encode(&c, &b), KT_ELIMIT);
    op.replaces_len = 0;
    c.actor = kt_bytes(big, KT_NAME_BYTES_MAX + 1);
    assert_int_equal(kt_change_encode(&c, &b), KT_EOVERSIZE);
    c.actor = kt_str("\xc3\x28");
    assert_int_equal(kt_change_encode(&c, &b), KT_EUTF8);
    c = (struct kt_change){.ops = ops, .ops_len = KT_OPS_PER_CHANGE_MAX + 1};
    assert_int_equal(kt_change_encode(&c, &b), KT_ELIMIT);
    for (int i = 0; i < 4; i++) ops[i] = (struct kt_op){.has_value = true, .value = kt_bytes(big, KT_VALUE_BYTES_MAX)};
    c.ops_len = 4; /* each within its bound, all together not */
    assert_int_equal(kt_change_encode(&c, &b), KT_EOVERSIZE);
    kt_buf_free(&b);
}

static int decode_raw(struct kt_buf *b)
{
    struct kt_arena a;
    struct kt_change c;

    kt_arena_init(&a, 1 << 20);
    int rc = kt_change_decode(kt_buf_bytes(b), &a, &c);
    kt_arena_free(&a);
    kt_buf_clear(b);
    return rc;
}

/* Scenario: changes that our encoder would not write, each refused by its own code. */
static void change_refused(void **state)
{
    static uint8_t big[KT_CHANGE_BYTES_MAX + 1];
    struct kt_buf b;

    (void)state;
    kt_buf_init(&b, 1 << 20);
    kt_buf_pb_bytes(&b, 1, kt_bytes(big, 15));
    assert_int_equal(decode_raw(&b), KT_EMALFORMED);
    kt_buf_pb_bytes(&b, 1, kt_bytes(big, 16));
    kt_buf_pb_bytes(&b, 2, kt_str("\xff"));
    assert_int_equal(decode_raw(&b), KT_EUTF8);
    kt_buf_pb_bytes(&b, 2, kt_bytes(big, KT_NAME_BYTES_MAX + 1));
    assert_int_equal(decode_raw(&b), KT_EOVERSIZE);
    kt_buf_pb_uint(&b, 5, 1); /* an op that is a number */
    assert_int_equal(decode_raw(&b), KT_EMALFORMED);
    kt_buf_put(&b, kt_bytes(big, sizeof(big)));
    assert_int_equal(decode_raw(&b), KT_EOVERSIZE);
    kt_buf_pb_bytes(&b, 1, kt_bytes(big, 16));
    for (unsigned i = 0; i <= KT_OPS_PER_CHANGE_MAX; i++) kt_buf_pb_bytes(&b, 5, kt_bytes(big, 0));
    assert_int_equal(decode_raw(&b), KT_EOVERSIZE);
    for (unsigned dot_fields = 0; dot_fields < 8; dot_fields++) { /* a dot needs member, incarnation and batch */
        kt_buf_pb_bytes(&b, 1, kt_bytes(big, 16));
        size_t op = kt_buf_pb_open(&b, 5);
        kt_buf_pb_uint(&b, 2, 1);
        size_t dot = kt_buf_pb_open(&b, 5);
        if (dot_fields & 1) kt_buf_pb_uint(&b, 1, 1);
        if (dot_fields & 2) kt_buf_pb_fixed64(&b, 2, 1);
        if (dot_fields & 4) kt_buf_pb_uint(&b, 3, 1);
        kt_buf_pb_close(&b, dot);
        kt_buf_pb_close(&b, op);
        assert_int_equal(decode_raw(&b), dot_fields == 7 ? KT_OK : KT_EMALFORMED);
    }
    kt_buf_free(&b);
}

/* Scenario: an arena too small is our own limit, not the author's fault. */
static void change_needs_room(void **state)
{
    struct sample_change s;
    struct kt_change back;
    struct kt_arena a;
    struct kt_buf b;

    (void)state;
    sample_change(&s);
    kt_buf_init(&b, KT_CHANGE_BYTES_MAX);
    assert_int_equal(kt_change_encode(&s.change, &b), KT_OK);
    for (size_t cap = 0; cap < 1000; cap += 16) {
        kt_arena_init(&a, cap);
        int rc = kt_change_decode(kt_buf_bytes(&b), &a, &back);
        assert_true(rc == KT_OK || rc == KT_ELIMIT);
        if (cap < 3 * sizeof(struct kt_op)) assert_int_equal(rc, KT_ELIMIT);
        kt_arena_free(&a);
    }
    assert_int_equal(kt_change_encode(&s.change, &b), KT_OK);
    kt_buf_free(&b);
}

/* Scenario: a whole batch, as another implementation reads it. */
static void batch_reads_elsewhere(void **state)
{
    struct sample_draft d;
    struct kt_hash hash;
    struct kt_buf b;

    (void)state;
    sample_draft(&d);
    kt_buf_init(&b, KT_BATCH_BYTES_MAX);
    sample_batch(&b, &hash);
    Kontor__Batch *batch = kontor__batch__unpack(NULL, b.len, b.data);
    assert_non_null(batch);
    assert_int_equal(batch->signature.len, 64);
    Kontor__SealBody *seal = kontor__seal_body__unpack(NULL, batch->seal.len, batch->seal.data);
    assert_non_null(seal);
    assert_int_equal(seal->suite, KT_SUITE_1);
    same_bytes(seal->cluster, d.batch.cluster.b, 16);
    assert_int_equal(seal->member, SAMPLE_MEMBER);
    assert_true(seal->incarnation == SAMPLE_INCARNATION && seal->number == 42 && seal->hlc == SAMPLE_HLC);
    same_bytes(seal->previous, d.batch.previous.b, 32);
    assert_int_equal(seal->roster_version, 4);
    same_bytes(seal->roster_hash, d.batch.roster_hash.b, 32);
    assert_int_equal(seal->n_section, 2);
    assert_int_equal(batch->n_section, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(seal->section[i]->compartment, i + 1);
        assert_int_equal(seal->section[i]->epoch, i + 1);
        assert_int_equal(seal->section[i]->count, i + 1);
        assert_int_equal(batch->section[i]->n_item, i + 1);
        const ProtobufCBinaryData h = batch->section[i]->header;
        Kontor__SectionHeader *header = kontor__section_header__unpack(NULL, h.len, h.data);
        assert_non_null(header);
        same_bytes(header->nonce_base, d.nonce_bases[i], KT_NONCE_BASE_BYTES);
        assert_int_equal(header->n_key, i); /* two envelopes, one key */
        if (i) same_bytes(header->key[0]->id, d.envelopes[0].dek.id.b, KT_DEK_ID_BYTES);
        if (i) same_bytes(header->key[0]->wrap_hash, d.envelopes[0].wrap_hash.b, KT_HASH_BYTES);
        kontor__section_header__free_unpacked(header, NULL);
        for (size_t j = 0; j <= i; j++) {
            const Kontor__Item *item = batch->section[i]->item[j];
            assert_true(item->has_clear && item->has_cipher && !item->has_tag && !item->has_body_hash);
            Kontor__Clear *clear = kontor__clear__unpack(NULL, item->clear.len, item->clear.data);
            assert_non_null(clear);
            same_bytes(clear->tag, d.envelopes[i ? 0 : 1].tag.b, KT_TAG_BYTES);
            same_bytes(clear->dek, d.envelopes[i ? 0 : 1].dek.id.b, KT_DEK_ID_BYTES);
            assert_int_equal(clear->hlc_delta, i == 0 ? 1 : j == 0 ? 2 : 0);
            assert_int_equal(clear->generation, SAMPLE_GENERATION);
            assert_int_equal(clear->schema, KT_SCHEMA_1);
            assert_int_equal(clear->dictionary, KT_DICTIONARY_0);
            kontor__clear__free_unpacked(clear, NULL);
        }
    }
    kontor__seal_body__free_unpacked(seal, NULL);
    kontor__batch__free_unpacked(batch, NULL);
    sample_draft_free(&d);
    kt_buf_free(&b);
}

/* Scenario: a wrap and an erasure, as another implementation reads them. */
static void wrap_and_erasure_read_elsewhere(void **state)
{
    struct kt_erasure e = {sample_cluster(), SAMPLE_COMPARTMENT, sample_tag(2), 3, SAMPLE_HLC};
    struct kt_erasure_signature signatures[2] = {{.member = 3}, {.member = 5}};
    struct kt_dek dek = sample_dek(SAMPLE_COMPARTMENT);
    struct kt_buf b, body;

    (void)state;
    kt_buf_init(&b, 4096);
    kt_buf_init(&body, 4096);
    sample_wrap(SAMPLE_COMPARTMENT, &b);
    Kontor__Wrap *w = kontor__wrap__unpack(NULL, b.len, b.data);
    assert_non_null(w);
    same_bytes(w->id, dek.id.b, KT_DEK_ID_BYTES);
    same_bytes(w->tag, e.tag.b, KT_TAG_BYTES);
    assert_true(w->compartment == SAMPLE_COMPARTMENT && w->generation == SAMPLE_GENERATION);
    assert_true(w->birth_epoch == SAMPLE_BIRTH_EPOCH && w->epoch == 2 && w->sealed.len == 48);
    kontor__wrap__free_unpacked(w, NULL);
    kt_buf_clear(&b);
    assert_int_equal(kt_erasure_encode_body(&e, &body), KT_OK);
    sample_fill(signatures[1].signature, 64, 7);
    assert_int_equal(kt_erasure_encode(kt_buf_bytes(&body), signatures, 2, &b), KT_OK);
    Kontor__Erasure *outer = kontor__erasure__unpack(NULL, b.len, b.data);
    assert_non_null(outer);
    assert_int_equal(outer->n_signature, 2);
    assert_int_equal(outer->signature[1]->member, 5);
    same_bytes(outer->signature[1]->signature, signatures[1].signature, 64);
    Kontor__ErasureBody *inner = kontor__erasure_body__unpack(NULL, outer->body.len, outer->body.data);
    assert_non_null(inner);
    same_bytes(inner->cluster, e.cluster.b, 16);
    same_bytes(inner->tag, e.tag.b, KT_TAG_BYTES);
    assert_true(inner->suite == 1 && inner->compartment == 2 && inner->generation == 3 && inner->hlc == SAMPLE_HLC);
    kontor__erasure_body__free_unpacked(inner, NULL);
    kontor__erasure__free_unpacked(outer, NULL);
    kt_buf_free(&b);
    kt_buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(change_reads_elsewhere), cmocka_unit_test(change_returns),
        cmocka_unit_test(change_cut_short),       cmocka_unit_test(change_bounds),
        cmocka_unit_test(change_refused),         cmocka_unit_test(change_needs_room),
        cmocka_unit_test(batch_reads_elsewhere),  cmocka_unit_test(wrap_and_erasure_read_elsewhere),
    };

    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
