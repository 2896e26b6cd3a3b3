/* Erasures: two members' word, and what does not count as that. */
#include "support/format_samples.h"
#include "support/wire.h"

#define MEMBERS 4u

/* An organisation of members 1 to 4; the first three may erase, and the third is revoked. */
struct house {
    struct kt_roster roster;
    struct kt_roster_member members[MEMBERS];
    struct kt_identity *ids[MEMBERS];
    struct kt_erasure erasure;
    struct kt_buf body, bytes;
    struct kt_arena arena;
};

static int setup(void **state)
{
    struct house *h = calloc(1, sizeof(*h));

    for (uint32_t i = 0; i < MEMBERS; i++) {
        h->ids[i] = sample_identity((uint8_t)(40 * i));
        h->members[i] = (struct kt_roster_member){.number = i + 1,
                                                  .office = "office",
                                                  .agency = "",
                                                  .pub = h->ids[i]->pub,
                                                  .may_erase = i < 3,
                                                  .revoked = i == 2};
    }
    h->roster = (struct kt_roster){.cluster = sample_cluster(), .members = h->members, .members_len = MEMBERS};
    h->erasure = (struct kt_erasure){sample_cluster(), SAMPLE_COMPARTMENT, sample_tag(2), 3, SAMPLE_HLC};
    kt_buf_init(&h->body, 1024);
    kt_buf_init(&h->bytes, 4096);
    kt_arena_init(&h->arena, 1 << 16);
    assert_int_equal(kt_erasure_encode_body(&h->erasure, &h->body), KT_OK);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    struct house *h = *state;

    for (uint32_t i = 0; i < MEMBERS; i++) kt_identity_free(h->ids[i]);
    kt_buf_free(&h->body);
    kt_buf_free(&h->bytes);
    kt_arena_free(&h->arena);
    free(h);
    return 0;
}

/* Encodes with the signatures of the members named ("12": members 1 and 2), decodes and verifies. */
static int verdict(struct house *h, const char *signers, enum kt_label label)
{
    struct kt_erasure_signature s[KT_SIGNERS_MAX];
    struct kt_signed_erasure back;
    uint32_t n = (uint32_t)strlen(signers);

    for (uint32_t i = 0; i < n; i++) {
        uint32_t member = (uint32_t)(signers[i] - '0');
        s[i].member = member;
        assert_int_equal(
            kt_sign(label, h->ids[(member - 1) % MEMBERS]->sign_secret, kt_buf_bytes(&h->body), s[i].signature), KT_OK);
    }
    kt_buf_clear(&h->bytes);
    kt_arena_reset(&h->arena);
    assert_int_equal(kt_erasure_encode(kt_buf_bytes(&h->body), s, n, &h->bytes), KT_OK);
    assert_int_equal(kt_erasure_decode(kt_buf_bytes(&h->bytes), &h->arena, &back), KT_OK);
    assert_int_equal(back.erasure.generation, 3);
    assert_memory_equal(back.erasure.tag.b, h->erasure.tag.b, KT_TAG_BYTES);
    return kt_erasure_verify(&back, &h->roster);
}

/* Scenario: two members with the right; one of them twice; one without the right; one unknown; one revoked since. */
static void two_members_with_the_right(void **state)
{
    struct house *h = *state;

    assert_int_equal(verdict(h, "12", KT_LABEL_ERASURE), KT_OK);
    assert_int_equal(verdict(h, "21", KT_LABEL_ERASURE), KT_OK);
    assert_int_equal(verdict(h, "13", KT_LABEL_ERASURE), KT_OK); /* it stands though its author is cut */
    assert_int_equal(verdict(h, "1429", KT_LABEL_ERASURE), KT_OK);
    assert_int_equal(verdict(h, "", KT_LABEL_ERASURE), KT_ERIGHTS);
    assert_int_equal(verdict(h, "1", KT_LABEL_ERASURE), KT_ERIGHTS);
    assert_int_equal(verdict(h, "11", KT_LABEL_ERASURE), KT_ERIGHTS);
    assert_int_equal(verdict(h, "14", KT_LABEL_ERASURE), KT_ERIGHTS);
    assert_int_equal(verdict(h, "19", KT_LABEL_ERASURE), KT_ERIGHTS);
    assert_int_equal(verdict(h, "12", KT_LABEL_ROSTER), KT_ESIGNATURE); /* signed for another use */
    h->roster.cluster.b[0] ^= 1;
    assert_int_equal(verdict(h, "12", KT_LABEL_ERASURE), KT_ECLUSTER);
}

struct decoding {
    struct kt_arena *arena;
    const struct kt_roster *roster;
};

static int decode_and_verify(struct kt_bytes in, void *context)
{
    const struct decoding *d = context;
    struct kt_signed_erasure back;

    kt_arena_reset(d->arena);
    int rc = kt_erasure_decode(in, d->arena, &back);
    if (rc) return rc;
    rc = kt_erasure_verify(&back, d->roster);
    return rc == KT_ERIGHTS ? KT_EMALFORMED : rc; /* cut before its second signature */
}

/* Scenario: an erasure cut at each byte, and with each bit flipped: none counts. */
static void altered(void **state)
{
    struct house *h = *state;
    struct decoding d = {&h->arena, &h->roster};
    struct kt_signed_erasure back;

    assert_int_equal(verdict(h, "12", KT_LABEL_ERASURE), KT_OK);
    wire_cut_everywhere(kt_buf_bytes(&h->bytes), decode_and_verify, &d);
    for (size_t i = 0; i < 8 * h->bytes.len; i++) {
        h->bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_not_equal(decode_and_verify(kt_buf_bytes(&h->bytes), &d), KT_OK);
        h->bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    h->bytes.data[3] = 2; /* field 1 of the body, after two tags and a length */
    assert_int_equal(kt_erasure_decode(kt_buf_bytes(&h->bytes), &h->arena, &back), KT_ESUITE);
}

/* Scenario: more signers than any organisation has. */
static void too_many_signers(void **state)
{
    struct house *h = *state;
    struct kt_erasure_signature s[KT_SIGNERS_MAX + 1] = {0};
    struct kt_signed_erasure back;

    assert_int_equal(kt_erasure_encode(kt_buf_bytes(&h->body), s, KT_SIGNERS_MAX + 1, &h->bytes), KT_EOVERSIZE);
    assert_int_equal(kt_erasure_encode(kt_buf_bytes(&h->body), s, KT_SIGNERS_MAX, &h->bytes), KT_OK);
    kt_buf_put(&h->bytes, kt_bytes(h->bytes.data + h->body.len + 2, 70)); /* one signature more */
    assert_int_equal(kt_erasure_decode(kt_buf_bytes(&h->bytes), &h->arena, &back), KT_EOVERSIZE);
    h->erasure.compartment = 0;
    assert_int_equal(kt_erasure_encode_body(&h->erasure, &h->bytes), KT_EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(two_members_with_the_right), TEST(altered), TEST(too_many_signers)};

    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
