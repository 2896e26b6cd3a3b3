/* What a lookup over a socket is held against, both on the same machine in the same run:
 *
 *   echo    a process that reads so many bytes from a unix stream socket and writes so many back, nothing else
 *   limit   the least a sealed store can do: one keyed hash of the identifier, one mdb_get, one XChaCha20-Poly1305 open
 *           of a row of the same size, in the asking process */
#ifndef KT_BENCH_LIMIT_H
#define KT_BENCH_LIMIT_H

#include "proto/bytes.h"

#include <lmdb.h>
#include <sys/types.h>

struct echo {
    int fd;
    pid_t pid;
    size_t request_bytes, reply_bytes;
    uint8_t *bytes;
};
/* false: no process, no socket, no memory (said on standard error). */
bool echo_open(struct echo *e, size_t request_bytes, size_t reply_bytes);
bool echo_ask(struct echo *e);
void echo_close(struct echo *e);

struct limit {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    uint8_t key[32], *row;
    size_t row_bytes;
};
/* `rows` rows of row_bytes in clear, in DIR (made). */
bool limit_open(struct limit *l, const char *dir, uint32_t rows, size_t row_bytes);
bool limit_ask(struct limit *l, uint32_t number);
void limit_close(struct limit *l);

#endif
