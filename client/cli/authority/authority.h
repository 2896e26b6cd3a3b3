/* "kontor authority ..." and "kontor node ...": the offline authority, and a node's keys and join request.
 *
 * argv[0] is the command's own name ("authority", "node").  Gives the exit status of DESIGN section 11: 0 done,
 * 1 no such thing, 2 usage, 4 refused, 5 data damaged.  They switch core dumps off for the process; main thread. */
#ifndef KT_CLI_AUTHORITY_H
#define KT_CLI_AUTHORITY_H

int kt_cli_authority(int argc, char **argv);
int kt_cli_node(int argc, char **argv);

#endif
