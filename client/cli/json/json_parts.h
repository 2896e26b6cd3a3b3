/* What the files of JSON reading share: a line on its way to becoming a record, and its first fault. */
#ifndef KT_CLI_JSON_PARTS_H
#define KT_CLI_JSON_PARTS_H

#include "client/cli/json/json.h"

struct kt_json_put {
    struct kt_arena *arena;
    struct kt_json_fault *fault;
    int err; /* the first; later steps do nothing */
};

/* Keeps the first fault.  `field` may be any text (what cannot stand in a fault is taken out). */
void kt_json_refuse(struct kt_json_put *p, int code, const char *field, const char *reason, const char *todo);

/* JSON to one encoded value of a field.  naming: only what identifies the element is needed (removal). */
struct kt_bytes kt_json_encode(struct kt_json_put *p, const struct kt_schema_field *f, const json_t *v, bool naming);
/* A row of a list, as kt_json_encode, from an entity's top level: keys in `taken` (ending with NULL) are not columns.
 */
struct kt_bytes kt_json_encode_columns(struct kt_json_put *p, const struct kt_schema_field *f, const json_t *object,
                                       const char *const *taken, const char *label, bool naming);
/* A name as source systems, source ids: text of KT_NAME_BYTES_MAX at most; empty where it is not there. */
struct kt_bytes kt_json_name(struct kt_json_put *p, const json_t *object, const char *key);
/* "SYSTEM:ID" taken apart. */
void kt_json_ref(struct kt_json_put *p, const json_t *v, const char *key, struct kt_bytes *system, struct kt_bytes *id);

#endif
