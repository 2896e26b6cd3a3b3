#include "store/mdb_file.h"

#include "store/files.h"
#include "store/mdb_format.h"
#include "store/row_proof.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DEPTH_MAX  32u /* CURSOR_STACK */
#define TABLES_MAX 64u
#define NO_PAGE    UINT64_MAX

enum tree_kind { TREE_FREE, TREE_MAIN, TREE_TABLE };

struct walk {
    int fd;
    uint32_t page_bytes;
    uint64_t pages;            /* numbers below it may be used */
    uint8_t *seen;             /* one bit a page */
    uint8_t *level[DEPTH_MAX]; /* a page each */
    uint8_t *scratch;          /* one page */
    uint8_t *value;            /* of a row with pages of its own */
    size_t value_cap;
    char *why;
    struct tree tables[TABLES_MAX];
    enum kt_table names[TABLES_MAX];
    unsigned tables_len;

    /* the tree being walked */
    enum tree_kind kind;
    struct tree tree;
    enum kt_table table; /* of a TREE_TABLE */
    struct tree count;   /* as it adds up */
    uint8_t last[KEY_BYTES_MAX];
    size_t last_len;
    enum { ANY_KEY, ABOVE_LAST, FROM_LAST } next_key; /* what the next key must be */
};

__attribute__((format(printf, 2, 3))) static int damaged(struct walk *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(w->why, KT_MDB_WHY_BYTES, format, args);
    va_end(args);
    return KT_EDAMAGED;
}

/* Marks `n` pages from `first` as used; each may be used once. */
static int use_pages(struct walk *w, uint64_t first, uint64_t n)
{
    if (first < 2 || first >= w->pages || n > w->pages - first)
        return damaged(w, "page %" PRIu64 " is outside the file", first);
    for (uint64_t p = first; p < first + n; p++) {
        if (w->seen[p / 8] >> (p % 8) & 1) return damaged(w, "page %" PRIu64 " is used twice", p);
        w->seen[p / 8] |= (uint8_t)(1u << (p % 8));
    }
    return KT_OK;
}

static int read_page(struct walk *w, uint64_t number, uint8_t *page)
{
    int err = kt_read_at(w->fd, page, w->page_bytes, number * w->page_bytes);
    if (err == KT_EIO) return damaged(w, "page %" PRIu64 " cannot be read", number);
    return err == KT_ETRUNCATED ? damaged(w, "the file ends before page %" PRIu64, number) : err;
}

static int key_order(const struct walk *w, struct kt_bytes a, struct kt_bytes b)
{
    if (!(w->tree.flags & T_INTEGER)) return kt_bytes_compare(a, b);
    uint64_t x = 0, y = 0;
    memcpy(&x, a.data, sizeof(x));
    memcpy(&y, b.data, sizeof(y));
    return (x > y) - (x < y);
}

/* Keys rise through the whole tree: a branch's key lies above all to its left, and what is under it starts there. */
static int take_key(struct walk *w, uint64_t page, struct kt_bytes key, bool branch)
{
    bool integer = w->tree.flags & T_INTEGER;
    if (key.len == 0 || key.len > KEY_BYTES_MAX || (integer && key.len != sizeof(uint64_t)))
        return damaged(w, "a key of %zu bytes in page %" PRIu64, key.len, page);
    if (w->next_key != ANY_KEY) {
        int c = key_order(w, key, kt_bytes(w->last, w->last_len));
        if (c < 0 || (c == 0 && w->next_key == ABOVE_LAST))
            return damaged(w, "keys out of order in page %" PRIu64, page);
    }
    memcpy(w->last, key.data, key.len);
    w->last_len = key.len;
    w->next_key = branch ? FROM_LAST : ABOVE_LAST;
    return KT_OK;
}

