/* What the offices have lived through, and what can be asked of it. */
#include "damage/damage.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CUSTOMERS   160u
#define LATE        8u /* customers whose keys never come */
#define LINE_BYTES  8192u
#define ARENA_BYTES (64u << 20)
#define BATCH_LINES 7u

__attribute__((format(printf, 2, 3))) static void put(struct site *o, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    must(n > 0 && (size_t)n < sizeof line, "a line is too long");
    site_put(o, line);
    if (o->inbox_len >= BATCH_LINES) must(site_step(o) == KT_OK, "an office gives up");
}

/* So many letters that do not compress to nothing. */
static const char *letters(struct site *o, uint32_t n, char *out)
{
    for (uint32_t i = 0; i < n; i++) out[i] = (char)('a' + dice_throw(&o->dice) % 23);
    out[n] = '\0';
    return out;
}

static void put_customer(struct site *o, uint32_t i)
{
    put(o,
        "{'entity':'customer','source_system':'revenue','source_id':'C-%u','kind':'person','birthDate':'1980-02-%02u',"
        "'name':[{'use':'official','familyName':'Okafor%u','givenName':['Ada']}],'identifier':[{'system':'tax','value':"
        "'T-%u'}],'contactPoint':[{'system':'phone','value':'+49 30 5550%03u'},{'system':'email','value':"
        "'c%u@example.org'}],'occupation':'teacher'}",
        i, i % 28 + 1, i, i, i % 120, i);
}

static void put_more(struct site *o, uint32_t i)
{
    char text[4096];
    if (i % 3 == 0) {
        put(o,
            "{'entity':'customer','source_system':'motor','source_id':'M-%u','kind':'person','identifier':[{'system':"
            "'plate','value':'P-%u'}]}",
            i, i);
        put(o,
            "{'entity':'identity_link','a':'revenue:C-%u','b':'motor:M-%u','verdict':'%s','by':'MANUAL','reason':"
            "'same passport'}",
            i, i, i % 9 ? "MATCH" : "POSSIBLE_MATCH");
        put(o,
            "{'entity':'licence','source_system':'motor','source_id':'L-%u','number':'L-%u','holder':'motor:M-%u',"
            "'status':'active'}",
            i, i, i);
    }
    if (i % 2) return;
    put(o,
        "{'entity':'case','source_system':'311','source_id':'S-%u','customer':[{'ref':'revenue:C-%u','role':"
        "'requester'}],'service_code':'noise','subject':'%s','status':'open','requested_datetime':"
        "'2026-03-01T21:10:00Z'}",
        i, i, letters(o, i % 20 ? 20 : 1500, text));
    const uint32_t calls = i % 40 ? i % 3 : 45; /* some lists are longer than a view shows */
    for (uint32_t k = 0; k < calls; k++)
        put(o,
            "{'entity':'interaction','source_system':'311','source_id':'I-%u-%u','case':'311:S-%u','channel':'phone',"
            "'direction':'in','occurred':'2026-03-01T21:%02u:00Z','body':'%s'}",
            i, k, i, k, letters(o, 60, text));
}

static void put_rest(struct site *o, uint32_t i)
{
    if (i % 5 == 0)
        put(o, "{'entity':'customer','source_system':'clinic','source_id':'H-%u','kind':'person','occupation':'%u'}", i,
            i);
    if (i % 5 == 1)
        put(o, "{'entity':'relationship','from':'revenue:C-%u','to':'revenue:C-%u','type':'parent'}", i, i + 1);
    if (i % 5 == 2) put(o, "{'entity':'consent','customer':'revenue:C-%u','purpose':'letters','decision':'permit'}", i);
    if (i % 5 == 3 && i % 2 == 0)
        put(o,
            "{'entity':'task','source_system':'311','source_id':'T-%u','case':'311:S-%u','type':'visit','status':"
            "'in_progress','owner':'ann'}",
            i, i);
    if (i % 31 == 0) put(o, "{'entity':'customer','source_system':'revenue','source_id':'C-%u','deleted':true}", i);
}

