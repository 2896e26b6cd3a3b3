/* The roster: the authority's signed, versioned, hash-chained list of who belongs, who may, and what is cut.
 *
 * Wire form roster.proto: SignedRoster { bytes body, (signer id, signature)* }; body = Roster.  hash = BLAKE2b-256
 * ("roster", body).  Version 1 names the first signers itself; version n + 1 carries the hash of n and is signed by at
 * least `threshold` of n's signers.  A decoded roster is immutable and owns its memory. */
#ifndef KT_PROTO_ROSTER_H
#define KT_PROTO_ROSTER_H

#include "proto/keys/keys.h"

struct kt_signer { uint32_t id; uint8_t sign[KT_PUBLIC_KEY_BYTES]; };

struct kt_roster_member {
    kt_member number;
    const char *office;  /* as operators say it: "office-3" */
    const char *agency;  /* may be "" */
    struct kt_public_identity pub;
    bool may_erase;
    bool revoked;
};

struct kt_roster_compartment {
    kt_compartment number;
    const char *name;
    uint32_t epoch;                          /* birth epoch of new data keys */
    const kt_member *readers; uint32_t readers_len; /* ascending */
    const kt_member *writers; uint32_t writers_len;
};

struct kt_roster_system { const char *name; kt_compartment compartment; };
struct kt_roster_bundle { kt_compartment compartment; kt_member member; struct kt_hash hash; };

/* A member's word counts up to `last` of an incarnation; an incarnation without an entry counts for nothing once its
 * member has any cut (for that compartment, or for all where compartment is 0), unless there is an entry for the others:
 * one life of a member that goes on is cut without knowing how it calls the next. */
#define KT_INCARNATION_OTHERS 0u
struct kt_cut { kt_member member; kt_compartment compartment; uint64_t incarnation, last; };

struct kt_roster {
    struct kt_cluster cluster;
    const char *organisation;
    uint32_t version;
    struct kt_hash previous, hash;
    uint64_t issued_ms;
    uint32_t cut_horizon_s; /* 14 days where the authority says nothing */
    uint32_t threshold;
    const struct kt_signer *signers; uint32_t signers_len;
    const struct kt_roster_member *members; uint32_t members_len;               /* ascending number */
    const struct kt_roster_compartment *compartments; uint32_t compartments_len; /* ascending number */
    const struct kt_roster_system *systems; uint32_t systems_len;               /* ascending name */
    const struct kt_roster_bundle *bundles; uint32_t bundles_len;
    const struct kt_cut *cuts; uint32_t cuts_len;
    struct kt_arena *arena; /* owns all of the above */
};

/* Body and signatures, as signed bytes. */
int kt_roster_encode_body(const struct kt_roster *r, struct kt_buf *out) KT_MUST;
struct kt_roster_signature { uint32_t signer; uint8_t signature[KT_SIGNATURE_BYTES]; };
int kt_roster_encode_signed(struct kt_bytes body, const struct kt_roster_signature *s, uint32_t n, struct kt_buf *out) KT_MUST;

/* Decodes and verifies: version 1 (previous == NULL) against its own signers, a later one against `previous`'s signers,
 * threshold, cluster, version and hash.  KT_ESIGNATURE, KT_EHASH, KT_ECLUSTER, KT_EVERSION. */
int kt_roster_decode(struct kt_bytes signed_roster, const struct kt_roster *previous, struct kt_roster **out) KT_MUST;
void kt_roster_free(struct kt_roster *r);

const struct kt_roster_member *kt_roster_member(const struct kt_roster *r, kt_member number);
const struct kt_roster_compartment *kt_roster_compartment(const struct kt_roster *r, kt_compartment number);
const struct kt_roster_compartment *kt_roster_compartment_named(const struct kt_roster *r, const char *name);
bool kt_roster_may_read(const struct kt_roster *r, kt_member m, kt_compartment c);
bool kt_roster_may_write(const struct kt_roster *r, kt_member m, kt_compartment c);
/* The compartment of a source system's own fields; 0: nobody mapped it. */
kt_compartment kt_roster_system(const struct kt_roster *r, struct kt_bytes name);
/* The last batch of an origin that counts in a compartment (UINT64_MAX: no cut). */
uint64_t kt_roster_cut(const struct kt_roster *r, struct kt_origin o, kt_compartment c);

/* A certificate says that a member's keys were admitted (shown in Noise messages 2 and 3).  Wire: roster.proto,
 * Certificate { bytes body, (signer, signature)* }. */
struct kt_certificate {
    struct kt_cluster cluster;
    kt_member member;
    struct kt_public_identity pub;
    uint32_t roster_version; /* in which it was admitted */
    uint64_t not_after_ms;
};
int kt_certificate_encode(const struct kt_certificate *c, const struct kt_signer *signers, const uint8_t (*secrets)[64],
                          uint32_t n, struct kt_buf *out) KT_MUST;
/* Checks form, signatures of at least the roster's threshold of signers, cluster and time; not whether its member is
 * in the roster still (the caller compares keys with the roster when the roster is as new as the certificate).
 * A fixed layout, not protobuf: it is read before the other end is authenticated. */
int kt_certificate_decode(struct kt_bytes in, const struct kt_roster *r, uint64_t now_ms, struct kt_certificate *out) KT_MUST;

/* What an office asks the authority for; signed with its own key to prove that it holds it. */
struct kt_join_request { char office[64], agency[64]; struct kt_public_identity pub; };
int kt_join_encode(const struct kt_join_request *j, const struct kt_identity *id, struct kt_buf *out) KT_MUST;
int kt_join_decode(struct kt_bytes in, struct kt_join_request *out) KT_MUST; /* KT_ESIGNATURE */

/* What the authority gives back: the roster chain from version 1, this member's certificate and every bundle. */
struct kt_admission {
    struct kt_bytes certificate;
    struct kt_bytes *rosters; uint32_t rosters_len; /* signed, ascending from 1 */
    struct kt_bytes *bundles; uint32_t bundles_len;
};
int kt_admission_encode(const struct kt_admission *a, struct kt_buf *out) KT_MUST;
int kt_admission_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_admission *out) KT_MUST;

#endif
