/* Which columns of a CSV file become which fields: a map, read from JSON, and what it makes of a row.
 *
 * A map is
 *
 *   {"source_system":"shop", "entities":[{"entity":"customer", "source_id":"{No}", "fields":{..}}, ..]}
 *
 * (one entity may stand at the top itself).  "fields" has the form of a put line, with text that holds "{Column}" where
 * cells go.  Text of whose columns all are empty is left out, so is an object or list that is left without any cell.
 * Instead of a text a rule may stand:
 *
 *   {"$":TEXT or [TEXT,..], "with":", ",    several, those that are there joined
 *    "none":["0.0","n/a"],                  cells that mean nothing
 *    "map":{"Open":"open"},                 cells that have another name here; what it lacks is a bad value
 *    "date":"MM/DD/YYYY", "zone":"+00:00",  how a date or time is written: Y M D h m s are digits
 *    "split":" | "}                         one cell, several elements
 *
 * and an object with "?":TEXT stands only where that text does.
 *
 * Values are checked by the type of their field: a cell that cannot be one is named, and its record does without it. */
#ifndef KT_CLI_MAP_H
#define KT_CLI_MAP_H

#include "client/cli/import/csv.h"
#include "client/cli/json/json.h"

struct kt_map;

/* KT_EMALFORMED, KT_EFIELD, KT_ENOMEM with one line in `why`. */
int kt_map_load(struct kt_bytes text, struct kt_map **out, char why[256]) KT_MUST;
void kt_map_free(struct kt_map *m);

/* The first row of the file: which column is where.  KT_EFIELD: the map names one that is not there (in `why`). */
int kt_map_header(struct kt_map *m, const struct kt_csv_row *header, char why[256]) KT_MUST;

/* How many entities each row makes. */
uint32_t kt_map_entities(const struct kt_map *m);

/* Told of each cell that was left out; `fault->field` is the column. */
typedef void (*kt_map_bad_value)(void *ctx, uint32_t line, const struct kt_json_fault *fault);

/* Entity i of a row as a record; memory from the arena.  The errors of kt_json_record_of, with *fault. */
int kt_map_record(const struct kt_map *m, uint32_t i, const struct kt_csv_row *row, struct kt_arena *arena,
                  kt_map_bad_value bad, void *ctx, struct kt_record *out, struct kt_json_fault *fault) KT_MUST;

/* The map of a preset ("sf311"), as JSON; NULL: no such preset.  i-th name for help: NULL past the end. */
const char *kt_preset_map(const char *name);
const char *kt_preset_name(unsigned i);

#endif
