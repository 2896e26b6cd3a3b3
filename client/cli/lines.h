/* Lines of a file or a pipe as they come, however long: one that is longer than the limit is skipped and named.
 *
 * One thread; nothing is read ahead of what one read gives. */
#ifndef KT_CLI_LINES_H
#define KT_CLI_LINES_H

#include "proto/bytes.h"
#include "proto/errors.h"

struct kt_lines {
    int fd;
    size_t line_bytes_max;
    char *data;
    size_t start, end, cap, scanned;
    uint32_t number; /* of the line given last, from 1 */
    bool at_end, skipping;
};

void kt_lines_init(struct kt_lines *l, int fd, size_t line_bytes_max);
void kt_lines_free(struct kt_lines *l); /* the descriptor is its owner's */

/* The next line without its end (a byte-order mark at the very beginning is taken off), valid until kt_lines_read.
 * KT_EAGAIN: read more first; KT_EOVERSIZE: line l->number is too long and was left out; KT_EEND. */
int kt_lines_next(struct kt_lines *l, struct kt_bytes *line) KT_MUST;
/* One read; waits as the descriptor does.  KT_EIO (errno), KT_ENOMEM. */
int kt_lines_read(struct kt_lines *l) KT_MUST;

#endif
