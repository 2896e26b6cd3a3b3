/* kontor-crash-memory: memory runs out at the Nth allocation of what a node does, for every N until it is through.
 *
 * The program is linked so that every allocation of the project's own code (malloc, calloc, realloc, strdup,
 * sodium_malloc) passes here.  After each failure: an error or success and nothing else, everything acknowledged still
 * shows, the next try works; where the engine gives up, it is opened again, as kontord would be.  Leaks are the
 * sanitizer's to find. */
#include "crash/site.h"
#include "crash/work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/backends.h"

#define CALLS_MAX  100000u
#define FAR_MEMBER 2u

/* ----------------------------------------------------------------------------------------------------- allocations */

static struct {
    bool armed;
    unsigned aside;
    uint64_t nth, count;
} heap;

static bool fails(void)
{
    if (!heap.armed || heap.aside) return false;
    return ++heap.count == heap.nth;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__real_sodium_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
void *__wrap_sodium_malloc(size_t n);
void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t m) { return fails() ? NULL : __real_calloc(n, m); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }
char *__wrap_strdup(const char *s) { return fails() ? NULL : __real_strdup(s); }
void *__wrap_sodium_malloc(size_t n) { return fails() ? NULL : __real_sodium_malloc(n); }

static void aside(void *ctx, bool on)
{
    (void)ctx;
    if (on)
        heap.aside++;
    else
        heap.aside--;
}

/* ---------------------------------------------------------------------------------------------------------- the case
 */

struct bench {
    char base[128], far_base[160];
    struct site home, far;
    uint32_t number, wrote; /* the newest: given out, acknowledged */
    int code;               /* of the last put */
};

static void home_replied(void *ctx, uint32_t n, int code, const struct kt_put_result *result)
{
    struct bench *b = ctx;
    (void)result;
    b->code = code;
    if (!code) b->wrote = n;
}

static int open_home(struct bench *b)
{
    b->home.words = (struct site_words){.ctx = b, .replied = home_replied, .aside = aside};
    return site_open(&b->home, b->base, 1, 7);
}

/* What is done under want of memory: an error of the product's, or KT_OK. */
static int do_open(struct bench *b)
{
    site_close(&b->home);
    return open_home(b);
}
static int do_put(struct bench *b)
{
    heap.aside++;
    work_put(&b->home, "revenue", "M-1", ++b->number);
    heap.aside--;
    const int e = site_step(&b->home);
    return e ? e : b->code;
}
static int do_take(struct bench *b)
{
    heap.aside++;
    site_join(&b->home, &b->far);
    char id[16]; /* another each time: what one batch is voided of, the next does not bring */
    snprintf(id, sizeof id, "F-%" PRIu32, ++b->number);
    work_put(&b->far, "motor", id, b->number);
    int e = KT_OK;
    for (uint32_t i = 0; i < 4 && !e; i++) {
        b->home.ms = b->far.ms += 100;
        site_must(site_step(&b->far) == KT_OK, "the other office fails");
        heap.aside--;
        e = site_step(&b->home);
        heap.aside++;
    }
    heap.aside--;
    return e;
}
static int do_serve(struct bench *b)
{
    heap.aside++;
    site_join(&b->home, &b->far);
    heap.aside--;
    int e = do_put(b);
    for (uint32_t i = 0; i < 3 && !e; i++) {
        heap.aside++;
        b->home.ms = b->far.ms += 100;
        site_must(site_step(&b->far) == KT_OK, "the other office fails");
        heap.aside--;
        e = site_step(&b->home);
    }
    return e;
}
static int do_pulse(struct bench *b)
{
    b->home.ms = b->far.ms += 12000;
    return site_step(&b->home);
}
static int do_look(struct bench *b)
{
    char shown[64] = "";
    const int e = site_look(&b->home, KT_BY_SOURCE, "revenue", "M-1", shown);
    return e ? e : site_look(&b->home, KT_BY_ID, "tax", "T-M-1", shown);
}
static int do_verify(struct bench *b)
{
    char why[256];
    return site_verify(&b->home, why);
}
static int do_checkpoint(struct bench *b) { return b->home.store->ops->checkpoint(b->home.store); }

static const struct {
    const char *name;
    int (*run)(struct bench *b);
} cases[] = {
    {"open", do_open},   {"put", do_put},   {"take", do_take},     {"serve", do_serve},
    {"pulse", do_pulse}, {"look", do_look}, {"verify", do_verify}, {"checkpoint", do_checkpoint},
};

/* --------------------------------------------------------------------------------------------------------- what holds
 */

static uint32_t shown_of(struct bench *b, const char *system, const char *id)
{
    char shown[64] = "w0";
    const int e = site_look(&b->home, KT_BY_SOURCE, system, id, shown);
    if (e && e != KT_ENOTFOUND) return 0;
    return (uint32_t)strtoul(shown + 1, NULL, 10);
}