static int take_node(struct walk *w, uint64_t number, const uint8_t *page, const struct header *h, unsigned i,
                     struct node *out)
{
    const char *wrong = kt_mdb_node(page, w->page_bytes, h, i, h->upper, out);
    return wrong ? damaged(w, "row %u of page %" PRIu64 " %s", i, number, wrong) : KT_OK;
}

/* A value too large for its leaf: a run of pages, the first with a header. */
static int walk_run(struct walk *w, const struct node *n, struct kt_bytes *value)
{
    uint64_t first, needed = (PAGE_HEADER - 1 + (uint64_t)n->data_len) / w->page_bytes + 1;
    struct header h;
    memcpy(&first, n->data, sizeof(first));
    if (first < 2 || first >= w->pages || needed > w->pages - first)
        return damaged(w, "page %" PRIu64 " is outside the file", first);
    int err = read_page(w, first, w->scratch);
    if (err) return err;
    memcpy(&h, w->scratch, sizeof(h));
    uint32_t pages = kt_mdb_run_pages(&h);
    if (h.number != first || h.flags != P_OVERFLOW || pages < needed)
        return damaged(w, "page %" PRIu64 " does not start the value it should", first);
    w->count.overflow_pages += pages;
    err = use_pages(w, first, pages);
    if (!err && w->value_cap < n->data_len) {
        free(w->value);
        w->value_cap = needed * w->page_bytes;
        w->value = malloc(w->value_cap);
        if (!w->value) return KT_ENOMEM;
    }
    if (!err) err = kt_read_at(w->fd, w->value, n->data_len, first * w->page_bytes + PAGE_HEADER);
    if (err == KT_ETRUNCATED) return damaged(w, "the file ends within the value at page %" PRIu64, first);
    *value = kt_bytes(w->value, n->data_len);
    return err;
}

/* A row of the free list: {count, page numbers} of pages nobody uses. */
static int walk_free_row(struct walk *w, struct kt_bytes row)
{
    uint64_t listed, page;
    if (row.len < sizeof(listed) || row.len % sizeof(listed)) return damaged(w, "a free list of %zu bytes", row.len);
    memcpy(&listed, row.data, sizeof(listed));
    if (listed >= row.len / sizeof(listed)) return damaged(w, "a free list longer than its row");
    int err = KT_OK;
    for (uint64_t i = 1; !err && i <= listed; i++) {
        memcpy(&page, row.data + i * sizeof(page), sizeof(page));
        err = use_pages(w, page, 1);
    }
    return err;
}

/* A row of the main tree: the name of a table, and its tree. */
static int take_table(struct walk *w, uint64_t page, const struct node *n)
{
    static const char *const names[] = {
#define TABLE_NAME(name, env, integer, holds) #name,
        KT_TABLES(TABLE_NAME)
#undef TABLE_NAME
    };
    if (n->flags != F_SUBDATA || n->data_len != sizeof(struct tree) || w->tables_len == TABLES_MAX)
        return damaged(w, "page %" PRIu64 " of the main tree holds what is no table", page);
    unsigned t = 0;
    while (t < KT_TABLE_COUNT && !kt_bytes_equal(n->key, kt_str(names[t]))) t++;
    if (t == KT_TABLE_COUNT) return damaged(w, "a table that this version does not know");
    w->names[w->tables_len] = t;
    memcpy(&w->tables[w->tables_len++], n->data, sizeof(struct tree));
    return KT_OK;
}

static int walk_row(struct walk *w, uint64_t page, const struct node *n)
{
    struct kt_bytes value = kt_bytes(n->data, n->data_len);
    int err = take_key(w, page, n->key, false);
    if (!err && (n->flags & F_BIGDATA)) err = walk_run(w, n, &value);
    if (err) return err;
    w->count.entries++;
    if (w->kind == TREE_MAIN) return take_table(w, page, n);
    if (n->flags & ~F_BIGDATA) return damaged(w, "a strange row in page %" PRIu64, page);
    if (w->kind == TREE_FREE) return walk_free_row(w, value);
    if (kt_row_prove(w->table, n->key, value, &value)) return KT_OK;
    return damaged(w, "a row in page %" PRIu64 " is not what was written there", page);
}

