#include "support/backends.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#define MIB (1ull << 20)

int kt_scratch_make(char *out)
{
    const char *under = getenv("TMPDIR");
    int n = snprintf(out, PATH_MAX, "%s/kontor-test-XXXXXX", under && under[0] ? under : "/tmp");
    if (n < 0 || n >= PATH_MAX || !mkdtemp(out)) return KT_EIO;
    return KT_OK;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

void kt_scratch_remove(const char *dir)
{
    (void)umount2(dir, MNT_DETACH); /* a test may have put a small disk there */
    nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int kt_bench_open(struct kt_bench_store *b)
{
    return b->is_lmdb ? kt_lmdb_open(&b->config, &b->store) : kt_memory_open(b->memory, &b->store);
}

void kt_bench_close(struct kt_bench_store *b)
{
    if (b->store) b->store->ops->close(b->store);
    b->store = NULL;
}

int kt_bench_reopen(struct kt_bench_store *b)
{
    kt_bench_close(b);
    return kt_bench_open(b);
}

static int give(struct kt_bench_store *b, int err, void **state)
{
    if (!err) err = kt_bench_open(b);
    *state = b;
    if (!err) return 0;
    fprintf(stderr, "no store to test: %s\n", kt_error_text(err));
    return -1;
}

int kt_setup_lmdb(void **state)
{
    struct kt_bench_store *b = calloc(1, sizeof(*b));
    if (!b) return -1;
    b->is_lmdb = true;
    int err = kt_scratch_make(b->dir);
    b->config = (struct kt_lmdb_config){
        .dir = b->dir,
        .map_bytes = {16 * MIB, 64 * MIB, 64 * MIB},
        .ahead_bytes = MIB,
        .readers_max = 64,
    };
    return give(b, err, state);
}

int kt_setup_memory(void **state)
{
    struct kt_bench_store *b = calloc(1, sizeof(*b));
    if (!b) return -1;
    return give(b, kt_memory_disk_new(&b->memory), state);
}

int kt_teardown_store(void **state)
{
    struct kt_bench_store *b = *state;
    kt_bench_close(b);
    if (b->is_lmdb) kt_scratch_remove(b->dir);
    kt_memory_disk_free(b->memory);
    free(b);
    return 0;
}
