#include "engine/ward/apply.h"

#include <stdlib.h>

/* ------------------------------------------------------------------------------------------------------- merging */

int kt_apply_change(struct kt_workset *w, const struct kt_vector *before, struct kt_op_context at,
                    const struct kt_change *change)
{
    struct kt_merge_port port;
    kt_workset_merge_port(w, before, &port);
    at.ward = change->ward;
    at.by = change->actor;
    for (uint32_t i = 0; i < change->ops_len; i++) {
        struct kt_op op = change->ops[i];
        uint8_t packed[KT_DOT_BYTES];
        at.dot.op = i;
        if (kt_field_is_list(op.field) && op.element.len == 0) {
            kt_dot_pack(&at.dot, packed);
            op.element = kt_bytes(packed, sizeof packed);
        }
        int e = kt_merge_op(&port, &at, &op);
        if (e) return e;
    }
    return KT_OK;
}

static struct kt_op_context context_of(const struct kt_opened_envelope *e, uint64_t position)
{
    return (struct kt_op_context){
        .compartment = e->place.compartment,
        .dot = {e->place.origin, e->place.batch, e->place.envelope, 0},
        .stamp = e->stamp,
        .generation = e->clear.generation,
        .position = position
    };
}

/* ---------------------------------------------------------------------------------------------- held envelopes */

/* Key: packed dot of op 0.  Row: why be32, suite be32, cluster 16, roster hash 32, compartment be32, epoch be32, nonce
 * base 24, stamp be64, position be64, then clear part and ciphertext, each behind its length be32.  It holds all that
 * opening needs, so that it outlives the journal. */
static void held_key(const struct kt_envelope_place *at, uint8_t out[KT_DOT_BYTES])
{
    const struct kt_dot dot = {at->origin, at->batch, at->envelope, 0};
    kt_dot_pack(&dot, out);
}

static int hold(struct kt_workset *w, const struct kt_opened_envelope *e, uint64_t position)
{
    uint8_t key[KT_DOT_BYTES];
    struct kt_buf b;
    held_key(&e->place, key);
    kt_buf_init(&b, KT_ITEM_BYTES_MAX + 1024);
    kt_buf_be32(&b, (uint32_t)e->why);
    kt_buf_be32(&b, e->place.suite);
    kt_buf_put(&b, KT_BYTES_OF(e->place.cluster));
    kt_buf_put(&b, KT_BYTES_OF(e->place.roster_hash));
    kt_buf_be32(&b, e->place.compartment);
    kt_buf_be32(&b, e->place.epoch);
    kt_buf_put(&b, kt_bytes(e->place.nonce_base, sizeof e->place.nonce_base));
    kt_buf_be64(&b, e->stamp);
    kt_buf_be64(&b, position);
    kt_buf_be32(&b, (uint32_t)e->clear_bytes.len);
    kt_buf_put(&b, e->clear_bytes);
    kt_buf_be32(&b, (uint32_t)e->cipher.len);
    kt_buf_put(&b, e->cipher);
    struct kt_store *s = kt_workset_store(w);
    int err =
        b.err ? b.err : s->ops->put(kt_workset_txn(w), KT_T_store_held, kt_bytes(key, sizeof key), kt_buf_bytes(&b));
    kt_buf_free(&b);
    return err;
}

static int held_decode(struct kt_bytes key, struct kt_bytes row, struct kt_opened_envelope *e, uint64_t *position)
{
    if (key.len != KT_DOT_BYTES) return KT_EDAMAGED;
    struct kt_dot dot;
    kt_dot_unpack(key.data, &dot);
    struct kt_reader r = kt_reader(row);
    *e = (struct kt_opened_envelope){.fate = KT_FATE_HELD};
    e->why = (int)kt_take_be32(&r);
    e->place = (struct kt_envelope_place){.origin = dot.origin, .batch = dot.batch, .envelope = dot.envelope};
    e->place.suite = kt_take_be32(&r);
    kt_take_into(&r, &e->place.cluster, sizeof e->place.cluster);
    kt_take_into(&r, &e->place.roster_hash, sizeof e->place.roster_hash);
    e->place.compartment = kt_take_be32(&r);
    e->place.epoch = kt_take_be32(&r);
    kt_take_into(&r, e->place.nonce_base, sizeof e->place.nonce_base);
    e->stamp = kt_take_be64(&r);
    *position = kt_take_be64(&r);
    e->clear_bytes = kt_take(&r, kt_take_be32(&r));
    e->cipher = kt_take(&r, kt_take_be32(&r));
    if (r.err || kt_reader_left(&r)) return KT_EDAMAGED;
    return kt_clear_decode(e->clear_bytes, &e->clear) ? KT_EDAMAGED : KT_OK;
}

