/* The keyring: who this node is, which rosters it holds, which compartments it reads, and the data keys of wards.
 *
 * Backed by the `keys` environment; secrets live in sodium_malloc memory.  Thread-safe: the opener, lookups and the
 * engine ask it at the same time; only the engine thread calls the functions that change it (marked W). */
#ifndef KT_ENGINE_KEYRING_H
#define KT_ENGINE_KEYRING_H

#include "ports/store.h"
#include "ports/world.h"
#include "proto/arena.h"
#include "proto/keys/keys.h"
#include "proto/roster/roster.h"

struct kt_keyring;

/* Opens what `keys` holds: identity (sealed under the root key), rosters, bundles.  KT_ENOTFOUND: no identity yet. */
int kt_keyring_open(struct kt_store *store, struct kt_world *world, const uint8_t root_key[KT_KEY_BYTES],
                    struct kt_keyring **out) KT_MUST;
void kt_keyring_close(struct kt_keyring *k);
/* First start: takes in the identity file and the admission.  Later admissions add newer rosters.  KT_ECLUSTER: of
 * another organisation; KT_ENOTMEMBER: the admission is not for this identity. */
int kt_keyring_install_identity(struct kt_store *store, struct kt_bytes sealed_identity,
                                const uint8_t root_key[KT_KEY_BYTES]) KT_MUST;
int kt_keyring_admit(struct kt_keyring *k, struct kt_bytes admission) KT_MUST; /* W */

const struct kt_identity *kt_keyring_identity(const struct kt_keyring *k);
bool kt_keyring_admitted(const struct kt_keyring *k);
kt_member kt_keyring_self(const struct kt_keyring *k);
const struct kt_cluster *kt_keyring_cluster(const struct kt_keyring *k);
const uint8_t *kt_keyring_id_key(const struct kt_keyring *k); /* NULL: no bundle yet */
int kt_keyring_certificate(struct kt_keyring *k, struct kt_buf *out) KT_MUST;

/* Rosters are immutable and live as long as the keyring. */
const struct kt_roster *kt_keyring_roster(struct kt_keyring *k);                    /* the newest; NULL: none */
/* The one to tell peers that we have: the one before the newest while bundles of ours that the newest names are not
 * here, so that they are sent again. */
const struct kt_roster *kt_keyring_roster_told(struct kt_keyring *k);
const struct kt_roster *kt_keyring_roster_version(struct kt_keyring *k, uint32_t v); /* NULL: not here */
/* W: signed rosters and bundles as they came from a peer; kept durably when good.  *newer: a newer one is in force. */
int kt_keyring_take_rosters(struct kt_keyring *k, const struct kt_bytes *rosters, uint32_t n,
                            const struct kt_bytes *bundles, uint32_t bundles_len, bool *newer) KT_MUST;
/* What to send to one who has `after`: signed rosters, and every bundle the newest names.  Bytes live in the arena. */
int kt_keyring_give_rosters(struct kt_keyring *k, uint32_t after, struct kt_arena *a, struct kt_bytes **rosters,
                            uint32_t *n, struct kt_bytes **bundles, uint32_t *bundles_len) KT_MUST;

/* NULL: this node does not read that compartment.  Lives as long as the keyring; a newer epoch may appear in a new one. */
const struct kt_compartment_keys *kt_keyring_compartment(struct kt_keyring *k, kt_compartment c);
/* Node-local keys of store rows and indexes: label store-view, store-index or store-state, per compartment. */
const uint8_t *kt_keyring_store_key(struct kt_keyring *k, enum kt_label label, kt_compartment c);

/* The key of a data key id: from the cache, or its wrap opened.  KT_EKEY: the wrap or its epoch is not here. */
int kt_keyring_dek(struct kt_keyring *k, kt_compartment c, const struct kt_dek_id *id, struct kt_dek *out) KT_MUST;
/* The wrap as stored (in the arena); KT_ENOTFOUND. */
int kt_keyring_wrap(struct kt_keyring *k, const struct kt_dek_id *id, struct kt_arena *a, struct kt_bytes *out) KT_MUST;

/* W: a group of wraps, durable on return.  Blind wraps are kept as well, those of what is erased are not. */
struct kt_wrap_group;
int kt_wrap_group_begin(struct kt_keyring *k, struct kt_wrap_group **out) KT_MUST;
int kt_wrap_group_put(struct kt_wrap_group *g, struct kt_bytes wrap) KT_MUST;
int kt_wrap_group_commit(struct kt_wrap_group *g) KT_MUST; /* ends it either way; nothing put: costs nothing */
void kt_wrap_group_abort(struct kt_wrap_group *g);          /* NULL is nothing */
/* Any thread: a key of that compartment, just opened from a wrap that is on its way to the disk. */
void kt_keyring_learn(struct kt_keyring *k, kt_compartment c, const struct kt_dek *dek);

/* W: the data key to write with for a ward: the one of lowest id of the current birth epoch, else a new one, whose wrap
 * goes into `group`. */
int kt_keyring_dek_for(struct kt_keyring *k, struct kt_wrap_group *group, kt_compartment c, const struct kt_tag *tag,
                       uint32_t generation, struct kt_dek *out, struct kt_hash *wrap_hash, bool *created) KT_MUST;

/* Erasures.  W: takes one that two members signed: durable, and the keys of what it names destroyed, on return.  *news:
 * it was not known.  KT_ERIGHTS and others of kt_erasure_verify: it does not count. */
int kt_keyring_take_erasure(struct kt_keyring *k, struct kt_bytes erasure, bool *news) KT_MUST;
/* Is everything of that ward at or below that generation dead?  Any thread. */
bool kt_keyring_erased(struct kt_keyring *k, kt_compartment c, const struct kt_tag *tag, uint32_t generation);
/* The generation to write with: the one after what was erased. */
uint32_t kt_keyring_generation(struct kt_keyring *k, kt_compartment c, const struct kt_tag *tag);
/* Names the set of all erasures here: equal names, equal sets.  0: there are none. */
uint64_t kt_keyring_erasures(struct kt_keyring *k);
/* Every one, as received.  What `give` returns other than KT_OK ends the walk and is returned. */
int kt_keyring_give_erasures(struct kt_keyring *k, int (*give)(void *ctx, struct kt_bytes erasure), void *ctx) KT_MUST;

/* Small durable numbers of this node. */
int kt_keyring_number_get(struct kt_keyring *k, const char *name, uint64_t *out) KT_MUST; /* KT_ENOTFOUND */
int kt_keyring_number_set(struct kt_keyring *k, const char *name, uint64_t value) KT_MUST; /* W, durable */

#endif
