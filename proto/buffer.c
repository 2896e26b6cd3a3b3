#include "proto/buffer.h"

#include <sodium.h>
#include <stdlib.h>

#define FIRST_CAP_BYTES 64u

void kt_buf_init(struct kt_buf *b, size_t bytes_max) { *b = (struct kt_buf){.bytes_max = bytes_max}; }

void kt_buf_free(struct kt_buf *b)
{
    free(b->data);
    kt_buf_init(b, b->bytes_max);
}

void kt_buf_wipe_free(struct kt_buf *b)
{
    if (b->data) sodium_memzero(b->data, b->cap);
    kt_buf_free(b);
}

void kt_buf_clear(struct kt_buf *b)
{
    b->len = 0;
    b->err = KT_OK;
}

struct kt_bytes kt_buf_bytes(const struct kt_buf *b) { return kt_bytes(b->data, b->len); }

/* Not realloc: it would leave copies of secrets behind in freed memory. */
static int grow(struct kt_buf *b, size_t need)
{
    size_t cap = b->cap < FIRST_CAP_BYTES ? FIRST_CAP_BYTES : b->cap;

    while (cap < need) cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    uint8_t *data = malloc(cap);
    if (!data) return KT_ENOMEM;
    if (b->data) {
        memcpy(data, b->data, b->len);
        sodium_memzero(b->data, b->cap);
        free(b->data);
    }
    b->data = data;
    b->cap = cap;
    return KT_OK;
}

uint8_t *kt_buf_extend(struct kt_buf *b, size_t len)
{
    if (b->err) return NULL;
    if (b->len > b->bytes_max || len > b->bytes_max - b->len) {
        b->err = KT_ELIMIT;
        return NULL;
    }
    if (!b->data || len > b->cap - b->len) {
        b->err = grow(b, b->len + len);
        if (b->err) return NULL;
    }
    b->len += len;
    return b->data + b->len - len;
}

void kt_buf_put(struct kt_buf *b, struct kt_bytes bytes)
{
    uint8_t *p = kt_buf_extend(b, bytes.len);

    if (p && bytes.len) memcpy(p, bytes.data, bytes.len);
}

void kt_buf_u8(struct kt_buf *b, uint8_t v) { kt_buf_put(b, KT_BYTES_OF(v)); }

