/* What a row on the disk proves of itself: that it is whole, and under its own key in its own table.
 *
 * LMDB does not notice bit rot.  So each value is stored with 8 more bytes behind it, a sum over table, key and value.
 * It is no seal - the enemy here is chance, not an author: each step of it is a bijection of what changed, so a change
 * within one word of the value is always seen, any other but once in 2^64. */
#ifndef KT_STORE_ROW_PROOF_H
#define KT_STORE_ROW_PROOF_H

#include "ports/store.h"

#define KT_ROW_PROOF_BYTES 8u

/* The proof of a row, to be stored behind its value. */
uint64_t kt_row_proof(enum kt_table table, struct kt_bytes key, struct kt_bytes value);
/* Takes the proof off what was stored.  False: it is not what was written there. */
bool kt_row_prove(enum kt_table table, struct kt_bytes key, struct kt_bytes stored, struct kt_bytes *value) KT_MUST;

#endif
