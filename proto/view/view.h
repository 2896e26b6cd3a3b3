/* The single customer view, as a node builds it and a reader walks it.
 *
 * A view is one section per compartment (view.proto, ViewSection), so that a reader gets only what it may read.  A
 * section is a bounded copy of live state: records (source records of customers, cases, licences, tasks, ...), each with
 * the live values of its fields, stamps and dots.  What is shown - which of several live values, which of several
 * records' values, what is a conflict - is decided here, by the schema's rules, in one place for every reader.
 *
 * Nothing node-local stands in a section: the same state gives the same view at every office. */
#ifndef KT_PROTO_VIEW_H
#define KT_PROTO_VIEW_H

#include "proto/arena.h"
#include "proto/ids.h"
#include "proto/schema/schema.h"

/* One live value of a field. */
struct kt_view_value {
    uint32_t field;
    struct kt_bytes element; /* empty: a plain register */
    struct kt_bytes value;
    struct kt_dot dot;
    kt_hlc stamp;
};

/* One entity in one section. */
struct kt_view_record {
    uint32_t kind;
    struct kt_entity_id id;
    struct kt_entity_id parent;  /* of tasks; zeros else */
    struct kt_view_value *values; uint32_t values_len; /* in order of field, element, dot */
    /* of lists cut to KT_VIEW_INTERACTIONS_MAX: how many rows there are in all; fields not listed are whole */
    struct kt_view_count { uint32_t field; uint64_t rows; } *counts; uint32_t counts_len;
};

/* Writing a section. */
int kt_view_section_encode(const struct kt_view_record *records, uint32_t n, uint64_t cases_in_all, struct kt_buf *out) KT_MUST;
/* Reading one; borrows from `in`, arrays from the arena. */
int kt_view_section_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_view_record **records, uint32_t *n,
                           uint64_t *cases_in_all) KT_MUST;

/* The composed view: sections of all compartments put together, rules applied. */
struct kt_shown {              /* one shown value */
    const struct kt_schema_field *field;
    struct kt_bytes element, value;
    kt_hlc stamp;              /* sets: of its first live dot; else of the value shown */
    struct kt_dot dot;
};
struct kt_shown_entity {
    uint32_t kind;
    struct kt_entity_id id, parent;
    struct kt_bytes source_system, source_id;
    struct kt_shown *shown; uint32_t shown_len; /* in order of field; sets by first stamp, lists newest first */
    const struct kt_view_count *counts; uint32_t counts_len;
    kt_hlc created, modified;
};
struct kt_view_conflict { struct kt_entity_id entity; uint32_t field; struct kt_bytes element; uint8_t id[16]; };
struct kt_view {
    bool has_customer;
    struct kt_entity_id display_id;
    struct kt_shown_entity *sources; uint32_t sources_len; /* the source records, in order of "system:id" */
    struct kt_shown_entity customer;                        /* all of them as one */
    struct kt_shown_entity *cases; uint32_t cases_len;      /* newest first (requested_datetime, then stamp, then id) */
    struct kt_shown_entity *licences; uint32_t licences_len;
    struct kt_shown_entity *others; uint32_t others_len;    /* tasks (by parent), relationships, ... */
    struct kt_view_conflict *conflicts; uint32_t conflicts_len;
    uint64_t cases_in_all;
};
struct kt_section_in { kt_compartment compartment; struct kt_bytes bytes; };
int kt_view_compose(const struct kt_section_in *sections, uint32_t n, const struct kt_entity_id *display_id,
                    struct kt_arena *arena, struct kt_view *out) KT_MUST;

/* The rule at work on the live values of one register (or keyed register): which is shown, and is it a conflict
 * (several with different bytes; never for `earliest`).  n >= 1. */
uint32_t kt_rule_pick(const struct kt_schema_field *f, const struct kt_view_value *values, uint32_t n, bool *conflict);

/* The name of a conflict, the same at every office: BLAKE2b-128("conflict", compartment, ward, entity, field, element). */
void kt_conflict_id(kt_compartment c, const struct kt_entity_id *ward, const struct kt_entity_id *entity, uint32_t field,
                    struct kt_bytes element, uint8_t out[16]);

#endif
