/* How an office becomes a member: join request, certificate, admission. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/keys/head.h"
#include "proto/roster/roster.h"
#include "proto/roster/roster.pb-c.h"
#include "support/wire.h"

#include <sodium.h>

static uint8_t secrets[3][64];
static struct kt_signer signers[3]; /* the third is not in the roster */
static struct kt_roster roster;

static int prepare(void **state)
{
    (void)state;
    if (sodium_init() < 0) return -1;
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t seed[32] = {i, 1};
        signers[i].id = i + 1u;
        crypto_sign_seed_keypair(signers[i].sign, secrets[i], seed);
    }
    roster = (struct kt_roster){.cluster = {{7}}, .version = 4, .threshold = 2, .signers = signers, .signers_len = 2};
    return 0;
}

static const struct kt_certificate CERTIFICATE = {
    .cluster = {{7}    },
      .member = 3, .pub = { {0x51}, {0x52}, {0x53}},
      .roster_version = 4, .not_after_ms = 2000
};

static int decode_certificate(struct kt_bytes in, void *context)
{
    (void)context;
    struct kt_certificate c;
    return kt_certificate_decode(in, &roster, 1999, &c);
}

/* A node shows its certificate to one that knows the roster's signers. */
static void certificate(void **state)
{
    (void)state;
    struct wire_random r = wire_random(31);
    struct kt_certificate c;
    struct kt_buf b;
    kt_buf_init(&b, 4096);
    assert_int_equal(kt_certificate_encode(&CERTIFICATE, signers, secrets, 2, &b), KT_OK);
    wire_vector("certificate", kt_buf_bytes(&b));
    assert_int_equal(kt_certificate_decode(kt_buf_bytes(&b), &roster, 1999, &c), KT_OK);
    assert_memory_equal(&c.pub, &CERTIFICATE.pub, sizeof(c.pub));
    assert_true(c.member == 3 && c.roster_version == 4 && c.not_after_ms == 2000);
    wire_cut_everywhere(kt_buf_bytes(&b), decode_certificate, NULL);
    wire_flip(kt_buf_bytes(&b), &r, 500, decode_certificate, NULL);
    assert_int_equal(kt_certificate_decode(kt_buf_bytes(&b), &roster, 2000, &c), KT_EEXPIRED);

    for (size_t i = 0; i < b.len; i++) { /* whatever is changed, it is not signed any more */
        b.data[i] ^= 1;
        assert_int_not_equal(decode_certificate(kt_buf_bytes(&b), NULL), KT_OK);
        b.data[i] ^= 1;
    }
    kt_buf_u8(&b, 0);
    assert_int_equal(decode_certificate(kt_buf_bytes(&b), NULL), KT_EMALFORMED);
    assert_non_null(kt_buf_extend(&b, 2000));
    assert_int_equal(decode_certificate(kt_buf_bytes(&b), NULL), KT_EOVERSIZE);
    kt_buf_free(&b);
}

/* Certificates that are not good enough, each with its own error. */
static void certificate_refused(void **state)
{
    (void)state;
    struct kt_certificate c = CERTIFICATE;
    struct kt_buf b;
    kt_buf_init(&b, 4096);
    assert_int_equal(kt_certificate_encode(&c, signers, secrets, 1, &b), KT_OK); /* one of two */
    assert_int_equal(decode_certificate(kt_buf_bytes(&b), NULL), KT_ESIGNATURE);

    struct kt_signer twice[2] = {signers[0], signers[0]};
    uint8_t twice_secrets[2][64];
    memcpy(twice_secrets[0], secrets[0], 64);
    memcpy(twice_secrets[1], secrets[0], 64);
    kt_buf_clear(&b);
    assert_int_equal(kt_certificate_encode(&c, twice, twice_secrets, 2, &b), KT_OK); /* one, twice */
    assert_int_equal(decode_certificate(kt_buf_bytes(&b), NULL), KT_ESIGNATURE);
    kt_buf_clear(&b);
    assert_int_equal(kt_certificate_encode(&c, signers + 1, secrets + 1, 2, &b), KT_OK); /* one and a stranger */
    assert_int_equal(decode_certificate(kt_buf_bytes(&b), NULL), KT_ESIGNATURE);

    c.cluster.b[0] = 8;
    kt_buf_clear(&b);
    assert_int_equal(kt_certificate_encode(&c, signers, secrets, 2, &b), KT_OK);
    assert_int_equal(decode_certificate(kt_buf_bytes(&b), NULL), KT_ECLUSTER);
    b.data[3] = 2; /* the suite */
    assert_int_equal(decode_certificate(kt_buf_bytes(&b), NULL), KT_ESUITE);
    b.data[3] = 1;
    b.data[5] = 'C'; /* the label */
    assert_int_equal(decode_certificate(kt_buf_bytes(&b), NULL), KT_ELABEL);
    kt_buf_free(&b);
    c.member = 0;
    assert_int_equal(kt_certificate_encode(&c, signers, secrets, 2, &b), KT_EINVAL);
}

static int decode_join(struct kt_bytes in, void *context)
{
    (void)context;
    struct kt_join_request j;
    return kt_join_decode(in, &j);
}

