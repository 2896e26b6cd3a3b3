/* kontor verify: is what is stored what was sealed? */
#include "client/cli/card.h"
#include "client/cli/commands.h"
#include "client/cli/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEADLINE_MS (6u * 3600u * 1000u) /* it walks everything there is */

struct verify_arguments {
    struct kt_cli cli;
    const char *store;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct verify_arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->cli;
        return 0;
    case 's':
        a->store = text;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "takes no arguments");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"store", 's', "DIR", 0, "Check the files of a node that does not run: the folder with its kontord.conf", 0},
    {0 },
};
static const struct argp_child children[] = {
    {&kt_cli_argp, 0, NULL, 0},
    {0       },
};
static const struct argp argp = {
    options,
    parse,
    "",
    "Walk a node's journal and store against seals, keys and digests.  The node goes on working meanwhile."
    "\vExample:\n"
    "  kontor verify\n"
    "  kontor verify --store /var/lib/kontor\n\n"
    "Exit status: 0 all is well, 2 usage, 3 node unreachable or gone, 5 data damaged.\n",
    children,
    NULL,
    NULL};

/* kontord does it, the one that was installed with us. */
static enum kt_exit verify_store(const char *dir)
{
    char self[KT_PATH_MAX], program[KT_PATH_MAX], config[KT_PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len <= 0 || kt_path_join(dir, "kontord.conf", config))
        return kt_cli_fail("kontor verify", KT_EINVAL, kt_str(dir));
    self[len] = 0;
    *strrchr(self, '/') = 0;
    if (kt_path_join(self, "kontord", program)) return kt_cli_fail("kontor verify", KT_EINVAL, kt_str(self));
    execl(program, program, "--verify", "--config", config, (char *)NULL);
    fprintf(stderr, "kontor verify: %s: %s: install kontord beside kontor\n", program, strerror(errno));
    return KT_EXIT_REFUSED;
}

/* The node's words about what it found: JSON, or its fields a line each. */
static void print_findings(const struct verify_arguments *a, struct kt_bytes text)
{
    json_t *json = json_loadb((const char *)text.data, text.len, 0, NULL), *v;
    const char *key;
    if (a->cli.json && text.len) printf("%.*s\n", (int)text.len, (const char *)text.data);
    if (a->cli.json) {
        json_decref(json);
        return;
    }
    json_object_foreach(json, key, v)
    {
        printf("%-16s ", key);
        kt_card_value(v, stdout);
        putchar('\n');
    }
    json_decref(json);
}

int kt_cli_verify(const struct kt_cli *cli, int argc, char **argv)
{
    struct verify_arguments a = {.cli = *cli};
    struct kt_cli_answer answer;
    struct kt_request r = {.kind = KT_ASK_VERIFY, .deadline_ms = DEADLINE_MS};
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (a.store) return verify_store(a.store);
    int err = kt_cli_ask(&a.cli, &r, &answer);
    print_findings(&a, answer.reply.json);
    enum kt_exit status = err ? kt_cli_fail(argv[0], err, answer.reply.reason) : KT_EXIT_DONE;
    kt_cli_forget(&answer);
    return status;
}
