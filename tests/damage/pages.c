/* What each byte of a data file is for: a sound file of LMDB 0.9, read with trust (node/store/mdb_file.h has the
 * format). */
#include "damage/damage.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE      4096u
#define HEADER    16u
#define NODE      8u
#define TREE      48u
#define META_FREE (HEADER + 24u) /* where its tree of free pages stands */
#define META_MAIN (META_FREE + TREE)
#define META_LAST (META_MAIN + TREE)
#define META_TXN  (META_LAST + 8u)
#define F_BIGDATA 1u
#define P_BRANCH  1u
#define NO_PAGE   UINT64_MAX
#define TREE_ROOT 40u

static const struct {
    const char *name;
    bool live;
} kinds[] = {
#define BYTE_KIND(name, text, live) {text, live},
    BYTE_KINDS(BYTE_KIND)
#undef BYTE_KIND
};

const char *byte_kind_name(enum byte_kind k) { return kinds[k].name; }
bool byte_kind_live(enum byte_kind k) { return kinds[k].live; }

struct reader {
    const uint8_t *image;
    size_t len;
    struct spans *out;
    uint8_t *known; /* one byte a byte: it is in a span */
    const char *table;
};

static uint16_t u16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static uint32_t u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static uint64_t u64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void keep(struct reader *r, uint64_t at, uint64_t len, enum byte_kind kind)
{
    if (len == 0) return;
    must(at + len <= r->len, "a span lies outside its file");
    struct spans *s = r->out;
    if (s->len == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 4096;
        s->at = realloc(s->at, s->cap * sizeof *s->at);
        must(s->at != NULL, "out of memory");
    }
    struct span *one = &s->at[s->len++];
    *one = (struct span){.at = at, .len = (uint32_t)len, .kind = kind};
    snprintf(one->table, sizeof one->table, "%s", r->table);
    memset(r->known + at, 1, len);
}

enum level { OF_FREE, OF_MAIN, OF_TABLE };

static void read_tree(struct reader *r, const uint8_t *tree, enum level level);

/* A row of the main tree: a table, whose name is its key. */
static void read_table(struct reader *r, uint64_t at, const uint8_t *name, size_t name_len)
{
    char table[24] = "";
    memcpy(table, name, name_len < sizeof table - 1 ? name_len : sizeof table - 1);
    keep(r, at + 4, TREE - 4, BYTE_ROOT); /* its first word is for tables with duplicates */
    r->table = table;
    read_tree(r, r->image + at, OF_TABLE);
    r->table = "";
}

static void read_run(struct reader *r, uint64_t page, uint64_t len, enum level level)
{
    const uint64_t at = page * PAGE;
    const enum byte_kind header = level == OF_FREE ? BYTE_FREE : BYTE_RUN_HEADER;
    keep(r, at, 8, header);
    keep(r, at + 10, 6, header); /* between them is padding */
    keep(r, at + HEADER, len, level == OF_FREE ? BYTE_FREE : BYTE_RUN);
}

static void read_leaf_node(struct reader *r, uint64_t at, enum level level)
{
    const uint8_t *n = r->image + at;
    const uint32_t len = u32(n);
    const uint16_t flags = u16(n + 4), key_len = u16(n + 6);
    const uint64_t data = at + NODE + key_len;
    const bool free_list = level == OF_FREE, main_tree = level == OF_MAIN;
    keep(r, at, NODE, free_list ? BYTE_FREE : main_tree ? BYTE_ROOT : BYTE_NODE_HEADER);
    keep(r, at + NODE, key_len, free_list ? BYTE_FREE : main_tree ? BYTE_ROOT : BYTE_KEY);
    if (main_tree) {
        read_table(r, data, n + NODE, key_len);
        return;
    }
    if (!(flags & F_BIGDATA)) {
        keep(r, data, len, free_list ? BYTE_FREE : BYTE_VALUE);
        return;
    }
    keep(r, data, 8, free_list ? BYTE_FREE : BYTE_NODE_HEADER);
    read_run(r, u64(r->image + data), len, level);
}

static void read_page(struct reader *r, uint64_t page, enum level level)
{
    const uint64_t at = page * PAGE;
    const uint8_t *p = r->image + at;
    const bool branch = u16(p + 10) & P_BRANCH;
    const unsigned n = (u16(p + 12) - HEADER) / 2u;
    const enum byte_kind special = level == OF_FREE ? BYTE_FREE : level == OF_MAIN ? BYTE_ROOT : BYTE_KIND_COUNT;
    const enum byte_kind header = special != BYTE_KIND_COUNT ? special : branch ? BYTE_BRANCH_HEADER : BYTE_LEAF_HEADER;
    const enum byte_kind place = special != BYTE_KIND_COUNT ? special : branch ? BYTE_BRANCH_NODE : BYTE_LEAF_PLACE;
    keep(r, at, 8, header);
    keep(r, at + 10, 6, header); /* between them is padding */
    keep(r, at + HEADER, 2u * n, place);
    for (unsigned i = 0; i < n; i++) {
        const uint64_t node = at + u16(p + HEADER + 2 * i);
        const uint8_t *q = r->image + node;
        if (!branch) {
            read_leaf_node(r, node, level);
            continue;
        }
        const uint16_t key_len = u16(q + 6);
        keep(r, node, NODE, place);
        /* the first child's key is not looked at */
        if (i > 0) keep(r, node + NODE, key_len, special != BYTE_KIND_COUNT ? special : BYTE_BRANCH_KEY);
        read_page(r, u32(q) | (uint64_t)u16(q + 4) << 32, level);
    }
}

static void read_tree(struct reader *r, const uint8_t *tree, enum level level)
{
    const uint64_t root = u64(tree + TREE_ROOT);
    if (root != NO_PAGE) read_page(r, root, level);
}

static void read_meta(struct reader *r, const uint8_t *meta)
{
    const uint64_t at = (uint64_t)(meta - r->image);
    keep(r, at, 8, BYTE_META);
    keep(r, at + 10, 2, BYTE_META);
    keep(r, at + HEADER, 8, BYTE_META);       /* magic, version; then an address and a size nobody takes */
    keep(r, at + META_FREE, TREE, BYTE_META); /* its first word is the size of a page */
    keep(r, at + META_MAIN + 4, TREE - 4, BYTE_META);
    keep(r, at + META_LAST, 8, BYTE_FREE); /* further on it wastes pages, and that is all */
    keep(r, at + META_TXN, 8, BYTE_META);
}

void spans_read(const uint8_t *image, size_t len, struct spans *out)
{
    struct reader r = {.image = image, .len = len, .out = out, .known = calloc(len, 1), .table = ""};
    must(r.known != NULL, "out of memory");
    const unsigned newer = u64(image + PAGE + META_TXN) > u64(image + META_TXN);
    const uint8_t *meta = image + newer * PAGE;
    read_meta(&r, meta);
    read_tree(&r, meta + META_FREE, OF_FREE);
    read_tree(&r, meta + META_MAIN, OF_MAIN);
    for (size_t from = 0; from < len;) {
        size_t to = from;
        while (to < len && r.known[to] == r.known[from] && to - from < PAGE) to++;
        if (!r.known[from]) keep(&r, from, to - from, BYTE_UNUSED);
        from = to;
    }
    free(r.known);
}
