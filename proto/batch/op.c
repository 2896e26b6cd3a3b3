#include "proto/batch/op.h"

#include <utf8proc.h>

enum change_field { CHANGE_WARD = 1, CHANGE_ACTOR, CHANGE_PURPOSE, CHANGE_BASIS, CHANGE_OP };
enum op_field { OP_ENTITY = 1, OP_FIELD, OP_ELEMENT, OP_VALUE, OP_REPLACES };
enum dot_field { DOT_MEMBER = 1, DOT_INCARNATION, DOT_BATCH, DOT_ENVELOPE, DOT_OP };

#define SEEN(field) (1u << (field))

/* Text that goes into answers as it stands.  Validity of UTF-8 is fixed for good (Unicode, table 3-7), so every node
 * judges alike. */
static int check_text(struct kt_bytes text)
{
    utf8proc_int32_t point;

    if (text.len > KT_NAME_BYTES_MAX) return KT_EOVERSIZE;
    for (size_t at = 0; at < text.len;) {
        utf8proc_ssize_t n = utf8proc_iterate(text.data + at, (utf8proc_ssize_t)(text.len - at), &point);
        if (n <= 0) return KT_EUTF8;
        at += (size_t)n;
    }
    return KT_OK;
}

static bool same_entity(const struct kt_entity_id *a, const struct kt_entity_id *b)
{
    return memcmp(a->b, b->b, KT_ENTITY_ID_BYTES) == 0;
}

static void put_dot(struct kt_buf *out, const struct kt_dot *d)
{
    size_t mark = kt_buf_pb_open(out, OP_REPLACES);

    kt_buf_pb_uint(out, DOT_MEMBER, d->origin.member);
    kt_buf_pb_fixed64(out, DOT_INCARNATION, d->origin.incarnation);
    kt_buf_pb_uint(out, DOT_BATCH, d->batch);
    if (d->envelope) kt_buf_pb_uint(out, DOT_ENVELOPE, d->envelope);
    if (d->op) kt_buf_pb_uint(out, DOT_OP, d->op);
    kt_buf_pb_close(out, mark);
}

static int put_op(struct kt_buf *out, const struct kt_op *op, const struct kt_entity_id *ward)
{
    if (op->replaces_len > KT_REPLACES_PER_OP_MAX) return KT_ELIMIT;
    if (op->element.len > KT_ELEMENT_BYTES_MAX) return KT_EOVERSIZE;
    if (op->has_value && op->value.len > KT_VALUE_BYTES_MAX) return KT_EOVERSIZE;
    size_t mark = kt_buf_pb_open(out, CHANGE_OP);
    if (!same_entity(&op->entity, ward)) kt_buf_pb_bytes(out, OP_ENTITY, KT_BYTES_OF(op->entity.b));
    kt_buf_pb_uint(out, OP_FIELD, op->field);
    if (op->element.len) kt_buf_pb_bytes(out, OP_ELEMENT, op->element);
    if (op->has_value) kt_buf_pb_bytes(out, OP_VALUE, op->value);
    for (uint32_t i = 0; i < op->replaces_len; i++) put_dot(out, &op->replaces[i]);
    kt_buf_pb_close(out, mark);
    return out->err;
}

int kt_change_encode(const struct kt_change *c, struct kt_buf *out)
{
    size_t start = out->len;
    int rc = c->ops_len > KT_OPS_PER_CHANGE_MAX ? KT_ELIMIT : KT_OK;

    if (!rc) rc = check_text(c->actor);
    if (!rc) rc = check_text(c->purpose);
    if (!rc) rc = check_text(c->basis);
    if (rc) return rc;
    kt_buf_pb_bytes(out, CHANGE_WARD, KT_BYTES_OF(c->ward.b));
    if (c->actor.len) kt_buf_pb_bytes(out, CHANGE_ACTOR, c->actor);
    if (c->purpose.len) kt_buf_pb_bytes(out, CHANGE_PURPOSE, c->purpose);
    if (c->basis.len) kt_buf_pb_bytes(out, CHANGE_BASIS, c->basis);
    for (uint32_t i = 0; i < c->ops_len && !rc; i++) rc = put_op(out, &c->ops[i], &c->ward);
    if (!rc) rc = out->err;
    if (!rc && out->len - start > KT_CHANGE_BYTES_MAX) rc = KT_EOVERSIZE;
    if (rc) out->len = start;
    return rc;
}

static int take_u32(const struct kt_pb *f, uint32_t *out)
{
    if (f->wire != 0 || f->number > UINT32_MAX) return KT_EMALFORMED;
    *out = (uint32_t)f->number;
    return KT_OK;
}

static int take_bytes(const struct kt_pb *f, size_t len_max, struct kt_bytes *out)
{
    if (f->wire != 2) return KT_EMALFORMED;
    if (f->bytes.len > len_max) return KT_EOVERSIZE;
    *out = f->bytes;
    return KT_OK;
}

