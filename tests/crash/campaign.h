/* Campaigns: many crashes, each told by one line.  Every function gives the number of crashes after which something was
 * wrong; each of them was printed with the line that does it again. */
#ifndef KT_CRASH_CAMPAIGN_H
#define KT_CRASH_CAMPAIGN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct campaign {
    uint64_t seed;
    uint32_t rounds;       /* of the workload */
    uint32_t first, count; /* images, or calls; count 0 (calls): to the end */
    uint32_t step;         /* calls: every so many */
    uint32_t jobs;
    const char *kind;              /* images: keys, journal, store, checkpoint, mark, start; NULL: each */
    const char *fault, *when, *on; /* calls: kill, eio, enospc; before, half, after; any, write, sync */
    bool lasts;
    const char *full; /* work: which environment is small */
    const char *keep; /* an image is left there; NULL: nowhere */
    uint32_t crashes; /* out: how many were tried */
};

#define KINDS 6u
extern const char *const kind_names[KINDS];

uint32_t campaign_images(struct campaign *c);
/* The workload meets the fault at its Nth call, for every N; then what is left is judged, and (not after a kill) what a
 * loss of power would have left of it. */
uint32_t campaign_calls(struct campaign *c);
/* Each environment in turn is small and fills up under the workload: writes are refused, everything acknowledged shows,
 * and with room (a larger map) it writes on. */
uint32_t campaign_full(struct campaign *c);

/* The workload in a process of its own, over the shim: its status as of waitpid.  The trace is BASE/trace. */
int campaign_work(const struct campaign *c, const char *base, uint64_t seed, uint32_t nth);

#endif
