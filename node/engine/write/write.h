/* A put becomes changes: one record (proto/client/request.h) against the working set gives at most one change per
 * compartment (core and own), each a list of ops that replace what was seen.  What is there already writes nothing.
 *
 * Engine thread.  Everything borrowed from the workset's arena or the record. */
#ifndef KT_ENGINE_WRITE_H
#define KT_ENGINE_WRITE_H

#include "engine/ward/workset.h"
#include "proto/client/request.h"
#include "proto/schema/schema.h"
#include "proto/client/token.h"

/* Who puts, and under which rules. */
struct kt_writer {
    struct kt_bytes actor, purpose, case_ref;
    const struct kt_token *basis; /* NULL: none; already checked to be of this node and this life of its store */
    struct kt_bytes phone_country;
    kt_member self;
    struct kt_bytes office, agency;  /* of this node */
    const kt_compartment *may_write; /* of the client's grant; NULL: all the node may */
    uint32_t may_write_len;
    uint64_t now_ms;
};

/* A change ready to be merged, sealed and numbered. */
struct kt_planned_change {
    kt_compartment compartment;
    kt_hlc seen;             /* the greatest stamp among what its ops replace: its own must exceed it */
    struct kt_change change; /* ops of list rows without source id have an empty element */
};
#define KT_PLAN_CHANGES_MAX 8u /* core and own; of a deletion that is settled all that may be written */
struct kt_plan {
    struct kt_planned_change changes[KT_PLAN_CHANGES_MAX];
    struct kt_bytes number;                   /* given to a case that came without one: its source id too */
    uint32_t changes_len;                     /* 0: nothing to write */
    struct kt_head found[KT_TOKEN_HEADS_MAX]; /* the newest dots of the entity as found: the token of a line that
                                                 changed nothing */
    uint32_t found_len;
    uint32_t field;     /* on an error: the field at fault, 0 = the record as a whole */
    const char *reason; /* on an error: a sentence with what to do */
};
/* KT_EUNMAPPED, KT_ERIGHTS, KT_EFIELD, KT_ETYPE, KT_ELIMIT, ... with plan->field and plan->reason set; then nothing of
 * the record counts.  Errors of the store (KT_EDAMAGED, KT_EIO, ...) end the group. */
int kt_write_plan(struct kt_workset *w, const struct kt_writer *who, const struct kt_record *record,
                  struct kt_plan *plan) KT_MUST;

/* The same for the resolution of a conflict: replaces every live value of that register with the one given.  Of a
 * deletion: true deletes again, in every compartment this node may write; false, or clear, revives. */
int kt_write_resolve(struct kt_workset *w, const struct kt_writer *who, struct kt_bytes conflict_id,
                     struct kt_bytes value, bool clear, struct kt_plan *plan) KT_MUST;

#endif
