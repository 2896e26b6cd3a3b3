#include "engine/view/view_sections.h"
#include "proto/schema/fields.h"

#include <stdlib.h>

/* ---------------------------------------------------------------------------------------------- newest batches */

void kt_newest_note(struct kt_newest *n, const struct kt_dot *dot, kt_hlc stamp)
{
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < n->len; i++) {
        if (kt_origin_compare(n->seen[i].head.origin, dot->origin) == 0) {
            if (dot->batch > n->seen[i].head.number) n->seen[i].head.number = dot->batch;
            if (stamp > n->seen[i].stamp) n->seen[i].stamp = stamp;
            return;
        }
        if (n->seen[i].stamp < n->seen[oldest].stamp) oldest = i;
    }
    const uint32_t at = n->len < KT_TOKEN_HEADS_MAX ? n->len++ : oldest;
    if (at == oldest && n->len == KT_TOKEN_HEADS_MAX && n->seen[at].stamp >= stamp && n->seen[at].head.number) return;
    n->seen[at].head = (struct kt_head){dot->origin, dot->batch};
    n->seen[at].stamp = stamp;
}

uint32_t kt_newest_heads(const struct kt_newest *n, struct kt_head out[KT_TOKEN_HEADS_MAX])
{
    for (uint32_t i = 0; i < n->len; i++) {
        uint32_t at = i;
        while (at > 0 && kt_origin_compare(out[at - 1].origin, n->seen[i].head.origin) > 0) {
            out[at] = out[at - 1];
            at--;
        }
        out[at] = n->seen[i].head;
    }
    return n->len;
}

/* -------------------------------------------------------------------------------------------------- rows of lists */

struct rows {
    struct kt_arena *arena;
    const struct kt_slot **rows;
    uint32_t len, cap;
};

static int collect_row(void *ctx, const struct kt_slot *row)
{
    struct rows *r = ctx;
    if (r->len == r->cap) {
        const uint32_t cap = r->cap ? r->cap * 2 : 16;
        const struct kt_slot **grown = kt_arena_array(r->arena, cap, sizeof *grown);
        if (!grown) return KT_ELIMIT;
        if (r->len) memcpy(grown, r->rows, r->len * sizeof *grown);
        r->rows = grown;
        r->cap = cap;
    }
    r->rows[r->len++] = row;
    return KT_OK;
}

static int newest_first(const void *a, const void *b)
{
    const struct kt_list_row x = kt_list_row_of(*(const struct kt_slot *const *)a);
    const struct kt_list_row y = kt_list_row_of(*(const struct kt_slot *const *)b);
    return kt_list_row_compare(&x, &y);
}

int kt_view_rows(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                 uint64_t skip, uint32_t max, struct kt_arena *arena, const struct kt_slot ***rows, uint32_t *len,
                 uint64_t *in_all)
{
    struct rows r = {.arena = arena};
    int e = kt_workset_rows(w, ward, entity, field, collect_row, &r);
    if (e) return e;
    if (r.len > 1) qsort(r.rows, r.len, sizeof *r.rows, newest_first);
    const uint32_t from = skip < r.len ? (uint32_t)skip : r.len, left = r.len - from;
    *rows = r.rows ? r.rows + from : NULL;
    *len = left < max ? left : max;
    *in_all = r.len;
    return KT_OK;
}

/* ------------------------------------------------------------------------------------------------------- records */

static struct kt_section_draft *section_of(struct kt_view_draft *d, kt_compartment c)
{
    for (uint32_t i = 0; i < d->sections_len; i++)
        if (d->sections[i].compartment == c) return &d->sections[i];
    if (d->sections_len == KT_COMPARTMENTS_MAX) return NULL;
    d->sections[d->sections_len] = (struct kt_section_draft){.compartment = c};
    return &d->sections[d->sections_len++];
}

static struct kt_view_record *record_new(struct kt_view_draft *d, struct kt_section_draft *s)
{
    if (s->len == s->cap) {
        const uint32_t cap = s->cap ? s->cap * 2 : 8;
        struct kt_view_record *grown = kt_arena_array(d->arena, cap, sizeof *grown);
        if (!grown) return NULL;
        if (s->len) memcpy(grown, s->records, s->len * sizeof *grown);
        s->records = grown;
        s->cap = cap;
    }
    return &s->records[s->len++];
}

static void add_slot(struct kt_view_draft *d, struct kt_view_record *r, const struct kt_slot *slot)
{
    for (uint32_t i = 0; i < slot->live_len; i++) {
        const struct kt_live *live = &slot->live[i];
        r->values[r->values_len++] = (struct kt_view_value){.field = slot->field,
                                                            .element = slot->element,
                                                            .value = live->value,
                                                            .dot = live->dot,
                                                            .stamp = live->stamp};
        kt_newest_note(&d->newest, &live->dot, live->stamp);
    }
}

#define LISTS_MAX 32u /* of one entity */

/* The lists of one entity: what will be shown of each, before room for the values is taken. */
struct lists {
    struct shown_list {
        uint32_t field, len;
        const struct kt_slot **rows;
        uint64_t in_all;
    } items[LISTS_MAX];
    uint32_t len, values;
};

static int by_element(const void *a, const void *b)
{
    return kt_bytes_compare((*(const struct kt_slot *const *)a)->element, (*(const struct kt_slot *const *)b)->element);
}

void kt_view_rows_sort(const struct kt_slot **rows, uint32_t len)
{
    if (len > 1) qsort(rows, len, sizeof *rows, by_element);
}