static void put_be(struct kt_buf *b, uint64_t v, size_t len)
{
    uint8_t *p = kt_buf_extend(b, len);

    for (size_t i = 0; p && i < len; i++) p[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
}

void kt_buf_be16(struct kt_buf *b, uint16_t v) { put_be(b, v, 2); }
void kt_buf_be32(struct kt_buf *b, uint32_t v) { put_be(b, v, 4); }
void kt_buf_be64(struct kt_buf *b, uint64_t v) { put_be(b, v, 8); }

static size_t varint_into(uint8_t out[10], uint64_t v)
{
    size_t n = 0;

    for (; v >= 0x80; v >>= 7) out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

void kt_buf_varint(struct kt_buf *b, uint64_t v)
{
    uint8_t bytes[10];

    kt_buf_put(b, kt_bytes(bytes, varint_into(bytes, v)));
}

static void put_tag(struct kt_buf *b, uint32_t field, uint32_t wire) { kt_buf_varint(b, (uint64_t)field << 3 | wire); }

void kt_buf_pb_uint(struct kt_buf *b, uint32_t field, uint64_t v)
{
    put_tag(b, field, 0);
    kt_buf_varint(b, v);
}

void kt_buf_pb_fixed64(struct kt_buf *b, uint32_t field, uint64_t v)
{
    put_tag(b, field, 1);
    uint8_t *p = kt_buf_extend(b, 8);
    for (size_t i = 0; p && i < 8; i++) p[i] = (uint8_t)(v >> (8 * i));
}

void kt_buf_pb_bytes(struct kt_buf *b, uint32_t field, struct kt_bytes v)
{
    put_tag(b, field, 2);
    kt_buf_varint(b, v.len);
    kt_buf_put(b, v);
}

/* Leaves one byte for the length; most messages need no more, and kt_buf_pb_close moves the body of the others. */
size_t kt_buf_pb_open(struct kt_buf *b, uint32_t field)
{
    put_tag(b, field, 2);
    kt_buf_u8(b, 0);
    return b->len;
}

void kt_buf_pb_close(struct kt_buf *b, size_t mark)
{
    uint8_t bytes[10];

    if (b->err) return;
    size_t len = b->len - mark, n = varint_into(bytes, len);
    if (!kt_buf_extend(b, n - 1)) return;
    memmove(b->data + mark - 1 + n, b->data + mark, len);
    memcpy(b->data + mark - 1, bytes, n);
}

struct kt_reader kt_reader(struct kt_bytes in)
{
    /* never NULL, so that pointer differences are defined for empty input too */
    static const uint8_t nothing[1];
    const uint8_t *at = in.data ? in.data : nothing;

    return (struct kt_reader){.at = at, .end = at + in.len};
}

size_t kt_reader_left(const struct kt_reader *r) { return r->err ? 0 : (size_t)(r->end - r->at); }

struct kt_bytes kt_take(struct kt_reader *r, size_t len)
{
    if (!r->err && len > (size_t)(r->end - r->at)) r->err = KT_ETRUNCATED;
    if (r->err) return kt_bytes(NULL, 0);
    r->at += len;
    return kt_bytes(r->at - len, len);
}

static uint64_t take_be(struct kt_reader *r, size_t len)
{
    struct kt_bytes b = kt_take(r, len);
    uint64_t v = 0;

    for (size_t i = 0; i < b.len; i++) v = v << 8 | b.data[i];
    return v;
}

uint8_t kt_take_u8(struct kt_reader *r) { return (uint8_t)take_be(r, 1); }
uint16_t kt_take_be16(struct kt_reader *r) { return (uint16_t)take_be(r, 2); }
uint32_t kt_take_be32(struct kt_reader *r) { return (uint32_t)take_be(r, 4); }
uint64_t kt_take_be64(struct kt_reader *r) { return take_be(r, 8); }

uint64_t kt_take_varint(struct kt_reader *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; !r->err; shift += 7) {
        if (r->at == r->end) {
            r->err = KT_ETRUNCATED;
            break;
        }
        uint8_t byte = *r->at++;
        /* a tenth byte has one bit of 64 left to give, and there is no eleventh */
        if (shift == 63 && byte > 1) {
            r->err = KT_EMALFORMED;
            break;
        }
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return v;
    }
    return 0;
}

void kt_take_into(struct kt_reader *r, void *out, size_t len)
{
    struct kt_bytes b = kt_take(r, len);

    if (!len) return;
    if (b.len)
        memcpy(out, b.data, len);
    else
        memset(out, 0, len);
}

static uint64_t take_le(struct kt_reader *r, size_t len)
{
    struct kt_bytes b = kt_take(r, len);
    uint64_t v = 0;

    for (size_t i = b.len; i > 0; i--) v = v << 8 | b.data[i - 1];
    return v;
}

bool kt_pb_next(struct kt_reader *r, struct kt_pb *f)
{
    if (r->err || r->at == r->end) return false;
    uint64_t tag = kt_take_varint(r);
    *f = (struct kt_pb){.field = (uint32_t)(tag >> 3), .wire = (uint8_t)(tag & 7)};
    if (!r->err && (tag > UINT32_MAX || f->field == 0)) r->err = KT_EMALFORMED;
    switch (f->wire) {
    case 0:
        f->number = kt_take_varint(r);
        break;
    case 1:
        f->number = take_le(r, 8);
        break;
    case 2: {
        uint64_t len = kt_take_varint(r);
        f->bytes = kt_take(r, len);
        break;
    }
    case 5:
        f->number = take_le(r, 4);
        break;
    default:
        if (!r->err) r->err = KT_EMALFORMED;
    }
    return !r->err;
}
