/* An ordered map of bytes whose versions share what they have in common: a treap, copied along the path of a change.
 *
 * A tree is a pointer to its root (NULL: empty) and owns one reference to it.  Shapes depend on the keys alone.
 * References may be taken and dropped on any thread; a change needs the tree for itself. */
#ifndef KT_SUPPORT_TREE_H
#define KT_SUPPORT_TREE_H

#include "proto/bytes.h"
#include "proto/errors.h"

struct kt_tree_node;

typedef int (*kt_tree_order)(struct kt_bytes a, struct kt_bytes b);

struct kt_tree {
    struct kt_tree_node *root;
    kt_tree_order order;
};

struct kt_tree kt_tree_share(const struct kt_tree *t); /* another owner of the same version */
void kt_tree_drop(struct kt_tree *t);
/* KT_ENOMEM: unchanged.  *grown: by how many bytes of keys and values (may be negative). */
int kt_tree_put(struct kt_tree *t, struct kt_bytes key, struct kt_bytes value, int64_t *grown) KT_MUST;
int kt_tree_del(struct kt_tree *t, struct kt_bytes key, int64_t *grown) KT_MUST; /* KT_ENOTFOUND: unchanged;
                                                                                KT_ENOMEM: only drop it */
size_t kt_tree_rows(const struct kt_tree *t);

/* Borrowed from this version; KT_ENOTFOUND. */
int kt_tree_get(const struct kt_tree *t, struct kt_bytes key, struct kt_bytes *value) KT_MUST;
enum kt_tree_where { KT_TREE_FIRST, KT_TREE_LAST, KT_TREE_AT_OR_AFTER, KT_TREE_AFTER, KT_TREE_BEFORE };
int kt_tree_find(const struct kt_tree *t, enum kt_tree_where where, struct kt_bytes at, struct kt_bytes *key,
                 struct kt_bytes *value) KT_MUST;

#endif
