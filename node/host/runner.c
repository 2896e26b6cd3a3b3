#include "host/runner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define GROUP_INPUTS_MAX  256u
#define REQUEST_BYTES_MAX (256u << 20) /* waiting for the engine; more is refused */

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct kt_input *first, **end;
    bool closed; /* nothing more is taken */
};

/* How many frames of a link are on their way to the engine. */
struct flow {
    uint64_t link;
    uint32_t frames;
    bool paused; /* one was refused: its line waits to be resumed */
};

struct kt_runner {
    struct kt_runner_config config;
    struct kt_engine *engine;
    struct queue frames, inputs; /* to the opener; to the engine */
    pthread_mutex_t flow_lock;
    struct flow flows[2 * KT_PEERS_MAX]; /* a link that ends and one that begins may overlap */
    uint32_t flows_len;
    pthread_t opener, owner;
    bool opener_runs, owner_runs;
    atomic_bool stopping;
    atomic_size_t request_bytes; /* that wait for the engine */
};

/* ------------------------------------------------------------------------------------------------------- queues */

static void queue_init(struct queue *q)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->some, &attr);
    pthread_condattr_destroy(&attr);
    q->first = NULL;
    q->end = &q->first;
}

static void free_input(struct kt_input *in)
{
    kt_intake_free(in->intake);
    free(in->request);
    free(in);
}

/* Frees it and gives false where the queue is closed. */
static bool queue_push(struct queue *q, struct kt_input *in)
{
    in->next = NULL;
    pthread_mutex_lock(&q->lock);
    const bool open = !q->closed;
    if (open) {
        *q->end = in;
        q->end = &in->next;
        pthread_cond_signal(&q->some);
    }
    pthread_mutex_unlock(&q->lock);
    if (!open) free_input(in);
    return open;
}

static void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_mutex_unlock(&q->lock);
}

/* Up to `max` inputs; waits for the first for at most wait_ms. */
static uint32_t queue_take(struct queue *q, struct kt_input **out, uint32_t max, uint32_t wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)wait_ms * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    uint32_t n = 0;
    pthread_mutex_lock(&q->lock);
    while (!q->first && pthread_cond_timedwait(&q->some, &q->lock, &until) == 0) continue;
    while (q->first && n < max) {
        out[n++] = q->first;
        q->first = q->first->next;
    }
    if (!q->first) q->end = &q->first;
    pthread_mutex_unlock(&q->lock);
    return n;
}

static struct kt_input *new_input(enum kt_input_kind kind, uint64_t link)
{
    struct kt_input *in = calloc(1, sizeof *in);
    if (in) *in = (struct kt_input){.kind = kind, .link = link};
    return in;
}

static void queue_end(struct queue *q)
{
    struct kt_input *in;
    while (queue_take(q, &in, 1, 0)) free_input(in);
    pthread_cond_destroy(&q->some);
    pthread_mutex_destroy(&q->lock);
}

/* --------------------------------------------------------------------------------------------------------- flow */

static struct flow *flow_of(struct kt_runner *r, uint64_t link)
{
    for (uint32_t i = 0; i < r->flows_len; i++)
        if (r->flows[i].link == link) return &r->flows[i];
    return NULL;
}

void kt_runner_frame_done(struct kt_runner *r, uint64_t link)
{
    pthread_mutex_lock(&r->flow_lock);
    struct flow *f = flow_of(r, link);
    bool resume = false;
    if (f) {
        f->frames--;
        resume = f->paused;
        f->paused = false;
    }
    pthread_mutex_unlock(&r->flow_lock);
    if (resume) r->config.resume(r->config.ctx, link);
}

/* -------------------------------------------------------------------------------------------- what others push */

void kt_runner_link_up(struct kt_runner *r, uint64_t link, kt_member member, bool roster_only)
{
    struct kt_input *in = new_input(KT_IN_LINK_UP, link);
    if (!in) return;
    in->member = member;
    in->roster_only = roster_only;
    pthread_mutex_lock(&r->flow_lock);
    if (r->flows_len < sizeof r->flows / sizeof *r->flows) r->flows[r->flows_len++] = (struct flow){.link = link};
    pthread_mutex_unlock(&r->flow_lock);
    (void)queue_push(&r->frames, in);
}

void kt_runner_link_down(struct kt_runner *r, uint64_t link)
{
    struct kt_input *in = new_input(KT_IN_LINK_DOWN, link);
    pthread_mutex_lock(&r->flow_lock);
    struct flow *f = flow_of(r, link);
    if (f) *f = r->flows[--r->flows_len];
    pthread_mutex_unlock(&r->flow_lock);
    if (in) (void)queue_push(&r->frames, in);
}

