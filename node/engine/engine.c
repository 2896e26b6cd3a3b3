#include "engine/engine_state.h"

#include "engine/journal/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK_MS                 20u
#define CATCH_UP_MS             500u        /* between two tries of a store that its disk stops */
#define GROUP_REQUEST_BYTES     (32u << 20) /* of requests and replies; likewise */
#define GROUP_MS_MAX            20u         /* then a group commits, whatever else waits */
#define GROUP_ARENA_BYTES_MAX   (64u << 20)
#define EFFECTS_ARENA_BYTES_MAX (64u << 20)
#define BELIEVE_MS_MIN          600000u /* between two new incarnations on a peer's bare word */
#define UNSURE_MS_MAX           3000u   /* so long a write waits for a peer that knows our head */
#define REQUEST_BATCHES_MAX     16u     /* what one request can make */
_Static_assert(KT_REQUEST_BYTES_MAX / (KT_BATCH_BYTES_MAX - KT_RECORD_BYTES_MAX) < REQUEST_BATCHES_MAX - 2, "it fits");

uint64_t kt_engine_mono_ms(const struct kt_engine *e) { return e->world->monotonic_ns(e->world) / 1000000u; }

void kt_engine_note(struct kt_engine *e, const char *event, const char *format, ...)
{
    char sentence[512];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (e->config.note) e->config.note(e->config.ctx, event, sentence);
}

struct kt_ledger *kt_engine_ledger(struct kt_engine *e) { return e->ledger; }

/* ------------------------------------------------------------------------------------------------ open and close */

/* A replica as the ledger says; also after a group that failed, since it had heard of what did not happen. */
static int make_replica(struct kt_engine *e)
{
    const struct kt_origin self = kt_ledger_origin(e->ledger);
    const struct kt_replica_config rc = {*kt_keyring_cluster(e->keyring), self.member, self.incarnation};
    kt_replica_free(e->replica);
    e->replica = NULL;
    int err = kt_replica_create(&rc, kt_ledger_vector(e->ledger), &e->replica);
    if (!err) err = kt_engine_recall_forks(e);
    if (!err) err = kt_engine_forks_cut(e);
    if (err) return err;
    struct kt_event ev = kt_engine_event(e, KT_EV_ROSTER, 0);
    ev.roster = kt_keyring_roster_told(e->keyring);
    kt_engine_heed_own_cut(e);
    return kt_engine_replica(e, &ev, NULL);
}

void kt_engine_heed_own_cut(struct kt_engine *e)
{
    const struct kt_roster *roster = kt_keyring_roster(e->keyring);
    const struct kt_origin self = kt_ledger_origin(e->ledger), next = {self.member, KT_INCARNATION_OTHERS};
    for (uint32_t i = 0; i <= roster->compartments_len; i++) {
        const kt_compartment c = i ? roster->compartments[i - 1].number : 0;
        if (kt_roster_cut(roster, self, c) < kt_roster_cut(roster, next, c)) e->head_ahead = true;
    }
}

/* Links start anew from what counts now, as after a group that failed. */
static void drop_links(struct kt_engine *e, const char *why)
{
    for (uint32_t i = 0; i < e->links_len; i++) {
        kt_engine_drop_outgoing(&e->links[i]);
        e->config.transport->close_link(e->config.transport, e->links[i].id, why);
    }
    e->links_len = 0;
}

int kt_engine_heed_cuts(struct kt_engine *e)
{
    bool changed = false;
    kt_board_shut(e->config.board); /* a store that is made again is not to be looked at */
    int err = kt_ledger_heed_cuts(e->ledger, &changed);
    e->cut = e->cut || changed; /* also where the first try only clipped the vector */
    e->cuts_due = err == KT_EAGAIN;
    if (e->cuts_due) return KT_OK;
    kt_engine_heed_own_cut(e);
    if (err || !e->cut) return err;
    e->cut = false;
    kt_engine_note(e, "cut", "the newest roster cuts what was applied: the store was made again without it");
    drop_links(e, "starting anew after a cut");
    e->keys_came = true;
    err = make_replica(e);
    return err ? err : kt_engine_publish(e);
}

