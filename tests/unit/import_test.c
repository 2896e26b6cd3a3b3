/* Files as offices have them become records; what is wrong with them is named by line and column. */
#include "client/cli/import/csv.h"
#include "client/cli/import/map.h"
#include "proto/schema/fields.h"
#include "proto/schema/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static struct kt_arena arena;

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

/* ---- maps ---- */

/* One file read through one map. */
struct reading {
    struct kt_map *map;
    struct kt_csv *csv;
    struct kt_csv_row row;
    int fd;
    uint32_t bad;    /* cells left out */
    char column[96]; /* the last of them */
    struct kt_json_fault fault;
};

static void on_bad(void *ctx, uint32_t line, const struct kt_json_fault *fault)
{
    struct reading *r = ctx;
    assert_int_equal(line, r->row.line);
    assert_true(fault->reason[0] && fault->todo[0]);
    snprintf(r->column, sizeof r->column, "%s", fault->field);
    r->bad++;
}

static void start(struct reading *r, const char *map, const char *csv)
{
    char why[256] = "";
    *r = (struct reading){0};
    if (kt_map_load(kt_str(map), &r->map, why)) fail_msg("%s", why);
    r->csv = csv_of(csv, &r->fd);
    assert_int_equal(kt_csv_next(r->csv, &r->row), KT_OK);
    if (kt_map_header(r->map, &r->row, why)) fail_msg("%s", why);
}

static void stop(struct reading *r)
{
    kt_map_free(r->map);
    kt_csv_close(r->csv);
    close(r->fd);
}

/* The next row's entity i. */
static struct kt_record record(struct reading *r, uint32_t i)
{
    struct kt_record out = {0};
    if (i == 0) assert_int_equal(kt_csv_next(r->csv, &r->row), KT_OK);
    int err = kt_map_record(r->map, i, &r->row, &arena, on_bad, r, &out, &r->fault);
    if (err) print_error("line %u: %s: %s\n", r->row.line, r->fault.field, r->fault.reason);
    assert_int_equal(err, KT_OK);
    return out;
}

static const struct kt_record_field *find(const struct kt_record *r, uint32_t number)
{
    for (uint32_t i = 0; i < r->fields_len; i++)
        if (r->fields[i].field == number) return &r->fields[i];
    return NULL;
}

static void register_is(const struct kt_record *r, uint32_t number, const char *want)
{
    const struct kt_record_field *f = find(r, number);
    if (!want) {
        assert_null(f);
        return;
    }
    assert_non_null(f);
    if (!kt_bytes_equal(f->add[0], kt_str(want)))
        print_error("%.*s, not %s\n", (int)f->add[0].len, f->add[0].data, want);
    assert_true(kt_bytes_equal(f->add[0], kt_str(want)));
}

static void column_is(const struct kt_record *r, uint32_t number, uint32_t i, uint32_t column, const char *want)
{
    struct kt_bytes got = {0};
    const struct kt_record_field *f = find(r, number);
    assert_non_null(f);
    assert_true(i < f->add_len);
    bool there = kt_value_column(f->add[i], column, &got);
    assert_int_equal(there, want != NULL);
    if (want && !kt_bytes_equal(got, kt_str(want))) print_error("%.*s, not %s\n", (int)got.len, got.data, want);
    if (want) assert_true(kt_bytes_equal(got, kt_str(want)));
}

#define SF311_HEADER                                                                                                   \
    "unique_key,created_date,closed_date,resolution_action_updated_date,status,status_notes,agency_name,category,"     \
    "complaint_type,descriptor,incident_address,supervisor_district,neighborhood,location,source,media_url,latitude,"  \
    "longitude,police_district\n"

