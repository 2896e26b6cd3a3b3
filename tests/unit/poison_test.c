/* Changes that are well sealed and that no reader can make sense of: everybody decides the same about them, what
 * stands beside them counts, and nobody chokes on them again and again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/schema/fields.h"
#include "proto/schema/schema.h"
#include "support/bench_group.h"
#include "support/bench_site.h"
#include "support/rogue.h"

#define OK(call) assert_int_equal((call), KT_OK)
#define LATER    (KT_F_CUSTOMER_OCCUPATION + 0x40u) /* a field that no schema knows yet */
#define PERSON   "{'entity':'customer','source_system':'revenue','source_id':'C-1','kind':'person','occupation':'smith'}"
#define CASE                                                                                                           \
    "{'entity':'case','source_system':'311','source_id':'S-1','customer':[{'ref':'revenue:C-1','role':'requester'}],"  \
    "'status':'open'}"

/* Envelope `i` holds these bytes instead of a change. */
static void put_bytes(struct rogue *r, struct kt_batch *b, uint32_t i, const struct kt_dek *dek, struct kt_bytes bytes)
{
    struct kt_clear clear;
    OK(kt_clear_decode(b->sections[0].items[i].clear, &clear));
    rogue_reclear(r, b, 0, i, &clear, dek, bytes);
}

/* Two good changes, the first and the last, with six between them that each choke an opener in another way. */
static struct kt_bytes poisoned(struct rogue *r, const struct kt_dek *dek)
{
    static uint8_t endless[20000];
    struct kt_batch b;
    struct kt_clear clear;
    for (uint32_t i = 0; i < ROGUE_ENVELOPES; i++) rogue_add(r, BENCH_REVENUE, 1, dek, LATER + i, "beside");
    OK(kt_batch_decode(rogue_seal(r), &r->arena, &b));
    put_bytes(r, &b, 1, dek, kt_str("this is no change at all")); /* not in the format */
    put_bytes(r, &b, 2, dek, kt_bytes("", 1));                    /* a byte of nothing */
    put_bytes(r, &b, 3, dek, kt_bytes("\x0a\x7f", 2));            /* cut short */
    memset(endless, 0x0a, sizeof endless);
    put_bytes(r, &b, 4, dek, KT_BYTES_OF(endless)); /* would open into far more than it may: travels as it is */
    struct kt_item *item = &b.sections[0].items[5]; /* sealed under the right key, then changed, then signed */
    uint8_t *cipher = kt_arena_alloc(&r->arena, item->cipher.len);
    memcpy(cipher, item->cipher.data, item->cipher.len);
    cipher[3] ^= 1;
    item->cipher.data = cipher;
    item->body_hash = kt_item_body_hash(item->clear, item->cipher);
    item = &b.sections[0].items[6]; /* a stamp before all time */
    OK(kt_clear_decode(item->clear, &clear));
    clear.hlc_delta = UINT64_MAX;
    rogue_reclear(r, &b, 0, 6, &clear, dek, kt_str("never opened"));
    return rogue_reseal(r, &b);
}

static void a_poison_change_is_void_everywhere_and_its_neighbours_stand(void **state)
{
    /* One batch with six changes that cannot be opened or decoded comes to one office from its author and to another by
     * way of the first.  Both void the same six, keep the same two, pass the batch on, and find the same again after a
     * restart and when the store is made again from the journal. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    struct rogue r;
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(*state, 1 + 2 * i));
    rogue_open(&r, bench_office(*state, 2));
    const struct kt_dek dek = rogue_key(&r, BENCH_REVENUE, 1);
    const struct kt_bytes wrap = rogue_wrap(&r, BENCH_REVENUE, 1);
    const uint64_t link = site_admit(&s[0], 2);
    site_give(&s[0], link, poisoned(&r, &dek), &wrap, 1);
    rogue_add(&r, BENCH_REVENUE, 1, &dek, LATER, "after");
    site_give(&s[0], link, rogue_seal(&r), NULL, 0);
    site_join(&s[0], &s[1]);
    site_run(both, 2, 20000);
    for (uint32_t i = 0; i < 2; i++) {
        const struct kt_engine_status *status = site_status(&s[i]);
        assert_int_equal(status->ledger.voided, 6);
        assert_int_equal(status->ledger.ops, 3);
        assert_int_equal(status->refused_batches, 0);
        assert_int_equal(status->batches_in, 2); /* once, not again and again */
        assert_int_equal(s[i].closed, 0);
    }
    site_assert_same(both, 2);
    site_restart(&s[0]);
    assert_int_equal(site_status(&s[0])->ledger.voided, 0); /* nothing is tried again */
    site_assert_same(both, 2);
    site_step(&s[1]);
    kt_engine_close(s[1].engine); /* the machine dies: the store is made again from the journal */
    OK(s[1].office->store->store->ops->discard(s[1].office->store->store));
    const struct kt_engine_config c = {
        .ledger = {.store = s[1].office->store->store, .keyring = s[1].office->keyring, .world = &s[1].world},
        .transport = &s[1].transport,
        .board = s[1].board};
    OK(kt_engine_open(&c, &s[1].engine));
    assert_int_equal(site_status(&s[1])->ledger.voided, 6);
    site_assert_same(both, 2);
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
    rogue_close(&r);
}

