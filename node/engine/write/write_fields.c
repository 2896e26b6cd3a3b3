/* Registers, sets and lists of an entity: what a record says against what is live. */
#include "engine/view/facts.h"
#include "engine/write/write_state.h"
#include "proto/schema/composite.h"
#include "proto/schema/datetime.h"
#include "proto/schema/fields.h"

/* ------------------------------------------------------------------------------------------------------ registers */

/* Which live values a put replaces: with a basis what its lookup saw; without one all, but in a conflict only those of
 * this member (DESIGN section 4). */
static void choose(const struct kt_planning *p, const struct kt_slot *slot, bool conflict, bool *take)
{
    const struct kt_token *basis = p->who->basis;
    for (uint32_t i = 0; i < slot->live_len; i++)
        take[i] = basis ? slot->live[i].position <= basis->sequence
                        : !conflict || slot->live[i].dot.origin.member == p->who->self;
}

/* Is the value there already, with nothing beside it that this put would replace? */
static bool stands(const struct kt_slot *slot, struct kt_bytes value, const bool *take)
{
    bool there = false;
    for (uint32_t i = 0; i < slot->live_len; i++) {
        const bool equal = kt_bytes_equal(slot->live[i].value, value);
        if (take[i] && !equal) return false;
        there = there || equal;
    }
    return there;
}

/* One transition as a row of the history.  The first has an element that every office gives it, so that one record
 * imported at two has it once; later ones are named by their dot. */
static int add_history(struct kt_planning *p, struct kt_write_draft *d, const struct kt_schema_field *f,
                       struct kt_bytes element, struct kt_bytes from, struct kt_bytes to)
{
    struct kt_bytes row, name = {0};
    struct kt_slot *first = NULL;
    int e = kt_history_row(f, from, to, p->who->now_ms, p->who->actor, p->arena, &row);
    if (e) return e;
    if (from.len == 0) {
        uint8_t number[4], *id = kt_arena_alloc(p->arena, 16);
        if (!id) return KT_ELIMIT;
        for (int i = 0; i < 4; i++) number[i] = (uint8_t)(f->number >> (24 - 8 * i));
        const struct kt_bytes parts[] = {kt_str("first"), KT_BYTES_OF(number), element, to};
        kt_kdf(id, 16, KT_LABEL_ELEMENT, p->id_key, parts, 4);
        name = kt_bytes(id, 16);
        if ((e = kt_workset_row(p->w, d->ward, &p->entity, f->history, name, &first))) return e;
        if (first) name = kt_bytes(NULL, 0); /* it was so once before */
    }
    return kt_draft_op(p, d, f->history, name, true, row, NULL, NULL);
}

int kt_write_register(struct kt_planning *p, struct kt_write_draft *d, const struct kt_schema_field *f,
                      struct kt_bytes element, bool has_value, struct kt_bytes value)
{
    const struct kt_slot *slot = kt_ward_slot(d->ward, &p->entity, f->number, element);
    const uint32_t live = slot ? slot->live_len : 0;
    const struct kt_live *shown = NULL;
    bool conflict = false, any = false, *take = kt_arena_array(p->arena, live + 1u, sizeof *take);
    int e = slot ? kt_slot_shown(slot, p->arena, &shown, &conflict) : KT_OK;
    if (!take) return KT_ELIMIT;
    if (e) return e;
    if (live) choose(p, slot, conflict, take);
    for (uint32_t i = 0; i < live; i++) any = any || take[i];
    if (has_value ? live && stands(slot, value, take) : !any) return KT_OK;
    e = kt_draft_op(p, d, f->number, element, has_value, value, slot, take);
    if (e || !f->history || (shown && has_value && kt_bytes_equal(shown->value, value))) return e;
    return add_history(p, d, f, element, shown ? shown->value : kt_bytes(NULL, 0),
                       has_value ? value : kt_bytes(NULL, 0));
}

/* null: clears the register, or every key of a keyed one. */
static int clear_register(struct kt_planning *p, struct kt_write_draft *d, const struct kt_schema_field *f)
{
    uint32_t first;
    const uint32_t n = kt_ward_field(d->ward, &p->entity, f->number, &first);
    int e = KT_OK;
    for (uint32_t i = 0; i < n && !e; i++)
        if (d->ward->slots[first + i]->live_len)
            e = kt_write_register(p, d, f, d->ward->slots[first + i]->element, false, kt_bytes(NULL, 0));
    return e;
}

/* --------------------------------------------------------------------------------------------------- sets and rows */

