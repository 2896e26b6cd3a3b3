/* Parts of a batch as bytes, shared by its decoder (batch.c) and its builder (draft.c).  Nobody else needs them.
 *
 * All append; failures are kept in out->err unless returned.  Any thread. */
#ifndef KT_PROTO_SECTION_H
#define KT_PROTO_SECTION_H

#include "proto/batch/batch.h"
#include "proto/keys/hash.h"

enum kt_batch_field { KT_BATCH_SEAL = 1, KT_BATCH_SIGNATURE, KT_BATCH_SECTION };
enum kt_section_field { KT_SECTION_HEADER = 1, KT_SECTION_ITEM };
enum kt_item_field { KT_ITEM_CLEAR = 1, KT_ITEM_CIPHER, KT_ITEM_TAG, KT_ITEM_GENERATION, KT_ITEM_BODY_HASH };

/* SectionHeader; nonce base and keys of s. */
int kt_section_header_encode(const struct kt_section *s, struct kt_buf *out) KT_MUST;
/* Sets nonce base and keys of *into from its `header`.  KT_EMALFORMED, KT_ETRUNCATED, KT_EOVERSIZE, KT_ELIMIT. */
int kt_section_header_decode(struct kt_arena *arena, struct kt_section *into) KT_MUST;

void kt_item_put(const struct kt_item *item, struct kt_buf *out);

/* The section hash, header first, then each item in order. */
void kt_section_hash_begin(struct kt_hasher *h, struct kt_bytes header);
void kt_section_hash_item(struct kt_hasher *h, const struct kt_item *item);

#endif
