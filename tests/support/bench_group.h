/* A test file over both backends of the bench: OVER_BOTH(test) in its table, *state is a struct bench. */
#ifndef KT_SUPPORT_BENCH_GROUP_H
#define KT_SUPPORT_BENCH_GROUP_H

#include "support/bench_office.h"

static inline int bench_setup(void **state, bool lmdb)
{
    struct bench *b = malloc(sizeof *b);
    if (!b) return -1;
    bench_open(b, lmdb);
    *state = b;
    return 0;
}
static inline int bench_setup_memory(void **state) { return bench_setup(state, false); }
static inline int bench_setup_lmdb(void **state) { return bench_setup(state, true); }
static inline int bench_teardown(void **state)
{
    bench_close(*state);
    free(*state);
    return 0;
}

#define OVER(backend, test)                                                                                            \
    {                                                                                                                  \
#test " (" #backend ")", test, bench_setup_##backend, bench_teardown, NULL                                     \
    }
#define OVER_BOTH(test) OVER(memory, test), OVER(lmdb, test)

#endif
