/* kontor put: JSON lines in, tokens out. */
#include "client/cli/commands.h"
#include "client/cli/lines.h"
#include "client/cli/pipeline.h"
#include "client/cli/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct put_arguments {
    struct kt_cli cli;
    const char *file, *actor, *purpose, *case_ref, *basis;
    uint32_t copies, deadline_ms;
    bool tokens;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct put_arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->cli;
        return 0;
    case 't':
        a->tokens = true;
        return 0;
    case 'a':
        a->actor = text;
        return 0;
    case 'p':
        a->purpose = text;
        return 0;
    case 'c':
        a->case_ref = text;
        return 0;
    case 'b':
        a->basis = text;
        return 0;
    case 'k':
        a->copies = kt_cli_number(text, "--copies", KT_MEMBERS_MAX, state);
        return 0;
    case 'd':
        a->deadline_ms = kt_cli_seconds(text, "--deadline", state);
        return 0;
    case ARGP_KEY_ARG:
        if (a->file) argp_error(state, "one file only");
        a->file = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"tokens", 't', NULL, 0, "Print {\"line\":N,\"token\":\"..\"} as each line is durable and visible", 0},
    {"actor", 'a', "WHO", 0, "Who writes this", 0},
    {"purpose", 'p', "WHAT", 0, "What it is written for", 0},
    {"case-ref", 'c', "CASE", 0, "Under which case", 0},
    {"basis", 'b', "TOKEN", 0, "The lookup this is based on: what it saw is replaced", 0},
    {"copies", 'k', "K", 0, "Wait until K other offices have it too", 0},
    {"deadline", 'd', "SECONDS", 0, "How long to wait for copies (default: 5)", 0},
    {0},
};
static const struct argp_child children[] = {
    {&kt_cli_argp, 0, NULL, 0},
    {0},
};
static const struct argp argp = {
    options,
    parse,
    "[FILE]",
    "Put entities, one JSON object on each line of FILE or standard input.  A line that is refused is reported on "
    "standard error as \"line N: field: reason: what to do\" and stops nothing.  A case without source_id gets a "
    "number, which --tokens prints as \"number\" and which is its source_id from then on."
    "\vExample:\n"
    "  echo '{\"entity\":\"customer\",\"source_system\":\"revenue\",\"source_id\":\"C-1\",\"kind\":\"person\","
    "\"occupation\":\"teacher\"}' | kontor put --tokens --actor ada --purpose registration\n\n"
    "Exit status: 0 done, 2 usage, 3 node unreachable or gone, 4 all lines refused for rights, 6 some lines refused, "
    "7 written, and the copies not made in time.\n",
    children,
    NULL,
    NULL};

struct putting {
    const struct put_arguments *a;
    struct kt_pipeline *pipeline;
    struct kt_lines lines;
    struct kt_tally tally;
};

/* A number of the caller's own may hold anything that JSON must escape. */
static void print_token(const struct kt_put_result *r)
{
    printf("{\"line\":%u,\"token\":\"%.*s\"", r->line, (int)r->token.len, (const char *)r->token.data);
    json_t *number = r->number.len ? json_stringn((const char *)r->number.data, r->number.len) : NULL;
    char *text = number ? json_dumps(number, JSON_ENCODE_ANY) : NULL;
    if (text) printf(",\"number\":%s", text);
    free(text);
    json_decref(number);
    puts("}");
}

static void on_result(void *ctx, const struct kt_put_result *r, uint32_t kind)
{
    struct putting *p = ctx;
    if (r->code) {
        kt_tally_refused_there(&p->tally, r, kind);
        return;
    }
    p->tally.accepted++;
    if (p->a->tokens) print_token(r);
}

static void on_replied(void *ctx)
{
    (void)ctx;
    fflush(stdout);
}

static bool is_blank(struct kt_bytes line)
{
    for (size_t i = 0; i < line.len; i++)
        if (!strchr(" \t\r", line.data[i]) || !line.data[i]) return false;
    return true;
}

