/* Cuts: the authority says up to where a member's word counts.  What was applied beyond goes from state, views, indexes
 * and digests, the same at every office, in whatever order roster and batches came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/verify.h"
#include "support/bench_group.h"
#include "support/bench_organisation.h"
#include "support/bench_site.h"
#include "support/dice.h"
#include "support/rogue.h"

#define OK(call) assert_int_equal((call), KT_OK)
#define TRIALS   12u

struct trio {
    struct site s[BENCH_OFFICES];
    struct site *all[BENCH_OFFICES];
    struct kt_buf roster; /* the next one, signed */
};

static struct trio *open_trio(struct bench *b)
{
    struct trio *t = calloc(1, sizeof *t);
    assert_non_null(t);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) {
        site_open(&t->s[i], bench_office(b, i + 1));
        t->all[i] = &t->s[i];
    }
    return t;
}

static void close_trio(struct trio *t)
{
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) site_close(&t->s[i]);
    kt_buf_free(&t->roster);
    free(t);
}

static void join_all(struct trio *t)
{
    for (uint32_t i = 0; i < BENCH_OFFICES; i++)
        for (uint32_t k = i + 1; k < BENCH_OFFICES; k++) {
            site_part(&t->s[i], &t->s[k]);
            site_join(&t->s[i], &t->s[k]);
        }
}

/* Links that a cut ended are dialled again, as nodes do. */
static void come_together(struct trio *t)
{
    for (uint32_t i = 0; i < 3; i++) {
        join_all(t);
        site_run(t->all, 3, 1000);
    }
    site_run(t->all, 3, 3 * KT_PULSE_MS);
    site_assert_same(t->all, 3);
}

static void part_all(struct trio *t)
{
    for (uint32_t i = 0; i < BENCH_OFFICES; i++)
        for (uint32_t k = i + 1; k < BENCH_OFFICES; k++) site_part(&t->s[i], &t->s[k]);
}

/* The authority cuts; nobody has heard of it yet. */
static void decide(struct trio *t, const struct kt_cut *cuts, uint32_t n)
{
    const struct kt_roster *newest = kt_keyring_roster(t->s[0].office->keyring);
    struct kt_roster next = *newest;
    next.version++;
    next.previous = newest->hash;
    next.cuts = cuts;
    next.cuts_len = n;
    bench_sign_roster(&next, &t->roster);
}

/* One life is cut, in all compartments or one; the member's other lives go on. */
static void decide_one(struct trio *t, struct kt_origin o, kt_compartment c, uint64_t last)
{
    const struct kt_cut cuts[] = {{o.member, c, KT_INCARNATION_OTHERS, UINT64_MAX}, {o.member, c, o.incarnation, last}};
    decide(t, cuts, 2);
}

static void tell(struct trio *t, struct site *s)
{
    struct kt_bytes roster = kt_buf_bytes(&t->roster);
    const struct kt_peer_message m = {.part = KT_PEER_ROSTERS, .rosters = {.rosters = &roster, .rosters_len = 1}};
    site_say(s, site_admit(s, s->office->member == 1 ? 2 : 1), &m);
    site_step(s);
    site_step(s);
    assert_int_equal(kt_keyring_roster(s->office->keyring)->version, 2);
    while (s->lines_len && !s->lines[0].to) site_hang_up(s, s->lines[0].link);
}

static void put(struct site *s, const char *fields)
{
    char line[512];
    snprintf(line, sizeof line, "{'entity':'customer','source_system':'revenue','source_id':'C-1',%s}", fields);
    OK(site_put(s, line));
}

static void assert_shows(struct site *s, const char *path, const char *text)
{
    json_t *j = bench_look(s->office, KT_BY_SOURCE, "revenue:C-1");
    assert_non_null(j);
    assert_string_equal(bench_text(j, path), text);
    json_decref(j);
}

static void assert_whole(struct site *s)
{
    struct kt_verify_report report;
    OK(kt_verify_run(s->office->store->store, s->office->keyring, &report));
}

/* ----------------------------------------------------------------------------------------------------- one cut */

/* An office wrote four times, and all have it.  The authority says that two of them count: the value of the second
 * shows again everywhere, what the later ones said is found nowhere, and the office writes on in another incarnation.
 */
static void what_was_applied_is_undone(void **state)
{
    struct trio *t = open_trio(*state);
    join_all(t);
    put(&t->s[2], "'kind':'person','occupation':'baker'");
    put(&t->s[2], "'occupation':'cook','identifier':[{'system':'tax','value':'1'}]");
    put(&t->s[2], "'occupation':'judge','identifier':[{'system':'tax','value':'2'}]");
    put(&t->s[2], "'deleted':true");
    site_run(t->all, 3, 1000);
    site_assert_same(t->all, 3);
    const struct kt_origin o = site_origin(&t->s[2]);
    assert_int_equal(site_held_of(&t->s[0], o), 4);
    decide_one(t, o, 0, 2);
    tell(t, &t->s[0]);
    assert_int_equal(site_held_of(&t->s[0], o), 2);
    come_together(t);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) {
        assert_int_equal(site_held_of(&t->s[i], o), 2);
        assert_shows(&t->s[i], "customer/occupation", "cook");
        assert_null(bench_look(t->s[i].office, KT_BY_ID, "tax:2"));
        assert_whole(&t->s[i]);
    }
    put(&t->s[2], "'occupation':'nurse'");
    assert_int_not_equal(site_origin(&t->s[2]).incarnation, o.incarnation);
    come_together(t);
    assert_shows(&t->s[0], "customer/occupation", "nurse");
    site_restart(&t->s[0]);
    assert_int_equal(site_held_of(&t->s[0], o), 2);
    assert_shows(&t->s[0], "customer/occupation", "nurse");
    close_trio(t);
}

