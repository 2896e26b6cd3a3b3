#include "net/links.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

void kt_conn_enter(struct kt_conn *c) { atomic_fetch_add(&c->users, 1); }

void kt_conn_leave(struct kt_conn *c)
{
    struct kt_links *l = c->links;
    pthread_mutex_lock(&c->mtx);
    bool closing = c->closing; /* if not: whoever closes it later finds us gone, and kicks */
    atomic_fetch_sub(&c->users, 1);
    pthread_mutex_unlock(&c->mtx);
    if (closing) kt_links_kick(l);
}

/* Beginning an operation and closing the stream exclude each other without a lock held over either. */
static bool begin(struct kt_conn *c)
{
    pthread_mutex_lock(&c->mtx);
    bool ok = !c->closing;
    if (ok) c->beginning++;
    pthread_mutex_unlock(&c->mtx);
    return ok;
}

/* Under mtx, which it gives up meanwhile.  Whoever comes last closes. */
static void close_stream(struct kt_conn *c)
{
    if (!c->closing || c->closed || c->beginning) return;
    c->closed = true;
    c->beginning++;
    pthread_mutex_unlock(&c->mtx);
    nng_stream_close(c->stream);
    pthread_mutex_lock(&c->mtx);
    c->beginning--;
}

static void begun(struct kt_conn *c)
{
    pthread_mutex_lock(&c->mtx);
    c->beginning--;
    close_stream(c);
    pthread_mutex_unlock(&c->mtx);
}

static void because(struct kt_conn *c, int code, const char *why)
{
    if (c->code) return;
    c->code = code;
    snprintf(c->why, sizeof c->why, "%s", why);
}

void kt_conn_close(struct kt_conn *c, int code, const char *why)
{
    pthread_mutex_lock(&c->mtx);
    because(c, code, why);
    c->closing = true;
    close_stream(c);
    pthread_mutex_unlock(&c->mtx);
    kt_links_kick(c->links);
}

bool kt_conn_is_idle(struct kt_conn *c)
{
    pthread_mutex_lock(&c->mtx);
    bool idle = c->closed && !c->beginning && !c->rx_busy && !c->tx_busy && atomic_load(&c->users) == 0;
    pthread_mutex_unlock(&c->mtx);
    return idle;
}

/* ---- sending ---- */

/* Under mtx: what is pending takes off, when nothing is in the air. */
static bool take_off(struct kt_conn *c)
{
    if (c->tx_busy || c->closing || !c->pending.len) return false;
    struct kt_buf empty = c->flight;
    c->flight = c->pending;
    c->flight_at = 0;
    c->pending = empty;
    kt_buf_clear(&c->pending);
    c->tx_busy = true;
    return true;
}

static void transmit(struct kt_conn *c)
{
    if (!begin(c)) {
        pthread_mutex_lock(&c->mtx);
        c->tx_busy = false;
        pthread_mutex_unlock(&c->mtx);
        return;
    }
    nng_iov iov = {.iov_buf = c->flight.data + c->flight_at, .iov_len = c->flight.len - c->flight_at};
    nng_aio_set_iov(c->tx, 1, &iov);
    nng_stream_send(c->stream, c->tx);
    begun(c);
}

/* Under mtx: `n` bytes are out.  True when there is more to send. */
static bool landed(struct kt_conn *c, size_t n)
{
    c->flight_at += n;
    if (c->flight_at < c->flight.len) return true;
    c->tx_busy = false;
    if (take_off(c)) return true;
    if (c->flight.cap > KT_READ_BYTES) kt_buf_free(&c->flight);
    return false;
}

static void sent(void *arg)
{
    struct kt_conn *c = arg;
    kt_conn_enter(c);
    int rc = nng_aio_result(c->tx);
    if (rc) {
        kt_conn_close(c, KT_EGONE, nng_strerror(rc));
        pthread_mutex_lock(&c->mtx);
        c->tx_busy = false;
        pthread_mutex_unlock(&c->mtx);
        kt_conn_leave(c);
        return;
    }
    size_t n = nng_aio_count(c->tx);
    atomic_fetch_add(&c->bytes_out, n);
    pthread_mutex_lock(&c->mtx);
    bool more = landed(c, n);
    bool room = c->want_room && c->pending.len <= KT_LINK_QUEUE_BYTES_MAX / 2;
    bool end = !more && c->ending;
    if (room) c->want_room = false;
    pthread_mutex_unlock(&c->mtx);
    if (more) transmit(c);
    if (end) kt_conn_close(c, KT_EGONE, "said goodbye");
    if (room && c->links->c.inbox.on_room) c->links->c.inbox.on_room(c->links->c.inbox.ctx, c->id);
    kt_conn_leave(c);
}

int kt_conn_queue(struct kt_conn *c, struct kt_bytes bytes)
{
    pthread_mutex_lock(&c->mtx);
    kt_buf_put(&c->pending, bytes);
    int rc = c->pending.err;
    bool go = take_off(c);
    pthread_mutex_unlock(&c->mtx);
    if (go) transmit(c);
    return rc;
}

