#include "support/tree.h"

#include <stdatomic.h>
#include <stdlib.h>

/* key and value, shared by every version that has the row */
struct row {
    atomic_uint refs;
    size_t key_len, value_len;
    uint8_t bytes[];
};

struct kt_tree_node {
    atomic_uint refs;
    uint32_t weight; /* a hash of the key: parents weigh at least as much as their children */
    size_t rows;
    struct row *row;
    struct kt_tree_node *child[2];
};

typedef struct kt_tree_node node;

static struct kt_bytes row_key(const struct row *r) { return kt_bytes(r->bytes, r->key_len); }
static struct kt_bytes row_value(const struct row *r) { return kt_bytes(r->bytes + r->key_len, r->value_len); }
static size_t rows_of(const node *n) { return n ? n->rows : 0; }

static uint32_t weight_of(struct kt_bytes key)
{
    uint32_t h = 2166136261u; /* FNV-1a, then mixed: near keys must not weigh alike */
    for (size_t i = 0; i < key.len; i++) h = (h ^ key.data[i]) * 16777619u;
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    return h ^ h >> 13;
}

static struct row *row_new(struct kt_bytes key, struct kt_bytes value)
{
    struct row *r = malloc(sizeof(*r) + key.len + value.len);
    if (!r) return NULL;
    atomic_init(&r->refs, 1);
    r->key_len = key.len;
    r->value_len = value.len;
    memcpy(r->bytes, key.data, key.len);
    if (value.len) memcpy(r->bytes + key.len, value.data, value.len);
    return r;
}

static void row_drop(struct row *r)
{
    if (atomic_fetch_sub(&r->refs, 1) == 1) free(r);
}

static node *node_share(node *n)
{
    if (n) atomic_fetch_add(&n->refs, 1);
    return n;
}

static void node_drop(node *n) /* as deep as the tree: about 2 log2 of its rows */
{
    while (n && atomic_fetch_sub(&n->refs, 1) == 1) {
        node *right = n->child[1];
        node_drop(n->child[0]);
        row_drop(n->row);
        free(n);
        n = right;
    }
}

static void recount(node *n) { n->rows = 1 + rows_of(n->child[0]) + rows_of(n->child[1]); }

/* Takes over *n and leaves there a node that nobody else has. */
static bool make_own(node **n)
{
    node *old = *n;
    if (atomic_load(&old->refs) == 1) return true;
    node *own = malloc(sizeof(*own));
    if (!own) return false;
    atomic_init(&own->refs, 1);
    own->weight = old->weight;
    own->rows = old->rows;
    own->row = old->row;
    atomic_fetch_add(&own->row->refs, 1);
    for (int i = 0; i < 2; i++) own->child[i] = node_share(old->child[i]);
    node_drop(old);
    *n = own;
    return true;
}

struct kt_tree kt_tree_share(const struct kt_tree *t)
{
    return (struct kt_tree){.root = node_share(t->root), .order = t->order};
}

void kt_tree_drop(struct kt_tree *t)
{
    node_drop(t->root);
    t->root = NULL;
}

size_t kt_tree_rows(const struct kt_tree *t) { return rows_of(t->root); }

/* child `side` of *n, which outweighs it, becomes the parent */
static void rotate(node **n, int side)
{
    node *parent = *n, *up = parent->child[side];
    parent->child[side] = up->child[!side];
    up->child[!side] = parent;
    recount(parent);
    recount(up);
    *n = up;
}

