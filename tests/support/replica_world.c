#include "support/replica_world.h"

#include <stdio.h>
#include <stdlib.h>

#define FRAME_BATCHES 8u
#define BATCH_WEIGHT  1500u /* bytes a batch counts as */

void world_must(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "the world of replicas: %s\n", what);
    abort();
}

static void *kept(void *memory)
{
    world_must(memory != NULL, "out of memory");
    return memory;
}

/* --------------------------------------------------------------------------------------------------------- journals */

void world_journal_append(struct world *w, unsigned node, const struct world_batch *b)
{
    struct world_node *n = &w->nodes[node];
    if ((n->len & (n->len - 1)) == 0) n->journal = kept(realloc(n->journal, (n->len ? 2 * n->len : 1) * sizeof *b));
    n->journal[n->len++] = *b;
    if (n->commit_at_ms == UINT64_MAX) n->commit_at_ms = w->now_ms + w->commit_ms;
}

struct kt_seal world_seal(const struct world_batch *b)
{
    return (struct kt_seal){.suite = KT_SUITE_1,
                            .origin = b->origin,
                            .number = b->number,
                            .previous = b->previous,
                            .hlc = b->hlc,
                            .roster_version = b->roster_version};
}

/* What kt_judge_batch would say, of a bare seal. */
static int judge(const struct world *w, unsigned node, const struct world_batch *b)
{
    static const struct kt_hash zeros;
    const struct world_node *n = &w->nodes[node];
    if (b->roster_version > n->roster_version) return KT_EROSTER;
    if (b->number > kt_roster_cut(&w->rosters[n->roster_version], b->origin, 0)) return KT_ECUT;
    const struct kt_vector_entry *head = kt_vector_find(kt_replica_vector(n->replica), b->origin);
    uint64_t held = head ? head->number : 0;
    if (b->number < held) return KT_EDUPLICATE;
    if (held && b->number == held)
        return memcmp(&head->seal_hash, &b->hash, sizeof b->hash) == 0 ? KT_EDUPLICATE : KT_EFORK;
    if (b->number > held + 1) return KT_EGAP;
    return memcmp(head ? &head->seal_hash : &zeros, &b->previous, sizeof zeros) == 0 ? KT_OK : KT_EFORK;
}

/* ------------------------------------------------------------------------------------------------------------ lines */

static struct world_line *line_of(struct world *w, uint64_t link)
{
    for (unsigned i = 0; i < w->lines_len; i++)
        if (w->lines[i].id == link) return &w->lines[i];
    return NULL;
}

static void send(struct world *w, unsigned from, uint64_t link, const struct kt_peer_message *m)
{
    struct world_line *line = line_of(w, link);
    if (!line) return; /* cut meanwhile */
    struct kt_buf frame;
    kt_buf_init(&frame, KT_FRAME_BYTES_MAX);
    world_must(kt_peer_encode(m, &frame) == KT_OK, "a message cannot be encoded");
    struct world_packet *p = kept(malloc(sizeof *p + frame.len));
    *p = (struct world_packet){.at_ms = w->now_ms + w->delay_ms, .link = link, .from = from, .len = frame.len};
    p->to = line->a == from ? line->b : line->a;
    memcpy(p->data, frame.data, frame.len);
    kt_buf_free(&frame);
    struct world_packet **at = &w->packets;
    while (*at && (*at)->at_ms <= p->at_ms) at = &(*at)->next;
    p->next = *at;
    *at = p;
    world_tell_message(w, from, p->to, m);
}

unsigned world_line(struct world *w, unsigned a, unsigned b)
{
    world_must(w->lines_len < WORLD_LINES_MAX, "too many lines");
    w->lines[w->lines_len] = (struct world_line){.a = a, .b = b};
    return w->lines_len++;
}

void world_link_as(struct world *w, unsigned line, bool a_sees_rosters_only, bool b_sees_rosters_only)
{
    struct world_line *l = &w->lines[line];
    if (l->id) return;
    l->id = ++w->last_link;
    world_tell(w, "office-%u and office-%u are linked", l->a + 1, l->b + 1);
    world_step(w, l->a,
               (struct kt_event){
                   .kind = KT_EV_LINK_UP, .link = l->id, .member = l->b + 1, .roster_only = a_sees_rosters_only});
    world_step(w, l->b,
               (struct kt_event){
                   .kind = KT_EV_LINK_UP, .link = l->id, .member = l->a + 1, .roster_only = b_sees_rosters_only});
}

void world_link(struct world *w, unsigned line) { world_link_as(w, line, false, false); }

