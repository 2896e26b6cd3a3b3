/* URLs that are dialled until they answer, and again when they stop. */
#include "net/links.h"

#include <nng/supplemental/tls/tls.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define STOOD_MS     5000u /* a link that stood so long was a good one: dialled again at once */
#define DUPLICATE_MS 1000u /* after the other side had a link to us that we do not know of */

/* Somewhere in the upper half, so that many nodes that lost one peer do not come back in one beat. */
static uint64_t jittered(uint64_t ms) { return ms / 2 + randombytes_uniform((uint32_t)(ms - ms / 2) + 1); }

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

static void enter_state(struct kt_dial *d, enum kt_dial_state state)
{
    if (d->state == state) return;
    d->state = state;
    d->state_since_ms = kt_net_now_ms();
}

static void failed(struct kt_dial *d, int code, const char *why, bool refused, uint64_t now_ms)
{
    uint64_t most = d->links->c.redial_ms_max;
    d->last_error = code;
    snprintf(d->last_error_text, sizeof d->last_error_text, "%s", why);
    d->pause_ms = d->pause_ms ? d->pause_ms * 2 : KT_REDIAL_MS_MIN;
    if (d->pause_ms > most) d->pause_ms = most;
    /* From attempt to attempt: one that waited long for an answer of a dead line is followed by the next at once. */
    d->next_ms = later(now_ms + jittered(KT_REDIAL_MS_MIN), d->dialled_ms + jittered(d->pause_ms));
    enter_state(d, refused ? KT_DIAL_REFUSED : KT_DIAL_DIALLING);
}

bool kt_links_has(const struct kt_links *l, kt_member member)
{
    for (struct kt_conn *c = l->conns; member && c; c = c->next)
        if (c->member == member && c->place == KT_PLACE_UP) return true;
    return false;
}

void kt_dial_member_up(struct kt_links *l, kt_member member)
{
    for (size_t i = 0; i < l->dials_count; i++) {
        if (l->dials[i]->member != member) continue;
        enter_state(l->dials[i], KT_DIAL_LINKED);
    }
}

/* The conn is out of the lists already. */
void kt_dial_conn_lost(struct kt_links *l, const struct kt_conn *c, uint64_t now_ms)
{
    struct kt_dial *d = c->dial;
    if (d) d->conn = NULL;
    if (d && c->place != KT_PLACE_UP && c->code != KT_EDUPLICATE) failed(d, c->code, c->why, c->refused, now_ms);
    if (d && c->place != KT_PLACE_UP && c->code == KT_EDUPLICATE) {
        d->next_ms = now_ms + jittered(DUPLICATE_MS);
        enter_state(d, kt_links_has(l, d->member) ? KT_DIAL_LINKED : KT_DIAL_DIALLING);
    }
    if (c->place != KT_PLACE_UP || kt_links_has(l, c->member)) return;
    for (size_t i = 0; i < l->dials_count; i++) {
        struct kt_dial *gone = l->dials[i];
        if (gone->member != c->member) continue;
        bool stood = now_ms >= c->up_ms + STOOD_MS; /* else it may end again at once: with growing pauses then */
        if (stood) gone->pause_ms = 0;
        failed(gone, c->code, c->why, false, now_ms);
    }
}

static void dialled(void *arg)
{
    struct kt_dial *d = arg;
    struct kt_links *l = d->links;
    int rc = nng_aio_result(d->aio);
    nng_stream *stream = rc ? NULL : nng_aio_get_output(d->aio, 0);
    int started = stream ? kt_conn_start(l, stream, d, d->url) : KT_OK;
    pthread_mutex_lock(&l->mtx);
    d->busy = false;
    if (rc)
        failed(d, KT_EUNREACHABLE, nng_strerror(rc), false, kt_net_now_ms());
    else if (started)
        failed(d, started, kt_error_text(started), false, kt_net_now_ms());
    pthread_mutex_unlock(&l->mtx);
    kt_links_kick(l);
}

/* Under links->mtx: when it needs a look. */
uint64_t kt_dial_next_ms(const struct kt_dial *d)
{
    if (d->busy) return d->cancelled ? UINT64_MAX : d->dialled_ms + KT_HANDSHAKE_MS_MAX;
    return d->conn || kt_links_has(d->links, d->member) ? UINT64_MAX : d->next_ms;
}

void kt_dial_due(struct kt_dial *d, uint64_t now_ms)
{
    struct kt_links *l = d->links;
    pthread_mutex_lock(&l->mtx);
    bool due = now_ms >= kt_dial_next_ms(d), late = due && d->busy, go = due && !d->busy;
    if (late) d->cancelled = true;
    if (go) {
        d->busy = true;
        d->cancelled = false;
        d->dialled_ms = now_ms;
        d->attempts++;
    }
    pthread_mutex_unlock(&l->mtx);
    if (late) nng_aio_cancel(d->aio);
    if (go) nng_stream_dialer_dial(d->dialer, d->aio);
}

/* Options a transport does not know are no error: TCP's mean nothing to it then. */
static int set_options(nng_stream_dialer *d, const char *ca_file)
{
    (void)nng_stream_dialer_set_bool(d, NNG_OPT_TCP_NODELAY, true);
    (void)nng_stream_dialer_set_bool(d, NNG_OPT_TCP_KEEPALIVE, true);
    int mode = ca_file ? NNG_TLS_AUTH_MODE_REQUIRED : NNG_TLS_AUTH_MODE_NONE;
    (void)nng_stream_dialer_set_int(d, NNG_OPT_TLS_AUTH_MODE, mode);
    int rc = ca_file ? nng_stream_dialer_set_string(d, NNG_OPT_TLS_CA_FILE, ca_file) : 0;
    return rc == NNG_ENOTSUP ? 0 : rc;
}

int kt_dial_add(struct kt_links *l, const char *url, char why[KT_WHY_CHARS_MAX])
{
    if (strlen(url) >= KT_URL_CHARS_MAX) {
        snprintf(why, KT_WHY_CHARS_MAX, "dial: a URL of more than %u characters", KT_URL_CHARS_MAX - 1);
        return KT_ECONFIG;
    }
    struct kt_dial *d = calloc(1, sizeof *d);
    if (!d) return KT_ENOMEM;
    d->links = l;
    snprintf(d->url, sizeof d->url, "%s", url);
    d->state_since_ms = kt_net_now_ms();
    int rc = nng_stream_dialer_alloc(&d->dialer, url);
    if (!rc) rc = set_options(d->dialer, l->c.tls_ca_file);
    if (!rc) rc = nng_aio_alloc(&d->aio, dialled, d);
    if (rc) {
        snprintf(why, KT_WHY_CHARS_MAX, "dial %.100s: %s", url, nng_strerror(rc));
        kt_dial_free(d);
        return rc == NNG_ENOMEM ? KT_ENOMEM : KT_ECONFIG;
    }
    pthread_mutex_lock(&l->mtx);
    bool fits = l->dials_count < KT_PEERS_MAX;
    if (fits) l->dials[l->dials_count++] = d;
    pthread_mutex_unlock(&l->mtx);
    if (!fits) kt_dial_free(d);
    kt_links_kick(l);
    return fits ? KT_OK : KT_ELIMIT;
}

/* By the keeper, when nothing is dialled any more. */
void kt_dial_stop(struct kt_dial *d)
{
    nng_stream_dialer_close(d->dialer);
    nng_aio_wait(d->aio);
}

void kt_dial_free(struct kt_dial *d)
{
    if (d->aio) nng_aio_free(d->aio);
    if (d->dialer) nng_stream_dialer_free(d->dialer);
    free(d);
}
