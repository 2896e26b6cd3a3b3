/* What every field means: the table of fields.h, with the codes its columns allow. */
#include "proto/schema/schema_table.h"
#include "proto/schema/fields.h"

#define CODES(name, ...) static const char *const kt_allowed_##name[] = {__VA_ARGS__, NULL}

CODES(kind, "person", "organisation", "household");
CODES(contact, "phone", "fax", "email", "sms", "url");
CODES(channel, "phone", "letter", "email", "web", "fax", "in_person", "sms", "chat", "social", "kiosk", "mobile_app",
      "referral", "system");
CODES(direction, "in", "out", "internal");
CODES(status, "new", "open", "pending_customer", "pending_internal", "resolved", "closed", "rejected", "cancelled",
      "duplicate");
/* the strictest first */
CODES(consent, "deny", "withdrawn", "permit");
CODES(verdict, "NO_MATCH", "POSSIBLE_MATCH", "MATCH");
CODES(verdict_by, "MANUAL", "AUTO");

#define COLUMN(set, constant, n, text, value_type, ...)                                                                \
    {.number = n, .name = text, .type = KT_##value_type, ##__VA_ARGS__},
#define COLUMN_SET(set)                                                                                                \
    static const struct kt_schema_column kt_columns_##set[] = {KT_COLUMNS_##set(COLUMN){.number = 0}};
KT_COLUMN_SETS(COLUMN_SET)

#define FIELD(kind, constant, n, text, field_shape, field_rule, field_place, value_type, ...)                          \
    {.number = KT_F_##kind##_##constant,                                                                               \
     .name = text,                                                                                                     \
     .shape = KT_##field_shape,                                                                                        \
     .rule = KT_##field_rule,                                                                                          \
     .place = KT_IN_##field_place,                                                                                     \
     .type = KT_##value_type,                                                                                          \
     ##__VA_ARGS__},
const struct kt_schema_field kt_schema_field_table[] = {KT_FIELDS(FIELD){.number = 0}};
const uint32_t kt_schema_field_table_len = sizeof kt_schema_field_table / sizeof kt_schema_field_table[0] - 1;

/* A row stands in a list of a customer, or of a case; it may come without a source id. */
#define ROW(name) KT_HOME_ROW, KT_F_CUSTOMER_##name, KT_F_CASE_##name, false

/* clang-format off */
const struct kt_schema_kind kt_schema_kind_table[KT_KIND_COUNT - 1] = {
    /* kind            name                     plural                    home             needs a source */
    {KT_CUSTOMER,      "customer",              NULL,                     KT_HOME_WARD,    .needs_source = true},
    {KT_IDENTITY_LINK, "identity_link",         NULL,                     KT_HOME_WARD,    .needs_source = false},
    {KT_RELATIONSHIP,  "relationship",          "relationships",          KT_HOME_WARD,    .needs_source = false},
    {KT_CONSENT,       "consent",               NULL,                     KT_HOME_KEYED,   KT_F_CUSTOMER_CONSENT, 0, false},
    {KT_CASE,          "case",                  "cases",                  KT_HOME_WARD,    .needs_source = true},
    {KT_INTERACTION,   "interaction",           "interactions",           ROW(INTERACTION)},
    {KT_TASK,          "task",                  "tasks",                  KT_HOME_PARENT,  .needs_source = true},
    {KT_SATISFACTION,  "satisfaction_response", "satisfaction_responses", ROW(SATISFACTION)},
    {KT_NOTE,          "note",                  "notes",                  ROW(NOTE)},
    {KT_DOCUMENT,      "document_reference",    "document_references",    ROW(DOCUMENT)},
    {KT_LICENCE,       "licence",               "licences",               KT_HOME_WARD,    .needs_source = true},
    {KT_SERVICE,       "service",               "services",               KT_HOME_WARD,    .needs_source = true},
    {KT_QUEUE,         "queue",                 "queues",                 KT_HOME_WARD,    .needs_source = true},
};
/* clang-format on */
