#include "support/bench_organisation.h"
#include "support/bench_office.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>

#define COMPARTMENTS 5u
#define NOT_AFTER_MS (4000000000000ull)

static const kt_member all[] = {1, 2, 3}, first_two[] = {1, 2}, first[] = {1};
static const struct kt_roster_compartment compartments[COMPARTMENTS] = {
    {BENCH_CORE, "core", 1, all, 3, all, 3},
    {BENCH_REVENUE, "revenue", 1, all, 3, all, 3},
    {BENCH_MOTOR, "motor", 1, all, 3, all, 3},
    {BENCH_SERVICE, "service", 1, all, 3, all, 3},
    {BENCH_HEALTH, "health", 1, first_two, 2, first, 1},
};
static const struct kt_roster_system systems[] = {
    {"311", BENCH_SERVICE},
    {"clinic", BENCH_HEALTH},
    {"motor", BENCH_MOTOR},
    {"revenue", BENCH_REVENUE},
};

static void fill(void *out, size_t len, uint8_t from)
{
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)(from + i);
}

static struct kt_identity *identity_of(kt_member m)
{
    uint8_t seed[96];
    fill(seed, sizeof seed, (uint8_t)(m * 31));
    struct kt_identity *id = kt_identity_create(seed);
    assert_non_null(id);
    return id;
}

static void root_key_of(kt_member m, uint8_t out[KT_KEY_BYTES]) { fill(out, KT_KEY_BYTES, (uint8_t)(m * 7)); }

static struct kt_compartment_keys *keys_of(kt_compartment c, uint32_t epochs)
{
    struct kt_compartment_keys *k = kt_compartment_keys_alloc();
    assert_non_null(k);
    k->compartment = c;
    fill(k->tag_key, KT_KEY_BYTES, (uint8_t)(0x10 + c));
    fill(k->digest_key, KT_KEY_BYTES, (uint8_t)(0x30 + c));
    fill(k->id_key, KT_KEY_BYTES, 0x50);
    k->keks_len = epochs;
    for (uint32_t i = 0; i < epochs; i++) {
        k->keks[i].epoch = i + 1;
        fill(k->keks[i].key, KT_KEY_BYTES, (uint8_t)(0x70 + c + 8 * i));
    }
    return k;
}

static bool reads(kt_member m, const struct kt_roster_compartment *c)
{
    for (uint32_t i = 0; i < c->readers_len; i++)
        if (c->readers[i] == m) return true;
    return false;
}

void bench_bundle(kt_compartment c, kt_member m, uint32_t epochs, struct kt_buf *out)
{
    struct kt_compartment_keys *k = keys_of(c, epochs);
    struct kt_identity *id = identity_of(m);
    kt_buf_init(out, 1u << 20);
    assert_int_equal(kt_bundle_seal(k, id->pub.receive, out), KT_OK);
    kt_identity_free(id);
    kt_compartment_keys_free(k);
}

/* A bundle of each compartment for each of its readers. */
static uint32_t make_bundles(struct kt_buf *out, struct kt_roster_bundle *named)
{
    uint32_t n = 0;
    for (uint32_t c = 0; c < COMPARTMENTS; c++)
        for (kt_member m = 1; m <= BENCH_OFFICES; m++) {
            if (!reads(m, &compartments[c])) continue;
            bench_bundle(compartments[c].number, m, 1, &out[n]);
            named[n] = (struct kt_roster_bundle){compartments[c].number, m, kt_bundle_hash(kt_buf_bytes(&out[n]))};
            n++;
        }
    return n;
}

static void found(struct kt_signer *signer, uint8_t secret[64])
{
    const uint8_t seed[32] = {9};
    *signer = (struct kt_signer){.id = 1};
    crypto_sign_seed_keypair(signer->sign, secret, seed);
}

void bench_sign_roster(const struct kt_roster *r, struct kt_buf *out)
{
    struct kt_signer signer;
    uint8_t secret[64];
    struct kt_buf body;
    struct kt_roster_signature s = {.signer = 1};
    found(&signer, secret);
    kt_buf_init(&body, KT_ROSTER_BYTES_MAX);
    kt_buf_init(out, KT_ROSTER_BYTES_MAX);
    assert_int_equal(kt_roster_encode_body(r, &body), KT_OK);
    assert_int_equal(kt_sign(KT_LABEL_ROSTER, secret, kt_buf_bytes(&body), s.signature), KT_OK);
    assert_int_equal(kt_roster_encode_signed(kt_buf_bytes(&body), &s, 1, out), KT_OK);
    kt_buf_free(&body);
}

