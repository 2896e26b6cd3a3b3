/* Offices whose files were damaged: what they get back by themselves, and what their peers bring. */
#include "engine/journal/journal.h"
#include "engine/journal/layout.h"
#include "support/rogue.h"
#include "support/salvage_pair.h"

static void both_meta_pages_of_the_journal_are_gone(void **state)
{
    /* The first two pages of an office's journal are zeros, and its line is down.  It comes up by itself with
     * everything it had, its own writes included, and keeps the damaged file. */
    struct pair *p = *state;
    struct damage d = {.site = &p->a, .file = "journal/data.mdb", .to = 2 * PAGE};
    char kept[PATH_MAX];
    const uint64_t before = kt_ledger_position(kt_engine_ledger(p->a.engine));
    site_restart_over(&p->a, meddle, &d);
    assert_int_equal(p->a.office->salvaged.batches, before);
    assert_int_equal(p->a.office->salvaged.lost, 0);
    assert_whole(p);
    OK(kt_lmdb_salvage_kept(p->a.office->store->store, KT_ENV_JOURNAL, kept, sizeof kept));
    assert_int_equal(access(kept, F_OK), 0);
    /* what it writes now is new everywhere */
    site_join(&p->a, &p->b);
    put_customer(&p->a, "revenue", 1000);
    run(p, 2000);
    assert_true(knows(&p->b, "revenue", 1000));
    assert_whole(p);
}

static void a_journal_cut_short_is_made_whole_by_a_peer(void **state)
{
    /* The journal's file ends early, at many lengths: what is left is kept, the rest comes from the other office. */
    struct pair *p = *state;
    for (unsigned i = 1; i < 8; i++) {
        struct damage d = {.site = &p->a, .file = "journal/data.mdb", .cut = (double)i / 8};
        d.to = used_bytes(&p->a, KT_ENV_JOURNAL);
        site_restart_over(&p->a, meddle, &d);
        site_join(&p->a, &p->b);
        run(p, 4000);
        assert_whole(p);
    }
}

static void any_page_of_the_journal_may_be_gone(void **state)
{
    /* Each page of the journal in turn is zeros, in an office that is linked: it ends whole, and nobody refuses or
     * freezes anything. */
    struct pair *p = *state;
    uint64_t got = 0, lost = 0, rounds = 0;
    for (off_t page = 0; page * PAGE < used_bytes(&p->a, KT_ENV_JOURNAL) && rounds < 60; page++, rounds++) {
        struct damage d = {.site = &p->a, .file = "journal/data.mdb", .from = page * PAGE, .to = (page + 1) * PAGE};
        p->a.office->salvaged = (struct kt_salvaged_journal){0};
        site_restart_over(&p->a, meddle, &d);
        got += p->a.office->salvaged.batches;
        lost += p->a.office->salvaged.lost;
        site_join(&p->a, &p->b);
        run(p, 3000);
        assert_whole(p);
    }
    print_message("%llu pages: %llu batches got back, %llu asked of the peer\n", (unsigned long long)rounds,
                  (unsigned long long)got, (unsigned long long)lost);
    assert_true(got > 0);
}

static void a_checkpoint_counts_the_places_of_its_own_journal(void **state)
{
    /* The peer's last batch is followed by a checkpoint, and that by batches of the office's own.  Then each page in
     * turn is zeros, that of the peer's last batch among them: nothing behind it is passed over when the store is made
     * again. */
    struct pair *p = *state;
    const off_t pages = used_bytes(&p->a, KT_ENV_JOURNAL) / PAGE;
    for (unsigned round = 0; round < 40; round++) {
        struct kt_store *store = p->a.office->store->store;
        put_customer(&p->b, "motor", 3000 + 3 * round + 1);
        run(p, 200);
        OK(store->ops->checkpoint(store));
        for (unsigned n = 0; n < 3; n++) {
            put_customer(&p->a, "revenue", 3000 + 3 * round + n);
            run(p, 40);
        }
        run(p, 200);
        const off_t page = pages > round + 2 ? pages - round : 2;
        struct damage d = {.site = &p->a, .file = "journal/data.mdb", .from = page * PAGE, .to = (page + 1) * PAGE};
        site_restart_over(&p->a, meddle, &d);
        site_join(&p->a, &p->b);
        run(p, 3000);
        assert_whole(p);
        for (unsigned n = 0; n < 3; n++) assert_true(knows(&p->a, "revenue", 3000 + 3 * round + n));
    }
}

