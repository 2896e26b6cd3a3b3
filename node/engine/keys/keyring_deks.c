/* The keyring's data keys: wraps as they came, a cache of opened keys, and the key to write with. */
#include "engine/keys/keyring_state.h"

#include <sodium.h>
#include <stdlib.h>

struct kt_wrap_group {
    struct kt_keyring *keyring;
    struct kt_txn *txn; /* opened by the first write */
};

static struct kt_cached_dek *cache_slot(struct kt_keyring *k, const struct kt_dek_id *id)
{
    uint32_t n;
    memcpy(&n, id->b, sizeof n);
    return &k->cache[n % KT_DEK_CACHE_SLOTS];
}

static bool cache_find(struct kt_keyring *k, kt_compartment c, const struct kt_dek_id *id, struct kt_dek *out)
{
    pthread_mutex_lock(&k->lock);
    const struct kt_cached_dek *slot = cache_slot(k, id);
    const bool hit = slot->compartment == c && memcmp(&slot->dek.id, id, sizeof *id) == 0;
    if (hit) *out = slot->dek;
    pthread_mutex_unlock(&k->lock);
    return hit;
}

void kt_keyring_learn(struct kt_keyring *k, kt_compartment c, const struct kt_dek *dek)
{
    pthread_mutex_lock(&k->lock);
    *cache_slot(k, &dek->id) = (struct kt_cached_dek){*dek, c};
    pthread_mutex_unlock(&k->lock);
}

/* Opens the wrap of `id` as this transaction sees it. */
static int open_wrap(struct kt_keyring *k, struct kt_txn *t, kt_compartment c, const struct kt_dek_id *id,
                     struct kt_dek *out)
{
    struct kt_bytes stored;
    int e = k->store->ops->get(t, KT_T_keys_wrap, KT_BYTES_OF(*id), &stored);
    if (e) return e == KT_ENOTFOUND ? KT_EKEY : e;
    const struct kt_compartment_keys *keys = kt_keyring_compartment(k, c);
    if (!keys) return KT_EKEY;
    struct kt_wrap w;
    if ((e = kt_wrap_decode(stored, &w)) || (e = kt_wrap_open(keys, &w, out))) return e;
    return memcmp(&out->id, id, sizeof *id) == 0 && w.compartment == c ? KT_OK : KT_EHASH;
}

int kt_keyring_dek(struct kt_keyring *k, kt_compartment c, const struct kt_dek_id *id, struct kt_dek *out)
{
    if (cache_find(k, c, id, out)) return KT_OK;
    struct kt_txn *t;
    int e = k->store->ops->begin(k->store, KT_ENV_KEYS, false, &t);
    if (e) return e;
    e = open_wrap(k, t, c, id, out);
    k->store->ops->abort(t);
    if (!e) kt_keyring_learn(k, c, out);
    return e;
}

int kt_keyring_wrap(struct kt_keyring *k, const struct kt_dek_id *id, struct kt_arena *a, struct kt_bytes *out)
{
    struct kt_txn *t;
    int e = k->store->ops->begin(k->store, KT_ENV_KEYS, false, &t);
    if (e) return e;
    struct kt_bytes value;
    if (!(e = k->store->ops->get(t, KT_T_keys_wrap, KT_BYTES_OF(*id), &value))) {
        *out = kt_arena_copy(a, value);
        e = out->data ? KT_OK : KT_ELIMIT;
    }
    k->store->ops->abort(t);
    return e;
}

/* ------------------------------------------------------------------------------------------------------ groups */

int kt_wrap_group_begin(struct kt_keyring *k, struct kt_wrap_group **out)
{
    struct kt_wrap_group *g = calloc(1, sizeof *g);
    if (!g) return KT_ENOMEM;
    g->keyring = k;
    *out = g;
    return KT_OK;
}

static int group_writes(struct kt_wrap_group *g)
{
    struct kt_store *s = g->keyring->store;
    return g->txn ? KT_OK : s->ops->begin(s, KT_ENV_KEYS, true, &g->txn);
}

/* compartment 4, tag 12, generation 4, birth epoch 4, then the id 24: the lowest id of an epoch stands first. */
static void ward_key(kt_compartment c, const struct kt_tag *tag, uint32_t generation, uint32_t epoch,
                     const struct kt_dek_id *id, struct kt_buf *out)
{
    kt_buf_clear(out);
    kt_buf_be32(out, c);
    kt_buf_put(out, KT_BYTES_OF(*tag));
    kt_buf_be32(out, generation);
    kt_buf_be32(out, epoch);
    if (id) kt_buf_put(out, KT_BYTES_OF(*id));
}

