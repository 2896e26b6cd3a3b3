#include "engine/journal/journal.h"

#include "engine/journal/layout.h"

struct name {
    uint8_t b[KT_JOURNAL_NAME_BYTES];
};
struct meta_key {
    uint8_t b[KT_JOURNAL_META_KEY_BYTES];
    size_t len;
};

static void pack_be64(uint64_t v, uint8_t out[8])
{
    for (int i = 0; i < 8; i++) out[i] = (uint8_t)(v >> (56 - 8 * i));
}

static struct name pack_name(struct kt_origin origin, uint64_t number)
{
    struct name n;
    kt_origin_pack(origin, n.b);
    pack_be64(number, n.b + KT_ORIGIN_BYTES);
    return n;
}

static struct meta_key pack_meta(const char *prefix, const uint8_t *rest, size_t rest_len)
{
    struct meta_key k = {.len = strlen(prefix) + rest_len};
    memcpy(k.b, prefix, k.len - rest_len);
    if (rest_len) memcpy(k.b + (k.len - rest_len), rest, rest_len);
    return k;
}

static struct kt_bytes meta_bytes(const struct meta_key *k) { return kt_bytes(k->b, k->len); }

/* A row that is one be64; `missing` where there is none. */
static int get_number(const struct kt_store *s, struct kt_txn *t, enum kt_table table, struct kt_bytes key,
                      uint64_t missing, uint64_t *out)
{
    struct kt_bytes v;
    int err = s->ops->get(t, table, key, &v);
    if (err == KT_ENOTFOUND) {
        *out = missing;
        return KT_OK;
    }
    if (err) return err;
    if (v.len != 8) return KT_EDAMAGED;
    struct kt_reader r = kt_reader(v);
    *out = kt_take_be64(&r);
    return KT_OK;
}

static int put_number(const struct kt_store *s, struct kt_txn *t, enum kt_table table, struct kt_bytes key, uint64_t v)
{
    uint8_t b[8];
    pack_be64(v, b);
    return s->ops->put(t, table, key, KT_BYTES_OF(b));
}

int kt_journal_span(const struct kt_store *s, struct kt_txn *t, uint64_t *base, uint64_t *next)
{
    uint64_t b = 0, n = 0;
    int err = get_number(s, t, KT_T_journal_meta, kt_str(KT_JOURNAL_BASE), KT_JOURNAL_POSITION_FIRST, &b);
    if (!err) err = get_number(s, t, KT_T_journal_meta, kt_str(KT_JOURNAL_NEXT), KT_JOURNAL_POSITION_FIRST, &n);
    if (!err && (b < KT_JOURNAL_POSITION_FIRST || b > n)) err = KT_EDAMAGED;
    if (err) return err;
    *base = b;
    *next = n;
    return KT_OK;
}

static int read_head(struct kt_bytes key, struct kt_bytes value, struct kt_vector_entry *out)
{
    if (key.len != KT_ORIGIN_BYTES || value.len != KT_JOURNAL_HEAD_BYTES) return KT_EDAMAGED;
    struct kt_reader r = kt_reader(value);
    struct kt_vector_entry e = {.origin = kt_origin_unpack(key.data)};
    e.number = kt_take_be64(&r);
    kt_take_into(&r, e.seal_hash.b, KT_HASH_BYTES);
    e.hlc = kt_take_be64(&r);
    e.roster_version = kt_take_be32(&r);
    if (e.number == 0) return KT_EDAMAGED;
    *out = e;
    return KT_OK;
}

static int put_head(const struct kt_store *s, struct kt_txn *t, const struct kt_vector_entry *e)
{
    uint8_t key[KT_ORIGIN_BYTES], v[KT_JOURNAL_HEAD_BYTES], *at = v;
    kt_origin_pack(e->origin, key);
    pack_be64(e->number, at);
    memcpy(at += 8, e->seal_hash.b, KT_HASH_BYTES);
    pack_be64(e->hlc, at += KT_HASH_BYTES);
    at += 8;
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(e->roster_version >> (24 - 8 * i));
    return s->ops->put(t, KT_T_journal_head, KT_BYTES_OF(key), KT_BYTES_OF(v));
}

int kt_journal_head(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, struct kt_vector_entry *out)
{
    uint8_t key[KT_ORIGIN_BYTES];
    struct kt_bytes v;
    kt_origin_pack(origin, key);
    int err = s->ops->get(t, KT_T_journal_head, KT_BYTES_OF(key), &v);
    return err ? err : read_head(KT_BYTES_OF(key), v, out);
}

