#include "proto/arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define FIRST_BLOCK_BYTES 4096u
#define BLOCK_BYTES_MAX   (256u << 10)
#define ALIGNMENT         16u

struct kt_arena_block {
    struct kt_arena_block *next;
    size_t size, used;
    alignas(ALIGNMENT) uint8_t data[];
};

void kt_arena_init(struct kt_arena *a, size_t bytes_max) { *a = (struct kt_arena){.bytes_max = bytes_max}; }

static void free_blocks(struct kt_arena_block *b)
{
    while (b) {
        struct kt_arena_block *next = b->next;
        free(b);
        b = next;
    }
}

void kt_arena_reset(struct kt_arena *a)
{
    if (a->first) {
        free_blocks(a->first->next);
        a->first->next = NULL;
        a->first->used = 0;
    }
    a->current = a->first;
    a->used_bytes = 0;
}

void kt_arena_free(struct kt_arena *a)
{
    free_blocks(a->first);
    kt_arena_init(a, a->bytes_max);
}

/* Blocks double, so that a big message costs few of them and a small one little memory. */
static struct kt_arena_block *add_block(struct kt_arena *a, size_t need)
{
    size_t size = a->current ? a->current->size * 2 : FIRST_BLOCK_BYTES - sizeof(struct kt_arena_block);

    if (size > BLOCK_BYTES_MAX) size = BLOCK_BYTES_MAX;
    if (size < need) size = need;
    struct kt_arena_block *b = malloc(sizeof(*b) + size);
    if (!b) {
        a->starved = true;
        return NULL;
    }
    b->next = NULL;
    b->size = size;
    b->used = 0;
    if (a->current)
        a->current->next = b;
    else
        a->first = b;
    a->current = b;
    return b;
}

void *kt_arena_alloc(struct kt_arena *a, size_t bytes)
{
    if (bytes > a->bytes_max) return NULL;
    size_t need = bytes ? (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) : ALIGNMENT;
    if (need < bytes || need > a->bytes_max - a->used_bytes) return NULL;
    struct kt_arena_block *b = a->current;
    if (!b || need > b->size - b->used) b = add_block(a, need);
    if (!b) return NULL;
    void *p = b->data + b->used;
    b->used += need;
    a->used_bytes += need;
    return memset(p, 0, need);
}

void *kt_arena_array(struct kt_arena *a, size_t n, size_t bytes)
{
    size_t total;

    return __builtin_mul_overflow(n, bytes, &total) ? NULL : kt_arena_alloc(a, total);
}

struct kt_bytes kt_arena_copy(struct kt_arena *a, struct kt_bytes b)
{
    uint8_t *p = b.len ? kt_arena_alloc(a, b.len) : NULL;

    return p ? kt_bytes(memcpy(p, b.data, b.len), b.len) : kt_bytes(NULL, 0);
}

char *kt_arena_str(struct kt_arena *a, struct kt_bytes b)
{
    char *p = b.len < SIZE_MAX ? kt_arena_alloc(a, b.len + 1) : NULL;

    if (p && b.len) memcpy(p, b.data, b.len);
    return p;
}
