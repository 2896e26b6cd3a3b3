/* An office whose files were damaged after somebody was erased: their older pages still have what is to stay gone. */
#include "engine/journal/journal.h"
#include "proto/batch/erasure.h"
#include "proto/schema/schema.h"
#include "support/bench_organisation.h"
#include "support/rogue.h"
#include "support/salvage_pair.h"

/* A second roster, by which offices 1 and 2 may erase. */
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
    site_restart(s);
}

/* A customer's own fields are dead in a compartment, as both offices signed. */
static struct kt_tag erase_customer(struct pair *p, kt_compartment c, const char *id)
{
    struct kt_keyring *keyrings[] = {p->a.office->keyring, p->b.office->keyring};
    const struct kt_entity_id ward =
        kt_entity_id_of(kt_keyring_id_key(keyrings[0]), KT_CUSTOMER, kt_str("revenue"), kt_str(id));
    const struct kt_erasure x = {.cluster = *kt_keyring_cluster(keyrings[0]),
                                 .compartment = c,
                                 .tag = kt_tag_of(kt_keyring_compartment(keyrings[0], c), &ward)};
    struct kt_erasure_signature signatures[2];
    struct kt_buf body, b;
    kt_buf_init(&body, 1024);
    kt_buf_init(&b, KT_ERASURE_BYTES_MAX);
    OK(kt_erasure_encode_body(&x, &body));
    for (uint32_t i = 0; i < 2; i++)
        OK(kt_erasure_sign(kt_buf_bytes(&body), i + 1, kt_keyring_identity(keyrings[i])->sign_secret, &signatures[i]));
    OK(kt_erasure_encode(kt_buf_bytes(&body), signatures, 2, &b));
    struct kt_bytes bytes = kt_buf_bytes(&b);
    const struct kt_peer_message m = {.part = KT_PEER_ERASURES, .erasures = {&bytes, 1}};
    const uint64_t link = site_admit(&p->a, 2);
    site_say(&p->a, link, &m);
    site_step(&p->a);
    site_hang_up(&p->a, link);
    kt_buf_free(&body);
    kt_buf_free(&b);
    return x.tag;
}

static uint64_t wraps_of(struct site *s, kt_compartment c, const struct kt_tag *tag, uint32_t *erased_items)
{
    struct kt_store *store = s->office->store->store;
    struct kt_txn *t;
    struct kt_arena a;
    uint64_t base, next, n = 0;
    struct kt_cursor *cursor;
    struct kt_bytes key, value;
    kt_arena_init(&a, 64u << 20);
    OK(store->ops->begin(store, KT_ENV_KEYS, false, &t));
    OK(store->ops->cursor(t, KT_T_keys_wrap, &cursor));
    for (enum kt_seek how = KT_SEEK_AT_OR_AFTER; !store->ops->seek(cursor, how, kt_bytes(NULL, 0), &key, &value);
         how = KT_SEEK_NEXT) {
        struct kt_wrap w;
        OK(kt_wrap_decode(value, &w));
        n += w.compartment == c && memcmp(&w.tag, tag, sizeof *tag) == 0;
    }
    store->ops->abort(t);
    *erased_items = 0;
    OK(store->ops->begin(store, KT_ENV_JOURNAL, false, &t));
    OK(kt_journal_span(store, t, &base, &next));
    for (uint64_t at = base; at < next; at++) {
        struct kt_journal_entry entry;
        struct kt_batch b;
        OK(kt_journal_get(store, t, at, &entry));
        OK(kt_batch_decode(entry.batch, &a, &b));
        for (uint32_t i = 0; i < b.seal.sections_len; i++)
            for (uint32_t k = 0; k < b.sections[i].items_len; k++) *erased_items += b.sections[i].items[k].erased;
    }
    store->ops->abort(t);
    kt_arena_free(&a);
    return n;
}

static void meddle_both(void *ctx)
{
    struct damage *d = ctx;
    d->file = "keys/data.mdb";
    meddle(d);
    d->file = "journal/data.mdb";
    meddle(d);
}

static void what_was_erased_stays_so(void **state)
{
    /* A customer is erased; both files of the office still have pages of before, with her keys and what she said.  Both
     * lose their meta pages, and are salvaged: neither her keys come back nor the contents of her envelopes. */
    struct pair *p = *state;
    struct damage d = {.site = &p->a, .to = 2 * PAGE};
    uint32_t erased;
    site_part(&p->a, &p->b);
    give_rights(&p->a);
    give_rights(&p->b);
    const struct kt_tag tag = erase_customer(p, BENCH_REVENUE, "C-7");
    site_run((struct site *const[]){&p->a}, 1, 2000);
    assert_int_equal(wraps_of(&p->a, BENCH_REVENUE, &tag, &erased), 0);
    assert_int_equal(erased, 1);
    site_restart_over(&p->a, meddle_both, &d);
    assert_int_equal(p->a.office->salvaged_keys.erasures, 1);
    assert_int_equal(p->a.office->salvaged_keys.rosters, 2);
    site_run((struct site *const[]){&p->a}, 1, 2000);
    assert_int_equal(wraps_of(&p->a, BENCH_REVENUE, &tag, &erased), 0);
    assert_int_equal(erased, 1);
    assert_int_equal(site_status(&p->a)->ledger.held, 0);
    site_join(&p->a, &p->b);
    run(p, 6000);
    assert_int_equal(wraps_of(&p->b, BENCH_REVENUE, &tag, &erased), 0);
    assert_whole(p);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_erased_stays_so, setup, teardown),
    };
    rogue_same_dice(); /* the offices' organisation is one */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
