/* kontor conflicts: what offices wrote differently, listed until somebody decides. */
#include "client/cli/card.h"
#include "client/cli/commands.h"
#include "client/cli/json/json.h"

#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS       5000u
#define VALUE_ARENA_BYTES (1u << 20)

enum action { NO_ACTION, LIST, SHOW, RESOLVE };

struct conflict_arguments {
    struct kt_cli cli;
    enum action action;
    const char *id, *value, *actor, *purpose;
    bool clear;
};

static void add_argument(struct conflict_arguments *a, const char *text, struct argp_state *state)
{
    static const char *const names[] = {[LIST] = "list", [SHOW] = "show", [RESOLVE] = "resolve"};
    if (a->action == NO_ACTION) {
        for (int i = LIST; i <= RESOLVE; i++)
            if (strcmp(text, names[i]) == 0) a->action = (enum action)i;
        if (a->action == NO_ACTION) argp_error(state, "say list, show or resolve, not %s", text);
    } else if (a->action != LIST && !a->id) {
        uint8_t id[16];
        if (kt_unhex(text, id, sizeof id)) argp_error(state, "the id of a conflict has 32 hexadecimal digits");
        a->id = text;
    } else {
        argp_error(state, "one argument too many: %s", text);
    }
}

static void check(const struct conflict_arguments *a, struct argp_state *state)
{
    if (a->action == NO_ACTION) argp_error(state, "say list, show ID or resolve ID --value JSON");
    if (a->action != LIST && !a->id) argp_error(state, "say which conflict: its ID stands in the list");
    if (a->action == RESOLVE && !a->value == !a->clear) argp_error(state, "give --value JSON, or --clear");
    if (a->action != RESOLVE && (a->value || a->clear)) argp_error(state, "--value and --clear are for resolve");
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct conflict_arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->cli;
        return 0;
    case 'v':
        a->value = text;
        return 0;
    case 'c':
        a->clear = true;
        return 0;
    case 'a':
        a->actor = text;
        return 0;
    case 'p':
        a->purpose = text;
        return 0;
    case ARGP_KEY_ARG:
        add_argument(a, text, state);
        return 0;
    case ARGP_KEY_END:
        check(a, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"value", 'v', "JSON", 0, "resolve: the value that is to stand, such as '\"teacher\"'", 0},
    {"clear", 'c', NULL, 0, "resolve: nothing is to stand", 0},
    {"actor", 'a', "WHO", 0, "Who decides", 0},
    {"purpose", 'p', "WHAT", 0, "What for", 0},
    {0},
};
static const struct argp_child children[] = {
    {&kt_cli_argp, 0, NULL, 0},
    {0},
};
static const struct argp argp = {
    options,
    parse,
    "list\nshow ID\nresolve ID --value JSON",
    "Fields that two offices wrote differently while neither knew of the other: every value with who wrote it, where "
    "and "
    "when, until one of them, or another, is made to stand."
    "\vExample:\n"
    "  kontor conflicts list\n"
    "  kontor conflicts resolve 0123456789abcdef0123456789abcdef --value '\"teacher\"' --actor ada\n\n"
    "Exit status: 0 done, 1 no such conflict (any more), 2 usage or a value the field cannot have, 3 node unreachable "
    "or "
    "gone, 4 refused.\n",
    children,
    NULL,
    NULL};

static void print_conflict(const json_t *c)
{
    size_t i;
    json_t *v;
    kt_card_value(json_object_get(c, "ref"), stdout);
    printf("  %s", json_string_value(json_object_get(c, "field")));
    if (json_object_get(c, "key")) {
        printf(" of ");
        kt_card_value(json_object_get(c, "key"), stdout);
    }
    printf("  %s\n", json_string_value(json_object_get(c, "id")));
    json_array_foreach(json_object_get(c, "values"), i, v)
    {
        static const char *const about[] = {"office", "by", "at"};
        const json_t *value = json_object_get(v, "value");
        printf("  ");
        if (json_is_null(value))
            printf("(cleared)");
        else
            kt_card_value(value, stdout);
        printf("  --");
        for (size_t j = 0; j < 3; j++) {
            const json_t *what = json_object_get(v, about[j]);
            if (json_is_string(what)) putchar(' ');
            if (json_is_string(what)) kt_card_value(what, stdout);
        }
        putchar('\n');
    }
}

