/* The roster: a chain that only the authority extends, and what it says about rights and cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/roster/roster.h"
#include "proto/roster/roster.pb-c.h"
#include "support/wire.h"

#include <sodium.h>

#define SIGNERS 3u
static uint8_t secrets[SIGNERS + 1][64]; /* the last belongs to nobody in the roster */
static struct kt_signer signers[SIGNERS + 1];

static int make_signers(void **state)
{
    (void)state;
    if (sodium_init() < 0) return -1;
    for (uint32_t i = 0; i <= SIGNERS; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1), 7};
        signers[i].id = i + 1;
        crypto_sign_seed_keypair(signers[i].sign, secrets[i], seed);
    }
    return 0;
}

/* Three members; core for all, revenue read by 1 and 2 and written by 1, health relayed by all but 3. */
static struct kt_roster_member members[] = {
    {.number = 1, .office = "office-1", .agency = "Revenue", .pub = {{1}, {11}, {21}},         .may_erase = true},
    {.number = 2,           .office = "office-2",                     .agency = "",          .pub = {{2}, {12}, {22}}         },
    {.number = 5,           .office = "Büro 5",                     .agency = "Gesundheit",           .pub = {{5}, {15}, {25}}},
};
static const kt_member all[] = {1, 2, 5}, one[] = {1}, one_two[] = {1, 2}, five[] = {5};
static const struct kt_roster_compartment compartments[] = {
    {1, "core",    1, all,     3, all,  3},
    {2, "revenue", 2, one_two, 2, one,  1},
    {7, "health",  1, five,    1, five, 1},
};
static const struct kt_roster_system systems[] = {
    {"311",     1},
    {"clinic",  7},
    {"revenue", 2}
};
static const struct kt_roster_bundle bundles[] = {
    {1, 1, {{1}}},
    {1, 2, {{2}}},
    {2, 1, {{3}}}
};

static struct kt_roster first(void)
{
    return (struct kt_roster){
        .cluster = {{0xc1, 0xc2}},
        .organisation = "Freie Stadt",
        .version = 1,
        .issued_ms = 1767225600000,
        .cut_horizon_s = 14 * 86400,
        .threshold = 2,
        .signers = signers,
        .signers_len = SIGNERS,
        .members = members,
        .members_len = 3,
        .compartments = compartments,
        .compartments_len = 3,
        .systems = systems,
        .systems_len = 3,
        .bundles = bundles,
        .bundles_len = 3,
    };
}

/* Signs a body under a label with the signers of a bit mask (bit 3: the stranger, under the id of signer 1 if posing).
 */
static void sign_body(struct kt_bytes body, enum kt_label label, unsigned mask, bool posing, struct kt_buf *out)
{
    struct kt_roster_signature s[SIGNERS + 1];
    uint32_t n = 0;
    for (uint32_t i = 0; i <= SIGNERS; i++) {
        if (!(mask & 1u << i)) continue;
        s[n].signer = i == SIGNERS && posing ? 1 : signers[i].id;
        kt_sign(label, secrets[i], body, s[n++].signature);
    }
    assert_int_equal(kt_roster_encode_signed(body, s, n, out), KT_OK);
}

static void sign_roster(const struct kt_roster *r, unsigned mask, struct kt_buf *out)
{
    struct kt_buf body;
    kt_buf_init(&body, KT_ROSTER_BYTES_MAX);
    assert_int_equal(kt_roster_encode_body(r, &body), KT_OK);
    sign_body(kt_buf_bytes(&body), KT_LABEL_ROSTER, mask, false, out);
    kt_buf_free(&body);
}

static int try_roster(const struct kt_roster *r, unsigned mask, const struct kt_roster *previous,
                      struct kt_roster **out)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_ROSTER_BYTES_MAX);
    sign_roster(r, mask, &b);
    int err = kt_roster_decode(kt_buf_bytes(&b), previous, out);
    kt_buf_free(&b);
    return err;
}

