#include "support/rogue.h"

#include "proto/batch/section.h"
#include "proto/peer/pulse.h"
#include "proto/schema/fields.h"
#include "support/bench_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

#define OK(call) assert_int_equal((call), KT_OK)

void rogue_open(struct rogue *r, struct bench_office *o)
{
    *r = (struct rogue){
        .keyring = o->keyring, .origin = {o->member, 7}, .number = 1, .hlc = (kt_hlc)SITE_START_MS << 16};
    kt_arena_init(&r->arena, 512u << 20);
}

void rogue_close(struct rogue *r) { kt_arena_free(&r->arena); }

struct kt_entity_id rogue_ward(uint8_t n) { return (struct kt_entity_id){{n}}; }

static const struct kt_roster *roster_of(const struct rogue *r)
{
    return r->roster ? r->roster : kt_keyring_roster(r->keyring);
}

static const struct kt_kek *newest(const struct kt_compartment_keys *k) { return &k->keks[k->keks_len - 1]; }

static struct kt_tag tag_of(const struct rogue *r, kt_compartment c, const struct kt_entity_id *ward)
{
    return kt_tag_of(kt_keyring_compartment(r->keyring, c), ward);
}

struct kt_dek rogue_key(const struct rogue *r, kt_compartment c, uint8_t ward)
{
    const struct kt_entity_id id = rogue_ward(ward);
    const struct kt_tag tag = tag_of(r, c, &id);
    struct kt_dek dek = {.key = {0x77, ward}};
    dek.id = kt_dek_id_of(dek.key, c, &tag, 0, newest(kt_keyring_compartment(r->keyring, c))->epoch);
    return dek;
}

struct kt_bytes rogue_kept(struct rogue *r, struct kt_buf *b)
{
    const struct kt_bytes copy = kt_arena_copy(&r->arena, kt_buf_bytes(b));
    assert_non_null(copy.data);
    kt_buf_free(b);
    return copy;
}

struct kt_bytes rogue_wrap_of(struct rogue *r, kt_compartment c, uint8_t ward, const struct kt_dek *dek)
{
    const struct kt_compartment_keys *k = kt_keyring_compartment(r->keyring, c);
    const struct kt_entity_id id = rogue_ward(ward);
    const struct kt_tag tag = tag_of(r, c, &id);
    struct kt_buf b;
    kt_buf_init(&b, 1024);
    OK(kt_wrap_seal(k, newest(k), dek, &tag, 0, newest(k)->epoch, &b));
    return rogue_kept(r, &b);
}

struct kt_bytes rogue_wrap(struct rogue *r, kt_compartment c, uint8_t ward)
{
    const struct kt_dek dek = rogue_key(r, c, ward);
    return rogue_wrap_of(r, c, ward, &dek);
}

void rogue_add_change(struct rogue *r, kt_compartment c, const struct kt_change *change, const struct kt_dek *dek)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_CHANGE_BYTES_MAX);
    OK(kt_change_encode(change, &b));
    const struct kt_bytes wrap = rogue_wrap_of(r, c, change->ward.b[0], dek);
    assert_true(r->len < ROGUE_ENVELOPES);
    r->envelopes[r->len++] = (struct kt_draft_envelope){.compartment = c,
                                                        .epoch = newest(kt_keyring_compartment(r->keyring, c))->epoch,
                                                        .stamp = r->hlc,
                                                        .tag = tag_of(r, c, &change->ward),
                                                        .dek = *dek,
                                                        .introduces = true,
                                                        .wrap_hash = kt_wrap_hash(wrap),
                                                        .change = rogue_kept(r, &b)};
}

void rogue_add(struct rogue *r, kt_compartment c, uint8_t ward, const struct kt_dek *dek, uint32_t field,
               const char *value)
{
    const struct kt_op op = {.entity = rogue_ward(ward), .field = field, .has_value = true, .value = kt_str(value)};
    const struct kt_change change = {.ward = rogue_ward(ward), .ops = &op, .ops_len = 1};
    rogue_add_change(r, c, &change, dek);
}

void rogue_add_noise(struct rogue *r, kt_compartment c, uint8_t ward, const struct kt_dek *dek, size_t filling)
{
    uint8_t *noise = kt_arena_alloc(&r->arena, KT_VALUE_BYTES_MAX);
    randombytes_buf_deterministic(noise, KT_VALUE_BYTES_MAX, (const uint8_t[32]){(uint8_t)r->number});
    struct kt_op ops[4];
    uint32_t n = 0;
    do { /* sets of a later schema: kept by whoever can read them */
        const size_t part = filling < KT_VALUE_BYTES_MAX ? filling : KT_VALUE_BYTES_MAX;
        ops[n] = (struct kt_op){.entity = rogue_ward(ward),
                                .field = KT_F_CUSTOMER_OCCUPATION + 0x40 + n,
                                .has_value = true,
                                .value = kt_bytes(noise, part ? part : 1)};
        filling -= part;
        n++;
    } while (filling && n < 3);
    const struct kt_change change = {.ward = rogue_ward(ward), .ops = ops, .ops_len = n};
    rogue_add_change(r, c, &change, dek);
}

