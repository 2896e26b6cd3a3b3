/* The inside of lookups, shared by the files that implement them (lookup*.c, matches.c) and by nobody else. */
#ifndef KT_ENGINE_LOOKUP_STATE_H
#define KT_ENGINE_LOOKUP_STATE_H

#include "engine/lookup/lookup.h"
#include "engine/view/view_row.h"

struct kt_lookup {
    struct kt_lookup_config config;
    uint8_t country[8];
    struct kt_workset *w; /* read-only; its transaction is open while a lookup runs */
};

/* One lookup on its way. */
struct kt_looking {
    struct kt_lookup *l;
    struct kt_workset *w;
    const struct kt_request *request;
    const struct kt_grant *grant;
    const struct kt_roster *roster;
    const uint8_t *id_key;
    struct kt_arena *arena; /* of the reply */
    struct kt_reply *reply;
    uint64_t *rows; /* where views stand, ascending, each once; redirects followed */
    uint32_t rows_len, rows_cap;
    bool more; /* the index lists not all of them */
};

/* May the asker read the compartment, and can this node? */
bool kt_looking_reads(const struct kt_looking *k, kt_compartment c);

/* lookup_find.c: fills rows.  KT_EINVAL, KT_EDAMAGED; nothing found is no error here. */
int kt_looking_find(struct kt_looking *k) KT_MUST;
/* lookup_answer.c: the one view; matches.c: several. */
int kt_looking_answer(struct kt_looking *k) KT_MUST;
int kt_looking_matches(struct kt_looking *k) KT_MUST;
/* Opens the sections of a row that the asker may read. */
int kt_looking_open(struct kt_looking *k, uint64_t row, const struct kt_view_row *view,
                    struct kt_view_section **sections, uint32_t *len) KT_MUST;

/* lookup_pages.c: sections of further rows of the lists in these. */
int kt_looking_page(struct kt_looking *k, struct kt_view_section *sections, uint32_t *len, uint32_t page) KT_MUST;

#endif
