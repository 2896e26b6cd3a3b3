/* Pulses: kept, relayed, and compared: who is complete up to when, and whose chain has two sides. */
#include "core/replica_state.h"

#include <stdlib.h>

/* ----------------------------------------------------------------------------------------------------------- kept */

/* One run of memory: the pulse, its heads, its digests, its bytes.  The full vector is used on arrival only. */
static struct kt_kept_pulse *keep(const struct kt_pulse *p, struct kt_bytes encoded)
{
    size_t heads = p->heads_len * sizeof *p->heads, digests = p->digests_len * sizeof *p->digests;
    struct kt_kept_pulse *k = malloc(sizeof *k + heads + digests + encoded.len);
    if (!k) return NULL;
    struct kt_head *own_heads = (struct kt_head *)(k + 1);
    struct kt_pulse_digest *own_digests = (struct kt_pulse_digest *)((uint8_t *)own_heads + heads);
    uint8_t *bytes = (uint8_t *)own_digests + digests;
    if (heads) memcpy(own_heads, p->heads, heads);
    if (digests) memcpy(own_digests, p->digests, digests);
    if (encoded.len) memcpy(bytes, encoded.data, encoded.len);
    *k = (struct kt_kept_pulse){.pulse = *p, .encoded = {bytes, encoded.len}};
    k->pulse.heads = own_heads;
    k->pulse.digests = own_digests;
    k->pulse.vector = NULL;
    k->pulse.vector_len = 0;
    return k;
}

int kt_replica_own_pulse(struct kt_replica *r, struct kt_bytes encoded, const struct kt_pulse *p, uint64_t now_mono_ms)
{
    struct kt_kept_pulse *k = keep(p, encoded);
    if (!k) return KT_ENOMEM;
    k->serial = ++r->pulse_serial;
    free(r->own_pulse);
    r->own_pulse = k;
    r->pulsed = true;
    r->pulsed_mono_ms = now_mono_ms;
    for (uint32_t i = 0; i < r->links_len; i++) r->links[i]->relay_due = true;
    return KT_OK;
}

/* ---------------------------------------------------------------------------------------------------------- coming */

/* A pulse of a bundle that is news. */
struct news {
    struct kt_pulse pulse;
    struct kt_replica_peer *peer;
    struct kt_kept_pulse *kept;
};

/* KT_OK with peer NULL: it says nothing new. */
static int look_at(struct kt_replica *r, struct kt_bytes encoded, struct kt_arena *a, struct news *out)
{
    out->peer = NULL;
    if (kt_pulse_decode(encoded, a, &out->pulse) != KT_OK) return KT_OK;
    const struct kt_pulse *p = &out->pulse;
    if (p->member == r->config.self || memcmp(&p->cluster, &r->config.cluster, sizeof p->cluster) != 0) return KT_OK;
    const struct kt_roster_member *m = r->roster ? kt_roster_member(r->roster, p->member) : NULL;
    if (!m || m->revoked) return KT_OK;
    struct kt_replica_peer *peer = NULL;
    int err = kt_replica_peer_make(r, p->member, &peer);
    if (err) return err;
    if (!peer->pulse || p->hlc > peer->pulse->pulse.hlc) out->peer = peer;
    return KT_OK;
}

static void refresh_hashes(struct kt_replica *r)
{
    if (r->hashes_generation == r->durable_generation) return;
    r->hash = kt_vector_hash(&r->durable);
    r->seals_hash = kt_vector_seals_hash(&r->durable);
    r->hashes_generation = r->durable_generation;
}

static bool same(const struct kt_hash *a, const struct kt_hash *b) { return memcmp(a, b, sizeof *a) == 0; }

/* Equal vectors with unequal seals: somewhere two batches carry one number.  Asking the peer for heads of ours brings
 * the proof; a few at a time, going round.  Where a known fork explains it, one at a time: there may be another. */
static int seek_proof(struct kt_replica *r, const struct kt_peer_link *l, const struct kt_pulse *p, size_t *proof_at,
                      struct kt_effects *fx)
{
    refresh_hashes(r);
    if (l->member != p->member || r->durable.len == 0) return KT_OK;
    if (!same(&p->vector_hash, &r->hash) || same(&p->vector_seals_hash, &r->seals_hash)) return KT_OK;
    const uint32_t most = r->frozen_len ? 1 : KT_PROOF_ASKS;
    uint32_t n = r->durable.len < most ? (uint32_t)r->durable.len : most;
    struct kt_ask *asks = kt_arena_array(&fx->arena, n, sizeof *asks);
    uint32_t len = 0;
    if (!asks) return KT_ELIMIT;
    for (uint32_t i = 0; i < n; i++) {
        const struct kt_vector_entry *e = &r->durable.entries[(r->proof_at + i) % r->durable.len];
        if (!kt_replica_frozen(r, e->origin)) asks[len++] = (struct kt_ask){e->origin, e->number};
    }
    struct kt_peer_message *m = len ? kt_fx_send(fx, l->id, KT_PEER_BATCHES_BY_ID) : NULL;
    if (len && !m) return KT_ELIMIT;
    if (m) m->asks.items = asks;
    if (m) m->asks.len = len;
    *proof_at = (r->proof_at + n) % r->durable.len;
    return KT_OK;
}

/* The time a pulse stands for: no later than when it came.  One that was kept from before, and is ahead of our clock even
 * now, came at a time nobody knows. */
static uint64_t heard_ms(const struct kt_pulse *p, uint64_t now_ms, bool came_now)
{
    const uint64_t says = kt_hlc_ms(p->hlc);
    return says <= now_ms ? says : came_now ? now_ms : 0;
}

