#include "engine/view/index.h"

#define POSTING_BYTES      KT_POSTING_BYTES
#define MORE               (1ull << 63) /* in a posting's row: how many are not listed */
#define POSTINGS_BYTES_MAX (64u << 20)

int kt_index_term(struct kt_workset *w, kt_compartment c, enum kt_index kind, struct kt_bytes matched,
                  uint8_t out[KT_TERM_BYTES])
{
    const uint8_t *key = kt_keyring_store_key(kt_workset_keyring(w), KT_LABEL_STORE_INDEX, c);
    if (!key) return KT_EKEY;
    const uint8_t number = (uint8_t)kind;
    const struct kt_bytes parts[] = {kt_bytes(&number, 1), matched};
    kt_kdf(out, KT_TERM_BYTES, KT_LABEL_STORE_INDEX, key, parts, 2);
    return KT_OK;
}

/* ------------------------------------------------------------------------------------------------------ postings */

/* A hash that is a bucket's own key, once in 2^48, is taken for the one after it. */
static uint64_t key_of(const uint8_t term[KT_TERM_BYTES])
{
    uint64_t k = 0;
    for (int i = 0; i < 8; i++) k = k << 8 | term[i];
    return kt_index_is_bucket(k) ? k + 1 : k;
}

static void posting_of(const uint8_t term[KT_TERM_BYTES], uint64_t row, uint8_t out[POSTING_BYTES])
{
    memcpy(out, term + 8, 16);
    for (int i = 0; i < 8; i++) out[16 + i] = (uint8_t)(row >> (56 - 8 * i));
}

static uint64_t row_of(struct kt_bytes postings, size_t n)
{
    const uint8_t *p = postings.data + n * POSTING_BYTES + 16;
    uint64_t row = 0;
    for (int i = 0; i < 8; i++) row = row << 8 | p[i];
    return row;
}

static int get_postings(struct kt_workset *w, uint64_t key, struct kt_bytes *out)
{
    int e = kt_workset_store(w)->ops->get(kt_workset_txn(w), KT_T_store_index, KT_BYTES_OF(key), out);
    if (e == KT_ENOTFOUND) {
        *out = kt_bytes(NULL, 0);
        return KT_OK;
    }
    if (!e && out->len % POSTING_BYTES) return KT_EDAMAGED;
    return e;
}

