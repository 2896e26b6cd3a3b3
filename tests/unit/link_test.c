/* Nodes in one process link over 127.0.0.1: who may, who stays, what crosses, and what a hostile line can do.
 *
 * A certificate here is the member number in text; a key is the number repeated. */
#include "net/link.h"
#include "net/register.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
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

static void key_of(kt_member m, uint8_t out[32]) { memset(out, (int)m, 32); }

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int certificate(void *ctx, struct kt_buf *out)
{
    struct node *n = ctx;
    kt_buf_be32(out, n->claims);
    return out->err;
}

static int verify(void *ctx, struct kt_bytes cert, const uint8_t key[32], kt_member *member, bool *roster_only)
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

static void on_up(void *ctx, uint64_t link, kt_member member, bool roster_only, bool dialled, const char *url)
{
    struct node *n = ctx;
    (void)roster_only, (void)url;
    pthread_mutex_lock(&n->mtx);
    assert_true(n->seen_count < LINKS_MAX);
    n->seen[n->seen_count++] = (struct link_seen){link, member, dialled, true, 0};
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->mtx);
}

static void on_down(void *ctx, uint64_t link, int code, const char *why)
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

static bool on_frame(void *ctx, uint64_t link, struct kt_bytes frame)
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

static void on_room(void *ctx, uint64_t link)
{
    struct node *n = ctx;
    (void)link;
    pthread_mutex_lock(&n->mtx);
    n->rooms = true;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->mtx);
}

static void node_init(struct node *n, kt_member member)
{
    *n = (struct node){.member = member, .claims = member, .cluster = 7, .redial_ms_max = 300};
    pthread_mutex_init(&n->mtx, NULL);
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&n->changed, &a);
}

static void node_open(struct node *n, const char *listen, const char *dial)
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

