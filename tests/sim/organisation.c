/* The organisation that is simulated: one authority, one roster, everyone reads and writes everything but the clinic's
 * compartment, which the last office only relays. */
#include "sim/sim.h"

#include "proto/batch/erasure.h"
#include "proto/roster/roster.h"

#include <sodium.h>

#define NOT_AFTER_MS (4000000000000ull)

static const char *const offices_named[SIM_OFFICES_MAX] = {"office-1", "office-2", "office-3", "office-4",
                                                           "office-5", "office-6", "office-7", "office-8"};
static const kt_member everyone[SIM_OFFICES_MAX] = {1, 2, 3, 4, 5, 6, 7, 8};
static const struct kt_roster_system systems[] = {
    {"311", 4},
    {"clinic", 5},
    {"motor", 3},
    {"revenue", 2},
};

static uint32_t readers(unsigned offices, kt_compartment c) { return c == 5 && offices > 2 ? offices - 1 : offices; }

bool organisation_reads(unsigned offices, kt_member m, kt_compartment c) { return m <= readers(offices, c); }

kt_compartment organisation_compartment(const char *system)
{
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++)
        if (strcmp(systems[i].name, system) == 0) return systems[i].compartment;
    return 0;
}

static void fill(void *out, size_t len, uint8_t from)
{
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)(from + i);
}

const uint8_t *organisation_id_key(void)
{
    static const uint8_t key[KT_KEY_BYTES] = {0x50, 0x51, 0x52, 0x53};
    return key;
}

static struct kt_identity *identity_of(kt_member m)
{
    uint8_t seed[96];
    fill(seed, sizeof seed, (uint8_t)(m * 31));
    struct kt_identity *id = kt_identity_create(seed);
    sim_must(id != NULL, "out of memory");
    return id;
}

static void root_key_of(kt_member m, uint8_t out[KT_KEY_BYTES]) { fill(out, KT_KEY_BYTES, (uint8_t)(m * 7)); }

static struct kt_compartment_keys *keys_of(kt_compartment c, uint32_t epochs)
{
    struct kt_compartment_keys *k = kt_compartment_keys_alloc();
    sim_must(k != NULL, "out of memory");
    k->compartment = c;
    fill(k->tag_key, KT_KEY_BYTES, (uint8_t)(0x10 + c));
    fill(k->digest_key, KT_KEY_BYTES, (uint8_t)(0x30 + c));
    memcpy(k->id_key, organisation_id_key(), KT_KEY_BYTES);
    k->keks_len = epochs;
    for (uint32_t i = 0; i < epochs; i++) {
        k->keks[i].epoch = i + 1;
        fill(k->keks[i].key, KT_KEY_BYTES, (uint8_t)(0x70 + c + 8 * i));
    }
    return k;
}

struct kt_tag organisation_tag(kt_compartment c, const struct kt_entity_id *ward)
{
    struct kt_compartment_keys *k = keys_of(c, 1);
    const struct kt_tag tag = kt_tag_of(k, ward);
    kt_compartment_keys_free(k);
    return tag;
}

void organisation_erase(struct sim *s, struct sim_erasure *x)
{
    const struct kt_erasure e = {{{0xc1}}, x->compartment, x->tag, x->generation, (SIM_EPOCH_MS + s->now_ms) << 16};
    struct kt_erasure_signature signatures[KT_ERASURE_SIGNERS_MIN];
    struct kt_buf body;
    kt_buf_init(&body, 1024);
    sim_must(kt_erasure_encode_body(&e, &body) == KT_OK, "an erasure cannot be encoded");
    for (kt_member m = 1; m <= KT_ERASURE_SIGNERS_MIN; m++) {
        struct kt_identity *id = identity_of(m);
        sim_must(kt_erasure_sign(kt_buf_bytes(&body), m, id->sign_secret, &signatures[m - 1]) == KT_OK,
                 "an erasure cannot be signed");
        kt_identity_free(id);
    }
    kt_buf_init(&x->bytes, KT_ERASURE_BYTES_MAX);
    sim_must(kt_erasure_encode(kt_buf_bytes(&body), signatures, KT_ERASURE_SIGNERS_MIN, &x->bytes) == KT_OK,
             "an erasure cannot be encoded");
    kt_buf_free(&body);
}

#define BUNDLES_MAX (SIM_COMPARTMENTS * SIM_OFFICES_MAX)

