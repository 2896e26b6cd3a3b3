/* A handle and its connections. */
#include "client/handle.h"

#include "client/service.h"

#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#define CONNECT_MS_DEFAULT  5000u
#define DEADLINE_MS_DEFAULT 5000u
#define GRACE_MS            15000u /* beyond the deadline a node is given: for the way there and back */
#define CONNECTIONS_DEFAULT 16u
#define CONNECTIONS_MAX     256u
#define ANSWER_ARENA_BYTES  (64u << 20)

/* The installed header stands alone; this is where both lists of codes are held against each other. */
#define SAME_CODE(name, number) _Static_assert((int)KONTOR_##name == (int)KT_##name, "one family of codes");
KONTOR_ERRORS(SAME_CODE)
#undef SAME_CODE
#define ONE_MORE(...) +1
_Static_assert(0 KONTOR_ERRORS(ONE_MORE) == 0 KT_ERRORS(ONE_MORE), "no code is missing in kontor.h");
#undef ONE_MORE
_Static_assert(KONTOR_TOKEN_CHARS_MAX == KT_TOKEN_CHARS_MAX && KONTOR_RECORDS_MAX == KT_RECORDS_PER_PUT_MAX,
               "the limits of the installed header are those of the wire");
_Static_assert((int)KONTOR_BY_ID == (int)KT_BY_ID && (int)KONTOR_BY_SOURCE == (int)KT_BY_SOURCE &&
                   (int)KONTOR_BY_CUSTOMER == (int)KT_BY_CUSTOMER && (int)KONTOR_BY_CASE == (int)KT_BY_CASE &&
                   (int)KONTOR_BY_PHONE == (int)KT_BY_PHONE && (int)KONTOR_BY_EMAIL == (int)KT_BY_EMAIL,
               "ways to look up");

struct kontor {
    char url[KT_URL_CHARS_MAX];
    uint32_t connect_ms, connections_max;
    bool has_keys; /* both, and the organisation */
    uint8_t secret[KT_KEY_BYTES], node_key[KT_KEY_BYTES];
    struct kt_cluster cluster;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t free_one;
    struct kt_line *idle[CONNECTIONS_MAX];
    uint32_t idle_len, in_use;
};

const char *kontor_error_text(int code) { return kt_error_text(code); }
const char *kontor_error_advice(int code) { return kt_error_advice(code); }

static int connect_line(const struct kontor *k, struct kt_line **out)
{
    const struct kt_line_config c = {.url = k->url,
                                     .deadline_ms = kt_line_now_ms() + k->connect_ms,
                                     .secret = k->has_keys ? k->secret : NULL,
                                     .node_key = k->has_keys ? k->node_key : NULL,
                                     .cluster = k->cluster};
    int err = kt_line_open(&c, out);
    return err == KT_EDEADLINE ? KT_EUNREACHABLE : err;
}

/* A connection on which something came while nobody asked has ended. */
static bool is_alive(const struct kt_line *l)
{
    struct pollfd p = {.fd = kt_line_fd(l), .events = POLLIN};
    return poll(&p, 1, 0) == 0;
}

static int take_line(struct kontor *k, struct kt_line **out)
{
    struct kt_line *line = NULL;
    pthread_mutex_lock(&k->lock);
    while (k->in_use >= k->connections_max) pthread_cond_wait(&k->free_one, &k->lock);
    k->in_use++;
    if (k->idle_len) line = k->idle[--k->idle_len];
    pthread_mutex_unlock(&k->lock);
    if (line && !is_alive(line)) {
        kt_line_close(line);
        line = NULL;
    }
    int err = line ? KT_OK : connect_line(k, &line);
    if (err) {
        pthread_mutex_lock(&k->lock);
        k->in_use--;
        pthread_cond_signal(&k->free_one);
        pthread_mutex_unlock(&k->lock);
        return err;
    }
    *out = line;
    return KT_OK;
}

static void give_back(struct kontor *k, struct kt_line *line, bool good)
{
    if (!good) kt_line_close(line);
    pthread_mutex_lock(&k->lock);
    k->in_use--;
    if (good) k->idle[k->idle_len++] = line; /* idle and in use together are never more than connections_max */
    pthread_cond_signal(&k->free_one);
    pthread_mutex_unlock(&k->lock);
}

