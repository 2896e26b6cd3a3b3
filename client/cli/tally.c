#include "client/cli/tally.h"

#include "client/cli/card.h"

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
    kt_tally_say(t, number, fault, "");
}

void kt_tally_say(const struct kt_tally *t, uint32_t number, const struct kt_json_fault *fault, const char *besides)
{
    char line[sizeof *fault + 128]; /* names out of the input stand in it: nothing for a terminal to obey */
    snprintf(line, sizeof line, "%s %u: %s: %s: %s%s", t->what, number, fault->field, fault->reason, fault->todo,
             besides);
    kt_card_text(line, stderr);
    fputc('\n', stderr);
}

/* A text as one piece of a line. */
static void piece(char *out, size_t size, struct kt_bytes text, bool colons)
{
    snprintf(out, size, "%.*s", (int)text.len, (const char *)text.data);
    for (char *c = out; *c; c++)
        if ((*c == ':' && !colons) || (unsigned char)*c < 0x20 || *c == 0x7f) *c = ',';
}

/* A node's reason may say what to do itself, behind its last ": ". */
static struct kt_bytes advice_in(struct kt_bytes reason)
{
    for (size_t i = reason.len; i-- > 2;)
        if (reason.data[i - 2] == ':' && reason.data[i - 1] == ' ') return kt_bytes(reason.data + i, reason.len - i);
    return kt_bytes(NULL, 0);
}

void kt_tally_refused_there(struct kt_tally *t, const struct kt_put_result *r, uint32_t kind)
{
    struct kt_json_fault f;
    const struct kt_schema_field *field = kt_schema_field(r->field);
    const struct kt_schema_kind *k = kt_schema_kind(kind);
    snprintf(f.field, sizeof f.field, "%s", field ? field->name : k ? k->name : "record");
    struct kt_bytes reason = r->reason.len ? r->reason : kt_str(kt_error_text(r->code)), todo = advice_in(reason);
    if (todo.len) reason.len -= todo.len + 2;
    /* a whole put that failed comes with the advice alone */
    if (kt_bytes_equal(reason, kt_str(kt_error_advice(r->code)))) reason = kt_str(kt_error_text(r->code));
    piece(f.reason, sizeof f.reason, reason, false);
    piece(f.todo, sizeof f.todo, todo.len ? todo : kt_str(kt_error_advice(r->code)), true);
    kt_tally_refuse(t, r->line, r->code, &f);
}

enum kt_exit kt_tally_exit(const struct kt_tally *t)
{
    if (t->refused == 0) return KT_EXIT_DONE;
    return t->accepted || t->wrong ? KT_EXIT_PARTLY : KT_EXIT_REFUSED;
}
