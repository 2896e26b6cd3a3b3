/* Bytes out and bytes in, each with a sticky error: a straight-line body, one check at the end.
 *
 * The protobuf helpers write and walk the wire format of protocol buffers (developers' guide, "Encoding") without
 * allocating per field; the messages they serve are described in the .proto files beside them, and tests hold both
 * against each other. */
#ifndef KT_PROTO_BUFFER_H
#define KT_PROTO_BUFFER_H

#include "proto/bytes.h"
#include "proto/errors.h"

/* A growing run of bytes.  `err` keeps the first failure (KT_ENOMEM, KT_ELIMIT); later writes do nothing. */
struct kt_buf {
    uint8_t *data;
    size_t len, cap, bytes_max;
    int err;
};

void kt_buf_init(struct kt_buf *b, size_t bytes_max);
void kt_buf_free(struct kt_buf *b);         /* frees, and leaves an empty buffer with the same limit */
void kt_buf_wipe_free(struct kt_buf *b);    /* the same for secrets: sodium_memzero first */
void kt_buf_clear(struct kt_buf *b);        /* len = 0, err = 0, memory kept */
struct kt_bytes kt_buf_bytes(const struct kt_buf *b);
uint8_t *kt_buf_extend(struct kt_buf *b, size_t len); /* room for len bytes, uninitialised; NULL on error */
void kt_buf_put(struct kt_buf *b, struct kt_bytes bytes);
void kt_buf_u8(struct kt_buf *b, uint8_t v);
void kt_buf_be16(struct kt_buf *b, uint16_t v);
void kt_buf_be32(struct kt_buf *b, uint32_t v);
void kt_buf_be64(struct kt_buf *b, uint64_t v);
void kt_buf_varint(struct kt_buf *b, uint64_t v);

/* protobuf fields */
void kt_buf_pb_uint(struct kt_buf *b, uint32_t field, uint64_t v);    /* wire type 0 */
void kt_buf_pb_fixed64(struct kt_buf *b, uint32_t field, uint64_t v); /* wire type 1, little-endian */
void kt_buf_pb_bytes(struct kt_buf *b, uint32_t field, struct kt_bytes v); /* wire type 2 */
/* A nested message: everything written between open and close becomes its body. */
size_t kt_buf_pb_open(struct kt_buf *b, uint32_t field);
void kt_buf_pb_close(struct kt_buf *b, size_t mark);

/* A reader.  `err` keeps the first failure (KT_ETRUNCATED, KT_EMALFORMED); later reads give zeros and empty runs. */
struct kt_reader {
    const uint8_t *at, *end;
    int err;
};

struct kt_reader kt_reader(struct kt_bytes in);
size_t kt_reader_left(const struct kt_reader *r);
struct kt_bytes kt_take(struct kt_reader *r, size_t len); /* borrowed from the input */
uint8_t kt_take_u8(struct kt_reader *r);
uint16_t kt_take_be16(struct kt_reader *r);
uint32_t kt_take_be32(struct kt_reader *r);
uint64_t kt_take_be64(struct kt_reader *r);
uint64_t kt_take_varint(struct kt_reader *r);
void kt_take_into(struct kt_reader *r, void *out, size_t len);

/* One protobuf field as it stands on the wire. */
struct kt_pb {
    uint32_t field;
    uint8_t wire;          /* 0 varint, 1 fixed64, 2 bytes, 5 fixed32 */
    uint64_t number;       /* wires 0, 1, 5 */
    struct kt_bytes bytes; /* wire 2, borrowed */
};
/* The next field; false at the end or on an error (then r->err says which). */
bool kt_pb_next(struct kt_reader *r, struct kt_pb *f);

#endif
