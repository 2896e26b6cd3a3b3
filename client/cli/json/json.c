/* Answers that are no view, and JSON as text. */
#include "client/cli/json/json.h"
#include "proto/schema/datetime.h"

#include <stdio.h>
#include <stdlib.h>

int kt_json_lookup(const struct kt_reply *reply, struct kt_arena *arena, json_t **out)
{
    json_t *made;
    if (reply->lookup.matches_len > 1 || (reply->lookup.matches_len && !reply->lookup.sections_len)) {
        made = kt_json_matches(reply);
    } else {
        struct kt_view view;
        uint32_t n = reply->lookup.sections_len;
        struct kt_section_in *sections = kt_arena_array(arena, n + 1, sizeof *sections);
        if (!sections) return KT_ELIMIT;
        for (uint32_t i = 0; i < n; i++)
            sections[i] =
                (struct kt_section_in){reply->lookup.sections[i].compartment, reply->lookup.sections[i].bytes};
        int err = kt_view_compose(sections, n, &reply->lookup.display_id, arena, &view);
        if (err) return err;
        if (!view.has_customer && !view.cases_len && !view.licences_len) return KT_ENOTFOUND;
        made = kt_json_view(&view, reply);
    }
    if (!made) return KT_ENOMEM;
    *out = made;
    return KT_OK;
}

static json_t *text_or_null(struct kt_bytes b)
{
    json_t *j = b.len ? json_stringn((const char *)b.data, b.len) : NULL;
    return j ? j : json_null();
}

json_t *kt_json_matches(const struct kt_reply *reply)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < reply->lookup.matches_len; i++) {
        const struct kt_match *m = &reply->lookup.matches[i];
        json_t *one = json_pack("{s:o, s:o, s:o, s:o}", "id", text_or_null(m->id), "name", text_or_null(m->name),
                                "birthDate", text_or_null(m->birth_date), "why", text_or_null(m->why));
        if (json_array_append_new(array, one)) {
            json_decref(array);
            return NULL;
        }
    }
    return json_pack("{s:o, s:b}", "matches", array, "more", reply->lookup.more);
}

static json_t *conflict_value(const struct kt_schema_field *f, const struct kt_conflict_value *v)
{
    char at[KT_DATETIME_CHARS_MAX];
    kt_datetime_of_ms(kt_hlc_ms(v->stamp), true, at);
    json_t *value = v->has_value && f ? kt_json_of_value(f, v->value, NULL) : json_null();
    return json_pack("{s:o, s:o, s:o, s:s}", "value", value, "office", text_or_null(v->office), "by",
                     text_or_null(v->by), "at", at);
}

json_t *kt_json_conflicts(const struct kt_reply *reply)
{
    json_t *array = json_array();
    int failed = 0;
    for (uint32_t i = 0; i < reply->conflicts.len; i++) {
        const struct kt_conflict *c = &reply->conflicts.items[i];
        const struct kt_schema_field *f = kt_schema_field(c->field);
        json_t *values = json_array();
        for (uint32_t j = 0; j < c->values_len; j++)
            failed |= json_array_append_new(values, conflict_value(f, &c->values[j]));
        json_t *one = json_pack("{s:o, s:o, s:s, s:o}", "id", text_or_null(c->id), "ref", text_or_null(c->ref), "field",
                                f ? f->name : "unknown", "values", values);
        if (c->element_text.len) failed |= json_object_set_new(one, "key", text_or_null(c->element_text));
        failed |= json_array_append_new(array, one);
    }
    if (!failed) return array;
    json_decref(array);
    return NULL;
}

/* Does some number need all 17 digits to read back as it is? */
static bool needs_17_digits(const json_t *j)
{
    const char *key;
    json_t *v;
    size_t i;
    if (json_is_real(j)) {
        char digits[40];
        size_t len = json_dumpb(j, digits, sizeof digits, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        json_t *back = json_loadb(digits, len <= sizeof digits ? len : 0, JSON_DECODE_ANY, NULL);
        bool same = json_is_real(back) && json_real_value(back) == json_real_value(j);
        json_decref(back);
        return !same;
    }
    json_object_foreach((json_t *)j, key, v) if (needs_17_digits(v)) return true;
    json_array_foreach((json_t *)j, i, v) if (needs_17_digits(v)) return true;
    return false;
}

char *kt_json_text(const json_t *j)
{
    return json_dumps(j, JSON_ENCODE_ANY | JSON_REAL_PRECISION(needs_17_digits(j) ? 17 : 15));
}