static void node_close(struct node *n)
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
static size_t up_count(struct node *n, kt_member member, struct link_seen *last)
{
    size_t up = 0;
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
static struct link_seen seen_at(struct node *n, size_t i)
{
    pthread_mutex_lock(&n->mtx);
    struct link_seen s = n->seen[i];
    pthread_mutex_unlock(&n->mtx);
    return s;
}

static size_t seen(struct node *n)
{
    pthread_mutex_lock(&n->mtx);
    size_t count = n->seen_count;
    pthread_mutex_unlock(&n->mtx);
    return count;
}

static bool had_room(struct node *n)
{
    pthread_mutex_lock(&n->mtx);
    bool rooms = n->rooms;
    pthread_mutex_unlock(&n->mtx);
    return rooms;
}

static uint64_t frames_of(struct node *n)
{
    pthread_mutex_lock(&n->mtx);
    uint64_t f = n->frames;
    pthread_mutex_unlock(&n->mtx);
    return f;
}

static int send_number(struct node *n, uint64_t link, uint64_t number, size_t len)
{
    uint8_t *frame = malloc(len);
    for (size_t i = 0; i < len; i++) frame[i] = (uint8_t)(number + i);
    for (int i = 0; i < 8; i++) frame[i] = (uint8_t)(number >> (8 * (7 - i)));
    struct kt_transport *t = kt_links_transport(n->links);
    int rc = t->send(t, link, kt_bytes(frame, len));
    free(frame);
    return rc;
}

static int descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static void links_up(struct node *a, struct node *b)
{
    UNTIL(up_count(a, b->member, NULL) == 1 && up_count(b, a->member, NULL) == 1);
}

/* A pair of nodes, b dialling a. */
static void pair(struct node *a, struct node *b, const char *listen)
{
    node_init(a, 1);
    node_init(b, 2);
    node_open(a, listen, NULL);
    node_open(b, NULL, url_of(a));
    links_up(a, b);
}

/* Frames of every size, the largest included, cross both ways in order; the books agree. */
static void both_ways(const char *listen)
{
    static const size_t sizes[] = {8, 9, 1000, 65517, 65518, 65519, 131036, 131037, 200000, KT_FRAME_BYTES_MAX};
    enum { SIZES = sizeof sizes / sizeof sizes[0] };
    struct node a, b;
    struct link_seen la, lb;
    pair(&a, &b, listen);
    assert_int_equal(up_count(&a, 2, &la), 1);
    assert_int_equal(up_count(&b, 1, &lb), 1);
    assert_false(la.dialled);
    assert_true(lb.dialled);
    for (uint64_t i = 0; i < SIZES; i++) {
        UNTIL(send_number(&a, la.link, i, sizes[i]) == KT_OK);
        UNTIL(send_number(&b, lb.link, i, sizes[i]) == KT_OK);
    }
    UNTIL(frames_of(&a) == SIZES && frames_of(&b) == SIZES);
    assert_false(a.out_of_order || b.out_of_order);
    assert_int_equal(send_number(&a, la.link, 0, KT_FRAME_BYTES_MAX + 1), KT_EOVERSIZE);
    assert_int_equal(send_number(&a, la.link + 1, 0, 8), KT_EGONE);
    struct kt_link_info info[2];
    struct kt_dial_info dial[2];
    assert_int_equal(kt_links_list(a.links, info, 2), 1);
    assert_int_equal(info[0].member, 2);
    assert_int_equal(info[0].frames_in, SIZES);
    assert_true(info[0].bytes_in > a.bytes && info[0].bytes_in < a.bytes + 10000);
    assert_int_equal(kt_links_dials(b.links, dial, 2), 1);
    assert_int_equal(dial[0].state, KT_DIAL_LINKED);
    assert_int_equal(dial[0].member, 1);
    node_close(&b);
    UNTIL(up_count(&a, 0, NULL) == 0);
    node_close(&a);
}

static void both_ways_tcp(void **state)
{
    (void)state;
    both_ways("tcp://127.0.0.1:0");
}

static void both_ways_ws(void **state)
{
    (void)state;
    both_ways("ws://127.0.0.1:0/kontor");
}

/* A full inbox stops the reading, then the sender's queue; both go on where they stopped, nothing lost or doubled. */
static void backpressure(void **state)
{
    (void)state;
    enum { FRAMES = 400, LEN = 100000 };
    struct node a, b;
    struct link_seen la, lb;
    pair(&a, &b, "tcp://127.0.0.1:0");
    assert_int_equal(up_count(&a, 2, &la), 1);
    assert_int_equal(up_count(&b, 1, &lb), 1);
    pthread_mutex_lock(&a.mtx);
    a.full = true;
    pthread_mutex_unlock(&a.mtx);
    uint64_t sent = 0;
    while (send_number(&b, lb.link, sent, LEN) == KT_OK) sent++;
    assert_true(sent < FRAMES);
    poll(NULL, 0, 50);
    while (send_number(&b, lb.link, sent, LEN) == KT_OK) sent++;
    assert_true(sent < FRAMES);
    assert_int_equal(frames_of(&a), 0);
    pthread_mutex_lock(&a.mtx);
    a.full = false;
    pthread_mutex_unlock(&a.mtx);
    kt_links_resume(a.links, la.link);
    UNTIL(had_room(&b));
    for (; sent < FRAMES; sent++) UNTIL(send_number(&b, lb.link, sent, LEN) == KT_OK);
    UNTIL(frames_of(&a) == FRAMES);
    assert_false(a.out_of_order);
    for (int i = 0; i < 1000; i++) kt_links_resume(a.links, la.link); /* does no harm */
    node_close(&a);
    node_close(&b);
}

static struct kt_dial_info dial_of(struct node *n)
{
    struct kt_dial_info d;
    assert_int_equal(kt_links_dials(n->links, &d, 1), 1);
    return d;
}

/* Another's certificate, and another organisation, are refused before any frame; the dialler is told. */
static void refused(void **state)
{
    (void)state;
    struct node a, b;
    node_init(&a, 1);
    node_init(&b, 2);
    node_open(&a, "tcp://127.0.0.1:0", NULL);
    b.claims = 3;
    node_open(&b, NULL, url_of(&a));
    UNTIL(dial_of(&b).state == KT_DIAL_REFUSED);
    assert_int_equal(dial_of(&b).last_error, KT_ENOTMEMBER);
    node_close(&b);
    node_init(&b, 2);
    b.cluster = 8;
    node_open(&b, NULL, url_of(&a));
    UNTIL(dial_of(&b).state == KT_DIAL_REFUSED);
    assert_int_equal(dial_of(&b).last_error, KT_ECLUSTER);
    assert_int_equal(b.verified, 0);
    node_close(&b);
    node_init(&b, 1); /* our own number and key, come back by some loop */
    node_open(&b, NULL, url_of(&a));
    UNTIL(dial_of(&b).state == KT_DIAL_REFUSED);
    node_close(&b);
    assert_int_equal(seen(&a), 0);
    assert_int_equal(seen(&b), 0);
    node_close(&a);
}

/* ---- hostile lines ---- */

static int connect_to(const char *url)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sa.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static bool closed_by_other(int fd)
{
    uint8_t sink[4096];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, DEADLINE_MS) == 1)
        if (recv(fd, sink, sizeof sink, 0) <= 0) return true;
    return false;
}

