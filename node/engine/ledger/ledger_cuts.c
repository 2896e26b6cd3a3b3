/* What the newest roster's cuts leave of the ledger.  The journal keeps what it took; the vector is clipped, and a
 * store to which cut batches were applied is made again from what came before them. */
#include "engine/ledger/ledger_state.h"

#include "proto/batch/batch.h"

#include <stdlib.h>

#define SEAL_ARENA_BYTES_MAX (1u << 20)

/* ------------------------------------------------------------------------------------------------------- vector */

/* A head that was clipped: the seal that stands there now, where the journal still has it. */
static int look_up_head(struct kt_ledger *l, struct kt_txn *journal, struct kt_vector_entry *head)
{
    struct kt_journal_entry entry;
    struct kt_seal seal;
    struct kt_arena a;
    int e = kt_journal_find(l->store, journal, head->origin, head->number, &entry);
    if (e == KT_EDAMAGED && kt_ledger_hole(l, head->origin, head->number)) return KT_OK; /* it may come again */
    if (e) return e == KT_ESNAPSHOT ? KT_OK : e;
    kt_arena_init(&a, SEAL_ARENA_BYTES_MAX);
    e = kt_batch_peek(entry.batch, &a, &seal, &head->seal_hash);
    if (!e) head->hlc = seal.hlc;
    if (!e) head->roster_version = seal.roster_version;
    kt_arena_free(&a);
    return e ? KT_EDAMAGED : KT_OK;
}

static int note_cut(struct kt_ledger *l, struct kt_origin o)
{
    if (l->cut_len == l->cut_cap) {
        const size_t cap = l->cut_cap ? l->cut_cap * 2 : 16;
        struct kt_origin *grown = realloc(l->cut, cap * sizeof *grown);
        if (!grown) return KT_ENOMEM;
        l->cut = grown;
        l->cut_cap = cap;
    }
    l->cut[l->cut_len++] = o;
    return KT_OK;
}

int kt_ledger_clip(struct kt_ledger *l, struct kt_txn *journal)
{
    const struct kt_roster *roster = kt_keyring_roster(l->keyring);
    int e = KT_OK;
    l->cut_len = 0;
    if (!roster) return KT_OK;
    for (size_t i = 0; i < l->vector.len && !e; i++)
        if (l->vector.entries[i].number > kt_roster_cut(roster, l->vector.entries[i].origin, 0))
            e = note_cut(l, l->vector.entries[i].origin);
    if (e || l->cut_len == 0) return e;
    kt_vector_clip(&l->vector, roster);
    for (size_t i = 0, c = 0; i < l->vector.len && c < l->cut_len && !e; i++) {
        while (c < l->cut_len && kt_origin_compare(l->cut[c], l->vector.entries[i].origin) < 0) c++;
        if (c < l->cut_len && kt_origin_compare(l->cut[c], l->vector.entries[i].origin) == 0)
            e = look_up_head(l, journal, &l->vector.entries[i]);
    }
    return e;
}

/* -------------------------------------------------------------------------------------------------------- store */

struct comparison {
    const struct kt_roster *then, *now; /* then NULL: no cuts */
    bool differs;
};

static uint64_t counts(const struct kt_roster *r, const struct kt_vector_entry *head, kt_compartment c)
{
    const uint64_t last = r ? kt_roster_cut(r, head->origin, c) : UINT64_MAX;
    return last < head->number ? last : head->number;
}

static int compare_head(void *ctx, const struct kt_vector_entry *head)
{
    struct comparison *c = ctx;
    const uint32_t scopes = c->now->cuts_len || (c->then && c->then->cuts_len) ? c->now->compartments_len : 0;
    c->differs = c->differs || counts(c->then, head, 0) != counts(c->now, head, 0);
    for (uint32_t i = 0; i < scopes && !c->differs; i++) {
        const kt_compartment number = c->now->compartments[i].number;
        c->differs = counts(c->then, head, number) != counts(c->now, head, number);
    }
    return KT_OK;
}

/* Does something of the journal count otherwise now than when it was applied? */
static int counts_otherwise(struct kt_ledger *l, bool *out)
{
    struct comparison c = {.now = kt_keyring_roster(l->keyring)};
    struct kt_txn *t;
    uint64_t version = 0;
    *out = false;
    if (l->store_position == 0) return KT_OK;
    int e = kt_workset_begin(l->workset, false);
    if (e) return e;
    e = kt_ledger_store_number(l, "roster", &version);
    kt_workset_abort(l->workset);
    if (e && e != KT_ENOTFOUND) return e;
    if (version > c.now->version) { /* of a roster that this node has no more */
        *out = true;
        return KT_OK;
    }
    if (version == c.now->version) return KT_OK;
    c.then = version ? kt_keyring_roster_version(l->keyring, (uint32_t)version) : NULL;
    if ((e = l->store->ops->begin(l->store, KT_ENV_JOURNAL, false, &t))) return e;
    e = kt_journal_heads(l->store, t, compare_head, &c);
    l->store->ops->abort(t);
    *out = c.differs;
    return e;
}

/* The checkpoint, where it is from before what is cut; else nothing, and all comes from the journal. */
static int begin_anew(struct kt_ledger *l)
{
    const struct kt_store_ops *ops = l->store->ops;
    const uint64_t life = l->store_life; /* positions are the journal's: tokens that name them stay good */
    bool unfit = true;
    int e = ops->restore(l->store);
    kt_workset_exchanged(l->workset);
    if (!e) e = kt_ledger_reload(l);
    if (!e) e = counts_otherwise(l, &unfit);
    if (!e && l->store_position > l->position) unfit = true;
    if (e == KT_ENOTFOUND || e == KT_EDAMAGED || (!e && unfit)) {
        e = ops->discard(l->store);
        kt_workset_exchanged(l->workset);
        if (!e) e = kt_ledger_reload(l);
    }
    return e ? e : kt_ledger_write_life(l, life);
}

int kt_ledger_fit_store(struct kt_ledger *l, bool *made_again)
{
    const struct kt_roster *roster = kt_keyring_roster(l->keyring);
    int e = counts_otherwise(l, made_again);
    if (!e && *made_again) e = begin_anew(l);
    if (!e) l->store_roster = roster ? roster->version : 0;
    return e;
}

int kt_ledger_heed_cuts(struct kt_ledger *l, bool *changed)
{
    const struct kt_hash before = kt_vector_hash(&l->vector);
    int e = kt_ledger_reload(l);
    const struct kt_hash after = kt_vector_hash(&l->vector);
    if (!e) e = kt_ledger_fit_store(l, changed);
    *changed = *changed || memcmp(&before, &after, sizeof after) != 0;
    if (e) return e == KT_EFULL ? KT_EAGAIN : e;
    e = kt_ledger_catch_up(l);
    return e == KT_EFULL ? KT_OK : e; /* the store lags, and catches up when it can */
}
