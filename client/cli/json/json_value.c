/* One JSON value to the bytes of one value (proto/schema/value.h). */
#include "client/cli/json/json_parts.h"
#include "proto/schema/fields.h"
#include "proto/limits.h"
#include "proto/schema/value.h"

#include <stdio.h>
#include <stdlib.h>

/* What a type is called when something else was given, and what to do about it. */
static const struct {
    const char *is_not, *todo;
} types[] = {
    [KT_TEXT] = {"is not text",               "give text in quotes"                         },
    [KT_CODE] = {"is not text",               "give a code in quotes"                       },
    [KT_DATE] = {"is not a date",             "give a date such as \"1980-02-29\""          },
    [KT_DATETIME] = {"is not a time",             "give a time such as \"2026-03-01T21:10:00Z\""},
    [KT_INTEGER] = {"is not a whole number",     "give a whole number without quotes"          },
    [KT_NUMBER] = {"is not a number",           "give a number without quotes"                },
    [KT_BOOLEAN] = {"is neither true nor false", "give true or false without quotes"           },
    [KT_REF] = {"is not a reference",        "give \"SYSTEM:ID\" such as \"revenue:C-1\""  },
    [KT_COMPOSITE] = {"is not an object",          "give {\"column\":value,..}"                  },
};

void kt_json_refuse(struct kt_json_put *p, int code, const char *field, const char *reason, const char *todo)
{
    if (p->err) return;
    p->err = code;
    struct kt_json_fault *f = p->fault;
    snprintf(f->field, sizeof f->field, "%s", *field ? field : "(empty)");
    snprintf(f->reason, sizeof f->reason, "%s", reason);
    snprintf(f->todo, sizeof f->todo, "%s", todo);
    for (char *c = f->field; *c; c++)
        if (*c == ':' || (unsigned char)*c < 0x20 || *c == 0x7f) *c = '_';
    for (char *c = f->reason; *c; c++)
        if (*c == ':' || (unsigned char)*c < 0x20) *c = ',';
}

static void refuse_codes(struct kt_json_put *p, const char *label, const char *const *allowed)
{
    char todo[sizeof p->fault->todo] = "use one of";
    for (size_t len = strlen(todo); *allowed && len < sizeof todo; allowed++)
        len += (size_t)snprintf(todo + len, sizeof todo - len, " %s%s", *allowed, allowed[1] ? "," : "");
    kt_json_refuse(p, KT_ETYPE, label, "is none of the codes allowed here", todo);
}

/* The text of a scalar; false: not of the type. */
static bool text_of(enum kt_type type, const json_t *v, char number[40], struct kt_bytes *out)
{
    switch (type) {
    case KT_BOOLEAN:
        *out = kt_str(json_is_true(v) ? "true" : "false");
        return json_is_boolean(v);
    case KT_INTEGER:
    case KT_NUMBER: {
        if (!(type == KT_INTEGER ? json_is_integer(v) : json_is_number(v))) return false;
        size_t len = json_dumpb(v, number, 40, JSON_ENCODE_ANY); /* never in the locale's way */
        *out = kt_bytes(number, len);
        return len && len <= 40;
    }
    default:
        *out = kt_bytes(json_string_value(v), json_string_length(v));
        return json_is_string(v);
    }
}

static struct kt_bytes scalar(struct kt_json_put *p, enum kt_type type, const char *const *allowed, const char *label,
                              const json_t *v)
{
    char number[40];
    struct kt_bytes text = {0}, out = {0};
    const char *why = "";
    if (p->err) return out;
    if (!text_of(type, v, number, &text)) {
        bool list = json_is_array(v);
        kt_json_refuse(p, KT_ETYPE, label, list ? "is a list" : types[type].is_not,
                       list ? "give one value" : types[type].todo);
        return out;
    }
    int err = kt_scalar_canonical(type, allowed, text, p->arena, &out, &why);
    if (err == KT_OK) return out;
    if (err == KT_ETYPE && text.len == 0)
        kt_json_refuse(p, err, label, why, "leave it out, or give null to clear it");
    else if (err == KT_ETYPE && allowed)
        refuse_codes(p, label, allowed);
    else
        kt_json_refuse(p, err, label, why, err == KT_ETYPE ? types[type].todo : kt_error_advice(err));
    return (struct kt_bytes){0};
}

