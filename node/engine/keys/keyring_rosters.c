/* The keyring's rosters and the bundles that travel beside them. */
#include "engine/keys/keyring_state.h"

#include <stdlib.h>

#define ROSTERS_PER_GIFT_BYTES (180u << 10) /* then the asker asks again with what it has */

int kt_keyring_add_roster(struct kt_keyring *k, struct kt_bytes signed_roster)
{
    if (k->rosters_len == k->rosters_cap) {
        uint32_t cap = k->rosters_cap ? k->rosters_cap * 2 : 8;
        struct kt_roster **grown = realloc(k->rosters, cap * sizeof *grown);
        if (!grown) return KT_ENOMEM;
        k->rosters = grown;
        k->rosters_cap = cap;
    }
    struct kt_roster *r;
    int e = kt_roster_decode(signed_roster, k->rosters_len ? k->rosters[k->rosters_len - 1] : NULL, &r);
    if (e) return e;
    k->rosters[k->rosters_len++] = r;
    return KT_OK;
}

const struct kt_roster *kt_keyring_roster(struct kt_keyring *k)
{
    pthread_mutex_lock(&k->lock);
    const struct kt_roster *r = k->rosters_len ? k->rosters[k->rosters_len - 1] : NULL;
    pthread_mutex_unlock(&k->lock);
    return r;
}

const struct kt_roster *kt_keyring_roster_told(struct kt_keyring *k)
{
    pthread_mutex_lock(&k->lock);
    const uint32_t newest = k->bundles_missing && k->rosters_len > 1 ? k->rosters_len - 1 : k->rosters_len;
    const struct kt_roster *r = newest ? k->rosters[newest - 1] : NULL;
    pthread_mutex_unlock(&k->lock);
    return r;
}

const struct kt_roster *kt_keyring_roster_version(struct kt_keyring *k, uint32_t v)
{
    pthread_mutex_lock(&k->lock);
    const struct kt_roster *r = v >= 1 && v <= k->rosters_len ? k->rosters[v - 1] : NULL;
    pthread_mutex_unlock(&k->lock);
    return r;
}

/* Takes the keys of one compartment into use; those they replace stay in memory for whoever holds them. */
static int use_keys(struct kt_keyring *k, struct kt_compartment_keys *keys)
{
    struct kt_ring *ring = kt_keyring_ring(k, keys->compartment);
    struct kt_retired *old = ring && ring->keys ? malloc(sizeof *old) : NULL;
    if (!ring || (ring->keys && !old)) {
        kt_compartment_keys_free(keys);
        return KT_ENOMEM;
    }
    if (old) {
        *old = (struct kt_retired){ring->keys, k->retired};
        k->retired = old;
    }
    ring->keys = keys;
    return KT_OK;
}

/* Our bundle of a compartment as the newest roster names it, or, while that one is on its way, as one before it did: a
 * node that starts just then still reads what it read.  *old: it is an older one. */
static int stored_bundle(struct kt_keyring *k, struct kt_txn *t, kt_compartment c, struct kt_bytes *out, bool *old)
{
    for (uint32_t v = k->rosters_len; v > 0; v--) {
        const struct kt_roster *r = k->rosters[v - 1];
        for (uint32_t i = 0; i < r->bundles_len; i++) {
            if (r->bundles[i].member != k->certificate.member || r->bundles[i].compartment != c) continue;
            const int e = k->store->ops->get(t, KT_T_keys_bundle, KT_BYTES_OF(r->bundles[i].hash), out);
            *old = v < k->rosters_len;
            if (e != KT_ENOTFOUND) return e;
        }
    }
    return KT_ENOTFOUND;
}

int kt_keyring_open_bundles(struct kt_keyring *k, struct kt_txn *t, bool *opened)
{
    const struct kt_roster *r = k->rosters[k->rosters_len - 1];
    *opened = k->bundles_missing = false;
    for (uint32_t i = 0; i < r->bundles_len; i++) {
        const struct kt_roster_bundle *b = &r->bundles[i];
        if (b->member != k->certificate.member) continue;
        struct kt_bytes sealed;
        bool old = false;
        int e = stored_bundle(k, t, b->compartment, &sealed, &old);
        if (e == KT_ENOTFOUND || (!e && old)) k->bundles_missing = true; /* still on its way */
        if (e == KT_ENOTFOUND) continue;
        struct kt_compartment_keys *keys;
        if (e || (e = kt_bundle_open(sealed, k->identity, &keys))) return e;
        struct kt_ring *ring = kt_keyring_ring(k, b->compartment);
        const bool same = ring && ring->keys && (old || ring->keys->keks_len == keys->keks_len);
        if (same || keys->compartment != b->compartment) {
            kt_compartment_keys_free(keys);
            continue;
        }
        if ((e = use_keys(k, keys))) return e;
        *opened = true;
    }
    return KT_OK;
}

