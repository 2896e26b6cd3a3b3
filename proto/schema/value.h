/* Values as they stand in ops, views and requests.
 *
 * A scalar value is its canonical text (UTF-8): text as given; date "1980-02-29"; datetime in UTC with Z
 * ("2026-03-01T21:10:00Z", fractions only where given); integer and number in the shortest form that reads back;
 * boolean "true" or "false"; ref as 16 bytes of entity id.  A composite value is a protobuf message whose field numbers are
 * the schema's columns, in ascending order, each column's scalar as a length-delimited field, repeated ones repeated.
 * Equal meaning gives equal bytes: nothing is written that is there already. */
#ifndef KT_PROTO_VALUE_H
#define KT_PROTO_VALUE_H

#include "proto/arena.h"
#include "proto/ids.h"
#include "proto/schema/schema.h"

/* Checks and canonicalises one scalar of a type.  Refs are given as "SYSTEM:ID" text and stay text here: the node
 * resolves them (engine/write/write.h).  KT_ETYPE, KT_EUTF8, KT_EOVERSIZE; *why gets a static sentence that says what is
 * expected. */
int kt_scalar_canonical(enum kt_type type, const char *const *allowed, struct kt_bytes in, struct kt_arena *arena,
                        struct kt_bytes *out, const char **why) KT_MUST;
/* Checks a whole value of a field as it may arrive from anywhere. */
int kt_value_check(const struct kt_schema_field *f, struct kt_bytes value) KT_MUST;

/* The first (or next) scalar of a column in a composite value; false where there is none. */
bool kt_value_column(struct kt_bytes value, uint32_t column, struct kt_bytes *out);
bool kt_value_column_next(struct kt_bytes value, uint32_t column, struct kt_reader *at, struct kt_bytes *out);

/* Forms for matching (indexes and element ids): NFC, case folded, inner blanks single; phones as canonical digits. */
int kt_match_text(struct kt_bytes in, struct kt_arena *arena, struct kt_bytes *out) KT_MUST;
/* "+49 30 1234", "0049301234", "030 1234" with country "49" -> "49301234".  country may be empty. */
int kt_match_phone(struct kt_bytes in, struct kt_bytes country, struct kt_arena *arena, struct kt_bytes *out) KT_MUST;
int kt_match_email(struct kt_bytes in, struct kt_arena *arena, struct kt_bytes *out) KT_MUST;

/* The element id of a set element or keyed register: BLAKE2b-128 keyed with KDF of the organisation's id key over the
 * field and the identifying columns, each length-prefixed and NFC, phones as canonical digits. */
int kt_element_id(const struct kt_schema_field *f, const uint8_t id_key[KT_KEY_BYTES], struct kt_bytes phone_country,
                  struct kt_bytes value, struct kt_arena *arena, struct kt_bytes *out) KT_MUST;

#endif
