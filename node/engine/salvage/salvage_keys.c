#include "core/hlc.h"
#include "engine/salvage/salvage.h"
#include "proto/batch/erasure.h"

#include <stdlib.h>

#define ARENA_BYTES_MAX (512u << 20) /* what is small and few: identity, rosters, bundles, erasures */
#define WRAPS_AT_ONCE   4096u        /* in one transaction */

struct piece {
    struct piece *next;
    uint64_t version; /* of a roster */
    struct kt_bytes key, value;
};

struct keys_salvage {
    struct kt_store *to;
    struct kt_world *world;
    const uint8_t *root_key;
    struct kt_salvaged_keys *out;
    struct kt_arena arena;
    struct piece *rosters, *certificates, *bundles, *erasures;
    struct kt_bytes identity;
    kt_hlc ceiling;
    struct kt_txn *txn;
};

/* ----------------------------------------------------------------------------------------------- what is few: kept */

static int remember(struct keys_salvage *k, struct piece **list, uint64_t version, struct kt_bytes key,
                    struct kt_bytes value)
{
    for (const struct piece *p = *list; p; p = p->next)
        if (kt_bytes_equal(p->value, value) && kt_bytes_equal(p->key, key)) return KT_OK; /* of an older transaction */
    struct piece *p = kt_arena_alloc(&k->arena, sizeof *p);
    if (!p) return KT_ENOMEM;
    *p = (struct piece){*list, version, kt_arena_copy(&k->arena, key), kt_arena_copy(&k->arena, value)};
    if (!p->key.data || !p->value.data) return KT_ENOMEM;
    *list = p;
    return KT_OK;
}

/* keys_meta: "identity", "certificate", and numbers. */
static int take_meta(struct keys_salvage *k, struct kt_bytes key, struct kt_bytes value)
{
    struct kt_identity *id;
    if (kt_bytes_equal(key, kt_str("identity")) && !k->identity.data && !kt_identity_open(value, k->root_key, &id)) {
        kt_identity_free(id);
        k->identity = kt_arena_copy(&k->arena, value);
        return k->identity.data ? KT_OK : KT_ENOMEM;
    }
    if (kt_bytes_equal(key, kt_str("certificate"))) return remember(k, &k->certificates, 0, key, value);
    if (kt_bytes_equal(key, kt_str("hlc-ceiling")) && value.len == 8) {
        struct kt_reader r = kt_reader(value);
        const kt_hlc ceiling = kt_take_be64(&r);
        const kt_hlc most = (k->world->now_ms(k->world) + KT_SKEW_MS_MAX) << 16;
        if (ceiling > k->ceiling && ceiling <= most) k->ceiling = ceiling;
    }
    return KT_OK;
}

static int take_few(void *context, uint64_t place, struct kt_bytes key, struct kt_bytes value)
{
    struct keys_salvage *k = context;
    uint64_t version = 0;
    (void)place;
    if (key.len == 0 || value.len == 0) return KT_OK;
    if (key.len == sizeof(struct kt_hash)) {
        const struct kt_hash hash = kt_bundle_hash(value);
        if (kt_bytes_equal(key, KT_BYTES_OF(hash))) return remember(k, &k->bundles, 0, key, value);
    }
    if (key.len == 4 + sizeof(struct kt_tag) && value.len <= KT_ERASURE_BYTES_MAX)
        return remember(k, &k->erasures, 0, key, value);
    if (key.len == sizeof version && value.len <= KT_ROSTER_BYTES_MAX) {
        memcpy(&version, key.data, sizeof version);
        if (version >= 1 && version <= KT_ROSTER_CHAIN_MAX) return remember(k, &k->rosters, version, key, value);
    }
    return take_meta(k, key, value);
}

static int put(struct keys_salvage *k, enum kt_table table, struct kt_bytes key, struct kt_bytes value)
{
    return k->to->ops->put(k->txn, table, key, value);
}

/* The chain from version 1 as far as it goes; the last stays with the caller. */
static int put_rosters(struct keys_salvage *k, struct kt_roster **last)
{
    int e = KT_OK;
    *last = NULL;
    for (bool more = true; more && !e;) {
        more = false;
        const uint64_t next = *last ? (*last)->version + 1u : 1u;
        for (const struct piece *p = k->rosters; p && !more && !e; p = p->next) {
            struct kt_roster *r;
            if (p->version != next || kt_roster_decode(p->value, *last, &r)) continue;
            e = put(k, KT_T_keys_roster, p->key, p->value);
            if (*last) kt_roster_free(*last);
            *last = r;
            k->out->rosters++;
            more = true;
        }
    }
    return e;
}

static int put_certificate(struct keys_salvage *k, const struct kt_roster *roster)
{
    struct kt_identity *id;
    if (!k->identity.data || kt_identity_open(k->identity, k->root_key, &id)) return KT_OK;
    int e = KT_OK;
    for (const struct piece *p = k->certificates; p && !e && !k->out->certificate; p = p->next) {
        struct kt_certificate c;
        if (kt_certificate_decode(p->value, roster, 0, &c) || memcmp(&c.pub, &id->pub, sizeof c.pub) != 0) continue;
        e = put(k, KT_T_keys_meta, p->key, p->value);
        k->out->certificate = true;
    }
    kt_identity_free(id);
    return e;
}

