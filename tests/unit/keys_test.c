/* Derivation, signatures, identities, bundles, wraps and sealed rows. */
#include "support/format_samples.h"

#include "proto/keys/head.h"

/* Scenario: one use, one key: other labels, parents and contexts give other bytes, whatever moves between the parts. */
static void derivation_keeps_uses_apart(void **state)
{
    const uint8_t parents[2][KT_KEY_BYTES] = {{1}, {2}};
    const struct kt_bytes ctx[][2] = {
        {kt_str("ab"), kt_str("c") },
        {kt_str("a"),  kt_str("bc")}
    };
    uint8_t out[6][32];

    (void)state;
    kt_kdf(out[0], 32, KT_LABEL_TAG, parents[0], ctx[0], 2);
    kt_kdf(out[1], 32, KT_LABEL_TAG, parents[0], ctx[1], 2);
    kt_kdf(out[2], 32, KT_LABEL_TAG, parents[1], ctx[0], 2);
    kt_kdf(out[3], 32, KT_LABEL_ROOT, parents[0], ctx[0], 2);
    kt_kdf(out[4], 32, KT_LABEL_TAG, parents[0], ctx[0], 1);
    kt_kdf(out[5], 32, KT_LABEL_TAG, parents[0], NULL, 0);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++) assert_memory_not_equal(out[i], out[j], 32);
    for (int i = 0; i < KT_LABEL_COUNT; i++)
        for (int j = 0; j < i; j++) assert_string_not_equal(kt_label_text(i), kt_label_text(j));
}

/* Scenario: a signature holds for its message, key and label alone, for short messages and for one on the heap. */
static void signatures_are_labelled(void **state)
{
    const size_t lengths[] = {0, 1, 4000, 4090, 100000};
    uint8_t *message = calloc(1, 100000), signature[64];
    struct kt_identity *id = sample_identity(0), *other = sample_identity(9);

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct kt_bytes m = kt_bytes(message, lengths[i]), s = KT_BYTES_OF(signature);
        assert_int_equal(kt_sign(KT_LABEL_SEAL, id->sign_secret, m, signature), KT_OK);
        assert_int_equal(kt_verify(KT_LABEL_SEAL, id->pub.sign, m, s), KT_OK);
        for (int label = 0; label < KT_LABEL_COUNT; label++)
            assert_int_equal(kt_verify(label, id->pub.sign, m, s), label == KT_LABEL_SEAL ? KT_OK : KT_ESIGNATURE);
        assert_int_equal(kt_verify(KT_LABEL_SEAL, other->pub.sign, m, s), KT_ESIGNATURE);
        assert_int_equal(kt_verify(KT_LABEL_SEAL, id->pub.sign, m, kt_bytes(signature, 63)), KT_ESIGNATURE);
        signature[lengths[i] % 64] ^= 1;
        assert_int_equal(kt_verify(KT_LABEL_SEAL, id->pub.sign, m, s), KT_ESIGNATURE);
    }
    free(message);
    kt_identity_free(id);
    kt_identity_free(other);
}

