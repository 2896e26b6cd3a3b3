#include "client/cli/import/map.h"

#include "client/cli/json/json_parts.h"
#include "client/cli/import/map_cell.h"
#include "proto/limits.h"
#include "proto/schema/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTITIES_MAX 16u
#define DEPTH_MAX    6

struct entity_map {
    const struct kt_schema_kind *kind;
    const char *source_system, *source_id; /* texts with cells; source_id NULL: the kind is named otherwise */
    const json_t *fields;
};

struct kt_map {
    json_t *json, *columns;
    uint32_t columns_len, entities_len;
    struct entity_map entities[ENTITIES_MAX];
};

/* What may stand in one place: a scalar of a type, or an object of columns. */
struct slot {
    enum kt_type type;
    const char *const *allowed;
    const struct kt_schema_column *columns; /* of a composite */
    const char *under;                      /* "period": the columns that begin with "period." */
};

/* One walk over the fields of an entity, for one row - or for none, to see whether the map is right. */
struct walk {
    struct kt_cells cells;
    struct kt_arena *arena;
    kt_map_bad_value bad;
    void *ctx;
    const char *field; /* at the top of where we are */
    char missing[128], wrong[160];
    int err;
};

/* ---- what may stand where ---- */

static struct slot slot_of_column(const struct kt_schema_column *c)
{
    return (struct slot){.type = c->type, .allowed = c->allowed};
}

static bool column_slot(const struct slot *s, const char *key, struct slot *out)
{
    size_t before = s->under ? strlen(s->under) + 1 : 0, len = strlen(key);
    for (const struct kt_schema_column *c = s->columns; c && c->number; c++) {
        if (before && (strncmp(c->name, s->under, before - 1) != 0 || c->name[before - 1] != '.')) continue;
        const char *name = c->name + before;
        if (strncmp(name, key, len) != 0 || (name[len] && name[len] != '.')) continue;
        *out = name[len] ? (struct slot){.type = KT_COMPOSITE, .columns = s->columns, .under = key} : slot_of_column(c);
        return true;
    }
    return false;
}

static const struct kt_schema_field *field_named(uint32_t kind, const char *key)
{
    char plural[64];
    const struct kt_schema_field *f = kt_schema_field_named(kind, kt_str(key));
    if (f || snprintf(plural, sizeof plural, "%ss", key) >= (int)sizeof plural) return f;
    return kt_schema_field_named(kind, kt_str(plural));
}

/* A key at the top of an entity: a field of its own, a column of the list it is a row of, of what stands flat, or what
 * it belongs to. */
static bool top_slot(const struct kt_schema_kind *k, const char *key, struct slot *out)
{
    uint32_t len;
    const struct kt_schema_field *f = field_named(k->kind, key), *all = kt_schema_fields(k->kind, &len);
    if (f && !f->flat) {
        *out = (struct slot){.type = f->type, .allowed = f->allowed, .columns = f->columns};
        return !f->derived;
    }
    const uint32_t lists[] = {k->list_field_case, k->list_field_customer};
    for (size_t i = 0; i < 2; i++) {
        const struct kt_schema_field *list = lists[i] ? kt_schema_field(lists[i]) : NULL;
        struct slot row = {.type = KT_COMPOSITE, .columns = list ? list->columns : NULL};
        if (list && column_slot(&row, key, out)) return true;
    }
    for (uint32_t i = 0; i < len; i++) {
        struct slot flat = {.type = KT_COMPOSITE, .columns = all[i].columns};
        if (all[i].flat && column_slot(&flat, key, out)) return true;
    }
    *out = (struct slot){.type = KT_REF};
    return k->home != KT_HOME_WARD && (strcmp(key, "case") == 0 || strcmp(key, "customer") == 0);
}

/* ---- one value ---- */

static void say_bad(struct walk *w, const char *column, const char *reason, const char *todo)
{
    struct kt_json_fault fault;
    struct kt_json_put p = {.fault = &fault};
    kt_json_refuse(&p, KT_ETYPE, column ? column : w->field, reason, todo);
    if (!w->cells.row) snprintf(w->wrong, sizeof w->wrong, "%s %s", w->field, reason);
    if (w->cells.row) w->bad(w->ctx, w->cells.row->line, &fault);
}