void world_cut(struct world *w, unsigned line)
{
    struct world_line *l = &w->lines[line];
    uint64_t id = l->id;
    if (!id) return;
    l->id = 0;
    world_tell(w, "the line between office-%u and office-%u breaks", l->a + 1, l->b + 1);
    for (struct world_packet **at = &w->packets; *at;) {
        struct world_packet *p = *at;
        if (p->link != id) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        free(p);
    }
    world_step(w, l->a, (struct kt_event){.kind = KT_EV_LINK_DOWN, .link = id});
    world_step(w, l->b, (struct kt_event){.kind = KT_EV_LINK_DOWN, .link = id});
}

/* ---------------------------------------------------------------------------------------------------------- effects */

static void answer(struct world *w, unsigned node, uint64_t link, const struct world_batch *batches, uint32_t n,
                   bool end)
{
    if (n == 0) return;
    struct kt_answer_batch items[FRAME_BATCHES];
    memset(items, 0, sizeof items);
    for (uint32_t i = 0; i < n; i++) items[i].batch = KT_BYTES_OF(batches[i]);
    struct kt_peer_message m = {.part = KT_PEER_ANSWER};
    m.answer = (struct kt_answer){.batches = items, .batches_len = n, .end = end};
    w->batches_sent += n;
    send(w, node, link, &m);
}

/* Streams the journal in its order, as the engine does: from the start, past what is not wanted, until told to stop. */
static void serve(struct world *w, unsigned node, uint64_t link)
{
    struct world_node *n = &w->nodes[node];
    struct world_batch frame[FRAME_BATCHES];
    uint32_t filled = 0;
    bool more = true;
    for (size_t i = 0; i < n->committed && more; i++) {
        const struct world_batch *b = &n->journal[i];
        enum kt_want want = kt_replica_wants(n->replica, link, b->origin, b->number, BATCH_WEIGHT, w->now_ms);
        more = want == KT_WANT_YES || want == KT_WANT_NO;
        if (want != KT_WANT_YES) continue;
        frame[filled++] = *b;
        struct kt_seal seal = world_seal(b);
        world_step(w, node, (struct kt_event){.kind = KT_EV_SENT, .link = link, .seal = &seal, .bytes = BATCH_WEIGHT});
        if (filled < FRAME_BATCHES) continue;
        answer(w, node, link, frame, filled, false);
        filled = 0;
    }
    answer(w, node, link, frame, filled, more);
}

static void give_single(struct world *w, unsigned node, uint64_t link, const struct kt_peer_message *m)
{
    const struct world_node *n = &w->nodes[node];
    for (uint32_t i = 0; i < m->asks.len; i++)
        for (size_t j = 0; j < n->committed; j++)
            if (n->journal[j].number == m->asks.items[i].number &&
                kt_origin_compare(n->journal[j].origin, m->asks.items[i].origin) == 0)
                answer(w, node, link, &n->journal[j], 1, false);
}

static void pulse(struct world *w, unsigned node, bool whole)
{
    static const uint8_t secret[64];
    struct world_node *n = &w->nodes[node];
    struct kt_arena arena;
    struct kt_buf out;
    kt_arena_init(&arena, 1 << 20);
    kt_buf_init(&out, KT_FRAME_BYTES_MAX);
    const struct kt_vector *v = kt_replica_vector(n->replica);
    struct kt_head *heads = NULL, own[4];
    uint32_t len = 0, own_len = 0;
    world_must(kt_vector_heads(v, &arena, &heads, &len) == KT_OK, "no room for heads");
    for (uint32_t i = 0; i < len && own_len < 4; i++)
        if (heads[i].origin.member == n->member) own[own_len++] = heads[i];
    struct kt_pulse_digest digest = {KT_CORE, kt_vector_seals_hash(v)}; /* equal state where vectors are equal */
    struct kt_pulse p = {.suite = KT_SUITE_1,
                         .cluster = w->rosters[1].cluster,
                         .member = n->member,
                         .hlc = kt_clock_next(&n->clock, WORLD_EPOCH_MS + w->now_ms),
                         .heads = own,
                         .heads_len = own_len,
                         .vector_hash = kt_vector_hash(v),
                         .vector_seals_hash = kt_vector_seals_hash(v),
                         .digests = &digest,
                         .digests_len = 1,
                         .vector = whole ? heads : NULL,
                         .vector_len = whole ? len : 0};
    world_must(kt_pulse_encode(&p, secret, &out) == KT_OK, "a pulse cannot be encoded");
    world_must(kt_replica_own_pulse(n->replica, kt_buf_bytes(&out), &p, w->now_ms) == KT_OK, "a pulse is refused");
    kt_buf_free(&out);
    kt_arena_free(&arena);
}

