#include "net/serving.h"

#include <errno.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SPIN_NS      50000u /* looked for more before sleeping */
#define EVENTS_MAX   64
#define SHUT_MS      100u  /* a doorway, when descriptors have run out */
#define NEWCOMERS_MS 1000u /* how often those who have not greeted are looked at */

enum { WAKE = 0 }; /* epoll's data: 0, then the doorways from 1, then client ids */

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t kt_service_now_ms(void) { return now_ns() / 1000000; }

static bool on_service_thread(struct kt_service *s) { return atomic_load(&s->self) == (uintptr_t)pthread_self(); }

static int watch(struct kt_service *s, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event ev = {.events = events, .data.u64 = data};
    return epoll_ctl(s->epoll, op, fd, &ev) ? KT_EIO : KT_OK;
}

/* ---- clients ---- */

static struct kt_client *find(struct kt_service *s, uint64_t id)
{
    struct kt_client *c = s->clients[id & KT_SERVICE_SLOTS_MASK];
    return c && c->id == id ? c : NULL;
}

/* The safe point after anything was done with a client: it goes, or epoll learns what it waits for. */
static void settle(struct kt_service *s, struct kt_client *c)
{
    if (!c->doomed) {
        uint32_t interest = kt_client_interest(c);
        if (interest != c->interest && watch(s, EPOLL_CTL_MOD, c->fd, interest, c->id)) c->doomed = true;
        c->interest = interest;
        if (!c->doomed) return;
    }
    uint64_t id = c->id;
    s->clients[id & KT_SERVICE_SLOTS_MASK] = NULL;
    s->clients_count--;
    if (!c->greeted) s->newcomers--;
    atomic_store(&s->count, s->clients_count);
    kt_client_free(c);
    if (s->c.on_gone) s->c.on_gone(s->c.ctx, id);
}

/* The newcomer who came first; NULL where all have greeted. */
static struct kt_client *oldest_newcomer(struct kt_service *s)
{
    struct kt_client *oldest = NULL;
    for (uint32_t i = 0; s->newcomers && i < s->c.clients_max; i++) {
        struct kt_client *c = s->clients[i];
        if (c && !c->greeted && (!oldest || c->made_ms < oldest->made_ms)) oldest = c;
    }
    return oldest;
}

static void turn_away(struct kt_service *s, struct kt_client *c)
{
    atomic_fetch_add(&s->turned_away, 1);
    c->doomed = true;
    settle(s, c);
}

static void newcomer(struct kt_service *s, int fd, bool local)
{
    struct kt_client *c, *oldest = s->clients_count == s->c.clients_max ? oldest_newcomer(s) : NULL;
    if (oldest) turn_away(s, oldest);
    uint32_t slot = 0;
    while (slot < s->c.clients_max && s->clients[slot]) slot++;
    if (slot == s->c.clients_max) {
        close(fd);
        atomic_fetch_add(&s->turned_away, 1);
        return;
    }
    if (kt_client_new(s, fd, local, &c)) {
        atomic_fetch_add(&s->turned_away, 1);
        return;
    }
    c->id = ++s->ids << KT_SERVICE_SLOTS_BITS | slot;
    c->interest = kt_client_interest(c);
    s->clients[slot] = c;
    s->clients_count++;
    atomic_store(&s->count, s->clients_count);
    if (watch(s, EPOLL_CTL_ADD, fd, c->interest, c->id)) c->doomed = true;
    if (c->doomed) settle(s, c);
}

static void come_in(struct kt_service *s, size_t i)
{
    struct kt_doorway *d = &s->doorways[i];
    for (int n = 0; n < EVENTS_MAX; n++) {
        int fd = kt_doorway_accept(d);
        if (fd >= 0) {
            newcomer(s, fd, d->local);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            d->shut_until_ms = kt_service_now_ms() + SHUT_MS;
            (void)watch(s, EPOLL_CTL_MOD, d->fd, 0, i + 1); /* it stays readable: do not spin on it */
            return;
        }
    }
}

static uint64_t look_at_doorways(struct kt_service *s, uint64_t now_ms)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < s->doorways_count; i++) {
        struct kt_doorway *d = &s->doorways[i];
        if (!d->shut_until_ms) continue;
        if (now_ms >= d->shut_until_ms) {
            d->shut_until_ms = 0;
            (void)watch(s, EPOLL_CTL_MOD, d->fd, EPOLLIN, i + 1);
        } else if (d->shut_until_ms < next) {
            next = d->shut_until_ms;
        }
    }
    return next;
}

static uint64_t look_at_newcomers(struct kt_service *s, uint64_t now_ms)
{
    struct kt_client *c;
    while ((c = oldest_newcomer(s)) && now_ms >= c->made_ms + KT_HANDSHAKE_MS_MAX) turn_away(s, c);
    return s->newcomers ? now_ms + NEWCOMERS_MS : UINT64_MAX;
}