/* An erasure lies under what it erases.  Of several that lay there one after the other the last generation counts. */
static int put_erasures(struct keys_salvage *k, const struct kt_roster *roster)
{
    int e = KT_OK;
    for (const struct piece *p = k->erasures; p && !e; p = p->next) {
        struct kt_signed_erasure s, other;
        struct kt_bytes there;
        struct kt_reader r = kt_reader(p->key);
        if (kt_erasure_decode(p->value, &k->arena, &s) || kt_erasure_verify(&s, roster)) continue;
        if (s.erasure.compartment != kt_take_be32(&r) || memcmp(p->key.data + 4, &s.erasure.tag, sizeof s.erasure.tag))
            continue;
        if (!k->to->ops->get(k->txn, KT_T_keys_erasure, p->key, &there) &&
            !kt_erasure_decode(there, &k->arena, &other) && other.erasure.generation >= s.erasure.generation)
            continue;
        e = put(k, KT_T_keys_erasure, p->key, p->value);
        k->out->erasures++;
    }
    return e;
}

/* Stamps and pulses given out lie below the ceiling; the clock goes on above it. */
static int put_ceiling(struct keys_salvage *k)
{
    const kt_hlc least = (k->world->now_ms(k->world) + KT_HLC_CEILING_MS) << 16;
    struct kt_buf b;
    kt_buf_init(&b, 16);
    kt_buf_be64(&b, k->ceiling > least ? k->ceiling : least);
    const int e = b.err ? b.err : put(k, KT_T_keys_meta, kt_str("hlc-ceiling"), kt_buf_bytes(&b));
    kt_buf_free(&b);
    return e;
}

static int put_few(struct keys_salvage *k)
{
    struct kt_roster *roster = NULL;
    int e = k->to->ops->begin(k->to, KT_ENV_KEYS, true, &k->txn);
    if (e) return e;
    if (k->identity.data) e = put(k, KT_T_keys_meta, kt_str("identity"), k->identity);
    k->out->identity = k->identity.data;
    if (!e) e = put_ceiling(k);
    if (!e) e = put_rosters(k, &roster);
    if (!e && roster) e = put_certificate(k, roster);
    if (!e && roster) e = put_erasures(k, roster);
    for (const struct piece *p = k->bundles; p && !e; p = p->next, k->out->bundles++)
        e = put(k, KT_T_keys_bundle, p->key, p->value);
    if (roster) kt_roster_free(roster);
    if (!e)
        e = k->to->ops->commit(k->txn);
    else
        k->to->ops->abort(k->txn);
    k->txn = NULL;
    return e;
}

int kt_salvage_keys(struct kt_salvage *from, struct kt_store *to, struct kt_world *world,
                    const uint8_t root_key[KT_KEY_BYTES], struct kt_salvaged_keys *out)
{
    struct keys_salvage k = {.to = to, .world = world, .root_key = root_key, .out = out};
    *out = (struct kt_salvaged_keys){0};
    kt_arena_init(&k.arena, ARENA_BYTES_MAX);
    int e = from->rows(from, take_few, &k);
    if (!e) e = put_few(&k);
    kt_arena_free(&k.arena);
    return e;
}

/* ------------------------------------------------------------------------------------------------ what is many: wraps
 */

struct wraps_salvage {
    struct kt_keyring *keyring;
    struct kt_salvaged_keys *out;
    struct kt_wrap_group *group;
    uint32_t in_group;
};

static int end_wraps(struct wraps_salvage *s)
{
    struct kt_wrap_group *group = s->group;
    s->group = NULL;
    s->in_group = 0;
    return group ? kt_wrap_group_commit(group) : KT_OK;
}

static int take_wrap(void *context, uint64_t place, struct kt_bytes key, struct kt_bytes value)
{
    struct wraps_salvage *s = context;
    struct kt_wrap w;
    (void)place;
    if (key.len != sizeof w.id || kt_wrap_decode(value, &w) || !kt_bytes_equal(key, KT_BYTES_OF(w.id))) return KT_OK;
    /* an erased key does not come back, however many copies of its wrap lie in the file */
    if (kt_keyring_erased(s->keyring, w.compartment, &w.tag, w.generation)) return KT_OK;
    int e = s->in_group == WRAPS_AT_ONCE ? end_wraps(s) : KT_OK;
    if (!e && !s->group) e = kt_wrap_group_begin(s->keyring, &s->group);
    if (e) return e;
    e = kt_wrap_group_put(s->group, value);
    if (e == KT_EOPEN || e == KT_EHASH) {
        s->out->wraps_refused++;
        return KT_OK;
    }
    if (!e) s->out->wraps++, s->in_group++;
    return e;
}

int kt_salvage_wraps(struct kt_salvage *from, struct kt_keyring *keyring, struct kt_salvaged_keys *out)
{
    struct wraps_salvage s = {.keyring = keyring, .out = out};
    const int e = from->rows(from, take_wrap, &s);
    if (!e) return end_wraps(&s);
    kt_wrap_group_abort(s.group);
    return e;
}
