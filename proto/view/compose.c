/* Sections of all compartments put together: which entities there are, which of them are one customer, in what order.
 */
#include "proto/view/compose_fields.h"
#include "proto/schema/fields.h"
#include "proto/view/rules.h"
#include "proto/schema/value.h"

#include <stdlib.h>

struct compose {
    struct kt_arena *arena;
    struct kt_view *out;
    struct kt_part *parts; /* sorted: kind, id, compartment */
    uint32_t parts_len, values_len;
    struct kt_part *customer; /* parts of the customer's source records that are shown */
    uint32_t customer_len;
};

static int compare_id(const struct kt_entity_id *a, const struct kt_entity_id *b) { return memcmp(a, b, sizeof *a); }

static int compare_part(const void *a, const void *b)
{
    const struct kt_part *x = a, *y = b;
    if (x->record->kind != y->record->kind) return x->record->kind < y->record->kind ? -1 : 1;
    int c = compare_id(&x->record->id, &y->record->id);
    return c ? c : (x->compartment > y->compartment) - (x->compartment < y->compartment);
}

static bool same_entity(const struct kt_part *a, const struct kt_part *b)
{
    return a->record->kind == b->record->kind && compare_id(&a->record->id, &b->record->id) == 0;
}

static int gather(struct compose *c, const struct kt_section_in *sections, uint32_t n)
{
    struct kt_view_record **records = kt_arena_array(c->arena, n + 1, sizeof *records);
    uint32_t *lens = kt_arena_array(c->arena, n + 1, sizeof *lens);
    uint32_t total = 0;
    if (!records || !lens) return KT_ELIMIT;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t cases;
        int err = kt_view_section_decode(sections[i].bytes, c->arena, &records[i], &lens[i], &cases);
        if (err) return err;
        c->out->cases_in_all += cases;
        total += lens[i];
    }
    c->parts = kt_arena_array(c->arena, total + 1, sizeof *c->parts);
    c->customer = kt_arena_array(c->arena, total + 1, sizeof *c->customer);
    if (!c->parts || !c->customer) return KT_ELIMIT;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < lens[i]; j++) {
            c->parts[c->parts_len++] = (struct kt_part){sections[i].compartment, &records[i][j]};
            c->values_len += records[i][j].values_len;
        }
    qsort(c->parts, c->parts_len, sizeof *c->parts, compare_part);
    return KT_OK;
}

/* The source record's name stands in a field of its own. */
static void find_source(const struct kt_part *parts, uint32_t n, struct kt_shown_entity *e)
{
    const struct kt_view_value *first = NULL;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < parts[i].record->values_len; j++) {
            const struct kt_view_value *v = &parts[i].record->values[j];
            if ((v->field & 0xff) != KT_N_SOURCE) continue;
            if (!first || kt_view_value_compare_time(v, first) < 0) first = v;
        }
    if (!first) return;
    kt_value_column(first->value, KT_C_SOURCE_SYSTEM, &e->source_system);
    kt_value_column(first->value, KT_C_SOURCE_ID, &e->source_id);
}

static uint64_t rows_of(const struct kt_view_record *r, uint32_t field, bool *cut)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < r->counts_len; i++)
        if (r->counts[i].field == field) {
            *cut = true;
            return r->counts[i].rows;
        }
    for (uint32_t i = 0; i < r->values_len; i++) rows += r->values[i].field == field;
    return rows;
}

/* Lists of which there is more than stands here: how many rows in all parts together. */
static int add_counts(struct compose *c, const struct kt_part *parts, uint32_t n, struct kt_shown_entity *e)
{
    uint32_t fields_len, len = 0;
    const struct kt_schema_field *fields = kt_schema_fields(e->kind, &fields_len);
    struct kt_view_count *counts = kt_arena_array(c->arena, fields_len + 1, sizeof *counts);
    if (!counts) return KT_ELIMIT;
    for (uint32_t f = 0; f < fields_len; f++) {
        if (fields[f].shape != KT_LIST) continue;
        bool cut = false;
        uint64_t rows = 0;
        for (uint32_t i = 0; i < n; i++) rows += rows_of(parts[i].record, fields[f].number, &cut);
        if (cut) counts[len++] = (struct kt_view_count){fields[f].number, rows};
    }
    e->counts = counts;
    e->counts_len = len;
    return KT_OK;
}

/* Of values that stand in several compartments. */
static int deletion_of(struct compose *c, const struct kt_part *parts, uint32_t n, enum kt_deletion *out,
                       const struct kt_part **where)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < n; i++) len += parts[i].record->values_len;
    struct kt_view_value *all = kt_arena_array(c->arena, len + 1, sizeof *all);
    if (!all) return KT_ELIMIT;
    len = 0;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < parts[i].record->values_len; j++) {
            all[len] = parts[i].record->values[j];
            if (kt_value_deletes(all[len].field, all[len].value)) *where = &parts[i];
            len++;
        }
    *out = kt_entity_deletion(all, len);
    return KT_OK;
}

static struct kt_shown_entity *next_of(struct compose *c, uint32_t kind)
{
    struct kt_view *v = c->out;
    if (kind == KT_CUSTOMER) return &v->sources[v->sources_len++];
    if (kind == KT_CASE) return &v->cases[v->cases_len++];
    if (kind == KT_LICENCE) return &v->licences[v->licences_len++];
    return &v->others[v->others_len++];
}

