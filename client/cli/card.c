#include "client/cli/card.h"

#include <stdbool.h>
#include <string.h>

#define LABEL_WIDTH 20

void kt_card_text(const char *text, FILE *to)
{
    const unsigned char *c = (const unsigned char *)text;
    for (; *c; c++) {
        bool c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0; /* U+0080 to U+009F: control characters too */
        if (c1) c++;
        fputc(*c < 0x20 || *c == 0x7f || c1 ? ' ' : *c, to);
    }
}

void kt_card_value(const json_t *value, FILE *to)
{
    const char *key, *between = "";
    json_t *v;
    size_t i;
    if (json_is_string(value))
        kt_card_text(json_string_value(value), to);
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "yes" : "no", to);
    else if (json_is_integer(value))
        fprintf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        fprintf(to, "%.10g", json_real_value(value));
    else if (json_is_null(value))
        fputs("not known", to);
    json_array_foreach((json_t *)value, i, v)
    {
        if (i) fputs(json_is_object(v) ? "; " : ", ", to);
        kt_card_value(v, to);
    }
    json_object_foreach((json_t *)value, key, v)
    {
        fputs(between, to);
        kt_card_value(v, to);
        between = " ";
    }
}

static void label(const char *name, int indent, FILE *to)
{
    fprintf(to, "%*s", indent, "");
    kt_card_text(name, to);
    for (size_t n = strlen(name) + (size_t)indent; n < LABEL_WIDTH; n++) fputc(' ', to);
    fputc(' ', to);
}

/* "name   value", a line for each element of a list. */
static void print_field(const char *name, const json_t *value, int indent, FILE *to)
{
    size_t i;
    json_t *v;
    if (!json_is_array(value)) {
        label(name, indent, to);
        kt_card_value(value, to);
        fputc('\n', to);
    }
    json_array_foreach((json_t *)value, i, v)
    {
        label(i ? "" : name, indent, to);
        kt_card_value(v, to);
        fputc('\n', to);
    }
}

static bool one_of(const char *key, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(key, *names) == 0) return true;
    return false;
}

/* All fields but those shown already. */
static void print_fields(const json_t *object, const char *const *shown, int indent, FILE *to)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v) if (!one_of(key, shown)) print_field(key, v, indent, to);
}

/* Names as people say them: what stands in `text`, or given and family names. */
static void print_name(const json_t *name, FILE *to)
{
    static const char *const parts[] = {"prefix", "givenName", "familyName", "suffix"};
    const char *between = "";
    const json_t *whole = json_object_get(name, "text");
    if (whole) kt_card_value(whole, to);
    for (size_t i = 0; !whole && i < sizeof parts / sizeof parts[0]; i++) {
        const json_t *part = json_object_get(name, parts[i]);
        const char *first = json_is_array(part) ? " " : "";
        size_t j;
        json_t *one;
        if (!part) continue;
        fputs(between, to);
        if (!*first) kt_card_value(part, to);
        json_array_foreach((json_t *)part, j, one)
        {
            if (j) fputs(first, to);
            kt_card_value(one, to);
        }
        between = " ";
    }
}

static void print_customer(const json_t *c, FILE *to)
{
    static const char *const shown[] = {"id", "sources", "name", "kind", "created", "modified", NULL};
    size_t i;
    json_t *name;
    const json_t *legal = json_object_get(c, "legalName");
    if (json_array_size(json_object_get(c, "name")))
        print_name(json_array_get(json_object_get(c, "name"), 0), to);
    else
        kt_card_value(legal ? legal : json_object_get(c, "id"), to);
    fputc('\n', to);
    json_array_foreach(json_object_get(c, "name"), i, name)
    {
        label(i ? "" : "name", 2, to);
        print_name(name, to);
        if (json_object_get(name, "use")) fprintf(to, " (%s)", json_string_value(json_object_get(name, "use")));
        fputc('\n', to);
    }
    if (json_object_get(c, "kind")) print_field("kind", json_object_get(c, "kind"), 2, to);
    print_fields(c, shown, 2, to);
    print_field("sources", json_object_get(c, "sources"), 2, to);
    print_field("id", json_object_get(c, "id"), 2, to);
}

