/* libkontor: one customer view, asked and told from a program.
 *
 *     struct kontor *k;
 *     struct kontor_view *view;
 *     int err = kontor_open("ipc:///run/kontor/kontor.sock", NULL, &k);
 *     if (!err) err = kontor_lookup(k, &(struct kontor_lookup){.by = KONTOR_BY_ID, .system = "tax", .value = "123-45"},
 * &view);
 *
 * Errors.  Every fallible function gives KONTOR_OK or a negative code of enum kontor_error; kontor_error_text says what
 * happened, kontor_error_advice what to do.  A failing call leaves its outputs untouched unless it says otherwise.
 *
 * Threads.  There is nothing global and no thread of the library's own.  A struct kontor may be used by any number of
 * threads at once: each call takes a connection of its own for its time (they are kept and used again, at most
 * `connections` of them; with all in use a call waits for one).  A record, a view or a list of conflicts is used by one
 * thread at a time.
 *
 * Text is UTF-8, ended with NUL.  Borrowed text says until when it is good.  Times are in milliseconds; points in time
 * count from 1970. */
#ifndef KONTOR_KONTOR_H
#define KONTOR_KONTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define KONTOR_MUST __attribute__((warn_unused_result))
#else
#define KONTOR_MUST
#endif

/* ---- errors ------------------------------------------------------------------------------------------------------ */

/* X(name, number).  The same codes as on the wire and at the command line. */
#define KONTOR_ERRORS(X)                                                                                               \
    X(ENOMEM, -1)                                                                                                      \
    X(EINVAL, -2)                                                                                                      \
    X(ELIMIT, -3)                                                                                                      \
    X(ETRUNCATED, -4)                                                                                                  \
    X(EOVERSIZE, -5)                                                                                                   \
    X(EMALFORMED, -6)                                                                                                  \
    X(ESUITE, -7)                                                                                                      \
    X(ELABEL, -8)                                                                                                      \
    X(ESIGNATURE, -9)                                                                                                  \
    X(EHASH, -10)                                                                                                      \
    X(EKEY, -11)                                                                                                       \
    X(EOPEN, -12)                                                                                                      \
    X(EROSTER, -13)                                                                                                    \
    X(ENOTMEMBER, -14)                                                                                                 \
    X(ERIGHTS, -15)                                                                                                    \
    X(ECUT, -16)                                                                                                       \
    X(EGAP, -17)                                                                                                       \
    X(EDUPLICATE, -18)                                                                                                 \
    X(EFORK, -19)                                                                                                      \
    X(ENOTFOUND, -20)                                                                                                  \
    X(EIO, -21)                                                                                                        \
    X(EFULL, -22)                                                                                                      \
    X(EDAMAGED, -23)                                                                                                   \
    X(ECLUSTER, -24)                                                                                                   \
    X(EDEADLINE, -25)                                                                                                  \
    X(EUNREACHABLE, -26)                                                                                               \
    X(EGONE, -27)                                                                                                      \
    X(EREFUSED, -28)                                                                                                   \
    X(ECONFIG, -29)                                                                                                    \
    X(EVERSION, -30)                                                                                                   \
    X(EAGAIN, -31)                                                                                                     \
    X(ETOKEN, -32)                                                                                                     \
    X(EFIELD, -33)                                                                                                     \
    X(ETYPE, -34)                                                                                                      \
    X(EUTF8, -35)                                                                                                      \
    X(EHELD, -36)                                                                                                      \
    X(EVOID, -37)                                                                                                      \
    X(EUNMAPPED, -38)                                                                                                  \
    X(EEND, -39)                                                                                                       \
    X(ESNAPSHOT, -40)                                                                                                  \
    X(EEXPIRED, -41)                                                                                                   \
    X(EBUG, -99)

enum kontor_error {
    KONTOR_OK = 0,
#define KONTOR_ERROR_ENUM(name, number) KONTOR_##name = number,
    KONTOR_ERRORS(KONTOR_ERROR_ENUM)
#undef KONTOR_ERROR_ENUM
};