/* ---- mail from other threads ---- */

static void deliver(struct kt_service *s, struct kt_mail *mail)
{
    while (mail) {
        struct kt_mail *m = mail;
        mail = m->next;
        struct kt_client *c = find(s, m->to.client);
        if (c) {
            (void)kt_client_reply(c, &m->to, kt_bytes(m->bytes, m->len)); /* what fails dooms the client */
            settle(s, c);
        }
        free(m);
    }
}

/* Takes in what other threads left; false: the service is to stop. */
static bool collect(struct kt_service *s, uint64_t now_ms)
{
    pthread_mutex_lock(&s->mtx);
    struct kt_mail *mail = s->mail;
    bool woken = s->woken, tick = now_ms >= s->deadline_ms, stopping = s->stopping;
    s->mail = NULL;
    s->mail_end = &s->mail;
    s->woken = false;
    if (tick) s->deadline_ms = UINT64_MAX;
    pthread_mutex_unlock(&s->mtx);
    deliver(s, mail);
    if (stopping) return false;
    if (woken && s->c.on_wake) s->c.on_wake(s->c.ctx);
    if (tick && s->c.on_tick) s->c.on_tick(s->c.ctx, now_ms);
    return true;
}

static void ring(struct kt_service *s)
{
    uint64_t one = 1;
    if (!on_service_thread(s)) (void)!write(s->event, &one, sizeof one); /* full means rung already */
}

/* ---- the loop ---- */

static void serve(struct kt_service *s, const struct epoll_event *ev)
{
    uint64_t data = ev->data.u64, count;
    if (data == WAKE) {
        (void)!read(s->event, &count, sizeof count);
        return;
    }
    if (data <= KT_DOORWAYS_MAX) {
        come_in(s, (size_t)data - 1);
        return;
    }
    struct kt_client *c = find(s, data);
    if (!c) return; /* it went within this round */
    if (ev->events & EPOLLOUT) kt_client_writable(c);
    if (!c->doomed && ev->events & EPOLLIN) kt_client_readable(c);
    if (!(ev->events & (EPOLLIN | EPOLLOUT))) c->doomed = true; /* the other end is gone */
    settle(s, c);
}

/* After an event the next one is near: look for it for a moment before paying for a sleep. */
static int wait_for(struct kt_service *s, struct epoll_event *ev, uint64_t next_ms, bool lively)
{
    uint64_t spin_until = lively && s->spins ? now_ns() + SPIN_NS : 0;
    while (spin_until) {
        int n = epoll_wait(s->epoll, ev, EVENTS_MAX, 0);
        if (n || now_ns() >= spin_until) {
            if (n) return n;
            break;
        }
    }
    uint64_t now_ms = kt_service_now_ms();
    int ms = next_ms == UINT64_MAX      ? -1
             : next_ms <= now_ms        ? 0
             : next_ms - now_ms > 60000 ? 60000
                                        : (int)(next_ms - now_ms);
    return epoll_wait(s->epoll, ev, EVENTS_MAX, ms);
}

static void *loop(void *arg)
{
    struct kt_service *s = arg;
    struct epoll_event ev[EVENTS_MAX];
    bool lively = false;
    uint64_t housekeeping_ms = 0;
    atomic_store(&s->self, (uintptr_t)pthread_self());
    if (s->c.on_start) s->c.on_start(s->c.ctx, s);
    for (;;) {
        uint64_t now_ms = kt_service_now_ms();
        if (!collect(s, now_ms)) return NULL;
        if (now_ms >= housekeeping_ms || s->newcomers) {
            uint64_t a = look_at_doorways(s, now_ms), b = look_at_newcomers(s, now_ms);
            housekeeping_ms = a < b ? a : b;
        }
        pthread_mutex_lock(&s->mtx);
        uint64_t next = s->mail || s->woken ? 0 : s->deadline_ms;
        pthread_mutex_unlock(&s->mtx);
        int n = wait_for(s, ev, next < housekeeping_ms ? next : housekeeping_ms, lively);
        for (int i = 0; i < n; i++) serve(s, &ev[i]);
        lively = n > 0;
    }
}

/* ---- for any thread ---- */

int kt_service_reply(struct kt_service *s, struct kt_client_ref to, struct kt_bytes reply)
{
    if (reply.len > KT_REPLY_BYTES_MAX) return KT_EOVERSIZE;
    if (on_service_thread(s)) {
        struct kt_client *c = find(s, to.client);
        if (!c) return KT_EGONE;
        int rc = kt_client_reply(c, &to, reply);
        if (!c->running) settle(s, c);
        return rc;
    }
    struct kt_mail *m = malloc(sizeof *m + reply.len);
    if (!m) return KT_ENOMEM;
    m->next = NULL;
    m->to = to;
    m->len = reply.len;
    if (reply.len) memcpy(m->bytes, reply.data, reply.len);
    pthread_mutex_lock(&s->mtx);
    *s->mail_end = m;
    s->mail_end = &m->next;
    pthread_mutex_unlock(&s->mtx);
    ring(s);
    return KT_OK;
}

