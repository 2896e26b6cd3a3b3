/* Envelopes: a change sealed and opened, and all the ways in which it must not open. */
#include "support/format_samples.h"

#include <zstd.h>

struct sealed {
    struct kt_envelope_place at;
    struct kt_dek dek;
    struct kt_buf clear, cipher;
};

static void seal(struct sealed *s, struct kt_bytes change)
{
    struct kt_clear clear = sample_clear();

    s->at = sample_place();
    s->dek = sample_dek(SAMPLE_COMPARTMENT);
    kt_buf_init(&s->clear, KT_CLEAR_BYTES_MAX);
    kt_buf_init(&s->cipher, KT_ITEM_BYTES_MAX);
    assert_int_equal(kt_clear_encode(&clear, &s->clear), KT_OK);
    assert_int_equal(kt_envelope_seal(&s->at, s->dek.key, kt_buf_bytes(&s->clear), change, &s->cipher), KT_OK);
}

static void sealed_free(struct sealed *s)
{
    kt_buf_free(&s->clear);
    kt_buf_free(&s->cipher);
}

static int open_as(const struct sealed *s, const struct kt_envelope_place *at, const uint8_t *key,
                   struct kt_bytes clear, struct kt_buf *out)
{
    return kt_envelope_open(at, key, clear, kt_buf_bytes(&s->cipher), out);
}

/* Scenario: changes of every length up to two kilobytes, and the longest, compressible and not: each comes back, its
 * sealed form has one of the sizes that padding allows, and is no longer than was promised to whoever fills batches. */
static void changes_return(void **state)
{
    uint8_t *change = malloc(KT_CHANGE_BYTES_MAX);
    struct sealed s;
    struct kt_buf out;

    (void)state;
    kt_buf_init(&out, KT_CHANGE_BYTES_MAX); /* a change is all that it ever gets */
    for (int compressible = 0; compressible < 2; compressible++) {
        randombytes_buf_deterministic(change, KT_CHANGE_BYTES_MAX, (const uint8_t[32]){1});
        if (compressible) memset(change, 'x', KT_CHANGE_BYTES_MAX);
        for (size_t len = 1; len <= KT_CHANGE_BYTES_MAX; len = len < 2048 ? len + 1 : len * 5 + 1) {
            if (len * 5 + 1 > KT_CHANGE_BYTES_MAX) len = KT_CHANGE_BYTES_MAX;
            seal(&s, kt_bytes(change, len));
            size_t plain = s.cipher.len - 16;
            assert_int_equal(plain % (plain <= KT_PAD_SMALL_UP_TO ? KT_PAD_SMALL_BYTES : KT_PAD_LARGE_BYTES), 0);
            assert_true(s.clear.len + s.cipher.len + 12 <= kt_item_bytes_max(len));
            if (compressible && len >= 128 && len <= KT_EXPANSION_FREE_BYTES) assert_true(plain < len);
            kt_buf_clear(&out);
            assert_int_equal(open_as(&s, &s.at, s.dek.key, kt_buf_bytes(&s.clear), &out), KT_OK);
            assert_true(kt_bytes_equal(kt_buf_bytes(&out), kt_bytes(change, len)));
            sealed_free(&s);
        }
    }
    kt_buf_free(&out);
    free(change);
}

/* Scenario: one thread keeps its compression state through many envelopes: the bytes are those of a fresh one each
 * time, also after one that did not decompress. */
static void packer_changes_nothing(void **state)
{
    struct kt_packer *packer = kt_packer_create();
    static uint8_t text[5000];
    struct kt_buf out, again;
    struct sealed s;

    (void)state;
    assert_non_null(packer);
    kt_buf_init(&out, KT_CHANGE_BYTES_MAX);
    kt_buf_init(&again, KT_ITEM_BYTES_MAX);
    for (size_t i = 0; i < sizeof(text); i++) text[i] = (uint8_t)("one of few words "[i % 17] + i / 1000);
    for (size_t len = 1; len < sizeof(text); len += 97) {
        seal(&s, kt_bytes(text, len));
        kt_buf_clear(&again);
        kt_buf_clear(&out);
        struct kt_bytes clear = kt_buf_bytes(&s.clear);
        assert_int_equal(kt_envelope_seal_with(packer, &s.at, s.dek.key, clear, kt_bytes(text, len), &again), KT_OK);
        assert_true(kt_bytes_equal(kt_buf_bytes(&again), kt_buf_bytes(&s.cipher)));
        assert_int_equal(kt_envelope_open_with(packer, &s.at, s.dek.key, clear, kt_buf_bytes(&again), &out), KT_OK);
        assert_true(kt_bytes_equal(kt_buf_bytes(&out), kt_bytes(text, len)));
        sealed_free(&s);
    }
    kt_buf_free(&out);
    kt_buf_free(&again);
    kt_packer_free(packer);
    kt_packer_free(NULL);
}

