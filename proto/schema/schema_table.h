/* The table behind proto/schema/schema.h, for schema.c alone: fields in order of number, kinds in order of theirs. */
#ifndef KT_PROTO_SCHEMA_TABLE_H
#define KT_PROTO_SCHEMA_TABLE_H

#include "proto/schema/schema.h"

/* Ends with number 0. */
extern const struct kt_schema_field kt_schema_field_table[];
extern const uint32_t kt_schema_field_table_len;
/* One for each kind, kind k at k - 1. */
extern const struct kt_schema_kind kt_schema_kind_table[KT_KIND_COUNT - 1];

#endif