/* With memory again: a node that gave up is opened anew; all that was acknowledged shows, and it takes a write. */
static bool holds(struct bench *b, int e, char why[256])
{
    if (e && b->home.engine) site_close(&b->home);
    if (!b->home.engine && (e = open_home(b)))
        return snprintf(why, 256, "it does not open: %s", kt_error_text(e)), false;
    if (shown_of(b, "revenue", "M-1") < b->wrote)
        return snprintf(why, 256, "an acknowledged write does not show"), false;
    for (uint32_t i = 0; i < 3; i++) {
        b->home.ms = b->far.ms += 50;
        if ((e = site_step(&b->home))) return snprintf(why, 256, "a later step fails: %s", kt_error_text(e)), false;
        site_must(site_step(&b->far) == KT_OK, "the other office fails");
    }
    if ((e = do_put(b))) return snprintf(why, 256, "a later write fails: %s", kt_error_text(e)), false;
    if (shown_of(b, "revenue", "M-1") != b->number) return snprintf(why, 256, "a later write does not show"), false;
    return true;
}

/* Want of memory may be told as such, or as what had to be given up for it. */
static bool honest(int e)
{
    return e == KT_OK || e == KT_ENOMEM || e == KT_ELIMIT || e == KT_EAGAIN || e == KT_EIO || e == KT_EGONE;
}

static uint32_t digests_of(struct site *s, struct kt_arena *a, struct kt_pulse_digest **out)
{
    uint32_t n;
    site_must(kt_ledger_digests(kt_engine_ledger(s->engine), a, out, &n) == KT_OK, "no digests");
    return n;
}

/* Nothing was voided or left out for want of memory: equal vectors, equal digests. */
static bool agree(struct bench *b)
{
    struct kt_arena a;
    struct kt_pulse_digest *here, *there;
    kt_arena_init(&a, 1u << 20);
    const uint32_t n = digests_of(&b->home, &a, &here);
    bool same = n > 0 && digests_of(&b->far, &a, &there) == n && memcmp(here, there, n * sizeof *here) == 0;
    kt_arena_free(&a);
    return same;
}

static bool catches_up(struct bench *b)
{
    for (uint32_t i = 0; i < 200; i++) {
        site_join(&b->home, &b->far);
        b->home.ms = b->far.ms += 100;
        if (site_step(&b->home) || site_step(&b->far)) return false;
        const struct kt_hash here = kt_vector_hash(kt_ledger_vector(kt_engine_ledger(b->home.engine)));
        const struct kt_hash there = kt_vector_hash(kt_ledger_vector(kt_engine_ledger(b->far.engine)));
        if (memcmp(&here, &there, sizeof here) == 0) return agree(b);
    }
    return false;
}

static uint64_t run_case(struct bench *b, size_t c, uint64_t first, uint64_t step, uint64_t *wrong)
{
    uint64_t nth = first;
    for (; nth < CALLS_MAX; nth += step) {
        char why[256] = "";
        heap.nth = nth;
        heap.count = 0;
        heap.armed = true;
        const int e = cases[c].run(b);
        heap.armed = false;
        const bool through = heap.count < nth;
        bool good = honest(e) && (!through || e == KT_OK);
        if (!good) snprintf(why, sizeof why, "it said: %s", kt_error_text(e));
        if (good) good = holds(b, e, why);
        if (!good) {
            ++*wrong;
            printf("FAILED: %s: %s\n    again: kontor-crash-memory %s %" PRIu64 "\n", cases[c].name, why, cases[c].name,
                   nth);
            if (!b->home.engine) site_must(open_home(b) == KT_OK, "the office is lost");
        }
        if (through) break;
    }
    char why[256];
    if (!catches_up(b)) ++*wrong, printf("FAILED: %s: the offices do not come to agree again\n", cases[c].name);
    if (site_verify(&b->home, why)) ++*wrong, printf("FAILED: %s: verify: %s\n", cases[c].name, why);
    return nth;
}

static void found(struct bench *b)
{
    char scratch[PATH_MAX];
    site_must(kt_scratch_make(scratch) == KT_OK, "no room");
    snprintf(b->base, sizeof b->base, "%.100s", scratch);
    snprintf(b->far_base, sizeof b->far_base, "%s/far", b->base);
    site_found(b->base, 1);
    site_found(b->far_base, FAR_MEMBER);
    site_must(site_open(&b->far, b->far_base, FAR_MEMBER, 8) == KT_OK && open_home(b) == KT_OK, "no office");
    char why[256];
    site_must(holds(b, KT_OK, why), "an office does not work even with memory");
}

int main(int argc, char **argv)
{
    static struct bench b;
    const char *only = argc > 1 ? argv[1] : "all";
    const uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1, step = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
    uint64_t wrong = 0;
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
    site_dice_seed(1);
    found(&b);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        if (strcmp(only, "all") != 0 && strcmp(only, cases[c].name) != 0) continue;
        const uint64_t n = run_case(&b, c, first, step ? step : 1, &wrong);
        printf("%s: through at allocation %" PRIu64 "\n", cases[c].name, n);
        fflush(stdout);
    }
    site_close(&b.home);
    site_close(&b.far);
    kt_scratch_remove(b.base);
    return wrong ? 1 : 0;
}