static int write_element(struct kt_planning *p, struct kt_write_draft *d, const struct kt_schema_field *f,
                         struct kt_bytes element, bool has_value, struct kt_bytes value)
{
    const struct kt_slot *slot = kt_ward_slot(d->ward, &p->entity, f->number, element);
    const uint32_t live = slot ? slot->live_len : 0;
    for (uint32_t i = 0; i < live && has_value; i++)
        if (kt_bytes_equal(slot->live[i].value, value)) return KT_OK;
    if (!has_value && !live) return KT_OK;
    return kt_draft_replace(p, d, f->number, element, has_value, value, slot);
}

int kt_write_list_row(struct kt_planning *p, struct kt_write_draft *d, uint32_t field, struct kt_bytes element,
                      bool has_value, struct kt_bytes value)
{
    struct kt_slot *row = NULL;
    int e = element.len ? kt_workset_row(p->w, d->ward, &p->entity, field, element, &row) : KT_OK;
    if (e) return e;
    for (uint32_t i = 0; row && i < row->live_len; i++) {
        if (!has_value || !kt_bytes_equal(row->live[i].value, value)) continue;
        struct kt_plan *plan = p->plan;
        if (plan->found_len < KT_TOKEN_HEADS_MAX)
            plan->found[plan->found_len++] = (struct kt_head){row->live[i].dot.origin, row->live[i].dot.batch};
        return KT_OK;
    }
    if (!has_value && !row) return KT_OK;
    return kt_draft_replace(p, d, field, element, has_value, value, row);
}

/* --------------------------------------------------------------------------------------------------------- fields */

static int write_one(struct kt_planning *p, struct kt_write_draft *d, const struct kt_schema_field *f, bool has_value,
                     struct kt_bytes in)
{
    struct kt_bytes value, element = {0};
    int e = kt_write_value(p, f, in, &value);
    if (!e && (f->shape != KT_REGISTER || f->keyed)) {
        e = kt_element_id(f, p->id_key, p->who->phone_country, value, p->arena, &element);
        if (!e && !element.len && f->shape != KT_LIST)
            return kt_refuse(p, KT_EFIELD, f->number, "nothing in it says which one it is: give an identifying part");
        if (e && e != KT_ENOMEM && e != KT_ELIMIT) return kt_refuse(p, e, f->number, kt_error_text(e));
    }
    if (e) return e;
    if (f->shape == KT_REGISTER) return kt_write_register(p, d, f, element, has_value, value);
    if (f->shape == KT_SET) return write_element(p, d, f, element, has_value, value);
    return kt_write_list_row(p, d, f->number, element, has_value, value);
}

/* Links keep their pair in order, whichever way round it was given. */
static int write_link_end(struct kt_planning *p, struct kt_write_draft *d, const struct kt_schema_field *f)
{
    struct kt_bytes a = {0}, b = {0};
    int e = KT_OK;
    for (uint32_t i = 0; i < p->record->fields_len && !e; i++) {
        const struct kt_record_field *rf = &p->record->fields[i];
        if (rf->add_len == 0) continue;
        if (rf->field == KT_F_IDENTITY_LINK_A) e = kt_write_value(p, f, rf->add[0], &a);
        if (rf->field == KT_F_IDENTITY_LINK_B) e = kt_write_value(p, f, rf->add[0], &b);
    }
    if (e) return e;
    const bool swap = kt_bytes_compare(a, b) > 0, first = f->number == KT_F_IDENTITY_LINK_A;
    return kt_write_register(p, d, f, kt_bytes(NULL, 0), true, first != swap ? a : b);
}

static int write_field(struct kt_planning *p, const struct kt_record_field *rf)
{
    const struct kt_schema_field *f = kt_schema_field(rf->field);
    const uint32_t kind = p->kind->home == KT_HOME_KEYED ? p->record->parent_kind : p->record->kind;
    struct kt_write_draft *d;
    if (!f || kt_field_kind(rf->field) != kind)
        return kt_refuse(p, KT_EFIELD, rf->field, "no such field here: see the list in README.md");
    if (f->derived) return kt_refuse(p, KT_EFIELD, rf->field, "is written by the node: leave it out");
    if (f->shape == KT_REGISTER && !f->keyed && (rf->remove_len || rf->add_len > 1))
        return kt_refuse(p, KT_EFIELD, rf->field, "holds one value: give one, or null to clear it");
    if (rf->clear && f->shape != KT_REGISTER)
        return kt_refuse(p, KT_EFIELD, rf->field, "holds several values: take them out with \"remove\"");
    int e = kt_draft_at(p, f->place, &d);
    if (e) return e;
    if (rf->field == KT_F_IDENTITY_LINK_A || rf->field == KT_F_IDENTITY_LINK_B) return write_link_end(p, d, f);
    if (rf->clear) e = clear_register(p, d, f);
    for (uint32_t i = 0; i < rf->remove_len && !e; i++) e = write_one(p, d, f, false, rf->remove[i]);
    for (uint32_t i = 0; i < rf->add_len && !e; i++) e = write_one(p, d, f, true, rf->add[i]);
    return e;
}