static int put_line(struct putting *p, struct kt_bytes line)
{
    struct kt_record record;
    struct kt_json_fault fault;
    if (is_blank(line)) return KT_OK;
    int err = kt_json_record(line, p->lines.number, kt_pipeline_arena(p->pipeline), &record, &fault);
    if (!err) return kt_pipeline_add(p->pipeline, &record);
    kt_tally_refuse(&p->tally, p->lines.number, err, &fault);
    return kt_pipeline_drop(p->pipeline);
}

static void refuse_long_line(struct putting *p)
{
    struct kt_json_fault f = {.field = "line", .todo = "put it in several lines"};
    snprintf(f.reason, sizeof f.reason, "is longer than %u bytes", KT_REQUEST_BYTES_MAX);
    kt_tally_refuse(&p->tally, p->lines.number, KT_EOVERSIZE, &f);
}

/* More input, and while there is none what has gathered goes out: somebody may be waiting for its tokens. */
static int more_input(struct putting *p)
{
    struct pollfd in = {.fd = p->lines.fd, .events = POLLIN};
    int err = KT_OK;
    if (poll(&in, 1, 0) == 0) {
        err = kt_pipeline_send(p->pipeline);
        if (!err) err = kt_pipeline_wait_for(p->pipeline, p->lines.fd);
    }
    if (err) return err;
    if (!kt_lines_read(&p->lines)) return KT_OK;
    fprintf(stderr, "kontor put: the input cannot be read (%s): what came before is put\n", strerror(errno));
    p->lines.at_end = true;
    p->tally.refused++;
    p->tally.wrong++;
    return KT_OK;
}

static int put_all(struct putting *p)
{
    int err = KT_OK;
    while (!err) {
        struct kt_bytes line;
        int got = kt_lines_next(&p->lines, &line);
        if (got == KT_EEND) break;
        if (got == KT_EAGAIN)
            err = more_input(p);
        else if (got == KT_EOVERSIZE)
            refuse_long_line(p);
        else
            err = put_line(p, line);
    }
    return err ? err : kt_pipeline_finish(p->pipeline);
}

static void say_summary(const struct putting *p)
{
    unsigned long long ok = p->tally.accepted, not_ok = p->tally.refused;
    if (p->a->cli.json)
        printf("{\"accepted\":%llu,\"refused\":%llu}\n", ok, not_ok);
    else if (!p->a->tokens)
        printf("%llu put, %llu refused\n", ok, not_ok);
    fflush(stdout);
}

static enum kt_exit finish(struct putting *p, int err)
{
    struct kt_bytes late = kt_pipeline_late(p->pipeline);
    say_summary(p);
    if (err) return kt_cli_fail("kontor put", err, kt_bytes(NULL, 0));
    if (late.len) return kt_cli_fail("kontor put", KT_EDEADLINE, late);
    return kt_tally_exit(&p->tally);
}

int kt_cli_put(const struct kt_cli *cli, int argc, char **argv)
{
    struct put_arguments a = {.cli = *cli};
    struct putting p = {.a = &a, .tally = {.what = "line"}};
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    int fd = a.file && strcmp(a.file, "-") != 0 ? open(a.file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (fd < 0) {
        fprintf(stderr, "kontor put: %s: %s: check the name of the file\n", a.file, strerror(errno));
        return KT_EXIT_USAGE;
    }
    kt_lines_init(&p.lines, fd, KT_REQUEST_BYTES_MAX);
    struct kt_pipeline_config c = {.cli = &a.cli,
                                   .actor = a.actor,
                                   .purpose = a.purpose,
                                   .case_ref = a.case_ref,
                                   .basis = a.basis,
                                   .copies = a.copies,
                                   .deadline_ms = a.deadline_ms,
                                   .ctx = &p,
                                   .result = on_result,
                                   .replied = on_replied};
    int err = kt_pipeline_open(&c, &p.pipeline);
    enum kt_exit status = err ? kt_cli_fail(argv[0], err, kt_bytes(NULL, 0)) : finish(&p, put_all(&p));
    kt_pipeline_close(p.pipeline);
    kt_lines_free(&p.lines);
    if (fd != STDIN_FILENO) close(fd);
    return status;
}
