#include "store/mdb_salvage.h"

#include "store/files.h"
#include "store/mdb_format.h"
#include "store/row_proof.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_BYTES_MAX (1u << 20) /* larger ones are no rows of Kontor's */
#define GUESS_PAGES     4096u      /* looked at to learn how large a page is */
#define RUN_ITSELF      0xffffu    /* the place of a large value without its row */

struct mdb_salvage {
    struct kt_salvage port; /* first */
    int fd;
    uint32_t page_bytes;
    uint64_t pages; /* a last one that is cut short included */
    uint8_t *page, *value;
};

/* Past the end of the file there are zeros: what a cut left of a page may still hold rows. */
static int read_some(struct mdb_salvage *s, uint8_t *out, size_t len, uint64_t offset)
{
    struct stat st;
    if (fstat(s->fd, &st)) return KT_EIO;
    uint64_t left = (uint64_t)st.st_size > offset ? (uint64_t)st.st_size - offset : 0;
    size_t there = left < len ? (size_t)left : len;
    memset(out + there, 0, len - there);
    return there ? kt_read_at(s->fd, out, there, offset) : KT_ETRUNCATED;
}

/* The page size under which most pages bear their own number. */
static uint32_t guess_page_bytes(const struct mdb_salvage *s, uint64_t file_bytes)
{
    uint32_t best = 0;
    unsigned most = 0;
    for (uint32_t bytes = PAGE_BYTES_MIN; bytes <= PAGE_BYTES_MAX; bytes *= 2) {
        unsigned n = 0;
        struct header h;
        for (uint64_t p = 1; p < GUESS_PAGES && p * bytes + sizeof(h) <= file_bytes; p++)
            n += !kt_read_at(s->fd, &h, sizeof(h), p * bytes) && h.number == p;
        if (n > most) {
            most = n;
            best = bytes;
        }
    }
    return best;
}

/* The page's header, and how many rows it may have: what it says, or, where that cannot be, as many as read. */
static unsigned read_rows(struct mdb_salvage *s, uint64_t number, struct header *h)
{
    if (read_some(s, s->page, s->page_bytes, number * s->page_bytes)) return 0;
    memcpy(h, s->page, sizeof(*h));
    h->flags &= (uint16_t)~P_DIRTY;
    if (h->number == number && (h->flags == P_OVERFLOW || h->flags == P_BRANCH || h->flags == P_META)) return 0;
    bool said = h->lower >= PAGE_HEADER && h->lower <= s->page_bytes && h->lower % 2 == 0;
    h->flags = P_LEAF;
    return said ? (h->lower - PAGE_HEADER) / 2u : (s->page_bytes - PAGE_HEADER) / 2u;
}

/* One row of the page at hand; a large value is read from its run, whatever the header there says. */
static bool take_row(struct mdb_salvage *s, const struct header *h, unsigned i, struct kt_bytes *key,
                     struct kt_bytes *value)
{
    struct node n;
    if (kt_mdb_node(s->page, s->page_bytes, h, i, PAGE_HEADER, &n)) return false;
    if (n.key.len == 0 || n.key.len > KEY_BYTES_MAX || (n.flags & ~F_BIGDATA)) return false;
    if (n.data_len < KT_ROW_PROOF_BYTES) return false;
    *key = n.key;
    *value = kt_bytes(n.data, n.data_len - KT_ROW_PROOF_BYTES); /* whole or not: who takes it finds out */
    if (!(n.flags & F_BIGDATA)) return true;
    uint64_t first;
    memcpy(&first, n.data, sizeof(first));
    if (first >= s->pages || n.data_len > VALUE_BYTES_MAX) return false;
    if (read_some(s, s->value, value->len, first * s->page_bytes + PAGE_HEADER)) return false;
    value->data = s->value;
    return true;
}

/* A run that says so of itself. */
static bool take_run(struct mdb_salvage *s, uint64_t number, struct kt_bytes *value)
{
    struct header h;
    if (read_some(s, (uint8_t *)&h, sizeof(h), number * s->page_bytes)) return false;
    uint64_t bytes = (uint64_t)kt_mdb_run_pages(&h) * s->page_bytes;
    if (h.number != number || (h.flags & ~P_DIRTY) != P_OVERFLOW || bytes < s->page_bytes) return false;
    if (bytes > VALUE_BYTES_MAX) bytes = VALUE_BYTES_MAX;
    if (read_some(s, s->value, (size_t)bytes - PAGE_HEADER, number * s->page_bytes + PAGE_HEADER)) return false;
    *value = kt_bytes(s->value, (size_t)bytes - PAGE_HEADER);
    return true;
}

static int salvage_rows(struct kt_salvage *port,
                        int (*each)(void *context, uint64_t place, struct kt_bytes key, struct kt_bytes value),
                        void *context)
{
    struct mdb_salvage *s = (struct mdb_salvage *)port;
    int err = KT_OK;
    for (uint64_t p = 0; p < s->pages && !err; p++) {
        struct header h;
        struct kt_bytes key, value;
        unsigned rows = read_rows(s, p, &h);
        for (unsigned i = 0; i < rows && !err; i++)
            if (take_row(s, &h, i, &key, &value)) err = each(context, p << 16 | i, key, value);
        if (!rows && !err && take_run(s, p, &value))
            err = each(context, p << 16 | RUN_ITSELF, kt_bytes(NULL, 0), value);
    }
    return err;
}

static int salvage_row(struct kt_salvage *port, uint64_t place, struct kt_bytes *key, struct kt_bytes *value)
{
    struct mdb_salvage *s = (struct mdb_salvage *)port;
    struct header h;
    unsigned i = place & RUN_ITSELF;
    *key = kt_bytes(NULL, 0);
    if (i == RUN_ITSELF) return take_run(s, place >> 16, value) ? KT_OK : KT_ENOTFOUND;
    return i < read_rows(s, place >> 16, &h) && take_row(s, &h, i, key, value) ? KT_OK : KT_ENOTFOUND;
}

static void salvage_free(struct mdb_salvage *s)
{
    free(s->page);
    free(s->value);
    free(s);
}

static void salvage_close(struct kt_salvage *port)
{
    close(((struct mdb_salvage *)port)->fd);
    salvage_free((struct mdb_salvage *)port);
}

int kt_mdb_salvage_open(int fd, struct kt_salvage **out)
{
    struct stat st;
    if (fstat(fd, &st)) return KT_EIO;
    struct mdb_salvage *s = calloc(1, sizeof(*s));
    if (!s) return KT_ENOMEM;
    s->port = (struct kt_salvage){salvage_rows, salvage_row, salvage_close};
    s->fd = fd;
    s->page_bytes = guess_page_bytes(s, (uint64_t)st.st_size);
    int err = s->page_bytes ? KT_OK : KT_ENOTFOUND;
    if (!err) {
        s->pages = ((uint64_t)st.st_size + s->page_bytes - 1) / s->page_bytes;
        s->page = malloc(s->page_bytes);
        s->value = malloc(VALUE_BYTES_MAX);
        if (!s->page || !s->value) err = KT_ENOMEM;
    }
    if (err) {
        salvage_free(s);
        return err;
    }
    *out = &s->port;
    return KT_OK;
}
