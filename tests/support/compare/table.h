/* A CSV file whole in memory, cells found by column name: what a test holds an import against, read apart from the
 * importer's own reader.  One thread. */
#ifndef KT_SUPPORT_COMPARE_TABLE_H
#define KT_SUPPORT_COMPARE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table {
    char **cells; /* rows * columns, the header first; "" where a row is short */
    size_t columns, rows, len, cap, column;
};

/* false: it cannot be read or is no CSV (said on standard error); table_free in either case. */
bool table_read(struct table *t, const char *path);
void table_free(struct table *t);

/* Row i (from 0, the header not counted).  A column that is not there ends the program: the test is wrong. */
const char *table_cell(const struct table *t, size_t row, const char *column);

#endif
