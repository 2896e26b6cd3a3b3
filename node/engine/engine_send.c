/* The engine's way out: frames go to a link in order, after the commit they acknowledge, as fast as the line takes
 * them.  Batches are streamed from the journal only while nothing waits on the link. */
#include "engine/engine_state.h"

#include "engine/journal/journal.h"

#include <stdlib.h>

#define FRAMES_PER_SERVE_MAX    8u /* to one link in one step; other inputs come in between */
#define BUNDLES_PER_FRAME_BYTES (120u << 10)
#define WRAPS_PER_FRAME_BYTES   (192u << 10) /* those beyond are asked for again */

struct kt_engine_link *kt_engine_link(struct kt_engine *e, uint64_t link)
{
    for (uint32_t i = 0; i < e->links_len; i++)
        if (e->links[i].id == link) return &e->links[i];
    return NULL;
}

#define OUTGOING_BYTES_MAX                                                                                             \
    (48u << 20) /* to one link: all rosters and bundles there can be, and batches behind them                          \
                 */

/* A peer that asks on and on and reads nothing is not waited for. */
static int give_up(struct kt_engine *e, struct kt_engine_link *l)
{
    l->closed = true;
    kt_engine_drop_outgoing(l);
    e->config.transport->close_link(e->config.transport, l->id, "it does not read what it asks for");
    return KT_OK;
}

int kt_engine_send_bytes(struct kt_engine *e, uint64_t link, struct kt_bytes frame)
{
    struct kt_engine_link *l = kt_engine_link(e, link);
    if (!l || l->closed) return KT_OK;
    if (l->outgoing_bytes + frame.len > OUTGOING_BYTES_MAX) return give_up(e, l);
    struct kt_outgoing *o = malloc(sizeof *o + frame.len);
    if (!o) return KT_ENOMEM;
    o->next = NULL;
    o->link = link;
    o->len = frame.len;
    memcpy(o->bytes, frame.data, frame.len);
    if (l->last)
        l->last->next = o;
    else
        l->first = o;
    l->last = o;
    l->outgoing_bytes += o->len;
    return KT_OK;
}

int kt_engine_send(struct kt_engine *e, uint64_t link, const struct kt_peer_message *m)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    int err = kt_peer_encode(m, &b);
    if (!err) err = kt_engine_send_bytes(e, link, kt_buf_bytes(&b));
    kt_buf_free(&b);
    return err;
}

void kt_engine_drop_outgoing(struct kt_engine_link *l)
{
    for (struct kt_outgoing *o = l->first, *next; o; o = next) {
        next = o->next;
        free(o);
    }
    l->first = l->last = NULL;
    l->outgoing_bytes = 0;
}

void kt_engine_flush(struct kt_engine *e)
{
    struct kt_transport *t = e->config.transport;
    for (uint32_t i = 0; i < e->links_len; i++) {
        struct kt_engine_link *l = &e->links[i];
        while (l->first) {
            struct kt_outgoing *o = l->first;
            const int sent = t->send(t, l->id, kt_bytes(o->bytes, o->len));
            if (sent == KT_EAGAIN) break;
            e->count.bytes_out += o->len;
            l->outgoing_bytes -= o->len;
            l->first = o->next;
            if (!l->first) l->last = NULL;
            free(o);
        }
    }
}

/* ---------------------------------------------------------------------------------------------- what was asked for */

int kt_engine_send_rosters(struct kt_engine *e, uint64_t link, uint32_t after)
{
    struct kt_arena scratch;
    struct kt_peer_message m = {.part = KT_PEER_ROSTERS};
    struct kt_bytes *bundles;
    uint32_t bundles_len;
    kt_arena_init(&scratch, 64u << 20);
    int err = kt_keyring_give_rosters(e->keyring, after, &scratch, &m.rosters.rosters, &m.rosters.rosters_len, &bundles,
                                      &bundles_len);
    if (!err && m.rosters.rosters_len) err = kt_engine_send(e, link, &m);
    /* bundles behind their roster, as many to a frame as fit */
    for (uint32_t at = 0; !err && at < bundles_len;) {
        size_t bytes = 0;
        uint32_t n = 0;
        while (at + n < bundles_len && (n == 0 || bytes + bundles[at + n].len <= BUNDLES_PER_FRAME_BYTES))
            bytes += bundles[at + n++].len;
        m.rosters = (struct kt_rosters){.bundles = bundles + at, .bundles_len = n};
        err = kt_engine_send(e, link, &m);
        at += n;
    }
    kt_arena_free(&scratch);
    return err == KT_ENOTFOUND ? KT_OK : err;
}

