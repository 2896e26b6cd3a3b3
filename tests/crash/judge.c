#include "crash/judge.h"

#include "crash/site.h"
#include "crash/work.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define STEPS_MAX    200u
#define STEP_MS      500u
#define LATER_MS     3600000u /* the machine was down for an hour */
#define AFTER_NUMBER 900000u

struct judge {
    struct site site;
    const struct book *book;
    char *why, said[256];
    int answered; /* 1: the write after the crash was acknowledged; else its error */
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct judge *j, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(j->why, 512, format, args);
    va_end(args);
    return false;
}

static void says(void *ctx, const char *sentence)
{
    struct judge *j = ctx;
    snprintf(j->said, sizeof j->said, "%s", sentence);
}

static void replied(void *ctx, uint32_t n, int code, const struct kt_put_result *result)
{
    struct judge *j = ctx;
    (void)n, (void)result;
    j->answered = code ? code : 1;
}

static bool holds_all(struct judge *j)
{
    const struct kt_vector *v = kt_ledger_vector(kt_engine_ledger(j->site.engine));
    for (uint32_t i = 0; i < j->book->holds_len; i++) {
        const struct kt_head *h = &j->book->holds[i];
        const uint64_t held = kt_vector_get(v, h->origin);
        if (held < h->number)
            return wrong(j, "of %" PRIu32 "/%" PRIu64 " it said it held %" PRIu64 " batches, and holds %" PRIu64,
                         h->origin.member, h->origin.incarnation, h->number, held);
    }
    return true;
}

/* What a lookup by source and one by identifier say: the number after the w; 0: nothing. */
static bool number_of(struct judge *j, const char *key, uint64_t *out)
{
    char system[24], id[32], identifier[40], by_source[64] = "w0", by_id[64] = "w0";
    const char *colon = strchr(key, ':');
    snprintf(system, sizeof system, "%.*s", (int)(colon - key), key);
    snprintf(id, sizeof id, "%s", colon + 1);
    snprintf(identifier, sizeof identifier, "T-%s", id);
    int e = site_look(&j->site, KT_BY_SOURCE, system, id, by_source);
    if (e && e != KT_ENOTFOUND) return wrong(j, "%s: %s", key, kt_error_text(e));
    e = site_look(&j->site, KT_BY_ID, "tax", identifier, by_id);
    if (e && e != KT_ENOTFOUND) return wrong(j, "%s by its identifier: %s", key, kt_error_text(e));
    if (strcmp(by_source, by_id) != 0)
        return wrong(j, "%s shows %s by source and %s by identifier", key, by_source, by_id);
    *out = strtoull(by_source + 1, NULL, 10);
    return true;
}

static bool shows_here(struct judge *j)
{
    for (uint32_t i = 0; i < j->book->here_len; i++) {
        uint64_t n;
        if (!number_of(j, j->book->here[i].key, &n)) return false;
        if (n < j->book->here[i].wrote || n > j->book->here[i].tried)
            return wrong(j, "%s shows w%" PRIu64 "; acknowledged was w%" PRIu64 ", tried w%" PRIu64,
                         j->book->here[i].key, n, j->book->here[i].wrote, j->book->here[i].tried);
    }
    return true;
}

/* What the other office wrote shows as far as its batches are here. */
static bool shows_far(struct judge *j)
{
    const struct kt_vector *v = kt_ledger_vector(kt_engine_ledger(j->site.engine));
    for (uint32_t i = 0; i < j->book->far_len; i++) {
        uint64_t n;
        if (kt_vector_get(v, j->book->far[i].head.origin) < j->book->far[i].head.number) continue;
        if (!number_of(j, j->book->far[i].key, &n)) return false;
        if (n < j->book->far[i].n)
            return wrong(j, "%s shows w%" PRIu64 ", but the batch with w%" PRIu64 " is held", j->book->far[i].key, n,
                         j->book->far[i].n);
    }
    return true;
}

static bool is_sound(struct judge *j)
{
    char why[256];
    const int e = site_verify(&j->site, why);
    return e == KT_OK || wrong(j, "verify: %s", why);
}

static bool open_it(struct judge *j, const char *base, const char *when)
{
    const int e = site_open(&j->site, base, 1, 4711);
    return e == KT_OK || wrong(j, "%s it does not open: %s (%s)", when, kt_error_text(e), j->said);
}

/* It is of use: it takes a write, above everything it ever stamped, and shows it. */
static bool writes_on(struct judge *j)
{
    char shown[64] = "";
    work_put(&j->site, "revenue", "AFTER", AFTER_NUMBER);
    for (uint32_t i = 0; i < STEPS_MAX && !j->answered; i++) {
        const int e = site_step(&j->site);
        if (e) return wrong(j, "after the crash a step fails: %s (%s)", kt_error_text(e), j->said);
        j->site.ms += STEP_MS;
    }
    if (j->answered != 1) return wrong(j, "a write after the crash is not taken: %s", kt_error_text(j->answered));
    const int e = site_look(&j->site, KT_BY_SOURCE, "revenue", "AFTER", shown);
    if (e || strcmp(shown, "w900000") != 0) return wrong(j, "a write after the crash does not show");
    struct kt_ledger *l = kt_engine_ledger(j->site.engine);
    const struct kt_vector_entry *own = kt_vector_find(kt_ledger_vector(l), kt_ledger_origin(l));
    if (!own || own->hlc <= j->book->ticked) return wrong(j, "a stamp after the crash lies below a pulse before it");
    return is_sound(j);
}

bool judge(const char *base, const struct book *b, char why[512])
{
    static struct judge j;
    j = (struct judge){.book = b, .why = why};
    j.site.words = (struct site_words){.ctx = &j, .replied = replied, .says = says};
    if (!open_it(&j, base, "after the crash")) return false;
    bool good = holds_all(&j) && shows_here(&j) && shows_far(&j) && is_sound(&j) && writes_on(&j);
    site_close(&j.site);
    if (!good) return false;
    j.site.ms += LATER_MS;
    if (!open_it(&j, base, "once more")) return false;
    good = holds_all(&j) && shows_here(&j) && shows_far(&j) && is_sound(&j);
    site_close(&j.site);
    return good;
}