static void send_rosters(struct world *w, unsigned node, uint64_t link)
{
    uint8_t version = (uint8_t)w->nodes[node].roster_version;
    struct kt_bytes roster = KT_BYTES_OF(version);
    struct kt_peer_message m = {.part = KT_PEER_ROSTERS};
    m.rosters = (struct kt_rosters){.rosters = &roster, .rosters_len = 1};
    send(w, node, link, &m);
}

static void close_link(struct world *w, unsigned node, uint64_t link, const char *why)
{
    struct world_line *line = line_of(w, link);
    if (!line) return;
    world_tell(w, "office-%u hangs up on office-%u: it %s", node + 1, (line->a == node ? line->b : line->a) + 1, why);
    world_cut(w, (unsigned)(line - w->lines));
}

static void perform(struct world *w, unsigned node, const struct kt_effect *e, const struct world_batch *batch)
{
    w->nodes[node].effects[e->kind]++;
    switch (e->kind) {
    case KT_FX_ACCEPT:
        world_tell(w, "office-%u takes %u%s/%llu", node + 1, batch->origin.member,
                   batch->origin.incarnation > 1 ? "'" : "", (unsigned long long)batch->number);
        world_journal_append(w, node, batch);
        break;
    case KT_FX_SEND:
        send(w, node, e->link, &e->message);
        break;
    case KT_FX_SERVE:
        serve(w, node, e->link);
        break;
    case KT_FX_SEND_ROSTERS:
        send_rosters(w, node, e->link);
        break;
    case KT_FX_SEND_BATCHES:
        give_single(w, node, e->link, &e->message);
        break;
    case KT_FX_PULSE:
        pulse(w, node, e->whole);
        break;
    case KT_FX_FORK:
        world_tell(w, "office-%u has proof of a fork of office-%u", node + 1, e->member);
        break;
    case KT_FX_OWN_HEAD_AHEAD:
        world_tell(w, "office-%u learns of batches of its own that it does not have", node + 1);
        break;
    case KT_FX_CLOSE:
        close_link(w, node, e->link, e->why);
        break;
    case KT_FX_SEND_WRAPS:
        world_tell(w, "office-%u looks for %u data keys", node + 1, e->message.pull.want_wraps_len);
        break;
    case KT_FX_SEND_ERASURES:
    case KT_FX_SEND_PROOFS:
    case KT_FX_KEEP_PULSE:
        break;
    }
}

/* With hardly any memory a step gives KT_ELIMIT and changes nothing, or is done and leaves the rest for the next. */
static bool hungry_step(struct world *w, unsigned node, const struct kt_event *ev, const struct world_batch *batch)
{
    struct kt_effects fx = {0};
    kt_arena_init(&fx.arena, dice_below(w->hunger, 2500));
    int err = kt_replica_step(w->nodes[node].replica, ev, &fx);
    world_must(err == KT_OK || (err == KT_ELIMIT && fx.len == 0), "a step without memory fails in its own way");
    for (uint32_t i = 0; i < fx.len; i++) perform(w, node, &fx.items[i], batch);
    kt_arena_free(&fx.arena);
    return err == KT_OK;
}

static void step_with(struct world *w, unsigned node, struct kt_event ev, const struct world_batch *batch)
{
    ev.now_ms = WORLD_EPOCH_MS + w->now_ms;
    ev.now_mono_ms = w->now_ms;
    if (w->hunger && hungry_step(w, node, &ev, batch)) return;
    world_must(w->depth < WORLD_DEPTH_MAX, "too many steps within steps");
    struct kt_effects *fx = &w->fx[w->depth++];
    kt_arena_reset(&fx->arena);
    world_must(kt_replica_step(w->nodes[node].replica, &ev, fx) == KT_OK, "a step failed");
    for (uint32_t i = 0; i < fx->len; i++) perform(w, node, &fx->items[i], batch);
    w->depth--;
}

void world_step(struct world *w, unsigned node, struct kt_event ev) { step_with(w, node, ev, NULL); }

/* --------------------------------------------------------------------------------------------------------- arriving */