int kt_write_fields(struct kt_planning *p)
{
    struct kt_write_draft *d;
    /* whose own compartment may not be written may not write here at all */
    int e = p->own && p->kind->home != KT_HOME_KEYED && p->record->source_system.len ? kt_draft_at(p, KT_IN_OWN, &d)
                                                                                     : KT_OK;
    for (uint32_t i = 0; i < p->record->fields_len && !e; i++) e = write_field(p, &p->record->fields[i]);
    return e;
}

/* -------------------------------------------------------------------------------------------------------- derived */

static int derive(struct kt_planning *p, uint32_t n, struct kt_bytes value)
{
    const struct kt_schema_field *f = kt_schema_field(p->record->kind << 8 | n);
    struct kt_write_draft *d;
    if (!f || value.len == 0 || (!f->derived && n != KT_F_CASE_NUMBER % 256u)) return KT_OK;
    int e = kt_draft_at(p, f->place, &d);
    if (e) return e;
    const struct kt_slot *slot = kt_ward_slot(d->ward, &p->entity, f->number, kt_bytes(NULL, 0));
    if (slot && slot->live_len) return KT_OK;
    for (uint32_t i = 0; i < d->len; i++)
        if (d->ops[i].field == f->number && d->ops[i].has_value) return KT_OK; /* the record says it itself */
    return kt_draft_op(p, d, f->number, kt_bytes(NULL, 0), true, value, NULL, NULL);
}

static int derive_source(struct kt_planning *p)
{
    struct kt_buf b;
    if (!p->record->source_system.len || !p->source_id.len) return KT_OK;
    kt_buf_init(&b, KT_VALUE_BYTES_MAX);
    kt_buf_pb_bytes(&b, KT_C_SOURCE_SYSTEM, p->record->source_system);
    kt_buf_pb_bytes(&b, KT_C_SOURCE_ID, p->source_id);
    const struct kt_bytes value = kt_arena_copy(p->arena, kt_buf_bytes(&b));
    int e = b.err ? b.err : value.data ? KT_OK : KT_ELIMIT;
    kt_buf_free(&b);
    return e ? e : derive(p, KT_N_SOURCE, value);
}

/* A put of what was deleted brings it back. */
static int revive(struct kt_planning *p)
{
    const struct kt_schema_field *f = kt_schema_field(p->record->kind << 8 | KT_N_DELETED);
    struct kt_write_draft *d;
    int e = f ? kt_draft_at(p, f->place, &d) : KT_OK;
    if (e || !f) return e;
    const struct kt_slot *slot = kt_ward_slot(d->ward, &p->entity, f->number, kt_bytes(NULL, 0));
    if (!slot || !slot->live_len) return KT_OK;
    return kt_draft_replace(p, d, f->number, kt_bytes(NULL, 0), false, kt_bytes(NULL, 0), slot);
}

/* Does the record only take away? */
static bool takes_only(const struct kt_record *r)
{
    for (uint32_t i = 0; i < r->fields_len; i++)
        if (r->fields[i].add_len) return false;
    return r->fields_len != 0;
}

int kt_write_derived(struct kt_planning *p)
{
    char at[KT_DATETIME_CHARS_MAX];
    if (p->kind->home == KT_HOME_KEYED || takes_only(p->record)) return KT_OK;
    kt_datetime_of_ms(p->who->now_ms, false, at);
    const struct kt_bytes created = kt_arena_copy(p->arena, kt_str(at));
    int e = revive(p);
    if (!e) e = derive_source(p);
    if (!e) e = derive(p, KT_N_OFFICE, p->who->office);
    if (!e) e = derive(p, KT_N_AGENCY, p->who->agency);
    if (!e) e = derive(p, KT_N_CREATED, created);
    if (!e && p->record->kind == KT_CASE) e = derive(p, KT_F_CASE_NUMBER % 256u, p->source_id);
    if (!e && p->record->kind == KT_TASK && p->record->parent_kind == KT_CASE)
        e = derive(p, KT_F_TASK_PARENT % 256u, kt_arena_copy(p->arena, KT_BYTES_OF(p->ward)));
    return e;
}
