/* The ledger's way back: what the journal holds becomes the vector; what the store lacks of it is applied again. */
#include "engine/ledger/ledger_state.h"

#define BATCHES_PER_STEP     256u
#define STEP_BYTES           (32u << 20)  /* opened or merged: then the step ends */
#define STEP_ARENA_BYTES_MAX (256u << 20) /* leaves room for the largest batch that was ever taken */

static int each_head(void *ctx, const struct kt_vector_entry *head)
{
    struct kt_ledger *l = ctx;
    (void)kt_ledger_observe(l, head->hlc);
    if (head->origin.member == l->origin.member && head->hlc > l->clock.last) l->clock.last = head->hlc;
    return kt_vector_set(&l->vector, head);
}

static int reload_journal(struct kt_ledger *l)
{
    const struct kt_store_ops *ops = l->store->ops;
    struct kt_txn *t;
    uint64_t base, next;
    int e = ops->begin(l->store, KT_ENV_JOURNAL, false, &t);
    if (e) return e;
    struct kt_vector before = l->vector;
    l->vector = (struct kt_vector){0};
    if (!(e = kt_journal_span(l->store, t, &base, &next))) {
        l->position = next - 1;
        e = kt_journal_heads(l->store, t, each_head, l);
        if (!e) e = kt_ledger_read_holes(l, t);
        if (!e) e = kt_ledger_check_heads(l, t);
        if (!e) e = kt_ledger_clip(l, t);
    }
    ops->abort(t);
    if (e) { /* what was known stays known */
        const struct kt_vector half = l->vector;
        l->vector = before;
        before = half;
    }
    kt_vector_free(&before);
    return e;
}

/* store_meta: "position" -> be64, "life" -> be64, "roster" -> be64 (whose cuts it heeds), "erased" -> be64 (names the
 * erasures it heeds), 'v' origin 12 -> number be64,
 * seal hash 32, clock be64, roster be32. */
int kt_ledger_store_number(struct kt_ledger *l, const char *name, uint64_t *out)
{
    struct kt_bytes value;
    int e = l->store->ops->get(kt_workset_txn(l->workset), KT_T_store_meta, kt_str(name), &value);
    if (e) return e;
    struct kt_reader r = kt_reader(value);
    *out = kt_take_be64(&r);
    return r.err ? KT_EDAMAGED : KT_OK;
}

int kt_ledger_write_life(struct kt_ledger *l, uint64_t life)
{
    struct kt_buf b;
    kt_buf_init(&b, 16);
    kt_buf_be64(&b, life);
    int e = kt_workset_begin(l->workset, true);
    if (!e) e = l->store->ops->put(kt_workset_txn(l->workset), KT_T_store_meta, kt_str("life"), kt_buf_bytes(&b));
    kt_buf_free(&b);
    l->store_life = life;
    if (!e) return kt_workset_commit(l->workset);
    kt_workset_abort(l->workset);
    return e;
}

static int new_life(struct kt_ledger *l)
{
    uint64_t life;
    l->world->random(l->world, &life, sizeof life);
    return kt_ledger_write_life(l, life);
}

int kt_ledger_reload(struct kt_ledger *l)
{
    int e = reload_journal(l);
    if (!e) e = kt_workset_begin(l->workset, false);
    if (e) return e;
    kt_ledger_read_without(l);
    uint64_t position = 0;
    e = kt_ledger_store_number(l, "position", &position);
    if (e == KT_ENOTFOUND) e = KT_OK;
    if (!e) l->store_position = position;
    if (!e) e = kt_ledger_load_erased(l);
    int life = e ? e : kt_ledger_store_number(l, "life", &l->store_life);
    kt_workset_abort(l->workset);
    return life == KT_ENOTFOUND ? new_life(l) : life;
}

/* The vector the store reflects: what was held when its last batch came. */
static int store_vector(struct kt_ledger *l, struct kt_vector *out)
{
    const struct kt_store_ops *ops = l->store->ops;
    struct kt_cursor *c;
    struct kt_bytes key, value;
    int e = kt_workset_begin(l->workset, false);
    if (e) return e;
    if (!(e = ops->cursor(kt_workset_txn(l->workset), KT_T_store_meta, &c))) {
        enum kt_seek how = KT_SEEK_AT_OR_AFTER;
        while (!e && !(e = ops->seek(c, how, kt_str("v"), &key, &value)) && key.len == 1 + KT_ORIGIN_BYTES &&
               key.data[0] == 'v') {
            how = KT_SEEK_NEXT;
            struct kt_reader r = kt_reader(value);
            struct kt_vector_entry head = {.origin = kt_origin_unpack(key.data + 1)};
            head.number = kt_take_be64(&r);
            kt_take_into(&r, &head.seal_hash, sizeof head.seal_hash);
            head.hlc = kt_take_be64(&r);
            head.roster_version = kt_take_be32(&r);
            e = r.err ? KT_EDAMAGED : kt_vector_set(out, &head);
        }
        ops->cursor_close(c);
    }
    kt_workset_abort(l->workset);
    return e == KT_ENOTFOUND ? KT_OK : e;
}

