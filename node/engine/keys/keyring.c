#include "engine/keys/keyring_state.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

static const char IDENTITY[] = "identity", CERTIFICATE[] = "certificate";

static void identity_key(const uint8_t root[KT_KEY_BYTES], enum kt_label label, kt_compartment c, uint8_t *out)
{
    const uint8_t number[4] = {(uint8_t)(c >> 24), (uint8_t)(c >> 16), (uint8_t)(c >> 8), (uint8_t)c};
    const struct kt_bytes ctx[] = {kt_str("store"), kt_bytes(number, sizeof number)};
    kt_kdf(out, KT_KEY_BYTES, label, root, ctx, 2);
}

struct kt_ring *kt_keyring_ring(struct kt_keyring *k, kt_compartment c)
{
    for (uint32_t i = 0; i < k->rings_len; i++)
        if (k->rings[i].compartment == c) return &k->rings[i];
    if (k->rings_len == KT_COMPARTMENTS_MAX) return NULL;
    uint8_t(*local)[KT_KEY_BYTES] = sodium_malloc((size_t)3 * KT_KEY_BYTES);
    if (!local) return NULL;
    identity_key(k->root_key, KT_LABEL_STORE_VIEW, c, local[0]);
    identity_key(k->root_key, KT_LABEL_STORE_INDEX, c, local[1]);
    identity_key(k->root_key, KT_LABEL_STORE_STATE, c, local[2]);
    struct kt_ring *r = &k->rings[k->rings_len++];
    *r = (struct kt_ring){.compartment = c, .local = local};
    return r;
}

const uint8_t *kt_keyring_store_key(struct kt_keyring *k, enum kt_label label, kt_compartment c)
{
    pthread_mutex_lock(&k->lock);
    struct kt_ring *r = kt_keyring_ring(k, c);
    pthread_mutex_unlock(&k->lock);
    return r ? r->local[label == KT_LABEL_STORE_VIEW ? 0 : label == KT_LABEL_STORE_INDEX ? 1 : 2] : NULL;
}

const struct kt_compartment_keys *kt_keyring_compartment(struct kt_keyring *k, kt_compartment c)
{
    const struct kt_compartment_keys *keys = NULL;
    pthread_mutex_lock(&k->lock);
    for (uint32_t i = 0; i < k->rings_len; i++)
        if (k->rings[i].compartment == c) keys = k->rings[i].keys;
    pthread_mutex_unlock(&k->lock);
    return keys;
}

const struct kt_identity *kt_keyring_identity(const struct kt_keyring *k) { return k->identity; }
bool kt_keyring_admitted(const struct kt_keyring *k) { return k->admitted; }
kt_member kt_keyring_self(const struct kt_keyring *k) { return k->certificate.member; }
const struct kt_cluster *kt_keyring_cluster(const struct kt_keyring *k) { return &k->certificate.cluster; }

const uint8_t *kt_keyring_id_key(const struct kt_keyring *k)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&k->lock; /* asked from every thread, while bundles come in */
    const uint8_t *key = NULL;
    pthread_mutex_lock(lock);
    for (uint32_t i = 0; i < k->rings_len && !key; i++)
        if (k->rings[i].keys) key = k->rings[i].keys->id_key;
    pthread_mutex_unlock(lock);
    return key;
}

/* ------------------------------------------------------------------------------------------- rows of keys_meta */

static int meta_copy(struct kt_keyring *k, struct kt_bytes key, struct kt_buf *out)
{
    const struct kt_store_ops *ops = k->store->ops;
    struct kt_txn *t;
    int e = ops->begin(k->store, KT_ENV_KEYS, false, &t);
    if (e) return e;
    struct kt_bytes value;
    e = ops->get(t, KT_T_keys_meta, key, &value);
    if (!e) kt_buf_put(out, value);
    ops->abort(t);
    return e ? e : out->err;
}

static int meta_put(struct kt_store *store, struct kt_bytes key, struct kt_bytes value)
{
    struct kt_txn *t;
    int e = store->ops->begin(store, KT_ENV_KEYS, true, &t);
    if (e) return e;
    if ((e = store->ops->put(t, KT_T_keys_meta, key, value))) {
        store->ops->abort(t);
        return e;
    }
    return store->ops->commit(t);
}

int kt_keyring_number_get(struct kt_keyring *k, const char *name, uint64_t *out)
{
    struct kt_buf b;
    kt_buf_init(&b, 64);
    int e = meta_copy(k, kt_str(name), &b);
    struct kt_reader r = kt_reader(kt_buf_bytes(&b));
    const uint64_t number = kt_take_be64(&r);
    kt_buf_free(&b);
    if (e) return e;
    if (r.err || kt_reader_left(&r)) return KT_EDAMAGED;
    *out = number;
    return KT_OK;
}

int kt_keyring_number_set(struct kt_keyring *k, const char *name, uint64_t value)
{
    struct kt_buf b;
    kt_buf_init(&b, 64);
    kt_buf_be64(&b, value);
    int e = b.err ? b.err : meta_put(k->store, kt_str(name), kt_buf_bytes(&b));
    kt_buf_free(&b);
    return e;
}

/* ------------------------------------------------------------------------------------------------- open, admit */

int kt_keyring_install_identity(struct kt_store *store, struct kt_bytes sealed, const uint8_t root_key[KT_KEY_BYTES])
{
    struct kt_identity *id;
    int e = kt_identity_open(sealed, root_key, &id);
    if (e) return e;
    kt_identity_free(id);
    return meta_put(store, kt_str(IDENTITY), sealed);
}