struct kept {
    struct kt_engine *engine;
    struct kt_bytes *pulses;
    uint32_t len;
};

static int collect_pulse(void *ctx, kt_member member, struct kt_bytes pulse)
{
    struct kept *k = ctx;
    (void)member;
    const struct kt_bytes copy = kt_arena_copy(&k->engine->arena, pulse);
    if (copy.data && k->len < KT_MEMBERS_MAX && kt_intake_pulse_is_good(k->engine->keyring, &k->engine->arena, copy))
        k->pulses[k->len++] = copy;
    return KT_OK;
}

/* The pulses kept from before: how fresh each office was when this node stopped. */
static int recall_pulses(struct kt_engine *e)
{
    struct kt_store *s = e->config.ledger.store;
    struct kept k = {e, kt_arena_array(&e->arena, KT_MEMBERS_MAX, sizeof *k.pulses), 0};
    struct kt_txn *t;
    if (!k.pulses) return KT_ELIMIT;
    int err = s->ops->begin(s, KT_ENV_JOURNAL, false, &t);
    if (err) return err;
    err = kt_journal_pulses(s, t, collect_pulse, &k);
    s->ops->abort(t);
    if (err || k.len == 0) return err;
    const struct kt_peer_message m = {.part = KT_PEER_PULSES, .pulses = {k.pulses, k.len}};
    struct kt_event ev = kt_engine_event(e, KT_EV_MESSAGE, 0);
    ev.message = &m;
    err = kt_engine_replica(e, &ev, NULL);
    if (!err) err = kt_engine_commit(e);
    kt_arena_reset(&e->arena);
    return err;
}

int kt_engine_open(const struct kt_engine_config *c, struct kt_engine **out)
{
    struct kt_engine *e = calloc(1, sizeof *e);
    if (!e) return KT_ENOMEM;
    e->config = *c;
    e->world = c->ledger.world;
    e->keyring = c->ledger.keyring;
    e->deferred_end = &e->deferred;
    e->count.started_mono_ms = kt_engine_mono_ms(e);
    kt_arena_init(&e->arena, GROUP_ARENA_BYTES_MAX);
    kt_arena_init(&e->fx.arena, EFFECTS_ARENA_BYTES_MAX);
    int err = kt_ledger_open(&c->ledger, &e->ledger);
    if (!err) err = make_replica(e);
    if (!err) err = recall_pulses(e);
    if (!err) {
        e->head_unsure = c->ledger.store->files_moved;
        e->unsure_until_mono_ms = kt_engine_mono_ms(e) + UNSURE_MS_MAX;
        e->holes_since_mono_ms = kt_engine_mono_ms(e);
        e->keys_came = true; /* also asks for what was lacking when the node stopped */
        err = kt_engine_publish(e);
    }
    if (err) {
        kt_engine_close(e);
        return err;
    }
    *out = e;
    return KT_OK;
}

static void free_input(struct kt_input *in)
{
    kt_intake_free(in->intake);
    free(in->request);
    in->intake = NULL;
    in->request = NULL;
}

void kt_engine_drop_deferred(struct kt_engine *e)
{
    for (struct kt_input *in = e->deferred, *next; in; in = next) {
        next = in->next;
        free_input(in);
        free(in);
    }
    e->deferred = NULL;
    e->deferred_end = &e->deferred;
}

void kt_engine_close(struct kt_engine *e)
{
    if (!e) return;
    for (uint32_t i = 0; i < e->links_len; i++) kt_engine_drop_outgoing(&e->links[i]);
    kt_engine_drop_deferred(e);
    kt_engine_drop_waiting(e);
    kt_replica_free(e->replica);
    kt_ledger_close(e->ledger);
    kt_arena_free(&e->arena);
    kt_arena_free(&e->fx.arena);
    free(e);
}

/* ------------------------------------------------------------------------------------------------------- groups */

int kt_engine_group(struct kt_engine *e)
{
    if (e->group) return KT_OK;
    int err = kt_ledger_begin(e->ledger);
    if (!err) e->group = true;
    return err;
}

