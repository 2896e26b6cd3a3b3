/* Whatever happens to the lines, what is written anywhere reaches everybody who is connected to somebody who is
 * connected: random meshes, partitions, deaths, batches that arrive twice. */
#include "support/replica_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define WORLDS    300u
#define ACTS      120u
#define SETTLE_MS 20000u /* virtual; a few round trips, the pauses and one repeat of a whole vector are far less */

struct run {
    uint64_t seed; /* of the world at hand: told at the end, also of a failure */
    struct world world;
};

static int begin(void **state)
{
    *state = calloc(1, sizeof(struct run));
    return *state ? 0 : -1;
}

static int finish(void **state)
{
    print_message("the last world was KT_SEED=%llu\n", (unsigned long long)((struct run *)*state)->seed);
    free(*state);
    return 0;
}

static uint64_t in_all(const struct world *w)
{
    uint64_t n = 0;
    const struct kt_vector *v = kt_replica_vector(w->nodes[0].replica);
    for (size_t i = 0; i < v->len; i++) n += v->entries[i].number;
    return n;
}

static void all_the_same(const struct world *w)
{
    for (unsigned i = 1; i < w->nodes_len; i++) assert_true(world_same(w, 0, i));
}

/* A line between every two nodes, all down. */
static void draw_lines(struct world *w)
{
    for (unsigned a = 0; a < w->nodes_len; a++)
        for (unsigned b = a + 1; b < w->nodes_len; b++) world_line(w, a, b);
}

static void act(struct world *w, struct dice *dice)
{
    unsigned node = dice_below(dice, w->nodes_len), line = dice_below(dice, w->lines_len);
    switch (dice_below(dice, 12)) {
    case 0:
        world_cut(w, line);
        break;
    case 1:
    case 2:
        world_link(w, line);
        break;
    case 3: /* dies with what it had not committed; a batch others may hold of it is its lost tail */
        if (dice_in(dice, 4)) world_restart(w, node, SIZE_MAX);
        break;
    default:
        world_write(w, node);
        break;
    }
    world_run(w, dice_below(dice, 40));
}

/* At the end only a chain is left, in an order of its own. */
static void heal_as_chain(struct world *w, struct dice *dice)
{
    unsigned order[WORLD_NODES_MAX];
    for (unsigned i = 0; i < w->lines_len; i++) world_cut(w, i);
    for (unsigned i = 0; i < w->nodes_len; i++) order[i] = i;
    for (unsigned i = w->nodes_len; i > 1; i--) {
        unsigned j = dice_below(dice, i), other = order[j];
        order[j] = order[i - 1];
        order[i - 1] = other;
    }
    for (unsigned i = 0; i + 1 < w->nodes_len; i++)
        for (unsigned l = 0; l < w->lines_len; l++)
            if ((w->lines[l].a == order[i] && w->lines[l].b == order[i + 1]) ||
                (w->lines[l].b == order[i] && w->lines[l].a == order[i + 1]))
                world_link(w, l);
}

static void live_and_agree(struct run *run, unsigned worlds, bool hungry)
{
    struct world *w = &run->world;
    uint64_t first = dice_seed(42);
    worlds = dice_rounds(worlds);
    for (run->seed = first; run->seed < first + worlds; run->seed++) {
        struct dice dice = {run->seed}, hunger = {run->seed};
        world_open(w, 2 + dice_below(&dice, 5));
        w->dice = &dice;
        w->hunger = hungry ? &hunger : NULL;
        w->delay_ms = 1 + dice_below(&dice, 60);
        w->commit_ms = dice_below(&dice, 30);
        draw_lines(w);
        for (unsigned i = 0; i < ACTS; i++) act(w, &dice);
        heal_as_chain(w, &dice);
        assert_true(world_settles(w, SETTLE_MS));
        all_the_same(w);
        for (unsigned i = 0; i < w->nodes_len; i++) {
            assert_int_equal(w->nodes[i].effects[KT_FX_FORK], 0);
            assert_int_equal(w->nodes[i].effects[KT_FX_CLOSE], 0);
        }
        world_close(w);
    }
    run->seed--;
}

/* Scenario: two to six offices write while lines break and mend and nodes die; then they are a chain, and agree. */
static void the_connected_converge(void **state) { live_and_agree(*state, WORLDS, false); }

/* Scenario: the same, and every step is first tried with hardly any memory: what fails changes nothing, what is put off
 * is done later. */
static void the_hungry_converge_too(void **state) { live_and_agree(*state, WORLDS / 4, true); }

