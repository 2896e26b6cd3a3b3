/* Inside the campaigns: processes that each take a share of the crashes, and images after a fault.  One process calls
 * these; what they print is its. */
#ifndef KT_CRASH_CAMPAIGN_PARTS_H
#define KT_CRASH_CAMPAIGN_PARTS_H

#include "crash/campaign.h"

struct crash_series {
    void *ctx;
    uint32_t len;
    /* Crash i, in a process of its own (with others): false with a reason where something is wrong. */
    bool (*one)(const struct campaign *c, void *ctx, uint32_t i, char why[512]);
    void (*report)(const struct campaign *c, uint32_t i, const char *why);
};
/* All of them, c->jobs at a time.  One that dies counts as wrong, and the others go on. */
uint32_t crash_series_run(struct campaign *c, const struct crash_series *s);

/* A few images of what a loss of power would have left after the trace at BASE.trace, with its fault in it. */
bool images_after(const struct campaign *c, const char *base, char why[512]);

#endif
