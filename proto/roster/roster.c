#include "proto/roster/roster.h"

#include "proto/message.h"

#include <stdlib.h>

#define ROSTER_ARENA_BYTES_MAX (2u << 20)

/* The tables: see roster.proto ------------------------------------------------------------------------------------ */

static const struct kt_wire_field SIGNER[] = {
    KT_W(1, U32, struct kt_signer, id, .max = UINT32_MAX, .required = true),
    KT_W(2, RAW, struct kt_signer, sign, .max = KT_PUBLIC_KEY_BYTES, .required = true),
};
static const struct kt_wire_message SIGNER_MESSAGE = KT_WIRE_MESSAGE_OF(SIGNER);

static const struct kt_wire_field MEMBER[] = {
    KT_W(1, U32, struct kt_roster_member, number, .max = UINT32_MAX, .required = true),
    KT_W(2, TEXT, struct kt_roster_member, office, .max = KT_OFFICE_BYTES_MAX, .required = true),
    KT_W(3, TEXT, struct kt_roster_member, agency, .max = KT_OFFICE_BYTES_MAX),
    KT_W(4, RAW, struct kt_roster_member, pub.sign, .max = KT_PUBLIC_KEY_BYTES, .required = true),
    KT_W(5, RAW, struct kt_roster_member, pub.session, .max = KT_PUBLIC_KEY_BYTES, .required = true),
    KT_W(6, RAW, struct kt_roster_member, pub.receive, .max = KT_PUBLIC_KEY_BYTES, .required = true),
    KT_W(7, BOOL, struct kt_roster_member, may_erase),
    KT_W(8, BOOL, struct kt_roster_member, revoked),
};
static const struct kt_wire_message MEMBER_MESSAGE = KT_WIRE_MESSAGE_OF(MEMBER);

static const struct kt_wire_field COMPARTMENT[] = {
    KT_W(1, U32, struct kt_roster_compartment, number, .max = UINT32_MAX, .required = true),
    KT_W(2, TEXT, struct kt_roster_compartment, name, .max = KT_OFFICE_BYTES_MAX, .required = true),
    KT_W(3, U32, struct kt_roster_compartment, epoch, .max = UINT32_MAX, .required = true),
    KT_W_LIST(4, U32, struct kt_roster_compartment, readers, readers_len, KT_MEMBERS_MAX, .max = UINT32_MAX),
    KT_W_LIST(5, U32, struct kt_roster_compartment, writers, writers_len, KT_MEMBERS_MAX, .max = UINT32_MAX),
};
static const struct kt_wire_message COMPARTMENT_MESSAGE = KT_WIRE_MESSAGE_OF(COMPARTMENT);

static const struct kt_wire_field SYSTEM[] = {
    KT_W(1, TEXT, struct kt_roster_system, name, .max = KT_OFFICE_BYTES_MAX, .required = true),
    KT_W(2, U32, struct kt_roster_system, compartment, .max = UINT32_MAX, .required = true),
};
static const struct kt_wire_message SYSTEM_MESSAGE = KT_WIRE_MESSAGE_OF(SYSTEM);

static const struct kt_wire_field BUNDLE[] = {
    KT_W(1, U32, struct kt_roster_bundle, compartment, .max = UINT32_MAX, .required = true),
    KT_W(2, U32, struct kt_roster_bundle, member, .max = UINT32_MAX, .required = true),
    KT_W(3, RAW, struct kt_roster_bundle, hash, .max = KT_HASH_BYTES, .required = true),
};
static const struct kt_wire_message BUNDLE_MESSAGE = KT_WIRE_MESSAGE_OF(BUNDLE);

static const struct kt_wire_field CUT[] = {
    KT_W(1, U32, struct kt_cut, member, .max = UINT32_MAX, .required = true),
    KT_W(2, U32, struct kt_cut, compartment, .max = UINT32_MAX),
    KT_W(3, FIXED64, struct kt_cut, incarnation, .required = true),
    KT_W(4, U64, struct kt_cut, last),
};
static const struct kt_wire_message CUT_MESSAGE = KT_WIRE_MESSAGE_OF(CUT);