void kt_conn_end(struct kt_conn *c, int code, const char *why, bool refused)
{
    pthread_mutex_lock(&c->mtx);
    because(c, code, why);
    c->refused |= refused;
    c->ending = true;
    c->end_by_ms = kt_net_now_ms() + KT_LINGER_MS;
    bool go = take_off(c), out = !c->tx_busy;
    pthread_mutex_unlock(&c->mtx);
    if (go) transmit(c);
    if (out) kt_conn_close(c, code, why);
    kt_links_kick(c->links); /* it has a deadline now */
}

void kt_conn_bye(struct kt_conn *c, int code, const char *why)
{
    pthread_mutex_lock(&c->mtx);
    /* a goodbye that finds no room is left out: the other side sees the end of the line */
    bool said = kt_session_is_up(&c->session) && !c->ending && kt_session_bye(&c->session, code, &c->pending) == KT_OK;
    pthread_mutex_unlock(&c->mtx);
    if (said)
        kt_conn_end(c, code, why, false);
    else
        kt_conn_close(c, code, why);
}

/* A sealing that fails has used its nonces up: the session cannot go on. */
static int seal_done(struct kt_conn *c, int rc)
{
    bool go = !rc && take_off(c);
    pthread_mutex_unlock(&c->mtx);
    if (go) transmit(c);
    if (rc == KT_ENOMEM || rc == KT_ELIMIT) kt_conn_close(c, rc, kt_error_text(rc));
    return rc;
}

void kt_conn_ping(struct kt_conn *c, bool pong)
{
    pthread_mutex_lock(&c->mtx);
    bool fits = !c->ending && c->pending.len < KT_LINK_QUEUE_BYTES_MAX && kt_session_is_up(&c->session);
    if (!fits) { /* so much is on its way that the other side hears us anyhow */
        pthread_mutex_unlock(&c->mtx);
        return;
    }
    (void)seal_done(c, (pong ? kt_session_pong : kt_session_ping)(&c->session, &c->pending));
}

int kt_conn_send(struct kt_conn *c, struct kt_bytes frame)
{
    if (frame.len > KT_FRAME_BYTES_MAX) return KT_EOVERSIZE;
    pthread_mutex_lock(&c->mtx);
    int rc = c->closing || c->ending ? KT_EGONE : KT_OK;
    if (!rc && c->pending.len + frame.len > KT_LINK_QUEUE_BYTES_MAX) {
        c->want_room = true;
        rc = KT_EAGAIN;
    }
    if (rc) {
        pthread_mutex_unlock(&c->mtx);
        return rc;
    }
    rc = seal_done(c, kt_session_seal(&c->session, frame, &c->pending));
    if (!rc) atomic_fetch_add(&c->frames_out, 1);
    return rc;
}

/* ---- receiving ---- */

static void receive(struct kt_conn *c)
{
    nng_iov iov;
    iov.iov_buf = kt_frames_room(&c->frames, &iov.iov_len);
    if (!iov.iov_buf) kt_conn_close(c, KT_ENOMEM, kt_error_text(KT_ENOMEM));
    if (!iov.iov_buf || !begin(c)) {
        pthread_mutex_lock(&c->mtx);
        c->rx_busy = false;
        pthread_mutex_unlock(&c->mtx);
        return;
    }
    nng_aio_set_iov(c->rx, 1, &iov);
    nng_stream_recv(c->stream, c->rx);
    begun(c);
}

static enum kt_took take_frames(struct kt_conn *c)
{
    if (c->has_held) {
        c->has_held = false;
        enum kt_took took = kt_conn_deliver(c, c->held);
        if (took != KT_TOOK_ON) return took;
    }
    for (;;) {
        uint8_t *frame;
        size_t len;
        int rc = kt_frames_next(&c->frames, &frame, &len);
        if (rc == KT_EAGAIN) return KT_TOOK_ON;
        if (rc) {
            kt_conn_close(c, rc, kt_error_text(rc));
            return KT_TOOK_END;
        }
        enum kt_took took = kt_conn_frame(c, frame, len);
        if (took != KT_TOOK_ON) return took;
    }
}

/* The receive chain from one receive to the next, or to its end, or to a pause. */
static void run(struct kt_conn *c)
{
    for (;;) {
        enum kt_took took = take_frames(c);
        if (took == KT_TOOK_ON) {
            receive(c);
            return;
        }
        pthread_mutex_lock(&c->mtx);
        bool again = took == KT_TOOK_FULL && c->resume; /* resumed before it knew it was to pause */
        c->resume = false;
        if (!again) {
            c->paused = took == KT_TOOK_FULL;
            c->rx_busy = false;
        }
        pthread_mutex_unlock(&c->mtx);
        if (!again) return;
    }
}

