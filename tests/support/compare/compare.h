/* Inside kontor-compare: one connection to a node, and what was found to differ. */
#ifndef KT_SUPPORT_COMPARE_COMPARE_H
#define KT_SUPPORT_COMPARE_COMPARE_H

#include "client/cli/call.h"
#include "client/cli/json/json.h"
#include "support/compare/table.h"

struct compare {
    struct kt_line *line;
    struct kt_arena arena;
    const char *path;
    struct table table;
    size_t rows, asked, wrong;
};

/* Says what is wrong, of the first few. */
void differs(struct compare *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The answer as JSON, the caller's to free; NULL, and a difference, where there is none. */
json_t *look(struct compare *c, enum kt_lookup_by by, const char *system, const char *value);

/* The lines of JSON of a file, as `kontor put` takes them: of each, everything it says is to be found.  A customer is
 * looked up by its source, a case by its number, an interaction in its case.  false: the file cannot be read. */
bool compare_lines(struct compare *c);

#endif
