/* Events come in, each to its handler; what is held; what is due on links afterwards. */
#include "core/replica_state.h"

#include <stdlib.h>

/* -------------------------------------------------------------------------------------------------------- effects */

#define EFFECTS_FIRST 8u

struct kt_effect *kt_fx_add(struct kt_effects *fx, enum kt_effect_kind kind, uint64_t link)
{
    bool full = fx->len == 0 || (fx->len >= EFFECTS_FIRST && (fx->len & (fx->len - 1)) == 0);
    if (full) {
        size_t cap = fx->len ? (size_t)fx->len * 2 : EFFECTS_FIRST;
        struct kt_effect *items = kt_arena_array(&fx->arena, cap, sizeof *items);
        if (!items) return NULL;
        if (fx->len) memcpy(items, fx->items, fx->len * sizeof *items);
        fx->items = items;
    }
    struct kt_effect *e = &fx->items[fx->len++];
    *e = (struct kt_effect){.kind = kind, .link = link};
    return e;
}

int kt_fx_close(struct kt_effects *fx, uint64_t link, const char *why)
{
    struct kt_effect *e = kt_fx_add(fx, KT_FX_CLOSE, link);
    if (!e) return KT_ELIMIT;
    e->why = why;
    return KT_OK;
}

struct kt_peer_message *kt_fx_send(struct kt_effects *fx, uint64_t link, enum kt_peer_part part)
{
    struct kt_effect *e = kt_fx_add(fx, KT_FX_SEND, link);
    if (!e) return NULL;
    e->message.part = part;
    return &e->message;
}

/* ------------------------------------------------------------------------------------------------------- one life */

static void mark_own(struct kt_replica *r, struct kt_origin o, uint64_t number, kt_hlc hlc)
{
    if (o.member != r->config.self) return;
    if (r->own_marks_len == KT_OWN_MARKS) { /* thin out: an age may then be said to be a little more than it is */
        for (uint32_t i = 0; i < KT_OWN_MARKS / 2; i++) r->own_marks[i] = r->own_marks[2 * i];
        r->own_marks_len = KT_OWN_MARKS / 2;
    }
    r->own_marks[r->own_marks_len++] = (struct kt_own_mark){
        {o, number},
        hlc
    };
}

int kt_replica_create(const struct kt_replica_config *c, const struct kt_vector *held, struct kt_replica **out)
{
    struct kt_replica *r = calloc(1, sizeof *r);
    if (!r) return KT_ENOMEM;
    r->config = *c;
    r->durable_generation = 1;
    int err = kt_vector_copy(held, &r->held);
    if (!err) err = kt_vector_copy(held, &r->durable);
    if (err) {
        kt_replica_free(r);
        return err;
    }
    for (size_t i = 0; i < held->len; i++)
        mark_own(r, held->entries[i].origin, held->entries[i].number, held->entries[i].hlc);
    *out = r;
    return KT_OK;
}

void kt_replica_free(struct kt_replica *r)
{
    if (!r) return;
    for (uint32_t i = 0; i < r->links_len; i++) kt_link_free(r->links[i]);
    for (uint32_t i = 0; i < r->peers_len; i++) kt_replica_peer_free(r->peers[i]);
    kt_vector_free(&r->held);
    kt_vector_free(&r->durable);
    free(r->own_pulse);
    free(r->lacking);
    free(r->frozen);
    free(r->peers);
    free(r->links);
    free(r->pending);
    free(r);
}

/* --------------------------------------------------------------------------------------------------- what is held */

const struct kt_vector *kt_replica_vector(const struct kt_replica *r) { return &r->held; }

uint64_t kt_replica_incarnation(const struct kt_replica *r) { return r->config.incarnation; }

uint32_t kt_replica_roster_version(const struct kt_replica *r) { return r->roster ? r->roster->version : 0; }

bool kt_replica_has(const struct kt_replica *r, struct kt_head h)
{
    uint64_t last = r->roster ? kt_roster_cut(r->roster, h.origin, 0) : UINT64_MAX;
    return kt_vector_get(&r->held, h.origin) >= (h.number < last ? h.number : last);
}

bool kt_replica_frozen(const struct kt_replica *r, struct kt_origin o)
{
    for (uint32_t i = 0; i < r->frozen_len; i++)
        if (kt_origin_compare(r->frozen[i], o) == 0) return true;
    return false;
}

static int reserve_origins(struct kt_origin **items, uint32_t len, uint32_t *cap)
{
    if (len < *cap) return KT_OK;
    uint32_t more = *cap ? *cap * 2 : 16;
    struct kt_origin *grown = realloc(*items, more * sizeof *grown);
    if (!grown) return KT_ENOMEM;
    *items = grown;
    *cap = more;
    return KT_OK;
}

int kt_replica_reserve_frozen(struct kt_replica *r)
{
    return reserve_origins(&r->frozen, r->frozen_len, &r->frozen_cap);
}