int kt_engine_send_wraps(struct kt_engine *e, uint64_t link, const struct kt_pull *pull)
{
    struct kt_arena scratch;
    struct kt_peer_message m = {.part = KT_PEER_WRAPS};
    kt_arena_init(&scratch, 8u << 20);
    m.wraps.items = kt_arena_array(&scratch, pull->want_wraps_len + 1, sizeof *m.wraps.items);
    int err = m.wraps.items ? KT_OK : KT_ELIMIT;
    size_t bytes = 0;
    for (uint32_t i = 0; i < pull->want_wraps_len && !err && bytes < WRAPS_PER_FRAME_BYTES; i++) {
        err = kt_keyring_wrap(e->keyring, &pull->want_wraps[i], &scratch, &m.wraps.items[m.wraps.len]);
        if (!err)
            bytes += m.wraps.items[m.wraps.len++].len;
        else if (err == KT_ENOTFOUND)
            err = KT_OK;
    }
    if (!err && m.wraps.len) err = kt_engine_send(e, link, &m);
    kt_arena_free(&scratch);
    return err;
}

/* ------------------------------------------------------------------------------------------------------ batches */

/* One frame of an answer as it fills. */
struct filling {
    struct kt_engine *e;
    uint64_t link;
    struct kt_buf frame;
    struct kt_answer_builder builder;
    struct kt_arena scratch;
    uint32_t frames;
};

static int wraps_of(struct filling *f, struct kt_bytes batch, struct kt_bytes **wraps, uint32_t *n, struct kt_batch *b)
{
    int err = kt_batch_decode(batch, &f->scratch, b);
    if (err) return err;
    uint32_t keys = 0;
    for (uint32_t s = 0; s < b->seal.sections_len; s++) keys += b->sections[s].keys_len;
    *wraps = kt_arena_array(&f->scratch, keys + 1, sizeof **wraps);
    *n = 0;
    if (!*wraps) return KT_ELIMIT;
    for (uint32_t s = 0; s < b->seal.sections_len; s++)
        for (uint32_t k = 0; k < b->sections[s].keys_len && *n < KT_WRAPS_PER_FRAME_MAX; k++) {
            err = kt_keyring_wrap(f->e->keyring, &b->sections[s].keys[k].id, &f->scratch, &(*wraps)[*n]);
            if (!err)
                ++*n;
            else if (err != KT_ENOTFOUND)
                return err;
        }
    return KT_OK;
}

static int finish_frame(struct filling *f, bool end)
{
    struct kt_engine *e = f->e;
    const struct kt_vector *cursor = kt_replica_cursor(e->replica, f->link);
    struct kt_answer rest = {.end = end};
    if (cursor) rest.behind_batches = kt_vector_behind(kt_ledger_vector(e->ledger), cursor);
    int err = kt_answer_finish(&f->builder, &rest);
    if (!err) err = kt_engine_send_bytes(e, f->link, kt_buf_bytes(&f->frame));
    kt_buf_clear(&f->frame);
    f->frames++;
    kt_answer_begin(&f->builder, &f->frame);
    return err;
}

static int add_batch(struct filling *f, struct kt_bytes bytes, struct kt_batch *decoded)
{
    struct kt_bytes *wraps;
    uint32_t n;
    int err = wraps_of(f, bytes, &wraps, &n, decoded);
    if (err) return err;
    err = kt_answer_add(&f->builder, bytes, wraps, n);
    if (err != KT_ELIMIT) return err;
    err = finish_frame(f, false);
    return err ? err : kt_answer_add(&f->builder, bytes, wraps, n);
}

static void filling_begin(struct filling *f, struct kt_engine *e, uint64_t link)
{
    *f = (struct filling){.e = e, .link = link};
    kt_buf_init(&f->frame, KT_FRAME_BYTES_MAX);
    kt_arena_init(&f->scratch, 64u << 20);
    kt_answer_begin(&f->builder, &f->frame);
}

static void filling_end(struct filling *f)
{
    kt_buf_free(&f->frame);
    kt_arena_free(&f->scratch);
}

int kt_engine_send_batches(struct kt_engine *e, uint64_t link, const struct kt_peer_message *asks)
{
    struct kt_store *s = e->config.ledger.store;
    struct kt_txn *t;
    struct filling f;
    struct kt_batch decoded;
    int err = s->ops->begin(s, KT_ENV_JOURNAL, false, &t);
    if (err) return err;
    filling_begin(&f, e, link);
    for (uint32_t i = 0; i < asks->asks.len && !err && f.frames < FRAMES_PER_SERVE_MAX; i++) {
        struct kt_journal_entry entry;
        const struct kt_ask *ask = &asks->asks.items[i];
        if (ask->number > kt_roster_cut(kt_keyring_roster(e->keyring), ask->origin, 0)) continue;
        err = kt_journal_find(s, t, ask->origin, ask->number, &entry);
        if (!err)
            err = add_batch(&f, entry.batch, &decoded);
        else if (err == KT_ENOTFOUND || err == KT_ESNAPSHOT || err == KT_EDAMAGED)
            err = KT_OK; /* others may have it */
        kt_arena_reset(&f.scratch);
    }
    if (!err && f.builder.batches_len) err = finish_frame(&f, true);
    filling_end(&f);
    s->ops->abort(t);
    return err;
}