static const struct kt_wire_field ROSTER[] = {
    KT_W_LABEL(1, "roster"),
    KT_W_SUITE(2),
    KT_W(3, RAW, struct kt_roster, cluster, .max = KT_CLUSTER_BYTES, .required = true),
    KT_W(4, TEXT, struct kt_roster, organisation, .max = KT_NAME_BYTES_MAX, .required = true),
    KT_W(5, U32, struct kt_roster, version, .max = UINT32_MAX, .required = true),
    KT_W(6, RAW, struct kt_roster, previous, .max = KT_HASH_BYTES, .required = true),
    KT_W(7, FIXED64, struct kt_roster, issued_ms, .required = true),
    KT_W(8, U32, struct kt_roster, cut_horizon_s, .max = UINT32_MAX, .required = true),
    KT_W(9, U32, struct kt_roster, threshold, .max = KT_SIGNERS_MAX, .required = true),
    KT_W_LIST(10, MESSAGE, struct kt_roster, signers, signers_len, KT_SIGNERS_MAX, .of = &SIGNER_MESSAGE),
    KT_W_LIST(11, MESSAGE, struct kt_roster, members, members_len, KT_MEMBERS_MAX, .of = &MEMBER_MESSAGE),
    KT_W_LIST(12, MESSAGE, struct kt_roster, compartments, compartments_len, KT_COMPARTMENTS_MAX,
              .of = &COMPARTMENT_MESSAGE),
    KT_W_LIST(13, MESSAGE, struct kt_roster, systems, systems_len, KT_SYSTEMS_MAX, .of = &SYSTEM_MESSAGE),
    KT_W_LIST(14, MESSAGE, struct kt_roster, bundles, bundles_len, KT_BUNDLES_MAX, .of = &BUNDLE_MESSAGE),
    KT_W_LIST(15, MESSAGE, struct kt_roster, cuts, cuts_len, KT_CUTS_MAX, .of = &CUT_MESSAGE),
};
static const struct kt_wire_message ROSTER_MESSAGE = KT_WIRE_MESSAGE_OF(ROSTER);

static const struct kt_wire_field SIGNATURE[] = {
    KT_W(1, U32, struct kt_roster_signature, signer, .max = UINT32_MAX, .required = true),
    KT_W(2, RAW, struct kt_roster_signature, signature, .max = KT_SIGNATURE_BYTES, .required = true),
};
static const struct kt_wire_message SIGNATURE_MESSAGE = KT_WIRE_MESSAGE_OF(SIGNATURE);

struct signed_roster {
    struct kt_bytes body;
    const struct kt_roster_signature *signatures;
    uint32_t signatures_len;
};
static const struct kt_wire_field SIGNED[] = {
    KT_W(1, BYTES, struct signed_roster, body, .max = KT_ROSTER_BYTES_MAX, .required = true),
    KT_W_LIST(2, MESSAGE, struct signed_roster, signatures, signatures_len, KT_SIGNERS_MAX, .of = &SIGNATURE_MESSAGE),
};
static const struct kt_wire_message SIGNED_MESSAGE = KT_WIRE_MESSAGE_OF(SIGNED);

/* Form: ascending, unique, and nothing that names what is not there ------------------------------------------------ */

static bool ascending(const kt_member *list, uint32_t n, const struct kt_roster *r)
{
    for (uint32_t i = 0; i < n; i++) {
        if ((i && list[i] <= list[i - 1]) || !kt_roster_member(r, list[i])) return false;
    }
    return true;
}

static bool signers_ok(const struct kt_roster *r)
{
    for (uint32_t i = 0; i < r->signers_len; i++) {
        if (r->signers[i].id <= (i ? r->signers[i - 1].id : 0)) return false;
        for (uint32_t k = 0; k < i; k++) { /* one key under two ids would count twice */
            if (memcmp(r->signers[k].sign, r->signers[i].sign, KT_PUBLIC_KEY_BYTES) == 0) return false;
        }
    }
    return r->threshold >= 1 && r->threshold <= r->signers_len;
}

static bool members_ok(const struct kt_roster *r)
{
    for (uint32_t i = 0; i < r->members_len; i++) {
        const struct kt_roster_member *m = &r->members[i];
        if (m->number <= (i ? m[-1].number : 0) || m->office[0] == 0) return false;
    }
    return true;
}

static bool compartments_ok(const struct kt_roster *r)
{
    for (uint32_t i = 0; i < r->compartments_len; i++) {
        const struct kt_roster_compartment *c = &r->compartments[i];
        if (c->number <= (i ? c[-1].number : 0) || c->name[0] == 0 || c->epoch == 0) return false;
        if (!ascending(c->readers, c->readers_len, r) || !ascending(c->writers, c->writers_len, r)) return false;
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(r->compartments[k].name, c->name) == 0) return false;
        }
    }
    return true;
}

static bool systems_ok(const struct kt_roster *r)
{
    for (uint32_t i = 0; i < r->systems_len; i++) {
        if (r->systems[i].name[0] == 0 || !kt_roster_compartment(r, r->systems[i].compartment)) return false;
        if (i && strcmp(r->systems[i - 1].name, r->systems[i].name) >= 0) return false;
    }
    return true;
}

static bool bundles_ok(const struct kt_roster *r)
{
    for (uint32_t i = 0; i < r->bundles_len; i++) {
        const struct kt_roster_bundle *b = &r->bundles[i];
        if (!kt_roster_member(r, b->member) || !kt_roster_compartment(r, b->compartment)) return false;
        if (i &&
            (b[-1].compartment > b->compartment || (b[-1].compartment == b->compartment && b[-1].member >= b->member)))
            return false;
    }
    return true;
}

static int cut_compare(const struct kt_cut *a, const struct kt_cut *b)
{
    if (a->member != b->member) return a->member < b->member ? -1 : 1;
    if (a->compartment != b->compartment) return a->compartment < b->compartment ? -1 : 1;
    return (a->incarnation > b->incarnation) - (a->incarnation < b->incarnation);
}

