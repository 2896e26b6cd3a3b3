/* Erasures at work: on the word of two members a ward's data is dead in a compartment, whenever and by whatever way it
 * comes.  Its keys, its values and its batches' contents go at every office, blind ones included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/journal/journal.h"
#include "engine/verify.h"
#include "proto/batch/erasure.h"
#include "proto/schema/schema.h"
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
};

/* ---------------------------------------------------------------------------------------------------- three offices */

/* Offices 1 and 2 have the right to erase. */
static void give_rights(struct site *s)
{
    const struct kt_roster *newest = kt_keyring_roster(s->office->keyring);
    struct kt_roster_member members[BENCH_OFFICES];
    struct kt_roster next = *newest;
    struct kt_buf b;
    bool newer;
    memcpy(members, newest->members, sizeof members);
    members[0].may_erase = members[1].may_erase = true;
    next.version++;
    next.previous = newest->hash;
    next.members = members;
    bench_sign_roster(&next, &b);
    const struct kt_bytes bytes = kt_buf_bytes(&b);
    OK(kt_keyring_take_rosters(s->office->keyring, &bytes, 1, NULL, 0, &newer));
    kt_buf_free(&b);
}

static struct trio *open_trio(struct bench *b)
{
    struct trio *t = calloc(1, sizeof *t);
    assert_non_null(t);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) {
        t->s[i].office = bench_office(b, i + 1);
        give_rights(&t->s[i]);
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

static void part_all(struct trio *t)
{
    for (uint32_t i = 0; i < BENCH_OFFICES; i++)
        for (uint32_t k = i + 1; k < BENCH_OFFICES; k++) site_part(&t->s[i], &t->s[k]);
}

static void join_all(struct trio *t)
{
    part_all(t);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++)
        for (uint32_t k = i + 1; k < BENCH_OFFICES; k++) site_join(&t->s[i], &t->s[k]);
}

static void come_together(struct trio *t)
{
    join_all(t);
    site_run(t->all, 3, 3 * KT_PULSE_MS);
    site_assert_same(t->all, 3);
}

static void put(struct site *s, uint32_t customer, const char *fields)
{
    char line[512];
    snprintf(line, sizeof line, "{'entity':'customer','source_system':'revenue','source_id':'C-%u',%s}", customer,
             fields);
    OK(site_put(s, line));
}

/* -------------------------------------------------------------------------------------------------------- erasures */

static struct kt_tag tag_of(struct site *s, kt_compartment c, const char *system, uint32_t customer)
{
    char id[16];

    snprintf(id, sizeof id, "C-%u", customer);
    const struct kt_entity_id ward =
        kt_entity_id_of(kt_keyring_id_key(s->office->keyring), KT_CUSTOMER, kt_str(system), kt_str(id));
    return kt_tag_of(kt_keyring_compartment(s->office->keyring, c), &ward);
}

/* Signed by these members ("12"). */
static void sign(struct trio *t, const struct kt_erasure *x, const char *members, struct kt_buf *out)
{
    struct kt_erasure_signature signatures[4];
    struct kt_buf body;
    const uint32_t n = (uint32_t)strlen(members);
    kt_buf_init(&body, 1024);
    OK(kt_erasure_encode_body(x, &body));
    for (uint32_t i = 0; i < n; i++) {
        const struct site *s = &t->s[members[i] - '1'];
        OK(kt_erasure_sign(kt_buf_bytes(&body), s->office->member, kt_keyring_identity(s->office->keyring)->sign_secret,
                           &signatures[i]));
    }
    kt_buf_init(out, KT_ERASURE_BYTES_MAX);
    OK(kt_erasure_encode(kt_buf_bytes(&body), signatures, n, out));
    kt_buf_free(&body);
}

static void tell_signed(struct site *s, const struct kt_buf *erasure)
{
    struct kt_bytes bytes = kt_buf_bytes(erasure);
    struct kt_peer_message m = {.part = KT_PEER_ERASURES, .erasures = {&bytes, 1}};
    const uint64_t link = site_admit(s, s->office->member == 1 ? 2 : 1);
    site_say(s, link, &m);
    site_step(s);
    site_hang_up(s, link);
    site_step(s);
}