static uint32_t make_bundles(unsigned offices, uint32_t epochs, struct kt_buf *out, struct kt_roster_bundle *named)
{
    uint32_t n = 0;
    for (kt_compartment c = 1; c <= SIM_COMPARTMENTS; c++)
        for (kt_member m = 1; m <= readers(offices, c); m++) {
            struct kt_compartment_keys *k = keys_of(c, epochs);
            struct kt_identity *id = identity_of(m);
            kt_buf_init(&out[n], 1u << 20);
            sim_must(kt_bundle_seal(k, id->pub.receive, &out[n]) == KT_OK, "a bundle cannot be sealed");
            named[n] = (struct kt_roster_bundle){c, m, kt_bundle_hash(kt_buf_bytes(&out[n]))};
            n++;
            kt_identity_free(id);
            kt_compartment_keys_free(k);
        }
    return n;
}

static void sign_roster(const struct kt_roster *roster, const uint8_t *secret, struct kt_buf *out)
{
    struct kt_buf body;
    struct kt_roster_signature s = {.signer = 1};
    kt_buf_init(&body, KT_ROSTER_BYTES_MAX);
    sim_must(kt_roster_encode_body(roster, &body) == KT_OK, "a roster cannot be encoded");
    sim_must(kt_sign(KT_LABEL_ROSTER, secret, kt_buf_bytes(&body), s.signature) == KT_OK, "a roster cannot be signed");
    sim_must(kt_roster_encode_signed(kt_buf_bytes(&body), &s, 1, out) == KT_OK, "a roster cannot be encoded");
    kt_buf_free(&body);
}

/* What is the same in every version. */
struct founding {
    uint8_t secret[1][64];
    struct kt_signer signer;
    struct kt_roster_member members[SIM_OFFICES_MAX];
};

static void found(unsigned offices, struct founding *f)
{
    uint8_t seed[32] = {9};
    f->signer = (struct kt_signer){.id = 1};
    crypto_sign_seed_keypair(f->signer.sign, f->secret[0], seed);
    for (kt_member i = 1; i <= offices; i++) {
        struct kt_identity *id = identity_of(i);
        f->members[i - 1] = (struct kt_roster_member){.number = i,
                                                      .office = offices_named[i - 1],
                                                      .agency = "",
                                                      .pub = id->pub,
                                                      .may_erase = i <= KT_ERASURE_SIGNERS_MIN};
        kt_identity_free(id);
    }
}

/* Each version begins an epoch of every compartment's keys; `before` is the version before it, or NULL. */
static void make_roster(unsigned offices, const struct founding *f, const struct kt_roster *before,
                        const struct kt_roster_bundle *named, uint32_t n, struct kt_buf *out)
{
    const uint32_t version = before ? before->version + 1 : 1;
    const struct kt_roster_compartment compartments[SIM_COMPARTMENTS] = {
        {1, "core", version, everyone, offices, everyone, offices},
        {2, "revenue", version, everyone, offices, everyone, offices},
        {3, "motor", version, everyone, offices, everyone, offices},
        {4, "service", version, everyone, offices, everyone, offices},
        {5, "health", version, everyone, readers(offices, 5), everyone, readers(offices, 5)},
    };
    struct kt_roster roster = {.cluster = {{0xc1}},
                               .organisation = "simulated",
                               .version = version,
                               .issued_ms = 1767225600000 + version,
                               .cut_horizon_s = 14 * 86400,
                               .threshold = 1,
                               .signers = &f->signer,
                               .signers_len = 1,
                               .members = f->members,
                               .members_len = offices,
                               .compartments = compartments,
                               .compartments_len = SIM_COMPARTMENTS,
                               .systems = systems,
                               .systems_len = sizeof systems / sizeof *systems,
                               .bundles = named,
                               .bundles_len = n};
    if (before) roster.previous = before->hash;
    kt_buf_init(out, KT_ROSTER_BYTES_MAX);
    sign_roster(&roster, f->secret[0], out);
}

static void make_certificate(const struct founding *f, kt_member m, struct kt_buf *out)
{
    const struct kt_certificate c = {.cluster = {{0xc1}},
                                     .member = m,
                                     .pub = f->members[m - 1].pub,
                                     .roster_version = 1,
                                     .not_after_ms = NOT_AFTER_MS};
    kt_buf_init(out, 4096);
    sim_must(kt_certificate_encode(&c, &f->signer, f->secret, 1, out) == KT_OK, "a certificate cannot be made");
}

/* What the authority of so many offices has issued.  Nothing in it is the seed's, so it is made once in a process. */
struct issued {
    struct founding founding;
    uint32_t versions;
    struct kt_buf rosters[SIM_ROSTERS_MAX], bundles[SIM_ROSTERS_MAX][BUNDLES_MAX];
    struct kt_roster *chain[SIM_ROSTERS_MAX + 1]; /* each after the one it follows; first NULL */
    uint32_t bundles_len;
};

