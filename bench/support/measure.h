/* Measuring: time, samples and their percentiles, medians of interleaved rounds, and which CPUs did the work.
 *
 * A round of one thing follows a round of the next, so that whatever else the machine does falls on all of them alike;
 * of the rounds' figures the median counts.  Each object is used by one thread at a time. */
#ifndef KT_BENCH_MEASURE_H
#define KT_BENCH_MEASURE_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t measure_now_ns(void); /* CLOCK_MONOTONIC */

/* Waits that long. */
void measure_pause_ms(unsigned ms);

/* A growing run of figures.  Out of memory ends the program: a figure left out would be a lie. */
struct samples {
    double *at;
    size_t len, cap;
};
void samples_add(struct samples *s, double v);
void samples_clear(struct samples *s); /* memory is kept */
void samples_free(struct samples *s);
/* The figure below which the share `p` (0 to 1) of all lies; sorts them.  0 where there are none. */
double samples_percentile(struct samples *s, double p);
double samples_median(struct samples *s);

/* The same numbers in the same order for the same seed (splitmix64); the seed is not 0. */
uint64_t measure_dice(uint64_t *state);

/* The CPUs this process may use, in order; at most `max`.  Gives how many. */
unsigned measure_cpus(int *out, unsigned max);
/* Binds the calling thread (and what it starts later), or all threads a process has now.  false: it could not be. */
bool measure_pin_self(const int *cpus, unsigned n);
bool measure_pin_process(pid_t pid, const int *cpus, unsigned n);
/* "CPU 0", "CPUs 0, 1" */
const char *measure_cpus_text(const int *cpus, unsigned n, char out[64]);

/* argv as "--name VALUE" pairs of whole numbers.  Unknown names, missing or bad values print what there is and give
 * false. */
struct measure_option {
    const char *name, *what;
    unsigned long value, min, max;
};
bool measure_options(int argc, char **argv, const char *about, struct measure_option *options, size_t n);

#endif
