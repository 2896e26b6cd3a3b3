#include "support/memory_store.h"

#include "support/memory_disk.h"

#include <stdlib.h>

static const struct {
    enum kt_env env;
    bool integer;
} tables[] = {
#define TABLE_ROW(name, env, integer, holds) {env, integer},
    KT_TABLES(TABLE_ROW)
#undef TABLE_ROW
};

struct memory_store {
    struct kt_store store; /* first */
    struct kt_memory_disk *disk;
    struct kt_txn *txns;
    bool writing[KT_ENV_COUNT];
    unsigned inside[KT_ENV_COUNT];
};

struct kt_txn {
    struct kt_txn *next, **link;
    struct memory_store *store;
    struct kt_memory_disk *disk;
    enum kt_env env;
    bool write;
    int err;
    struct kt_tree tree[KT_TABLE_COUNT]; /* of its environment only */
    uint64_t bytes, changes;
    struct kt_cursor *cursors;
    unsigned mended; /* damaged rows that it wrote again */
};

struct kt_cursor {
    struct kt_cursor *next, **link;
    struct kt_txn *txn;
    enum kt_table table;
    bool placed;
    size_t key_len;
    uint8_t key[MEMORY_KEY_BYTES_MAX];
};

static struct memory_store *store_of(struct kt_store *s) { return (struct memory_store *)s; }

static int number_order(struct kt_bytes a, struct kt_bytes b)
{
    uint64_t x, y;
    memcpy(&x, a.data, sizeof(x));
    memcpy(&y, b.data, sizeof(y));
    return (x > y) - (x < y);
}

static struct kt_tree empty_tree(unsigned table)
{
    return (struct kt_tree){.order = tables[table].integer ? number_order : kt_bytes_compare};
}

/* Counts a call that can fail, and fails it where a test asked for that. */
static int step(struct kt_memory_disk *d)
{
    pthread_mutex_lock(&d->lock);
    d->calls++;
    int err = d->fail_in > 0 && --d->fail_in == 0 ? d->fail_with : KT_OK;
    pthread_mutex_unlock(&d->lock);
    return err;
}

static int sticky(struct kt_txn *t, int err)
{
    if (!t->err) t->err = err;
    return t->err;
}

static int check(struct kt_txn *t, enum kt_table table, struct kt_bytes key, bool write)
{
    if (t->err) return t->err;
    int err = step(t->disk);
    if (err) return sticky(t, err);
    if ((unsigned)table >= KT_TABLE_COUNT || tables[table].env != t->env || (write && !t->write))
        return sticky(t, KT_EINVAL);
    if (tables[table].integer ? key.len != sizeof(uint64_t) : key.len == 0 || key.len > MEMORY_KEY_BYTES_MAX)
        return sticky(t, KT_EINVAL);
    return KT_OK;
}

/* Which damaged row this is; MEMORY_DAMAGED_MAX: it is whole, or was written again in this transaction. */
static unsigned damage_at(const struct kt_txn *t, enum kt_table table, struct kt_bytes key)
{
    const struct kt_memory_disk *d = t->disk;
    for (unsigned i = 0; d->damages && i < MEMORY_DAMAGED_MAX; i++)
        if (d->damaged[i].there && d->damaged[i].table == table && !(t->mended >> i & 1) &&
            kt_bytes_equal(kt_bytes(d->damaged[i].key, d->damaged[i].key_len), key))
            return i;
    return MEMORY_DAMAGED_MAX;
}

static void mend(struct kt_txn *t, enum kt_table table, struct kt_bytes key)
{
    const unsigned i = damage_at(t, table, key);
    if (i < MEMORY_DAMAGED_MAX) t->mended |= 1u << i;
}

static void forget_damage(struct kt_memory_disk *d, unsigned which)
{
    for (unsigned i = 0; i < MEMORY_DAMAGED_MAX; i++) {
        if (!d->damaged[i].there || !(which >> i & 1)) continue;
        d->damaged[i].there = false;
        d->damages--;
    }
}

static unsigned damage_in(const struct kt_memory_disk *d, enum kt_env env)
{
    unsigned which = 0;
    for (unsigned i = 0; i < MEMORY_DAMAGED_MAX; i++)
        if (d->damaged[i].there && tables[d->damaged[i].table].env == env) which |= 1u << i;
    return which;
}

