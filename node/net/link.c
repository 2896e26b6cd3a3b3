#include "net/links.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t kt_net_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void kt_links_kick(struct kt_links *l)
{
    pthread_mutex_lock(&l->mtx);
    l->kicked = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->mtx);
}

/* The conn of an id that is up, held; NULL where there is none any more. */
static struct kt_conn *find(struct kt_links *l, uint64_t link)
{
    pthread_mutex_lock(&l->mtx);
    struct kt_conn *c = l->slots[link % KT_LINK_SLOTS];
    if (c && (c->id != link || c->place != KT_PLACE_UP)) c = NULL;
    if (c) kt_conn_enter(c);
    pthread_mutex_unlock(&l->mtx);
    return c;
}

static int send_frame(struct kt_transport *t, uint64_t link, struct kt_bytes frame)
{
    struct kt_conn *c = find((struct kt_links *)t, link);
    if (!c) return KT_EGONE;
    int rc = kt_conn_send(c, frame);
    kt_conn_leave(c);
    return rc == KT_ELIMIT || rc == KT_ENOMEM ? KT_EGONE : rc;
}

static void close_link(struct kt_transport *t, uint64_t link, const char *why)
{
    struct kt_conn *c = find((struct kt_links *)t, link);
    if (!c) return;
    kt_conn_bye(c, KT_EGONE, why);
    kt_conn_leave(c);
}

struct kt_transport *kt_links_transport(struct kt_links *l) { return &l->transport; }

void kt_links_resume(struct kt_links *l, uint64_t link)
{
    struct kt_conn *c = find(l, link);
    if (!c) return;
    pthread_mutex_lock(&c->mtx);
    c->resume = true;
    bool paused = c->paused;
    pthread_mutex_unlock(&c->mtx);
    kt_conn_leave(c);
    if (paused) kt_links_kick(l);
}

/* ---- what stands, for status pages ---- */

static void describe_link(struct kt_conn *c, struct kt_link_info *out, uint64_t now_ms)
{
    uint64_t heard = atomic_load(&c->last_in_ms);
    *out = (struct kt_link_info){.link = c->id, .member = c->member, .roster_only = c->roster_only};
    out->dialled = c->dial != NULL;
    memcpy(out->url, c->url, sizeof out->url);
    out->up_ms = now_ms - c->up_ms;
    out->silent_ms = heard < now_ms ? now_ms - heard : 0;
    out->bytes_in = atomic_load(&c->bytes_in);
    out->bytes_out = atomic_load(&c->bytes_out);
    out->frames_in = atomic_load(&c->frames_in);
    out->frames_out = atomic_load(&c->frames_out);
    pthread_mutex_lock(&c->mtx);
    out->paused = c->paused;
    out->queued_bytes = c->pending.len + (c->tx_busy ? c->flight.len - c->flight_at : 0);
    pthread_mutex_unlock(&c->mtx);
}

size_t kt_links_list(struct kt_links *l, struct kt_link_info *out, size_t max)
{
    size_t n = 0;
    pthread_mutex_lock(&l->mtx);
    uint64_t now_ms = kt_net_now_ms();
    for (struct kt_conn *c = l->conns; c && n < max; c = c->next)
        if (c->place == KT_PLACE_UP) describe_link(c, &out[n++], now_ms);
    pthread_mutex_unlock(&l->mtx);
    return n;
}

size_t kt_links_dials(struct kt_links *l, struct kt_dial_info *out, size_t max)
{
    pthread_mutex_lock(&l->mtx);
    uint64_t now_ms = kt_net_now_ms();
    size_t n = l->dials_count < max ? l->dials_count : max;
    for (size_t i = 0; i < n; i++) {
        const struct kt_dial *d = l->dials[i];
        out[i] = (struct kt_dial_info){.state = d->state, .member = d->member, .attempts = d->attempts};
        out[i].state_ms = now_ms - d->state_since_ms;
        out[i].last_error = d->last_error;
        memcpy(out[i].url, d->url, sizeof out[i].url);
        memcpy(out[i].last_error_text, d->last_error_text, sizeof out[i].last_error_text);
    }
    pthread_mutex_unlock(&l->mtx);
    return n;
}

