/* The replica, rule by rule; tests/trace/replica_test.c shows whole conversations. */
#include "support/replica_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int begin(void **state)
{
    *state = calloc(1, sizeof(struct world));
    return *state ? 0 : -1;
}

static int finish(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* So many nodes, linked in a row. */
static struct world *row(void **state, unsigned nodes)
{
    struct world *w = *state;
    world_open(w, nodes);
    for (unsigned i = 0; i + 1 < nodes; i++) world_link(w, world_line(w, i, i + 1));
    world_run(w, 200);
    return w;
}

static struct kt_origin first_of(unsigned node) { return (struct kt_origin){node + 1, 1}; }

static uint64_t holds(const struct world *w, unsigned node, unsigned author)
{
    return kt_vector_get(kt_replica_vector(w->nodes[node].replica), first_of(author));
}

static enum kt_want wants(const struct world *w, unsigned node, uint64_t link, unsigned author, uint64_t number,
                          uint64_t bytes)
{
    return kt_replica_wants(w->nodes[node].replica, link, first_of(author), number, bytes, w->now_ms);
}

/* Hands a message to a node, as if it came by the link. */
static void hand(struct world *w, unsigned node, uint64_t link, const struct kt_peer_message *m)
{
    world_step(w, node, (struct kt_event){.kind = KT_EV_MESSAGE, .link = link, .message = m});
}

/* Scenario: office-2 lacks two data keys: it asks, asks again with its next pulse, and does not count as a copy. */
static void lacking_keys_are_asked_for(void **state)
{
    struct world *w = row(state, 2);
    const struct kt_dek_id lacking[] = {{{1}}, {{2}}};
    world_write(w, 0);
    world_run(w, 200);
    assert_true(kt_replica_acknowledged(w->nodes[0].replica, 2, first_of(0), 1));
    world_step(w, 1, (struct kt_event){.kind = KT_EV_LACKING, .deks = lacking, .deks_len = 2});
    world_run(w, 50);
    assert_int_equal(w->nodes[0].effects[KT_FX_SEND_WRAPS], 1);
    assert_false(kt_replica_acknowledged(w->nodes[0].replica, 2, first_of(0), 1));
    world_step(w, 1, (struct kt_event){.kind = KT_EV_LACKING, .deks = lacking, .deks_len = 2}); /* nothing new */
    world_write(w, 0);
    world_run(w, 200); /* the pull that acknowledges repeats the wish; the answer is on its way already */
    assert_int_equal(w->nodes[0].effects[KT_FX_SEND_WRAPS], 1);
    world_run(w, 6000);
    assert_int_equal(w->nodes[0].effects[KT_FX_SEND_WRAPS], 2);
    world_step(w, 1, (struct kt_event){.kind = KT_EV_LACKING});
    world_run(w, 50);
    assert_true(kt_replica_acknowledged(w->nodes[0].replica, 2, first_of(0), 2));
}

/* Scenario: a peer allows less than one batch is long: one passes all the same, the second waits for the next pull. */
static void a_grant_lets_one_pass(void **state)
{
    struct world *w = row(state, 2);
    struct kt_peer_message pull = {.part = KT_PEER_PULL};
    uint64_t link = w->lines[0].id;
    pull.pull = (struct kt_pull){.whole = true, .grant_bytes = 100, .roster_version = 1};
    world_write(w, 0);
    world_write(w, 0);
    hand(w, 0, link, &pull);
    assert_int_equal(wants(w, 0, link, 0, 1, 5000), KT_WANT_YES);
    struct kt_seal seal = {.origin = first_of(0), .number = 1};
    world_step(w, 0, (struct kt_event){.kind = KT_EV_SENT, .link = link, .seal = &seal, .bytes = 5000});
    assert_int_equal(wants(w, 0, link, 0, 1, 5000), KT_WANT_NO);
    assert_int_equal(wants(w, 0, link, 0, 2, 10), KT_WANT_FULL);
    pull.pull.grant_bytes = 0;
    hand(w, 0, link, &pull);
    assert_int_equal(wants(w, 0, link, 0, 2, 10), KT_WANT_FULL);
}

/* Scenario: office-2 relays what office-1 writes to office-3, which says it hears office-1 itself: the relay waits,
 * then sends, for office-1 and office-3 have lost each other unnoticed. */
static void a_pause_loses_nothing(void **state)
{
    struct world *w = row(state, 3);
    struct kt_peer_message pull = {.part = KT_PEER_PULL};
    const kt_member heard[] = {1, 2};
    const uint64_t link = w->lines[1].id;
    pull.pull =
        (struct kt_pull){.whole = true, .heard = heard, .heard_len = 2, .grant_bytes = 1 << 20, .roster_version = 1};
    hand(w, 1, link, &pull);
    world_write(w, 0);
    while (holds(w, 1, 0) == 0) world_run(w, 1);
    assert_int_equal(wants(w, 1, link, 0, 1, 100), KT_WANT_PAUSE);
    assert_int_equal(holds(w, 2, 0), 0);
    world_run(w, 200);
    assert_int_equal(holds(w, 2, 0), 1);
}

/* Scenario: office-1 goes back to files that lack its own batch, and is linked to office-2 alone.  The batch comes to
 * office-2 from office-3: an author is taken to hold what it wrote, and this one says that it does not. */
static void a_forgetful_author_gets_its_own(void **state)
{
    struct world *w = *state;
    world_open(w, 3);
    const unsigned near = world_line(w, 0, 1), far = world_line(w, 1, 2), before = world_line(w, 0, 2);
    world_link(w, before);
    world_run(w, 200);
    world_write(w, 0);
    world_run(w, 200);
    assert_int_equal(holds(w, 2, 0), 1);
    world_restart(w, 0, 0);
    assert_int_equal(holds(w, 0, 0), 0);
    world_link(w, near);
    world_run(w, 200);
    world_link(w, far);
    world_run(w, 1000);
    assert_int_equal(holds(w, 1, 0), 1);
    assert_int_equal(holds(w, 0, 0), 1);
}

/* Scenario: the line spoils everything and there is no other; the origin is tried again after a while, by then it is
 * mended. */
static void a_refused_origin_is_tried_again(void **state)
{
    struct world *w = row(state, 2);
    w->lines[0].spoils = true;
    world_write(w, 0);
    world_write(w, 0);
    world_run(w, 10000);
    assert_int_equal(holds(w, 1, 0), 0);
    assert_true(w->batches_sent <= 4); /* it was told to skip */
    w->lines[0].spoils = false;
    world_run(w, 25000);
    assert_int_equal(holds(w, 1, 0), 2);
}

/* Scenario: a member is cut at its second batch by roster 2: nobody takes the third, who had it forgets it, and it is
 * not served any more; a revoked member's line is closed. */
static void cuts_clip_what_is_held(void **state)
{
    struct world *w = row(state, 3);
    const struct kt_cut cut = {.member = 1, .incarnation = 1, .last = 2};
    w->rosters[2].cuts = &cut;
    w->rosters[2].cuts_len = 1;
    for (unsigned i = 0; i < 3; i++) world_write(w, 0);
    world_run(w, 300);
    assert_int_equal(holds(w, 2, 0), 3);
    world_roster(w, 1, 2, 0);
    world_run(w, 300);
    for (unsigned i = 0; i < 3; i++) assert_int_equal(holds(w, i, 0), 2);
    struct kt_peer_message pull = {.part = KT_PEER_PULL};
    pull.pull = (struct kt_pull){.whole = true, .grant_bytes = 1 << 20, .roster_version = 2};
    hand(w, 1, w->lines[1].id, &pull);
    assert_int_equal(kt_vector_get(kt_replica_cursor(w->nodes[1].replica, w->lines[1].id), first_of(0)), 2); /* sent */
    assert_int_equal(wants(w, 1, w->lines[1].id, 0, 3, 100), KT_WANT_NO);
    struct kt_roster_member members[3];
    memcpy(members, w->members, sizeof members);
    members[0].revoked = true;
    w->rosters[3].members = members;
    world_roster(w, 1, 3, 0);
    assert_int_equal(w->nodes[1].effects[KT_FX_CLOSE], 1);
    assert_int_equal(w->lines[0].id, 0);
}

/* Scenario: a forked origin is frozen; a roster that cuts it says what counts, and it goes on under its next life. */
static void a_cut_thaws_a_fork(void **state)
{
    struct world *w = *state;
    const struct kt_cut cuts[] = {
        {.member = 1, .incarnation = 1, .last = 0  },
        {.member = 1, .incarnation = 2, .last = 100}
    };
    world_open(w, 2);
    w->rosters[2].cuts = cuts;
    w->rosters[2].cuts_len = 2;
    world_forge(w, 1, 0);
    world_write(w, 0);
    world_run(w, 10);
    world_link(w, world_line(w, 0, 1));
    world_run(w, 6000);
    assert_true(kt_replica_frozen(w->nodes[1].replica, first_of(0)));
    world_step(w, 0, (struct kt_event){.kind = KT_EV_INCARNATION, .incarnation = 2});
    assert_int_equal(kt_replica_incarnation(w->nodes[0].replica), 2);
    world_write(w, 0);
    world_run(w, 300);
    assert_int_equal(kt_vector_get(kt_replica_vector(w->nodes[1].replica), (struct kt_origin){1, 2}), 1);
    world_roster(w, 0, 2, 0);
    world_run(w, 300);
    assert_false(kt_replica_frozen(w->nodes[1].replica, first_of(0)));
    assert_true(world_same(w, 0, 1));
    assert_int_equal(holds(w, 1, 0), 0);
}

/* Scenario: proofs kept in the journal freeze their origins again at the next start. */
static void frozen_stays_frozen(void **state)
{
    struct world *w = row(state, 2);
    assert_int_equal(kt_replica_freeze(w->nodes[1].replica, first_of(0)), KT_OK);
    assert_int_equal(kt_replica_freeze(w->nodes[1].replica, first_of(0)), KT_OK);
    assert_true(kt_replica_frozen(w->nodes[1].replica, first_of(0)));
    world_write(w, 0);
    world_run(w, 1000);
    assert_int_equal(holds(w, 1, 0), 0);
}

/* Scenario: a peer shows a roster of our version with another hash. */
static void two_rosters_of_one_version_do_not_mix(void **state)
{
    struct world *w = row(state, 2);
    struct kt_peer_message m = {.part = KT_PEER_GREETING};
    m.greeting = (struct kt_greeting){.roster_version = 1, .roster_hash = {{0xee}}};
    hand(w, 0, w->lines[0].id, &m);
    assert_int_equal(w->nodes[0].effects[KT_FX_CLOSE], 1);
}

/* Scenario: until both have greeted, and where only rosters may pass, nothing else is heard. */
static void rosters_come_before_all_else(void **state)
{
    struct world *w = *state;
    world_open(w, 2);
    w->rosters[1].members_len = 1; /* office-2 is of a roster that office-1 does not have */
    unsigned line = world_line(w, 0, 1);
    world_write(w, 0);
    world_run(w, 20);
    world_link_as(w, line, true, false);
    world_run(w, 300);
    assert_int_equal(holds(w, 1, 0), 0);
    assert_int_equal(wants(w, 0, w->lines[line].id, 0, 1, 10), KT_WANT_NO);
    world_roster(w, 0, 2, 0);
    assert_true(world_settles(w, 1000));
    assert_int_equal(holds(w, 1, 0), 1);
}

/* One pulse of member 3, as it travels. */
static void pulse_of_three(struct kt_buf *out, uint64_t ms, uint64_t head)
{
    static const uint8_t secret[64];
    struct kt_head heads[] = {
        {{3, 1}, head}
    };
    struct kt_pulse p = {.suite = KT_SUITE_1,
                         .cluster = {{0xc0}},
                         .member = 3,
                         .hlc = ms << 16,
                         .heads = heads,
                         .heads_len = head ? 1 : 0};
    kt_buf_init(out, 4096);
    assert_int_equal(kt_pulse_encode(&p, secret, out), KT_OK);
}

static struct kt_peer_status status_of_three(struct world *w, struct kt_arena *a)
{
    struct kt_peer_status *s = NULL;
    uint32_t n = 0;
    assert_int_equal(kt_replica_peers(w->nodes[0].replica, WORLD_EPOCH_MS + w->now_ms, w->now_ms, a, &s, &n), KT_OK);
    assert_int_equal(s[1].member, 3);
    return s[1];
}

/* Scenario: pulses of office-3 arrive by way of others: kept ones at start, newer, older, one from the far future. */
static void pulses_tell_how_complete_we_are(void **state)
{
    struct world *w = *state;
    struct kt_arena arena;
    world_open(w, 3);
    kt_arena_init(&arena, 1 << 20);
    world_link(w, world_line(w, 0, 1));
    world_run(w, 100);
    uint64_t link = w->lines[0].id, now = WORLD_EPOCH_MS + w->now_ms;
    const struct {
        uint64_t ms, head, link, complete, lacked;
    } said[] = {
        {now - 5000,    0, 0,    now - 5000, 0}, /* kept from the life before */
        {now - 1000,    0, link, now - 1000, 0},
        {now - 2000,    0, link, now - 1000, 0}, /* older: nothing */
        {now - 500,     3, link, now - 1000, 3}, /* speaks of batches we lack: what was known stands */
        {now + 9000000, 0, link, now,        0}, /* a clock years ahead is read as our own now */
    };
    for (unsigned i = 0; i < sizeof said / sizeof *said; i++) {
        struct kt_buf b;
        pulse_of_three(&b, said[i].ms, said[i].head);
        struct kt_bytes item = kt_buf_bytes(&b);
        struct kt_peer_message m = {.part = KT_PEER_PULSES};
        m.pulses = (struct kt_bytes_list){&item, 1};
        hand(w, 0, said[i].link, &m);
        struct kt_peer_status s = status_of_three(w, &arena);
        assert_int_equal(s.complete_through_ms, said[i].complete);
        assert_int_equal(s.we_lack_batches, said[i].lacked);
        assert_int_equal(s.last_pulse_mono_ms, i == 0 ? 0 : w->now_ms);
        kt_buf_free(&b);
    }
    assert_true(w->nodes[0].effects[KT_FX_KEEP_PULSE] >= 3);
    kt_arena_free(&arena);
}

/* Scenario: events of links that are gone or never were, and a batch of ours out of turn. */
static void late_events_are_harmless(void **state)
{
    struct world *w = row(state, 2);
    struct kt_peer_message m = {.part = KT_PEER_GREETING};
    struct kt_seal seal = {.origin = first_of(1), .number = 7};
    struct kt_hash hash = {{1}};
    hand(w, 0, 99, &m);
    world_step(w, 0, (struct kt_event){.kind = KT_EV_LINK_DOWN, .link = 99});
    world_step(w, 0, (struct kt_event){.kind = KT_EV_BATCH, .link = 99, .seal = &seal, .seal_hash = &hash});
    world_step(w, 0, (struct kt_event){.kind = KT_EV_ANSWER_END, .link = 99, .message = &m});
    world_step(w, 0, (struct kt_event){.kind = KT_EV_SENT, .link = 99, .seal = &seal, .bytes = 1});
    assert_null(kt_replica_cursor(w->nodes[0].replica, 99));
    assert_int_equal(wants(w, 0, 99, 0, 1, 1), KT_WANT_NO);
    struct kt_effects fx = {0};
    kt_arena_init(&fx.arena, 1 << 16);
    struct kt_event ev = {.kind = KT_EV_WROTE, .seal = &seal, .seal_hash = &hash};
    assert_int_equal(kt_replica_step(w->nodes[1].replica, &ev, &fx), KT_EBUG);
    assert_int_equal(holds(w, 1, 1), 0);
    ev = (struct kt_event){.kind = KT_EV_LINK_UP, .link = w->lines[0].id, .member = 2};
    assert_int_equal(kt_replica_step(w->nodes[0].replica, &ev, &fx), KT_EBUG);
    kt_arena_free(&fx.arena);
}

/* Scenario: a peer sends bytes that are no batch, and another refuses to stop sending bad ones of ever new origins. */
static void who_sends_rubbish_is_hung_up_on(void **state)
{
    struct world *w = row(state, 3);
    uint64_t link = w->lines[0].id;
    world_step(w, 0, (struct kt_event){.kind = KT_EV_BATCH, .link = link, .verdict = KT_EMALFORMED});
    assert_int_equal(w->lines[0].id, 0);
    struct kt_hash hash = {{1}};
    link = w->lines[1].id;
    for (uint64_t i = 1; i <= 65; i++) {
        struct kt_seal seal = {
            .origin = {3, 1000 + i},
              .number = 1
        };
        world_step(w, 1,
                   (struct kt_event){
                       .kind = KT_EV_BATCH, .link = link, .seal = &seal, .seal_hash = &hash, .verdict = KT_ESIGNATURE});
    }
    assert_int_equal(w->lines[1].id, 0);
    assert_int_equal(w->nodes[1].effects[KT_FX_CLOSE], 1);
}

/* One step beside the world: its effects are looked at and not carried out. */
static const struct kt_effects *look(struct world *w, unsigned node, struct kt_event ev, struct kt_effects *fx)
{
    ev.now_ms = WORLD_EPOCH_MS + w->now_ms;
    ev.now_mono_ms = w->now_ms;
    kt_arena_reset(&fx->arena);
    assert_int_equal(kt_replica_step(w->nodes[node].replica, &ev, fx), KT_OK);
    return fx;
}

static bool pulls(const struct kt_effects *fx, bool whole)
{
    return fx->len == 1 && fx->items[0].kind == KT_FX_SEND && fx->items[0].message.part == KT_PEER_PULL &&
           fx->items[0].message.pull.whole == whole;
}

/* Scenario: one batch was judged good on two lines before either was taken; it is taken once.  One far ahead is not
 * taken, whatever was thought of it, and the whole vector is said again, once for a while. */
static void batches_are_taken_in_turn(void **state)
{
    struct world *w = row(state, 2);
    struct kt_effects fx = {0};
    struct kt_hash hash = {{1}};
    struct kt_seal seal = {.origin = first_of(1), .number = 1};
    struct kt_event ev = {.kind = KT_EV_BATCH, .link = w->lines[0].id, .seal = &seal, .seal_hash = &hash};
    kt_arena_init(&fx.arena, 1 << 16);
    world_run(w, 1000);
    look(w, 0, ev, &fx);
    assert_true(fx.len == 1 && fx.items[0].kind == KT_FX_ACCEPT && fx.items[0].member == 2);
    assert_int_equal(look(w, 0, ev, &fx)->len, 0);
    assert_true(pulls(look(w, 0, (struct kt_event){.kind = KT_EV_COMMITTED}, &fx), false));
    seal.number = 3;
    assert_true(pulls(look(w, 0, ev, &fx), true));
    assert_int_equal(look(w, 0, ev, &fx)->len, 0);
    assert_int_equal(holds(w, 0, 1), 1);
    seal.number = 2;
    seal.previous = (struct kt_hash){{2}};
    look(w, 0, ev, &fx);
    assert_true(fx.len == 2 && fx.items[0].kind == KT_FX_FORK); /* and a pull that says to skip it */
    kt_arena_free(&fx.arena);
}

/* Scenario: a peer sends much that is of no use; the grant is renewed all the same when half of it is gone. */
static void a_grant_is_renewed_at_half(void **state)
{
    struct world *w = row(state, 2);
    struct kt_effects fx = {0};
    struct kt_peer_message m = {.part = KT_PEER_ANSWER};
    struct kt_event end = {.kind = KT_EV_ANSWER_END, .link = w->lines[0].id, .message = &m, .bytes = 200 << 10};
    kt_arena_init(&fx.arena, 1 << 16);
    assert_int_equal(look(w, 0, end, &fx)->len, 0);
    assert_int_equal(look(w, 0, end, &fx)->len, 0);
    assert_true(pulls(look(w, 0, end, &fx), false));
    assert_int_equal(fx.items[0].message.pull.grant_bytes, 1 << 20);
    assert_int_equal(look(w, 0, end, &fx)->len, 0);
    kt_arena_free(&fx.arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lacking_keys_are_asked_for),   TEST(a_grant_lets_one_pass),
        TEST(a_pause_loses_nothing),        TEST(a_refused_origin_is_tried_again),
        TEST(cuts_clip_what_is_held),       TEST(a_cut_thaws_a_fork),
        TEST(frozen_stays_frozen),          TEST(two_rosters_of_one_version_do_not_mix),
        TEST(rosters_come_before_all_else), TEST(pulses_tell_how_complete_we_are),
        TEST(late_events_are_harmless),     TEST(who_sends_rubbish_is_hung_up_on),
        TEST(batches_are_taken_in_turn),    TEST(a_grant_is_renewed_at_half),
        TEST(a_forgetful_author_gets_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
