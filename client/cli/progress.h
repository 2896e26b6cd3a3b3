/* A bar on standard error for what takes more than a second, where standard error is a terminal. */
#ifndef KT_CLI_PROGRESS_H
#define KT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct kt_progress {
    bool on, drawn;
    uint64_t start_ms, drawn_ms, total; /* total 0: not known, then a count alone is shown */
};

void kt_progress_start(struct kt_progress *p, uint64_t total);
/* Cheap: draws at most ten times a second.  `what` goes behind the count ("rows"). */
void kt_progress_show(struct kt_progress *p, uint64_t done, uint64_t count, const char *what);
/* Takes the bar away: before anything else is said, and at the end. */
void kt_progress_clear(struct kt_progress *p);

#endif
