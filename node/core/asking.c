/* The asking side: pulls (what we hold, what to skip, how much we can take), and what becomes of the batches that come.
 */
#include "core/replica_state.h"

/* ----------------------------------------------------------------------------------------------------- what comes */

enum reaction {
    REFUSE_AND_ASK, /* spoilt on the way or by this peer: skip the origin here, ask another for it */
    REFUSE,         /* the same everywhere: skip the origin here for a while */
    WAIT,           /* for the roster it names */
    REPEAT,         /* something before it went missing: say again all we hold */
    FREEZE,         /* two batches of one number */
    NOTHING,
    ACCEPT,
};

static enum reaction reaction_to(int verdict)
{
    static const struct {
        int verdict;
        enum reaction reaction;
    } table[] = {
        {KT_OK,         ACCEPT },
        {KT_EDUPLICATE, NOTHING},
        {KT_EGAP,       REPEAT },
        {KT_EROSTER,    WAIT   },
        {KT_EFORK,      FREEZE },
        {KT_ECUT,       REFUSE },
        {KT_ENOTMEMBER, REFUSE },
        {KT_EVERSION,   REFUSE },
        {KT_ECLUSTER,   REFUSE },
        {KT_ESUITE,     REFUSE },
        {KT_ELIMIT,     REFUSE },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].verdict == verdict) return table[i].reaction;
    return REFUSE_AND_ASK;
}

/* Batches are judged ahead of time; between then and now the same one may have come by another link. */
static int judge_again(const struct kt_replica *r, const struct kt_event *ev)
{
    static const struct kt_hash unknown;
    const struct kt_vector_entry *head = kt_vector_find(&r->held, ev->seal->origin);
    uint64_t held = head ? head->number : 0;
    if (ev->seal->number <= held) return KT_EDUPLICATE;
    if (ev->seal->number > held + 1) return KT_EGAP;
    if (!head) return r->held.len < KT_ORIGINS_MAX ? KT_OK : KT_ELIMIT;
    bool chained = memcmp(&head->seal_hash, &ev->seal->previous, sizeof unknown) == 0;
    return chained || memcmp(&head->seal_hash, &unknown, sizeof unknown) == 0 ? KT_OK : KT_EFORK;
}

static struct kt_block *block_of(struct kt_peer_link *l, struct kt_origin o)
{
    for (uint32_t i = 0; i < l->blocks_len; i++)
        if (kt_origin_compare(l->blocks[i].origin, o) == 0) return &l->blocks[i];
    return NULL;
}

void kt_link_unblock(const struct kt_replica *r, struct kt_peer_link *l, uint64_t now_mono_ms, bool new_roster)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->blocks_len; i++) {
        const struct kt_block *b = &l->blocks[i];
        bool over = now_mono_ms >= b->until_mono_ms || kt_vector_get(&r->held, b->origin) >= b->number ||
                    (new_roster && reaction_to(b->verdict) != REFUSE_AND_ASK);
        if (!over) l->blocks[kept++] = *b;
    }
    if (kept == l->blocks_len) return;
    l->blocks_len = kept;
    l->whole_due = true; /* what came after the refused one was dropped as well */
}

/* The peer served it from what it holds durably: nothing to send back, nothing it has to acknowledge. */
static int reserve_holder(const struct kt_replica *r, struct kt_peer_link *l, struct kt_origin o)
{
    struct kt_replica_peer *peer = kt_replica_peer(r, l->member);
    int err = kt_raise_reserve(&l->cursor, o);
    if (!err && peer) err = kt_raise_reserve(&peer->acknowledged, o);
    return err == KT_ELIMIT ? KT_OK : err; /* a peer that named so many origins is sent this one once more */
}

static void raise_holder(const struct kt_replica *r, struct kt_peer_link *l, const struct kt_seal *seal)
{
    struct kt_replica_peer *peer = kt_replica_peer(r, l->member);
    kt_raise(&l->cursor, seal->origin, seal->number);
    if (peer) kt_raise(&peer->acknowledged, seal->origin, seal->number);
}

