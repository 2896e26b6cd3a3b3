#include "support/limit.h"

#include "proto/keys/keys.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TABLE 1u /* any number: it is bound into each sealed row */

static bool failed(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    return false;
}

/* ------------------------------------------------------------------------------------------------------------ echo */

static bool read_all(int fd, uint8_t *p, size_t len)
{
    while (len) {
        const ssize_t n = recv(fd, p, len, 0);
        if (n <= 0) return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool write_all(int fd, const uint8_t *p, size_t len)
{
    while (len) {
        const ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0) return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool echo_open(struct echo *e, size_t request_bytes, size_t reply_bytes)
{
    int fds[2];
    *e = (struct echo){.fd = -1, .request_bytes = request_bytes, .reply_bytes = reply_bytes};
    e->bytes = calloc(1, request_bytes > reply_bytes ? request_bytes : reply_bytes);
    if (!e->bytes || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) return failed("no socket for the echo");
    e->pid = fork();
    if (e->pid < 0) return failed("no process for the echo");
    e->fd = fds[e->pid == 0];
    close(fds[e->pid != 0]);
    if (e->pid) return true;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read_all(e->fd, e->bytes, request_bytes) && write_all(e->fd, e->bytes, reply_bytes)) continue;
    _exit(0);
}

bool echo_ask(struct echo *e)
{
    return write_all(e->fd, e->bytes, e->request_bytes) && read_all(e->fd, e->bytes, e->reply_bytes);
}

void echo_close(struct echo *e)
{
    if (e->fd >= 0) close(e->fd); /* its end */
    if (e->pid > 0) (void)waitpid(e->pid, NULL, 0);
    free(e->bytes);
    *e = (struct echo){.fd = -1};
}

/* ----------------------------------------------------------------------------------------------------------- limit */

/* The row's name: the first 8 bytes of the hash of what the row is found by. */
static uint64_t name_of(const struct limit *l, uint32_t number)
{
    char text[16];
    uint8_t hash[24];
    uint64_t name;
    snprintf(text, sizeof text, "%010u", number);
    const struct kt_bytes parts[] = {kt_str("tax"), kt_str(text)};
    kt_kdf(hash, sizeof hash, KT_LABEL_STORE_INDEX, l->key, parts, 2);
    memcpy(&name, hash, sizeof name);
    return name;
}

static int put_row(struct limit *l, MDB_txn *txn, uint32_t number, struct kt_buf *sealed)
{
    uint8_t nonce[24];
    uint64_t name = name_of(l, number);
    randombytes_buf(nonce, sizeof nonce);
    kt_buf_clear(sealed);
    kt_row_seal(l->key, nonce, TABLE, KT_BYTES_OF(name), 1, kt_bytes(l->row, l->row_bytes), sealed);
    MDB_val k = {sizeof name, &name}, v = {sealed->len, sealed->data};
    return sealed->err ? ENOMEM : mdb_put(txn, l->dbi, &k, &v, 0);
}

static bool fill(struct limit *l, uint32_t rows)
{
    MDB_txn *txn;
    struct kt_buf sealed;
    if (mdb_txn_begin(l->env, NULL, 0, &txn)) return false;
    kt_buf_init(&sealed, 64u << 20);
    int e = mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &l->dbi);
    for (uint32_t i = 0; !e && i < rows; i++) e = put_row(l, txn, i, &sealed);
    kt_buf_free(&sealed);
    if (!e) return mdb_txn_commit(txn) == 0;
    mdb_txn_abort(txn);
    return false;
}

bool limit_open(struct limit *l, const char *dir, uint32_t rows, size_t row_bytes)
{
    *l = (struct limit){.row_bytes = row_bytes, .row = malloc(row_bytes)};
    if (!l->row || mkdir(dir, 0700) || mdb_env_create(&l->env)) return failed("no room for the bare limit");
    randombytes_buf(l->key, sizeof l->key);
    randombytes_buf(l->row, row_bytes);
    if (mdb_env_set_mapsize(l->env, 16ull << 30) || mdb_env_open(l->env, dir, MDB_NOSYNC | MDB_NOTLS, 0600) ||
        !fill(l, rows) || mdb_txn_begin(l->env, NULL, MDB_RDONLY, &l->txn))
        return failed("the bare limit's store cannot be filled");
    mdb_txn_reset(l->txn);
    return true;
}

bool limit_ask(struct limit *l, uint32_t number)
{
    uint64_t name = name_of(l, number);
    MDB_val k = {sizeof name, &name}, v;
    if (mdb_txn_renew(l->txn)) return false;
    struct kt_buf plain = {.data = l->row, .cap = l->row_bytes, .bytes_max = l->row_bytes};
    const bool good = mdb_get(l->txn, l->dbi, &k, &v) == 0 &&
                      kt_row_open(l->key, TABLE, KT_BYTES_OF(name), 1, kt_bytes(v.mv_data, v.mv_size), &plain) == 0;
    mdb_txn_reset(l->txn);
    return good;
}

void limit_close(struct limit *l)
{
    if (l->txn) mdb_txn_abort(l->txn);
    if (l->env) mdb_env_close(l->env);
    free(l->row);
    *l = (struct limit){0};
}
