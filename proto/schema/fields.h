/* Every field and column of the schema, by name: one table, read twice - here for the constants (KT_F_CUSTOMER_NAME,
 * KT_C_NAME_USE), in schema_table.c for what they mean.
 *
 * Numbers are part of the format: a number once given is never given again, a column that goes leaves a gap.
 * Registers and sets count from 1, lists from 0x80.  1 to 6 mean the same in every kind. */
#ifndef KT_PROTO_FIELDS_H
#define KT_PROTO_FIELDS_H

#include "proto/schema/schema.h"

/* In the rows of every list these columns name the source record. */
#define KT_C_ROW_SOURCE_SYSTEM 1u
#define KT_C_ROW_SOURCE_ID     2u

#define KT_ID   .identifying = true
#define KT_MANY .repeated = true

/* clang-format off */

/* X(set, COLUMN, number, name in JSON, type, more): a "." in a name nests: {"period":{"start":..}} */
#define KT_COLUMNS_SOURCE(X)                                                                                           \
    X(SOURCE, SYSTEM,         1, "system",         CODE, KT_ID)                                                        \
    X(SOURCE, ID,             2, "id",             TEXT, KT_ID)
#define KT_COLUMNS_NAME(X)                                                                                             \
    X(NAME, USE,              1, "use",            CODE, KT_ID)                                                        \
    X(NAME, FAMILY,           2, "familyName",     TEXT, KT_ID)                                                        \
    X(NAME, GIVEN,            3, "givenName",      TEXT, KT_ID, KT_MANY)                                               \
    X(NAME, PREFIX,           4, "prefix",         TEXT)                                                               \
    X(NAME, SUFFIX,           5, "suffix",         TEXT)                                                               \
    X(NAME, TEXT,             6, "text",           TEXT, KT_ID)
#define KT_COLUMNS_ADDRESS(X)                                                                                          \
    X(ADDRESS, USE,           1, "use",              CODE, KT_ID)                                                      \
    X(ADDRESS, THOROUGHFARE,  2, "thoroughfare",     TEXT, KT_ID)                                                      \
    X(ADDRESS, LOCATOR,       3, "locatorDesignator", TEXT, KT_ID)                                                     \
    X(ADDRESS, POST_NAME,     4, "postName",         TEXT, KT_ID)                                                      \
    X(ADDRESS, POST_CODE,     5, "postCode",         TEXT, KT_ID)                                                      \
    X(ADDRESS, ADMIN_UNIT,    6, "adminUnitL1",      TEXT, KT_ID)                                                      \
    X(ADDRESS, TEXT,          7, "text",             TEXT, KT_ID)                                                      \
    X(ADDRESS, LAT,           8, "lat",              NUMBER)                                                           \
    X(ADDRESS, LONG,          9, "long",             NUMBER)
#define KT_COLUMNS_CONTACT(X)                                                                                          \
    X(CONTACT, SYSTEM,        1, "system",         CODE, KT_ID, .allowed = kt_allowed_contact)                         \
    X(CONTACT, VALUE,         2, "value",          TEXT, KT_ID)                                                        \
    X(CONTACT, USE,           3, "use",            CODE)                                                               \
    X(CONTACT, RANK,          4, "rank",           INTEGER)
#define KT_COLUMNS_IDENTIFIER(X)                                                                                       \
    X(IDENTIFIER, SYSTEM,     1, "system",         CODE, KT_ID)                                                        \
    X(IDENTIFIER, VALUE,      2, "value",          TEXT, KT_ID)                                                        \
    X(IDENTIFIER, USE,        3, "use",            CODE)                                                               \
    X(IDENTIFIER, START,      4, "period.start",   DATE)                                                               \
    X(IDENTIFIER, END,        5, "period.end",     DATE)
#define KT_COLUMNS_CONSENT(X)                                                                                          \
    X(CONSENT, PURPOSE,       1, "purpose",        CODE, KT_ID)                                                        \
    X(CONSENT, DECISION,      2, "decision",       CODE, .allowed = kt_allowed_consent)                                \
    X(CONSENT, SCOPE,         3, "scope",          TEXT)                                                               \
    X(CONSENT, BASIS,         4, "basis",          TEXT)                                                               \
    X(CONSENT, FROM,          5, "validFrom",      DATE)                                                               \
    X(CONSENT, UNTIL,         6, "validUntil",     DATE)
