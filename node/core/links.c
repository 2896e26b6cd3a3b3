/* Links come and go; the first word on each is a greeting, and rosters come before all else. */
#include "core/replica_state.h"

#include "proto/batch/envelope.h"

#include <stdlib.h>

#define NO_MEMBER "is no member of this organisation any more"

struct kt_peer_link *kt_replica_link(const struct kt_replica *r, uint64_t id)
{
    for (uint32_t i = 0; i < r->links_len; i++)
        if (r->links[i]->id == id) return r->links[i];
    return NULL;
}

bool kt_link_open(const struct kt_peer_link *l) { return l->greeted && !l->roster_only; }

void kt_link_free(struct kt_peer_link *l)
{
    if (!l) return;
    kt_vector_free(&l->told);
    kt_vector_free(&l->cursor);
    free(l->skip);
    free(l->heard);
    free(l);
}

static int greet(const struct kt_roster *roster, uint64_t link, struct kt_effects *fx)
{
    struct kt_peer_message *m = kt_fx_send(fx, link, KT_PEER_GREETING);
    if (!m) return KT_ELIMIT;
    m->greeting = (struct kt_greeting){.suite = KT_SUITE_1, .schema = KT_SCHEMA_1};
    if (!roster) return KT_OK;
    m->greeting.roster_version = roster->version;
    m->greeting.roster_hash = roster->hash;
    return KT_OK;
}

int kt_replica_on_link_up(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    if (kt_replica_link(r, ev->link)) return KT_EBUG;
    const struct kt_roster_member *m = r->roster ? kt_roster_member(r->roster, ev->member) : NULL;
    if (m && m->revoked) return kt_fx_close(fx, ev->link, NO_MEMBER); /* it knows an older roster */
    if (r->links_len == r->links_cap) {
        uint32_t cap = r->links_cap ? r->links_cap * 2 : 8;
        struct kt_peer_link **links = realloc(r->links, cap * sizeof(struct kt_peer_link *));
        if (!links) return KT_ENOMEM;
        r->links = links;
        r->links_cap = cap;
    }
    struct kt_replica_peer *peer = NULL;
    int err = kt_replica_peer_make(r, ev->member, &peer);
    if (!err) err = greet(r->roster, ev->link, fx);
    if (err) return err;
    struct kt_peer_link *l = calloc(1, sizeof *l);
    if (!l) return KT_ENOMEM;
    l->id = ev->link;
    l->member = ev->member;
    l->roster_only = ev->roster_only;
    r->links[r->links_len++] = l;
    return KT_OK;
}

int kt_replica_on_link_down(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    (void)fx;
    for (uint32_t i = 0; i < r->links_len; i++) {
        if (r->links[i]->id != ev->link) continue;
        r->heard_generation++;
        for (uint32_t j = 0; j < r->links_len; j++)
            r->links[j]->nudge = true; /* whom we heard, others may now tell us of */
        kt_link_free(r->links[i]);
        r->links_len--;
        memmove(&r->links[i], &r->links[i + 1], (r->links_len - i) * sizeof(struct kt_peer_link *));
        return KT_OK;
    }
    return KT_OK;
}

/* -------------------------------------------------------------------------------------------------------- rosters */

/* The peer has an older one: push ours, once, and again where it still says so after a while. */
bool kt_link_rosters_due(const struct kt_replica *r, const struct kt_peer_link *l, uint32_t peer_roster, uint64_t now)
{
    uint32_t version = kt_replica_roster_version(r);
    return peer_roster < version && (l->rosters_sent < version || now - l->rosters_sent_mono_ms >= KT_PULSE_MS);
}

int kt_link_push_rosters(const struct kt_peer_link *l, uint32_t from_version, struct kt_effects *fx)
{
    struct kt_effect *e = kt_fx_add(fx, KT_FX_SEND_ROSTERS, l->id);
    if (!e) return KT_ELIMIT;
    e->from_version = from_version;
    return KT_OK;
}

static void rosters_pushed(const struct kt_replica *r, struct kt_peer_link *l, uint64_t now_mono_ms)
{
    l->rosters_sent = kt_replica_roster_version(r);
    l->rosters_sent_mono_ms = now_mono_ms;
}

