/* Images: what a loss of power, or an end of the process, leaves at a moment of one kind. */
#include "crash/campaign_parts.h"

#include "crash/disk.h"
#include "crash/judge.h"
#include "crash/remark.h"
#include "crash/site.h"
#include "support/backends.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGES_PER_TRACE 125u
#define IMAGES_AFTER     3u /* a fault */

const char *const kind_names[KINDS] = {"keys", "journal", "store", "checkpoint", "mark", "start"};
static const char *const kind_paths[KINDS] = {"home/keys",       "home/journal", "home/store",
                                              "home/checkpoint", "home/mark",    "home"};

struct moments {
    uint32_t *at, len;
};

static const char *path_of(const struct disk *d, const struct disk_call *c)
{
    return c->path[0] ? c->path : d->files[c->file].path;
}

static uint32_t served_at(const struct disk *d)
{
    for (uint32_t i = 0; i < d->calls_len; i++) {
        const struct disk_call *c = &d->calls[i];
        if (c->call == KT_TRACE_WRITE && strcmp(d->files[c->file].path, KT_TRACE_NOTEBOOK) == 0 && c->data_len == 7 &&
            memcmp(c->data, "serves\n", 7) == 0)
            return i;
    }
    return d->calls_len;
}

/* The calls of a kind: of a part of the data_dir once the node serves; of the first start before. */
static void find_moments(const struct disk *d, unsigned kind, struct moments *m)
{
    const uint32_t served = served_at(d);
    const bool start = strcmp(kind_names[kind], "start") == 0;
    m->len = 0;
    m->at = malloc((d->calls_len + 1) * sizeof *m->at);
    site_must(m->at != NULL, "out of memory");
    for (uint32_t i = 0; i < d->calls_len; i++) {
        const char *path = path_of(d, &d->calls[i]);
        if (strncmp(path, kind_paths[kind], strlen(kind_paths[kind])) == 0 && (i < served) == start)
            m->at[m->len++] = i;
    }
    site_must(m->len > 0, "the workload has no moment of that kind");
}

struct gallery {
    char base[PATH_MAX - 128];
    struct disk disk;
    struct moments moments[KINDS];
};

/* What stands at BASE-image: place and boot of the workload, the image as its disk. */
static void make_image(const struct gallery *g, const char *base, uint32_t moment, enum disk_end how, struct dice *dice)
{
    char from[PATH_MAX], to[PATH_MAX], home[PATH_MAX];
    struct disk_image image;
    site_must(mkdir(base, 0700) == 0, base);
    snprintf(from, sizeof from, "%s/place", g->base);
    snprintf(to, sizeof to, "%s/place", base);
    site_must(symlink(from, to) == 0, to);
    snprintf(to, sizeof to, "%s/disk", base);
    disk_build(&g->disk, moment, how, dice, to, &image);
    snprintf(home, sizeof home, "%s/disk/home", base);
    remark(home, "home/", &image);
    site_boot(base, how == DISK_POWER);
}

static void keep_copy(const char *base, const char *to)
{
    const pid_t child = fork();
    int status;
    if (child == 0) {
        execlp("cp", "cp", "-rL", base, to, NULL);
        _exit(127);
    }
    site_must(child > 0 && waitpid(child, &status, 0) == child && status == 0, to);
}

static bool judge_moment(const struct campaign *c, const struct gallery *g, uint32_t moment, enum disk_end how,
                         struct dice *dice, char why[512])
{
    static struct book book;
    char base[PATH_MAX - 64];
    snprintf(base, sizeof base, "%s-image-%ld", g->base, (long)getpid());
    kt_scratch_remove(base);
    make_image(g, base, moment, how, dice);
    if (c->keep) keep_copy(base, c->keep);
    size_t len;
    char *text = disk_notebook(&g->disk, moment, &len);
    book = (struct book){0};
    book_read(&book, text, len);
    free(text);
    const bool good = judge(base, &book, why);
    kt_scratch_remove(base);
    return good;
}

static bool one_image(const struct campaign *c, void *ctx, uint32_t i, char why[512])
{
    struct gallery *g = ctx;
    unsigned kind = i % KINDS;
    for (unsigned k = 0; c->kind && k < KINDS; k++)
        if (strcmp(c->kind, kind_names[k]) == 0) kind = k;
    struct dice dice = {c->seed * 1000003u + c->first + i};
    (void)dice_throw(&dice);
    const struct moments *m = &g->moments[kind];
    const uint32_t moment = m->at[dice_below(&dice, m->len)];
    return judge_moment(c, g, moment, dice_in(&dice, 5) ? DISK_KILLED : DISK_POWER, &dice, why);
}

static void report_image(const struct campaign *c, uint32_t i, const char *why)
{
    printf("FAILED: %s\n    again: kontor-crash images%s%s --seed %" PRIu64 " --first %" PRIu32
           " --images 1 --rounds %" PRIu32 "\n",
           why, c->kind ? " --kind " : "", c->kind ? c->kind : "", c->seed, c->first + i, c->rounds);
}

static void open_gallery(struct gallery *g, const char *trace)
{
    disk_load(&g->disk, trace);
    for (unsigned k = 0; k < KINDS; k++) find_moments(&g->disk, k, &g->moments[k]);
}

static void close_gallery(struct gallery *g)
{
    for (unsigned k = 0; k < KINDS; k++) free(g->moments[k].at);
    disk_free(&g->disk);
}

/* Images first to first + count of one trace. */
static uint32_t some_images(struct campaign *c, const char *scratch)
{
    static struct gallery g;
    char trace[PATH_MAX];
    snprintf(g.base, sizeof g.base, "%.200s/w", scratch);
    kt_scratch_remove(g.base);
    const int status = campaign_work(c, g.base, c->seed + c->first / IMAGES_PER_TRACE, 0);
    site_must(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the workload itself fails");
    snprintf(trace, sizeof trace, "%s.trace", g.base);
    open_gallery(&g, trace);
    const struct crash_series s = {&g, c->count, one_image, report_image};
    const uint32_t wrong = crash_series_run(c, &s);
    close_gallery(&g);
    return wrong;
}

uint32_t campaign_images(struct campaign *c)
{
    char scratch[PATH_MAX];
    struct campaign part = *c;
    uint32_t wrong = 0;
    site_must(kt_scratch_make(scratch) == KT_OK, "no room for images");
    for (uint32_t done = 0; done < c->count; done += part.count) {
        part.first = c->first + done;
        part.count = IMAGES_PER_TRACE - part.first % IMAGES_PER_TRACE;
        if (part.count > c->count - done) part.count = c->count - done;
        wrong += some_images(&part, scratch);
    }
    c->crashes = part.crashes;
    kt_scratch_remove(scratch);
    return wrong;
}

/* Moments are drawn from the end: what came after the fault, and the fault itself. */
bool images_after(const struct campaign *c, const char *base, char why[512])
{
    static struct gallery g;
    char trace[PATH_MAX];
    bool good = true;
    snprintf(g.base, sizeof g.base, "%s", base);
    snprintf(trace, sizeof trace, "%s.trace", base);
    disk_load(&g.disk, trace);
    struct dice dice = {c->seed};
    for (uint32_t i = 0; good && i < IMAGES_AFTER; i++) {
        const uint32_t back = i == 0 ? 0 : dice_below(&dice, g.disk.calls_len < 60 ? g.disk.calls_len : 60);
        good = judge_moment(c, &g, g.disk.calls_len - back, DISK_POWER, &dice, why);
    }
    disk_free(&g.disk);
    unlink(trace);
    return good;
}
