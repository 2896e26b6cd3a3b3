/* Three replicas talk; what they say is written down, sentence by sentence, and held against replica.golden.
 *
 * KT_GOLDEN=write writes the file anew: read what changed before it goes into the repository. */
#include "support/replica_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define GOLDEN     "tests/trace/replica.golden"
#define TEXT_BYTES (256u << 10)

struct story {
    struct world world;
    char text[TEXT_BYTES];
    size_t len;
};

static void hear(void *ctx, const char *sentence)
{
    struct story *s = ctx;
    int n = snprintf(s->text + s->len, sizeof s->text - s->len, "%s\n", sentence);
    assert_true(n > 0 && (size_t)n < sizeof s->text - s->len);
    s->len += (size_t)n;
}

static void chapter(struct story *s, const char *title)
{
    struct {
        const char *text;
    } lines[] = {{""}, {title}, {""}};
    for (size_t i = s->len ? 0 : 1; i < 3; i++) hear(s, lines[i].text);
}

static struct world *begin(struct story *s, unsigned nodes)
{
    world_open(&s->world, nodes);
    s->world.say = hear;
    s->world.say_ctx = s;
    return &s->world;
}

/* Three offices are linked each with each; one writes, and its batch crosses each of its lines once. */
static void a_mesh(struct story *s)
{
    struct world *w = begin(s, 3);
    chapter(s, "## Three offices meet; office-1 has two batches already; then office-2 writes one.");
    world_write(w, 0);
    world_write(w, 0);
    world_run(w, 10);
    unsigned ab = world_line(w, 0, 1), bc = world_line(w, 1, 2), ac = world_line(w, 0, 2);
    world_link(w, ab);
    world_link(w, bc);
    world_link(w, ac);
    assert_true(world_settles(w, 1000));
    world_run(w, 500);
    world_write(w, 1);
    world_run(w, 500);
    assert_true(world_same(w, 0, 2) && world_same(w, 0, 1));
    chapter(s, "## The line between office-1 and office-3 breaks; what office-1 writes goes by office-2; pulses too.");
    world_cut(w, ac);
    world_write(w, 0);
    world_run(w, 6000);
    assert_true(world_same(w, 0, 2));
    chapter(s, "## Office-3 is cut off; both sides write; the line is mended.");
    world_cut(w, bc);
    world_write(w, 0);
    world_write(w, 2);
    world_run(w, 100);
    world_link(w, bc);
    assert_true(world_settles(w, 1000));
    world_run(w, 200);
    world_close(w);
}

/* A line spoils what it carries: the origin is skipped there and asked of another; the rest goes on. */
static void a_bad_line(struct story *s)
{
    struct world *w = begin(s, 3);
    chapter(s, "## Office-2 spoils what it sends to office-3; office-3 asks office-1 for the batch.");
    unsigned bc = world_line(w, 1, 2), ac = world_line(w, 0, 2), ab = world_line(w, 0, 1);
    w->lines[bc].spoils = true;
    world_link(w, ab);
    world_link(w, ac);
    world_link(w, bc);
    world_run(w, 100);
    world_write(w, 1);
    world_run(w, 300);
    assert_true(world_same(w, 1, 2));
    world_close(w);
}

/* A roster of version 2 comes: it is pushed on; what names it waits for it; who is new in it gets in. */
static void a_newer_roster(struct story *s)
{
    struct world *w = begin(s, 3);
    chapter(s,
            "## Office-2 takes roster 2 into force and writes; office-1 waits for the roster, then takes the batch.");
    w->rosters[1].members_len = 2; /* office-3 is admitted by version 2 */
    unsigned ab = world_line(w, 0, 1), ac = world_line(w, 0, 2);
    world_link(w, ab);
    world_run(w, 100);
    world_roster(w, 1, 2, 0);
    world_write(w, 1);
    world_run(w, 200);
    assert_true(world_same(w, 0, 1));
    assert_int_equal(w->nodes[0].roster_version, 2);
    chapter(s, "## Office-3, newly admitted with roster 3, dials office-1, which knows it by its certificate only.");
    w->rosters[2].members_len = 2;
    world_roster(w, 2, 3, 0);
    world_link_as(w, ac, true, false);
    world_run(w, 300);
    assert_int_equal(w->nodes[0].roster_version, 3);
    assert_int_equal(w->nodes[1].roster_version, 3);
    assert_true(world_same(w, 0, 2));
    world_close(w);
}

/* Office-1 is restored from a copy of yesterday under its old name: others hold more of it than it does. */
static void a_lost_tail(struct story *s)
{
    struct world *w = begin(s, 2);
    chapter(s, "## Office-1 comes back with the first of its three batches; office-2 still has the others.");
    unsigned ab = world_line(w, 0, 1);
    world_link(w, ab);
    world_write(w, 0);
    world_run(w, 20);
    world_write(w, 0);
    world_write(w, 0);
    world_run(w, 200);
    world_restart(w, 0, 1);
    world_link(w, ab);
    world_run(w, 200);
    assert_int_equal(w->nodes[0].effects[KT_FX_OWN_HEAD_AHEAD], 1);
    assert_true(world_same(w, 0, 1));
    world_close(w);
}

/* Two batches carry one number: equal vectors with unequal seals give it away, and the origin is frozen. */
static void a_fork(struct story *s)
{
    struct world *w = begin(s, 2);
    chapter(s, "## Office-2 holds another batch 1/1 than office-1 wrote; their pulses give it away.");
    world_forge(w, 1, 0);
    world_write(w, 0);
    world_run(w, 10);
    world_link(w, world_line(w, 0, 1));
    world_run(w, 6000);
    assert_int_equal(w->nodes[0].effects[KT_FX_FORK], 1);
    assert_int_equal(w->nodes[1].effects[KT_FX_FORK], 1);
    assert_true(kt_replica_frozen(w->nodes[0].replica, (struct kt_origin){1, 1}));
    world_close(w);
}

static void compare(const struct story *s)
{
    FILE *f = fopen(GOLDEN, "r");
    assert_non_null(f);
    char expected[512];
    const char *at = s->text;
    for (unsigned line = 1; fgets(expected, sizeof expected, f); line++) {
        size_t len = strlen(expected);
        if (strncmp(at, expected, len) != 0)
            fail_msg("%s:%u: expected\n  %sbut heard\n  %.*s", GOLDEN, line, expected, (int)strcspn(at, "\n"), at);
        at += len;
    }
    fclose(f);
    if (*at) fail_msg("%s ends, and more was said: %.*s", GOLDEN, (int)strcspn(at, "\n"), at);
}

static void replicas_talk(void **state)
{
    (void)state;
    static struct story s;
    a_mesh(&s);
    a_bad_line(&s);
    a_newer_roster(&s);
    a_lost_tail(&s);
    a_fork(&s);
    const char *golden = getenv("KT_GOLDEN");
    if (golden && strcmp(golden, "write") == 0) {
        FILE *f = fopen(GOLDEN, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(s.text, 1, s.len, f), s.len);
        assert_int_equal(fclose(f), 0);
    }
    compare(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replicas_talk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