/* The authority founds an organisation; a node decodes its roster and finds everything the authority said. */
static void founding(void **state)
{
    (void)state;
    struct kt_roster r = first(), *d = NULL;
    struct kt_buf b;
    kt_buf_init(&b, KT_ROSTER_BYTES_MAX);
    sign_roster(&r, 3, &b);
    wire_vector("roster", kt_buf_bytes(&b));
    wire_same_as_protobuf(&kontor__signed_roster__descriptor, kt_buf_bytes(&b));
    wire_same_as_protobuf(&kontor__roster__descriptor, wire_field(kt_buf_bytes(&b), 1));
    assert_int_equal(kt_roster_decode(kt_buf_bytes(&b), NULL, &d), KT_OK);
    kt_buf_free(&b); /* a decoded roster owns its memory */

    assert_string_equal(d->organisation, "Freie Stadt");
    assert_int_equal(d->version, 1);
    assert_int_equal(d->issued_ms, 1767225600000);
    assert_string_equal(kt_roster_member(d, 5)->office, "Büro 5");
    assert_string_equal(kt_roster_member(d, 2)->agency, "");
    assert_memory_equal(kt_roster_member(d, 5)->pub.receive, members[2].pub.receive, 32);
    assert_true(kt_roster_member(d, 1)->may_erase && !kt_roster_member(d, 2)->may_erase);
    assert_null(kt_roster_member(d, 3));
    assert_int_equal(kt_roster_compartment(d, 2)->epoch, 2);
    assert_int_equal(kt_roster_compartment_named(d, "health")->number, 7);
    assert_null(kt_roster_compartment_named(d, "healt"));
    assert_memory_equal(&d->bundles[2].hash, &bundles[2].hash, 32);
    kt_roster_free(d);
}

/* Rights are what the lists say, nothing for strangers and nothing for the revoked. */
static void rights(void **state)
{
    (void)state;
    struct kt_roster r = first();
    struct kt_roster_member changed[3];
    memcpy(changed, members, sizeof(changed));

    assert_true(kt_roster_may_read(&r, 2, 2) && !kt_roster_may_write(&r, 2, 2));
    assert_true(kt_roster_may_read(&r, 1, 2) && kt_roster_may_write(&r, 1, 2));
    assert_false(kt_roster_may_read(&r, 1, 7) || kt_roster_may_write(&r, 1, 7));
    assert_false(kt_roster_may_read(&r, 3, 1) || kt_roster_may_write(&r, 3, 1));
    assert_false(kt_roster_may_read(&r, 1, 3));
    changed[0].revoked = true;
    r.members = changed;
    assert_false(kt_roster_may_read(&r, 1, 1) || kt_roster_may_write(&r, 1, 2));

    assert_int_equal(kt_roster_system(&r, kt_str("revenue")), 2);
    assert_int_equal(kt_roster_system(&r, kt_str("311")), 1);
    assert_int_equal(kt_roster_system(&r, kt_str("revenu")), 0);
    assert_int_equal(kt_roster_system(&r, kt_str("revenue2")), 0);
    assert_int_equal(kt_roster_system(&r, kt_str("")), 0);
    assert_int_equal(kt_roster_system(&r, kt_bytes("311\0", 4)), 0);
}

/* A cut names, for each incarnation, the last batch that counts; what it does not name is cut at nothing. */
static void cuts(void **state)
{
    (void)state;
    static const struct kt_cut list[] = {
        {1, 2, 100, 8 }, /* member 1 in revenue: incarnation 100 up to 8 */
        {2, 0, 200, 50},
        {2, 0, 201, 3 }, /* member 2 everywhere */
        {2, 2, 200, 20}, /* and in revenue less of 200, none of 201 */
    };
    struct kt_roster r = first();
    r.cuts = list;
    r.cuts_len = 4;

    assert_int_equal(kt_roster_cut(&r, (struct kt_origin){1, 100}, 2), 8);
    assert_int_equal(kt_roster_cut(&r, (struct kt_origin){1, 101}, 2), 0);
    assert_true(kt_roster_cut(&r, (struct kt_origin){1, 100}, 1) == UINT64_MAX);
    assert_true(kt_roster_cut(&r, (struct kt_origin){1, 101}, 0) == UINT64_MAX);
    assert_int_equal(kt_roster_cut(&r, (struct kt_origin){2, 200}, 0), 50);
    assert_int_equal(kt_roster_cut(&r, (struct kt_origin){2, 200}, 1), 50);
    assert_int_equal(kt_roster_cut(&r, (struct kt_origin){2, 200}, 2), 20);
    assert_int_equal(kt_roster_cut(&r, (struct kt_origin){2, 201}, 1), 3);
    assert_int_equal(kt_roster_cut(&r, (struct kt_origin){2, 201}, 2), 0);
    assert_int_equal(kt_roster_cut(&r, (struct kt_origin){2, 202}, 0), 0);
    assert_true(kt_roster_cut(&r, (struct kt_origin){5, 1}, 7) == UINT64_MAX);

    struct kt_roster_member changed[3];
    memcpy(changed, members, sizeof(changed));
    changed[2].revoked = true;
    r.members = changed;
    assert_int_equal(kt_roster_cut(&r, (struct kt_origin){5, 1}, 7), 0);

    struct kt_roster *d = NULL;
    assert_int_equal(try_roster(&r, 7, NULL, &d), KT_OK);
    assert_int_equal(d->cuts_len, 4);
    assert_int_equal(kt_roster_cut(d, (struct kt_origin){2, 200}, 2), 20);
    kt_roster_free(d);
}

