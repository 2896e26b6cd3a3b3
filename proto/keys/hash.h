/* BLAKE2b (RFC 7693) over a label and a list of parts, a part at a time.
 *
 * Input of the hash: "kontor/v1/" label, then each part preceded by its length (be64).  A length below 2^56 begins with
 * a zero byte, which no label holds, so no two lists of labels and parts give the same input.  A hasher is a plain
 * value used by one thread; it owns nothing. */
#ifndef KT_PROTO_HASH_H
#define KT_PROTO_HASH_H

#include "proto/ids.h"

#include <sodium.h>

struct kt_hasher {
    crypto_generichash_state state;
    size_t out_len;
};

/* key: KT_KEY_BYTES of them, or NULL for a plain hash.  out_len is 16 to 64 bytes. */
void kt_hash_begin(struct kt_hasher *h, const char *label, const uint8_t *key, size_t out_len);
void kt_hash_part(struct kt_hasher *h, struct kt_bytes part);
void kt_hash_end(struct kt_hasher *h, uint8_t *out); /* out_len bytes; wipes the hasher */

#endif
