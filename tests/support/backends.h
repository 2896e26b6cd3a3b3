/* The backends of the store port, side by side: a test that takes a kt_bench_store runs over LMDB (in a folder of its
 * own under TMPDIR, with small maps) and over memory alike.
 *
 *     static const struct CMUnitTest tests[] = {KT_OVER(lmdb, name_of_test), ..., KT_OVER(memory, name_of_test), ...};
 *
 * and inside a test: struct kt_bench_store *b = *state. */
#ifndef KT_SUPPORT_BACKENDS_H
#define KT_SUPPORT_BACKENDS_H

#include "store/lmdb.h"
#include "support/memory_store.h"

#include <limits.h>

struct kt_bench_store {
    struct kt_store *store; /* open, unless a test closed it */
    bool is_lmdb;
    char dir[PATH_MAX];            /* LMDB: its folder; config.dir points here */
    struct kt_lmdb_config config;  /* LMDB: may be changed between close and open */
    struct kt_memory_disk *memory; /* memory: its disk */
};

/* cmocka setup and teardown: an open, empty store; *state is a kt_bench_store.  0, or -1 with a word on stderr. */
int kt_setup_lmdb(void **state);
int kt_setup_memory(void **state);
int kt_teardown_store(void **state);
#define KT_OVER(backend, test)                                                                                         \
    {                                                                                                                  \
#test " (" #backend ")", test, kt_setup_##backend, kt_teardown_store, NULL                                     \
    }

/* Stops cleanly (if it is open) and opens again. */
int kt_bench_reopen(struct kt_bench_store *b) KT_MUST;
void kt_bench_close(struct kt_bench_store *b);
int kt_bench_open(struct kt_bench_store *b) KT_MUST;

/* A new folder under TMPDIR (else /tmp); out has PATH_MAX chars.  And gone, with all that is in it. */
int kt_scratch_make(char *out) KT_MUST;
void kt_scratch_remove(const char *dir);

#endif
