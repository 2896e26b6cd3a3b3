/* kontor fields: every entity and field, from the schema table itself. */
#include "client/cli/commands.h"
#include "proto/schema/schema.h"

#include <argp.h>
#include <stdio.h>

static const char *const types[] = {[KT_TEXT] = "text",
                                    [KT_CODE] = "code",
                                    [KT_DATE] = "date (1980-02-29)",
                                    [KT_DATETIME] = "time (2026-03-01T21:10:00Z)",
                                    [KT_INTEGER] = "integer",
                                    [KT_NUMBER] = "number",
                                    [KT_BOOLEAN] = "true or false",
                                    [KT_REF] = "reference (SYSTEM:ID)",
                                    [KT_COMPOSITE] = ""};
static const char *const shapes[] = {[KT_REGISTER] = "", [KT_SET] = "set of ", [KT_LIST] = "list of "};

static void print_codes(const char *const *allowed)
{
    for (uint32_t i = 0; allowed && allowed[i]; i++) printf("%s%s", i ? " | " : ": ", allowed[i]);
}

static void print_columns(const struct kt_schema_column *c)
{
    printf("{");
    for (; c && c->number; c++) {
        printf("%s%s%s", c->name, c->repeated ? "[]" : "", c[1].number ? ", " : "");
    }
    printf("}");
}

static void print_field(const struct kt_schema_field *f)
{
    if (f->derived) return; /* written by the node, refused in a put */
    printf("  %-24s %s%s", f->name, f->keyed ? "one for each: " : shapes[f->shape],
           f->type == KT_COMPOSITE ? "" : types[f->type]);
    if (f->type == KT_COMPOSITE) print_columns(f->columns);
    print_codes(f->allowed);
    printf("%s\n", f->place == KT_IN_CORE ? "   (core)" : "");
}

static void print_kind(const struct kt_schema_kind *k)
{
    uint32_t n;
    const struct kt_schema_field *f = kt_schema_fields(k->kind, &n);
    printf("%s%s\n", k->name, k->needs_source ? "   needs source_system and source_id" : "");
    for (uint32_t i = 0; i < n; i++) print_field(&f[i]);
    const uint32_t list = k->list_field_case ? k->list_field_case : k->list_field_customer;
    const struct kt_schema_field *row = n ? NULL : kt_schema_field(list);
    for (const struct kt_schema_column *c = row ? row->columns : NULL; c && c->number; c++) {
        printf("  %-24s %s", c->name, types[c->type]);
        print_codes(c->allowed);
        printf("\n");
    }
    if (row)
        printf("  %-24s the record it belongs to, SYSTEM:ID\n", k->list_field_case ? "case, customer" : "customer");
    printf("\n");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const struct kt_schema_kind **only = state->input;
    if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
    *only = kt_schema_kind_named(kt_str(arg));
    if (!*only) argp_error(state, "%s: no such entity; kontor fields lists them", arg);
    return 0;
}

int kt_cli_fields(const struct kt_cli *cli, int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        parse,
        "[ENTITY]",
        "List every entity that put takes and lookup gives, with its fields.  Example:\n\n  kontor fields customer",
        NULL,
        NULL,
        NULL};
    const struct kt_schema_kind *only = NULL;
    (void)cli;
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &only);
    for (uint32_t kind = 1; kind < KT_KIND_COUNT; kind++) {
        const struct kt_schema_kind *k = kt_schema_kind(kind);
        if (k && (!only || only == k)) print_kind(k);
    }
    return 0;
}
