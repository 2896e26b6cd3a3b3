/* Messages as tables: which protobuf field stands where in a C structure, and its bound.
 *
 * One table serves both directions, so that encode and decode cannot drift apart.  The tables stand beside their
 * structures' codecs (roster.c, pulse.c, peer.c, request.c, reply.c); the .proto files say the same to people and to
 * other languages, and the tests hold both against each other through protoc-c's code.  Against that code a table has
 * three merits here: a bound is refused before anything is allocated for it, nothing is copied (runs of bytes are
 * borrowed), and each way to be wrong has its own error.
 *
 * Decoding: unknown fields are skipped; a field given twice counts as given last; a known field of another wire type is
 * KT_EMALFORMED.  Encoding: what is zero or empty and not required is left out; fields go out in table order.  Neither
 * keeps state; any thread. */
#ifndef KT_PROTO_MESSAGE_H
#define KT_PROTO_MESSAGE_H

#include "proto/arena.h"
#include "proto/buffer.h"

enum kt_wire_kind {
    KT_WIRE_LABEL,   /* no member: the text `label`, or KT_ELABEL */
    KT_WIRE_SUITE,   /* no member: KT_SUITE_1, or KT_ESUITE */
    KT_WIRE_U32,     /* uint32_t or an enum, at most max */
    KT_WIRE_U64,     /* uint64_t */
    KT_WIRE_FIXED64, /* uint64_t, random or wide: 8 bytes on the wire */
    KT_WIRE_BOOL,    /* bool */
    KT_WIRE_CODE,    /* int, 0 or negative; its size on the wire */
    KT_WIRE_RAW,     /* max bytes in place, no more, no fewer */
    KT_WIRE_BYTES,   /* struct kt_bytes, borrowed, at most max long */
    KT_WIRE_TEXT,    /* const char *, UTF-8 without control characters, at most max bytes, NUL added in the arena */
    KT_WIRE_CHARS,   /* char[max + 1], likewise, in place */
    KT_WIRE_MESSAGE, /* a structure in place, as `of` says; at most max bytes on the wire where max is set */
};

struct kt_wire_message;
struct kt_wire_field {
    uint32_t number; /* protobuf field number */
    enum kt_wire_kind kind;
    bool required; /* written even when zero; KT_EMALFORMED where it is missing */
    size_t at;     /* offset of the member; of a list: of the pointer to its first element */
    size_t len_at; /* list: offset of its uint32_t length */
    size_t size;   /* list: of one element; 0: not a list.  Lists of KT_WIRE_U32 are packed */
    uint32_t list_max;
    uint64_t max;
    const char *label;
    const struct kt_wire_message *of;
};

#define KT_WIRE_FIELDS_MAX 20u
struct kt_wire_message {
    const struct kt_wire_field *fields;
    uint32_t fields_len; /* KT_WIRE_FIELDS_MAX at most */
};
#define KT_WIRE_MESSAGE_OF(table)                                                                                      \
    {                                                                                                                  \
        (table), sizeof(table) / sizeof(table)[0]                                                                      \
    }

/* Rows of a table: KT_W for one member, KT_W_LIST for a pointer and its length, KT_W_LABEL and KT_W_SUITE for what is
 * constant. What follows are designated initialisers: .max = ..., .of = ..., .required = true. */
#define KT_W(number_, kind_, type, member, ...)                                                                        \
    {                                                                                                                  \
        .number = (number_), .kind = KT_WIRE_##kind_, .at = offsetof(type, member), __VA_ARGS__                        \
    }
#define KT_W_LIST(number_, kind_, type, member, length, list_max_, ...)                                                \
    {                                                                                                                  \
        .number = (number_), .kind = KT_WIRE_##kind_, .at = offsetof(type, member), .len_at = offsetof(type, length),  \
        .size = sizeof(*((type *)0)->member), .list_max = (list_max_), __VA_ARGS__                                     \
    }
#define KT_W_LABEL(number_, text)                                                                                      \
    {                                                                                                                  \
        .number = (number_), .kind = KT_WIRE_LABEL, .label = (text), .required = true                                  \
    }
#define KT_W_SUITE(number_)                                                                                            \
    {                                                                                                                  \
        .number = (number_), .kind = KT_WIRE_SUITE, .required = true                                                   \
    }

/* Appends.  On failure out->err is set (KT_ELIMIT, KT_ENOMEM) or the value breaks its own bound (KT_EOVERSIZE,
 * KT_EMALFORMED, KT_EUTF8); what was appended until then is taken away. */
int kt_wire_encode(const struct kt_wire_message *m, const void *from, struct kt_buf *out) KT_MUST;

/* Fills what the table names in *into, which the caller has zeroed; on failure *into is of no use.
 * KT_ETRUNCATED, KT_EMALFORMED, KT_EOVERSIZE, KT_ELABEL, KT_ESUITE, KT_EUTF8; KT_ELIMIT: past the arena's cap. */
int kt_wire_decode(const struct kt_wire_message *m, struct kt_bytes in, struct kt_arena *arena, void *into) KT_MUST;

#endif
