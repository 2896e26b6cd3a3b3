/* What the holders of a compartment must agree on: a sum mod 2^256 of BLAKE2b-256, keyed with the compartment's digest
 * key, over every live (ward, entity, field, element, dot, value), in KT_DIGEST_BUCKETS buckets by entity id
 * (Bellare and Micciancio, "A new paradigm for collision-free hashing", 1997: AdHASH). */
#ifndef KT_CORE_DIGEST_H
#define KT_CORE_DIGEST_H

#include "core/merge.h"
#include "proto/keys/keys.h"

struct kt_sum { uint8_t b[32]; }; /* little-endian 256-bit number */

struct kt_sum kt_digest_term(const uint8_t digest_key[KT_KEY_BYTES], const struct kt_entity_id *ward,
                             const struct kt_slot *slot, const struct kt_live *live);
void kt_sum_add(struct kt_sum *to, const struct kt_sum *term);
void kt_sum_sub(struct kt_sum *from, const struct kt_sum *term);
uint32_t kt_digest_bucket(const struct kt_entity_id *entity); /* below KT_DIGEST_BUCKETS */
/* The digest shown: label "digest" over the total of all buckets. */
struct kt_hash kt_digest_of(const struct kt_sum *buckets, size_t n);

#endif