/* Scenario: everything said about where an envelope stands, changed in turn: it does not open elsewhere. */
static void bound_to_its_place(void **state)
{
    struct sealed s;
    struct kt_buf out;
    struct kt_envelope_place at;

    (void)state;
    kt_buf_init(&out, KT_CHANGE_BYTES_MAX);
    seal(&s, kt_str("what was done"));
    struct kt_bytes clear = kt_buf_bytes(&s.clear);
#define MOVED(change_of_place)                                                                                         \
    do {                                                                                                               \
        at = s.at;                                                                                                     \
        change_of_place;                                                                                               \
        assert_int_equal(open_as(&s, &at, s.dek.key, clear, &out), KT_EOPEN);                                          \
    } while (0)
    MOVED(at.cluster.b[15] ^= 1);
    MOVED(at.origin.member++);
    MOVED(at.origin.incarnation++);
    MOVED(at.batch++);
    MOVED(at.roster_hash.b[0] ^= 1);
    MOVED(at.compartment++);
    MOVED(at.epoch++);
    MOVED(at.nonce_base[23] ^= 1);
    MOVED(at.envelope++);
#undef MOVED
    at = s.at;
    at.suite = 2;
    assert_int_equal(open_as(&s, &at, s.dek.key, clear, &out), KT_ESUITE);
    s.dek.key[0] ^= 1;
    assert_int_equal(open_as(&s, &s.at, s.dek.key, clear, &out), KT_EOPEN);
    s.dek.key[0] ^= 1;
    for (size_t i = 0; i < s.clear.len; i++) {
        s.clear.data[i] ^= 1;
        assert_int_equal(open_as(&s, &s.at, s.dek.key, clear, &out), KT_EOPEN);
        s.clear.data[i] ^= 1;
    }
    assert_int_equal(out.len, 0);
    assert_int_equal(open_as(&s, &s.at, s.dek.key, clear, &out), KT_OK);
    kt_buf_free(&out);
    sealed_free(&s);
}

