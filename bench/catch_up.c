/* bench-catch-up: office 2 is stopped while office 1 takes N one-row changes; it is started again, and the clock runs
 * until both vectors agree.  Beside it, in interleaved rounds of the same run, the same number of rows into a bare
 * store with one synced append per group (support/floor.h). */
#include "support/floor.h"
#include "support/measure.h"
#include "support/people.h"
#include "support/site.h"

#include <stdio.h>
#include <stdlib.h>

#define POLL_MS    10u
#define WAIT_S     300u
#define GROUP      256u
#define ROW_BYTES  1024u /* about one view */
#define LINE_BYTES 320u  /* about one sealed change */

struct bench {
    struct site site;
    struct floor floor;
    struct asker here; /* office 1's, open all the time */
    uint32_t customers, changes, rounds;
    uint64_t dice, job;
    struct samples whole, flow, floor_rate;
};

/* Until office 2 has office 1's vector.  *first_ns: when it was seen to have taken in the first (0: all came at once).
 */
static bool wait_until_agreed(struct bench *b, const char *wanted, uint64_t *first_ns)
{
    char url[SITE_PATH_MAX + 64];
    struct asker there;
    const uint64_t until = measure_now_ns() + WAIT_S * 1000000000ull;
    unsigned long long batches, before = 0;
    bool good, agreed = false;
    site_url(&b->site, 1, url);
    *first_ns = 0;
    good = asker_open(&there, url);
    while (good && !agreed) {
        char *vector = NULL;
        good = asker_vector(&there, &vector, &batches);
        agreed = good && strcmp(vector, wanted) == 0;
        if (good && !agreed && before && batches > before && !*first_ns) *first_ns = measure_now_ns();
        if (!before) before = batches;
        free(vector);
        if (agreed) break;
        if (measure_now_ns() > until) {
            fprintf(stderr, "bench: the offices do not agree after %u s\n", WAIT_S);
            good = false;
        }
        measure_pause_ms(POLL_MS);
    }
    asker_close(&there);
    return good;
}

static bool agree(struct bench *b, uint64_t *first_ns)
{
    char *wanted = NULL;
    unsigned long long batches;
    const bool good = asker_vector(&b->here, &wanted, &batches) && wait_until_agreed(b, wanted, first_ns);
    free(wanted);
    return good;
}

static bool round_of_nodes(struct bench *b)
{
    char line[512];
    uint64_t first_ns;
    bool good = site_stop(&b->site, 1);
    for (uint32_t i = 0; good && i < b->changes; i++) {
        people_occupation((uint32_t)(measure_dice(&b->dice) % b->customers), ++b->job, line, sizeof line);
        good = asker_put_line(&b->here, line);
    }
    good = good && asker_put_rest(&b->here);
    const uint64_t from = measure_now_ns();
    good = good && site_start(&b->site, 1) && agree(b, &first_ns);
    const uint64_t now = measure_now_ns();
    if (!good) return false;
    samples_add(&b->whole, (double)b->changes * 1e9 / (double)(now - from));
    if (first_ns) samples_add(&b->flow, (double)b->changes * 1e9 / (double)(now - first_ns));
    return true;
}

static bool round_of_floor(struct bench *b)
{
    uint64_t keys[GROUP];
    const uint64_t from = measure_now_ns();
    for (uint32_t done = 0; done < b->changes;) {
        const uint32_t n = b->changes - done < GROUP ? b->changes - done : GROUP;
        for (uint32_t i = 0; i < n; i++) keys[i] = measure_dice(&b->dice) % b->customers;
        if (!floor_rows(&b->floor, keys, n, (size_t)n * LINE_BYTES)) return false;
        done += n;
    }
    samples_add(&b->floor_rate, (double)b->changes * 1e9 / (double)(measure_now_ns() - from));
    return true;
}

static bool prepare(struct bench *b)
{
    char url[SITE_PATH_MAX + 64], dir[SITE_PATH_MAX + 16];
    uint64_t first_ns;
    site_url(&b->site, 0, url);
    snprintf(dir, sizeof dir, "%s/floor", b->site.dir);
    return site_start(&b->site, 0) && site_start(&b->site, 1) && asker_open(&b->here, url) &&
           people_put(&b->here, b->customers) && agree(b, &first_ns) && floor_open(&b->floor, dir, ROW_BYTES, false);
}

static void show(struct bench *b)
{
    int cpus[16];
    char text[64];
    const unsigned n = measure_cpus(cpus, 16);
    const double floor_rate = samples_median(&b->floor_rate), whole = samples_median(&b->whole),
                 flow = samples_median(&b->flow);
    printf("both nodes on %s; nothing pinned\n%-46s %12s %10s\n", measure_cpus_text(cpus, n, text), "", "changes/s",
           "/ floor");
    printf("%-46s %12.0f %9.2fx\n", "catching up, from the start of the process", whole, whole / floor_rate);
    if (b->flow.len) printf("%-46s %12.0f %9.2fx\n", "catching up, from the first batch", flow, flow / floor_rate);
    printf("%-46s %12.0f\n", "floor: bare rows, one synced append per 256", floor_rate);
    printf("\n%u customers, %u changes of one row, put 256 at a time; medians of %u rounds\n", b->customers, b->changes,
           b->rounds);
}

int main(int argc, char **argv)
{
    struct measure_option o[] = {
        {"customers", "customers in both stores",                   10000,  1,   1000000 },
        {"changes",   "one-row changes the stopped node is behind", 100000, 256, 10000000},
        {"rounds",    "rounds of each",                             5,      1,   1000    },
    };
    if (!measure_options(argc, argv, "bench-catch-up: a node comes back, beside a bare store taking the same rows", o,
                         3))
        return 2;
    struct bench b = {.floor.fd = -1,
                      .customers = (uint32_t)o[0].value,
                      .changes = (uint32_t)o[1].value,
                      .rounds = (uint32_t)o[2].value,
                      .dice = 1};
    bool good = site_open(&b.site, 2) && prepare(&b);
    for (uint32_t r = 0; good && r < b.rounds; r++) good = round_of_nodes(&b) && round_of_floor(&b);
    if (good) show(&b);
    if (b.here.request.bytes_max) asker_close(&b.here);
    floor_close(&b.floor);
    site_close(&b.site);
    samples_free(&b.whole), samples_free(&b.flow), samples_free(&b.floor_rate);
    return good ? 0 : 1;
}
