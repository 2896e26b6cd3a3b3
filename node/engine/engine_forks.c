/* The engine's forks: proofs that one life of a member has two sides are kept, passed on, and looked into until the
 * place where the two part is known (DESIGN section 3).  A proof freezes its origin here and wherever it comes. */
#include "engine/engine_state.h"

#include "engine/journal/journal.h"

#include <stdio.h>

#define PROOF_ARENA_BYTES_MAX (8u << 20)
#define SEARCH_MS             KT_PULSE_MS /* so long an answer is waited for; then another peer is asked */

static struct kt_fork *known(struct kt_engine *e, struct kt_origin o)
{
    for (uint32_t i = 0; i < e->forks_len; i++)
        if (kt_origin_compare(e->forks[i].origin, o) == 0) return &e->forks[i];
    return NULL;
}

static bool better(const struct kt_fork *f, const struct kt_fork *than)
{
    return f->number < than->number || (f->number == than->number && f->first && !than->first);
}

static bool cut(const struct kt_engine *e, struct kt_origin o)
{
    return kt_roster_cut(kt_keyring_roster(e->keyring), o, 0) != UINT64_MAX;
}

static bool has_place(const struct kt_engine *e, kt_member m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->forks_len; i++) n += e->forks[i].origin.member == m;
    return e->forks_len < KT_PROOFS_MAX && n < KT_PROOFS_PER_MEMBER_MAX;
}

/* ------------------------------------------------------------------------------------------------------ judging */

static int take_seal(struct kt_bytes seal, struct kt_bytes signature, struct kt_arena *a, struct kt_batch *out)
{
    *out = (struct kt_batch){.seal_bytes = seal, .signature = signature, .seal_hash = kt_seal_hash(seal)};
    return kt_seal_decode(seal, a, &out->seal);
}

static int verify(const struct kt_engine *e, const struct kt_batch *b)
{
    const struct kt_roster *roster = kt_keyring_roster(e->keyring);
    if (memcmp(&b->seal.cluster, &roster->cluster, sizeof roster->cluster) != 0) return KT_ECLUSTER;
    const struct kt_roster_member *m = kt_roster_member(roster, b->seal.origin.member); /* its key never changes */
    return m && !m->revoked ? kt_seal_verify(b, m->pub.sign) : KT_ENOTMEMBER;
}

static bool is_news(struct kt_engine *e, const struct kt_fork *f)
{
    const struct kt_fork *before = known(e, f->origin);
    return !cut(e, f->origin) && (before ? better(f, before) : has_place(e, f->origin.member));
}

/* Whose word a proof is does not matter: both seals are its member's own.  What is known costs no signatures. */
static int judge_proof(struct kt_engine *e, const struct kt_fork_proof *p, struct kt_fork *out)
{
    struct kt_arena a;
    struct kt_batch one, other;
    kt_arena_init(&a, PROOF_ARENA_BYTES_MAX);
    int err = take_seal(p->seal_a, p->signature_a, &a, &one);
    if (!err) err = take_seal(p->seal_b, p->signature_b, &a, &other);
    if (!err) err = kt_judge_fork(&one, &other, out);
    if (!err && !is_news(e, out)) err = KT_EDUPLICATE;
    if (!err) err = verify(e, &one);
    if (!err) err = verify(e, &other);
    kt_arena_free(&a);
    return err;
}

/* ------------------------------------------------------------------------------------------------------ keeping */

static int freeze(struct kt_engine *e, struct kt_origin o)
{
    if (kt_origin_compare(o, kt_ledger_origin(e->ledger)) == 0) e->head_ahead = true;
    return kt_replica_freeze(e->replica, o);
}

static int put_proof(struct kt_engine *e, const struct kt_fork *f, const struct kt_fork *before, struct kt_bytes row)
{
    struct kt_store *s = e->config.ledger.store;
    struct kt_txn *t;
    int err = s->ops->begin(s, KT_ENV_JOURNAL, true, &t);
    if (err) return err;
    if (before) err = kt_journal_proof_drop(s, t, before->origin, before->number);
    if (!err) err = kt_journal_proof_put(s, t, f->origin, f->number, row);
    if (!err) return s->ops->commit(t);
    s->ops->abort(t);
    return err;
}

