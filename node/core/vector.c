/* A sorted array: origins are few (members times their lives), and every use walks it in order. */
#include "core/vector.h"

#include <stdlib.h>

/* The first entry whose origin is not below o. */
static size_t lower_bound(const struct kt_vector *v, struct kt_origin o)
{
    size_t low = 0, high = v->len;
    if (high > 0 && kt_origin_compare(v->entries[high - 1].origin, o) < 0) return high; /* appended in order */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kt_origin_compare(v->entries[middle].origin, o) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void kt_vector_free(struct kt_vector *v)
{
    free(v->entries);
    *v = (struct kt_vector){0};
}

const struct kt_vector_entry *kt_vector_find(const struct kt_vector *v, struct kt_origin o)
{
    size_t at = lower_bound(v, o);
    return at < v->len && kt_origin_compare(v->entries[at].origin, o) == 0 ? &v->entries[at] : NULL;
}

uint64_t kt_vector_get(const struct kt_vector *v, struct kt_origin o)
{
    const struct kt_vector_entry *e = kt_vector_find(v, o);
    return e ? e->number : 0;
}

int kt_vector_reserve(struct kt_vector *v, size_t len)
{
    if (len > KT_ORIGINS_MAX) return KT_ELIMIT;
    if (len <= v->cap) return KT_OK;
    size_t cap = v->cap ? v->cap : 8;
    while (cap < len) cap *= 2;
    struct kt_vector_entry *entries = realloc(v->entries, cap * sizeof *entries);
    if (!entries) return KT_ENOMEM;
    v->entries = entries;
    v->cap = cap;
    return KT_OK;
}

int kt_vector_set(struct kt_vector *v, const struct kt_vector_entry *e)
{
    size_t at = lower_bound(v, e->origin);
    if (at < v->len && kt_origin_compare(v->entries[at].origin, e->origin) == 0) {
        if (e->number < v->entries[at].number) return KT_EBUG;
        v->entries[at] = *e;
        return KT_OK;
    }
    if (e->number == 0) return KT_OK; /* nothing of it, as before */
    struct kt_vector_entry entry = *e;
    int err = kt_vector_reserve(v, v->len + 1);
    if (err) return err;
    memmove(&v->entries[at + 1], &v->entries[at], (v->len - at) * sizeof entry);
    v->entries[at] = entry;
    v->len++;
    return KT_OK;
}

int kt_vector_copy(const struct kt_vector *from, struct kt_vector *to)
{
    int err = kt_vector_reserve(to, from->len);
    if (err) return err;
    if (from->len) memcpy(to->entries, from->entries, from->len * sizeof *to->entries);
    to->len = from->len;
    return KT_OK;
}

void kt_vector_clip(struct kt_vector *v, const struct kt_roster *roster)
{
    size_t kept = 0;
    for (size_t i = 0; i < v->len; i++) {
        struct kt_vector_entry e = v->entries[i];
        uint64_t last = kt_roster_cut(roster, e.origin, 0);
        if (last == 0) continue;
        if (e.number > last) { /* which seal stands at the cut, the clipped vector does not know */
            e.number = last;
            e.seal_hash = (struct kt_hash){0};
            e.hlc = 0;
        }
        v->entries[kept++] = e;
    }
    v->len = kept;
}

bool kt_vector_covers(const struct kt_vector *v, const struct kt_head *heads, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (kt_vector_get(v, heads[i].origin) < heads[i].number) return false;
    return true;
}

uint64_t kt_vector_behind(const struct kt_vector *have, const struct kt_vector *lack)
{
    uint64_t behind = 0;
    for (size_t i = 0; i < have->len; i++) {
        uint64_t there = kt_vector_get(lack, have->entries[i].origin);
        if (have->entries[i].number > there) behind += have->entries[i].number - there;
    }
    return behind;
}

/* Hashed in runs of entries, each run together with the hash of those before it: no memory is needed, however long the
 * vector is. */
#define RUN_ENTRIES 64u
#define PLAIN_BYTES (KT_ORIGIN_BYTES + 8u)

static struct kt_hash hash_entries(const struct kt_vector *v, enum kt_label label, bool seals)
{
    uint8_t run[RUN_ENTRIES * (PLAIN_BYTES + KT_HASH_BYTES)];
    struct kt_hash so_far = {0};
    size_t at = 0;
    do {
        uint8_t *out = run;
        for (size_t end = at + RUN_ENTRIES; at < v->len && at < end; at++) {
            const struct kt_vector_entry *e = &v->entries[at];
            kt_origin_pack(e->origin, out);
            for (unsigned i = 0; i < 8; i++) out[KT_ORIGIN_BYTES + i] = (uint8_t)(e->number >> (56 - 8 * i));
            out += PLAIN_BYTES;
            if (!seals) continue;
            memcpy(out, e->seal_hash.b, KT_HASH_BYTES);
            out += KT_HASH_BYTES;
        }
        struct kt_bytes parts[] = {KT_BYTES_OF(so_far), kt_bytes(run, (size_t)(out - run))};
        so_far = kt_hash_parts(kt_label_text(label), parts, 2);
    } while (at < v->len);
    return so_far;
}

struct kt_hash kt_vector_hash(const struct kt_vector *v) { return hash_entries(v, KT_LABEL_VECTOR, false); }

struct kt_hash kt_vector_seals_hash(const struct kt_vector *v) { return hash_entries(v, KT_LABEL_VECTOR_SEALS, true); }

int kt_vector_heads(const struct kt_vector *v, struct kt_arena *a, struct kt_head **heads, uint32_t *len)
{
    struct kt_head *out = NULL;
    if (v->len) {
        out = kt_arena_array(a, v->len, sizeof *out);
        if (!out) return KT_ELIMIT;
    }
    for (size_t i = 0; i < v->len; i++) out[i] = (struct kt_head){v->entries[i].origin, v->entries[i].number};
    *heads = out;
    *len = (uint32_t)v->len;
    return KT_OK;
}
