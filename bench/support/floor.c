#include "support/floor.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool failed(const char *what)
{
    fprintf(stderr, "bench: the floor: %s\n", what);
    return false;
}

bool floor_open(struct floor *f, const char *dir, size_t row_bytes, bool sync)
{
    char path[1024];
    MDB_txn *txn = NULL;
    *f = (struct floor){.fd = -1, .row = malloc(row_bytes), .row_bytes = row_bytes};
    if (!f->row || mkdir(dir, 0700)) return failed("no room");
    randombytes_buf(f->row, row_bytes);
    snprintf(path, sizeof path, "%s/appended", dir);
    f->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (f->fd < 0 || mdb_env_create(&f->env)) return failed("no file");
    if (mdb_env_set_mapsize(f->env, 16ull << 30) || mdb_env_open(f->env, dir, sync ? 0 : MDB_NOSYNC, 0600) ||
        mdb_txn_begin(f->env, NULL, 0, &txn))
        return failed("no environment");
    if (mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &f->dbi)) {
        mdb_txn_abort(txn);
        return failed("no table");
    }
    return mdb_txn_commit(txn) == 0 || failed("no commit");
}

void floor_close(struct floor *f)
{
    if (f->env) mdb_env_close(f->env);
    if (f->fd >= 0) close(f->fd);
    free(f->row);
    *f = (struct floor){.fd = -1};
}

bool floor_append(struct floor *f, size_t bytes)
{
    return write(f->fd, f->row, bytes) == (ssize_t)bytes && fdatasync(f->fd) == 0;
}

static int put(struct floor *f, MDB_txn *txn, uint64_t key, unsigned flags)
{
    MDB_val k = {sizeof key, &key}, v = {f->row_bytes, f->row};
    return mdb_put(txn, f->dbi, &k, &v, flags);
}

bool floor_commit(struct floor *f)
{
    MDB_txn *txn;
    if (mdb_txn_begin(f->env, NULL, 0, &txn)) return false;
    if (put(f, txn, f->next++, MDB_APPEND) == 0) return mdb_txn_commit(txn) == 0;
    mdb_txn_abort(txn);
    return false;
}

bool floor_rows(struct floor *f, const uint64_t *keys, size_t n, size_t append_bytes)
{
    MDB_txn *txn;
    int e = 0;
    if (mdb_txn_begin(f->env, NULL, 0, &txn)) return false;
    for (size_t i = 0; !e && i < n; i++) e = put(f, txn, keys[i], 0);
    if (e) {
        mdb_txn_abort(txn);
        return false;
    }
    if (mdb_txn_commit(txn)) return false;
    while (append_bytes > f->row_bytes) {
        if (write(f->fd, f->row, f->row_bytes) != (ssize_t)f->row_bytes) return false;
        append_bytes -= f->row_bytes;
    }
    return floor_append(f, append_bytes);
}
