/* One line of `put` as a record. */
#include "client/cli/json/json_parts.h"
#include "proto/schema/fields.h"
#include "proto/limits.h"

#include <stdio.h>

/* A record on its way. */
struct line {
    struct kt_json_put p;
    const json_t *json;
    const struct kt_schema_kind *kind;
    struct kt_record *out;
};

static const char *const taken_always[] = {"entity", "source_system", "source_id", "deleted", "remove", NULL};
static const char *const taken_by_rows[] = {"entity", "deleted", "case", "customer", NULL};
static const char *const taken_by_keyed[] = {"entity", "source_system", "source_id", "deleted", "customer", NULL};

static bool listed(const char *const *names, const char *key)
{
    for (; *names; names++)
        if (strcmp(*names, key) == 0) return true;
    return false;
}

static void out_of_memory(struct line *l, const char *field)
{
    kt_json_refuse(&l->p, KT_ELIMIT, field, "does not fit into memory", kt_error_advice(KT_ELIMIT));
}

static void read_kind(struct line *l)
{
    const json_t *v = json_object_get(l->json, "entity");
    char todo[320] = "use one of";
    if (v && json_is_string(v)) l->kind = kt_schema_kind_named(kt_bytes(json_string_value(v), json_string_length(v)));
    if (l->kind) {
        l->out->kind = l->kind->kind;
        return;
    }
    for (uint32_t k = 1; k < KT_KIND_COUNT; k++) {
        size_t len = strlen(todo);
        snprintf(todo + len, sizeof todo - len, " %s%s", kt_schema_kind(k)->name, k + 1 < KT_KIND_COUNT ? "," : "");
    }
    kt_json_refuse(&l->p, KT_EFIELD, "entity", v ? "no such entity" : "is missing", todo);
}

static void read_source(struct line *l)
{
    struct kt_record *r = l->out;
    r->source_system = kt_json_name(&l->p, l->json, "source_system");
    r->source_id = kt_json_name(&l->p, l->json, "source_id");
    bool system_needed = l->kind->needs_source || l->kind->home == KT_HOME_ROW || r->source_id.len;
    if (system_needed && !r->source_system.len)
        kt_json_refuse(&l->p, KT_ETYPE, "source_system", "is missing", "name the system this record comes from");
    /* a case that nobody numbered gets its number from the node */
    const bool numbered = l->kind->kind == KT_CASE && !json_is_true(json_object_get(l->json, "deleted"));
    if (l->kind->needs_source && !numbered && !r->source_id.len)
        kt_json_refuse(&l->p, KT_ETYPE, "source_id", "is missing", "name the record as its system does");
    if (r->source_system.len && memchr(r->source_system.data, ':', r->source_system.len))
        kt_json_refuse(&l->p, KT_ETYPE, "source_system", "holds a colon", "use a name without one");
}

static void read_deleted(struct line *l)
{
    const json_t *v = json_object_get(l->json, "deleted");
    if (v && !json_is_boolean(v) && !json_is_null(v))
        kt_json_refuse(&l->p, KT_ETYPE, "deleted", "is neither true nor false", "give true to delete, or leave it out");
    l->out->deleted = json_is_true(v);
}

/* Rows and sub-entities say what they belong to: {"case":"311:SR-1"} or {"customer":"revenue:C-1"}. */
static void read_parent(struct line *l)
{
    struct kt_record *r = l->out;
    const json_t *in_case = json_object_get(l->json, "case"), *in_customer = json_object_get(l->json, "customer");
    bool may_case = l->kind->home == KT_HOME_PARENT || l->kind->list_field_case;
    bool may_customer = l->kind->list_field_customer != 0;
    if (l->kind->home == KT_HOME_WARD) return;
    if (in_case && in_customer && may_case && may_customer) {
        kt_json_refuse(&l->p, KT_EFIELD, "customer", "stands beside a case",
                       "name one of them, the case where there is one");
    } else if (in_case && may_case) {
        r->parent_kind = KT_CASE;
        kt_json_ref(&l->p, in_case, "case", &r->parent_system, &r->parent_id);
    } else if (in_customer && may_customer) {
        r->parent_kind = KT_CUSTOMER;
        kt_json_ref(&l->p, in_customer, "customer", &r->parent_system, &r->parent_id);
    } else {
        kt_json_refuse(&l->p, KT_EFIELD, may_case ? "case" : "customer", "is missing",
                       "name what it belongs to, as \"SYSTEM:ID\"");
    }
}

