/* Records as a program builds them. */
#include "client/handle.h"

#include "proto/schema/fields.h"
#include "proto/schema/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORD_ARENA_BYTES (1u << 20)
#define COLUMNS_MAX        64u

struct kontor_record {
    struct kt_arena arena;
    const struct kt_schema_kind *kind;
    struct kt_record record;
    uint32_t fields_cap;
    /* Of rows, and of what stands flat in an entity: columns gathered until the record goes out. */
    struct kontor_column columns[COLUMNS_MAX];
    size_t columns_len;
    int err;
};

static int keep(struct kontor_record *r, int err)
{
    if (!r->err) r->err = err;
    return r->err;
}

static int put_column(const struct kt_schema_column *c, const char *text, struct kt_arena *arena, struct kt_buf *b)
{
    struct kt_bytes out;
    const char *why;
    int err = kt_scalar_canonical(c->type, c->allowed, kt_str(text), arena, &out, &why);
    if (!err) kt_buf_pb_bytes(b, c->number, out);
    return err;
}

static int composite(const struct kt_schema_field *f, const struct kontor_column *columns, size_t n, bool naming,
                     struct kt_arena *arena, struct kt_bytes *out)
{
    struct kt_buf b;
    int err = KT_OK;
    kt_buf_init(&b, KT_VALUE_BYTES_MAX);
    for (size_t i = 0; i < n && !err; i++)
        if (!columns[i].name || !kt_schema_column_named(f, kt_str(columns[i].name))) err = KT_EFIELD;
    for (const struct kt_schema_column *c = f->columns; c->number && !err; c++) {
        bool given = false;
        for (size_t i = 0; i < n && !err; i++) {
            if (strcmp(columns[i].name, c->name) != 0 || !columns[i].text || !*columns[i].text) continue;
            if (given && !c->repeated) err = KT_EINVAL;
            if (!err && !(naming && !c->identifying && f->shape != KT_LIST))
                err = put_column(c, columns[i].text, arena, &b);
            given = true;
        }
    }
    if (!err) err = b.err == KT_ELIMIT ? KT_EOVERSIZE : b.err;
    if (!err && b.len == 0) err = KT_ETYPE;
    struct kt_bytes copy = err ? kt_bytes(NULL, 0) : kt_arena_copy(arena, kt_buf_bytes(&b));
    if (!err && !copy.data) err = KT_ELIMIT;
    if (!err) *out = copy;
    kt_buf_free(&b);
    return err;
}

int kt_field_value(const struct kt_schema_field *f, const char *text, const struct kontor_column *columns, size_t n,
                   bool naming, struct kt_arena *arena, struct kt_bytes *out)
{
    const char *why;
    if (f->type == KT_COMPOSITE && text) {
        const struct kontor_column only = {"text", text};
        return composite(f, &only, 1, naming, arena, out);
    }
    if (f->type == KT_COMPOSITE) return composite(f, columns, n, naming, arena, out);
    if (!text && n == 1) text = columns[0].text;
    return text ? kt_scalar_canonical(f->type, f->allowed, kt_str(text), arena, out, &why) : KT_ETYPE;
}

/* ---- a record's parts ---- */

static struct kt_bytes copy_text(struct kontor_record *r, const char *text)
{
    struct kt_bytes out = text && *text ? kt_arena_copy(&r->arena, kt_str(text)) : kt_bytes(NULL, 0);
    if (text && *text && !out.data) keep(r, KT_ELIMIT);
    if (out.len > KT_NAME_BYTES_MAX) keep(r, KT_EOVERSIZE);
    return out;
}

int kontor_record_new(const char *kind, const char *source_system, const char *source_id, struct kontor_record **out)
{
    const struct kt_schema_kind *k = kind ? kt_schema_kind_named(kt_str(kind)) : NULL;
    if (!k) return KT_EFIELD;
    struct kontor_record *r = calloc(1, sizeof *r);
    if (!r) return KT_ENOMEM;
    kt_arena_init(&r->arena, RECORD_ARENA_BYTES);
    r->kind = k;
    r->record = (struct kt_record){.kind = k->kind};
    r->record.source_system = copy_text(r, source_system);
    r->record.source_id = copy_text(r, source_id);
    /* a case that nobody numbered gets its number from the node */
    const bool named = r->record.source_id.len || k->kind == KT_CASE;
    if (k->needs_source && (!r->record.source_system.len || !named)) keep(r, KT_ETYPE);
    *out = r;
    return KT_OK;
}

void kontor_record_free(struct kontor_record *r)
{
    if (!r) return;
    kt_arena_free(&r->arena);
    free(r);
}

