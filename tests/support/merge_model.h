/* The merge port in memory, as plain as can be: lists searched from end to end.  What the engine does with tables is
 * held against it, and the merge rule is tested through it.
 *
 * One thread; merge_model_free releases everything. */
#ifndef KT_SUPPORT_MERGE_MODEL_H
#define KT_SUPPORT_MERGE_MODEL_H

#include "core/digest.h"

struct merge_model_slot {
    kt_compartment compartment;
    struct kt_entity_id ward;
    struct kt_slot slot;
};

struct merge_model {
    struct merge_model_slot **slots;
    size_t slots_len;
    struct kt_debt *debts;
    size_t debts_len;
    struct kt_dot *settled; /* envelopes merged; op 0 stands for all of it */
    size_t settled_len;
    struct kt_arena memory;
    struct kt_sum sum; /* of all live values */
    size_t live, came, went;
    int calls_left; /* callbacks that may still succeed; -1: all */
};

void merge_model_init(struct merge_model *m);
void merge_model_free(struct merge_model *m);
struct kt_merge_port merge_model_port(struct merge_model *m);
/* This envelope has taken effect: its dots are settled, and debts that waited for them go. */
void merge_model_settle(struct merge_model *m, const struct kt_dot *dot);
bool merge_model_is_settled(const struct merge_model *m, const struct kt_dot *dot);
/* The slot, or NULL. */
struct kt_slot *merge_model_find(const struct merge_model *m, kt_compartment c, const struct kt_entity_id *ward,
                                 const struct kt_entity_id *entity, uint32_t field, struct kt_bytes element);
bool merge_model_holds(const struct merge_model *m, const struct kt_dot *dot);

#endif
