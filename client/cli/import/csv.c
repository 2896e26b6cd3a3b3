#include "client/cli/import/csv.h"

#include "client/cli/lines.h"

#include <csv.h>
#include <stdlib.h>

struct kt_csv {
    struct kt_lines lines;
    struct csv_parser parser;
    uint32_t row_line; /* 0: between rows */
    size_t row_bytes;
    uint64_t bytes_read;
    char *text; /* of the row's cells, one after the other */
    size_t text_len, text_cap;
    struct kt_bytes cells[KT_CSV_COLUMNS_MAX]; /* while a row is read: data is NULL and len the end in `text` */
    uint32_t n;
    bool complete;
    int err;
};

/* A line has been taken apart at LF already; CR inside it is text. */
static int is_line_end(unsigned char c) { return c == CSV_LF; }

static int start_parser(struct kt_csv *c)
{
    if (csv_init(&c->parser, CSV_STRICT_FINI)) return KT_ENOMEM;
    csv_set_term_func(&c->parser, is_line_end);
    return KT_OK;
}

int kt_csv_open(int fd, struct kt_csv **out)
{
    struct kt_csv *c = calloc(1, sizeof *c);
    int err = c ? start_parser(c) : KT_ENOMEM;
    if (err) {
        free(c);
        return err;
    }
    kt_lines_init(&c->lines, fd, KT_CSV_ROW_BYTES_MAX);
    *out = c;
    return KT_OK;
}

void kt_csv_close(struct kt_csv *c)
{
    if (!c) return;
    csv_free(&c->parser);
    kt_lines_free(&c->lines);
    free(c->text);
    free(c);
}

uint64_t kt_csv_bytes_read(const struct kt_csv *c) { return c->bytes_read; }

static void on_cell(void *text, size_t len, void *ctx)
{
    struct kt_csv *c = ctx;
    if (c->err) return;
    if (c->n == KT_CSV_COLUMNS_MAX) {
        c->err = KT_EOVERSIZE;
        return;
    }
    if (c->text_cap - c->text_len < len) {
        size_t cap = 2 * (c->text_len + len) + 256;
        char *grown = realloc(c->text, cap);
        if (!grown) {
            c->err = KT_ENOMEM;
            return;
        }
        c->text = grown;
        c->text_cap = cap;
    }
    if (len) memcpy(c->text + c->text_len, text, len);
    c->text_len += len;
    c->cells[c->n++] = (struct kt_bytes){NULL, c->text_len};
}

static void on_row(int end, void *ctx)
{
    (void)end;
    ((struct kt_csv *)ctx)->complete = true;
}

/* Ready for the next row, whatever became of this one. */
static int drop_row(struct kt_csv *c, int why)
{
    csv_free(&c->parser);
    c->row_line = 0;
    int err = start_parser(c);
    return err ? err : why;
}

static struct kt_bytes trimmed(struct kt_bytes b)
{
    while (b.len && strchr(" \t\r\n", b.data[0]) && b.data[0]) b = kt_bytes(b.data + 1, b.len - 1);
    while (b.len && strchr(" \t\r\n", b.data[b.len - 1]) && b.data[b.len - 1]) b.len--;
    return b;
}

/* Cells in the making become cells. */
static void give_row(struct kt_csv *c, struct kt_csv_row *row)
{
    size_t at = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        size_t end = c->cells[i].len;
        c->cells[i] = trimmed(kt_bytes(c->text ? c->text + at : NULL, end - at));
        at = end;
    }
    *row = (struct kt_csv_row){c->row_line, c->n, c->cells};
    c->row_line = 0;
}

static int feed(struct kt_csv *c, struct kt_bytes line)
{
    if (line.len && line.data[line.len - 1] == '\r') line.len--;
    if (!c->row_line && trimmed(line).len == 0) return KT_EAGAIN;
    if (!c->row_line) {
        c->row_line = c->lines.number;
        c->row_bytes = c->text_len = c->n = 0;
        c->complete = false;
        c->err = KT_OK;
    }
    c->row_bytes += line.len + 1;
    size_t took = csv_parse(&c->parser, line.data, line.len, on_cell, on_row, c);
    if (took == line.len) took += csv_parse(&c->parser, "\n", 1, on_cell, on_row, c);
    if (took != line.len + 1) return csv_error(&c->parser) == CSV_ENOMEM ? KT_ENOMEM : KT_EOVERSIZE;
    if (c->err) return c->err;
    if (c->row_bytes > KT_CSV_ROW_BYTES_MAX) return KT_EOVERSIZE;
    return c->complete ? KT_OK : KT_EAGAIN;
}

int kt_csv_next(struct kt_csv *c, struct kt_csv_row *row)
{
    for (;;) {
        struct kt_bytes line;
        size_t before;
        int err = kt_lines_next(&c->lines, &line);
        if (!err) {
            err = feed(c, line);
        } else if (err == KT_EOVERSIZE && !c->row_line) {
            c->row_line = c->lines.number;
        } else if (err == KT_EEND && c->row_line) {
            err = KT_ETRUNCATED;
        } else if (err == KT_EAGAIN) {
            before = c->lines.end - c->lines.start;
            err = kt_lines_read(&c->lines);
            c->bytes_read += c->lines.end - c->lines.start - before;
            if (!err) continue;
        }
        if (err == KT_EAGAIN) continue;
        if (!err) give_row(c, row);
        if (err == KT_EOVERSIZE || err == KT_ETRUNCATED) row->line = c->row_line;
        if (err == KT_EOVERSIZE || err == KT_ETRUNCATED) return drop_row(c, err);
        return err;
    }
}
