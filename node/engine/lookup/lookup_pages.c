/* Further rows of lists too long for a view: page 1 goes on where the view ended, with 50 rows of each list that was
 * cut, page 2 after those. */
#include "engine/lookup/lookup_state.h"
#include "engine/view/view_sections.h"

/* How many rows of a list the view shows. */
static uint32_t rows_shown(const struct kt_view_record *r, uint32_t field)
{
    uint32_t n = 0;
    const struct kt_view_value *last = NULL;
    for (uint32_t i = 0; i < r->values_len; i++) {
        const struct kt_view_value *v = &r->values[i];
        if (v->field != field) continue;
        n += !last || !kt_bytes_equal(v->element, last->element);
        last = v;
    }
    return n;
}

static int add_rows(struct kt_looking *k, kt_compartment c, const struct kt_view_record *from, uint32_t page,
                    struct kt_view_record *out)
{
    static const struct kt_entity_id none;
    const struct kt_entity_id *ward_id = memcmp(&from->parent, &none, sizeof none) ? &from->parent : &from->id;
    struct kt_ward *ward;
    int e = kt_workset_ward(k->w, c, ward_id, &ward);
    *out = (struct kt_view_record){.kind = from->kind, .id = from->id, .parent = from->parent};
    out->counts = from->counts;
    out->counts_len = from->counts_len;
    for (uint32_t i = 0; i < from->counts_len && !e; i++) {
        const struct kt_slot **rows;
        uint32_t len, values = out->values_len;
        uint64_t in_all;
        const uint64_t skip = rows_shown(from, from->counts[i].field) + (page - 1ull) * KT_VIEW_INTERACTIONS_MAX;
        e = kt_view_rows(k->w, ward, &from->id, from->counts[i].field, skip, KT_VIEW_INTERACTIONS_MAX,
                         kt_workset_arena(k->w), &rows, &len, &in_all);
        if (!e) kt_view_rows_sort(rows, len);
        for (uint32_t r = 0; r < len && !e; r++) values += rows[r]->live_len;
        struct kt_view_value *grown = e ? NULL : kt_arena_array(k->arena, values + 1u, sizeof *grown);
        if (!e && !grown) e = KT_ELIMIT;
        if (e) return e;
        if (out->values_len) memcpy(grown, out->values, out->values_len * sizeof *grown);
        out->values = grown;
        for (uint32_t r = 0; r < len; r++)
            for (uint32_t v = 0; v < rows[r]->live_len; v++)
                out->values[out->values_len++] = (struct kt_view_value){.field = rows[r]->field,
                                                                        .element = rows[r]->element,
                                                                        .value = rows[r]->live[v].value,
                                                                        .dot = rows[r]->live[v].dot,
                                                                        .stamp = rows[r]->live[v].stamp};
    }
    return e;
}

static int page_section(struct kt_looking *k, struct kt_view_section *s, uint32_t page)
{
    struct kt_view_record *records, *out;
    uint32_t n, kept = 0;
    uint64_t cases;
    struct kt_buf b;
    int e = kt_view_section_decode(s->bytes, k->arena, &records, &n, &cases);
    out = e ? NULL : kt_arena_array(k->arena, n + 1u, sizeof *out);
    if (!e && !out) e = KT_ELIMIT;
    for (uint32_t i = 0; i < n && !e; i++) {
        if (records[i].counts_len == 0) continue;
        e = add_rows(k, s->compartment, &records[i], page, &out[kept]);
        kept += !e && out[kept].values_len;
    }
    if (e) return e;
    kt_buf_init(&b, KT_REPLY_BYTES_MAX);
    e = kt_view_section_encode(out, kept, cases, &b);
    s->bytes = e ? kt_bytes(NULL, 0) : kt_arena_copy(k->arena, kt_buf_bytes(&b));
    if (!e && b.len && !s->bytes.data) e = KT_ELIMIT;
    kt_buf_wipe_free(&b);
    return e;
}

int kt_looking_page(struct kt_looking *k, struct kt_view_section *sections, uint32_t *len, uint32_t page)
{
    int e = KT_OK;
    for (uint32_t i = 0; i < *len && !e; i++) e = page_section(k, &sections[i], page);
    return e;
}