/* Scenario: an identity is sealed under the root key and comes back the same; nothing else opens it. */
static void identity_returns(void **state)
{
    const uint8_t root[KT_KEY_BYTES] = {7}, wrong_root[KT_KEY_BYTES] = {8}, nonce[24] = {9};
    struct kt_identity *id = sample_identity(3), *back = NULL;
    struct kt_buf b;

    (void)state;
    kt_buf_init(&b, 4096);
    assert_int_equal(kt_identity_seal(id, root, nonce, &b), KT_OK);
    assert_int_equal(kt_identity_open(kt_buf_bytes(&b), root, &back), KT_OK);
    assert_memory_equal(id, back, sizeof(*id));
    kt_identity_free(back);
    back = NULL;
    assert_int_equal(kt_identity_open(kt_buf_bytes(&b), wrong_root, &back), KT_EOPEN);
    for (size_t len = 0; len < b.len; len++) {
        struct kt_bytes cut = sample_exact(kt_bytes(b.data, len));
        assert_int_equal(kt_identity_open(cut, root, &back), KT_ETRUNCATED);
        free((void *)cut.data);
    }
    for (size_t i = 0; i < 8 * b.len; i++) {
        b.data[i / 8] ^= (uint8_t)(1 << i % 8);
        int rc = kt_identity_open(kt_buf_bytes(&b), root, &back);
        if (i < 32)
            assert_int_equal(rc, KT_ESUITE);
        else if (i < 40) /* the label's length: it may reach past the end */
            assert_true(rc == KT_ELABEL || rc == KT_ETRUNCATED);
        else
            assert_int_equal(rc, i < 72 ? KT_ELABEL : KT_EOPEN);
        b.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    kt_buf_u8(&b, 0);
    assert_int_equal(kt_identity_open(kt_buf_bytes(&b), root, &back), KT_EOVERSIZE);
    assert_null(back);
    kt_buf_free(&b);
    kt_identity_free(id);
}

/* Scenario: a bundle opens for the member it was sealed to, and for nobody else. */
static void bundle_returns(void **state)
{
    struct kt_compartment_keys *k = sample_keys(2), *back = NULL;
    struct kt_identity *id = sample_identity(0), *other = sample_identity(1);
    struct kt_buf b;

    (void)state;
    kt_buf_init(&b, 1 << 16);
    assert_int_equal(kt_bundle_seal(k, id->pub.receive, &b), KT_OK);
    assert_int_equal(kt_bundle_open(kt_buf_bytes(&b), id, &back), KT_OK);
    assert_memory_equal(k, back, sizeof(*k));
    kt_compartment_keys_free(back);
    back = NULL;
    assert_int_equal(kt_bundle_open(kt_buf_bytes(&b), other, &back), KT_EOPEN);
    for (size_t len = 0; len < b.len; len++) {
        struct kt_bytes cut = sample_exact(kt_bytes(b.data, len));
        int rc = kt_bundle_open(cut, id, &back);
        assert_true(rc == KT_ETRUNCATED || (rc == KT_EOPEN && len + 36 >= b.len)); /* as long as one with one epoch */
        free((void *)cut.data);
    }
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 0x10;
        int rc = kt_bundle_open(kt_buf_bytes(&b), id, &back);
        assert_int_equal(rc, i < 4 ? KT_ESUITE : i == 4 ? KT_ELABEL : i < 11 ? KT_ELABEL : KT_EOPEN);
        b.data[i] ^= 0x10;
    }
    const uint8_t low_order[KT_PUBLIC_KEY_BYTES] = {0};
    kt_buf_clear(&b);
    assert_int_equal(kt_bundle_seal(k, low_order, &b), KT_EINVAL);
    assert_null(back);
    kt_buf_free(&b);
    kt_compartment_keys_free(k);
    kt_identity_free(id);
    kt_identity_free(other);
}

/* Scenario: the keys of a compartment in the clear, as the authority keeps them: bounds, order, suite. */
static void compartment_keys_refused(void **state)
{
    struct kt_compartment_keys *k = sample_keys(2), *back = NULL;
    struct kt_buf b;

    (void)state;
    kt_buf_init(&b, 1 << 16);
    assert_non_null(kt_kek_find(k, 1));
    assert_null(kt_kek_find(k, 3));
    assert_int_equal(kt_compartment_keys_encode(k, &b), KT_OK);
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(kt_compartment_keys_decode(kt_bytes(b.data, len), &back), KT_ETRUNCATED);
    b.data[3] = 2;
    assert_int_equal(kt_compartment_keys_decode(kt_buf_bytes(&b), &back), KT_ESUITE);
    b.data[3] = 1;
    b.data[107] = KT_EPOCHS_MAX + 1;
    assert_int_equal(kt_compartment_keys_decode(kt_buf_bytes(&b), &back), KT_EOVERSIZE);
    b.data[107] = 1; /* one epoch, and bytes left over */
    assert_int_equal(kt_compartment_keys_decode(kt_buf_bytes(&b), &back), KT_EOVERSIZE);
    b.data[107] = 2;
    b.data[147] = 1; /* epoch 1 twice */
    assert_int_equal(kt_compartment_keys_decode(kt_buf_bytes(&b), &back), KT_EMALFORMED);
    k->keks[1].epoch = 1;
    assert_int_equal(kt_compartment_keys_encode(k, &b), KT_EINVAL);
    k->keks_len = 0;
    assert_int_equal(kt_compartment_keys_encode(k, &b), KT_EINVAL);
    assert_null(back);
    kt_buf_free(&b);
    kt_compartment_keys_free(k);
}

