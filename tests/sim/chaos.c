/* What goes wrong, and when.  Each seed knows some kinds of fault and not others, each at a rate of its own: a storm of
 * one kind finds what a little of everything never does. */
#include "sim/sim.h"

#define AWAY_MS (30u * 86400000ull)

static uint32_t rate(struct sim *s, uint32_t known_once_in, uint32_t from_s, uint32_t to_s)
{
    const uint32_t quanta = 1000 / SIM_QUANTUM_MS;
    if (!dice_in(&s->dice, known_once_in)) return 0;
    return (from_s + dice_below(&s->dice, to_s - from_s)) * quanta;
}

void chaos_open(struct sim *s)
{
    s->chaos = (struct sim_chaos){
        .kill = rate(s, 2, 5, 60),
        .power = rate(s, 3, 5, 90),
        .stop = rate(s, 4, 10, 60),
        .pause = rate(s, 3, 3, 30),
        .fail = rate(s, 2, 1, 20),
        .full = rate(s, 4, 5, 40),
        .save = rate(s, 4, 10, 60),
        .restore = rate(s, 3, 10, 60),
        .checkpoint = rate(s, 2, 5, 40),
        .clock = rate(s, 3, 5, 40),
        .link_dies = rate(s, 2, 1, 15),
        .cut = rate(s, 3, 3, 30),
        .partition = rate(s, 3, 5, 40),
        .slow = rate(s, 4, 5, 40),
        .no_keys = rate(s, 4, 10, 60),
        .roster = rate(s, 3, 10, 60),
        .storm = rate(s, 4, 10, 60),
        .lie = rate(s, 4, 5, 60),
        .away = rate(s, 5, 20, 200),
        .rot = rate(s, 4, 3, 40),
        .rewind = rate(s, 4, 5, 40),
    };
    if (s->offices_len < 3 || !s->mesh) s->chaos.lie = 0; /* nobody to hear the truth from */
    if (s->chaos.lie) s->liar = &s->offices[dice_below(&s->dice, s->offices_len)];
    s->lies_for_ever = s->liar && dice_in(&s->dice, 3);
    if (s->chaos.rot) {
        s->frail = &s->offices[dice_below(&s->dice, s->offices_len)];
        if (s->frail == s->liar) s->chaos.rot = 0;
        s->chaos.restore = s->chaos.rewind = 0; /* what one disk lost another must still have */
    }
    if (s->chaos.restore && !s->chaos.save) s->chaos.save = s->chaos.restore / 2;
    /* a key that its author alone has is gone with the author's files: nothing to be learnt from that */
    if (s->chaos.no_keys) s->chaos.restore = s->chaos.rewind = 0;
}

static struct sim_office *any_up(struct sim *s)
{
    struct sim_office *o = &s->offices[dice_below(&s->dice, s->offices_len)];
    return o->up ? o : NULL;
}

static uint32_t long_or_short(struct sim *s, uint32_t short_ms, uint32_t long_ms)
{
    return 10 + dice_below(&s->dice, dice_in(&s->dice, 4) ? long_ms : short_ms);
}

static void make_checkpoint(void *arg, struct kt_engine *e)
{
    struct sim_office *o = arg;
    (void)e; /* only that the engine is between two groups */
    const int err = o->store->ops->checkpoint(o->store);
    if (err) sim_say(o->sim, "office-%u makes no checkpoint: %s", o->number + 1, kt_error_text(err));
}

static void fill_disk(struct sim_office *o)
{
    static const char *const names[] = {"keys", "journal", "store"};
    const enum kt_env env = dice_below(&o->sim->dice, KT_ENV_COUNT);
    struct kt_env_info info;
    sim_must(o->store->ops->info(o->store, env, &info) == KT_OK, "no word of a disk");
    kt_memory_limit(o->disk, env, info.used_bytes + dice_below(&o->sim->dice, 4000));
    o->full_until_ms = o->sim->now_ms + long_or_short(o->sim, 2000, 20000);
    sim_say(o->sim, "office-%u's %s are full", o->number + 1, names[env]);
}

static void free_disks(struct sim *s)
{
    for (unsigned i = 0; i < s->offices_len; i++) {
        struct sim_office *o = &s->offices[i];
        if (!o->full_until_ms || s->now_ms < o->full_until_ms) continue;
        for (unsigned env = 0; env < KT_ENV_COUNT; env++) kt_memory_limit(o->disk, env, 0);
        o->full_until_ms = 0;
        sim_say(s, "office-%u has room again", i + 1);
    }
}

