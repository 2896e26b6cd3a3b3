/* A miss, confirmed.  Nobody is told that there is no such row because a bit of its key, of a neighbour's, or of the
 * page between them changed: the rows on either side of where it would lie must prove themselves and stand in order,
 * and the leaves they are in must be filled to the byte with rows in order. */
#include "store/lmdb_env.h"

#include "store/mdb_format.h"
#include "store/row_proof.h"

static bool rises(const struct kt_txn *t, enum kt_table table, const struct node *a, const struct node *b)
{
    if (!kt_lmdb_table_integer(table)) {
        const MDB_val x = {a->key.len, (void *)(uintptr_t)a->key.data},
                      y = {b->key.len, (void *)(uintptr_t)b->key.data};
        return mdb_cmp(t->mdb, t->env->dbi[table], &x, &y) < 0;
    }
    uint64_t x, y;
    memcpy(&x, a->key.data, sizeof(x));
    memcpy(&y, b->key.data, sizeof(y));
    return x < y;
}

/* LMDB keeps a leaf packed: its rows, rounded up to 2 bytes, fill it from `upper` to its end. */
bool kt_lmdb_leaf_is_whole(const struct kt_txn *t, enum kt_table table, const MDB_val *key)
{
    const uint32_t bytes = (uint32_t)t->env->page_bytes;
    if (t->env->map_page_bytes != bytes) return true; /* a file of another machine: its pages are not aligned */
    const uint8_t *page = (const uint8_t *)key->mv_data - (uintptr_t)key->mv_data % bytes;
    const bool integer = kt_lmdb_table_integer(table);
    struct header h;
    struct node n, last = {0};
    memcpy(&h, page, sizeof(h));
    if (h.flags != P_LEAF || h.lower < PAGE_HEADER || h.lower > h.upper || h.upper > bytes || h.lower % 2) return false;
    uint32_t filled = h.upper;
    for (unsigned i = 0; i < (h.lower - PAGE_HEADER) / 2u; i++, last = n) {
        if (kt_mdb_node(page, bytes, &h, i, h.upper, &n)) return false;
        if (integer && n.key.len != sizeof(uint64_t)) return false;
        if (i > 0 && !rises(t, table, &last, &n)) return false;
        filled += kt_mdb_node_bytes(&h, &n);
    }
    return filled == bytes;
}

static bool proven(const struct kt_txn *t, enum kt_table table, const MDB_val *key, const MDB_val *value)
{
    struct kt_bytes whole;
    return kt_row_prove(table, kt_bytes(key->mv_data, key->mv_size), kt_bytes(value->mv_data, value->mv_size),
                        &whole) &&
           kt_lmdb_leaf_is_whole(t, table, key);
}

/* LMDB takes a table for empty whose own row, among those of its main tree, it did not find. */
bool kt_lmdb_is_empty(const struct kt_txn *t, enum kt_table table)
{
    static const MDB_dbi main_tree = 1;
    static const char *const names[] = {
#define TABLE_NAME(name, env, integer, holds) #name,
        KT_TABLES(TABLE_NAME)
#undef TABLE_NAME
    };
    MDB_val name = {strlen(names[table]), (void *)(uintptr_t)names[table]}, row;
    struct tree tree;
    if (mdb_get(t->mdb, main_tree, &name, &row) || row.mv_size != sizeof(tree)) return false;
    memcpy(&tree, row.mv_data, sizeof(tree));
    return tree.entries == 0;
}

int kt_lmdb_confirm_miss(struct kt_txn *t, enum kt_table table, MDB_val key)
{
    const MDB_dbi dbi = t->env->dbi[table];
    MDB_cursor *c;
    MDB_val k = key, v;
    int rc = mdb_cursor_open(t->mdb, dbi, &c);
    if (rc) return kt_lmdb_fail(t, rc);
    rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
    const bool above = rc == 0;
    bool sound = !above || (mdb_cmp(t->mdb, dbi, &key, &k) < 0 && proven(t, table, &k, &v));
    if (!rc || rc == MDB_NOTFOUND) rc = mdb_cursor_get(c, &k, &v, above ? MDB_PREV : MDB_LAST);
    if (!rc) sound = sound && mdb_cmp(t->mdb, dbi, &k, &key) < 0 && proven(t, table, &k, &v);
    mdb_cursor_close(c);
    if (rc && rc != MDB_NOTFOUND) return kt_lmdb_fail(t, rc);
    if (rc && !above) sound = kt_lmdb_is_empty(t, table);
    return sound ? KT_ENOTFOUND : kt_lmdb_fail(t, MDB_CORRUPTED);
}