int kontor_open(const char *url, const struct kontor_options *options, struct kontor **out)
{
    const struct kontor_options o = options ? *options : (struct kontor_options){0};
    struct kt_line *line;
    if (!url || strlen(url) >= KT_URL_CHARS_MAX || o.connections > CONNECTIONS_MAX) return KT_EINVAL;
    if ((o.secret || o.node_key || o.organisation) && !(o.secret && o.node_key && o.organisation)) return KT_EINVAL;
    struct kontor *k = calloc(1, sizeof *k);
    if (!k) return KT_ENOMEM;
    memcpy(k->url, url, strlen(url) + 1);
    k->connect_ms = o.connect_ms ? o.connect_ms : CONNECT_MS_DEFAULT;
    k->connections_max = o.connections ? o.connections : CONNECTIONS_DEFAULT;
    k->has_keys = o.secret != NULL;
    if (k->has_keys) {
        memcpy(k->secret, o.secret, sizeof k->secret);
        memcpy(k->node_key, o.node_key, sizeof k->node_key);
        memcpy(k->cluster.b, o.organisation, sizeof k->cluster.b);
    }
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->free_one, NULL);
    int err = take_line(k, &line);
    if (err) {
        kontor_close(k);
        return err;
    }
    give_back(k, line, true);
    *out = k;
    return KT_OK;
}

void kontor_close(struct kontor *k)
{
    if (!k) return;
    while (k->idle_len) kt_line_close(k->idle[--k->idle_len]);
    pthread_cond_destroy(&k->free_one);
    pthread_mutex_destroy(&k->lock);
    sodium_memzero(k->secret, sizeof k->secret);
    free(k);
}

/* The reply's bytes are copied before the connection goes back to the others. */
static int exchange(struct kt_line *line, struct kt_bytes request, uint64_t until_ms, struct kt_buf *out)
{
    uint32_t sent, id = 0;
    struct kt_bytes reply = {0};
    int err = kt_line_send(line, request, until_ms, &sent);
    if (!err) err = kt_line_receive(line, until_ms, &id, &reply);
    if (!err && id != sent) err = KT_EMALFORMED; /* nothing else is under way here */
    if (!err) kt_buf_put(out, reply);
    return err ? err : out->err;
}

int kt_handle_ask(struct kontor *k, struct kt_request *request, struct kt_answer *out)
{
    struct kt_buf b;
    struct kt_line *line = NULL;
    if (!request->deadline_ms) request->deadline_ms = DEADLINE_MS_DEFAULT;
    kt_arena_init(&out->arena, ANSWER_ARENA_BYTES);
    kt_buf_init(&out->bytes, KT_REPLY_BYTES_MAX + 1);
    kt_buf_init(&b, KT_REQUEST_BYTES_MAX);
    int err = kt_request_encode(request, &b);
    if (!err) err = b.err;
    if (!err) err = take_line(k, &line);
    if (!err) {
        err = exchange(line, kt_buf_bytes(&b), kt_line_now_ms() + request->deadline_ms + GRACE_MS, &out->bytes);
        give_back(k, line, !err);
    }
    if (!err) err = kt_reply_decode(kt_buf_bytes(&out->bytes), &out->arena, &out->reply);
    if (!err && out->reply.kind != request->kind && !out->reply.code) err = KT_EMALFORMED;
    kt_buf_free(&b);
    return err ? err : out->reply.code;
}

void kt_answer_free(struct kt_answer *a)
{
    kt_buf_wipe_free(&a->bytes);
    kt_arena_free(&a->arena);
}

/* ---- the node itself ---- */

static int ask_json(struct kontor *k, enum kt_request_kind kind, uint32_t deadline_ms, char **json)
{
    struct kt_answer a = {0};
    struct kt_request r = {.kind = kind, .deadline_ms = deadline_ms};
    int err = kt_handle_ask(k, &r, &a);
    char *text = a.reply.json.len ? malloc(a.reply.json.len + 1) : NULL;
    if (text) {
        memcpy(text, a.reply.json.data, a.reply.json.len);
        text[a.reply.json.len] = 0;
        *json = text;
    } else if (!err) {
        err = a.reply.json.len ? KT_ENOMEM : KT_EMALFORMED;
    }
    kt_answer_free(&a);
    return err;
}

int kontor_status(struct kontor *k, char **json) { return ask_json(k, KT_ASK_STATUS, 0, json); }

int kontor_verify(struct kontor *k, uint32_t deadline_ms, char **json)
{
    return ask_json(k, KT_ASK_VERIFY, deadline_ms, json);
}

void kontor_free(char *text) { free(text); }