/* The record's entry for a field; made on first use.  NULL: the error is kept. */
static struct kt_record_field *entry(struct kontor_record *r, uint32_t number)
{
    struct kt_record *o = &r->record;
    for (uint32_t i = 0; i < o->fields_len; i++)
        if (o->fields[i].field == number) return &o->fields[i];
    if (o->fields_len == r->fields_cap) {
        uint32_t cap = r->fields_cap ? 2 * r->fields_cap : 8;
        struct kt_record_field *grown = kt_arena_array(&r->arena, cap, sizeof *grown);
        if (!grown || cap > KT_FIELDS_PER_RECORD_MAX) {
            keep(r, KT_ELIMIT);
            return NULL;
        }
        if (o->fields_len) memcpy(grown, o->fields, o->fields_len * sizeof *grown);
        o->fields = grown;
        r->fields_cap = cap;
    }
    o->fields[o->fields_len] = (struct kt_record_field){.field = number};
    return &o->fields[o->fields_len++];
}

/* Lists of values grow by doubling where their length is a power of two. */
static void append(struct kontor_record *r, struct kt_bytes **list, uint32_t *len, struct kt_bytes value)
{
    bool full = *len == 0 || (*len & (*len - 1)) == 0;
    if (*len == KT_VALUES_PER_FIELD_MAX) {
        keep(r, KT_ELIMIT);
        return;
    }
    if (full) {
        struct kt_bytes *grown = kt_arena_array(&r->arena, *len ? 2 * *len : 1, sizeof *grown);
        if (!grown) {
            keep(r, KT_ELIMIT);
            return;
        }
        if (*len) memcpy(grown, *list, *len * sizeof *grown);
        *list = grown;
    }
    (*list)[(*len)++] = value;
}

static const struct kt_schema_field *field_of(struct kontor_record *r, const char *name)
{
    const struct kt_schema_field *f = name ? kt_schema_field_named(r->kind->kind, kt_str(name)) : NULL;
    if (!f || f->derived) keep(r, KT_EFIELD);
    return r->err ? NULL : f;
}

/* Whose columns stand in the record itself: the list a row belongs to, or a field that stands flat. */
static const struct kt_schema_field *flat_field(const struct kontor_record *r)
{
    uint32_t len, list = r->kind->list_field_customer;
    const struct kt_schema_field *f = kt_schema_fields(r->kind->kind, &len);
    if (r->kind->home == KT_HOME_ROW || r->kind->home == KT_HOME_KEYED)
        return kt_schema_field(list && r->record.parent_kind != KT_CASE ? list : r->kind->list_field_case);
    for (uint32_t i = 0; i < len; i++)
        if (f[i].flat) return &f[i];
    return NULL;
}

static int add_flat(struct kontor_record *r, const char *name, const char *text)
{
    struct kt_bytes n = kt_str(name), t = kt_str(text);
    if (r->columns_len == COLUMNS_MAX) return keep(r, KT_ELIMIT);
    char *name_copy = kt_arena_str(&r->arena, n), *text_copy = kt_arena_str(&r->arena, t);
    if (!name_copy || !text_copy) return keep(r, KT_ELIMIT);
    r->columns[r->columns_len++] = (struct kontor_column){name_copy, text_copy};
    return KT_OK;
}

static int change(struct kontor_record *r, const char *field, const char *text, const struct kontor_column *columns,
                  size_t n, bool removing)
{
    struct kt_bytes value;
    if (r->err) return r->err;
    const struct kt_schema_field *flat = flat_field(r);
    if (flat && text && field && kt_schema_column_named(flat, kt_str(field)) && !removing)
        return add_flat(r, field, text);
    const struct kt_schema_field *f = field_of(r, field);
    if (!f) return r->err;
    bool one = f->shape == KT_REGISTER && !f->keyed;
    if (removing && one) return keep(r, KT_ETYPE);
    int err = kt_field_value(f, text, columns, n, removing, &r->arena, &value);
    if (err) return keep(r, err);
    struct kt_record_field *e = entry(r, f->number);
    if (!e) return r->err;
    if (one) e->add_len = 0; /* said again: the last word counts */
    if (one) e->clear = false;
    append(r, removing ? &e->remove : &e->add, removing ? &e->remove_len : &e->add_len, value);
    return r->err;
}

int kontor_record_text(struct kontor_record *r, const char *field, const char *text)
{
    return text ? change(r, field, text, NULL, 0, false) : keep(r, KT_EINVAL);
}