static int head_number(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t *number)
{
    struct kt_vector_entry e;
    int err = kt_journal_head(s, t, origin, &e);
    if (err && err != KT_ENOTFOUND) return err;
    *number = err ? 0 : e.number;
    return KT_OK;
}

int kt_journal_base_of(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t *number)
{
    uint8_t packed[KT_ORIGIN_BYTES];
    kt_origin_pack(origin, packed);
    struct meta_key k = pack_meta(KT_JOURNAL_BASES, packed, sizeof(packed));
    return get_number(s, t, KT_T_journal_meta, meta_bytes(&k), 0, number);
}

static int raise_base_of(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t number)
{
    uint64_t now;
    int err = kt_journal_base_of(s, t, origin, &now);
    if (err || now >= number) return err;
    uint8_t packed[KT_ORIGIN_BYTES];
    kt_origin_pack(origin, packed);
    struct meta_key k = pack_meta(KT_JOURNAL_BASES, packed, sizeof(packed));
    return put_number(s, t, KT_T_journal_meta, meta_bytes(&k), number);
}

/* `put`: the port's, or its append. */
static int put_batch(int (*put)(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes value),
                     struct kt_txn *t, uint64_t position, const struct name *name, struct kt_bytes batch)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_JOURNAL_NAME_BYTES + batch.len);
    kt_buf_put(&b, KT_BYTES_OF(name->b));
    kt_buf_put(&b, batch);
    int err = b.err ? b.err : put(t, KT_T_journal_batch, KT_BYTES_OF(position), kt_buf_bytes(&b));
    kt_buf_free(&b);
    return err;
}

static int next_place(const struct kt_store *s, struct kt_txn *t, const struct kt_vector_entry *head, uint64_t *next)
{
    uint64_t held, base;
    int err = head_number(s, t, head->origin, &held);
    if (err) return err;
    if (head->number <= held) return KT_EDUPLICATE;
    if (head->number > held + 1) return KT_EGAP;
    return kt_journal_span(s, t, &base, next);
}

/* The next position is this batch's, whether or not its row is there. */
static int take_place(const struct kt_store *s, struct kt_txn *t, const struct kt_vector_entry *head,
                      const struct name *name, uint64_t next)
{
    int err = put_number(s, t, KT_T_journal_where, KT_BYTES_OF(name->b), next);
    if (!err) err = put_head(s, t, head);
    return err ? err : put_number(s, t, KT_T_journal_meta, kt_str(KT_JOURNAL_NEXT), next + 1);
}

int kt_journal_append(const struct kt_store *s, struct kt_txn *t, const struct kt_vector_entry *head,
                      struct kt_bytes batch, uint64_t *position)
{
    if (batch.len > KT_BATCH_BYTES_MAX) return KT_EOVERSIZE;
    if (batch.len == 0 || head->origin.member == 0 || head->number == 0) return KT_EINVAL;
    uint64_t next;
    struct name name = pack_name(head->origin, head->number);
    int err = next_place(s, t, head, &next);
    if (!err) err = put_batch(s->ops->append, t, next, &name, batch);
    if (!err) err = take_place(s, t, head, &name, next);
    if (!err) *position = next;
    return err;
}

int kt_journal_get(const struct kt_store *s, struct kt_txn *t, uint64_t position, struct kt_journal_entry *out)
{
    struct kt_bytes v;
    int err = s->ops->get(t, KT_T_journal_batch, KT_BYTES_OF(position), &v);
    if (err == KT_ENOTFOUND) {
        uint64_t base, next;
        err = kt_journal_span(s, t, &base, &next);
        if (err) return err;
        return position >= next ? KT_ENOTFOUND : position < base ? KT_ESNAPSHOT : KT_EDAMAGED;
    }
    if (err) return err;
    if (v.len <= KT_JOURNAL_NAME_BYTES || v.len > KT_JOURNAL_NAME_BYTES + KT_BATCH_BYTES_MAX) return KT_EDAMAGED;
    struct kt_reader r = kt_reader(v);
    struct kt_journal_entry e;
    e.origin = kt_origin_unpack(kt_take(&r, KT_ORIGIN_BYTES).data);
    e.number = kt_take_be64(&r);
    e.batch = kt_take(&r, kt_reader_left(&r));
    *out = e;
    return KT_OK;
}