static int replay_hole(struct kt_ledger *l, const struct kt_hole *hole, struct kt_vector *vector)
{
    const struct kt_vector_entry head = {.origin = hole->origin, .number = hole->number};
    int e = kt_vector_set(vector, &head);
    if (!e) e = kt_ledger_pass_hole(l, hole);
    return e ? e : kt_ledger_mark_store(l, &head, 1, hole->position);
}

/* One batch of the journal into the open transaction; one that is cut is passed over.  KT_EDAMAGED: it is not what was
 * put there. */
static int replay_one(struct kt_ledger *l, struct kt_txn *journal, uint64_t position, struct kt_vector *vector,
                      struct kt_arena *arena)
{
    struct kt_journal_entry entry;
    const struct kt_hole *hole = kt_ledger_hole_at(l, position);
    if (hole) return replay_hole(l, hole, vector);
    int e = kt_journal_get(l->store, journal, position, &entry);
    if (e) return e == KT_ENOTFOUND ? KT_EDAMAGED : e;
    struct kt_opened *o = kt_arena_alloc(arena, sizeof *o);
    if (!o) return KT_ELIMIT;
    if ((e = kt_open_batch(l->keyring, l->packer, entry.batch, NULL, 0, arena, o))) return e;
    if (o->verdict == KT_ECLUSTER) return KT_ECLUSTER; /* a journal put beside the keys of others */
    if (o->verdict) return KT_EDAMAGED;                /* it was good when it was taken */
    if (entry.number > kt_roster_cut(kt_keyring_roster(l->keyring), entry.origin, 0))
        return kt_ledger_mark_store(l, NULL, 0, position);
    if ((e = kt_apply_batch(l->workset, vector, o, position, &l->count))) return e;
    const struct kt_seal *s = &o->batch.seal;
    const struct kt_vector_entry head = {s->origin, s->number, o->batch.seal_hash, s->hlc, s->roster_version};
    e = kt_vector_set(vector, &head);
    return e ? e : kt_ledger_mark_store(l, &head, 1, position);
}

static bool step_goes_on(const struct kt_ledger *l, const struct kt_arena *arena)
{
    return arena->used_bytes < STEP_BYTES && kt_workset_arena(l->workset)->used_bytes < STEP_BYTES;
}

/* Made again from a journal that lost some of it, a store is right but for that. */
static int replay_some(struct kt_ledger *l, struct kt_vector *vector, struct kt_arena *arena)
{
    struct kt_txn *journal;
    uint64_t position = l->store_position;
    bool damaged = false;
    int e = l->store->ops->begin(l->store, KT_ENV_JOURNAL, false, &journal);
    if (e) return e;
    if (!(e = kt_workset_begin(l->workset, true))) {
        for (uint32_t i = 0; i < BATCHES_PER_STEP && position < l->position && !e && step_goes_on(l, arena); i++) {
            e = replay_one(l, journal, position + 1, vector, arena);
            damaged = e == KT_EDAMAGED;
            if (!e) position++;
        }
        if (damaged) e = KT_OK;
        if (!e) e = kt_views_update(l->views);
        if (!e)
            e = kt_workset_commit(l->workset);
        else
            kt_workset_abort(l->workset);
    }
    l->store->ops->abort(journal);
    if (!e) l->store_position = position;
    return !e && damaged ? kt_ledger_punch(l, position + 1) : e;
}

int kt_ledger_catch_up(struct kt_ledger *l)
{
    if (l->store_position >= l->position && !l->without) return KT_OK;
    struct kt_vector vector = {0};
    struct kt_arena arena;
    kt_arena_init(&arena, STEP_ARENA_BYTES_MAX);
    int e = store_vector(l, &vector);
    while (!e && l->store_position < l->position) {
        kt_arena_reset(&arena);
        e = replay_some(l, &vector, &arena);
        if (!e && l->progress) l->progress(l->progress_ctx, l->store_position, l->position);
    }
    if (!e) e = kt_ledger_apply_filled(l, &vector);
    kt_arena_free(&arena);
    kt_vector_free(&vector);
    return e;
}