/* The authority stands by one chain of rosters; whoever follows another is not talked to, and told of in the status. */
int kt_replica_on_roster_refused(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    const struct kt_peer_link *l = kt_replica_link(r, ev->link);
    struct kt_replica_peer *peer = l ? kt_replica_peer(r, l->member) : NULL;
    if (!peer) return KT_OK;
    const int err = kt_fx_close(fx, l->id, "holds rosters that are not ours: of one version there are two");
    if (!err) peer->other_rosters = true;
    return err;
}

int kt_replica_on_greeting(struct kt_replica *r, struct kt_peer_link *l, const struct kt_event *ev,
                           struct kt_effects *fx)
{
    const struct kt_greeting *g = &ev->message->greeting;
    if (r->roster && g->roster_version == r->roster->version &&
        memcmp(&g->roster_hash, &r->roster->hash, sizeof g->roster_hash) != 0)
        return kt_replica_on_roster_refused(r, ev, fx);
    bool push = kt_link_rosters_due(r, l, g->roster_version, ev->now_mono_ms);
    int err = push ? kt_link_push_rosters(l, g->roster_version, fx) : KT_OK;
    if (!err && !l->roster_only && !kt_fx_add(fx, KT_FX_SEND_ERASURES, l->id)) err = KT_ELIMIT;
    if (!err && !l->roster_only && !kt_fx_add(fx, KT_FX_SEND_PROOFS, l->id)) err = KT_ELIMIT;
    if (err) return err;
    if (push) rosters_pushed(r, l, ev->now_mono_ms);
    if (l->greeted) { /* greeted again: what we said between may not have been heard */
        l->whole_due = true;
        l->whole_after_mono_ms = ev->now_mono_ms;
    }
    l->greeted = true;
    r->heard_generation++;
    l->peer_roster = g->roster_version;
    struct kt_replica_peer *peer = kt_replica_peer(r, l->member);
    if (peer && r->roster && g->roster_version == r->roster->version) peer->other_rosters = false;
    l->relay_due = true;
    l->relayed = 0;
    return KT_OK;
}

/* What a newer roster means for one link: closed, opened, or pushed on to its peer. */
enum roster_move { MOVE_NONE, MOVE_CLOSE, MOVE_OPEN };

static enum roster_move move_of(const struct kt_roster *roster, const struct kt_peer_link *l)
{
    const struct kt_roster_member *m = kt_roster_member(roster, l->member);
    if (m && !m->revoked) return l->roster_only ? MOVE_OPEN : MOVE_NONE;
    return l->roster_only && !m ? MOVE_NONE : MOVE_CLOSE; /* its certificate may be newer still */
}

static int announce(const struct kt_roster *roster, const struct kt_peer_link *l, struct kt_effects *fx)
{
    enum roster_move move = move_of(roster, l);
    if (move == MOVE_CLOSE) return kt_fx_close(fx, l->id, NO_MEMBER);
    int err = move == MOVE_OPEN ? greet(roster, l->id, fx) : KT_OK;
    if (!err && l->greeted && l->peer_roster < roster->version) err = kt_link_push_rosters(l, l->peer_roster, fx);
    return err;
}

int kt_replica_on_roster(struct kt_replica *r, const struct kt_event *ev, struct kt_effects *fx)
{
    const struct kt_roster *roster = ev->roster;
    struct kt_peer_link *giver = kt_replica_link(r, ev->link);
    if (giver && giver->peer_roster < roster->version) giver->peer_roster = roster->version; /* true whatever follows */
    for (uint32_t i = 0; i < r->links_len; i++) {
        int err = announce(roster, r->links[i], fx);
        if (err) return err;
    }
    r->roster = roster;
    kt_vector_clip(&r->held, roster);
    kt_vector_clip(&r->durable, roster);
    r->durable_generation++;
    r->foreign_generation++;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->frozen_len; i++) /* a cut says which side of a fork counts */
        if (kt_roster_cut(roster, r->frozen[i], 0) == UINT64_MAX) r->frozen[kept++] = r->frozen[i];
    r->frozen_len = kept;
    for (uint32_t i = 0; i < r->links_len; i++) {
        struct kt_peer_link *l = r->links[i];
        if (l->greeted && l->peer_roster < roster->version) rosters_pushed(r, l, ev->now_mono_ms);
        if (move_of(roster, l) == MOVE_OPEN) {
            l->roster_only = false;
            r->heard_generation++;
        }
        kt_link_unblock(r, l, ev->now_mono_ms, true);
        l->serve_due = true;
    }
    for (uint32_t i = 0; i < r->peers_len; i++) kt_replica_promote(r, r->peers[i]);
    return KT_OK;
}