/* The rows that the list's top names, without a walk through all. */
static int rows_of_top(struct kt_view_draft *d, struct kt_ward *ward, const struct kt_entity_id *entity,
                       struct shown_list *l, const struct kt_list_top *top)
{
    const uint32_t n = top->len < KT_VIEW_INTERACTIONS_MAX ? top->len : KT_VIEW_INTERACTIONS_MAX;
    l->rows = kt_arena_array(d->arena, n + 1u, sizeof *l->rows);
    if (!l->rows) return KT_ELIMIT;
    for (uint32_t i = 0; i < n; i++) {
        const struct kt_list_row *r = &top->newest[i];
        struct kt_slot *slot;
        int e = kt_workset_row(d->w, ward, entity, l->field, kt_bytes(r->element, r->element_len), &slot);
        if (e) return e;
        if (!slot) return KT_EDAMAGED; /* the top is written with the rows */
        l->rows[l->len++] = slot;
    }
    l->in_all = top->rows;
    return KT_OK;
}

/* A walk through all; of a long list the top is kept for the next time. */
static int rows_of_walk(struct kt_view_draft *d, struct kt_ward *ward, const struct kt_entity_id *entity,
                        struct shown_list *l, struct kt_list_top *top)
{
    int e = kt_view_rows(d->w, ward, entity, l->field, 0, KT_LIST_TOP_MAX, d->arena, &l->rows, &l->len, &l->in_all);
    if (!e && l->in_all > KT_LIST_TOP_MAX) {
        top->rows = l->in_all;
        top->len = l->len;
        for (uint32_t i = 0; i < l->len; i++) top->newest[i] = kt_list_row_of(l->rows[i]);
        e = kt_list_top_put(d->w, ward, entity, l->field, top, d->nonce(d->nonce_ctx));
    }
    if (l->len > KT_VIEW_INTERACTIONS_MAX) l->len = KT_VIEW_INTERACTIONS_MAX;
    return e;
}

static int find_lists(struct kt_view_draft *d, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t kind,
                      struct lists *l)
{
    uint32_t fields[LISTS_MAX], n;
    struct kt_list_top top;
    int e = kt_workset_lists(d->w, ward, entity, fields, LISTS_MAX, &n);
    for (uint32_t i = 0; i < n && !e; i++) {
        struct shown_list *list = &l->items[l->len];
        const struct kt_schema_field *f = kt_schema_field(fields[i]);
        if (!f || f->shape != KT_LIST || kt_field_kind(fields[i]) != kind) continue;
        *list = (struct shown_list){.field = fields[i]};
        bool kept;
        e = kt_list_top_get(d->w, ward, entity, fields[i], &top, &kept);
        if (!e) e = kept ? rows_of_top(d, ward, entity, list, &top) : rows_of_walk(d, ward, entity, list, &top);
        if (e || !list->len) continue;
        kt_view_rows_sort(list->rows, list->len);
        for (uint32_t k = 0; k < list->len; k++) l->values += list->rows[k]->live_len;
        l->len++;
    }
    return e;
}

static int add_record(struct kt_view_draft *d, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t kind,
                      uint32_t first, uint32_t end)
{
    struct lists l = {.len = 0};
    uint32_t values = 0;
    int e = find_lists(d, ward, entity, kind, &l);
    if (e) return e;
    for (uint32_t i = first; i < end; i++) values += ward->slots[i]->live_len;
    if (values + l.values == 0) return KT_OK;
    struct kt_section_draft *s = section_of(d, ward->compartment);
    struct kt_view_record *r = s ? record_new(d, s) : NULL;
    if (!r) return KT_ELIMIT;
    *r = (struct kt_view_record){.kind = kind, .id = *entity};
    if (memcmp(entity, &ward->id, sizeof *entity) != 0) r->parent = ward->id;
    r->values = kt_arena_array(d->arena, values + l.values, sizeof *r->values);
    r->counts = kt_arena_array(d->arena, l.len + 1u, sizeof *r->counts);
    if (!r->values || !r->counts) return KT_ELIMIT;
    for (uint32_t i = first; i < end; i++) add_slot(d, r, ward->slots[i]);
    for (uint32_t i = 0; i < l.len; i++) {
        for (uint32_t k = 0; k < l.items[i].len; k++) add_slot(d, r, l.items[i].rows[k]);
        if (l.items[i].in_all > l.items[i].len)
            r->counts[r->counts_len++] = (struct kt_view_count){l.items[i].field, l.items[i].in_all};
    }
    return KT_OK;
}

int kt_view_draft_ward(struct kt_view_draft *d, struct kt_ward *ward, uint32_t kind)
{
    bool own_done = false;
    for (uint32_t i = 0; i < ward->slots_len;) {
        const struct kt_entity_id *entity = &ward->slots[i]->entity;
        const bool own = memcmp(entity, &ward->id, sizeof *entity) == 0;
        uint32_t end = i, entity_kind = own ? kind : 0;
        for (; end < ward->slots_len && memcmp(&ward->slots[end]->entity, entity, sizeof *entity) == 0; end++)
            if (!entity_kind && ward->slots[end]->live_len) entity_kind = kt_field_kind(ward->slots[end]->field);
        int e = entity_kind ? add_record(d, ward, entity, entity_kind, i, end) : KT_OK;
        if (e) return e;
        own_done = own_done || own;
        i = end;
    }
    return own_done ? KT_OK : add_record(d, ward, &ward->id, kind, 0, 0);
}
