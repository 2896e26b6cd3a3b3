#include "host/verify_report.h"

#include <jansson.h>
#include <stdlib.h>

int kt_verify_report_json(const struct kt_verify_report *r, int code, struct kt_buf *json)
{
    json_t *findings = json_array();
    for (uint32_t i = 0; i < r->findings_len; i++) json_array_append_new(findings, json_string(r->findings[i]));
    json_t *j = json_pack("{s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "sound", code == KT_OK, "batches",
                          (json_int_t)r->batches, "states", (json_int_t)r->states, "rows", (json_int_t)r->rows, "views",
                          (json_int_t)r->views, "index_entries", (json_int_t)r->index_entries, "held",
                          (json_int_t)r->held, "damaged", (json_int_t)r->damaged, "findings", findings);
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    if (text) kt_buf_put(json, kt_str(text));
    free(text);
    json_decref(j);
    return text ? json->err : KT_ENOMEM;
}
