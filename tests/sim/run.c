/* One seed: founding, chaos, calm, verdict. */
#include "sim/sim.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>

#define LAG_MS_MAX 2000u

void sim_must(bool holds, const char *what)
{
    if (holds) return;
    fflush(stdout); /* the story so far */
    fprintf(stderr, "kontor-sim: %s\n", what);
    abort();
}

bool sim_once_in(struct sim *s, uint32_t n) { return n != 0 && dice_in(&s->dice, n); }

/* ------------------------------------------------------------------------------------------------------- the story */

static void hear(struct sim *s, const char *line)
{
    for (const char *p = line; *p; p++) s->story_hash = (s->story_hash ^ (uint8_t)*p) * 0x100000001b3ull;
    s->story_hash = (s->story_hash ^ s->now_ms) * 0x100000001b3ull;
    if (s->options.trace)
        printf("%8llu.%03llu  %s\n", (unsigned long long)s->now_ms / 1000, (unsigned long long)s->now_ms % 1000, line);
}

void sim_say(struct sim *s, const char *format, ...)
{
    char line[SIM_STORY_LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    hear(s, line);
}

void sim_fail(struct sim *s, enum sim_exit how, const char *format, ...)
{
    char line[SIM_STORY_LINE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    hear(s, line);
    if (s->verdict != SIM_OK) return;
    s->verdict = how;
    memcpy(s->why, line, sizeof s->why);
}

/* ------------------------------------------------------------------------------------ randomness, libsodium's included
 */

static struct sim *thrower; /* libsodium asks without saying for whom */

static void sodium_bytes(void *const out, const size_t len)
{
    struct dice *d = thrower->running ? &thrower->running->world.dice : &thrower->founding;
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)(dice_throw(d) >> 56);
}

static uint32_t sodium_number(void)
{
    uint32_t n;
    sodium_bytes(&n, sizeof n);
    return n;
}

static const char *sodium_name(void) { return "simulated"; }

static void throw_for(struct sim *s)
{
    static randombytes_implementation seeded = {
        .implementation_name = sodium_name, .random = sodium_number, .buf = sodium_bytes};
    thrower = s;
    sim_must(randombytes_set_implementation(&seeded) == 0 && sodium_init() >= 0, "libsodium does not start");
}

/* ------------------------------------------------------------------------------------------------------------- a run
 */

static void open_all(struct sim *s)
{
    s->dice.state = s->founding.state = s->options.seed;
    s->story_hash = 0xcbf29ce484222325ull;
    throw_for(s);
    s->offices_len = SIM_OFFICES_LEAST + dice_below(&s->dice, SIM_OFFICES_SPREAD);
    if (s->options.offices) s->offices_len = s->options.offices;
    s->rosters = 1;
    for (unsigned i = 0; i < s->offices_len; i++) office_found(s, i);
    network_open(s);
    chaos_open(s);
    judge_open(s);
    workload_open(s);
    erasures_open(s);
    cuts_open(s);
}

static void close_all(struct sim *s)
{
    workload_close(s);
    network_close(s);
    erasures_close(s);
    kt_buf_free(&s->cuts.roster);
    for (unsigned i = 0; i < s->offices_len; i++) office_free(&s->offices[i]);
    judge_close(s);
    thrower = NULL;
}

static void run_offices(struct sim *s)
{
    for (unsigned i = 0; i < s->offices_len && !s->verdict; i++) {
        struct sim_office *o = &s->offices[i];
        if (!o->store && s->now_ms >= o->start_at_ms && o != s->removed) office_start(o);
        if (!o->up || s->now_ms < o->paused_until_ms) continue;
        if (o->inbox_len || s->now_ms - o->stepped_ms >= kt_engine_idle_ms(o->engine)) office_step(o);
    }
}

/* A store may fall behind its journal, or what was erased stay, while its disk is full, and not for long after.  A row
 * that does not read is in the way of an erasure until it is repaired. */
static void check_lag(struct sim *s, struct sim_office *o, const struct kt_ledger_state *st)
{
    const bool behind = st->position != st->store_position || (st->erasing && !o->rotten);
    const bool lags = behind && !o->full_until_ms;
    const uint64_t waits_from_ms = o->paused_until_ms > s->leaps_until_ms ? o->paused_until_ms : s->leaps_until_ms;
    if (!lags || !o->lags_since_ms || s->now_ms < waits_from_ms + LAG_MS_MAX) o->lags_since_ms = lags ? s->now_ms : 0;
    if (lags && s->now_ms - o->lags_since_ms > LAG_MS_MAX)
        sim_fail(s, SIM_STALL, "office-%u's store stays behind its journal", o->number + 1);
}

/* What an office shows depends on what its disk holds and on the writes of it; a life begins with memory of nothing, so
 * any restart counts too.  Has it become another since the last look? */
static bool has_changed(struct sim *s, struct sim_office *o)
{
    struct sim_state *was = &o->seen_in, now = {.restarts = s->restarts, .writes_len = s->writes_len};
    struct kt_env_info keys, store;
    sim_must(o->store->ops->info(o->store, KT_ENV_KEYS, &keys) == KT_OK &&
                 o->store->ops->info(o->store, KT_ENV_STORE, &store) == KT_OK,
             "no word of a disk");
    now.keys_txn = keys.last_txn;
    now.store_txn = store.last_txn;
    now.writes = was->writes;
    if (memcmp(&now, was, sizeof now) == 0) return false;
    now.writes = judge_seen(s, &o->vector);
    const bool changed = now.keys_txn != was->keys_txn || now.store_txn != was->store_txn ||
                         now.restarts != was->restarts || now.writes != was->writes;
    *was = now;
    return changed;
}

/* Has this not been looked at since the office changed?  Then it is now. */
static bool unseen(struct sim_office *o, unsigned what)
{
    const uint64_t bit = (uint64_t)1 << what, before = o->seen;
    o->seen |= bit;
    return !(before & bit);
}

static void look_at(struct sim *s, struct sim_office *o)
{
    enum { LINKS = SIM_ENTITIES_MAX, FOUND, CONFLICTS, ALL };
    _Static_assert(ALL <= 64, "a bit for each");
    const unsigned entity = dice_below(&s->dice, s->entities_len);
    if (has_changed(s, o)) o->seen = 0;
    if (unseen(o, entity)) judge_entity(s, o, entity);
    judge_freshness(s, o);
    judge_causes(s, o);
    judge_tokens(s, o);
    if (dice_in(&s->dice, 8) && unseen(o, LINKS)) judge_links(s, o);
    if (dice_in(&s->dice, 8) && unseen(o, FOUND)) judge_found(s, o);
    if (dice_in(&s->dice, 8) && unseen(o, CONFLICTS)) judge_conflicts(s, o);
}

static void check_some(struct sim *s)
{
    struct sim_office *o = &s->offices[dice_below(&s->dice, s->offices_len)];
    struct kt_ledger_state st;
    if (!dice_in(&s->dice, 8) || !o->up) return;
    sim_must(kt_ledger_state(kt_engine_ledger(o->engine), &st) == KT_OK, "no word of a ledger");
    check_lag(s, o, &st);
    if (st.held == 0 && st.without == 0 && st.position == st.store_position && !st.erasing) look_at(s, o);
}

static void pass_time(struct sim *s)
{
    const uint32_t leap_ms = s->now_ms < s->leaps_until_ms ? SIM_LEAP_MS : 0;
    s->now_ms += SIM_QUANTUM_MS + leap_ms;
    s->leapt_ms += leap_ms;
    if (!s->calm) chaos_run(s);
    network_run(s);
    if (!s->calm) workload_run(s);
    run_offices(s);
    if (!s->calm && !s->verdict) check_some(s);
}

static void calm_down(struct sim *s)
{
    sim_say(s, "all faults end");
    s->calm = true;
    s->leaps_until_ms = 0;
    network_heal(s);
    chaos_calm(s);
    for (unsigned i = 0; i < s->offices_len; i++) {
        struct sim_office *o = &s->offices[i];
        o->world.skew_ms = o->world.steps_ms = 0;
        o->paused_until_ms = 0;
        o->fail_nth = 0;
        o->full_until_ms = 0;
        o->start_at_ms = s->now_ms;
        for (unsigned env = 0; env < KT_ENV_COUNT; env++) kt_memory_limit(o->disk, env, 0);
    }
}

enum sim_exit sim_run(const struct sim_options *options, struct sim *s)
{
    *s = (struct sim){.options = *options};
    open_all(s);
    while (s->requests_left && !s->verdict) pass_time(s);
    if (!s->verdict) calm_down(s);
    const uint64_t calm_at = s->now_ms;
    bool same = false;
    while (!s->verdict && !same && s->now_ms - calm_at < SIM_CALM_MS_MAX) {
        for (int i = 0; i < 20 && !s->verdict; i++) pass_time(s);
        same = !s->verdict && judge_converged(s);
    }
    if (!s->verdict && !same)
        sim_fail(s, SIM_STALL, "%u s after the last fault the offices have not come together", SIM_CALM_MS_MAX / 1000);
    if (!s->verdict) judge_end(s);
    s->calm_took_ms = s->now_ms - calm_at;
    close_all(s);
    return s->verdict;
}

void sim_prepare(unsigned offices, struct sim *s)
{
    *s = (struct sim){.options.offices = offices};
    open_all(s);
    for (unsigned i = 0; i < offices; i++) {
        struct sim_office *o = &s->offices[i];
        sim_must(kt_memory_open(o->disk, &o->store) == KT_OK, "a disk does not open");
        organisation_keyring(o->store, &o->world.world, i + 1, &o->keyring);
        for (s->rosters = 2; s->rosters <= SIM_ROSTERS_MAX; s->rosters++) organisation_renew(s, o->keyring, i + 1);
    }
    close_all(s);
}
