#include "host/pages.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define PAGE_BYTES_MAX (4u << 20)

#if MHD_VERSION < 0x00097002
typedef int page_result; /* before 0.9.71 */
#else
typedef enum MHD_Result page_result;
#endif

struct kt_pages {
    const struct kt_health_config *health;
    struct kt_runner *runner;
    struct MHD_Daemon *http;
};

/* A page being made on the engine thread; freed by whoever lets go of it last. */
struct making {
    pthread_mutex_t lock;
    pthread_cond_t done_or_not;
    const struct kt_health_config *health;
    int (*make)(const struct kt_health_config *c, struct kt_engine *e, struct kt_buf *out);
    struct kt_buf page;
    int code, holders;
    bool done;
};

static void let_go(struct making *m)
{
    pthread_mutex_lock(&m->lock);
    const bool last = --m->holders == 0;
    pthread_mutex_unlock(&m->lock);
    if (!last) return;
    kt_buf_free(&m->page);
    pthread_cond_destroy(&m->done_or_not);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static void make_on_engine(void *arg, struct kt_engine *e)
{
    struct making *m = arg;
    const int code = m->make(m->health, e, &m->page);
    pthread_mutex_lock(&m->lock);
    m->code = code;
    m->done = true;
    pthread_cond_signal(&m->done_or_not);
    pthread_mutex_unlock(&m->lock);
    let_go(m);
}

static bool wait_for(struct making *m)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += KT_PAGE_WAIT_MS / 1000;
    pthread_mutex_lock(&m->lock);
    while (!m->done && pthread_cond_timedwait(&m->done_or_not, &m->lock, &until) == 0) continue;
    const bool done = m->done;
    pthread_mutex_unlock(&m->lock);
    return done;
}

static int ready_page(const struct kt_health_config *c, struct kt_engine *e, struct kt_buf *out)
{
    const char *why;
    if (kt_health_ready(c, e, &why)) {
        kt_buf_put(out, kt_str("ready\n"));
        return out->err;
    }
    kt_buf_put(out, kt_str(why));
    kt_buf_put(out, kt_str("\n"));
    return KT_EAGAIN;
}

static int health_page(const struct kt_health_config *c, struct kt_engine *e, struct kt_buf *out)
{
    (void)c, (void)e;
    kt_buf_put(out, kt_str("alive\n"));
    return out->err;
}

static const struct {
    const char *path, *type;
    int (*make)(const struct kt_health_config *c, struct kt_engine *e, struct kt_buf *out);
} pages[] = {
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", kt_health_metrics},
    {"/healthz", "text/plain; charset=utf-8",                health_page      },
    {"/readyz",  "text/plain; charset=utf-8",                ready_page       },
};

static page_result respond(struct MHD_Connection *c, unsigned status, const char *type, struct kt_bytes body)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);
    if (!r) return MHD_NO;
    MHD_add_response_header(r, "Content-Type", type);
    const page_result sent = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return sent;
}

static page_result show(struct kt_pages *p, struct MHD_Connection *c, size_t page)
{
    struct making *m = calloc(1, sizeof *m);
    if (!m) return MHD_NO;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->done_or_not, NULL);
    kt_buf_init(&m->page, PAGE_BYTES_MAX);
    m->health = p->health;
    m->make = pages[page].make;
    m->holders = 2;
    if (kt_runner_call(p->runner, make_on_engine, m)) {
        m->holders = 1;
        let_go(m);
        return MHD_NO;
    }
    const bool done = wait_for(m);
    const struct kt_bytes body = done ? kt_buf_bytes(&m->page) : kt_str("the engine is busy: try again\n");
    const page_result sent =
        respond(c, done && !m->code ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, pages[page].type, body);
    let_go(m);
    return sent;
}

static page_result answer(void *ctx, struct MHD_Connection *c, const char *url, const char *method, const char *version,
                          const char *upload, size_t *upload_len, void **state)
{
    (void)version, (void)upload, (void)upload_len, (void)state;
    if (strcmp(method, "GET") != 0) return respond(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", kt_str("only GET\n"));
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcmp(url, pages[i].path) == 0) return show(ctx, c, i);
    return respond(c, MHD_HTTP_NOT_FOUND, "text/plain", kt_str("pages here: /metrics /healthz /readyz\n"));
}

int kt_pages_open(uint16_t port, const struct kt_health_config *health, struct kt_runner *runner, struct kt_pages **out)
{
    *out = NULL;
    if (port == 0) return KT_OK;
    struct kt_pages *p = calloc(1, sizeof *p);
    if (!p) return KT_ENOMEM;
    p->health = health;
    p->runner = runner;
    struct sockaddr_in loopback = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    p->http = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, port, NULL, NULL,
                               answer, p, MHD_OPTION_SOCK_ADDR, &loopback, MHD_OPTION_CONNECTION_LIMIT, 16u,
                               MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
    if (!p->http) {
        free(p);
        return KT_EUNREACHABLE;
    }
    *out = p;
    return KT_OK;
}

void kt_pages_close(struct kt_pages *p)
{
    if (!p) return;
    MHD_stop_daemon(p->http);
    free(p);
}