/* An office asks to join; the authority sees who asks, and that it holds the keys it shows. */
static void join(void **state)
{
    (void)state;
    struct wire_random r = wire_random(32);
    static const uint8_t seed[96] = {1, 2, 3};
    struct kt_identity *id = kt_identity_create(seed);
    assert_non_null(id);
    struct kt_join_request j = {.office = "Büro Nord", .agency = "Revenue", .pub = id->pub}, back;
    struct kt_buf b;
    kt_buf_init(&b, 4096);
    assert_int_equal(kt_join_encode(&j, id, &b), KT_OK);
    wire_vector("join", kt_buf_bytes(&b));
    wire_same_as_protobuf(&kontor__signed_join_request__descriptor, kt_buf_bytes(&b));
    wire_same_as_protobuf(&kontor__join_request__descriptor, wire_field(kt_buf_bytes(&b), 1));
    assert_int_equal(kt_join_decode(kt_buf_bytes(&b), &back), KT_OK);
    assert_string_equal(back.office, "Büro Nord");
    assert_string_equal(back.agency, "Revenue");
    assert_memory_equal(&back.pub, &id->pub, sizeof(back.pub));
    wire_cut_everywhere(kt_buf_bytes(&b), decode_join, NULL);
    wire_flip(kt_buf_bytes(&b), &r, 500, decode_join, NULL);

    struct kt_bytes body = wire_field(kt_buf_bytes(&b), 1);
    size_t at = (size_t)(body.data - b.data);
    b.data[at + 2] ^= 1;
    assert_int_equal(decode_join(kt_buf_bytes(&b), NULL), KT_ELABEL);
    b.data[at + 2] ^= 1;
    b.data[at + 7] = 2; /* tag, length, "join", tag, suite */
    assert_int_equal(decode_join(kt_buf_bytes(&b), NULL), KT_ESUITE);
    b.data[at + 7] = 1;
    b.data[at + 10] = 'X'; /* the office's name */
    assert_int_not_equal(decode_join(kt_buf_bytes(&b), NULL), KT_OK);

    kt_buf_clear(&b);
    j.pub.sign[0] ^= 1; /* somebody else's key */
    assert_int_equal(kt_join_encode(&j, id, &b), KT_OK);
    assert_int_equal(decode_join(kt_buf_bytes(&b), NULL), KT_ESIGNATURE);
    memset(j.office, 'x', sizeof(j.office) - 1);
    j.office[sizeof(j.office) - 1] = 0;
    kt_buf_clear(&b);
    assert_int_equal(kt_join_encode(&j, id, &b), KT_OK); /* as long as it may be */
    kt_buf_free(&b);
    kt_identity_free(id);
}

static int decode_admission(struct kt_bytes in, void *context)
{
    struct kt_admission a;
    kt_arena_reset(context);
    return kt_admission_decode(in, context, &a);
}

/* What the authority gives back holds the whole chain, the certificate and every bundle. */
static void admission(void **state)
{
    (void)state;
    struct wire_random r = wire_random(33);
    struct kt_arena arena;
    kt_arena_init(&arena, 1u << 20);
    struct kt_bytes rosters[2] = {kt_str("roster one"), kt_str("roster two")}, bundles[1] = {kt_str("bundle")};
    struct kt_admission a = {kt_str("certificate"), rosters, 2, bundles, 1}, back;
    struct kt_buf b;
    kt_buf_init(&b, 4096);
    assert_int_equal(kt_admission_encode(&a, &b), KT_OK);
    wire_vector("admission", kt_buf_bytes(&b));
    wire_same_as_protobuf(&kontor__admission__descriptor, kt_buf_bytes(&b));
    assert_int_equal(kt_admission_decode(kt_buf_bytes(&b), &arena, &back), KT_OK);
    assert_true(back.rosters_len == 2 && back.bundles_len == 1);
    assert_true(kt_bytes_equal(back.rosters[1], rosters[1]) && kt_bytes_equal(back.certificate, a.certificate));
    wire_flip(kt_buf_bytes(&b), &r, 500, decode_admission, &arena);
    for (size_t len = 0; len + 1 < b.len; len++) { /* a cut between two fields leaves a shorter list, never more */
        int err = decode_admission(kt_bytes(b.data, len), &arena);
        assert_true(err == KT_OK || err == KT_ETRUNCATED || err == KT_EMALFORMED);
    }
    b.data[2] ^= 1;
    assert_int_equal(decode_admission(kt_buf_bytes(&b), &arena), KT_ELABEL);
    b.data[2] ^= 1;
    b.data[12] = 3; /* tag, length, "admission", tag, suite */
    assert_int_equal(decode_admission(kt_buf_bytes(&b), &arena), KT_ESUITE);
    a.rosters_len = 0;
    assert_int_equal(kt_admission_encode(&a, &b), KT_EINVAL);
    kt_buf_free(&b);
    kt_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(certificate), cmocka_unit_test(certificate_refused),
                                       cmocka_unit_test(join), cmocka_unit_test(admission)};
    return cmocka_run_group_tests(tests, prepare, NULL);
}