/* Scenario: two offices wrap one key for one epoch and write the same bytes; for another epoch, others. */
static void wraps_repeat(void **state)
{
    struct kt_compartment_keys *k = sample_keys(2);
    struct kt_dek dek = sample_dek(2), back;
    struct kt_tag tag = sample_tag(2);
    struct kt_wrap w;
    struct kt_buf b[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        kt_buf_init(&b[i], 1024);
        assert_int_equal(kt_wrap_seal(k, &k->keks[i / 2], &dek, &tag, SAMPLE_GENERATION, SAMPLE_BIRTH_EPOCH, &b[i]),
                         KT_OK);
        assert_int_equal(kt_wrap_decode(kt_buf_bytes(&b[i]), &w), KT_OK);
        assert_int_equal(kt_wrap_open(k, &w, &back), KT_OK);
        assert_memory_equal(&back, &dek, sizeof(dek));
    }
    assert_true(kt_bytes_equal(kt_buf_bytes(&b[0]), kt_buf_bytes(&b[1])));
    assert_false(kt_bytes_equal(kt_buf_bytes(&b[0]), kt_buf_bytes(&b[2])));
    for (int i = 0; i < 3; i++) kt_buf_free(&b[i]);
    kt_compartment_keys_free(k);
}

/* Scenario: a forged wrap, whoever forged it: each field changed in turn; and one made by a holder of the KEK whose id
 * does not commit to the key inside. */
static void wraps_prove_themselves(void **state)
{
    struct kt_compartment_keys *k = sample_keys(2);
    struct kt_dek dek = sample_dek(2), back;
    struct kt_tag tag = sample_tag(2);
    struct kt_wrap w, forged;
    struct kt_buf b;

    (void)state;
    kt_buf_init(&b, 1024);
    sample_wrap(2, &b);
    assert_int_equal(kt_wrap_decode(kt_buf_bytes(&b), &w), KT_OK);
    forged = w, forged.epoch = 1;
    assert_int_equal(kt_wrap_open(k, &forged, &back), KT_EOPEN);
    forged = w, forged.epoch = 3;
    assert_int_equal(kt_wrap_open(k, &forged, &back), KT_EKEY);
    forged = w, forged.compartment = 1;
    assert_int_equal(kt_wrap_open(k, &forged, &back), KT_EKEY);
    forged = w, forged.generation++;
    assert_int_equal(kt_wrap_open(k, &forged, &back), KT_EOPEN);
    forged = w, forged.tag.b[0] ^= 1;
    assert_int_equal(kt_wrap_open(k, &forged, &back), KT_EOPEN);
    forged = w, forged.birth_epoch++; /* not under the seal, but the id commits to it */
    assert_int_equal(kt_wrap_open(k, &forged, &back), KT_EHASH);
    kt_buf_clear(&b);
    dek.key[0] ^= 1;
    assert_int_equal(kt_wrap_seal(k, &k->keks[1], &dek, &tag, SAMPLE_GENERATION, SAMPLE_BIRTH_EPOCH, &b), KT_OK);
    assert_int_equal(kt_wrap_decode(kt_buf_bytes(&b), &w), KT_OK);
    assert_int_equal(kt_wrap_open(k, &w, &back), KT_EHASH);
    kt_buf_free(&b);
    kt_compartment_keys_free(k);
}

