/* The organisation of the bench (bench_office.h): its authority, and what each office gets from it. */
#ifndef KT_SUPPORT_BENCH_ORGANISATION_H
#define KT_SUPPORT_BENCH_ORGANISATION_H

#include "engine/keys/keyring.h"

/* What an operator brings to a node's first start: the files root.key, identity and admission. */
struct kt_bench_files {
    uint8_t root_key[KT_KEY_BYTES];
    struct kt_buf identity, admission;
};
void bench_files(kt_member member, struct kt_bench_files *out);
void bench_files_free(struct kt_bench_files *f);

/* Installs the identity of a member, opens its keyring and admits it.  Ends the test on failure. */
void bench_admit(struct kt_store *store, struct kt_world *world, kt_member member, struct kt_keyring **out);
/* Opens the keyring of one who was admitted. */
void bench_keyring_open(struct kt_store *store, struct kt_world *world, kt_member member, struct kt_keyring **out);

/* The authority signs another roster: one decoded before, as changed by the test (its version and the hash of the one
 * before it among that). */
void bench_sign_roster(const struct kt_roster *r, struct kt_buf *out);
/* The bundle of a compartment for one member, with keys of so many epochs. */
void bench_bundle(kt_compartment c, kt_member member, uint32_t epochs, struct kt_buf *out);

#endif
