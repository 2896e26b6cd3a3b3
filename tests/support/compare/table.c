#include "support/compare/table.h"

#include <csv.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct table *t, const char *text, size_t len)
{
    if (t->len == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 4096;
        t->cells = realloc(t->cells, t->cap * sizeof *t->cells);
    }
    char *copy = malloc(len + 1); /* not strndup: libcsv ends no cell with a NUL */
    if (!t->cells || !copy) abort();
    memcpy(copy, text, len);
    copy[len] = '\0';
    t->cells[t->len++] = copy;
}

static void on_cell(void *text, size_t len, void *table)
{
    struct table *t = table;
    if (t->rows == 0 || t->column < t->columns) add(t, text ? text : "", len);
    t->column++;
}

static void on_row(int end, void *table)
{
    struct table *t = table;
    (void)end;
    if (t->rows == 0) t->columns = t->column;
    for (; t->column < t->columns; t->column++) add(t, "", 0);
    t->rows++;
    t->column = 0;
}

bool table_read(struct table *t, const char *path)
{
    struct csv_parser p;
    char bytes[1 << 16];
    bool good = true;
    *t = (struct table){0};
    FILE *f = fopen(path, "rb");
    if (!f || csv_init(&p, CSV_STRICT)) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        if (f) fclose(f);
        return false;
    }
    for (size_t n; good && (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
        good = csv_parse(&p, bytes, n, on_cell, on_row, t) == n;
    good = good && !ferror(f) && csv_fini(&p, on_cell, on_row, t) == 0 && t->rows > 1;
    if (!good) fprintf(stderr, "%s: not a table: %s\n", path, csv_strerror(csv_error(&p)));
    csv_free(&p);
    fclose(f);
    if (good) t->rows--; /* the header */
    return good;
}

void table_free(struct table *t)
{
    for (size_t i = 0; i < t->len; i++) free(t->cells[i]);
    free(t->cells);
    *t = (struct table){0};
}

const char *table_cell(const struct table *t, size_t row, const char *column)
{
    for (size_t c = 0; c < t->columns; c++)
        if (strcmp(t->cells[c], column) == 0) return t->cells[(row + 1) * t->columns + c];
    fprintf(stderr, "no column \"%s\"\n", column);
    abort();
}
