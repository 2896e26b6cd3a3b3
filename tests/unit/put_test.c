/* Lines on their way from a file to a node: cut apart, gathered, sent several at once, and told of one by one. */
#include "client/cli/lines.h"
#include "client/cli/pipeline.h"
#include "client/cli/json/json.h"
#include "client/cli/tally.h"
#include "support/scripted_node.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/mman.h>

/* ---- lines ---- */

static int pipe_with(const char *text, size_t len)
{
    int fd = memfd_create("lines", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static int next_line(struct kt_lines *l, struct kt_bytes *line)
{
    int err;
    while ((err = kt_lines_next(l, line)) == KT_EAGAIN) assert_int_equal(kt_lines_read(l), KT_OK);
    return err;
}

/* Scenario: a byte-order mark, an empty line, a NUL, a line of exactly the limit, one above it, no line end at last. */
static void lines_of_all_kinds(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf"
                               "first\n\na\0b\n12345678\n123456789\n\xef\xbb\xbfx\nlast";
    struct kt_lines l;
    struct kt_bytes line;
    int fd = pipe_with(text, sizeof text - 1);
    kt_lines_init(&l, fd, 8);
    assert_int_equal(next_line(&l, &line), KT_OK);
    assert_true(kt_bytes_equal(line, kt_str("first")));
    assert_int_equal(next_line(&l, &line), KT_OK);
    assert_int_equal(line.len, 0);
    assert_int_equal(next_line(&l, &line), KT_OK);
    assert_true(kt_bytes_equal(line, kt_bytes("a\0b", 3)));
    assert_int_equal(next_line(&l, &line), KT_OK);
    assert_true(kt_bytes_equal(line, kt_str("12345678")));
    assert_int_equal(next_line(&l, &line), KT_EOVERSIZE);
    assert_int_equal(l.number, 5);
    assert_int_equal(next_line(&l, &line), KT_OK);
    assert_int_equal(line.len, 4);
    assert_int_equal(next_line(&l, &line), KT_OK);
    assert_true(kt_bytes_equal(line, kt_str("last")));
    assert_int_equal(l.number, 7);
    assert_int_equal(next_line(&l, &line), KT_EEND);
    kt_lines_free(&l);
    close(fd);
}

/* Scenario: a line of ten MiB between two short ones costs one message and no memory to speak of. */
static void a_very_long_line(void **state)
{
    (void)state;
    const size_t big = 10u << 20;
    char *text = malloc(big + 8);
    struct kt_lines l;
    struct kt_bytes line;
    memset(text, 'x', big + 8);
    memcpy(text, "a\n", 2);
    memcpy(text + big, "\nb\n", 3);
    int fd = pipe_with(text, big + 3);
    kt_lines_init(&l, fd, KT_REQUEST_BYTES_MAX);
    assert_int_equal(next_line(&l, &line), KT_OK);
    assert_int_equal(next_line(&l, &line), KT_EOVERSIZE);
    assert_int_equal(l.number, 2);
    assert_true(l.cap < (4u << 20));
    assert_int_equal(next_line(&l, &line), KT_OK);
    assert_true(kt_bytes_equal(line, kt_str("b")));
    assert_int_equal(next_line(&l, &line), KT_EEND);
    kt_lines_free(&l);
    close(fd);
    free(text);
}

/* ---- the pipeline ---- */

/* What came of a stream of records. */
struct told {
    uint32_t accepted, refused, replies, last_line;
    bool in_order;
    struct kt_tally tally;
};

static void on_result(void *ctx, const struct kt_put_result *r, uint32_t kind)
{
    struct told *t = ctx;
    char want[32];
    assert_int_equal(kind, 1);
    snprintf(want, sizeof want, "t%u", r->line);
    if (r->line != t->last_line + 1) t->in_order = false;
    t->last_line = r->line;
    if (r->code)
        t->refused++;
    else
        t->accepted++;
    if (!r->code) assert_true(kt_bytes_equal(r->token, kt_str(want)));
    if (!r->code) t->tally.accepted++;
    if (r->code) kt_tally_refused_there(&t->tally, r, kind);
}

static void on_replied(void *ctx) { ((struct told *)ctx)->replies++; }

static struct kt_pipeline *open_pipeline(const struct scripted_node *n, struct kt_cli *cli, struct told *t)
{
    struct kt_pipeline *p;
    *cli = (struct kt_cli){.node = scripted_node_url(n)};
    *t = (struct told){.in_order = true, .tally = {.what = "line"}};
    struct kt_pipeline_config c = {.cli = cli, .actor = "ada", .ctx = t, .result = on_result, .replied = on_replied};
    assert_int_equal(kt_pipeline_open(&c, &p), KT_OK);
    return p;
}

static int add(struct kt_pipeline *p, uint32_t line, size_t bytes)
{
    struct kt_record r;
    struct kt_json_fault fault;
    char *text = malloc(bytes + 256), *filler = calloc(1, bytes + 1);
    memset(filler, 'x', bytes);
    snprintf(text, bytes + 256,
             "{\"entity\":\"customer\",\"source_system\":\"s\",\"source_id\":\"%u\",\"occupation\":\"%s\"}", line,
             bytes ? filler : "smith");
    assert_int_equal(kt_json_record(kt_str(text), line, kt_pipeline_arena(p), &r, &fault), KT_OK);
    free(text);
    free(filler);
    return kt_pipeline_add(p, &r);
}

static bool accept_all(void *ctx, const struct kt_request *r, struct kt_arena *arena, struct kt_reply *reply)
{
    uint32_t *largest = ctx;
    assert(r->kind == KT_ASK_PUT && kt_bytes_equal(r->actor, kt_str("ada")));
    if (r->put.records_len > *largest) *largest = r->put.records_len;
    scripted_accept(r, arena, reply);
    return true;
}

/* Scenario: a thousand small records and a few large ones go out in full puts, all are told of, in order. */
static void a_stream(void **state)
{
    (void)state;
    uint32_t largest = 0;
    struct kt_cli cli;
    struct told t;
    struct scripted_node *n = scripted_node_start(accept_all, &largest);
    struct kt_pipeline *p = open_pipeline(n, &cli, &t);
    for (uint32_t i = 1; i <= 1000; i++) assert_int_equal(add(p, i, i % 100 == 0 ? 16000 : 0), KT_OK);
    assert_int_equal(kt_pipeline_finish(p), KT_OK);
    assert_int_equal(t.accepted, 1000);
    assert_true(t.in_order);
    assert_int_equal(largest, KT_PIPELINE_RECORDS);
    assert_true(t.replies >= 16 && t.replies <= 20);
    assert_int_equal(kt_tally_exit(&t.tally), KT_EXIT_DONE);
    kt_pipeline_close(p);
    scripted_node_stop(n);
}

/* Scenario: somebody types: each record goes out while the next is awaited, and its token comes back at once. */
static void a_slow_writer(void **state)
{
    (void)state;
    uint32_t largest = 0;
    struct kt_cli cli;
    struct told t;
    int ends[2];
    struct scripted_node *n = scripted_node_start(accept_all, &largest);
    struct kt_pipeline *p = open_pipeline(n, &cli, &t);
    assert_int_equal(pipe(ends), 0);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(add(p, i, 0), KT_OK);
        assert_int_equal(kt_pipeline_send(p), KT_OK);
        while (t.accepted < i) { /* replies are taken in while the input is waited for */
            assert_int_equal(write(ends[1], "x", 1), 1);
            assert_int_equal(kt_pipeline_wait_for(p, ends[0]), KT_OK);
        }
    }
    assert_int_equal(largest, 1);
    kt_pipeline_close(p);
    scripted_node_stop(n);
    close(ends[0]);
    close(ends[1]);
}

static bool refuse_some(void *ctx, const struct kt_request *r, struct kt_arena *arena, struct kt_reply *reply)
{
    int *mode = ctx;
    scripted_accept(r, arena, reply);
    if (*mode == 1) { /* each for its own reason */
        for (uint32_t i = 0; i < r->put.records_len; i++) reply->put.results[i].code = KT_EUNMAPPED;
    } else if (*mode == 2) { /* the request as a whole */
        *reply = (struct kt_reply){.kind = KT_ASK_PUT, .code = KT_EFULL, .reason = kt_str("the disk is full")};
    } else if (*mode == 3) { /* written, not copied */
        reply->code = KT_EDEADLINE;
        reply->reason = kt_str("it is durable here");
    } else { /* a node that forgets one */
        reply->put.results_len--;
    }
    return true;
}

static enum kt_exit put_three(int mode, struct told *t, bool *late)
{
    struct kt_cli cli;
    struct scripted_node *n = scripted_node_start(refuse_some, &mode);
    struct kt_pipeline *p = open_pipeline(n, &cli, t);
    for (uint32_t i = 1; i <= 3; i++) assert_int_equal(add(p, i, 0), KT_OK);
    assert_int_equal(kt_pipeline_finish(p), KT_OK);
    *late = kt_pipeline_late(p).len != 0;
    kt_pipeline_close(p);
    scripted_node_stop(n);
    return kt_tally_exit(&t->tally);
}

/* Scenario: refused one by one, refused as a whole, written but not copied, half answered: every record has its fate.
 */
static void refusals(void **state)
{
    (void)state;
    struct told t;
    bool late;
    assert_int_equal(put_three(1, &t, &late), KT_EXIT_REFUSED);
    assert_int_equal(t.refused, 3);
    assert_int_equal(put_three(2, &t, &late), KT_EXIT_REFUSED);
    assert_int_equal(t.refused, 3);
    assert_false(late);
    assert_int_equal(put_three(3, &t, &late), KT_EXIT_DONE);
    assert_int_equal(t.accepted, 3);
    assert_true(late);
    assert_int_equal(put_three(4, &t, &late), KT_EXIT_PARTLY);
    assert_int_equal(t.accepted, 2);
    assert_int_equal(t.refused, 1);
}

static bool vanish_after_three(void *ctx, const struct kt_request *r, struct kt_arena *arena, struct kt_reply *reply)
{
    int *answered = ctx;
    if (*answered == 3) return false;
    ++*answered;
    scripted_accept(r, arena, reply);
    return true;
}

static void *vanish(void *node)
{
    scripted_node_vanish(node);
    return NULL;
}

/* Scenario: the node dies amid a stream: the writer learns it, and knows of every record that was acknowledged. */
static void a_node_that_dies(void **state)
{
    (void)state;
    int answered = 0, err = KT_OK;
    struct kt_cli cli;
    struct told t;
    pthread_t killer;
    struct scripted_node *n = scripted_node_start(vanish_after_three, &answered);
    struct kt_pipeline *p = open_pipeline(n, &cli, &t);
    assert_int_equal(pthread_create(&killer, NULL, vanish, n), 0);
    for (uint32_t i = 1; i <= 10000 && !err; i++) err = add(p, i, 0);
    if (!err) err = kt_pipeline_finish(p);
    assert_int_equal(err, KT_EGONE);
    assert_int_equal(kt_cli_exit(err), KT_EXIT_UNREACHABLE);
    assert_int_equal(t.accepted, 3 * KT_PIPELINE_RECORDS);
    pthread_join(killer, NULL);
    kt_pipeline_close(p);
    scripted_node_stop(n);
}

/* Scenario: nobody is there, and the address is none. */
static void nobody(void **state)
{
    (void)state;
    struct kt_pipeline *p = NULL;
    struct kt_cli cli = {.node = "ipc:///nowhere/at/all"};
    struct kt_pipeline_config c = {.cli = &cli, .result = on_result};
    assert_int_equal(kt_pipeline_open(&c, &p), KT_EUNREACHABLE);
    cli.node = "http://example.org";
    assert_int_equal(kt_pipeline_open(&c, &p), KT_EINVAL);
    assert_null(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_all_kinds),
        cmocka_unit_test(a_very_long_line),
        cmocka_unit_test(a_stream),
        cmocka_unit_test(a_slow_writer),
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_node_that_dies),
        cmocka_unit_test(nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
