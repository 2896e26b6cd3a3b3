/* Holes: batches that the disk lost.  Any peer that has one gives it back, and it goes where it was. */
#include "engine/engine_state.h"

#include "engine/journal/journal.h"

#define ASK_MS   1000u  /* between two asks; the next of the linked peers each time */
#define ASKS_MAX 64u    /* at once */
#define HOPE_MS  30000u /* so long others wait for a hole to be filled before they are served what lies behind */

int kt_engine_ask_holes(struct kt_engine *e)
{
    uint32_t n;
    const struct kt_hole *holes = kt_ledger_holes(e->ledger, &n);
    const uint64_t now = kt_engine_mono_ms(e);
    if (n == 0 || e->links_len == 0 || now - e->holes_asked_mono_ms < ASK_MS) return KT_OK;
    const struct kt_engine_link *l = &e->links[e->link_turn++ % e->links_len];
    if (l->roster_only || l->closed) return KT_OK;
    struct kt_ask asks[ASKS_MAX];
    struct kt_peer_message m = {.part = KT_PEER_BATCHES_BY_ID};
    m.asks.items = asks;
    for (; m.asks.len < ASKS_MAX && m.asks.len < n; m.asks.len++) {
        const struct kt_hole *h = &holes[(e->hole_turn + m.asks.len) % n];
        asks[m.asks.len] = (struct kt_ask){h->origin, h->number};
    }
    if (e->link_turn % e->links_len == 0) e->hole_turn += m.asks.len; /* all were asked for these */
    e->holes_asked_mono_ms = now;
    return kt_engine_send(e, l->id, &m);
}

int kt_engine_fill_hole(struct kt_engine *e, const struct kt_opened *o, bool *took)
{
    const struct kt_seal *s = &o->batch.seal;
    uint32_t left;
    *took = !o->verdict && kt_ledger_hole(e->ledger, s->origin, s->number);
    if (!*took) return KT_OK;
    int err = kt_engine_commit(e); /* the group may be writing keys */
    if (!err) err = kt_ledger_fill(e->ledger, o);
    if (err == KT_EFORK) {
        kt_engine_note(e, "hole", "member %u: a peer's batch %llu is not the one that was lost here", s->origin.member,
                       (unsigned long long)s->number);
        return KT_OK;
    }
    if (err == KT_EFULL || err == KT_EAGAIN || err == KT_ENOTFOUND) return KT_OK; /* asked for again */
    if (err) return err;
    (void)kt_ledger_holes(e->ledger, &left);
    if (left == 0) kt_engine_note(e, "hole", "all that the disk lost of the journal is back");
    return KT_OK;
}

/* The link's peer lacks the batch of this hole, and the next it needs of that origin is this one or one before. */
static bool lacks(const struct kt_vector *cursor, const struct kt_hole *h)
{
    return kt_vector_get(cursor, h->origin) < h->number;
}

static const struct kt_hole *hole_at(const struct kt_engine *e, uint64_t position)
{
    uint32_t n;
    const struct kt_hole *holes = kt_ledger_holes(e->ledger, &n);
    for (uint32_t i = 0; i < n; i++)
        if (holes[i].position == position) return &holes[i];
    return NULL;
}

static bool hopeful(const struct kt_engine *e) { return kt_engine_mono_ms(e) - e->holes_since_mono_ms < HOPE_MS; }

int kt_engine_meet_damage(struct kt_engine *e, uint64_t link, uint64_t position)
{
    const struct kt_vector *cursor = kt_replica_cursor(e->replica, link);
    if (!hole_at(e, position)) {
        int err = kt_ledger_punch(e->ledger, position);
        if (err) return err;
        const struct kt_hole *h = hole_at(e, position);
        e->holes_since_mono_ms = kt_engine_mono_ms(e);
        kt_engine_note(e, "journal-damaged",
                       "batch %llu of member %u is damaged on disk: it is asked of the peers again; check this disk",
                       (unsigned long long)h->number, h->origin.member);
        return KT_EAGAIN; /* errors are sticky: this transaction reads no further */
    }
    return cursor && lacks(cursor, hole_at(e, position)) && hopeful(e) ? KT_EAGAIN : KT_OK;
}

bool kt_engine_behind_hole(const struct kt_engine *e, uint64_t link, struct kt_origin origin, uint64_t number)
{
    uint32_t n;
    const struct kt_hole *holes = kt_ledger_holes(e->ledger, &n);
    const struct kt_vector *cursor = n ? kt_replica_cursor(e->replica, link) : NULL;
    for (uint32_t i = 0; cursor && i < n; i++)
        if (holes[i].number < number && kt_origin_compare(holes[i].origin, origin) == 0 && lacks(cursor, &holes[i]))
            return true;
    return false;
}

uint32_t kt_engine_holes_passed(const struct kt_engine *e, const struct kt_vector *cursor, struct kt_origin *out)
{
    uint32_t all, n = 0;
    const struct kt_hole *holes = kt_ledger_holes(e->ledger, &all);
    for (uint32_t i = 0; i < all && !hopeful(e); i++)
        if (kt_vector_get(cursor, holes[i].origin) + 1 == holes[i].number) out[n++] = holes[i].origin;
    return n;
}
