/* A node made of links alone, for tests: what it saw, what it takes, and the lines to it.
 *
 * A certificate is the member number; a key is the number repeated. */
#ifndef KT_SUPPORT_LINK_NODE_H
#define KT_SUPPORT_LINK_NODE_H

#include "net/link.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { NODES = 3, LINKS_MAX = 512, DEADLINE_MS = 20000 };

struct link_seen {
    uint64_t link;
    kt_member member;
    bool dialled, up;
    int code;
};

struct node {
    kt_member member, claims; /* claims: the number in its certificate */
    uint8_t cluster;
    struct kt_links *links;
    pthread_mutex_t mtx;
    pthread_cond_t changed;
    struct link_seen seen[LINKS_MAX];
    size_t seen_count;
    uint64_t frames, bytes, next; /* next: the number the next frame must carry */
    bool out_of_order, full, rooms;
    size_t verified;
    uint32_t redial_ms_max, silent_ms;
    uint64_t session_bytes_max;
};

static inline void key_of(kt_member m, uint8_t out[32]) { memset(out, (int)m, 32); }

static inline uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline int certificate(void *ctx, struct kt_buf *out)
{
    struct node *n = ctx;
    kt_buf_be32(out, n->claims);
    return out->err;
}

static inline int verify(void *ctx, struct kt_bytes cert, const uint8_t key[32], kt_member *member, bool *roster_only)
{
    struct node *n = ctx;
    struct kt_reader r = kt_reader(cert);
    uint8_t secret[32], want[32];
    *member = kt_take_be32(&r);
    *roster_only = false;
    key_of(*member, secret);
    crypto_scalarmult_base(want, secret);
    pthread_mutex_lock(&n->mtx);
    n->verified++;
    pthread_mutex_unlock(&n->mtx);
    return r.err || memcmp(want, key, 32) != 0 ? KT_ENOTMEMBER : KT_OK;
}

static inline void on_up(void *ctx, uint64_t link, kt_member member, bool roster_only, bool dialled, const char *url)
{
    struct node *n = ctx;
    (void)roster_only, (void)url;
    pthread_mutex_lock(&n->mtx);
    assert_true(n->seen_count < LINKS_MAX);
    n->seen[n->seen_count++] = (struct link_seen){link, member, dialled, true, 0};
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->mtx);
}

static inline void on_down(void *ctx, uint64_t link, int code, const char *why)
{
    struct node *n = ctx;
    (void)why;
    pthread_mutex_lock(&n->mtx);
    for (size_t i = 0; i < n->seen_count; i++)
        if (n->seen[i].link == link) {
            n->seen[i].up = false;
            n->seen[i].code = code;
        }
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->mtx);
}

static inline bool on_frame(void *ctx, uint64_t link, struct kt_bytes frame)
{
    struct node *n = ctx;
    struct kt_reader r = kt_reader(frame);
    (void)link;
    pthread_mutex_lock(&n->mtx);
    bool take = !n->full;
    if (take) {
        uint64_t number = kt_take_be64(&r);
        n->out_of_order |= number != n->next;
        n->next = number + 1;
        n->frames++;
        n->bytes += frame.len;
        for (size_t i = 8; i < frame.len; i += 997) n->out_of_order |= frame.data[i] != (uint8_t)(number + i);
        pthread_cond_broadcast(&n->changed);
    }
    pthread_mutex_unlock(&n->mtx);
    return take;
}

static inline void on_room(void *ctx, uint64_t link)
{
    struct node *n = ctx;
    (void)link;
    pthread_mutex_lock(&n->mtx);
    n->rooms = true;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->mtx);
}

static inline void node_init(struct node *n, kt_member member)
{
    *n = (struct node){.member = member, .claims = member, .cluster = 7, .redial_ms_max = 300};
    pthread_mutex_init(&n->mtx, NULL);
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&n->changed, &a);
}

