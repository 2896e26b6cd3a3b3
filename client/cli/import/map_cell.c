#include "client/cli/import/map_cell.h"

#include <stdio.h>
#include <string.h>

static bool means_nothing(const json_t *none, struct kt_bytes cell)
{
    size_t i;
    json_t *v;
    if (cell.len == 0) return true;
    json_array_foreach((json_t *)none, i, v)
    {
        if (kt_bytes_equal(cell, kt_bytes(json_string_value(v), json_string_length(v)))) return true;
    }
    return false;
}

/* The cell of the column "name"; false: no such column. */
static bool cell_of(const struct kt_cells *c, const char *name, size_t len, struct kt_bytes *out, const char **key)
{
    char text[128];
    if (len >= sizeof text) return false;
    memcpy(text, name, len);
    text[len] = 0;
    *out = kt_bytes(NULL, 0);
    *key = NULL;
    void *at = c->columns ? json_object_iter_at((json_t *)c->columns, text) : NULL;
    if (!at) return c->columns == NULL;
    json_int_t i = json_integer_value(json_object_iter_value(at));
    *key = json_object_iter_key(at);
    if (c->row && i < (json_int_t)c->row->n) *out = c->row->cells[i];
    return true;
}

bool kt_cell_fill(const struct kt_cells *c, const char *text, const json_t *none, struct kt_buf *out, const char **used,
                  char missing[128])
{
    bool names_any = false, filled = false;
    for (const char *at = text; *at;) {
        const char *open = strchr(at, '{'), *close = open ? strchr(open, '}') : NULL, *key;
        struct kt_bytes cell;
        if (!close) {
            kt_buf_put(out, kt_str(at));
            break;
        }
        kt_buf_put(out, kt_bytes(at, (size_t)(open - at)));
        if (!cell_of(c, open + 1, (size_t)(close - open - 1), &cell, &key))
            snprintf(missing, 128, "%.*s", (int)(close - open - 1), open + 1);
        if (!*used) *used = key;
        names_any = true;
        if (!means_nothing(none, cell)) {
            kt_buf_put(out, cell);
            filled = true;
        }
        at = close + 1;
    }
    return filled || !names_any;
}

struct moment {
    unsigned year, month, day, hour, minute, second;
    bool has_time;
};

static unsigned *part_of(struct moment *m, char letter)
{
    switch (letter) {
    case 'Y':
        return &m->year;
    case 'M':
        return &m->month;
    case 'D':
        return &m->day;
    case 'h':
        return &m->hour;
    case 'm':
        return &m->minute;
    case 's':
        return &m->second;
    default:
        return NULL;
    }
}

/* Digit for letter, everything else as it stands. */
static bool read_moment(struct kt_bytes text, const char *format, struct moment *m)
{
    if (strlen(format) != text.len) return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned *part = part_of(m, format[i]);
        if (!part && text.data[i] != (uint8_t)format[i]) return false;
        if (!part) continue;
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        *part = *part * 10 + (text.data[i] - '0');
        if (strchr("hms", format[i])) m->has_time = true;
    }
    return m->year <= 9999 && m->month <= 99 && m->day <= 99 && m->hour <= 99 && m->minute <= 99 && m->second <= 99;
}

int kt_cell_date(struct kt_bytes text, const char *format, const char *zone, struct kt_buf *out)
{
    struct moment m = {0};
    char made[64];
    if (!read_moment(text, format, &m)) return KT_ETYPE;
    int len = snprintf(made, sizeof made, "%04u-%02u-%02u", m.year, m.month, m.day);
    if (m.has_time)
        len += snprintf(made + len, sizeof made - (size_t)len, "T%02u:%02u:%02u%.8s", m.hour, m.minute, m.second, zone);
    kt_buf_put(out, kt_bytes(made, (size_t)len));
    return KT_OK;
}
