#include "support/compare/compare.h"

#include <stdlib.h>

/* Is all that `part` says in `whole`?  An object: each of its members; an array: each of its elements in some element.
 */
static bool within(const json_t *part, const json_t *whole)
{
    const char *key;
    json_t *value, *other;
    size_t i, k;
    if (json_is_object(part)) {
        json_object_foreach((json_t *)part, key, value) if (!within(value, json_object_get(whole, key))) return false;
        return json_is_object(whole);
    }
    if (!json_is_array(part)) return json_equal(part, whole);
    json_array_foreach((json_t *)part, i, value)
    {
        bool found = false;
        json_array_foreach((json_t *)whole, k, other) found = found || within(value, other);
        if (!found) return false;
    }
    return true;
}

static const char *text(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    return s ? s : "";
}

/* The part of an answer that must say what the line says: looks up, and gives the whole answer too. */
static const json_t *place_of(struct compare *c, const json_t *line, json_t **answer)
{
    const char *entity = text(line, "entity"), *of = text(line, "case"), *number = text(line, "source_id");
    size_t i;
    json_t *one;
    if (strcmp(entity, "customer") == 0) {
        *answer = look(c, KT_BY_SOURCE, text(line, "source_system"), text(line, "source_id"));
        return json_object_get(*answer, "customer");
    }
    const bool is_case = strcmp(entity, "case") == 0;
    if (!is_case) number = of + strcspn(of, ":") + (*of != 0);
    *answer = look(c, KT_BY_CASE, "", number);
    json_array_foreach(json_object_get(*answer, "cases"), i, one)
    {
        if (strcmp(text(one, "number"), number) == 0) return is_case ? one : json_object_get(one, "interactions");
    }
    return NULL;
}

static void compare_line(struct compare *c, json_t *line)
{
    static const char *const of_the_line[] = {"entity", "source_system", "source_id", "case", "kind"};
    json_t *answer = NULL, *wanted = json_copy(line);
    const json_t *place = place_of(c, line, &answer);
    for (size_t i = 0; i < sizeof of_the_line / sizeof *of_the_line; i++) json_object_del(wanted, of_the_line[i]);
    if (json_is_array(place)) wanted = json_pack("[o]", wanted);
    char *said = json_dumps(wanted, JSON_COMPACT), *shown = place ? json_dumps(place, JSON_COMPACT) : NULL;
    if (answer && !within(wanted, place))
        differs(c, "%s: not all of %s in %s", text(line, "source_id"), said, shown ? shown : "nothing");
    free(said), free(shown);
    json_decref(wanted);
    json_decref(answer);
}

bool compare_lines(struct compare *c)
{
    json_error_t e;
    json_t *line;
    FILE *f = fopen(c->path, "r");
    while (f && (line = json_loadf(f, JSON_DISABLE_EOF_CHECK, &e))) {
        compare_line(c, line);
        json_decref(line);
        c->rows++;
    }
    const bool good = f && json_error_code(&e) == json_error_premature_end_of_input && feof(f);
    if (!good) fprintf(stderr, "kontor-compare: %s cannot be read as lines of JSON\n", c->path);
    if (f) fclose(f);
    return good;
}
