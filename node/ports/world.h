/* What the world must offer a node besides disk and line: time and randomness.  The simulator brings virtual ones. */
#ifndef KT_PORTS_WORLD_H
#define KT_PORTS_WORLD_H

#include <stddef.h>
#include <stdint.h>

struct kt_world {
    uint64_t (*now_ms)(struct kt_world *w);       /* wall clock, milliseconds since 1970; may jump either way */
    uint64_t (*monotonic_ns)(struct kt_world *w); /* never goes back; for durations and deadlines */
    void (*random)(struct kt_world *w, void *out, size_t len);
};

#endif
