/* The hybrid logical clock: see the header for the paper. */
#include "core/hlc.h"

#define KT_HLC_MS_MAX ((1ull << 48) - 1)

kt_hlc kt_clock_next(struct kt_clock *c, uint64_t now_ms)
{
    kt_hlc wall = (now_ms < KT_HLC_MS_MAX ? now_ms : KT_HLC_MS_MAX) << 16;
    c->last = wall > c->last ? wall : c->last + 1;
    return c->last;
}

bool kt_clock_observe(struct kt_clock *c, kt_hlc seen, uint64_t now_ms)
{
    uint64_t seen_ms = kt_hlc_ms(seen);
    if (seen_ms > now_ms && seen_ms - now_ms > KT_SKEW_MS_MAX) return false;
    if (seen > c->last) c->last = seen;
    return true;
}
