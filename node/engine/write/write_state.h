/* The inside of planning a write, shared by the files that implement it (write*.c) and by nobody else. */
#ifndef KT_ENGINE_WRITE_STATE_H
#define KT_ENGINE_WRITE_STATE_H

#include "engine/write/write.h"

/* The change to one compartment in the making. */
struct kt_write_draft {
    kt_compartment compartment;
    struct kt_ward *ward;
    struct kt_op *ops;
    uint32_t len, cap;
    size_t bytes; /* how long the change will be, at most */
    kt_hlc seen;
};

struct kt_planning {
    struct kt_workset *w;
    struct kt_arena *arena;
    const struct kt_writer *who;
    const struct kt_record *record;
    struct kt_plan *plan;
    const uint8_t *id_key;
    const struct kt_roster *roster;
    const struct kt_schema_kind *kind;
    struct kt_entity_id ward, entity;
    struct kt_bytes source_id; /* of the record; of a case without one, the number made for it */
    kt_compartment own;        /* compartment of the record's source system; 0: none given */
    struct kt_write_draft drafts[KT_PLAN_CHANGES_MAX];
    uint32_t drafts_len;
};

/* Notes the field at fault and why, and gives `code` back. */
int kt_refuse(struct kt_planning *p, int code, uint32_t field, const char *reason) KT_MUST;
/* The same with a name put into the sentence ("%s" once in `format`). */
int kt_refuse_named(struct kt_planning *p, int code, uint32_t field, const char *format, struct kt_bytes name) KT_MUST;

/* write_draft.c: where changes grow.  KT_ERIGHTS with the compartment's name where it may not be written. */
int kt_draft_of(struct kt_planning *p, kt_compartment c, struct kt_write_draft **out) KT_MUST;
int kt_draft_at(struct kt_planning *p, enum kt_place place, struct kt_write_draft **out) KT_MUST;
/* One op on a slot: `take` says for each live value whether it is replaced; NULL slot: nothing is there. */
int kt_draft_op(struct kt_planning *p, struct kt_write_draft *d, uint32_t field, struct kt_bytes element,
                bool has_value, struct kt_bytes value, const struct kt_slot *slot, const bool *take) KT_MUST;
/* Replaces all of a slot. */
int kt_draft_replace(struct kt_planning *p, struct kt_write_draft *d, uint32_t field, struct kt_bytes element,
                     bool has_value, struct kt_bytes value, const struct kt_slot *slot) KT_MUST;
/* Ends planning: changes, or what was found. */
int kt_draft_finish(struct kt_planning *p) KT_MUST;

/* write_ids.c: who the record is about: ward, entity, own compartment. */
int kt_write_identify(struct kt_planning *p) KT_MUST;
/* Refuses what cannot be a name; format: "source_id %s: correct it", with why put in. */
int kt_write_check_name(struct kt_planning *p, struct kt_bytes name, const char *format) KT_MUST;
/* A client's value with references as entity ids; checked. */
int kt_write_value(struct kt_planning *p, const struct kt_schema_field *f, struct kt_bytes in,
                   struct kt_bytes *out) KT_MUST;

/* write_fields.c: registers, sets and lists of an entity. */
int kt_write_fields(struct kt_planning *p) KT_MUST;
int kt_write_derived(struct kt_planning *p) KT_MUST;
int kt_write_register(struct kt_planning *p, struct kt_write_draft *d, const struct kt_schema_field *f,
                      struct kt_bytes element, bool has_value, struct kt_bytes value) KT_MUST;
/* A row of a list: the same bytes write nothing, others correct it. */
int kt_write_list_row(struct kt_planning *p, struct kt_write_draft *d, uint32_t field, struct kt_bytes element,
                      bool has_value, struct kt_bytes value) KT_MUST;

/* write_rows.c: a record that is a row of its parent. */
int kt_write_row(struct kt_planning *p) KT_MUST;
/* write_delete.c */
int kt_write_delete(struct kt_planning *p) KT_MUST;
/* The same, and in every other compartment where the ward stands and this node may write. */
int kt_write_delete_everywhere(struct kt_planning *p) KT_MUST;

#endif