static int read_header(struct walk *w, uint64_t number, unsigned level, struct header *h)
{
    if (level >= DEPTH_MAX || level >= w->tree.depth) return damaged(w, "a tree is deeper than it says");
    if (!w->level[level]) w->level[level] = malloc(w->page_bytes);
    if (!w->level[level]) return KT_ENOMEM;
    int err = use_pages(w, number, 1);
    if (!err) err = read_page(w, number, w->level[level]);
    if (err) return err;
    memcpy(h, w->level[level], sizeof(*h));
    unsigned wanted = level + 1u == w->tree.depth ? P_LEAF : P_BRANCH;
    if (h->number != number || h->flags != wanted || h->lower < PAGE_HEADER || h->lower > h->upper ||
        h->upper > w->page_bytes || h->lower % 2)
        return damaged(w, "page %" PRIu64 " is not the page it should be", number);
    unsigned rows = (h->lower - PAGE_HEADER) / 2u;
    if (rows == 0 || (rows == 1 && wanted == P_BRANCH && w->kind != TREE_FREE))
        return damaged(w, "page %" PRIu64 " holds too little", number);
    *(wanted == P_LEAF ? &w->count.leaf_pages : &w->count.branch_pages) += 1;
    return KT_OK;
}

static int walk_page(struct walk *w, uint64_t number, unsigned level) /* at most DEPTH_MAX deep */
{
    struct header h;
    int err = read_header(w, number, level, &h);
    unsigned rows = err ? 0 : (h.lower - PAGE_HEADER) / 2u;
    uint32_t filled = h.upper;
    for (unsigned i = 0; !err && i < rows; i++) {
        struct node n = {0};
        err = take_node(w, number, w->level[level], &h, i, &n);
        if (err) return err;
        filled += kt_mdb_node_bytes(&h, &n);
        if (h.flags & P_LEAF) {
            err = walk_row(w, number, &n);
            continue;
        }
        if (i > 0) err = take_key(w, number, n.key, true); /* the first child has no key of its own */
        if (!err) err = walk_page(w, n.child, level + 1);
    }
    if (!err && filled != w->page_bytes) err = damaged(w, "page %" PRIu64 " is not filled by its rows", number);
    return err;
}

static int walk_tree(struct walk *w, enum tree_kind kind, const struct tree *tree)
{
    w->kind = kind;
    w->tree = *tree;
    w->count = (struct tree){0};
    w->next_key = ANY_KEY;
    if (tree->root == NO_PAGE) {
        static const struct tree none = {.root = NO_PAGE};
        w->tree.pad = w->tree.flags = 0;
        return memcmp(&w->tree, &none, sizeof(none)) ? damaged(w, "a tree without a root counts rows") : KT_OK;
    }
    int err = walk_page(w, tree->root, 0);
    if (!err && w->count.entries != tree->entries)
        err = damaged(w, "a table counts %" PRIu64 " rows and holds %" PRIu64, tree->entries, w->count.entries);
    if (!err && (w->count.branch_pages != tree->branch_pages || w->count.leaf_pages != tree->leaf_pages ||
                 w->count.overflow_pages != tree->overflow_pages))
        err = damaged(w, "a table of %" PRIu64 " rows miscounts its pages", tree->entries);
    return err;
}

static int walk_table(struct walk *w, unsigned i)
{
    static const uint16_t flags[] = {
#define TABLE_FLAGS(name, env, integer, holds) integer ? T_INTEGER : 0,
        KT_TABLES(TABLE_FLAGS)
#undef TABLE_FLAGS
    };
    w->table = w->names[i];
    if (w->tables[i].flags != flags[w->table]) return damaged(w, "a table of another kind than Kontor made it");
    return walk_tree(w, TREE_TABLE, &w->tables[i]);
}

