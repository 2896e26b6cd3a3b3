#include "core/judge.h"
#include "engine/journal/journal.h"
#include "engine/journal/layout.h"
#include "engine/salvage/salvage.h"
#include "proto/batch/batch.h"

#include <stdlib.h>

#define GROUP_BYTES   (8u << 20) /* written in one transaction */
#define HOLES_MAX     4096u      /* past so many, what lies behind a gap is asked of peers instead */
#define SCRATCH_BYTES (8u << 20)
#define UNKNOWN       UINT64_MAX

/* A row that says it is a batch: not believed before it is written. */
struct found {
    struct kt_origin origin;
    uint64_t number;
    uint64_t position; /* where it lay; UNKNOWN for one without its row */
    uint64_t place;    /* in the file */
};

struct journal_salvage {
    struct kt_salvage *from;
    struct kt_store *to;
    struct kt_keyring *keyring;
    struct kt_salvaged_journal *out;
    struct kt_arena scratch;
    struct found *found;
    size_t found_len, found_cap;
    struct kt_vector heads; /* written so far, holes included */
    struct kt_txn *txn;     /* the open group */
    size_t txn_bytes;
};

/* ------------------------------------------------------------------------------------------------------- looking */

/* What follows is none of it (of a value without its row the end is not known): a batch is its seal, its signature, and
 * as many sections as the seal says. */
static bool cut_to_length(struct kt_bytes *batch, struct kt_arena *scratch)
{
    static const uint8_t seal_tag = 0x0a, signature_tag = 0x12, section_tag = 0x1a;
    struct kt_reader r = kt_reader(*batch);
    struct kt_seal seal = {0};
    bool good = true;
    for (uint32_t i = 0; i < 2 + seal.sections_len && good && !r.err; i++) {
        good = kt_take_u8(&r) == (i == 0 ? seal_tag : i == 1 ? signature_tag : section_tag);
        const uint64_t len = kt_take_varint(&r);
        if (len > kt_reader_left(&r)) return false;
        const struct kt_bytes part = kt_take(&r, (size_t)len);
        if (i == 0) good = good && !kt_seal_decode(part, scratch, &seal);
    }
    batch->len -= kt_reader_left(&r);
    return good && !r.err;
}

/* The batch in a row, whose name and seal agree. */
static bool read_row(struct kt_arena *scratch, struct kt_bytes key, struct kt_bytes value, struct found *f,
                     struct kt_bytes *batch)
{
    struct kt_seal seal;
    struct kt_hash hash;
    if (value.len <= KT_JOURNAL_NAME_BYTES || (key.len && key.len != sizeof f->position)) return false;
    struct kt_reader r = kt_reader(value);
    f->origin = kt_origin_unpack(kt_take(&r, KT_ORIGIN_BYTES).data);
    f->number = kt_take_be64(&r);
    f->position = UNKNOWN;
    if (key.len) memcpy(&f->position, key.data, sizeof f->position);
    *batch = kt_take(&r, kt_reader_left(&r));
    if (!cut_to_length(batch, scratch)) return false;
    if (kt_batch_peek(*batch, scratch, &seal, &hash)) return false;
    return f->number && kt_origin_compare(seal.origin, f->origin) == 0 && seal.number == f->number;
}

static int look_at(void *context, uint64_t place, struct kt_bytes key, struct kt_bytes value)
{
    struct journal_salvage *j = context;
    struct found f = {.place = place};
    struct kt_bytes batch;
    kt_arena_reset(&j->scratch);
    if (!read_row(&j->scratch, key, value, &f, &batch)) return KT_OK;
    if (j->found_len == j->found_cap) {
        const size_t cap = j->found_cap ? 2 * j->found_cap : 1024;
        struct found *grown = realloc(j->found, cap * sizeof *grown);
        if (!grown) return KT_ENOMEM;
        j->found = grown;
        j->found_cap = cap;
    }
    j->found[j->found_len++] = f;
    return KT_OK;
}

/* ------------------------------------------------------------------------------------------------------ ordering */

