/* The workload: an office that writes, pulls, serves, pulses, takes checkpoints and is stopped and started, told by a
 * seed, while its notebook says what it acknowledged. */
#ifndef KT_CRASH_WORK_H
#define KT_CRASH_WORK_H

#include <stdint.h>

enum work_exit {
    WORK_DONE = 0,
    WORK_ENDED = 3,    /* the engine gave up: kontord would end and be started again */
    WORK_NO_START = 4, /* it could not be opened */
};

struct work {
    const char *base;
    uint64_t seed;
    uint32_t rounds;
    const char *full; /* "keys", "journal" or "store" may hold little; NULL: all have plenty */
};
/* In a process of its own: it ends where the engine ends.  BASE must be empty or not there. */
enum work_exit work_run(const struct work *w);

#define WORK_KEYS 10u /* customers revenue:H-0 ... at home, motor:F-0 ... at the other office */
struct site;
/* One put of customer KEY ("revenue:H-3"): occupation wN, and an identifier tax:T-H-3 that is always the same. */
void work_put(struct site *s, const char *system, const char *id, uint32_t n);

#endif
