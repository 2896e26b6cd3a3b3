/* The bytes of an LMDB 0.9 data file (mdb.c: MDB_page, MDB_node, MDB_db, MDB_meta; data version 1), in the byte order
 * and word size of this machine, for the two readers that do not believe them: the check (mdb_file.c) and the salvage
 * (mdb_salvage.c).
 *
 *   page 0, 1   meta pages: magic beefc0de, version, roots of the free list and of the main tree, last page,
 *               transaction
 *   page n      16 bytes {number 8, pad 2, flags 2, lower 2, upper 2 (or count 4)}, then a branch, a leaf, or the start
 *               of a run that holds one large value; a leaf has 2-byte offsets of its rows up to `lower`, and its rows
 *               from `upper` on */
#ifndef KT_STORE_MDB_FORMAT_H
#define KT_STORE_MDB_FORMAT_H

#include "proto/bytes.h"

#define MDB_FILE_MAGIC   0xbeefc0deu
#define MDB_FILE_VERSION 1u
#define PAGE_HEADER      16u
#define PAGE_BYTES_MIN   512u
#define PAGE_BYTES_MAX   32768u
#define NODE_HEADER      8u
#define KEY_BYTES_MAX    511u

enum page_flag { P_BRANCH = 1, P_LEAF = 2, P_OVERFLOW = 4, P_META = 8, P_DIRTY = 16 };
enum node_flag { F_BIGDATA = 1, F_SUBDATA = 2 };
enum tree_flag { T_INTEGER = 8 };

struct tree { /* MDB_db */
    uint32_t pad;
    uint16_t flags, depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};
struct meta { /* MDB_meta */
    uint32_t magic, version;
    uint64_t address, map_bytes;
    struct tree trees[2];
    uint64_t last_page, txn;
};
struct header { /* MDB_page */
    uint64_t number;
    uint16_t pad, flags, lower, upper;
};
_Static_assert(sizeof(struct tree) == 48 && sizeof(struct meta) == 136 && sizeof(struct header) == PAGE_HEADER,
               "the layout of LMDB 0.9 on 64 bits");

/* One row of a page (MDB_node); key and data lie in the page. */
struct node {
    uint32_t data_len; /* leaf */
    uint64_t child;    /* branch */
    uint16_t flags;
    struct kt_bytes key;
    const uint8_t *data; /* leaf; F_BIGDATA: the number of its first page */
};

static inline uint32_t kt_mdb_pair(uint16_t first, uint16_t second)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? first | (uint32_t)second << 16 : second | (uint32_t)first << 16;
}

/* How many pages the run of a large value has, by its header. */
static inline uint32_t kt_mdb_run_pages(const struct header *h) { return kt_mdb_pair(h->lower, h->upper); }

/* Row i of a page whose header is `h`; rows begin at `lowest` or above.  NULL: read; else what is wrong with it. */
static inline const char *kt_mdb_node(const uint8_t *page, uint32_t page_bytes, const struct header *h, unsigned i,
                                      uint32_t lowest, struct node *out)
{
    uint16_t at, lo, hi, flags, key_len;
    memcpy(&at, page + PAGE_HEADER + 2 * i, sizeof(at));
    if (at < lowest || at % 2 || at > page_bytes - NODE_HEADER) return "lies outside it";
    memcpy(&lo, page + at, sizeof(lo));
    memcpy(&hi, page + at + 2, sizeof(hi));
    memcpy(&flags, page + at + 4, sizeof(flags));
    memcpy(&key_len, page + at + 6, sizeof(key_len));
    bool branch = h->flags & P_BRANCH;
    uint32_t low = kt_mdb_pair(lo, hi);
    size_t data_here = branch ? 0 : (flags & F_BIGDATA) ? sizeof(uint64_t) : low;
    if (NODE_HEADER + key_len + data_here > page_bytes - at) return "is longer than it";
    *out = (struct node){
        .data_len = low,
        .child = low | (uint64_t)flags << 32,
        .flags = branch ? 0 : flags,
        .key = kt_bytes(page + at + NODE_HEADER, key_len),
        .data = page + at + NODE_HEADER + key_len,
    };
    return NULL;
}

/* What such a row takes of its page: LMDB keeps pages packed, so the rows of one fill it from `upper` to its end. */
static inline uint32_t kt_mdb_node_bytes(const struct header *h, const struct node *n)
{
    size_t data = h->flags & P_BRANCH ? 0 : n->flags & F_BIGDATA ? sizeof(uint64_t) : n->data_len;
    return (uint32_t)(NODE_HEADER + n->key.len + data + 1) & ~1u;
}

#endif