static struct kt_erasure erasure_of(struct trio *t, kt_compartment c, const char *system, uint32_t customer,
                                    uint32_t generation)
{
    return (struct kt_erasure){*kt_keyring_cluster(t->s[0].office->keyring), c, tag_of(&t->s[0], c, system, customer),
                               generation, (kt_hlc)SITE_START_MS << 16};
}

static void erase_at(struct trio *t, struct site *s, kt_compartment c, const char *system, uint32_t customer)
{
    struct kt_erasure x = erasure_of(t, c, system, customer, 0);
    struct kt_buf b;
    const uint32_t next = kt_keyring_generation(s->office->keyring, c, &x.tag);
    x.generation = next; /* all that was written so far, as this office knows it */
    sign(t, &x, "12", &b);
    tell_signed(s, &b);
    kt_buf_free(&b);
    assert_true(kt_keyring_erased(s->office->keyring, c, &x.tag, next));
}

static void erase_customer(struct trio *t, struct site *s, uint32_t customer)
{
    erase_at(t, s, BENCH_CORE, "revenue", customer);
    erase_at(t, s, BENCH_REVENUE, "revenue", customer);
}

/* Items with content and without in the journal of an office. */
static void count_items(struct site *s, uint32_t *whole, uint32_t *erased)
{
    struct kt_store *store = s->office->store->store;
    struct kt_txn *t;
    struct kt_arena a;
    uint64_t base, next;
    *whole = *erased = 0;
    kt_arena_init(&a, 64u << 20);
    OK(store->ops->begin(store, KT_ENV_JOURNAL, false, &t));
    OK(kt_journal_span(store, t, &base, &next));
    for (uint64_t p = base; p < next; p++) {
        struct kt_journal_entry entry;
        struct kt_batch b;
        OK(kt_journal_get(store, t, p, &entry));
        OK(kt_batch_decode(entry.batch, &a, &b));
        for (uint32_t i = 0; i < b.seal.sections_len; i++)
            for (uint32_t k = 0; k < b.sections[i].items_len; k++) ++*(b.sections[i].items[k].erased ? erased : whole);
    }
    store->ops->abort(t);
    kt_arena_free(&a);
}

static uint64_t wraps(struct site *s)
{
    struct kt_store *store = s->office->store->store;
    struct kt_txn *t;
    uint64_t n;
    OK(store->ops->begin(store, KT_ENV_KEYS, false, &t));
    OK(store->ops->count(t, KT_T_keys_wrap, &n));
    store->ops->abort(t);
    return n;
}

static void assert_whole(struct site *s)
{
    struct kt_verify_report report;
    OK(kt_verify_run(s->office->store->store, s->office->keyring, &report));
}

static void assert_gone(struct site *s, enum kt_lookup_by by, const char *what)
{
    json_t *j = bench_look(s->office, by, what);
    if (!j) return;
    char *text = json_dumps(json_object_get(j, "customer"), JSON_SORT_KEYS);
    assert_null(strstr(text, "baker"));
    assert_null(strstr(text, "Okafor"));
    free(text);
    json_decref(j);
}

/* ------------------------------------------------------------------------------------------------------- one erasure
 */

/* A customer with fields in two compartments, rows in lists and another customer beside: two members have the one
 * erased. Everywhere her keys, values, identifiers and the contents of her envelopes are gone, the other stays, digests
 * agree and nothing is damaged; the same after a stop.  What is written of her then is seen by all. */