/* A text as the JSON of its type; NULL: it cannot be one, and that was said. */
static json_t *typed(struct walk *w, const struct slot *s, struct kt_bytes text, const char *column)
{
    struct kt_bytes out;
    const char *why = "cannot be used";
    if (s->type == KT_COMPOSITE) {
        const struct kt_schema_column *c = s->columns;
        while (c && c->number && strcmp(c->name, "text") != 0) c++;
        if (!c || !c->number) {
            say_bad(w, column, "needs an object of its columns", "see the map");
            return NULL;
        }
    }
    int err = kt_scalar_canonical(s->type == KT_COMPOSITE ? KT_TEXT : s->type, s->allowed, text, w->arena, &out, &why);
    if (err == KT_ELIMIT || err == KT_ENOMEM) w->err = err;
    if (err) {
        say_bad(w, column, err == KT_EUTF8 ? "is not UTF-8" : why, "correct it in the file and import it again");
        return NULL;
    }
    if (s->type == KT_BOOLEAN) return json_boolean(kt_bytes_equal(out, kt_str("true")));
    if (s->type != KT_INTEGER && s->type != KT_NUMBER) return json_stringn((const char *)out.data, out.len);
    return json_loadb((const char *)out.data, out.len, JSON_DECODE_ANY, NULL);
}

/* Fills in the text, or the texts, of a rule. */
static bool fill(struct walk *w, const json_t *text, const json_t *none, const char *with, struct kt_buf *out,
                 const char **used)
{
    size_t i;
    json_t *one;
    bool any = false;
    if (json_is_string(text)) return kt_cell_fill(&w->cells, json_string_value(text), none, out, used, w->missing);
    json_array_foreach((json_t *)text, i, one)
    {
        size_t before = out->len;
        if (any) kt_buf_put(out, kt_str(with));
        bool there =
            json_is_string(one) && kt_cell_fill(&w->cells, json_string_value(one), none, out, used, w->missing);
        if (!there) out->len = before;
        any = any || there;
    }
    return any;
}

static const char *text_in(const json_t *rule, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(rule, key));
    return text ? text : otherwise;
}

static json_t *split(struct walk *w, const struct slot *s, struct kt_bytes text, const char *by, const char *column)
{
    json_t *array = json_array();
    size_t len = strlen(by);
    while (len && text.data) {
        const uint8_t *end = memmem(text.data, text.len, by, len);
        size_t n = end ? (size_t)(end - text.data) : text.len;
        struct kt_bytes piece = kt_bytes(text.data, n);
        while (piece.len && piece.data[0] == ' ') piece = kt_bytes(piece.data + 1, piece.len - 1);
        while (piece.len && piece.data[piece.len - 1] == ' ') piece.len--;
        json_t *one = piece.len ? typed(w, s, piece, column) : NULL;
        if (one && json_array_append_new(array, one)) w->err = KT_ENOMEM;
        text = end ? kt_bytes(end + len, text.len - n - len) : kt_bytes(NULL, 0);
    }
    if (json_array_size(array)) return array;
    json_decref(array);
    return NULL;
}

/* A cell's other name. */
static json_t *mapped(struct walk *w, const struct slot *s, const json_t *names, struct kt_bytes text,
                      const char *column)
{
    char key[KT_NAME_BYTES_MAX + 1];
    size_t len = text.len < sizeof key ? text.len : sizeof key - 1;
    memcpy(key, text.data, len);
    key[len] = 0;
    json_t *to = json_object_get(names, key);
    if (!to) to = json_object_get(names, "*");
    if (json_is_string(to)) return typed(w, s, kt_str(json_string_value(to)), column);
    if (json_is_null(to)) return NULL;
    if (to) return json_incref(to);
    say_bad(w, column, "has a value the map gives no name", "add it under \"map\"");
    return NULL;
}

/* A text or a rule; NULL: nothing is there. */
static json_t *value_of(struct walk *w, const json_t *spec, const struct slot *s, bool *named)
{
    const json_t *rule = json_is_object(spec) ? spec : NULL, *names = json_object_get(rule, "map");
    const char *date = text_in(rule, "date", NULL), *by = text_in(rule, "split", NULL), *used = NULL;
    struct kt_buf b, d;
    json_t *made = NULL;
    kt_buf_init(&b, KT_CSV_ROW_BYTES_MAX);
    kt_buf_init(&d, 256);
    bool there = fill(w, rule ? json_object_get(rule, "$") : spec, json_object_get(rule, "none"),
                      text_in(rule, "with", " "), &b, &used);
    struct kt_bytes text = kt_buf_bytes(&b);
    if (b.err) w->err = b.err;
    if (used) *named = true;
    there = there && text.len && !b.err;
    if (there && date && kt_cell_date(text, date, text_in(rule, "zone", "Z"), &d)) {
        char reason[96];
        snprintf(reason, sizeof reason, "is not written as %s", date);
        say_bad(w, used, reason, "correct it in the file and import it again");
        there = false;
    } else if (date) {
        text = kt_buf_bytes(&d);
    }
    if (there && names)
        made = mapped(w, s, names, text, used);
    else if (there)
        made = by ? split(w, s, text, by, used) : typed(w, s, text, used);
    kt_buf_free(&b);
    kt_buf_free(&d);
    return made;
}