/* Peers that talk garbage are closed at once and a good link beside them never notices. */
static void garbage(void **state)
{
    (void)state;
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 1}, empty[] = {0, 0, 0, 0};
    static const uint8_t almost[] = "\0\0\0\x1bKONTOR\0\1\0\1clusterclusterXX\1";
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    struct node a, b;
    struct link_seen lb;
    pair(&a, &b, "tcp://127.0.0.1:0");
    assert_int_equal(up_count(&b, 1, &lb), 1);
    for (int i = 0; i < 60; i++) {
        uint8_t noise[300];
        for (size_t k = 0; k < sizeof noise; k++) noise[k] = (uint8_t)rand_r(&seed);
        noise[0] |= 1; /* no length below 16 MiB */
        struct kt_bytes say[4] = {KT_BYTES_OF(huge), KT_BYTES_OF(empty), kt_bytes(almost, 31), KT_BYTES_OF(noise)};
        int fd = connect_to(url_of(&a));
        assert_int_equal(send(fd, say[i % 4].data, say[i % 4].len, MSG_NOSIGNAL), say[i % 4].len);
        assert_true(closed_by_other(fd));
        close(fd);
    }
    assert_int_equal(send_number(&b, lb.link, 0, 5000), KT_OK);
    UNTIL(frames_of(&a) == 1);
    assert_int_equal(seen(&a), 1);
    uint64_t now, away;
    UNTIL((kt_links_strangers(a.links, &now, &away), now == 0 && away >= 60));
    node_close(&b);
    node_close(&a);
}

/* Three hundred peers connect and say nothing: an honest one gets in, and no more than the bound are kept. */
static void silent_strangers(void **state)
{
    (void)state;
    enum { SILENT = 300 };
    static int fds[SILENT];
    struct node a, b;
    node_init(&a, 1);
    node_init(&b, 2);
    node_open(&a, "tcp://127.0.0.1:0", NULL);
    for (int i = 0; i < SILENT / 2; i++) fds[i] = connect_to(url_of(&a));
    node_open(&b, NULL, url_of(&a));
    for (int i = SILENT / 2; i < SILENT; i++) fds[i] = connect_to(url_of(&a));
    links_up(&a, &b);
    uint64_t now, away;
    UNTIL((kt_links_strangers(a.links, &now, &away), now <= KT_HALF_OPEN_MAX && away >= SILENT - KT_HALF_OPEN_MAX));
    UNTIL((kt_links_strangers(a.links, &now, &away), now == 0 && away >= SILENT)); /* their time is up */
    for (int i = 0; i < SILENT; i++) close(fds[i]);
    assert_int_equal(up_count(&a, 2, NULL), 1);
    node_close(&a);
    node_close(&b);
}

/* ---- ends and beginnings ---- */

/* A link closed by either side, or whose node went away, is there again soon. */
static void again(void **state)
{
    (void)state;
    struct node a, b;
    struct link_seen l;
    pair(&a, &b, "tcp://127.0.0.1:0");
    for (int i = 0; i < 6; i++) {
        struct node *closer = i % 2 ? &a : &b;
        assert_int_equal(up_count(closer, 0, &l), 1);
        struct kt_transport *t = kt_links_transport(closer->links);
        t->close_link(t, l.link, "because");
        UNTIL(seen(&a) == (size_t)i + 2 && seen(&b) == (size_t)i + 2);
        links_up(&a, &b);
    }
    char url[KT_URL_CHARS_MAX];
    assert_int_equal(kt_links_listen_url(a.links, 0, url), KT_OK);
    node_close(&a);
    UNTIL(up_count(&b, 0, NULL) == 0 && dial_of(&b).state == KT_DIAL_DIALLING);
    UNTIL(dial_of(&b).last_error == KT_EUNREACHABLE);
    node_init(&a, 1);
    node_open(&a, url, NULL);
    uint64_t start = now_ms();
    links_up(&a, &b);
    assert_true(now_ms() - start < 3000);
    node_close(&a);
    node_close(&b);
}