#define KT_COLUMNS_VERDICT(X)                                                                                          \
    X(VERDICT, VERDICT,       1, "verdict",        CODE, .allowed = kt_allowed_verdict)                                \
    X(VERDICT, BY,            2, "by",             CODE, .allowed = kt_allowed_verdict_by)                             \
    X(VERDICT, SCORE,         3, "score",          NUMBER)                                                             \
    X(VERDICT, REASON,        4, "reason",         TEXT)
#define KT_COLUMNS_PERIOD(X)                                                                                           \
    X(PERIOD, START,          1, "start",          DATE)                                                               \
    X(PERIOD, END,            2, "end",            DATE)
#define KT_COLUMNS_ROLE(X)                                                                                             \
    X(ROLE, REF,              1, "ref",            REF, KT_ID, .ref_kind = KT_CUSTOMER)                                \
    X(ROLE, ROLE,             2, "role",           CODE, KT_ID)
#define KT_COLUMNS_LOCATION(X)                                                                                         \
    X(LOCATION, TEXT,         1, "text",           TEXT)                                                               \
    X(LOCATION, LAT,          2, "lat",            NUMBER)                                                             \
    X(LOCATION, LONG,         3, "long",           NUMBER)                                                             \
    X(LOCATION, ADMIN_UNIT,   4, "adminUnitL1",    TEXT)                                                               \
    X(LOCATION, POST_CODE,    5, "postCode",       TEXT)
#define KT_COLUMNS_ATTRIBUTE(X)                                                                                        \
    X(ATTRIBUTE, CODE,        1, "code",           CODE, KT_ID)                                                        \
    X(ATTRIBUTE, VALUE,       2, "value",          TEXT)                                                               \
    X(ATTRIBUTE, LABEL,       3, "label",          TEXT)

/* rows: source columns first, in each */
#define KT_COLUMNS_ROW(X, set)                                                                                         \
    X(set, SOURCE_SYSTEM,     1, "source_system",  CODE)                                                               \
    X(set, SOURCE_ID,         2, "source_id",      TEXT)
#define KT_COLUMNS_INTERACTION(X)                                                                                      \
    KT_COLUMNS_ROW(X, INTERACTION)                                                                                     \
    X(INTERACTION, CHANNEL,     3, "channel",      CODE, .allowed = kt_allowed_channel)                                \
    X(INTERACTION, DIRECTION,   4, "direction",    CODE, .allowed = kt_allowed_direction)                              \
    X(INTERACTION, OCCURRED,    5, "occurred",     DATETIME)                                                           \
    X(INTERACTION, SUBJECT,     6, "subject",      TEXT)                                                               \
    X(INTERACTION, BODY,        7, "body",         TEXT)                                                               \
    X(INTERACTION, EXTERNAL_ID, 8, "external_id",  TEXT)                                                               \
    X(INTERACTION, AGENT,       9, "agent",        TEXT)                                                               \
    X(INTERACTION, INTERNAL,   10, "internal",     BOOLEAN)
#define KT_COLUMNS_NOTE_ROW(X) \
    KT_COLUMNS_ROW(X, NOTE_ROW) \
    X(NOTE_ROW, TEXT,         3, "text",           TEXT)                                                               \
    X(NOTE_ROW, AT,           4, "at",             DATETIME)                                                           \
    X(NOTE_ROW, TYPE,         5, "type",           CODE)                                                               \
    X(NOTE_ROW, AUTHOR,       6, "author",         TEXT)                                                               \
    X(NOTE_ROW, INTERNAL,     7, "internal",       BOOLEAN)