int kt_wrap_group_put(struct kt_wrap_group *g, struct kt_bytes bytes)
{
    struct kt_keyring *k = g->keyring;
    const struct kt_store_ops *ops = k->store->ops;
    struct kt_wrap w;
    int e = kt_wrap_decode(bytes, &w);
    if (e) return e;
    if (kt_keyring_erased(k, w.compartment, &w.tag, w.generation)) return KT_OK; /* never again, whoever has it yet */
    const struct kt_compartment_keys *keys = kt_keyring_compartment(k, w.compartment);
    struct kt_dek dek;
    if (keys && (e = kt_wrap_open(keys, &w, &dek)) && e != KT_EKEY) return e; /* forged: not kept */
    const bool opened = keys && !e;
    struct kt_bytes held;
    if ((e = group_writes(g))) return e;
    e = ops->get(g->txn, KT_T_keys_wrap, KT_BYTES_OF(w.id), &held);
    if (e != KT_ENOTFOUND && (e || !opened || kt_bytes_equal(held, bytes))) return e; /* blind nodes keep the first */
    struct kt_buf key;
    kt_buf_init(&key, 64);
    ward_key(w.compartment, &w.tag, w.generation, w.birth_epoch, &w.id, &key);
    if (!(e = key.err) && !(e = ops->put(g->txn, KT_T_keys_wrap, KT_BYTES_OF(w.id), bytes)))
        e = ops->put(g->txn, KT_T_keys_ward, kt_buf_bytes(&key), kt_bytes("", 0));
    kt_buf_free(&key);
    if (!e && opened) kt_keyring_learn(k, w.compartment, &dek);
    return e;
}

int kt_wrap_group_commit(struct kt_wrap_group *g)
{
    int e = g->txn ? g->keyring->store->ops->commit(g->txn) : KT_OK;
    free(g);
    return e;
}

void kt_wrap_group_abort(struct kt_wrap_group *g)
{
    if (!g) return;
    if (g->txn) g->keyring->store->ops->abort(g->txn);
    free(g);
}

/* ------------------------------------------------------------------------------------------- the key to write with */

static int find_id(struct kt_store *s, struct kt_txn *t, struct kt_bytes prefix, struct kt_dek_id *out)
{
    struct kt_cursor *c;
    int e = s->ops->cursor(t, KT_T_keys_ward, &c);
    if (e) return e;
    struct kt_bytes key;
    e = s->ops->seek(c, KT_SEEK_AT_OR_AFTER, prefix, &key, NULL);
    if (!e) {
        const bool ours = key.len == prefix.len + sizeof *out && memcmp(key.data, prefix.data, prefix.len) == 0;
        if (ours) memcpy(out, key.data + prefix.len, sizeof *out);
        e = ours ? KT_OK : KT_ENOTFOUND;
    }
    s->ops->cursor_close(c);
    return e;
}

static int find_dek(struct kt_wrap_group *g, kt_compartment c, struct kt_bytes prefix, struct kt_dek *out)
{
    struct kt_keyring *k = g->keyring;
    struct kt_txn *t = g->txn;
    int e = t ? KT_OK : k->store->ops->begin(k->store, KT_ENV_KEYS, false, &t);
    if (e) return e;
    struct kt_dek_id id;
    e = find_id(k->store, t, prefix, &id);
    if (!e && !cache_find(k, c, &id, out) && !(e = open_wrap(k, t, c, &id, out))) kt_keyring_learn(k, c, out);
    if (!g->txn) k->store->ops->abort(t);
    return e;
}

static int create_dek(struct kt_wrap_group *g, const struct kt_compartment_keys *keys, const struct kt_kek *kek,
                      const struct kt_tag *tag, uint32_t generation, struct kt_dek *out, struct kt_hash *wrap_hash)
{
    struct kt_keyring *k = g->keyring;
    struct kt_buf wrap;
    kt_buf_init(&wrap, 1024);
    k->world->random(k->world, out->key, sizeof out->key);
    out->id = kt_dek_id_of(out->key, keys->compartment, tag, generation, kek->epoch);
    int e = kt_wrap_seal(keys, kek, out, tag, generation, kek->epoch, &wrap);
    if (!e) e = kt_wrap_group_put(g, kt_buf_bytes(&wrap));
    if (!e) *wrap_hash = kt_wrap_hash(kt_buf_bytes(&wrap));
    kt_buf_free(&wrap);
    return e;
}

int kt_keyring_dek_for(struct kt_keyring *k, struct kt_wrap_group *g, kt_compartment c, const struct kt_tag *tag,
                       uint32_t generation, struct kt_dek *out, struct kt_hash *wrap_hash, bool *created)
{
    const struct kt_compartment_keys *keys = kt_keyring_compartment(k, c);
    const struct kt_roster *roster = kt_keyring_roster(k);
    const struct kt_roster_compartment *rc = roster ? kt_roster_compartment(roster, c) : NULL;
    const struct kt_kek *kek = keys && rc ? kt_kek_find(keys, rc->epoch) : NULL;
    /* the bundle of a new epoch is still on its way: writes do not wait for it */
    if (!kek && keys && rc && keys->keks_len && keys->keks[keys->keks_len - 1].epoch < rc->epoch)
        kek = &keys->keks[keys->keks_len - 1];
    if (!kek) return KT_EKEY;
    struct kt_buf prefix;
    kt_buf_init(&prefix, 64);
    ward_key(c, tag, generation, kek->epoch, NULL, &prefix);
    int e = prefix.err ? prefix.err : find_dek(g, c, kt_buf_bytes(&prefix), out);
    kt_buf_free(&prefix);
    *created = e == KT_ENOTFOUND;
    return *created ? create_dek(g, keys, kek, tag, generation, out, wrap_hash) : e;
}
