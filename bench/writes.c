/* bench-writes: single changes, each acknowledged as durable and visible, by 1, 8 and 64 writers with a connection
 * each; beside them, in interleaved rounds of the same run, what syncing costs on the same disk (support/floor.h). */
#include "support/floor.h"
#include "support/measure.h"
#include "support/people.h"
#include "support/site.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define WRITERS_MAX 64u

enum what { ONE, EIGHT, MANY, APPEND, COMMIT, KINDS };
static const unsigned writers_of[KINDS] = {[ONE] = 1, [EIGHT] = 8, [MANY] = WRITERS_MAX};

struct writer {
    pthread_t thread;
    struct asker asker;
    struct kt_buf request;
    uint8_t *job, *customer; /* where these stand in the request */
    uint64_t dice, written;
    uint32_t customers;
    atomic_bool *stop;
    struct samples us;
    bool good;
};

struct bench {
    struct site site;
    struct floor append, commit;
    struct writer writers[WRITERS_MAX];
    atomic_bool stop;
    uint32_t customers, rounds, round_ms;
    struct samples us, rate[KINDS], p50[KINDS], p99[KINDS];
};

static void *write_on(void *arg)
{
    struct writer *w = arg;
    struct kt_bytes reply;
    while (w->good && !atomic_load_explicit(w->stop, memory_order_relaxed)) {
        asker_write(w->customer, PEOPLE_DIGITS, measure_dice(&w->dice) % w->customers);
        asker_write(w->job, 12, measure_dice(&w->dice) % 1000000000000u);
        const uint64_t from = measure_now_ns();
        w->good = asker_ask(&w->asker, kt_buf_bytes(&w->request), &reply);
        samples_add(&w->us, (double)(measure_now_ns() - from) / 1000);
        w->good = w->good && asker_put_was_taken(&w->asker, reply);
        w->written++;
    }
    return NULL;
}

static bool round_of_writers(struct bench *b, enum what what)
{
    const unsigned n = writers_of[what];
    unsigned started = 0;
    uint64_t written = 0;
    bool good = true;
    atomic_store(&b->stop, false);
    samples_clear(&b->us);
    const uint64_t from = measure_now_ns();
    for (; started < n; started++) {
        struct writer *w = &b->writers[started];
        w->written = 0;
        samples_clear(&w->us);
        if (pthread_create(&w->thread, NULL, write_on, w)) break;
    }
    measure_pause_ms(b->round_ms);
    atomic_store(&b->stop, true);
    for (unsigned i = 0; i < started; i++) {
        struct writer *w = &b->writers[i];
        pthread_join(w->thread, NULL);
        written += w->written;
        good = good && w->good;
        for (size_t k = 0; k < w->us.len; k++) samples_add(&b->us, w->us.at[k]);
    }
    samples_add(&b->rate[what], (double)written * 1e9 / (double)(measure_now_ns() - from));
    return good && started == n;
}

static bool round_of_floor(struct bench *b, enum what what)
{
    uint64_t n = 0;
    samples_clear(&b->us);
    const uint64_t from = measure_now_ns();
    uint64_t now = from;
    while (now - from < (uint64_t)b->round_ms * 1000000u) {
        if (!(what == APPEND ? floor_append(&b->append, 4096) : floor_commit(&b->commit))) return false;
        const uint64_t then = measure_now_ns();
        samples_add(&b->us, (double)(then - now) / 1000);
        now = then;
        n++;
    }
    samples_add(&b->rate[what], (double)n * 1e9 / (double)(now - from));
    return true;
}

static bool round_of(struct bench *b, enum what what)
{
    const bool good = writers_of[what] ? round_of_writers(b, what) : round_of_floor(b, what);
    samples_add(&b->p50[what], samples_percentile(&b->us, 0.5));
    samples_add(&b->p99[what], samples_percentile(&b->us, 0.99));
    return good;
}

