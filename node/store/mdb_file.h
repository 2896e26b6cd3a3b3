/* An LMDB data file, read with distrust.
 *
 * LMDB 0.9 believes its file: a truncated one ends the process with SIGBUS, a pointer gone wrong with SIGSEGV or an
 * abort.  So Kontor looks first, with its own reader, which believes nothing (the bytes: mdb_format.h). */
#ifndef KT_STORE_MDB_FILE_H
#define KT_STORE_MDB_FILE_H

#include "ports/store.h"

#define KT_MDB_WHY_BYTES KT_STORE_WHY_BYTES

enum kt_mdb_check {
    KT_MDB_ROOTS, /* meta pages, the free list, the main tree, and the root page of every table: quick */
    KT_MDB_ALL,   /* every page of every table: structure, order of keys, number of rows, and that it can be read */
};

/* Checks the newest commit in the file, or (txn not 0) that commit.  The file must not change under it: either nobody
 * has it open for writing, or a read transaction of `txn` is held meanwhile.
 *
 * KT_OK.  KT_ENOTFOUND: the file is empty.  KT_EDAMAGED, KT_EVERSION: with a sentence in `why`.  KT_EAGAIN: `txn` is no
 * longer in a meta page.  KT_EIO, KT_ENOMEM. */
int kt_mdb_check(int fd, enum kt_mdb_check how, uint64_t txn, char why[KT_MDB_WHY_BYTES]) KT_MUST;

#endif
