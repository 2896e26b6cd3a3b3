/* Nodes in one process link over 127.0.0.1: what crosses, who stays, and how a link ends and comes back. */
#include "support/link_node.h"

#include "net/register.h"

#include <dirent.h>
#include <signal.h>

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

/* ---- ends and beginnings ---- */

/* A node whose inbox is full for longer than silence is allowed is busy, not dead: its links stay. */
static void busy_is_not_dead(void **state)
{
    (void)state;
    struct node a, b;
    struct link_seen la, lb;
    node_init(&a, 1);
    node_init(&b, 2);
    a.silent_ms = b.silent_ms = 3000; /* a third of it is left to a machine that is busy itself */
    a.full = true;
    node_open(&a, "tcp://127.0.0.1:0", NULL);
    node_open(&b, NULL, url_of(&a));
    links_up(&a, &b);
    assert_int_equal(up_count(&a, 2, &la), 1);
    assert_int_equal(up_count(&b, 1, &lb), 1);
    assert_int_equal(send_number(&b, lb.link, 0, 1000), KT_OK);
    poll(NULL, 0, 4500);
    assert_int_equal(seen(&a) + seen(&b), 2);
    pthread_mutex_lock(&a.mtx);
    a.full = false;
    pthread_mutex_unlock(&a.mtx);
    kt_links_resume(a.links, la.link);
    UNTIL(frames_of(&a) == 1);
    node_close(&a);
    node_close(&b);
}

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

static int descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d)) n++;
    closedir(d);
    return n;
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
        cmocka_unit_test(the_rule),     cmocka_unit_test(both_ways_tcp),     cmocka_unit_test(both_ways_ws),
        cmocka_unit_test(backpressure), cmocka_unit_test(busy_is_not_dead),  cmocka_unit_test(again),
        cmocka_unit_test(used_up),      cmocka_unit_test(one_link_per_pair), cmocka_unit_test(clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
