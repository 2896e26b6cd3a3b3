/* What the tests of every codec share: seeded randomness, cutting a message at each byte, the bytes of one example kept
 * in tests/vectors, and protoc-c's code as a second opinion.  Include after cmocka.h. */
#ifndef KT_TESTS_SUPPORT_WIRE_H
#define KT_TESTS_SUPPORT_WIRE_H

#include "proto/arena.h"
#include "proto/ids.h"

#include <inttypes.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <stdlib.h>

/* splitmix64: the same numbers everywhere for a seed; KONTOR_SEED chooses another. */
struct wire_random {
    uint64_t state;
};

static inline struct wire_random wire_random(uint64_t otherwise)
{
    const char *given = getenv("KONTOR_SEED");
    struct wire_random r = {given ? strtoull(given, NULL, 0) : otherwise};
    print_message("seed %" PRIu64 "\n", r.state);
    return r;
}

static inline uint64_t wire_next(struct wire_random *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint32_t wire_below(struct wire_random *r, uint32_t n) { return (uint32_t)(wire_next(r) % n); }

static inline void wire_fill(struct wire_random *r, void *out, size_t len)
{
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)wire_next(r);
}

/* `len` random bytes in the arena. */
static inline struct kt_bytes wire_bytes(struct wire_random *r, struct kt_arena *arena, size_t len)
{
    uint8_t *p = kt_arena_alloc(arena, len ? len : 1);
    assert_non_null(p);
    wire_fill(r, p, len);
    return kt_bytes(p, len);
}

/* Calls `decode` with every proper prefix, each in memory of just its size; all of them must be refused as cut short.
 */
typedef int (*wire_decode)(struct kt_bytes in, void *context);
static inline void wire_cut_everywhere(struct kt_bytes whole, wire_decode decode, void *context)
{
    for (size_t len = 0; len < whole.len; len++) {
        uint8_t *part = malloc(len + 1);
        assert_non_null(part);
        memcpy(part, whole.data, len);
        part = realloc(part, len ? len : 1);
        int err = decode(kt_bytes(part, len), context);
        if (err != KT_ETRUNCATED && err != KT_EMALFORMED)
            fail_msg("cut at %zu of %zu: %s", len, whole.len, kt_error_name(err));
        free(part);
    }
    assert_int_equal(decode(whole, context), KT_OK);
}

/* Flips bits here and there: the decoder may take it or refuse it, and must stay within the bytes. */
static inline void wire_flip(struct kt_bytes whole, struct wire_random *r, unsigned rounds, wire_decode decode,
                             void *context)
{
    uint8_t *copy = malloc(whole.len);
    assert_non_null(copy);
    for (unsigned i = 0; i < rounds; i++) {
        memcpy(copy, whole.data, whole.len);
        for (unsigned k = wire_below(r, 4) + 1; k; k--)
            copy[wire_below(r, (uint32_t)whole.len)] ^= (uint8_t)(1u << wire_below(r, 8));
        (void)decode(kt_bytes(copy, whole.len), context);
    }
    free(copy);
}

/* The example of a format: tests/vectors/NAME.hex, lines of hexadecimal, '#' starts a comment.  With
 * KONTOR_VECTORS=write it is written instead, which is how a change of a format is made visible in review. */
static inline void wire_vector(const char *name, struct kt_bytes bytes)
{
    char path[256], line[256], *hex = malloc(2 * bytes.len + 1), *want = calloc(1, 2 * bytes.len + 256);
    size_t len = 0;
    const char *mode = getenv("KONTOR_VECTORS");
    bool write = mode && strcmp(mode, "write") == 0;

    assert_true(hex && want);
    snprintf(path, sizeof(path), "tests/vectors/%s.hex", name);
    kt_hex(bytes, hex);
    FILE *f = fopen(path, write ? "w" : "r");
    if (!f) fail_msg("%s: cannot open; run from the root of the project", path);
    if (write) {
        fprintf(f, "# %s, %zu bytes: see proto/PROTOCOL.md\n", name, bytes.len);
        for (size_t i = 0; i < 2 * bytes.len; i += 64) fprintf(f, "%.64s\n", hex + i);
    } else {
        while (fgets(line, sizeof(line), f)) {
            line[strcspn(line, "#\n")] = 0;
            size_t n = strlen(line), room = 2 * bytes.len + 255 - len;
            memcpy(want + len, line, n < room ? n : room);
            len += n < room ? n : room;
        }
        assert_string_equal(hex, want);
    }
    assert_int_equal(fclose(f), 0);
    free(hex);
    free(want);
}

static inline void wire_no_unknown(const ProtobufCMessage *m)
{
    assert_int_equal(m->n_unknown_fields, 0);
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        const uint8_t *at = (const uint8_t *)m + f->offset;
        if (f->type != PROTOBUF_C_TYPE_MESSAGE) continue;
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t n = *(const size_t *)(const void *)((const uint8_t *)m + f->quantifier_offset);
            const ProtobufCMessage *const *list = *(const ProtobufCMessage *const *const *)(const void *)at;
            for (size_t k = 0; k < n; k++) wire_no_unknown(list[k]);
        } else if (*(const ProtobufCMessage *const *)(const void *)at) {
            wire_no_unknown(*(const ProtobufCMessage *const *)(const void *)at);
        }
    }
}

/* protoc-c's code reads the bytes, knows every field in them, misses none that is required, and writes the same bytes.
 */
static inline void wire_same_as_protobuf(const ProtobufCMessageDescriptor *d, struct kt_bytes bytes)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(d, NULL, bytes.len, bytes.data);
    if (!m) fail_msg("protobuf-c refuses %s", d->name);
    wire_no_unknown(m);
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *again = malloc(len ? len : 1);
    assert_non_null(again);
    protobuf_c_message_pack(m, again);
    if (len != bytes.len || memcmp(again, bytes.data, len) != 0) fail_msg("protobuf-c writes %s otherwise", d->name);
    free(again);
    protobuf_c_message_free_unpacked(m, NULL);
}

/* The first field of a number in a message: to reach the opaque body of what is signed. */
static inline struct kt_bytes wire_field(struct kt_bytes message, uint32_t field)
{
    struct kt_reader r = kt_reader(message);
    struct kt_pb pb;
    while (kt_pb_next(&r, &pb)) {
        if (pb.field == field) return pb.bytes;
    }
    fail_msg("no field %u", field);
    return kt_bytes(NULL, 0);
}

#endif
