/* The organisation of the bench (bench_office.h): its authority, and what each office gets from it. */
#ifndef KT_SUPPORT_BENCH_ORGANISATION_H
#define KT_SUPPORT_BENCH_ORGANISATION_H

#include "engine/keys/keyring.h"

/* Installs the identity of a member, opens its keyring and admits it.  Ends the test on failure. */
void bench_admit(struct kt_store *store, struct kt_world *world, kt_member member, struct kt_keyring **out);
/* Opens the keyring of one who was admitted. */
void bench_keyring_open(struct kt_store *store, struct kt_world *world, kt_member member, struct kt_keyring **out);

#endif