/* Scenario: two service requests, one closed and placed, one open and nowhere; and a status nobody knows. */
static void service_requests(void **state)
{
    (void)state;
    struct reading r;
    start(&r, kt_preset_map("sf311"),
          SF311_HEADER
          "7,2016-07-13 15:11:07+00:00,2016-07-14 12:13:22+00:00,2016-07-14 12:13:22+00:00,Closed,done,Sewers,"
          "Sewer Issues,Odor,On_street,1 Main St,10,Mission,\"(37.7, -122.4)\",Mobile/Open311,http://x/y,37.7,"
          "-122.4,BAYVIEW\n"
          "8,2016-07-13 15:11:07+02:00,,2016-07-14 12:13:22+00:00,Open,,Sewers,Sewer Issues,Odor,,"
          "Not associated with a specific address,,,,Phone,,0.0,0.0,\n"
          "9,2016-07-13 15:11:07+00:00,,2016-07-14 12:13:22+00:00,Lost,,Sewers,X,Y,,,,,,Phone,,0.0,0.0,\n");
    struct kt_record c = record(&r, 0);
    assert_int_equal(c.kind, KT_CASE);
    assert_int_equal(c.line, 2);
    assert_true(kt_bytes_equal(c.source_system, kt_str("sf311")) && kt_bytes_equal(c.source_id, kt_str("7")));
    register_is(&c, KT_F_CASE_STATUS, "closed");
    register_is(&c, KT_F_CASE_CHANNEL, "mobile_app");
    register_is(&c, KT_F_CASE_QUEUE, "Sewers");
    register_is(&c, KT_F_CASE_REQUESTED, "2016-07-13T15:11:07Z");
    register_is(&c, KT_F_CASE_CLOSED, "2016-07-14T12:13:22Z");
    register_is(&c, KT_F_CASE_SUBJECT, "Odor, On_street");
    column_is(&c, KT_F_CASE_LOCATION, 0, KT_C_LOCATION_TEXT, "1 Main St");
    column_is(&c, KT_F_CASE_LOCATION, 0, KT_C_LOCATION_LAT, "37.7");
    column_is(&c, KT_F_CASE_DOCUMENT, 0, KT_C_DOCUMENT_URL, "http://x/y");
    c = record(&r, 0);
    register_is(&c, KT_F_CASE_STATUS, "open");
    register_is(&c, KT_F_CASE_REQUESTED, "2016-07-13T13:11:07Z");
    register_is(&c, KT_F_CASE_CLOSED, NULL);
    register_is(&c, KT_F_CASE_STATUS_NOTES, NULL);
    register_is(&c, KT_F_CASE_LOCATION, NULL);
    register_is(&c, KT_F_CASE_DOCUMENT, NULL);
    assert_int_equal(r.bad, 0);
    c = record(&r, 0);
    assert_int_equal(r.bad, 1);
    assert_string_equal(r.column, "status");
    register_is(&c, KT_F_CASE_STATUS, NULL);
    register_is(&c, KT_F_CASE_QUEUE, "Sewers");
    stop(&r);
}

#define CHICAGO_HEADER                                                                                                 \
    "ID,LICENSE ID,ACCOUNT NUMBER,SITE NUMBER,LEGAL NAME,DOING BUSINESS AS NAME,ADDRESS,CITY,STATE,ZIP CODE,WARD,"     \
    "PRECINCT,WARD PRECINCT,POLICE DISTRICT,LICENSE CODE,LICENSE DESCRIPTION,BUSINESS ACTIVITY ID,BUSINESS ACTIVITY,"  \
    "LICENSE NUMBER,APPLICATION TYPE,APPLICATION CREATED DATE,APPLICATION REQUIREMENTS COMPLETE,PAYMENT DATE,"         \
    "CONDITIONAL APPROVAL,LICENSE TERM START DATE,LICENSE TERM EXPIRATION DATE,LICENSE APPROVED FOR ISSUANCE,DATE "    \
    "ISSUED,LICENSE STATUS,LICENSE STATUS CHANGE DATE,SSA,LATITUDE,LONGITUDE,LOCATION\n"

