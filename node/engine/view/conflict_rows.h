/* The list of conflicts: store_conflict, conflict id -> compartment be32, sealed {ward, entity, field, element}.
 * Engine thread; lookups read with a workset of their own. */
#ifndef KT_ENGINE_CONFLICT_ROWS_H
#define KT_ENGINE_CONFLICT_ROWS_H

#include "engine/view/facts.h"

struct kt_conflict_place {
    kt_compartment compartment;
    struct kt_entity_id ward, entity;
    uint32_t field;
    struct kt_bytes element;
};
int kt_conflict_row_put(struct kt_workset *w, const uint8_t id[KT_CONFLICT_ID_BYTES],
                        const struct kt_conflict_place *at, const uint8_t nonce[24]) KT_MUST;
int kt_conflict_row_del(struct kt_workset *w, const uint8_t id[KT_CONFLICT_ID_BYTES]) KT_MUST;
/* KT_ENOTFOUND; KT_EKEY: of a compartment this node does not read.  Memory from the arena. */
int kt_conflict_row_get(struct kt_workset *w, const uint8_t id[KT_CONFLICT_ID_BYTES], struct kt_arena *arena,
                        struct kt_conflict_place *out) KT_MUST;
/* The row as it stands in the table. */
int kt_conflict_row_decode(struct kt_workset *w, struct kt_bytes id, struct kt_bytes row, struct kt_arena *arena,
                           struct kt_conflict_place *out) KT_MUST;
/* The register where the conflict is; NULL: no more there. */
int kt_conflict_slot(struct kt_workset *w, const struct kt_conflict_place *at, struct kt_ward **ward,
                     struct kt_slot **slot) KT_MUST;

#endif
