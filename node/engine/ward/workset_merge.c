/* What merge works through: slots of the working set, debts and held envelopes in their tables, digests in memory. */
#include "engine/ward/workset_state.h"

#include "core/vector.h"

#include <stdlib.h>

/* A debt's row: the dot to cancel 28, compartment be32, ward 16, entity 16, field be32 -> generation be32. */
static void debt_key(const struct kt_dot *dot, kt_compartment c, const struct kt_entity_id *ward,
                     const struct kt_entity_id *entity, uint32_t field, struct kt_buf *out)
{
    uint8_t packed[KT_DOT_BYTES];
    kt_dot_pack(dot, packed);
    kt_buf_init(out, 128);
    kt_buf_put(out, kt_bytes(packed, sizeof packed));
    kt_buf_be32(out, c);
    kt_buf_put(out, KT_BYTES_OF(*ward));
    kt_buf_put(out, KT_BYTES_OF(*entity));
    kt_buf_be32(out, field);
}

static int port_slot(void *ctx, const struct kt_op_context *at, const struct kt_entity_id *entity, uint32_t field,
                     struct kt_bytes element, bool create, struct kt_slot **out)
{
    struct kt_workset *w = ctx;
    struct kt_ward *ward;
    int e = kt_workset_ward(w, at->compartment, &at->ward, &ward);
    return e ? e : kt_workset_slot(w, ward, entity, field, element, create, out);
}

static bool holds(const struct kt_slot *s, const struct kt_dot *dot)
{
    for (uint32_t i = 0; s && i < s->live_len; i++)
        if (kt_dot_compare(&s->live[i].dot, dot) == 0) return true;
    return false;
}

struct search {
    struct kt_workset *w;
    struct kt_ward *ward;
    const struct kt_dot *dot;
    struct kt_slot *found;
};

static int search_row(void *ctx, const struct kt_slot *row)
{
    struct search *s = ctx;
    if (!holds(row, s->dot)) return KT_OK;
    int e = kt_workset_slot(s->w, s->ward, &row->entity, row->field, row->element, false, &s->found);
    return e ? e : KT_EEND;
}

static int port_holding(void *ctx, const struct kt_op_context *at, const struct kt_entity_id *entity, uint32_t field,
                        struct kt_bytes hint, const struct kt_dot *dot, struct kt_slot **out)
{
    struct kt_workset *w = ctx;
    struct kt_ward *ward;
    int e = kt_workset_ward(w, at->compartment, &at->ward, &ward);
    if (e || (e = kt_workset_slot(w, ward, entity, field, hint, false, out)) || holds(*out, dot)) return e;
    *out = NULL;
    if (!kt_field_is_list(field)) {
        uint32_t first, n = kt_ward_field(ward, entity, field, &first);
        for (uint32_t i = 0; i < n && !*out; i++)
            if (holds(ward->slots[first + i], dot)) *out = ward->slots[first + i];
        return KT_OK;
    }
    struct search s = {w, ward, dot, NULL};
    e = kt_workset_rows(w, ward, entity, field, search_row, &s);
    *out = s.found;
    return e == KT_EEND ? KT_OK : e;
}

/* A cut batch counts as present and empty. */
static bool is_cut(struct kt_workset *w, const struct kt_dot *dot)
{
    const struct kt_roster *r = kt_keyring_roster(w->keyring);
    return r && dot->batch > kt_roster_cut(r, dot->origin, 0);
}

/* The disk lost this dot's batch before the store was made: it is not here, whatever the vector says. */
static int is_lost(struct kt_workset *w, const struct kt_dot *dot, bool *out)
{
    uint8_t key[KT_LOST_KEY_BYTES];
    struct kt_bytes none;
    kt_workset_lost_key(dot->origin, dot->batch, key);
    int e = w->store->ops->get(w->txn, KT_T_store_meta, KT_BYTES_OF(key), &none);
    *out = !e;
    return e == KT_ENOTFOUND ? KT_OK : e;
}

/* Has the op of this dot taken effect: its batch is here (or it stands earlier in the batch being merged), and its
 * envelope is not held. */
