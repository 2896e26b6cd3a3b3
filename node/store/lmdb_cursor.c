/* Cursors that keep their place.
 *
 * LMDB's cursors follow the writes of their transaction in ways that differ by version (ITS#8722 and others).  Ours do
 * not lean on that: next is the smallest key above the last one given, previous the greatest below it; after a write
 * the cursor finds its place again by that key. */
#include "store/lmdb_env.h"

#include "store/row_proof.h"

#include <stdlib.h>

int kt_lmdb_cursor(struct kt_txn *t, enum kt_table table, struct kt_cursor **out)
{
    uint64_t any = 0;
    int err = kt_lmdb_check(t, table, kt_bytes(&any, sizeof(any)));
    if (err) return err;
    struct kt_cursor *c = calloc(1, sizeof(*c));
    if (!c) return KT_ENOMEM;
    c->txn = t;
    c->table = table;
    int rc = mdb_cursor_open(t->mdb, t->env->dbi[table], &c->mdb);
    if (rc) {
        free(c);
        return kt_lmdb_fail(t, rc);
    }
    c->next = t->cursors;
    c->link = &t->cursors;
    if (c->next) c->next->link = &c->next;
    t->cursors = c;
    *out = c;
    return KT_OK;
}

void kt_lmdb_cursor_close(struct kt_cursor *c)
{
    if (!c) return;
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    mdb_cursor_close(c->mdb);
    free(c);
}

static int step(struct kt_cursor *c, bool forward, MDB_val *k, MDB_val *v)
{
    if (c->writes_seen == c->txn->writes) return mdb_cursor_get(c->mdb, k, v, forward ? MDB_NEXT : MDB_PREV);
    *k = (MDB_val){c->key_len, c->key.bytes};
    int rc = mdb_cursor_get(c->mdb, k, v, MDB_SET_RANGE);
    bool here = rc == 0 && k->mv_size == c->key_len && memcmp(k->mv_data, c->key.bytes, c->key_len) == 0;
    if (forward) return here ? mdb_cursor_get(c->mdb, k, v, MDB_NEXT) : rc;
    return rc == MDB_NOTFOUND ? mdb_cursor_get(c->mdb, k, v, MDB_LAST)
           : rc               ? rc
                              : mdb_cursor_get(c->mdb, k, v, MDB_PREV);
}

static int move(struct kt_cursor *c, enum kt_seek how, struct kt_bytes at, MDB_val *k, MDB_val *v)
{
    switch (how) {
    case KT_SEEK_AT_OR_AFTER:
        if (at.len == 0) return mdb_cursor_get(c->mdb, k, v, MDB_FIRST);
        memcpy(c->key.bytes, at.data, at.len);
        *k = (MDB_val){at.len, c->key.bytes};
        return mdb_cursor_get(c->mdb, k, v, MDB_SET_RANGE);
    case KT_SEEK_LAST:
        return mdb_cursor_get(c->mdb, k, v, MDB_LAST);
    case KT_SEEK_NEXT:
        return c->placed ? step(c, true, k, v) : MDB_NOTFOUND;
    case KT_SEEK_PREV:
        return c->placed ? step(c, false, k, v) : MDB_NOTFOUND;
    }
    return MDB_NOTFOUND;
}

int kt_lmdb_seek(struct kt_cursor *c, enum kt_seek how, struct kt_bytes at, struct kt_bytes *key,
                 struct kt_bytes *value)
{
    struct kt_txn *t = c->txn;
    uint64_t any = 0;
    bool keyed = how == KT_SEEK_AT_OR_AFTER && at.len > 0;
    int err = kt_lmdb_check(t, c->table, keyed ? at : kt_bytes(&any, sizeof(any)));
    if (err) return err;
    MDB_val k, v;
    int rc = move(c, how, at, &k, &v);
    if (rc == MDB_NOTFOUND) {
        bool any_row = (how == KT_SEEK_AT_OR_AFTER && !keyed) || how == KT_SEEK_LAST;
        bool lost = !t->write && any_row && !kt_lmdb_is_empty(t, c->table);
        c->placed = false;
        return lost ? kt_lmdb_fail(t, MDB_CORRUPTED) : KT_ENOTFOUND;
    }
    if (rc) return kt_lmdb_fail(t, rc);
    const struct kt_bytes found = kt_bytes(k.mv_data, k.mv_size);
    struct kt_bytes whole;
    if (found.len > sizeof(c->key) || !kt_row_prove(c->table, found, kt_bytes(v.mv_data, v.mv_size), &whole))
        return kt_lmdb_fail(t, MDB_CORRUPTED);
    uint64_t leaf = (uint64_t)(uintptr_t)k.mv_data / t->env->page_bytes;
    if (!t->write && leaf != c->leaf && !kt_lmdb_leaf_is_whole(t, c->table, &k)) return kt_lmdb_fail(t, MDB_CORRUPTED);
    c->leaf = leaf;
    c->placed = true;
    c->writes_seen = t->writes;
    c->key_len = k.mv_size;
    memcpy(c->key.bytes, k.mv_data, k.mv_size);
    if (key) *key = found;
    if (value) *value = whole;
    return KT_OK;
}