/* Who is known to hold what comes by `l`: its peer, and its author whatever way it came. */
static bool holds_it(const struct kt_peer_link *holder, const struct kt_peer_link *l, struct kt_origin o)
{
    return holder == l || holder->member == o.member;
}

static int accept(struct kt_replica *r, struct kt_peer_link *l, const struct kt_event *ev, struct kt_effects *fx)
{
    struct kt_origin o = ev->seal->origin;
    int err = kt_replica_reserve_head(r, o);
    for (uint32_t i = 0; i < r->links_len && !err; i++)
        if (holds_it(r->links[i], l, o)) err = reserve_holder(r, r->links[i], o);
    if (err) return err;
    struct kt_effect *e = kt_fx_add(fx, KT_FX_ACCEPT, l->id);
    if (!e) return KT_ELIMIT;
    e->origin = o;
    e->member = o.member;
    kt_replica_take(r, ev->seal, ev->seal_hash);
    r->arrivals[r->arrivals_count++ % KT_ARRIVALS] = (struct kt_arrival){
        {o, ev->seal->number},
        ev->now_mono_ms
    };
    for (uint32_t i = 0; i < r->links_len; i++) {
        if (holds_it(r->links[i], l, o)) raise_holder(r, r->links[i], ev->seal);
        if (block_of(r->links[i], o)) kt_link_unblock(r, r->links[i], ev->now_mono_ms, false);
    }
    return KT_OK;
}

/* Another open link that is not blocked for this origin; one whose peer is known to hold the batch rather. */
static struct kt_peer_link *other_holder(const struct kt_replica *r, const struct kt_peer_link *not_here,
                                         struct kt_head h)
{
    struct kt_peer_link *found = NULL;
    for (uint32_t i = 0; i < r->links_len; i++) {
        struct kt_peer_link *l = r->links[i];
        if (l == not_here || !kt_link_open(l) || block_of(l, h.origin)) continue;
        if (kt_vector_get(&l->cursor, h.origin) >= h.number) return l;
        if (!found) found = l;
    }
    return found;
}

static int ask_another(const struct kt_replica *r, const struct kt_peer_link *not_here, struct kt_head h,
                       struct kt_effects *fx)
{
    struct kt_peer_link *l = other_holder(r, not_here, h);
    if (!l) return KT_OK;
    struct kt_ask *ask = kt_arena_alloc(&fx->arena, sizeof *ask);
    struct kt_peer_message *m = ask ? kt_fx_send(fx, l->id, KT_PEER_BATCHES_BY_ID) : NULL;
    if (!m) return KT_ELIMIT;
    *ask = (struct kt_ask){h.origin, h.number};
    m->asks.items = ask;
    m->asks.len = 1;
    return KT_OK;
}

static int refuse(struct kt_replica *r, struct kt_peer_link *l, const struct kt_event *ev, int verdict,
                  struct kt_effects *fx)
{
    struct kt_origin o = ev->seal->origin;
    if (ev->seal->number <= kt_vector_get(&r->held, o)) return KT_OK; /* a bad copy of what is held */
    if (block_of(l, o)) return KT_OK;                                 /* on its way before our skip was heard */
    if (l->blocks_len == KT_BLOCKS_MAX) return kt_fx_close(fx, l->id, "too many of its batches were refused");
    enum reaction reaction = reaction_to(verdict);
    struct kt_head next = {o, kt_vector_get(&r->held, o) + 1};
    bool elsewhere = reaction == REFUSE_AND_ASK || reaction == REPEAT;
    int err = elsewhere ? ask_another(r, l, next, fx) : KT_OK;
    if (err) return err;
    uint64_t span = reaction == WAIT ? KT_PULSE_MS : KT_BLOCK_MS;
    l->blocks[l->blocks_len++] = (struct kt_block){o, next.number, verdict, ev->now_mono_ms + span};
    l->nudge = true;
    return KT_OK;
}