/* The admission of one member.  Bundles are sealed with fresh randomness, so each call is an organisation of its own
 * with the same keys: the offices share all that matters. */
static void make_admission(kt_member m, struct kt_buf *out)
{
    uint8_t secret[1][64];
    struct kt_signer signer;
    struct kt_buf bundles[COMPARTMENTS * BENCH_OFFICES], signed_roster, certificate;
    struct kt_bytes bundle_bytes[COMPARTMENTS * BENCH_OFFICES], roster_bytes;
    struct kt_roster_bundle named[COMPARTMENTS * BENCH_OFFICES];
    struct kt_roster_member members[BENCH_OFFICES];
    static const char *const offices[] = {"office-1", "office-2", "office-3"};

    found(&signer, secret[0]);
    const uint32_t n = make_bundles(bundles, named);
    for (kt_member i = 1; i <= BENCH_OFFICES; i++) {
        struct kt_identity *id = identity_of(i);
        members[i - 1] = (struct kt_roster_member){.number = i, .office = offices[i - 1], .agency = "", .pub = id->pub};
        kt_identity_free(id);
    }
    const struct kt_roster roster = {.cluster = {{0xc1}},
                                     .organisation = "bench",
                                     .version = 1,
                                     .issued_ms = 1767225600000,
                                     .cut_horizon_s = 14 * 86400,
                                     .threshold = 1,
                                     .signers = &signer,
                                     .signers_len = 1,
                                     .members = members,
                                     .members_len = BENCH_OFFICES,
                                     .compartments = compartments,
                                     .compartments_len = COMPARTMENTS,
                                     .systems = systems,
                                     .systems_len = 4,
                                     .bundles = named,
                                     .bundles_len = n};
    bench_sign_roster(&roster, &signed_roster);
    kt_buf_init(&certificate, 4096);
    const struct kt_certificate c = {.cluster = roster.cluster,
                                     .member = m,
                                     .pub = members[m - 1].pub,
                                     .roster_version = 1,
                                     .not_after_ms = NOT_AFTER_MS};
    assert_int_equal(kt_certificate_encode(&c, &signer, (const uint8_t(*)[64])secret, 1, &certificate), KT_OK);
    for (uint32_t i = 0; i < n; i++) bundle_bytes[i] = kt_buf_bytes(&bundles[i]);
    roster_bytes = kt_buf_bytes(&signed_roster);
    const struct kt_admission a = {kt_buf_bytes(&certificate), &roster_bytes, 1, bundle_bytes, n};
    kt_buf_init(out, 16u << 20);
    assert_int_equal(kt_admission_encode(&a, out), KT_OK);
    for (uint32_t i = 0; i < n; i++) kt_buf_free(&bundles[i]);
    kt_buf_free(&signed_roster);
    kt_buf_free(&certificate);
}

void bench_keyring_open(struct kt_store *store, struct kt_world *world, kt_member m, struct kt_keyring **out)
{
    uint8_t root_key[KT_KEY_BYTES];
    root_key_of(m, root_key);
    assert_int_equal(kt_keyring_open(store, world, root_key, out), KT_OK);
}

void bench_files(kt_member m, struct kt_bench_files *out)
{
    uint8_t nonce[24];
    struct kt_identity *id = identity_of(m);
    root_key_of(m, out->root_key);
    fill(nonce, sizeof nonce, 3);
    kt_buf_init(&out->identity, 4096);
    assert_int_equal(kt_identity_seal(id, out->root_key, nonce, &out->identity), KT_OK);
    make_admission(m, &out->admission);
    kt_identity_free(id);
}

void bench_files_free(struct kt_bench_files *f)
{
    kt_buf_free(&f->identity);
    kt_buf_free(&f->admission);
}

void bench_admit(struct kt_store *store, struct kt_world *world, kt_member m, struct kt_keyring **out)
{
    struct kt_bench_files f;
    bench_files(m, &f);
    assert_int_equal(kt_keyring_install_identity(store, kt_buf_bytes(&f.identity), f.root_key), KT_OK);
    bench_keyring_open(store, world, m, out);
    assert_int_equal(kt_keyring_admit(*out, kt_buf_bytes(&f.admission)), KT_OK);
    bench_files_free(&f);
}
