/* kontor-crash: what an office keeps when its machine, its process or its disk fails at the worst moment. */
#include "crash/campaign.h"
#include "crash/site.h"
#include "crash/work.h"

#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct argp_option options[] = {
    {"kind", 'k', "KIND", 0, "images: keys, journal, store, checkpoint, mark or start (default: each in turn)", 0},
    {"images", 'n', "N", 0, "images: how many (default 60)", 0},
    {"first", 'f', "I", 0, "begin with image, or call, I", 0},
    {"seed", 's', "SEED", 0, "of the workload and the images (default 1)", 0},
    {"rounds", 'r', "N", 0, "how long the workload is (default 40)", 0},
    {"do", 'd', "WHAT", 0, "calls: kill (default), eio, enospc", 0},
    {"when", 'w', "WHEN", 0, "calls: before (default), half (of a write), after", 0},
    {"on", 'o', "WHICH", 0, "calls: any (default), write, sync", 0},
    {"lasts", 'l', NULL, 0, "calls: from that call on, every one", 0},
    {"step", 'e', "N", 0, "calls: every Nth only", 0},
    {"minutes", 'm', "N", 0, "soak: how long (default 1)", 0},
    {"jobs", 'j', "N", 0, "at once (default: as many as there are processors)", 0},
    {"keep", 'K', "DIR", 0, "images: leave a copy of the image there", 0},
    {0}};

struct arguments {
    struct campaign campaign;
    uint64_t minutes;
    char *command, *work[4];
    unsigned work_len;
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct arguments *a = state->input;
    struct campaign *c = &a->campaign;
    const struct {
        int key;
        uint32_t *number;
        const char **text;
    } plain[] = {
        {'n', &c->count, NULL}, {'f', &c->first, NULL}, {'r', &c->rounds, NULL}, {'e', &c->step, NULL},
        {'j', &c->jobs, NULL},  {'k', NULL, &c->kind},  {'d', NULL, &c->fault},  {'w', NULL, &c->when},
        {'o', NULL, &c->on},    {'K', NULL, &c->keep},
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (plain[i].key != key) continue;
        if (plain[i].number)
            *plain[i].number = (uint32_t)strtoul(value, NULL, 0);
        else
            *plain[i].text = value;
        return 0;
    }
    if (key == 's') return c->seed = strtoull(value, NULL, 0), 0;
    if (key == 'm') return a->minutes = strtoull(value, NULL, 0), 0;
    if (key == 'l') return c->lasts = true, 0;
    if (key == ARGP_KEY_ARG && !a->command) return a->command = value, 0;
    if (key == ARGP_KEY_ARG && strcmp(a->command, "work") == 0 && a->work_len < 4)
        return a->work[a->work_len++] = value, 0;
    if (key == ARGP_KEY_ARG) argp_error(state, "%s: not expected", value);
    if (key == ARGP_KEY_END && !a->command) argp_error(state, "say what: images, calls, full or soak");
    return ARGP_ERR_UNKNOWN;
}

/* One kind of fault after the other, each over all calls or many images, with a new seed each time round. */
static uint32_t soak(struct campaign *c, uint64_t minutes)
{
    static const struct {
        const char *fault, *when, *on;
        bool lasts;
    } faults[] = {
        {"kill", "before", "any", false},  {"kill", "half", "write", false}, {"eio", "before", "sync", false},
        {"eio", "after", "sync", false},   {"eio", "half", "write", false},  {"enospc", "before", "write", false},
        {"enospc", "half", "write", true}, {"eio", "before", "any", true},
    };
    const time_t end = time(NULL) + (time_t)minutes * 60;
    uint32_t wrong = 0;
    for (uint32_t i = 0; time(NULL) < end; i++) {
        const size_t f = i % (sizeof faults / sizeof *faults);
        c->seed += 1000;
        c->first = 0;
        c->count = 300;
        wrong += campaign_images(c);
        c->fault = faults[f].fault, c->when = faults[f].when, c->on = faults[f].on, c->lasts = faults[f].lasts;
        c->first = 1 + i % 7;
        c->step = 7;
        c->count = 0;
        if (time(NULL) < end) wrong += campaign_calls(c);
        if (time(NULL) < end && f == 0) wrong += campaign_full(c);
    }
    return wrong;
}

static int work(const struct arguments *a)
{
    if (a->work_len < 3) return 2;
    const struct work w = {
        .base = a->work[0],
        .seed = strtoull(a->work[1], NULL, 0),
        .rounds = (uint32_t)strtoul(a->work[2], NULL, 0),
        .full = a->work[3],
    };
    return work_run(&w);
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "images | calls | full | soak",
        "Crashes an office at moments told by a seed and judges what is left.\vStatus: 0 nothing was lost, 1 something "
        "was wrong (each with the line that does it again), 2 usage, 70 the test itself failed.",
        NULL,
        NULL,
        NULL};
    struct arguments a = {
        .campaign = {.seed = 1, .rounds = 40, .step = 1, .fault = "kill", .when = "before", .on = "any"}, .minutes = 1};
    struct campaign *c = &a.campaign;
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
    if (strcmp(a.command, "work") == 0) return work(&a);
    if (!c->jobs) c->jobs = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    site_dice_seed(c->seed);
    uint32_t wrong = 0;
    if (strcmp(a.command, "images") == 0) {
        if (!c->count) c->count = 60;
        wrong = campaign_images(c);
    } else if (strcmp(a.command, "calls") == 0) {
        if (!c->first) c->first = 1;
        wrong = campaign_calls(c);
    } else if (strcmp(a.command, "full") == 0) {
        wrong = campaign_full(c);
    } else if (strcmp(a.command, "soak") == 0) {
        wrong = soak(c, a.minutes);
    } else {
        return fprintf(stderr, "%s: say images, calls, full or soak\n", a.command), 2;
    }
    printf("%s: %" PRIu32 " crashes, %" PRIu32 " wrong\n", a.command, c->crashes, wrong);
    return wrong ? 1 : 0;
}