static int port_settled(void *ctx, const struct kt_op_context *at, const struct kt_dot *dot, bool *out)
{
    struct kt_workset *w = ctx;
    const bool same_batch = kt_origin_compare(dot->origin, at->dot.origin) == 0 && dot->batch == at->dot.batch;
    bool lost = false;
    *out = kt_vector_get(w->vector, dot->origin) >= dot->batch;
    if (*out && w->lost) {
        int e = is_lost(w, dot, &lost);
        if (e) return e;
    }
    *out = (*out && !lost) || (same_batch && kt_dot_compare(dot, &at->dot) < 0) || is_cut(w, dot);
    if (!*out) return KT_OK;
    struct kt_dot envelope = *dot;
    envelope.op = 0;
    uint8_t key[KT_DOT_BYTES];
    struct kt_bytes held;
    kt_dot_pack(&envelope, key);
    int e = w->store->ops->get(w->txn, KT_T_store_held, kt_bytes(key, sizeof key), &held);
    if (e && e != KT_ENOTFOUND) return e;
    *out = e == KT_ENOTFOUND;
    return KT_OK;
}

static int debt_generation(struct kt_workset *w, struct kt_bytes key, uint32_t *out)
{
    struct kt_bytes value;
    int e = w->store->ops->get(w->txn, KT_T_store_debt, key, &value);
    if (e) return e;
    struct kt_reader r = kt_reader(value);
    *out = kt_take_be32(&r);
    return r.err ? KT_EDAMAGED : KT_OK;
}

static int port_debt_put(void *ctx, const struct kt_debt *d)
{
    struct kt_workset *w = ctx;
    struct kt_buf key;
    debt_key(&d->dot, d->compartment, &d->ward, &d->entity, d->field, &key);
    uint32_t before;
    int e = key.err ? key.err : debt_generation(w, kt_buf_bytes(&key), &before);
    if (e == KT_ENOTFOUND || (!e && before < d->generation)) {
        const uint32_t g = d->generation;
        const uint8_t value[4] = {(uint8_t)(g >> 24), (uint8_t)(g >> 16), (uint8_t)(g >> 8), (uint8_t)g};
        e = w->store->ops->put(w->txn, KT_T_store_debt, kt_buf_bytes(&key), kt_bytes(value, sizeof value));
    }
    kt_buf_free(&key);
    return e;
}

static int port_debt_covers(void *ctx, const struct kt_op_context *at, const struct kt_op *op, bool *out)
{
    struct kt_workset *w = ctx;
    struct kt_buf key;
    debt_key(&at->dot, at->compartment, &at->ward, &op->entity, op->field, &key);
    uint32_t generation = 0;
    int e = key.err ? key.err : debt_generation(w, kt_buf_bytes(&key), &generation);
    kt_buf_free(&key);
    *out = !e && generation >= at->generation;
    return e == KT_ENOTFOUND ? KT_OK : e;
}

static int port_own(void *ctx, struct kt_slot *slot, struct kt_live *live)
{
    struct kt_workset *w = ctx;
    if (slot->live_len >= slot->live_cap) {
        const uint32_t cap = slot->live_len ? slot->live_len * 2 : 1;
        struct kt_live *grown = kt_arena_array(&w->arena, cap, sizeof *grown);
        if (!grown) return KT_ELIMIT;
        if (slot->live_len) memcpy(grown, slot->live, slot->live_len * sizeof *grown);
        slot->live = grown;
        slot->live_cap = cap;
    }
    const struct kt_bytes value = kt_arena_copy(&w->arena, live->value), by = kt_arena_copy(&w->arena, live->by);
    if ((live->value.len && !value.data) || (live->by.len && !by.data)) return KT_ELIMIT;
    live->value = value;
    live->by = by;
    return KT_OK;
}

/* Marks what changed, and moves the sum of its bucket. */
static void account(struct kt_workset *w, const struct kt_op_context *at, const struct kt_slot *slot,
                    const struct kt_live *live, void (*move)(struct kt_sum *, const struct kt_sum *))
{
    struct kt_ward *ward;
    struct kt_ws_digest *d;
    int e = kt_workset_ward(w, at->compartment, &at->ward, &ward);
    if (!e) e = kt_workset_digest_load(w, at->compartment, &d);
    const struct kt_compartment_keys *keys = kt_keyring_compartment(w->keyring, at->compartment);
    if (e || !keys) {
        if (!w->err) w->err = e ? e : KT_EKEY;
        return;
    }
    ward->dirty = true;
    if (!kt_field_is_list(slot->field)) ((struct kt_ws_ward *)ward)->row_dirty = true;
    const struct kt_sum term = kt_digest_term(keys->digest_key, &at->ward, slot, live);
    const uint32_t bucket = kt_digest_bucket(&slot->entity);
    move(&d->sums[bucket], &term);
    move(&d->total, &term);
    d->dirty[bucket] = d->touched = true;
}

