#include "host/desk.h"

#include "proto/client/token.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define REQUEST_ARENA_BYTES_MAX (32u << 20)
#define DEADLINE_MS_DEFAULT     5000u
#define DEADLINE_MS_MAX         600000u
#define WAITING_MAX             4096u
#define WAITING_BYTES_MAX       (64u << 10) /* of one request: a lookup with all its tokens is far below */

/* A lookup that waits for its tokens. */
struct waiting {
    struct waiting *next;
    struct kt_client_ref from;
    uint32_t grant;
    uint64_t deadline_ms;
    struct kt_head *heads;
    uint32_t heads_len;
    uint8_t *request;
    size_t request_len;
};

struct kt_desk {
    struct kt_desk_config config;
    struct kt_service *service;
    struct kt_lookup *lookup;
    struct kt_arena arena;
    struct waiting *waiting;
    uint32_t waiting_len;
    pthread_mutex_t lock; /* counters and the verifier */
    struct kt_desk_count count;
    pthread_t verifier;
    bool verifier_made;
    atomic_bool verifying;
};

static uint64_t mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ------------------------------------------------------------------------------------------------------ replies */

static void send_reply(struct kt_desk *d, struct kt_client_ref to, const struct kt_reply *r)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_REPLY_BYTES_MAX);
    if (kt_reply_encode(r, &b)) {
        const struct kt_reply failed = {.kind = r->kind, .code = KT_ELIMIT, .reason = kt_str("the answer is too long")};
        kt_buf_clear(&b);
        (void)!kt_reply_encode(&failed, &b);
    }
    (void)kt_service_reply(d->service, to, kt_buf_bytes(&b));
    kt_buf_free(&b);
}

static void refuse(struct kt_desk *d, struct kt_client_ref to, enum kt_request_kind kind, int code, const char *reason)
{
    const struct kt_reply r = {.kind = kind, .code = code, .reason = kt_str(reason ? reason : kt_error_advice(code))};
    send_reply(d, to, &r);
}

void kt_desk_reply(struct kt_desk *d, const struct kt_asker *to, struct kt_bytes reply)
{
    struct kt_client_ref *from = to->ref;
    (void)kt_service_reply(d->service, *from, reply);
    free(from);
}

/* ------------------------------------------------------------------------------------------------------ lookups */

static void measure(struct kt_desk *d, uint64_t ns, int code)
{
    const uint32_t last = sizeof d->count.buckets / sizeof *d->count.buckets - 1;
    uint32_t i = 0;
    while (i < last && ns >= (uint64_t)2000u << i) i++;
    pthread_mutex_lock(&d->lock);
    d->count.lookups++;
    d->count.found += code == KT_OK;
    d->count.damaged += code == KT_EDAMAGED;
    d->count.sum_ns += ns;
    d->count.buckets[i]++;
    pthread_mutex_unlock(&d->lock);
}

void kt_desk_count(struct kt_desk *d, struct kt_desk_count *out)
{
    pthread_mutex_lock(&d->lock);
    *out = d->count;
    pthread_mutex_unlock(&d->lock);
}

static const struct kt_desk_grant *grant_of(const struct kt_desk *d, uint64_t bits)
{
    return bits && bits < d->config.grants_len ? &d->config.grants[bits] : NULL;
}

static void run_lookup(struct kt_desk *d, struct kt_client_ref from, uint64_t bits, const struct kt_request *r)
{
    const uint64_t start = mono_ns();
    const struct kt_desk_grant *g = grant_of(d, bits);
    const struct kt_grant grant = {g ? g->compartments : NULL, g ? g->len : 0};
    struct kt_reply reply = {.kind = r->kind};
    const uint64_t turn = kt_board_turn(d->config.board);
    int e = r->kind == KT_ASK_LOOKUP
                ? kt_lookup_run(d->lookup, r, g ? &grant : NULL, &d->arena, &reply)
                : kt_lookup_conflicts(d->lookup, r->conflict.id, g ? &grant : NULL, &d->arena, &reply);
    if (!e && r->kind == KT_ASK_LOOKUP) {
        e = kt_board_freshness(d->config.board, &d->arena, &reply.lookup.offices, &reply.lookup.offices_len);
        reply.lookup.now_ms = d->config.lookup.world->now_ms(d->config.lookup.world);
    }
    if (turn & 1 || turn != kt_board_turn(d->config.board)) e = KT_EAGAIN; /* it did not see a whole store */
    if (e)
        refuse(d, from, r->kind, e, NULL);
    else
        send_reply(d, from, &reply);
    measure(d, mono_ns() - start, e);
    if (e == KT_EDAMAGED) d->config.damaged(d->config.ctx);
}

