/* Which source records are one customer: those that MATCH links join, directly or through others; of a link in conflict
 * the strictest counts. */
#include "sim/sim.h"

/* To one office: who was put, which links join, and the least of the group each customer is in. */
struct groups {
    bool known[SIM_ENTITIES_MAX], joins[SIM_ENTITIES_MAX];
    unsigned of[SIM_ENTITIES_MAX];
};

static void find_groups(struct sim *s, struct sim_office *o, struct groups *g)
{
    bool changed = true;
    for (unsigned i = 0; i < s->entities_len; i++) {
        g->of[i] = i;
        g->known[i] = s->entities[i].kind == KT_CUSTOMER && judge_known(s, o, i);
        g->joins[i] = s->entities[i].kind == KT_IDENTITY_LINK && judge_linked(s, o, i);
    }
    while (changed) {
        changed = false;
        for (unsigned i = 0; i < s->entities_len; i++) {
            const struct sim_entity *e = &s->entities[i];
            if (!g->joins[i]) continue;
            unsigned *a = &g->of[e->customer], *b = &g->of[e->other];
            if (*a == *b) continue;
            *a = *b = *a < *b ? *a : *b;
            changed = true;
        }
    }
}

/* A group with one in it that nobody put, or whose link is not judged, is left alone. */
static bool judged(const struct sim *s, const struct groups *g, unsigned which)
{
    for (unsigned i = 0; i < s->entities_len; i++) {
        const struct sim_entity *e = &s->entities[i];
        if (e->kind == KT_IDENTITY_LINK && e->unjudged) return false;
        if (e->kind == KT_CUSTOMER && g->of[i] == which && (e->unjudged || !g->known[i])) return false;
    }
    return true;
}

void judge_links(struct sim *s, struct sim_office *o)
{
    struct groups g;
    if (!o->up) return;
    find_groups(s, o, &g);
    for (unsigned i = 0; i < s->entities_len; i++) {
        struct kt_arena a;
        struct kt_reply reply;
        if (s->entities[i].kind != KT_CUSTOMER || !judged(s, &g, g.of[i])) continue;
        kt_arena_init(&a, 256u << 20);
        const int err = judge_look(o, &s->entities[i], &a, &reply);
        const uint64_t shown = err ? 0 : judge_shown(s, &a, &reply);
        for (unsigned k = 0; k < s->entities_len && !err; k++) {
            const struct sim_entity *e = &s->entities[k];
            const bool same = g.of[k] == g.of[i];
            if (e->kind != KT_CUSTOMER || (!g.known[k] && !same)) continue;
            if ((shown >> k & 1) != same)
                sim_fail(s, SIM_LOST, "office-%u %s %s:%s in the customer of %s:%s", o->number + 1,
                         same ? "misses" : "shows", e->system, e->id, s->entities[i].system, s->entities[i].id);
        }
        s->checks++;
        kt_arena_free(&a);
    }
}