static bool cuts_ok(const struct kt_roster *r)
{
    for (uint32_t i = 0; i < r->cuts_len; i++) {
        const struct kt_cut *c = &r->cuts[i];
        if (!kt_roster_member(r, c->member)) return false;
        if (c->compartment && !kt_roster_compartment(r, c->compartment)) return false;
        if (i && cut_compare(c - 1, c) >= 0) return false;
    }
    return true;
}

static bool form_ok(const struct kt_roster *r)
{
    return r->version >= 1 && signers_ok(r) && members_ok(r) && compartments_ok(r) && systems_ok(r) && bundles_ok(r) &&
           cuts_ok(r);
}

/* Encoding -------------------------------------------------------------------------------------------------------- */

int kt_roster_encode_body(const struct kt_roster *r, struct kt_buf *out)
{
    if (!form_ok(r)) return KT_EINVAL;
    size_t before = out->len;
    int err = kt_wire_encode(&ROSTER_MESSAGE, r, out);
    if (!err && out->len - before > KT_ROSTER_BYTES_MAX) {
        out->len = before;
        return KT_EOVERSIZE;
    }
    return err;
}

int kt_roster_encode_signed(struct kt_bytes body, const struct kt_roster_signature *s, uint32_t n, struct kt_buf *out)
{
    return kt_wire_encode(&SIGNED_MESSAGE, &(struct signed_roster){body, s, n}, out);
}

/* Decoding and verifying ------------------------------------------------------------------------------------------ */

/* How many different signers of `by` signed the body. */
static uint32_t count_signers(const struct kt_roster *by, const struct signed_roster *s)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < by->signers_len; i++) {
        bool signs = false;
        for (uint32_t k = 0; k < s->signatures_len && !signs; k++) {
            signs = s->signatures[k].signer == by->signers[i].id &&
                    kt_verify(KT_LABEL_ROSTER, by->signers[i].sign, s->body,
                              kt_bytes(s->signatures[k].signature, KT_SIGNATURE_BYTES)) == KT_OK;
        }
        count += signs;
    }
    return count;
}

/* Members never vanish, and never change the key that names them: a revoked one stays in the list as revoked. */
static bool members_stay(const struct kt_roster *previous, const struct kt_roster *r)
{
    for (uint32_t i = 0; i < previous->members_len; i++) {
        const struct kt_roster_member *was = &previous->members[i], *is = kt_roster_member(r, was->number);
        if (!is || memcmp(was->pub.sign, is->pub.sign, KT_PUBLIC_KEY_BYTES) != 0) return false;
    }
    return true;
}

static int verify(const struct signed_roster *s, const struct kt_roster *r, const struct kt_roster *previous)
{
    static const struct kt_hash zeros;
    const struct kt_roster *by = previous ? previous : r;

    if (previous && memcmp(&previous->cluster, &r->cluster, sizeof(r->cluster)) != 0) return KT_ECLUSTER;
    if (r->version != (previous ? previous->version + 1 : 1)) return KT_EVERSION;
    if (memcmp(&r->previous, previous ? &previous->hash : &zeros, sizeof(zeros)) != 0) return KT_EHASH;
    if (count_signers(by, s) < by->threshold) return KT_ESIGNATURE;
    return previous && !members_stay(previous, r) ? KT_EMALFORMED : KT_OK;
}

static int decode_into(struct kt_bytes signed_roster, const struct kt_roster *previous, struct kt_arena *arena,
                       struct kt_roster **out)
{
    struct signed_roster s = {0};
    int err = kt_wire_decode(&SIGNED_MESSAGE, signed_roster, arena, &s);
    if (err) return err;
    struct kt_roster *r = kt_arena_alloc(arena, sizeof(*r));
    if (!r) return KT_ELIMIT;
    if ((err = kt_wire_decode(&ROSTER_MESSAGE, s.body, arena, r))) return err;
    for (uint32_t i = 0; i < r->members_len; i++) {
        struct kt_roster_member *m = (struct kt_roster_member *)&r->members[i];
        if (!m->agency) m->agency = "";
    }
    if (!form_ok(r)) return KT_EMALFORMED;
    r->hash = kt_hash_parts(kt_label_text(KT_LABEL_ROSTER), &s.body, 1);
    if ((err = verify(&s, r, previous))) return err;
    r->arena = arena;
    *out = r;
    return KT_OK;
}

int kt_roster_decode(struct kt_bytes signed_roster, const struct kt_roster *previous, struct kt_roster **out)
{
    if (signed_roster.len > KT_ROSTER_BYTES_MAX) return KT_EOVERSIZE;
    struct kt_arena *arena = malloc(sizeof(*arena));
    if (!arena) return KT_ENOMEM;
    kt_arena_init(arena, ROSTER_ARENA_BYTES_MAX);
    int err = decode_into(signed_roster, previous, arena, out);
    if (err) {
        kt_arena_free(arena);
        free(arena);
    }
    return err;
}

void kt_roster_free(struct kt_roster *r)
{
    if (!r) return;
    struct kt_arena *arena = r->arena; /* r itself lies in it */
    kt_arena_free(arena);
    free(arena);
}