/* ---------------------------------------------------------------------------------------------------------- values */

struct mill {
    struct rogue *rogue;
    struct site *site;
    uint64_t link;
    struct kt_entity_id ward;
    struct kt_op ops[64];
    uint32_t len;
};

static void send(struct mill *m, kt_compartment c)
{
    struct kt_dek dek = {.key = {0x33, (uint8_t)c}};
    const struct kt_compartment_keys *k = kt_keyring_compartment(m->rogue->keyring, c);
    const struct kt_tag tag = kt_tag_of(k, &m->ward);
    struct kt_buf b;
    if (!m->len) return;
    dek.id = kt_dek_id_of(dek.key, c, &tag, 0, 1);
    kt_buf_init(&b, 1024);
    OK(kt_wrap_seal(k, &k->keks[0], &dek, &tag, 0, 1, &b));
    const struct kt_bytes wrap = rogue_kept(m->rogue, &b);
    const struct kt_change change = {.ward = m->ward, .ops = m->ops, .ops_len = m->len};
    rogue_add_change(m->rogue, c, &change, &dek);
    site_give(m->site, m->link, rogue_seal(m->rogue), &wrap, 1);
    m->len = 0;
}

/* Every field of every kind gets values that nobody can read, at elements that nobody made. */
static void fill_with_nonsense(struct mill *m, kt_compartment c)
{
    static const uint8_t junk[] = {0xff, 0xfe, 0x00, 0x0a, 0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static uint8_t long_text[2000];
    const struct kt_bytes values[] = {KT_BYTES_OF(junk), kt_bytes("", 0), kt_str("\x0a\x05short"),
                                      KT_BYTES_OF(long_text)};
    const struct kt_bytes elements[] = {kt_bytes("", 0), kt_str("x"), kt_str("0123456789abcdef0123456789abcdef")};
    memset(long_text, 'A', sizeof long_text);
    for (uint32_t kind = 0; kind <= KT_KIND_COUNT; kind++)
        for (uint32_t n = 1; n < 256; n++) {
            const uint32_t field = kind << 8 | n;
            if (!kt_schema_field(field) && n % 99) continue; /* and some that are in no schema */
            for (uint32_t i = 0; i < 4; i++) {
                m->ops[m->len++] = (struct kt_op){.entity = m->ward,
                                                  .field = field,
                                                  .element = elements[(n + i) % 3],
                                                  .has_value = true,
                                                  .value = values[i]};
                if (m->len >= 32) send(m, c);
            }
        }
    send(m, c);
}

static void values_that_nobody_can_read_end_no_view(void **state)
{
    /* A member writes nonsense into every field of a customer and of a case, in core and elsewhere.  Lookups go on,
     * what was well written shows, other people are not touched, and two offices hold the same. */
    struct site s[2], *both[] = {&s[0], &s[1]};
    struct rogue r;
    for (uint32_t i = 0; i < 2; i++) site_open(&s[i], bench_office(*state, 1 + 2 * i));
    rogue_open(&r, bench_office(*state, 2));
    OK(site_put(&s[0], PERSON));
    OK(site_put(&s[0], CASE));
    OK(site_put(&s[0], "{'entity':'customer','source_system':'revenue','source_id':'C-2','kind':'person'}"));
    struct mill m = {.rogue = &r, .site = &s[0], .link = site_admit(&s[0], 2)};
    const uint8_t *id_key = kt_keyring_id_key(s[0].office->keyring);
    static const kt_compartment into[] = {BENCH_CORE, BENCH_REVENUE, BENCH_SERVICE};
    for (uint32_t i = 0; i < 3; i++) {
        m.ward = kt_entity_id_of(id_key, KT_CUSTOMER, kt_str("revenue"), kt_str("C-1"));
        fill_with_nonsense(&m, into[i]);
        m.ward = kt_entity_id_of(id_key, KT_CASE, kt_str("311"), kt_str("S-1"));
        fill_with_nonsense(&m, into[i]);
    }
    assert_int_equal(site_status(&s[0])->ledger.voided, 0);
    assert_int_equal(s[0].closed, 0);
    site_join(&s[0], &s[1]);
    site_run(both, 2, 10000);
    site_assert_same(both, 2);
    for (uint32_t i = 0; i < 2; i++) {
        struct bench_office *o = s[i].office;
        json_t *j = bench_look(o, KT_BY_SOURCE, "revenue:C-1");
        assert_int_equal(o->code, KT_OK);
        json_decref(j);
        j = bench_look(o, KT_BY_CASE, "S-1");
        assert_true(o->code == KT_OK || o->code == KT_ENOTFOUND);
        json_decref(j);
        j = bench_look(o, KT_BY_SOURCE, "revenue:C-2");
        assert_int_equal(o->code, KT_OK);
        json_decref(j);
        json_decref(bench_conflicts(o));
        site_restart(&s[i]);
    }
    site_join(&s[0], &s[1]);
    OK(site_put(&s[1], PERSON)); /* and it can be written to */
    site_run(both, 2, 5000);
    site_assert_same(both, 2);
    for (uint32_t i = 0; i < 2; i++) site_close(&s[i]);
    rogue_close(&r);
}

/* ---------------------------------------------------------------------------------------------------------- frames */

#define AMPLIFICATION_MAX 64u /* bytes of memory for each byte of a frame, at the very most */

static int take_in(struct bench_office *o, struct kt_bytes frame)
{
    struct kt_intake *i = kt_intake_frame(o->keyring, NULL, 1, frame);
    assert_non_null(i);
    const int verdict = i->verdict;
    assert_true(i->arena.used_bytes <= AMPLIFICATION_MAX * frame.len + (1u << 20));
    kt_intake_free(i);
    return verdict;
}

static void frames_too_long_too_deep_and_too_many_cost_no_memory(void **state)
{
    /* Frames as a hostile peer would make them: longer than a frame may be; messages in messages, sixty thousand deep;
     * each part full of as many empty things as fit, of every kind.  Each is refused or means little, and none takes
     * memory out of proportion. */
    struct bench_office *o = bench_office(*state, 1);
    static uint8_t bytes[KT_FRAME_BYTES_MAX + 1];
    struct kt_buf b;
    assert_int_equal(take_in(o, KT_BYTES_OF(bytes)), KT_EOVERSIZE);
    for (uint32_t part = 1; part <= KT_PEER_BATCHES_BY_ID + 1; part++) {
        size_t at = sizeof bytes - 1, len = 0; /* from the inside out: tag, length in three bytes */
        while (at > 4 && len < KT_FRAME_BYTES_MAX - 8) {
            at -= 4;
            bytes[at] = (uint8_t)((at < 8 ? part : part % 3 + 1) << 3 | 2);
            bytes[at + 1] = (uint8_t)(len & 0x7f) | 0x80;
            bytes[at + 2] = (uint8_t)(len >> 7 & 0x7f) | 0x80;
            bytes[at + 3] = (uint8_t)(len >> 14 & 0x7f);
            len += 4;
        }
        (void)take_in(o, kt_bytes(bytes + at, sizeof bytes - 1 - at));
        for (uint32_t field = 1; field <= 8; field++)
            for (uint32_t wire = 0; wire <= 2; wire += 2) {
                const uint32_t n = KT_FRAME_BYTES_MAX / 8; /* two bytes each */
                kt_buf_init(&b, KT_FRAME_BYTES_MAX);
                for (uint32_t i = 0; i < n; i++) {
                    kt_buf_u8(&b, (uint8_t)(field << 3 | wire));
                    kt_buf_u8(&b, 0);
                }
                struct kt_buf frame;
                kt_buf_init(&frame, KT_FRAME_BYTES_MAX);
                kt_buf_pb_bytes(&frame, part, kt_buf_bytes(&b));
                OK(frame.err);
                (void)take_in(o, kt_buf_bytes(&frame));
                kt_buf_free(&frame);
                kt_buf_free(&b);
            }
    }
}

int main(void)
{
    rogue_same_dice();
    static const struct CMUnitTest tests[] = {
        OVER(memory, a_poison_change_is_void_everywhere_and_its_neighbours_stand),
        OVER(memory, values_that_nobody_can_read_end_no_view),
        OVER(memory, frames_too_long_too_deep_and_too_many_cost_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
