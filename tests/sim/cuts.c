/* Cuts: at one moment the authority says how far a member's word counts - in one compartment, whose right it withdraws,
 * or in all; it may write on, under another incarnation, or is removed and never heard of again.  One office hears of
 * it first.  What lies beyond counts nowhere once that was heard: what it had replaced is live again. */
#include "sim/sim.h"

#include <stdlib.h>

#define KNOWN_ONCE_IN 5u /* seeds */
#define TAG_DICE      0x63757473u

/* Dice of their own: a seed that knows no cuts tells the story it told before there were any.  Beside cuts no files go
 * back or rot and nobody lies: what one office alone had would be gone for two reasons. */
void cuts_open(struct sim *s)
{
    struct dice d = {s->options.seed ^ TAG_DICE};
    const uint32_t quanta = 1000 / SIM_QUANTUM_MS;
    if (!dice_in(&d, KNOWN_ONCE_IN)) return;
    s->chaos.revoke = (1 + dice_below(&d, 12)) * quanta;
    s->chaos.restore = s->chaos.rewind = s->chaos.rot = s->chaos.no_keys = s->chaos.lie = 0;
    s->liar = s->frail = NULL;
    s->lies_for_ever = false;
}

/* ------------------------------------------------------------------------------------------------------- what counts
 */

/* Of one incarnation of the member that was cut. */
static uint64_t last_of(const struct sim *s, uint64_t incarnation)
{
    uint64_t others = 0;
    for (uint32_t i = 0; i < s->cuts.len; i++) {
        if (s->cuts.cuts[i].incarnation == incarnation) return s->cuts.cuts[i].last;
        if (s->cuts.cuts[i].incarnation == KT_INCARNATION_OTHERS) others = s->cuts.cuts[i].last;
    }
    return others;
}

bool cuts_write(const struct sim *s, struct kt_head head, kt_compartment c)
{
    const bool about = s->cuts.version && head.origin.member == s->cuts.cuts[0].member &&
                       (s->cuts.compartment == 0 || s->cuts.compartment == c);
    return about && head.number > last_of(s, head.origin.incarnation);
}

bool cuts_beyond(const struct sim *s, struct kt_origin o, uint64_t number)
{
    return s->cuts.compartment == 0 && cuts_write(s, (struct kt_head){o, number}, 0);
}

uint64_t cuts_left(const struct sim *s, struct kt_origin o, uint64_t number)
{
    return cuts_beyond(s, o, number) ? last_of(s, o.incarnation) : number;
}

/* ---------------------------------------------------------------------------------------------------------- deciding
 */

static void cut(struct sim *s, kt_member m, uint64_t incarnation, uint64_t last)
{
    s->cuts.cuts[s->cuts.len++] = (struct kt_cut){m, s->cuts.compartment, incarnation, last};
}

static int by_incarnation(const void *a, const void *b)
{
    const struct kt_cut *x = a, *y = b;
    return (x->incarnation > y->incarnation) - (x->incarnation < y->incarnation);
}

/* All lives of one that goes: up to what others hold, and of the last less. */
static void cut_all(struct sim *s, struct sim_office *victim, struct kt_origin newest)
{
    for (size_t i = 0; i < victim->vector.len && s->cuts.len < SIM_CUTS_MAX; i++) {
        const struct kt_origin o = victim->vector.entries[i].origin;
        uint64_t held = 0;
        if (o.member != newest.member) continue;
        for (unsigned k = 0; k < s->offices_len; k++) {
            const uint64_t there = k == victim->number ? 0 : kt_vector_get(&s->offices[k].vector, o);
            if (there > held) held = there;
        }
        if (!kt_origin_compare(o, newest)) held = dice_below(&s->dice, (uint32_t)held + 1);
        cut(s, o.member, o.incarnation, held);
    }
    if (s->cuts.len == 0) cut(s, newest.member, newest.incarnation, 0);
}

static void decide(struct sim *s, struct sim_office *victim, struct kt_origin o, bool removed)
{
    if (removed) {
        cut_all(s, victim, o);
    } else {
        s->cuts.compartment = dice_in(&s->dice, 2) ? 1 + dice_below(&s->dice, SIM_COMPARTMENTS) : 0;
        cut(s, o.member, KT_INCARNATION_OTHERS, UINT64_MAX);
        cut(s, o.member, o.incarnation, dice_below(&s->dice, (uint32_t)kt_vector_get(&victim->vector, o) + 3));
    }
    qsort(s->cuts.cuts, s->cuts.len, sizeof *s->cuts.cuts, by_incarnation);
    organisation_cut(s);
    s->heard.cut = true;
    s->chaos.roster = 0; /* none comes after it */
    judge_cut(s);
}

void cuts_decide(struct sim *s)
{
    struct sim_office *victim = &s->offices[dice_below(&s->dice, s->offices_len)];
    struct sim_office *first =
        &s->offices[(victim->number + 1 + dice_below(&s->dice, s->offices_len - 1)) % s->offices_len];
    if (s->cuts.version || !victim->up || !first->up) return;
    const struct kt_origin o = kt_ledger_origin(kt_engine_ledger(victim->engine));
    const bool removed = s->mesh && dice_in(&s->dice, 3);
    decide(s, victim, o, removed);
    sim_say(s, "the authority %s office-%u: in %u its word counts up to %llu, as office-%u hears first",
            removed ? "removes" : "cuts", victim->number + 1, s->cuts.compartment,
            (unsigned long long)last_of(s, o.incarnation), first->number + 1);
    if (removed) {
        s->removed = victim;
        office_end(victim, SIM_POWER, 0);
        workload_removed(victim);
    }
    first->renew = true;
    office_end(first, SIM_STOP, 100);
}
