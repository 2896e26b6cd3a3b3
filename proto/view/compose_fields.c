#include "proto/view/compose_fields.h"
#include "proto/schema/fields.h"
#include "proto/view/rules.h"
#include "proto/schema/value.h"

#include <stdlib.h>

/* A live value, and whose it is. */
struct flat {
    struct kt_view_value v;
    const struct kt_schema_field *field;
    uint32_t part;
};

struct work {
    const struct kt_part *parts;
    struct kt_shown_entity *out;
    struct kt_view_value *group, *candidates; /* room for all values each */
    struct kt_view_conflict *conflicts;
    uint32_t *conflicts_len;
};

const struct kt_entity_id *kt_compose_ward(const struct kt_view_record *r)
{
    const struct kt_schema_kind *k = kt_schema_kind(r->kind);
    return k && k->home == KT_HOME_PARENT ? &r->parent : &r->id;
}

static int compare_flat(const void *a, const void *b)
{
    const struct flat *x = a, *y = b;
    if (x->v.field != y->v.field) return x->v.field < y->v.field ? -1 : 1;
    int c = kt_bytes_compare(x->v.element, y->v.element);
    if (c) return c;
    if (x->part != y->part) return x->part < y->part ? -1 : 1;
    return kt_dot_compare(&x->v.dot, &y->v.dot);
}

static void show(struct work *w, const struct kt_schema_field *f, const struct kt_view_value *v, kt_hlc stamp)
{
    w->out->shown[w->out->shown_len++] = (struct kt_shown){f, v->element, v->value, stamp, v->dot};
}

/* Registers: in each part the rule decides, and says whether there is a conflict; then among the parts. */
static void show_register(struct work *w, const struct flat *flat, uint32_t n)
{
    const struct kt_schema_field *f = flat->field;
    const char *authority = f->rule == KT_AUTHORITY ? kt_schema_authority(f->number) : NULL;
    uint32_t candidates = 0;
    bool authoritative = false, conflict;
    for (uint32_t first = 0, end; first < n; first = end) {
        for (end = first; end < n && flat[end].part == flat[first].part; end++) w->group[end - first] = flat[end].v;
        const struct kt_part *part = &w->parts[flat[first].part];
        uint32_t pick = kt_rule_pick(f, w->group, end - first, &conflict);
        if (conflict && w->conflicts) {
            struct kt_view_conflict *c = &w->conflicts[(*w->conflicts_len)++];
            *c = (struct kt_view_conflict){part->record->id, f->number, flat->v.element, {0}};
            kt_conflict_id(part->compartment, kt_compose_ward(part->record), &c->entity, f->number, c->element, c->id);
        }
        bool speaks = false;
        for (uint32_t i = 0; authority && i < part->record->values_len; i++) {
            const struct kt_view_value *source = &part->record->values[i];
            struct kt_bytes system;
            if ((source->field & 0xff) == KT_N_SOURCE && kt_value_column(source->value, KT_C_SOURCE_SYSTEM, &system))
                speaks = kt_bytes_equal(system, kt_str(authority));
        }
        if (speaks && !authoritative) candidates = 0;
        if (speaks || !authoritative) w->candidates[candidates++] = w->group[pick];
        authoritative = authoritative || speaks;
    }
    const struct kt_view_value *best = &w->candidates[kt_rule_pick(f, w->candidates, candidates, &conflict)];
    show(w, f, best, best->stamp);
}

/* One element of a set, or one row of a list: the latest of its values. */
static void show_element(struct work *w, const struct flat *flat, uint32_t n)
{
    const struct kt_view_value *latest = &flat->v, *first = &flat->v;
    for (uint32_t i = 1; i < n; i++) {
        if (kt_view_value_compare_time(&flat[i].v, latest) > 0) latest = &flat[i].v;
        if (kt_view_value_compare_time(&flat[i].v, first) < 0) first = &flat[i].v;
    }
    show(w, flat->field, latest, flat->field->shape == KT_SET ? first->stamp : latest->stamp);
}

/* How many values from the first on are of one thing. */
static uint32_t group_len(const struct flat *flat, uint32_t n)
{
    bool list = flat->field->shape == KT_LIST;
    if (list && flat->v.element.len == 0) return 1; /* a row named by its dot */
    uint32_t len = 1;
    while (len < n && flat[len].v.field == flat->v.field && kt_bytes_equal(flat[len].v.element, flat->v.element) &&
           (!list || flat[len].part == flat->part))
        len++;
    return len;
}

static int compare_shown(const void *a, const void *b)
{
    const struct kt_shown *x = a, *y = b;
    if (x->field->number != y->field->number) return x->field->number < y->field->number ? -1 : 1;
    if (x->field->shape == KT_REGISTER) return kt_bytes_compare(x->value, y->value); /* keyed: by code */
    int time = x->stamp != y->stamp ? (x->stamp < y->stamp ? -1 : 1) : kt_dot_compare(&x->dot, &y->dot);
    if (time == 0) time = kt_bytes_compare(x->element, y->element);
    return x->field->shape == KT_LIST ? -time : time;
}

static uint32_t values_in(const struct kt_part *parts, uint32_t n)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < n; i++) len += parts[i].record->values_len;
    return len;
}

/* All values this schema knows, sorted; the source is told apart (kt_shown_entity), not shown. */
static uint32_t flatten(const struct kt_part *parts, uint32_t n, struct flat *flat, struct kt_shown_entity *out)
{
    uint32_t len = 0;
    out->created = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < parts[i].record->values_len; j++) {
            const struct kt_view_value *v = &parts[i].record->values[j];
            const struct kt_schema_field *f = kt_schema_field(v->field);
            if (v->stamp > out->modified) out->modified = v->stamp;
            if (v->stamp < out->created) out->created = v->stamp;
            if (!f || kt_field_kind(v->field) != parts[i].record->kind || (v->field & 0xff) == KT_N_SOURCE) continue;
            /* who may write another compartment alone has no say in core's fields */
            const bool common = (f->number & 0xff) <= KT_N_SOURCE; /* deleted, office, ...: of each compartment */
            if (f->place == KT_IN_CORE && parts[i].compartment != KT_CORE && !common) continue;
            flat[len++] = (struct flat){*v, f, i};
        }
    }
    if (out->created == UINT64_MAX) out->created = 0;
    qsort(flat, len, sizeof *flat, compare_flat);
    return len;
}

int kt_compose_fields(const struct kt_part *parts, uint32_t n, struct kt_arena *arena, struct kt_shown_entity *out,
                      struct kt_view_conflict *conflicts, uint32_t *conflicts_len)
{
    uint32_t room = values_in(parts, n) + 1;
    struct flat *flat = kt_arena_array(arena, room, sizeof *flat);
    struct work w = {.parts = parts,

                     .out = out,
                     .group = kt_arena_array(arena, room, sizeof *w.group),
                     .candidates = kt_arena_array(arena, room, sizeof *w.candidates),
                     .conflicts = conflicts,
                     .conflicts_len = conflicts_len};
    out->shown = kt_arena_array(arena, room, sizeof *out->shown);
    if (!flat || !w.group || !w.candidates || !out->shown) return KT_ELIMIT;

    uint32_t len = flatten(parts, n, flat, out);
    for (uint32_t at = 0, group; at < len; at += group) {
        group = group_len(&flat[at], len - at);
        if (flat[at].field->shape == KT_REGISTER)
            show_register(&w, &flat[at], group);
        else
            show_element(&w, &flat[at], group);
    }
    qsort(out->shown, out->shown_len, sizeof *out->shown, compare_shown);
    return KT_OK;
}
