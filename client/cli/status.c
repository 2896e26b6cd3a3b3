/* kontor status: who and where this node is, who is behind, what is wrong and what to do about it. */
#include "client/cli/card.h"
#include "client/cli/commands.h"

#include <stdlib.h>

#define DEADLINE_MS 5000u

struct status_arguments {
    struct kt_cli cli;
    bool check;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct status_arguments *a = state->input;
    (void)text;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->cli;
        return 0;
    case 'c':
        a->check = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "takes no arguments");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"check", 'c', NULL, 0, "Exit with 8 if there is any problem", 0},
    {0  },
};
static const struct argp_child children[] = {
    {&kt_cli_argp, 0, NULL, 0},
    {0       },
};
static const struct argp argp = {
    options,
    parse,
    "",
    "Show which office and member the node is, its peers and how far each is behind, its digests, and every problem "
    "with "
    "what to do about it."
    "\vExample:\n"
    "  kontor status --check || echo 'look after it'\n\n"
    "Exit status: 0 done (with --check: healthy), 2 usage, 3 node unreachable or gone, 8 unhealthy (--check).\n",
    children,
    NULL,
    NULL};

static void column(const json_t *v, int width, FILE *to)
{
    char *text = NULL;
    size_t len = 0;
    FILE *m = open_memstream(&text, &len);
    if (m) {
        kt_card_value(json_is_null(v) ? NULL : v, m);
        fclose(m);
        fprintf(to, " %-*s", width, len ? text : "-");
    }
    free(text);
}

static void print_peers(const json_t *peers)
{
    size_t i;
    json_t *p;
    if (json_array_size(peers) == 0) return;
    printf("\n %-16s %-10s %-10s %-14s %s\n", "peer", "state", "lag (s)", "batches behind", "bytes behind");
    json_array_foreach((json_t *)peers, i, p)
    {
        column(json_object_get(p, "office"), 16, stdout);
        column(json_object_get(p, "state"), 10, stdout);
        column(json_object_get(p, "lag_s"), 10, stdout);
        column(json_object_get(p, "batches_behind"), 14, stdout);
        column(json_object_get(p, "bytes_behind"), 0, stdout);
        putchar('\n');
    }
}

static void print_problems(const json_t *problems)
{
    size_t i;
    json_t *p;
    puts(json_array_size(problems) ? "\nProblems" : "\nNo problems");
    json_array_foreach((json_t *)problems, i, p)
    {
        printf("  ");
        if (json_is_string(json_object_get(p, "office"))) {
            kt_card_value(json_object_get(p, "office"), stdout);
            printf(": ");
        }
        kt_card_value(json_object_get(p, "what"), stdout);
        if (json_is_string(json_object_get(p, "since"))) {
            printf(" (since ");
            kt_card_value(json_object_get(p, "since"), stdout);
            putchar(')');
        }
        printf("\n    ");
        kt_card_value(json_object_get(p, "do"), stdout);
        putchar('\n');
    }
}

static void print_status(const json_t *s)
{
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)s, name, v)
    {
        if (json_is_array(v) || json_is_object(v)) continue;
        printf("%-16s ", name);
        kt_card_value(v, stdout);
        putchar('\n');
    }
    json_object_foreach(json_object_get(s, "digests"), name, v)
    {
        printf("digest of %-6s ", name);
        kt_card_value(v, stdout);
        putchar('\n');
    }
    print_peers(json_object_get(s, "peers"));
    print_problems(json_object_get(s, "problems"));
}

int kt_cli_status(const struct kt_cli *cli, int argc, char **argv)
{
    struct status_arguments a = {.cli = *cli};
    struct kt_cli_answer answer;
    struct kt_request r = {.kind = KT_ASK_STATUS, .deadline_ms = DEADLINE_MS};
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    int err = kt_cli_ask(&a.cli, &r, &answer);
    struct kt_bytes text = answer.reply.json;
    json_t *json = err ? NULL : json_loadb((const char *)text.data, text.len, 0, NULL);
    if (!err && !json) err = KT_EMALFORMED;
    enum kt_exit status = KT_EXIT_DONE;
    if (err) {
        status = kt_cli_fail(argv[0], err, answer.reply.reason);
    } else {
        if (a.cli.json)
            printf("%.*s\n", (int)text.len, (const char *)text.data);
        else
            print_status(json);
        if (a.check && json_array_size(json_object_get(json, "problems"))) status = KT_EXIT_UNHEALTHY;
    }
    json_decref(json);
    kt_cli_forget(&answer);
    return status;
}
