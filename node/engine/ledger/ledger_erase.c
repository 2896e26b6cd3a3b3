/* Erasures in the ledger.  The keyring has destroyed the keys and says whose data is dead; here it leaves the store,
 * and the journal's batches, of which what was hashed stays.  Both carry the name of the set of erasures they heed. */
#include "engine/ledger/ledger_state.h"

#define BATCHES_PER_SWEEP     256u
#define SWEEP_BYTES           (4u << 20)
#define SWEEP_ARENA_BYTES_MAX (64u << 20)
#define SWEPT                 "erased-journal"

/* ------------------------------------------------------------------------------------------------------- batches */

static bool mark_erased(struct kt_ledger *l, struct kt_batch *b)
{
    bool any = false;
    for (uint32_t s = 0; s < b->seal.sections_len; s++)
        for (uint32_t i = 0; i < b->sections[s].items_len; i++) {
            struct kt_item *item = &b->sections[s].items[i];
            if (item->erased ||
                !kt_keyring_erased(l->keyring, b->seal.sections[s].compartment, &item->tag, item->generation))
                continue;
            item->erased = any = true;
        }
    return any;
}

int kt_ledger_strip(struct kt_ledger *l, struct kt_batch *b, struct kt_arena *arena, struct kt_bytes *bytes)
{
    if (kt_keyring_erasures(l->keyring) == 0 || !mark_erased(l, b)) return KT_OK;
    struct kt_buf out;
    kt_buf_init(&out, KT_BATCH_BYTES_MAX);
    int e = kt_batch_encode(b, &out);
    const struct kt_bytes copy = e ? kt_bytes(NULL, 0) : kt_arena_copy(arena, kt_buf_bytes(&out));
    kt_buf_free(&out);
    if (e == KT_EOVERSIZE) return KT_OK; /* filled up with what no honest node writes: its keys are gone all the same */
    if (!e && !copy.data) e = KT_ELIMIT;
    if (!e) *bytes = copy;
    return e;
}

static int strip_at(struct kt_ledger *l, struct kt_txn *t, uint64_t position, struct kt_arena *arena, bool *changed)
{
    struct kt_journal_entry entry;
    struct kt_batch b;
    int e = kt_journal_get(l->store, t, position, &entry);
    if (e) return e == KT_EDAMAGED ? KT_OK : e; /* verify names it */
    /* written over below: what is borrowed from there has to stay */
    const struct kt_bytes before = kt_arena_copy(arena, entry.batch);
    struct kt_bytes after = before;
    if (!before.data) return KT_ELIMIT;
    if (kt_batch_decode(before, arena, &b)) return KT_OK;
    e = kt_ledger_strip(l, &b, arena, &after);
    if (e || after.data == before.data) return e;
    *changed = true;
    return kt_journal_replace(l->store, t, position, after);
}

int kt_ledger_sweep(struct kt_ledger *l)
{
    const struct kt_store_ops *ops = l->store->ops;
    const uint64_t name = kt_keyring_erasures(l->keyring);
    struct kt_arena arena;
    struct kt_txn *t;
    uint64_t base, next;
    bool changed = false;
    if (name == l->swept) return KT_OK;
    int e = ops->begin(l->store, KT_ENV_JOURNAL, true, &t);
    if (e) return e;
    kt_arena_init(&arena, SWEEP_ARENA_BYTES_MAX);
    e = kt_journal_span(l->store, t, &base, &next);
    if (!e && l->sweeping != name) l->sweep_at = base; /* another set: from the beginning */
    uint64_t at = l->sweep_at < base ? base : l->sweep_at;
    for (uint32_t i = 0; i < BATCHES_PER_SWEEP && at < next && !e && arena.used_bytes < SWEEP_BYTES; i++)
        if (!(e = strip_at(l, t, at, &arena, &changed))) at++;
    kt_arena_free(&arena);
    if (e || !changed)
        ops->abort(t);
    else
        e = ops->commit(t);
    if (e) return e;
    l->sweeping = name;
    l->sweep_at = at;
    if (at < next) return KT_OK;
    e = kt_keyring_number_set(l->keyring, SWEPT, name);
    if (!e) l->swept = name;
    return e;
}

/* --------------------------------------------------------------------------------------------------------- store */

static int put_name(struct kt_ledger *l, uint64_t name)
{
    uint8_t value[8];
    for (int i = 0; i < 8; i++) value[i] = (uint8_t)(name >> (56 - 8 * i));
    return l->store->ops->put(kt_workset_txn(l->workset), KT_T_store_meta, kt_str("erased"), KT_BYTES_OF(value));
}

int kt_ledger_erase(struct kt_ledger *l)
{
    const uint64_t name = kt_keyring_erasures(l->keyring);
    if (name == l->erased || kt_ledger_lags(l)) return KT_OK;
    int e = kt_workset_begin(l->workset, true);
    if (e) return e;
    e = kt_workset_erase(l->workset);
    if (!e) e = kt_views_update(l->views);
    if (!e) e = put_name(l, name);
    if (e) {
        kt_workset_abort(l->workset);
        return e;
    }
    e = kt_workset_commit(l->workset);
    if (!e) l->erased = name;
    return e;
}

int kt_ledger_load_erased(struct kt_ledger *l)
{
    int e = kt_ledger_store_number(l, "erased", &l->erased);
    if (e == KT_ENOTFOUND) l->erased = 0;
    if (e && e != KT_ENOTFOUND) return e;
    e = kt_keyring_number_get(l->keyring, SWEPT, &l->swept);
    if (e == KT_ENOTFOUND) l->swept = 0;
    return e == KT_ENOTFOUND ? KT_OK : e;
}