/* "the node cannot be reached", "check that kontord runs and the URL"; never NULL, good for ever. */
const char *kontor_error_text(int code);
const char *kontor_error_advice(int code);

/* ---- a node ------------------------------------------------------------------------------------------------------ */

struct kontor;

struct kontor_options {
    uint32_t connect_ms;  /* for connecting and the handshake; 0: 5000 */
    uint32_t connections; /* kept and used at once; 0: 16 */
    /* for tcp://, all three: who we are and whom we speak to */
    const uint8_t *secret;       /* 32 bytes, X25519; copied, wiped by kontor_close */
    const uint8_t *organisation; /* 16 bytes */
    const uint8_t *node_key;     /* 32 bytes: the node's public key; nobody else is spoken to */
};

/* ipc://PATH or tcp://HOST:PORT (inside a Noise session; both keys and the organisation must be given).  options NULL: all
 * defaults.  Connects once, so that a wrong address is known now.  KONTOR_EINVAL: not such a URL; KONTOR_EUNREACHABLE;
 * KONTOR_EREFUSED: it does not let us in. */
int kontor_open(const char *url, const struct kontor_options *options, struct kontor **out) KONTOR_MUST;
/* No call may be under way; views and records stay good.  NULL is nothing. */
void kontor_close(struct kontor *k);

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* A record: what a source system says of one entity.  Names of kinds, fields and columns are those `kontor fields`
 * lists.  Errors are kept: after the first, later calls do nothing and give the same code, and kontor_put gives
 * it as the record's result - so a builder may be written straight on. */
struct kontor_record;

/* kind: "customer", "case", "interaction", ...; source_system and source_id may be NULL where the kind is named by what
 * it connects (identity_link).  KONTOR_EFIELD: no such kind; KONTOR_ENOMEM. */
int kontor_record_new(const char *kind, const char *source_system, const char *source_id,
                      struct kontor_record **out) KONTOR_MUST;
void kontor_record_free(struct kontor_record *r);

/* One value of a field - of a register, or of a row's column.  Text is checked by the field's type: dates as
 * "1980-02-29", times as "2026-03-01T21:10:00Z", references as "SYSTEM:ID".  A set takes it as one more element.
 * KONTOR_EFIELD: no such field; KONTOR_ETYPE, KONTOR_EUTF8, KONTOR_EOVERSIZE. */
int kontor_record_text(struct kontor_record *r, const char *field, const char *text);
int kontor_record_number(struct kontor_record *r, const char *field, double number);
int kontor_record_bool(struct kontor_record *r, const char *field, bool value);
int kontor_record_ref(struct kontor_record *r, const char *field, const char *system, const char *id);

/* An element of a set or list, or a register made of columns.  A column may be given several times where it holds
 * several values (givenName); one whose text is NULL or "" is left out. */
struct kontor_column {
    const char *name, *text;
};
int kontor_record_add(struct kontor_record *r, const char *field, const struct kontor_column *columns, size_t n);
/* Takes an element out; the columns that identify it are enough. */
int kontor_record_remove(struct kontor_record *r, const char *field, const struct kontor_column *columns, size_t n);
/* An element of a set that has no columns (language, tradeName). */
int kontor_record_remove_text(struct kontor_record *r, const char *field, const char *text);

/* What a row or task belongs to: kind "case" or "customer". */
int kontor_record_parent(struct kontor_record *r, const char *kind, const char *system, const char *id);
/* A register is to have no value any more. */
int kontor_record_clear(struct kontor_record *r, const char *field);
/* The record as a whole is to go. */
int kontor_record_delete(struct kontor_record *r);

#define KONTOR_RECORDS_MAX     256
#define KONTOR_TOKEN_CHARS_MAX 200

struct kontor_put {
    const char *actor, *purpose, *case_ref; /* who writes, what for, under which case; NULL: not said */
    const char *basis;                      /* kontor_view_basis of the lookup this is based on; NULL: none */
    uint32_t copies;                        /* wait until so many other offices have it */
    uint32_t deadline_ms;                   /* for the copies; 0: 5000 */
};

