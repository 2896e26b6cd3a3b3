/* A node that says what a test wants: the real client service on a unix socket, each request decoded and handed to the
 * test's script, whose reply goes back encoded.  For what a real node does only when the world is broken. */
#ifndef KT_SUPPORT_SCRIPTED_NODE_H
#define KT_SUPPORT_SCRIPTED_NODE_H

#include "net/service.h"
#include "proto/client/request.h"

#include <assert.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* On the service thread.  Memory for the reply from the arena; false: no answer, and the node is gone soon. */
typedef bool (*scripted_answer)(void *ctx, const struct kt_request *r, struct kt_arena *arena, struct kt_reply *reply);

struct scripted_node {
    struct kt_service *service;
    scripted_answer answer;
    void *ctx;
    struct kt_arena arena;
    sem_t said_false;
    char dir[64], url[128];
};

static inline int scripted_admit(void *ctx, uid_t uid, gid_t gid, pid_t pid, struct kt_client_admission *who)
{
    (void)ctx, (void)uid, (void)gid, (void)pid;
    *who = (struct kt_client_admission){.name = "test"};
    return KT_OK;
}

static inline void scripted_request(void *ctx, struct kt_client_ref from, const struct kt_client_admission *who,
                                    struct kt_bytes request)
{
    struct scripted_node *n = ctx;
    struct kt_request r;
    struct kt_buf b;
    (void)who;
    kt_arena_reset(&n->arena);
    kt_buf_init(&b, KT_REPLY_BYTES_MAX);
    int err = kt_request_decode(request, &n->arena, &r);
    assert(!err);
    struct kt_reply reply = {.kind = r.kind};
    if (n->answer(n->ctx, &r, &n->arena, &reply)) {
        err = kt_reply_encode(&reply, &b);
        assert(!err);
        err = kt_service_reply(n->service, from, kt_buf_bytes(&b));
        assert(!err || err == KT_EGONE);
    } else {
        sem_post(&n->said_false);
    }
    kt_buf_free(&b);
}

/* Ends the test that cannot start it. */
static inline struct scripted_node *scripted_node_start(scripted_answer answer, void *ctx)
{
    char why[KT_WHY_CHARS_MAX];
    struct scripted_node *n = calloc(1, sizeof *n);
    assert(n);
    if (sodium_init() < 0) abort();
    n->answer = answer;
    n->ctx = ctx;
    kt_arena_init(&n->arena, 64u << 20);
    sem_init(&n->said_false, 0, 0);
    snprintf(n->dir, sizeof n->dir, "/tmp/kontor-node-XXXXXX");
    if (!mkdtemp(n->dir)) abort();
    snprintf(n->url, sizeof n->url, "ipc://%s/sock", n->dir);
    const char *listen[] = {n->url};
    const struct kt_service_config c = {
        .listen = listen, .listen_count = 1, .ctx = n, .admit_local = scripted_admit, .on_request = scripted_request};
    if (kt_service_open(&c, &n->service, why)) abort();
    return n;
}

/* Waits until the script has said false, then hangs up on everybody. */
static inline void scripted_node_vanish(struct scripted_node *n)
{
    sem_wait(&n->said_false);
    kt_service_close(n->service);
    n->service = NULL;
}

static inline void scripted_node_stop(struct scripted_node *n)
{
    kt_service_close(n->service);
    kt_arena_free(&n->arena);
    sem_destroy(&n->said_false);
    rmdir(n->dir);
    free(n);
}

static inline const char *scripted_node_url(const struct scripted_node *n) { return n->url; }

/* Accepts every record of a put with the token "t<line>". */
static inline void scripted_accept(const struct kt_request *r, struct kt_arena *arena, struct kt_reply *reply)
{
    reply->put.results = kt_arena_array(arena, r->put.records_len + 1, sizeof *reply->put.results);
    reply->put.results_len = r->put.records_len;
    for (uint32_t i = 0; i < r->put.records_len; i++) {
        char token[32];
        snprintf(token, sizeof token, "t%u", r->put.records[i].line);
        reply->put.results[i] =
            (struct kt_put_result){.line = r->put.records[i].line, .token = kt_arena_copy(arena, kt_str(token))};
    }
}

#endif