static void port_came(void *ctx, const struct kt_op_context *at, const struct kt_slot *slot, const struct kt_live *live)
{
    account(ctx, at, slot, live, kt_sum_add);
}

static void port_went(void *ctx, const struct kt_op_context *at, const struct kt_slot *slot, const struct kt_live *live)
{
    account(ctx, at, slot, live, kt_sum_sub);
}

void kt_workset_merge_port(struct kt_workset *w, const struct kt_vector *vector, struct kt_merge_port *out)
{
    w->vector = vector;
    *out = (struct kt_merge_port){.ctx = w,
                                  .slot = port_slot,
                                  .holding = port_holding,
                                  .settled = port_settled,
                                  .debt_put = port_debt_put,
                                  .debt_covers = port_debt_covers,
                                  .own = port_own,
                                  .came = port_came,
                                  .went = port_went};
}

/* ------------------------------------------------------------------------------------------------------ digests */

/* A bucket's row: compartment be32, bucket be32 -> 32 bytes. */
static void bucket_key(kt_compartment c, uint32_t bucket, uint8_t out[8])
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(c >> (24 - 8 * i));
        out[4 + i] = (uint8_t)(bucket >> (24 - 8 * i));
    }
}

/* The rows of one compartment, in order. */
static int read_buckets(struct kt_workset *w, struct kt_ws_digest *d)
{
    const struct kt_store_ops *ops = w->store->ops;
    struct kt_cursor *cursor;
    struct kt_bytes key, value;
    uint8_t first[8];
    int e = ops->cursor(w->txn, KT_T_store_digest, &cursor);
    if (e) return e;
    bucket_key(d->compartment, 0, first);
    e = ops->seek(cursor, KT_SEEK_AT_OR_AFTER, kt_bytes(first, sizeof first), &key, &value);
    for (; !e && key.len >= 4 && memcmp(key.data, first, 4) == 0;
         e = ops->seek(cursor, KT_SEEK_NEXT, kt_bytes(NULL, 0), &key, &value)) {
        struct kt_reader r = kt_reader(key);
        (void)kt_take_be32(&r);
        const uint32_t bucket = kt_take_be32(&r);
        if (r.err || kt_reader_left(&r) || bucket >= KT_DIGEST_BUCKETS || value.len != sizeof *d->sums) {
            e = KT_EDAMAGED;
            break;
        }
        memcpy(&d->sums[bucket], value.data, value.len);
        kt_sum_add(&d->total, &d->sums[bucket]);
    }
    ops->cursor_close(cursor);
    return e == KT_ENOTFOUND ? KT_OK : e;
}

int kt_workset_digest_load(struct kt_workset *w, kt_compartment c, struct kt_ws_digest **out)
{
    for (struct kt_ws_digest *d = w->digests; d; d = d->next)
        if (d->compartment == c) {
            *out = d;
            return KT_OK;
        }
    struct kt_ws_digest *d = calloc(1, sizeof *d);
    if (!d) return KT_ENOMEM;
    d->compartment = c;
    int e = read_buckets(w, d);
    if (e) {
        free(d);
        return e;
    }
    d->next = w->digests;
    w->digests = d;
    *out = d;
    return KT_OK;
}

static int flush_buckets(struct kt_workset *w, struct kt_ws_digest *d)
{
    int e = KT_OK;
    for (uint32_t b = 0; b < KT_DIGEST_BUCKETS && !e; b++) {
        if (!d->dirty[b]) continue;
        uint8_t key[8];
        bucket_key(d->compartment, b, key);
        e = w->store->ops->put(w->txn, KT_T_store_digest, kt_bytes(key, sizeof key), KT_BYTES_OF(d->sums[b]));
        d->dirty[b] = false;
    }
    d->touched = false;
    return e;
}

int kt_workset_digests_flush(struct kt_workset *w)
{
    int e = KT_OK;
    for (struct kt_ws_digest *d = w->digests; d && !e; d = d->next)
        if (d->touched) e = flush_buckets(w, d);
    return e;
}

void kt_workset_digests_drop(struct kt_workset *w)
{
    for (struct kt_ws_digest *d = w->digests, *next; d; d = next) {
        next = d->next;
        free(d);
    }
    w->digests = NULL;
}

int kt_workset_digest(struct kt_workset *w, kt_compartment c, struct kt_hash *out)
{
    struct kt_ws_digest *d;
    int e = kt_workset_digest_load(w, c, &d);
    if (!e) *out = kt_digest_of(&d->total, 1);
    return e;
}