static void measure(struct kt_engine *e, uint64_t ns)
{
    const uint32_t last = sizeof e->count.commit_buckets / sizeof *e->count.commit_buckets - 1;
    uint32_t i = 0;
    while (i < last && ns >= (uint64_t)100000u << i) i++;
    e->count.commit_buckets[i]++;
    e->count.commit_count++;
    e->count.commit_sum_ns += ns;
}

/* Nothing of the group counts.  Peers are asked again from what is durable: their links start anew. */
static int fail_group(struct kt_engine *e, int why)
{
    if (e->count.last_commit_error != why) { /* said once: a full disk has no room for a log of it */
        e->count.last_commit_error_mono_ms = kt_engine_mono_ms(e);
        kt_engine_note(e, "commit-failed", "a group could not be committed: %s; %s", kt_error_text(why),
                       kt_error_advice(why));
    }
    e->count.last_commit_error = why;
    drop_links(e, "starting anew after a failed commit");
    e->ask_again = true;
    kt_engine_answer(e, why);
    int err = make_replica(e);
    return err ? err : why == KT_EFULL || why == KT_EAGAIN || why == KT_EKEY || why == KT_ELIMIT ? KT_OK : why;
}

static int tell_written(struct kt_engine *e, const struct kt_wrote *wrote, uint32_t n)
{
    int err = KT_OK;
    for (uint32_t i = 0; i < n && !err; i++) {
        struct kt_event ev = kt_engine_event(e, KT_EV_WROTE, 0);
        ev.seal = &wrote[i].seal;
        ev.seal_hash = &wrote[i].seal_hash;
        err = kt_engine_replica(e, &ev, NULL);
    }
    return err;
}

int kt_engine_commit(struct kt_engine *e)
{
    const bool group = e->group;
    int err = e->group_error;
    const struct kt_wrote *wrote = NULL;
    uint32_t n = 0;
    e->group = false;
    e->group_error = KT_OK;
    if (group && err)
        kt_ledger_abort(e->ledger);
    else if (group)
        err = kt_ledger_commit(e->ledger, &wrote, &n);
    const int lost = err ? kt_ledger_lost(e->ledger) : KT_OK;
    if (err) return lost ? lost : fail_group(e, err);
    if (group) {
        struct kt_ledger_state s;
        if ((err = kt_ledger_state(e->ledger, &s))) return err;
        measure(e, s.commit_ns_last);
        e->count.last_commit_error = KT_OK;
        if (e->ask_again) e->keys_came = true;
        e->ask_again = false;
        err = tell_written(e, wrote, n);
        struct kt_event ev = kt_engine_event(e, KT_EV_COMMITTED, 0);
        if (!err && (e->accepted || n)) err = kt_engine_replica(e, &ev, NULL);
        e->accepted = false;
        if (!err) err = kt_engine_publish(e); /* a waiting lookup may go on before the reply is out */
    }
    kt_engine_answer(e, KT_OK);
    return err;
}

int kt_engine_make_room(struct kt_engine *e, uint32_t batches)
{
    return e->group && kt_ledger_room(e->ledger) < batches ? kt_engine_commit(e) : KT_OK;
}

/* -------------------------------------------------------------------------------------------------------- steps */

/* Takes the request over. */
static int defer(struct kt_engine *e, struct kt_input *in)
{
    struct kt_input *copy = malloc(sizeof *copy);
    if (!copy) return KT_ENOMEM;
    *copy = *in;
    copy->next = NULL;
    in->request = NULL;
    *e->deferred_end = copy;
    e->deferred_end = &copy->next;
    return KT_OK;
}

bool kt_engine_unsure(const struct kt_engine *e)
{
    return e->head_unsure && !e->head_ahead && kt_engine_mono_ms(e) < e->unsure_until_mono_ms;
}

/* Before the first write after a move or another boot: have the peers told us our own head?  One that knows more makes
 * us take a new incarnation; not reaching all in time, likewise: who was not reached may hold what we forgot. */
