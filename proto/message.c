#include "proto/message.h"

#include "proto/keys/keys.h"

#include <utf8proc.h>

/* What an office, a compartment or a person may be called: no NUL, no control characters, valid UTF-8. */
static int check_text(struct kt_bytes text, uint64_t max)
{
    if (text.len > max) return KT_EOVERSIZE;
    for (size_t at = 0; at < text.len;) {
        utf8proc_int32_t point;
        utf8proc_ssize_t n = utf8proc_iterate(text.data + at, (utf8proc_ssize_t)(text.len - at), &point);
        if (n <= 0 || point < 0x20 || (point >= 0x7f && point < 0xa0)) return KT_EUTF8;
        at += (size_t)n;
    }
    return KT_OK;
}

static bool all_zero(const uint8_t *p, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) any |= p[i];
    return any == 0;
}

/* Encoding ------------------------------------------------------------------------------------------------------- */

static int put_uint(const struct kt_wire_field *f, uint64_t v, struct kt_buf *out)
{
    if (v != 0 || f->required || f->size) kt_buf_pb_uint(out, f->number, v);
    return out->err;
}

static int put_bytes(const struct kt_wire_field *f, struct kt_bytes v, struct kt_buf *out)
{
    if (v.len > f->max) return KT_EOVERSIZE;
    if (v.len != 0 || f->required || f->size) kt_buf_pb_bytes(out, f->number, v);
    return out->err;
}

static int put_text(const struct kt_wire_field *f, const char *text, struct kt_buf *out)
{
    int err = check_text(kt_str(text), f->max);
    return err ? err : put_bytes(f, kt_str(text), out);
}

static int put_message(const struct kt_wire_field *f, const void *from, struct kt_buf *out)
{
    size_t before = out->len, mark = kt_buf_pb_open(out, f->number), empty = out->len;
    int err = kt_wire_encode(f->of, from, out);
    if (err) return err;
    if (f->max && out->len - empty > f->max) return KT_EOVERSIZE;
    if (out->len == empty && !f->required && !f->size)
        out->len = before; /* nothing in it: leave it out */
    else
        kt_buf_pb_close(out, mark);
    return out->err;
}

static int put_one(const struct kt_wire_field *f, const uint8_t *at, struct kt_buf *out)
{
    switch (f->kind) {
    case KT_WIRE_LABEL:
        kt_buf_pb_bytes(out, f->number, kt_str(f->label));
        return out->err;
    case KT_WIRE_SUITE:
        kt_buf_pb_uint(out, f->number, KT_SUITE_1);
        return out->err;
    case KT_WIRE_U32:
        return *(const uint32_t *)at > f->max ? KT_EMALFORMED : put_uint(f, *(const uint32_t *)at, out);
    case KT_WIRE_U64:
        return put_uint(f, *(const uint64_t *)at, out);
    case KT_WIRE_FIXED64:
        if (*(const uint64_t *)at || f->required) kt_buf_pb_fixed64(out, f->number, *(const uint64_t *)at);
        return out->err;
    case KT_WIRE_BOOL:
        return put_uint(f, *(const bool *)at, out);
    case KT_WIRE_CODE:
        return put_uint(f, (uint64_t) - (int64_t) * (const int *)at, out);
    case KT_WIRE_RAW:
        if (f->required || f->size || !all_zero(at, f->max)) kt_buf_pb_bytes(out, f->number, kt_bytes(at, f->max));
        return out->err;
    case KT_WIRE_BYTES:
        return put_bytes(f, *(const struct kt_bytes *)at, out);
    case KT_WIRE_TEXT:
        return put_text(f, *(const char *const *)at, out);
    case KT_WIRE_CHARS:
        return put_text(f, (const char *)at, out);
    case KT_WIRE_MESSAGE:
        return put_message(f, at, out);
    }
    return KT_EBUG;
}

static int put_packed(const struct kt_wire_field *f, const uint32_t *list, uint32_t n, struct kt_buf *out)
{
    size_t mark = kt_buf_pb_open(out, f->number);
    for (uint32_t i = 0; i < n; i++) kt_buf_varint(out, list[i]);
    kt_buf_pb_close(out, mark);
    return out->err;
}

