/* What the commands that handle keys share: exit statuses, a way to say what went wrong, no core dumps. */
#ifndef KT_CLI_OFFLINE_H
#define KT_CLI_OFFLINE_H

#include "proto/errors.h"

/* The exit status that stands for an error code. */
int kt_offline_exit(int err);

/* "kontor COMMAND: ABOUT: what happened: what to do" on standard error; gives the exit status.  advice NULL: that of
 * the code. */
int kt_offline_fail(const char *command, const char *about, int err, const char *advice);

/* Before any secret is in memory: no core dumps, no ptrace by others, libsodium ready.  KT_EBUG. */
int kt_offline_start(void) KT_MUST;

/* One command of several under a name: "init" -> run(argc - 1, argv + 1 with argv[0] = full). */
struct kt_subcommand {
    const char *name, *full; /* "init", "kontor authority init" */
    const char *what;        /* one line of help */
    int (*run)(int argc, char **argv);
};
/* Finds and runs argv[1]; without or with an unknown one prints what there is and gives 2 (0 for --help). */
int kt_offline_dispatch(const char *group, const struct kt_subcommand *list, unsigned n, int argc, char **argv);

#endif
