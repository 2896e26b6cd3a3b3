/* What both campaigns stand on: processes. */
#include "crash/campaign_parts.h"

#include "crash/site.h"
#include "crash/work.h"

#include <inttypes.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void shim_path(char out[PATH_MAX])
{
    char self[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    site_must(n > 0, "the program does not know where it is");
    self[n] = '\0';
    snprintf(out, PATH_MAX, "%s/libkontor-crash-shim.so", dirname(self));
    site_must(access(out, R_OK) == 0, out);
}

static void set_number(const char *name, uint64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, n);
    setenv(name, text, 1);
}

static void become_work(const struct campaign *c, const char *base, uint64_t seed, uint32_t nth)
{
    char shim[PATH_MAX], dir[PATH_MAX], trace[PATH_MAX], seed_text[32], rounds[32], options[512];
    shim_path(shim);
    snprintf(dir, sizeof dir, "%s/disk", base);
    snprintf(trace, sizeof trace, "%s.trace", base);
    snprintf(seed_text, sizeof seed_text, "%" PRIu64, seed);
    snprintf(rounds, sizeof rounds, "%" PRIu32, c->rounds);
    unlink(trace);
    setenv("KT_SHIM_DIR", dir, 1);
    setenv("KT_SHIM_TRACE", trace, 1);
    if (nth) {
        set_number("KT_SHIM_NTH", nth);
        setenv("KT_SHIM_DO", c->fault, 1);
        setenv("KT_SHIM_WHEN", c->when, 1);
        setenv("KT_SHIM_ON", c->on, 1);
        if (c->lasts) setenv("KT_SHIM_LASTS", "1", 1);
    }
    const char *given = getenv("ASAN_OPTIONS"); /* the shim stands before its runtime, and is none of its business */
    snprintf(options, sizeof options, "%s%sverify_asan_link_order=0", given ? given : "", given ? ":" : "");
    setenv("ASAN_OPTIONS", options, 1);
    setenv("LD_PRELOAD", shim, 1);
    execl("/proc/self/exe", "kontor-crash", "work", base, seed_text, rounds, c->full, NULL);
    _exit(70);
}

int campaign_work(const struct campaign *c, const char *base, uint64_t seed, uint32_t nth)
{
    int status = 0;
    const pid_t child = fork();
    site_must(child >= 0, "no process to be had");
    if (child == 0) become_work(c, base, seed, nth);
    site_must(waitpid(child, &status, 0) == child, "a process is lost");
    return status;
}

/* ------------------------------------------------------------------------------------------------------- many at once
 */

/* Shared with the workers, so that one that dies leaves behind what it was at. */
struct board {
    uint32_t at, wrong, tried;
};

static void report_death(const struct campaign *c, const struct crash_series *s, uint32_t i, int status)
{
    char why[64];
    if (WIFSIGNALED(status))
        snprintf(why, sizeof why, "the judge died of signal %d", WTERMSIG(status));
    else
        snprintf(why, sizeof why, "the judge ended with %d", WEXITSTATUS(status));
    s->report(c, i, why);
}

static void work_through(const struct campaign *c, const struct crash_series *s, uint32_t from, struct board *b)
{
    for (uint32_t i = from; i < s->len; i += c->jobs) {
        b->at = i;
        b->tried++;
        char why[512] = "";
        if (s->one(c, s->ctx, i, why)) continue;
        b->wrong++;
        s->report(c, i, why);
    }
}

uint32_t crash_series_run(struct campaign *c, const struct crash_series *s)
{
    uint32_t wrong = 0, live = 0;
    pid_t *pids = calloc(c->jobs, sizeof *pids);
    uint32_t *from = calloc(c->jobs, sizeof *from);
    struct board *b = mmap(NULL, c->jobs * sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    site_must(pids && from && b != MAP_FAILED, "out of memory");
    for (uint32_t k = 0; k < c->jobs; k++) from[k] = k;
    for (;;) {
        for (uint32_t k = 0; k < c->jobs; k++) {
            if (pids[k] || from[k] >= s->len) continue;
            fflush(NULL);
            pids[k] = fork();
            site_must(pids[k] >= 0, "no process to be had");
            if (pids[k] == 0) {
                work_through(c, s, from[k], &b[k]);
                fflush(NULL);
                _exit(0);
            }
            live++;
        }
        if (!live) break;
        int status;
        const pid_t ended = wait(&status);
        site_must(ended > 0, "a process is lost");
        for (uint32_t k = 0; k < c->jobs; k++) {
            if (pids[k] != ended) continue;
            pids[k] = 0;
            live--;
            from[k] = status == 0 ? s->len : b[k].at + c->jobs;
            if (status == 0) continue;
            wrong++;
            report_death(c, s, b[k].at, status);
        }
    }
    for (uint32_t k = 0; k < c->jobs; k++) wrong += b[k].wrong, c->crashes += b[k].tried;
    munmap(b, c->jobs * sizeof *b);
    free(from);
    free(pids);
    return wrong;
}