#define KT_COLUMNS_SATISFACTION(X)                                                                                     \
    KT_COLUMNS_ROW(X, SATISFACTION)                                                                                    \
    X(SATISFACTION, AT,       3, "at",             DATETIME)                                                           \
    X(SATISFACTION, CHANNEL,  4, "channel",        CODE, .allowed = kt_allowed_channel)                                \
    X(SATISFACTION, QUESTION, 5, "question",       TEXT)                                                               \
    X(SATISFACTION, SCORE,    6, "score",          NUMBER)                                                             \
    X(SATISFACTION, SCALE,    7, "scale",          TEXT)                                                               \
    X(SATISFACTION, COMMENT,  8, "comment",        TEXT)
#define KT_COLUMNS_DOCUMENT(X)                                                                                         \
    KT_COLUMNS_ROW(X, DOCUMENT)                                                                                        \
    X(DOCUMENT, TYPE,         3, "type",           CODE)                                                               \
    X(DOCUMENT, TITLE,        4, "title",          TEXT)                                                               \
    X(DOCUMENT, DATE,         5, "date",           DATETIME)                                                           \
    X(DOCUMENT, URL,          6, "url",            TEXT)                                                               \
    X(DOCUMENT, CONTENT_TYPE, 7, "contentType",    CODE)                                                               \
    X(DOCUMENT, SIZE,         8, "size",           INTEGER)                                                            \
    X(DOCUMENT, HASH,         9, "hash",           TEXT)                                                               \
    X(DOCUMENT, AUTHOR,      10, "author",         TEXT)
#define KT_COLUMNS_DESCRIPTION(X)                                                                                      \
    KT_COLUMNS_ROW(X, DESCRIPTION)                                                                                     \
    X(DESCRIPTION, TEXT,      3, "text",           TEXT, KT_ID)                                                        \
    X(DESCRIPTION, AT,        4, "at",             DATETIME, KT_ID)
#define KT_COLUMNS_EVENT(X)                                                                                            \
    KT_COLUMNS_ROW(X, EVENT)                                                                                           \
    X(EVENT, TYPE,            3, "type",           CODE, KT_ID)                                                        \
    X(EVENT, DATE,            4, "date",           DATE, KT_ID)                                                        \
    X(EVENT, TEXT,            5, "text",           TEXT, KT_ID)                                                        \
    X(EVENT, STATUS,          6, "status",         CODE, KT_ID)                                                        \
    X(EVENT, FROM,            7, "validFrom",      DATE, KT_ID)                                                        \
    X(EVENT, UNTIL,           8, "validUntil",     DATE, KT_ID)
/* one transition of a register, written by the node (proto/schema/composite.h) */
#define KT_COLUMNS_HISTORY(X)                                                                                          \
    KT_COLUMNS_ROW(X, HISTORY)                                                                                         \
    X(HISTORY, WHAT,          3, "what",           CODE)  /* which register, or of keyed ones: which key */            \
    X(HISTORY, VALUE,         4, "value",          TEXT)  /* what it became; absent: cleared */                        \
    X(HISTORY, FROM,          5, "from",           TEXT)  /* what it was; absent: nothing */                           \
    X(HISTORY, AT,            6, "at",             DATETIME)                                                           \
    X(HISTORY, BY,            7, "by",             TEXT)

#define KT_DERIVED .derived = true
#define KT_COLS(set) .columns = kt_columns_##set

/* X(KIND, FIELD, n, name in JSON, shape, rule, place, type, more) */
#define KT_FIELDS_COMMON(X, kind, place)                                                                               \
    X(kind, OFFICE,           0x01, "office",        REGISTER, EARLIEST,  place, CODE,     KT_DERIVED)                 \
    X(kind, AGENCY,           0x02, "agency",        REGISTER, EARLIEST,  place, CODE,     KT_DERIVED)                 \
    X(kind, CREATED,          0x03, "created",       REGISTER, EARLIEST,  place, DATETIME, KT_DERIVED)                 \
    KT_FIELDS_COMMON_REST(X, kind, place)