/* Something before it is missing: saying again all we hold brings it, unless the peer has a hole there itself. */
static int repeat(struct kt_replica *r, struct kt_peer_link *l, const struct kt_event *ev, struct kt_effects *fx)
{
    if (block_of(l, ev->seal->origin) || l->whole_due) return KT_OK;
    bool again = ev->now_mono_ms < l->repairs_until_mono_ms;
    if (again && l->repairs == KT_REPAIRS_MAX) return refuse(r, l, ev, KT_EGAP, fx);
    if (!again) l->repairs_until_mono_ms = ev->now_mono_ms + KT_BLOCK_MS;
    l->repairs = again ? l->repairs + 1 : 1;
    l->whole_due = true;
    return KT_OK;
}

static int freeze(struct kt_replica *r, struct kt_peer_link *l, const struct kt_event *ev, struct kt_effects *fx)
{
    int err = kt_replica_reserve_frozen(r);
    if (err) return err;
    struct kt_effect *e = kt_fx_add(fx, KT_FX_FORK, l->id);
    if (!e) return KT_ELIMIT;
    struct kt_origin o = ev->seal->origin;
    e->origin = o;
    e->member = o.member;
    bool ours = o.member == r->config.self && o.incarnation == r->config.incarnation && !r->own_ahead_told;
    struct kt_effect *ahead = ours ? kt_fx_add(fx, KT_FX_OWN_HEAD_AHEAD, l->id) : NULL;
    if (ours && !ahead) return KT_ELIMIT;
    if (ours) ahead->origin = o;
    r->own_ahead_told = r->own_ahead_told || ours;
    kt_replica_freeze_reserved(r, o);
    return KT_OK;
}

int kt_replica_on_batch(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    struct kt_peer_link *l = kt_replica_link(r, ev->link);
    if (!l || !kt_link_open(l)) return KT_OK;
    if (!ev->seal) return kt_fx_close(fx, l->id, "sent what is no batch");
    struct kt_origin o = ev->seal->origin;
    if (kt_replica_frozen(r, o)) return KT_OK;
    int verdict = ev->verdict == KT_OK ? judge_again(r, ev) : ev->verdict;
    switch (reaction_to(verdict)) {
    case ACCEPT:
        return accept(r, l, ev, fx);
    case FREEZE:
        return freeze(r, l, ev, fx);
    case NOTHING: {
        int err = reserve_holder(r, l, o);
        if (!err) raise_holder(r, l, ev->seal);
        return err;
    }
    case REPEAT:
        return repeat(r, l, ev, fx);
    default:
        return refuse(r, l, ev, verdict, fx);
    }
}

int kt_replica_on_answer_end(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    (void)fx;
    struct kt_peer_link *l = kt_replica_link(r, ev->link);
    if (!l) return KT_OK;
    l->grant_left -= ev->bytes < l->grant_left ? ev->bytes : l->grant_left;
    struct kt_replica_peer *peer = kt_replica_peer(r, l->member);
    if (peer && ev->message->answer.snapshot_required) peer->past_journal = peer->said_past_journal = true;
    return KT_OK;
}

/* ---------------------------------------------------------------------------------------------------------- pulls */

static bool whole_now(const struct kt_peer_link *l, uint64_t now_mono_ms)
{
    return !l->asked || (l->whole_due && now_mono_ms >= l->whole_after_mono_ms);
}

bool kt_link_pull_due(const struct kt_replica *r, const struct kt_peer_link *l, uint64_t now_mono_ms)
{
    if (!l->asked) return l->peer_roster <= kt_replica_roster_version(r); /* else its rosters come first */
    if (r->pending_len > 0) return false; /* a commit is on its way: one pull tells it all */
    return whole_now(l, now_mono_ms) || l->nudge || l->told_foreign != r->foreign_generation ||
           l->told_lacking != r->lacking_generation || l->told_roster != kt_replica_roster_version(r) ||
           l->grant_left < KT_GRANT_BYTES / 2;
}