static void heads_of_an_older_time_are_not_believed(void **state)
{
    /* The page with the journal's heads is one of an older transaction: sound, and a batch behind.  Believed, the
     * office would use its last number again.  It is noticed, and the journal salvaged. */
    struct pair *p = *state;
    struct bench_office *o = p->a.office;
    struct kt_store *s = o->store->store;
    const struct kt_origin self = site_origin(&p->a);
    const uint64_t head = site_held_of(&p->a, self);
    uint8_t key[KT_ORIGIN_BYTES], older[KT_JOURNAL_HEAD_BYTES] = {0};
    struct kt_bytes value;
    struct kt_ledger *ledger;
    struct kt_txn *t;
    site_close(&p->a);
    kt_origin_pack(self, key);
    OK(s->ops->begin(s, KT_ENV_JOURNAL, true, &t));
    OK(s->ops->get(t, KT_T_journal_head, KT_BYTES_OF(key), &value));
    assert_int_equal(value.len, sizeof older);
    memcpy(older, value.data, sizeof older);
    older[7]--; /* the number; whatever hash stands there, it is of another batch */
    OK(s->ops->put(t, KT_T_journal_head, KT_BYTES_OF(key), KT_BYTES_OF(older)));
    OK(s->ops->commit(t));
    const struct kt_ledger_config c = {
        .store = s, .keyring = o->keyring, .world = &o->world->world, .phone_country = kt_str("49")};
    assert_int_equal(kt_ledger_open(&c, &ledger), KT_EDAMAGED);
    OK(kt_lmdb_condemn(s, KT_ENV_JOURNAL));
    bench_restart(o);
    site_open(&p->a, o);
    p->a.dice ^= 0x5bd1e995u;
    assert_int_equal(site_held_of(&p->a, self), head);
    assert_whole(p);
}

static void the_meta_pages_of_the_keys_are_gone(void **state)
{
    /* The first two pages of an office's keys are zeros, and its line is down.  It is who it was, opens all it could
     * open, and writes on under a new incarnation, later than all it said before. */
    struct pair *p = *state;
    struct damage d = {.site = &p->a, .file = "keys/data.mdb", .to = 2 * PAGE};
    const struct kt_origin before = site_origin(&p->a);
    const kt_hlc last = kt_vector_find(kt_ledger_vector(kt_engine_ledger(p->a.engine)), before)->hlc;
    site_restart_over(&p->a, meddle, &d);
    assert_true(p->a.office->salvaged_keys.identity && p->a.office->salvaged_keys.certificate);
    assert_int_equal(p->a.office->salvaged_keys.rosters, 1);
    assert_whole(p);
    put_customer(&p->a, "revenue", 1000);
    const struct kt_vector_entry *mine =
        kt_vector_find(kt_ledger_vector(kt_engine_ledger(p->a.engine)), site_origin(&p->a));
    assert_int_not_equal(site_origin(&p->a).incarnation, before.incarnation);
    assert_true(mine->number == 1 && mine->hlc > last);
    site_join(&p->a, &p->b);
    run(p, 2000);
    assert_true(knows(&p->b, "revenue", 1000));
    assert_whole(p);
}

