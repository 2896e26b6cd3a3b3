/* The view row (DESIGN section 7): [compartment be32, key number be32, length be32, sealed]*, each sealed with this
 * node's view key of its compartment, bound to table and row.  The first entry, compartment KT_VIEW_ABOUT, is in the
 * clear and holds no data: the display id and the newest batches that made the view.  A redirect is compartment 0 and
 * the row where the view is (be64). */
#ifndef KT_ENGINE_VIEW_ROW_H
#define KT_ENGINE_VIEW_ROW_H

#include "engine/ward/workset.h"
#include "proto/client/token.h"

#define KT_VIEW_ABOUT         0xffffffffu
#define KT_VIEW_KEY_NUMBER    1u
#define KT_VIEW_ROW_BYTES_MAX (64u << 20)

struct kt_view_about {
    struct kt_entity_id display_id;
    struct kt_head heads[KT_TOKEN_HEADS_MAX];
    uint32_t heads_len;
};
struct kt_sealed_section {
    kt_compartment compartment;
    uint32_t key_number;
    struct kt_bytes sealed;
};
struct kt_view_row {
    bool redirect;
    uint64_t target; /* of a redirect */
    struct kt_view_about about;
    struct kt_sealed_section sections[KT_COMPARTMENTS_MAX];
    uint32_t sections_len;
};

/* Writing. */
void kt_view_row_about(struct kt_buf *b, const struct kt_view_about *about);
int kt_view_row_section(struct kt_workset *w, struct kt_buf *b, uint64_t row, kt_compartment c, const uint8_t nonce[24],
                        struct kt_bytes section) KT_MUST;
int kt_view_row_put(struct kt_workset *w, uint64_t row, struct kt_bytes packed) KT_MUST;
int kt_view_row_redirect(struct kt_workset *w, uint64_t row, uint64_t target) KT_MUST;

/* Reading: follows redirects (*row becomes the row the view stands in).  Borrowed from the transaction, until its next
 * write.  KT_ENOTFOUND, KT_EDAMAGED. */
int kt_view_row_get(struct kt_workset *w, uint64_t *row, struct kt_view_row *out) KT_MUST;
/* Opens a section of that row into the arena. */
int kt_view_row_open(struct kt_workset *w, uint64_t row, const struct kt_sealed_section *s, struct kt_arena *arena,
                     struct kt_bytes *out) KT_MUST;

#endif
