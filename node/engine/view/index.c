#include "engine/view/index.h"

#define POSTING_BYTES      24u
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

static uint64_t key_of(const uint8_t term[KT_TERM_BYTES])
{
    uint64_t k = 0;
    for (int i = 0; i < 8; i++) k = k << 8 | term[i];
    return k;
}

static void posting_of(const uint8_t term[KT_TERM_BYTES], uint64_t row, uint8_t out[POSTING_BYTES])
{
    memcpy(out, term + 8, 16);
    for (int i = 0; i < 8; i++) out[16 + i] = (uint8_t)(row >> (56 - 8 * i));
}

static int get_postings(struct kt_workset *w, const uint64_t *key, struct kt_bytes *out)
{
    int e = kt_workset_store(w)->ops->get(kt_workset_txn(w), KT_T_store_index, KT_BYTES_OF(*key), out);
    if (e == KT_ENOTFOUND) {
        *out = kt_bytes(NULL, 0);
        return KT_OK;
    }
    if (!e && out->len % POSTING_BYTES) return KT_EDAMAGED;
    return e;
}

/* The first posting that is not below. */
static size_t lower_bound(struct kt_bytes postings, const uint8_t *wanted, size_t wanted_len)
{
    size_t low = 0, high = postings.len / POSTING_BYTES;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (memcmp(postings.data + mid * POSTING_BYTES, wanted, wanted_len) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Puts the row back with a posting more or less. */
static int change_postings(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t row, bool add)
{
    const uint64_t key = key_of(term);
    const struct kt_store_ops *ops = kt_workset_store(w)->ops;
    struct kt_bytes now;
    uint8_t wanted[POSTING_BYTES];
    int e = get_postings(w, &key, &now);
    if (e) return e;
    posting_of(term, row, wanted);
    const size_t at = lower_bound(now, wanted, sizeof wanted) * POSTING_BYTES;
    const bool there = at < now.len && memcmp(now.data + at, wanted, sizeof wanted) == 0;
    if (there == add) return KT_OK;
    if (!add && now.len == POSTING_BYTES) return ops->del(kt_workset_txn(w), KT_T_store_index, KT_BYTES_OF(key));
    struct kt_buf b;
    kt_buf_init(&b, POSTINGS_BYTES_MAX);
    kt_buf_put(&b, kt_bytes(now.data, at));
    if (add) kt_buf_put(&b, kt_bytes(wanted, sizeof wanted));
    const size_t rest = add ? at : at + POSTING_BYTES;
    if (rest < now.len) kt_buf_put(&b, kt_bytes(now.data + rest, now.len - rest));
    e = b.err ? b.err : ops->put(kt_workset_txn(w), KT_T_store_index, KT_BYTES_OF(key), kt_buf_bytes(&b));
    kt_buf_free(&b);
    return e;
}

int kt_index_add(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t row)
{
    return change_postings(w, term, row, true);
}

int kt_index_remove(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t row)
{
    return change_postings(w, term, row, false);
}

int kt_index_find(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t **rows, uint32_t *len)
{
    const uint64_t key = key_of(term);
    struct kt_bytes now;
    int e = get_postings(w, &key, &now);
    if (e) return e;
    const size_t first = lower_bound(now, term + 8, 16) * POSTING_BYTES;
    size_t end = first;
    while (end < now.len && memcmp(now.data + end, term + 8, 16) == 0) end += POSTING_BYTES;
    const size_t n = (end - first) / POSTING_BYTES;
    uint64_t *found = kt_arena_array(kt_workset_arena(w), n + 1, sizeof *found);
    if (!found) return KT_ELIMIT;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = now.data + first + i * POSTING_BYTES + 16;
        for (int k = 0; k < 8; k++) found[i] = found[i] << 8 | p[k];
    }
    *rows = found;
    *len = (uint32_t)n;
    return KT_OK;
}