static int settle_head(struct kt_engine *e, bool *wait)
{
    *wait = false;
    if (e->head_unsure && !e->head_ahead) {
        *wait = kt_engine_unsure(e);
        if (*wait) return KT_OK;
        kt_engine_note(e, "incarnation",
                       "not every other office could confirm our own head: writing under a new incarnation");
    }
    if (!e->head_unsure && !e->head_ahead) return KT_OK;
    int err = kt_engine_commit(e);
    if (!err) err = kt_ledger_new_incarnation(e->ledger);
    if (err) return err;
    e->head_ahead = e->told_again = false;
    if ((err = kt_engine_head_known(e))) return err;
    struct kt_event ev = kt_engine_event(e, KT_EV_INCARNATION, 0);
    ev.incarnation = kt_ledger_origin(e->ledger).incarnation;
    return kt_engine_replica(e, &ev, NULL);
}

/* After a move every word counts.  Else a member could make us begin anew for ever, until there is no place for another
 * incarnation in any vector: its bare word does so once in a while only, and the proof of a fork at any time. */
void kt_engine_told_ahead(struct kt_engine *e)
{
    const uint64_t now = kt_engine_mono_ms(e);
    e->told_again = !e->head_unsure && e->believed_mono_ms && now - e->believed_mono_ms < BELIEVE_MS_MIN;
    if (e->told_again) return;
    e->head_ahead = true;
    e->believed_mono_ms = now;
}

int kt_engine_head_known(struct kt_engine *e)
{
    struct kt_store *s = e->config.ledger.store;
    if (!e->head_unsure || e->head_ahead) return KT_OK;
    e->head_unsure = false;
    return s->ops->settled(s);
}

/* A disk without room ends the group at hand, not the engine: nothing of it counts, and reading goes on. */
static int survive_full(struct kt_engine *e, int err)
{
    if (err != KT_EFULL) return err;
    e->group_error = err;
    return KT_OK;
}

static int run_request(struct kt_engine *e, struct kt_input *in)
{
    int err = kt_engine_make_room(e, REQUEST_BATCHES_MAX);
    return err ? err : kt_engine_request(e, in);
}

static int handle_request(struct kt_engine *e, struct kt_input *in)
{
    bool wait;
    int err = survive_full(e, settle_head(e, &wait));
    if (err) return err;
    return wait ? defer(e, in) : run_request(e, in);
}

static int handle(struct kt_engine *e, struct kt_input *in)
{
    switch (in->kind) {
    case KT_IN_LINK_UP:
        return kt_engine_link_up(e, in->link, in->member, in->roster_only);
    case KT_IN_LINK_DOWN:
        return kt_engine_link_down(e, in->link);
    case KT_IN_FRAME:
        return kt_engine_frame(e, in->link, in->intake);
    case KT_IN_REQUEST:
        return handle_request(e, in);
    case KT_IN_CALL:
        in->call(in->arg, e);
        return KT_OK;
    }
    return KT_EBUG;
}

/* Commits a group that cannot go on, or has had its share of memory or time. */
static int end_when_due(struct kt_engine *e, uint64_t *started_mono_ms)
{
    const bool full = e->arena.used_bytes >= GROUP_REQUEST_BYTES;
    if (!e->group_error && !full && kt_engine_mono_ms(e) - *started_mono_ms < GROUP_MS_MAX) return KT_OK;
    const int err = kt_engine_commit(e);
    kt_arena_reset(&e->arena);
    *started_mono_ms = kt_engine_mono_ms(e);
    return err;
}

/* Frames come before puts: what we write then stands after what it may have seen. */
static int handle_all(struct kt_engine *e, struct kt_input *const *inputs, uint32_t n, bool requests)
{
    int err = KT_OK;
    uint64_t started = kt_engine_mono_ms(e);
    for (uint32_t i = 0; i < n && !err; i++) {
        const bool request = inputs[i]->kind == KT_IN_REQUEST;
        if (request != requests || inputs[i]->kind == KT_IN_CALL) continue;
        err = survive_full(e, handle(e, inputs[i]));
        if (!err) err = end_when_due(e, &started);
    }
    return err;
}