/* Scenario: five offices in a full mesh write by turns; all is delivered, and each line carries little twice. */
static void a_mesh_carries_batches_about_once(void **state)
{
    struct run *run = *state;
    struct world *w = &run->world;
    world_open(w, 5);
    draw_lines(w);
    for (unsigned i = 0; i < w->lines_len; i++) world_link(w, i);
    world_run(w, 6000); /* everybody has said whom it hears */
    for (unsigned i = 0; i < 300; i++) {
        world_write(w, i % 5);
        world_run(w, i % 7);
    }
    assert_true(world_settles(w, SETTLE_MS));
    all_the_same(w);
    uint64_t needed = in_all(w) * 4;
    print_message("%llu batches sent where %llu would do\n", (unsigned long long)w->batches_sent,
                  (unsigned long long)needed);
    assert_true(w->batches_sent >= needed && w->batches_sent < 2 * needed);
    world_close(w);
}

/* Scenario: an office that was away catches up on ten thousand batches, more than ten grants' worth. */
static void catching_up_takes_many_grants(void **state)
{
    struct run *run = *state;
    struct world *w = &run->world;
    world_open(w, 2);
    for (unsigned i = 0; i < 10000; i++) world_write(w, 0);
    world_run(w, 100);
    world_link(w, world_line(w, 0, 1));
    assert_true(world_settles(w, SETTLE_MS));
    all_the_same(w);
    assert_int_equal(w->batches_sent, 10000);
    assert_true(kt_replica_acknowledged(w->nodes[0].replica, 2, (struct kt_origin){1, 1}, 1));
    world_run(w, 1000);
    assert_true(kt_replica_acknowledged(w->nodes[0].replica, 2, (struct kt_origin){1, 1}, 10000));
    assert_false(kt_replica_acknowledged(w->nodes[0].replica, 2, (struct kt_origin){1, 1}, 10001));
    world_close(w);
}

/* Scenario: what a node says of the others, while one of them is silent and then back. */
static void status_tells_what_is_known(void **state)
{
    struct run *run = *state;
    struct world *w = &run->world;
    struct kt_arena arena;
    struct kt_peer_status *s = NULL;
    uint32_t n = 0;
    world_open(w, 3);
    kt_arena_init(&arena, 1 << 20);
    unsigned ab = world_line(w, 0, 1), bc = world_line(w, 1, 2);
    assert_int_equal(kt_replica_peers(w->nodes[0].replica, WORLD_EPOCH_MS, 0, &arena, &s, &n), KT_OK);
    assert_int_equal(n, 2);
    assert_true(!s[0].linked && !s[0].behind_known && s[0].complete_through_ms == 0 && !s[0].digest_known);
    world_link(w, ab);
    world_link(w, bc);
    world_write(w, 2);
    world_run(w, 16000);
    uint64_t now = WORLD_EPOCH_MS + w->now_ms;
    assert_int_equal(kt_replica_peers(w->nodes[0].replica, now, w->now_ms, &arena, &s, &n), KT_OK);
    assert_true(s[0].member == 2 && s[0].linked && s[0].behind_known && s[0].batches_behind == 0);
    assert_true(s[0].digest_known && s[0].digest_agrees && s[0].oldest_unacknowledged == 0);
    assert_true(s[1].member == 3 && !s[1].linked && !s[1].behind_known); /* heard of through office-2 */
    assert_true(s[1].complete_through_ms > now - 12000 && s[1].complete_through_ms <= now);
    assert_true(s[1].last_pulse_mono_ms + 12000 > w->now_ms && s[1].we_lack_batches == 0);
    world_cut(w, ab);
    uint64_t wrote = WORLD_EPOCH_MS + w->now_ms;
    world_write(w, 0);
    world_run(w, 500);
    world_write(w, 0);
    world_run(w, 100);
    assert_int_equal(kt_replica_peers(w->nodes[0].replica, now, w->now_ms, &arena, &s, &n), KT_OK);
    assert_true(!s[0].linked && s[0].batches_behind == 2);
    assert_int_equal(kt_hlc_ms(s[0].oldest_unacknowledged), wrote);
    kt_arena_free(&arena);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_connected_converge, begin, finish),
        cmocka_unit_test_setup_teardown(the_hungry_converge_too, begin, finish),
        cmocka_unit_test_setup_teardown(a_mesh_carries_batches_about_once, begin, finish),
        cmocka_unit_test_setup_teardown(catching_up_takes_many_grants, begin, finish),
        cmocka_unit_test_setup_teardown(status_tells_what_is_known, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
