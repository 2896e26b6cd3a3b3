#include "client/cli/call.h"

#include "client/cli/card.h"
#include "client/cli/files.h"
#include "client/cli/key.h"
#include "proto/buffer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS        5000u
#define GRACE_MS          15000u /* beyond the deadline a node was given: for the way there and back */
#define REPLY_ARENA_BYTES (64u << 20)
#define SECONDS_MAX       86400.0

static error_t parse_global(int key, char *text, struct argp_state *state)
{
    struct kt_cli *cli = state->input;
    switch (key) {
    case 'N':
        cli->node = text;
        return 0;
    case 'K':
        cli->key = text;
        return 0;
    case 'J':
        cli->json = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option global_options[] = {
    {NULL,            0, NULL, 0, "Any command:", 9},
    {"node",           'N', "URL", 0, "The node to ask, ipc://PATH or tcp://HOST:PORT (default: $KONTOR_NODE)", 9},
    {"key", 'K', "FILE", 0, "The key this client shows at a tcp:// node (default: $KONTOR_KEY)", 9},
    {"json",               'J', NULL, 0, "Answer in JSON", 9},
    {0 },
};
const struct argp kt_cli_argp = {global_options, parse_global, NULL, NULL, NULL, NULL, NULL};

uint32_t kt_cli_seconds(const char *text, const char *option, struct argp_state *state)
{
    char *end;
    errno = 0;
    double s = strtod(text, &end);
    if (errno || end == text || *end || !(s >= 0) || s > SECONDS_MAX)
        argp_error(state, "%s: give seconds from 0 to %.0f", option, SECONDS_MAX);
    uint32_t ms = (uint32_t)(s * 1000);
    return ms ? ms : 1; /* 0 would be "as long as the node thinks fit" */
}

uint32_t kt_cli_number(const char *text, const char *option, uint32_t max, struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || n > max)
        argp_error(state, "%s: give a number from 0 to %u", option, max);
    return (uint32_t)n;
}

enum kt_exit kt_cli_exit(int code)
{
    static const struct {
        int code;
        enum kt_exit status;
    } table[] = {
        {KT_OK,           KT_EXIT_DONE       },
        {KT_ENOTFOUND,    KT_EXIT_NONE       },
        {KT_EINVAL,       KT_EXIT_USAGE      },
        {KT_EFIELD,       KT_EXIT_USAGE      },
        {KT_ETYPE,        KT_EXIT_USAGE      },
        {KT_EUTF8,        KT_EXIT_USAGE      },
        {KT_EOVERSIZE,    KT_EXIT_USAGE      },
        {KT_EUNREACHABLE, KT_EXIT_UNREACHABLE},
        {KT_EGONE,        KT_EXIT_UNREACHABLE},
        {KT_EDAMAGED,     KT_EXIT_DAMAGED    },
        {KT_EHASH,        KT_EXIT_DAMAGED    },
        {KT_EOPEN,        KT_EXIT_DAMAGED    },
        {KT_ESIGNATURE,   KT_EXIT_DAMAGED    },
        {KT_EDEADLINE,    KT_EXIT_DEADLINE   },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].code == code) return table[i].status;
    return KT_EXIT_REFUSED;
}

/* What these mean where the node has not said a word. */
static const char *advice_of(int code)
{
    if (code == KT_EINVAL) return "give --node URL, ipc://PATH or tcp://HOST:PORT, or set KONTOR_NODE";
    if (code == KT_EKEY) return "a tcp:// node needs --key FILE, as `kontor key` makes it, readable by you alone";
    return kt_error_advice(code);
}

enum kt_exit kt_cli_fail(const char *command, int code, struct kt_bytes reason)
{
    fprintf(stderr, "%s: %s: ", command, kt_error_text(code));
    char said[KT_REASON_BYTES_MAX + 1]; /* a node's words: nothing for a terminal to obey */
    snprintf(said, sizeof said, "%.*s", (int)reason.len, reason.len ? (const char *)reason.data : "");
    kt_card_text(reason.len ? said : advice_of(code), stderr);
    fputc('\n', stderr);
    return kt_cli_exit(code);
}

int kt_cli_connect(const struct kt_cli *cli, struct kt_line **out)
{
    struct kt_client_key key = {0};
    const char *file = cli->key ? cli->key : getenv("KONTOR_KEY");
    struct kt_line_config c = {.url = cli->node ? cli->node : getenv("KONTOR_NODE"),
                               .deadline_ms = kt_line_now_ms() + CONNECT_MS};
    if (!c.url || !*c.url) return KT_EINVAL;
    if (strncmp(c.url, "tcp://", 6) == 0) {
        if (!file || kt_client_key_read(file, &key)) return KT_EKEY;
        c.secret = key.secret;
        c.node_key = key.node;
        c.cluster = key.cluster;
    }
    int err = kt_line_open(&c, out);
    kt_client_key_wipe(&key);
    return err == KT_EDEADLINE ? KT_EUNREACHABLE : err;
}

static int exchange(struct kt_cli_answer *a, struct kt_bytes request, uint32_t deadline_ms)
{
    const uint64_t until = kt_line_now_ms() + deadline_ms + GRACE_MS;
    uint32_t sent, id;
    struct kt_bytes bytes = {0};
    int err = kt_line_send(a->line, request, until, &sent);
    do {
        if (!err) err = kt_line_receive(a->line, until, &id, &bytes);
    } while (!err && id != sent);
    if (!err) err = kt_reply_decode(bytes, &a->arena, &a->reply);
    return err ? err : a->reply.code;
}

int kt_cli_ask(const struct kt_cli *cli, const struct kt_request *request, struct kt_cli_answer *answer)
{
    struct kt_buf b;
    *answer = (struct kt_cli_answer){0};
    kt_arena_init(&answer->arena, REPLY_ARENA_BYTES);
    kt_buf_init(&b, KT_REQUEST_BYTES_MAX);
    int err = kt_request_encode(request, &b);
    if (!err) err = b.err;
    if (!err) err = kt_cli_connect(cli, &answer->line);
    if (!err) err = exchange(answer, kt_buf_bytes(&b), request->deadline_ms);
    kt_buf_free(&b);
    return err;
}

void kt_cli_forget(struct kt_cli_answer *answer)
{
    kt_line_close(answer->line);
    kt_arena_free(&answer->arena);
}