static int heads_of(struct kt_desk *d, const struct kt_request *r, struct kt_head **heads, uint32_t *n)
{
    const uint8_t *key = kt_keyring_id_key(d->config.lookup.keyring);
    *n = 0;
    *heads = kt_arena_array(&d->arena, (size_t)r->lookup.wait_len * KT_TOKEN_HEADS_MAX + 1, sizeof **heads);
    if (!*heads) return KT_ELIMIT;
    for (uint32_t i = 0; i < r->lookup.wait_len; i++) {
        struct kt_token t;
        char *chars = kt_arena_str(&d->arena, r->lookup.wait[i]);
        if (!key || !chars) return KT_ETOKEN;
        int e = kt_token_decode(chars, key, &t);
        if (e) return e;
        for (uint32_t h = 0; h < t.heads_len; h++) (*heads)[(*n)++] = t.heads[h];
    }
    return KT_OK;
}

static bool put_aside(struct kt_desk *d, struct kt_client_ref from, uint64_t bits, const struct kt_request *r,
                      const struct kt_head *heads, uint32_t n, struct kt_bytes bytes)
{
    struct waiting *w = d->waiting_len < WAITING_MAX && bytes.len <= WAITING_BYTES_MAX ? calloc(1, sizeof *w) : NULL;
    if (!w) return false;
    w->heads = malloc(n * sizeof *heads);
    w->request = malloc(bytes.len);
    if (!w->heads || !w->request) {
        free(w->heads);
        free(w->request);
        free(w);
        return false;
    }
    memcpy(w->heads, heads, n * sizeof *heads);
    memcpy(w->request, bytes.data, bytes.len);
    w->heads_len = n;
    w->request_len = bytes.len;
    w->from = from;
    w->grant = (uint32_t)bits;
    const uint64_t wait_ms = r->deadline_ms ? r->deadline_ms : DEADLINE_MS_DEFAULT;
    w->deadline_ms = mono_ns() / 1000000u + (wait_ms < DEADLINE_MS_MAX ? wait_ms : DEADLINE_MS_MAX);
    w->next = d->waiting;
    d->waiting = w;
    d->waiting_len++;
    kt_service_deadline(d->service, w->deadline_ms);
    return true;
}

static void look_up(struct kt_desk *d, struct kt_client_ref from, uint64_t bits, const struct kt_request *r,
                    struct kt_bytes bytes)
{
    struct kt_head *heads;
    uint32_t n;
    int e = heads_of(d, r, &heads, &n);
    if (e)
        refuse(d, from, r->kind, e, NULL);
    else if (kt_board_covers(d->config.board, heads, n))
        run_lookup(d, from, bits, r);
    else if (!put_aside(d, from, bits, r, heads, n, bytes))
        refuse(d, from, r->kind, KT_EAGAIN, "too many lookups are waiting, or this one is too long");
}

/* Those whose tokens are shown by now are answered, those whose time is up are told so. */
void kt_desk_check(struct kt_desk *d)
{
    const uint64_t now = mono_ns() / 1000000u;
    uint64_t next = UINT64_MAX;
    for (struct waiting **at = &d->waiting; *at;) {
        struct waiting *w = *at;
        const bool shown = kt_board_covers(d->config.board, w->heads, w->heads_len);
        if (!shown && now < w->deadline_ms) {
            if (w->deadline_ms < next) next = w->deadline_ms;
            at = &w->next;
            continue;
        }
        struct kt_request r;
        kt_arena_reset(&d->arena);
        if (!shown)
            refuse(d, w->from, KT_ASK_LOOKUP, KT_EDEADLINE,
                   "what the token names has not arrived here yet: see kontor status");
        else if (!kt_request_decode(kt_bytes(w->request, w->request_len), &d->arena, &r))
            run_lookup(d, w->from, w->grant, &r);
        *at = w->next;
        d->waiting_len--;
        free(w->heads);
        free(w->request);
        free(w);
    }
    if (next != UINT64_MAX) kt_service_deadline(d->service, next);
}

/* ------------------------------------------------------------------------------------------- status and verify */

struct errand {
    struct kt_desk *desk;
    struct kt_client_ref from;
};

static struct errand *new_errand(struct kt_desk *d, struct kt_client_ref from)
{
    struct errand *x = malloc(sizeof *x);
    if (x) *x = (struct errand){d, from};
    return x;
}

static void reply_json(struct kt_desk *d, struct kt_client_ref to, enum kt_request_kind kind, int code,
                       const struct kt_buf *json)
{
    const struct kt_reply r = {.kind = kind,
                               .code = code,
                               .reason = code ? kt_str(kt_error_advice(code)) : kt_bytes(NULL, 0),
                               .json = kt_buf_bytes(json)};
    send_reply(d, to, &r);
}

static void status_on_engine(void *arg, struct kt_engine *e)
{
    struct errand *x = arg;
    struct kt_desk *d = x->desk;
    struct kt_buf json;
    kt_buf_init(&json, KT_REPLY_BYTES_MAX / 2);
    const int code = d->config.status(d->config.ctx, e, &json);
    reply_json(d, x->from, KT_ASK_STATUS, code, &json);
    kt_buf_free(&json);
    free(x);
}