/* Apart, they contradict each other, each other's links included. */
static void quarrel(struct site o[OFFICES])
{
    for (uint32_t i = 1; i < CUSTOMERS; i += 16)
        for (uint32_t k = 0; k < OFFICES; k++)
            put(&o[k], "{'entity':'customer','source_system':'revenue','source_id':'C-%u','occupation':'trade %u'}", i,
                k);
    put(&o[0], "{'entity':'identity_link','a':'revenue:C-4','b':'revenue:C-7','verdict':'MATCH','by':'MANUAL'}");
    put(&o[0], "{'entity':'identity_link','a':'revenue:C-7','b':'revenue:C-8','verdict':'MATCH','by':'MANUAL'}");
    put(&o[1], "{'entity':'identity_link','a':'revenue:C-4','b':'revenue:C-8','verdict':'NO_MATCH','by':'MANUAL'}");
}

static void settle(struct site o[OFFICES])
{
    struct site *all[OFFICES] = {&o[0], &o[1], &o[2]};
    const int e = sites_settle(all, OFFICES);
    must(e == KT_OK, e == KT_EDEADLINE ? "the offices do not come together" : kt_error_text(e));
}

/* The links of one time together are the `first` and the two after it. */
static void join_all(struct site o[OFFICES], uint64_t first)
{
    for (uint32_t i = 0; i < OFFICES; i++) sites_join(&o[i], &o[(i + 1) % OFFICES], first + i);
}

static void part_all(struct site o[OFFICES], uint64_t first)
{
    for (uint32_t i = 0; i < OFFICES; i++) sites_part(&o[i], &o[(i + 1) % OFFICES], first + i);
}

/* ------------------------------------------------------------------------------------------------------- questions */

__attribute__((format(printf, 4, 5))) static void ask(struct questions *q, enum kt_lookup_by by, const char *system,
                                                      const char *format, ...)
{
    must(q->len < QUESTIONS_MAX, "too many questions");
    struct question *one = &q->at[q->len++];
    va_list args;
    one->by = by;
    snprintf(one->system, sizeof one->system, "%s", system);
    va_start(args, format);
    vsnprintf(one->value, sizeof one->value, format, args);
    va_end(args);
}

static void hash_more(uint64_t *h, struct kt_bytes b)
{
    uint8_t sum[8];
    uint64_t now;
    uint8_t key[crypto_shorthash_KEYBYTES] = {0};
    memcpy(key, h, sizeof *h);
    crypto_shorthash(sum, b.data ? b.data : key, b.len, key);
    memcpy(&now, sum, sizeof now);
    *h = now + 1;
}

static int run(struct site *o, const struct question *q, struct kt_arena *a, struct kt_reply *reply)
{
    const struct kt_request r = {.kind = KT_ASK_LOOKUP,
                                 .lookup = {.by = q->by, .system = kt_str(q->system), .value = kt_str(q->value)}};
    *reply = (struct kt_reply){.kind = KT_ASK_LOOKUP};
    return kt_lookup_run(o->lookup, &r, NULL, a, reply);
}

/* Matches stand in the order of this node's rows: they add up. */
static struct answer answer_of(struct site *o, const struct question *q, struct kt_arena *a)
{
    struct kt_reply reply;
    struct answer out = {.hash = 1};
    kt_arena_reset(a);
    out.code = run(o, q, a, &reply);
    if (out.code) return out;
    for (uint32_t i = 0; i < reply.lookup.sections_len; i++) {
        hash_more(&out.hash, reply.lookup.sections[i].name);
        hash_more(&out.hash, reply.lookup.sections[i].bytes);
    }
    for (uint32_t i = 0; i < reply.lookup.matches_len; i++) {
        const struct kt_match *m = &reply.lookup.matches[i];
        uint64_t h = 2;
        hash_more(&h, m->id);
        hash_more(&h, m->name);
        hash_more(&h, m->birth_date);
        out.hash += h;
    }
    hash_more(&out.hash, KT_BYTES_OF(reply.lookup.display_id));
    out.hash += reply.lookup.more;
    return out;
}

static struct answer conflicts_of(struct site *o, struct kt_arena *a)
{
    struct kt_reply reply = {.kind = KT_ASK_CONFLICTS};
    struct answer out = {0};
    kt_arena_reset(a);
    out.code = kt_lookup_conflicts(o->lookup, kt_bytes(NULL, 0), NULL, a, &reply);
    for (uint32_t i = 0; !out.code && i < reply.conflicts.len; i++) {
        const struct kt_conflict *c = &reply.conflicts.items[i];
        uint64_t h = 3;
        hash_more(&h, c->id);
        hash_more(&h, c->ref);
        for (uint32_t k = 0; k < c->values_len; k++) {
            hash_more(&h, c->values[k].value);
            hash_more(&h, c->values[k].office);
        }
        out.hash += h;
    }
    return out;
}