static bool put_at(const struct kt_tree *t, node **n, struct row *r, uint32_t weight, int64_t *grown)
{
    if (!*n) {
        node *leaf = calloc(1, sizeof(*leaf));
        if (!leaf) return false;
        atomic_init(&leaf->refs, 1);
        *leaf = (node){.refs = 1, .weight = weight, .rows = 1, .row = r};
        *grown = (int64_t)(r->key_len + r->value_len);
        *n = leaf;
        return true;
    }
    if (!make_own(n)) return false;
    int c = t->order(row_key(r), row_key((*n)->row));
    if (c == 0) {
        *grown = (int64_t)r->value_len - (int64_t)(*n)->row->value_len;
        row_drop((*n)->row);
        (*n)->row = r;
        return true;
    }
    int side = c > 0;
    if (!put_at(t, &(*n)->child[side], r, weight, grown)) return false;
    recount(*n);
    if ((*n)->child[side]->weight > (*n)->weight) rotate(n, side);
    return true;
}

int kt_tree_put(struct kt_tree *t, struct kt_bytes key, struct kt_bytes value, int64_t *grown)
{
    struct row *r = row_new(key, value);
    if (!r) return KT_ENOMEM;
    if (put_at(t, &t->root, r, weight_of(key), grown)) return KT_OK;
    row_drop(r);
    return KT_ENOMEM;
}

/* All of `low` lies below all of `high`; takes over both.  NULL with *failed set: out of memory, both are gone. */
static node *join(node *low, node *high, bool *failed)
{
    if (!low || !high) return low ? low : high;
    bool low_up = low->weight >= high->weight;
    node **up = low_up ? &low : &high;
    if (!make_own(up)) {
        *failed = true;
        node_drop(low);
        node_drop(high);
        return NULL;
    }
    node **inner = &(*up)->child[low_up];
    *inner = low_up ? join(*inner, high, failed) : join(low, *inner, failed);
    recount(*up);
    return *up;
}

static int del_at(const struct kt_tree *t, node **n, struct kt_bytes key, int64_t *grown)
{
    if (!make_own(n)) return KT_ENOMEM;
    int c = t->order(key, row_key((*n)->row));
    if (c != 0) {
        int err = del_at(t, &(*n)->child[c > 0], key, grown);
        if (!err) recount(*n);
        return err;
    }
    node *gone = *n;
    bool failed = false;
    *grown = -(int64_t)(gone->row->key_len + gone->row->value_len);
    *n = join(gone->child[0], gone->child[1], &failed);
    gone->child[0] = gone->child[1] = NULL;
    node_drop(gone);
    return failed ? KT_ENOMEM : KT_OK;
}

int kt_tree_del(struct kt_tree *t, struct kt_bytes key, int64_t *grown)
{
    struct kt_bytes value;
    if (kt_tree_get(t, key, &value)) return KT_ENOTFOUND;
    return del_at(t, &t->root, key, grown);
}

int kt_tree_get(const struct kt_tree *t, struct kt_bytes key, struct kt_bytes *value)
{
    for (const node *n = t->root; n;) {
        int c = t->order(key, row_key(n->row));
        if (c == 0) {
            *value = row_value(n->row);
            return KT_OK;
        }
        n = n->child[c > 0];
    }
    return KT_ENOTFOUND;
}

int kt_tree_find(const struct kt_tree *t, enum kt_tree_where where, struct kt_bytes at, struct kt_bytes *key,
                 struct kt_bytes *value)
{
    bool before = where == KT_TREE_BEFORE || where == KT_TREE_LAST;
    const node *best = NULL;
    for (const node *n = t->root; n;) {
        int c = where == KT_TREE_FIRST || where == KT_TREE_LAST ? 0 : t->order(row_key(n->row), at);
        bool fits = where == KT_TREE_FIRST || where == KT_TREE_LAST || (where == KT_TREE_AT_OR_AFTER && c >= 0) ||
                    (where == KT_TREE_AFTER && c > 0) || (where == KT_TREE_BEFORE && c < 0);
        if (fits) best = n;
        /* a fitting one: look for a nearer one on the side it came from; else on the other */
        n = n->child[fits == before];
    }
    if (!best) return KT_ENOTFOUND;
    if (key) *key = row_key(best->row);
    if (value) *value = row_value(best->row);
    return KT_OK;
}
