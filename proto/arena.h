/* A bump allocator with a cap: everything decoded from one message lives in one arena and goes with it.
 *
 * An arena is used by one thread at a time.  Memory from it is zeroed, aligned to 16 and valid until kt_arena_reset or
 * kt_arena_free.  Past the cap kt_arena_alloc returns NULL, which callers report as KT_ELIMIT. */
#ifndef KT_PROTO_ARENA_H
#define KT_PROTO_ARENA_H

#include "proto/bytes.h"
#include "proto/errors.h"

struct kt_arena_block;
struct kt_arena {
    struct kt_arena_block *first, *current;
    size_t used_bytes, bytes_max;
    bool starved; /* memory was not to be had, once at least since kt_arena_init: a NULL need not be the cap's */
};

void kt_arena_init(struct kt_arena *a, size_t bytes_max);
void kt_arena_reset(struct kt_arena *a); /* keeps the first block */
void kt_arena_free(struct kt_arena *a);
void *kt_arena_alloc(struct kt_arena *a, size_t bytes);
/* n objects of size bytes each; NULL on overflow or past the cap */
void *kt_arena_array(struct kt_arena *a, size_t n, size_t bytes);
/* A copy inside the arena; {NULL, 0} past the cap (or for an empty run). */
struct kt_bytes kt_arena_copy(struct kt_arena *a, struct kt_bytes b);
char *kt_arena_str(struct kt_arena *a, struct kt_bytes b); /* the same, ended with NUL; NULL past the cap */

#endif
