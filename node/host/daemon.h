/* The daemon: puts the parts of a node together, runs them until it is told to stop, and takes them apart.
 *
 *   store -> keyring -> ledger and engine -> runner -> links, desk and service, pages
 */
#ifndef KT_HOST_DAEMON_H
#define KT_HOST_DAEMON_H

#include "host/config.h"
#include "proto/buffer.h"

/* Runs one node until SIGTERM or SIGINT (graceful: what was taken is finished and answered) or until it cannot go on.
 * SIGHUP opens the log file again.  KT_OK after a graceful stop.  Blocks those signals in the whole process. */
int kt_daemon_run(const struct kt_config *config, struct kt_log *log) KT_MUST;

/* Opens the store alone and checks all of it (kontor verify --store); prints the JSON document to `json`. */
int kt_daemon_verify(const struct kt_config *config, struct kt_log *log, struct kt_buf *json) KT_MUST;

#endif
