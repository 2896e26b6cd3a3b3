/* Offices on a bench: each with a real store, keyring, working set, views and lookups, put to by JSON lines and looked
 * up as JSON, so that a scenario reads as people would tell it.  No journal and no line between them: a written change
 * is kept as encoded bytes, and bench_pull carries what an office lacks from another, in its order.
 *
 * The organisation: offices "office-1" to "office-3"; compartments core, revenue, motor, service (system "311") and
 * health, of which office-3 reads nothing and which office-2 may not write.  Every time and every random number comes
 * from the bench, so that a run is the same each time.  Failing calls end the test (cmocka). */
#ifndef KT_SUPPORT_BENCH_OFFICE_H
#define KT_SUPPORT_BENCH_OFFICE_H

#include "core/hlc.h"
#include "core/vector.h"
#include "engine/lookup/lookup.h"
#include "engine/salvage/salvage.h"
#include "engine/view/views.h"
#include "engine/write/write.h"
#include "support/backends.h"

#include <jansson.h>

#define BENCH_OFFICES 3u
#define BENCH_CORE    1u
#define BENCH_REVENUE 2u
#define BENCH_MOTOR   3u
#define BENCH_SERVICE 4u
#define BENCH_HEALTH  5u

struct bench_world {
    struct kt_world world; /* first */
    uint64_t ms, dice;
};

/* A change as it would travel. */
struct bench_change {
    struct kt_dot dot; /* of its op 0 */
    kt_compartment compartment;
    kt_hlc stamp;
    uint64_t seq; /* in this office's order */
    uint8_t *bytes;
    size_t len;
};

struct bench_office {
    kt_member member;
    struct kt_bench_store *store;
    struct bench_world *world;
    struct kt_keyring *keyring;
    struct kt_workset *workset;
    struct kt_views *views;
    struct kt_lookup *lookup;
    struct kt_vector vector;
    struct kt_clock clock;
    uint64_t position; /* of the newest batch */
    struct bench_change *log;
    size_t log_len, log_cap;
    struct kt_arena arena; /* of replies */
    struct kt_salvaged_journal salvaged; /* by the last restart that had to */
    struct kt_salvaged_keys salvaged_keys;
    /* of the last put or lookup */
    int code;
    uint32_t field;
    char reason[512];
    uint32_t changes; /* envelopes it made */
    uint32_t ops;
    struct kt_reply reply;
};

struct bench {
    struct bench_world world;
    struct bench_office offices[BENCH_OFFICES];
};

/* lmdb: over LMDB, else in memory. */
void bench_open(struct bench *b, bool lmdb);
void bench_close(struct bench *b);
struct bench_office *bench_office(struct bench *b, uint32_t number); /* from 1 */
/* The office stops and starts again on its disk. */
void bench_restart(struct bench_office *o);
/* ... while `meddle` does something to its files; what is damaged then is salvaged. */
void bench_restart_over(struct bench_office *o, void (*meddle)(void *ctx), void *ctx);

/* One put line (its quotes may be written as '): the code of the record. */
int bench_put(struct bench_office *o, const char *line);
int bench_put_based(struct bench_office *o, const char *line, const char *basis);
/* Many lines in one transaction. */
void bench_put_all(struct bench_office *o, const char *const *lines, size_t n);
/* "SYSTEM:VALUE", "SYSTEM:ID", hex, number...: the answer as JSON (the caller's to json_decref), or NULL with o->code.
 */
json_t *bench_look(struct bench_office *o, enum kt_lookup_by by, const char *what);
json_t *bench_look_granted(struct bench_office *o, enum kt_lookup_by by, const char *what, const struct kt_grant *grant,
                           uint32_t page);
/* customer and cases of an answer as text, to be compared; freed by the caller. */
char *bench_body(struct bench_office *o, enum kt_lookup_by by, const char *what);
json_t *bench_conflicts(struct bench_office *o);
int bench_resolve(struct bench_office *o, const char *id, const char *value_json);
uint64_t bench_conflict_count(struct bench_office *o);
/* Takes in what `from` has and `to` lacks. */
void bench_pull(struct bench_office *to, struct bench_office *from);
/* Until all hold the same. */
void bench_sync(struct bench *b);
/* Rows of a store table. */
uint64_t bench_rows(struct bench_office *o, enum kt_table table);

/* json[path]: "customer/name/0/familyName"; NULL: not there. */
const json_t *bench_at(const json_t *j, const char *path);
const char *bench_text(const json_t *j, const char *path); /* "" where it is not there */

#endif