/* Scenario: one term of one licence makes its holder and itself; events stand only for dates that are there. */
static void licences(void **state)
{
    (void)state;
    struct reading r;
    start(&r, kt_preset_map("chicago-licences"),
          CHICAGO_HEADER
          "12-20050216,99,283340,2,\"ONLY BY FAITH, INC.\",FAITH,5805 W CHICAGO AVE,CHICAGO,IL,60651,29,,29-,"
          "15,1010,Limited,775 | 767,Food | Shoes,12,RENEW,,12/20/2004,,N,02/16/2005,02/15/2006,03/29/2005,"
          "12/07/2005,AAI,,,41.89,-87.77,\"(41.8, -87.7)\"\n");
    assert_int_equal(kt_map_entities(r.map), 2);
    struct kt_record c = record(&r, 0), l = record(&r, 1);
    assert_int_equal(c.kind, KT_CUSTOMER);
    register_is(&c, KT_F_CUSTOMER_KIND, "organisation");
    register_is(&c, KT_F_CUSTOMER_LEGAL_NAME, "ONLY BY FAITH, INC.");
    assert_int_equal(find(&c, KT_F_CUSTOMER_ACTIVITY)->add_len, 2);
    column_is(&c, KT_F_CUSTOMER_IDENTIFIER, 0, KT_C_IDENTIFIER_VALUE, "283340");
    assert_int_equal(l.kind, KT_LICENCE);
    assert_true(kt_bytes_equal(l.source_id, kt_str("12-20050216")));
    register_is(&l, KT_F_LICENCE_NUMBER, "12");
    register_is(&l, KT_F_LICENCE_HOLDER, "chicago-licences:283340");
    register_is(&l, KT_F_LICENCE_VALID_FROM, "2005-02-16");
    register_is(&l, KT_F_LICENCE_VALID_UNTIL, "2006-02-15");
    const struct kt_record_field *events = find(&l, KT_F_LICENCE_EVENT);
    assert_int_equal(events->add_len, 4); /* application, complete, approved, issued; neither payment nor status */
    column_is(&l, KT_F_LICENCE_EVENT, 1, KT_C_EVENT_DATE, "2004-12-20");
    column_is(&l, KT_F_LICENCE_EVENT, 3, KT_C_EVENT_TYPE, "issued");
    assert_int_equal(r.bad, 0);
    stop(&r);
}

#define FEBRL_HEADER                                                                                                   \
    "rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state, date_of_birth, "       \
    "soc_sec_id\n"

/* Scenario: blanks after commas, empty cells, and a birthday in the 13th month: the person comes, the date does not. */
static void people(void **state)
{
    (void)state;
    struct reading r;
    start(&r, kt_preset_map("febrl"),
          FEBRL_HEADER "rec-1-org, , waller, 6, tullaroop street, willaroo, st james, 4011, wa, 19081209, 6988048\n"
                       "rec-2-org, ada, , , , , , 4011, , 19081309, 1\n");
    struct kt_record c = record(&r, 0);
    register_is(&c, KT_F_CUSTOMER_BIRTH_DATE, "1908-12-09");
    column_is(&c, KT_F_CUSTOMER_NAME, 0, KT_C_NAME_FAMILY, "waller");
    column_is(&c, KT_F_CUSTOMER_NAME, 0, KT_C_NAME_GIVEN, NULL);
    column_is(&c, KT_F_CUSTOMER_ADDRESS, 0, KT_C_ADDRESS_LOCATOR, "6");
    column_is(&c, KT_F_CUSTOMER_IDENTIFIER, 0, KT_C_IDENTIFIER_VALUE, "6988048");
    c = record(&r, 0);
    assert_int_equal(r.bad, 1);
    assert_string_equal(r.column, "date_of_birth");
    register_is(&c, KT_F_CUSTOMER_BIRTH_DATE, NULL);
    column_is(&c, KT_F_CUSTOMER_NAME, 0, KT_C_NAME_FAMILY, NULL);
    column_is(&c, KT_F_CUSTOMER_NAME, 0, KT_C_NAME_GIVEN, "ada");
    stop(&r);
}