/* The record's entry for a field; made on first use. */
static struct kt_record_field *entry(struct line *l, uint32_t number)
{
    struct kt_record *r = l->out;
    for (uint32_t i = 0; i < r->fields_len; i++)
        if (r->fields[i].field == number) return &r->fields[i];
    r->fields[r->fields_len] = (struct kt_record_field){.field = number};
    return &r->fields[r->fields_len++];
}

/* A row that names its record, and not its system, comes from the system of the line. */
static struct kt_bytes encode_row(struct line *l, const struct kt_schema_field *f, const json_t *v, bool naming)
{
    struct kt_bytes system = l->out->source_system;
    if (f->shape != KT_LIST || !json_object_get(v, "source_id") || json_object_get(v, "source_system") || !system.len)
        return kt_json_encode(&l->p, f, v, naming);
    json_t *full = json_copy((json_t *)v);
    struct kt_bytes out = {0};
    if (!full || json_object_set_new(full, "source_system", json_stringn((const char *)system.data, system.len)))
        out_of_memory(l, f->name);
    else
        out = kt_json_encode(&l->p, f, full, naming);
    json_decref(full);
    return out;
}

static void read_elements(struct line *l, const struct kt_schema_field *f, const json_t *v, bool removing)
{
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    if (n == 0) return;
    struct kt_bytes *elements = kt_arena_array(l->p.arena, n, sizeof *elements);
    if (!elements) {
        out_of_memory(l, f->name);
        return;
    }
    for (size_t i = 0; i < n && !l->p.err; i++)
        elements[i] = encode_row(l, f, json_is_array(v) ? json_array_get(v, i) : v, removing);
    struct kt_record_field *e = entry(l, f->number);
    if (removing ? e->remove_len : e->add_len)
        kt_json_refuse(&l->p, KT_EFIELD, f->name, "is given twice", "put all its elements under one name");
    if (removing) {
        e->remove = elements;
        e->remove_len = (uint32_t)n;
    } else {
        e->add = elements;
        e->add_len = (uint32_t)n;
    }
}

static void read_field(struct line *l, const struct kt_schema_field *f, const json_t *v)
{
    bool many = f->shape != KT_REGISTER || f->keyed;
    if (f->derived) {
        kt_json_refuse(&l->p, KT_EFIELD, f->name, "is kept by Kontor itself", "leave it out");
    } else if (json_is_null(v) && many) {
        kt_json_refuse(&l->p, KT_ETYPE, f->name, "cannot be cleared as a whole", "name what is to go under \"remove\"");
    } else if (json_is_null(v)) {
        entry(l, f->number)->clear = true;
    } else if (many) {
        read_elements(l, f, v, false);
    } else {
        struct kt_bytes *value = kt_arena_array(l->p.arena, 1, sizeof *value);
        if (!value) {
            out_of_memory(l, f->name);
            return;
        }
        *value = kt_json_encode(&l->p, f, v, false);
        struct kt_record_field *e = entry(l, f->number);
        e->add = value;
        e->add_len = 1;
    }
}

/* Lists may be named in the singular, as sets are ("event" for "events"). */
static const struct kt_schema_field *field_named(uint32_t kind, const char *key)
{
    char plural[64];
    const struct kt_schema_field *f = kt_schema_field_named(kind, kt_str(key));
    if (f || snprintf(plural, sizeof plural, "%ss", key) >= (int)sizeof plural) return f;
    f = kt_schema_field_named(kind, kt_str(plural));
    return f && f->shape == KT_LIST ? f : NULL;
}

static const struct kt_schema_field *flat_field(uint32_t kind)
{
    uint32_t len;
    const struct kt_schema_field *f = kt_schema_fields(kind, &len);
    for (uint32_t i = 0; i < len; i++)
        if (f[i].flat) return &f[i];
    return NULL;
}