static void label_of(char out[96], const char *field, const char *column)
{
    snprintf(out, 96, "%s%s%s", field, *field ? "." : "", column);
}

/* Where a column stands in an object: "period.start" is start in period. */
static const json_t *at_path(const json_t *object, const char *name)
{
    const char *dot = strchr(name, '.');
    if (!dot) return json_object_get(object, name);
    char outer[32];
    snprintf(outer, sizeof outer, "%.*s", (int)(dot - name), name);
    return json_object_get(json_object_get(object, outer), dot + 1);
}

static bool is_column(const struct kt_schema_field *f, const char *outer, const char *key, bool *nests)
{
    size_t before = outer ? strlen(outer) : 0, len = strlen(key);
    for (const struct kt_schema_column *c = f->columns; c->number; c++) {
        const char *name = c->name;
        if (outer) {
            if (strncmp(name, outer, before) != 0 || name[before] != '.') continue;
            name += before + 1;
        }
        if (strncmp(name, key, len) != 0 || (name[len] != 0 && name[len] != '.')) continue;
        *nests = name[len] == '.';
        return true;
    }
    return false;
}

static bool listed(const char *const *names, const char *key)
{
    for (; names && *names; names++)
        if (strcmp(*names, key) == 0) return true;
    return false;
}

/* Every key must be known: what a writer means is not guessed, and nothing is dropped in silence. */
static void check_keys(struct kt_json_put *p, const struct kt_schema_field *f, const json_t *object, const char *outer,
                       const char *const *taken, const char *label)
{
    const char *key;
    json_t *v;
    char at[96];
    json_object_foreach((json_t *)object, key, v)
    {
        bool nests = false;
        if (listed(taken, key)) continue;
        label_of(at, label, key);
        if (!is_column(f, outer, key, &nests)) {
            kt_json_refuse(p, KT_EFIELD, at, "no such field", kt_error_advice(KT_EFIELD));
        } else if (nests && !json_is_null(v)) {
            if (json_is_object(v))
                check_keys(p, f, v, key, NULL, at);
            else
                kt_json_refuse(p, KT_ETYPE, at, types[KT_COMPOSITE].is_not, types[KT_COMPOSITE].todo);
        }
    }
}

static bool says_something(const json_t *v)
{
    return v && !json_is_null(v) && !(json_is_string(v) && json_string_length(v) == 0) &&
           !(json_is_array(v) && json_array_size(v) == 0);
}

static uint32_t put_column(struct kt_json_put *p, const struct kt_schema_column *c, const char *label, const json_t *v,
                           struct kt_buf *out)
{
    if (!c->repeated || !json_is_array(v)) {
        kt_buf_pb_bytes(out, c->number, scalar(p, c->type, c->allowed, label, v));
        return 1;
    }
    size_t i;
    json_t *one;
    uint32_t n = 0;
    json_array_foreach((json_t *)v, i, one)
    {
        if (!says_something(one)) continue;
        kt_buf_pb_bytes(out, c->number, scalar(p, c->type, c->allowed, label, one));
        n++;
    }
    return n;
}

/* Is a value of this field nothing without this column? */
static bool required(const struct kt_schema_field *f, const struct kt_schema_column *c, bool naming)
{
    if (c->type == KT_REF) return true;
    if (c->identifying) return f->keyed || f->index != KT_INDEX_NONE;
    if (naming || f->rule != KT_STRICTEST) return false;
    const struct kt_schema_column *deciding = f->columns;
    while (deciding->number && !deciding->allowed) deciding++;
    return c == deciding;
}

