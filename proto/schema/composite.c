#include "proto/schema/composite.h"
#include "proto/schema/datetime.h"
#include "proto/schema/fields.h"
#include "proto/limits.h"

int kt_ref_entity(const uint8_t id_key[KT_KEY_BYTES], uint32_t kind, struct kt_bytes system, struct kt_bytes id,
                  struct kt_entity_id *out)
{
    const struct kt_schema_kind *k = kt_schema_kind(kind);
    if (!k || system.len == 0 || id.len == 0) return KT_EINVAL;
    if (id.len == 2 * KT_ENTITY_ID_BYTES && kt_bytes_equal(system, kt_str(k->name))) {
        char hex[2 * KT_ENTITY_ID_BYTES + 1] = {0};
        struct kt_entity_id named;
        memcpy(hex, id.data, id.len);
        if (kt_unhex(hex, named.b, sizeof named.b) == KT_OK) {
            *out = named;
            return KT_OK;
        }
    }
    *out = kt_entity_id_of(id_key, kind, system, id);
    return KT_OK;
}

static int resolve_one(uint32_t kind, struct kt_bytes text, kt_resolve resolve, void *ctx, struct kt_entity_id *out)
{
    const uint8_t *colon = text.len ? memchr(text.data, ':', text.len) : NULL;
    if (!colon) return KT_ETYPE;
    size_t system = (size_t)(colon - text.data);
    return resolve(ctx, kind, kt_bytes(text.data, system), kt_bytes(colon + 1, text.len - system - 1), out);
}

static int keep(struct kt_buf *b, int err, struct kt_arena *arena, struct kt_bytes *out)
{
    if (!err) err = b->err;
    struct kt_bytes copy = {0};
    if (!err) {
        copy = kt_arena_copy(arena, kt_buf_bytes(b));
        if (b->len && !copy.data) err = KT_ELIMIT;
    }
    if (!err) *out = copy;
    kt_buf_free(b);
    return err;
}

int kt_value_resolve_refs(const struct kt_schema_field *f, struct kt_bytes value, kt_resolve resolve, void *ctx,
                          struct kt_arena *arena, struct kt_bytes *out)
{
    struct kt_entity_id id;
    struct kt_buf b;
    int err = KT_OK;
    bool any = f->type == KT_REF;
    for (const struct kt_schema_column *c = f->columns; c && c->number; c++) any = any || c->type == KT_REF;
    if (!any) {
        *out = value;
        return KT_OK;
    }
    kt_buf_init(&b, KT_VALUE_BYTES_MAX);
    if (f->type == KT_REF) {
        err = resolve_one(f->ref_kind, value, resolve, ctx, &id);
        kt_buf_put(&b, KT_BYTES_OF(id));
        return keep(&b, err, arena, out);
    }
    struct kt_reader r = kt_reader(value);
    struct kt_pb pb;
    while (!err && kt_pb_next(&r, &pb)) {
        const struct kt_schema_column *c = kt_schema_column(f, pb.field);
        bool ref = c && c->type == KT_REF;
        if (ref) err = resolve_one(c->ref_kind, pb.bytes, resolve, ctx, &id);
        kt_buf_pb_bytes(&b, pb.field, ref ? KT_BYTES_OF(id) : pb.bytes);
    }
    return keep(&b, err ? err : r.err, arena, out);
}

struct kt_bytes kt_value_deciding(const struct kt_schema_field *f, struct kt_bytes value, const char *const **allowed)
{
    static const char *const booleans[] = {"true", "false", NULL};
    struct kt_bytes text = value;
    *allowed = f->type == KT_BOOLEAN ? booleans : f->allowed;
    if (f->type != KT_COMPOSITE) return text;
    for (const struct kt_schema_column *c = f->columns; c->number; c++) {
        if (!c->allowed) continue;
        *allowed = c->allowed;
        return kt_value_column(value, c->number, &text) ? text : kt_bytes(NULL, 0);
    }
    return kt_bytes(NULL, 0);
}

int kt_history_row(const struct kt_schema_field *f, struct kt_bytes from, struct kt_bytes to, uint64_t at_ms,
                   struct kt_bytes by, struct kt_arena *arena, struct kt_bytes *out)
{
    struct kt_bytes what = kt_str(f->name);
    const char *const *allowed;
    struct kt_buf b;
    char at[KT_DATETIME_CHARS_MAX];

    /* of keyed registers the first identifying column says which */
    for (const struct kt_schema_column *c = f->keyed ? f->columns : NULL; c && c->number; c++)
        if (c->identifying && kt_value_column(to.len ? to : from, c->number, &what)) break;
    kt_datetime_of_ms(at_ms, true, at);
    kt_buf_init(&b, KT_VALUE_BYTES_MAX);
    struct kt_bytes now = kt_value_deciding(f, to, &allowed), before = kt_value_deciding(f, from, &allowed);
    kt_buf_pb_bytes(&b, KT_C_HISTORY_WHAT, what);
    if (now.len) kt_buf_pb_bytes(&b, KT_C_HISTORY_VALUE, now);
    if (before.len) kt_buf_pb_bytes(&b, KT_C_HISTORY_FROM, before);
    kt_buf_pb_bytes(&b, KT_C_HISTORY_AT, kt_str(at));
    if (by.len) kt_buf_pb_bytes(&b, KT_C_HISTORY_BY, by);
    return keep(&b, KT_OK, arena, out);
}