static void any_page_of_the_keys_may_be_gone(void **state)
{
    /* Each page of the keys in turn is zeros, in an office that is linked: what was on it comes from the operator's
     * files and from the other office, and in the end nothing is held back.  So too when all pages are. */
    struct pair *p = *state;
    const off_t pages = used_bytes(&p->a, KT_ENV_KEYS) / PAGE;
    for (off_t page = 0; page <= pages; page++) {
        struct damage d = {.site = &p->a, .file = "keys/data.mdb", .from = page * PAGE, .to = (page + 1) * PAGE};
        if (page == pages) d.from = 0;
        site_restart_over(&p->a, meddle, &d);
        site_join(&p->a, &p->b);
        run(p, 6000);
        assert_whole(p);
    }
    assert_int_equal(p->a.office->salvaged_keys.wraps, 0); /* in the last round */
}

/* Turns one bit of a value, in the file under a running node. */
static void rot(struct site *s, const char *file, enum kt_env env, enum kt_table table, struct kt_bytes key)
{
    struct kt_store *store = s->office->store->store;
    struct kt_txn *t;
    struct kt_bytes value;
    char path[KT_PROBE_PATH_MAX];
    struct stat st;
    OK(store->ops->begin(store, env, false, &t));
    OK(store->ops->get(t, table, key, &value));
    const size_t len = value.len < 200 ? value.len : 200;
    uint8_t *needle = malloc(len);
    assert_non_null(needle);
    memcpy(needle, value.data, len);
    store->ops->abort(t);
    kt_bench_path(s->office->store, file, path);
    assert_int_equal(stat(path, &st), 0);
    uint8_t *all = malloc((size_t)st.st_size);
    assert_non_null(all);
    OK(kt_meddle_read(path, 0, all, (size_t)st.st_size));
    for (uint8_t *at = all; (at = memmem(at, (size_t)(all + st.st_size - at), needle, len)); at++) {
        const uint8_t turned = at[len / 2] ^ 4; /* copies of older transactions as well */
        OK(kt_meddle_write(path, at - all + (off_t)(len / 2), &turned, 1));
    }
    free(all);
    free(needle);
}

static void a_batch_that_rots_while_the_node_runs(void **state)
{
    /* A bit of a batch turns on the disk of a running office, and a third office, linked to that one alone, asks for
     * all.  It is never given the batch, nor for a while what was taken behind it, then what can do without it.  As
     * soon as an office that has the batch is linked it is back in its place, and the third office has everything. */
    struct pair *p = *state;
    struct site c, *const all[] = {&p->a, &p->b, &c};
    const uint64_t position = 20;
    site_part(&p->a, &p->b);
    rot(&p->a, "journal/data.mdb", KT_ENV_JOURNAL, KT_T_journal_batch, KT_BYTES_OF(position));
    site_open(&c, bench_office(&p->bench, 3));
    site_join(&p->a, &c);
    site_run(all, 3, 5000);
    assert_true(site_complains(&p->a, "1 batches were damaged on disk"));
    assert_false(site_complains(&p->a, "answers lack")); /* they were built before */
    const uint64_t some = kt_ledger_position(kt_engine_ledger(c.engine));
    assert_int_equal(some, position - 1);
    site_run(all, 3, 31000);
    assert_true(kt_ledger_position(kt_engine_ledger(c.engine)) > some);
    assert_int_equal(c.closed + p->a.closed, 0); /* nobody refused anybody */
    site_join(&p->a, &p->b);
    site_run(all, 3, 5000);
    assert_false(site_complains(&p->a, "damaged on disk"));
    site_assert_same(all, 3);
    assert_whole(p);
    OK(kt_lmdb_verify(p->a.office->store->store, KT_ENV_JOURNAL));
    site_close(&c);
}

