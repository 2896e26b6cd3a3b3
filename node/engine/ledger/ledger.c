#include "engine/ledger/ledger_state.h"

#include <stdlib.h>

#define GROUP_ARENA_BYTES_MAX (256u << 20)

int kt_ledger_open(const struct kt_ledger_config *c, struct kt_ledger **out)
{
    struct kt_ledger *l = calloc(1, sizeof *l);
    if (!l) return KT_ENOMEM;
    l->store = c->store;
    l->keyring = c->keyring;
    l->world = c->world;
    l->progress = c->progress;
    l->progress_ctx = c->progress_ctx;
    l->origin.member = kt_keyring_self(c->keyring);
    kt_arena_init(&l->arena, GROUP_ARENA_BYTES_MAX);
    l->packer = kt_packer_create();
    int e = l->packer ? KT_OK : KT_ENOMEM;
    if (!e) e = kt_journal_writer_new(c->store, c->threaded, &l->writer);
    if (!e) e = kt_workset_create(c->store, c->keyring, c->world, &l->workset);
    if (!e) e = kt_views_create(l->workset, c->phone_country, &l->views);
    if (!e) e = kt_keyring_number_get(c->keyring, "incarnation", &l->origin.incarnation);
    if (e == KT_ENOTFOUND) e = kt_ledger_new_incarnation(l);
    if (!e && (e = kt_keyring_number_get(c->keyring, "hlc-ceiling", &l->ceiling)) == KT_ENOTFOUND) e = KT_OK;
    l->clock.last = l->ceiling;
    if (!e && !l->store->store_survived) {
        e = l->store->ops->restore(l->store);
        if (e == KT_ENOTFOUND || e == KT_EDAMAGED) e = l->store->ops->discard(l->store); /* from the journal alone */
    }
    if (!e) e = kt_ledger_reload(l);
    if (!e && l->store_position > l->position) { /* never ahead of the journal: then it is of another life */
        e = l->store->ops->discard(l->store);
        if (!e) e = kt_ledger_reload(l);
    }
    bool again;
    if (!e) e = kt_ledger_fit_store(l, &again);
    const bool shows = l->store_position > 0;
    if (!e) e = kt_ledger_catch_up(l);
    if (!e) e = kt_ledger_erase(l);
    if (e == KT_EDAMAGED && !kt_ledger_lags(l))
        e = KT_OK;                         /* a row in its way: verify names it, and it is tried again */
    if (e == KT_EFULL && shows) e = KT_OK; /* what it shows lags behind, as after a group that found no room */
    if (e) {
        kt_ledger_close(l);
        return e;
    }
    *out = l;
    return KT_OK;
}

void kt_ledger_close(struct kt_ledger *l)
{
    if (!l) return;
    kt_ledger_abort(l);
    kt_views_free(l->views);
    kt_workset_free(l->workset);
    kt_journal_writer_free(l->writer);
    kt_packer_free(l->packer);
    kt_vector_free(&l->vector);
    free(l->cut);
    kt_arena_free(&l->arena);
    free(l->holes);
    free(l);
}

const struct kt_vector *kt_ledger_vector(const struct kt_ledger *l) { return &l->vector; }
struct kt_origin kt_ledger_origin(const struct kt_ledger *l) { return l->origin; }
const struct kt_origin *kt_ledger_cut_origins(const struct kt_ledger *l, size_t *n)
{
    *n = l->cut_len;
    return l->cut;
}
uint64_t kt_ledger_store_life(const struct kt_ledger *l) { return l->store_life; }
uint64_t kt_ledger_position(const struct kt_ledger *l) { return l->position; }
bool kt_ledger_lags(const struct kt_ledger *l) { return l->store_position < l->position; }
struct kt_workset *kt_ledger_workset(struct kt_ledger *l) { return l->workset; }

