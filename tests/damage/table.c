/* What came of all flips, by environment and by what the byte was for. */
#include "damage/damage.h"

#include <stdio.h>
#include <stdlib.h>

#define COLUMNS(X)                                                                                                     \
    X(FLIPS, "flips")                                                                                                  \
    X(HARMLESS, "harmless")                                                                                            \
    X(REFUSED, "refused")                                                                                              \
    X(REMADE, "remade")                                                                                                \
    X(SALVAGED, "salvaged")                                                                                            \
    X(LACKING, "lacking")                                                                                              \
    X(ANSWERED_WITH_ERROR, "error")                                                                                    \
    X(NAMED_BY_VERIFY, "verify")                                                                                       \
    X(ENDED, "ended")                                                                                                  \
    X(REPAIRED, "repaired")                                                                                            \
    X(FAILED, "FAILED")

enum column {
#define COLUMN(name, title) name,
    COLUMNS(COLUMN)
#undef COLUMN
        COLUMN_COUNT
};
static const char *const titles[] = {
#define COLUMN(name, title) title,
    COLUMNS(COLUMN)
#undef COLUMN
};

struct table {
    uint64_t count[KT_ENV_COUNT][BYTE_KIND_COUNT][COLUMN_COUNT];
};

struct table *table_new(void)
{
    struct table *t = calloc(1, sizeof *t);
    must(t != NULL, "out of memory");
    return t;
}
void table_free(struct table *t) { free(t); }

void table_add(struct table *t, const struct flip *f, const struct outcome *o, const char *fault)
{
    uint64_t *c = t->count[f->env][f->kind];
    c[FLIPS]++;
    c[REFUSED] += o->refused != 0;
    c[REMADE] += o->remade && !o->refused;
    c[SALVAGED] += o->salvaged && !o->refused;
    c[LACKING] += o->lacking != 0;
    c[ANSWERED_WITH_ERROR] += o->errors != 0;
    c[NAMED_BY_VERIFY] += o->named_by_verify;
    c[REPAIRED] += o->repair == 1;
    c[ENDED] += f->again;
    c[FAILED] += fault != NULL;
    c[HARMLESS] += !fault && !o->refused && !o->remade && !o->errors && !o->named_by_verify && !o->named_at_open;
}

static void print_row(const char *env, const char *kind, const uint64_t c[COLUMN_COUNT])
{
    printf("%-8s %-16s", env, kind);
    for (unsigned i = 0; i < COLUMN_COUNT; i++) printf(" %8llu", (unsigned long long)c[i]);
    putchar('\n');
}

void table_print(const struct table *t)
{
    uint64_t all[COLUMN_COUNT] = {0};
    printf("%-8s %-16s", "file", "byte of");
    for (unsigned i = 0; i < COLUMN_COUNT; i++) printf(" %8s", titles[i]);
    putchar('\n');
    for (unsigned e = 0; e < KT_ENV_COUNT; e++)
        for (unsigned k = 0; k < BYTE_KIND_COUNT; k++) {
            const uint64_t *c = t->count[e][k];
            if (c[FLIPS]) print_row(env_names[e], byte_kind_name(k), c);
            for (unsigned i = 0; i < COLUMN_COUNT; i++) all[i] += c[i];
        }
    print_row("all", "", all);
}