void kt_replica_freeze_reserved(struct kt_replica *r, struct kt_origin o)
{
    r->frozen[r->frozen_len++] = o;
    for (uint32_t i = 0; i < r->links_len; i++) r->links[i]->nudge = true;
}

int kt_replica_freeze(struct kt_replica *r, struct kt_origin o)
{
    if (kt_replica_frozen(r, o)) return KT_OK;
    int err = kt_replica_reserve_frozen(r);
    if (err) return err;
    kt_replica_freeze_reserved(r, o);
    return KT_OK;
}

/* Memory for one more head, so that kt_replica_take and the commit after it cannot fail. */
int kt_replica_reserve_head(struct kt_replica *r, struct kt_origin o)
{
    size_t len = r->held.len + (kt_vector_find(&r->held, o) ? 0 : 1);
    int err = kt_vector_reserve(&r->held, len);
    if (!err) err = kt_vector_reserve(&r->durable, len);
    return err ? err : reserve_origins(&r->pending, r->pending_len, &r->pending_cap);
}

void kt_replica_take(struct kt_replica *r, const struct kt_seal *seal, const struct kt_hash *seal_hash)
{
    struct kt_vector_entry e = {.origin = seal->origin,
                                .number = seal->number,
                                .seal_hash = *seal_hash,
                                .hlc = seal->hlc,
                                .roster_version = seal->roster_version};
    int err = kt_vector_set(&r->held, &e);
    if (err) abort(); /* reserved, and one above what was held */
    mark_own(r, seal->origin, seal->number, seal->hlc);
    for (uint32_t i = 0; i < r->pending_len; i++)
        if (kt_origin_compare(r->pending[i], seal->origin) == 0) return;
    r->pending[r->pending_len++] = seal->origin;
}

int kt_raise_reserve(struct kt_vector *v, struct kt_origin o)
{
    return kt_vector_find(v, o) ? KT_OK : kt_vector_reserve(v, v->len + 1);
}

bool kt_raise(struct kt_vector *v, struct kt_origin o, uint64_t number)
{
    if (number <= kt_vector_get(v, o)) return false;
    struct kt_vector_entry e = {.origin = o, .number = number};
    return kt_vector_set(v, &e) == KT_OK;
}

int kt_replica_check_own(struct kt_replica *r, uint64_t link, const struct kt_head *heads, uint32_t n,
                         struct kt_effects *fx, bool *told)
{
    for (uint32_t i = 0; i < n && !r->own_ahead_told && !*told; i++) {
        struct kt_origin o = heads[i].origin;
        if (o.member != r->config.self || o.incarnation != r->config.incarnation || kt_replica_has(r, heads[i]))
            continue;
        struct kt_effect *e = kt_fx_add(fx, KT_FX_OWN_HEAD_AHEAD, link);
        if (!e) return KT_ELIMIT;
        e->origin = o;
        *told = true;
    }
    return KT_OK;
}

/* --------------------------------------------------------------------------------------------------------- events */

static int on_message(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    struct kt_peer_link *l = kt_replica_link(r, ev->link);
    const struct kt_peer_message *m = ev->message;
    if (m->part == KT_PEER_PULSES && ev->link == 0) return kt_replica_on_pulses(r, NULL, ev, fx);
    if (!l) return KT_OK; /* said before the line went down */
    if (m->part == KT_PEER_GREETING) return kt_replica_on_greeting(r, l, ev, fx);
    if (!kt_link_open(l)) return KT_OK; /* both ends start again with the next greeting */
    if (m->part == KT_PEER_PULL) return kt_replica_on_pull(r, l, ev, fx);
    if (m->part == KT_PEER_PULSES) return kt_replica_on_pulses(r, l, ev, fx);
    if (m->part != KT_PEER_BATCHES_BY_ID) return KT_OK; /* the caller's own business */
    struct kt_effect *e = kt_fx_add(fx, KT_FX_SEND_BATCHES, l->id);
    if (!e) return KT_ELIMIT;
    e->message = *m;
    return KT_OK;
}

static int on_wrote(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    (void)fx;
    if (ev->seal->number != kt_vector_get(&r->held, ev->seal->origin) + 1) return KT_EBUG;
    int err = kt_replica_reserve_head(r, ev->seal->origin);
    if (!err) kt_replica_take(r, ev->seal, ev->seal_hash);
    return err;
}

static int on_committed(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    (void)ev;
    (void)fx;
    if (r->pending_len == 0) return KT_OK;
    bool foreign = false;
    for (uint32_t i = 0; i < r->pending_len; i++) {
        const struct kt_vector_entry *e = kt_vector_find(&r->held, r->pending[i]);
        if (!e) continue; /* cut meanwhile */
        foreign = foreign || e->origin.member != r->config.self;
        int err = kt_vector_set(&r->durable, e);
        if (err) abort(); /* reserved when it was taken, and never above held */
        struct kt_replica_peer *p = kt_replica_peer(r, e->origin.member);
        if (p) kt_replica_promote(r, p);
    }
    r->pending_len = 0;
    r->durable_generation++;
    if (foreign) r->foreign_generation++;
    for (uint32_t i = 0; i < r->links_len; i++) r->links[i]->serve_due = true;
    return KT_OK;
}