static bool open_writer(struct bench *b, struct writer *w, const char *url, unsigned i)
{
    char line[512];
    w->dice = i + 1;
    w->stop = &b->stop;
    w->customers = b->customers;
    people_occupation(999999999, 999999999999, line, sizeof line);
    w->good = asker_open(&w->asker, url) && asker_encode_put(&w->asker, line, &w->request);
    if (!w->good) return false;
    w->job = asker_find(&w->request, "job 999999999999");
    w->customer = asker_find(&w->request, "C-999999999");
    if (!w->job || !w->customer) return w->good = false;
    w->job += 4;
    w->customer += 2;
    return true;
}

static bool prepare(struct bench *b)
{
    char url[SITE_PATH_MAX + 64], dir[SITE_PATH_MAX + 16];
    site_url(&b->site, 0, url);
    bool good = true;
    for (unsigned i = 0; good && i < WRITERS_MAX; i++) good = open_writer(b, &b->writers[i], url, i);
    good = good && people_put(&b->writers[0].asker, b->customers);
    snprintf(dir, sizeof dir, "%s/append", b->site.dir);
    good = good && floor_open(&b->append, dir, 4096, true);
    snprintf(dir, sizeof dir, "%s/commit", b->site.dir);
    return good && floor_open(&b->commit, dir, 512, true);
}

static void show(struct bench *b)
{
    static const char *const names[KINDS] = {"1 writer", "8 writers", "64 writers", "bare 4 KiB append, synced",
                                             "bare LMDB commit, synced"};
    int cpus[16];
    char text[64];
    const unsigned n = measure_cpus(cpus, 16);
    const double floor_rate = samples_median(&b->rate[COMMIT]);
    printf("\nwriters and node on %s; nothing pinned\n", measure_cpus_text(cpus, n, text));
    printf("%-28s %12s %10s %10s %16s\n", "", "per second", "p50 us", "p99 us", "/ LMDB commits");
    for (int k = 0; k < KINDS; k++) {
        const double rate = samples_median(&b->rate[k]);
        printf("%-28s %12.0f %10.0f %10.0f %15.2fx\n", names[k], rate, samples_median(&b->p50[k]),
               samples_median(&b->p99[k]), floor_rate > 0 ? rate / floor_rate : 0);
    }
    printf("\n%u customers; medians of %u rounds of %u ms each\n", b->customers, b->rounds, b->round_ms);
}

static void put_away(struct bench *b)
{
    for (unsigned i = 0; i < WRITERS_MAX; i++) {
        struct writer *w = &b->writers[i];
        if (w->stop) asker_close(&w->asker), kt_buf_free(&w->request), samples_free(&w->us);
    }
    floor_close(&b->append);
    floor_close(&b->commit);
    site_close(&b->site);
    samples_free(&b->us);
    for (int k = 0; k < KINDS; k++) samples_free(&b->rate[k]), samples_free(&b->p50[k]), samples_free(&b->p99[k]);
}

int main(int argc, char **argv)
{
    struct measure_option o[] = {
        {"customers",    "customers in the store",      10000, 1,  1000000},
        {"rounds",       "rounds of each",              7,     1,  1000   },
        {"milliseconds", "how long a round of each is", 1000,  10, 60000  },
    };
    if (!measure_options(argc, argv, "bench-writes: durable and visible single changes, beside bare syncing", o, 3))
        return 2;
    static struct bench b = {.append.fd = -1, .commit.fd = -1};
    b.customers = (uint32_t)o[0].value;
    b.rounds = (uint32_t)o[1].value;
    b.round_ms = (uint32_t)o[2].value;
    bool good = site_open(&b.site, 1) && site_start(&b.site, 0) && prepare(&b);
    for (uint32_t r = 0; good && r < b.rounds; r++)
        for (int k = 0; good && k < KINDS; k++) good = round_of(&b, (enum what)((r + (unsigned)k) % KINDS));
    if (good) show(&b);
    put_away(&b);
    return good ? 0 : 1;
}