static void an_erasure_goes_everywhere(void **state)
{
    struct trio *t = open_trio(*state);
    uint32_t whole[2], erased[2];
    join_all(t);
    put(&t->s[0], 1,
        "'kind':'person','occupation':'baker','name':[{'familyName':'Okafor'}],"
        "'identifier':[{'system':'tax','value':'7'}]");
    put(&t->s[1], 2, "'kind':'person','occupation':'cook','identifier':[{'system':'tax','value':'8'}]");
    put(&t->s[2], 1, "'tag':['late'],'birthDate':'1980-01-01'");
    site_run(t->all, 3, 1000);
    site_assert_same(t->all, 3);
    count_items(&t->s[2], &whole[0], &erased[0]);
    const uint64_t before = wraps(&t->s[2]);
    erase_customer(t, &t->s[0], 1);
    site_run(t->all, 3, 2000);
    for (uint32_t round = 0; round < 2; round++) {
        site_assert_same(t->all, 3);
        for (uint32_t i = 0; i < BENCH_OFFICES; i++) {
            assert_gone(&t->s[i], KT_BY_SOURCE, "revenue:C-1");
            assert_null(bench_look(t->s[i].office, KT_BY_ID, "tax:7"));
            json_t *other = bench_look(t->s[i].office, KT_BY_ID, "tax:8");
            assert_string_equal(bench_text(other, "customer/occupation"), "cook");
            json_decref(other);
            count_items(&t->s[i], &whole[1], &erased[1]);
            assert_int_equal(erased[1], 4);
            assert_int_equal(whole[1] + erased[1], whole[0]);
            assert_true(wraps(&t->s[i]) < before);
            assert_whole(&t->s[i]);
            site_restart(&t->s[i]);
        }
        come_together(t);
    }
    put(&t->s[1], 1, "'kind':'person','occupation':'nurse'");
    come_together(t);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) {
        json_t *j = bench_look(t->s[i].office, KT_BY_SOURCE, "revenue:C-1");
        assert_string_equal(bench_text(j, "customer/occupation"), "nurse");
        assert_null(bench_at(j, "customer/name/0"));
        json_decref(j);
    }
    close_trio(t);
}

/* An office that may not read a compartment keeps its batches for others: what is erased there goes from them too, and
 * so do the keys, though it could never open them. */
static void a_blind_office_forgets_too(void **state)
{
    struct trio *t = open_trio(*state);
    uint32_t whole, erased;
    join_all(t);
    OK(site_put(&t->s[0], "{'entity':'customer','source_system':'clinic','source_id':'C-1','kind':'person',"
                          "'occupation':'baker'}"));
    site_run(t->all, 3, 1000);
    const uint64_t before = wraps(&t->s[2]);
    erase_at(t, &t->s[2], BENCH_HEALTH, "clinic", 1);
    site_run(t->all, 3, 1000);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) {
        count_items(&t->s[i], &whole, &erased);
        assert_int_equal(erased, 1);
    }
    assert_int_equal(wraps(&t->s[2]), before - 1);
    site_assert_same(t->all, 3);
    close_trio(t);
}

/* An office that is cut off writes of a customer whom the others erase meanwhile.  When the line is mended its write is
 * dead on arrival, at its own place too; what it writes then counts. */
static void a_write_made_elsewhere_is_dead(void **state)
{
    struct trio *t = open_trio(*state);
    join_all(t);
    put(&t->s[0], 1, "'kind':'person','occupation':'baker'");
    site_run(t->all, 3, 1000);
    part_all(t);
    site_step(&t->s[2]);
    put(&t->s[2], 1, "'occupation':'baker and Okafor'");
    erase_customer(t, &t->s[1], 1);
    put(&t->s[1], 1, "'tag':['again']");
    come_together(t);
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) {
        assert_gone(&t->s[i], KT_BY_SOURCE, "revenue:C-1");
        assert_whole(&t->s[i]);
    }
    put(&t->s[2], 1, "'occupation':'nurse'");
    come_together(t);
    json_t *j = bench_look(t->s[0].office, KT_BY_SOURCE, "revenue:C-1");
    assert_string_equal(bench_text(j, "customer/occupation"), "nurse");
    assert_string_equal(bench_text(j, "customer/tag/0"), "again");
    json_decref(j);
    close_trio(t);
}

/* One signature, that of a member without the right twice over, another organisation's, the last generation there can
 * be: none of them erases anything, and a key that was destroyed is not taken back. */
