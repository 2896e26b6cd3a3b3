/* What a damaged LMDB data file still holds: the port of ports/salvage.h.
 *
 * Every page is looked at for itself, without meta pages, branches or a free list: each row of what looks like a leaf
 * is handed out, and each run that looks like a large value, whether or not a row leads to it. */
#ifndef KT_STORE_MDB_SALVAGE_H
#define KT_STORE_MDB_SALVAGE_H

#include "ports/salvage.h"

/* Takes fd over on KT_OK; close closes it.  KT_ENOTFOUND: nothing in it looks like a page.  KT_EIO, KT_ENOMEM. */
int kt_mdb_salvage_open(int fd, struct kt_salvage **out) KT_MUST;

#endif
