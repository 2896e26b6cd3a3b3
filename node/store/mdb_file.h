/* An LMDB data file, read with distrust.
 *
 * LMDB 0.9 believes its file: a truncated one ends the process with SIGBUS, a pointer gone wrong with SIGSEGV or an
 * abort.  So Kontor looks first, with its own reader, which believes nothing (the bytes: mdb_format.h). */
#ifndef KT_STORE_MDB_FILE_H
#define KT_STORE_MDB_FILE_H

#include "ports/store.h"

#define KT_MDB_WHY_BYTES KT_STORE_WHY_BYTES

/* Looks at every page of every table of the newest commit in the file, or (txn not 0) of that commit: structure, order
 * of keys, numbers of rows and pages, and each row's proof (row_proof.h).  About 0.3 s for a gigabyte that is in
 * memory, else as fast as the disk reads.  The file must not change under it: either nobody has it open for writing, or
 * a read transaction of `txn` is held meanwhile.
 *
 * KT_OK.  KT_ENOTFOUND: the file is empty.  KT_EDAMAGED, KT_EVERSION: with a sentence in `why`.  KT_EAGAIN: `txn` is no
 * longer in a meta page.  KT_EIO, KT_ENOMEM. */
int kt_mdb_check(int fd, uint64_t txn, char why[KT_MDB_WHY_BYTES]) KT_MUST;

#endif
