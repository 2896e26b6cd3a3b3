/* A borrowed run of bytes.  Whoever made it says how long it stays valid; nobody frees one. */
#ifndef KT_PROTO_BYTES_H
#define KT_PROTO_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct kt_bytes {
    const uint8_t *data;
    size_t len;
};

static inline struct kt_bytes kt_bytes(const void *data, size_t len) { return (struct kt_bytes){data, len}; }
static inline struct kt_bytes kt_str(const char *s) { return (struct kt_bytes){(const uint8_t *)s, s ? strlen(s) : 0}; }
#define KT_BYTES_OF(thing) kt_bytes(&(thing), sizeof(thing))

static inline bool kt_bytes_equal(struct kt_bytes a, struct kt_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Lexicographic, the shorter first: the order of keys in the store. */
static inline int kt_bytes_compare(struct kt_bytes a, struct kt_bytes b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.data, b.data, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

#endif