void kt_service_wake(struct kt_service *s)
{
    pthread_mutex_lock(&s->mtx);
    bool first = !s->woken;
    s->woken = true;
    pthread_mutex_unlock(&s->mtx);
    if (first) ring(s);
}

void kt_service_deadline(struct kt_service *s, uint64_t at_ms)
{
    pthread_mutex_lock(&s->mtx);
    bool sooner = at_ms < s->deadline_ms;
    if (sooner) s->deadline_ms = at_ms;
    pthread_mutex_unlock(&s->mtx);
    if (sooner) ring(s);
}

void kt_service_clients(struct kt_service *s, uint64_t *now, uint64_t *turned_away)
{
    *now = atomic_load(&s->count);
    *turned_away = atomic_load(&s->turned_away);
}

int kt_service_listen_url(struct kt_service *s, size_t i, char out[KT_URL_CHARS_MAX])
{
    if (i >= s->doorways_count) return KT_ENOTFOUND;
    memcpy(out, s->doorways[i].url, KT_URL_CHARS_MAX);
    return KT_OK;
}

/* ---- opening and closing ---- */

static struct kt_service *service_new(const struct kt_service_config *c)
{
    struct kt_service *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    cpu_set_t cpus;
    s->c = *c;
    s->c.listen = NULL;
    sodium_memzero(s->c.session_secret, sizeof s->c.session_secret);
    if (!s->c.clients_max || s->c.clients_max > KT_SERVICE_SLOTS_MASK) s->c.clients_max = KT_CLIENTS_MAX;
    s->spins = sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) > 1;
    s->session_secret = sodium_malloc(KT_KEY_BYTES);
    if (s->session_secret) memcpy(s->session_secret, c->session_secret, KT_KEY_BYTES);
    s->clients = calloc(KT_SERVICE_SLOTS_MASK + 1, sizeof(struct kt_client *));
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->mail_end = &s->mail;
    s->deadline_ms = UINT64_MAX;
    pthread_mutex_init(&s->mtx, NULL);
    return s;
}

/* Its thread does not run (any more). */
static void service_free(struct kt_service *s)
{
    for (uint32_t i = 0; s->clients && i < s->c.clients_max; i++)
        if (s->clients[i]) kt_client_free(s->clients[i]);
    for (size_t i = 0; i < s->doorways_count; i++) kt_doorway_close(&s->doorways[i]);
    for (struct kt_mail *m = s->mail, *next; m; m = next) {
        next = m->next;
        free(m);
    }
    if (s->epoll >= 0) close(s->epoll);
    if (s->event >= 0) close(s->event);
    pthread_mutex_destroy(&s->mtx);
    sodium_free(s->session_secret);
    free(s->clients);
    free(s);
}

static int set_up(struct kt_service *s, const struct kt_service_config *c, char why[KT_WHY_CHARS_MAX])
{
    if (!s->session_secret || !s->clients) return KT_ENOMEM;
    snprintf(why, KT_WHY_CHARS_MAX, "service: no descriptors left, or more than %u URLs", KT_DOORWAYS_MAX);
    if (s->epoll < 0 || s->event < 0 || c->listen_count > KT_DOORWAYS_MAX) return KT_EIO;
    int rc = watch(s, EPOLL_CTL_ADD, s->event, EPOLLIN, WAKE);
    for (size_t i = 0; !rc && i < c->listen_count; i++) {
        s->doorways_count++;
        rc = kt_doorway_open(&s->doorways[i], c->listen[i], why);
        if (!rc) rc = watch(s, EPOLL_CTL_ADD, s->doorways[i].fd, EPOLLIN, i + 1);
    }
    return rc;
}

int kt_service_open(const struct kt_service_config *c, struct kt_service **out, char why[KT_WHY_CHARS_MAX])
{
    snprintf(why, KT_WHY_CHARS_MAX, "service: %s", kt_error_text(KT_ENOMEM));
    *out = NULL;
    struct kt_service *s = service_new(c);
    if (!s) return KT_ENOMEM;
    int rc = set_up(s, c, why);
    if (!rc) *out = s; /* before the first callback can come */
    if (!rc && pthread_create(&s->thread, NULL, loop, s)) rc = KT_ENOMEM;
    if (rc) {
        service_free(s);
        *out = NULL;
        return rc;
    }
    return KT_OK;
}

void kt_service_close(struct kt_service *s)
{
    if (!s) return;
    pthread_mutex_lock(&s->mtx);
    s->stopping = true;
    pthread_mutex_unlock(&s->mtx);
    ring(s);
    pthread_join(s->thread, NULL);
    service_free(s);
}