void site_answers(struct site *o, const struct questions *q, struct answers *out)
{
    struct kt_arena a;
    struct kt_pulse_digest *digests;
    uint32_t n = 0;
    kt_arena_init(&a, ARENA_BYTES);
    for (uint32_t i = 0; i < q->len; i++) out->at[i] = answer_of(o, &q->at[i], &a);
    out->conflicts = conflicts_of(o, &a);
    out->digests = 4;
    kt_arena_reset(&a);
    if (kt_ledger_digests(kt_engine_ledger(o->engine), &a, &digests, &n)) out->digests = 0;
    for (uint32_t i = 0; i < n; i++) hash_more(&out->digests, KT_BYTES_OF(digests[i].digest));
    kt_arena_free(&a);
}

/* Each customer by the id that its source record leads to. */
static void ask_ids(struct site *o, struct questions *q)
{
    struct kt_arena a;
    const uint32_t n = q->len;
    kt_arena_init(&a, ARENA_BYTES);
    for (uint32_t i = 0; i < n; i++) {
        struct kt_reply reply;
        char hex[2 * KT_ENTITY_ID_BYTES + 1];
        kt_arena_reset(&a);
        if (q->at[i].by != KT_BY_SOURCE || run(o, &q->at[i], &a, &reply)) continue;
        kt_hex(KT_BYTES_OF(reply.lookup.display_id), hex);
        ask(q, KT_BY_CUSTOMER, "", "%s", hex);
    }
    kt_arena_free(&a);
}

static void ask_all(struct site *o, struct questions *q)
{
    for (uint32_t i = 0; i < CUSTOMERS + LATE + 8; i++) { /* the last of them were never put */
        ask(q, KT_BY_SOURCE, "revenue", "C-%u", i);
        ask(q, KT_BY_SOURCE, "motor", "M-%u", i);
        ask(q, KT_BY_SOURCE, "clinic", "H-%u", i);
        ask(q, KT_BY_ID, "tax", "T-%u", i);
        ask(q, KT_BY_ID, "plate", "P-%u", i);
        ask(q, KT_BY_CASE, "", "S-%u", i);
        ask(q, KT_BY_PHONE, "", "+49 30 5550%03u", i);
        ask(q, KT_BY_EMAIL, "", "c%u@example.org", i);
    }
    ask_ids(o, q);
    for (uint32_t i = 0; i < 32; i++) ask(q, KT_BY_CUSTOMER, "", "%032x", i * 0x01010101u);
}

/* ------------------------------------------------------------------------------------------------------------ life */

void fill(struct site o[OFFICES], struct questions *q)
{
    join_all(o, 1);
    for (uint32_t i = 0; i < CUSTOMERS; i++) {
        put_customer(&o[i % OFFICES], i);
        if (i == CUSTOMERS / 2) { /* halfway, new keys for all */
            settle(o);
            part_all(o, 1);
            for (uint32_t k = 0; k < OFFICES; k++) site_renew(&o[k]);
            join_all(o, 4);
        }
        if (i % 24 == 23) settle(o);
    }
    settle(o);
    for (uint32_t i = 0; i < CUSTOMERS; i++) put_more(&o[(i + 1) % OFFICES], i);
    settle(o);
    must(o[0].store->ops->checkpoint(o[0].store) == KT_OK, "no checkpoint");
    for (uint32_t i = 0; i < CUSTOMERS; i++) put_rest(&o[i % 5 == 0 ? 0 : i % OFFICES], i);
    settle(o);
    part_all(o, 4);
    quarrel(o);
    for (uint32_t k = 0; k < OFFICES; k++) must(site_step(&o[k]) == KT_OK, "an office gives up");
    join_all(o, 7);
    settle(o);
    part_all(o, 7);
    for (uint32_t i = CUSTOMERS; i < CUSTOMERS + LATE; i++) put_customer(&o[1], i);
    must(site_step(&o[1]) == KT_OK, "an office gives up");
    o[1].keeps_keys = true;
    sites_join(&o[0], &o[1], 10);
    struct site *two[] = {&o[0], &o[1]};
    must(sites_settle(two, 2) == KT_OK, "the offices do not come together");
    sites_part(&o[0], &o[1], 10);
    o[1].keeps_keys = false;
    must(sites_settle(two, 2) == KT_OK, "the offices do not come together");
    for (uint32_t k = 0; k < OFFICES; k++) must(o[k].refused == 0, "a put was refused");
    ask_all(&o[0], q);
}
