/* What durable writing costs on this disk by itself: the floor that a node's writes stand on.
 *
 *   append   4 KiB at the end of a file, then fdatasync
 *   commit   one row into an LMDB environment that syncs each commit, as a node's journal does
 *   rows     many rows into an LMDB environment that does not sync (MDB_NOSYNC), and after each group of them one
 *            fdatasync'd append of the group's bytes: catching up without checking, opening, merging or sealing */
#ifndef KT_BENCH_FLOOR_H
#define KT_BENCH_FLOOR_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct floor {
    MDB_env *env;
    MDB_dbi dbi;
    int fd;
    uint64_t next;
    uint8_t *row;
    size_t row_bytes;
};

/* In DIR (made); `sync`: each commit is synced.  Said on standard error where it fails; floor_close in either case. */
bool floor_open(struct floor *f, const char *dir, size_t row_bytes, bool sync);
void floor_close(struct floor *f);

bool floor_append(struct floor *f, size_t bytes); /* of the row's at most */
bool floor_commit(struct floor *f);
/* A group of rows at these keys, each a row of row_bytes under its key, then the group's append. */
bool floor_rows(struct floor *f, const uint64_t *keys, size_t n, size_t append_bytes);

#endif