static int read_meta(struct walk *w, unsigned slot, struct meta *out)
{
    uint8_t page[PAGE_HEADER + sizeof(struct meta)];
    int err = kt_read_at(w->fd, page, sizeof(page), (uint64_t)slot * w->page_bytes);
    if (err) return err == KT_ETRUNCATED ? damaged(w, "the file ends before its second meta page") : err;
    struct header h;
    memcpy(&h, page, sizeof(h));
    memcpy(out, page + PAGE_HEADER, sizeof(*out));
    if (h.flags != P_META || h.number != slot || out->magic != MDB_FILE_MAGIC)
        return damaged(w, "this is no database of Kontor");
    if (out->version != MDB_FILE_VERSION) {
        snprintf(w->why, KT_MDB_WHY_BYTES, "its format has version %" PRIu32 ", not %u", out->version,
                 MDB_FILE_VERSION);
        return KT_EVERSION;
    }
    uint32_t bytes = out->trees[0].pad;
    if (bytes < PAGE_BYTES_MIN || bytes > PAGE_BYTES_MAX || (bytes & (bytes - 1)) || (slot && bytes != w->page_bytes))
        return damaged(w, "a page size of %" PRIu32, bytes);
    w->page_bytes = bytes;
    return KT_OK;
}

/* The meta page in charge: the newer of both, or that of one transaction. */
static int pick_meta(struct walk *w, uint64_t txn, uint64_t file_bytes, struct meta *out)
{
    struct meta m[2];
    int err = read_meta(w, 0, &m[0]);
    if (!err || err == KT_EVERSION) {
        int second = read_meta(w, 1, &m[1]);
        /* a new version would stand in both */
        if (err != second && (err == KT_EVERSION || second == KT_EVERSION))
            return damaged(w, "its meta pages are of two versions");
        err = second;
    }
    if (err) return err;
    unsigned slot = txn ? txn & 1 : m[1].txn > m[0].txn;
    if (txn && m[slot].txn != txn) return KT_EAGAIN;
    const struct meta *is = &m[slot], *was = &m[!slot];
    bool follows = is->txn - was->txn == 1 || was->txn - is->txn == 1 || (is->txn == 0 && was->txn == 0);
    if ((is->txn & 1) != slot || !follows) return damaged(w, "one of its meta pages is not of its time");
    if (is->trees[0].flags != T_INTEGER || is->trees[1].flags != 0) return damaged(w, "its trees are of another kind");
    if (m[slot].last_page < 1 || m[slot].last_page >= file_bytes / w->page_bytes)
        return damaged(w, "the file ends before its last page %" PRIu64, m[slot].last_page);
    *out = m[slot];
    return KT_OK;
}

int kt_mdb_check(int fd, uint64_t txn, char why[KT_MDB_WHY_BYTES])
{
    struct stat st;
    if (fstat(fd, &st)) return KT_EIO;
    if (st.st_size == 0) return KT_ENOTFOUND;

    struct walk w = {.fd = fd, .why = why};
    struct meta m;
    int err = pick_meta(&w, txn, (uint64_t)st.st_size, &m);
    if (err) return err;
    w.pages = m.last_page + 1;
    w.seen = calloc(w.pages / 8 + 1, 1);
    w.scratch = malloc(w.page_bytes);
    if (!w.seen || !w.scratch) err = KT_ENOMEM;
    if (!err) err = walk_tree(&w, TREE_FREE, &m.trees[0]);
    if (!err) err = walk_tree(&w, TREE_MAIN, &m.trees[1]);
    for (unsigned i = 0; !err && i < w.tables_len; i++) err = walk_table(&w, i);
    for (unsigned i = 0; i < DEPTH_MAX; i++) free(w.level[i]);
    free(w.scratch);
    free(w.value);
    free(w.seen);
    return err;
}
