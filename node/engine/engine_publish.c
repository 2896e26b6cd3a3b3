/* What the engine says of itself: pulses to peers, the notice board to lookups. */
#include "engine/engine_state.h"

#include <stdio.h>

static int own_heads(struct kt_engine *e, struct kt_arena *a, const struct kt_head *all, uint32_t n, struct kt_pulse *p)
{
    const kt_member self = kt_ledger_origin(e->ledger).member;
    struct kt_head *own = kt_arena_array(a, n + 1, sizeof *own);
    if (!own) return KT_ELIMIT;
    for (uint32_t i = 0; i < n; i++)
        if (all[i].origin.member == self) own[p->heads_len++] = all[i];
    p->heads = own;
    return KT_OK;
}

/* Issued between commits: its time is below every later stamp of ours, its digests are exactly those at its vector. */
int kt_engine_pulse(struct kt_engine *e, bool whole)
{
    int err = e->group ? kt_engine_commit(e) : KT_OK;
    if (err) return err;
    struct kt_arena a;
    kt_arena_init(&a, 16u << 20);
    const struct kt_vector *v = kt_ledger_vector(e->ledger);
    struct kt_ledger_state state;
    struct kt_pulse p = {.suite = KT_SUITE_1,
                         .cluster = *kt_keyring_cluster(e->keyring),
                         .member = kt_ledger_origin(e->ledger).member,
                         .vector_hash = kt_vector_hash(v),
                         .vector_seals_hash = kt_vector_seals_hash(v)};
    struct kt_pulse_digest *digests = NULL;
    struct kt_head *heads = NULL;
    uint32_t heads_len = 0;
    err = kt_ledger_pulse_time(e->ledger, &p.hlc);
    if (!err) err = kt_vector_heads(v, &a, &heads, &heads_len);
    if (!err) err = own_heads(e, &a, heads, heads_len, &p);
    if (!err) err = kt_ledger_state(e->ledger, &state);
    if (!err && state.held == 0) err = kt_ledger_digests(e->ledger, &a, &digests, &p.digests_len);
    p.digests = digests;
    if (whole) p.vector = heads, p.vector_len = heads_len;
    struct kt_buf out;
    kt_buf_init(&out, KT_PULSE_BYTES_MAX);
    if (!err) err = kt_pulse_encode(&p, kt_keyring_identity(e->keyring)->sign_secret, &out);
    if (!err) err = kt_replica_own_pulse(e->replica, kt_buf_bytes(&out), &p, kt_engine_mono_ms(e));
    kt_buf_free(&out);
    kt_arena_free(&a);
    return err;
}

/* An office is as fresh as the least fresh of its members. */
static void merge_office(struct kt_board_office *list, uint32_t *n, const char *office, bool known, uint64_t through_ms)
{
    uint32_t i = 0;
    while (i < *n && strncmp(list[i].office, office, sizeof list[i].office) != 0) i++;
    struct kt_board_office *o = &list[i];
    if (i == *n) {
        ++*n;
        *o = (struct kt_board_office){.known = known, .complete_through_ms = through_ms};
        snprintf(o->office, sizeof o->office, "%s", office);
        return;
    }
    o->known = o->known && known;
    if (through_ms < o->complete_through_ms) o->complete_through_ms = through_ms;
}

int kt_engine_publish(struct kt_engine *e)
{
    const struct kt_roster *roster = kt_keyring_roster(e->keyring);
    const kt_member self = kt_ledger_origin(e->ledger).member;
    const uint64_t now_ms = e->world->now_ms(e->world);
    struct kt_arena a;
    struct kt_peer_status *peers = NULL;
    uint32_t peers_len = 0, n = 0;
    kt_arena_init(&a, 16u << 20);
    int err = kt_replica_peers(e->replica, now_ms, kt_engine_mono_ms(e), &a, &peers, &peers_len);
    struct kt_board_office *offices = kt_arena_array(&a, peers_len + 1, sizeof *offices);
    if (!err && !offices) err = KT_ELIMIT;
    for (uint32_t i = 0; i < peers_len && !err; i++) {
        const struct kt_roster_member *m = kt_roster_member(roster, peers[i].member);
        if (!m || m->revoked) continue;
        merge_office(offices, &n, m->office, peers[i].complete_through_ms != 0, peers[i].complete_through_ms);
    }
    const struct kt_roster_member *own = kt_roster_member(roster, self);
    if (!err && own) merge_office(offices, &n, own->office, true, now_ms);
    if (!err) err = kt_board_post(e->config.board, kt_ledger_vector(e->ledger), offices, n);
    kt_arena_free(&a);
    return err;
}