static const char *name_of(const char *label, const struct kt_schema_field *f) { return *label ? label : f->name; }

struct kt_bytes kt_json_encode_columns(struct kt_json_put *p, const struct kt_schema_field *f, const json_t *object,
                                       const char *const *taken, const char *label, bool naming)
{
    struct kt_buf b;
    struct kt_bytes out = {0};
    uint32_t n = 0, identifying = 0, identified = 0;
    char at[96];

    check_keys(p, f, object, NULL, taken, label);
    kt_buf_init(&b, KT_VALUE_BYTES_MAX);
    for (const struct kt_schema_column *c = f->columns; c->number && !p->err; c++) {
        const json_t *v = at_path(object, c->name);
        label_of(at, label, c->name);
        uint32_t added = says_something(v) ? put_column(p, c, at, v, &b) : 0;
        if (!added && required(f, c, naming)) kt_json_refuse(p, KT_ETYPE, at, "is missing", "give it");
        identifying += c->identifying;
        identified += c->identifying && added;
        n += added && (naming || f->shape != KT_LIST || c->number > KT_C_ROW_SOURCE_ID);
    }
    if (n == 0)
        kt_json_refuse(p, KT_ETYPE, name_of(label, f), "holds nothing", "give at least one of its columns");
    else if (f->shape == KT_SET && identifying && !identified)
        kt_json_refuse(p, KT_ETYPE, name_of(label, f), "has nothing to know it by",
                       "give a column that tells it from others");
    if (b.err)
        kt_json_refuse(p, KT_EOVERSIZE, name_of(label, f), "is longer than 32768 bytes", kt_error_advice(KT_EOVERSIZE));
    if (!p->err) {
        out = kt_arena_copy(p->arena, kt_buf_bytes(&b));
        if (!out.data)
            kt_json_refuse(p, KT_ELIMIT, name_of(label, f), "does not fit into memory", kt_error_advice(KT_ELIMIT));
    }
    kt_buf_free(&b);
    return out;
}

/* The column that a composite is when given as text alone. */
static const char *text_column(const struct kt_schema_field *f)
{
    const struct kt_schema_column *c = kt_schema_column_named(f, kt_str("text"));
    return c ? c->name : NULL;
}

struct kt_bytes kt_json_encode(struct kt_json_put *p, const struct kt_schema_field *f, const json_t *v, bool naming)
{
    if (f->type != KT_COMPOSITE) return scalar(p, f->type, f->allowed, f->name, v);
    if (json_is_object(v)) return kt_json_encode_columns(p, f, v, NULL, f->name, naming);
    struct kt_bytes out = {0};
    const char *column = text_column(f);
    if (!column || !json_is_string(v)) {
        bool list = json_is_array(v);
        kt_json_refuse(p, KT_ETYPE, f->name, list ? "is a list" : types[KT_COMPOSITE].is_not,
                       list ? "give one value" : types[KT_COMPOSITE].todo);
        return out;
    }
    json_t *object = json_pack("{s:O}", column, v);
    if (object)
        out = kt_json_encode_columns(p, f, object, NULL, f->name, naming);
    else
        kt_json_refuse(p, KT_ENOMEM, f->name, "does not fit into memory", kt_error_advice(KT_ENOMEM));
    json_decref(object);
    return out;
}

struct kt_bytes kt_json_name(struct kt_json_put *p, const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    if (!v || json_is_null(v)) return (struct kt_bytes){0};
    return scalar(p, KT_CODE, NULL, key, v);
}

void kt_json_ref(struct kt_json_put *p, const json_t *v, const char *key, struct kt_bytes *system, struct kt_bytes *id)
{
    struct kt_bytes text = scalar(p, KT_REF, NULL, key, v);
    if (p->err) return;
    size_t len = (size_t)((const uint8_t *)memchr(text.data, ':', text.len) - text.data);
    *system = kt_bytes(text.data, len);
    *id = kt_bytes(text.data + len + 1, text.len - len - 1);
}
