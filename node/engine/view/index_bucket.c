/* The sums that tell a miss from a loss: kept with every change, held against what is there after a miss. */
#include "engine/view/index.h"

#define BUCKET_BITS 16u
#define BUCKET_MASK (UINT64_MAX << (64u - BUCKET_BITS))

bool kt_index_is_bucket(uint64_t key) { return (key & ~BUCKET_MASK) == 0; }
uint64_t kt_index_bucket_of(uint64_t key) { return key & BUCKET_MASK; }

static uint64_t be64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v = v << 8 | p[i];
    return v;
}

/* Terms are keyed hashes already and the enemy here is chance: odd factors and shifts spread every bit well enough. */
static uint64_t fingerprint(uint64_t key, const uint8_t *posting)
{
    uint64_t h = (key ^ be64(posting)) * 0x9e3779b97f4a7c15u;
    h = ((h ^ h >> 29) + be64(posting + 8)) * 0xbf58476d1ce4e5b9u;
    h = ((h ^ h >> 32) + be64(posting + 16)) * 0x94d049bb133111ebu;
    return h ^ h >> 31;
}

void kt_index_bucket_add(struct kt_index_bucket *b, uint64_t key, struct kt_bytes postings)
{
    for (size_t at = 0; at + KT_POSTING_BYTES <= postings.len; at += KT_POSTING_BYTES, b->postings++)
        b->sum += fingerprint(key, postings.data + at);
}

void kt_index_bucket_take(struct kt_index_bucket *b, uint64_t key, struct kt_bytes postings)
{
    for (size_t at = 0; at + KT_POSTING_BYTES <= postings.len; at += KT_POSTING_BYTES, b->postings--)
        b->sum -= fingerprint(key, postings.data + at);
}

int kt_index_bucket_decode(struct kt_bytes value, struct kt_index_bucket *out)
{
    struct kt_reader r = kt_reader(value);
    out->postings = kt_take_be32(&r);
    out->sum = kt_take_be64(&r);
    return r.err || kt_reader_left(&r) ? KT_EDAMAGED : KT_OK;
}

int kt_index_bucket_get(struct kt_workset *w, uint64_t key, struct kt_index_bucket *out)
{
    const uint64_t at = kt_index_bucket_of(key);
    struct kt_bytes value;
    *out = (struct kt_index_bucket){0};
    int e = kt_workset_store(w)->ops->get(kt_workset_txn(w), KT_T_store_index, KT_BYTES_OF(at), &value);
    if (e) return e == KT_ENOTFOUND ? KT_OK : e;
    return kt_index_bucket_decode(value, out);
}

int kt_index_bucket_put(struct kt_workset *w, uint64_t key, const struct kt_index_bucket *b)
{
    const struct kt_store_ops *ops = kt_workset_store(w)->ops;
    const uint64_t at = kt_index_bucket_of(key);
    uint8_t value[12];
    if (b->postings == 0) return ops->del(kt_workset_txn(w), KT_T_store_index, KT_BYTES_OF(at));
    for (int i = 0; i < 4; i++) value[i] = (uint8_t)(b->postings >> (24 - 8 * i));
    for (int i = 0; i < 8; i++) value[4 + i] = (uint8_t)(b->sum >> (56 - 8 * i));
    return ops->put(kt_workset_txn(w), KT_T_store_index, KT_BYTES_OF(at), KT_BYTES_OF(value));
}
