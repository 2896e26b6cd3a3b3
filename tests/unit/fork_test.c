/* Forks: one life of a member that has two sides.  The proof is kept and passed on, the origin is frozen everywhere,
 * nobody else is harmed, and no acknowledged write is lost in silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/bench_group.h"
#include "support/bench_site.h"
#include "support/rogue.h"

#define OK(call) assert_int_equal((call), KT_OK)

/* Three offices with engines; nobody is linked yet. */
struct trio {
    struct site s[BENCH_OFFICES];
    struct site *all[BENCH_OFFICES];
};

static struct trio *open_trio(struct bench *b)
{
    struct trio *t = malloc(sizeof *t);
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
    free(t);
}

static const struct kt_fork *fork_of(struct site *s, struct kt_origin o)
{
    const struct kt_engine_status *status = site_status(s);
    for (uint32_t i = 0; i < status->forks_len; i++)
        if (kt_origin_compare(status->forks[i].origin, o) == 0) return &status->forks[i];
    return NULL;
}

static bool frozen_at(struct site *s, struct kt_origin o, uint64_t number)
{
    const struct kt_fork *f = fork_of(s, o);
    return f && f->number == number && f->first;
}

/* The next batch of the rogue's chain, unlike any other. */
static struct kt_bytes batch(struct rogue *r, const char *what)
{
    const struct kt_dek key = rogue_key(r, BENCH_REVENUE, 1);
    rogue_add(r, BENCH_REVENUE, 1, &key, 900, what);
    return rogue_seal(r);
}

static void give(struct site *s, uint64_t link, struct kt_bytes b) { site_give(s, link, b, NULL, 0); }

/* ---------------------------------------------------------------------------------------------------- two sides */

/* A member shows one office one batch and another office another of the same number.  Their pulses tell that their
 * equal vectors stand for unequal seals; both find the proof, a third that has neither side gets it from them, and all
 * three go on with everything else. */
static void two_heads_are_found_by_pulses(void **state)
{
    struct trio *t = open_trio(*state);
    struct rogue r;
    rogue_open(&r, bench_office(*state, 3));
    const uint64_t to_first = site_admit(&t->s[0], 3), to_second = site_admit(&t->s[1], 3);
    give(&t->s[0], to_first, batch(&r, "one side"));
    r.number = 1;
    r.previous = (struct kt_hash){0};
    give(&t->s[1], to_second, batch(&r, "the other"));
    site_hang_up(&t->s[0], to_first);
    site_hang_up(&t->s[1], to_second);
    site_join(&t->s[0], &t->s[1]);
    site_run(t->all, 2, 3 * KT_PULSE_MS);
    assert_true(frozen_at(&t->s[0], r.origin, 1));
    assert_true(frozen_at(&t->s[1], r.origin, 1));
    assert_true(site_complains(&t->s[0], "two nodes wrote as office-3"));
    assert_null(fork_of(&t->s[2], r.origin));
    site_join(&t->s[1], &t->s[2]);
    site_run(t->all, 3, 1000);
    assert_true(frozen_at(&t->s[2], r.origin, 1));
    assert_int_equal(site_held_of(&t->s[2], r.origin), 0);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++)
        OK(site_put(&t->s[i], "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person'}"));
    site_run(t->all, 3, 3 * KT_PULSE_MS);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++)
        for (uint32_t k = 0; k < BENCH_OFFICES; k++)
            assert_int_equal(site_held_of(&t->s[i], site_origin(&t->s[k])),
                             site_held_of(&t->s[k], site_origin(&t->s[k])));
    site_restart(&t->s[2]);
    assert_true(frozen_at(&t->s[2], r.origin, 1));
    rogue_close(&r);
    close_trio(t);
}

/* Two sides that parted long ago and are of unlike length: the chain shows it, and by halves the offices find where
 * they parted, which is where the authority has to cut. */
static void where_two_sides_parted_is_found(void **state)
{
    struct trio *t = open_trio(*state);
    struct rogue r;
    struct kt_bytes common[5];
    char what[32];
    rogue_open(&r, bench_office(*state, 3));
    const uint64_t links[2] = {site_admit(&t->s[0], 3), site_admit(&t->s[1], 3)};
    for (uint32_t i = 0; i < 5; i++) {
        common[i] = batch(&r, "before");
        give(&t->s[0], links[0], common[i]);
        give(&t->s[1], links[1], common[i]);
    }
    const struct kt_hash last = r.previous;
    for (uint32_t side = 0; side < 2; side++) {
        r.number = 6;
        r.previous = last;
        for (uint32_t i = 0; i < 30 + 20 * side; i++) {
            snprintf(what, sizeof what, "side %u, %u", side, i);
            give(&t->s[side], links[side], batch(&r, what));
        }
        site_hang_up(&t->s[side], links[side]);
    }
    assert_int_equal(site_held_of(&t->s[0], r.origin), 35);
    assert_int_equal(site_held_of(&t->s[1], r.origin), 55);
    site_join(&t->s[0], &t->s[1]);
    site_run(t->all, 2, 4 * KT_PULSE_MS);
    assert_true(frozen_at(&t->s[0], r.origin, 6));
    assert_true(frozen_at(&t->s[1], r.origin, 6));
    assert_int_equal(site_held_of(&t->s[0], r.origin), 35);
    rogue_close(&r);
    close_trio(t);
}

