/* kontor-compare: is everything that stands in a file of a real office to be found at a node, cell by cell?  What is
 * expected is written here apart from the importer's maps. */
#include "support/compare/compare.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define DEADLINE_MS 10000u
#define SHOWN_MAX   10u
#define ARENA_BYTES (64u << 20)

void differs(struct compare *c, const char *format, ...)
{
    va_list args;
    if (c->wrong++ >= SHOWN_MAX) return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

json_t *look(struct compare *c, enum kt_lookup_by by, const char *system, const char *value)
{
    struct kt_request r = {.kind = KT_ASK_LOOKUP, .actor = kt_str("compare"), .deadline_ms = DEADLINE_MS};
    struct kt_reply reply;
    struct kt_bytes bytes;
    struct kt_buf b;
    json_t *j = NULL;
    uint32_t sent, id;
    const uint64_t until = kt_line_now_ms() + DEADLINE_MS;
    r.lookup.by = by;
    r.lookup.system = kt_str(system);
    r.lookup.value = kt_str(value);
    kt_buf_init(&b, KT_REQUEST_BYTES_MAX);
    kt_arena_reset(&c->arena);
    int e = kt_request_encode(&r, &b);
    if (!e) e = kt_line_send(c->line, kt_buf_bytes(&b), until, &sent);
    do
        if (!e) e = kt_line_receive(c->line, until, &id, &bytes);
    while (!e && id != sent);
    if (!e) e = kt_reply_decode(bytes, &c->arena, &reply);
    if (!e) e = reply.code ? reply.code : kt_json_lookup(&reply, &c->arena, &j);
    kt_buf_free(&b);
    c->asked++;
    if (e) differs(c, "%s%s%s: %s", system, *system ? ":" : "", value, kt_error_text(e));
    return e ? NULL : j;
}

/* object[name] must be this text; "" means it must not be there. */
static void expect(struct compare *c, const json_t *object, const char *name, const char *wanted, const char *of)
{
    const char *got = json_string_value(json_object_get(object, name));
    if (strcmp(got ? got : "", wanted) != 0)
        differs(c, "%s: %s is \"%s\", not \"%s\"", of, name, got ? got : "", wanted);
}

/* -------------------------------------------------------------------------------------- service requests of a city */

/* "2016-07-13 15:11:07+00:00" -> "2016-07-13T15:11:07Z" */
static const char *utc(const char *text, char out[32])
{
    snprintf(out, 32, "%.10sT%.8sZ", text, *text ? text + 11 : "");
    return *text ? out : "";
}

static const char *channel_of(const char *source)
{
    static const char *const table[][2] = {{"Phone", "phone"},
                                           {"Web", "web"},
                                           {"Mobile/Open311", "mobile_app"},
                                           {"Twitter", "social"},
                                           {"Email", "email"},
                                           {"Integrated Agency", "system"},
                                           {"Other Department", "referral"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i][0], source) == 0) return table[i][1];
    return "a channel nobody thought of";
}

static void compare_request(struct compare *c, size_t row)
{
    const struct table *t = &c->table;
    const char *number = table_cell(t, row, "unique_key");
    char time[32];
    json_t *answer = look(c, KT_BY_CASE, "", number);
    if (!answer) return;
    const json_t *cases = json_object_get(answer, "cases"), *one = json_array_get(cases, 0);
    if (json_array_size(cases) != 1) differs(c, "%s: %zu cases", number, json_array_size(cases));
    expect(c, one, "number", number, number);
    expect(c, one, "channel", channel_of(table_cell(t, row, "source")), number);
    expect(c, one, "queue", table_cell(t, row, "agency_name"), number);
    expect(c, one, "status", strcmp(table_cell(t, row, "status"), "Open") == 0 ? "open" : "closed", number);
    expect(c, one, "requested_datetime", utc(table_cell(t, row, "created_date"), time), number);
    expect(c, one, "updated_datetime", utc(table_cell(t, row, "resolution_action_updated_date"), time), number);
    expect(c, one, "closed_datetime", utc(table_cell(t, row, "closed_date"), time), number);
    json_decref(answer);
}

static bool compare_requests(struct compare *c)
{
    if (!table_read(&c->table, c->path)) return false;
    c->rows = c->table.rows;
    for (size_t row = 0; row < c->table.rows; row++) compare_request(c, row);
    return true;
}

/* ---------------------------------------------------------------------------------------------- licences of a city */

/* "07/13/2016" -> "2016-07-13" */
static const char *iso(const char *text, char out[16])
{
    snprintf(out, 16, "%.4s-%.2s-%.2s", *text ? text + 6 : "", text, *text ? text + 3 : "");
    return *text ? out : "";
}