static void a_hole_outlives_a_restart(void **state)
{
    /* A page of the journal is gone, and the line is down: the office says what its answers lack, and does not say that
     * its digests are good.  Restarted, with its store made again, it still knows; the line is mended, and it is whole.
     */
    struct pair *p = *state;
    const uint64_t position = 20;
    site_part(&p->a, &p->b);
    rot(&p->a, "journal/data.mdb", KT_ENV_JOURNAL, KT_T_journal_batch, KT_BYTES_OF(position));
    site_restart_over(&p->a, NULL, NULL);
    assert_int_equal(p->a.office->salvaged.lost, 1);
    for (unsigned turn = 0; turn < 2; turn++) {
        assert_true(site_complains(&p->a, "1 batches were damaged on disk"));
        assert_true(site_complains(&p->a, "answers lack what 1 damaged batches said"));
        assert_int_equal(site_status(&p->a)->digests_len, 0);
        OK(kt_lmdb_condemn(p->a.office->store->store, KT_ENV_STORE));
        site_restart_over(&p->a, NULL, NULL);
    }
    site_join(&p->a, &p->b);
    run(p, 5000);
    assert_false(site_complains(&p->a, "damaged"));
    assert_int_not_equal(site_status(&p->a)->digests_len, 0);
    assert_whole(p);
}

/* Some pages torn in the middle, lying where another belongs, full of noise, or with a few bits turned. */
static void spoil(void *ctx)
{
    struct damage *d = ctx;
    struct dice *dice = d->dice;
    char path[KT_PROBE_PATH_MAX];
    kt_bench_path(d->site->office->store, d->file, path);
    for (uint32_t n = 1 + dice_below(dice, 6); n > 0; n--) {
        const off_t at = (off_t)dice_below(dice, (uint32_t)(d->to / PAGE)) * PAGE;
        const off_t other = (off_t)dice_below(dice, (uint32_t)(d->to / PAGE)) * PAGE;
        uint8_t page[PAGE], half = dice_below(dice, 2) ? PAGE / 512 / 2 : PAGE / 512;
        OK(kt_meddle_read(path, dice_below(dice, 2) ? at : other, page, sizeof page));
        for (uint32_t bits = dice_below(dice, 4); bits > 0; bits--)
            page[dice_below(dice, PAGE)] ^= (uint8_t)(1u << dice_below(dice, 8));
        if (dice_below(dice, 4) == 0)
            for (size_t i = 0; i < sizeof page; i++) page[i] = (uint8_t)dice_below(dice, 256);
        OK(kt_meddle_write(path, at, page, 512u * half));
    }
}

static void whatever_was_spoilt_a_peer_makes_it_whole(void **state)
{
    /* Journal, keys or store of a linked office are spoilt at random, again and again, while both write on: each time
     * it starts, ends with all that both acknowledged, and says nothing that others refuse. */
    static const char *const files[] = {"journal/data.mdb", "keys/data.mdb", "store/data.mdb"};
    static const enum kt_env envs[] = {KT_ENV_JOURNAL, KT_ENV_KEYS, KT_ENV_STORE};
    struct pair *p = *state;
    const uint64_t seed = dice_seed(1);
    struct dice dice = {seed};
    print_message("KT_SEED=%llu\n", (unsigned long long)seed);
    for (unsigned round = 0; round < dice_rounds(8); round++) {
        const uint32_t which = dice_below(&dice, 3);
        struct damage d = {.site = &p->a, .file = files[which], .to = used_bytes(&p->a, envs[which]), .dice = &dice};
        site_restart_over(&p->a, spoil, &d);
        site_join(&p->a, &p->b);
        put_customer(&p->a, "revenue", 100 + round);
        put_customer(&p->b, "motor", 100 + round);
        run(p, 6000);
        assert_whole(p);
        assert_true(knows(&p->b, "revenue", 100 + round) && knows(&p->a, "motor", 100 + round));
        assert_int_equal(p->b.status.refused_batches, 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_meta_pages_of_the_journal_are_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_journal_cut_short_is_made_whole_by_a_peer, setup, teardown),
        cmocka_unit_test_setup_teardown(any_page_of_the_journal_may_be_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_checkpoint_counts_the_places_of_its_own_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_that_rots_while_the_node_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hole_outlives_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(heads_of_an_older_time_are_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(the_meta_pages_of_the_keys_are_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(any_page_of_the_keys_may_be_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_was_spoilt_a_peer_makes_it_whole, setup, teardown),
    };
    rogue_same_dice(); /* the offices' organisation is one */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