/* ------------------------------------------------------------------------------------------------- false proofs */

static struct kt_fork_proof proof_of(struct rogue *r, struct kt_bytes a, struct kt_bytes b)
{
    struct kt_batch one, other;
    OK(kt_batch_decode(a, &r->arena, &one));
    OK(kt_batch_decode(b, &r->arena, &other));
    return (struct kt_fork_proof){one.seal_bytes, one.signature, other.seal_bytes, other.signature};
}

static void say_proof(struct site *s, uint64_t link, struct kt_fork_proof p)
{
    struct kt_peer_message m = {.part = KT_PEER_PROOFS};
    m.proofs.items = &p;
    m.proofs.len = 1;
    site_say(s, link, &m);
    site_step(s);
}

/* What proves nothing freezes nobody: a seal twice, a chain as it should be, numbers apart, a signature of another, a
 * member nobody knows, seals that are none.  And a member that forks without end takes its own places, not others'. */
static void false_proofs_are_refused(void **state)
{
    static const uint8_t no_signature[KT_SIGNATURE_BYTES];
    struct trio *t = open_trio(*state);
    struct rogue r;
    rogue_open(&r, bench_office(*state, 3));
    const uint64_t link = site_admit(&t->s[0], 2);
    const struct kt_bytes one = batch(&r, "a"), two = batch(&r, "b"), three = batch(&r, "c");
    r.number = 1;
    r.previous = (struct kt_hash){0};
    const struct kt_bytes other = batch(&r, "d");
    struct kt_fork_proof p = proof_of(&r, one, other);
    say_proof(&t->s[0], link, proof_of(&r, one, one));
    say_proof(&t->s[0], link, proof_of(&r, one, two));
    say_proof(&t->s[0], link, proof_of(&r, one, three));
    say_proof(&t->s[0], link, (struct kt_fork_proof){p.seal_a, p.signature_a, p.seal_b, KT_BYTES_OF(no_signature)});
    say_proof(&t->s[0], link, (struct kt_fork_proof){p.seal_a, p.signature_b, p.seal_b, p.signature_b});
    say_proof(&t->s[0], link, (struct kt_fork_proof){p.seal_a, p.signature_a, kt_str("?"), p.signature_b});
    assert_int_equal(site_status(&t->s[0])->forks_len, 0);
    say_proof(&t->s[0], link, proof_of(&r, two, other)); /* in whatever order */
    assert_int_equal(site_status(&t->s[0])->forks_len, 1);
    assert_false(fork_of(&t->s[0], r.origin)->first);
    say_proof(&t->s[0], link, p);
    assert_true(frozen_at(&t->s[0], r.origin, 1));
    assert_int_equal(site_status(&t->s[0])->forks_len, 1);
    for (uint32_t i = 0; i < 2 * KT_PROOFS_PER_MEMBER_MAX; i++) {
        r.origin.incarnation++;
        r.number = 1;
        r.previous = (struct kt_hash){0};
        const struct kt_bytes a = batch(&r, "a");
        r.number = 1;
        r.previous = (struct kt_hash){0};
        say_proof(&t->s[0], link, proof_of(&r, a, batch(&r, "b")));
    }
    assert_int_equal(site_status(&t->s[0])->forks_len, KT_PROOFS_PER_MEMBER_MAX);
    assert_int_equal(t->s[0].closed, 0);
    rogue_close(&r);
    close_trio(t);
}

/* ---------------------------------------------------------------------------------------------- our own fork */

/* The disk of an office as it is now, with a node's own word that it is where it was: a machine set back by those who
 * run it, which no node can notice. */
static struct kt_memory_disk *set_back(struct site *s)
{
    struct kt_memory_disk *copy;
    struct kt_store *store;
    OK(kt_memory_disk_copy(s->office->store->memory, &copy));
    OK(kt_memory_open(copy, &store));
    OK(store->ops->settled(store));
    store->ops->close(store);
    return copy;
}

static void occupation(struct site *s, const char *what)
{
    char line[256];
    snprintf(line, sizeof line, "{'entity':'customer','source_system':'revenue','source_id':'C-1','occupation':'%s'}",
             what);
    OK(site_put(s, line));
}

