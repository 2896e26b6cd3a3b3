/* CSV files as spreadsheets and broken downloads leave them. */
#include "client/cli/import/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file with this text. */
static int file_of(const char *text, size_t len)
{
    int fd = memfd_create("csv", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static struct kt_csv *csv_of(const char *text, int *fd)
{
    struct kt_csv *c;
    *fd = file_of(text, strlen(text));
    assert_int_equal(kt_csv_open(*fd, &c), KT_OK);
    return c;
}

static void cells_are(const struct kt_csv_row *row, const char *const *want, uint32_t n)
{
    assert_int_equal(row->n, n);
    for (uint32_t i = 0; i < n; i++) {
        if (!kt_bytes_equal(row->cells[i], kt_str(want[i])))
            print_error("line %u cell %u: \"%.*s\", not \"%s\"\n", row->line, i, (int)row->cells[i].len,
                        (const char *)row->cells[i].data, want[i]);
        assert_true(kt_bytes_equal(row->cells[i], kt_str(want[i])));
    }
}
#define CELLS(row, ...)                                                                                                \
    cells_are(row, (const char *const[]){__VA_ARGS__},                                                                 \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* Scenario: all that spreadsheets do to a file at once; lines are counted as an editor counts them. */
static void quirks(void **state)
{
    (void)state;
    int fd;
    struct kt_csv_row row;
    struct kt_csv *c = csv_of("\xef\xbb\xbf"
                              "id, name ,note\r\n"
                              "1, Ada ,\"said \"\"no\"\"\"\r\n"
                              "\r\n"
                              "2,\"two\r\nlines, and a comma\",x\r\n"
                              "3,5\" pipe,\n"
                              "4,a\rb,  \n"
                              "5,,",
                              &fd);
    assert_int_equal(kt_csv_next(c, &row), KT_OK);
    assert_int_equal(row.line, 1);
    CELLS(&row, "id", "name", "note");
    assert_int_equal(kt_csv_next(c, &row), KT_OK);
    CELLS(&row, "1", "Ada", "said \"no\"");
    assert_int_equal(kt_csv_next(c, &row), KT_OK);
    assert_int_equal(row.line, 4);
    CELLS(&row, "2", "two\nlines, and a comma", "x");
    assert_int_equal(kt_csv_next(c, &row), KT_OK);
    assert_int_equal(row.line, 6);
    CELLS(&row, "3", "5\" pipe", "");
    assert_int_equal(kt_csv_next(c, &row), KT_OK);
    CELLS(&row, "4", "a\rb", "");
    assert_int_equal(kt_csv_next(c, &row), KT_OK);
    assert_int_equal(row.line, 8);
    CELLS(&row, "5", "", "");
    assert_int_equal(kt_csv_next(c, &row), KT_EEND);
    assert_int_equal(kt_csv_next(c, &row), KT_EEND);
    kt_csv_close(c);
    close(fd);
}

/* Scenario: a download that broke off inside quotes; the row it broke in is named, the ones before it stand. */
static void cut_short(void **state)
{
    (void)state;
    int fd;
    struct kt_csv_row row;
    struct kt_csv *c = csv_of("id,note\n1,whole\n2,\"begun and\nnever", &fd);
    assert_int_equal(kt_csv_next(c, &row), KT_OK);
    assert_int_equal(kt_csv_next(c, &row), KT_OK);
    CELLS(&row, "1", "whole");
    assert_int_equal(kt_csv_next(c, &row), KT_ETRUNCATED);
    assert_int_equal(row.line, 3);
    assert_int_equal(kt_csv_next(c, &row), KT_EEND);
    kt_csv_close(c);
    close(fd);
}

static size_t add(char *at, const char *text)
{
    memcpy(at, text, strlen(text));
    return strlen(text);
}

/* Scenario: one line of two MiB, one row of 2,000 columns; both are named, the rows around them are read. */
static void too_long(void **state)
{
    (void)state;
    const size_t big = 2u << 20, many = 2000;
    char *text = malloc(big + many + 100), *at = text;
    at += add(at, "id,note\n1,");
    memset(at, 'x', big);
    at += big;
    at += add(at, "\n2,fine\n");
    memset(at, ',', many);
    at += many;
    at += add(at, "\n4,fine too\n");
    int fd = file_of(text, (size_t)(at - text));
    struct kt_csv *c;
    struct kt_csv_row row;
    assert_int_equal(kt_csv_open(fd, &c), KT_OK);
    assert_int_equal(kt_csv_next(c, &row), KT_OK);
    assert_int_equal(kt_csv_next(c, &row), KT_EOVERSIZE);
    assert_int_equal(row.line, 2);
    assert_int_equal(kt_csv_next(c, &row), KT_OK);
    CELLS(&row, "2", "fine");
    assert_int_equal(kt_csv_next(c, &row), KT_EOVERSIZE);
    assert_int_equal(row.line, 4);
    assert_int_equal(kt_csv_next(c, &row), KT_OK);
    CELLS(&row, "4", "fine too");
    assert_int_equal(kt_csv_next(c, &row), KT_EEND);
    assert_int_equal(kt_csv_bytes_read(c), at - text);
    kt_csv_close(c);
    close(fd);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(quirks), cmocka_unit_test(cut_short),
                                       cmocka_unit_test(too_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