static int memory_begin(struct kt_store *s, enum kt_env env, bool write, struct kt_txn **out)
{
    struct memory_store *m = store_of(s);
    struct kt_memory_disk *d = m->disk;
    int err = step(d);
    if (err) return err;
    struct kt_txn *t = calloc(1, sizeof(*t));
    if (!t) return KT_ENOMEM;
    pthread_mutex_lock(&d->lock);
    if (write && m->writing[env]) {
        pthread_mutex_unlock(&d->lock);
        free(t);
        return KT_EAGAIN;
    }
    *t = (struct kt_txn){.store = m, .disk = d, .env = env, .write = write, .bytes = d->bytes[env]};
    for (unsigned i = 0; i < KT_TABLE_COUNT; i++)
        if (tables[i].env == env) t->tree[i] = kt_tree_share(&d->tree[i]);
    if (write) m->writing[env] = true;
    m->inside[env]++;
    t->next = m->txns;
    t->link = &m->txns;
    if (t->next) t->next->link = &t->next;
    m->txns = t;
    pthread_mutex_unlock(&d->lock);
    *out = t;
    return KT_OK;
}

static void memory_cursor_close(struct kt_cursor *c)
{
    if (!c) return;
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    free(c);
}

static void memory_abort(struct kt_txn *t)
{
    if (!t) return;
    struct memory_store *m = t->store;
    while (t->cursors) memory_cursor_close(t->cursors);
    pthread_mutex_lock(&t->disk->lock);
    *t->link = t->next;
    if (t->next) t->next->link = t->link;
    if (t->write) m->writing[t->env] = false;
    m->inside[t->env]--;
    pthread_mutex_unlock(&t->disk->lock);
    for (unsigned i = 0; i < KT_TABLE_COUNT; i++) kt_tree_drop(&t->tree[i]);
    free(t);
}

static int memory_commit(struct kt_txn *t)
{
    struct kt_memory_disk *d = t->disk;
    int err = t->err ? t->err : step(d);
    if (!err && t->write && t->changes > 0) {
        pthread_mutex_lock(&d->lock);
        for (unsigned i = 0; i < KT_TABLE_COUNT; i++) {
            if (tables[i].env != t->env) continue;
            struct kt_tree old = d->tree[i]; /* goes with the transaction */
            d->tree[i] = t->tree[i];
            t->tree[i] = old;
        }
        d->bytes[t->env] = t->bytes;
        d->txns[t->env]++;
        forget_damage(d, t->mended);
        pthread_mutex_unlock(&d->lock);
    }
    memory_abort(t);
    return err;
}

static int memory_error(const struct kt_txn *t) { return t->err; }

static int memory_get(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes *value)
{
    int err = check(t, table, key, false);
    if (!err && damage_at(t, table, key) < MEMORY_DAMAGED_MAX) err = sticky(t, KT_EDAMAGED);
    return err ? err : kt_tree_get(&t->tree[table], key, value);
}

static int put(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes value)
{
    int64_t grown;
    t->changes++;
    mend(t, table, key);
    int err = kt_tree_put(&t->tree[table], key, value, &grown);
    if (err) return sticky(t, err);
    t->bytes = (uint64_t)((int64_t)t->bytes + grown);
    uint64_t most = t->disk->bytes_max[t->env];
    return most && grown > 0 && t->bytes > most ? sticky(t, KT_EFULL) : KT_OK;
}

static int memory_put(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes value)
{
    int err = check(t, table, key, true);
    return err ? err : put(t, table, key, value);
}

static int memory_append(struct kt_txn *t, enum kt_table table, struct kt_bytes key, struct kt_bytes value)
{
    struct kt_bytes last;
    int err = check(t, table, key, true);
    if (err) return err;
    if (!kt_tree_find(&t->tree[table], KT_TREE_LAST, key, &last, NULL) && t->tree[table].order(key, last) <= 0)
        return sticky(t, KT_EINVAL);
    return put(t, table, key, value);
}

