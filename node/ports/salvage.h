/* What a damaged environment still holds, as a disk can give it: rows of all its tables in one heap, those of older
 * transactions among them, some twice, some never written.  A row counts only for what it proves about itself.
 *
 * LMDB: store/mdb_salvage.c over the file that was set aside.  One thread. */
#ifndef KT_PORTS_SALVAGE_H
#define KT_PORTS_SALVAGE_H

#include "proto/bytes.h"
#include "proto/errors.h"

struct kt_salvage { /* belongs to the backend */
    /* Hands out every row: its place, key and value, good until `each` returns.  An empty key: a large value whose row
     * is not known; its end is not known either, so more may follow it.  What `each` returns other than KT_OK ends the
     * walk and is returned.  What cannot be read is passed over. */
    int (*rows)(struct kt_salvage *s,
                int (*each)(void *context, uint64_t place, struct kt_bytes key, struct kt_bytes value), void *context);
    /* The row of a place once more; good until the next call.  KT_ENOTFOUND. */
    int (*row)(struct kt_salvage *s, uint64_t place, struct kt_bytes *key, struct kt_bytes *value);
    void (*close)(struct kt_salvage *s);
};

#endif
