/* kontor import: the rows of a CSV file as entities, by a preset or a map. */
#include "client/cli/commands.h"
#include "client/cli/files.h"
#include "client/cli/import/map.h"
#include "client/cli/pipeline.h"
#include "client/cli/progress.h"
#include "client/cli/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_BYTES_MAX (1u << 20)

struct import_arguments {
    struct kt_cli cli;
    const char *preset, *map, *file, *actor, *purpose;
    bool dry, print;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct import_arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->cli;
        return 0;
    case 'P':
        if (!kt_preset_map(text)) argp_error(state, "no preset \"%s\": sf311, chicago-licences or febrl", text);
        a->preset = text;
        return 0;
    case 'm':
        a->map = text;
        return 0;
    case 'n':
        a->dry = true;
        return 0;
    case 's':
        a->print = true;
        return 0;
    case 'a':
        a->actor = text;
        return 0;
    case 'p':
        a->purpose = text;
        return 0;
    case ARGP_KEY_ARG:
        if (a->file) argp_error(state, "one file only");
        a->file = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->preset == !a->map) argp_error(state, "give --preset NAME or --map FILE");
        if (!a->file && !a->print) argp_error(state, "say which file (- is standard input)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"preset", 'P', "NAME", 0, "The file is one of these: sf311, chicago-licences, febrl", 0},
    {"map", 'm', "FILE", 0, "Which column becomes which field (see below)", 0},
    {"dry-run", 'n', NULL, 0, "Read and report, and put nothing; needs no node", 0},
    {"show-map", 's', NULL, 0, "Print the map (of a preset, to start one of your own from) and do nothing", 0},
    {"actor", 'a', "WHO", 0, "Who writes this", 0},
    {"purpose", 'p', "WHAT", 0, "What it is written for", 0},
    {0},
};
static const struct argp_child children[] = {
    {&kt_cli_argp, 0, NULL, 0},
    {0},
};
static const struct argp argp = {
    options,
    parse,
    "FILE",
    "Put the rows of a CSV file.  The same file again changes nothing.  A row that cannot be used is reported with its "
    "line, column and reason, and stops nothing; a cell that cannot be is left out and reported."
    "\vA map is JSON; text in it holds {Column} where cells go, and is left out where all of them are empty:\n"
    "  {\"source_system\":\"shop\", \"entities\":[\n"
    "    {\"entity\":\"customer\", \"source_id\":\"{No}\", \"fields\":{\n"
    "      \"kind\":\"person\", \"name\":[{\"familyName\":\"{Surname}\",\"givenName\":[\"{First}\"]}],\n"
    "      \"birthDate\":{\"$\":\"{Born}\",\"date\":\"DD.MM.YYYY\"},\n"
    "      \"contactPoint\":[{\"system\":\"phone\",\"value\":\"{Tel}\"}]}},\n"
    "    {\"entity\":\"case\", \"source_id\":\"{Order}\", \"fields\":{\n"
    "      \"customer\":[{\"ref\":\"shop:{No}\",\"role\":\"buyer\"}],\n"
    "      \"status\":{\"$\":\"{State}\",\"map\":{\"O\":\"open\",\"C\":\"closed\"}}}}]}\n"
    "Rules in place of a text, {\"$\":TEXT}, may have: \"with\" between several texts [..], \"none\":[cells that mean "
    "nothing], \"map\":{cell:value, \"*\":others}, \"date\" with Y M D h m s for digits and \"zone\", \"split\" into "
    "several elements.  An object with \"?\":TEXT stands only where that text does.\n\n"
    "Example:\n  kontor import --preset sf311 --dry-run requests.csv\n\n"
    "Exit status: 0 done, 2 usage or a file the map does not fit, 3 node unreachable or gone, 4 all refused for "
    "rights, "
    "6 some rows or cells refused.\n",
    children,
    NULL,
    NULL};

