/* The node's log: what a line looks like, and that no value and no full disk can break it. */
#include "host/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 4, LINES = 500 };

struct fixture {
    char dir[64], path[96];
    struct kt_log *log;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/kontor-log-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/log", f->dir);
    assert_int_equal(kt_log_open(f->path, KT_LOG_INFO, &f->log), KT_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    kt_log_close(f->log);
    unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

/* The n-th line (from 0) of a file, without its line feed. */
static const char *line_of(const char *path, int n)
{
    static __thread char line[KT_LOG_LINE_BYTES_MAX + 2];
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    for (int i = 0; i <= n; i++) assert_non_null(fgets(line, sizeof line, in));
    fclose(in);
    line[strcspn(line, "\n")] = 0;
    return line;
}

static int lines_in(const char *path)
{
    FILE *in = fopen(path, "r");
    int n = 0, c;
    assert_non_null(in);
    while ((c = getc(in)) != EOF) n += c == '\n';
    fclose(in);
    return n;
}

/* A line says when, how bad, what, and the particulars. */
static void a_line_says_when_what_and_particulars(void **state)
{
    struct fixture *f = *state;
    static const uint8_t id[] = {0x00, 0xab, 0xff};
    kt_log(f->log, KT_LOG_WARN, "peer-silent", kt_log_text("office", "office-3"), kt_log_number("since_s", 12),
           kt_log_signed("skew_ms", -7), kt_log_hex("id", kt_bytes(id, sizeof id)), kt_log_error(KT_EOPEN));
    kt_log(f->log, KT_LOG_INFO, "started");
    const char *l = line_of(f->path, 0);
    assert_int_equal(strlen("2026-03-01T21:10:00.123Z"), strcspn(l, " "));
    for (int i = 0; i < 4; i++) assert_true(isdigit((unsigned char)l[i]));
    assert_int_equal(l[10], 'T');
    assert_int_equal(l[23], 'Z');
    assert_string_equal(l + 24, " warn peer-silent office=office-3 since_s=12 skew_ms=-7 id=00abff error=KT_EOPEN");
    assert_string_equal(line_of(f->path, 1) + 24, " info started");
}

/* Hostile values stay inside their quotes and on their line; long ones are shortened and say so. */
static void a_value_cannot_break_its_line(void **state)
{
    struct fixture *f = *state;
    char huge[8000];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = 0;
    kt_log(f->log, KT_LOG_INFO, "said", kt_log_text("a", "two words\n2026 error fake=\"1\"\\"), kt_log_text("b", ""),
           kt_log_text("c", NULL), kt_log_text("d", "Zo\xc3\xab"));
    kt_log(f->log, KT_LOG_INFO, "long", kt_log_text("a", huge), kt_log_number("after", 1));
    kt_log(f->log, KT_LOG_INFO, "longer", kt_log_text("a", huge), kt_log_text("b", huge), kt_log_text("c", huge),
           kt_log_text("d", huge), kt_log_text("e", huge));
    assert_int_equal(lines_in(f->path), 3);
    assert_string_equal(line_of(f->path, 0) + 24,
                        " info said a=\"two words\\x0a2026 error fake=\\\"1\\\"\\\\\" b=\"\" c=- d=\"Zo\xc3\xab\"");
    assert_non_null(strstr(line_of(f->path, 1), "..\" after=1"));
    const char *l = line_of(f->path, 2);
    assert_int_equal(strlen(l), KT_LOG_LINE_BYTES_MAX - 1);
    assert_string_equal(l + strlen(l) - 2, "..");
}

/* What is below the level is not written; a NULL log takes nothing; names of levels go both ways. */
static void levels_are_kept(void **state)
{
    struct fixture *f = *state;
    enum kt_log_level level = KT_LOG_ERROR;
    kt_log(f->log, KT_LOG_DEBUG, "detail");
    kt_log(NULL, KT_LOG_ERROR, "nowhere", kt_log_number("n", 1));
    assert_int_equal(lines_in(f->path), 0);
    for (int i = 0; i < KT_LOG_LEVELS; i++) {
        assert_int_equal(kt_log_level_of(kt_log_level_name((enum kt_log_level)i), &level), KT_OK);
        assert_int_equal(level, i);
    }
    assert_int_equal(kt_log_level_of("loud", &level), KT_EINVAL);
    assert_int_equal(level, KT_LOG_LEVELS - 1);
}

/* Somebody moves the file away and asks for it to be opened again: the next line is in a new file. */
static void a_moved_file_is_opened_again(void **state)
{
    struct fixture *f = *state;
    char moved[128];
    snprintf(moved, sizeof moved, "%s.1", f->path);
    kt_log(f->log, KT_LOG_INFO, "before");
    assert_int_equal(rename(f->path, moved), 0);
    assert_int_equal(kt_log_reopen(f->log), KT_OK);
    kt_log(f->log, KT_LOG_INFO, "after");
    assert_non_null(strstr(line_of(moved, 0), "before"));
    assert_non_null(strstr(line_of(f->path, 0), "after"));
    unlink(moved);
}

/* On a full disk lines are dropped and nothing stops; with room again the log says how many it lost. */
static void dropped_lines_are_counted(void **state)
{
    struct fixture *f = *state;
    struct kt_log *full = NULL;
    char link_path[128];
    if (access("/dev/full", W_OK) != 0) skip();
    snprintf(link_path, sizeof link_path, "%s.full", f->path);
    assert_int_equal(symlink("/dev/full", link_path), 0);
    assert_int_equal(kt_log_open(link_path, KT_LOG_INFO, &full), KT_OK);
    for (int i = 0; i < 3; i++) kt_log(full, KT_LOG_INFO, "lost");
    unlink(link_path);
    assert_int_equal(kt_log_reopen(full), KT_OK);
    kt_log(full, KT_LOG_INFO, "kept");
    kt_log_close(full);
    assert_non_null(strstr(line_of(link_path, 0), " warn log-dropped lines=3"));
    assert_non_null(strstr(line_of(link_path, 1), " info kept"));
    unlink(link_path);
    assert_int_equal(kt_log_open("/nowhere/at/all", KT_LOG_INFO, &full), KT_EIO);
}

static void *talk(void *arg)
{
    for (uint64_t i = 0; i < LINES; i++)
        kt_log(arg, KT_LOG_INFO, "said", kt_log_number("i", i), kt_log_text("what", "one whole line"));
    return NULL;
}

/* Four threads at once: every line is there and whole. */
static void threads_do_not_mix_lines(void **state)
{
    struct fixture *f = *state;
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&t[i], NULL, talk, f->log), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(t[i], NULL), 0);
    assert_int_equal(lines_in(f->path), THREADS * LINES);
    for (int i = 0; i < THREADS * LINES; i += 97) {
        const char *l = line_of(f->path, i);
        assert_string_equal(l + strlen(l) - strlen(" what=\"one whole line\""), " what=\"one whole line\"");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_says_when_what_and_particulars, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_cannot_break_its_line, setup, teardown),
        cmocka_unit_test_setup_teardown(levels_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_moved_file_is_opened_again, setup, teardown),
        cmocka_unit_test_setup_teardown(dropped_lines_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_do_not_mix_lines, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
