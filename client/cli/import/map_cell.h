/* From the cells of a row to one text, as the texts and rules of a map say. */
#ifndef KT_CLI_MAP_CELL_H
#define KT_CLI_MAP_CELL_H

#include "client/cli/import/csv.h"
#include "proto/buffer.h"

#include <jansson.h>

/* Which column is where: {"name": index}. */
struct kt_cells {
    const json_t *columns;
    const struct kt_csv_row *row; /* NULL: only the names of columns are checked */
};

/* "{Column} text" filled in, appended to out.  *used: the first column it names (NULL: none); false where it names
 * some and all are empty.  *missing: a column that is not there. */
bool kt_cell_fill(const struct kt_cells *c, const char *text, const json_t *none, struct kt_buf *out, const char **used,
                  char missing[128]);

/* A date or time as it is written in the file, as Kontor writes it.  KT_ETYPE. */
int kt_cell_date(struct kt_bytes text, const char *format, const char *zone, struct kt_buf *out) KT_MUST;

#endif