static void *verify_main(void *arg)
{
    struct errand *x = arg;
    struct kt_desk *d = x->desk;
    struct kt_buf json;
    kt_buf_init(&json, KT_REPLY_BYTES_MAX / 2);
    const int code = d->config.verify(d->config.ctx, &json);
    reply_json(d, x->from, KT_ASK_VERIFY, code, &json);
    kt_buf_free(&json);
    free(x);
    atomic_store(&d->verifying, false);
    return NULL;
}

/* It reads the whole node, compartments and all: for those on this machine. */
static void start_verify(struct kt_desk *d, struct kt_client_ref from, uint64_t bits)
{
    if (bits) {
        refuse(d, from, KT_ASK_VERIFY, KT_ERIGHTS, "verify reads every compartment: run it on the node's own machine");
        return;
    }
    if (atomic_exchange(&d->verifying, true)) {
        refuse(d, from, KT_ASK_VERIFY, KT_EAGAIN, "a verification is under way already: wait for it");
        return;
    }
    if (d->verifier_made) pthread_join(d->verifier, NULL);
    struct errand *x = new_errand(d, from);
    d->verifier_made = x && pthread_create(&d->verifier, NULL, verify_main, x) == 0;
    if (d->verifier_made) return;
    free(x);
    atomic_store(&d->verifying, false);
    refuse(d, from, KT_ASK_VERIFY, KT_ENOMEM, NULL);
}

/* ----------------------------------------------------------------------------------------------------- requests */

static void to_engine(struct kt_desk *d, struct kt_client_ref from, uint64_t bits, enum kt_request_kind kind,
                      struct kt_bytes request)
{
    const struct kt_desk_grant *g = grant_of(d, bits);
    struct kt_client_ref *ref = malloc(sizeof *ref);
    const struct kt_asker asker = {from.client, ref, g ? g->compartments : NULL, g ? g->len : 0};
    if (ref) *ref = from;
    const int e = ref ? kt_runner_request(d->config.runner, &asker, request) : KT_ENOMEM;
    if (!e) return;
    free(ref);
    /* the node is ending: its client sees the line end */
    if (e != KT_EGONE) refuse(d, from, kind, e, e == KT_EAGAIN ? "more waits to be written than fits: wait" : NULL);
}

static void ask_status(struct kt_desk *d, struct kt_client_ref from)
{
    struct errand *x = new_errand(d, from);
    const int e = x ? kt_runner_call(d->config.runner, status_on_engine, x) : KT_ENOMEM;
    if (!e) return;
    free(x);
    if (e != KT_EGONE) refuse(d, from, KT_ASK_STATUS, e, NULL);
}

void kt_desk_request(struct kt_desk *d, struct kt_client_ref from, const struct kt_client_admission *who,
                     struct kt_bytes request)
{
    struct kt_request r;
    kt_arena_reset(&d->arena);
    int e = kt_request_decode(request, &d->arena, &r);
    if (e) {
        refuse(d, from, KT_ASK_LOOKUP, e, "the request does not read: is the client as new as the node?");
        return;
    }
    switch (r.kind) {
    case KT_ASK_PUT:
    case KT_ASK_RESOLVE:
        to_engine(d, from, who->bits, r.kind, request);
        return;
    case KT_ASK_LOOKUP:
        look_up(d, from, who->bits, &r, request);
        return;
    case KT_ASK_CONFLICTS:
        run_lookup(d, from, who->bits, &r);
        return;
    case KT_ASK_STATUS:
        ask_status(d, from);
        return;
    case KT_ASK_VERIFY:
        start_verify(d, from, who->bits);
        return;
    }
}

/* ------------------------------------------------------------------------------------------------ open and close */

int kt_desk_create(const struct kt_desk_config *c, struct kt_desk **out)
{
    struct kt_desk *d = calloc(1, sizeof *d);
    if (!d) return KT_ENOMEM;
    d->config = *c;
    pthread_mutex_init(&d->lock, NULL);
    kt_arena_init(&d->arena, REQUEST_ARENA_BYTES_MAX);
    int e = kt_lookup_create(&c->lookup, &d->lookup);
    if (e) {
        kt_desk_free(d);
        return e;
    }
    *out = d;
    return KT_OK;
}

static void wake_service(void *desk)
{
    struct kt_desk *d = desk;
    kt_service_wake(d->service);
}

void kt_desk_serve(struct kt_desk *d, struct kt_service *s)
{
    d->service = s;
    kt_board_on_change(d->config.board, wake_service, d);
}

void kt_desk_free(struct kt_desk *d)
{
    if (!d) return;
    kt_board_on_change(d->config.board, NULL, NULL);
    if (d->verifier_made) pthread_join(d->verifier, NULL);
    while (d->waiting) {
        struct waiting *w = d->waiting;
        d->waiting = w->next;
        free(w->heads);
        free(w->request);
        free(w);
    }
    if (d->lookup) kt_lookup_free(d->lookup);
    kt_arena_free(&d->arena);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