/* A right is withdrawn as of a batch: what came later in that compartment goes, what the same batches said elsewhere
 * stays. */
static void one_compartment_is_cut(void **state)
{
    struct trio *t = open_trio(*state);
    join_all(t);
    put(&t->s[2], "'kind':'person','occupation':'baker','birthDate':'1980-01-01'");
    put(&t->s[2], "'occupation':'cook','birthDate':'1980-02-02'");
    site_run(t->all, 3, 1000);
    decide_one(t, site_origin(&t->s[2]), BENCH_REVENUE, 1);
    tell(t, &t->s[1]);
    come_together(t);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) {
        assert_shows(&t->s[i], "customer/occupation", "baker");
        assert_shows(&t->s[i], "customer/birthDate", "1980-02-02");
        assert_whole(&t->s[i]);
    }
    close_trio(t);
}

/* A fork is frozen everywhere, each office with the side it has.  The authority cuts before the two part: both sides
 * go, the member is heard again, and nobody sees a problem any more. */
static void a_cut_ends_a_fork(void **state)
{
    struct trio *t = open_trio(*state);
    struct rogue r;
    rogue_open(&r, bench_office(*state, 3));
    struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    const struct kt_dek key = rogue_key(&r, BENCH_REVENUE, 1);
    const uint64_t links[2] = {site_admit(&t->s[0], 3), site_admit(&t->s[1], 3)};
    rogue_add(&r, BENCH_REVENUE, 1, &key, 900, "common");
    const struct kt_bytes common = rogue_seal(&r);
    const struct kt_hash last = r.previous;
    for (uint32_t side = 0; side < 2; side++) {
        site_give(&t->s[side], links[side], common, &wrap, 1);
        r.number = 2;
        r.previous = last;
        rogue_add(&r, BENCH_REVENUE, 1, &key, 901, side ? "the other" : "one side");
        site_give(&t->s[side], links[side], rogue_seal(&r), &wrap, 1);
        site_hang_up(&t->s[side], links[side]);
    }
    join_all(t);
    site_run(t->all, 3, 3 * KT_PULSE_MS);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) assert_int_equal(site_status(&t->s[i])->forks_len, 1);
    decide_one(t, r.origin, 0, 1);
    tell(t, &t->s[2]);
    come_together(t);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) {
        assert_int_equal(site_status(&t->s[i])->forks_len, 0);
        assert_int_equal(site_held_of(&t->s[i], r.origin), 1);
        site_restart(&t->s[i]);
        assert_int_equal(site_status(&t->s[i])->forks_len, 0);
    }
    rogue_close(&r);
    close_trio(t);
}

static void a_full(enum kt_env env, bool checkpoint)
{
    struct bench b;
    bench_open(&b, false);
    struct trio *t = open_trio(&b);
    struct kt_memory_disk *disk = t->s[0].office->store->memory;
    struct kt_store *store = t->s[0].office->store->store;
    join_all(t);
    put(&t->s[2], "'kind':'person','occupation':'baker'");
    site_run(t->all, 3, 200);
    if (checkpoint) OK(store->ops->checkpoint(store));
    put(&t->s[2], "'occupation':'judge'");
    site_run(t->all, 3, 200);
    part_all(t);
    site_run(t->all, 3, 100);
    decide_one(t, site_origin(&t->s[2]), 0, 1);
    struct kt_bytes roster = kt_buf_bytes(&t->roster);
    const struct kt_peer_message m = {.part = KT_PEER_ROSTERS, .rosters = {.rosters = &roster, .rosters_len = 1}};
    const uint64_t link = site_admit(&t->s[0], 2);
    kt_memory_limit(disk, env, 1);
    site_say(&t->s[0], link, &m);
    site_run(t->all, 1, 500);
    kt_memory_limit(disk, env, 0);
    site_run(t->all, 1, 1500);
    if (kt_keyring_roster(t->s[0].office->keyring)->version == 1) tell(t, &t->s[0]);
    assert_shows(&t->s[0], "customer/occupation", "baker");
    assert_int_equal(site_held_of(&t->s[0], site_origin(&t->s[2])), 1);
    assert_whole(&t->s[0]);
    close_trio(t);
    bench_close(&b);
}