/* ---- objects and lists ---- */

static json_t *expand(struct walk *w, const json_t *spec, const struct slot *s, bool *named, int depth);

/* "?": the object stands only where this text does. */
static bool stands(struct walk *w, const json_t *condition)
{
    struct kt_buf b;
    const char *used = NULL;
    if (!condition) return true;
    kt_buf_init(&b, KT_CSV_ROW_BYTES_MAX);
    bool there = fill(w, condition, NULL, "", &b, &used);
    kt_buf_free(&b);
    return there || !w->cells.row; /* without a row everything is looked at */
}

static json_t *expand_object(struct walk *w, const json_t *spec, const struct slot *s, bool *named, int depth)
{
    json_t *out = json_object(), *v;
    const char *key;
    bool any_named = false, any_there = false;
    if (!stands(w, json_object_get(spec, "?"))) {
        json_decref(out);
        return NULL;
    }
    json_object_foreach((json_t *)spec, key, v)
    {
        struct slot inner;
        bool cell = false;
        if (strcmp(key, "?") == 0) continue;
        if (!column_slot(s, key, &inner)) {
            snprintf(w->wrong, sizeof w->wrong, "%.60s has no column %.60s", w->field, key);
            continue;
        }
        json_t *one = expand(w, v, &inner, &cell, depth + 1);
        any_named = any_named || cell;
        any_there = any_there || (cell && one);
        if (one && json_object_set_new(out, key, one)) w->err = KT_ENOMEM;
    }
    *named = *named || any_named;
    if (any_there || !any_named) return out;
    json_decref(out);
    return NULL;
}

static json_t *expand_list(struct walk *w, const json_t *spec, const struct slot *s, bool *named, int depth)
{
    json_t *out = json_array(), *v;
    size_t i;
    json_array_foreach((json_t *)spec, i, v)
    {
        json_t *one = expand(w, v, s, named, depth + 1);
        bool many = json_is_array(one);
        if (one && (many ? json_array_extend(out, one) : json_array_append(out, one))) w->err = KT_ENOMEM;
        json_decref(one);
    }
    if (json_array_size(out)) return out;
    json_decref(out);
    return NULL;
}

static json_t *expand(struct walk *w, const json_t *spec, const struct slot *s, bool *named, int depth)
{
    if (depth > DEPTH_MAX) {
        snprintf(w->wrong, sizeof w->wrong, "%s is nested too deeply", w->field);
        return NULL;
    }
    if (json_is_array(spec)) return expand_list(w, spec, s, named, depth);
    if (json_is_string(spec) || json_object_get(spec, "$")) return value_of(w, spec, s, named);
    if (json_is_object(spec) && s->type == KT_COMPOSITE) return expand_object(w, spec, s, named, depth);
    if (json_is_object(spec)) {
        snprintf(w->wrong, sizeof w->wrong, "%s takes no object", w->field);
        return NULL;
    }
    return json_incref((json_t *)spec);
}

/* A name such as source_id; empty where its cells are. */
static void set_name(struct walk *w, json_t *out, const char *key, const char *text)
{
    struct slot s = {.type = KT_CODE};
    bool named = false;
    w->field = key;
    json_t *spec = text ? json_string(text) : NULL;
    json_t *v = spec ? value_of(w, spec, &s, &named) : NULL;
    if (v && json_object_set_new(out, key, v)) w->err = KT_ENOMEM;
    json_decref(spec);
}

static json_t *make(struct walk *w, const struct entity_map *e)
{
    json_t *out = json_pack("{s:s}", "entity", e->kind->name), *v;
    const char *key;
    set_name(w, out, "source_system", e->source_system);
    set_name(w, out, "source_id", e->source_id);
    json_object_foreach((json_t *)e->fields, key, v)
    {
        struct slot s;
        bool named = false;
        w->field = key;
        if (!top_slot(e->kind, key, &s)) {
            snprintf(w->wrong, sizeof w->wrong, "%.40s has no field %.80s", e->kind->name, key);
            continue;
        }
        json_t *one = expand(w, v, &s, &named, 0);
        if (one && json_object_set_new(out, key, one)) w->err = KT_ENOMEM;
    }
    return out;
}

/* ---- maps ---- */

