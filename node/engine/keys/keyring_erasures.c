/* The keyring's erasures: whose data is dead, kept durably beside the keys that went with it.  All of them are in
 * memory too, sorted: every envelope asks. */
#include "engine/keys/keyring_state.h"

#include "proto/batch/erasure.h"

#include <sodium.h>
#include <stdlib.h>

static int compare(const struct kt_erased *a, kt_compartment c, const struct kt_tag *tag)
{
    if (a->compartment != c) return a->compartment < c ? -1 : 1;
    return memcmp(&a->tag, tag, sizeof *tag);
}

/* Where it stands, or would stand.  Lock held. */
static uint32_t place(const struct kt_keyring *k, kt_compartment c, const struct kt_tag *tag, bool *found)
{
    uint32_t low = 0, high = k->erased_len;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        if (compare(&k->erased[mid], c, tag) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *found = low < k->erased_len && compare(&k->erased[low], c, tag) == 0;
    return low;
}

uint32_t kt_keyring_generation(struct kt_keyring *k, kt_compartment c, const struct kt_tag *tag)
{
    bool found;
    pthread_mutex_lock(&k->lock);
    const uint32_t at = place(k, c, tag, &found);
    const uint32_t generation = found ? k->erased[at].generation + 1 : 0;
    pthread_mutex_unlock(&k->lock);
    return generation;
}

bool kt_keyring_erased(struct kt_keyring *k, kt_compartment c, const struct kt_tag *tag, uint32_t generation)
{
    return generation < kt_keyring_generation(k, c, tag);
}

uint64_t kt_keyring_erasures(struct kt_keyring *k)
{
    pthread_mutex_lock(&k->lock);
    const uint64_t name = k->erasures_name;
    pthread_mutex_unlock(&k->lock);
    return name;
}

/* Lock held. */
static int reserve(struct kt_keyring *k)
{
    if (k->erased_len < k->erased_cap) return KT_OK;
    const uint32_t cap = k->erased_cap ? k->erased_cap * 2 : 64;
    struct kt_erased *grown = realloc(k->erased, cap * sizeof *grown);
    if (!grown) return KT_ENOMEM;
    k->erased = grown;
    k->erased_cap = cap;
    return KT_OK;
}

/* Sets of erasures are told apart by the sum of these, in whatever order they came. */
static uint64_t term(const struct kt_erased *x)
{
    const uint32_t numbers[] = {x->compartment, x->generation};
    const struct kt_bytes parts[] = {KT_BYTES_OF(numbers), KT_BYTES_OF(x->tag)};
    const struct kt_hash hash = kt_hash_parts(kt_label_text(KT_LABEL_ERASURE), parts, 2);
    uint64_t out;
    memcpy(&out, &hash, sizeof out);
    return out;
}

/* Lock held; room was reserved. */
static void add(struct kt_keyring *k, const struct kt_erasure *e)
{
    bool found;
    const uint32_t at = place(k, e->compartment, &e->tag, &found);
    if (found) {
        k->erasures_name -= term(&k->erased[at]);
    } else {
        memmove(&k->erased[at + 1], &k->erased[at], (k->erased_len - at) * sizeof *k->erased);
        k->erased_len++;
    }
    k->erased[at] = (struct kt_erased){e->compartment, e->tag, e->generation};
    k->erasures_name += term(&k->erased[at]);
}

/* compartment 4, tag 12 */
static void erasure_key(kt_compartment c, const struct kt_tag *tag, uint8_t out[KT_ERASURE_KEY_BYTES])
{
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(c >> (24 - 8 * i));
    memcpy(out + 4, tag, sizeof *tag);
}

int kt_keyring_load_erasures(struct kt_keyring *k, struct kt_txn *t)
{
    const struct kt_store_ops *ops = k->store->ops;
    struct kt_cursor *c;
    struct kt_bytes key, value;
    struct kt_arena a;
    int e = ops->cursor(t, KT_T_keys_erasure, &c);
    if (e) return e;
    kt_arena_init(&a, 1u << 20);
    for (enum kt_seek how = KT_SEEK_AT_OR_AFTER; !(e = ops->seek(c, how, kt_bytes(NULL, 0), &key, &value));
         how = KT_SEEK_NEXT) {
        struct kt_signed_erasure s;
        kt_arena_reset(&a);
        if (kt_erasure_decode(value, &a, &s))
            e = KT_EDAMAGED; /* whose data it was nobody could tell: not passed over */
        if (e || (e = reserve(k))) break;
        add(k, &s.erasure);
    }
    kt_arena_free(&a);
    ops->cursor_close(c);
    return e == KT_ENOTFOUND ? KT_OK : e;
}

/* ------------------------------------------------------------------------------------------------------- taking */

/* The first key of the ward at or below that generation: compartment 4, tag 12, generation 4, birth epoch 4, id 24. */
static int first_key(struct kt_keyring *k, struct kt_txn *t, const uint8_t ward[KT_ERASURE_KEY_BYTES],
                     uint32_t generation, uint8_t out[KT_WARD_DEK_BYTES])
{
    const struct kt_store_ops *ops = k->store->ops;
    struct kt_cursor *c;
    struct kt_bytes key;
    int e = ops->cursor(t, KT_T_keys_ward, &c);
    if (e) return e;
    e = ops->seek(c, KT_SEEK_AT_OR_AFTER, kt_bytes(ward, KT_ERASURE_KEY_BYTES), &key, NULL);
    if (!e) {
        struct kt_reader r = kt_reader(key);
        const bool ours = key.len == KT_WARD_DEK_BYTES && memcmp(key.data, ward, KT_ERASURE_KEY_BYTES) == 0;
        (void)kt_take(&r, KT_ERASURE_KEY_BYTES);
        if (ours && kt_take_be32(&r) <= generation)
            memcpy(out, key.data, key.len);
        else
            e = KT_ENOTFOUND;
    }
    ops->cursor_close(c);
    return e;
}

/* What opens the ward's data goes in the same commit that says it is dead. */
static int destroy_keys(struct kt_keyring *k, struct kt_txn *t, const uint8_t ward[KT_ERASURE_KEY_BYTES],
                        uint32_t generation)
{
    const struct kt_store_ops *ops = k->store->ops;
    uint8_t key[KT_WARD_DEK_BYTES];
    int e;
    while (!(e = first_key(k, t, ward, generation, key))) {
        const size_t id = sizeof key - sizeof(struct kt_dek_id);
        if ((e = ops->del(t, KT_T_keys_wrap, kt_bytes(key + id, sizeof(struct kt_dek_id))))) break;
        if ((e = ops->del(t, KT_T_keys_ward, KT_BYTES_OF(key)))) break;
    }
    return e == KT_ENOTFOUND ? KT_OK : e;
}

static int write_erasure(struct kt_keyring *k, const struct kt_erasure *x, struct kt_bytes bytes)
{
    const struct kt_store_ops *ops = k->store->ops;
    uint8_t ward[KT_ERASURE_KEY_BYTES];
    struct kt_txn *t;
    erasure_key(x->compartment, &x->tag, ward);
    int e = ops->begin(k->store, KT_ENV_KEYS, true, &t);
    if (e) return e;
    e = ops->put(t, KT_T_keys_erasure, KT_BYTES_OF(ward), bytes);
    if (!e) e = destroy_keys(k, t, ward, x->generation);
    if (!e) return ops->commit(t);
    ops->abort(t);
    return e;
}

int kt_keyring_take_erasure(struct kt_keyring *k, struct kt_bytes bytes, bool *news)
{
    struct kt_arena a;
    struct kt_signed_erasure s;
    *news = false;
    if (bytes.len > KT_ERASURE_BYTES_MAX) return KT_EOVERSIZE;
    kt_arena_init(&a, 1u << 20);
    int e = kt_erasure_decode(bytes, &a, &s);
    const bool known = !e && kt_keyring_erased(k, s.erasure.compartment, &s.erasure.tag,
                                               s.erasure.generation); /* costs no signature */
    if (!e && !known) e = kt_erasure_verify(&s, kt_keyring_roster(k));
    if (!e && s.erasure.generation == UINT32_MAX) e = KT_EMALFORMED; /* nothing could be written after it */
    if (!e && !known) {
        pthread_mutex_lock(&k->lock);
        e = reserve(k);
        pthread_mutex_unlock(&k->lock);
        if (!e) e = write_erasure(k, &s.erasure, bytes);
        if (!e) {
            pthread_mutex_lock(&k->lock);
            add(k, &s.erasure);
            sodium_memzero(k->cache, (size_t)KT_DEK_CACHE_SLOTS * sizeof *k->cache);
            pthread_mutex_unlock(&k->lock);
            *news = true;
        }
    }
    kt_arena_free(&a);
    return e;
}

int kt_keyring_give_erasures(struct kt_keyring *k, int (*give)(void *ctx, struct kt_bytes erasure), void *ctx)
{
    const struct kt_store_ops *ops = k->store->ops;
    struct kt_cursor *c;
    struct kt_bytes value;
    struct kt_txn *t;
    int e = ops->begin(k->store, KT_ENV_KEYS, false, &t);
    if (e) return e;
    if (!(e = ops->cursor(t, KT_T_keys_erasure, &c))) {
        for (enum kt_seek how = KT_SEEK_AT_OR_AFTER; !(e = ops->seek(c, how, kt_bytes(NULL, 0), NULL, &value));
             how = KT_SEEK_NEXT)
            if ((e = give(ctx, value))) break;
        ops->cursor_close(c);
    }
    ops->abort(t);
    return e == KT_ENOTFOUND ? KT_OK : e;
}
