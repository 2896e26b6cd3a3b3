/* kontor-flips: a filled node, many flips of one bit, each in a process of its own. */
#include "damage/damage.h"

#include <argp.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX       64u
#define CPU_SECONDS    60u  /* of one trial; more is a hang */
#define WALL_SECONDS   300u /* the same, where it waits */
#define REPAIR_ONCE_IN 8u
#define FAILURES_TOLD  40u

struct arguments {
    uint64_t flips, seed;
    unsigned jobs;
    bool running, verbose, replay;
    struct flip one;
};

static const struct argp_option options[] = {
    {"flips", 'n', "N", 0, "so many flips (1000)", 0},
    {"seed", 's', "N", 0, "which ones (1)", 0},
    {"jobs", 'j', "N", 0, "so many at a time (1)", 0},
    {"running", 'r', NULL, 0, "flip while the node runs, in the file under its map", 0},
    {"replay", 'p', "ENV:OFFSET:BIT", 0, "only this flip, as a failure names it", 0},
    {"verbose", 'v', NULL, 0, "a line for every flip", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static bool read_flip(const char *text, struct flip *out)
{
    for (unsigned e = 0; e < KT_ENV_COUNT; e++) {
        const size_t n = strlen(env_names[e]);
        unsigned long long offset;
        unsigned bit;
        if (strncmp(text, env_names[e], n) || sscanf(text + n, ":%llu:%u", &offset, &bit) != 2 || bit > 7) continue;
        *out = (struct flip){.env = e, .offset = offset, .bit = bit, .repair = true};
        return true;
    }
    return false;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    char *end = NULL;
    const uint64_t n = arg ? strtoull(arg, &end, 0) : 0;
    switch (key) {
    case 'n':
        a->flips = n;
        break;
    case 's':
        a->seed = n;
        break;
    case 'j':
        if (n < 1 || n > JOBS_MAX) argp_error(state, "jobs: 1 to %u", JOBS_MAX);
        a->jobs = (unsigned)n;
        break;
    case 'r':
        a->running = true;
        return 0;
    case 'v':
        a->verbose = true;
        return 0;
    case 'p':
        if (!read_flip(arg, &a->one)) argp_error(state, "%s is not ENV:OFFSET:BIT", arg);
        a->replay = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    if (end == arg || *end) argp_error(state, "%s is not a number", arg);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- the dice */

struct campaign {
    struct arguments args;
    char dir[PATH_MAX];
    struct site offices[OFFICES];
    struct questions questions;
    struct answers before, healed;
    struct images images;
    struct table *table;
    uint64_t failed;
    struct dice dice;
};

static uint32_t spans_of(const struct spans *s, enum byte_kind kind, const char *table, uint64_t *bytes)
{
    uint32_t n = 0;
    *bytes = 0;
    for (uint32_t i = 0; i < s->len; i++)
        if (s->at[i].kind == kind && (!table || strcmp(s->at[i].table, table) == 0)) *bytes += s->at[i].len, n++;
    return n;
}

/* Any span of the kind, the tables alike: what is small and rare is hit as often as what is large. */
static const struct span *pick_span(struct dice *d, const struct spans *s, enum byte_kind kind, uint64_t *at)
{
    const char *tables[KT_TABLE_COUNT + 1];
    uint32_t n = 0;
    uint64_t bytes;
    for (uint32_t i = 0; i < s->len; i++) {
        if (s->at[i].kind != kind) continue;
        uint32_t k = 0;
        while (k < n && strcmp(tables[k], s->at[i].table)) k++;
        if (k == n && n < sizeof tables / sizeof *tables) tables[n++] = s->at[i].table;
    }
    if (n == 0) return NULL;
    const char *table = tables[dice_below(d, n)];
    (void)spans_of(s, kind, table, &bytes);
    uint64_t left = dice_throw(d) % bytes;
    for (uint32_t i = 0; i < s->len; i++) {
        const struct span *one = &s->at[i];
        if (one->kind != kind || strcmp(one->table, table)) continue;
        if (left < one->len) {
            *at = one->at + left;
            return one;
        }
        left -= one->len;
    }
    return NULL;
}

static struct flip next_flip(struct campaign *c)
{
    for (;;) {
        const enum kt_env env = dice_below(&c->dice, KT_ENV_COUNT);
        const enum byte_kind kind = dice_below(&c->dice, BYTE_KIND_COUNT);
        uint64_t at;
        const struct span *s = pick_span(&c->dice, &c->images.env[env].spans, kind, &at);
        if (!s) continue;
        return (struct flip){.env = env,
                             .offset = at,
                             .bit = dice_below(&c->dice, 8),
                             .kind = kind,
                             .table = s->table,
                             .running = c->args.running,
                             .repair = dice_in(&c->dice, REPAIR_ONCE_IN)};
    }
}

static void name_byte(const struct campaign *c, struct flip *f)
{
    const struct spans *s = &c->images.env[f->env].spans;
    f->kind = BYTE_UNUSED;
    f->table = "";
    f->running = c->args.running;
    for (uint32_t i = 0; i < s->len; i++)
        if (f->offset >= s->at[i].at && f->offset < s->at[i].at + s->at[i].len)
            f->kind = s->at[i].kind, f->table = s->at[i].table;
}

/* ------------------------------------------------------------------------------------------------------- processes */

struct job {
    pid_t pid; /* 0: none under way */
    char dir[PATH_MAX];
    struct flip flip;
    struct outcome *out; /* shared */
    time_t started;
};

static struct outcome *share(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(p != MAP_FAILED, "out of memory");
    return p;
}

static struct trial trial_of(struct campaign *c, const char *dir)
{
    return (struct trial){dir, &c->questions, &c->before, &c->healed, c->offices};
}

static void put_back(struct campaign *c, struct job *j)
{
    images_put_back(j->dir, &c->images);
    if (!j->flip.running) images_flip(j->dir, j->flip.env, j->flip.offset, j->flip.bit);
}

static void start_job(struct campaign *c, struct job *j)
{
    *j->out = (struct outcome){0};
    fflush(NULL);
    j->started = time(NULL);
    j->pid = fork();
    must(j->pid >= 0, "no process");
    if (j->pid) return;
    const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS}, core = {0, 0};
    (void)setrlimit(RLIMIT_CPU, &cpu);
    (void)setrlimit(RLIMIT_CORE, &core);
    if (!c->args.replay) (void)!freopen("/dev/null", "w", stderr);
    throw_from(dice_throw(&c->dice));
    const struct trial t = trial_of(c, j->dir);
    trial_run(&t, &j->flip, j->out);
    _exit(0);
}

static void tell(const struct campaign *c, const struct job *j, const char *fault)
{
    const struct outcome *o = j->out;
    if (!fault && !c->args.verbose && !c->args.replay) return;
    if (fault && c->failed > FAILURES_TOLD) return;
    printf("%s: %s %s of %s: --replay %s:%llu:%u%s\n", fault ? fault : "ok", env_names[j->flip.env],
           byte_kind_name(j->flip.kind), *j->flip.table ? j->flip.table : "-", env_names[j->flip.env],
           (unsigned long long)j->flip.offset, j->flip.bit, j->flip.running || j->flip.again ? " --running" : "");
    printf("    at %s; refused %d%s%s%s; wrong %u, missing %u, errors %u; lacking %u; repair %d", o->step, o->refused,
           o->named_at_open ? ", named at open" : "", o->named_by_verify ? ", named by verify" : "",
           o->remade ? ", remade" : "", o->wrong, o->missing, o->errors, o->lacking, o->repair);
    if ((o->wrong || o->missing || o->repair == -2) && o->first_wrong < c->questions.len)
        printf("; first %s:%s", c->questions.at[o->first_wrong].system, c->questions.at[o->first_wrong].value);
    printf("%s%s\n", *o->words ? "; " : "", o->words);
}

static void end_job(struct campaign *c, struct job *j, int status)
{
    if (trial_ended(&j->flip, j->out, status)) { /* and is started again, as whoever watches over kontord does */
        j->flip.running = false;
        j->flip.again = true;
        start_job(c, j);
        return;
    }
    const char *fault = trial_fault(&j->flip, j->out, status);
    j->pid = 0;
    c->failed += fault != NULL;
    table_add(c->table, &j->flip, j->out, fault);
    tell(c, j, fault);
}

static void reap(struct campaign *c, struct job *jobs, bool wait)
{
    for (;;) {
        for (unsigned i = 0; i < c->args.jobs; i++) {
            int status;
            if (!jobs[i].pid) continue;
            if (time(NULL) - jobs[i].started > (time_t)WALL_SECONDS) kill(jobs[i].pid, SIGKILL);
            if (waitpid(jobs[i].pid, &status, WNOHANG) != jobs[i].pid) continue;
            end_job(c, &jobs[i], status);
            wait = false;
        }
        if (!wait) return;
        const struct timespec pause = {0, 500000};
        nanosleep(&pause, NULL);
    }
}

static unsigned under_way(const struct arguments *a, const struct job *jobs)
{
    unsigned n = 0;
    for (unsigned i = 0; i < a->jobs; i++) n += jobs[i].pid != 0;
    return n;
}

static void run_flips(struct campaign *c)
{
    static struct job jobs[JOBS_MAX];
    struct outcome *outcomes = share(JOBS_MAX * sizeof *outcomes);
    for (unsigned i = 0; i < c->args.jobs; i++) {
        jobs[i].out = &outcomes[i];
        must(snprintf(jobs[i].dir, sizeof jobs[i].dir, "%.4000s/job-%u", c->dir, i) > 0, "a path is too long");
        must(mkdir(jobs[i].dir, 0700) == 0, "a folder cannot be made");
        images_found(jobs[i].dir, &c->images);
    }
    for (uint64_t done = 0; done < c->args.flips; done++) {
        while (under_way(&c->args, jobs) == c->args.jobs) reap(c, jobs, true);
        struct job *free_one = jobs;
        while (free_one->pid) free_one++;
        free_one->flip = c->args.replay ? c->args.one : next_flip(c);
        if (c->args.replay) name_byte(c, &free_one->flip);
        put_back(c, free_one);
        start_job(c, free_one);
    }
    while (under_way(&c->args, jobs)) reap(c, jobs, true);
}

/* -------------------------------------------------------------------------------------------------- before the flips
 */

static void found_offices(struct campaign *c, const char *dir)
{
    const struct kt_lmdb_config config = images_config(dir);
    for (uint32_t i = 0; i < OFFICES; i++) {
        struct site *o = &c->offices[i];
        site_init(o, i + 1);
        if (i == 0)
            must(kt_lmdb_open(&config, &o->store) == KT_OK, "no store");
        else
            must(kt_memory_disk_new(&o->disk) == KT_OK && kt_memory_open(o->disk, &o->store) == KT_OK, "no store");
        site_found(o);
        throw_from(1000 + i);
        must(site_open(o) == KT_OK, "an office does not open");
    }
}

/* A trial without a flip gives the answers before, and those after the peers were met. */
static void learn_answers(struct campaign *c)
{
    struct answers *shared = (struct answers *)(void *)share(2 * sizeof *shared);
    struct outcome *out = share(sizeof *out);
    char dir[PATH_MAX];
    int status;
    must(snprintf(dir, sizeof dir, "%.4000s/sound", c->dir) > 0 && mkdir(dir, 0700) == 0, "a folder cannot be made");
    images_found(dir, &c->images);
    fflush(NULL);
    const pid_t pid = fork();
    must(pid >= 0, "no process");
    if (pid == 0) {
        struct trial t = trial_of(c, dir);
        t.before = &shared[0];
        t.healed = &shared[1];
        trial_run(&t, NULL, out);
        _exit(0);
    }
    must(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 && out->ended,
         "a sound node does not run");
    must(!out->refused && !out->remade && !out->named_at_open && !out->named_by_verify,
         "a sound node is called damaged");
    must(out->repair == 1, *out->words ? out->words : "a sound node does not meet its peers");
    c->before = shared[0];
    c->healed = shared[1];
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void make_scratch(struct campaign *c)
{
    const char *under = getenv("TMPDIR");
    struct stat st;
    if (!under) under = stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp";
    must(snprintf(c->dir, 3900, "%s/kontor-flips-XXXXXX", under) < 3900 && mkdtemp(c->dir), "no place for scratch");
}

static void prepare(struct campaign *c)
{
    char dir[PATH_MAX];
    must(snprintf(dir, sizeof dir, "%.4000s/first", c->dir) > 0, "a path is too long");
    found_offices(c, dir);
    fill(c->offices, &c->questions);
    site_close(&c->offices[0]);
    c->offices[0].store->ops->close(c->offices[0].store);
    images_take(dir, &c->images);
    learn_answers(c);
    printf("%u questions; keys %zu, journal %zu, store %zu KiB\n", c->questions.len, c->images.env[0].len / 1024,
           c->images.env[1].len / 1024, c->images.env[2].len / 1024);
}

static void free_all(struct campaign *c)
{
    for (uint32_t i = 1; i < OFFICES; i++) {
        site_close(&c->offices[i]);
        c->offices[i].store->ops->close(c->offices[i].store);
        kt_memory_disk_free(c->offices[i].disk);
    }
    for (unsigned e = 0; e < KT_ENV_COUNT; e++) {
        free(c->images.env[e].bytes);
        free(c->images.env[e].spans.at);
    }
    free(c->images.checkpoint);
    table_free(c->table);
    nftw(c->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
    static struct campaign c = {.args = {.flips = 1000, .seed = 1, .jobs = 1}};
    static const struct argp argp = {options,
                                     take,
                                     NULL,
                                     "Flips single bits in the files of a filled node and judges what it answers.\v"
                                     "Exit: 0 nothing wrong, 1 a failure, 2 usage.",
                                     NULL,
                                     NULL,
                                     NULL};
    argp_err_exit_status = 2;
    if (argp_parse(&argp, argc, argv, 0, NULL, &c.args)) return 2;
    if (c.args.replay) c.args.flips = 1;
    make_scratch(&c);
    prepare(&c);
    c.dice.state = c.args.seed;
    c.table = table_new();
    run_flips(&c);
    table_print(c.table);
    printf("%llu flips from seed %llu: %llu failed\n", (unsigned long long)c.args.flips,
           (unsigned long long)c.args.seed, (unsigned long long)c.failed);
    const int exit_code = c.failed ? 1 : 0;
    free_all(&c);
    return exit_code;
}
