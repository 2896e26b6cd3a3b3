/* The engine's peers: links and frames become events of the replica, its effects are carried out. */
#include "engine/engine_state.h"

#define LACKING_NEXT_MS KT_PULSE_MS /* then the next keys are asked for, where they are too many for one pull */

struct kt_event kt_engine_event(const struct kt_engine *e, enum kt_event_kind kind, uint64_t link)
{
    return (struct kt_event){
        .kind = kind, .now_ms = e->world->now_ms(e->world), .now_mono_ms = kt_engine_mono_ms(e), .link = link};
}

/* ------------------------------------------------------------------------------------------------------ effects */

static int accept_batch(struct kt_engine *e, struct kt_opened *batch)
{
    if (!batch) return KT_EBUG;
    int err = kt_engine_group(e);
    if (!err) err = kt_ledger_take(e->ledger, batch);
    if (err) {
        e->group_error = err;
        return KT_OK;
    }
    if (!kt_ledger_observe(e->ledger, batch->batch.seal.hlc)) e->count.skewed_stamps++;
    e->accepted = true;
    e->count.batches_in++;
    return KT_OK;
}

static int keep_pulse(struct kt_engine *e, const struct kt_effect *f)
{
    const int err = kt_engine_group(e);
    return err ? err : kt_ledger_keep_pulse(e->ledger, f->member, f->message.pulses.items[0]);
}

static int carry_out(struct kt_engine *e, const struct kt_effect *f, struct kt_opened *batch)
{
    struct kt_engine_link *l;
    switch (f->kind) {
    case KT_FX_ACCEPT:
        return accept_batch(e, batch);
    case KT_FX_SEND:
        return kt_engine_send(e, f->link, &f->message);
    case KT_FX_SERVE:
        if ((l = kt_engine_link(e, f->link))) l->serve = true;
        return KT_OK;
    case KT_FX_SEND_ROSTERS:
        return kt_engine_send_rosters(e, f->link, f->from_version);
    case KT_FX_SEND_WRAPS:
        return kt_engine_send_wraps(e, f->link, &f->message.pull);
    case KT_FX_SEND_BATCHES:
        return kt_engine_send_batches(e, f->link, &f->message);
    case KT_FX_SEND_ERASURES:
        return kt_engine_send_erasures(e, f->link);
    case KT_FX_SEND_PROOFS:
        return kt_engine_send_proofs(e, f->link);
    case KT_FX_PULSE:
        /* no word of being complete while a peer may hold more of us than we do */
        return kt_engine_unsure(e) ? KT_OK : kt_engine_pulse(e, f->whole);
    case KT_FX_KEEP_PULSE:
        return keep_pulse(e, f);
    case KT_FX_FORK:
        return kt_engine_fork(e, f->origin, batch);
    case KT_FX_OWN_HEAD_AHEAD:
        kt_engine_told_ahead(e);
        return KT_OK;
    case KT_FX_CLOSE:
        kt_engine_note(e, "link-closed", "%s", f->why);
        e->config.transport->close_link(e->config.transport, f->link, f->why);
        return KT_OK;
    }
    return KT_EBUG;
}

int kt_engine_replica(struct kt_engine *e, struct kt_event *ev, struct kt_opened *batch)
{
    /* effects may lead to further steps (a pulse does): each works on a list of its own */
    struct kt_effects fx = e->fx;
    memset(&e->fx, 0, sizeof e->fx);
    kt_arena_init(&e->fx.arena, fx.arena.bytes_max);
    kt_arena_reset(&fx.arena);
    int err = kt_replica_step(e->replica, ev, &fx);
    for (uint32_t i = 0; i < fx.len && !err; i++) err = carry_out(e, &fx.items[i], batch);
    kt_arena_free(&e->fx.arena);
    e->fx = fx;
    e->fx.len = 0;
    return err;
}

/* -------------------------------------------------------------------------------------------------------- links */

int kt_engine_link_up(struct kt_engine *e, uint64_t link, kt_member member, bool roster_only)
{
    if (e->links_len == KT_PEERS_MAX) {
        e->config.transport->close_link(e->config.transport, link, "too many links");
        return KT_OK;
    }
    e->links[e->links_len++] = (struct kt_engine_link){.id = link, .member = member, .roster_only = roster_only};
    struct kt_event ev = kt_engine_event(e, KT_EV_LINK_UP, link);
    ev.member = member;
    ev.roster_only = roster_only;
    return kt_engine_replica(e, &ev, NULL);
}

int kt_engine_link_down(struct kt_engine *e, uint64_t link)
{
    struct kt_engine_link *l = kt_engine_link(e, link);
    if (!l) return KT_OK;
    kt_engine_drop_outgoing(l);
    *l = e->links[--e->links_len];
    struct kt_event ev = kt_engine_event(e, KT_EV_LINK_DOWN, link);
    return kt_engine_replica(e, &ev, NULL);
}