/* What became of one record. */
struct kontor_result {
    int code;                               /* KONTOR_OK: durable here, and seen by every lookup from now on */
    char field[64];                         /* at fault; "" = the record as a whole */
    char reason[256];                       /* a sentence; "" when KONTOR_OK */
    char token[KONTOR_TOKEN_CHARS_MAX + 1]; /* to wait for elsewhere; "" unless KONTOR_OK */
    char number[257];                       /* of a case put without a source id: its number, and source id; else "" */
};

/* Puts up to KONTOR_RECORDS_MAX records in their order (and up to a MiB of them: KONTOR_EOVERSIZE); options NULL: none.
 * KONTOR_OK: each result tells of its record, refused ones too.  KONTOR_EDEADLINE with results filled: all that have a
 * token are durable here, and not yet at as many offices as asked.  On other errors results are untouched, and whether
 * something was written is not known after KONTOR_EGONE or KONTOR_EDEADLINE: put the same again. */
int kontor_put(struct kontor *k, struct kontor_record *const *records, size_t n, const struct kontor_put *options,
               struct kontor_result *results) KONTOR_MUST;

/* ---- looking up -------------------------------------------------------------------------------------------------- */

enum kontor_by {
    KONTOR_BY_ID = 1,   /* an identifier: system "tax", value "123-45" */
    KONTOR_BY_SOURCE,   /* a source record: system "revenue", value "C-1" */
    KONTOR_BY_CUSTOMER, /* the id a view gave */
    KONTOR_BY_CASE,     /* a case number */
    KONTOR_BY_PHONE,    /* however written */
    KONTOR_BY_EMAIL,
};

struct kontor_lookup {
    enum kontor_by by;
    const char *system, *value;             /* system: for KONTOR_BY_ID and KONTOR_BY_SOURCE */
    const char *actor, *purpose, *case_ref; /* who asks, what for, under which case; NULL: not said */
    const char *const *wait;                /* tokens: answer once all they stand for is there */
    size_t wait_len;                        /* up to 64 */
    uint32_t deadline_ms;                   /* for that; 0: 5000 */
    uint32_t page;                          /* of lists too long for a view: the Nth further 50 rows; 0: the view */
};

struct kontor_view;

/* KONTOR_ENOTFOUND: nobody; KONTOR_EDEADLINE: what a token stands for did not come in time; KONTOR_ETOKEN. */
int kontor_lookup(struct kontor *k, const struct kontor_lookup *what, struct kontor_view **out) KONTOR_MUST;
/* Everything a view gave - text, entities, values - is good until here. */
void kontor_view_free(struct kontor_view *v);

/* Where several people fit there is no customer, but matches.  i from 0; false past the end. */
struct kontor_match {
    const char *id;                      /* look it up with KONTOR_BY_CUSTOMER */
    const char *name, *birth_date, *why; /* "" where not known; why: "phone", .. */
};
size_t kontor_view_matches(const struct kontor_view *v);
bool kontor_view_match(struct kontor_view *v, size_t i, struct kontor_match *out);
bool kontor_view_more(const struct kontor_view *v); /* there were more matches */

/* An entity of a view, with the values that are shown: by the rule of each field the one of a register, sets by first
 * appearance, lists newest first. */
struct kontor_entity;
enum kontor_group {
    KONTOR_CUSTOMER, /* one at most: all source records of a person as one; none for a case without a customer */
    KONTOR_SOURCES,  /* those source records one by one */
    KONTOR_CASES,    /* newest first */
    KONTOR_LICENCES,
    KONTOR_OTHERS, /* tasks, relationships */
};
/* NULL past the end. */
const struct kontor_entity *kontor_view_entity(const struct kontor_view *v, enum kontor_group group, size_t i);
const char *kontor_entity_kind(const struct kontor_entity *e);   /* "customer", "case" */
const char *kontor_entity_id(const struct kontor_entity *e);     /* 32 hexadecimal digits */
const char *kontor_entity_source(const struct kontor_entity *e); /* "revenue:C-1"; "" of KONTOR_CUSTOMER */

/* The values of an entity: the first of a field (NULL: of any) after `after` (NULL: from the start); NULL at the end.
 *
 *     const struct kontor_value *v = NULL;
 *     while ((v = kontor_value_next(customer, "contactPoint", v))) puts(kontor_value_column(v, "value", 0)); */