/* Scenario: somebody's own file: a map with every rule, constants, a row of a list, a link that stands flat. */
static void own_maps(void **state)
{
    (void)state;
    struct reading r;
    start(
        &r,
        "{\"source_system\":\"shop\",\"entities\":["
        "{\"entity\":\"customer\",\"source_id\":\"{No}\",\"fields\":{\"kind\":\"person\","
        "\"birthDate\":{\"$\":\"{Born}\",\"date\":\"DD.MM.YYYY\"},"
        "\"contactPoint\":[{\"system\":\"phone\",\"value\":{\"$\":\"{Tel}\",\"none\":[\"n/a\"]},\"rank\":1}],"
        "\"tag\":[{\"$\":\"{Tags}\",\"split\":\";\"}]}},"
        "{\"entity\":\"interaction\",\"source_id\":\"{No}-{Seen}\",\"fields\":{\"customer\":\"shop:{No}\","
        "\"occurred\":{\"$\":\"{Seen}\",\"date\":\"DD.MM.YYYY hh:mm\",\"zone\":\"+01:00\"},"
        "\"internal\":{\"$\":\"{Staff}\",\"map\":{\"Y\":true,\"*\":false}},\"channel\":\"in_person\"}},"
        "{\"entity\":\"identity_link\",\"fields\":{\"a\":\"shop:{No}\",\"b\":\"old:{No}\",\"verdict\":\"MATCH\","
        "\"by\":\"AUTO\",\"score\":0.5}}]}",
        "No,Born,Tel,Tags,Seen,Staff\n1,29.02.1980,n/a,new; vip,01.03.2026 22:10,N\n2,,+49 30 1,,01.03.2026 07:05,Y\n");
    struct kt_record c = record(&r, 0), i = record(&r, 1), l = record(&r, 2);
    register_is(&c, KT_F_CUSTOMER_BIRTH_DATE, "1980-02-29");
    assert_null(find(&c, KT_F_CUSTOMER_CONTACT_POINT));
    assert_int_equal(find(&c, KT_F_CUSTOMER_TAG)->add_len, 2);
    assert_true(kt_bytes_equal(find(&c, KT_F_CUSTOMER_TAG)->add[1], kt_str("vip")));
    assert_int_equal(i.parent_kind, KT_CUSTOMER);
    column_is(&i, KT_F_CUSTOMER_INTERACTION, 0, KT_C_INTERACTION_OCCURRED, "2026-03-01T21:10:00Z");
    column_is(&i, KT_F_CUSTOMER_INTERACTION, 0, KT_C_INTERACTION_INTERNAL, "false");
    column_is(&l, KT_F_IDENTITY_LINK_VERDICT, 0, KT_C_VERDICT_VERDICT, "MATCH");
    c = record(&r, 0);
    i = record(&r, 1);
    column_is(&c, KT_F_CUSTOMER_CONTACT_POINT, 0, KT_C_CONTACT_VALUE, "+49 30 1");
    column_is(&i, KT_F_CUSTOMER_INTERACTION, 0, KT_C_INTERACTION_INTERNAL, "true");
    assert_int_equal(r.bad, 0);
    stop(&r);
}

/* Scenario: maps that cannot be meant are refused with a word about it, before any row is read. */
static void wrong_maps(void **state)
{
    static const char *const maps[][2] = {
        {"{",                                                                                                       "line"          },
        {"[]",                                                                                                      "not a JSON"    },
        {"{\"source_system\":\"s\"}",                                                                               "needs"         },
        {"{\"source_system\":\"s\",\"entities\":[]}",                                                               ""              },
        {"{\"source_system\":\"s\",\"entity\":\"dragon\",\"source_id\":\"{a}\",\"fields\":{}}",                     "no such entity"},
        {"{\"source_system\":\"s\",\"entity\":\"customer\",\"fields\":{}}",                                         "needs"         },
        {"{\"source_system\":\"s\",\"entity\":\"customer\",\"source_id\":\"{a}\",\"fields\":{\"wings\":\"{b}\"}}",
         "no field wings"                                                                                                           },
        {"{\"source_system\":\"s\",\"entity\":\"customer\",\"source_id\":\"{a}\",\"fields\":{\"office\":\"{b}\"}}",
         "no field office"                                                                                                          },
        {"{\"source_system\":\"s\",\"entity\":\"customer\",\"source_id\":\"{a}\",\"fields\":{\"name\":[{\"x\":\"{b}\"}]"
         "}}",                                                                                             "no column x"   },
        {"{\"source_system\":\"s\",\"entity\":\"customer\",\"source_id\":\"{a}\",\"fields\":{\"kind\":\"elf\"}}",
         "kind"                                                                                                                     },
    };
    (void)state;
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        char why[256] = "";
        struct kt_map *m = NULL;
        assert_int_not_equal(kt_map_load(kt_str(maps[i][0]), &m, why), KT_OK);
        assert_null(m);
        if (!strstr(why, maps[i][1])) fail_msg("%s: \"%s\"", maps[i][0], why);
    }
}