void kt_links_strangers(struct kt_links *l, uint64_t *now, uint64_t *turned_away)
{
    pthread_mutex_lock(&l->mtx);
    *now = 0;
    for (struct kt_conn *c = l->conns; c; c = c->next) *now += !c->dial && c->place == KT_PLACE_STRANGER;
    *turned_away = l->turned_away;
    pthread_mutex_unlock(&l->mtx);
}

int kt_links_listen_url(struct kt_links *l, size_t i, char out[KT_URL_CHARS_MAX])
{
    if (i >= l->listeners_count) return KT_ENOTFOUND;
    memcpy(out, l->listeners[i].url, KT_URL_CHARS_MAX);
    return KT_OK;
}

int kt_links_dial(struct kt_links *l, const char *url)
{
    char why[KT_WHY_CHARS_MAX];
    return kt_dial_add(l, url, why);
}

/* ---- opening and closing ---- */

static void defaults(struct kt_links_config *c)
{
    if (!c->redial_ms_max) c->redial_ms_max = KT_REDIAL_MS_DEFAULT;
    if (c->redial_ms_max > KT_REDIAL_MS_MAX) c->redial_ms_max = KT_REDIAL_MS_MAX;
    if (!c->half_open_max) c->half_open_max = KT_HALF_OPEN_MAX;
    if (!c->session_bytes_max) c->session_bytes_max = KT_SESSION_BYTES_MAX;
    if (!c->session_ms_max) c->session_ms_max = KT_SESSION_MS_MAX;
    if (!c->silent_ms) c->silent_ms = KT_LINK_SILENT_MS;
    c->listen = c->dial = NULL; /* the caller's, copied where they are used */
    sodium_memzero(c->session_secret, sizeof c->session_secret);
}

static struct kt_links *links_new(const struct kt_links_config *c)
{
    struct kt_links *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->c = *c;
    defaults(&l->c);
    l->transport = (struct kt_transport){.send = send_frame, .close_link = close_link};
    l->session_secret = sodium_malloc(KT_KEY_BYTES);
    l->listeners = calloc(c->listen_count ? c->listen_count : 1, sizeof *l->listeners);
    l->round = kt_round_new();
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&l->mtx, NULL);
    if (l->session_secret) memcpy(l->session_secret, c->session_secret, KT_KEY_BYTES);
    return l;
}

/* Nothing of it runs any more. */
static void links_free(struct kt_links *l)
{
    for (size_t i = 0; i < l->listeners_count; i++) kt_listener_close(&l->listeners[i]);
    for (size_t i = 0; i < l->dials_count; i++) kt_dial_free(l->dials[i]);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->mtx);
    sodium_free(l->session_secret);
    free(l->listeners);
    free(l->round);
    free(l);
}

static int set_up(struct kt_links *l, const struct kt_links_config *c, char why[KT_WHY_CHARS_MAX])
{
    int rc = KT_OK;
    for (size_t i = 0; !rc && i < c->listen_count; i++) {
        l->listeners_count++;
        rc = kt_listener_open(&l->listeners[i], l, c->listen[i], why);
    }
    for (size_t i = 0; !rc && i < c->dial_count; i++) rc = kt_dial_add(l, c->dial[i], why);
    return rc;
}

int kt_links_open(const struct kt_links_config *c, struct kt_links **out, char why[KT_WHY_CHARS_MAX])
{
    snprintf(why, KT_WHY_CHARS_MAX, "%s", kt_error_text(KT_ENOMEM));
    *out = NULL;
    struct kt_links *l = links_new(c);
    if (!l) return KT_ENOMEM;
    int rc = l->session_secret && l->listeners && l->round ? set_up(l, c, why) : KT_ENOMEM;
    if (!rc) *out = l; /* before the first callback can come */
    if (!rc && pthread_create(&l->keeper, NULL, kt_keeper, l)) rc = KT_ENOMEM;
    if (rc) {
        links_free(l);
        *out = NULL;
        return rc;
    }
    for (size_t i = 0; i < l->listeners_count; i++) kt_listener_accept(&l->listeners[i]);
    return KT_OK;
}

void kt_links_close(struct kt_links *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->mtx);
    l->stopping = true;
    pthread_mutex_unlock(&l->mtx);
    kt_links_kick(l);
    pthread_join(l->keeper, NULL); /* it closes everything and buries the last conn */
    links_free(l);
}
