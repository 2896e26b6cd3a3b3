/* A section within its bounds: the newest cases, licences and rows; of a customer of whom too much is known for one
 * answer, fewer of each, so that the answer stays one.  What was cut is counted, and rows are there by pages. */
#include "engine/view/view_sections.h"
#include "proto/schema/fields.h"

#include <stdlib.h>

static struct kt_bytes requested(const struct kt_view_record *r)
{
    struct kt_bytes v = {0};
    for (uint32_t i = 0; i < r->values_len; i++)
        if (r->values[i].field == KT_F_CASE_REQUESTED) v = r->values[i].value;
    return v;
}

static kt_hlc last_stamp(const struct kt_view_record *r)
{
    kt_hlc t = 0;
    for (uint32_t i = 0; i < r->values_len; i++)
        if (r->values[i].stamp > t) t = r->values[i].stamp;
    return t;
}

static const struct kt_entity_id *ward_of(const struct kt_view_record *r)
{
    static const struct kt_entity_id none;
    return memcmp(&r->parent, &none, sizeof none) ? &r->parent : &r->id;
}

static int rank_of(uint32_t kind) { return kind == KT_CUSTOMER ? 0 : kind == KT_CASE ? 1 : kind == KT_LICENCE ? 2 : 3; }

/* Customers by id, then cases and licences newest first, then the rest by id. */
static int record_order(const void *a, const void *b)
{
    const struct kt_view_record *x = a, *y = b;
    const int rank = rank_of(x->kind);
    if (rank != rank_of(y->kind)) return rank - rank_of(y->kind);
    if (rank == 1 || rank == 2) {
        const int c = kt_bytes_compare(requested(y), requested(x));
        if (c) return c;
        const kt_hlc t = last_stamp(x), u = last_stamp(y);
        if (t != u) return t < u ? 1 : -1;
    }
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return memcmp(&x->id, &y->id, sizeof x->id);
}

/* Takes out the wards past the bound, and what stands inside them. */
static void cut_wards(struct kt_section_draft *s, uint32_t first_cut, uint32_t end_cut)
{
    uint32_t n = end_cut;
    for (uint32_t i = end_cut; i < s->len; i++) {
        bool inside = false;
        for (uint32_t k = first_cut; k < end_cut && !inside; k++)
            inside = memcmp(ward_of(&s->records[i]), &s->records[k].id, KT_ENTITY_ID_BYTES) == 0;
        if (!inside) s->records[n++] = s->records[i];
    }
    memmove(s->records + first_cut, s->records + end_cut, (n - end_cut) * sizeof *s->records);
    s->len = n - (end_cut - first_cut);
}

/* The first `max` records of a kind stay. */
static void cut_kind(struct kt_section_draft *s, uint32_t kind, uint32_t max)
{
    uint32_t first = 0, n = 0;
    while (first < s->len && s->records[first].kind != kind) first++;
    while (first + n < s->len && s->records[first + n].kind == kind) n++;
    if (n > max) cut_wards(s, first + max, first + n);
}

/* One row of a list among the values of a record. */
struct row_values {
    uint32_t first, len;
    const struct kt_view_value *newest;
};

static int newest_row_first(const void *a, const void *b)
{
    const struct kt_view_value *x = ((const struct row_values *)a)->newest, *y = ((const struct row_values *)b)->newest;
    if (x->stamp != y->stamp) return x->stamp < y->stamp ? 1 : -1;
    return kt_dot_compare(&y->dot, &x->dot);
}

static int by_place(const void *a, const void *b)
{
    const struct row_values *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

/* The rows of one list, which begins at `first`; *end: past its last value. */
static uint32_t find_rows(const struct kt_view_record *r, uint32_t first, struct row_values *rows, uint32_t *end)
{
    const struct kt_view_value *v = r->values;
    uint32_t n = 0, i = first;
    for (; i < r->values_len && v[i].field == v[first].field; i++) {
        if (n && kt_bytes_equal(v[i].element, v[rows[n - 1].first].element)) {
            rows[n - 1].len++;
            if (v[i].stamp >= rows[n - 1].newest->stamp) rows[n - 1].newest = &v[i];
        } else {
            rows[n++] = (struct row_values){i, 1, &v[i]};
        }
    }
    *end = i;
    return n;
}

static void count_rows(struct kt_view_record *r, uint32_t field, uint32_t rows)
{
    for (uint32_t i = 0; i < r->counts_len; i++)
        if (r->counts[i].field == field) return; /* cut before: it says how many there are in all */
    r->counts[r->counts_len++] = (struct kt_view_count){field, rows}; /* there is room for one of each list */
}

/* Keeps the newest rows of each list of a record. */
static int cut_rows(struct kt_arena *arena, struct kt_view_record *r, uint32_t max)
{
    struct row_values *rows = kt_arena_array(arena, r->values_len + 1u, sizeof *rows);
    uint32_t kept = 0, first = 0;
    if (!rows) return KT_ELIMIT;
    while (first < r->values_len && !kt_field_is_list(r->values[first].field)) kept = ++first;
    while (first < r->values_len) {
        uint32_t end;
        const uint32_t field = r->values[first].field, n = find_rows(r, first, rows, &end);
        if (n > max) {
            count_rows(r, field, n);
            qsort(rows, n, sizeof *rows, newest_row_first);
            qsort(rows, max, sizeof *rows, by_place);
        }
        for (uint32_t i = 0; i < n && i < max; i++) {
            memmove(r->values + kept, r->values + rows[i].first, rows[i].len * sizeof *r->values);
            kept += rows[i].len;
        }
        first = end;
    }
    r->values_len = kept;
    return KT_OK;
}

/* Does the case itself stand here, or only rows that another system added to it? */
static bool is_whole_case(const struct kt_view_record *r)
{
    return r->kind == KT_CASE && r->values_len && !kt_field_is_list(r->values[0].field);
}

int kt_view_draft_encode(struct kt_view_draft *d, struct kt_section_draft *s, struct kt_buf *out)
{
    static const struct {
        uint32_t wards, rows;
    } bounds[] = {
        {KT_VIEW_CASES_MAX, KT_VIEW_INTERACTIONS_MAX},
        {KT_VIEW_CASES_MAX, 20                      },
        {KT_VIEW_CASES_MAX, 5                       },
        {KT_VIEW_CASES_MAX, 1                       },
        {100,               1                       },
        {25,                1                       },
    };
    const size_t levels = sizeof bounds / sizeof bounds[0], start = out->len;
    uint64_t cases = 0;
    int e = KT_OK;
    if (s->len > 1) qsort(s->records, s->len, sizeof *s->records, record_order);
    for (uint32_t i = 0; i < s->len; i++) cases += is_whole_case(&s->records[i]);
    for (size_t level = 0; level < levels && !e; level++) {
        cut_kind(s, KT_CASE, bounds[level].wards);
        cut_kind(s, KT_LICENCE, bounds[level].wards);
        for (uint32_t i = 0; i < s->len && !e && level; i++) e = cut_rows(d->arena, &s->records[i], bounds[level].rows);
        out->len = start;
        if (!e) e = kt_view_section_encode(s->records, s->len, cases, out);
        if (out->len - start <= KT_VIEW_SECTION_BYTES_MAX) break;
    }
    return e;
}