/* Put right, an office starts again: what it asked for was answered as it said. */
static void end_lies(struct sim *s)
{
    for (unsigned i = 0; i < s->offices_len; i++) {
        struct sim_office *o = &s->offices[i];
        if (!o->lies || s->now_ms < o->lies_until_ms) continue;
        o->lies = 0;
        if (o == s->liar) office_end(o, SIM_STOP, 100);
    }
}

static void lie(struct sim_office *o, uint32_t lies, uint64_t ms)
{
    o->lies = lies;
    o->lies_until_ms = o->sim->now_ms + ms;
    o->withholds = 1 + (o->number + 1 + dice_below(&o->sim->dice, o->sim->offices_len - 1)) % o->sim->offices_len;
    sim_say(o->sim, "office-%u lies from now on (%x) for %llu ms", o->number + 1, lies, (unsigned long long)ms);
}

/* A snapshot of a machine, and the way back to it; at times with nobody to see what happened between. */
static void plan_rewind(struct sim *s, struct sim_office *o)
{
    const uint64_t ms = 100 + dice_below(&s->dice, 5000);
    office_save(o);
    o->rewind_at_ms = s->now_ms + ms;
    if (dice_in(&s->dice, 2)) network_isolate(s, o->number, ms + SIM_QUANTUM_MS);
}

static void rewind_machines(struct sim *s)
{
    for (unsigned i = 0; i < s->offices_len; i++) {
        struct sim_office *o = &s->offices[i];
        if (o->rewind_at_ms && s->now_ms >= o->rewind_at_ms && s->now_ms >= o->paused_until_ms) office_restore(o, true);
    }
}

static void chaos_of_offices(struct sim *s)
{
    struct sim_office *o;
    if (sim_once_in(s, s->chaos.kill) && (o = any_up(s))) office_end(o, SIM_KILL, long_or_short(s, 500, 20000));
    if (sim_once_in(s, s->chaos.power) && (o = any_up(s))) office_end(o, SIM_POWER, long_or_short(s, 2000, 30000));
    if (sim_once_in(s, s->chaos.stop) && (o = any_up(s))) office_end(o, SIM_STOP, long_or_short(s, 500, 20000));
    if (sim_once_in(s, s->chaos.pause) && (o = any_up(s))) {
        o->paused_until_ms = s->now_ms + long_or_short(s, 1000, 20000);
        sim_say(s, "office-%u is paused", o->number + 1);
    }
    if (sim_once_in(s, s->chaos.fail) && (o = any_up(s))) {
        o->fail_nth = 1 + dice_below(&s->dice, dice_in(&s->dice, 2) ? 20 : 300);
        o->fail_with = dice_in(&s->dice, 3) ? KT_EFULL : KT_EIO;
    }
    if (sim_once_in(s, s->chaos.full) && (o = any_up(s)) && o->requests_waiting <= 1) fill_disk(o);
    if (sim_once_in(s, s->chaos.save) && (o = any_up(s))) office_save(o);
    /* a key that a liar kept to itself is gone with its files */
    if (sim_once_in(s, s->chaos.restore) && (o = any_up(s)) && o != s->liar) office_restore(o, false);
    if (sim_once_in(s, s->chaos.rewind) && (o = any_up(s)) && !o->rewind_at_ms) plan_rewind(s, o);
    if (sim_once_in(s, s->chaos.checkpoint) && (o = any_up(s))) {
        const struct kt_input in = {.kind = KT_IN_CALL, .call = make_checkpoint, .arg = o};
        office_input(o, &in);
    }
    if (sim_once_in(s, s->chaos.roster) && s->rosters < SIM_ROSTERS_MAX && (o = any_up(s))) {
        s->rosters++;
        o->renew = true;
        sim_say(s, "the authority issues roster %u and gives it to office-%u", s->rosters, o->number + 1);
        office_end(o, SIM_STOP, 100);
    }
    if (sim_once_in(s, s->chaos.erase) && (o = any_up(s))) erasures_decide(s, o);
    if (sim_once_in(s, s->chaos.revoke)) cuts_decide(s);
    if (sim_once_in(s, s->chaos.no_keys) && (o = any_up(s)) && o != s->liar)
        lie(o, SIM_LIE_NO_KEYS, long_or_short(s, 3000, 30000));
    if (sim_once_in(s, s->chaos.lie) && s->liar->up && !s->liar->lies)
        lie(s->liar, 1 + dice_below(&s->dice, SIM_LIES - 1), long_or_short(s, 5000, 60000));
    if (sim_once_in(s, s->chaos.away) && s->now_ms >= s->leaps_until_ms && (o = any_up(s))) {
        s->leaps_until_ms = s->now_ms + AWAY_MS;
        office_end(o, dice_in(&s->dice, 2) ? SIM_STOP : SIM_POWER, AWAY_MS);
    }
    if (sim_once_in(s, s->chaos.rot) && s->frail->up) rot_some(s->frail);
    if (sim_once_in(s, s->chaos.clock) && (o = any_up(s))) {
        static const int64_t jumps_ms[] = {1000, 30000, 70000, 86400000, 315360000000};
        const int64_t jump = jumps_ms[dice_below(&s->dice, 5)] * (dice_in(&s->dice, 2) ? 1 : -1);
        o->world.skew_ms = dice_in(&s->dice, 3) || jump < -(int64_t)86400000 ? 0 : jump;
        o->world.steps_ms = dice_in(&s->dice, 4) ? jumps_ms[dice_below(&s->dice, 4)] / 2 : 0;
        sim_say(s, "office-%u's clock is off by %lld ms%s", o->number + 1, (long long)o->world.skew_ms,
                o->world.steps_ms ? ", and steps to and fro" : "");
    }
}

