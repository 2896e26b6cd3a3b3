#include "engine/verify.h"

#include "core/judge.h"
#include "engine/journal/journal.h"
#include "engine/journal/layout.h"
#include "engine/view/index.h"
#include "engine/view/view_row.h"
#include "engine/ward/workset.h"
#include "proto/batch/batch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define VERIFY_ARENA_BYTES_MAX (64u << 20)

struct verifier {
    struct kt_store *store;
    struct kt_keyring *keyring;
    struct kt_verify_report *report;
    struct kt_arena arena;
    bool starved;                             /* memory ran out somewhere: what was found may follow from that alone */
    struct kt_vector journal;                 /* as the batches themselves add up to */
    struct kt_sum (*sums)[KT_DIGEST_BUCKETS]; /* by place in the roster's compartments */
    const struct kt_roster *roster;
    struct kt_index_bucket bucket, bucket_says; /* of the index, as it is walked */
    uint64_t bucket_key;
};

__attribute__((format(printf, 2, 3))) static void finding(struct verifier *v, const char *format, ...)
{
    struct kt_verify_report *r = v->report;
    r->damaged++;
    if (r->findings_len == sizeof r->findings / sizeof *r->findings) return;
    va_list args;
    va_start(args, format);
    vsnprintf(r->findings[r->findings_len++], sizeof *r->findings, format, args);
    va_end(args);
}

/* Every row of a table.  each() says what it finds; an error of the port itself ends the walk. */
static int walk(struct verifier *v, struct kt_txn *t, enum kt_table table,
                void (*each)(struct verifier *v, struct kt_txn *t, struct kt_bytes key, struct kt_bytes value))
{
    const struct kt_store_ops *ops = v->store->ops;
    struct kt_cursor *c;
    struct kt_bytes key, value;
    int e = ops->cursor(t, table, &c);
    if (e) return e;
    enum kt_seek how = KT_SEEK_AT_OR_AFTER;
    while (!(e = ops->seek(c, how, kt_bytes(NULL, 0), &key, &value))) {
        how = KT_SEEK_NEXT;
        kt_arena_reset(&v->arena);
        each(v, t, key, value);
    }
    ops->cursor_close(c);
    return e == KT_ENOTFOUND ? KT_OK : e;
}

/* ----------------------------------------------------------------------------------------------------- journal */

static void check_batch(struct verifier *v, uint64_t position, const struct kt_journal_entry *entry)
{
    struct kt_batch b;
    int e = kt_batch_decode(entry->batch, &v->arena, &b);
    if (!e)
        e = kt_judge_batch(&b, kt_keyring_cluster(v->keyring),
                           kt_keyring_roster_version(v->keyring, b.seal.roster_version), NULL,
                           kt_vector_find(&v->journal, b.seal.origin));
    if (!e && (kt_origin_compare(b.seal.origin, entry->origin) != 0 || b.seal.number != entry->number)) e = KT_EHASH;
    v->starved |= e == KT_ENOMEM;
    if (e) {
        finding(v, "journal position %llu: %s", (unsigned long long)position, kt_error_text(e));
        return;
    }
    const struct kt_vector_entry head = {b.seal.origin, b.seal.number, b.seal_hash, b.seal.hlc, b.seal.roster_version};
    if (kt_vector_set(&v->journal, &head)) v->starved = true;
}

static int check_head(void *ctx, const struct kt_vector_entry *head)
{
    struct verifier *v = ctx;
    const struct kt_vector_entry *found = kt_vector_find(&v->journal, head->origin);
    if (!found || found->number != head->number ||
        memcmp(&found->seal_hash, &head->seal_hash, sizeof head->seal_hash) != 0)
        finding(v, "journal: the head of member %u does not agree with its batches", head->origin.member);
    return KT_OK;
}

static int check_journal(struct verifier *v)
{
    const struct kt_store_ops *ops = v->store->ops;
    struct kt_txn *t;
    uint64_t base, next;
    int e = ops->begin(v->store, KT_ENV_JOURNAL, false, &t);
    if (e) return e;
    e = kt_journal_span(v->store, t, &base, &next);
    for (uint64_t p = base; !e && p < next; p++) {
        struct kt_journal_entry entry;
        uint64_t where;
        kt_arena_reset(&v->arena);
        const int got = kt_journal_get(v->store, t, p, &entry);
        v->report->batches++;
        v->starved |= got == KT_ENOMEM;
        if (got)
            finding(v, "journal position %llu: %s", (unsigned long long)p, kt_error_text(got));
        else if (kt_journal_where(v->store, t, entry.origin, entry.number, &where) || where != p)
            finding(v, "journal position %llu: it is not found by its name", (unsigned long long)p);
        if (!got) check_batch(v, p, &entry);
    }
    if (!e && base == KT_JOURNAL_POSITION_FIRST) e = kt_journal_heads(v->store, t, check_head, v);
    ops->abort(t);
    return e;
}

