/* Views and answers as JSON. */
#include "client/cli/json/json.h"
#include "proto/schema/datetime.h"
#include "proto/schema/fields.h"
#include "proto/schema/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sets a key, taking the value over; NULL values (no memory) and failures are kept in *failed. */
static void set(json_t *object, const char *key, json_t *value, bool *failed)
{
    if (json_object_set_new(object, key, value)) *failed = true;
}

static void append(json_t *array, json_t *value, bool *failed)
{
    if (json_array_append_new(array, value)) *failed = true;
}

static json_t *done(json_t *j, bool failed)
{
    if (!failed) return j;
    json_decref(j);
    return NULL;
}

/* Text as it is; what is not UTF-8 (a faulty writer's) is shown as one replacement character. */
static json_t *text(struct kt_bytes b)
{
    json_t *j = json_stringn(b.len ? (const char *)b.data : "", b.len);
    return j ? j : json_string("\xef\xbf\xbd");
}

static json_t *time_of(kt_hlc t, bool fraction)
{
    char at[KT_DATETIME_CHARS_MAX];
    kt_datetime_of_ms(kt_hlc_ms(t), fraction, at);
    return json_string(at);
}

static json_t *hex(const void *bytes, size_t len)
{
    char out[2 * 32 + 1];
    kt_hex(kt_bytes(bytes, len), out);
    return json_string(out);
}

static const struct kt_shown_entity *find(const struct kt_shown_entity *e, uint32_t n, const struct kt_entity_id *id)
{
    for (uint32_t i = 0; i < n; i++)
        if (memcmp(&e[i].id, id, sizeof *id) == 0 && e[i].source_id.len) return &e[i];
    return NULL;
}

static json_t *name_of_source(const struct kt_shown_entity *e)
{
    char joined[2 * 256 + 2];
    int len = snprintf(joined, sizeof joined, "%.*s:%.*s", (int)e->source_system.len,
                       (const char *)e->source_system.data, (int)e->source_id.len, (const char *)e->source_id.data);
    return len < (int)sizeof joined ? text(kt_bytes(joined, (size_t)len)) : text(e->source_id);
}

/* "revenue:C-1" where the record is in the view, else "customer:HEX". */
static json_t *ref_of(const struct kt_view *v, uint32_t kind, const struct kt_entity_id *id)
{
    const struct kt_shown_entity *e = NULL;
    if (v) e = find(v->sources, v->sources_len, id);
    if (v && !e) e = find(v->cases, v->cases_len, id);
    if (v && !e) e = find(v->licences, v->licences_len, id);
    if (v && !e) e = find(v->others, v->others_len, id);
    if (e) return name_of_source(e);
    char digits[2 * KT_ENTITY_ID_BYTES + 1], out[64];
    const struct kt_schema_kind *k = kt_schema_kind(kind);
    kt_hex(kt_bytes(id, sizeof *id), digits);
    snprintf(out, sizeof out, "%s:%s", k ? k->name : "record", digits);
    return json_string(out);
}

static json_t *number(struct kt_bytes value)
{
    char digits[64];
    if (value.len >= sizeof digits) return text(value);
    memcpy(digits, value.data, value.len);
    digits[value.len] = 0;
    json_t *j = json_loads(digits, JSON_DECODE_ANY, NULL); /* reads numbers the same in every locale */
    return json_is_number(j) ? j : (json_decref(j), text(value));
}

static json_t *scalar(enum kt_type type, uint32_t ref_kind, struct kt_bytes value, const struct kt_view *view)
{
    struct kt_entity_id id;
    switch (type) {
    case KT_INTEGER:
    case KT_NUMBER:
        return number(value);
    case KT_BOOLEAN:
        return json_boolean(kt_bytes_equal(value, kt_str("true")));
    case KT_REF:
        if (value.len != sizeof id) return text(value);
        memcpy(&id, value.data, sizeof id);
        return ref_of(view, ref_kind, &id);
    default:
        return text(value);
    }
}

/* The object a column stands in, and its name there: "period.start" is start in period. */
static json_t *place_of(json_t *object, const char **name, bool *failed)
{
    const char *dot = strchr(*name, '.');
    if (!dot) return object;
    char outer[32];
    snprintf(outer, sizeof outer, "%.*s", (int)(dot - *name), *name);
    if (!json_object_get(object, outer)) set(object, outer, json_object(), failed);
    *name = dot + 1;
    return json_object_get(object, outer);
}