static void partition(struct sim *s)
{
    const uint32_t side = 1 + dice_below(&s->dice, (1u << s->offices_len) - 2), ms = long_or_short(s, 10000, 60000);
    for (unsigned i = 0; i < s->lines_len; i++) {
        struct sim_line *l = &s->lines[i];
        if ((side >> l->office[0] & 1) == (side >> l->office[1] & 1)) continue;
        l->cut_until_ms[0] = l->cut_until_ms[1] = s->now_ms + ms;
        if (dice_in(&s->dice, 2)) network_break(s, l, 15000);
    }
    sim_say(s, "a partition (%x) for %u ms", side, ms);
}

/* Every link ends at one moment, and all come back at another. */
static void storm(struct sim *s)
{
    sim_say(s, "every link breaks");
    for (unsigned i = 0; i < s->lines_len; i++) network_break(s, &s->lines[i], 0);
}

static void chaos_of_lines(struct sim *s)
{
    struct sim_line *l = &s->lines[dice_below(&s->dice, s->lines_len)];
    if (sim_once_in(s, s->chaos.link_dies)) network_break(s, l, long_or_short(s, 100, 15000));
    if (sim_once_in(s, s->chaos.cut)) {
        const int way = (int)dice_below(&s->dice, 2);
        l->cut_until_ms[way] = s->now_ms + long_or_short(s, 3000, 40000);
        sim_say(s, "nothing passes from office-%u to office-%u", l->office[way] + 1, l->office[!way] + 1);
    }
    if (sim_once_in(s, s->chaos.partition)) partition(s);
    if (sim_once_in(s, s->chaos.storm)) storm(s);
    if (sim_once_in(s, s->chaos.slow)) l->bytes_per_ms = 1 + dice_below(&s->dice, 50);
    if (sim_once_in(s, s->chaos.slow)) l->bytes_per_ms = 1000;
}

void chaos_run(struct sim *s)
{
    free_disks(s);
    end_lies(s);
    rewind_machines(s);
    chaos_of_offices(s);
    if (s->lines_len) chaos_of_lines(s);
}

/* Who was given the newest roster, or an erasure, may have had no room for it, or have gone back to older files since:
 * they are brought once more. */
static void bring_word(struct sim *s)
{
    struct sim_office *o = &s->offices[s->removed == &s->offices[0]];
    if (s->rosters == 1 && s->erasures_len == 0 && !s->cuts.version) return;
    if (!s->chaos.restore && s->erasures_len == 0 && !s->cuts.version) return;
    office_end(o, SIM_STOP, 0);
    o->renew = true;
    o->erasures_due = s->erasures_len;
}

void chaos_calm(struct sim *s)
{
    const uint32_t lasting = SIM_LIES - 1 - SIM_LIE_NO_KEYS; /* what it alone has nobody could get in time */
    bring_word(s);
    if (s->frail && s->frail->rotten) office_end(s->frail, SIM_POWER, 0); /* its store is thrown away */
    for (unsigned i = 0; i < s->offices_len; i++) s->offices[i].lies_until_ms = 0;
    end_lies(s);
    if (s->lies_for_ever) lie(s->liar, lasting, UINT64_MAX / 2);
}