static int tell_all(struct kt_engine *e, struct kt_bytes row)
{
    int err = KT_OK;
    for (uint32_t i = 0; i < e->links_len && !err; i++)
        if (!e->links[i].roster_only) err = kt_engine_send_bytes(e, e->links[i].id, row);
    return err;
}

/* Keeps a proof that says more than the one before, freezes its origin, and passes it on. */
static int keep(struct kt_engine *e, const struct kt_fork *f, struct kt_fork_proof *p)
{
    struct kt_fork *before = known(e, f->origin);
    if (before && !better(f, before)) return KT_OK;
    if (!before)
        kt_engine_note(e, "fork",
                       "member %u: two different batches carry number %llu; incarnation %016llx is frozen until the "
                       "authority cuts it",
                       f->origin.member, (unsigned long long)f->number, (unsigned long long)f->origin.incarnation);
    if (!before && !has_place(e, f->origin.member)) return freeze(e, f->origin); /* each finds the rest for itself */
    struct kt_peer_message m = {.part = KT_PEER_PROOFS};
    struct kt_buf row;
    m.proofs.items = p;
    m.proofs.len = 1;
    kt_buf_init(&row, KT_FRAME_BYTES_MAX);
    int err = kt_peer_encode(&m, &row);
    if (!err) err = put_proof(e, f, before, kt_buf_bytes(&row));
    if (!err) {
        *(before ? before : &e->forks[e->forks_len++]) = *f;
        err = freeze(e, f->origin);
    }
    if (!err) err = tell_all(e, kt_buf_bytes(&row));
    kt_buf_free(&row);
    return err;
}

/* Our batch of that number, decoded; its bytes lie in the arena.  KT_ENOTFOUND, KT_ESNAPSHOT: it is not here. */
static int own_side(struct kt_engine *e, struct kt_origin o, uint64_t number, struct kt_arena *a, struct kt_batch *out)
{
    struct kt_store *s = e->config.ledger.store;
    struct kt_journal_entry entry;
    struct kt_txn *t;
    int err = s->ops->begin(s, KT_ENV_JOURNAL, false, &t);
    if (err) return err;
    struct kt_bytes copy = {0};
    err = kt_journal_find(s, t, o, number, &entry);
    if (!err && !(copy = kt_arena_copy(a, entry.batch)).data) err = KT_ELIMIT;
    s->ops->abort(t);
    return err ? err : kt_batch_decode(copy, a, out);
}

/* Compares a verified batch with ours of number `ours`. */
static int compare(struct kt_engine *e, uint64_t ours, const struct kt_batch *theirs, struct kt_fork *f, bool *differs)
{
    struct kt_arena a;
    struct kt_batch own;
    kt_arena_init(&a, PROOF_ARENA_BYTES_MAX);
    int err = own_side(e, theirs->seal.origin, ours, &a, &own);
    *differs = !err && !kt_judge_fork(&own, theirs, f);
    if (*differs) {
        struct kt_fork_proof p = {own.seal_bytes, own.signature, theirs->seal_bytes, theirs->signature};
        err = keep(e, f, &p);
    }
    kt_arena_free(&a);
    return err == KT_ENOTFOUND || err == KT_ESNAPSHOT ? KT_OK : err;
}

int kt_engine_fork(struct kt_engine *e, struct kt_origin origin, const struct kt_opened *theirs)
{
    struct kt_fork f;
    bool differs = false;
    if (!theirs) return freeze(e, origin);
    const uint64_t held = kt_vector_get(kt_ledger_vector(e->ledger), origin);
    const uint64_t number = theirs->batch.seal.number < held ? theirs->batch.seal.number : held;
    const int err = compare(e, number, &theirs->batch, &f, &differs);
    return err || differs ? err : freeze(e, origin);
}