int kontor_record_number(struct kontor_record *r, const char *field, double number)
{
    char text[40];
    if (!isfinite(number)) return keep(r, KT_ETYPE);
    snprintf(text, sizeof text, "%.17g", number);
    for (char *c = text; *c; c++)
        if (*c == ',') *c = '.'; /* some locales */
    return change(r, field, text, NULL, 0, false);
}

int kontor_record_bool(struct kontor_record *r, const char *field, bool value)
{
    return change(r, field, value ? "true" : "false", NULL, 0, false);
}

int kontor_record_ref(struct kontor_record *r, const char *field, const char *system, const char *id)
{
    char text[2 * KT_NAME_BYTES_MAX + 2];
    if (!system || !id || snprintf(text, sizeof text, "%s:%s", system, id) >= (int)sizeof text)
        return keep(r, KT_EINVAL);
    return change(r, field, text, NULL, 0, false);
}

int kontor_record_add(struct kontor_record *r, const char *field, const struct kontor_column *columns, size_t n)
{
    return change(r, field, NULL, columns, n, false);
}

int kontor_record_remove(struct kontor_record *r, const char *field, const struct kontor_column *columns, size_t n)
{
    return change(r, field, NULL, columns, n, true);
}

int kontor_record_remove_text(struct kontor_record *r, const char *field, const char *text)
{
    return text ? change(r, field, text, NULL, 0, true) : keep(r, KT_EINVAL);
}

int kontor_record_parent(struct kontor_record *r, const char *kind, const char *system, const char *id)
{
    const struct kt_schema_kind *k = kind ? kt_schema_kind_named(kt_str(kind)) : NULL;
    bool may_customer = r->kind->list_field_customer != 0,
         may_case = r->kind->list_field_case || r->kind->home == KT_HOME_PARENT;
    if (!k || !((k->kind == KT_CUSTOMER && may_customer) || (k->kind == KT_CASE && may_case)))
        return keep(r, KT_EFIELD);
    r->record.parent_kind = k->kind;
    r->record.parent_system = copy_text(r, system);
    r->record.parent_id = copy_text(r, id);
    return r->record.parent_system.len && r->record.parent_id.len ? r->err : keep(r, KT_EINVAL);
}

int kontor_record_clear(struct kontor_record *r, const char *field)
{
    const struct kt_schema_field *f = r->err ? NULL : field_of(r, field);
    if (f && (f->shape != KT_REGISTER || f->keyed)) keep(r, KT_ETYPE);
    struct kt_record_field *e = r->err ? NULL : entry(r, f->number);
    if (e) e->clear = true;
    if (e) e->add_len = 0;
    return r->err;
}

int kontor_record_delete(struct kontor_record *r)
{
    r->record.deleted = true;
    return r->err;
}

/* The columns gathered become one value of their field. */
static int seal_flat(const struct kontor_record *r, struct kt_arena *arena, struct kt_record *out)
{
    struct kontor_column all[COLUMNS_MAX + 2];
    const struct kt_schema_field *f = flat_field(r);
    bool row = r->kind->home == KT_HOME_ROW;
    size_t n = 0;
    if (!f || (!row && !r->columns_len)) return KT_OK;
    if (row && r->record.source_system.len)
        all[n++] = (struct kontor_column){"source_system", kt_arena_str(arena, r->record.source_system)};
    if (row && r->record.source_id.len)
        all[n++] = (struct kontor_column){"source_id", kt_arena_str(arena, r->record.source_id)};
    memcpy(all + n, r->columns, r->columns_len * sizeof *all);
    n += r->columns_len;
    struct kt_record_field *fields = kt_arena_array(arena, out->fields_len + 1, sizeof *fields);
    struct kt_bytes *value = kt_arena_array(arena, 1, sizeof *value);
    if (!fields || !value) return KT_ELIMIT;
    int err = composite(f, all, n, false, arena, value);
    if (err) return err;
    if (out->fields_len) memcpy(fields, out->fields, out->fields_len * sizeof *fields);
    bool gone = out->deleted && r->kind->home != KT_HOME_WARD;
    fields[out->fields_len++] = gone ? (struct kt_record_field){.field = f->number, .remove = value, .remove_len = 1}
                                     : (struct kt_record_field){.field = f->number, .add = value, .add_len = 1};
    out->fields = fields;
    return KT_OK;
}

int kt_record_get(const struct kontor_record *r, struct kt_arena *arena, struct kt_record *out)
{
    if (r->err) return r->err;
    if (r->kind->home != KT_HOME_WARD && !r->record.parent_kind) return KT_ETYPE;
    struct kt_record made = r->record;
    int err = seal_flat(r, arena, &made);
    if (!err) *out = made;
    return err;
}
