/* Two offices of the bench over LMDB, linked and alike, and ways to damage the files of one: for the tests of salvage.
 * setup and teardown are cmocka's; *state is a struct pair. */
#ifndef KT_SUPPORT_SALVAGE_PAIR_H
#define KT_SUPPORT_SALVAGE_PAIR_H

#include "support/bench_site.h"
#include "support/dice.h"
#include "support/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(call)  assert_int_equal((call), KT_OK)
#define PAGE      4096
#define CUSTOMERS 60u

/* Two offices that hold the same; what one of them has stored is about to be damaged. */
struct pair {
    struct bench bench;
    struct site a, b;
};

static inline void put_customer(struct site *s, const char *system, unsigned n)
{
    char line[2600], note[2048];
    memset(note, 'x', sizeof note - 1); /* some batches are large values of the file, others rows of a leaf */
    note[n % 3 == 0 ? sizeof note - 1 : 20] = 0;
    for (size_t i = 0; note[i]; i++) note[i] = (char)('a' + (i * 7 + n * 31 + i * i / 3) % 26);
    snprintf(line, sizeof line,
             "{'entity':'customer','source_system':'%s','source_id':'C-%u','kind':'person','occupation':'%s',"
             "'identifier':[{'system':'tax','value':'%s-%u'}]}",
             system, n, note, system, n);
    OK(site_put(s, line));
}

static inline bool knows(struct site *s, const char *system, unsigned n)
{
    char what[64];
    snprintf(what, sizeof what, "%s:C-%u", system, n);
    json_t *j = bench_look(s->office, KT_BY_SOURCE, what);
    const bool found = j && json_is_object(bench_at(j, "customer"));
    json_decref(j);
    return found;
}

static inline void run(struct pair *p, uint64_t ms)
{
    struct site *const all[] = {&p->a, &p->b};
    site_run(all, 2, ms);
}

static inline int setup(void **state)
{
    struct pair *p = calloc(1, sizeof *p);
    if (!p) return -1;
    bench_open(&p->bench, true);
    site_open(&p->a, bench_office(&p->bench, 1));
    site_open(&p->b, bench_office(&p->bench, 2));
    site_join(&p->a, &p->b);
    run(p, 200);
    for (unsigned n = 0; n < CUSTOMERS; n++) {
        put_customer(&p->a, "revenue", n);
        if (n % 2) put_customer(&p->b, "motor", n);
        run(p, 40);
    }
    run(p, 1000);
    *state = p;
    return 0;
}

static inline int teardown(void **state)
{
    struct pair *p = *state;
    site_close(&p->a);
    site_close(&p->b);
    bench_close(&p->bench);
    free(p);
    return 0;
}

static inline void assert_whole(struct pair *p)
{
    struct site *const all[] = {&p->a, &p->b};
    site_assert_same(all, 2);
    for (unsigned n = 0; n < CUSTOMERS; n++) {
        assert_true(knows(&p->a, "revenue", n));
        if (n % 2) assert_true(knows(&p->a, "motor", n));
    }
}

/* ------------------------------------------------------------------------------------------------------ damages */

struct damage {
    struct site *site;
    const char *file;
    off_t from, to; /* bytes made zeros, whole pages of them */
    double cut;     /* or the file ends at this share of `to`; 0: not cut */
    struct dice *dice;
};

static inline void zero(const char *path, off_t from, off_t to)
{
    static const uint8_t nothing[PAGE];
    for (off_t at = from; at < to; at += PAGE) OK(kt_meddle_write(path, at, nothing, PAGE));
}

static inline off_t used_bytes(struct site *s, enum kt_env env)
{
    struct kt_env_info info;
    struct kt_store *store = s->office->store->store;
    OK(store->ops->info(store, env, &info));
    return (off_t)info.used_bytes;
}

static inline void meddle(void *ctx)
{
    struct damage *d = ctx;
    char path[KT_PROBE_PATH_MAX];
    struct stat st;
    kt_bench_path(d->site->office->store, d->file, path);
    assert_int_equal(stat(path, &st), 0);
    if (d->cut > 0)
        assert_int_equal(truncate(path, (off_t)((double)d->to * d->cut)), 0);
    else
        zero(path, d->from, d->to);
}

#endif
