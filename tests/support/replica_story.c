/* What replicas say to each other, in words. */
#include "support/replica_world.h"

#include <stdarg.h>
#include <stdio.h>

struct line {
    char text[1024];
    size_t len;
};

static void add(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->text + l->len, sizeof l->text - l->len, format, args);
    va_end(args);
    if (n > 0) l->len += (size_t)n < sizeof l->text - l->len ? (size_t)n : sizeof l->text - l->len - 1;
}

void world_tell(struct world *w, const char *format, ...)
{
    if (!w->say) return;
    struct line l = {0};
    add(&l, "%4u.%03u  ", (unsigned)(w->now_ms / 1000), (unsigned)(w->now_ms % 1000));
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l.text + l.len, sizeof l.text - l.len, format, args);
    va_end(args);
    if (n > 0) w->say(w->say_ctx, l.text);
}

/* "2/4": batch 4 of office-2 in its first life; "2'/4": in its second. */
static void add_head(struct line *l, struct kt_origin o, uint64_t number)
{
    add(l, " %u%s/%llu", o.member, o.incarnation > 1 ? "'" : "", (unsigned long long)number);
}

static void add_greeting(struct line *l, const struct kt_peer_message *m)
{
    add(l, "hello, my roster is version %u", m->greeting.roster_version);
}

static void add_pull(struct line *l, const struct kt_peer_message *m)
{
    const struct kt_pull *p = &m->pull;
    add(l, p->whole ? "in all I hold" : "I now hold");
    if (p->heads_len == 0) add(l, p->whole ? " nothing" : " nothing more");
    for (uint32_t i = 0; i < p->heads_len; i++) add_head(l, p->heads[i].origin, p->heads[i].number);
    for (uint32_t i = 0; i < p->heard_len; i++) add(l, "%s %u", i ? "," : "; I hear", p->heard[i]);
    for (uint32_t i = 0; i < p->skip_len; i++) {
        add(l, i ? "," : "; skip");
        add(l, " %u%s", p->skip[i].member, p->skip[i].incarnation > 1 ? "'" : "");
    }
    if (p->want_wraps_len) add(l, "; I lack %u data keys", p->want_wraps_len);
    add(l, "; my roster is %u; send me up to %u KiB", p->roster_version, p->grant_bytes >> 10);
}

static void add_answer(struct line *l, const struct kt_peer_message *m)
{
    const struct kt_answer *a = &m->answer;
    add(l, "here is");
    for (uint32_t i = 0; i < a->batches_len; i++) {
        struct world_batch b;
        memcpy(&b, a->batches[i].batch.data, sizeof b);
        add_head(l, b.origin, b.number);
    }
    if (a->end) add(l, ", that is all I have");
}

static void add_pulses(struct line *l, const struct kt_peer_message *m)
{
    struct kt_arena arena;
    kt_arena_init(&arena, 1 << 20);
    add(l, "the pulse of");
    for (uint32_t i = 0; i < m->pulses.len; i++) {
        struct kt_pulse p;
        if (kt_pulse_decode(m->pulses.items[i], &arena, &p) != KT_OK) continue;
        add(l, "%s %u", i ? "," : "", p.member);
        if (p.vector_len) add(l, " with its vector");
    }
    kt_arena_free(&arena);
}

static void add_asks(struct line *l, const struct kt_peer_message *m)
{
    add(l, "give me just");
    for (uint32_t i = 0; i < m->asks.len; i++) add_head(l, m->asks.items[i].origin, m->asks.items[i].number);
}

static void add_rosters(struct line *l, const struct kt_peer_message *m)
{
    add(l, "take the rosters up to version %u", m->rosters.rosters[m->rosters.rosters_len - 1].data[0]);
}

void world_tell_message(struct world *w, unsigned from, unsigned to, const struct kt_peer_message *m)
{
    static const struct {
        enum kt_peer_part part;
        const char *verb;
        void (*add)(struct line *, const struct kt_peer_message *);
    } ways[] = {
        {KT_PEER_GREETING,      "greets",  add_greeting},
        {KT_PEER_PULL,          "asks",    add_pull    },
        {KT_PEER_ANSWER,        "answers", add_answer  },
        {KT_PEER_PULSES,        "tells",   add_pulses  },
        {KT_PEER_ROSTERS,       "tells",   add_rosters },
        {KT_PEER_BATCHES_BY_ID, "asks",    add_asks    },
    };
    if (!w->say) return;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (ways[i].part != m->part) continue;
        struct line l = {0};
        ways[i].add(&l, m);
        world_tell(w, "office-%u %s office-%u: %s", from + 1, ways[i].verb, to + 1, l.text);
    }
}
