/* Which source records are one customer: those that MATCH links join, directly or through others; of a link in conflict
 * the strictest counts. */
#include "sim/sim.h"

/* The least of the group each customer is in. */
static void find_groups(struct sim *s, struct sim_office *o, unsigned *group)
{
    bool changed = true;
    for (unsigned i = 0; i < s->entities_len; i++) group[i] = i;
    while (changed) {
        changed = false;
        for (unsigned i = 0; i < s->entities_len; i++) {
            const struct sim_entity *e = &s->entities[i];
            if (e->kind != KT_IDENTITY_LINK || !judge_linked(s, o, i)) continue;
            unsigned *a = &group[e->customer], *b = &group[e->other];
            if (*a == *b) continue;
            *a = *b = *a < *b ? *a : *b;
            changed = true;
        }
    }
}

/* A group with one in it that nobody put, or whose link is not judged, is left alone. */
static bool judged(struct sim *s, struct sim_office *o, const unsigned *group, unsigned which)
{
    for (unsigned i = 0; i < s->entities_len; i++) {
        const struct sim_entity *e = &s->entities[i];
        if (e->kind == KT_IDENTITY_LINK && e->unjudged) return false;
        if (e->kind == KT_CUSTOMER && group[i] == which && (e->unjudged || !judge_known(s, o, i))) return false;
    }
    return true;
}

void judge_links(struct sim *s, struct sim_office *o)
{
    unsigned group[sizeof s->entities / sizeof *s->entities];
    if (!o->up) return;
    find_groups(s, o, group);
    for (unsigned i = 0; i < s->entities_len; i++) {
        struct kt_arena a;
        struct kt_reply reply;
        if (s->entities[i].kind != KT_CUSTOMER || !judged(s, o, group, group[i])) continue;
        kt_arena_init(&a, 256u << 20);
        const int err = judge_look(o, &s->entities[i], &a, &reply);
        for (unsigned k = 0; k < s->entities_len && !err; k++) {
            const struct sim_entity *e = &s->entities[k];
            if (e->kind != KT_CUSTOMER || (!judge_known(s, o, k) && group[k] != group[i])) continue;
            if (judge_shows(&a, &reply, e) != (group[k] == group[i]))
                sim_fail(s, SIM_LOST, "office-%u %s %s:%s in the customer of %s:%s", o->number + 1,
                         group[k] == group[i] ? "misses" : "shows", e->system, e->id, s->entities[i].system,
                         s->entities[i].id);
        }
        s->checks++;
        kt_arena_free(&a);
    }
}
