/* The data file, kept longer than what is in it.
 *
 * keys, journal: zeros are written ahead in steps, so that a commit finds its blocks there and its sync has no new file
 * size to write; a disk that fills shows here first, before a commit is under way.  When no more can be had, the last
 * quarter of what is ahead is kept for transactions that do not append: the journal can still be cut, and what was cut
 * is room again.
 * store: length alone, no blocks.
 *
 * In all of them the file never ends before its last page (LMDB lets it, where the last pages are free), so that a
 * truncated file is known by its length (store/mdb_file.h). */
#include "store/lmdb_env.h"

#include "store/files.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZERO_BYTES        (256u << 10)
#define KEYS_AHEAD_BYTES  (1ull << 20)
#define STORE_AHEAD_BYTES (64ull << 20)

static const uint8_t zeros[ZERO_BYTES];

static int write_zeros(int fd, uint64_t *from, uint64_t to)
{
    while (*from < to) {
        uint64_t left = to - *from;
        ssize_t n = pwrite(fd, zeros, left < ZERO_BYTES ? left : ZERO_BYTES, (off_t)*from);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 ? kt_errno_error(errno) : KT_EIO;
        *from += (uint64_t)n;
    }
    return KT_OK;
}

static uint64_t ahead_of(const struct kt_lmdb *l, enum kt_env env)
{
    switch (env) {
    case KT_ENV_JOURNAL:
        return l->config.ahead_bytes;
    case KT_ENV_STORE:
        return STORE_AHEAD_BYTES;
    default:
        return KEYS_AHEAD_BYTES;
    }
}

/* What lies free inside the file, as last committed: rows of LMDB's own table 0 start with how many pages they list.
 * Only a read transaction may look there. */
static uint64_t free_bytes(const struct kt_lmdb_env *e)
{
    MDB_txn *txn;
    MDB_cursor *c;
    uint64_t pages = 0;
    if (mdb_txn_begin(e->mdb, NULL, MDB_RDONLY, &txn)) return 0;
    if (!mdb_cursor_open(txn, 0, &c)) {
        MDB_val k, v;
        for (int rc = mdb_cursor_get(c, &k, &v, MDB_FIRST); !rc; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
            uint64_t listed;
            memcpy(&listed, v.mv_data, sizeof(listed));
            pages += listed;
        }
        mdb_cursor_close(c);
    }
    mdb_txn_abort(txn);
    return pages * e->page_bytes;
}

int kt_lmdb_grow(struct kt_lmdb *l, struct kt_lmdb_env *e, const struct kt_txn *t)
{
    MDB_envinfo info;
    mdb_filehandle_t fd;
    int rc = mdb_env_info(e->mdb, &info);
    if (!rc) rc = mdb_env_get_fd(e->mdb, &fd);
    if (rc) return kt_lmdb_error(rc);

    uint64_t ahead = ahead_of(l, e->id), step = ahead / 4;
    uint64_t used = ((uint64_t)info.me_last_pgno + 1) * e->page_bytes, need = used + (t ? t->bytes_put : 0);
    uint64_t target = (need + ahead) / e->page_bytes * e->page_bytes;
    if (target > e->map_bytes) target = e->map_bytes;
    bool enough = e->file_bytes >= target || (need <= e->map_bytes && e->file_bytes >= need + ahead - step);
    if (enough) return KT_OK;

    if (e->id == KT_ENV_STORE) {
        if (ftruncate(fd, (off_t)target)) return kt_errno_error(errno);
        e->file_bytes = target;
        return KT_OK;
    }
    int err = write_zeros(fd, &e->file_bytes, target);
    if (err != KT_EFULL) return err;
    /* what is there already may do */
    bool short_of_room = t && t->appended && e->file_bytes + free_bytes(e) < need + step;
    return short_of_room ? KT_EFULL : KT_OK;
}
