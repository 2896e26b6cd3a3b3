/* The schema: one declarative table.  Adding a field is adding a row (schema_table.c).
 *
 * Numbers are part of the format and never used again: field = kind << 8 | n.  A node merges fields it has never heard
 * of correctly; the schema is for writers and readers.  Names follow HL7 FHIR, Open311 GeoReport v2, SEMIC Core
 * Person and Core Business, INSPIRE addresses, W3C DPV. */
#ifndef KT_PROTO_SCHEMA_H
#define KT_PROTO_SCHEMA_H

#include "proto/bytes.h"
#include "proto/errors.h"

enum kt_kind {
    KT_CUSTOMER = 1,
    KT_IDENTITY_LINK,
    KT_RELATIONSHIP,
    KT_CONSENT,
    KT_CASE,
    KT_INTERACTION,
    KT_TASK,
    KT_SATISFACTION,
    KT_NOTE,
    KT_DOCUMENT,
    KT_LICENCE,
    KT_SERVICE,
    KT_QUEUE,
    KT_KIND_COUNT
};

/* Where an entity of a kind lives. */
enum kt_home {
    KT_HOME_WARD,   /* a ward of its own */
    KT_HOME_PARENT, /* an entity of its own inside its parent's ward (task) */
    KT_HOME_ROW,    /* a row in a list of its parent (interaction, note) */
    KT_HOME_KEYED,  /* keyed registers of its parent (consent per purpose) */
};

enum kt_shape { KT_REGISTER, KT_SET, KT_LIST };
enum kt_rule { KT_LATEST, KT_AUTHORITY, KT_STRICTEST, KT_EARLIEST };
enum kt_place { KT_IN_CORE, KT_IN_OWN };
enum kt_type { KT_TEXT, KT_CODE, KT_DATE, KT_DATETIME, KT_INTEGER, KT_NUMBER, KT_BOOLEAN, KT_REF, KT_COMPOSITE };
enum kt_index { KT_INDEX_NONE, KT_INDEX_IDENTIFIER, KT_INDEX_PHONE, KT_INDEX_EMAIL, KT_INDEX_CASE_NUMBER };

struct kt_schema_column {
    uint32_t number; /* 0 ends an array of columns */
    const char *name;
    enum kt_type type;
    bool repeated, identifying;
    const char *const *allowed; /* codes allowed, in order of strictness where the rule is strictest; NULL: any */
    uint32_t ref_kind;          /* of a KT_REF: the kind it names */
};

struct kt_schema_field {
    uint32_t number;   /* kind << 8 | n; 0 ends the table */
    const char *name;
    enum kt_shape shape;
    enum kt_rule rule;
    enum kt_place place;
    enum kt_type type; /* KT_COMPOSITE: see columns */
    bool keyed;        /* a register for each element id (attribute, consent) */
    bool derived;      /* written by the node, refused in a put (history lists, office, created) */
    bool flat;         /* JSON: the columns stand at the top level of the entity (identity_link's verdict) */
    const struct kt_schema_column *columns;
    const char *const *allowed;
    uint32_t ref_kind;
    enum kt_index index;
    uint32_t history;  /* of a register: the list that gets every transition; 0: none */
};

struct kt_schema_kind {
    uint32_t kind;
    const char *name;     /* in JSON: "customer" */
    const char *plural;   /* its name as an array in a view ("cases"), NULL where it has none */
    enum kt_home home;
    uint32_t list_field_customer, list_field_case; /* KT_HOME_ROW, KT_HOME_KEYED: the field in a parent of that kind; 0: not there */
    bool needs_source;    /* source_system and source_id must be given */
};

const struct kt_schema_kind *kt_schema_kind(uint32_t kind);               /* NULL: unknown */
const struct kt_schema_kind *kt_schema_kind_named(struct kt_bytes name);
const struct kt_schema_field *kt_schema_field(uint32_t number);           /* NULL: unknown here */
const struct kt_schema_field *kt_schema_field_named(uint32_t kind, struct kt_bytes name);
const struct kt_schema_field *kt_schema_fields(uint32_t kind, uint32_t *len); /* contiguous */
const struct kt_schema_column *kt_schema_column(const struct kt_schema_field *f, uint32_t number);
const struct kt_schema_column *kt_schema_column_named(const struct kt_schema_field *f, struct kt_bytes name);
/* Lists are kept row by row: known by their number alone, also for fields this binary has never heard of (n >= 0x80). */
static inline bool kt_field_is_list(uint32_t number) { return (number & 0x80u) != 0; }
static inline uint32_t kt_field_kind(uint32_t number) { return number >> 8; }

/* Where the system whose word counts is named (rule authority): the source system, or NULL. */
const char *kt_schema_authority(uint32_t field);

#endif