static void set_columns(json_t *object, const struct kt_schema_field *f, struct kt_bytes value,
                        const struct kt_view *view, bool *failed)
{
    for (const struct kt_schema_column *c = f->columns; c && c->number; c++) {
        struct kt_reader at = {0};
        struct kt_bytes one;
        json_t *many = NULL;
        const char *name = c->name;
        while (kt_value_column_next(value, c->number, &at, &one)) {
            json_t *j = scalar(c->type, c->ref_kind, one, view);
            if (!c->repeated) {
                json_t *place = place_of(object, &name, failed);
                set(place, name, j, failed);
                break;
            }
            if (!many) {
                many = json_array();
                set(object, c->name, many, failed);
            }
            append(many, j, failed);
        }
    }
}

json_t *kt_json_of_value(const struct kt_schema_field *f, struct kt_bytes value, const struct kt_view *view)
{
    if (f->type != KT_COMPOSITE) return scalar(f->type, f->ref_kind, value, view);
    bool failed = false;
    json_t *object = json_object();
    set_columns(object, f, value, view, &failed);
    return done(object, failed);
}

/* The node's own clockwork of an entity is shown once, as times. */
static bool shown_apart(const struct kt_shown *s)
{
    uint32_t n = s->field->number & 0xff;
    return n == KT_N_CREATED || (n == KT_N_DELETED && !kt_bytes_equal(s->value, kt_str("true")));
}

static void set_fields(json_t *object, const struct kt_shown_entity *e, const struct kt_view *view, bool *failed)
{
    for (uint32_t i = 0; i < e->shown_len; i++) {
        const struct kt_shown *s = &e->shown[i];
        if (shown_apart(s)) continue;
        if (s->field->flat) {
            set_columns(object, s->field, s->value, view, failed);
        } else if (s->field->shape == KT_REGISTER && !s->field->keyed) {
            set(object, s->field->name, kt_json_of_value(s->field, s->value, view), failed);
        } else {
            json_t *array = json_object_get(object, s->field->name);
            if (!array) {
                array = json_array();
                set(object, s->field->name, array, failed);
            }
            append(array, kt_json_of_value(s->field, s->value, view), failed);
        }
    }
}

static json_t *created_of(const struct kt_shown_entity *e)
{
    for (uint32_t i = 0; i < e->shown_len; i++)
        if ((e->shown[i].field->number & 0xff) == KT_N_CREATED) return text(e->shown[i].value);
    return time_of(e->created, false);
}

/* What all entities end with: when, and how many rows there are of lists that are cut short. */
static void set_end(json_t *object, const struct kt_shown_entity *e, bool *failed)
{
    set(object, "created", created_of(e), failed);
    set(object, "modified", time_of(e->modified, false), failed);
    if (e->counts_len == 0) return;
    json_t *counts = json_object();
    for (uint32_t i = 0; i < e->counts_len; i++) {
        const struct kt_schema_field *f = kt_schema_field(e->counts[i].field);
        if (f) set(counts, f->name, json_integer((json_int_t)e->counts[i].rows), failed);
    }
    set(object, "rows_in_all", counts, failed);
}

static json_t *entity(const struct kt_shown_entity *e, const struct kt_view *view, bool *failed)
{
    json_t *object = json_object();
    set(object, "id", hex(&e->id, sizeof e->id), failed);
    if (e->source_id.len) set(object, "source", name_of_source(e), failed);
    set_fields(object, e, view, failed);
    set_end(object, e, failed);
    return object;
}

/* Others of one kind and parent (NULL: any), as an array. */
static json_t *others(const struct kt_view *v, uint32_t kind, const struct kt_entity_id *parent, bool *failed)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < v->others_len; i++) {
        const struct kt_shown_entity *e = &v->others[i];
        if (e->kind == kind && (!parent || memcmp(&e->parent, parent, sizeof *parent) == 0))
            append(array, entity(e, v, failed), failed);
    }
    return array;
}

static void set_others(json_t *object, const struct kt_view *v, uint32_t kind, const struct kt_entity_id *parent,
                       bool *failed)
{
    json_t *array = others(v, kind, parent, failed);
    if (json_array_size(array))
        set(object, kt_schema_kind(kind)->plural, array, failed);
    else
        json_decref(array);
}

static json_t *customer(const struct kt_view *v, bool *failed)
{
    if (!v->has_customer) return json_null();
    json_t *object = json_object(), *sources = json_array();
    set(object, "id", hex(&v->display_id, sizeof v->display_id), failed);
    for (uint32_t i = 0; i < v->sources_len; i++) append(sources, ref_of(v, KT_CUSTOMER, &v->sources[i].id), failed);
    set(object, "sources", sources, failed);
    set_fields(object, &v->customer, v, failed);
    set_others(object, v, KT_RELATIONSHIP, NULL, failed);
    set_end(object, &v->customer, failed);
    return object;
}

