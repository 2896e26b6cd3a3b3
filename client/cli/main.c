/* kontor: which command, and who runs it. */
#include "client/cli/authority/authority.h"
#include "client/cli/commands.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

const char *argp_program_version = "kontor 0.1.0";

static int authority(const struct kt_cli *cli, int argc, char **argv)
{
    return (void)cli, kt_cli_authority(argc, argv);
}
static int node(const struct kt_cli *cli, int argc, char **argv) { return (void)cli, kt_cli_node(argc, argv); }

static const struct command {
    const char *name, *full;
    int (*run)(const struct kt_cli *cli, int argc, char **argv);
} commands[] = {
    {"put",       "kontor put",       kt_cli_put      },
    {"import",    "kontor import",    kt_cli_import   },
    {"lookup",    "kontor lookup",    kt_cli_lookup   },
    {"status",    "kontor status",    kt_cli_status   },
    {"conflicts", "kontor conflicts", kt_cli_conflicts},
    {"verify",    "kontor verify",    kt_cli_verify   },
    {"fields",    "kontor fields",    kt_cli_fields   },
    {"key",       "kontor key",       kt_cli_key      },
    {"authority", "authority",        authority       },
    {"node",      "node",             node            },
};

static const char doc[] =
    "One customer view, kept by many offices: ask and tell one node of it.\v"
    "Commands (COMMAND --help says more):\n"
    "  put [FILE]         put entities, JSON lines\n"
    "  import FILE        put the rows of a CSV file\n"
    "  lookup             everything known about a customer, a case\n"
    "  status [--check]   the node, its peers, problems and what to do\n"
    "  conflicts          what two offices wrote differently: list, show, resolve\n"
    "  verify             check journal and store against seals, keys and digests\n"
    "  key FILE           make a program's key for tcp:// nodes\n"
    "  authority, node    found an organisation, make and admit nodes\n\n"
    "Example:\n  kontor --node ipc:///run/kontor/kontor.sock lookup --id tax:123-45\n\n"
    "Exit status: 0 done, 1 no such thing, 2 usage, 3 node unreachable or gone, 4 refused, 5 data "
    "damaged, 6 done but some input was refused, 7 deadline passed, 8 unhealthy.\n";

struct arguments {
    struct kt_cli cli;
    const struct command *command;
    int first; /* argv[first] is the command's name */
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *a = state->input;
    if (key == ARGP_KEY_INIT) state->child_inputs[0] = &a->cli;
    if (key == ARGP_KEY_NO_ARGS) argp_error(state, "say which command");
    if (key != ARGP_KEY_ARG) return key == ARGP_KEY_INIT ? 0 : ARGP_ERR_UNKNOWN;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, text) == 0) a->command = &commands[i];
    if (!a->command) argp_error(state, "no command \"%s\"", text);
    a->first = state->next - 1;
    state->next = state->argc; /* the rest is the command's */
    return 0;
}

int main(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&kt_cli_argp, 0, NULL, 0},
        {0       }
    };
    static const struct argp argp = {NULL, parse, "COMMAND ...", doc, children, NULL, NULL};
    struct arguments a = {0};
    char name[32];
    signal(SIGPIPE, SIG_IGN);
    argp_err_exit_status = KT_EXIT_USAGE;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a);
    snprintf(name, sizeof name, "%s", a.command->full);
    argv[a.first] = name;
    return a.command->run(&a.cli, argc - a.first, argv + a.first);
}
