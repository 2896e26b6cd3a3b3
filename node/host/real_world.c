#include "host/real_world.h"

#include <sodium.h>
#include <time.h>

static uint64_t now_ms(struct kt_world *w)
{
    (void)w;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static uint64_t monotonic_ns(struct kt_world *w)
{
    (void)w;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void random_bytes(struct kt_world *w, void *out, size_t len)
{
    (void)w;
    randombytes_buf(out, len);
}

struct kt_world kt_real_world(void) { return (struct kt_world){now_ms, monotonic_ns, random_bytes}; }