/* "number  status  subject", then the rest of it a line each. */
static void print_entity(const json_t *e, FILE *to)
{
    static const char *const head[] = {"number", "status", "subject", "type_name", NULL};
    static const char *const shown[] = {"number", "status",       "subject", "type_name",
                                        "id",     "interactions", "events",  NULL};
    const char *const rows[] = {"interactions", "events"};
    fputs("  ", to);
    for (size_t i = 0; head[i]; i++) {
        const json_t *v = json_object_get(e, head[i]);
        if (!v) continue;
        if (i) fputs("  ", to);
        kt_card_value(v, to);
    }
    fputc('\n', to);
    print_fields(e, shown, 4, to);
    for (size_t i = 0; i < 2; i++)
        if (json_object_get(e, rows[i])) print_field(rows[i], json_object_get(e, rows[i]), 4, to);
}

static void print_all(const char *heading, const json_t *array, FILE *to)
{
    size_t i;
    json_t *e;
    if (json_array_size(array)) fprintf(to, "\n%s (%zu)\n", heading, json_array_size(array));
    json_array_foreach((json_t *)array, i, e) print_entity(e, to);
}

static void print_freshness(const json_t *f, FILE *to)
{
    const json_t *age = json_object_get(f, "worst_age_s");
    const char *office;
    json_t *v;
    if (json_is_number(age))
        fprintf(to, "\nComplete up to %.1f seconds ago\n", json_number_value(age));
    else
        fputs("\nOf some office it is not known how far it has come\n", to);
    json_object_foreach(json_object_get(f, "offices"), office, v)
        print_field(office, json_object_get(v, "complete_through"), 2, to);
}

static void print_conflicts(const json_t *conflicts, FILE *to)
{
    size_t i;
    json_t *c;
    if (json_array_size(conflicts)) fputs("\nIn conflict (see kontor conflicts show ID)\n", to);
    json_array_foreach((json_t *)conflicts, i, c)
    {
        label(json_string_value(json_object_get(c, "field")), 2, to);
        kt_card_value(json_object_get(c, "ref"), to);
        fprintf(to, "  %s\n", json_string_value(json_object_get(c, "id")));
    }
}

static void print_contradictions(const json_t *contradictions, FILE *to)
{
    size_t i;
    json_t *c;
    if (json_array_size(contradictions)) fputs("\nJoined, although somebody said they are two\n", to);
    json_array_foreach((json_t *)contradictions, i, c)
    {
        static const char *const about[] = {"a", "b", "by", "reason"};
        for (size_t k = 0; k < 4; k++) {
            if (!json_object_get(c, about[k])) continue;
            fputs("  ", to);
            kt_card_value(json_object_get(c, about[k]), to);
        }
        fputc('\n', to);
    }
}

static void print_matches(const json_t *answer, FILE *to)
{
    size_t i;
    json_t *m;
    const json_t *matches = json_object_get(answer, "matches");
    bool more = json_is_true(json_object_get(answer, "more"));
    fprintf(to, "%zu%s fit; look one up with --customer ID:\n", json_array_size(matches), more ? " and more" : "");
    json_array_foreach((json_t *)matches, i, m)
    {
        fputs("  ", to);
        kt_card_value(m, to);
        fputc('\n', to);
    }
}

void kt_card_print(const json_t *answer, FILE *to)
{
    const json_t *withheld = json_object_get(answer, "withheld");
    if (json_object_get(answer, "matches")) {
        print_matches(answer, to);
        return;
    }
    if (json_is_object(json_object_get(answer, "customer")))
        print_customer(json_object_get(answer, "customer"), to);
    else
        fputs("No customer is named here\n", to);
    print_all("Cases", json_object_get(answer, "cases"), to);
    print_all("Licences", json_object_get(answer, "licences"), to);
    print_conflicts(json_object_get(answer, "conflicts"), to);
    print_contradictions(json_object_get(answer, "contradictions"), to);
    if (json_array_size(withheld)) {
        fputs("\nWithheld: ", to);
        kt_card_value(withheld, to);
        fputc('\n', to);
    }
    print_freshness(json_object_get(answer, "freshness"), to);
}