/* ------------------------------------------------------------------------------------------------------- frames */

static int standing(struct kt_engine *e, const struct kt_opened *o)
{
    if (o->verdict) return o->verdict;
    return kt_judge_standing(&o->batch, kt_keyring_roster(e->keyring),
                             kt_vector_find(kt_ledger_vector(e->ledger), o->batch.seal.origin));
}

/* It was opened ahead: the roster it names may have come since, or one with another cut, or the erasure for what it
 * lacks. */
static int judge_now(struct kt_engine *e, struct kt_intake *i, uint32_t n, int *verdict)
{
    struct kt_opened *o = &i->opened[n];
    const struct kt_answer_batch *b = &i->message.answer.batches[n];
    int err = KT_OK;
    const bool excused = o->verdict == KT_ETRUNCATED && o->erasures != kt_keyring_erasures(e->keyring);
    if (excused || o->judged_by != kt_keyring_roster(e->keyring)->version)
        err = kt_open_batch(e->keyring, NULL, o->bytes, b->wraps, b->wraps_len, &i->arena, o);
    if (err && err != KT_ELIMIT) return err;
    *verdict = err ? err : standing(e, o); /* KT_ELIMIT: this frame opens into too much, and is its peer's */
    return KT_OK;
}

static int take_answer(struct kt_engine *e, struct kt_intake *i)
{
    struct kt_answer *a = &i->message.answer;
    int err = KT_OK;
    for (uint32_t n = 0; n < a->batches_len && !err && !e->group_error; n++) {
        struct kt_opened *o = &i->opened[n];
        bool filled;
        if ((err = kt_engine_fill_hole(e, o, &filled)) || filled) continue;
        if ((err = kt_engine_make_room(e, 1))) break; /* one frame may bring more than a group has places for */
        struct kt_event ev = kt_engine_event(e, KT_EV_BATCH, i->link);
        ev.seal = &o->batch.seal;
        ev.seal_hash = &o->batch.seal_hash;
        if ((err = judge_now(e, i, n, &ev.verdict))) break;
        if (ev.verdict && ev.verdict != KT_EDUPLICATE) e->count.refused_batches++;
        if (ev.verdict == KT_EFORK) err = kt_engine_commit(e); /* its proof needs what came before it in the journal */
        if (!err) err = kt_engine_search(e, i->link, o);
        if (!err) err = kt_engine_replica(e, &ev, o);
    }
    a->batches_len = 0;
    struct kt_event end = kt_engine_event(e, KT_EV_ANSWER_END, i->link);
    end.message = &i->message;
    end.bytes = i->frame_bytes;
    return err || e->group_error ? err : kt_engine_replica(e, &end, NULL);
}

/* A link that came up before its member was in our roster showed keys that nothing here could be compared with: it
 * starts again, and is looked at as every other. */
static void close_strangers(struct kt_engine *e)
{
    for (uint32_t i = 0; i < e->links_len; i++)
        if (e->links[i].roster_only && kt_roster_member(kt_keyring_roster(e->keyring), e->links[i].member))
            e->config.transport->close_link(e->config.transport, e->links[i].id, "its roster is here now: link again");
}

static int take_rosters(struct kt_engine *e, struct kt_intake *i)
{
    const struct kt_rosters *r = &i->message.rosters;
    bool newer = false;
    int err = e->group ? kt_engine_commit(e) : KT_OK; /* the group may be writing keys */
    if (err) return err;
    err = kt_keyring_take_rosters(e->keyring, r->rosters, r->rosters_len, r->bundles, r->bundles_len, &newer);
    if (err) {
        kt_engine_note(e, "roster-refused", "a peer's roster was refused: %s", kt_error_text(err));
        if (err == KT_EIO || err == KT_EFULL) return err;
        const bool of_another_chain = err == KT_EHASH || err == KT_ESIGNATURE || err == KT_ECLUSTER;
        struct kt_event refused = kt_engine_event(e, KT_EV_ROSTER_REFUSED, i->link);
        return of_another_chain ? kt_engine_replica(e, &refused, NULL) : KT_OK;
    }
    if (!newer) return KT_OK;
    e->keys_came = true;
    kt_engine_note(e, "roster", "roster version %u is in force", kt_keyring_roster(e->keyring)->version);
    struct kt_event ev = kt_engine_event(e, KT_EV_ROSTER, i->link);
    ev.roster = kt_keyring_roster_told(e->keyring);
    err = kt_engine_replica(e, &ev, NULL);
    e->cuts_due = true; /* whatever comes between */
    if (!err) err = kt_engine_forks_cut(e);
    if (!err) err = kt_engine_heed_cuts(e);
    close_strangers(e);
    return err;
}

/* Wraps that a batch promises come with it.  These are the ones asked for, of keys that held envelopes wait for: of
 * compartments read here, from a link that is open.  Others are nobody's business: a member could mint them without
 * end. */