struct importing {
    const struct import_arguments *a;
    struct kt_map *map;
    struct kt_csv *csv;
    struct kt_pipeline *pipeline; /* NULL: a dry run */
    struct kt_arena arena;        /* of a dry run */
    struct kt_tally tally;
    struct kt_progress progress;
    uint64_t rows, bad_rows, bad_cells;
    bool row_is_bad;
};

static void on_result(void *ctx, const struct kt_put_result *r, uint32_t kind)
{
    struct importing *im = ctx;
    if (!r->code) {
        im->tally.accepted++;
        return;
    }
    kt_progress_clear(&im->progress);
    kt_tally_refused_there(&im->tally, r, kind);
}

static void on_bad_cell(void *ctx, uint32_t line, const struct kt_json_fault *f)
{
    struct importing *im = ctx;
    kt_progress_clear(&im->progress);
    kt_tally_say(&im->tally, line, f, "; the rest of the row is taken");
    im->bad_cells++;
}

static void bad_row(struct importing *im, uint32_t line, int code, const struct kt_json_fault *f)
{
    kt_progress_clear(&im->progress);
    kt_tally_refuse(&im->tally, line, code, f);
    if (!im->row_is_bad) im->bad_rows++;
    im->row_is_bad = true;
}

static int take_row(struct importing *im, const struct kt_csv_row *row)
{
    int err = KT_OK;
    im->row_is_bad = false;
    for (uint32_t i = 0; i < kt_map_entities(im->map) && !err && !im->row_is_bad; i++) {
        struct kt_record record;
        struct kt_json_fault fault;
        struct kt_arena *arena = im->pipeline ? kt_pipeline_arena(im->pipeline) : &im->arena;
        int got = kt_map_record(im->map, i, row, arena, on_bad_cell, im, &record, &fault);
        if (got) bad_row(im, row->line, got, &fault);
        if (im->pipeline)
            err = got ? kt_pipeline_drop(im->pipeline) : kt_pipeline_add(im->pipeline, &record);
        else if (!got)
            im->tally.accepted++;
        if (!im->pipeline) kt_arena_reset(&im->arena);
    }
    return err;
}

/* Rows that are none: too long, or without an end. */
static bool take_fault(struct importing *im, uint32_t line, int code)
{
    struct kt_json_fault f = {.field = "row", .todo = "correct the row: is there a quote too many or too few?"};
    if (code != KT_EOVERSIZE && code != KT_ETRUNCATED) return false;
    im->row_is_bad = false;
    if (code == KT_EOVERSIZE) {
        snprintf(f.reason, sizeof f.reason, "is longer than %u bytes or has more than %u columns", KT_CSV_ROW_BYTES_MAX,
                 KT_CSV_COLUMNS_MAX);
    } else {
        snprintf(f.reason, sizeof f.reason, "the file ends inside quotes");
        snprintf(f.todo, sizeof f.todo, "the file is cut short: get it again whole");
    }
    bad_row(im, line, code, &f);
    return true;
}

static int take_rows(struct importing *im)
{
    struct kt_csv_row row = {0};
    int err = KT_OK;
    while (!err) {
        int got = kt_csv_next(im->csv, &row);
        if (got == KT_EEND) break;
        im->rows++;
        if (!got)
            err = take_row(im, &row);
        else if (!take_fault(im, row.line, got))
            return got;
        kt_progress_show(&im->progress, kt_csv_bytes_read(im->csv), im->rows, "rows");
    }
    if (!err && im->pipeline) err = kt_pipeline_finish(im->pipeline);
    return err;
}

static int read_map(const struct import_arguments *a, struct kt_buf *text)
{
    if (a->preset) {
        kt_buf_put(text, kt_str(kt_preset_map(a->preset)));
        return text->err;
    }
    int err = kt_file_read(a->map, MAP_BYTES_MAX, text);
    if (err) fprintf(stderr, "kontor import: %s: %s: check the name of the file\n", a->map, kt_error_text(err));
    return err;
}