/* ------------------------------------------------------------------------------------------------------- store */

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The plain text of a sealed row, in the arena; says so where it does not open. */
static bool open_row(struct verifier *v, enum kt_table table, enum kt_label label, kt_compartment c,
                     struct kt_bytes key, struct kt_bytes sealed, struct kt_bytes *plain)
{
    const uint8_t *secret = kt_keyring_store_key(v->keyring, label, c);
    struct kt_buf b;
    kt_buf_init(&b, VERIFY_ARENA_BYTES_MAX);
    const int e = secret ? kt_row_open(secret, table, key, c, sealed, &b) : KT_EKEY;
    *plain = kt_arena_copy(&v->arena, kt_buf_bytes(&b));
    kt_buf_wipe_free(&b);
    v->starved |= e == KT_ENOMEM;
    if (e) finding(v, "store, a row of compartment %u: %s", c, kt_error_text(e));
    return !e;
}

/* Adds what is live in these slots to the sums of its compartment. */
static void sum_up(struct verifier *v, kt_compartment c, const struct kt_entity_id *ward, struct kt_bytes slots_bytes)
{
    const struct kt_compartment_keys *keys = kt_keyring_compartment(v->keyring, c);
    struct kt_slot *slots;
    size_t n;
    if (!keys || kt_slots_decode(slots_bytes, &v->arena, &slots, &n)) {
        finding(v, "store, a row of compartment %u: its values do not read", c);
        return;
    }
    uint32_t place = 0;
    while (place < v->roster->compartments_len && v->roster->compartments[place].number != c) place++;
    if (place == v->roster->compartments_len) return finding(v, "store: compartment %u is in no roster", c);
    for (size_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < slots[i].live_len; j++) {
            const struct kt_sum term = kt_digest_term(keys->digest_key, ward, &slots[i], &slots[i].live[j]);
            kt_sum_add(&v->sums[place][kt_digest_bucket(&slots[i].entity)], &term);
        }
}

static void check_state(struct verifier *v, struct kt_txn *t, struct kt_bytes key, struct kt_bytes value)
{
    (void)t;
    struct kt_bytes plain;
    v->report->states++;
    if (key.len != 4 + KT_ENTITY_ID_BYTES) return finding(v, "store: a state under a key of another length");
    const kt_compartment c = be32(key.data);
    struct kt_entity_id ward;
    memcpy(&ward, key.data + 4, sizeof ward);
    if (!open_row(v, KT_T_store_state, KT_LABEL_STORE_STATE, c, key, value, &plain)) return;
    if (plain.len < 4) return finding(v, "store: a state too short");
    sum_up(v, c, &ward, kt_bytes(plain.data + 4, plain.len - 4));
}

static void check_list(struct verifier *v, struct kt_txn *t, struct kt_bytes key, struct kt_bytes value)
{
    (void)t;
    struct kt_bytes plain;
    if (key.len == 40) return; /* the summary of a list, made from its rows: engine/views */
    v->report->rows++;
    if (key.len < 40) return finding(v, "store: a list row under a key of another length");
    const kt_compartment c = be32(key.data);
    struct kt_entity_id ward;
    memcpy(&ward, key.data + 4, sizeof ward);
    if (open_row(v, KT_T_store_list, KT_LABEL_STORE_STATE, c, key, value, &plain)) sum_up(v, c, &ward, plain);
}

/* Every sealed section of a view opens (engine/view/view_row.h). */
static void check_view(struct verifier *v, struct kt_txn *t, struct kt_bytes key, struct kt_bytes value)
{
    (void)t;
    struct kt_reader r = kt_reader(value);
    v->report->views++;
    while (kt_reader_left(&r) && !r.err) {
        const kt_compartment c = kt_take_be32(&r);
        if (c == 0) break; /* a redirect */
        struct kt_bytes plain;
        (void)kt_take_be32(&r);
        const struct kt_bytes sealed = kt_take(&r, kt_take_be32(&r));
        if (!r.err && c != KT_VIEW_ABOUT && !open_row(v, KT_T_store_view, KT_LABEL_STORE_VIEW, c, key, sealed, &plain))
            return;
    }
    if (r.err) finding(v, "store: a view does not read");
}

static void check_entity(struct verifier *v, struct kt_txn *t, struct kt_bytes key, struct kt_bytes value)
{
    (void)t;
    if (key.len != KT_ENTITY_ID_BYTES || value.len < 8) finding(v, "store: an entity's row does not read");
}

/* The bucket that was walked last against what it says of itself. */
static void end_bucket(struct verifier *v)
{
    if (v->bucket.postings != v->bucket_says.postings || v->bucket.sum != v->bucket_says.sum)
        finding(v, "store: a part of the index is not what it adds up to (from hash %016llx)",
                (unsigned long long)v->bucket_key);
    v->bucket = v->bucket_says = (struct kt_index_bucket){0};
}