/* The frame travels as a request's bytes until the opener has made an intake of it. */
bool kt_runner_frame(struct kt_runner *r, uint64_t link, struct kt_bytes frame)
{
    pthread_mutex_lock(&r->flow_lock);
    struct flow *f = flow_of(r, link);
    const bool room = f && f->frames < KT_INBOX_FRAMES_MAX;
    if (room)
        f->frames++;
    else if (f)
        f->paused = true;
    pthread_mutex_unlock(&r->flow_lock);
    if (!room) return false;
    struct kt_input *in = new_input(KT_IN_FRAME, link);
    uint8_t *copy = in ? malloc(frame.len ? frame.len : 1) : NULL;
    if (!copy) {
        free(in);
        kt_runner_frame_done(r, link);
        return false;
    }
    memcpy(copy, frame.data, frame.len);
    in->request = copy;
    in->request_len = frame.len;
    (void)queue_push(&r->frames, in);
    return true;
}

int kt_runner_request(struct kt_runner *r, const struct kt_asker *asker, struct kt_bytes request)
{
    if (atomic_load(&r->request_bytes) + request.len > REQUEST_BYTES_MAX) return KT_EAGAIN;
    struct kt_input *in = new_input(KT_IN_REQUEST, 0);
    uint8_t *copy = in ? malloc(request.len ? request.len : 1) : NULL;
    if (!copy) {
        free(in);
        return KT_ENOMEM;
    }
    memcpy(copy, request.data, request.len);
    in->asker = *asker;
    in->request = copy;
    in->request_len = request.len;
    atomic_fetch_add(&r->request_bytes, request.len);
    return queue_push(&r->inputs, in) ? KT_OK : KT_EGONE;
}

int kt_runner_call(struct kt_runner *r, void (*call)(void *arg, struct kt_engine *e), void *arg)
{
    struct kt_input *in = new_input(KT_IN_CALL, 0);
    if (!in) return KT_ENOMEM;
    in->call = call;
    in->arg = arg;
    return queue_push(&r->inputs, in) ? KT_OK : KT_EGONE;
}

/* ------------------------------------------------------------------------------------------------------ threads */

static void *opener_main(void *arg)
{
    struct kt_runner *r = arg;
    struct kt_input *in;
    struct kt_packer *packer = kt_packer_create(); /* NULL does as well, slower */
    while (!atomic_load(&r->stopping)) {
        if (!queue_take(&r->frames, &in, 1, 200)) continue;
        if (in->kind == KT_IN_FRAME) {
            in->intake = kt_intake_frame(r->config.keyring, packer, in->link, kt_bytes(in->request, in->request_len));
            free(in->request);
            in->request = NULL;
        }
        (void)queue_push(&r->inputs, in);
    }
    kt_packer_free(packer);
    return NULL;
}

static int turn(struct kt_runner *r, uint32_t wait_ms, uint32_t *taken)
{
    struct kt_input *inputs[GROUP_INPUTS_MAX];
    const uint32_t n = queue_take(&r->inputs, inputs, GROUP_INPUTS_MAX, wait_ms);
    const int e = kt_engine_step(r->engine, inputs, n);
    for (uint32_t i = 0; i < n; i++) {
        if (inputs[i]->kind == KT_IN_REQUEST) atomic_fetch_sub(&r->request_bytes, inputs[i]->request_len);
        free(inputs[i]);
    }
    *taken = n;
    return e;
}

static void *owner_main(void *arg)
{
    struct kt_runner *r = arg;
    uint32_t taken = 0;
    int e = KT_OK;
    while (!e && !atomic_load(&r->stopping)) e = turn(r, kt_engine_idle_ms(r->engine), &taken);
    queue_close(&r->inputs); /* clients that ask again as soon as they are answered would keep it here for ever */
    do {
        if (!e) e = turn(r, 0, &taken);
    } while (!e && taken);
    kt_engine_finish(r->engine);
    if (e) r->config.failed(r->config.ctx, e);
    return NULL;
}

int kt_runner_create(const struct kt_runner_config *c, struct kt_runner **out)
{
    struct kt_runner *r = calloc(1, sizeof *r);
    if (!r) return KT_ENOMEM;
    r->config = *c;
    queue_init(&r->frames);
    queue_init(&r->inputs);
    pthread_mutex_init(&r->flow_lock, NULL);
    *out = r;
    return KT_OK;
}

int kt_runner_start(struct kt_runner *r, struct kt_engine *e)
{
    r->engine = e;
    r->opener_runs = pthread_create(&r->opener, NULL, opener_main, r) == 0;
    r->owner_runs = r->opener_runs && pthread_create(&r->owner, NULL, owner_main, r) == 0;
    return r->owner_runs ? KT_OK : KT_ENOMEM;
}

void kt_runner_stop(struct kt_runner *r)
{
    if (!r) return;
    atomic_store(&r->stopping, true);
    if (r->opener_runs) pthread_join(r->opener, NULL);
    if (r->owner_runs) pthread_join(r->owner, NULL);
    r->opener_runs = r->owner_runs = false;
}

void kt_runner_free(struct kt_runner *r)
{
    if (!r) return;
    kt_runner_stop(r);
    queue_end(&r->frames);
    queue_end(&r->inputs);
    pthread_mutex_destroy(&r->flow_lock);
    free(r);
}