int kt_ledger_new_incarnation(struct kt_ledger *l)
{
    uint64_t fresh = 0;
    while (fresh == 0) l->world->random(l->world, &fresh, sizeof fresh);
    int e = kt_keyring_number_set(l->keyring, "incarnation", fresh);
    if (!e) l->origin.incarnation = fresh;
    return e;
}

/* ------------------------------------------------------------------------------------------------------- clock */

/* Stamps stay below a bound that is on disk, so that a restart continues above every stamp and pulse given out. */
static int raise_ceiling(struct kt_ledger *l, kt_hlc above)
{
    if (above < l->ceiling) return KT_OK;
    const kt_hlc ceiling = above + ((kt_hlc)KT_HLC_CEILING_MS << 16);
    int e = kt_keyring_number_set(l->keyring, "hlc-ceiling", ceiling);
    if (!e) l->ceiling = ceiling;
    return e;
}

int kt_ledger_pulse_time(struct kt_ledger *l, kt_hlc *out)
{
    const kt_hlc t = kt_clock_next(&l->clock, l->world->now_ms(l->world));
    int e = raise_ceiling(l, t);
    if (!e) *out = t;
    return e;
}

bool kt_ledger_observe(struct kt_ledger *l, kt_hlc seen)
{
    return kt_clock_observe(&l->clock, seen, l->world->now_ms(l->world));
}

/* ------------------------------------------------------------------------------------------------------- groups */

int kt_ledger_begin(struct kt_ledger *l)
{
    int e = l->store_position < l->position ? kt_ledger_catch_up(l) : KT_OK;
    if (e) return e;
    kt_arena_reset(&l->arena);
    l->records_len = l->wrote_len = l->pulses_len = 0;
    l->draft.open = false;
    l->touched = false;
    if ((e = kt_wrap_group_begin(l->keyring, &l->wraps))) return e;
    if ((e = kt_workset_begin(l->workset, true))) {
        kt_wrap_group_abort(l->wraps);
        l->wraps = NULL;
        return e;
    }
    l->in_group = true;
    return KT_OK;
}

void kt_ledger_abort(struct kt_ledger *l)
{
    if (!l->in_group) return;
    l->in_group = false;
    kt_workset_abort(l->workset);
    kt_wrap_group_abort(l->wraps);
    l->wraps = NULL;
    if (l->records_len) l->lost = kt_ledger_reload(l);
}

int kt_ledger_lost(const struct kt_ledger *l) { return l->lost; }

static struct kt_vector_entry head_of(const struct kt_seal *s, const struct kt_hash *hash)
{
    return (struct kt_vector_entry){.origin = s->origin,
                                    .number = s->number,
                                    .seal_hash = *hash,
                                    .hlc = s->hlc,
                                    .roster_version = s->roster_version};
}

int kt_ledger_take_wraps(struct kt_ledger *l, const struct kt_bytes *wraps, uint32_t n, bool *useful)
{
    *useful = false;
    for (uint32_t i = 0; i < n; i++) {
        int e = kt_wrap_group_put(l->wraps, wraps[i]);
        if (!e)
            *useful = true;
        else if (e == KT_EIO || e == KT_EFULL || e == KT_ENOMEM || e == KT_EDAMAGED)
            return e;
    }
    return KT_OK;
}

int kt_ledger_take(struct kt_ledger *l, struct kt_opened *o)
{
    bool useful;
    int e = kt_ledger_seal(l); /* what we wrote before stands before */
    if (!e && l->records_len == KT_GROUP_RECORDS) e = KT_EAGAIN;
    if (!e) e = kt_ledger_take_wraps(l, o->wraps, o->wraps_len, &useful);
    const uint64_t position = l->position + l->records_len + 1;
    if (!e) e = kt_apply_batch(l->workset, &l->vector, o, position, &l->count);
    const struct kt_vector_entry head = head_of(&o->batch.seal, &o->batch.seal_hash);
    if (!e) e = kt_vector_set(&l->vector, &head);
    struct kt_bytes bytes = o->bytes;
    if (!e) e = kt_ledger_strip(l, &o->batch, &l->arena, &bytes);
    if (e) return e;
    l->records[l->records_len++] = (struct kt_journal_record){.head = head, .batch = bytes};
    l->touched = true;
    return KT_OK;
}

