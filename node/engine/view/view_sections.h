/* A view in the making: records of wards put into sections by compartment, cut to their bounds, encoded.
 *
 * Values are borrowed from the working set; arrays come from the arena given.  Engine thread. */
#ifndef KT_ENGINE_VIEW_SECTIONS_H
#define KT_ENGINE_VIEW_SECTIONS_H

#include "engine/view/list_top.h"
#include "engine/view/view_row.h"
#include "proto/view/view.h"

struct kt_section_draft {
    kt_compartment compartment;
    struct kt_view_record *records; /* in the order they were added */
    uint32_t len, cap;
};

/* The newest batches among what a view shows, for tokens. */
struct kt_newest {
    struct {
        struct kt_head head;
        kt_hlc stamp;
    } seen[KT_TOKEN_HEADS_MAX];
    uint32_t len;
};
void kt_newest_note(struct kt_newest *n, const struct kt_dot *dot, kt_hlc stamp);
uint32_t kt_newest_heads(const struct kt_newest *n, struct kt_head out[KT_TOKEN_HEADS_MAX]);

struct kt_view_draft {
    struct kt_workset *w;
    struct kt_arena *arena;
    struct kt_section_draft sections[KT_COMPARTMENTS_MAX];
    uint32_t sections_len;
    struct kt_newest newest;
    const uint8_t *(*nonce)(void *ctx); /* one never used before */
    void *nonce_ctx;
};

/* Adds what one ward holds in one compartment: its own record, those of entities inside it, and the newest rows of each
 * of its lists.  kind: of the ward. */
int kt_view_draft_ward(struct kt_view_draft *d, struct kt_ward *ward, uint32_t kind) KT_MUST;
/* Cuts cases and licences to KT_VIEW_CASES_MAX each, and everything further while the section is over
 * KT_VIEW_SECTION_BYTES_MAX (view_bounds.c); appends it encoded to out. */
int kt_view_draft_encode(struct kt_view_draft *d, struct kt_section_draft *s, struct kt_buf *out) KT_MUST;

/* The newest rows of a list but for the first `skip`, at most `max`, newest first, by a walk through all of it.
 * *in_all: how many there are. */
int kt_view_rows(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                 uint64_t skip, uint32_t max, struct kt_arena *arena, const struct kt_slot ***rows, uint32_t *len,
                 uint64_t *in_all) KT_MUST;

/* In order of element, as sections hold them. */
void kt_view_rows_sort(const struct kt_slot **rows, uint32_t len);

#endif
