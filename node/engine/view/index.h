/* The index: from a keyed hash of what somebody is known by to the rows of views.
 *
 * A term is BLAKE2b-192, keyed with the compartment's index key of this node, over the kind of index and the value in
 * its form for matching (proto/schema/match.h).  Its first 8 bytes are the integer key of store_index; the value there
 * holds postings {other 16 bytes, row be64}, ascending, each once.  Of one term KT_TERM_POSTINGS_MAX are listed; how
 * many more there are stands in a last posting, whose row has its top bit set.  Indexes never replicate.
 *
 * LMDB does not notice bit rot: a key that changed on the disk is simply not found.  So each bucket of hashes (those
 * whose first 16 bits are the same) begins with a row of its own, under the key whose other bits are 0: how many
 * postings the bucket has (be32) and the sum of their fingerprints (be64).  It lies beside what it is about, costs a
 * hit nothing, and a miss is held against it. */
#ifndef KT_ENGINE_INDEX_H
#define KT_ENGINE_INDEX_H

#include "engine/view/heads.h"
#include "proto/schema/schema.h"

#define KT_TERM_POSTINGS_MAX 1024u
#define KT_POSTING_BYTES     24u

/* KT_EKEY: this node does not read the compartment. */
int kt_index_term(struct kt_workset *w, kt_compartment c, enum kt_index kind, struct kt_bytes matched,
                  uint8_t out[KT_TERM_BYTES]) KT_MUST;
/* Called once for each row that comes to a term or leaves it: past the bound nothing tells one from another. */
int kt_index_add(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t row) KT_MUST;
int kt_index_remove(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t row) KT_MUST;
/* Rows under a term, ascending, in the workset's arena; *unlisted: how many more there are. */
int kt_index_find(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES], uint64_t **rows, uint32_t *len,
                  uint64_t *unlisted) KT_MUST;
/* After a miss: KT_OK where the term's bucket is whole, KT_EDAMAGED where it is not. */
int kt_index_confirm_miss(struct kt_workset *w, const uint8_t term[KT_TERM_BYTES]) KT_MUST;

/* A bucket as it adds up (index_bucket.c). */
struct kt_index_bucket {
    uint32_t postings;
    uint64_t sum;
};
/* Is this the key of a bucket's own row? */
bool kt_index_is_bucket(uint64_t key);
uint64_t kt_index_bucket_of(uint64_t key);
/* Adds (or takes away) every posting of a row of the index. */
void kt_index_bucket_add(struct kt_index_bucket *b, uint64_t key, struct kt_bytes postings);
void kt_index_bucket_take(struct kt_index_bucket *b, uint64_t key, struct kt_bytes postings);
int kt_index_bucket_decode(struct kt_bytes value, struct kt_index_bucket *out) KT_MUST;
/* KT_OK with zeros where there is none. */
int kt_index_bucket_get(struct kt_workset *w, uint64_t key, struct kt_index_bucket *out) KT_MUST;
int kt_index_bucket_put(struct kt_workset *w, uint64_t key, const struct kt_index_bucket *b) KT_MUST;

#endif