static void what_does_not_erase(void **state)
{
    struct trio *t = open_trio(*state);
    struct kt_erasure x = erasure_of(t, BENCH_REVENUE, "revenue", 1, 0), other = x, last = x;
    struct kt_buf b[4];
    put(&t->s[0], 1, "'kind':'person','occupation':'baker'");
    other.cluster.b[0] ^= 1;
    last.generation = UINT32_MAX;
    sign(t, &x, "1", &b[0]);
    sign(t, &x, "133", &b[1]);
    sign(t, &other, "12", &b[2]);
    sign(t, &last, "12", &b[3]);
    for (uint32_t i = 0; i < 4; i++) {
        tell_signed(&t->s[0], &b[i]);
        assert_false(kt_keyring_erased(t->s[0].office->keyring, BENCH_REVENUE, &x.tag, 0));
        kt_buf_free(&b[i]);
    }
    json_t *j = bench_look(t->s[0].office, KT_BY_SOURCE, "revenue:C-1");
    assert_string_equal(bench_text(j, "customer/occupation"), "baker");
    json_decref(j);
    close_trio(t);
}

/* The disk refuses one call after the other while an erasure is taken: the node goes on, and once there is room and the
 * erasure comes again nothing of what it names is left. */
static void a_full_disk_delays_it(void **state)
{
    struct trio *t = open_trio(*state);
    struct site *s = &t->s[0];
    for (uint32_t nth = 1; nth <= 60; nth++) {
        struct kt_erasure x = erasure_of(t, BENCH_REVENUE, "revenue", 1, nth - 1);
        struct kt_buf b;
        put(s, 1, "'kind':'person','occupation':'baker'");
        sign(t, &x, "12", &b);
        kt_memory_fail(s->office->store->memory, nth, KT_EFULL);
        tell_signed(s, &b);
        kt_memory_fail(s->office->store->memory, 0, KT_OK);
        tell_signed(s, &b);
        site_run(t->all, 1, 1500);
        kt_buf_free(&b);
        assert_true(kt_keyring_erased(s->office->keyring, BENCH_REVENUE, &x.tag, nth - 1));
        assert_gone(s, KT_BY_SOURCE, "revenue:C-1");
        assert_whole(s);
    }
    close_trio(t);
}

/* --------------------------------------------------------------------------------------------------- any order */

static void write_something(struct site *s, struct dice *d)
{
    static const char *const what[] = {
        "'kind':'person','birthDate':'1980-01-0%u'",
        "'tag':['t%u']",
        "'remove':{'tag':['t%u']}",
        "'contactPoint':[{'system':'phone','value':'+44 20 7946 000%u'}]",
        "'identifier':[{'system':'tax','value':'%u'}]",
        "'occupation':'trade %u'",
        "'deleted':true",
    };
    char fields[256];
    snprintf(fields, sizeof fields, what[dice_below(d, sizeof what / sizeof *what)], 1 + dice_below(d, 4));
    put(s, dice_below(d, 2), fields);
}

static void one_trial(struct bench *b, uint64_t seed)
{
    struct dice d = {seed};
    struct trio *t = open_trio(b);
    join_all(t);
    for (uint32_t n = 30; n > 0; n--) {
        struct site *s = &t->s[dice_below(&d, BENCH_OFFICES)];
        struct kt_store *store = s->office->store->store;
        write_something(s, &d);
        if (dice_in(&d, 3)) site_run(t->all, 3, 100);
        if (dice_in(&d, 8)) part_all(t);
        if (dice_in(&d, 8)) join_all(t);
        if (dice_in(&d, 10)) erase_at(t, s, dice_in(&d, 2) ? BENCH_CORE : BENCH_REVENUE, "revenue", dice_below(&d, 2));
        if (dice_in(&d, 10)) OK(store->ops->checkpoint(store));
        if (dice_in(&d, 10)) site_restart(s);
    }
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

/* Offices write of two customers, apart and together, stop and start, and erasures come in anywhere: all end alike. */
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
        OVER_BOTH(an_erasure_goes_everywhere),        OVER(memory, a_blind_office_forgets_too),
        OVER(memory, a_write_made_elsewhere_is_dead), OVER(memory, what_does_not_erase),
        OVER(memory, a_full_disk_delays_it),          cmocka_unit_test(the_order_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
