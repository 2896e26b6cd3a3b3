#include "support/measure.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t measure_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void measure_pause_ms(unsigned ms)
{
    const struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

/* -------------------------------------------------------------------------------------------------------- samples */

void samples_add(struct samples *s, double v)
{
    if (s->len == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 1024;
        s->at = realloc(s->at, s->cap * sizeof *s->at);
        if (!s->at) {
            fputs("bench: out of memory: take fewer rounds\n", stderr);
            abort();
        }
    }
    s->at[s->len++] = v;
}

void samples_clear(struct samples *s) { s->len = 0; }

void samples_free(struct samples *s)
{
    free(s->at);
    *s = (struct samples){0};
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_percentile(struct samples *s, double p)
{
    if (s->len == 0) return 0;
    qsort(s->at, s->len, sizeof *s->at, compare);
    size_t i = (size_t)(p * (double)s->len);
    return s->at[i < s->len ? i : s->len - 1];
}

double samples_median(struct samples *s) { return samples_percentile(s, 0.5); }

uint64_t measure_dice(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* ----------------------------------------------------------------------------------------------------------- CPUs */

unsigned measure_cpus(int *out, unsigned max)
{
    cpu_set_t set;
    unsigned n = 0;
    if (sched_getaffinity(0, sizeof set, &set)) return 0;
    for (int i = 0; i < CPU_SETSIZE && n < max; i++)
        if (CPU_ISSET(i, &set)) out[n++] = i;
    return n;
}

static bool pin(pid_t thread, const int *cpus, unsigned n)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (unsigned i = 0; i < n; i++) CPU_SET(cpus[i], &set);
    return sched_setaffinity(thread, sizeof set, &set) == 0;
}

bool measure_pin_self(const int *cpus, unsigned n) { return pin(0, cpus, n); }

bool measure_pin_process(pid_t pid, const int *cpus, unsigned n)
{
    char path[64];
    bool good = true;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *d = opendir(path);
    if (!d) return false;
    for (const struct dirent *e; (e = readdir(d));) {
        char *end;
        const long thread = strtol(e->d_name, &end, 10);
        if (thread > 0 && !*end && !pin((pid_t)thread, cpus, n) && errno != ESRCH) good = false;
    }
    closedir(d);
    return good;
}

const char *measure_cpus_text(const int *cpus, unsigned n, char out[64])
{
    size_t len = (size_t)snprintf(out, 64, n == 1 ? "CPU" : "CPUs");
    for (unsigned i = 0; i < n && len < 56; i++)
        len += (size_t)snprintf(out + len, 64 - len, "%s %d", i ? "," : "", cpus[i]);
    return out;
}

/* -------------------------------------------------------------------------------------------------------- options */

static bool usage(const char *about, const struct measure_option *options, size_t n)
{
    fprintf(stderr, "%s\n", about);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "    --%-12s %s: %lu to %lu (default %lu)\n", options[i].name, options[i].what, options[i].min,
                options[i].max, options[i].value);
    return false;
}

bool measure_options(int argc, char **argv, const char *about, struct measure_option *options, size_t n)
{
    for (int i = 1; i < argc; i += 2) {
        size_t k = 0;
        while (k < n && (strncmp(argv[i], "--", 2) != 0 || strcmp(argv[i] + 2, options[k].name) != 0)) k++;
        if (k == n || i + 1 == argc) return usage(about, options, n);
        char *end;
        errno = 0;
        const unsigned long v = strtoul(argv[i + 1], &end, 10);
        if (errno || end == argv[i + 1] || *end || v < options[k].min || v > options[k].max)
            return usage(about, options, n);
        options[k].value = v;
    }
    return true;
}