/* A disk is full while a cut is heeded: the node goes on, and undoes what was cut once there is room. */
static void a_full_disk_delays_it(void **state)
{
    (void)state;
    for (enum kt_env env = 0; env < KT_ENV_COUNT; env++) {
        a_full(env, false);
        a_full(env, true);
    }
}

/* --------------------------------------------------------------------------------------------------- any order */

static void write_something(struct site *s, struct dice *d)
{
    static const char *const what[] = {
        "'occupation':'%s'",
        "'kind':'person','birthDate':'1980-01-0%u'",
        "'tag':['t%u']",
        "'remove':{'tag':['t%u']}",
        "'contactPoint':[{'system':'phone','value':'+44 20 7946 000%u'}]",
        "'identifier':[{'system':'tax','value':'%u'}]",
        "'occupation':null",
        "'deleted':true",
    };
    static const char *const trades[] = {"baker", "cook", "judge", "nurse"};
    char line[512], fields[256];
    const uint32_t n = dice_below(d, sizeof what / sizeof *what);
    if (n == 0)
        snprintf(fields, sizeof fields, what[0], trades[dice_below(d, 4)]);
    else
        snprintf(fields, sizeof fields, what[n], 1 + dice_below(d, 4));
    snprintf(line, sizeof line, "{'entity':'customer','source_system':'revenue','source_id':'C-%u',%s}",
             dice_below(d, 2), fields);
    OK(site_put(s, line));
}

static void write_some(struct trio *t, struct dice *d)
{
    for (uint32_t n = dice_below(d, 12); n > 0; n--) {
        write_something(&t->s[dice_below(d, BENCH_OFFICES)], d);
        if (dice_in(d, 3)) site_run(t->all, 3, 100);
    }
}

static void shake(struct trio *t, struct dice *d)
{
    struct site *s = &t->s[dice_below(d, BENCH_OFFICES)];
    const struct kt_store_ops *ops = s->office->store->store->ops;
    if (dice_in(d, 2)) OK(ops->checkpoint(s->office->store->store));
    if (dice_in(d, 2)) site_restart(s);
}

static void cut_at_random(struct trio *t, struct dice *d)
{
    const struct kt_origin o = site_origin(&t->s[2]);
    const uint64_t held = site_held_of(&t->s[2], o);
    const struct kt_cut cuts[] = {
        {3, 0, KT_INCARNATION_OTHERS, UINT64_MAX},
        {3, 0, o.incarnation, dice_below(d, (uint32_t)held + 3)},
        {3, BENCH_REVENUE, KT_INCARNATION_OTHERS, UINT64_MAX},
        {3, BENCH_REVENUE, o.incarnation, dice_below(d, (uint32_t)held + 1)},
    };
    const uint32_t which = dice_below(d, 3); /* the whole, a compartment, or both */
    decide(t, cuts + (which == 1 ? 2 : 0), which == 2 ? 4 : 2);
}

static void one_trial(struct bench *b, uint64_t seed)
{
    struct dice d = {seed};
    struct trio *t = open_trio(b);
    join_all(t);
    write_some(t, &d);
    shake(t, &d);
    if (dice_in(&d, 2)) part_all(t);
    write_some(t, &d);
    cut_at_random(t, &d);
    const uint32_t first = dice_below(&d, BENCH_OFFICES);
    tell(t, &t->s[first]);
    write_some(t, &d);
    shake(t, &d);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++)
        if (kt_keyring_roster(t->s[i].office->keyring)->version == 1 && dice_in(&d, 2)) tell(t, &t->s[i]);
    write_some(t, &d);
    come_together(t);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) assert_whole(&t->s[i]);
    for (uint32_t c = 0; c < 2; c++) {
        char name[32];
        snprintf(name, sizeof name, "revenue:C-%u", c);
        char *one = bench_body(t->s[0].office, KT_BY_SOURCE, name);
        for (uint32_t i = 1; i < BENCH_OFFICES; i++) {
            char *other = bench_body(t->s[i].office, KT_BY_SOURCE, name);
            assert_string_equal(one, other);
            free(other);
        }
        free(one);
    }
    close_trio(t);
}

/* Offices write, stop, start and make checkpoints; the roster comes before, between and after the batches it cuts. */
static void the_order_does_not_matter(void **state)
{
    const uint64_t from = dice_seed(1);
    const uint32_t rounds = getenv("KT_SEED") ? 1 : dice_rounds(TRIALS);
    (void)state;
    for (uint64_t seed = from; seed < from + rounds; seed++) {
        print_message("KT_SEED=%llu\n", (unsigned long long)seed);
        struct bench *b = malloc(sizeof *b);
        assert_non_null(b);
        bench_open(b, false);
        one_trial(b, seed);
        bench_close(b);
        free(b);
    }
}

int main(void)
{
    rogue_same_dice();
    static const struct CMUnitTest tests[] = {
        OVER_BOTH(what_was_applied_is_undone),
        OVER(memory, one_compartment_is_cut),
        OVER_BOTH(a_cut_ends_a_fork),
        cmocka_unit_test(a_full_disk_delays_it),
        cmocka_unit_test(the_order_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
