/* Judging batches: sealed with real keys, under rosters that a real authority signed. */
#include "core/judge.h"

#include "support/format_samples.h"

#define AUTHOR 3u
#define OTHER  5u
#define HEALTH 7u

static struct kt_identity *ids[2];      /* of AUTHOR and OTHER */
static struct kt_roster *first, *later; /* versions 1 and 2; in 2 AUTHOR may no longer write compartment 2 */
static const struct kt_cluster cluster = {
    {0xc0, 1}
};

static struct kt_roster *sign_roster(const struct kt_roster *draft, const struct kt_roster *previous)
{
    uint8_t public_key[32], secret[64], seed[32] = {9};
    crypto_sign_seed_keypair(public_key, secret, seed);
    struct kt_signer signer = {.id = 1};
    memcpy(signer.sign, public_key, sizeof signer.sign);
    struct kt_roster r = *draft;
    r.signers = &signer;
    r.signers_len = r.threshold = 1;
    struct kt_buf body, all;
    kt_buf_init(&body, KT_ROSTER_BYTES_MAX);
    kt_buf_init(&all, KT_ROSTER_BYTES_MAX);
    assert_int_equal(kt_roster_encode_body(&r, &body), KT_OK);
    struct kt_roster_signature s = {.signer = 1};
    kt_sign(KT_LABEL_ROSTER, secret, kt_buf_bytes(&body), s.signature);
    assert_int_equal(kt_roster_encode_signed(kt_buf_bytes(&body), &s, 1, &all), KT_OK);
    struct kt_roster *out = NULL;
    assert_int_equal(kt_roster_decode(kt_buf_bytes(&all), previous, &out), KT_OK);
    kt_buf_free(&body);
    kt_buf_free(&all);
    return out;
}

static int make_organisation(void **state)
{
    (void)state;
    if (sodium_init() < 0) return -1;
    for (uint8_t i = 0; i < 2; i++) ids[i] = sample_identity(i);
    const struct kt_roster_member members[] = {
        {.number = AUTHOR, .office = "office-3", .agency = "", .pub = ids[0]->pub},
        {.number = OTHER,  .office = "office-5", .agency = "", .pub = ids[1]->pub},
    };
    const kt_member both[] = {AUTHOR, OTHER}, author[] = {AUTHOR}, other[] = {OTHER};
    struct kt_roster_compartment compartments[] = {
        {KT_CORE,            "core",    1, both, 2, both,   2},
        {SAMPLE_COMPARTMENT, "revenue", 1, both, 2, author, 1},
        {HEALTH,             "health",  1, both, 2, other,  1},
    };
    struct kt_roster r = {.cluster = cluster,
                          .organisation = "Freie Stadt",
                          .version = 1,
                          .cut_horizon_s = 14 * 86400,
                          .members = members,
                          .members_len = 2,
                          .compartments = compartments,
                          .compartments_len = 3};
    first = sign_roster(&r, NULL);
    r.version = 2;
    r.previous = first->hash;
    compartments[1].writers = other;
    later = sign_roster(&r, first);
    return 0;
}

static int free_organisation(void **state)
{
    (void)state;
    kt_roster_free(first);
    kt_roster_free(later);
    for (unsigned i = 0; i < 2; i++) kt_identity_free(ids[i]);
    return 0;
}

/* A batch of the author's, one envelope in each of its compartments, and where it came from. */
struct sealed {
    struct kt_buf bytes;
    struct kt_arena arena;
    struct kt_batch batch;
};

struct recipe {
    uint64_t number;
    struct kt_hash previous;
    const struct kt_roster *roster;
    uint8_t signer;   /* index into ids */
    kt_member author; /* AUTHOR where 0 */
    uint8_t spice;    /* makes two batches of one number differ */
    bool foreign;     /* of another organisation */
    bool wrong_roster_hash;
};

static void seal(struct sealed *s, struct recipe how)
{
    struct sample_change change;
    struct kt_buf encoded;
    sample_change(&change);
    kt_buf_init(&encoded, KT_CHANGE_BYTES_MAX);
    assert_int_equal(kt_change_encode(&change.change, &encoded), KT_OK);
    struct kt_draft_envelope envelopes[2];
    for (uint32_t i = 0; i < 2; i++) {
        kt_compartment c = i ? SAMPLE_COMPARTMENT : KT_CORE;
        envelopes[i] = (struct kt_draft_envelope){.compartment = c,
                                                  .epoch = 1,
                                                  .stamp = SAMPLE_HLC - 1,
                                                  .tag = sample_tag(c),
                                                  .generation = SAMPLE_GENERATION,
                                                  .dek = sample_dek(c),
                                                  .change = kt_buf_bytes(&encoded)};
    }
    struct kt_draft_batch draft = {
        .cluster = how.foreign ? (struct kt_cluster){{1}                }
             : cluster,
        .origin = { how.author ? how.author : AUTHOR, SAMPLE_INCARNATION},
        .number = how.number,
        .previous = how.previous,
        .hlc = SAMPLE_HLC,
        .roster_version = how.roster->version,
        .roster_hash = how.wrong_roster_hash ? sample_hash(1) : how.roster->hash,
        .envelopes = envelopes,
        .envelopes_len = 2
    };
    uint8_t bases[2][KT_NONCE_BASE_BYTES];
    memset(bases, how.spice, sizeof bases);
    struct kt_hash hash;
    kt_buf_init(&s->bytes, KT_BATCH_BYTES_MAX);
    kt_arena_init(&s->arena, 1 << 20);
    kt_batch_number(&draft);
    assert_int_equal(kt_batch_seal(&draft, bases, ids[how.signer]->sign_secret, &s->bytes, &hash), KT_OK);
    assert_int_equal(kt_batch_decode(kt_buf_bytes(&s->bytes), &s->arena, &s->batch), KT_OK);
    kt_buf_free(&encoded);
}