int kt_engine_take_proofs(struct kt_engine *e, const struct kt_intake *i)
{
    const struct kt_engine_link *l = kt_engine_link(e, i->link);
    int err = KT_OK;
    for (uint32_t n = 0; n < i->message.proofs.len && !err && !l->roster_only; n++) {
        struct kt_fork f;
        if (!judge_proof(e, &i->message.proofs.items[n], &f)) err = keep(e, &f, &i->message.proofs.items[n]);
    }
    return err;
}

/* ------------------------------------------------------------------------------------------------ from the journal */

struct sending {
    struct kt_engine *e;
    uint64_t link;
};

static bool is_message(struct kt_bytes row, struct kt_arena *a, struct kt_peer_message *m)
{
    return !kt_peer_decode(row, a, m) && m->part == KT_PEER_PROOFS && m->proofs.len == 1;
}

static int send_row(void *ctx, struct kt_origin origin, uint64_t number, struct kt_bytes row)
{
    struct sending *s = ctx;
    struct kt_peer_message m;
    struct kt_arena a;
    (void)origin, (void)number;
    kt_arena_init(&a, PROOF_ARENA_BYTES_MAX);
    const bool good = is_message(row, &a, &m); /* a damaged row would cost the link */
    kt_arena_free(&a);
    return good ? kt_engine_send_bytes(s->e, s->link, row) : KT_OK;
}

int kt_engine_send_proofs(struct kt_engine *e, uint64_t link)
{
    struct kt_store *s = e->config.ledger.store;
    struct sending sending = {e, link};
    struct kt_txn *t;
    if (e->forks_len == 0) return KT_OK;
    int err = s->ops->begin(s, KT_ENV_JOURNAL, false, &t);
    if (err) return err;
    err = kt_journal_proofs(s, t, send_row, &sending);
    s->ops->abort(t);
    return err;
}

/* Frozen whatever the row says: what it was kept for is in its name. */
static int recall_row(void *ctx, struct kt_origin origin, uint64_t number, struct kt_bytes row)
{
    struct kt_engine *e = ctx;
    struct kt_fork f = {.origin = origin, .number = number}, said;
    struct kt_peer_message m;
    struct kt_arena a;
    if (e->forks_len == KT_PROOFS_MAX) return KT_OK;
    kt_arena_init(&a, PROOF_ARENA_BYTES_MAX);
    if (is_message(row, &a, &m) && !judge_proof(e, &m.proofs.items[0], &said) &&
        kt_origin_compare(said.origin, origin) == 0)
        f = said;
    kt_arena_free(&a);
    e->forks[e->forks_len++] = f;
    return freeze(e, origin);
}

int kt_engine_recall_forks(struct kt_engine *e)
{
    struct kt_store *s = e->config.ledger.store;
    struct kt_txn *t;
    e->forks_len = 0;
    int err = s->ops->begin(s, KT_ENV_JOURNAL, false, &t);
    if (err) return err;
    err = kt_journal_proofs(s, t, recall_row, e);
    s->ops->abort(t);
    return err;
}

int kt_engine_forks_cut(struct kt_engine *e)
{
    struct kt_store *s = e->config.ledger.store;
    struct kt_txn *t = NULL;
    uint32_t kept = 0;
    int err = KT_OK;
    for (uint32_t i = 0; i < e->forks_len && !err; i++) {
        if (!cut(e, e->forks[i].origin)) continue;
        if (!t) err = s->ops->begin(s, KT_ENV_JOURNAL, true, &t);
        if (!err) err = kt_journal_proof_drop(s, t, e->forks[i].origin, e->forks[i].number);
    }
    if (t && err) s->ops->abort(t);
    if (t && !err) err = s->ops->commit(t);
    if (err && err != KT_EFULL) return err; /* their rows go the next time */
    for (uint32_t i = 0; i < e->forks_len; i++)
        if (!cut(e, e->forks[i].origin)) e->forks[kept++] = e->forks[i];
    e->forks_len = kept;
    return KT_OK;
}

/* ------------------------------------------------------------------------------------------- where the sides part */

