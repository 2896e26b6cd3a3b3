/* The serving side: what a peer's pulls say, what it is to be sent now, and what waits a round trip. */
#include "core/replica_state.h"

#include <stdlib.h>

#define TOO_MANY_ORIGINS "named more origins than there can be"

/* What a pull changes, gathered before anything is changed. */
struct pulled {
    struct kt_vector cursor, acknowledged; /* of a whole pull */
    struct kt_origin *skip;
    kt_member *heard;
};

static void pulled_free(struct pulled *p)
{
    kt_vector_free(&p->cursor);
    kt_vector_free(&p->acknowledged);
    free(p->skip);
    free(p->heard);
}

static int raise_all(struct kt_vector *v, const struct kt_head *heads, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        int err = kt_raise_reserve(v, heads[i].origin);
        if (err) return err;
        kt_raise(v, heads[i].origin, heads[i].number);
    }
    return KT_OK;
}

static int copy_run(const void *from, size_t n, size_t bytes, void **to)
{
    if (n == 0) return KT_OK;
    *to = calloc(n, bytes);
    if (!*to) return KT_ENOMEM;
    memcpy(*to, from, n * bytes);
    return KT_OK;
}

/* New vectors are made even for a few changes: so a failure half-way leaves what was. */
static int gather(const struct kt_peer_link *l, const struct kt_replica_peer *peer, const struct kt_pull *pull,
                  struct pulled *p)
{
    int err = pull->whole ? KT_OK : kt_vector_copy(&l->cursor, &p->cursor);
    if (!err && !pull->whole) err = kt_vector_copy(&peer->acknowledged, &p->acknowledged);
    if (!err) err = raise_all(&p->cursor, pull->heads, pull->heads_len);
    if (!err) err = raise_all(&p->acknowledged, pull->heads, pull->heads_len);
    if (!err) err = copy_run(pull->skip, pull->skip_len, sizeof *pull->skip, (void **)&p->skip);
    if (!err) err = copy_run(pull->heard, pull->heard_len, sizeof *pull->heard, (void **)&p->heard);
    return err;
}

/* The same wish again, soon: the answer is on its way. */
static bool wraps_due(const struct kt_peer_link *l, const struct kt_pull *pull, uint64_t now_mono_ms)
{
    if (pull->want_wraps_len == 0) return false;
    return l->wraps_len != pull->want_wraps_len || now_mono_ms - l->wraps_mono_ms >= KT_WRAPS_REPEAT_MS ||
           memcmp(&l->wraps_first, &pull->want_wraps[0], sizeof l->wraps_first) != 0 ||
           memcmp(&l->wraps_last, &pull->want_wraps[pull->want_wraps_len - 1], sizeof l->wraps_last) != 0;
}

static int push_answers(struct kt_replica *r, const struct kt_peer_link *l, const struct kt_event *ev, bool *own_ahead,
                        struct kt_effects *fx)
{
    const struct kt_pull *pull = &ev->message->pull;
    int err = kt_replica_check_own(r, l->id, pull->heads, pull->heads_len, fx, own_ahead);
    if (!err && kt_link_rosters_due(r, l, pull->roster_version, ev->now_mono_ms))
        err = kt_link_push_rosters(l, pull->roster_version, fx);
    if (err || !wraps_due(l, pull, ev->now_mono_ms)) return err;
    struct kt_effect *e = kt_fx_add(fx, KT_FX_SEND_WRAPS, l->id);
    if (!e) return KT_ELIMIT;
    e->message = *ev->message;
    return KT_OK;
}

/* From sending a batch to hearing that it is durable there: what a pause is measured by. */
static void measure(struct kt_peer_link *l, const struct kt_vector *acknowledged, uint64_t now_mono_ms)
{
    if (l->probe.number == 0 || kt_vector_get(acknowledged, l->probe.origin) < l->probe.number) return;
    uint64_t trip = now_mono_ms - l->probe_mono_ms;
    l->round_trip_ms = l->round_trip_ms ? (3 * l->round_trip_ms + trip) / 4 : trip;
    l->probe.number = 0;
}