#define KT_FIELDS_COMMON_REST(X, kind, place)                                                                          \
    X(kind, DELETED,          0x04, "deleted",       REGISTER, STRICTEST, place, BOOLEAN,  KT_DERIVED)                 \
    X(kind, RETENTION_UNTIL,  0x05, "retention_until", REGISTER, LATEST,  place, DATE)                                 \
    X(kind, SOURCE,           0x06, "source",        REGISTER, EARLIEST,  place, COMPOSITE, KT_DERIVED, KT_COLS(SOURCE))

#define KT_FIELDS(X)                                                                                                   \
    KT_FIELDS_COMMON(X, CUSTOMER, CORE)                                                                                \
    X(CUSTOMER, KIND,         0x10, "kind",          REGISTER, LATEST,    CORE, CODE, .allowed = kt_allowed_kind)      \
    X(CUSTOMER, BIRTH_DATE,   0x11, "birthDate",     REGISTER, LATEST,    CORE, DATE)                                  \
    X(CUSTOMER, DEATH_DATE,   0x12, "deathDate",     REGISTER, LATEST,    CORE, DATE)                                  \
    X(CUSTOMER, GENDER,       0x13, "gender",        REGISTER, LATEST,    CORE, CODE)                                  \
    X(CUSTOMER, LANGUAGE,     0x14, "language",      SET,      LATEST,    CORE, CODE)                                  \
    X(CUSTOMER, LEGAL_NAME,   0x15, "legalName",     REGISTER, LATEST,    CORE, TEXT)                                  \
    X(CUSTOMER, TRADE_NAME,   0x16, "tradeName",     SET,      LATEST,    CORE, TEXT)                                  \
    X(CUSTOMER, NAME,         0x17, "name",          SET,      LATEST,    CORE, COMPOSITE, KT_COLS(NAME))              \
    X(CUSTOMER, ADDRESS,      0x18, "address",       SET,      LATEST,    CORE, COMPOSITE, KT_COLS(ADDRESS))           \
    X(CUSTOMER, CONTACT_POINT, 0x19, "contactPoint", SET,      LATEST,    CORE, COMPOSITE, KT_COLS(CONTACT),           \
                                                                                .index = KT_INDEX_PHONE)               \
    X(CUSTOMER, PREFERRED_CHANNEL, 0x1a, "preferredChannel", REGISTER, LATEST, CORE, CODE,                             \
                                                                                       .allowed = kt_allowed_channel)  \
    X(CUSTOMER, FLAG,         0x1b, "flag",          SET,      STRICTEST, CORE, CODE)                                  \
    X(CUSTOMER, CONSENT,      0x1c, "consent",       REGISTER, STRICTEST, CORE, COMPOSITE, KT_COLS(CONSENT),           \
                                                          .keyed = true, .history = KT_F_CUSTOMER_CONSENT_HISTORY)     \
    X(CUSTOMER, IDENTIFIER,   0x30, "identifier",    SET,      LATEST,    OWN,  COMPOSITE, KT_COLS(IDENTIFIER),        \
                                                                                .index = KT_INDEX_IDENTIFIER)          \
    X(CUSTOMER, OCCUPATION,   0x31, "occupation",    REGISTER, LATEST,    OWN,  TEXT)                                  \
    X(CUSTOMER, LEGAL_FORM,   0x32, "legalForm",     REGISTER, LATEST,    OWN,  TEXT)                                  \
    X(CUSTOMER, ACTIVITY,     0x33, "activity",      SET,      LATEST,    OWN,  TEXT)                                  \
    X(CUSTOMER, STATUS,       0x34, "status",        REGISTER, LATEST,    OWN,  CODE)                                  \
    X(CUSTOMER, TAG,          0x35, "tag",           SET,      LATEST,    OWN,  CODE)                                  \
    X(CUSTOMER, INTERACTION,  0x80, "interactions",  LIST,     LATEST,    OWN,  COMPOSITE, KT_COLS(INTERACTION))       \
    X(CUSTOMER, NOTE,         0x81, "notes",         LIST,     LATEST,    OWN,  COMPOSITE, KT_COLS(NOTE_ROW))          \
    X(CUSTOMER, DOCUMENT,     0x82, "document_references", LIST, LATEST,  OWN,  COMPOSITE, KT_COLS(DOCUMENT))          \
    X(CUSTOMER, SATISFACTION, 0x83, "satisfaction_responses", LIST, LATEST, OWN, COMPOSITE, KT_COLS(SATISFACTION))     \
    X(CUSTOMER, CONSENT_HISTORY, 0x90, "consent_history", LIST, LATEST,   CORE, COMPOSITE,                             \
                                                                                        KT_DERIVED, KT_COLS(HISTORY))  \
                                                                                                                       \
    KT_FIELDS_COMMON(X, IDENTITY_LINK, CORE)                                                                           \
    X(IDENTITY_LINK, A,       0x10, "a",             REGISTER, EARLIEST,  CORE, REF, .ref_kind = KT_CUSTOMER)          \
    X(IDENTITY_LINK, B,       0x11, "b",             REGISTER, EARLIEST,  CORE, REF, .ref_kind = KT_CUSTOMER)          \
    X(IDENTITY_LINK, VERDICT, 0x12, "verdict",       REGISTER, STRICTEST, CORE, COMPOSITE,                             \
                                                                                      KT_COLS(VERDICT), .flat = true)  \
                                                                                                                       \
    KT_FIELDS_COMMON(X, RELATIONSHIP, CORE)                                                                            \
    X(RELATIONSHIP, FROM,     0x10, "from",          REGISTER, EARLIEST,  CORE, REF, .ref_kind = KT_CUSTOMER)          \
    X(RELATIONSHIP, TO,       0x11, "to",            REGISTER, EARLIEST,  CORE, REF, .ref_kind = KT_CUSTOMER)          \
    X(RELATIONSHIP, TYPE,     0x12, "type",          REGISTER, EARLIEST,  CORE, CODE)                                  \
    X(RELATIONSHIP, SCOPE,    0x13, "scope",         REGISTER, LATEST,    CORE, TEXT)                                  \
    X(RELATIONSHIP, PERIOD,   0x14, "period",        REGISTER, LATEST,    CORE, COMPOSITE, KT_COLS(PERIOD))            \
                                                                                                                       \
    KT_FIELDS_COMMON(X, CASE, OWN)                                                                                     \
    X(CASE, NUMBER,           0x10, "number",        REGISTER, LATEST,    OWN,  CODE, .index = KT_INDEX_CASE_NUMBER)   \
    X(CASE, SERVICE_CODE,     0x11, "service_code",  REGISTER, LATEST,    OWN,  CODE)                                  \
    X(CASE, SERVICE_NAME,     0x12, "service_name",  REGISTER, LATEST,    OWN,  TEXT)                                  \
    X(CASE, SUBJECT,          0x13, "subject",       REGISTER, LATEST,    OWN,  TEXT)                                  \
    X(CASE, CUSTOMER,         0x14, "customer",      SET,      LATEST,    OWN,  COMPOSITE, KT_COLS(ROLE))              \
    X(CASE, CHANNEL,          0x15, "channel",       REGISTER, LATEST,    OWN,  CODE, .allowed = kt_allowed_channel)   \
    X(CASE, INTENTION,        0x16, "intention",     REGISTER, LATEST,    OWN,  CODE)                                  \
    X(CASE, STATUS,           0x17, "status",        REGISTER, LATEST,    OWN,  CODE, .allowed = kt_allowed_status,    \
                                                                                .history = KT_F_CASE_STATUS_HISTORY)   \
    X(CASE, STATUS_NOTES,     0x18, "status_notes",  REGISTER, LATEST,    OWN,  TEXT)                                  \
    X(CASE, PRIORITY,         0x19, "priority",      REGISTER, LATEST,    OWN,  CODE)                                  \
    X(CASE, QUEUE,            0x1a, "queue",         REGISTER, LATEST,    OWN,  CODE,                                  \
                                                                             .history = KT_F_CASE_ASSIGNMENT_HISTORY)  \
    X(CASE, AGENT,            0x1b, "agent",         REGISTER, LATEST,    OWN,  CODE,                                  \
                                                                             .history = KT_F_CASE_ASSIGNMENT_HISTORY)  \
    X(CASE, AGENCY_RESPONSIBLE, 0x1c, "agency_responsible", REGISTER, LATEST, OWN, TEXT)                               \
    X(CASE, REQUESTED,        0x1d, "requested_datetime", REGISTER, LATEST, OWN, DATETIME)                             \
    X(CASE, UPDATED,          0x1e, "updated_datetime",   REGISTER, LATEST, OWN, DATETIME)                             \
    X(CASE, EXPECTED,         0x1f, "expected_datetime",  REGISTER, LATEST, OWN, DATETIME)                             \
    X(CASE, CLOSED,           0x20, "closed_datetime",    REGISTER, LATEST, OWN, DATETIME)                             \
    X(CASE, DUPLICATE_OF,     0x21, "duplicate_of",  REGISTER, LATEST,    OWN,  REF, .ref_kind = KT_CASE)              \
    X(CASE, PARENT,           0x22, "parent",        REGISTER, LATEST,    OWN,  REF, .ref_kind = KT_CASE)              \
    X(CASE, LOCATION,         0x23, "location",      REGISTER, LATEST,    OWN,  COMPOSITE, KT_COLS(LOCATION))          \
    X(CASE, ATTRIBUTE,        0x24, "attribute",     REGISTER, LATEST,    OWN,  COMPOSITE,                             \
                                                                                   KT_COLS(ATTRIBUTE), .keyed = true)  \
    X(CASE, TAG,              0x25, "tag",           SET,      LATEST,    OWN,  CODE)                                  \
    X(CASE, INTERACTION,      0x80, "interactions",  LIST,     LATEST,    OWN,  COMPOSITE, KT_COLS(INTERACTION))       \
    X(CASE, NOTE,             0x81, "notes",         LIST,     LATEST,    OWN,  COMPOSITE, KT_COLS(NOTE_ROW))          \
    X(CASE, DOCUMENT,         0x82, "document_references", LIST, LATEST,  OWN,  COMPOSITE, KT_COLS(DOCUMENT))          \
    X(CASE, SATISFACTION,     0x83, "satisfaction_responses", LIST, LATEST, OWN, COMPOSITE, KT_COLS(SATISFACTION))     \
    X(CASE, DESCRIPTION,      0x84, "description",   LIST,     LATEST,    OWN,  COMPOSITE, KT_COLS(DESCRIPTION))       \
    X(CASE, STATUS_HISTORY,   0x90, "status_history", LIST,    LATEST,    OWN,  COMPOSITE,                             \
                                                                                        KT_DERIVED, KT_COLS(HISTORY))  \
    X(CASE, ASSIGNMENT_HISTORY, 0x91, "assignment_history", LIST, LATEST, OWN,  COMPOSITE,                             \
                                                                                        KT_DERIVED, KT_COLS(HISTORY))  \
                                                                                                                       \
    KT_FIELDS_COMMON(X, TASK, OWN)                                                                                     \
    X(TASK, PARENT,           0x10, "parent",        REGISTER, EARLIEST,  OWN,  REF, KT_DERIVED, .ref_kind = KT_CASE)  \
    X(TASK, TYPE,             0x11, "type",          REGISTER, LATEST,    OWN,  CODE)                                  \
    X(TASK, STATUS,           0x12, "status",        REGISTER, LATEST,    OWN,  CODE)                                  \
    X(TASK, DUE,              0x13, "due",           REGISTER, LATEST,    OWN,  DATETIME)                              \
    X(TASK, OWNER,            0x14, "owner",         REGISTER, LATEST,    OWN,  TEXT)                                  \
    X(TASK, OUTCOME,          0x15, "outcome",       REGISTER, LATEST,    OWN,  TEXT)                                  \
                                                                                                                       \
    KT_FIELDS_COMMON(X, LICENCE, OWN)                                                                                  \
    X(LICENCE, NUMBER,        0x10, "number",        REGISTER, LATEST,    OWN,  CODE, .index = KT_INDEX_IDENTIFIER)    \
    X(LICENCE, TYPE_CODE,     0x11, "type_code",     REGISTER, LATEST,    OWN,  CODE)                                  \
    X(LICENCE, TYPE_NAME,     0x12, "type_name",     REGISTER, LATEST,    OWN,  TEXT)                                  \
    X(LICENCE, ISSUING_AGENCY, 0x13, "issuing_agency", REGISTER, LATEST,  OWN,  TEXT)                                  \
    X(LICENCE, HOLDER,        0x14, "holder",        REGISTER, LATEST,    OWN,  REF, .ref_kind = KT_CUSTOMER)          \
    X(LICENCE, SITE,          0x15, "site",          REGISTER, LATEST,    OWN,  TEXT)                                  \
    X(LICENCE, STATUS,        0x16, "status",        REGISTER, LATEST,    OWN,  CODE)                                  \
    X(LICENCE, VALID_FROM,    0x17, "validFrom",     REGISTER, LATEST,    OWN,  DATE)                                  \
    X(LICENCE, VALID_UNTIL,   0x18, "validUntil",    REGISTER, LATEST,    OWN,  DATE)                                  \
    X(LICENCE, LOCATION,      0x19, "location",      REGISTER, LATEST,    OWN,  COMPOSITE, KT_COLS(LOCATION))          \
    X(LICENCE, EVENT,         0x80, "events",        LIST,     LATEST,    OWN,  COMPOSITE, KT_COLS(EVENT))             \
                                                                                                                       \
    KT_FIELDS_CATALOGUE(X, SERVICE)                                                                                    \
    KT_FIELDS_CATALOGUE(X, QUEUE)