static int ask(struct kt_engine *e, uint64_t number)
{
    struct kt_search *s = &e->search;
    struct kt_ask one = {s->origin, number};
    struct kt_peer_message m = {.part = KT_PEER_BATCHES_BY_ID};
    m.asks.items = &one;
    m.asks.len = 1;
    s->asked = number;
    s->asked_mono_ms = kt_engine_mono_ms(e);
    return kt_engine_send(e, s->link, &m);
}

/* By halves: what two sides have in common is a beginning. */
int kt_engine_search(struct kt_engine *e, uint64_t link, const struct kt_opened *o)
{
    struct kt_search *s = &e->search;
    const struct kt_seal *seal = &o->batch.seal;
    struct kt_fork f;
    bool differs;
    if (!s->asked || s->link != link || o->verdict || seal->number != s->asked) return KT_OK;
    if (kt_origin_compare(seal->origin, s->origin) != 0) return KT_OK;
    s->asked = 0;
    const int err = compare(e, seal->number, &o->batch, &f, &differs);
    if (err || (differs && f.first)) return err;
    if (differs)
        s->differs = seal->number;
    else
        s->same = seal->number;
    if (s->differs - s->same < 2) return KT_OK; /* also where this peer is on our side */
    return ask(e, s->same + (s->differs - s->same) / 2);
}

int kt_engine_search_on(struct kt_engine *e)
{
    struct kt_search *s = &e->search;
    if (e->forks_len == 0 || e->links_len == 0 || kt_engine_mono_ms(e) - s->asked_mono_ms < SEARCH_MS) return KT_OK;
    const uint32_t turn = s->turn++; /* each fork of each peer in turn */
    const struct kt_fork *f = &e->forks[turn % e->forks_len];
    const struct kt_engine_link *l = &e->links[turn / e->forks_len % e->links_len];
    if (f->first || l->roster_only || kt_vector_get(kt_ledger_vector(e->ledger), f->origin) < f->number) return KT_OK;
    *s = (struct kt_search){.turn = s->turn, .link = l->id, .origin = f->origin, .differs = f->number + 1};
    return ask(e, f->number);
}

/* ------------------------------------------------------------------------------------------------ what only we said */

/* A fork of ours of which it is known where the sides part, and that was not said again yet. */
static int to_reissue(struct kt_engine *e, const struct kt_fork **out, char name[64])
{
    const struct kt_origin self = kt_ledger_origin(e->ledger);
    uint64_t done;
    *out = NULL;
    for (uint32_t i = 0; i < e->forks_len; i++) {
        const struct kt_fork *f = &e->forks[i];
        if (f->origin.member != self.member || f->origin.incarnation == self.incarnation || !f->first) continue;
        snprintf(name, 64, "reissued-%016llx", (unsigned long long)f->origin.incarnation);
        const int err = kt_keyring_number_get(e->keyring, name, &done);
        if (err == KT_ENOTFOUND) *out = f;
        if (err) return err == KT_ENOTFOUND ? KT_OK : err;
    }
    return KT_OK;
}

int kt_engine_reissue_on(struct kt_engine *e)
{
    const struct kt_fork *f;
    char name[64];
    bool more;
    if (e->forks_len == 0 || e->head_ahead || e->head_unsure || kt_ledger_lags(e->ledger)) return KT_OK;
    int err = to_reissue(e, &f, name);
    if (err || !f) return err;
    if (kt_origin_compare(e->reissued, f->origin) != 0) e->reissue_next = f->number;
    e->reissued = f->origin;
    if ((err = kt_engine_commit(e)) || (err = kt_engine_group(e))) return err;
    const uint64_t before = e->reissue_next;
    err = kt_ledger_reissue(e->ledger, f->origin, f->number, &e->reissue_next, &more);
    if (err) e->group_error = err; /* and from there again */
    if (err) e->reissue_next = before;
    if ((err = kt_engine_commit(e)) || e->reissue_next == before || more) return err;
    kt_engine_note(e, "reissued", "batches %llu to %llu of incarnation %016llx were said again under the present one",
                   (unsigned long long)f->number, (unsigned long long)e->reissue_next - 1,
                   (unsigned long long)f->origin.incarnation);
    return kt_keyring_number_set(e->keyring, name, 1);
}