static json_t *cases(const struct kt_view *v, bool *failed)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < v->cases_len; i++) {
        json_t *one = entity(&v->cases[i], v, failed);
        if (!json_object_get(one, "interactions")) set(one, "interactions", json_array(), failed);
        set_others(one, v, KT_TASK, &v->cases[i].id, failed);
        append(array, one, failed);
    }
    return array;
}

static json_t *licences(const struct kt_view *v, bool *failed)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < v->licences_len; i++) {
        json_t *one = entity(&v->licences[i], v, failed);
        if (!json_object_get(one, "events")) set(one, "events", json_array(), failed);
        append(array, one, failed);
    }
    return array;
}

static json_t *conflicts(const struct kt_view *v, bool *failed)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < v->conflicts_len; i++) {
        const struct kt_view_conflict *c = &v->conflicts[i];
        const struct kt_schema_field *f = kt_schema_field(c->field);
        json_t *one = json_object();
        set(one, "id", hex(c->id, sizeof c->id), failed);
        set(one, "field", json_string(f ? f->name : "unknown"), failed);
        set(one, "ref", ref_of(v, kt_field_kind(c->field), &c->entity), failed);
        append(array, one, failed);
    }
    return array;
}

/* Verdicts that part what others join: links stand in a view for nothing else. */
static json_t *contradictions(const struct kt_view *v, bool *failed)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < v->others_len; i++) {
        const struct kt_shown_entity *e = &v->others[i];
        if (e->kind != KT_IDENTITY_LINK) continue;
        json_t *one = json_object();
        for (uint32_t k = 0; k < e->shown_len; k++) {
            const struct kt_shown *s = &e->shown[k];
            if (s->field->number == KT_F_IDENTITY_LINK_A || s->field->number == KT_F_IDENTITY_LINK_B)
                set(one, s->field->name, kt_json_of_value(s->field, s->value, v), failed);
            if (s->field->number == KT_F_IDENTITY_LINK_VERDICT) set_columns(one, s->field, s->value, v, failed);
        }
        append(array, one, failed);
    }
    return array;
}

json_t *kt_json_view(const struct kt_view *view, const struct kt_reply *reply)
{
    bool failed = false;
    json_t *object = json_object(), *withheld = json_array();
    set(object, "customer", customer(view, &failed), &failed);
    set(object, "cases", cases(view, &failed), &failed);
    set(object, "cases_in_all", json_integer((json_int_t)view->cases_in_all), &failed);
    set(object, "licences", licences(view, &failed), &failed);
    set(object, "conflicts", conflicts(view, &failed), &failed);
    set(object, "contradictions", contradictions(view, &failed), &failed);
    for (uint32_t i = 0; i < reply->lookup.withheld_len; i++)
        append(withheld, text(reply->lookup.withheld[i]), &failed);
    set(object, "withheld", withheld, &failed);
    set(object, "basis", reply->lookup.basis.len ? text(reply->lookup.basis) : json_null(), &failed);
    set(object, "freshness", kt_json_freshness(reply), &failed);
    return done(object, failed);
}

json_t *kt_json_freshness(const struct kt_reply *reply)
{
    bool failed = false, known = true;
    uint64_t worst_ms = 0, now_ms = reply->lookup.now_ms;
    json_t *object = json_object(), *offices = json_object();
    for (uint32_t i = 0; i < reply->lookup.offices_len; i++) {
        const struct kt_office_freshness *o = &reply->lookup.offices[i];
        char name[64], at[KT_DATETIME_CHARS_MAX];
        uint64_t through_ms = o->complete_through_ms, age_ms = now_ms > through_ms ? now_ms - through_ms : 0;
        kt_datetime_of_ms(through_ms, true, at);
        known = known && o->known;
        if (o->known && age_ms > worst_ms) worst_ms = age_ms;
        snprintf(name, sizeof name, "%.*s", (int)o->office.len, (const char *)o->office.data);
        set(offices, name, json_pack("{s:o}", "complete_through", o->known ? json_string(at) : json_null()), &failed);
    }
    set(object, "worst_age_s", known ? json_real((double)worst_ms / 1000) : json_null(), &failed);
    set(object, "offices", offices, &failed);
    return done(object, failed);
}