static int fill_heads(const struct kt_replica *r, const struct kt_peer_link *l, struct kt_pull *pull,
                      struct kt_arena *a)
{
    const struct kt_vector *v = &r->durable;
    if (v->len == 0) return KT_OK;
    struct kt_head *heads = kt_arena_array(a, v->len, sizeof *heads);
    if (!heads) return KT_ELIMIT;
    for (size_t i = 0; i < v->len; i++) {
        const struct kt_vector_entry *e = &v->entries[i];
        if (!pull->whole && kt_vector_get(&l->told, e->origin) == e->number) continue;
        heads[pull->heads_len++] = (struct kt_head){e->origin, e->number};
    }
    pull->heads = heads;
    return KT_OK;
}

static int fill_skip(const struct kt_replica *r, const struct kt_peer_link *l, struct kt_pull *pull, struct kt_arena *a)
{
    if (r->frozen_len + l->blocks_len == 0) return KT_OK;
    struct kt_origin *skip = kt_arena_array(a, (size_t)r->frozen_len + l->blocks_len, sizeof *skip);
    if (!skip) return KT_ELIMIT;
    for (uint32_t i = 0; i < r->frozen_len; i++) skip[pull->skip_len++] = r->frozen[i];
    for (uint32_t i = 0; i < l->blocks_len; i++) skip[pull->skip_len++] = l->blocks[i].origin;
    pull->skip = skip;
    return KT_OK;
}

/* The members with which a line is up now. */
static int fill_heard(const struct kt_replica *r, struct kt_pull *pull, struct kt_arena *a)
{
    kt_member *heard = kt_arena_array(a, r->links_len, sizeof *heard);
    if (!heard) return KT_ELIMIT;
    for (uint32_t i = 0; i < r->links_len; i++)
        if (kt_link_open(r->links[i])) heard[pull->heard_len++] = r->links[i]->member;
    pull->heard = heard;
    return KT_OK;
}

static int fill_wraps(const struct kt_replica *r, struct kt_pull *pull, struct kt_arena *a)
{
    if (r->lacking_len == 0) return KT_OK;
    struct kt_dek_id *want = kt_arena_array(a, r->lacking_len, sizeof *want);
    if (!want) return KT_ELIMIT;
    memcpy(want, r->lacking, r->lacking_len * sizeof *want);
    pull->want_wraps = want;
    pull->want_wraps_len = r->lacking_len;
    return KT_OK;
}

int kt_link_pull(const struct kt_replica *r, struct kt_peer_link *l, uint64_t now_mono_ms, struct kt_effects *fx)
{
    struct kt_pull pull = {.whole = whole_now(l, now_mono_ms),
                           .grant_bytes = KT_GRANT_BYTES,
                           .roster_version = kt_replica_roster_version(r)};
    int err = kt_vector_reserve(&l->told, r->durable.len);
    if (!err) err = fill_heads(r, l, &pull, &fx->arena);
    if (!err) err = fill_skip(r, l, &pull, &fx->arena);
    if (!err) err = fill_heard(r, &pull, &fx->arena);
    if (!err) err = fill_wraps(r, &pull, &fx->arena);
    if (err) return err;
    struct kt_peer_message *m = kt_fx_send(fx, l->id, KT_PEER_PULL);
    if (!m) return KT_ELIMIT;
    m->pull = pull;
    err = kt_vector_copy(&r->durable, &l->told);
    if (err) return err; /* cannot be: reserved */
    struct kt_replica_peer *peer = kt_replica_peer(r, l->member);
    if (peer) { /* it will say so again, or not */
        peer->past_journal = peer->said_past_journal;
        peer->said_past_journal = false;
    }
    l->asked = true;
    l->nudge = false;
    if (pull.whole) {
        l->whole_due = false;
        l->whole_after_mono_ms = now_mono_ms + KT_REPAIR_MS;
    }
    l->told_foreign = r->foreign_generation;
    l->told_lacking = r->lacking_generation;
    l->told_heard = r->heard_generation;
    l->told_roster = pull.roster_version;
    l->grant_left = KT_GRANT_BYTES;
    return KT_OK;
}