struct kontor_value;
const struct kontor_value *kontor_value_next(const struct kontor_entity *e, const char *field,
                                             const struct kontor_value *after);
const char *kontor_value_field(const struct kontor_value *v);
/* Its text; references as "revenue:C-1", or "customer:HEX" where the record is not in this view.  "" for a value of
 * columns. */
const char *kontor_value_text(const struct kontor_value *v);
/* The i-th value of a column ("familyName", "period.start"); NULL where there is none. */
const char *kontor_value_column(const struct kontor_value *v, const char *column, size_t i);
uint64_t kontor_value_since_ms(const struct kontor_value *v); /* when it was written */
/* Shorthands: the text of a register, NULL where it has no value; how many rows a list has in all, 0 where it is whole
 * as shown. */
const char *kontor_entity_text(const struct kontor_entity *e, const char *field);
uint64_t kontor_entity_rows(const struct kontor_entity *e, const char *field);

/* What several offices wrote differently, of what is in this view.  false past the end. */
struct kontor_conflict {
    const char *id;    /* 32 hexadecimal digits, the same at every office */
    const char *ref;   /* "revenue:C-1" */
    const char *field; /* "occupation" */
    const char *key;   /* of keyed fields: which one; else "" */
};
bool kontor_view_conflict(struct kontor_view *v, size_t i, struct kontor_conflict *out);
/* The i-th compartment that is kept back from us; NULL past the end. */
const char *kontor_view_withheld(struct kontor_view *v, size_t i);
/* A token: this answer, as the basis of a put. */
const char *kontor_view_basis(const struct kontor_view *v);

/* How fresh the answer is: all that an office wrote up to a time is in it.  false past the end. */
struct kontor_office {
    const char *name;
    bool known; /* false: nothing can be said of it */
    uint64_t complete_through_ms;
};
bool kontor_view_office(struct kontor_view *v, size_t i, struct kontor_office *out);
/* The age of what is known of the office furthest behind; false where it is not known of some office. */
bool kontor_view_worst_age_ms(const struct kontor_view *v, uint64_t *out);

/* ---- conflicts ------------------------------------------------------------------------------------------------ */

struct kontor_conflicts;

/* id NULL: all there are (newest first, 1000 at most); else that one: KONTOR_ENOTFOUND once it is resolved. */
int kontor_conflicts(struct kontor *k, const char *id, struct kontor_conflicts **out) KONTOR_MUST;
void kontor_conflicts_free(struct kontor_conflicts *c);
bool kontor_conflict_at(struct kontor_conflicts *c, size_t i, struct kontor_conflict *out);

/* One of the values in a conflict, newest first.  false past the end. */
struct kontor_claim {
    bool cleared; /* this writer took the value away; then `value` has no text */
    const struct kontor_value *value;
    const char *office, *by; /* who wrote it; "" where not said */
    uint64_t at_ms;
};
bool kontor_conflict_claim(struct kontor_conflicts *c, size_t conflict, size_t i, struct kontor_claim *out);

/* Makes one value stand: text for a plain field, columns for one that has them, neither to clear it.  The writer and
 * purpose come from options (NULL: not said); `token` gets one as kontor_put does, may be NULL. */
int kontor_resolve(struct kontor *k, const char *id, const char *text, const struct kontor_column *columns, size_t n,
                   const struct kontor_put *options, char token[KONTOR_TOKEN_CHARS_MAX + 1]) KONTOR_MUST;

/* ---- the node itself ------------------------------------------------------------------------------------------ */

/* A JSON document (DESIGN section 11) in *json, for the caller to kontor_free.  kontor_verify walks everything the node
 * stores and may take long: KONTOR_EDAMAGED comes with the document. */
int kontor_status(struct kontor *k, char **json) KONTOR_MUST;
int kontor_verify(struct kontor *k, uint32_t deadline_ms, char **json) KONTOR_MUST;
void kontor_free(char *text);

#ifdef __cplusplus
}
#endif

#endif
