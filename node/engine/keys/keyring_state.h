/* The inside of a keyring, shared by the files that implement it (keyring*.c) and by nobody else. */
#ifndef KT_ENGINE_KEYRING_STATE_H
#define KT_ENGINE_KEYRING_STATE_H

#include "engine/keys/keyring.h"

#include <pthread.h>

#define KT_DEK_CACHE_SLOTS 8192u /* direct-mapped, by the first bytes of the id (which is a hash) */

/* One compartment as this node knows it. */
struct kt_ring {
    kt_compartment compartment;
    struct kt_compartment_keys *keys; /* NULL: not read here */
    uint8_t (*local)[KT_KEY_BYTES];   /* store keys: view, index, state; sodium_malloc */
};

struct kt_retired { struct kt_compartment_keys *keys; struct kt_retired *next; };

/* A data key, and the compartment whose key opened it: in another one it is no key, cached or not. */
struct kt_cached_dek { struct kt_dek dek; kt_compartment compartment; };

/* A ward whose data is dead in a compartment, up to a generation. */
struct kt_erased { kt_compartment compartment; struct kt_tag tag; uint32_t generation; };

#define KT_ERASURE_KEY_BYTES (4u + KT_TAG_BYTES)
#define KT_WARD_DEK_BYTES    (KT_ERASURE_KEY_BYTES + 4u + 4u + sizeof(struct kt_dek_id))

struct kt_keyring {
    struct kt_store *store;
    struct kt_world *world;
    pthread_mutex_t lock; /* everything below */
    uint8_t *root_key;    /* sodium_malloc */
    struct kt_identity *identity;
    struct kt_certificate certificate;
    bool admitted;
    bool bundles_missing; /* ours, of the newest roster */
    struct kt_roster **rosters; /* [0] is version 1 */
    uint32_t rosters_len, rosters_cap;
    struct kt_ring rings[KT_COMPARTMENTS_MAX];
    uint32_t rings_len;
    struct kt_retired *retired; /* keys replaced by newer ones, still in somebody's hands */
    struct kt_cached_dek *cache;     /* KT_DEK_CACHE_SLOTS, sodium_malloc */
    struct kt_erased *erased;        /* by compartment and tag */
    uint32_t erased_len, erased_cap;
    uint64_t erasures_name; /* of the whole set */
};

/* Opens the bundle of this member for every compartment of the newest roster.  Lock held. */
int kt_keyring_open_bundles(struct kt_keyring *k, struct kt_txn *t, bool *opened) KT_MUST;
/* At open, before any other thread. */
int kt_keyring_load_erasures(struct kt_keyring *k, struct kt_txn *t) KT_MUST;
/* The ring of a compartment, made on first use.  Lock held.  NULL past KT_COMPARTMENTS_MAX or out of memory. */
struct kt_ring *kt_keyring_ring(struct kt_keyring *k, kt_compartment c);
/* Verifies and adds one roster on top of those held.  Lock held. */
int kt_keyring_add_roster(struct kt_keyring *k, struct kt_bytes signed_roster) KT_MUST;

#endif