struct kt_bytes rogue_seal(struct rogue *r)
{
    static const uint8_t bases[KT_SECTIONS_PER_BATCH_MAX][KT_NONCE_BASE_BYTES];
    const struct kt_roster *roster = roster_of(r);
    struct kt_draft_batch d = {.cluster = *kt_keyring_cluster(r->keyring),
                               .origin = r->origin,
                               .number = r->number++,
                               .previous = r->previous,
                               .hlc = r->hlc,
                               .roster_version = roster->version,
                               .roster_hash = roster->hash,
                               .envelopes = r->envelopes,
                               .envelopes_len = r->len};
    struct kt_buf b;
    kt_buf_init(&b, KT_BATCH_BYTES_MAX);
    kt_batch_number(&d);
    OK(kt_batch_seal(&d, bases, kt_keyring_identity(r->keyring)->sign_secret, &b, &r->previous));
    r->len = 0;
    return rogue_kept(r, &b);
}

struct kt_bytes rogue_reseal(struct rogue *r, struct kt_batch *b)
{
    struct kt_buf out;
    for (uint32_t i = 0; i < b->seal.sections_len; i++) {
        struct kt_section *s = &b->sections[i];
        struct kt_hasher h;
        kt_buf_init(&out, KT_BATCH_BYTES_MAX);
        OK(kt_section_header_encode(s, &out));
        s->header = rogue_kept(r, &out);
        kt_section_hash_begin(&h, s->header);
        for (uint32_t k = 0; k < s->items_len; k++) kt_section_hash_item(&h, &s->items[k]);
        kt_hash_end(&h, b->seal.sections[i].hash.b);
    }
    kt_buf_init(&out, KT_BATCH_BYTES_MAX);
    OK(kt_seal_encode(&b->seal, &out));
    b->seal_bytes = rogue_kept(r, &out);
    return rogue_sign(r, b);
}

struct kt_bytes rogue_sign(struct rogue *r, struct kt_batch *b)
{
    struct kt_buf out;
    uint8_t *signature = kt_arena_alloc(&r->arena, KT_SIGNATURE_BYTES);
    OK(kt_sign(KT_LABEL_SEAL, kt_keyring_identity(r->keyring)->sign_secret, b->seal_bytes, signature));
    b->signature = kt_bytes(signature, KT_SIGNATURE_BYTES);
    r->previous = kt_seal_hash(b->seal_bytes);
    kt_buf_init(&out, KT_BATCH_BYTES_MAX);
    OK(kt_batch_encode(b, &out));
    return rogue_kept(r, &out);
}

void rogue_reclear(struct rogue *r, struct kt_batch *b, uint32_t s, uint32_t i, const struct kt_clear *clear,
                   const struct kt_dek *dek, struct kt_bytes change)
{
    struct kt_item *item = &b->sections[s].items[i];
    const struct kt_section_summary *summary = &b->seal.sections[s];
    struct kt_envelope_place at = {.suite = b->seal.suite,
                                   .cluster = b->seal.cluster,
                                   .origin = b->seal.origin,
                                   .batch = b->seal.number,
                                   .roster_hash = b->seal.roster_hash,
                                   .compartment = summary->compartment,
                                   .epoch = summary->epoch,
                                   .envelope = kt_envelope_number(summary->compartment, i)};
    struct kt_buf out;
    memcpy(at.nonce_base, b->sections[s].nonce_base, sizeof at.nonce_base);
    kt_buf_init(&out, KT_CLEAR_BYTES_MAX);
    OK(kt_clear_encode(clear, &out));
    item->clear = rogue_kept(r, &out);
    kt_buf_init(&out, KT_ITEM_BYTES_MAX);
    OK(kt_envelope_seal(&at, dek->key, item->clear, change, &out));
    item->cipher = rogue_kept(r, &out);
    item->tag = clear->tag;
    item->generation = clear->generation;
    item->body_hash = kt_item_body_hash(item->clear, item->cipher);
}

struct kt_bytes rogue_pulse(struct rogue *r, const struct kt_pulse *p)
{
    struct kt_pulse pulse = *p;
    struct kt_buf b;
    pulse.suite = KT_SUITE_1;
    pulse.cluster = *kt_keyring_cluster(r->keyring);
    pulse.member = r->origin.member;
    kt_buf_init(&b, KT_PULSE_BYTES_MAX);
    OK(kt_pulse_encode(&pulse, kt_keyring_identity(r->keyring)->sign_secret, &b));
    return rogue_kept(r, &b);
}

static const char *same_name(void) { return "same"; }
static uint32_t same_number(void) { return 4; }
static void same_bytes(void *out, const size_t len) { memset(out, 0x42, len); }

void rogue_same_dice(void)
{
    static const randombytes_implementation same = {
        .implementation_name = same_name, .random = same_number, .buf = same_bytes};
    if (randombytes_set_implementation((randombytes_implementation *)&same)) abort();
}