/* Deletes every row of a table whose key begins with `prefix`. */
static int delete_prefix(struct kt_workset *w, enum kt_table table, struct kt_bytes prefix)
{
    struct kt_store *s = kt_workset_store(w);
    for (;;) {
        struct kt_cursor *c;
        struct kt_bytes key;
        int e = s->ops->cursor(kt_workset_txn(w), table, &c);
        if (e) return e;
        e = s->ops->seek(c, KT_SEEK_AT_OR_AFTER, prefix, &key, NULL);
        uint8_t copy[512];
        const bool ours =
            !e && key.len >= prefix.len && key.len <= sizeof copy && memcmp(key.data, prefix.data, prefix.len) == 0;
        const size_t len = ours ? key.len : 0;
        if (ours) memcpy(copy, key.data, len);
        s->ops->cursor_close(c);
        if (!ours) return e == KT_ENOTFOUND ? KT_OK : e;
        if ((e = s->ops->del(kt_workset_txn(w), table, kt_bytes(copy, len)))) return e;
    }
}

static int any_with_prefix(struct kt_workset *w, enum kt_table table, struct kt_bytes prefix, bool *out)
{
    struct kt_store *s = kt_workset_store(w);
    struct kt_cursor *c;
    struct kt_bytes key;
    int e = s->ops->cursor(kt_workset_txn(w), table, &c);
    if (e) return e;
    e = s->ops->seek(c, KT_SEEK_AT_OR_AFTER, prefix, &key, NULL);
    *out = !e && key.len >= prefix.len && memcmp(key.data, prefix.data, prefix.len) == 0;
    s->ops->cursor_close(c);
    return e == KT_ENOTFOUND ? KT_OK : e;
}

/* Once nothing of a batch is missing or held, nothing can call its debts in any more. */
static int settle(struct kt_workset *w, struct kt_origin origin, uint64_t number)
{
    uint8_t packed[KT_DOT_BYTES];
    const struct kt_dot dot = {origin, number, 0, 0};
    kt_dot_pack(&dot, packed);
    const struct kt_bytes prefix = kt_bytes(packed, KT_ORIGIN_BYTES + 8);
    bool held;
    int e = any_with_prefix(w, KT_T_store_held, prefix, &held);
    return e || held ? e : delete_prefix(w, KT_T_store_debt, prefix);
}

static bool is_erased(struct kt_workset *w, const struct kt_opened_envelope *e)
{
    return (e->fate == KT_FATE_OPEN || e->fate == KT_FATE_HELD) &&
           kt_keyring_erased(kt_workset_keyring(w), e->place.compartment, &e->clear.tag, e->clear.generation);
}

/* ------------------------------------------------------------------------------------------------------ batches */

int kt_apply_batch(struct kt_workset *w, const struct kt_vector *before, struct kt_opened *o, uint64_t position,
                   struct kt_apply_count *count)
{
    for (uint32_t i = 0; i < o->envelopes_len; i++) {
        struct kt_opened_envelope *env = &o->envelopes[i];
        int e = KT_OK;
        if (is_erased(w, env)) continue; /* its erasure may have come since it was opened ahead */
        if (env->fate == KT_FATE_HELD && env->why == KT_EKEY) /* its key may have come since it was opened ahead */
            e = kt_open_envelope(kt_workset_keyring(w), NULL, kt_workset_arena(w), env);
        if (e) return e;
        if (env->fate == KT_FATE_OPEN) {
            e = kt_apply_change(w, before, context_of(env, position), &env->change);
            count->ops += env->change.ops_len;
        } else if (env->fate == KT_FATE_HELD) {
            e = hold(w, env, position);
            count->held++;
        } else if (env->fate == KT_FATE_VOID) {
            count->voided++;
        }
        if (e) return e;
    }
    return settle(w, o->batch.seal.origin, o->batch.seal.number);
}

/* A step's share of a long walk: what opens may be thirty times as long, and all of it lies in the working set. */
#define HELD_ROWS_AT_ONCE   256u
#define HELD_BYTES_AT_ONCE  (2u << 20)
#define HELD_ROWS_LOOKED_AT 4096u

struct held_row {
    uint8_t key[KT_DOT_BYTES];
    struct kt_bytes row;
};

/* The row at or after the walk's place, and round from the last to the first.  KT_ENOTFOUND: there is none. */
static int walk_on(struct kt_cursor *c, const struct kt_store_ops *ops, struct kt_held_walk *walk, struct kt_bytes *key,
                   struct kt_bytes *row)
{
    int e = ops->seek(c, KT_SEEK_AT_OR_AFTER, KT_BYTES_OF(walk->at), key, row);
    if (e == KT_ENOTFOUND) e = ops->seek(c, KT_SEEK_AT_OR_AFTER, kt_bytes(NULL, 0), key, row);
    if (e) return e;
    if (key->len != KT_DOT_BYTES) return KT_EDAMAGED;
    memcpy(walk->at, key->data, key->len); /* the next possible key after it */
    for (size_t i = sizeof walk->at; i > 0 && ++walk->at[i - 1] == 0; i--) continue;
    return KT_OK;
}