static int handle_deferred(struct kt_engine *e)
{
    bool wait;
    if (!e->deferred) return KT_OK;
    int err = survive_full(e, settle_head(e, &wait));
    if (err || wait) return err;
    struct kt_input *in = e->deferred;
    uint64_t started = kt_engine_mono_ms(e);
    e->deferred = NULL;
    e->deferred_end = &e->deferred;
    while (in) {
        struct kt_input *next = in->next;
        if (!err) err = run_request(e, in);
        if (!err) err = end_when_due(e, &started);
        free_input(in);
        free(in);
        in = next;
    }
    return err;
}

/* A store that fell behind its journal catches up as soon as it can, whether or not anything arrives. */
static int catch_up(struct kt_engine *e, uint64_t now)
{
    if (!kt_ledger_lags(e->ledger) || now - e->caught_up_mono_ms < CATCH_UP_MS) return KT_OK;
    e->caught_up_mono_ms = now;
    const int err = kt_engine_group(e);
    return err == KT_EFULL ? KT_OK : err;
}

static int tick(struct kt_engine *e)
{
    const uint64_t now = kt_engine_mono_ms(e);
    if (now - e->last_tick_mono_ms < TICK_MS) return KT_OK;
    e->last_tick_mono_ms = now;
    struct kt_event ev = kt_engine_event(e, KT_EV_TICK, 0);
    int err = catch_up(e, now);
    if (!err && e->cuts_due) err = kt_engine_heed_cuts(e);
    if (!e->cuts_due && !kt_ledger_lags(e->ledger)) kt_board_open(e->config.board);
    if (!err) err = kt_engine_erase_on(e);
    if (!err) err = kt_engine_search_on(e);
    if (!err) err = kt_engine_reissue_on(e);
    if (!err) err = kt_engine_ask_holes(e);
    if (e->told_again) kt_engine_told_ahead(e);
    return err ? err : kt_engine_replica(e, &ev, NULL);
}

int kt_engine_step(struct kt_engine *e, struct kt_input *const *inputs, uint32_t n)
{
    bool wait;
    int err = handle_all(e, inputs, n, false);
    if (!err) err = handle_deferred(e);
    if (!err) err = handle_all(e, inputs, n, true);
    if (!err) err = survive_full(e, kt_engine_keys_came(e));
    if (!err) err = kt_engine_commit(e);
    for (uint32_t i = 0; i < n && !err; i++)
        if (inputs[i]->kind == KT_IN_CALL) err = handle(e, inputs[i]);
    if (!err) err = survive_full(e, tick(e));
    if (!err) err = kt_engine_commit(e);                                     /* a tick may keep pulses */
    if (!err && e->head_ahead) err = survive_full(e, settle_head(e, &wait)); /* before a stop can forget it */
    if (!err) err = kt_engine_serve(e);
    kt_engine_flush(e);
    kt_engine_check_waiting(e);
    for (uint32_t i = 0; i < n; i++) free_input(inputs[i]);
    kt_arena_reset(&e->arena);
    return err;
}

uint32_t kt_engine_idle_ms(const struct kt_engine *e)
{
    (void)e;
    return TICK_MS;
}

int kt_engine_status(struct kt_engine *e, struct kt_arena *a, struct kt_engine_status *out)
{
    *out = e->count;
    const struct kt_origin self = kt_ledger_origin(e->ledger);
    out->member = self.member;
    out->incarnation = self.incarnation;
    out->vector = kt_ledger_vector(e->ledger);
    out->forks = e->forks;
    out->forks_len = e->forks_len;
    out->store_life = kt_ledger_store_life(e->ledger);
    out->now_mono_ms = kt_engine_mono_ms(e);
    out->now_ms = e->world->now_ms(e->world);
    int err = kt_ledger_state(e->ledger, &out->ledger);
    if (!err) err = kt_ledger_digests(e->ledger, a, &out->digests, &out->digests_len);
    if (!err) err = kt_replica_peers(e->replica, out->now_ms, out->now_mono_ms, a, &out->peers, &out->peers_len);
    return err;
}