/* The columns of a flat field among an entity's own keys, as an object; a new reference. */
static json_t *take_flat(struct line *l, const struct kt_schema_field *f)
{
    json_t *columns = json_object();
    for (const struct kt_schema_column *c = f->columns; columns && c->number; c++) {
        json_t *v = json_object_get(l->json, c->name);
        if (v && json_object_set(columns, c->name, v)) out_of_memory(l, c->name);
    }
    if (!columns) out_of_memory(l, f->name);
    return columns;
}

static void read_flat(struct line *l, const struct kt_schema_field *f)
{
    json_t *columns = take_flat(l, f);
    if (!l->p.err && json_object_size(columns)) {
        struct kt_bytes *value = kt_arena_array(l->p.arena, 1, sizeof *value);
        struct kt_record_field *e = entry(l, f->number);
        if (json_is_null(json_object_get(columns, f->name))) {
            e->clear = true;
        } else if (value) {
            *value = kt_json_encode_columns(&l->p, f, columns, NULL, "", false);
            e->add = value;
            e->add_len = 1;
        } else {
            out_of_memory(l, f->name);
        }
    }
    json_decref(columns);
}

static void read_remove(struct line *l)
{
    const json_t *remove = json_object_get(l->json, "remove");
    const char *key;
    json_t *v;
    if (!remove || json_is_null(remove)) return;
    if (!json_is_object(remove))
        kt_json_refuse(&l->p, KT_ETYPE, "remove", "is not an object", "give {\"field\":[elements]}");
    json_object_foreach((json_t *)remove, key, v)
    {
        const struct kt_schema_field *f = field_named(l->kind->kind, key);
        if (l->p.err) return;
        if (!f)
            kt_json_refuse(&l->p, KT_EFIELD, key, "no such field", kt_error_advice(KT_EFIELD));
        else if (f->derived)
            kt_json_refuse(&l->p, KT_EFIELD, f->name, "is kept by Kontor itself", "leave it out");
        else if (f->shape == KT_REGISTER && !f->keyed)
            kt_json_refuse(&l->p, KT_ETYPE, f->name, "has no elements to remove", "give null as its value to clear it");
        else if (json_is_null(v))
            kt_json_refuse(&l->p, KT_ETYPE, f->name, "names nothing to remove", "give the elements to take out");
        else
            read_elements(l, f, v, true);
    }
}

/* Wards and sub-entities: every key is a field, but for those that say who and what. */
static void read_entity(struct line *l)
{
    const struct kt_schema_field *flat = flat_field(l->kind->kind);
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)l->json, key, v)
    {
        if (l->p.err) return;
        if (listed(taken_always, key) || (l->kind->home == KT_HOME_PARENT && strcmp(key, "case") == 0)) continue;
        if (flat && kt_schema_column_named(flat, kt_str(key))) continue;
        const struct kt_schema_field *f = field_named(l->kind->kind, key);
        if (f)
            read_field(l, f, v);
        else
            kt_json_refuse(&l->p, KT_EFIELD, key, "no such field", kt_error_advice(KT_EFIELD));
    }
    if (flat) read_flat(l, flat);
    read_remove(l);
}

/* Rows and keyed registers: every key is a column of the parent's field. */
static void read_row(struct line *l)
{
    bool in_case = l->out->parent_kind == KT_CASE, keyed = l->kind->home == KT_HOME_KEYED;
    const struct kt_schema_field *f =
        kt_schema_field(in_case ? l->kind->list_field_case : l->kind->list_field_customer);
    struct kt_bytes *value = kt_arena_array(l->p.arena, 1, sizeof *value);
    if (l->p.err) return;
    if (!value) {
        out_of_memory(l, f->name);
        return;
    }
    bool gone = l->out->deleted;
    if (gone && !keyed && !l->out->source_id.len)
        kt_json_refuse(&l->p, KT_ETYPE, "source_id", "is missing", "name the record that is to be deleted");
    *value = kt_json_encode_columns(&l->p, f, l->json, keyed ? taken_by_keyed : taken_by_rows, "", gone);
    struct kt_record_field *e = entry(l, f->number);
    if (gone) {
        e->remove = value;
        e->remove_len = 1;
    } else {
        e->add = value;
        e->add_len = 1;
    }
}