static int put_field(const struct kt_wire_field *f, const uint8_t *from, struct kt_buf *out)
{
    if (!f->size) return put_one(f, from + f->at, out);
    const uint8_t *list = *(const uint8_t *const *)(from + f->at);
    uint32_t n = *(const uint32_t *)(from + f->len_at);
    if (n > f->list_max) return KT_EOVERSIZE;
    if (n == 0) return KT_OK;
    if (f->kind == KT_WIRE_U32) return put_packed(f, (const uint32_t *)(const void *)list, n, out);
    for (uint32_t i = 0; i < n; i++) {
        int err = put_one(f, list + (size_t)i * f->size, out);
        if (err) return err;
    }
    return KT_OK;
}

int kt_wire_encode(const struct kt_wire_message *m, const void *from, struct kt_buf *out)
{
    size_t before = out->len;
    int err = out->err;
    for (uint32_t i = 0; i < m->fields_len && !err; i++) err = put_field(&m->fields[i], from, out);
    if (err) out->len = before;
    return err;
}

/* Decoding: the first walk counts lists and checks suite and label, the second fills ------------------------------- */

static const uint8_t WIRE_TYPES[] = {
    [KT_WIRE_LABEL] = 2,   [KT_WIRE_SUITE] = 0, [KT_WIRE_U32] = 0,   [KT_WIRE_U64] = 0,
    [KT_WIRE_FIXED64] = 1, [KT_WIRE_BOOL] = 0,  [KT_WIRE_CODE] = 0,  [KT_WIRE_RAW] = 2,
    [KT_WIRE_BYTES] = 2,   [KT_WIRE_TEXT] = 2,  [KT_WIRE_CHARS] = 2, [KT_WIRE_MESSAGE] = 2,
};

static bool packed(const struct kt_wire_field *f, const struct kt_pb *pb)
{
    return f->size && f->kind == KT_WIRE_U32 && pb->wire == 2;
}

/* Every varint ends with a byte below 0x80. */
static uint32_t count_packed(struct kt_bytes run)
{
    uint32_t n = 0;
    for (size_t i = 0; i < run.len; i++) n += run.data[i] < 0x80;
    return n;
}

static const struct kt_wire_field *find(const struct kt_wire_message *m, uint32_t number, uint32_t *hint)
{
    for (uint32_t i = 0; i < m->fields_len; i++) { /* fields come in order: look on from the last one */
        uint32_t at = *hint + i < m->fields_len ? *hint + i : *hint + i - m->fields_len;
        if (m->fields[at].number == number) return *hint = at, &m->fields[at];
    }
    return NULL;
}

static int count_one(const struct kt_wire_field *f, const struct kt_pb *pb, uint32_t *count)
{
    if (pb->wire != WIRE_TYPES[f->kind] && !packed(f, pb)) return KT_EMALFORMED;
    if (f->kind == KT_WIRE_SUITE && pb->number != KT_SUITE_1) return KT_ESUITE;
    if (f->kind == KT_WIRE_LABEL && !kt_bytes_equal(pb->bytes, kt_str(f->label))) return KT_ELABEL;
    uint32_t more = packed(f, pb) ? count_packed(pb->bytes) : 1;
    if (f->size && more > f->list_max - *count) return KT_EOVERSIZE;
    *count += f->size || *count == 0 ? more : 0;
    return KT_OK;
}

static int make_lists(const struct kt_wire_message *m, uint32_t *counts, struct kt_arena *arena, uint8_t *into)
{
    for (uint32_t i = 0; i < m->fields_len; i++) {
        const struct kt_wire_field *f = &m->fields[i];
        if (f->required && counts[i] == 0) return KT_EMALFORMED;
        if (!f->size || counts[i] == 0) continue;
        void *list = kt_arena_array(arena, counts[i], f->size);
        if (!list) return KT_ELIMIT;
        memcpy(into + f->at, &list, sizeof(list));
        memcpy(into + f->len_at, &counts[i], sizeof(counts[i]));
    }
    return KT_OK;
}

