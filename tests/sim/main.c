/* kontor-sim: one seed told as a story, or many seeds, each in a process of its own. */
#include "sim/sim.h"

#include <argp.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WALL_SECONDS_MAX 300u /* of one seed; then it has stalled */
#define JOBS_MAX         64u

struct arguments {
    struct sim_options one;
    uint64_t seeds; /* 0: only the one */
    unsigned jobs;
    bool twice, first;
};

struct totals {
    uint64_t passed, failed, virtual_ms, writes, checks, calm_ms_max;
};

static const struct argp_option options[] = {
    {"seed", 'S', "N", 0, "the seed to run, or the first of --seeds (1)", 0},
    {"seeds", 'n', "N", 0, "run so many, from --seed on; stories of those that fail are one line each", 0},
    {"offices", 'o', "N", 0, "so many offices, 2 to 8 (default: 2 to 5, by the seed)", 0},
    {"steps", 's', "N", 0, "so many client requests (default: 20 to 219, by the seed)", 0},
    {"trace", 't', NULL, 0, "tell the story", 0},
    {"twice", '2', NULL, 0, "run each seed twice: both must tell the same story", 0},
    {"first", 'f', NULL, 0, "stop at the first seed that fails", 0},
    {"jobs", 'j', "N", 0, "seeds at a time (as many as there are processors)", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    char *end = NULL;
    const uint64_t n = arg ? strtoull(arg, &end, 0) : 0;
    if (arg && (end == arg || *end)) argp_error(state, "%s is not a number", arg);
    switch (key) {
    case 'S':
        a->one.seed = n;
        return 0;
    case 'n':
        a->seeds = n;
        return 0;
    case 'o':
        if (n < 2 || n > SIM_OFFICES_MAX) argp_error(state, "offices: 2 to %u", SIM_OFFICES_MAX);
        a->one.offices = (unsigned)n;
        return 0;
    case 's':
        a->one.steps = (unsigned)n;
        return 0;
    case 't':
        a->one.trace = true;
        return 0;
    case '2':
        a->twice = true;
        return 0;
    case 'f':
        a->first = true;
        return 0;
    case 'j':
        if (n < 1 || n > JOBS_MAX) argp_error(state, "jobs: 1 to %u", JOBS_MAX);
        a->jobs = (unsigned)n;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What a seed's process tells the one that started it. */
struct outcome {
    uint64_t virtual_ms, writes, checks, calm_ms, story_hash;
    char why[SIM_STORY_LINE];
};

static enum sim_exit run_one(const struct arguments *a, struct outcome *out)
{
    static struct sim s;
    enum sim_exit e = sim_run(&a->one, &s);
    const uint64_t story = s.story_hash;
    *out = (struct outcome){s.now_ms - s.leapt_ms, s.writes_len, s.checks, s.calm_took_ms, story, {0}};
    memcpy(out->why, s.why, sizeof out->why);
    if (e || !a->twice) return e;
    struct arguments again = *a;
    again.one.trace = false;
    e = sim_run(&again.one, &s);
    if (!e && s.story_hash == story) return SIM_OK;
    snprintf(out->why, sizeof out->why, "the second run of the same seed tells another story");
    return SIM_CRASH;
}

static const char *name_of(int status)
{
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGALRM ? "stall" : "crash";
    switch (WEXITSTATUS(status)) {
    case SIM_DIVERGED:
        return "divergence";
    case SIM_LOST:
        return "lost write";
    case SIM_STALL:
        return "stall";
    default:
        return "crash";
    }
}

static void replay_line(const struct arguments *a, uint64_t seed, const char *program, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "%s --seed %llu", program, (unsigned long long)seed);
    if (a->one.offices) at += (size_t)snprintf(out + at, size - at, " --offices %u", a->one.offices);
    if (a->one.steps) at += (size_t)snprintf(out + at, size - at, " --steps %u", a->one.steps);
    snprintf(out + at, size - at, " --trace");
}

struct job {
    pid_t pid;
    uint64_t seed;
    int from; /* what it says */
};

static void start_job(const struct arguments *a, uint64_t seed, struct job *j)
{
    int ends[2];
    fflush(NULL);
    sim_must(pipe(ends) == 0, "no pipe");
    j->seed = seed;
    j->from = ends[0];
    j->pid = fork();
    sim_must(j->pid >= 0, "no process");
    if (j->pid > 0) {
        close(ends[1]);
        return;
    }
    struct arguments mine = *a;
    struct outcome out = {0};
    mine.one.seed = seed;
    close(ends[0]);
    alarm(WALL_SECONDS_MAX);
    const enum sim_exit e = run_one(&mine, &out);
    sim_must(write(ends[1], &out, sizeof out) == (ssize_t)sizeof out, "a pipe is full");
    exit(e);
}

static void end_job(const struct arguments *a, const char *program, struct job *j, int status, struct totals *t)
{
    struct outcome out = {0};
    char replay[256];
    const bool told = read(j->from, &out, sizeof out) == (ssize_t)sizeof out;
    close(j->from);
    j->pid = 0;
    t->virtual_ms += out.virtual_ms;
    t->writes += out.writes;
    t->checks += out.checks;
    if (out.calm_ms > t->calm_ms_max) t->calm_ms_max = out.calm_ms;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        t->passed++;
        return;
    }
    t->failed++;
    replay_line(a, j->seed, program, replay, sizeof replay);
    printf("seed %llu: %s: %s\n  %s\n", (unsigned long long)j->seed, name_of(status),
           told ? out.why : "the process ended", replay);
}

/* Before any process is forked off: what it costs to found offices is paid once. */
static void prepare(const struct arguments *a)
{
    static struct sim s;
    const unsigned least = a->one.offices ? a->one.offices : SIM_OFFICES_LEAST;
    const unsigned most = a->one.offices ? a->one.offices : SIM_OFFICES_LEAST + SIM_OFFICES_SPREAD - 1;
    for (unsigned n = least; n <= most; n++) sim_prepare(n, &s);
}

/* The worst of what was seen decides the exit code: a crash, then lost writes, divergence, stalls. */
static int run_many(const struct arguments *a, const char *program)
{
    struct job jobs[JOBS_MAX] = {{0}};
    struct totals t = {0};
    struct timespec start, end;
    uint64_t next = a->one.seed, left = a->seeds, running = 0;
    int worst = SIM_OK, status;
    clock_gettime(CLOCK_MONOTONIC, &start);
    prepare(a);
    while (left || running) {
        for (unsigned i = 0; i < a->jobs && left; i++) {
            if (jobs[i].pid) continue;
            start_job(a, next++, &jobs[i]);
            left--;
            running++;
        }
        const pid_t pid = wait(&status);
        sim_must(pid > 0, "no process to wait for");
        for (unsigned i = 0; i < a->jobs; i++)
            if (jobs[i].pid == pid) end_job(a, program, &jobs[i], status, &t);
        running--;
        const int code =
            WIFSIGNALED(status) ? (WTERMSIG(status) == SIGALRM ? SIM_STALL : SIM_CRASH) : WEXITSTATUS(status);
        const int how = code == SIM_OK || (code >= SIM_DIVERGED && code <= SIM_STALL) ? code : SIM_CRASH;
        if (how && (!worst || how < worst)) worst = how;
        if (how && a->first) left = 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    const double wall = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    const double hours = (double)t.virtual_ms / 3600000;
    printf("%llu seeds passed, %llu failed; %llu writes, %llu fields compared; %.1f simulated hours in %.1f s: %.3f "
           "hours a second, %.0f times real time; slowest to come together: %.1f s\n",
           (unsigned long long)t.passed, (unsigned long long)t.failed, (unsigned long long)t.writes,
           (unsigned long long)t.checks, hours, wall, hours / wall, hours * 3600 / wall, (double)t.calm_ms_max / 1000);
    return worst;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        take,
        NULL,
        "Many bad days of several offices, decided by a seed, judged by what was acknowledged.\v"
        "exit: 0 all held, 2 usage, 10 crash, 11 divergence, 12 lost write or wrong answer, 13 stall",
        NULL,
        NULL,
        NULL};
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct arguments a = {.one = {.seed = 1}};
    a.jobs = processors < 1 ? 1 : processors > (long)JOBS_MAX ? JOBS_MAX : (unsigned)processors;
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* what is freed is soon wanted again: it stays with the process */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    argp_err_exit_status = SIM_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (a.seeds) return run_many(&a, argv[0]);
    struct outcome out;
    const enum sim_exit e = run_one(&a, &out);
    printf("seed %llu: %s%s; %.1f simulated s, %llu writes, %llu fields compared, story %016llx\n",
           (unsigned long long)a.one.seed, e ? "failed: " : "all held", e ? out.why : "", (double)out.virtual_ms / 1000,
           (unsigned long long)out.writes, (unsigned long long)out.checks, (unsigned long long)out.story_hash);
    return e;
}