static int memory_del(struct kt_txn *t, enum kt_table table, struct kt_bytes key)
{
    int64_t grown = 0;
    int err = check(t, table, key, true);
    if (err) return err;
    t->changes++;
    mend(t, table, key);
    err = kt_tree_del(&t->tree[table], key, &grown);
    t->bytes = (uint64_t)((int64_t)t->bytes + grown);
    return err && err != KT_ENOTFOUND ? sticky(t, err) : KT_OK;
}

static int memory_count(struct kt_txn *t, enum kt_table table, uint64_t *rows)
{
    uint64_t any = 0;
    int err = check(t, table, KT_BYTES_OF(any), false);
    if (!err) *rows = kt_tree_rows(&t->tree[table]);
    return err;
}

static int memory_cursor(struct kt_txn *t, enum kt_table table, struct kt_cursor **out)
{
    uint64_t any = 0;
    int err = check(t, table, KT_BYTES_OF(any), false);
    if (err) return err;
    struct kt_cursor *c = calloc(1, sizeof(*c));
    if (!c) return KT_ENOMEM;
    *c = (struct kt_cursor){.txn = t, .table = table, .next = t->cursors, .link = &t->cursors};
    if (c->next) c->next->link = &c->next;
    t->cursors = c;
    *out = c;
    return KT_OK;
}

static int memory_seek(struct kt_cursor *c, enum kt_seek how, struct kt_bytes at, struct kt_bytes *key,
                       struct kt_bytes *value)
{
    static const enum kt_tree_where where[] = {
        [KT_SEEK_AT_OR_AFTER] = KT_TREE_AT_OR_AFTER,
        [KT_SEEK_NEXT] = KT_TREE_AFTER,
        [KT_SEEK_LAST] = KT_TREE_LAST,
        [KT_SEEK_PREV] = KT_TREE_BEFORE,
    };
    uint64_t any = 0;
    bool first = how == KT_SEEK_AT_OR_AFTER && at.len == 0, by_key = how == KT_SEEK_AT_OR_AFTER && at.len > 0;
    int err = check(c->txn, c->table, by_key ? at : KT_BYTES_OF(any), false);
    if (err) return err;
    if (!c->placed && (how == KT_SEEK_NEXT || how == KT_SEEK_PREV)) return KT_ENOTFOUND;
    struct kt_bytes k, v, from = by_key ? at : kt_bytes(c->key, c->key_len);
    c->placed = !kt_tree_find(&c->txn->tree[c->table], first ? KT_TREE_FIRST : where[how], from, &k, &v);
    if (!c->placed) return KT_ENOTFOUND;
    c->key_len = k.len;
    memcpy(c->key, k.data, k.len);
    if (damage_at(c->txn, c->table, k) < MEMORY_DAMAGED_MAX) return sticky(c->txn, KT_EDAMAGED);
    if (key) *key = k;
    if (value) *value = v;
    return KT_OK;
}

/* to := from (NULL: nothing), for the tables of the store environment */
static void replace_store(struct kt_tree *to, const struct kt_tree *from)
{
    for (unsigned i = 0; i < KT_TABLE_COUNT; i++) {
        if (tables[i].env != KT_ENV_STORE) continue;
        kt_tree_drop(&to[i]);
        to[i] = from ? kt_tree_share(&from[i]) : empty_tree(i);
    }
}

static int memory_checkpoint(struct kt_store *s)
{
    struct kt_memory_disk *d = store_of(s)->disk;
    int err = step(d);
    if (!err && damage_in(d, KT_ENV_STORE)) err = KT_EDAMAGED;
    if (err) return err;
    pthread_mutex_lock(&d->lock);
    replace_store(d->checkpoint, d->tree);
    d->checkpoint_bytes = d->bytes[KT_ENV_STORE];
    d->has_checkpoint = true;
    pthread_mutex_unlock(&d->lock);
    return KT_OK;
}

static int memory_exchange(struct kt_store *s, bool by_checkpoint)
{
    struct memory_store *m = store_of(s);
    struct kt_memory_disk *d = m->disk;
    int err = step(d);
    pthread_mutex_lock(&d->lock);
    if (!err && by_checkpoint && !d->has_checkpoint) err = KT_ENOTFOUND;
    if (!err && m->inside[KT_ENV_STORE] > 0) err = KT_EAGAIN;
    if (!err) {
        replace_store(d->tree, by_checkpoint ? d->checkpoint : NULL);
        d->bytes[KT_ENV_STORE] = by_checkpoint ? d->checkpoint_bytes : 0;
        d->store_ok = true;
        forget_damage(d, damage_in(d, KT_ENV_STORE));
    }
    pthread_mutex_unlock(&d->lock);
    return err;
}

