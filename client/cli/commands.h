/* The commands that ask a node; each in a file of its own.
 *
 * argv[0] is the command's full name ("kontor put").  Each gives the exit status of DESIGN section 11, and ends the
 * program itself on a usage error (2) and on --help (0). */
#ifndef KT_CLI_COMMANDS_H
#define KT_CLI_COMMANDS_H

#include "client/cli/call.h"

int kt_cli_put(const struct kt_cli *cli, int argc, char **argv);
int kt_cli_import(const struct kt_cli *cli, int argc, char **argv);
int kt_cli_lookup(const struct kt_cli *cli, int argc, char **argv);
int kt_cli_status(const struct kt_cli *cli, int argc, char **argv);
int kt_cli_conflicts(const struct kt_cli *cli, int argc, char **argv);
int kt_cli_verify(const struct kt_cli *cli, int argc, char **argv);
int kt_cli_key(const struct kt_cli *cli, int argc, char **argv);
int kt_cli_fields(const struct kt_cli *cli, int argc, char **argv);

#endif