/* A session that is used up is made anew without being asked. */
static void used_up(void **state)
{
    (void)state;
    struct node a, b;
    struct link_seen l;
    node_init(&a, 1);
    node_init(&b, 2);
    b.session_bytes_max = 1u << 20;
    node_open(&a, "tcp://127.0.0.1:0", NULL);
    node_open(&b, NULL, url_of(&a));
    links_up(&a, &b);
    assert_int_equal(up_count(&b, 0, &l), 1);
    for (uint64_t i = 0; i < 12; i++) UNTIL(send_number(&b, l.link, i, 100000) != KT_EAGAIN);
    kt_links_resume(b.links, l.link);
    UNTIL(seen(&b) >= 2 && !seen_at(&b, 0).up);
    assert_int_equal(seen_at(&b, 0).code, KT_EEND);
    links_up(&a, &b);
    node_close(&a);
    node_close(&b);
}

/* Two nodes that dial each other, many times over: one link stays, the same one at both ends. */
static void one_link_per_pair(void **state)
{
    (void)state;
    for (int i = 0; i < 25; i++) {
        struct node n[NODES + 1];
        for (kt_member m = 1; m <= NODES; m++) {
            node_init(&n[m], m);
            node_open(&n[m], "tcp://127.0.0.1:0", NULL);
        }
        for (kt_member m = 1; m <= NODES; m++)
            for (kt_member o = 1; o <= NODES; o++)
                if (o != m) assert_int_equal(kt_links_dial(n[m].links, url_of(&n[o])), KT_OK);
        for (kt_member m = 1; m < NODES; m++)
            for (kt_member o = m + 1; o <= NODES; o++) links_up(&n[m], &n[o]);
        poll(NULL, 0, 20);
        for (kt_member m = 1; m < NODES; m++)
            for (kt_member o = m + 1; o <= NODES; o++) {
                struct link_seen here, there;
                links_up(&n[m], &n[o]);
                assert_int_equal(up_count(&n[m], o, &here), 1);
                assert_int_equal(up_count(&n[o], m, &there), 1);
                assert_int_equal(here.dialled, !there.dialled);
                uint64_t had = frames_of(&n[o]);
                UNTIL(send_number(&n[m], here.link, had, 100) == KT_OK);
                UNTIL(frames_of(&n[o]) == had + 1);
            }
        for (kt_member m = 1; m <= NODES; m++) {
            struct kt_dial_info d[NODES];
            UNTIL((assert_int_equal(kt_links_dials(n[m].links, d, NODES), NODES - 1),
                   d[0].state == KT_DIAL_LINKED && d[1].state == KT_DIAL_LINKED));
            assert_true(seen(&n[m]) <= 4);
        }
        for (kt_member m = 1; m <= NODES; m++) node_close(&n[m]);
    }
}

/* The rule by itself: whoever asks, both ends end with the dial of the lower number. */
static void the_rule(void **state)
{
    (void)state;
    assert_int_equal(kt_register_judge(1, 2, false, KT_STANDING_NONE, false), KT_VERDICT_TAKE);
    assert_int_equal(kt_register_judge(1, 2, true, KT_STANDING_UP, false), KT_VERDICT_DROP);
    assert_int_equal(kt_register_judge(1, 2, true, KT_STANDING_WAITING, true), KT_VERDICT_DROP);
    assert_int_equal(kt_register_judge(1, 2, false, KT_STANDING_WAITING, true), KT_VERDICT_DROP);
    assert_int_equal(kt_register_judge(2, 1, false, KT_STANDING_WAITING, true), KT_VERDICT_TAKE);
    assert_int_equal(kt_register_judge(1, 2, false, KT_STANDING_UP, true), KT_VERDICT_ENQUIRE);
    assert_int_equal(kt_register_judge(2, 1, false, KT_STANDING_UP, true), KT_VERDICT_TAKE);
    assert_int_equal(kt_register_judge(1, 2, false, KT_STANDING_UP, false), KT_VERDICT_TAKE);
}

/* A line that goes dead without a word (a relay stops relaying) is given up and a new one is made. */
struct relay {
    int listen, in, out;
    atomic_bool stuck, stop;
    uint16_t to;
    pthread_t thread;
};

