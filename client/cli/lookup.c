/* kontor lookup: who is this, and what have we all done for them? */
#include "client/cli/card.h"
#include "client/cli/commands.h"
#include "client/cli/json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS      5000u
#define VIEW_ARENA_BYTES (64u << 20)

struct lookup_arguments {
    struct kt_cli cli;
    enum kt_lookup_by by;
    const char *value;
    const char *actor, *purpose, *case_ref;
    struct kt_bytes wait[KT_TOKENS_PER_LOOKUP_MAX];
    uint32_t wait_len, deadline_ms, page;
};

static void set_by(struct lookup_arguments *a, enum kt_lookup_by by, const char *text, struct argp_state *state)
{
    bool pair = by == KT_BY_ID || by == KT_BY_SOURCE;
    const char *colon = strchr(text, ':');
    if (a->by) argp_error(state, "look up by one thing at a time");
    if (pair && (!colon || colon == text || !colon[1])) argp_error(state, "give it as SYSTEM:VALUE, not as %s", text);
    if (!*text || strlen(text) > 2 * KT_NAME_BYTES_MAX) argp_error(state, "nothing has such a name");
    a->by = by;
    a->value = text;
}

static void add_wait(struct lookup_arguments *a, const char *token, struct argp_state *state)
{
    if (a->wait_len == KT_TOKENS_PER_LOOKUP_MAX) argp_error(state, "at most %u tokens", KT_TOKENS_PER_LOOKUP_MAX);
    if (!*token || strlen(token) > KT_TOKEN_CHARS_MAX) argp_error(state, "--wait: this is no token");
    a->wait[a->wait_len++] = kt_str(token);
}

enum { OPT_CASE_REF = 256, OPT_PAGE };

static error_t parse(int key, char *text, struct argp_state *state)
{
    static const struct {
        int key;
        enum kt_lookup_by by;
    } by[] = {
        {'i', KT_BY_ID},   {'s', KT_BY_SOURCE}, {'u', KT_BY_CUSTOMER},
        {'c', KT_BY_CASE}, {'t', KT_BY_PHONE},  {'m', KT_BY_EMAIL},
    };
    struct lookup_arguments *a = state->input;
    for (size_t i = 0; i < sizeof by / sizeof by[0]; i++) {
        if (by[i].key != key) continue;
        set_by(a, by[i].by, text, state);
        return 0;
    }
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->cli;
        return 0;
    case 'w':
        add_wait(a, text, state);
        return 0;
    case 'd':
        a->deadline_ms = kt_cli_seconds(text, "--deadline", state);
        return 0;
    case 'a':
        a->actor = text;
        return 0;
    case 'p':
        a->purpose = text;
        return 0;
    case OPT_CASE_REF:
        a->case_ref = text;
        return 0;
    case OPT_PAGE:
        a->page = kt_cli_number(text, "--page", 1u << 30, state);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "say by what: --id, --source, --customer, --case, --phone or --email");
        return 0;
    case ARGP_KEY_END:
        if (!a->by) argp_error(state, "say by what: --id, --source, --customer, --case, --phone or --email");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "Of whom (one of these):", 1},
    {"id", 'i', "SYSTEM:VALUE", 0, "An identifier, such as tax:123-45", 1},
    {"source", 's', "SYSTEM:ID", 0, "A source record, such as revenue:C-1", 1},
    {"customer", 'u', "ID", 0, "The id an earlier lookup gave", 1},
    {"case", 'c', "NUMBER", 0, "A case number", 1},
    {"phone", 't', "N", 0, "A telephone number, however written", 1},
    {"email", 'm', "A", 0, "An e-mail address", 1},
    {NULL, 0, NULL, 0, "How:", 2},
    {"wait", 'w', "TOKEN", 0, "First wait until what this token stands for is here (repeatable)", 2},
    {"deadline", 'd', "SECONDS", 0, "How long to wait (default: 5)", 2},
    {"page", OPT_PAGE, "N", 0, "Of lists too long for a view: the Nth further 50 rows", 2},
    {"actor", 'a', "WHO", 0, "Who asks", 2},
    {"purpose", 'p', "WHAT", 0, "What for", 2},
    {"case-ref", OPT_CASE_REF, "CASE", 0, "Under which case", 2},
    {0},
};
static const struct argp_child children[] = {
    {&kt_cli_argp, 0, NULL, 0},
    {0},
};
static const struct argp argp = {options,
                                 parse,
                                 "",
                                 "Show one customer: who it is, its cases, licences and conflicts, what is withheld, "
                                 "and how fresh all this is.  Where "
                                 "several fit, they are listed."
                                 "\vExample:\n"
                                 "  kontor lookup --phone '+49 30 123456' --actor ada --purpose complaint\n"
                                 "  kontor lookup --json --source revenue:C-1 --wait TOKEN --deadline 10\n\n"
                                 "Exit status: 0 found, 1 nobody there, 2 usage, 3 node unreachable or gone, 4 refused "
                                 "(a token that means nothing), "
                                 "7 what the token stands for did not come in time.\n",
                                 children,
                                 NULL,
                                 NULL};

static struct kt_request request_of(struct lookup_arguments *a)
{
    struct kt_request r = {
        .kind = KT_ASK_LOOKUP,
        .actor = kt_str(a->actor),
        .purpose = kt_str(a->purpose),
        .case_ref = kt_str(a->case_ref),
        .deadline_ms = a->deadline_ms,
        .lookup = {.by = a->by, .value = kt_str(a->value), .wait = a->wait, .wait_len = a->wait_len, .page = a->page}};
    if (a->by == KT_BY_ID || a->by == KT_BY_SOURCE) {
        size_t len = strcspn(a->value, ":");
        r.lookup.system = kt_bytes(a->value, len);
        r.lookup.value = kt_str(a->value + len + 1);
    }
    return r;
}

static int show(const struct lookup_arguments *a, struct kt_cli_answer *answer)
{
    struct kt_arena arena;
    json_t *json = NULL;
    kt_arena_init(&arena, VIEW_ARENA_BYTES);
    int err = kt_json_lookup(&answer->reply, &arena, &json);
    char *text = err || !a->cli.json ? NULL : kt_json_text(json);
    if (!err && a->cli.json && !text) err = KT_ENOMEM;
    if (text)
        puts(text);
    else if (!err)
        kt_card_print(json, stdout);
    free(text);
    json_decref(json);
    kt_arena_free(&arena);
    return err;
}

int kt_cli_lookup(const struct kt_cli *cli, int argc, char **argv)
{
    struct lookup_arguments a = {.cli = *cli, .deadline_ms = DEADLINE_MS};
    struct kt_cli_answer answer;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    struct kt_request r = request_of(&a);
    int err = kt_cli_ask(&a.cli, &r, &answer);
    if (!err) err = show(&a, &answer);
    enum kt_exit status = err ? kt_cli_fail(argv[0], err, answer.reply.reason) : KT_EXIT_DONE;
    kt_cli_forget(&answer);
    return status;
}
