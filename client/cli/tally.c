#include "client/cli/tally.h"

#include <stdio.h>

/* Refused for what it says, wherever and by whomever it is said. */
static bool is_about_input(int code)
{
    static const int codes[] = {KT_EFIELD,    KT_ETYPE,  KT_EUTF8,  KT_EMALFORMED, KT_ETRUNCATED,
                                KT_EOVERSIZE, KT_ELIMIT, KT_EINVAL, KT_ENOTFOUND};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i] == code) return true;
    return false;
}

void kt_tally_refuse(struct kt_tally *t, uint32_t number, int code, const struct kt_json_fault *fault)
{
    t->refused++;
    t->wrong += is_about_input(code);
    fprintf(stderr, "%s %u: %s: %s: %s\n", t->what, number, fault->field, fault->reason, fault->todo);
}

/* A text from the node as one piece of a line. */
static void piece(char *out, size_t size, const char *text, struct kt_bytes other)
{
    if (other.len)
        snprintf(out, size, "%.*s", (int)other.len, (const char *)other.data);
    else
        snprintf(out, size, "%s", text);
    for (char *c = out; *c; c++)
        if (*c == ':' || (unsigned char)*c < 0x20 || *c == 0x7f) *c = ',';
}

void kt_tally_refused_there(struct kt_tally *t, const struct kt_put_result *r, uint32_t kind)
{
    struct kt_json_fault f;
    const struct kt_schema_field *field = kt_schema_field(r->field);
    const struct kt_schema_kind *k = kt_schema_kind(kind);
    snprintf(f.field, sizeof f.field, "%s", field ? field->name : k ? k->name : "record");
    piece(f.reason, sizeof f.reason, kt_error_text(r->code), r->reason);
    snprintf(f.todo, sizeof f.todo, "%s", kt_error_advice(r->code));
    kt_tally_refuse(t, r->line, r->code, &f);
}

enum kt_exit kt_tally_exit(const struct kt_tally *t)
{
    if (t->refused == 0) return KT_EXIT_DONE;
    return t->accepted || t->wrong ? KT_EXIT_PARTLY : KT_EXIT_REFUSED;
}