static void received(void *arg)
{
    struct kt_conn *c = arg;
    kt_conn_enter(c);
    int rc = nng_aio_result(c->rx);
    if (rc) {
        kt_conn_close(c, KT_EGONE, nng_strerror(rc));
        pthread_mutex_lock(&c->mtx);
        c->rx_busy = false;
        pthread_mutex_unlock(&c->mtx);
    } else {
        size_t n = nng_aio_count(c->rx);
        kt_frames_took(&c->frames, n);
        atomic_fetch_add(&c->bytes_in, n);
        atomic_store(&c->last_in_ms, kt_net_now_ms());
        atomic_store(&c->enquire_by_ms, 0);
        run(c);
    }
    kt_conn_leave(c);
}

void kt_conn_resume(struct kt_conn *c)
{
    pthread_mutex_lock(&c->mtx);
    bool go = c->paused && c->resume && !c->closing;
    if (go) {
        c->paused = c->resume = false;
        c->rx_busy = true;
    }
    pthread_mutex_unlock(&c->mtx);
    if (!go) return;
    atomic_store(&c->last_in_ms, kt_net_now_ms()); /* while paused nothing could arrive */
    run(c);
}

/* ---- beginning and end ---- */

/* Under links->mtx.  KT_ELIMIT: no slot. */
static int enlist(struct kt_conn *c)
{
    struct kt_links *l = c->links;
    uint32_t slot = 0;
    while (slot < KT_LINK_SLOTS && l->slots[slot]) slot++;
    if (slot == KT_LINK_SLOTS || l->stopping) return KT_ELIMIT;
    l->slots[slot] = c;
    c->id = ++l->ids * KT_LINK_SLOTS + slot;
    c->next = l->conns;
    l->conns = c;
    if (c->dial) c->dial->conn = c;
    return KT_OK;
}

static int dialler_starts(struct kt_conn *c)
{
    struct kt_links *l = c->links;
    struct kt_buf out;
    kt_buf_init(&out, 2 * KT_HANDSHAKE_FRAME_BYTES_MAX);
    struct kt_session_config sc = {.dialler = true, .role = KT_ROLE_PEER, .cluster = l->c.cluster};
    int rc = l->c.certificate(l->c.ctx, &c->certificate);
    sc.certificate = kt_buf_bytes(&c->certificate);
    memcpy(sc.static_secret, l->session_secret, sizeof sc.static_secret);
    randombytes_buf(sc.ephemeral_secret, sizeof sc.ephemeral_secret);
    if (!rc) rc = kt_session_start(&c->session, &sc, &out);
    if (!rc) rc = kt_conn_queue(c, kt_buf_bytes(&out));
    c->started = true;
    sodium_memzero(&sc, sizeof sc);
    kt_buf_free(&out);
    return rc;
}

static struct kt_conn *conn_new(struct kt_links *l, nng_stream *stream, struct kt_dial *dial, const char *url)
{
    struct kt_conn *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    if (nng_aio_alloc(&c->rx, received, c) || nng_aio_alloc(&c->tx, sent, c)) {
        if (c->rx) nng_aio_free(c->rx); /* never used: nothing to wait for */
        free(c);
        return NULL;
    }
    c->links = l;
    c->stream = stream;
    c->dial = dial;
    c->made_ms = kt_net_now_ms();
    atomic_init(&c->last_in_ms, c->made_ms);
    snprintf(c->url, sizeof c->url, "%s", url);
    pthread_mutex_init(&c->mtx, NULL);
    c->session.phase = KT_PHASE_HELLO;
    kt_buf_init(&c->certificate, KT_CERTIFICATE_BYTES_MAX);
    kt_buf_init(&c->pending, KT_LINK_QUEUE_BYTES_MAX + 2 * KT_SEALED_FRAME_BYTES_MAX);
    kt_buf_init(&c->flight, c->pending.bytes_max);
    kt_frames_init(&c->frames, KT_FRAMING_BE32, KT_HANDSHAKE_FRAME_BYTES_MAX);
    return c;
}

int kt_conn_start(struct kt_links *l, nng_stream *stream, struct kt_dial *dial, const char *url)
{
    struct kt_conn *c = conn_new(l, stream, dial, url);
    int rc = c ? KT_OK : KT_ENOMEM;
    pthread_mutex_lock(&l->mtx);
    if (!rc) rc = enlist(c);
    if (!rc) {
        kt_conn_enter(c);
        c->rx_busy = true;
    }
    pthread_mutex_unlock(&l->mtx);
    if (rc) {
        nng_stream_close(stream);
        if (c)
            kt_conn_free(c);
        else
            nng_stream_free(stream);
        return rc;
    }
    rc = dial ? dialler_starts(c) : KT_OK;
    if (rc) kt_conn_close(c, rc, kt_error_text(rc));
    receive(c);
    kt_links_kick(l); /* it has deadlines */
    kt_conn_leave(c);
    return KT_OK;
}

void kt_conn_free(struct kt_conn *c)
{
    nng_aio_free(c->rx); /* waits until the last callback has returned */
    nng_aio_free(c->tx);
    nng_stream_free(c->stream);
    kt_session_wipe(&c->session);
    kt_buf_free(&c->certificate);
    kt_buf_free(&c->pending);
    kt_buf_free(&c->flight);
    kt_frames_free(&c->frames);
    pthread_mutex_destroy(&c->mtx);
    free(c);
}