/* Copies some of the held rows, so that merging may write. */
static int take_held(struct kt_workset *w, struct kt_held_walk *walk, struct held_row *out, size_t *n)
{
    const struct kt_store_ops *ops = kt_workset_store(w)->ops;
    struct kt_cursor *c;
    struct kt_bytes key, row;
    size_t bytes = 0;
    *n = 0;
    int e = ops->cursor(kt_workset_txn(w), KT_T_store_held, &c);
    if (e) return e;
    while (*n < HELD_ROWS_AT_ONCE && bytes < HELD_BYTES_AT_ONCE && walk->left &&
           !(e = walk_on(c, ops, walk, &key, &row))) {
        struct held_row *h = &out[(*n)++];
        memcpy(h->key, key.data, key.len);
        h->row = kt_arena_copy(kt_workset_arena(w), row);
        if (!h->row.data) e = KT_ELIMIT;
        if (e) break;
        bytes += row.len;
        walk->left--;
    }
    ops->cursor_close(c);
    if (e == KT_ENOTFOUND) walk->left = 0;
    return e == KT_ENOTFOUND ? KT_OK : e;
}

static int retry(struct kt_workset *w, const struct kt_vector *vector, const struct held_row *h,
                 struct kt_apply_count *count)
{
    struct kt_opened_envelope env;
    uint64_t position;
    const struct kt_bytes key = kt_bytes(h->key, sizeof h->key);
    int e = held_decode(key, h->row, &env, &position);
    if (!e && is_erased(w, &env))
        env.fate = KT_FATE_ERASED;
    else if (!e)
        e = kt_open_envelope(kt_workset_keyring(w), NULL, kt_workset_arena(w), &env);
    if (e || env.fate == KT_FATE_HELD || env.fate == KT_FATE_BLIND) return e;
    struct kt_store *s = kt_workset_store(w);
    if (env.fate == KT_FATE_OPEN) {
        e = kt_apply_change(w, vector, context_of(&env, position), &env.change);
        count->ops += env.change.ops_len;
        count->opened_late++;
    } else if (env.fate == KT_FATE_VOID) {
        count->voided++;
    }
    if (!e) e = s->ops->del(kt_workset_txn(w), KT_T_store_held, key);
    return e ? e : settle(w, env.place.origin, env.place.batch);
}

int kt_apply_held(struct kt_workset *w, const struct kt_vector *held, bool again, struct kt_held_walk *walk,
                  struct kt_apply_count *count)
{
    struct held_row *rows = kt_arena_array(kt_workset_arena(w), HELD_ROWS_AT_ONCE, sizeof *rows);
    size_t n = 0;
    int e = rows ? KT_OK : KT_ELIMIT;
    if (!e && again) e = kt_workset_store(w)->ops->count(kt_workset_txn(w), KT_T_store_held, &walk->left);
    if (!e) e = take_held(w, walk, rows, &n);
    for (size_t i = 0; i < n && !e; i++) e = retry(w, held, &rows[i], count);
    return e;
}

static bool has_id(const struct kt_dek_id *ids, uint32_t n, const struct kt_dek_id *id)
{
    for (uint32_t i = 0; i < n; i++)
        if (memcmp(&ids[i], id, sizeof *id) == 0) return true;
    return false;
}

int kt_apply_lacking(struct kt_workset *w, struct kt_held_walk *walk, struct kt_arena *arena, struct kt_dek_id **ids,
                     uint32_t *n, uint64_t *held)
{
    const struct kt_store_ops *ops = kt_workset_store(w)->ops;
    struct kt_cursor *c;
    *n = 0;
    int e = ops->count(kt_workset_txn(w), KT_T_store_held, held);
    if (e || *held == 0) return e;
    *ids = kt_arena_array(arena, KT_WRAPS_PER_FRAME_MAX, sizeof **ids);
    if (!*ids) return KT_ELIMIT;
    if ((e = ops->cursor(kt_workset_txn(w), KT_T_store_held, &c))) return e;
    struct kt_bytes key, row;
    walk->left = *held < HELD_ROWS_LOOKED_AT ? *held : HELD_ROWS_LOOKED_AT;
    for (; walk->left && *n < KT_WRAPS_PER_FRAME_MAX && !e; walk->left--) {
        struct kt_opened_envelope env;
        uint64_t position;
        e = walk_on(c, ops, walk, &key, &row);
        if (!e) e = held_decode(key, row, &env, &position);
        if (!e && env.why == KT_EKEY && !has_id(*ids, *n, &env.clear.dek)) (*ids)[(*n)++] = env.clear.dek;
    }
    ops->cursor_close(c);
    return e == KT_ENOTFOUND ? KT_OK : e;
}
