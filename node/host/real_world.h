/* The real world: wall clock, monotonic clock, libsodium's randomness.  Any thread. */
#ifndef KT_HOST_REAL_WORLD_H
#define KT_HOST_REAL_WORLD_H

#include "ports/world.h"

struct kt_world kt_real_world(void);

#endif