/* `show` gives one object, `list` an array. */
static int print_conflicts(const struct conflict_arguments *a, const struct kt_reply *reply)
{
    json_t *all = kt_json_conflicts(reply), *c;
    const json_t *shown = a->action == SHOW ? json_array_get(all, 0) : all;
    char *text = a->cli.json && shown ? kt_json_text(shown) : NULL;
    int err = !all || (a->cli.json && shown && !text) ? KT_ENOMEM : !shown ? KT_ENOTFOUND : KT_OK;
    size_t i;
    if (text) {
        puts(text);
    } else if (!err) {
        json_array_foreach(all, i, c) print_conflict(c);
        if (json_array_size(all) == 0) puts("no conflicts");
    }
    free(text);
    json_decref(all);
    return err;
}

static int ask_about(const struct conflict_arguments *a, struct kt_cli_answer *answer)
{
    struct kt_request r = {.kind = KT_ASK_CONFLICTS,
                           .actor = kt_str(a->actor),
                           .purpose = kt_str(a->purpose),
                           .deadline_ms = DEADLINE_MS,
                           .conflict = {.id = kt_str(a->id)}};
    return kt_cli_ask(&a->cli, &r, answer);
}

/* The value is encoded as the conflict's field has it, so the conflict is asked for first. */
static int value_for(const struct conflict_arguments *a, struct kt_arena *arena, struct kt_bytes *value, bool *clear)
{
    struct kt_cli_answer asked;
    struct kt_json_fault fault;
    int err = ask_about(a, &asked);
    const struct kt_schema_field *f = NULL;
    if (!err && asked.reply.conflicts.len == 0) err = KT_ENOTFOUND;
    if (!err) f = kt_schema_field(asked.reply.conflicts.items[0].field);
    if (!err && !f) err = KT_EVERSION;
    if (err) {
        (void)kt_cli_fail("kontor conflicts", err, asked.reply.reason);
    } else {
        *clear = a->clear;
        if (a->value) err = kt_json_value(f, kt_str(a->value), arena, value, clear, &fault);
        if (err) fprintf(stderr, "kontor conflicts: --value: %s: %s: %s\n", fault.field, fault.reason, fault.todo);
        if (err) err = KT_EINVAL;
    }
    kt_cli_forget(&asked);
    return err;
}

static enum kt_exit resolve(const struct conflict_arguments *a)
{
    struct kt_arena arena;
    struct kt_cli_answer answer;
    struct kt_request r = {.kind = KT_ASK_RESOLVE,
                           .actor = kt_str(a->actor),
                           .purpose = kt_str(a->purpose),
                           .deadline_ms = DEADLINE_MS,
                           .conflict = {.id = kt_str(a->id)}};
    kt_arena_init(&arena, VALUE_ARENA_BYTES);
    int err = value_for(a, &arena, &r.conflict.value, &r.conflict.clear);
    if (err) {
        kt_arena_free(&arena);
        return kt_cli_exit(err);
    }
    err = kt_cli_ask(&a->cli, &r, &answer);
    enum kt_exit status = err ? kt_cli_fail("kontor conflicts", err, answer.reply.reason) : KT_EXIT_DONE;
    struct kt_bytes token = {0};
    if (!err && answer.reply.put.results_len) token = answer.reply.put.results[0].token;
    if (!err && a->cli.json)
        printf("{\"id\":\"%s\",\"token\":\"%.*s\"}\n", a->id, (int)token.len, (const char *)token.data);
    else if (!err)
        puts("resolved");
    kt_cli_forget(&answer);
    kt_arena_free(&arena);
    return status;
}

int kt_cli_conflicts(const struct kt_cli *cli, int argc, char **argv)
{
    struct conflict_arguments a = {.cli = *cli};
    struct kt_cli_answer answer;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (a.action == RESOLVE) return resolve(&a);
    int err = ask_about(&a, &answer);
    if (!err) err = print_conflicts(&a, &answer.reply);
    enum kt_exit status = err ? kt_cli_fail(argv[0], err, answer.reply.reason) : KT_EXIT_DONE;
    kt_cli_forget(&answer);
    return status;
}
