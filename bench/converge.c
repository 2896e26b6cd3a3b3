/* bench-converge: five offices on lines with a long round trip; the lines between the first two and the other three are
 * cut, every office writes, and the lines are mended: how long until all five hold the same and agree on what it
 * means.  The mend comes at a random moment of the nodes' dialling. */
#include "support/measure.h"
#include "support/people.h"
#include "support/site.h"

#include <stdio.h>
#include <stdlib.h>

#define OFFICES 5u
#define SIDE    2u /* offices 1 and 2 are on one side of the cut */
#define POLL_MS 20u
#define WAIT_S  300u
#define MS      1000000ull

struct bench {
    struct site site;
    struct asker at[OFFICES];
    uint32_t customers, changes, shared_percent, tries;
    uint64_t cut_ms, dice, job;
    struct samples linked_s, agreed_s, cpu_s;
};

static bool cross_lines(struct bench *b, const char *word)
{
    bool good = true;
    for (unsigned i = 0; i < SIDE; i++)
        for (unsigned j = SIDE; good && j < OFFICES; j++) good = site_line(&b->site, i, j, word);
    return good;
}

/* Do offices [from, to) hold the same, each with so many links?  *linked: whether all have those. */
static bool look(struct bench *b, unsigned from, unsigned to, unsigned links, bool *linked, bool *agreed)
{
    char *first = NULL, *here = NULL;
    bool good = true;
    unsigned n;
    *linked = *agreed = true;
    for (unsigned i = from; good && i < to; i++) {
        good = asker_standing(&b->at[i], &here, &n);
        if (good) *linked = *linked && n == links;
        if (good && first) *agreed = *agreed && strcmp(first, here) == 0;
        if (first) free(here);
        if (good && !first) first = here;
    }
    free(first);
    return good;
}

/* Until they agree; *linked_ns: when all had their links. */
static bool await(struct bench *b, unsigned from, unsigned to, unsigned links, uint64_t *linked_ns)
{
    const uint64_t until = measure_now_ns() + WAIT_S * 1000 * MS;
    bool linked, agreed;
    *linked_ns = 0;
    for (;;) {
        if (!look(b, from, to, links, &linked, &agreed)) return false;
        if (linked && !*linked_ns) *linked_ns = measure_now_ns();
        if (linked && agreed) return true;
        if (measure_now_ns() > until) {
            fprintf(stderr, "bench: offices %u to %u do not agree after %u s\n", from + 1, to, WAIT_S);
            return false;
        }
        measure_pause_ms(POLL_MS);
    }
}

/* One-row changes of an office: to its own customers, and now and then to anybody's. */
static bool write_at(struct bench *b, unsigned office)
{
    char line[512];
    bool good = true;
    for (uint32_t i = 0; good && i < b->changes; i++) {
        const bool shared = measure_dice(&b->dice) % 100 < b->shared_percent;
        uint32_t who = (uint32_t)(measure_dice(&b->dice) % b->customers);
        if (!shared) who = who / OFFICES * OFFICES + office;
        people_occupation(who, ++b->job, line, sizeof line);
        good = asker_put_line(&b->at[office], line);
    }
    return good && asker_put_rest(&b->at[office]);
}

static bool one_try(struct bench *b, uint32_t number)
{
    uint64_t linked_ns;
    const uint64_t cut_ns = measure_now_ns();
    bool good = cross_lines(b, "cut");
    for (unsigned i = 0; good && i < OFFICES; i++) good = write_at(b, i);
    good = good && await(b, 0, SIDE, SIDE - 1, &linked_ns) && await(b, SIDE, OFFICES, OFFICES - SIDE - 1, &linked_ns);
    const uint64_t mend_ns = cut_ns + (b->cut_ms + measure_dice(&b->dice) % (b->cut_ms + 1)) * MS;
    while (good && measure_now_ns() < mend_ns) measure_pause_ms(POLL_MS);
    const uint64_t from = measure_now_ns();
    const double cpu_s = site_cpu_s(&b->site);
    good = good && cross_lines(b, "heal") && await(b, 0, OFFICES, OFFICES - 1, &linked_ns);
    if (!good) return false;
    const double linked_s = (double)(linked_ns - from) / 1e9, agreed_s = (double)(measure_now_ns() - from) / 1e9;
    samples_add(&b->linked_s, linked_s);
    samples_add(&b->agreed_s, agreed_s);
    samples_add(&b->cpu_s, site_cpu_s(&b->site) - cpu_s);
    fprintf(stderr, "try %u: cut for %.1f s; all linked %.2f s after the mend, all agreed %.2f s; %.2f s of CPU\n",
            number, (double)(from - cut_ns) / 1e9, linked_s, agreed_s, site_cpu_s(&b->site) - cpu_s);
    return true;
}

static bool prepare(struct bench *b)
{
    uint64_t linked_ns;
    bool good = true;
    for (unsigned i = 0; good && i < OFFICES; i++) {
        char url[SITE_PATH_MAX + 64];
        site_url(&b->site, i, url);
        good = site_start(&b->site, i) && asker_open(&b->at[i], url);
    }
    return good && people_put(&b->at[0], b->customers) && await(b, 0, OFFICES, OFFICES - 1, &linked_ns);
}

static void show_row(const char *what, struct samples *s)
{
    printf("%-46s %10.2f %10.2f %10.2f\n", what, samples_percentile(s, 0.5), samples_percentile(s, 0.99),
           samples_percentile(s, 1));
}

static void show(struct bench *b)
{
    int cpus[16];
    char text[64];
    const unsigned n = measure_cpus(cpus, 16);
    printf("five nodes on %s; nothing pinned; %u ms each way\n%-46s %10s %10s %10s\n", measure_cpus_text(cpus, n, text),
           b->site.one_way_ms, "", "p50 s", "p99 s", "max s");
    show_row("from the mend until every two are linked", &b->linked_s);
    show_row("from the mend until all five agree", &b->agreed_s);
    show_row("CPU of all nodes in that time", &b->cpu_s);
    printf("\n%u customers, %u one-row changes at each office, %u %% of them to anybody's customers; %u tries\n",
           b->customers, b->changes, b->shared_percent, b->tries);
}

int main(int argc, char **argv)
{
    struct measure_option o[] = {
        {"customers", "customers that all hold", 10000, 5, 1000000},
        {"changes", "one-row changes each office writes when cut", 10000, 1, 1000000},
        {"shared", "percent of them to any customer, not its own", 10, 0, 100},
        {"one-way", "ms a line takes each way", 50, 0, 10000},
        {"cut", "ms a cut lasts at least; at most twice that", 20000, 0, 3600000},
        {"tries", "how often", 20, 1, 10000},
    };
    if (!measure_options(argc, argv, "bench-converge: from a mended line to five offices that agree", o, 6)) return 2;
    struct bench b = {.customers = (uint32_t)(o[0].value / OFFICES * OFFICES),
                      .changes = (uint32_t)o[1].value,
                      .shared_percent = (uint32_t)o[2].value,
                      .cut_ms = o[4].value,
                      .tries = (uint32_t)o[5].value,
                      .dice = 1};
    bool good = site_open_far(&b.site, OFFICES, (unsigned)o[3].value) && prepare(&b);
    for (uint32_t i = 1; good && i <= b.tries; i++) good = one_try(&b, i);
    if (good) show(&b);
    for (unsigned i = 0; i < OFFICES; i++)
        if (b.at[i].request.bytes_max) asker_close(&b.at[i]);
    site_close(&b.site);
    samples_free(&b.linked_s), samples_free(&b.agreed_s), samples_free(&b.cpu_s);
    return good ? 0 : 1;
}