static void pass(int from, int to)
{
    uint8_t some[65536];
    ssize_t n = recv(from, some, sizeof some, MSG_DONTWAIT);
    if (n > 0) (void)!send(to, some, (size_t)n, MSG_NOSIGNAL);
}

static void *relay_run(void *arg)
{
    struct relay *r = arg;
    char to[64];
    snprintf(to, sizeof to, "tcp://127.0.0.1:%u", r->to);
    while (!atomic_load(&r->stop)) {
        struct pollfd p[3] = {
            {r->listen, POLLIN, 0},
            {r->in,     POLLIN, 0},
            {r->out,    POLLIN, 0}
        };
        if (atomic_load(&r->stuck)) p[1].fd = p[2].fd = -1;
        if (poll(p, 3, 20) <= 0) continue;
        if (p[1].revents) pass(r->in, r->out);
        if (p[2].revents) pass(r->out, r->in);
        if (!p[0].revents) continue;
        if (r->in >= 0) close(r->in), close(r->out);
        r->in = accept(r->listen, NULL, NULL);
        r->out = connect_to(to);
        atomic_store(&r->stuck, false);
    }
    if (r->in >= 0) close(r->in), close(r->out);
    close(r->listen);
    return NULL;
}

static void dead_line(void **state)
{
    (void)state;
    struct node a, b;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    struct relay r = {.in = -1, .out = -1, .listen = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(r.listen, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(r.listen, 5), 0);
    assert_int_equal(getsockname(r.listen, (struct sockaddr *)&sa, &len), 0);
    node_init(&a, 1);
    node_init(&b, 2);
    a.silent_ms = b.silent_ms = 1500;
    node_open(&a, "tcp://127.0.0.1:0", NULL);
    r.to = (uint16_t)atoi(strrchr(url_of(&a), ':') + 1);
    assert_int_equal(pthread_create(&r.thread, NULL, relay_run, &r), 0);
    char url[64];
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", ntohs(sa.sin_port));
    node_open(&b, NULL, url);
    links_up(&a, &b);
    poll(NULL, 0, 4000); /* idle for longer than silence is allowed: pings keep it */
    assert_int_equal(seen(&a) + seen(&b), 2);
    atomic_store(&r.stuck, true);
    UNTIL(seen(&b) == 2 && !seen_at(&b, 0).up);
    assert_int_equal(seen_at(&b, 0).code, KT_EDEADLINE);
    links_up(&a, &b);
    node_close(&b);
    node_close(&a);
    atomic_store(&r.stop, true);
    pthread_join(r.thread, NULL);
}

/* What cannot be listened on is said in words, and closing leaves no descriptor behind. */
static void clean(void **state)
{
    (void)state;
    struct node a, b;
    char why[KT_WHY_CHARS_MAX];
    pair(&a, &b, "tcp://127.0.0.1:0"); /* nng has its threads and its poller by now */
    const char *taken = url_of(&a), *nonsense = "tcp:/127.0.0.1";
    struct kt_links *none;
    struct kt_links_config c = {
        .listen = &taken, .listen_count = 1, .member = 3, .ctx = &a, .certificate = certificate};
    c.verify = verify;
    c.inbox = (struct kt_links_inbox){&a, on_up, on_frame, on_down, NULL};
    assert_int_equal(kt_links_open(&c, &none, why), KT_EUNREACHABLE);
    assert_non_null(strstr(why, taken));
    c.listen = &nonsense;
    assert_int_equal(kt_links_open(&c, &none, why), KT_ECONFIG);
    node_close(&a);
    node_close(&b);
    int before = descriptors();
    for (int i = 0; i < 20; i++) {
        pair(&a, &b, "tcp://127.0.0.1:0");
        node_close(i % 2 ? &a : &b);
        node_close(i % 2 ? &b : &a);
        assert_int_equal(up_count(&a, 0, NULL) + up_count(&b, 0, NULL), 0);
    }
    UNTIL(descriptors() <= before);
}

int main(void)
{
    if (sodium_init() < 0) return 1;
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule),          cmocka_unit_test(both_ways_tcp), cmocka_unit_test(both_ways_ws),
        cmocka_unit_test(backpressure),      cmocka_unit_test(refused),       cmocka_unit_test(garbage),
        cmocka_unit_test(silent_strangers),  cmocka_unit_test(again),         cmocka_unit_test(used_up),
        cmocka_unit_test(one_link_per_pair), cmocka_unit_test(dead_line),     cmocka_unit_test(clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