/* Scenario: wraps cut, and with every bit flipped: none decodes into something that opens. */
static void wraps_refused(void **state)
{
    struct kt_compartment_keys *k = sample_keys(2);
    struct kt_dek back;
    struct kt_wrap w;
    struct kt_buf b;

    (void)state;
    kt_buf_init(&b, 1024);
    sample_wrap(2, &b);
    for (size_t len = 0; len < b.len; len++) {
        struct kt_bytes cut = sample_exact(kt_bytes(b.data, len));
        int rc = kt_wrap_decode(cut, &w);
        assert_true(rc == KT_ETRUNCATED || rc == KT_EMALFORMED);
        free((void *)cut.data);
    }
    for (size_t i = 0; i < 8 * b.len; i++) {
        b.data[i / 8] ^= (uint8_t)(1 << i % 8);
        int rc = kt_wrap_decode(kt_buf_bytes(&b), &w);
        if (rc == KT_OK) rc = kt_wrap_open(k, &w, &back);
        assert_true(rc == KT_EMALFORMED || rc == KT_ETRUNCATED || rc == KT_EOVERSIZE || rc == KT_EKEY ||
                    rc == KT_EOPEN || rc == KT_EHASH);
        b.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    kt_buf_free(&b);
    kt_compartment_keys_free(k);
}

/* Scenario: a row of the store opens where it was put and nowhere else: not under another key of the row, in another
 * table or compartment, nor altered, nor cut. */
static void rows_stay_where_they_were_put(void **state)
{
    const uint8_t key[KT_KEY_BYTES] = {1}, wrong[KT_KEY_BYTES] = {2}, nonce[24] = {3};
    const struct kt_bytes row = kt_str("row"), plain = kt_str("what stands in it");
    struct kt_buf b, out;

    (void)state;
    kt_buf_init(&b, 1024);
    kt_buf_init(&out, 1024);
    kt_row_seal(key, nonce, 4, row, 2, plain, &b);
    assert_int_equal(b.len, plain.len + KT_ROW_OVERHEAD_BYTES);
    assert_int_equal(kt_row_open(key, 4, row, 2, kt_buf_bytes(&b), &out), KT_OK);
    assert_true(kt_bytes_equal(kt_buf_bytes(&out), plain));
    assert_int_equal(kt_row_open(wrong, 4, row, 2, kt_buf_bytes(&b), &out), KT_EOPEN);
    assert_int_equal(kt_row_open(key, 5, row, 2, kt_buf_bytes(&b), &out), KT_EOPEN);
    assert_int_equal(kt_row_open(key, 4, kt_str("raw"), 2, kt_buf_bytes(&b), &out), KT_EOPEN);
    assert_int_equal(kt_row_open(key, 4, row, 3, kt_buf_bytes(&b), &out), KT_EOPEN);
    for (size_t i = 0; i < b.len; i++) {
        assert_int_equal(kt_row_open(key, 4, row, 2, kt_bytes(b.data, i), &out), KT_EOPEN);
        b.data[i] ^= 1;
        assert_int_equal(kt_row_open(key, 4, row, 2, kt_buf_bytes(&b), &out), KT_EOPEN);
        b.data[i] ^= 1;
    }
    assert_int_equal(out.len, plain.len);
    kt_buf_clear(&b);
    kt_buf_clear(&out);
    kt_row_seal(key, nonce, 4, row, 2, kt_bytes(NULL, 0), &b);
    assert_int_equal(kt_row_open(key, 4, row, 2, kt_buf_bytes(&b), &out), KT_OK);
    assert_int_equal(out.len, 0);
    kt_buf_free(&b);
    kt_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derivation_keeps_uses_apart),
        cmocka_unit_test(signatures_are_labelled),
        cmocka_unit_test(identity_returns),
        cmocka_unit_test(bundle_returns),
        cmocka_unit_test(compartment_keys_refused),
        cmocka_unit_test(wraps_repeat),
        cmocka_unit_test(wraps_prove_themselves),
        cmocka_unit_test(wraps_refused),
        cmocka_unit_test(rows_stay_where_they_were_put),
    };

    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