static int load_identity(struct kt_keyring *k)
{
    struct kt_buf b;
    kt_buf_init(&b, 4096);
    int e = meta_copy(k, kt_str(IDENTITY), &b);
    if (!e) e = kt_identity_open(kt_buf_bytes(&b), k->root_key, &k->identity);
    kt_buf_free(&b);
    return e;
}

static int load_rosters(struct kt_keyring *k, struct kt_txn *t)
{
    const struct kt_store_ops *ops = k->store->ops;
    struct kt_cursor *c;
    int e = ops->cursor(t, KT_T_keys_roster, &c);
    if (e) return e;
    struct kt_bytes key, value;
    for (enum kt_seek how = KT_SEEK_AT_OR_AFTER; !(e = ops->seek(c, how, kt_bytes(NULL, 0), &key, &value));
         how = KT_SEEK_NEXT)
        if ((e = kt_keyring_add_roster(k, value))) break;
    ops->cursor_close(c);
    return e == KT_ENOTFOUND ? KT_OK : e;
}

static int use_certificate(struct kt_keyring *k, struct kt_bytes bytes)
{
    if (k->rosters_len == 0) return KT_ENOTFOUND;
    struct kt_certificate c;
    /* time 0: our own is kept even past its end, so that the node can still say so */
    int e = kt_certificate_decode(bytes, k->rosters[k->rosters_len - 1], 0, &c);
    if (e) return e;
    if (sodium_memcmp(&c.pub, &k->identity->pub, sizeof c.pub) != 0) return KT_ENOTMEMBER;
    k->certificate = c;
    k->admitted = true;
    return KT_OK;
}

static int load_membership(struct kt_keyring *k)
{
    const struct kt_store_ops *ops = k->store->ops;
    struct kt_txn *t;
    int e = ops->begin(k->store, KT_ENV_KEYS, false, &t);
    if (e) return e;
    struct kt_bytes certificate;
    bool opened;
    if (!(e = load_rosters(k, t)) && !(e = kt_keyring_load_erasures(k, t)) && !(e = ops->get(t, KT_T_keys_meta, kt_str(CERTIFICATE), &certificate)) &&
        !(e = use_certificate(k, certificate)))
        e = kt_keyring_open_bundles(k, t, &opened);
    ops->abort(t);
    return e == KT_ENOTFOUND ? KT_OK : e; /* not admitted yet */
}

int kt_keyring_open(struct kt_store *store, struct kt_world *world, const uint8_t root_key[KT_KEY_BYTES],
                    struct kt_keyring **out)
{
    struct kt_keyring *k = calloc(1, sizeof *k);
    if (!k) return KT_ENOMEM;
    pthread_mutex_init(&k->lock, NULL);
    k->store = store;
    k->world = world;
    k->root_key = sodium_malloc(KT_KEY_BYTES);
    k->cache = sodium_malloc((size_t)KT_DEK_CACHE_SLOTS * sizeof *k->cache);
    int e = k->root_key && k->cache ? KT_OK : KT_ENOMEM;
    if (!e) {
        memcpy(k->root_key, root_key, KT_KEY_BYTES);
        memset(k->cache, 0, (size_t)KT_DEK_CACHE_SLOTS * sizeof *k->cache);
        e = load_identity(k);
    }
    if (!e) e = load_membership(k);
    if (e) {
        kt_keyring_close(k);
        return e;
    }
    *out = k;
    return KT_OK;
}

void kt_keyring_close(struct kt_keyring *k)
{
    if (!k) return;
    for (uint32_t i = 0; i < k->rosters_len; i++) kt_roster_free(k->rosters[i]);
    free(k->rosters);
    free(k->erased);
    for (uint32_t i = 0; i < k->rings_len; i++) {
        if (k->rings[i].keys) kt_compartment_keys_free(k->rings[i].keys);
        sodium_free(k->rings[i].local);
    }
    for (struct kt_retired *r = k->retired, *next; r; r = next) {
        next = r->next;
        kt_compartment_keys_free(r->keys);
        free(r);
    }
    if (k->identity) kt_identity_free(k->identity);
    sodium_free(k->root_key);
    sodium_free(k->cache);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

int kt_keyring_certificate(struct kt_keyring *k, struct kt_buf *out) { return meta_copy(k, kt_str(CERTIFICATE), out); }

int kt_keyring_admit(struct kt_keyring *k, struct kt_bytes bytes)
{
    struct kt_arena arena;
    kt_arena_init(&arena, 64u << 20);
    struct kt_admission a;
    bool newer;
    int e = kt_admission_decode(bytes, &arena, &a);
    if (!e) e = kt_keyring_take_rosters(k, a.rosters, a.rosters_len, a.bundles, a.bundles_len, &newer);
    if (!e) {
        pthread_mutex_lock(&k->lock);
        e = use_certificate(k, a.certificate);
        pthread_mutex_unlock(&k->lock);
    }
    if (!e) e = meta_put(k->store, kt_str(CERTIFICATE), a.certificate);
    /* the certificate says which bundles are ours: open them now */
    if (!e) e = kt_keyring_take_rosters(k, NULL, 0, a.bundles, a.bundles_len, &newer);
    kt_arena_free(&arena);
    return e;
}
