/* What every command that asks a node shares: the options before the command, one question and its answer, and what
 * becomes of an error on the way to an exit status (DESIGN section 11).
 *
 * Commands run on the main thread and own the process: SIGPIPE is ignored, standard error is theirs. */
#ifndef KT_CLI_CALL_H
#define KT_CLI_CALL_H

#include "client/service.h"
#include "proto/client/request.h"

#include <argp.h>

/* How a command ends. */
enum kt_exit {
    KT_EXIT_DONE = 0,
    KT_EXIT_NONE = 1, /* no such thing */
    KT_EXIT_USAGE = 2,
    KT_EXIT_UNREACHABLE = 3, /* or gone */
    KT_EXIT_REFUSED = 4,
    KT_EXIT_DAMAGED = 5,
    KT_EXIT_PARTLY = 6, /* done, but some input was refused */
    KT_EXIT_DEADLINE = 7,
    KT_EXIT_UNHEALTHY = 8, /* status --check */
};

/* What was said before (or after) the command's name. */
struct kt_cli {
    const char *node; /* URL; NULL: none was given */
    const char *key;  /* file with the client's key, for tcp://; NULL: none */
    bool json;
};

/* Every command takes these options too: give this parser as a child, with a struct kt_cli as its input. */
extern const struct argp kt_cli_argp;

/* A number of seconds such as "5" or "0.5" as milliseconds; a day at most.  Ends the program with a usage error. */
uint32_t kt_cli_seconds(const char *text, const char *option, struct argp_state *state);
/* A whole number up to max, in the same way. */
uint32_t kt_cli_number(const char *text, const char *option, uint32_t max, struct argp_state *state);

enum kt_exit kt_cli_exit(int code);
/* "kontor COMMAND: what happened: what to do" on standard error, and the exit status.  `reason` is the node's own; may
 * be empty. */
enum kt_exit kt_cli_fail(const char *command, int code, struct kt_bytes reason);

/* Connects.  KT_EINVAL: no URL, or not one of ours; KT_EUNREACHABLE, KT_EREFUSED, KT_EDEADLINE. */
int kt_cli_connect(const struct kt_cli *cli, struct kt_line **out) KT_MUST;

/* One question, one answer. */
struct kt_cli_answer {
    struct kt_line *line; /* the reply borrows from it */
    struct kt_arena arena;
    struct kt_reply reply;
};
/* Asks and waits for request->deadline_ms and some more for the way there and back.  KT_OK: there is a reply, and its
 * code is KT_OK too; otherwise the reason, if the node gave one, stands in answer->reply.reason.  In every case
 * kt_cli_forget frees what there is. */
int kt_cli_ask(const struct kt_cli *cli, const struct kt_request *request, struct kt_cli_answer *answer) KT_MUST;
void kt_cli_forget(struct kt_cli_answer *answer);

#endif