/* Streams from the first position of anything the link lacks.  *more: stopped by what this step allows. */
static int stream(struct filling *f, struct kt_txn *t, uint64_t position, bool *more)
{
    struct kt_engine *e = f->e;
    struct kt_store *s = e->config.ledger.store;
    const uint64_t now = kt_engine_mono_ms(e);
    struct kt_journal_entry entry;
    struct kt_batch decoded;
    int err;
    while (!(err = kt_journal_get(s, t, position, &entry)) || err == KT_EDAMAGED) {
        if (err) {
            if ((err = kt_engine_meet_damage(e, f->link, position))) break;
            position++;
            continue;
        }
        const enum kt_want want =
            kt_replica_wants(e->replica, f->link, entry.origin, entry.number, entry.batch.len, now);
        if (want == KT_WANT_PAUSE || want == KT_WANT_FULL) break;
        if (want == KT_WANT_YES && !kt_engine_behind_hole(e, f->link, entry.origin, entry.number)) {
            if ((*more = f->frames >= FRAMES_PER_SERVE_MAX)) break;
            if ((err = add_batch(f, entry.batch, &decoded))) return err;
            struct kt_event ev = kt_engine_event(e, KT_EV_SENT, f->link);
            ev.seal = &decoded.seal;
            ev.bytes = entry.batch.len;
            if ((err = kt_engine_replica(e, &ev, NULL))) return err;
            e->count.batches_out++;
            kt_arena_reset(&f->scratch);
        }
        position++;
    }
    if (err && err != KT_ENOTFOUND && err != KT_EAGAIN) return err;
    return f->builder.batches_len ? finish_frame(f, err == KT_ENOTFOUND) : KT_OK;
}

/* What the journal has and the link is not to get: without these the walk would begin at them each time. */
static int passed_over(struct kt_engine *e, uint64_t link, const struct kt_vector *cursor, struct kt_origin **out,
                       size_t *n)
{
    size_t cut_len;
    uint32_t skip_len, holes_len;
    const struct kt_origin *cut = kt_ledger_cut_origins(e->ledger, &cut_len);
    const struct kt_origin *skip = kt_replica_skipped(e->replica, link, &skip_len);
    (void)kt_ledger_holes(e->ledger, &holes_len);
    *n = 0;
    *out = kt_arena_array(&e->arena, cut_len + skip_len + holes_len + 1, sizeof **out);
    if (!*out) return KT_ELIMIT;
    for (uint32_t i = 0; i < skip_len; i++) (*out)[(*n)++] = skip[i];
    for (size_t i = 0; i < cut_len; i++)
        if (kt_vector_get(cursor, cut[i]) >= kt_vector_get(kt_ledger_vector(e->ledger), cut[i]))
            (*out)[(*n)++] = cut[i];
    *n += kt_engine_holes_passed(e, cursor, *out + *n);
    return KT_OK;
}

static int snapshot_required(struct kt_engine *e, uint64_t link)
{
    struct kt_peer_message m = {.part = KT_PEER_ANSWER};
    m.answer.snapshot_required = true;
    kt_replica_cannot_serve(e->replica, link);
    return kt_engine_send(e, link, &m);
}

static int serve_link(struct kt_engine *e, uint64_t link, bool *more)
{
    struct kt_store *s = e->config.ledger.store;
    struct kt_txn *t;
    struct filling f;
    uint64_t position;
    const struct kt_vector *cursor = kt_replica_cursor(e->replica, link);
    struct kt_origin *without;
    size_t without_len;
    if (!cursor) return KT_OK;
    int err = passed_over(e, link, cursor, &without, &without_len);
    if (!err) err = s->ops->begin(s, KT_ENV_JOURNAL, false, &t);
    if (err) return err;
    err = kt_journal_first_missing(s, t, cursor, without, without_len, &position);
    filling_begin(&f, e, link);
    if (!err)
        err = stream(&f, t, position, more);
    else if (err == KT_ESNAPSHOT)
        err = snapshot_required(e, link);
    filling_end(&f);
    s->ops->abort(t);
    return err == KT_ENOTFOUND ? KT_OK : err;
}

int kt_engine_serve(struct kt_engine *e)
{
    int err = KT_OK;
    for (uint32_t i = 0; i < e->links_len && !err; i++) {
        struct kt_engine_link *l = &e->links[i];
        if (!l->serve || l->first) continue; /* what waits goes first */
        bool more = false;
        err = serve_link(e, l->id, &more);
        if ((l = kt_engine_link(e, l->id))) l->serve = more;
    }
    return err;
}