#define KT_FIELDS_CATALOGUE(X, kind)                                                                                   \
    X(kind, OFFICE,           0x01, "office",        REGISTER, EARLIEST,  CORE, CODE,     KT_DERIVED)                  \
    X(kind, AGENCY,           0x02, "agency",        REGISTER, LATEST,    CORE, TEXT)                                  \
    X(kind, CREATED,          0x03, "created",       REGISTER, EARLIEST,  CORE, DATETIME, KT_DERIVED)                  \
    KT_FIELDS_COMMON_REST(X, kind, CORE)                                                                               \
    X(kind, CODE,             0x10, "code",          REGISTER, LATEST,    CORE, CODE)                                  \
    X(kind, NAME,             0x11, "name",          REGISTER, LATEST,    CORE, TEXT)                                  \
    X(kind, DESCRIPTION,      0x12, "description",   REGISTER, LATEST,    CORE, TEXT)

/* clang-format on */

#define KT_FIELD_CONSTANT(kind, name, n, ...) KT_F_##kind##_##name = KT_##kind << 8 | (n),
enum kt_field_number { KT_FIELDS(KT_FIELD_CONSTANT) KT_F_NONE = 0 };
#undef KT_FIELD_CONSTANT

/* The fields every entity has, by their n. */
enum kt_common_field {
    KT_N_OFFICE = 1,
    KT_N_AGENCY = 2,
    KT_N_CREATED = 3,
    KT_N_DELETED = 4,
    KT_N_RETENTION_UNTIL = 5,
    KT_N_SOURCE = 6
};

#define KT_COLUMN_SETS(S)                                                                                              \
    S(SOURCE) S(NAME) S(ADDRESS) S(CONTACT) S(IDENTIFIER) S(CONSENT) S(VERDICT) S(PERIOD) S(ROLE) S(LOCATION)          \
    S(ATTRIBUTE) S(INTERACTION) S(NOTE_ROW) S(SATISFACTION) S(DOCUMENT) S(DESCRIPTION) S(EVENT) S(HISTORY)

#define KT_COLUMN_CONSTANT(set, name, number, ...) KT_C_##set##_##name = number,
#define KT_COLUMN_SET_CONSTANTS(set)               KT_COLUMNS_##set(KT_COLUMN_CONSTANT)
enum kt_column_number { KT_COLUMN_SETS(KT_COLUMN_SET_CONSTANTS) KT_C_NONE = 0 };
#undef KT_COLUMN_SET_CONSTANTS
#undef KT_COLUMN_CONSTANT

#endif
