/* What a client asks of its node, and what it is told (client.proto).  One request, one reply; several may be on their
 * way at once, each under its REQ/REP id.
 *
 * Decoding borrows from the input; arrays come from the arena. */
#ifndef KT_PROTO_REQUEST_H
#define KT_PROTO_REQUEST_H

#include "proto/arena.h"
#include "proto/ids.h"
#include "proto/limits.h"

enum kt_request_kind {
    KT_ASK_PUT = 1,
    KT_ASK_LOOKUP,
    KT_ASK_STATUS,
    KT_ASK_CONFLICTS, /* list, or one where conflict_id is set */
    KT_ASK_RESOLVE,
    KT_ASK_VERIFY,
};

/* One field of a record: schema field number, and values as proto/schema/value.h encodes them. */
struct kt_record_field {
    uint32_t field;
    bool clear;                                       /* null: clear the register */
    struct kt_bytes *add; uint32_t add_len;           /* registers: one; sets: elements to add or update */
    struct kt_bytes *remove; uint32_t remove_len;     /* elements to take out (identifying columns are enough) */
};

/* One put line. */
struct kt_record {
    uint32_t line;                      /* the caller's; comes back with the result */
    uint32_t kind;                      /* schema kind of entity */
    struct kt_bytes source_system, source_id; /* may be empty where the kind is named by its references */
    struct kt_bytes parent_system, parent_id; /* the source record a row or sub-entity belongs to; else empty */
    uint32_t parent_kind;               /* of that parent: customer or case; 0 = none */
    bool deleted;
    struct kt_record_field *fields; uint32_t fields_len;
};

enum kt_lookup_by {
    KT_BY_ID = 1,    /* identifier system and value */
    KT_BY_SOURCE,    /* source system and id of a customer */
    KT_BY_CUSTOMER,  /* display id, hex */
    KT_BY_CASE,      /* case number */
    KT_BY_PHONE,
    KT_BY_EMAIL,
};

struct kt_request {
    enum kt_request_kind kind;
    struct kt_bytes actor, purpose, case_ref; /* who asks, what for, under which case */
    uint32_t deadline_ms;
    struct {
        struct kt_record *records; uint32_t records_len;
        struct kt_bytes basis; /* a token; may be empty */
        uint32_t copies;       /* how many other offices must hold it durably, with its wraps */
    } put;
    struct {
        enum kt_lookup_by by;
        struct kt_bytes system, value;
        struct kt_bytes *wait; uint32_t wait_len; /* tokens */
        uint32_t page;         /* of lists too long for a view; 0 = the view itself */
    } lookup;
    struct {
        struct kt_bytes id;    /* 32 hex characters; empty: all */
        struct kt_bytes value; /* resolve: the value to stand, encoded as proto/schema/value.h */
        bool clear;            /* resolve: nothing is to stand */
    } conflict;
};

/* Why a record was refused, or what it became. */
struct kt_put_result {
    uint32_t line;
    int code;                 /* KT_OK, or an error */
    uint32_t field;           /* the field at fault; 0 = the record as a whole */
    struct kt_bytes reason;   /* a sentence; empty when KT_OK */
    struct kt_bytes token;    /* when KT_OK */
    struct kt_bytes number;   /* given to a case that came without a source id, and its source id from then on */
};

struct kt_office_freshness {
    struct kt_bytes office;
    bool known;
    uint64_t complete_through_ms; /* everything this office wrote up to then is in the answer */
};

/* One section of a view: what one compartment knows; proto/view/view.h walks `bytes`. */
struct kt_view_section { kt_compartment compartment; struct kt_bytes name, bytes; };

struct kt_match { struct kt_bytes id, name, birth_date, why; }; /* id: hex display id; why: "phone", ... */

struct kt_conflict_value { struct kt_bytes value; bool has_value; struct kt_bytes office, by; kt_hlc stamp; };
struct kt_conflict {
    struct kt_bytes id;     /* 32 hex characters, the same at every office */
    struct kt_bytes ref;    /* "revenue:C-1" */
    uint32_t field;
    struct kt_bytes element_text; /* of keyed registers: which one ("marketing"); else empty */
    struct kt_conflict_value *values; uint32_t values_len; /* newest first */
};

struct kt_reply {
    enum kt_request_kind kind;
    int code;                  /* KT_OK, or why the whole request failed */
    struct kt_bytes reason;    /* a sentence with what to do; empty when KT_OK */
    struct { struct kt_put_result *results; uint32_t results_len; } put;
    struct {
        struct kt_view_section *sections; uint32_t sections_len; /* none when `matches` has several */
        struct kt_match *matches; uint32_t matches_len; bool more;
        struct kt_bytes *withheld; uint32_t withheld_len;        /* compartment names */
        struct kt_bytes basis;                                   /* a token */
        struct kt_office_freshness *offices; uint32_t offices_len;
        uint64_t now_ms;                                         /* the node's clock when it answered */
        struct kt_entity_id display_id;
    } lookup;
    struct kt_bytes json;      /* status, verify: a JSON document (section 11 of the design) */
    struct { struct kt_conflict *items; uint32_t len; } conflicts;
};

int kt_request_encode(const struct kt_request *r, struct kt_buf *out) KT_MUST;
int kt_request_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_request *out) KT_MUST;
int kt_reply_encode(const struct kt_reply *r, struct kt_buf *out) KT_MUST;
int kt_reply_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_reply *out) KT_MUST;

#endif