static int order(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

static int by_name(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int c = kt_origin_compare(x->origin, y->origin);
    if (!c) c = order(x->number, y->number);
    return c ? c : order(x->position, y->position);
}

static int by_position(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    const int c = order(x->position, y->position);
    return c ? c : by_name(a, b);
}

static bool same_name(const struct found *a, const struct found *b)
{
    return kt_origin_compare(a->origin, b->origin) == 0 && a->number == b->number;
}

/* Within an origin places rise with numbers.  One whose place is not known, or cannot be, goes right behind the one
 * before it: what it had seen lies before, and nobody who had seen it lies before that. */
static void put_in_order(struct journal_salvage *j)
{
    if (j->found_len) qsort(j->found, j->found_len, sizeof *j->found, by_name);
    const struct found *before = NULL; /* the name before, of the same origin */
    for (size_t i = 0, next; i < j->found_len; i = next) {
        struct found *f = &j->found[i];
        if (before && kt_origin_compare(before->origin, f->origin) != 0) before = NULL;
        for (next = i + 1; next < j->found_len && same_name(f, &j->found[next]); next++) continue;
        const struct found *after = next < j->found_len ? &j->found[next] : NULL;
        if (after && kt_origin_compare(after->origin, f->origin) != 0) after = NULL;
        const bool cannot_be = f->position == UNKNOWN || (after && f->position > after->position);
        const uint64_t least = before ? before->position : KT_JOURNAL_POSITION_FIRST;
        if (cannot_be || f->position < least) f->position = least;
        for (size_t copy = i + 1; copy < next; copy++) j->found[copy].position = f->position;
        before = f;
    }
    if (j->found_len) qsort(j->found, j->found_len, sizeof *j->found, by_position);
}

/* ------------------------------------------------------------------------------------------------------- writing */

static int end_group(struct journal_salvage *j)
{
    struct kt_txn *t = j->txn;
    j->txn = NULL;
    j->txn_bytes = 0;
    return t ? j->to->ops->commit(t) : KT_OK;
}

static int group(struct journal_salvage *j, size_t bytes)
{
    int e = j->txn_bytes + bytes > GROUP_BYTES ? end_group(j) : KT_OK;
    if (!e && !j->txn) e = j->to->ops->begin(j->to, KT_ENV_JOURNAL, true, &j->txn);
    if (!e) j->txn_bytes += bytes;
    return e;
}

/* Names what is missing before `f`, if that is not too much.  *all: `f` is the next now. */
static int leave_holes(struct journal_salvage *j, const struct found *f, bool *all)
{
    const uint64_t held = kt_vector_get(&j->heads, f->origin), gap = f->number - held - 1;
    int e = KT_OK;
    *all = gap <= HOLES_MAX - j->out->lost;
    for (uint64_t n = held + 1; *all && n < f->number && !e; n++) {
        const struct kt_vector_entry head = {.origin = f->origin, .number = n};
        e = group(j, 256);
        if (!e) e = kt_journal_append_hole(j->to, j->txn, f->origin, n);
        if (!e) e = kt_vector_set(&j->heads, &head);
        if (!e) j->out->lost++;
    }
    return e;
}

/* Is this copy what its author signed, and does it follow what is written of its chain? */
static bool judge(struct journal_salvage *j, const struct found *f, struct kt_bytes *bytes, struct kt_batch *b)
{
    struct kt_bytes key, value;
    struct found again;
    kt_arena_reset(&j->scratch);
    if (j->from->row(j->from, f->place, &key, &value) || !read_row(&j->scratch, key, value, &again, bytes))
        return false;
    if (!same_name(&again, f) || kt_batch_decode(*bytes, &j->scratch, b)) return false;
    if (kt_judge_seal(b, kt_keyring_cluster(j->keyring), kt_keyring_roster_version(j->keyring, b->seal.roster_version)))
        return false;
    const struct kt_vector_entry *head = kt_vector_find(&j->heads, f->origin);
    /* behind a gap it stands for itself until the gap is filled */
    const int e = kt_judge_standing(b, NULL, head);
    return !e || e == KT_EGAP;
}

static int keep(struct journal_salvage *j, const struct found *f, struct kt_bytes bytes, const struct kt_batch *b,
                bool *kept)
{
    const struct kt_seal *s = &b->seal;
    const struct kt_vector_entry head = {s->origin, s->number, b->seal_hash, s->hlc, s->roster_version};
    uint64_t position;
    int e = leave_holes(j, f, kept);
    if (e || !*kept) return e;
    e = group(j, bytes.len + 512);
    if (!e) e = kt_journal_append(j->to, j->txn, &head, bytes, &position);
    if (!e) e = kt_vector_set(&j->heads, &head);
    if (!e) j->out->batches++;
    return e;
}

/* The first good copy of each name, in order. */
static int write_all(struct journal_salvage *j)
{
    int e = KT_OK;
    for (size_t i = 0, next; i < j->found_len && !e; i = next) {
        bool kept = false;
        next = i;
        do {
            struct kt_bytes bytes;
            struct kt_batch b;
            const struct found *f = &j->found[next++];
            if (!kept && f->number > kt_vector_get(&j->heads, f->origin) && judge(j, f, &bytes, &b))
                e = keep(j, f, bytes, &b, &kept);
        } while (next < j->found_len && same_name(&j->found[i], &j->found[next]) && !e);
        if (!kept && !e) j->out->left++;
    }
    const int end = end_group(j);
    return e ? e : end;
}

int kt_salvage_journal(struct kt_salvage *from, struct kt_store *to, struct kt_keyring *keyring,
                       struct kt_salvaged_journal *out)
{
    struct journal_salvage j = {.from = from, .to = to, .keyring = keyring, .out = out};
    *out = (struct kt_salvaged_journal){0};
    kt_arena_init(&j.scratch, SCRATCH_BYTES);
    int e = from->rows(from, look_at, &j);
    if (!e) put_in_order(&j);
    if (!e) e = write_all(&j);
    /* older copies of batches hold what was erased from the newer: they are swept again (engine/ledger) */
    if (!e) e = kt_keyring_number_set(keyring, "erased-journal", 0);
    if (j.txn) to->ops->abort(j.txn);
    kt_vector_free(&j.heads);
    kt_arena_free(&j.scratch);
    free(j.found);
    return e;
}
