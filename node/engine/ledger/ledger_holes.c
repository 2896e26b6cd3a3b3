/* Holes of the journal: known by name, passed over while the store is made again, filled by a peer's copy. */
#include "engine/ledger/ledger_state.h"

#include <stdlib.h>

#define APPLY_ARENA_BYTES_MAX (256u << 20)
#define APPLIED_AT_ONCE       64u

const struct kt_hole *kt_ledger_holes(const struct kt_ledger *l, uint32_t *n)
{
    *n = l->holes_len;
    return l->holes;
}

const struct kt_hole *kt_ledger_hole(const struct kt_ledger *l, struct kt_origin origin, uint64_t number)
{
    for (uint32_t i = 0; i < l->holes_len; i++)
        if (l->holes[i].number == number && kt_origin_compare(l->holes[i].origin, origin) == 0) return &l->holes[i];
    return NULL;
}

const struct kt_hole *kt_ledger_hole_at(const struct kt_ledger *l, uint64_t position)
{
    for (uint32_t i = 0; i < l->holes_len; i++)
        if (l->holes[i].position == position) return &l->holes[i];
    return NULL;
}

static int each_hole(void *context, struct kt_origin origin, uint64_t number, uint64_t position)
{
    struct kt_ledger *l = context;
    if (l->holes_len == l->holes_cap) {
        const uint32_t cap = l->holes_cap ? 2 * l->holes_cap : 16;
        struct kt_hole *grown = realloc(l->holes, cap * sizeof *grown);
        if (!grown) return KT_ENOMEM;
        l->holes = grown;
        l->holes_cap = cap;
    }
    l->holes[l->holes_len++] = (struct kt_hole){origin, number, position};
    return KT_OK;
}

int kt_ledger_read_holes(struct kt_ledger *l, struct kt_txn *journal)
{
    l->holes_len = 0;
    return kt_journal_holes(l->store, journal, each_hole, l);
}

static int nothing_follows(struct kt_ledger *l, struct kt_txn *journal, struct kt_origin origin, uint64_t number)
{
    uint64_t position;
    const int e = kt_journal_where(l->store, journal, origin, number + 1, &position);
    return e == KT_ENOTFOUND ? KT_OK : e ? e : KT_EDAMAGED;
}

static int check_head(struct kt_ledger *l, struct kt_txn *journal, const struct kt_vector_entry *head)
{
    static const struct kt_hash unknown;
    struct kt_journal_entry entry;
    struct kt_arena arena;
    struct kt_seal seal;
    struct kt_hash hash;
    int e = nothing_follows(l, journal, head->origin, head->number);
    if (e || kt_ledger_hole(l, head->origin, head->number)) return e;
    e = kt_journal_find(l->store, journal, head->origin, head->number, &entry);
    if (e == KT_ESNAPSHOT) return KT_OK;
    kt_arena_init(&arena, 1u << 20);
    if (!e) e = kt_batch_peek(entry.batch, &arena, &seal, &hash);
    const bool same = !e && (memcmp(&hash, &head->seal_hash, sizeof hash) == 0 ||
                             memcmp(&unknown, &head->seal_hash, sizeof unknown) == 0);
    kt_arena_free(&arena);
    return e == KT_EIO || e == KT_ENOMEM || e == KT_ELIMIT ? e : same ? KT_OK : KT_EDAMAGED;
}

int kt_ledger_check_heads(struct kt_ledger *l, struct kt_txn *journal)
{
    int e = KT_OK;
    for (size_t i = 0; i < l->vector.len && !e; i++) e = check_head(l, journal, &l->vector.entries[i]);
    /* a number of ours that were used again would fork us */
    return e ? e : nothing_follows(l, journal, l->origin, kt_vector_get(&l->vector, l->origin));
}

/* Changes the journal's holes in a transaction of their own, and reads them again. */
static int change_holes(struct kt_ledger *l,
                        int (*change)(struct kt_ledger *l, struct kt_txn *journal, const void *context),
                        const void *context)
{
    struct kt_txn *t;
    int e = l->store->ops->begin(l->store, KT_ENV_JOURNAL, true, &t);
    if (e) return e;
    e = change(l, t, context);
    if (!e) e = kt_ledger_read_holes(l, t);
    if (!e) return l->store->ops->commit(t);
    l->store->ops->abort(t);
    return e;
}