static const json_t *entry_named(const json_t *list, const char *key, const char *value)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)list, i, entry)
    {
        const char *got = json_string_value(json_object_get(entry, key));
        if (got && strcmp(got, value) == 0) return entry;
    }
    return NULL;
}

static void compare_events(struct compare *c, const json_t *licence, size_t row)
{
    static const char *const of[][2] = {{"APPLICATION REQUIREMENTS COMPLETE", "requirements_complete"},
                                        {"PAYMENT DATE", "payment"},
                                        {"LICENSE APPROVED FOR ISSUANCE", "approved"},
                                        {"DATE ISSUED", "issued"},
                                        {"LICENSE STATUS CHANGE DATE", "status_change"}};
    const char *id = table_cell(&c->table, row, "ID");
    char date[16];
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        const char *cell = table_cell(&c->table, row, of[i][0]);
        if (!*cell) continue;
        const json_t *event = entry_named(json_object_get(licence, "events"), "type", of[i][1]);
        if (!event) differs(c, "%s: no event %s", id, of[i][1]);
        if (event) expect(c, event, "date", iso(cell, date), id);
    }
    if (!entry_named(json_object_get(licence, "events"), "type", "application_created"))
        differs(c, "%s: no application", id);
}

static void compare_licence(struct compare *c, const json_t *answer, size_t row)
{
    const struct table *t = &c->table;
    const char *id = table_cell(t, row, "ID");
    char source[128], date[16];
    snprintf(source, sizeof source, "chicago-licences:%s", id);
    const json_t *licence = entry_named(json_object_get(answer, "licences"), "source", source);
    if (!licence) {
        differs(c, "%s: not among its account's licences", id);
        return;
    }
    expect(c, licence, "number", table_cell(t, row, "LICENSE NUMBER"), id);
    expect(c, licence, "status", table_cell(t, row, "LICENSE STATUS"), id);
    expect(c, licence, "validFrom", iso(table_cell(t, row, "LICENSE TERM START DATE"), date), id);
    expect(c, licence, "validUntil", iso(table_cell(t, row, "LICENSE TERM EXPIRATION DATE"), date), id);
    compare_events(c, licence, row);
}

/* One lookup an account; its rows are all those of the file, and it shows no more. */
static bool compare_licences(struct compare *c)
{
    const struct table *t = &c->table;
    if (!table_read(&c->table, c->path)) return false;
    c->rows = t->rows;
    for (size_t first = 0; first < t->rows; first++) {
        const char *account = table_cell(t, first, "ACCOUNT NUMBER");
        size_t before = 0, count = 0;
        while (strcmp(table_cell(t, before, "ACCOUNT NUMBER"), account) != 0) before++;
        if (before < first) continue;
        json_t *answer = look(c, KT_BY_ID, "account", account);
        if (!answer) continue;
        for (size_t row = first; row < t->rows; row++) {
            if (strcmp(table_cell(t, row, "ACCOUNT NUMBER"), account) != 0) continue;
            compare_licence(c, answer, row);
            count++;
        }
        if (json_array_size(json_object_get(answer, "licences")) != count)
            differs(c, "account %s: %zu licences, not %zu", account,
                    json_array_size(json_object_get(answer, "licences")), count);
        json_decref(answer);
    }
    return true;
}

/* false: the file cannot be read */
static const struct {
    const char *name;
    bool (*run)(struct compare *c);
} kinds[] = {
    {"sf311", compare_requests},
    {"chicago-licences", compare_licences},
    {"lines", compare_lines},
};
#define KINDS (sizeof kinds / sizeof *kinds)

int main(int argc, char **argv)
{
    struct compare c = {.path = argv[argc - 1]};
    size_t kind = 0;
    while (argc == 4 && kind < KINDS && strcmp(argv[2], kinds[kind].name) != 0) kind++;
    if (argc != 4 || kind == KINDS) {
        fputs("usage: kontor-compare URL sf311|chicago-licences|lines FILE\n"
              "Looks up at the node what stands in the file (lines: as put took them).  Status 0: all of it is there "
              "and equal.\n",
              stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    const struct kt_line_config at = {.url = argv[1], .deadline_ms = kt_line_now_ms() + DEADLINE_MS};
    kt_arena_init(&c.arena, ARENA_BYTES);
    int e = kt_line_open(&at, &c.line);
    if (e) fprintf(stderr, "kontor-compare: %s: %s\n", argv[1], kt_error_text(e));
    const bool good = !e && kinds[kind].run(&c);
    if (good) printf("%zu rows, %zu lookups, %zu differences\n", c.rows, c.asked, c.wrong);
    table_free(&c.table);
    kt_line_close(c.line);
    kt_arena_free(&c.arena);
    return good && c.wrong == 0 ? 0 : 1;
}