uint32_t kt_ledger_room(const struct kt_ledger *l)
{
    return l->in_group ? KT_GROUP_RECORDS - l->records_len : KT_GROUP_RECORDS;
}

int kt_ledger_keep_pulse(struct kt_ledger *l, kt_member member, struct kt_bytes pulse)
{
    const struct kt_bytes copy = kt_arena_copy(&l->arena, pulse);
    if (!copy.data) return KT_ELIMIT;
    uint32_t i = 0;
    while (i < l->pulses_len && l->pulses[i].member != member) i++;
    if (i == KT_MEMBERS_MAX) return KT_ELIMIT;
    if (i == l->pulses_len) l->pulses_len++;
    l->pulses[i] = (struct kt_journal_pulse_record){member, copy};
    return KT_OK;
}

int kt_ledger_retry_held(struct kt_ledger *l, bool again, bool *more)
{
    l->touched = true;
    const int e = kt_apply_held(l->workset, &l->vector, again, &l->retried, &l->count);
    *more = l->retried.left > 0;
    return e;
}

int kt_ledger_mark_store(struct kt_ledger *l, const struct kt_vector_entry *heads, uint32_t n, uint64_t position)
{
    struct kt_txn *t = kt_workset_txn(l->workset);
    struct kt_buf b;
    kt_buf_init(&b, 256);
    int e = KT_OK;
    for (uint32_t i = 0; i < n && !e; i++) {
        uint8_t key[1 + KT_ORIGIN_BYTES] = {'v'};
        kt_origin_pack(heads[i].origin, key + 1);
        kt_buf_clear(&b);
        kt_buf_be64(&b, heads[i].number);
        kt_buf_put(&b, KT_BYTES_OF(heads[i].seal_hash));
        kt_buf_be64(&b, heads[i].hlc);
        kt_buf_be32(&b, heads[i].roster_version);
        e = b.err ? b.err : l->store->ops->put(t, KT_T_store_meta, kt_bytes(key, sizeof key), kt_buf_bytes(&b));
    }
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"position", position},
        {"roster", l->store_roster},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !e; i++) {
        kt_buf_clear(&b);
        kt_buf_be64(&b, numbers[i].value);
        e = b.err ? b.err : l->store->ops->put(t, KT_T_store_meta, kt_str(numbers[i].name), kt_buf_bytes(&b));
    }
    kt_buf_free(&b);
    return e;
}

static int mark_group(struct kt_ledger *l)
{
    struct kt_vector_entry *heads = kt_arena_array(&l->arena, l->records_len + 1, sizeof *heads);
    if (!heads) return KT_ELIMIT;
    for (uint32_t i = 0; i < l->records_len; i++) heads[i] = l->records[i].head;
    return kt_ledger_mark_store(l, heads, l->records_len, l->position + l->records_len);
}

/* Keys are durable before the journal names them; the journal's sync overlaps the building of views. */
static int commit_all(struct kt_ledger *l)
{
    int e = kt_ledger_seal(l);
    struct kt_wrap_group *wraps = l->wraps;
    l->wraps = NULL;
    if (e) {
        kt_wrap_group_abort(wraps);
        return e;
    }
    if ((e = kt_wrap_group_commit(wraps))) return e;
    const bool journal = l->records_len > 0 || l->pulses_len > 0;
    l->group = (struct kt_journal_group){l->records, l->records_len, l->pulses, l->pulses_len};
    if (journal && (e = kt_journal_writer_begin(l->writer, &l->group))) return e;
    int views = l->touched ? kt_views_update(l->views) : KT_OK;
    if (!views && l->touched) views = mark_group(l);
    if (!views && l->touched) views = kt_workset_flush(l->workset);
    if (journal && (e = kt_journal_writer_wait(l->writer))) return e;
    if (journal) l->position += l->records_len; /* the truth from here on, whatever becomes of the store */
    return views;
}

