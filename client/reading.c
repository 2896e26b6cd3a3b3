/* Reading a view, value by value. */
#include "client/reading.h"

#include "proto/schema/value.h"

#include <stdio.h>

const char *kt_text(struct kt_texts *t, struct kt_bytes b)
{
    const char *text = b.len ? kt_arena_str(t->arena, b) : NULL;
    return text ? text : "";
}

static const char *source_text(struct kt_texts *t, const struct kt_shown_entity *e)
{
    char joined[2 * KT_NAME_BYTES_MAX + 2];
    if (!e->source_id.len) return "";
    int len = snprintf(joined, sizeof joined, "%.*s:%.*s", (int)e->source_system.len,
                       (const char *)e->source_system.data, (int)e->source_id.len, (const char *)e->source_id.data);
    return kt_text(t, kt_bytes(joined, len < (int)sizeof joined ? (size_t)len : sizeof joined - 1));
}

const char *kt_ref_text(struct kt_texts *t, uint32_t kind, struct kt_bytes id)
{
    const struct kt_view *v = t->view;
    const struct {
        const struct kt_shown_entity *e;
        uint32_t n;
    } groups[] = {
        {v ? v->sources : NULL,  v ? v->sources_len : 0 },
        {v ? v->cases : NULL,    v ? v->cases_len : 0   },
        {v ? v->licences : NULL, v ? v->licences_len : 0},
        {v ? v->others : NULL,   v ? v->others_len : 0  },
    };
    char digits[2 * KT_ENTITY_ID_BYTES + 1], text[96];
    const struct kt_schema_kind *k = kt_schema_kind(kind);
    if (id.len != KT_ENTITY_ID_BYTES) return kt_text(t, id);
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (uint32_t i = 0; i < groups[g].n; i++)
            if (memcmp(&groups[g].e[i].id, id.data, id.len) == 0 && groups[g].e[i].source_id.len)
                return source_text(t, &groups[g].e[i]);
    kt_hex(id, digits);
    snprintf(text, sizeof text, "%s:%s", k ? k->name : "record", digits);
    return kt_text(t, kt_str(text));
}

int kt_entity_read(struct kt_texts *t, const struct kt_shown_entity *shown, struct kontor_entity *out)
{
    struct kontor_value *values = kt_arena_array(t->arena, (size_t)shown->shown_len + 1, sizeof *values);
    if (!values) return KT_ELIMIT;
    for (uint32_t i = 0; i < shown->shown_len; i++)
        values[i] = (struct kontor_value){t, shown->shown[i].field, shown->shown[i].value, shown->shown[i].stamp};
    *out = (struct kontor_entity){.texts = t, .shown = shown, .values = values};
    kt_hex(kt_bytes(&shown->id, sizeof shown->id), out->id);
    return KT_OK;
}

const char *kontor_entity_kind(const struct kontor_entity *e)
{
    const struct kt_schema_kind *k = kt_schema_kind(e->shown->kind);
    return k ? k->name : "";
}

const char *kontor_entity_id(const struct kontor_entity *e) { return e->id; }
const char *kontor_entity_source(const struct kontor_entity *e) { return source_text(e->texts, e->shown); }

const struct kontor_value *kontor_value_next(const struct kontor_entity *e, const char *field,
                                             const struct kontor_value *after)
{
    const struct kontor_value *v = after ? after + 1 : e->values;
    while (v->field && field && strcmp(v->field->name, field) != 0) v++;
    return v->field ? v : NULL;
}

const char *kontor_value_field(const struct kontor_value *v) { return v->field->name; }
uint64_t kontor_value_since_ms(const struct kontor_value *v) { return kt_hlc_ms(v->stamp); }

const char *kontor_value_text(const struct kontor_value *v)
{
    if (v->field->type == KT_COMPOSITE) return "";
    if (v->field->type == KT_REF) return kt_ref_text(v->texts, v->field->ref_kind, v->value);
    return kt_text(v->texts, v->value);
}

const char *kontor_value_column(const struct kontor_value *v, const char *column, size_t i)
{
    const struct kt_schema_column *c = v->field->columns ? kt_schema_column_named(v->field, kt_str(column)) : NULL;
    struct kt_reader at = {0};
    struct kt_bytes one;
    if (!c) return NULL;
    while (kt_value_column_next(v->value, c->number, &at, &one))
        if (i-- == 0) return c->type == KT_REF ? kt_ref_text(v->texts, c->ref_kind, one) : kt_text(v->texts, one);
    return NULL;
}

const char *kontor_entity_text(const struct kontor_entity *e, const char *field)
{
    const struct kontor_value *v = kontor_value_next(e, field, NULL);
    return v ? kontor_value_text(v) : NULL;
}

uint64_t kontor_entity_rows(const struct kontor_entity *e, const char *field)
{
    for (uint32_t i = 0; i < e->shown->counts_len; i++) {
        const struct kt_schema_field *f = kt_schema_field(e->shown->counts[i].field);
        if (f && strcmp(f->name, field) == 0) return e->shown->counts[i].rows;
    }
    return 0;
}