static void drop(struct sealed *s)
{
    kt_arena_free(&s->arena);
    kt_buf_free(&s->bytes);
}

static struct kt_vector_entry head_of(const struct sealed *s)
{
    const struct kt_seal *seal_ = &s->batch.seal;
    return (struct kt_vector_entry){seal_->origin, seal_->number, s->batch.seal_hash, seal_->hlc,
                                    seal_->roster_version};
}

/* The verdict on a batch made by `how`, after `head`. */
static int verdict(struct recipe how, const struct kt_roster *named, const struct kt_roster *newest,
                   const struct kt_vector_entry *head)
{
    struct sealed s;
    seal(&s, how);
    int err = kt_judge_batch(&s.batch, &cluster, named, newest, head);
    drop(&s);
    return err;
}

static const struct kt_hash nothing;

/* Scenario: an office's first three batches come one after the other; each is good once, then known. */
static void a_chain_is_accepted(void **state)
{
    (void)state;
    struct kt_vector_entry head;
    const struct kt_vector_entry *held = NULL;
    for (uint64_t n = 1; n <= 3; n++) {
        struct sealed s;
        seal(&s, (struct recipe){.number = n, .previous = held ? held->seal_hash : nothing, .roster = first});
        assert_int_equal(kt_judge_batch(&s.batch, &cluster, first, later, held), KT_OK);
        head = head_of(&s);
        held = &head;
        assert_int_equal(kt_judge_batch(&s.batch, &cluster, first, later, held), KT_EDUPLICATE);
        drop(&s);
    }
    assert_int_equal(verdict((struct recipe){.number = 1, .roster = first}, first, first, held), KT_EDUPLICATE);
}

/* Scenario: what another organisation, a stranger, or a forger sends is named for what it is. */
static void strangers_are_told_apart(void **state)
{
    (void)state;
    struct recipe good = {.number = 1, .roster = first};
    assert_int_equal(verdict(good, first, first, NULL), KT_OK);
    struct recipe r = good;
    r.foreign = true;
    assert_int_equal(verdict(r, first, first, NULL), KT_ECLUSTER);
    r = good;
    r.author = 4;
    assert_int_equal(verdict(r, first, first, NULL), KT_ENOTMEMBER);
    r = good;
    r.signer = 1;
    assert_int_equal(verdict(r, first, first, NULL), KT_ESIGNATURE);
    r = good;
    r.wrong_roster_hash = true;
    assert_int_equal(verdict(r, first, first, NULL), KT_EHASH);
    assert_int_equal(verdict(good, NULL, first, NULL), KT_EROSTER);
    assert_int_equal(verdict(good, later, later, NULL), KT_EROSTER); /* not the version it names */
    struct kt_roster without = *first;
    struct kt_roster_member members[] = {first->members[0], first->members[1]};
    members[0].revoked = true;
    without.members = members;
    assert_int_equal(verdict(good, &without, first, NULL), KT_ENOTMEMBER);
}

/* Scenario: batches that do not continue the chain: one too far, one beside the head, one on another past. */
static void breaks_in_the_chain_are_told_apart(void **state)
{
    (void)state;
    struct sealed one;
    seal(&one, (struct recipe){.number = 1, .roster = later});
    struct kt_vector_entry head = head_of(&one);
    drop(&one);
    assert_int_equal(verdict((struct recipe){.number = 2, .roster = later}, later, later, NULL), KT_EGAP);
    assert_int_equal(
        verdict((struct recipe){.number = 3, .previous = head.seal_hash, .roster = later}, later, later, &head),
        KT_EGAP);
    assert_int_equal(verdict((struct recipe){.number = 1, .roster = later, .spice = 1}, later, later, &head), KT_EFORK);
    assert_int_equal(
        verdict((struct recipe){.number = 2, .previous = sample_hash(2), .roster = later}, later, later, &head),
        KT_EFORK);
    assert_int_equal(
        verdict((struct recipe){.number = 2, .previous = head.seal_hash, .roster = first}, first, later, &head),
        KT_EVERSION);
    assert_int_equal(
        verdict((struct recipe){.number = 1, .previous = sample_hash(2), .roster = first}, first, first, NULL),
        KT_EHASH);
    struct kt_vector_entry clipped = head; /* a head whose seal is not known settles no fork */
    clipped.seal_hash = nothing;
    assert_int_equal(verdict((struct recipe){.number = 1, .roster = later, .spice = 1}, later, later, &clipped),
                     KT_EDUPLICATE);
    assert_int_equal(
        verdict((struct recipe){.number = 2, .previous = sample_hash(2), .roster = later}, later, later, &clipped),
        KT_OK);
}