/* The map, then the first row; what is wrong with either is said. */
static int prepare(struct importing *im, const struct kt_buf *text, int fd)
{
    char why[256] = "";
    struct kt_csv_row header;
    const char *about = im->a->preset ? im->a->preset : im->a->map;
    int err = kt_map_load(kt_buf_bytes(text), &im->map, why);
    if (err) {
        fprintf(stderr, "kontor import: map %s: %s: correct the map\n", about, why);
        return err;
    }
    err = kt_csv_open(fd, &im->csv);
    if (!err) err = kt_csv_next(im->csv, &header);
    if (err) {
        fprintf(stderr, "kontor import: %s: %s: is this a CSV file with a first row of names?\n", im->a->file,
                err == KT_EEND ? "it is empty" : kt_error_text(err));
        return err;
    }
    err = kt_map_header(im->map, &header, why);
    if (err) fprintf(stderr, "kontor import: %s: %s: is it the file %s is for?\n", im->a->file, why, about);
    return err;
}

static enum kt_exit finish(struct importing *im, int err)
{
    enum kt_exit status = kt_tally_exit(&im->tally);
    bool json = im->a->cli.json;
    kt_progress_clear(&im->progress);
    if (im->a->dry && !json) printf("dry run, nothing put: ");
    printf(json ? "{\"rows\":%llu,\"records\":%llu,\"bad_rows\":%llu,\"bad_cells\":%llu,\"refused\":%llu}\n"
                : "%llu rows, %llu records, %llu bad rows, %llu bad cells, %llu refused\n",
           (unsigned long long)im->rows, (unsigned long long)im->tally.accepted, (unsigned long long)im->bad_rows,
           (unsigned long long)im->bad_cells, (unsigned long long)im->tally.refused);
    fflush(stdout);
    if (err == KT_EIO) return kt_cli_fail("kontor import", err, kt_str("the file cannot be read on"));
    if (err) return kt_cli_fail("kontor import", err, kt_bytes(NULL, 0));
    return status == KT_EXIT_DONE && im->bad_cells ? KT_EXIT_PARTLY : status;
}

static enum kt_exit import_from(const struct import_arguments *a, const struct kt_buf *text, int fd)
{
    struct importing im = {.a = a, .tally = {.what = "row at line"}};
    struct kt_pipeline_config c = {
        .cli = &a->cli, .actor = a->actor, .purpose = a->purpose, .ctx = &im, .result = on_result};
    struct stat st;
    enum kt_exit status = KT_EXIT_USAGE;
    kt_arena_init(&im.arena, 16u << 20);
    kt_progress_start(&im.progress, fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0);
    if (prepare(&im, text, fd) == 0) {
        int err = a->dry ? KT_OK : kt_pipeline_open(&c, &im.pipeline);
        status = err ? kt_cli_fail("kontor import", err, kt_bytes(NULL, 0)) : finish(&im, take_rows(&im));
    }
    kt_pipeline_close(im.pipeline);
    kt_csv_close(im.csv);
    kt_map_free(im.map);
    kt_arena_free(&im.arena);
    return status;
}

int kt_cli_import(const struct kt_cli *cli, int argc, char **argv)
{
    struct import_arguments a = {.cli = *cli};
    struct kt_buf text;
    enum kt_exit status = KT_EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    kt_buf_init(&text, MAP_BYTES_MAX);
    int fd = !a.file || strcmp(a.file, "-") == 0 ? STDIN_FILENO : open(a.file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "kontor import: %s: %s: check the name of the file\n", a.file, strerror(errno));
    } else if (read_map(&a, &text) == 0) {
        if (a.print) printf("%.*s\n", (int)text.len, (const char *)text.data);
        status = a.print ? KT_EXIT_DONE : import_from(&a, &text, fd);
    }
    if (fd > STDIN_FILENO) close(fd);
    kt_buf_free(&text);
    return status;
}