int kt_journal_replace(const struct kt_store *s, struct kt_txn *t, uint64_t position, struct kt_bytes batch)
{
    struct kt_journal_entry e;
    int err = batch.len == 0 || batch.len > KT_BATCH_BYTES_MAX ? KT_EINVAL : kt_journal_get(s, t, position, &e);
    if (err) return err;
    const struct name name = pack_name(e.origin, e.number);
    return put_batch(s->ops->put, t, position, &name, batch);
}

int kt_journal_where(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t number,
                     uint64_t *position)
{
    struct name name = pack_name(origin, number);
    uint64_t at, held, base;
    int err = get_number(s, t, KT_T_journal_where, KT_BYTES_OF(name.b), 0, &at);
    if (err) return err;
    if (at) {
        *position = at;
        return KT_OK;
    }
    err = head_number(s, t, origin, &held);
    if (!err) err = kt_journal_base_of(s, t, origin, &base);
    if (err) return err;
    return number == 0 || number > held ? KT_ENOTFOUND : number <= base ? KT_ESNAPSHOT : KT_EDAMAGED;
}

int kt_journal_find(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t number,
                    struct kt_journal_entry *out)
{
    uint64_t position;
    struct kt_journal_entry e;
    int err = kt_journal_where(s, t, origin, number, &position);
    if (!err) {
        err = kt_journal_get(s, t, position, &e);
        /* one row says it is there: the other must agree */
        if (err == KT_ENOTFOUND || err == KT_ESNAPSHOT) err = KT_EDAMAGED;
    }
    if (err) return err;
    if (kt_origin_compare(e.origin, origin) != 0 || e.number != number) return KT_EDAMAGED;
    *out = e;
    return KT_OK;
}

/* Every row of a table whose key starts with `prefix`. */
static int walk(const struct kt_store *s, struct kt_txn *t, enum kt_table table, struct kt_bytes prefix,
                int (*row)(void *context, struct kt_bytes key, struct kt_bytes value), void *context)
{
    struct kt_cursor *c;
    int err = s->ops->cursor(t, table, &c);
    if (err) return err;
    struct kt_bytes key, value;
    int found = s->ops->seek(c, KT_SEEK_AT_OR_AFTER, prefix, &key, &value);
    while (!found && !err && key.len >= prefix.len && (!prefix.len || !memcmp(key.data, prefix.data, prefix.len))) {
        err = row(context, kt_bytes(key.data + prefix.len, key.len - prefix.len), value);
        if (!err) found = s->ops->seek(c, KT_SEEK_NEXT, kt_bytes(NULL, 0), &key, &value);
    }
    s->ops->cursor_close(c);
    return err || found == KT_ENOTFOUND ? err : found;
}

struct head_walk {
    int (*each)(void *context, const struct kt_vector_entry *head);
    void *context;
};

static int head_row(void *context, struct kt_bytes key, struct kt_bytes value)
{
    struct head_walk *w = context;
    struct kt_vector_entry e;
    int err = read_head(key, value, &e);
    return err ? err : w->each(w->context, &e);
}

int kt_journal_heads(const struct kt_store *s, struct kt_txn *t,
                     int (*each)(void *context, const struct kt_vector_entry *head), void *context)
{
    struct head_walk w = {each, context};
    return walk(s, t, KT_T_journal_head, kt_bytes(NULL, 0), head_row, &w);
}

struct missing_walk {
    const struct kt_store *s;
    struct kt_txn *t;
    const struct kt_vector *have;
    const struct kt_origin *skip;
    size_t skip_len, at; /* at: in have, which is sorted as our heads are */
    uint64_t position;   /* the smallest so far; 0: nothing */
};

static int missing_head(void *context, const struct kt_vector_entry *ours)
{
    struct missing_walk *w = context;
    const struct kt_vector *have = w->have;
    while (w->at < have->len && kt_origin_compare(have->entries[w->at].origin, ours->origin) < 0) w->at++;
    bool known = w->at < have->len && kt_origin_compare(have->entries[w->at].origin, ours->origin) == 0;
    uint64_t his = known ? have->entries[w->at].number : 0, position;
    if (his >= ours->number) return KT_OK;
    for (size_t i = 0; i < w->skip_len; i++)
        if (kt_origin_compare(w->skip[i], ours->origin) == 0) return KT_OK;
    int err = kt_journal_where(w->s, w->t, ours->origin, his + 1, &position);
    if (err) return err == KT_ENOTFOUND ? KT_EDAMAGED : err;
    if (!w->position || position < w->position) w->position = position;
    return KT_OK;
}