static void check_index(struct verifier *v, struct kt_txn *t, struct kt_bytes key, struct kt_bytes value)
{
    uint64_t hash = 0;
    if (key.len != sizeof hash) return finding(v, "store: an index entry under a key of another length");
    memcpy(&hash, key.data, sizeof hash);
    if (kt_index_bucket_of(hash) != v->bucket_key) end_bucket(v);
    v->bucket_key = kt_index_bucket_of(hash);
    if (kt_index_is_bucket(hash)) {
        if (kt_index_bucket_decode(value, &v->bucket_says)) finding(v, "store: a sum of the index does not read");
        return;
    }
    kt_index_bucket_add(&v->bucket, hash, value);
    for (size_t at = 0; at + 24 <= value.len; at += 24) { /* the rest of the hash 16, row be64 */
        const uint64_t row = (uint64_t)be32(value.data + at + 16) << 32 | be32(value.data + at + 20);
        struct kt_bytes view;
        if (row >> 63) continue; /* how many are not listed */
        v->report->index_entries++;
        if (v->store->ops->get(t, KT_T_store_view, KT_BYTES_OF(row), &view))
            finding(v, "store: an index entry leads to no view (row %llu)", (unsigned long long)row);
    }
    if (value.len % 24) finding(v, "store: a posting list of %zu bytes", value.len);
}

static void check_sums(struct verifier *v, struct kt_txn *t)
{
    for (uint32_t i = 0; i < v->roster->compartments_len; i++)
        for (uint32_t b = 0; b < KT_DIGEST_BUCKETS; b++) {
            static const struct kt_sum zero;
            const kt_compartment c = v->roster->compartments[i].number;
            const uint8_t key[8] = {(uint8_t)(c >> 24), (uint8_t)(c >> 16), (uint8_t)(c >> 8), (uint8_t)c,
                                    (uint8_t)(b >> 24), (uint8_t)(b >> 16), (uint8_t)(b >> 8), (uint8_t)b};
            struct kt_bytes kept;
            const int e = v->store->ops->get(t, KT_T_store_digest, kt_bytes(key, sizeof key), &kept);
            const struct kt_bytes want = e == KT_ENOTFOUND ? KT_BYTES_OF(zero) : e ? kt_bytes(NULL, 0) : kept;
            if (!kt_bytes_equal(want, KT_BYTES_OF(v->sums[i][b])))
                finding(v, "store, compartment %s: bucket %u of its digest does not agree with what is live",
                        v->roster->compartments[i].name, b);
        }
}

static int check_store(struct verifier *v)
{
    const struct kt_store_ops *ops = v->store->ops;
    struct kt_txn *t;
    int e = ops->begin(v->store, KT_ENV_STORE, false, &t);
    if (e) return e;
    e = walk(v, t, KT_T_store_state, check_state);
    if (!e) e = walk(v, t, KT_T_store_list, check_list);
    if (!e) e = walk(v, t, KT_T_store_view, check_view);
    if (!e) e = walk(v, t, KT_T_store_entity, check_entity);
    if (!e) e = walk(v, t, KT_T_store_index, check_index);
    end_bucket(v);
    if (!e) e = ops->count(t, KT_T_store_held, &v->report->held);
    if (!e) check_sums(v, t);
    ops->abort(t);
    return e;
}

/* The file under an environment.  False: it is not to be walked. */
static bool check_file(struct verifier *v, enum kt_env env, int *error)
{
    static const char *const names[KT_ENV_COUNT] = {"keys", "journal", "store"};
    char why[KT_STORE_WHY_BYTES];
    if (*error) return false;
    const int e = v->store->ops->verify(v->store, env, why);
    if (e == KT_EDAMAGED || e == KT_EVERSION)
        finding(v, "%s: %s", names[env], why);
    else
        *error = e;
    return !e;
}

int kt_verify_run(struct kt_store *store, struct kt_keyring *keyring, struct kt_verify_report *report)
{
    struct verifier v = {.store = store, .keyring = keyring, .report = report, .roster = kt_keyring_roster(keyring)};
    *report = (struct kt_verify_report){0};
    v.sums = calloc(v.roster->compartments_len, sizeof *v.sums);
    if (!v.sums) return KT_ENOMEM;
    kt_arena_init(&v.arena, VERIFY_ARENA_BYTES_MAX);
    int e = KT_OK;
    (void)check_file(&v, KT_ENV_KEYS, &e);
    if (check_file(&v, KT_ENV_JOURNAL, &e)) e = check_journal(&v);
    if (check_file(&v, KT_ENV_STORE, &e)) e = check_store(&v);
    const bool starved = v.starved || v.arena.starved;
    kt_arena_free(&v.arena);
    kt_vector_free(&v.journal);
    free(v.sums);
    if (starved) {
        *report = (struct kt_verify_report){0};
        return KT_ENOMEM;
    }
    if (e == KT_EDAMAGED) finding(&v, "a table could not be walked to its end");
    return report->damaged ? KT_EDAMAGED : e;
}