static const struct issued *issue(struct sim *s, uint32_t versions)
{
    static struct issued by_offices[SIM_OFFICES_MAX + 1];
    struct issued *i = &by_offices[s->offices_len];
    const struct dice before = s->founding;
    if (!i->versions) found(s->offices_len, &i->founding);
    for (uint32_t v = i->versions; v < versions; i->versions = ++v) {
        struct kt_roster_bundle named[BUNDLES_MAX];
        s->founding.state = v; /* a version's bundles are the same for whoever asks first */
        i->bundles_len = make_bundles(s->offices_len, v + 1, i->bundles[v], named);
        make_roster(s->offices_len, &i->founding, i->chain[v], named, i->bundles_len, &i->rosters[v]);
        sim_must(kt_roster_decode(kt_buf_bytes(&i->rosters[v]), i->chain[v], &i->chain[v + 1]) == KT_OK,
                 "a roster does not verify");
    }
    s->founding = before;
    return i;
}

void organisation_cut(struct sim *s)
{
    const struct issued *i = issue(s, s->rosters);
    struct kt_roster next = *i->chain[s->rosters];
    next.version++;
    next.previous = i->chain[s->rosters]->hash;
    next.issued_ms++;
    next.cuts = s->cuts.cuts;
    next.cuts_len = s->cuts.len;
    kt_buf_init(&s->cuts.roster, KT_ROSTER_BYTES_MAX);
    sign_roster(&next, i->founding.secret[0], &s->cuts.roster);
    s->cuts.version = next.version;
}

static void make_admission(struct sim *s, kt_member m, uint32_t versions, struct kt_buf *out)
{
    const struct issued *i = issue(s, versions);
    struct kt_buf certificate;
    struct kt_bytes bundles[BUNDLES_MAX], rosters[SIM_ROSTERS_MAX + 1];
    uint32_t rosters_len = versions;
    make_certificate(&i->founding, m, &certificate);
    for (uint32_t v = 0; v < versions; v++) rosters[v] = kt_buf_bytes(&i->rosters[v]);
    if (s->cuts.version) rosters[rosters_len++] = kt_buf_bytes(&s->cuts.roster);
    for (uint32_t b = 0; b < i->bundles_len; b++) bundles[b] = kt_buf_bytes(&i->bundles[versions - 1][b]);
    const struct kt_admission a = {kt_buf_bytes(&certificate), rosters, rosters_len, bundles, i->bundles_len};
    kt_buf_init(out, 16u << 20);
    sim_must(kt_admission_encode(&a, out) == KT_OK, "an admission cannot be made");
    kt_buf_free(&certificate);
}

void organisation_renew(struct sim *s, struct kt_keyring *k, kt_member m)
{
    struct kt_buf admission;
    make_admission(s, m, s->rosters, &admission);
    const int e = kt_keyring_admit(k, kt_buf_bytes(&admission));
    sim_must(e == KT_OK || e == KT_EFULL, "an admission is refused");
    kt_buf_free(&admission);
}

void organisation_keyring(struct kt_store *store, struct kt_world *world, kt_member m, struct kt_keyring **out)
{
    uint8_t root_key[KT_KEY_BYTES];
    root_key_of(m, root_key);
    sim_must(kt_keyring_open(store, world, root_key, out) == KT_OK, "a keyring does not open");
}

void organisation_admit(struct sim *s, struct kt_store *store, struct kt_world *world, kt_member m,
                        struct kt_keyring **out)
{
    uint8_t root_key[KT_KEY_BYTES], nonce[24];
    struct kt_identity *id = identity_of(m);
    struct kt_buf sealed, admission;
    root_key_of(m, root_key);
    fill(nonce, sizeof nonce, 3);
    kt_buf_init(&sealed, 4096);
    sim_must(kt_identity_seal(id, root_key, nonce, &sealed) == KT_OK, "an identity cannot be sealed");
    sim_must(kt_keyring_install_identity(store, kt_buf_bytes(&sealed), root_key) == KT_OK, "an identity is refused");
    organisation_keyring(store, world, m, out);
    make_admission(s, m, 1, &admission);
    sim_must(kt_keyring_admit(*out, kt_buf_bytes(&admission)) == KT_OK, "an admission is refused");
    kt_buf_free(&sealed);
    kt_buf_free(&admission);
    kt_identity_free(id);
}