static int take_entity(const struct kt_pb *f, struct kt_entity_id *out)
{
    if (f->wire != 2 || f->bytes.len != KT_ENTITY_ID_BYTES) return KT_EMALFORMED;
    memcpy(out->b, f->bytes.data, KT_ENTITY_ID_BYTES);
    return KT_OK;
}

static int take_dot(struct kt_bytes in, struct kt_dot *out)
{
    const uint32_t required = SEEN(DOT_MEMBER) | SEEN(DOT_INCARNATION) | SEEN(DOT_BATCH);
    struct kt_reader r = kt_reader(in);
    struct kt_pb f;
    uint32_t seen = 0;

    for (int rc = KT_OK; kt_pb_next(&r, &f);) {
        if (f.field == DOT_MEMBER) rc = take_u32(&f, &out->origin.member);
        if (f.field == DOT_INCARNATION) rc = f.wire == 1 ? KT_OK : KT_EMALFORMED, out->origin.incarnation = f.number;
        if (f.field == DOT_BATCH) rc = f.wire == 0 ? KT_OK : KT_EMALFORMED, out->batch = f.number;
        if (f.field == DOT_ENVELOPE) rc = take_u32(&f, &out->envelope);
        if (f.field == DOT_OP) rc = take_u32(&f, &out->op);
        if (rc) return rc;
        if (f.field <= DOT_OP) seen |= SEEN(f.field);
    }
    if (r.err) return r.err;
    return (seen & required) == required ? KT_OK : KT_EMALFORMED;
}

/* The second walk over an op: its dots, into the array that the first one counted. */
static int take_dots(struct kt_bytes in, struct kt_dot *out)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb f;
    int rc = KT_OK;

    while (!rc && kt_pb_next(&r, &f))
        if (f.field == OP_REPLACES) rc = take_dot(f.bytes, out++);
    return rc;
}

static int take_op_field(const struct kt_pb *f, struct kt_op *op)
{
    switch (f->field) {
    case OP_ENTITY:
        return take_entity(f, &op->entity);
    case OP_FIELD:
        return take_u32(f, &op->field);
    case OP_ELEMENT:
        return take_bytes(f, KT_ELEMENT_BYTES_MAX, &op->element);
    case OP_VALUE:
        op->has_value = true;
        return take_bytes(f, KT_VALUE_BYTES_MAX, &op->value);
    case OP_REPLACES:
        if (f->wire != 2) return KT_EMALFORMED;
        return ++op->replaces_len > KT_REPLACES_PER_OP_MAX ? KT_EOVERSIZE : KT_OK;
    default:
        return KT_OK; /* of a later schema: skipped */
    }
}

static int take_op(struct kt_bytes in, const struct kt_entity_id *ward, struct kt_arena *arena, struct kt_op *op)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb f;
    bool has_field = false;

    op->entity = *ward;
    while (kt_pb_next(&r, &f)) {
        int rc = take_op_field(&f, op);
        if (rc) return rc;
        has_field |= f.field == OP_FIELD;
    }
    if (r.err) return r.err;
    if (!has_field) return KT_EMALFORMED;
    if (!op->replaces_len) return KT_OK;
    struct kt_dot *dots = kt_arena_array(arena, op->replaces_len, sizeof(*dots));
    if (!dots) return KT_ELIMIT;
    op->replaces = dots;
    return take_dots(in, dots);
}

static int take_text(const struct kt_pb *f, struct kt_bytes *out)
{
    int rc = take_bytes(f, KT_NAME_BYTES_MAX, out);

    return rc ? rc : check_text(*out);
}

static int take_change_field(const struct kt_pb *f, struct kt_change *c)
{
    switch (f->field) {
    case CHANGE_WARD:
        return take_entity(f, &c->ward);
    case CHANGE_ACTOR:
        return take_text(f, &c->actor);
    case CHANGE_PURPOSE:
        return take_text(f, &c->purpose);
    case CHANGE_BASIS:
        return take_text(f, &c->basis);
    case CHANGE_OP:
        if (f->wire != 2) return KT_EMALFORMED;
        return ++c->ops_len > KT_OPS_PER_CHANGE_MAX ? KT_EOVERSIZE : KT_OK;
    default:
        return KT_OK; /* of a later schema: skipped */
    }
}

int kt_change_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_change *out)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb f;
    struct kt_change c = {0};
    bool has_ward = false;
    int rc = KT_OK;

    if (in.len > KT_CHANGE_BYTES_MAX) return KT_EOVERSIZE;
    while (kt_pb_next(&r, &f)) {
        rc = take_change_field(&f, &c);
        if (rc) return rc;
        has_ward |= f.field == CHANGE_WARD;
    }
    if (r.err) return r.err;
    if (!has_ward) return KT_EMALFORMED;
    struct kt_op *ops = c.ops_len ? kt_arena_array(arena, c.ops_len, sizeof(*ops)) : NULL;
    if (c.ops_len && !ops) return KT_ELIMIT;
    c.ops = ops;
    r = kt_reader(in);
    while (!rc && kt_pb_next(&r, &f))
        if (f.field == CHANGE_OP) rc = take_op(f.bytes, &c.ward, arena, ops++);
    if (!rc) *out = c;
    return rc;
}
