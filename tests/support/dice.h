/* Seeded dice for property tests: the same seed, the same throws (SplitMix64; Steele, Lea, Flood, 2014). */
#ifndef KT_SUPPORT_DICE_H
#define KT_SUPPORT_DICE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_throw(struct dice *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* 0 to n - 1 */
static inline uint32_t dice_below(struct dice *d, uint32_t n) { return (uint32_t)(dice_throw(d) % n); }
static inline bool dice_in(struct dice *d, uint32_t once_in) { return dice_below(d, once_in) == 0; }

/* KT_SEED from the environment, or the one given. */
static inline uint64_t dice_seed(uint64_t otherwise)
{
    const char *text = getenv("KT_SEED");
    return text ? strtoull(text, NULL, 0) : otherwise;
}

/* How many rounds of something random: so many, or the percent of them that KT_SHARE says, and one at least.  For runs
 * in which everything takes thirty times as long. */
static inline uint32_t dice_rounds(uint32_t whole)
{
    const char *text = getenv("KT_SHARE");
    const uint64_t n = text ? whole * strtoull(text, NULL, 10) / 100 : whole;
    return n < 1 ? 1 : n < whole ? (uint32_t)n : whole;
}

#endif