/* A peer takes an author to hold all it ever wrote.  One that went back to older files says again what it holds. */
static bool knows_more_of_us(const struct kt_replica *r, const struct kt_pull *pull)
{
    for (uint32_t i = 0; i < pull->heads_len; i++)
        if (pull->heads[i].origin.member == r->config.self && !kt_replica_has(r, pull->heads[i])) return true;
    return false;
}

static void take_pull(struct kt_replica *r, struct kt_peer_link *l, struct kt_replica_peer *peer, struct pulled *p,
                      const struct kt_event *ev)
{
    const struct kt_pull *pull = &ev->message->pull;
    if (kt_link_rosters_due(r, l, pull->roster_version, ev->now_mono_ms)) {
        l->rosters_sent = kt_replica_roster_version(r);
        l->rosters_sent_mono_ms = ev->now_mono_ms;
    }
    if (wraps_due(l, pull, ev->now_mono_ms)) {
        l->wraps_first = pull->want_wraps[0];
        l->wraps_last = pull->want_wraps[pull->want_wraps_len - 1];
        l->wraps_mono_ms = ev->now_mono_ms;
    }
    l->wraps_len = pull->want_wraps_len;
    l->peer_roster = pull->roster_version;
    struct pulled old = {l->cursor, peer->acknowledged, l->skip, l->heard};
    l->cursor = p->cursor;
    peer->acknowledged = p->acknowledged;
    l->skip = p->skip;
    l->heard = p->heard;
    *p = old;
    l->skip_len = pull->skip_len;
    l->heard_len = pull->heard_len;
    l->give = l->give_left = pull->grant_bytes < KT_GRANT_BYTES_MAX ? pull->grant_bytes : KT_GRANT_BYTES_MAX;
    l->pulled = l->serve_due = true;
    l->whole_due = l->whole_due || knows_more_of_us(r, pull);
    peer->pulled = true;
    peer->wants_wraps = pull->want_wraps_len > 0;
    measure(l, &peer->acknowledged, ev->now_mono_ms);
}

int kt_replica_on_pull(struct kt_replica *r, struct kt_peer_link *l, const struct kt_event *ev, struct kt_effects *fx)
{
    const struct kt_pull *pull = &ev->message->pull;
    struct kt_replica_peer *peer = kt_replica_peer(r, l->member);
    if (!peer) return KT_EBUG; /* made when the link came up */
    struct pulled p = {0};
    bool own_ahead = false;
    int err = gather(l, peer, pull, &p);
    const bool too_many = err == KT_ELIMIT;
    if (too_many) err = kt_fx_close(fx, l->id, TOO_MANY_ORIGINS);
    if (!err && !too_many) err = push_answers(r, l, ev, &own_ahead, fx);
    if (!err && !too_many) {
        take_pull(r, l, peer, &p, ev);
        r->own_ahead_told = r->own_ahead_told || own_ahead;
    }
    pulled_free(&p); /* what was before, or what came to nothing */
    return err;
}

int kt_replica_on_sent(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    struct kt_peer_link *l = kt_replica_link(r, ev->link);
    if (!l) return KT_OK;
    struct kt_head sent = {ev->seal->origin, ev->seal->number};
    int err = kt_raise_reserve(&l->cursor, sent.origin);
    if (err == KT_ELIMIT) return kt_fx_close(fx, l->id, TOO_MANY_ORIGINS);
    if (err) return err;
    l->give_left -= ev->bytes < l->give_left ? ev->bytes : l->give_left;
    if (kt_raise(&l->cursor, sent.origin, sent.number) && l->probe.number == 0) {
        l->probe = sent;
        l->probe_mono_ms = ev->now_mono_ms;
    }
    return KT_OK;
}

void kt_replica_cannot_serve(struct kt_replica *r, uint64_t link)
{
    struct kt_peer_link *l = kt_replica_link(r, link);
    if (l) l->give_left = 0;
}

/* -------------------------------------------------------------------------------------------------- what is wanted */