static int punch(struct kt_ledger *l, struct kt_txn *journal, const void *context)
{
    const uint64_t *position = context;
    return kt_journal_punch(l->store, journal, *position);
}

int kt_ledger_punch(struct kt_ledger *l, uint64_t position) { return change_holes(l, punch, &position); }

/* ------------------------------------------------------------------------------------------------------- filling */

/* The hash that the seal of a batch beside the hole has; zeros where that one is not here. */
static int beside(struct kt_ledger *l, struct kt_txn *journal, struct kt_origin origin, uint64_t number,
                  struct kt_arena *arena, struct kt_seal *seal, struct kt_hash *hash)
{
    struct kt_journal_entry entry;
    *seal = (struct kt_seal){0};
    *hash = (struct kt_hash){0};
    int e = number ? kt_journal_find(l->store, journal, origin, number, &entry) : KT_ENOTFOUND;
    if (!e) e = kt_batch_peek(entry.batch, arena, seal, hash);
    return e == KT_EIO || e == KT_ENOMEM || e == KT_ELIMIT ? e : KT_OK;
}

static bool known(const struct kt_hash *h)
{
    static const struct kt_hash zeros;
    return memcmp(h, &zeros, sizeof zeros) != 0;
}

static int fill(struct kt_ledger *l, struct kt_txn *journal, const void *context)
{
    const struct kt_opened *o = context;
    const struct kt_seal *s = &o->batch.seal;
    struct kt_batch batch = o->batch;
    struct kt_bytes bytes = o->bytes;
    struct kt_seal before, after;
    struct kt_hash before_hash, after_hash;
    struct kt_arena arena;
    uint64_t position;
    kt_arena_init(&arena, 8u << 20);
    int e = beside(l, journal, s->origin, s->number - 1, &arena, &before, &before_hash);
    if (!e) e = beside(l, journal, s->origin, s->number + 1, &arena, &after, &after_hash);
    if (!e && known(&before_hash) && memcmp(&s->previous, &before_hash, sizeof before_hash) != 0) e = KT_EFORK;
    if (!e && known(&after_hash) && memcmp(&after.previous, &o->batch.seal_hash, sizeof after.previous) != 0)
        e = KT_EFORK;
    if (!e) e = kt_ledger_strip(l, &batch, &arena, &bytes);
    if (!e) e = kt_journal_fill(l->store, journal, s->origin, s->number, bytes, &position);
    kt_arena_free(&arena);
    return e;
}

/* Keys first, then the journal, then the store, as ever. */
int kt_ledger_fill(struct kt_ledger *l, const struct kt_opened *o)
{
    struct kt_wrap_group *wraps;
    int e = kt_ledger_hole(l, o->batch.seal.origin, o->batch.seal.number) ? KT_OK : KT_ENOTFOUND;
    if (!e) e = kt_wrap_group_begin(l->keyring, &wraps);
    if (e) return e;
    for (uint32_t i = 0; i < o->wraps_len && !e; i++) e = kt_wrap_group_put(wraps, o->wraps[i]);
    if (!e)
        e = kt_wrap_group_commit(wraps);
    else
        kt_wrap_group_abort(wraps);
    if (!e) e = change_holes(l, fill, o);
    return e ? e : kt_ledger_catch_up(l);
}

/* ----------------------------------------------------------------------------------------------------- the store */

int kt_ledger_pass_hole(struct kt_ledger *l, const struct kt_hole *hole)
{
    uint8_t key[KT_LOST_KEY_BYTES];
    kt_workset_lost_key(hole->origin, hole->number, key);
    kt_workset_set_lost(l->workset, true);
    l->without++;
    return l->store->ops->put(kt_workset_txn(l->workset), KT_T_store_meta, KT_BYTES_OF(key), kt_bytes("", 0));
}

