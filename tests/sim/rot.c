/* Bit rot: rows of an office's disk that are not what was written, which the store's port notices when they are read.
 * The office may say that it is damaged, and end itself; it shows nobody a wrong answer and sends no peer a wrong
 * batch. A damaged store is made again from the journal; what the journal lost its peers have. */
#include "sim/sim.h"

#include "engine/journal/journal.h"

#define ROWS_LOOKED_AT 200u

static const enum kt_table tables[] = {
    KT_T_store_state, KT_T_store_list,     KT_T_store_debt,   KT_T_store_held,  KT_T_store_entity,  KT_T_store_back,
    KT_T_store_view,  KT_T_store_conflict, KT_T_store_digest, KT_T_store_index, KT_T_journal_batch,
};

/* A row of a table; false: it has none. */
static bool any_row(struct sim_office *o, struct kt_txn *t, enum kt_table table, struct kt_bytes *key,
                    struct kt_bytes *value)
{
    const struct kt_store_ops *ops = o->store->ops;
    struct kt_cursor *c;
    uint64_t rows;
    if (ops->count(t, table, &rows) || rows == 0 || ops->cursor(t, table, &c)) return false;
    uint32_t left = dice_below(&o->sim->dice, rows < ROWS_LOOKED_AT ? (uint32_t)rows : ROWS_LOOKED_AT);
    int err = ops->seek(c, KT_SEEK_LAST, kt_bytes(NULL, 0), key, value);
    while (!err && left-- > 0) err = ops->seek(c, KT_SEEK_PREV, kt_bytes(NULL, 0), key, value);
    ops->cursor_close(c);
    return !err && value->len > 0;
}

/* A batch that nobody else has would be gone. */
static bool held_elsewhere(struct sim_office *o, struct kt_txn *t, struct kt_bytes key)
{
    struct kt_journal_entry e;
    uint64_t position;
    memcpy(&position, key.data, sizeof position);
    if (kt_journal_get(o->store, t, position, &e)) return false;
    for (unsigned i = 0; i < o->sim->offices_len; i++)
        if (i != o->number && &o->sim->offices[i] != o->sim->liar &&
            kt_vector_get(&o->sim->offices[i].vector, e.origin) >= e.number)
            return true;
    return false;
}

void rot_some(struct sim_office *o)
{
    struct sim *s = o->sim;
    const enum kt_table table = tables[dice_below(&s->dice, sizeof tables / sizeof *tables)];
    const enum kt_env env = table == KT_T_journal_batch ? KT_ENV_JOURNAL : KT_ENV_STORE;
    struct kt_bytes key, value;
    struct kt_txn *t;
    uint8_t copy[512];
    sim_must(o->store->ops->begin(o->store, env, false, &t) == KT_OK, "a disk does not open");
    const bool any = any_row(o, t, table, &key, &value) && (env == KT_ENV_STORE || held_elsewhere(o, t, key));
    const size_t len = any ? key.len : 0;
    if (any) memcpy(copy, key.data, len);
    o->store->ops->abort(t);
    if (!any) return;
    if (kt_memory_damage(o->disk, table, kt_bytes(copy, len))) return; /* it has enough of it */
    o->rotten = true;
    o->seen = 0;
    sim_say(s, "office-%u's disk rots: a row of table %u", o->number + 1, table);
}

/* The first batch from `position` on that does not read; 0: all do. */
static uint64_t next_damaged(struct sim_office *o, uint64_t position)
{
    struct kt_journal_entry e;
    struct kt_txn *t;
    uint64_t base, next;
    sim_must(o->store->ops->begin(o->store, KT_ENV_JOURNAL, false, &t) == KT_OK, "a disk does not open");
    sim_must(kt_journal_span(o->store, t, &base, &next) == KT_OK, "a journal does not read");
    if (position < base) position = base;
    while (position < next && kt_journal_get(o->store, t, position, &e) == KT_OK) position++;
    o->store->ops->abort(t);
    return position < next ? position : 0;
}

void rot_salvage(struct sim_office *o)
{
    struct kt_txn *t;
    for (uint64_t at = 0; o->rotten && !o->full_until_ms && (at = next_damaged(o, at)); at++) {
        sim_must(o->store->ops->begin(o->store, KT_ENV_JOURNAL, true, &t) == KT_OK, "a disk does not open");
        const int err = kt_journal_punch(o->store, t, at);
        if (err)
            o->store->ops->abort(t);
        else
            sim_must(o->store->ops->commit(t) == KT_OK, "a disk does not write");
        sim_say(o->sim, "office-%u's journal is salvaged but for what lay at %llu", o->number + 1,
                (unsigned long long)at);
    }
}
