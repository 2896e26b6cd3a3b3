/* Hybrid logical clock (Kulkarni, Demirbas et al., "Logical Physical Clocks", 2014): wall time that never goes back and
 * exceeds what it has seen.  48 bits of milliseconds, 16 bits of counter.  Pure: the wall time comes as an argument. */
#ifndef KT_CORE_HLC_H
#define KT_CORE_HLC_H

#include "proto/ids.h"
#include "proto/limits.h"

struct kt_clock { kt_hlc last; };

/* The next stamp of ours: above every stamp given out or seen, and not below now_ms. */
kt_hlc kt_clock_next(struct kt_clock *c, uint64_t now_ms);
/* Takes note of another's stamp.  One more than KT_SKEW_MS_MAX ahead of now_ms moves nothing and gives false: the
 * caller reports the skew. */
bool kt_clock_observe(struct kt_clock *c, kt_hlc seen, uint64_t now_ms);

#endif
