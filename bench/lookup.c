/* bench-lookup: one customer's view by tax number, asked of a node over ipc; beside it, in interleaved rounds of the
 * same run, a bare echo of the same sizes and the bare limit (support/limit.h).  On one CPU, then on two. */
#include "support/limit.h"
#include "support/measure.h"
#include "support/people.h"
#include "support/site.h"

#include <stdio.h>

enum what { SERVICE, ECHO, LIMIT, KINDS };

struct bench {
    struct site site;
    struct asker asker;
    struct echo echo;
    struct limit limit;
    struct kt_buf request;
    uint8_t *tax; /* where the number stands in the request */
    size_t request_bytes, reply_bytes, view_bytes;
    uint32_t customers, rounds, lookups;
    uint64_t dice;
    struct samples round, p50[KINDS], p99[KINDS];
};

static bool ask_once(struct bench *b, enum what what, uint32_t customer)
{
    struct kt_bytes reply;
    if (what == ECHO) return echo_ask(&b->echo);
    if (what == LIMIT) return limit_ask(&b->limit, customer);
    asker_write(b->tax, PEOPLE_DIGITS, PEOPLE_TAX + customer);
    return asker_ask(&b->asker, kt_buf_bytes(&b->request), &reply);
}

static bool round_of(struct bench *b, enum what what)
{
    samples_clear(&b->round);
    for (uint32_t i = 0; i < b->lookups; i++) {
        const uint32_t customer = (uint32_t)(measure_dice(&b->dice) % b->customers);
        const uint64_t from = measure_now_ns();
        if (!ask_once(b, what, customer)) return false;
        samples_add(&b->round, (double)(measure_now_ns() - from) / 1000);
    }
    samples_add(&b->p50[what], samples_percentile(&b->round, 0.5));
    samples_add(&b->p99[what], samples_percentile(&b->round, 0.99));
    return true;
}

/* Looks at every answer of a hundred: it must be the customer asked for. */
static bool try_answers(struct bench *b)
{
    struct kt_bytes bytes;
    struct kt_reply reply;
    if (!asker_encode_lookup(KT_BY_ID, "tax", "000000000", &b->request)) return false;
    b->tax = asker_find(&b->request, "000000000");
    for (uint32_t i = 0; b->tax && i < 100; i++) {
        asker_write(b->tax, PEOPLE_DIGITS, PEOPLE_TAX + i * 37 % b->customers);
        if (!asker_ask(&b->asker, kt_buf_bytes(&b->request), &bytes) || !asker_read(&b->asker, bytes, &reply))
            return false;
        b->reply_bytes = bytes.len;
        b->view_bytes = 0;
        for (uint32_t k = 0; k < reply.lookup.sections_len; k++) b->view_bytes += reply.lookup.sections[k].bytes.len;
        if (b->view_bytes == 0) return false;
    }
    b->request_bytes = b->request.len;
    return b->tax != NULL;
}

static void show(struct bench *b, const char *cpus)
{
    static const char *const names[KINDS] = {"lookup at the node", "bare echo", "bare limit"};
    double p50[KINDS], p99[KINDS];
    printf("\n%s\n%-24s %10s %10s\n", cpus, "", "p50 us", "p99 us");
    for (int k = 0; k < KINDS; k++) {
        p50[k] = samples_median(&b->p50[k]);
        p99[k] = samples_median(&b->p99[k]);
        printf("%-24s %10.2f %10.2f\n", names[k], p50[k], p99[k]);
    }
    const double sum50 = p50[ECHO] + p50[LIMIT], sum99 = p99[ECHO] + p99[LIMIT];
    printf("%-24s %10.2f %10.2f\n", "echo + limit", sum50, sum99);
    printf("%-24s %9.2fx %9.2fx\n", "lookup / (echo + limit)", p50[SERVICE] / sum50, p99[SERVICE] / sum99);
}

/* The client and the echo's or node's other end: on one CPU together, or on one each. */
static bool measure_on(struct bench *b, const int *cpus, unsigned n)
{
    const int theirs = cpus[n - 1];
    char url[SITE_PATH_MAX + 64], dir[SITE_PATH_MAX + 16], text[64], title[128];
    bool good = measure_pin_self(cpus, n) && site_start(&b->site, 0);
    site_url(&b->site, 0, url);
    snprintf(dir, sizeof dir, "%s/limit-%u", b->site.dir, n);
    good = good && measure_pin_process(b->site.pids[0], &theirs, 1) && measure_pin_self(&cpus[0], 1) &&
           asker_open(&b->asker, url) && try_answers(b) && echo_open(&b->echo, b->request_bytes, b->reply_bytes) &&
           measure_pin_process(b->echo.pid, &theirs, 1) && limit_open(&b->limit, dir, b->customers, b->view_bytes);
    for (int k = 0; k < KINDS; k++) { /* a round that does not count */
        good = good && round_of(b, (enum what)k);
        samples_clear(&b->p50[k]), samples_clear(&b->p99[k]);
    }
    for (uint32_t r = 0; good && r < b->rounds; r++)
        for (int k = 0; good && k < KINDS; k++) good = round_of(b, (enum what)((r + (unsigned)k) % KINDS));
    if (good) {
        snprintf(title, sizeof title, n == 1 ? "one CPU: client and node on %s" : "two CPUs: client and node on %s",
                 measure_cpus_text(cpus, n, text));
        show(b, title);
    }
    limit_close(&b->limit);
    echo_close(&b->echo);
    asker_close(&b->asker);
    kt_buf_free(&b->request);
    return (b->site.pids[0] == 0 || site_stop(&b->site, 0)) && good;
}

static bool fill(struct bench *b)
{
    char url[SITE_PATH_MAX + 64];
    struct asker a;
    if (!site_start(&b->site, 0)) return false;
    site_url(&b->site, 0, url);
    const uint64_t from = measure_now_ns();
    const bool good = asker_open(&a, url) && people_put(&a, b->customers);
    asker_close(&a);
    if (good)
        printf("%u customers with a case and two interactions each, put in %.1f s\n", b->customers,
               (double)(measure_now_ns() - from) / 1e9);
    return site_stop(&b->site, 0) && good;
}

int main(int argc, char **argv)
{
    struct measure_option o[] = {
        {"customers", "customers in the store",     10000, 1, 1000000},
        {"rounds",    "rounds of each",             15,    1, 1000   },
        {"lookups",   "lookups in a round of each", 2000,  1, 1000000},
    };
    if (!measure_options(argc, argv, "bench-lookup: a view over ipc, beside a bare echo and the bare limit", o, 3))
        return 2;
    struct bench b = {
        .customers = (uint32_t)o[0].value, .rounds = (uint32_t)o[1].value, .lookups = (uint32_t)o[2].value, .dice = 1};
    int cpus[2];
    const unsigned n = measure_cpus(cpus, 2);
    bool good = site_open(&b.site, 1) && fill(&b) && measure_on(&b, cpus, 1);
    if (good && n == 2)
        good = measure_on(&b, cpus, 2);
    else if (good)
        puts("\nskipped: two CPUs, for there is one");
    if (good)
        printf("\nrequest %zu bytes, reply %zu, view %zu; medians of %u rounds of %u lookups each\n", b.request_bytes,
               b.reply_bytes, b.view_bytes, b.rounds, b.lookups);
    site_close(&b.site);
    samples_free(&b.round);
    for (int k = 0; k < KINDS; k++) samples_free(&b.p50[k]), samples_free(&b.p99[k]);
    return good ? 0 : 1;
}
