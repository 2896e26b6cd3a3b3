/* Real nodes for a bench: an organisation and its offices in a folder of their own, started from the programs beside
 * the bench (or in $KONTOR_BIN), linked over loopback.
 *
 * Every failure is said on standard error where it happens; the functions give false, and site_close cleans up whatever
 * there is.  A node dies with the bench that started it.  One thread. */
#ifndef KT_BENCH_SITE_H
#define KT_BENCH_SITE_H

#include <stdbool.h>
#include <sys/types.h>

#define SITE_OFFICES_MAX 5u
#define SITE_PATH_MAX    512u

struct site {
    char dir[SITE_PATH_MAX], bin[SITE_PATH_MAX];
    unsigned offices;
    pid_t pids[SITE_OFFICES_MAX]; /* 0: it does not run */
    int ports[SITE_OFFICES_MAX];
    pid_t proxy; /* 0: offices dial each other */
    unsigned one_way_ms;
};

/* Makes the folder (below $TMPDIR, default /tmp), the authority and `offices` admitted nodes with every right; starts
 * none.  Compartments: core, revenue, service; systems: revenue -> revenue, 311 -> service. */
bool site_open(struct site *s, unsigned offices);
/* The same, with a line of kontor-proxy between every two offices, which delays each way by so long; nodes dial again
 * as they do by default. */
bool site_open_far(struct site *s, unsigned offices, unsigned one_way_ms);
/* Tells the line between two offices: "cut" (ended, and refused from now on), "hang" (stands and carries nothing), or
 * "heal". */
bool site_line(const struct site *s, unsigned a, unsigned b, const char *word);
/* Ends the nodes and removes the folder. */
void site_close(struct site *s);

/* Starts an office (from 0) and waits until it serves; office i dials all before it. */
bool site_start(struct site *s, unsigned office);
/* SIGTERM, and waits for its end. */
bool site_stop(struct site *s, unsigned office);

/* "ipc://..." */
void site_url(const struct site *s, unsigned office, char out[SITE_PATH_MAX + 64]);

/* Seconds of CPU that all running nodes have used so far. */
double site_cpu_s(const struct site *s);

/* Bytes of a file below the folder, as they stand on disk; 0 where there is none. */
unsigned long long site_file_bytes(const struct site *s, const char *name);

#endif
