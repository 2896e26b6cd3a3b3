/* The folder of the offline authority: its secrets, the chain of rosters it signed, every bundle it sealed.
 *
 *   root.key        32 random bytes, mode 0600; everything else that is secret here is sealed under it
 *   authority.key   signing key and the organisation's id key, sealed
 *   keys.N          the keys of compartment N, sealed
 *   roster.N        signed rosters, from 1 without gaps
 *   bundles/HASH    compartment keys sealed to one member each
 *
 * One command at a time: opening locks root.key.  Not for several threads. */
#ifndef KT_CLI_AUTHORITY_STORE_H
#define KT_CLI_AUTHORITY_STORE_H

#include "client/cli/files.h"
#include "proto/arena.h"
#include "proto/roster/roster.h"

/* Secrets, in sodium_malloc memory. */
struct kt_authority_secrets {
    uint8_t root_key[KT_KEY_BYTES];
    uint8_t sign_secret[64];
    uint8_t id_key[KT_KEY_BYTES];
};

struct kt_authority {
    const char *dir; /* borrowed */
    int lock_fd;
    struct kt_authority_secrets *secrets;
    struct kt_signer signer;
    struct kt_arena arena;    /* of the chain's bytes */
    struct kt_bytes *rosters; /* signed, from version 1 */
    uint32_t rosters_len;
    struct kt_roster *newest;   /* decoded, verified along the chain */
    char at_fault[KT_PATH_MAX]; /* after a failure: the file it is about */
};

/* Founds an organisation in `dir` (made where it is missing): secrets, keys of core, roster 1.  KT_EDUPLICATE: there is
 * an authority already; nothing is changed then. */
int kt_authority_found(const char *dir, const char *organisation, uint64_t now_ms) KT_MUST;

/* Opens and verifies everything; on failure *a needs no close but keeps at_fault.  KT_ENOTFOUND: no authority there;
 * KT_EAGAIN: another command is at work; KT_ERIGHTS: a secret others may read; KT_EDAMAGED, KT_EOPEN. */
int kt_authority_open(struct kt_authority *a, const char *dir) KT_MUST;
void kt_authority_close(struct kt_authority *a);
/* What to do about a failure to open; NULL: what errors.h says. */
const char *kt_authority_advice(int err);

/* Keys of a compartment; the caller frees them.  make: fresh ones of epoch 1, not yet saved. */
int kt_authority_keys_load(struct kt_authority *a, kt_compartment c, struct kt_compartment_keys **out) KT_MUST;
int kt_authority_keys_make(struct kt_authority *a, kt_compartment c, struct kt_compartment_keys **out) KT_MUST;
int kt_authority_keys_save(struct kt_authority *a, const struct kt_compartment_keys *k) KT_MUST;

int kt_authority_bundle_save(struct kt_authority *a, struct kt_bytes bundle, struct kt_hash hash) KT_MUST;
/* In the arena of `a`; KT_EDAMAGED where its bytes are not what the hash says. */
int kt_authority_bundle_load(struct kt_authority *a, const struct kt_hash *hash, struct kt_bytes *out) KT_MUST;

/* Signs the roster after the newest (version, previous, cluster, signers, threshold are set here), checks that it
 * follows on, and saves it: from then on it is the newest.  What it names must be saved before. */
int kt_authority_issue(struct kt_authority *a, struct kt_roster *next) KT_MUST;

#endif