/* Kinds without a source record are named by what the schema calls their earliest: references and type. */
static void check_named(struct line *l)
{
    uint32_t len;
    const struct kt_schema_field *f = kt_schema_fields(l->kind->kind, &len);
    for (uint32_t i = 0; i < len; i++) {
        if (l->kind->needs_source || f[i].rule != KT_EARLIEST || f[i].derived) continue;
        const json_t *v = json_object_get(l->json, f[i].name);
        if (!v || json_is_null(v))
            kt_json_refuse(&l->p, KT_ETYPE, f[i].name, "is missing", "it says which record is meant");
    }
}

static void check_size(struct line *l)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < l->out->fields_len; i++) {
        const struct kt_record_field *f = &l->out->fields[i];
        for (uint32_t j = 0; j < f->add_len; j++) bytes += f->add[j].len + 8;
        for (uint32_t j = 0; j < f->remove_len; j++) bytes += f->remove[j].len + 8;
    }
    if (bytes > KT_RECORD_BYTES_MAX)
        kt_json_refuse(&l->p, KT_EOVERSIZE, l->kind->name, "is longer than 98304 bytes in all",
                       "put it in several lines");
}

int kt_json_record_of(const json_t *json, uint32_t number, struct kt_arena *arena, struct kt_record *out,
                      struct kt_json_fault *fault)
{
    struct kt_record r = {.line = number};
    struct line l = {
        .p = {.arena = arena, .fault = fault},
          .json = json, .out = &r
    };
    const json_t *remove = json_object_get(json, "remove");
    /* no entry without a key, or the flat field */
    r.fields = kt_arena_array(arena, json_object_size(json) + json_object_size(remove) + 1, sizeof *r.fields);
    if (!r.fields) out_of_memory(&l, "line");
    if (!json_is_object(json)) kt_json_refuse(&l.p, KT_ETYPE, "line", "is not a JSON object", "give {\"entity\":..}");
    if (!l.p.err) read_kind(&l);
    if (!l.p.err) read_source(&l);
    if (!l.p.err) read_deleted(&l);
    if (!l.p.err) read_parent(&l);
    if (!l.p.err) check_named(&l);
    if (!l.p.err && (l.kind->home == KT_HOME_ROW || l.kind->home == KT_HOME_KEYED))
        read_row(&l);
    else if (!l.p.err)
        read_entity(&l);
    if (!l.p.err) check_size(&l);
    if (l.p.err) return l.p.err;
    *out = r;
    return KT_OK;
}

/* What the parser did not like, with the place. */
static int refuse_text(struct kt_json_fault *fault, const json_error_t *e)
{
    struct kt_json_put p = {.fault = fault};
    char reason[sizeof fault->reason];
    bool utf8 = json_error_code(e) == json_error_invalid_utf8;
    if (utf8)
        snprintf(reason, sizeof reason, "is not UTF-8 at byte %d", e->position + 1);
    else
        snprintf(reason, sizeof reason, "is not JSON at byte %d", e->position + 1);
    kt_json_refuse(&p, utf8 ? KT_EUTF8 : KT_EMALFORMED, "line", reason,
                   utf8 ? kt_error_advice(KT_EUTF8) : "give one JSON object on one line");
    return p.err;
}

int kt_json_record(struct kt_bytes line, uint32_t number, struct kt_arena *arena, struct kt_record *out,
                   struct kt_json_fault *fault)
{
    json_error_t e;
    if (line.len > KT_REQUEST_BYTES_MAX) {
        struct kt_json_put p = {.fault = fault};
        kt_json_refuse(&p, KT_EOVERSIZE, "line", "is longer than 1048576 bytes", "put it in several lines");
        return p.err;
    }
    json_t *json = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!json) return refuse_text(fault, &e);
    int err = kt_json_record_of(json, number, arena, out, fault);
    json_decref(json);
    return err;
}

int kt_json_value(const struct kt_schema_field *f, struct kt_bytes text, struct kt_arena *arena, struct kt_bytes *value,
                  bool *clear, struct kt_json_fault *fault)
{
    json_error_t e;
    struct kt_json_put p = {.arena = arena, .fault = fault};
    json_t *json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!json) return refuse_text(fault, &e);
    struct kt_bytes made = {0};
    if (!json_is_null(json)) made = kt_json_encode(&p, f, json, false);
    if (!p.err) {
        *clear = json_is_null(json);
        *value = made;
    }
    json_decref(json);
    return p.err;
}
