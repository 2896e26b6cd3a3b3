/* The harness's proxy, tried from outside: what a cut, a hung, a slow and an overheard line do to two programs. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_MS = 10000, BULK_BYTES = 8 << 20 };

/* A proxy at work, with one line "l" to a listener of this program. */
struct fixture {
    char dir[64], socket[96], file[96];
    pid_t pid;
    int target_fd;
    uint16_t target_port, line_port;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int control_connect(const struct fixture *f)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", f->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0) return fd;
    close(fd);
    return -1;
}

/* Says one command; gives the last line of the answer. */
static const char *ask(const struct fixture *f, const char *command)
{
    static __thread char last[256];
    int fd = control_connect(f);
    assert_true(fd >= 0);
    FILE *io = fdopen(fd, "r+");
    assert_non_null(io);
    fprintf(io, "%s\n", command);
    fflush(io);
    do {
        if (!fgets(last, sizeof last, io)) last[0] = 0;
    } while (last[0] && strncmp(last, "ok", 2) != 0 && strncmp(last, "error", 5) != 0);
    fclose(io);
    last[strcspn(last, "\n")] = 0;
    return last;
}

static int loopback(uint16_t port, int server)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    int rc = server ? bind(fd, (struct sockaddr *)&at, sizeof at) : connect(fd, (struct sockaddr *)&at, sizeof at);
    if (rc == 0 && server) rc = listen(fd, 8);
    if (rc == 0) return fd;
    close(fd);
    return -1;
}

static int readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms);
}

/* Reads exactly len bytes before the deadline; what came before an end or an error otherwise. */
static size_t read_all(int fd, char *out, size_t len)
{
    size_t got = 0;
    while (got < len && readable(fd, DEADLINE_MS) > 0) {
        ssize_t n = recv(fd, out + got, len - got, 0);
        if (n <= 0) break;
        got += (size_t)n;
    }
    return got;
}

/* Both ends of a new connection through the line. */
static void connection(const struct fixture *f, int *near, int *far)
{
    *near = loopback(f->line_port, 0);
    assert_true(*near >= 0);
    assert_int_equal(readable(f->target_fd, DEADLINE_MS), 1);
    *far = accept4(f->target_fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(*far >= 0);
}

static void expect_text(int from, int to, const char *text)
{
    char got[256];
    size_t len = strlen(text);
    assert_int_equal(send(from, text, len, MSG_NOSIGNAL), len);
    assert_int_equal(read_all(to, got, len), len);
    assert_memory_equal(got, text, len);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *bin = getenv("KONTOR_BIN");
    char program[4096];
    assert_non_null(f);
    assert_non_null(bin);
    snprintf(program, sizeof program, "%s/kontor-proxy", bin);
    snprintf(f->dir, sizeof f->dir, "/tmp/kontor-proxy-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->socket, sizeof f->socket, "%s/control", f->dir);
    snprintf(f->file, sizeof f->file, "%s/capture", f->dir);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        execl(program, "kontor-proxy", "serve", f->socket, (char *)NULL);
        _exit(127);
    }
    int fd = -1;
    for (int64_t end = now_ms() + DEADLINE_MS; fd < 0 && now_ms() < end; poll(NULL, 0, 5)) fd = control_connect(f);
    assert_true(fd >= 0);
    close(fd);
    f->target_fd = loopback(0, 1);
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    assert_int_equal(getsockname(f->target_fd, (struct sockaddr *)&at, &len), 0);
    f->target_port = ntohs(at.sin_port);
    char command[64];
    snprintf(command, sizeof command, "line l 0 %u", f->target_port);
    unsigned port = 0;
    assert_int_equal(sscanf(ask(f, command), "ok %u", &port), 1);
    f->line_port = (uint16_t)port;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    int status = -1;
    assert_string_equal(ask(f, "quit"), "ok");
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    assert_int_equal(status, 0); /* under a sanitizer also: nothing leaked */
    close(f->target_fd);
    unlink(f->file);
    assert_int_equal(rmdir(f->dir), 0); /* it took its socket away */
    free(f);
    return 0;
}

/* A line carries both ways, and passes an end on while the other direction still talks. */
static void carries_and_half_closes(void **state)
{
    struct fixture *f = *state;
    int near, far;
    char c;
    connection(f, &near, &far);
    expect_text(near, far, "hello");
    expect_text(far, near, "good day");
    assert_int_equal(shutdown(near, SHUT_WR), 0);
    assert_int_equal(readable(far, DEADLINE_MS), 1);
    assert_int_equal(recv(far, &c, 1, 0), 0);
    expect_text(far, near, "and good-bye");
    close(far);
    assert_int_equal(readable(near, DEADLINE_MS), 1);
    assert_int_equal(recv(near, &c, 1, 0), 0);
    close(near);
}

/* Eight MiB sent before anybody reads arrive whole: the writer waits, the proxy's queue stays bounded. */
static void a_slow_reader_slows_its_writer(void **state)
{
    struct fixture *f = *state;
    int near, far;
    connection(f, &near, &far);
    char *bulk = malloc(BULK_BYTES), *got = malloc(BULK_BYTES);
    assert_true(bulk && got);
    for (size_t i = 0; i < BULK_BYTES; i++) bulk[i] = (char)(i * 2654435761u >> 13);
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        size_t sent = 0;
        while (sent < BULK_BYTES) {
            ssize_t n = send(near, bulk + sent, BULK_BYTES - sent, MSG_NOSIGNAL);
            if (n <= 0) _exit(1);
            sent += (size_t)n;
        }
        _exit(0);
    }
    assert_int_equal(read_all(far, got, BULK_BYTES), BULK_BYTES);
    assert_memory_equal(got, bulk, BULK_BYTES);
    int status = -1;
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    free(bulk);
    free(got);
    close(near);
    close(far);
}