/* Scenario: a ciphertext cut short, made longer, or with a flipped bit does not open. */
static void bound_to_its_bytes(void **state)
{
    struct sealed s;
    struct kt_buf out;

    (void)state;
    kt_buf_init(&out, KT_CHANGE_BYTES_MAX);
    seal(&s, kt_str("what was done"));
    struct kt_bytes clear = kt_buf_bytes(&s.clear);
    for (size_t len = 0; len < s.cipher.len; len++) {
        struct kt_bytes cut = sample_exact(kt_bytes(s.cipher.data, len));
        assert_int_equal(kt_envelope_open(&s.at, s.dek.key, clear, cut, &out), KT_EOPEN);
        free((void *)cut.data);
    }
    for (size_t i = 0; i < 8 * s.cipher.len; i++) {
        s.cipher.data[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(open_as(&s, &s.at, s.dek.key, clear, &out), KT_EOPEN);
        s.cipher.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    kt_buf_u8(&s.cipher, 0);
    assert_int_equal(open_as(&s, &s.at, s.dek.key, clear, &out), KT_EOPEN);
    assert_int_equal(kt_envelope_open(&s.at, s.dek.key, clear, kt_bytes(s.cipher.data, KT_ITEM_BYTES_MAX + 1), &out),
                     KT_EOVERSIZE);
    assert_int_equal(kt_envelope_open(&s.at, s.dek.key, kt_bytes(s.cipher.data, KT_CLEAR_BYTES_MAX + 1),
                                      kt_buf_bytes(&s.cipher), &out),
                     KT_EOVERSIZE);
    assert_int_equal(out.len, 0);
    kt_buf_free(&out);
    sealed_free(&s);
}

/* Scenario: what may not be sealed is refused before anything is written. */
static void refused_at_the_door(void **state)
{
    static uint8_t big[KT_CHANGE_BYTES_MAX + 1];
    struct kt_envelope_place at = sample_place();
    struct kt_clear clear = sample_clear();
    const uint8_t key[KT_KEY_BYTES] = {0};
    struct kt_buf out;

    (void)state;
    kt_buf_init(&out, KT_ITEM_BYTES_MAX);
    assert_int_equal(kt_envelope_seal(&at, key, kt_str("c"), kt_bytes(big, sizeof(big)), &out), KT_EOVERSIZE);
    assert_int_equal(kt_envelope_seal(&at, key, kt_bytes(big, 129), kt_str("c"), &out), KT_EOVERSIZE);
    assert_int_equal(kt_envelope_seal(&at, key, kt_str("c"), kt_str(""), &out), KT_EINVAL);
    at.suite = 9;
    assert_int_equal(kt_envelope_seal(&at, key, kt_str("c"), kt_str("c"), &out), KT_ESUITE);
    clear.schema = 0;
    assert_int_equal(kt_clear_encode(&clear, &out), KT_EINVAL);
    assert_int_equal(out.len, 0);
    kt_buf_free(&out);
}

/* Scenario: a clear part returns; cut, it is no clear part; a later schema and dictionary are told, not refused. */
static void clear_part(void **state)
{
    struct kt_clear clear = sample_clear(), back;
    struct kt_buf b;

    (void)state;
    kt_buf_init(&b, 4096);
    clear.schema = 7;
    clear.dictionary = 3;
    assert_int_equal(kt_clear_encode(&clear, &b), KT_OK);
    assert_int_equal(kt_clear_decode(kt_buf_bytes(&b), &back), KT_OK);
    assert_true(back.schema == 7 && back.dictionary == 3 && back.hlc_delta == 5);
    assert_memory_equal(&back.tag, &clear.tag, sizeof(clear.tag));
    assert_memory_equal(&back.dek, &clear.dek, sizeof(clear.dek));
    kt_buf_clear(&b);
    clear = sample_clear();
    assert_int_equal(kt_clear_encode(&clear, &b), KT_OK);
    for (size_t len = 0; len < b.len; len++) {
        struct kt_bytes cut = sample_exact(kt_bytes(b.data, len));
        int rc = kt_clear_decode(cut, &back);
        assert_true(rc == KT_ETRUNCATED || rc == KT_EMALFORMED);
        free((void *)cut.data);
    }
    kt_buf_pb_bytes(&b, 99, kt_bytes((const uint8_t[100]){0}, 100));
    assert_int_equal(kt_clear_decode(kt_buf_bytes(&b), &back), KT_EOVERSIZE);
    kt_buf_free(&b);
}

/* Seals a plaintext as it stands: an author who knows the key and wants to do harm. */
static int open_forged(struct kt_bytes plain)
{
    struct kt_envelope_place at = sample_place();
    uint8_t key[KT_KEY_BYTES], ctx[80], aad[300], *p = ctx;
    struct kt_bytes part = KT_BYTES_OF(ctx), clear = kt_str("c");
    struct kt_hash h = kt_hash_parts("clear", &clear, 1);
    struct kt_buf place, cipher, out;

    kt_buf_init(&place, sizeof(aad));
    kt_buf_init(&cipher, 1 << 20);
    kt_buf_init(&out, 1 << 20);
    kt_buf_put(&place, KT_BYTES_OF(at.nonce_base));
    kt_buf_be32(&place, at.origin.member);
    kt_buf_be64(&place, at.origin.incarnation);
    kt_buf_be64(&place, at.batch);
    kt_buf_be32(&place, at.envelope);
    kt_buf_put(&place, KT_BYTES_OF(h.b));
    assert_int_equal(place.len, sizeof(ctx));
    memcpy(p, place.data, sizeof(ctx));
    kt_kdf(key, sizeof(key), KT_LABEL_ENVELOPE, sample_dek(SAMPLE_COMPARTMENT).key, &part, 1);
    kt_buf_clear(&place);
    kt_buf_put(&place, kt_bytes("\x01\x00\x01"
                                "c",
                                4));
    kt_buf_be32(&place, 1);
    kt_buf_put(&place, KT_BYTES_OF(at.cluster.b));
    kt_buf_be32(&place, at.origin.member);
    kt_buf_be64(&place, at.origin.incarnation);
    kt_buf_be64(&place, at.batch);
    kt_buf_put(&place, KT_BYTES_OF(at.roster_hash.b));
    kt_buf_be32(&place, at.compartment);
    kt_buf_be32(&place, at.epoch);
    kt_buf_put(&place, KT_BYTES_OF(at.nonce_base));
    kt_buf_be32(&place, at.envelope);
    uint8_t *c = kt_buf_extend(&cipher, plain.len + 16);
    crypto_aead_chacha20poly1305_ietf_encrypt(c, NULL, plain.data, plain.len, place.data, place.len, NULL,
                                              (const uint8_t[12]){0}, key);
    int rc = kt_envelope_open(&at, sample_dek(SAMPLE_COMPARTMENT).key, clear, kt_buf_bytes(&cipher), &out);
    assert_true(rc == KT_OK || out.len == 0);
    kt_buf_free(&place);
    kt_buf_free(&cipher);
    kt_buf_free(&out);
    return rc;
}

/* Scenario: the author seals what nobody can read: bad frames, padding that is not zeros, a bomb, two zstd frames, one
 * that does not say its length.  Each is refused alike everywhere. */
static void author_wants_harm(void **state)
{
    static uint8_t plain[200000], zeros[1 << 20];
    size_t n;

    (void)state;
    assert_int_equal(open_forged(kt_bytes("\0\0abc", 5)), KT_OK);
    assert_int_equal(open_forged(kt_bytes("", 0)), KT_EMALFORMED);
    assert_int_equal(open_forged(kt_bytes("\0", 1)), KT_EMALFORMED);
    assert_int_equal(open_forged(kt_bytes("\0\4abc", 5)), KT_EMALFORMED);
    assert_int_equal(open_forged(kt_bytes("\0\1abc", 5)), KT_EMALFORMED);
    assert_int_equal(open_forged(kt_bytes("\2\0abc", 5)), KT_EMALFORMED);
    assert_int_equal(open_forged(kt_bytes("\1\0abc", 5)), KT_EMALFORMED);
    assert_int_equal(open_forged(kt_bytes(plain, 2 + KT_CHANGE_BYTES_MAX + 1)), KT_EOVERSIZE);
    plain[0] = 1;
    n = ZSTD_compress(plain + 2, sizeof(plain) - 2, zeros, KT_CHANGE_BYTES_MAX, 3); /* a thousand times its size */
    assert_int_equal(open_forged(kt_bytes(plain, 2 + n)), KT_EOVERSIZE);
    n = ZSTD_compress(plain + 2, sizeof(plain) - 2, zeros, KT_EXPANSION_FREE_BYTES, 3);
    assert_int_equal(open_forged(kt_bytes(plain, 2 + n)), KT_OK);
    assert_int_equal(open_forged(kt_bytes(plain, 2 + n - 1)), KT_EMALFORMED);
    memcpy(plain + 2 + n, plain + 2, n);
    assert_int_equal(open_forged(kt_bytes(plain, 2 + 2 * n)), KT_EMALFORMED);
    plain[3] ^= 0x55; /* zstd's magic number */
    assert_int_equal(open_forged(kt_bytes(plain, 2 + n)), KT_EMALFORMED);
    n = ZSTD_compress(plain + 2, sizeof(plain) - 2, zeros, KT_CHANGE_BYTES_MAX + 1, 3);
    assert_int_equal(open_forged(kt_bytes(plain, 2 + n)), KT_EOVERSIZE);
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0);
    n = ZSTD_compress2(ctx, plain + 2, sizeof(plain) - 2, zeros, sizeof(zeros));
    assert_int_equal(open_forged(kt_bytes(plain, 2 + n)), KT_EMALFORMED);
    ZSTD_freeCCtx(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_return),
        cmocka_unit_test(bound_to_its_place),
        cmocka_unit_test(bound_to_its_bytes),
        cmocka_unit_test(refused_at_the_door),
        cmocka_unit_test(clear_part),
        cmocka_unit_test(author_wants_harm),
        cmocka_unit_test(packer_changes_nothing),
    };

    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