static inline void node_open(struct node *n, const char *listen, const char *dial)
{
    char why[KT_WHY_CHARS_MAX];
    struct kt_links_config c = {.listen = &listen, .dial = &dial, .member = n->member, .ctx = n};
    c.listen_count = listen != NULL;
    c.dial_count = dial != NULL;
    memset(c.cluster.b, n->cluster, sizeof c.cluster.b);
    key_of(n->member, c.session_secret);
    c.certificate = certificate;
    c.verify = verify;
    c.inbox = (struct kt_links_inbox){n, on_up, on_frame, on_down, on_room};
    c.redial_ms_max = n->redial_ms_max;
    c.silent_ms = n->silent_ms;
    c.session_bytes_max = n->session_bytes_max;
    int rc = kt_links_open(&c, &n->links, why);
    if (rc) print_error("%s\n", why);
    assert_int_equal(rc, KT_OK);
}

static inline void node_close(struct node *n)
{
    kt_links_close(n->links);
    n->links = NULL;
}

static const char *url_of(struct node *n)
{
    static char url[NODES + 1][KT_URL_CHARS_MAX];
    assert_int_equal(kt_links_listen_url(n->links, 0, url[n->member]), KT_OK);
    return url[n->member];
}

/* How many links to `member` are up now (0: to anybody), and the last of them. */
static inline size_t up_count(struct node *n, kt_member member, struct link_seen *last)
{
    size_t up = 0;
    if (last) *last = (struct link_seen){0};
    pthread_mutex_lock(&n->mtx);
    for (size_t i = 0; i < n->seen_count; i++) {
        if (!n->seen[i].up || (member && n->seen[i].member != member)) continue;
        up++;
        if (last) *last = n->seen[i];
    }
    pthread_mutex_unlock(&n->mtx);
    return up;
}

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        uint64_t end = now_ms() + DEADLINE_MS;                                                                         \
        bool met;                                                                                                      \
        while (!(met = (condition)) && now_ms() < end) poll(NULL, 0, 2);                                               \
        if (!met) print_error("never: %s\n", #condition);                                                              \
        assert_true(met);                                                                                              \
    } while (0)

/* The i-th link ever seen; how many there were. */
static inline struct link_seen seen_at(struct node *n, size_t i)
{
    pthread_mutex_lock(&n->mtx);
    struct link_seen s = n->seen[i];
    pthread_mutex_unlock(&n->mtx);
    return s;
}

static inline size_t seen(struct node *n)
{
    pthread_mutex_lock(&n->mtx);
    size_t count = n->seen_count;
    pthread_mutex_unlock(&n->mtx);
    return count;
}

static inline bool had_room(struct node *n)
{
    pthread_mutex_lock(&n->mtx);
    bool rooms = n->rooms;
    pthread_mutex_unlock(&n->mtx);
    return rooms;
}

static inline uint64_t frames_of(struct node *n)
{
    pthread_mutex_lock(&n->mtx);
    uint64_t f = n->frames;
    pthread_mutex_unlock(&n->mtx);
    return f;
}

static inline int send_number(struct node *n, uint64_t link, uint64_t number, size_t len)
{
    uint8_t *frame = malloc(len);
    for (size_t i = 0; i < len; i++) frame[i] = (uint8_t)(number + i);
    for (int i = 0; i < 8; i++) frame[i] = (uint8_t)(number >> (8 * (7 - i)));
    struct kt_transport *t = kt_links_transport(n->links);
    int rc = t->send(t, link, kt_bytes(frame, len));
    free(frame);
    return rc;
}

static inline void links_up(struct node *a, struct node *b)
{
    UNTIL(up_count(a, b->member, NULL) == 1 && up_count(b, a->member, NULL) == 1);
}

/* A pair of nodes, b dialling a. */
static inline void pair(struct node *a, struct node *b, const char *listen)
{
    node_init(a, 1);
    node_init(b, 2);
    node_open(a, listen, NULL);
    node_open(b, NULL, url_of(a));
    links_up(a, b);
}

static inline struct kt_dial_info dial_of(struct node *n)
{
    struct kt_dial_info d;
    assert_int_equal(kt_links_dials(n->links, &d, 1), 1);
    return d;
}

static inline int connect_to(const char *url)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sa.sin_port = htons((uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

#endif