/* A machine is set back and nobody has pulled from it since: it writes on, and there is one side only. */
static void what_nobody_pulled_heals_itself(void **state)
{
    struct trio *t = open_trio(*state);
    occupation(&t->s[0], "baker");
    struct kt_memory_disk *copy = set_back(&t->s[0]);
    occupation(&t->s[0], "cook");
    site_restore(&t->s[0], copy);
    occupation(&t->s[0], "judge");
    site_join(&t->s[0], &t->s[1]);
    site_join(&t->s[1], &t->s[2]);
    site_run(t->all, 3, 3 * KT_PULSE_MS);
    site_assert_same(t->all, 3);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) assert_int_equal(site_status(&t->s[i])->forks_len, 0);
    close_trio(t);
}

/* A machine is set back after others have pulled from it, and writes before it hears of them: one number has two sides.
 * Both sides of the line have the proof, and the office goes on in a new incarnation that outlives a stop. */
static void who_sees_its_own_fork_begins_anew(void **state)
{
    struct trio *t = open_trio(*state);
    site_join(&t->s[0], &t->s[1]);
    occupation(&t->s[0], "baker");
    site_run(t->all, 2, 1000);
    struct kt_memory_disk *copy = set_back(&t->s[0]);
    occupation(&t->s[0], "cook");
    site_run(t->all, 2, 1000);
    const struct kt_origin forked = site_origin(&t->s[0]);
    assert_int_equal(site_held_of(&t->s[1], forked), 2);
    site_restore(&t->s[0], copy);
    occupation(&t->s[0], "judge");
    assert_int_equal(kt_origin_compare(site_origin(&t->s[0]), forked), 0);
    site_join(&t->s[0], &t->s[1]);
    site_run(t->all, 2, 3 * KT_PULSE_MS);
    assert_true(frozen_at(&t->s[0], forked, 2));
    assert_true(frozen_at(&t->s[1], forked, 2));
    const struct kt_origin next = site_origin(&t->s[0]);
    assert_int_not_equal(next.incarnation, forked.incarnation);
    site_restart(&t->s[0]);
    assert_int_equal(kt_origin_compare(site_origin(&t->s[0]), next), 0);
    site_join(&t->s[0], &t->s[1]);
    occupation(&t->s[0], "nurse");
    site_run(t->all, 2, 1000);
    assert_true(site_held_of(&t->s[1], next) > 0);
    close_trio(t);
}

static void assert_shows(struct site *s, const char *path, const char *text)
{
    json_t *j = bench_look(s->office, KT_BY_SOURCE, "revenue:C-1");
    assert_non_null(j);
    assert_string_equal(bench_text(j, path), text);
    json_decref(j);
}

/* Her occupation is a conflict, and these are among its values (perhaps twice: as said first and again). */
static void assert_conflict(struct site *s, const char *one, const char *other)
{
    json_t *j = bench_conflicts(s->office);
    char *text = json_dumps(j, 0);
    assert_int_equal(json_array_size(j), 1);
    assert_non_null(strstr(text, one));
    assert_non_null(strstr(text, other));
    free(text);
    json_decref(j);
}

/* A machine is set back, and both lives were acknowledged: the one that others have, and the one that goes on.  What
 * only the second said comes to all under its new incarnation: another field shows, a row stays one row, what it took
 * out is out, what it replaced itself does not come back, and the field that both wrote is a conflict to be resolved.
 * Also after a stop it is not said twice. */
static void what_only_it_said_is_said_again(void **state)
{
    struct trio *t = open_trio(*state);
    site_join(&t->s[0], &t->s[1]);
    site_join(&t->s[1], &t->s[2]);
    OK(site_put(&t->s[0], "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person',"
                          "'occupation':'baker','tag':['old']}"));
    site_run(t->all, 3, 1000);
    struct kt_memory_disk *copy = set_back(&t->s[0]);
    occupation(&t->s[0], "cook");
    site_run(t->all, 3, 1000);
    site_restore(&t->s[0], copy);
    occupation(&t->s[0], "smith");
    occupation(&t->s[0], "judge");
    OK(site_put(&t->s[0], "{'entity':'customer','source_system':'revenue','source_id':'C-1','birthDate':'1980-01-01',"
                          "'remove':{'tag':['old']}}"));
    OK(site_put(&t->s[0], "{'entity':'case','source_system':'311','source_id':'S-1','customer':[{'ref':'revenue:C-1'}],"
                          "'status':'open'}"));
    OK(site_put(&t->s[0], "{'entity':'interaction','source_system':'311','source_id':'I-1','case':'311:S-1',"
                          "'channel':'phone','occurred':'2026-03-01T21:10:00Z','body':'Noise.'}"));
    site_join(&t->s[0], &t->s[1]);
    site_run(t->all, 3, 4 * KT_PULSE_MS);
    for (uint32_t round = 0; round < 2; round++) {
        const uint64_t said = site_held_of(&t->s[0], site_origin(&t->s[0]));
        assert_true(said > 0);
        for (uint32_t i = 0; i < BENCH_OFFICES; i++) {
            assert_int_equal(site_held_of(&t->s[i], site_origin(&t->s[0])), said);
            assert_shows(&t->s[i], "customer/birthDate", "1980-01-01");
            assert_shows(&t->s[i], "customer/tag/0", "");
            assert_shows(&t->s[i], "cases/0/status", "open");
            assert_shows(&t->s[i], "cases/0/interactions/0/body", "Noise.");
            assert_shows(&t->s[i], "cases/0/interactions/1/body", "");
        }
        assert_conflict(&t->s[1], "cook", "judge");
        assert_conflict(&t->s[2], "cook", "judge");
        assert_shows(&t->s[0], "customer/occupation", "judge");
        site_restart(&t->s[0]);
        site_join(&t->s[0], &t->s[1]);
        site_run(t->all, 3, 2 * KT_PULSE_MS);
    }
    close_trio(t);
}