static int on_lacking(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    (void)fx;
    uint32_t len = ev->deks_len < KT_WRAPS_PER_FRAME_MAX ? ev->deks_len : KT_WRAPS_PER_FRAME_MAX;
    if (len == r->lacking_len && (len == 0 || memcmp(ev->deks, r->lacking, len * sizeof *ev->deks) == 0)) return KT_OK;
    struct kt_dek_id *lacking = len ? malloc(len * sizeof *lacking) : NULL;
    if (len && !lacking) return KT_ENOMEM;
    if (len) memcpy(lacking, ev->deks, len * sizeof *lacking);
    free(r->lacking);
    r->lacking = lacking;
    r->lacking_len = len;
    r->lacking_generation++;
    return KT_OK;
}

bool kt_replica_lacks(const struct kt_replica *r, const struct kt_dek_id *id)
{
    for (uint32_t i = 0; i < r->lacking_len; i++)
        if (memcmp(&r->lacking[i], id, sizeof *id) == 0) return true;
    return false;
}

static int on_incarnation(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    (void)fx;
    r->config.incarnation = ev->incarnation;
    r->own_ahead_told = false;
    return KT_OK;
}

/* With each pulse, what can wait so long: keys asked for again, lines that came up since, and whether a peer has what it
 * lacked. */
static void nudge_links(struct kt_replica *r)
{
    for (uint32_t i = 0; i < r->links_len; i++) {
        struct kt_peer_link *l = r->links[i];
        const struct kt_replica_peer *peer = kt_replica_peer(r, l->member);
        const bool again = peer && peer->past_journal;
        if (again || r->lacking_len > 0 || l->told_heard != r->heard_generation) l->nudge = true;
    }
}

/* Time passed: our pulse, second tries, and what was paused. */
static int on_tick(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    uint64_t now = ev->now_mono_ms;
    if (r->roster && (!r->pulsed || now - r->pulsed_mono_ms >= KT_PULSE_MS)) {
        bool whole = !r->pulsed || now - r->vector_pulsed_mono_ms >= KT_PULSE_VECTOR_MS;
        struct kt_effect *e = kt_fx_add(fx, KT_FX_PULSE, 0);
        if (!e) return KT_ELIMIT;
        e->member = r->config.self;
        e->whole = whole;
        r->pulsed = true;
        r->pulsed_mono_ms = now;
        if (whole) r->vector_pulsed_mono_ms = now;
        nudge_links(r);
    }
    for (uint32_t i = 0; i < r->links_len; i++) {
        kt_link_unblock(r, r->links[i], now, false);
        r->links[i]->serve_due = true;
    }
    return KT_OK;
}

/* What is due on links; what does not fit waits for the next step, and a tick that fits nothing says so. */
static int flush(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    uint64_t now_mono_ms = ev->now_mono_ms;
    for (uint32_t i = 0; i < r->links_len; i++) {
        struct kt_peer_link *l = r->links[i];
        if (!kt_link_open(l)) continue;
        int err = kt_link_pull_due(r, l, now_mono_ms) ? kt_link_pull(r, l, now_mono_ms, fx) : KT_OK;
        if (!err && l->relay_due) err = kt_link_relay(r, l, fx);
        if (!err && l->serve_due) {
            bool ready = kt_link_serve_ready(r, l, now_mono_ms);
            if (ready && !kt_fx_add(fx, KT_FX_SERVE, l->id)) err = KT_ELIMIT;
            if (!err) l->serve_due = false;
        }
        if (err) return fx->len > 0 || ev->kind != KT_EV_TICK ? KT_OK : err;
    }
    return KT_OK;
}

int kt_replica_step(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    static int (*const handlers[])(struct kt_replica *, const struct kt_event *, struct kt_effects *) = {
        [KT_EV_LINK_UP] = kt_replica_on_link_up,
        [KT_EV_LINK_DOWN] = kt_replica_on_link_down,
        [KT_EV_MESSAGE] = on_message,
        [KT_EV_BATCH] = kt_replica_on_batch,
        [KT_EV_ANSWER_END] = kt_replica_on_answer_end,
        [KT_EV_WROTE] = on_wrote,
        [KT_EV_SENT] = kt_replica_on_sent,
        [KT_EV_COMMITTED] = on_committed,
        [KT_EV_LACKING] = on_lacking,
        [KT_EV_ROSTER] = kt_replica_on_roster,
        [KT_EV_ROSTER_REFUSED] = kt_replica_on_roster_refused,
        [KT_EV_INCARNATION] = on_incarnation,
        [KT_EV_TICK] = on_tick,
    };
    fx->items = NULL;
    fx->len = 0;
    if ((size_t)ev->kind >= sizeof handlers / sizeof *handlers) return KT_EBUG;
    int err = handlers[ev->kind](r, ev, fx);
    if (!err) err = flush(r, ev, fx);
    if (err) fx->len = 0;
    return err;
}