/* The authority issues a second and a third version; each is judged by the one before. */
static void chain(void **state)
{
    (void)state;
    struct kt_roster r = first(), *v1 = NULL, *v2 = NULL, *v3 = NULL, *no = NULL;
    assert_int_equal(try_roster(&r, 6, NULL, &v1), KT_OK);

    struct kt_roster next = first();
    next.version = 2;
    next.previous = v1->hash;
    next.signers_len = 2; /* the third signer goes; from version 3 on his word is worth nothing */
    assert_int_equal(try_roster(&next, 1, v1, &no), KT_ESIGNATURE);     /* one of two */
    assert_int_equal(try_roster(&next, 8, v1, &no), KT_ESIGNATURE);     /* a stranger */
    assert_int_equal(try_roster(&next, 8 | 1, v1, &no), KT_ESIGNATURE); /* one and a stranger */
    assert_int_equal(try_roster(&next, 1 | 4 | 8, v1, &v2), KT_OK);     /* two of three; who else signs is ignored */

    struct kt_roster third = next;
    third.version = 3;
    third.previous = v2->hash;
    assert_int_equal(try_roster(&third, 1 | 4, v2, &no), KT_ESIGNATURE);
    assert_int_equal(try_roster(&third, 1 | 2, v1, &no), KT_EVERSION);
    assert_int_equal(try_roster(&third, 1 | 2, v2, &v3), KT_OK);

    third.previous = v1->hash;
    assert_int_equal(try_roster(&third, 3, v2, &no), KT_EHASH);
    third = next;
    third.cluster.b[0] ^= 1;
    assert_int_equal(try_roster(&third, 3, v1, &no), KT_ECLUSTER);
    assert_int_equal(try_roster(&next, 3, NULL, &no), KT_EVERSION); /* a chain starts with 1 */
    r.previous.b[0] = 1;
    assert_int_equal(try_roster(&r, 3, NULL, &no), KT_EHASH);
    next.members_len = 2; /* a member vanishes */
    next.compartments_len = 1;
    next.systems_len = 1;
    next.bundles_len = 0;
    static const struct kt_roster_compartment core = {1, "core", 1, one_two, 2, one_two, 2};
    next.compartments = &core;
    assert_int_equal(try_roster(&next, 3, v1, &no), KT_EMALFORMED);
    assert_null(no);
    kt_roster_free(v1);
    kt_roster_free(v2);
    kt_roster_free(v3);
}

static int decode_first(struct kt_bytes in, void *context)
{
    (void)context;
    struct kt_roster *d = NULL;
    int err = kt_roster_decode(in, NULL, &d);
    if (!err) kt_roster_free(d);
    return err;
}

/* A roster comes cut short at every byte, with bits flipped, signed for another use, of a suite and a label nobody
 * knows, too long, signed twice by one. */