static int memory_restore(struct kt_store *s) { return memory_exchange(s, true); }
static int memory_discard(struct kt_store *s) { return memory_exchange(s, false); }

static int memory_settled(struct kt_store *s)
{
    int err = step(store_of(s)->disk);
    if (err) return err;
    store_of(s)->disk->moved = false;
    s->files_moved = false;
    return KT_OK;
}

static int memory_info(struct kt_store *s, enum kt_env env, struct kt_env_info *out)
{
    struct memory_store *m = store_of(s);
    struct kt_memory_disk *d = m->disk;
    int err = step(d);
    if (err) return err;
    pthread_mutex_lock(&d->lock);
    uint64_t most = d->bytes_max[env] ? d->bytes_max[env] : UINT64_MAX;
    *out = (struct kt_env_info){
        .used_bytes = d->bytes[env],
        .map_bytes = most,
        .disk_free_bytes = most > d->bytes[env] ? most - d->bytes[env] : 0,
        .readers = m->inside[env] - m->writing[env],
        .last_txn = d->txns[env],
    };
    pthread_mutex_unlock(&d->lock);
    return KT_OK;
}

static void end_store(struct kt_store *s)
{
    struct memory_store *m = store_of(s);
    while (m->txns) memory_abort(m->txns);
    m->disk->open = NULL;
    free(m);
}

static void memory_close(struct kt_store *s)
{
    if (!s) return;
    store_of(s)->disk->clean = true;
    end_store(s);
}

void kt_memory_crash(struct kt_store *s, bool machine)
{
    struct kt_memory_disk *d = store_of(s)->disk;
    end_store(s);
    d->clean = false;
    if (!machine) return;
    d->same_boot = false;
    replace_store(d->tree, NULL);
    forget_damage(d, damage_in(d, KT_ENV_STORE));
    d->bytes[KT_ENV_STORE] = 0;
}

static int memory_verify(struct kt_store *s, enum kt_env env, char why[KT_STORE_WHY_BYTES])
{
    (void)s, (void)env, (void)why; /* memory does not rot below its rows */
    return KT_OK;
}

static const struct kt_store_ops memory_ops = {
    .begin = memory_begin,
    .commit = memory_commit,
    .abort = memory_abort,
    .error = memory_error,
    .get = memory_get,
    .put = memory_put,
    .append = memory_append,
    .del = memory_del,
    .count = memory_count,
    .cursor = memory_cursor,
    .cursor_close = memory_cursor_close,
    .seek = memory_seek,
    .checkpoint = memory_checkpoint,
    .restore = memory_restore,
    .discard = memory_discard,
    .settled = memory_settled,
    .info = memory_info,
    .verify = memory_verify,
    .close = memory_close,
};

int kt_memory_open(struct kt_memory_disk *d, struct kt_store **out)
{
    if (d->open) return KT_EAGAIN;
    struct memory_store *m = calloc(1, sizeof(*m));
    if (!m) return KT_ENOMEM;
    if (d->used) {
        d->store_ok = d->store_ok && !d->copied && (d->same_boot || d->clean) && !damage_in(d, KT_ENV_STORE);
        d->moved = d->moved || d->copied || !d->same_boot;
    }
    d->used = d->same_boot = true;
    d->clean = d->copied = false;
    m->disk = d;
    m->store = (struct kt_store){.ops = &memory_ops, .store_survived = d->store_ok, .files_moved = d->moved};
    d->open = &m->store;
    *out = &m->store;
    return KT_OK;
}

int kt_memory_disk_new(struct kt_memory_disk **out)
{
    struct kt_memory_disk *d = calloc(1, sizeof(*d));
    if (!d) return KT_ENOMEM;
    pthread_mutex_init(&d->lock, NULL);
    d->store_ok = true;
    for (unsigned i = 0; i < KT_TABLE_COUNT; i++) d->tree[i] = d->checkpoint[i] = empty_tree(i);
    *out = d;
    return KT_OK;
}
