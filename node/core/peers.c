/* What is known of every member, linked or not: for status and freshness. */
#include "core/replica_state.h"

#include <stdlib.h>

static uint32_t place(const struct kt_replica *r, kt_member m)
{
    uint32_t low = 0, high = r->peers_len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (r->peers[middle]->member < m)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct kt_replica_peer *kt_replica_peer(const struct kt_replica *r, kt_member m)
{
    uint32_t at = place(r, m);
    return at < r->peers_len && r->peers[at]->member == m ? r->peers[at] : NULL;
}

int kt_replica_peer_make(struct kt_replica *r, kt_member m, struct kt_replica_peer **out)
{
    uint32_t at = place(r, m);
    if (at < r->peers_len && r->peers[at]->member == m) {
        *out = r->peers[at];
        return KT_OK;
    }
    if (r->peers_len == r->peers_cap) {
        uint32_t cap = r->peers_cap ? r->peers_cap * 2 : 8;
        struct kt_replica_peer **peers = realloc(r->peers, cap * sizeof(struct kt_replica_peer *));
        if (!peers) return KT_ENOMEM;
        r->peers = peers;
        r->peers_cap = cap;
    }
    struct kt_replica_peer *p = calloc(1, sizeof *p);
    if (!p) return KT_ENOMEM;
    p->member = m;
    memmove(&r->peers[at + 1], &r->peers[at], (r->peers_len - at) * sizeof(struct kt_replica_peer *));
    r->peers[at] = p;
    r->peers_len++;
    *out = p;
    return KT_OK;
}

void kt_replica_peer_free(struct kt_replica_peer *p)
{
    if (!p) return;
    kt_vector_free(&p->acknowledged);
    free(p->pulse);
    free(p);
}

/* Everything a pulse speaks of is here: its member is complete up to its time.  Until then the time before stands. */
void kt_replica_promote(struct kt_replica *r, struct kt_replica_peer *p)
{
    if (!p->pulse || p->covered) return;
    for (uint32_t i = 0; i < p->pulse->pulse.heads_len; i++)
        if (!kt_replica_has(r, p->pulse->pulse.heads[i])) return;
    p->covered = true;
    p->uncovered_mono_ms = 0;
    if (p->pulse_ms > p->complete_ms) p->complete_ms = p->pulse_ms;
}

/* --------------------------------------------------------------------------------------------------------- status */

static uint64_t lacked(const struct kt_replica *r, const struct kt_pulse *p)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < p->heads_len; i++) {
        if (kt_replica_has(r, p->heads[i])) continue;
        uint64_t last = kt_roster_cut(r->roster, p->heads[i].origin, 0);
        uint64_t head = p->heads[i].number < last ? p->heads[i].number : last;
        n += head - kt_vector_get(&r->held, p->heads[i].origin);
    }
    return n;
}

/* The clock of the first of our batches above `number`, as near as our marks tell. */
static kt_hlc clock_after(const struct kt_replica *r, const struct kt_vector_entry *head, uint64_t number)
{
    kt_hlc found = head->hlc;
    for (uint32_t i = r->own_marks_len; i > 0; i--) { /* newest first */
        const struct kt_own_mark *m = &r->own_marks[i - 1];
        if (kt_origin_compare(m->head.origin, head->origin) != 0) continue;
        found = m->hlc;
        if (m->head.number <= number + 1) break;
    }
    return found;
}

static kt_hlc oldest_unacknowledged(const struct kt_replica *r, const struct kt_replica_peer *p)
{
    kt_hlc oldest = 0;
    for (size_t i = 0; i < r->held.len; i++) {
        const struct kt_vector_entry *e = &r->held.entries[i];
        uint64_t number = kt_vector_get(&p->acknowledged, e->origin);
        if (e->origin.member != r->config.self || number >= e->number) continue;
        kt_hlc t = clock_after(r, e, number);
        if (oldest == 0 || t < oldest) oldest = t;
    }
    return oldest;
}

/* At equal vectors only: do the seals agree, and the digests of every compartment that both can read? */
static void compare_digests(const struct kt_replica *r, const struct kt_pulse *theirs, struct kt_peer_status *s)
{
    if (!r->own_pulse) return;
    const struct kt_pulse *ours = &r->own_pulse->pulse;
    if (memcmp(&ours->vector_hash, &theirs->vector_hash, sizeof ours->vector_hash) != 0) return;
    s->digest_known = true;
    s->digest_agrees =
        memcmp(&ours->vector_seals_hash, &theirs->vector_seals_hash, sizeof ours->vector_seals_hash) == 0;
    for (uint32_t i = 0; i < ours->digests_len; i++)
        for (uint32_t j = 0; j < theirs->digests_len; j++)
            if (ours->digests[i].compartment == theirs->digests[j].compartment &&
                memcmp(&ours->digests[i].digest, &theirs->digests[j].digest, sizeof ours->digests[i].digest) != 0)
                s->digest_agrees = false;
}

static void fill(const struct kt_replica *r, const struct kt_replica_peer *p, uint64_t now_ms, uint64_t now_mono_ms,
                 struct kt_peer_status *s)
{
    s->past_journal = p->past_journal;
    s->other_rosters = p->other_rosters;
    s->lacking_ms = p->uncovered_mono_ms ? now_mono_ms - p->uncovered_mono_ms : 0;
    if (p->pulse) {
        s->last_pulse_mono_ms = p->pulse_mono_ms;
        s->pulse_hlc = p->pulse->pulse.hlc;
        s->we_lack_batches = lacked(r, &p->pulse->pulse);
        compare_digests(r, &p->pulse->pulse, s);
    }
    s->complete_through_ms = p->complete_ms < now_ms ? p->complete_ms : now_ms; /* no later than our own now */
    s->skew_ms = p->skew_ms;
    s->behind_known = p->pulled;
    if (!p->pulled) return;
    s->batches_behind = kt_vector_behind(&r->held, &p->acknowledged);
    s->oldest_unacknowledged = oldest_unacknowledged(r, p);
}

int kt_replica_peers(const struct kt_replica *r, uint64_t now_ms, uint64_t now_mono_ms, struct kt_arena *a,
                     struct kt_peer_status **out, uint32_t *len)
{
    uint32_t n = 0, members = r->roster ? r->roster->members_len : 0;
    struct kt_peer_status *all = members ? kt_arena_array(a, members, sizeof *all) : NULL;
    if (members && !all) return KT_ELIMIT;
    for (uint32_t i = 0; i < members; i++) {
        const struct kt_roster_member *m = &r->roster->members[i];
        if (m->number == r->config.self || m->revoked) continue;
        struct kt_peer_status *s = &all[n++];
        s->member = m->number;
        for (uint32_t j = 0; j < r->links_len && !s->linked; j++) {
            if (r->links[j]->member != m->number || !kt_link_open(r->links[j])) continue;
            s->linked = true;
            s->link = r->links[j]->id;
        }
        const struct kt_replica_peer *p = kt_replica_peer(r, m->number);
        if (p) fill(r, p, now_ms, now_mono_ms, s);
    }
    *out = all;
    *len = n;
    return KT_OK;
}