/* Scenario: the author is cut at batch 1 of this life; batch 1 counts, batch 2 does not, nor anything of another life.
 */
static void what_is_cut_is_cut(void **state)
{
    (void)state;
    struct kt_roster newest = *later;
    struct kt_cut cut = {.member = AUTHOR, .incarnation = SAMPLE_INCARNATION, .last = 1};
    newest.cuts = &cut;
    newest.cuts_len = 1;
    struct recipe two = {.number = 2, .roster = first};
    assert_int_equal(verdict((struct recipe){.number = 1, .roster = first}, first, &newest, NULL), KT_OK);
    assert_int_equal(verdict(two, first, &newest, NULL), KT_ECUT);
    cut.incarnation = 1;
    assert_int_equal(verdict((struct recipe){.number = 1, .roster = first}, first, &newest, NULL), KT_ECUT);
    const struct kt_cut life[] = {
        {.member = AUTHOR, .incarnation = KT_INCARNATION_OTHERS, .last = UINT64_MAX},
        {.member = AUTHOR, .incarnation = 1,                     .last = 3         }
    };
    newest.cuts = life; /* one life alone is cut */
    newest.cuts_len = 2;
    assert_int_equal(verdict((struct recipe){.number = 1, .roster = first}, first, &newest, NULL), KT_OK);
    assert_int_equal(kt_roster_cut(&newest, (struct kt_origin){AUTHOR, 1}, 0), 3);
    newest.cuts = &cut;
    newest.cuts_len = 1;
    struct sealed s;
    seal(&s, two);
    cut = (struct kt_cut){AUTHOR, SAMPLE_COMPARTMENT, SAMPLE_INCARNATION,
                          1}; /* a right withdrawn cuts its section only */
    assert_int_equal(kt_judge_section(&s.batch.seal, 0, first, &newest), KT_OK);
    assert_int_equal(kt_judge_section(&s.batch.seal, 1, first, &newest), KT_ECUT);
    cut.last = 2;
    assert_int_equal(kt_judge_section(&s.batch.seal, 1, first, &newest), KT_OK);
    drop(&s);
}

/* Scenario: the right to a compartment is judged by the roster the seal names, whatever came later. */
static void rights_are_those_of_the_roster_named(void **state)
{
    (void)state;
    struct sealed s;
    seal(&s, (struct recipe){.number = 1, .roster = first});
    assert_int_equal(kt_judge_section(&s.batch.seal, 0, first, later), KT_OK);
    assert_int_equal(kt_judge_section(&s.batch.seal, 1, first, later), KT_OK);
    assert_int_equal(kt_judge_section(&s.batch.seal, 0, later, later), KT_OK);
    assert_int_equal(kt_judge_section(&s.batch.seal, 1, later, later), KT_EVOID);
    assert_int_equal(kt_judge_section(&s.batch.seal, 2, first, later), KT_EBUG);
    drop(&s);
}

/* Scenario: a change that claims another ward's tag, or has a shape no honest writer makes, has no effect. */
static void changes_must_be_of_their_ward(void **state)
{
    (void)state;
    struct kt_compartment_keys *keys = sample_keys(SAMPLE_COMPARTMENT);
    struct sample_change s;
    sample_change(&s);
    struct kt_tag tag = sample_tag(SAMPLE_COMPARTMENT), other = sample_tag(KT_CORE);
    assert_int_equal(kt_judge_change(keys, &tag, &s.change), KT_OK);
    assert_int_equal(kt_judge_change(keys, &other, &s.change), KT_EVOID);
    s.change.ward = sample_entity(1);
    assert_int_equal(kt_judge_change(keys, &tag, &s.change), KT_EVOID);
    sample_change(&s);
    s.ops[0].field = 0;
    assert_int_equal(kt_judge_change(keys, &tag, &s.change), KT_EVOID);
    sample_change(&s);
    s.ops[2].value = kt_str("a removal with a value");
    assert_int_equal(kt_judge_change(keys, &tag, &s.change), KT_EVOID);
    sample_change(&s);
    s.ops[1].element.len = KT_ELEMENT_BYTES_MAX + 1;
    assert_int_equal(kt_judge_change(keys, &tag, &s.change), KT_EVOID);
    sample_change(&s);
    s.change.ops_len = 0;
    assert_int_equal(kt_judge_change(keys, &tag, &s.change), KT_EVOID);
    kt_compartment_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_accepted),
        cmocka_unit_test(strangers_are_told_apart),
        cmocka_unit_test(breaks_in_the_chain_are_told_apart),
        cmocka_unit_test(what_is_cut_is_cut),
        cmocka_unit_test(rights_are_those_of_the_roster_named),
        cmocka_unit_test(changes_must_be_of_their_ward),
    };
    return cmocka_run_group_tests(tests, make_organisation, free_organisation);
}