static void take_batch(struct world *w, const struct world_packet *p, const struct world_batch *b)
{
    struct kt_seal seal = world_seal(b);
    const struct world_line *line = line_of(w, p->link);
    if (!line) return;
    bool spoilt = line->spoils && line->a == p->from;
    int verdict = spoilt ? KT_EHASH : judge(w, p->to, b);
    if (verdict != KT_OK && verdict != KT_EDUPLICATE)
        world_tell(w, "office-%u cannot take %u/%llu from office-%u: %s", p->to + 1, b->origin.member,
                   (unsigned long long)b->number, p->from + 1, kt_error_text(verdict));
    struct kt_event ev = {
        .kind = KT_EV_BATCH, .link = p->link, .seal = &seal, .seal_hash = &b->hash, .verdict = verdict};
    step_with(w, p->to, ev, b);
}

static void take_answer(struct world *w, const struct world_packet *p, const struct kt_peer_message *m)
{
    for (uint32_t i = 0; i < m->answer.batches_len; i++) {
        struct world_batch b;
        world_must(m->answer.batches[i].batch.len == sizeof b, "a batch changed its size");
        memcpy(&b, m->answer.batches[i].batch.data, sizeof b);
        take_batch(w, p, &b);
        if (w->dice && dice_in(w->dice, 10)) take_batch(w, p, &b);
    }
    world_step(w, p->to,
               (struct kt_event){.kind = KT_EV_ANSWER_END,
                                 .link = p->link,
                                 .message = m,
                                 .bytes = (uint64_t)m->answer.batches_len * BATCH_WEIGHT});
}

static void arrive(struct world *w, const struct world_packet *p)
{
    struct kt_peer_message m;
    kt_arena_reset(&w->arriving);
    world_must(kt_peer_decode(kt_bytes(p->data, p->len), &w->arriving, &m) == KT_OK, "a message cannot be decoded");
    if (m.part == KT_PEER_ANSWER)
        take_answer(w, p, &m);
    else if (m.part != KT_PEER_ROSTERS)
        world_step(w, p->to, (struct kt_event){.kind = KT_EV_MESSAGE, .link = p->link, .message = &m});
    else if (m.rosters.rosters[0].data[0] > w->nodes[p->to].roster_version)
        world_roster(w, p->to, m.rosters.rosters[0].data[0], p->link);
}

/* ------------------------------------------------------------------------------------------------------------- time */

static uint64_t next_moment(const struct world *w)
{
    uint64_t next = w->tick_at_ms;
    if (w->packets && w->packets->at_ms < next) next = w->packets->at_ms;
    for (unsigned i = 0; i < w->nodes_len; i++)
        if (w->nodes[i].commit_at_ms < next) next = w->nodes[i].commit_at_ms;
    return next;
}

static void live_through(struct world *w)
{
    while (w->packets && w->packets->at_ms <= w->now_ms) { /* a cut line takes its packets along */
        struct world_packet *p = w->packets;
        w->packets = p->next;
        arrive(w, p);
        free(p);
    }
    for (unsigned i = 0; i < w->nodes_len; i++) {
        struct world_node *n = &w->nodes[i];
        if (n->commit_at_ms > w->now_ms) continue;
        n->commit_at_ms = UINT64_MAX;
        n->committed = n->len;
        world_tell(w, "office-%u has it durably", i + 1);
        world_step(w, i, (struct kt_event){.kind = KT_EV_COMMITTED});
    }
    if (w->tick_at_ms > w->now_ms) return;
    w->tick_at_ms += WORLD_TICK_MS;
    for (unsigned i = 0; i < w->nodes_len; i++) world_step(w, i, (struct kt_event){.kind = KT_EV_TICK});
}

void world_run(struct world *w, uint64_t for_ms)
{
    uint64_t end = w->now_ms + for_ms;
    while (next_moment(w) <= end) {
        w->now_ms = next_moment(w);
        live_through(w);
    }
    w->now_ms = end;
}

bool world_same(const struct world *w, unsigned a, unsigned b)
{
    struct kt_hash x = kt_vector_seals_hash(kt_replica_vector(w->nodes[a].replica));
    struct kt_hash y = kt_vector_seals_hash(kt_replica_vector(w->nodes[b].replica));
    return memcmp(&x, &y, sizeof x) == 0;
}

bool world_settles(struct world *w, uint64_t within_ms)
{
    uint64_t end = w->now_ms + within_ms;
    for (;;) {
        bool same = true;
        for (unsigned i = 0; i < w->lines_len; i++)
            if (w->lines[i].id && !world_same(w, w->lines[i].a, w->lines[i].b)) same = false;
        if (same) return true;
        if (w->now_ms >= end) return false;
        world_run(w, WORLD_TICK_MS);
    }
}