/* A copy of an office's disk is started beside it, each with peers of its own: two nodes under one name write on.  When
 * all meet, both lives end in new incarnations and all that either wrote is shown or listed everywhere. */
static void a_clone_with_both_copies_alive(void **state)
{
    struct trio *t = open_trio(*state);
    struct bench twin;
    struct site clone;
    site_join(&t->s[0], &t->s[1]);
    occupation(&t->s[0], "baker");
    site_run(t->all, 2, 1000);
    bench_open(&twin, false);
    site_open(&clone, bench_office(&twin, 1));
    site_restore(&clone, set_back(&t->s[0]));
    struct site *const all[] = {&t->s[0], &t->s[1], &t->s[2], &clone};
    site_join(&clone, &t->s[2]);
    site_run(all, 4, 1000);
    const struct kt_origin forked = site_origin(&t->s[0]);
    assert_int_equal(kt_origin_compare(site_origin(&clone), forked), 0);
    occupation(&t->s[0], "cook");
    OK(site_put(&t->s[0], "{'entity':'customer','source_system':'revenue','source_id':'C-1','tag':['first']}"));
    occupation(&clone, "judge");
    OK(site_put(&clone, "{'entity':'customer','source_system':'revenue','source_id':'C-1','tag':['second']}"));
    site_run(all, 4, 1000);
    site_join(&t->s[1], &t->s[2]);
    site_run(all, 4, 6 * KT_PULSE_MS);
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(frozen_at(all[i], forked, 2));
        assert_int_not_equal(site_origin(all[i]).incarnation, forked.incarnation);
        json_t *j = bench_look(all[i]->office, KT_BY_SOURCE, "revenue:C-1");
        assert_int_equal(json_array_size(bench_at(j, "customer/tag")), 2);
        json_decref(j);
        assert_conflict(all[i], "cook", "judge");
    }
    site_close(&clone);
    bench_close(&twin);
    close_trio(t);
}

/* A peer knows more of us than we do.  The node stops before it writes again, and the peer is away when it starts: it
 * does not use a number twice. */
static void a_head_ahead_outlives_a_stop(void **state)
{
    struct trio *t = open_trio(*state);
    site_join(&t->s[0], &t->s[1]);
    occupation(&t->s[0], "baker");
    site_run(t->all, 2, 1000);
    struct kt_memory_disk *copy = set_back(&t->s[0]);
    occupation(&t->s[0], "cook");
    site_run(t->all, 2, 1000);
    const struct kt_origin before = site_origin(&t->s[0]);
    site_restore(&t->s[0], copy);
    site_join(&t->s[0], &t->s[1]);
    site_run(t->all, 2, 200);
    site_part(&t->s[0], &t->s[1]);
    site_run(t->all, 2, 100);
    site_restart(&t->s[0]);
    occupation(&t->s[0], "judge");
    assert_int_not_equal(site_origin(&t->s[0]).incarnation, before.incarnation);
    site_join(&t->s[0], &t->s[1]);
    site_run(t->all, 2, 3 * KT_PULSE_MS);
    site_assert_same(t->all, 2);
    assert_int_equal(site_status(&t->s[1])->forks_len, 0);
    close_trio(t);
}

int main(void)
{
    rogue_same_dice();
    static const struct CMUnitTest tests[] = {
        OVER(memory, two_heads_are_found_by_pulses),     OVER(memory, where_two_sides_parted_is_found),
        OVER(memory, false_proofs_are_refused),          OVER(memory, what_nobody_pulled_heals_itself),
        OVER(memory, who_sees_its_own_fork_begins_anew), OVER(memory, a_head_ahead_outlives_a_stop),
        OVER(memory, what_only_it_said_is_said_again),   OVER(memory, a_clone_with_both_copies_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