/* The first posting that is not below. */
static size_t lower_bound(struct kt_bytes postings, const uint8_t *wanted)
{
    size_t low = 0, high = postings.len / POSTING_BYTES;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (memcmp(postings.data + mid * POSTING_BYTES, wanted, POSTING_BYTES) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The postings of one term among those of its hash. */
struct listed {
    size_t first, end; /* those with a row */
    uint64_t unlisted; /* 0: no posting says that there are more */
};

static struct listed listed_of(struct kt_bytes postings, const uint8_t term[KT_TERM_BYTES])
{
    uint8_t wanted[POSTING_BYTES];
    struct listed l = {0};
    posting_of(term, 0, wanted);
    l.first = lower_bound(postings, wanted);
    posting_of(term, MORE, wanted);
    l.end = lower_bound(postings, wanted);
    if (l.end * POSTING_BYTES < postings.len && memcmp(postings.data + l.end * POSTING_BYTES, wanted, 16) == 0)
        l.unlisted = row_of(postings, l.end) & ~MORE;
    return l;
}

/* Puts the row of a hash back with `cut` postings at a place replaced by others, and the bucket's sum with it. */
static int splice(struct kt_workset *w, uint64_t key, struct kt_bytes now, size_t at, size_t cut,
                  struct kt_bytes instead)
{
    const struct kt_store_ops *ops = kt_workset_store(w)->ops;
    const size_t from = at * POSTING_BYTES, to = from + cut * POSTING_BYTES;
    struct kt_index_bucket bucket;
    struct kt_buf b;
    int e = kt_index_bucket_get(w, key, &bucket);
    if (e) return e;
    kt_index_bucket_take(&bucket, key, kt_bytes(now.data + from, to - from));
    kt_index_bucket_add(&bucket, key, instead);
    kt_buf_init(&b, POSTINGS_BYTES_MAX);
    kt_buf_put(&b, kt_bytes(now.data, from));
    kt_buf_put(&b, instead);
    kt_buf_put(&b, kt_bytes(now.data + to, now.len - to));
    if (b.err)
        e = b.err;
    else if (b.len)
        e = ops->put(kt_workset_txn(w), KT_T_store_index, KT_BYTES_OF(key), kt_buf_bytes(&b));
    else
        e = ops->del(kt_workset_txn(w), KT_T_store_index, KT_BYTES_OF(key));
    kt_buf_free(&b);
    return e ? e : kt_index_bucket_put(w, key, &bucket);
}

/* How many are not listed becomes another number. */
static int count(struct kt_workset *w, uint64_t key, struct kt_bytes now, const uint8_t term[KT_TERM_BYTES],
                 const struct listed *l, uint64_t unlisted)
{
    uint8_t more[POSTING_BYTES];
    posting_of(term, MORE | unlisted, more);
    return splice(w, key, now, l->end, l->unlisted ? 1 : 0, unlisted ? KT_BYTES_OF(more) : kt_bytes(NULL, 0));
}

/* Is the row among those listed?  *at: where it stands, or would. */
static bool is_listed(struct kt_bytes now, const uint8_t wanted[POSTING_BYTES], size_t *at)
{
    *at = lower_bound(now, wanted);
    return *at * POSTING_BYTES < now.len && memcmp(now.data + *at * POSTING_BYTES, wanted, POSTING_BYTES) == 0;
}

int kt_index_add(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t row)
{
    const uint64_t key = key_of(term);
    uint8_t wanted[POSTING_BYTES];
    struct kt_bytes now;
    size_t at;
    int e = get_postings(w, key, &now);
    if (e) return e;
    posting_of(term, row, wanted);
    if (is_listed(now, wanted, &at)) return KT_OK;
    const struct listed l = listed_of(now, term);
    if (l.end - l.first >= KT_TERM_POSTINGS_MAX) return count(w, key, now, term, &l, l.unlisted + 1);
    return splice(w, key, now, at, 0, KT_BYTES_OF(wanted));
}

int kt_index_remove(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t row)
{
    const uint64_t key = key_of(term);
    uint8_t wanted[POSTING_BYTES];
    struct kt_bytes now;
    size_t at;
    int e = get_postings(w, key, &now);
    if (e) return e;
    posting_of(term, row, wanted);
    if (is_listed(now, wanted, &at)) return splice(w, key, now, at, 1, kt_bytes(NULL, 0));
    const struct listed l = listed_of(now, term);
    return l.unlisted ? count(w, key, now, term, &l, l.unlisted - 1) : KT_OK;
}

int kt_index_find(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t **rows, uint32_t *len,
                  uint64_t *unlisted)
{
    struct kt_bytes now;
    int e = get_postings(w, key_of(term), &now);
    if (e) return e;
    const struct listed l = listed_of(now, term);
    const size_t n = l.end - l.first;
    uint64_t *found = kt_arena_array(kt_workset_arena(w), n + 1, sizeof *found);
    if (!found) return KT_ELIMIT;
    for (size_t i = 0; i < n; i++) found[i] = row_of(now, l.first + i);
    *rows = found;
    *len = (uint32_t)n;
    *unlisted = l.unlisted;
    return KT_OK;
}

/* ---------------------------------------------------------------------------------------------------------- misses */

/* Adds up the rows of a bucket.  *met: the key is there, though it was not found. */
static int add_up(struct kt_workset *w, uint64_t key, struct kt_index_bucket *out, bool *met)
{
    const struct kt_store_ops *ops = kt_workset_store(w)->ops;
    const uint64_t first = kt_index_bucket_of(key) + 1;
    struct kt_cursor *c;
    struct kt_bytes k, value;
    enum kt_seek how = KT_SEEK_AT_OR_AFTER;
    int e = ops->cursor(kt_workset_txn(w), KT_T_store_index, &c);
    if (e) return e;
    while (!(e = ops->seek(c, how, KT_BYTES_OF(first), &k, &value))) {
        uint64_t at;
        how = KT_SEEK_NEXT;
        if (k.len != sizeof at) e = KT_EDAMAGED;
        if (e) break;
        memcpy(&at, k.data, sizeof at);
        if (kt_index_bucket_of(at) != kt_index_bucket_of(key)) break;
        *met = *met || at == key;
        kt_index_bucket_add(out, at, value);
    }
    ops->cursor_close(c);
    return e == KT_ENOTFOUND ? KT_OK : e;
}

int kt_index_confirm_miss(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES])
{
    const uint64_t key = key_of(term);
    struct kt_index_bucket kept, found = {0};
    struct kt_bytes now;
    bool met = false;
    int e = get_postings(w, key, &now);
    if (!e) e = kt_index_bucket_get(w, key, &kept);
    if (!e) e = add_up(w, key, &found, &met);
    if (e) return e;
    return met == (now.len != 0) && kept.postings == found.postings && kept.sum == found.sum ? KT_OK : KT_EDAMAGED;
}
