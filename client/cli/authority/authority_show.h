/* "kontor authority show": the newest roster in words, or as JSON. */
#ifndef KT_CLI_AUTHORITY_SHOW_H
#define KT_CLI_AUTHORITY_SHOW_H

#include "client/cli/authority/authority_store.h"

/* Parses its own arguments; gives the exit status. */
int kt_authority_show(int argc, char **argv);

#endif
