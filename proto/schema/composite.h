/* Values that the node makes of those it is given: references resolved, transitions as rows of a history. */
#ifndef KT_PROTO_COMPOSITE_H
#define KT_PROTO_COMPOSITE_H

#include "proto/schema/value.h"

/* What "SYSTEM:ID" names, of a kind: the source record of that system, or, where the system is the kind's own name and
 * the id 32 hex digits ("customer:0f..."), the entity of that id, as views show what they have no source record for. */
int kt_ref_entity(const uint8_t id_key[KT_KEY_BYTES], uint32_t kind, struct kt_bytes system, struct kt_bytes id,
                  struct kt_entity_id *out) KT_MUST;

/* Rewrites each ref of a client's value, "SYSTEM:ID", as the 16 bytes that `resolve` gives for it; other values come
 * back as they are.  Only for values as clients send them: a ref is text here, whatever its length. */
typedef int (*kt_resolve)(void *ctx, uint32_t kind, struct kt_bytes system, struct kt_bytes id,
                          struct kt_entity_id *out);
int kt_value_resolve_refs(const struct kt_schema_field *f, struct kt_bytes value, kt_resolve resolve, void *ctx,
                          struct kt_arena *arena, struct kt_bytes *out) KT_MUST;

/* The row for the list f->history: register `f` (keyed: the one of these values) went from `from` to `to`, either of
 * them empty for nothing.  Of composites the deciding code is told (of a consent, its decision). */
int kt_history_row(const struct kt_schema_field *f, struct kt_bytes from, struct kt_bytes to, uint64_t at_ms,
                   struct kt_bytes by, struct kt_arena *arena, struct kt_bytes *out) KT_MUST;

/* The code a rule weighs in a value: the value itself, or its first column with a list of allowed codes; *allowed is
 * that list (NULL: none).  Empty where there is none. */
struct kt_bytes kt_value_deciding(const struct kt_schema_field *f, struct kt_bytes value, const char *const **allowed);

#endif
