/* The inside of view building, shared by the files that implement it (views*.c) and by nobody else. */
#ifndef KT_ENGINE_VIEWS_STATE_H
#define KT_ENGINE_VIEWS_STATE_H

#include "engine/view/back.h"
#include "engine/view/facts.h"
#include "engine/view/views.h"

/* What happened to one ward: its dirty compartments, and what they say now. */
struct kt_ward_change {
    struct kt_ward **dirty;
    uint32_t dirty_len;
    uint32_t kind;
    struct kt_ward_head head; /* as it was; brought up to date by kt_views_follow */
    struct kt_facts *facts;   /* of each dirty one */
    bool regroup;             /* an identity link that joins or parts now what it did not */
};

struct kt_views {
    struct kt_workset *w;
    uint8_t country[8];
    struct kt_bytes phone_country;
    struct kt_arena scratch; /* of the view being built */
    struct kt_buf section, packed;
    uint64_t next_row, rows_begun;
    uint8_t nonce[24]; /* random at the start of an update, counted up from there */
    /* of the update going on; in the workset's arena */
    struct kt_ward **dirty;
    size_t dirty_len, dirty_cap;
    struct kt_ward_change *changes;
    size_t changes_len;
    bool regrouped; /* a link that joins or parts changed */
    struct kt_entity_id *affected;
    size_t affected_len, affected_cap;
};

/* The view of this entity is to be built again. */
int kt_views_affect(struct kt_views *v, const struct kt_entity_id *id) KT_MUST;
/* Step 2 for one ward (views_follow.c). */
int kt_views_follow(struct kt_views *v, struct kt_ward_change *c) KT_MUST;
/* Dense row numbers, in store_meta "next-row". */
int kt_views_rows_begin(struct kt_views *v) KT_MUST;
int kt_views_rows_end(struct kt_views *v) KT_MUST;
/* A nonce never used before. */
const uint8_t *kt_views_nonce(struct kt_views *v);

/* Step 3 (views_build.c): one golden customer, or a ward without a customer. */
int kt_views_build_group(struct kt_views *v, const struct kt_group *g) KT_MUST;
int kt_views_build_alone(struct kt_views *v, const struct kt_ward_head *head) KT_MUST;

#endif
