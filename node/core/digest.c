/* Sums of keyed hashes: a live value comes by adding its term and goes by taking it off, in any order. */
#include "core/digest.h"

static void put_be32(uint8_t out[4], uint32_t v)
{
    for (unsigned i = 0; i < 4; i++) out[i] = (uint8_t)(v >> (24 - 8 * i));
}

struct kt_sum kt_digest_term(const uint8_t digest_key[KT_KEY_BYTES], const struct kt_entity_id *ward,
                             const struct kt_slot *slot, const struct kt_live *live)
{
    uint8_t field[4], dot[KT_DOT_BYTES];
    put_be32(field, slot->field);
    kt_dot_pack(&live->dot, dot);
    struct kt_bytes parts[] = {KT_BYTES_OF(ward->b), KT_BYTES_OF(slot->entity.b),
                               KT_BYTES_OF(field),   slot->element,
                               KT_BYTES_OF(dot),     live->value};
    struct kt_sum term;
    kt_kdf(term.b, sizeof term.b, KT_LABEL_DIGEST, digest_key, parts, sizeof parts / sizeof *parts);
    return term;
}

void kt_sum_add(struct kt_sum *to, const struct kt_sum *term)
{
    unsigned carry = 0;
    for (size_t i = 0; i < sizeof to->b; i++) {
        carry += (unsigned)to->b[i] + term->b[i];
        to->b[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

void kt_sum_sub(struct kt_sum *from, const struct kt_sum *term)
{
    unsigned borrow = 0;
    for (size_t i = 0; i < sizeof from->b; i++) {
        unsigned d = (unsigned)from->b[i] - term->b[i] - borrow;
        from->b[i] = (uint8_t)d;
        borrow = (d >> 8) & 1;
    }
}

uint32_t kt_digest_bucket(const struct kt_entity_id *entity)
{
    return ((uint32_t)entity->b[0] << 8 | entity->b[1]) % KT_DIGEST_BUCKETS; /* ids are hashes: any bits serve */
}

struct kt_hash kt_digest_of(const struct kt_sum *buckets, size_t n)
{
    struct kt_sum total = {0};
    for (size_t i = 0; i < n; i++) kt_sum_add(&total, &buckets[i]);
    struct kt_bytes part = KT_BYTES_OF(total.b);
    return kt_hash_parts(kt_label_text(KT_LABEL_DIGEST), &part, 1);
}