int kt_ledger_commit(struct kt_ledger *l, const struct kt_wrote **wrote, uint32_t *wrote_len)
{
    const uint64_t start = l->world->monotonic_ns(l->world);
    int e = commit_all(l);
    if (!e && l->touched)
        e = kt_workset_commit(l->workset);
    else
        kt_workset_abort(l->workset);
    l->in_group = false;
    if (e) {
        l->lost = kt_ledger_reload(l);
        return e;
    }
    l->store_position = l->position;
    l->groups++;
    l->commit_ns_last = l->world->monotonic_ns(l->world) - start;
    *wrote = l->wrote;
    *wrote_len = l->wrote_len;
    return KT_OK;
}

/* ----------------------------------------------------------------------------------------------- between groups */

/* Runs a reader of the working set; between groups in a transaction of its own. */
static int reading(struct kt_ledger *l, bool *opened)
{
    *opened = !l->in_group;
    return l->in_group ? KT_OK : kt_workset_begin(l->workset, false);
}

int kt_ledger_state(struct kt_ledger *l, struct kt_ledger_state *out)
{
    bool opened;
    uint64_t held = 0, conflicts = 0, contradictions = 0;
    int e = reading(l, &opened);
    if (e) return e;
    e = l->store->ops->count(kt_workset_txn(l->workset), KT_T_store_held, &held);
    if (!e) e = kt_views_conflicts(l->workset, &conflicts);
    if (!e) e = kt_views_contradictions(l->workset, &contradictions);
    if (opened) kt_workset_abort(l->workset);
    if (e) return e;
    const uint64_t erasures = kt_keyring_erasures(l->keyring);
    *out = (struct kt_ledger_state){.holes = l->holes_len,
                                    .erasing = l->erased != erasures || l->swept != erasures,
                                    .without = l->without,
                                    .position = l->position,
                                    .store_position = l->store_position,
                                    .held = held,
                                    .conflicts = conflicts,
                                    .contradictions = contradictions,
                                    .voided = l->count.voided,
                                    .opened_late = l->count.opened_late,
                                    .ops = l->count.ops,
                                    .groups = l->groups,
                                    .commit_ns_last = l->commit_ns_last};
    return KT_OK;
}

int kt_ledger_digests(struct kt_ledger *l, struct kt_arena *a, struct kt_pulse_digest **out, uint32_t *n)
{
    const struct kt_roster *r = kt_keyring_roster(l->keyring);
    bool opened;
    *n = 0;
    *out = kt_arena_array(a, r->compartments_len + 1, sizeof **out);
    if (!*out) return KT_ELIMIT;
    if (kt_ledger_lags(l) || l->without) return KT_OK;
    int e = reading(l, &opened);
    if (e) return e;
    for (uint32_t i = 0; i < r->compartments_len && !e; i++) {
        struct kt_pulse_digest *d = &(*out)[*n];
        d->compartment = r->compartments[i].number;
        if (!kt_keyring_compartment(l->keyring, d->compartment)) continue;
        e = kt_workset_digest(l->workset, d->compartment, &d->digest);
        ++*n;
    }
    if (opened) kt_workset_abort(l->workset);
    return e;
}

uint64_t kt_ledger_held_so_far(const struct kt_ledger *l) { return l->count.held; }

int kt_ledger_lacking(struct kt_ledger *l, struct kt_arena *a, struct kt_dek_id **ids, uint32_t *n)
{
    bool opened;
    uint64_t held;
    int e = reading(l, &opened);
    if (e) return e;
    e = kt_apply_lacking(l->workset, &l->lacking, a, ids, n, &held);
    if (opened) kt_workset_abort(l->workset);
    return e;
}