static void take_news(struct kt_replica *r, const struct kt_peer_link *l, struct news *n, const struct kt_event *ev)
{
    struct kt_replica_peer *peer = n->peer;
    if (peer->pulse && peer->pulse->pulse.hlc >= n->pulse.hlc) { /* twice in one bundle */
        free(n->kept);
        return;
    }
    free(peer->pulse);
    peer->pulse = n->kept;
    peer->pulse->serial = ++r->pulse_serial;
    peer->pulse->from_link = l ? l->id : 0;
    peer->covered = false;
    peer->pulse_ms = heard_ms(&n->pulse, ev->now_ms, l != NULL);
    if (l) peer->pulse_mono_ms = ev->now_mono_ms;
    if (l && l->member == peer->member) peer->skew_ms = (int64_t)kt_hlc_ms(n->pulse.hlc) - (int64_t)ev->now_ms;
    kt_replica_promote(r, peer);
    if (!peer->covered && !peer->uncovered_mono_ms) peer->uncovered_mono_ms = ev->now_mono_ms;
}

/* Effects for one pulse that is news, and its copy. */
static int prepare(struct kt_replica *r, const struct kt_peer_link *l, struct kt_bytes *encoded, struct news *n,
                   size_t *proof_at, bool *own_ahead, struct kt_effects *fx)
{
    const struct kt_pulse *p = &n->pulse;
    int err = KT_OK;
    if (l) {
        struct kt_effect *e = kt_fx_add(fx, KT_FX_KEEP_PULSE, l->id);
        if (!e) return KT_ELIMIT;
        e->member = p->member;
        e->message.part = KT_PEER_PULSES;
        e->message.pulses = (struct kt_bytes_list){encoded, 1};
        err = kt_replica_check_own(r, l->id, p->vector, p->vector_len, fx, own_ahead);
        if (!err) err = seek_proof(r, l, p, proof_at, fx);
    }
    if (err) return err;
    n->kept = keep(p, *encoded);
    return n->kept ? KT_OK : KT_ENOMEM;
}

int kt_replica_on_pulses(struct kt_replica *r, struct kt_peer_link *l, const struct kt_event *ev, struct kt_effects *fx)
{
    const struct kt_bytes_list *in = &ev->message->pulses;
    if (in->len == 0) return KT_OK;
    struct news *news = kt_arena_array(&fx->arena, in->len, sizeof *news);
    if (!news) return KT_ELIMIT;
    size_t proof_at = r->proof_at;
    bool own_ahead = false;
    int err = KT_OK;
    for (uint32_t i = 0; i < in->len && !err; i++) {
        err = look_at(r, in->items[i], &fx->arena, &news[i]);
        if (!err && news[i].peer) err = prepare(r, l, &in->items[i], &news[i], &proof_at, &own_ahead, fx);
    }
    for (uint32_t i = 0; i < in->len; i++) {
        if (!news[i].kept) continue;
        if (err)
            free(news[i].kept);
        else
            take_news(r, l, &news[i], ev);
    }
    if (err) return err;
    r->proof_at = proof_at;
    r->own_ahead_told = r->own_ahead_told || own_ahead;
    return KT_OK;
}

/* ----------------------------------------------------------------------------------------------------------- going */

#define BUNDLE_BYTES_MAX (KT_FRAME_BYTES_MAX - 4096u)
#define ITEM_OVERHEAD    8u

/* What this link's peer is not known to have: not what came from it, nor of members it hears itself. */
static bool is_news(const struct kt_peer_link *l, const struct kt_replica_peer *p)
{
    if (!p->pulse || p->pulse->serial <= l->relayed) return false;
    if (p->pulse->from_link == l->id || p->member == l->member) return false;
    for (uint32_t i = 0; i < l->heard_len; i++)
        if (l->heard[i] == p->member) return false;
    return true;
}

static int send_bundle(const struct kt_peer_link *l, struct kt_bytes *items, uint32_t n, struct kt_effects *fx)
{
    struct kt_peer_message *m = kt_fx_send(fx, l->id, KT_PEER_PULSES);
    if (!m) return KT_ELIMIT;
    m->pulses = (struct kt_bytes_list){items, n};
    return KT_OK;
}

int kt_link_relay(const struct kt_replica *r, struct kt_peer_link *l, struct kt_effects *fx)
{
    uint32_t before = fx->len, n = 0, first = 0;
    struct kt_bytes *items = kt_arena_array(&fx->arena, (size_t)r->peers_len + 1, sizeof *items);
    int err = items ? KT_OK : KT_ELIMIT;
    size_t bytes = 0;
    for (uint32_t i = 0; i <= r->peers_len && !err; i++) {
        const struct kt_kept_pulse *k = NULL;
        if (i == r->peers_len)
            k = r->own_pulse && r->own_pulse->serial > l->relayed ? r->own_pulse : NULL;
        else if (is_news(l, r->peers[i]))
            k = r->peers[i]->pulse;
        if (!k) continue;
        if (bytes + k->encoded.len + ITEM_OVERHEAD > BUNDLE_BYTES_MAX && n > first) {
            err = send_bundle(l, items + first, n - first, fx);
            first = n;
            bytes = 0;
        }
        items[n] = kt_arena_copy(&fx->arena, k->encoded);
        if (!items[n].data) err = KT_ELIMIT;
        bytes += items[n++].len + ITEM_OVERHEAD;
    }
    if (!err && n > first) err = send_bundle(l, items + first, n - first, fx);
    if (err) {
        fx->len = before;
        return err;
    }
    l->relayed = r->pulse_serial;
    l->relay_due = false;
    return KT_OK;
}