/* Keeps the bundles that the newest roster names; others are nobody's business. */
static int put_bundles(struct kt_keyring *k, struct kt_txn *t, const struct kt_bytes *bundles, uint32_t n)
{
    const struct kt_roster *r = k->rosters[k->rosters_len - 1];
    for (uint32_t i = 0; i < n; i++) {
        const struct kt_hash hash = kt_bundle_hash(bundles[i]);
        bool named = false;
        for (uint32_t j = 0; j < r->bundles_len && !named; j++)
            named = memcmp(&r->bundles[j].hash, &hash, sizeof hash) == 0;
        int e = named ? k->store->ops->put(t, KT_T_keys_bundle, KT_BYTES_OF(hash), bundles[i]) : KT_OK;
        if (e) return e;
    }
    return KT_OK;
}

/* Adds those that follow the newest held; the rest were seen before and must be the same. */
static int put_rosters(struct kt_keyring *k, struct kt_txn *t, const struct kt_bytes *rosters, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        int e = kt_keyring_add_roster(k, rosters[i]);
        if (e == KT_EVERSION) continue; /* held already */
        if (e) return e;
        const uint64_t version = k->rosters_len;
        if ((e = k->store->ops->put(t, KT_T_keys_roster, KT_BYTES_OF(version), rosters[i]))) return e;
    }
    return KT_OK;
}

int kt_keyring_take_rosters(struct kt_keyring *k, const struct kt_bytes *rosters, uint32_t n,
                            const struct kt_bytes *bundles, uint32_t bundles_len, bool *newer)
{
    const struct kt_store_ops *ops = k->store->ops;
    struct kt_txn *t;
    int e = ops->begin(k->store, KT_ENV_KEYS, true, &t);
    if (e) return e;
    pthread_mutex_lock(&k->lock);
    const uint32_t before = k->rosters_len;
    const bool missing = k->bundles_missing;
    bool opened = false;
    /* of another organisation: its version 1 is not ours */
    if (before && k->admitted && n && memcmp(&k->rosters[0]->cluster, &k->certificate.cluster, KT_CLUSTER_BYTES) != 0)
        e = KT_ECLUSTER;
    if (!e) e = put_rosters(k, t, rosters, n);
    if (!e && k->rosters_len == 0) e = KT_ENOTFOUND;
    if (!e) e = put_bundles(k, t, bundles, bundles_len);
    if (!e && k->admitted) e = kt_keyring_open_bundles(k, t, &opened);
    if (e)
        ops->abort(t);
    else
        e = ops->commit(t);
    if (e) { /* what is not durable is not in force */
        k->bundles_missing = missing;
        while (k->rosters_len > before) kt_roster_free(k->rosters[--k->rosters_len]);
    } else {
        *newer = opened || k->rosters_len > before || (missing && !k->bundles_missing);
    }
    pthread_mutex_unlock(&k->lock);
    return e;
}

int kt_keyring_give_rosters(struct kt_keyring *k, uint32_t after, struct kt_arena *a, struct kt_bytes **rosters,
                            uint32_t *n, struct kt_bytes **bundles, uint32_t *bundles_len)
{
    const struct kt_store_ops *ops = k->store->ops;
    const struct kt_roster *newest = kt_keyring_roster(k);
    if (!newest) return KT_ENOTFOUND;
    struct kt_bytes *give = kt_arena_array(a, newest->version, sizeof *give);
    struct kt_bytes *sealed = kt_arena_array(a, newest->bundles_len, sizeof *sealed);
    if (!give || (newest->bundles_len && !sealed)) return KT_ELIMIT;
    struct kt_txn *t;
    int e = ops->begin(k->store, KT_ENV_KEYS, false, &t);
    if (e) return e;
    uint32_t given = 0, found = 0;
    size_t bytes = 0;
    struct kt_bytes value;
    for (uint64_t v = (uint64_t)after + 1; v <= newest->version && !e; v++) {
        if ((e = ops->get(t, KT_T_keys_roster, KT_BYTES_OF(v), &value))) break;
        if (given && bytes + value.len > ROSTERS_PER_GIFT_BYTES) break;
        bytes += value.len;
        give[given++] = kt_arena_copy(a, value);
    }
    for (uint32_t i = 0; i < newest->bundles_len && !e; i++) {
        int missing = ops->get(t, KT_T_keys_bundle, KT_BYTES_OF(newest->bundles[i].hash), &value);
        if (missing == KT_ENOTFOUND) continue;
        if (!(e = missing)) sealed[found++] = kt_arena_copy(a, value);
    }
    ops->abort(t);
    if (e) return e;
    *rosters = give, *n = given, *bundles = sealed, *bundles_len = found;
    return KT_OK;
}
