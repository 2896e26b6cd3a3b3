/* Entities as JSON, both ways, by the schema's table: what `put` reads and what `lookup --json` shows.
 *
 * Names are those of the schema.  Shape rules: a set, keyed register or list takes an array, or one element alone; a
 * composite with a text takes that text alone; a "." in a column's name nests ("period":{"start":..}); columns of a
 * flat field stand beside the entity's own fields; lists may be named in the singular. */
#ifndef KT_CLI_JSON_H
#define KT_CLI_JSON_H

#include "proto/client/request.h"
#include "proto/schema/schema.h"
#include "proto/view/view.h"

#include <jansson.h>

/* What is wrong with a line, said to the one who wrote it.  No value stands in it; field and reason hold no colon, so
 * that "line N: field: reason: what to do" can be taken apart. */
struct kt_json_fault {
    char field[96], reason[160], todo[320];
};

/* One line of `put` (JSON text, without its line end) as a record; memory from the arena.  References stay text; "", in
 * a column, is as good as nothing.  KT_EMALFORMED, KT_EUTF8, KT_EFIELD, KT_ETYPE, KT_EOVERSIZE, KT_ELIMIT with *fault
 * filled. */
int kt_json_record(struct kt_bytes line, uint32_t number, struct kt_arena *arena, struct kt_record *out,
                   struct kt_json_fault *fault) KT_MUST;
/* The same from parsed JSON, for importers. */
int kt_json_record_of(const json_t *line, uint32_t number, struct kt_arena *arena, struct kt_record *out,
                      struct kt_json_fault *fault) KT_MUST;
/* One value of a field (`conflicts resolve --value`); *clear where it is null. */
int kt_json_value(const struct kt_schema_field *f, struct kt_bytes text, struct kt_arena *arena, struct kt_bytes *value,
                  bool *clear, struct kt_json_fault *fault) KT_MUST;

/* A lookup's answer: {"customer":..,"cases":..,..}, or {"matches":..,"more":..} where several fit.  *out is the
 * caller's to json_decref.  KT_ENOTFOUND: nothing is left to show (deleted); KT_ENOMEM, KT_ELIMIT, and what
 * kt_view_compose says. */
int kt_json_lookup(const struct kt_reply *reply, struct kt_arena *arena, json_t **out) KT_MUST;
/* An answer's parts, new references; NULL: out of memory. */
json_t *kt_json_view(const struct kt_view *view, const struct kt_reply *reply);
json_t *kt_json_matches(const struct kt_reply *reply);
json_t *kt_json_conflicts(const struct kt_reply *reply);
/* {"worst_age_s":..,"offices":{..}}: null where it is not known. */
json_t *kt_json_freshness(const struct kt_reply *reply);
/* One value; refs are shown by their records in `view` (NULL: none). */
json_t *kt_json_of_value(const struct kt_schema_field *f, struct kt_bytes value, const struct kt_view *view);

/* On one line, numbers as short as they read back; the caller frees it.  NULL: out of memory. */
char *kt_json_text(const json_t *j);

#endif