int kt_journal_first_missing(const struct kt_store *s, struct kt_txn *t, const struct kt_vector *have,
                             const struct kt_origin *skip, size_t skip_len, uint64_t *position)
{
    struct missing_walk w = {.s = s, .t = t, .have = have, .skip = skip, .skip_len = skip_len};
    int err = kt_journal_heads(s, t, missing_head, &w);
    if (err) return err;
    if (!w.position) return KT_ENOTFOUND;
    *position = w.position;
    return KT_OK;
}

static int cut_one(const struct kt_store *s, struct kt_txn *t, uint64_t position)
{
    struct kt_journal_entry e;
    int err = kt_journal_get(s, t, position, &e);
    if (err) return err == KT_ENOTFOUND || err == KT_ESNAPSHOT ? KT_EDAMAGED : err;
    struct name name = pack_name(e.origin, e.number); /* e goes with the first write */
    struct kt_origin origin = e.origin;
    uint64_t number = e.number;
    err = s->ops->del(t, KT_T_journal_where, KT_BYTES_OF(name.b));
    if (!err) err = s->ops->del(t, KT_T_journal_batch, KT_BYTES_OF(position));
    return err ? err : raise_base_of(s, t, origin, number);
}

int kt_journal_truncate(const struct kt_store *s, struct kt_txn *t, uint64_t before, size_t batches_max, uint64_t *base)
{
    uint64_t from, next;
    int err = kt_journal_span(s, t, &from, &next);
    if (err) return err;
    if (before > next) return KT_EINVAL;
    uint64_t at = from;
    while (!err && at < before && at - from < batches_max) {
        err = cut_one(s, t, at);
        if (!err) at++;
    }
    if (!err && at > from) err = put_number(s, t, KT_T_journal_meta, kt_str(KT_JOURNAL_BASE), at);
    if (!err) *base = at;
    return err;
}

int kt_journal_adopt(const struct kt_store *s, struct kt_txn *t, const struct kt_vector_entry *head)
{
    if (head->origin.member == 0 || head->number == 0) return KT_EINVAL;
    uint64_t held;
    int err = head_number(s, t, head->origin, &held);
    if (err) return err;
    if (head->number <= held) return KT_EDUPLICATE;
    err = put_head(s, t, head);
    return err ? err : raise_base_of(s, t, head->origin, head->number);
}

int kt_journal_pulse_put(const struct kt_store *s, struct kt_txn *t, kt_member member, struct kt_bytes pulse)
{
    uint64_t key = member;
    return s->ops->put(t, KT_T_journal_pulse, KT_BYTES_OF(key), pulse);
}

struct pulse_walk {
    int (*each)(void *context, kt_member member, struct kt_bytes pulse);
    void *context;
};

static int pulse_row(void *context, struct kt_bytes key, struct kt_bytes value)
{
    struct pulse_walk *w = context;
    uint64_t member;
    memcpy(&member, key.data, sizeof(member));
    return member == 0 || member > UINT32_MAX ? KT_EDAMAGED : w->each(w->context, (kt_member)member, value);
}

int kt_journal_pulses(const struct kt_store *s, struct kt_txn *t,
                      int (*each)(void *context, kt_member member, struct kt_bytes pulse), void *context)
{
    struct pulse_walk w = {each, context};
    return walk(s, t, KT_T_journal_pulse, kt_bytes(NULL, 0), pulse_row, &w);
}

int kt_journal_proof_put(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t number,
                         struct kt_bytes proof)
{
    const struct meta_key k = pack_meta(KT_JOURNAL_PROOF, pack_name(origin, number).b, KT_JOURNAL_NAME_BYTES);
    struct kt_bytes have;
    int err = s->ops->get(t, KT_T_journal_meta, meta_bytes(&k), &have);
    if (!err) return KT_EDUPLICATE;
    return err == KT_ENOTFOUND ? s->ops->put(t, KT_T_journal_meta, meta_bytes(&k), proof) : err;
}

int kt_journal_proof_drop(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t number)
{
    const struct meta_key k = pack_meta(KT_JOURNAL_PROOF, pack_name(origin, number).b, KT_JOURNAL_NAME_BYTES);
    return s->ops->del(t, KT_T_journal_meta, meta_bytes(&k));
}

struct proof_walk {
    int (*each)(void *context, struct kt_origin origin, uint64_t number, struct kt_bytes proof);
    void *context;
};