/* Names that the open transaction of the store was made without; `max` of them at most are copied. */
static int read_names(struct kt_ledger *l, struct kt_hole *out, uint32_t max, uint32_t *copied, uint32_t *all)
{
    const struct kt_store_ops *ops = l->store->ops;
    struct kt_cursor *c;
    struct kt_bytes key;
    *copied = *all = 0;
    int e = ops->cursor(kt_workset_txn(l->workset), KT_T_store_meta, &c);
    if (e) return e;
    for (enum kt_seek how = KT_SEEK_AT_OR_AFTER;
         !(e = ops->seek(c, how, kt_str("h"), &key, NULL)) && key.len == KT_LOST_KEY_BYTES && key.data[0] == 'h';
         how = KT_SEEK_NEXT) {
        struct kt_reader r = kt_reader(kt_bytes(key.data + 1, key.len - 1));
        struct kt_hole h = {.origin = kt_origin_unpack(kt_take(&r, KT_ORIGIN_BYTES).data)};
        h.number = kt_take_be64(&r);
        ++*all;
        /* what is still a hole stays */
        if (*copied < max && !kt_ledger_hole(l, h.origin, h.number)) out[(*copied)++] = h;
    }
    ops->cursor_close(c);
    return e == KT_ENOTFOUND ? KT_OK : e;
}

void kt_ledger_read_without(struct kt_ledger *l)
{
    uint32_t copied;
    if (read_names(l, NULL, 0, &copied, &l->without)) return;
    kt_workset_set_lost(l->workset, l->without > 0);
}

static int apply_one(struct kt_ledger *l, struct kt_txn *journal, const struct kt_hole *h,
                     const struct kt_vector *vector, struct kt_arena *arena)
{
    struct kt_journal_entry entry;
    uint8_t key[KT_LOST_KEY_BYTES];
    uint64_t position;
    struct kt_opened *o = kt_arena_alloc(arena, sizeof *o);
    if (!o) return KT_ELIMIT;
    int e = kt_journal_where(l->store, journal, h->origin, h->number, &position);
    if (!e) e = kt_journal_find(l->store, journal, h->origin, h->number, &entry);
    if (!e) e = kt_open_batch(l->keyring, l->packer, entry.batch, NULL, 0, arena, o);
    if (!e && o->verdict) e = KT_EDAMAGED;
    if (!e && h->number <= kt_roster_cut(kt_keyring_roster(l->keyring), h->origin, 0))
        e = kt_apply_batch(l->workset, vector, o, position, &l->count);
    kt_workset_lost_key(h->origin, h->number, key);
    if (!e) e = l->store->ops->del(kt_workset_txn(l->workset), KT_T_store_meta, KT_BYTES_OF(key));
    return e;
}

static int apply_some(struct kt_ledger *l, const struct kt_vector *vector, struct kt_arena *arena, bool *more)
{
    struct kt_hole names[APPLIED_AT_ONCE];
    struct kt_txn *journal;
    uint32_t n = 0, all = 0;
    *more = false;
    int e = l->store->ops->begin(l->store, KT_ENV_JOURNAL, false, &journal);
    if (e) return e;
    if (!(e = kt_workset_begin(l->workset, true))) {
        e = read_names(l, names, APPLIED_AT_ONCE, &n, &all);
        for (uint32_t i = 0; i < n && !e; i++) e = apply_one(l, journal, &names[i], vector, arena);
        if (!e && n) e = kt_views_update(l->views);
        if (!e && n)
            e = kt_workset_commit(l->workset);
        else
            kt_workset_abort(l->workset);
    }
    l->store->ops->abort(journal);
    if (e) return e;
    l->without = all - n;
    kt_workset_set_lost(l->workset, l->without > 0);
    *more = n == APPLIED_AT_ONCE;
    return KT_OK;
}

int kt_ledger_apply_filled(struct kt_ledger *l, const struct kt_vector *vector)
{
    struct kt_arena arena;
    bool more = l->without > 0;
    int e = KT_OK;
    kt_arena_init(&arena, APPLY_ARENA_BYTES_MAX);
    while (more && !e) {
        kt_arena_reset(&arena);
        e = apply_some(l, vector, &arena, &more);
    }
    kt_arena_free(&arena);
    return e;
}
