/* Where peers dial in: strangers are let to the door, a bounded number of them. */
#include "net/links.h"

#include <arpa/inet.h>
#include <nng/supplemental/tls/tls.h>
#include <stdio.h>

/* "tcp://127.0.0.1:4711", or the listener's own URL where the transport does not tell. */
static void where_from(nng_stream *stream, const char *fallback, char out[KT_URL_CHARS_MAX])
{
    nng_sockaddr sa;
    char host[INET6_ADDRSTRLEN];
    snprintf(out, KT_URL_CHARS_MAX, "%s", fallback);
    if (nng_stream_get_addr(stream, NNG_OPT_REMADDR, &sa)) return;
    if (sa.s_family == NNG_AF_INET && inet_ntop(AF_INET, &sa.s_in.sa_addr, host, sizeof host))
        snprintf(out, KT_URL_CHARS_MAX, "tcp://%s:%u", host, ntohs(sa.s_in.sa_port));
    else if (sa.s_family == NNG_AF_INET6 && inet_ntop(AF_INET6, sa.s_in6.sa_addr, host, sizeof host))
        snprintf(out, KT_URL_CHARS_MAX, "tcp://[%s]:%u", host, ntohs(sa.s_in6.sa_port));
}

/* Room for one more stranger: with as many as there may be, the one silent for longest goes, held for the caller. */
static struct kt_conn *crowded_out(struct kt_links *l)
{
    struct kt_conn *longest = NULL;
    uint32_t strangers = 0;
    pthread_mutex_lock(&l->mtx);
    for (struct kt_conn *c = l->conns; c; c = c->next) {
        if (c->dial || c->place != KT_PLACE_STRANGER) continue;
        pthread_mutex_lock(&c->mtx);
        bool alive = !c->closing;
        pthread_mutex_unlock(&c->mtx);
        if (!alive) continue;
        strangers++;
        if (!longest || atomic_load(&c->last_in_ms) < atomic_load(&longest->last_in_ms)) longest = c;
    }
    if (strangers < l->c.half_open_max) longest = NULL;
    if (longest) kt_conn_enter(longest);
    pthread_mutex_unlock(&l->mtx);
    return longest;
}

static void accepted(void *arg)
{
    struct kt_listener *n = arg;
    struct kt_links *l = n->links;
    int rc = nng_aio_result(n->aio);
    if (!rc) {
        nng_stream *stream = nng_aio_get_output(n->aio, 0);
        char url[KT_URL_CHARS_MAX];
        where_from(stream, n->url, url);
        struct kt_conn *out = crowded_out(l);
        if (out) {
            kt_conn_close(out, KT_ELIMIT, "too many strangers");
            kt_conn_leave(out);
        }
        (void)kt_conn_start(l, stream, NULL, url); /* without memory or slots this one is turned away */
    }
    pthread_mutex_lock(&l->mtx);
    bool again = !rc && !l->stopping;
    n->busy = again;
    if (rc && rc != NNG_ECLOSED) n->retry_ms = kt_net_now_ms() + KT_ACCEPT_MS; /* no descriptors, no memory */
    pthread_mutex_unlock(&l->mtx);
    if (again) nng_stream_listener_accept(n->listener, n->aio);
    if (rc) kt_links_kick(l);
}

void kt_listener_accept(struct kt_listener *n)
{
    pthread_mutex_lock(&n->links->mtx);
    bool go = !n->busy && !n->links->stopping;
    n->retry_ms = 0;
    n->busy |= go;
    pthread_mutex_unlock(&n->links->mtx);
    if (go) nng_stream_listener_accept(n->listener, n->aio);
}

static int listen_on(struct kt_listener *n, const char *cert_key_file)
{
    int rc = nng_stream_listener_alloc(&n->listener, n->url);
    if (rc) return rc;
    /* options a transport does not know are no error: TCP's mean nothing to it then */
    (void)nng_stream_listener_set_bool(n->listener, NNG_OPT_TCP_NODELAY, true);
    (void)nng_stream_listener_set_bool(n->listener, NNG_OPT_TCP_KEEPALIVE, true);
    if (cert_key_file) rc = nng_stream_listener_set_string(n->listener, NNG_OPT_TLS_CERT_KEY_FILE, cert_key_file);
    if (rc && rc != NNG_ENOTSUP) return rc;
    rc = nng_aio_alloc(&n->aio, accepted, n);
    return rc ? rc : nng_stream_listener_listen(n->listener);
}

/* The port 0 of a URL becomes the one it really got. */
static void real_port(struct kt_listener *n)
{
    int port = 0;
    size_t len = strlen(n->url);
    char *colon = strrchr(n->url, ':'), *path = colon ? strchr(colon, '/') : NULL;
    size_t digits = colon ? (path ? (size_t)(path - colon) : len - (size_t)(colon - n->url)) - 1 : 0;
    if (digits != 1 || colon[1] != '0') return;
    if (nng_stream_listener_get_int(n->listener, NNG_OPT_TCP_BOUND_PORT, &port)) return;
    char url[KT_URL_CHARS_MAX + 16];
    snprintf(url, sizeof url, "%.*s:%d%s", (int)(colon - n->url), n->url, port, path ? path : "");
    if (strlen(url) < sizeof n->url) memcpy(n->url, url, strlen(url) + 1);
}

int kt_listener_open(struct kt_listener *n, struct kt_links *l, const char *url, char why[KT_WHY_CHARS_MAX])
{
    n->links = l;
    if (strlen(url) >= sizeof n->url) {
        snprintf(why, KT_WHY_CHARS_MAX, "listen: a URL of more than %u characters", KT_URL_CHARS_MAX - 1);
        return KT_ECONFIG;
    }
    snprintf(n->url, sizeof n->url, "%s", url);
    int rc = listen_on(n, l->c.tls_cert_key_file);
    if (!rc) {
        real_port(n);
        return KT_OK;
    }
    snprintf(why, KT_WHY_CHARS_MAX, "listen %.100s: %s", url, nng_strerror(rc));
    return rc == NNG_ENOMEM ? KT_ENOMEM : rc == NNG_EADDRINUSE || rc == NNG_EPERM ? KT_EUNREACHABLE : KT_ECONFIG;
}

/* By the keeper while stopping, or where opening failed. */
void kt_listener_close(struct kt_listener *n)
{
    if (n->listener) nng_stream_listener_close(n->listener);
    if (n->aio) {
        nng_aio_cancel(n->aio); /* a ws:// listener leaves it pending when it is closed (1.5.2 and 1.10) */
        nng_aio_wait(n->aio);
        nng_aio_free(n->aio);
    }
    if (n->listener) nng_stream_listener_free(n->listener);
    n->listener = NULL;
    n->aio = NULL;
}