const struct kt_vector *kt_replica_cursor(const struct kt_replica *r, uint64_t link)
{
    const struct kt_peer_link *l = kt_replica_link(r, link);
    return l ? &l->cursor : NULL;
}

const struct kt_origin *kt_replica_skipped(const struct kt_replica *r, uint64_t link, uint32_t *n)
{
    const struct kt_peer_link *l = kt_replica_link(r, link);
    *n = l ? l->skip_len : 0;
    return l ? l->skip : NULL;
}

static bool skips(const struct kt_peer_link *l, struct kt_origin o)
{
    for (uint32_t i = 0; i < l->skip_len; i++)
        if (kt_origin_compare(l->skip[i], o) == 0) return true;
    return false;
}

static bool hears(const struct kt_peer_link *l, kt_member m)
{
    for (uint32_t i = 0; i < l->heard_len; i++)
        if (l->heard[i] == m) return true;
    return false;
}

/* Came so lately that the peer, which hears its author itself, has most likely been sent it already. */
static bool paused(const struct kt_replica *r, const struct kt_peer_link *l, struct kt_head h, uint64_t now_mono_ms)
{
    if (h.origin.member == r->config.self || !hears(l, h.origin.member)) return false;
    uint64_t pause = 2 * l->round_trip_ms;
    if (pause < KT_PAUSE_MS_MIN) pause = KT_PAUSE_MS_MIN;
    if (pause > KT_PAUSE_MS_MAX) pause = KT_PAUSE_MS_MAX;
    uint64_t n = r->arrivals_count < KT_ARRIVALS ? r->arrivals_count : KT_ARRIVALS;
    for (uint64_t i = 1; i <= n; i++) { /* newest first */
        const struct kt_arrival *a = &r->arrivals[(r->arrivals_count - i) % KT_ARRIVALS];
        if (now_mono_ms - a->mono_ms >= pause) return false;
        if (a->head.number == h.number && kt_origin_compare(a->head.origin, h.origin) == 0) return true;
    }
    return false;
}

enum kt_want kt_replica_wants(const struct kt_replica *r, uint64_t link, struct kt_origin o, uint64_t number,
                              uint64_t bytes, uint64_t now_mono_ms)
{
    const struct kt_peer_link *l = kt_replica_link(r, link);
    if (!l || !l->pulled || !kt_link_open(l)) return KT_WANT_NO;
    if (number <= kt_vector_get(&l->cursor, o) || skips(l, o)) return KT_WANT_NO;
    if (r->roster && number > kt_roster_cut(r->roster, o, 0)) return KT_WANT_NO;
    bool fits =
        l->give_left > 0 && (bytes <= l->give_left || l->give_left == l->give); /* a grant lets one pass at least */
    if (!fits) return KT_WANT_FULL;
    return paused(r, l, (struct kt_head){o, number}, now_mono_ms) ? KT_WANT_PAUSE : KT_WANT_YES;
}

/* Is there anything that can be sent right now?  Asked with every tick and every batch: both vectors are walked once.
 */
bool kt_link_serve_ready(const struct kt_replica *r, const struct kt_peer_link *l, uint64_t now_mono_ms)
{
    const struct kt_vector_entry *c = l->cursor.entries, *end = c + l->cursor.len;
    if (!l->pulled || l->give_left == 0) return false;
    for (size_t i = 0; i < r->durable.len; i++) {
        const struct kt_vector_entry *e = &r->durable.entries[i];
        int order = -1;
        while (c < end && (order = kt_origin_compare(c->origin, e->origin)) < 0) c++;
        uint64_t there = c < end && order == 0 ? c->number : 0;
        if (there >= e->number || skips(l, e->origin)) continue;
        if (!paused(r, l, (struct kt_head){e->origin, there + 1}, now_mono_ms)) return true;
    }
    return false;
}

bool kt_replica_acknowledged(const struct kt_replica *r, kt_member m, struct kt_origin o, uint64_t number)
{
    const struct kt_replica_peer *p = kt_replica_peer(r, m);
    return p && p->pulled && !p->wants_wraps && kt_vector_get(&p->acknowledged, o) >= number;
}