static int take_text(const struct kt_wire_field *f, struct kt_bytes text, struct kt_arena *arena, uint8_t *at)
{
    int err = check_text(text, f->max);
    if (err) return err;
    if (f->kind == KT_WIRE_CHARS) {
        memcpy(at, text.data, text.len);
        at[text.len] = 0;
        return KT_OK;
    }
    const char *copy = kt_arena_str(arena, text);
    if (!copy) return KT_ELIMIT;
    memcpy(at, &copy, sizeof(copy));
    return KT_OK;
}

static int take_one(const struct kt_wire_field *f, const struct kt_pb *pb, struct kt_arena *arena, uint8_t *at)
{
    switch (f->kind) {
    case KT_WIRE_LABEL:
    case KT_WIRE_SUITE:
        return KT_OK; /* checked in the first walk */
    case KT_WIRE_U32:
        if (pb->number > f->max) return KT_EMALFORMED;
        *(uint32_t *)(void *)at = (uint32_t)pb->number;
        return KT_OK;
    case KT_WIRE_U64:
    case KT_WIRE_FIXED64:
        *(uint64_t *)(void *)at = pb->number;
        return KT_OK;
    case KT_WIRE_BOOL:
        if (pb->number > 1) return KT_EMALFORMED;
        *(bool *)at = pb->number == 1;
        return KT_OK;
    case KT_WIRE_CODE:
        if (pb->number > 0xffff) return KT_EMALFORMED;
        *(int *)(void *)at = -(int)pb->number;
        return KT_OK;
    case KT_WIRE_RAW:
        if (pb->bytes.len != f->max) return pb->bytes.len > f->max ? KT_EOVERSIZE : KT_EMALFORMED;
        memcpy(at, pb->bytes.data, f->max);
        return KT_OK;
    case KT_WIRE_BYTES:
        if (pb->bytes.len > f->max) return KT_EOVERSIZE;
        *(struct kt_bytes *)(void *)at = pb->bytes;
        return KT_OK;
    case KT_WIRE_TEXT:
    case KT_WIRE_CHARS:
        return take_text(f, pb->bytes, arena, at);
    case KT_WIRE_MESSAGE:
        return f->max && pb->bytes.len > f->max ? KT_EOVERSIZE : kt_wire_decode(f->of, pb->bytes, arena, at);
    }
    return KT_EBUG;
}

static int take_packed(const struct kt_wire_field *f, struct kt_bytes run, uint8_t *list, uint32_t *filled)
{
    struct kt_reader r = kt_reader(run);
    while (kt_reader_left(&r)) {
        uint64_t v = kt_take_varint(&r);
        if (r.err) return r.err;
        if (v > f->max) return KT_EMALFORMED;
        ((uint32_t *)(void *)list)[(*filled)++] = (uint32_t)v;
    }
    return KT_OK;
}

int kt_wire_decode(const struct kt_wire_message *m, struct kt_bytes in, struct kt_arena *arena, void *into)
{
    uint32_t counts[KT_WIRE_FIELDS_MAX] = {0}, filled[KT_WIRE_FIELDS_MAX] = {0}, hint = 0;
    const struct kt_wire_field *f;
    struct kt_pb pb;
    int err = KT_OK;

    struct kt_reader r = kt_reader(in);
    while (!err && kt_pb_next(&r, &pb)) {
        if ((f = find(m, pb.field, &hint))) err = count_one(f, &pb, &counts[f - m->fields]);
    }
    if (err || (err = r.err)) return err;
    if ((err = make_lists(m, counts, arena, into))) return err;

    r = kt_reader(in);
    while (!err && kt_pb_next(&r, &pb)) {
        if (!(f = find(m, pb.field, &hint))) continue;
        uint8_t *at = (uint8_t *)into + f->at;
        if (f->size) at = *(uint8_t **)(void *)at;
        uint32_t *n = &filled[f - m->fields];
        if (packed(f, &pb))
            err = take_packed(f, pb.bytes, at, n);
        else
            err = take_one(f, &pb, arena, f->size ? at + (size_t)(*n)++ * f->size : at);
    }
    return err;
}
