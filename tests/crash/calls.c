/* Calls: the workload meets a fault at its Nth call to the disk, for every N. */
#include "crash/campaign_parts.h"

#include "crash/disk.h"
#include "crash/judge.h"
#include "crash/site.h"
#include "crash/work.h"
#include "support/backends.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FULL_ROUNDS      600u
#define FULL_REFUSED_MIN 20u
#define BASE_CHARS       256u /* of a folder in the scratch folder */

struct series {
    char scratch[PATH_MAX];
};

static char *read_notebook(const char *base, size_t *len)
{
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/disk/" KT_TRACE_NOTEBOOK, base);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) return *len = 0, calloc(1, 1);
    char *text = malloc((size_t)st.st_size + 1);
    site_must(text && read(fd, text, (size_t)st.st_size) == st.st_size, path);
    close(fd);
    *len = (size_t)st.st_size;
    return text;
}

/* How the workload may end: by the kill, by the engine's own word, or not at all. */
static bool ended_well(const struct campaign *c, int status, char why[512])
{
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && strcmp(c->fault, "kill") == 0;
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (killed || code == WORK_DONE || code == WORK_ENDED || code == WORK_NO_START) return true;
    if (WIFSIGNALED(status))
        snprintf(why, 512, "the office died of signal %d", WTERMSIG(status));
    else
        snprintf(why, 512, "the office ended with %d", code);
    return false;
}

static bool one_call(const struct campaign *c, void *ctx, uint32_t i, char why[512])
{
    static struct book book;
    const struct series *s = ctx;
    char base[BASE_CHARS];
    size_t len;
    snprintf(base, sizeof base, "%.200s/%ld", s->scratch, (long)getpid());
    kt_scratch_remove(base);
    const int status = campaign_work(c, base, c->seed, c->first + i * c->step);
    if (!ended_well(c, status, why)) return false;
    char *text = read_notebook(base, &len);
    book = (struct book){0};
    book_read(&book, text, len);
    free(text);
    const bool good = judge(base, &book, why) && images_after(c, base, why);
    kt_scratch_remove(base);
    return good;
}

static void report_call(const struct campaign *c, uint32_t i, const char *why)
{
    printf("FAILED: %s\n    again: kontor-crash calls --do %s --when %s --on %s%s --seed %" PRIu64 " --first %" PRIu32
           " --images 1 --rounds %" PRIu32 "\n",
           why, c->fault, c->when, c->on, c->lasts ? " --lasts" : "", c->seed, c->first + i * c->step, c->rounds);
}

/* How many calls of that sort the workload makes, undisturbed. */
static uint32_t count_calls(const struct campaign *c, const char *scratch)
{
    char base[BASE_CHARS], trace[BASE_CHARS + 16];
    struct disk d;
    uint32_t n = 0;
    snprintf(base, sizeof base, "%.200s/whole", scratch);
    const int status = campaign_work(c, base, c->seed, 0);
    site_must(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the workload itself fails");
    snprintf(trace, sizeof trace, "%s.trace", base);
    disk_load(&d, trace);
    for (uint32_t i = 0; i < d.calls_len; i++) {
        const struct disk_call *k = &d.calls[i];
        const bool sync = k->call == KT_TRACE_SYNC;
        if (k->call == KT_TRACE_WRITE && strcmp(d.files[k->file].path, KT_TRACE_NOTEBOOK) == 0) continue;
        if (k->call == KT_TRACE_CREATE && strcmp(k->path, KT_TRACE_NOTEBOOK) == 0) continue;
        n += sync ? strcmp(c->on, "write") != 0 : strcmp(c->on, "sync") != 0;
    }
    disk_free(&d);
    kt_scratch_remove(base);
    return n;
}

uint32_t campaign_calls(struct campaign *c)
{
    struct series s;
    site_must(kt_scratch_make(s.scratch) == KT_OK, "no room for crashes");
    const uint32_t calls = count_calls(c, s.scratch);
    uint32_t n = calls < c->first ? 0 : (calls - c->first) / c->step + 1;
    if (c->count && c->count < n) n = c->count;
    const struct crash_series series = {&s, n, one_call, report_call};
    const uint32_t wrong = crash_series_run(c, &series);
    kt_scratch_remove(s.scratch);
    return wrong;
}

static bool one_full(const struct campaign *c, void *ctx, uint32_t i, char why[512])
{
    static const char *const names[] = {"keys", "journal", "store"};
    static struct book book;
    const struct series *s = ctx;
    struct campaign small = *c;
    char base[BASE_CHARS];
    size_t len;
    snprintf(base, sizeof base, "%.200s/%ld", s->scratch, (long)getpid());
    kt_scratch_remove(base);
    small.full = names[i];
    const int status = campaign_work(&small, base, c->seed, 0);
    char *text = read_notebook(base, &len);
    book = (struct book){0};
    book_read(&book, text, len);
    free(text);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != WORK_DONE)
        return snprintf(why, 512, "the office does not live with little room for its %s", names[i]), false;
    if (book.writes == 0 || book.tries - book.writes < FULL_REFUSED_MIN)
        return snprintf(why, 512, "its %s never filled up", names[i]), false;
    const bool good = judge(base, &book, why);
    kt_scratch_remove(base);
    return good;
}

static void report_full(const struct campaign *c, uint32_t i, const char *why)
{
    printf("FAILED: %s\n    again: kontor-crash full --seed %" PRIu64 " (%" PRIu32 ")\n", why, c->seed, i);
}

uint32_t campaign_full(struct campaign *c)
{
    struct series s;
    struct campaign of_full = *c;
    site_must(kt_scratch_make(s.scratch) == KT_OK, "no room for crashes");
    of_full.rounds = FULL_ROUNDS;
    const struct crash_series series = {&s, 3, one_full, report_full};
    const uint32_t wrong = crash_series_run(&of_full, &series);
    c->crashes = of_full.crashes;
    kt_scratch_remove(s.scratch);
    return wrong;
}