static int proof_row(void *context, struct kt_bytes key, struct kt_bytes value)
{
    struct proof_walk *w = context;
    if (key.len != KT_JOURNAL_NAME_BYTES) return KT_EDAMAGED;
    struct kt_reader r = kt_reader(key);
    struct kt_origin origin = kt_origin_unpack(kt_take(&r, KT_ORIGIN_BYTES).data);
    return w->each(w->context, origin, kt_take_be64(&r), value);
}

int kt_journal_proofs(const struct kt_store *s, struct kt_txn *t,
                      int (*each)(void *context, struct kt_origin origin, uint64_t number, struct kt_bytes proof),
                      void *context)
{
    struct proof_walk w = {each, context};
    return walk(s, t, KT_T_journal_meta, kt_str(KT_JOURNAL_PROOF), proof_row, &w);
}

/* --------------------------------------------------------------------------------------------------------- holes */

static struct meta_key hole_key(struct kt_origin origin, uint64_t number)
{
    const struct name name = pack_name(origin, number);
    return pack_meta(KT_JOURNAL_HOLE, name.b, sizeof(name.b));
}

int kt_journal_append_hole(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t number)
{
    const struct kt_vector_entry head = {.origin = origin, .number = number};
    const struct name name = pack_name(origin, number);
    const struct meta_key k = hole_key(origin, number);
    uint64_t next;
    int err = next_place(s, t, &head, &next);
    if (!err) err = take_place(s, t, &head, &name, next);
    return err ? err : put_number(s, t, KT_T_journal_meta, meta_bytes(&k), next);
}

struct hole_walk {
    int (*each)(void *context, struct kt_origin origin, uint64_t number, uint64_t position);
    void *context;
};

static int hole_row(void *context, struct kt_bytes key, struct kt_bytes value)
{
    struct hole_walk *w = context;
    if (key.len != KT_JOURNAL_NAME_BYTES || value.len != 8) return KT_EDAMAGED;
    struct kt_reader name = kt_reader(key), at = kt_reader(value);
    struct kt_origin origin = kt_origin_unpack(kt_take(&name, KT_ORIGIN_BYTES).data);
    return w->each(w->context, origin, kt_take_be64(&name), kt_take_be64(&at));
}

int kt_journal_holes(const struct kt_store *s, struct kt_txn *t,
                     int (*each)(void *context, struct kt_origin origin, uint64_t number, uint64_t position),
                     void *context)
{
    struct hole_walk w = {each, context};
    return walk(s, t, KT_T_journal_meta, kt_str(KT_JOURNAL_HOLE), hole_row, &w);
}

struct name_search {
    uint64_t position;
    struct name name;
};

static int name_row(void *context, struct kt_bytes key, struct kt_bytes value)
{
    struct name_search *s = context;
    struct kt_reader r = kt_reader(value);
    if (key.len != sizeof(s->name.b) || value.len != 8 || kt_take_be64(&r) != s->position) return KT_OK;
    memcpy(s->name.b, key.data, key.len);
    return KT_EEND;
}

int kt_journal_punch(const struct kt_store *s, struct kt_txn *t, uint64_t position)
{
    struct name_search find = {.position = position};
    int err = walk(s, t, KT_T_journal_where, kt_bytes(NULL, 0), name_row, &find);
    if (err != KT_EEND) return err ? err : KT_EDAMAGED;
    const struct meta_key k = pack_meta(KT_JOURNAL_HOLE, find.name.b, sizeof(find.name.b));
    err = s->ops->del(t, KT_T_journal_batch, KT_BYTES_OF(position));
    return err ? err : put_number(s, t, KT_T_journal_meta, meta_bytes(&k), position);
}

int kt_journal_fill(const struct kt_store *s, struct kt_txn *t, struct kt_origin origin, uint64_t number,
                    struct kt_bytes batch, uint64_t *position)
{
    const struct name name = pack_name(origin, number);
    const struct meta_key k = hole_key(origin, number);
    uint64_t at;
    if (batch.len == 0 || batch.len > KT_BATCH_BYTES_MAX) return KT_EINVAL;
    int err = get_number(s, t, KT_T_journal_meta, meta_bytes(&k), 0, &at);
    if (err || at == 0) return err ? err : KT_ENOTFOUND;
    err = put_batch(s->ops->put, t, at, &name, batch);
    if (!err) err = s->ops->del(t, KT_T_journal_meta, meta_bytes(&k));
    if (!err) *position = at;
    return err;
}