static void hostile(void **state)
{
    (void)state;
    struct wire_random rnd = wire_random(21);
    struct kt_roster r = first();
    struct kt_buf b, body;
    kt_buf_init(&b, 1u << 20);
    kt_buf_init(&body, KT_ROSTER_BYTES_MAX);
    assert_int_equal(kt_roster_encode_body(&r, &body), KT_OK);
    sign_body(kt_buf_bytes(&body), KT_LABEL_ROSTER, 3, false, &b);
    wire_flip(kt_buf_bytes(&b), &rnd, 300, decode_first, NULL);
    /* between two signatures a cut leaves a whole message with too few of them */
    struct kt_bytes whole = kt_buf_bytes(&b);
    for (size_t len = 0; len < whole.len; len++) {
        int err = decode_first(kt_bytes(whole.data, len), NULL);
        assert_true(err == KT_ETRUNCATED || err == KT_EMALFORMED || err == KT_ESIGNATURE);
    }

    kt_buf_clear(&b);
    sign_body(kt_buf_bytes(&body), KT_LABEL_PULSE, 3, false, &b);
    assert_int_equal(decode_first(kt_buf_bytes(&b), NULL), KT_ESIGNATURE); /* signed for another use */

    kt_buf_clear(&b);
    sign_body(kt_buf_bytes(&body), KT_LABEL_ROSTER, 1 | 8, true, &b); /* signer 1, and a stranger posing as signer 1 */
    assert_int_equal(decode_first(kt_buf_bytes(&b), NULL), KT_ESIGNATURE);

    kt_buf_clear(&b);
    body.data[2] = 'R'; /* field 1: tag, length, "roster" */
    sign_body(kt_buf_bytes(&body), KT_LABEL_ROSTER, 3, false, &b);
    assert_int_equal(decode_first(kt_buf_bytes(&b), NULL), KT_ELABEL);
    body.data[2] = 'r';
    assert_int_equal(body.data[9], KT_SUITE_1); /* field 2: tag, suite */
    body.data[9] = 9;
    kt_buf_clear(&b);
    sign_body(kt_buf_bytes(&body), KT_LABEL_ROSTER, 3, false, &b);
    assert_int_equal(decode_first(kt_buf_bytes(&b), NULL), KT_ESUITE);

    kt_buf_clear(&b);
    assert_non_null(kt_buf_extend(&b, KT_ROSTER_BYTES_MAX + 1));
    memset(b.data, 0, b.len);
    assert_int_equal(decode_first(kt_buf_bytes(&b), NULL), KT_EOVERSIZE);
    kt_buf_free(&b);
    kt_buf_free(&body);
}

/* The authority's own slips are refused before they are signed: nothing out of order, twice, or without what it names.
 */
static void slips(void **state)
{
    (void)state;
    struct kt_buf b;
    kt_buf_init(&b, KT_ROSTER_BYTES_MAX);
    static const kt_member backwards[] = {2, 1}, unknown[] = {9};
    static const struct kt_cut twice[] =
        {
            {1, 0, 1, 5},
            {1, 0, 1, 6}
    },
                               nobody[] = {{9, 0, 1, 5}};
    struct kt_roster_compartment c[3];
    struct kt_roster_member m[3] = {members[1], members[0], members[2]};
    struct kt_roster_system s[3] = {systems[1], systems[0], systems[2]};
    struct kt_signer same[2] = {signers[0], signers[0]};
    same[1].id = 2;
#define SLIP(change)                                                                                                   \
    do {                                                                                                               \
        struct kt_roster r = first();                                                                                  \
        memcpy(c, compartments, sizeof(c));                                                                            \
        change;                                                                                                        \
        assert_int_equal(kt_roster_encode_body(&r, &b), KT_EINVAL);                                                    \
        assert_int_equal(b.len, 0);                                                                                    \
    } while (0)
    SLIP(r.threshold = 0);
    SLIP(r.threshold = 4);
    SLIP(r.version = 0);
    SLIP(r.members = m);
    SLIP(r.systems = s);
    SLIP((r.compartments = c, c[0].readers = backwards, c[0].readers_len = 2));
    SLIP((r.compartments = c, c[0].writers = unknown, c[0].writers_len = 1));
    SLIP((r.compartments = c, c[1].name = "core"));
    SLIP((r.compartments = c, c[1].epoch = 0));
    SLIP(r.compartments_len = 2);
    SLIP((r.cuts = twice, r.cuts_len = 2));
    SLIP((r.cuts = nobody, r.cuts_len = 1));
    SLIP((r.signers = same, r.signers_len = 2));
    kt_buf_free(&b);
    char longer[KT_NAME_BYTES_MAX + 2];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    struct kt_roster r = first();
    r.organisation = longer;
    assert_int_equal(kt_roster_encode_body(&r, &b), KT_EOVERSIZE);
    r.organisation = "tab\there";
    assert_int_equal(kt_roster_encode_body(&r, &b), KT_EUTF8);
    r.organisation = "\xc3(";
    assert_int_equal(kt_roster_encode_body(&r, &b), KT_EUTF8);
    kt_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(founding), cmocka_unit_test(rights),  cmocka_unit_test(cuts),
        cmocka_unit_test(chain),    cmocka_unit_test(hostile), cmocka_unit_test(slips),
    };
    return cmocka_run_group_tests(tests, make_signers, NULL);
}