static int take_wraps(struct kt_engine *e, struct kt_intake *i)
{
    struct kt_bytes_list *list = &i->message.wraps;
    const struct kt_engine_link *l = kt_engine_link(e, i->link);
    bool useful;
    uint32_t kept = 0;
    for (uint32_t n = 0; n < list->len && !l->roster_only; n++) {
        struct kt_wrap w;
        if (!kt_wrap_decode(list->items[n], &w) && kt_keyring_compartment(e->keyring, w.compartment) &&
            kt_replica_lacks(e->replica, &w.id))
            list->items[kept++] = list->items[n];
    }
    list->len = kept;
    if (!kept) return KT_OK;
    int err = kt_engine_group(e);
    if (!err) err = kt_ledger_take_wraps(e->ledger, i->message.wraps.items, i->message.wraps.len, &useful);
    if (!err && useful) e->keys_came = true;
    return err;
}

int kt_engine_keys_came(struct kt_engine *e)
{
    const uint64_t held = kt_ledger_held_so_far(e->ledger);
    const uint64_t now = kt_engine_mono_ms(e);
    const bool next = e->lacking_many && now - e->lacking_mono_ms >= LACKING_NEXT_MS;
    if (e->group_error || (!e->keys_came && !e->held_left && !next && held == e->held_seen)) return KT_OK;
    struct kt_arena scratch;
    struct kt_dek_id *ids = NULL;
    uint32_t n = 0;
    int err = kt_engine_group(e);
    if (!err && (e->keys_came || e->held_left)) err = kt_ledger_retry_held(e->ledger, e->keys_came, &e->held_left);
    e->keys_came = false;
    e->held_seen = held;
    if (err) {
        e->group_error = err;
        return KT_OK;
    }
    if (e->held_left) return KT_OK; /* what is lacking is known at the end of the walk */
    kt_arena_init(&scratch, 64u << 20);
    err = kt_ledger_lacking(e->ledger, &scratch, &ids, &n);
    struct kt_event ev = kt_engine_event(e, KT_EV_LACKING, 0);
    ev.deks = ids;
    ev.deks_len = n;
    if (!err) err = kt_engine_replica(e, &ev, NULL);
    kt_arena_free(&scratch);
    e->lacking_many = n == KT_WRAPS_PER_FRAME_MAX;
    e->lacking_mono_ms = now;
    return err;
}

/* A whole pull says what its sender holds of us.  One office may lack what another has of us: our own head is known
 * once every other member has said so. */
static int confirm_head(struct kt_engine *e, uint64_t link)
{
    const struct kt_engine_link *l = kt_engine_link(e, link);
    const struct kt_roster *roster = kt_keyring_roster(e->keyring);
    bool all = true;
    if (!e->head_unsure || !l) return KT_OK;
    if (e->confirmed_len < KT_PEERS_MAX) e->confirmed[e->confirmed_len++] = l->member;
    for (uint32_t m = 0; m < roster->members_len && all; m++) {
        uint32_t i = 0;
        while (i < e->confirmed_len && e->confirmed[i] != roster->members[m].number) i++;
        all = i < e->confirmed_len || roster->members[m].revoked ||
              roster->members[m].number == kt_ledger_origin(e->ledger).member;
    }
    return all ? kt_engine_head_known(e) : KT_OK;
}

int kt_engine_frame(struct kt_engine *e, uint64_t link, struct kt_intake *i)
{
    int err = KT_OK;
    const int verdict = i ? i->verdict : KT_ENOMEM;
    if (e->config.frame_done) e->config.frame_done(e->config.ctx, link);
    if (!kt_engine_link(e, link)) return KT_OK; /* its link has ended */
    if (verdict) {
        kt_engine_note(e, "frame-refused", "a peer's frame was refused: %s", kt_error_text(verdict));
        e->config.transport->close_link(e->config.transport, link, kt_error_text(verdict));
        return KT_OK;
    }
    struct kt_event ev = kt_engine_event(e, KT_EV_MESSAGE, i->link);
    ev.message = &i->message;
    switch (i->message.part) {
    case KT_PEER_ANSWER:
        return take_answer(e, i);
    case KT_PEER_ROSTERS:
        return take_rosters(e, i);
    case KT_PEER_WRAPS:
        return take_wraps(e, i);
    case KT_PEER_ERASURES:
        return kt_engine_take_erasures(e, i);
    case KT_PEER_PROOFS:
        return kt_engine_take_proofs(e, i);
    case KT_PEER_SNAPSHOT:
        return KT_OK; /* nothing here asks for one yet */
    case KT_PEER_PULL:
        err = kt_engine_replica(e, &ev, NULL);
        /* a whole pull tells all its sender holds of us: more than we do has just made head_ahead true */
        return err || !i->message.pull.whole ? err : confirm_head(e, i->link);
    default:
        return kt_engine_replica(e, &ev, NULL);
    }
}