/* Cut: both ends are reset at once, new connections are refused, and the port is the line's again when it is mended. */
static void a_cut_line_resets_and_refuses(void **state)
{
    struct fixture *f = *state;
    int near, far;
    char c;
    connection(f, &near, &far);
    expect_text(near, far, "before");
    assert_string_equal(ask(f, "cut l"), "ok");
    assert_string_equal(ask(f, "cut l"), "ok");
    int *ends[] = {&near, &far};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(readable(*ends[i], DEADLINE_MS), 1);
        assert_int_equal(recv(*ends[i], &c, 1, 0), -1);
        assert_int_equal(errno, ECONNRESET);
        close(*ends[i]);
    }
    assert_int_equal(loopback(f->line_port, 0), -1);
    assert_int_equal(errno, ECONNREFUSED);
    assert_string_equal(ask(f, "heal l"), "ok");
    assert_string_equal(ask(f, "heal l"), "ok");
    connection(f, &near, &far);
    expect_text(far, near, "after");
    close(near);
    close(far);
}

/* Hung: nothing arrives and nothing ends, on old connections and new ones; mended, what was sent arrives. */
static void a_hung_line_is_a_black_hole(void **state)
{
    struct fixture *f = *state;
    int near, far, late;
    connection(f, &near, &far);
    assert_string_equal(ask(f, "hang l"), "ok");
    assert_int_equal(send(near, "lost?", 5, MSG_NOSIGNAL), 5);
    late = loopback(f->line_port, 0);
    assert_true(late >= 0);
    assert_int_equal(readable(far, 200), 0);
    assert_int_equal(readable(near, 0), 0);
    assert_int_equal(readable(late, 0), 0);
    assert_string_equal(ask(f, "heal l"), "ok");
    char got[5];
    assert_int_equal(read_all(far, got, 5), 5);
    assert_memory_equal(got, "lost?", 5);
    close(late);
    close(near);
    close(far);
}

/* Slowed by 60 ms each way, a question and its answer take at least 120 ms, in order. */
static void a_slow_line_takes_its_time(void **state)
{
    struct fixture *f = *state;
    int near, far;
    connection(f, &near, &far);
    assert_string_equal(ask(f, "delay l 60"), "ok");
    int64_t start = now_ms();
    expect_text(near, far, "question");
    expect_text(far, near, "answer");
    assert_true(now_ms() - start >= 118); /* two roundings to whole ms */
    close(near);
    close(far);
}

/* A capture holds every byte of both directions, from the moment it was asked for. */
static void a_capture_holds_both_directions(void **state)
{
    struct fixture *f = *state;
    int near, far;
    char command[128], got[64] = {0};
    connection(f, &near, &far);
    expect_text(near, far, "unheard ");
    snprintf(command, sizeof command, "capture l %s", f->file);
    assert_string_equal(ask(f, command), "ok");
    expect_text(near, far, "there ");
    expect_text(far, near, "and back");
    assert_string_equal(ask(f, "capture l"), "ok");
    expect_text(near, far, " unheard");
    FILE *in = fopen(f->file, "r");
    assert_non_null(in);
    assert_non_null(fgets(got, sizeof got, in));
    fclose(in);
    assert_string_equal(got, "there and back");
    close(near);
    close(far);
}

/* What is not a command is refused in words, and the lines go on. */
static void wrong_commands_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",           "dance l",        "cut",         "cut nobody",   "delay l fast", "line l 0 9",
        "line x 0 0", "line y 70000 1", "line z 0 -1", "delay l 70000"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (strncmp(ask(f, wrong[i]), "error: ", 7) != 0) fail_msg("accepted: '%s'", wrong[i]);
    int near, far;
    connection(f, &near, &far);
    expect_text(near, far, "still here");
    close(near);
    close(far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(carries_and_half_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_slows_its_writer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_line_resets_and_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hung_line_is_a_black_hole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_line_takes_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_capture_holds_both_directions, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_commands_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