/* Walks all entities without a row. */
static int check(const struct kt_map *m, char why[256])
{
    struct kt_arena arena;
    int err = KT_OK;
    kt_arena_init(&arena, 1u << 20);
    for (uint32_t i = 0; i < m->entities_len && !err; i++) {
        struct walk w = {.cells = {.columns = m->columns}, .arena = &arena};
        json_decref(make(&w, &m->entities[i]));
        err = w.err;
        if (w.wrong[0]) snprintf(why, 256, "%s", w.wrong);
        if (w.missing[0]) snprintf(why, 256, "there is no column \"%s\" in the first row", w.missing);
        if (w.wrong[0] || w.missing[0]) err = KT_EFIELD;
    }
    kt_arena_free(&arena);
    return err;
}

static int load_entity(struct kt_map *m, const json_t *j, char why[256])
{
    struct entity_map *e = &m->entities[m->entities_len];
    const char *name = json_string_value(json_object_get(j, "entity"));
    const char *system = json_string_value(json_object_get(j, "source_system"));
    *e = (struct entity_map){.kind = name ? kt_schema_kind_named(kt_str(name)) : NULL,
                             .source_system = system ? system : text_in(m->json, "source_system", NULL),
                             .source_id = json_string_value(json_object_get(j, "source_id")),
                             .fields = json_object_get(j, "fields")};
    snprintf(why, 256, "an entity needs \"entity\", \"source_system\", \"source_id\" and \"fields\"");
    if (m->entities_len == ENTITIES_MAX) snprintf(why, 256, "at most %u entities", ENTITIES_MAX);
    if (!e->kind && name) snprintf(why, 256, "no such entity: %.100s", name);
    bool needs = e->kind && (e->kind->needs_source || e->kind->home == KT_HOME_ROW);
    if (!e->kind || !e->source_system || (needs && !e->source_id) || !json_is_object(e->fields)) return KT_EFIELD;
    m->entities_len++;
    return KT_OK;
}

int kt_map_load(struct kt_bytes text, struct kt_map **out, char why[256])
{
    json_error_t e;
    struct kt_map *m = calloc(1, sizeof *m);
    if (!m) return KT_ENOMEM;
    size_t i;
    json_t *one;
    int err = KT_OK;
    m->json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &e);
    if (!json_is_object(m->json)) {
        if (m->json)
            snprintf(why, 256, "it is not a JSON object");
        else
            snprintf(why, 256, "line %d: %.200s", e.line, e.text);
        err = KT_EMALFORMED;
    } else if (json_object_get(m->json, "entities")) {
        json_array_foreach(json_object_get(m->json, "entities"), i, one) if (!err && i < ENTITIES_MAX) err =
            load_entity(m, one, why);
        if (i > ENTITIES_MAX || m->entities_len == 0) err = KT_EFIELD;
    } else {
        err = load_entity(m, m->json, why);
    }
    if (!err) err = check(m, why);
    if (err) {
        kt_map_free(m);
        return err;
    }
    *out = m;
    return KT_OK;
}

void kt_map_free(struct kt_map *m)
{
    if (!m) return;
    json_decref(m->json);
    json_decref(m->columns);
    free(m);
}

int kt_map_header(struct kt_map *m, const struct kt_csv_row *header, char why[256])
{
    json_t *columns = json_object();
    char name[128];
    if (!columns) return KT_ENOMEM;
    for (uint32_t i = header->n; i-- > 0;) { /* of two columns of one name the first */
        if (header->cells[i].len >= sizeof name) continue;
        memcpy(name, header->cells[i].data, header->cells[i].len);
        name[header->cells[i].len] = 0;
        (void)json_object_set_new(columns, name, json_integer((json_int_t)i)); /* not UTF-8: no map can name it */
    }
    json_decref(m->columns);
    m->columns = columns;
    m->columns_len = header->n;
    return check(m, why);
}

uint32_t kt_map_entities(const struct kt_map *m) { return m->entities_len; }

int kt_map_record(const struct kt_map *m, uint32_t i, const struct kt_csv_row *row, struct kt_arena *arena,
                  kt_map_bad_value bad, void *ctx, struct kt_record *out, struct kt_json_fault *fault)
{
    struct walk w = {
        .cells = {.columns = m->columns, .row = row},
          .arena = arena, .bad = bad, .ctx = ctx
    };
    struct kt_json_put p = {.fault = fault};
    if (row->n != m->columns_len) {
        char reason[96];
        snprintf(reason, sizeof reason, "has %u columns, the first row has %u", row->n, m->columns_len);
        kt_json_refuse(&p, KT_ETRUNCATED, "row", reason,
                       "is the file cut short, or a quote too many?  Correct the row");
        return p.err;
    }
    json_t *json = make(&w, &m->entities[i]);
    if (w.err) kt_json_refuse(&p, w.err, "row", kt_error_text(w.err), kt_error_advice(w.err));
    int err = p.err ? p.err : kt_json_record_of(json, row->line, arena, out, fault);
    json_decref(json);
    return err;
}
