/* Rows of a CSV file as real ones are: byte-order mark, CRLF, blanks after commas, line ends inside quotes (they become
 * LF), quotes where they do not belong.  A row that cannot be read is named by the line it begins on and left out; the
 * next one is read.
 *
 * RFC 4180, by libcsv.  One thread. */
#ifndef KT_CLI_CSV_H
#define KT_CLI_CSV_H

#include "proto/bytes.h"
#include "proto/errors.h"

#define KT_CSV_ROW_BYTES_MAX (1u << 20)
#define KT_CSV_COLUMNS_MAX   1024u

struct kt_csv;

struct kt_csv_row {
    uint32_t line; /* where it begins, from 1 */
    uint32_t n;
    const struct kt_bytes *cells; /* without blanks around them */
};

/* Reads from `fd`, which stays its owner's. */
int kt_csv_open(int fd, struct kt_csv **out) KT_MUST;
void kt_csv_close(struct kt_csv *c);

/* The next row, borrowed until the next call; lines without anything are passed over.  KT_EEND; KT_EOVERSIZE: a row
 * longer than the limits; KT_ETRUNCATED: the file ends inside quotes - of both row->line tells where; KT_EIO (errno),
 * KT_ENOMEM. */
int kt_csv_next(struct kt_csv *c, struct kt_csv_row *row) KT_MUST;

uint64_t kt_csv_bytes_read(const struct kt_csv *c);

#endif