static void add_deletion_conflict(struct compose *c, const struct kt_part *part)
{
    struct kt_view *v = c->out;
    uint32_t field = part->record->kind << 8 | KT_N_DELETED;
    for (uint32_t i = 0; i < v->conflicts_len; i++)
        if (v->conflicts[i].field == field && compare_id(&v->conflicts[i].entity, &part->record->id) == 0) return;
    struct kt_view_conflict *conflict = &v->conflicts[v->conflicts_len++];
    *conflict = (struct kt_view_conflict){part->record->id, field, {0}, {0}};
    kt_conflict_id(part->compartment, kt_compose_ward(part->record), &conflict->entity, field, conflict->element,
                   conflict->id);
}

static int add_entity(struct compose *c, const struct kt_part *parts, uint32_t n)
{
    enum kt_deletion deletion;
    const struct kt_part *where = NULL;
    const struct kt_view_record *r = parts->record;
    int err = deletion_of(c, parts, n, &deletion, &where);
    if (err || deletion == KT_DELETED) return err;

    struct kt_shown_entity e = {.kind = r->kind, .id = r->id, .parent = r->parent};
    err = kt_compose_fields(parts, n, c->arena, &e, c->out->conflicts, &c->out->conflicts_len);
    if (!err) err = add_counts(c, parts, n, &e);
    if (err) return err;
    find_source(parts, n, &e);
    if (e.shown_len == 0 && e.source_id.len == 0) return KT_OK; /* known by references alone */
    if (deletion == KT_DELETED_IN_CONFLICT) add_deletion_conflict(c, where);
    *next_of(c, r->kind) = e;
    if (r->kind == KT_CUSTOMER) {
        memcpy(c->customer + c->customer_len, parts, n * sizeof *parts);
        c->customer_len += n;
    }
    return KT_OK;
}

static int compare_source(const void *a, const void *b)
{
    const struct kt_shown_entity *x = a, *y = b;
    int c = kt_bytes_compare(x->source_system, y->source_system);
    if (c == 0) c = kt_bytes_compare(x->source_id, y->source_id);
    return c ? c : compare_id(&x->id, &y->id);
}

static struct kt_bytes requested(const struct kt_shown_entity *e)
{
    for (uint32_t i = 0; i < e->shown_len; i++) {
        struct kt_bytes v = e->shown[i].value;
        /* without the Z, so that a fraction comes after its whole second */
        if (e->shown[i].field->number == KT_F_CASE_REQUESTED && v.len) return kt_bytes(v.data, v.len - 1);
    }
    return kt_bytes(NULL, 0);
}

/* Newest first. */
static int compare_case(const void *a, const void *b)
{
    const struct kt_shown_entity *x = a, *y = b;
    int c = kt_bytes_compare(requested(y), requested(x));
    if (c == 0) c = (x->created < y->created) - (x->created > y->created);
    return c ? c : compare_id(&x->id, &y->id);
}

static int compare_other(const void *a, const void *b)
{
    const struct kt_shown_entity *x = a, *y = b;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    int c = compare_id(&x->parent, &y->parent);
    if (c == 0) c = (x->created > y->created) - (x->created < y->created);
    return c ? c : compare_id(&x->id, &y->id);
}

static int compare_conflict(const void *a, const void *b)
{
    const struct kt_view_conflict *x = a, *y = b;
    int c = compare_id(&x->entity, &y->entity);
    if (c) return c;
    if (x->field != y->field) return x->field < y->field ? -1 : 1;
    return kt_bytes_compare(x->element, y->element);
}

static int make_rooms(struct compose *c)
{
    struct kt_view *v = c->out;
    size_t entities = c->parts_len + 1;
    v->sources = kt_arena_array(c->arena, entities, sizeof *v->sources);
    v->cases = kt_arena_array(c->arena, entities, sizeof *v->cases);
    v->licences = kt_arena_array(c->arena, entities, sizeof *v->licences);
    v->others = kt_arena_array(c->arena, entities, sizeof *v->others);
    v->conflicts = kt_arena_array(c->arena, (size_t)c->values_len + entities, sizeof *v->conflicts);
    return v->sources && v->cases && v->licences && v->others && v->conflicts ? KT_OK : KT_ELIMIT;
}

int kt_view_compose(const struct kt_section_in *sections, uint32_t n, const struct kt_entity_id *display_id,
                    struct kt_arena *arena, struct kt_view *out)
{
    struct kt_view v = {.display_id = *display_id};
    struct compose c = {.arena = arena, .out = &v};
    int err = gather(&c, sections, n);
    if (!err) err = make_rooms(&c);
    for (uint32_t first = 0, end; !err && first < c.parts_len; first = end) {
        for (end = first + 1; end < c.parts_len && same_entity(&c.parts[first], &c.parts[end]);) end++;
        err = add_entity(&c, &c.parts[first], end - first);
    }
    v.customer = (struct kt_shown_entity){.kind = KT_CUSTOMER, .id = *display_id};
    if (!err) err = kt_compose_fields(c.customer, c.customer_len, arena, &v.customer, NULL, NULL);
    if (!err) err = add_counts(&c, c.customer, c.customer_len, &v.customer);
    if (err) return err;
    v.has_customer = v.sources_len != 0;
    qsort(v.sources, v.sources_len, sizeof *v.sources, compare_source);
    qsort(v.cases, v.cases_len, sizeof *v.cases, compare_case);
    qsort(v.licences, v.licences_len, sizeof *v.licences, compare_case);
    qsort(v.others, v.others_len, sizeof *v.others, compare_other);
    qsort(v.conflicts, v.conflicts_len, sizeof *v.conflicts, compare_conflict);
    if (v.cases_in_all < v.cases_len) v.cases_in_all = v.cases_len;
    *out = v;
    return KT_OK;
}