/* Scenario: the wrong file for a preset; rows with too few cells, without an id, with text that is no text. */
static void wrong_rows(void **state)
{
    (void)state;
    struct reading r;
    char why[256] = "";
    struct kt_record out;
    start(&r,
          "{\"source_system\":\"s\",\"entity\":\"customer\",\"source_id\":\"{id}\",\"fields\":{\"occupation\":\"{job}"
          "\"}}",
          "id,job\n1\n,smith\n3,b\xff\xff\n4,baker\n");
    struct kt_csv_row other = {1, 1, (struct kt_bytes[]){kt_str("id")}};
    assert_int_equal(kt_map_header(r.map, &other, why), KT_EFIELD);
    assert_non_null(strstr(why, "job"));
    other = (struct kt_csv_row){
        1, 2, (struct kt_bytes[]){kt_str("id"), kt_str("job")}
    };
    assert_int_equal(kt_map_header(r.map, &other, why), KT_OK);
    assert_int_equal(kt_csv_next(r.csv, &r.row), KT_OK);
    assert_int_equal(kt_map_record(r.map, 0, &r.row, &arena, on_bad, &r, &out, &r.fault), KT_ETRUNCATED);
    assert_string_equal(r.fault.field, "row");
    assert_int_equal(kt_csv_next(r.csv, &r.row), KT_OK);
    assert_int_equal(kt_map_record(r.map, 0, &r.row, &arena, on_bad, &r, &out, &r.fault), KT_ETYPE);
    assert_string_equal(r.fault.field, "source_id");
    out = record(&r, 0);
    assert_int_equal(r.bad, 1);
    assert_string_equal(r.column, "job");
    register_is(&out, KT_F_CUSTOMER_OCCUPATION, NULL);
    out = record(&r, 0);
    register_is(&out, KT_F_CUSTOMER_OCCUPATION, "baker");
    stop(&r);
}

/* Reads a whole file; gives the number of rows. */
static uint32_t read_all(const char *preset, const char *path, uint32_t *bad)
{
    struct kt_csv_row row;
    struct kt_map *m;
    struct kt_csv *c;
    char why[256];
    uint32_t rows = 0;
    struct reading r = {0};
    int fd = open(path, O_RDONLY), got;
    assert_true(fd >= 0);
    assert_int_equal(kt_map_load(kt_str(kt_preset_map(preset)), &m, why), KT_OK);
    assert_int_equal(kt_csv_open(fd, &c), KT_OK);
    assert_int_equal(kt_csv_next(c, &row), KT_OK);
    assert_int_equal(kt_map_header(m, &row, why), KT_OK);
    while ((got = kt_csv_next(c, &r.row)) == KT_OK) {
        for (uint32_t i = 0; i < kt_map_entities(m); i++) {
            struct kt_record out;
            kt_arena_reset(&arena);
            assert_int_equal(kt_map_record(m, i, &r.row, &arena, on_bad, &r, &out, &r.fault), KT_OK);
        }
        rows++;
    }
    assert_int_equal(got, KT_EEND);
    *bad = r.bad;
    kt_csv_close(c);
    kt_map_free(m);
    close(fd);
    return rows;
}

/* Scenario: the files of real offices, where they are at hand: every row becomes records. */
static void real_files(void **state)
{
    static const struct {
        const char *preset, *file;
        uint32_t rows, bad;
    } files[] = {
        {"sf311",            "sf311_service_requests.csv",           10000, 0 },
        {"chicago-licences", "chicago_austin_business_licenses.csv", 561,   0 },
        {"febrl",            "febrl_dataset1.csv",                   1000,  3 },
        {"febrl",            "febrl_dataset3.csv",                   5000,  35},
    };
    (void)state;
    const char *dir = getenv("KONTOR_DATA");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[512];
        uint32_t bad;
        snprintf(path, sizeof path, "%s/%s", dir ? dir : "../shared/data", files[i].file);
        if (access(path, R_OK) != 0) {
            print_message("skipped: there is no %s\n", path);
            continue;
        }
        assert_int_equal(read_all(files[i].preset, path, &bad), files[i].rows);
        assert_int_equal(bad, files[i].bad);
    }
}

static int set_up(void **state)
{
    (void)state;
    kt_arena_init(&arena, 64u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kt_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(service_requests), cmocka_unit_test(licences),   cmocka_unit_test(people),
        cmocka_unit_test(own_maps),         cmocka_unit_test(wrong_maps), cmocka_unit_test(wrong_rows),
        cmocka_unit_test(real_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
