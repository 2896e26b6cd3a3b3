/* Who a record is about: entity, ward and compartment from the names it carries. */
#include "engine/write/write_state.h"
#include "proto/schema/composite.h"
#include "proto/schema/fields.h"

#include <ctype.h>

int kt_write_check_name(struct kt_planning *p, struct kt_bytes name, const char *format)
{
    const char *why = NULL;
    struct kt_bytes out;
    int e = kt_scalar_canonical(KT_CODE, NULL, name, p->arena, &out, &why);
    if (!e || e == KT_ENOMEM || e == KT_ELIMIT) return e;
    return kt_refuse_named(p, e, 0, format, kt_str(why ? why : "is malformed"));
}

static int resolve(void *ctx, uint32_t kind, struct kt_bytes system, struct kt_bytes id, struct kt_entity_id *out)
{
    const struct kt_planning *p = ctx;
    if (system.len > KT_NAME_BYTES_MAX || id.len > KT_NAME_BYTES_MAX) return KT_EOVERSIZE;
    return kt_ref_entity(p->id_key, kind, system, id, out);
}

int kt_write_value(struct kt_planning *p, const struct kt_schema_field *f, struct kt_bytes in, struct kt_bytes *out)
{
    struct kt_bytes value;
    if (in.len > KT_VALUE_BYTES_MAX) return kt_refuse(p, KT_EOVERSIZE, f->number, "a value over 32 KiB: shorten it");
    int e = kt_value_resolve_refs(f, in, resolve, p, p->arena, &value);
    if (e == KT_ETYPE || e == KT_EINVAL)
        return kt_refuse(p, KT_ETYPE, f->number, "not a reference: write it as SYSTEM:ID");
    if (!e) e = kt_value_check(f, value);
    if (e && e != KT_ENOMEM) return kt_refuse(p, e, f->number, kt_error_text(e));
    if (!e) *out = value;
    return e;
}

/* ------------------------------------------------------------------------------------------------- case numbers */

static const char base32[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford's: no I, L, O, U */
static const char check37[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";

#define PREFIX_CHARS_MAX 8u
#define NUMBER_CHARS     10u

/* A case nobody numbered: office prefix, "-", 10 base32 characters, and their value mod 37 as a check character. */
static int make_number(struct kt_planning *p, struct kt_bytes *out)
{
    struct kt_world *world = kt_workset_world(p->w);
    uint64_t random, value = 0;
    char *text = kt_arena_alloc(p->arena, PREFIX_CHARS_MAX + NUMBER_CHARS + 3);
    size_t n = 0;
    if (!text) return KT_ELIMIT;
    for (size_t i = 0; i < p->who->office.len && n < PREFIX_CHARS_MAX; i++)
        if (isalnum(p->who->office.data[i])) text[n++] = (char)toupper(p->who->office.data[i]);
    if (n) text[n++] = '-';
    world->random(world, &random, sizeof random);
    for (uint32_t i = 0; i < NUMBER_CHARS; i++) {
        const uint32_t digit = (uint32_t)(random >> (5 * i)) & 31u;
        text[n++] = base32[digit];
        value = (value * 32 + digit) % 37;
    }
    text[n++] = check37[value];
    *out = kt_bytes(text, n);
    return KT_OK;
}

/* --------------------------------------------------------------------------------------- links and relationships */

static int reference(struct kt_planning *p, uint32_t field, struct kt_entity_id *out)
{
    const struct kt_schema_field *f = kt_schema_field(field);
    for (uint32_t i = 0; i < p->record->fields_len; i++) {
        const struct kt_record_field *rf = &p->record->fields[i];
        struct kt_bytes value;
        if (rf->field != field || rf->add_len == 0) continue;
        int e = kt_write_value(p, f, rf->add[0], &value);
        if (!e) memcpy(out->b, value.data, sizeof out->b);
        return e;
    }
    return kt_refuse(p, KT_EFIELD, field, "is missing: name the customer as SYSTEM:ID");
}

/* The id of what is named by the two it joins; of links the pair in order, so that either way round is one link. */
static int identify_pair(struct kt_planning *p, uint32_t from, uint32_t to, bool sorted)
{
    struct kt_entity_id pair[2];
    struct kt_bytes type = {0};
    int e = reference(p, from, &pair[0]);
    if (!e) e = reference(p, to, &pair[1]);
    if (e) return e;
    const int order = memcmp(&pair[0], &pair[1], sizeof pair[0]);
    if (order == 0) return kt_refuse(p, KT_EFIELD, to, "names the same record twice: name two");
    if (sorted && order > 0) {
        const struct kt_entity_id first = pair[0];
        pair[0] = pair[1];
        pair[1] = first;
    }
    for (uint32_t i = 0; !sorted && i < p->record->fields_len; i++)
        if (p->record->fields[i].field == KT_F_RELATIONSHIP_TYPE && p->record->fields[i].add_len)
            type = p->record->fields[i].add[0];
    uint8_t *second = kt_arena_alloc(p->arena, KT_ENTITY_ID_BYTES + type.len);
    if (!second) return KT_ELIMIT;
    memcpy(second, pair[1].b, KT_ENTITY_ID_BYTES);
    if (type.len) memcpy(second + KT_ENTITY_ID_BYTES, type.data, type.len);
    p->entity = kt_entity_id_of(p->id_key, p->record->kind, KT_BYTES_OF(pair[0]),
                                kt_bytes(second, KT_ENTITY_ID_BYTES + type.len));
    return KT_OK;
}

/* ------------------------------------------------------------------------------------------------------- identify */

/* The compartment of the record's own fields. */
static int find_own(struct kt_planning *p)
{
    const struct kt_record *r = p->record;
    const struct kt_bytes system = r->source_system.len ? r->source_system : r->parent_system;
    int e = KT_OK;
    if (r->source_system.len) e = kt_write_check_name(p, r->source_system, "source_system %s: correct it");
    if (!e && r->source_id.len) e = kt_write_check_name(p, r->source_id, "source_id %s: correct it");
    if (!e && r->parent_system.len)
        e = kt_write_check_name(p, r->parent_system, "the reference to its parent %s: correct it");
    if (!e && r->parent_id.len) e = kt_write_check_name(p, r->parent_id, "the reference to its parent %s: correct it");
    if (e || system.len == 0) return e;
    p->own = kt_roster_system(p->roster, system);
    /* "case:HEX" names a parent without saying what system the row is from */
    if (p->own || (!r->source_system.len && kt_schema_kind_named(system))) return KT_OK;
    return kt_refuse_named(p, KT_EUNMAPPED, 0,
                           "nobody mapped the source system \"%s\" to a compartment: have the authority map it",
                           system);
}

static int find_parent(struct kt_planning *p)
{
    const struct kt_record *r = p->record;
    if (!r->parent_system.len || !r->parent_id.len || (r->parent_kind != KT_CUSTOMER && r->parent_kind != KT_CASE))
        return kt_refuse(p, KT_EFIELD, 0, "its parent is missing: name its case or customer as SYSTEM:ID");
    return kt_ref_entity(p->id_key, r->parent_kind, r->parent_system, r->parent_id, &p->ward);
}

static struct kt_bytes number_given(const struct kt_record *r)
{
    for (uint32_t i = 0; i < r->fields_len; i++)
        if (r->fields[i].field == KT_F_CASE_NUMBER && r->fields[i].add_len) return r->fields[i].add[0];
    return kt_bytes(NULL, 0);
}

/* The entity a record with a source of its own is. */
static int find_source(struct kt_planning *p)
{
    const struct kt_record *r = p->record;
    p->source_id = r->source_id;
    if (r->source_system.len && !r->source_id.len && r->kind == KT_CASE && !r->deleted) {
        p->source_id = number_given(r);
        int e = p->source_id.len ? kt_write_check_name(p, p->source_id, "number %s: correct it")
                                 : make_number(p, &p->source_id);
        if (e) return e;
        p->plan->number = p->source_id;
    }
    if (!r->source_system.len)
        return kt_refuse(p, KT_EFIELD, 0, "source_system is missing: say which system the record is from");
    if (!p->source_id.len)
        return kt_refuse(p, KT_EFIELD, 0, "source_id is missing: say what the source calls the record");
    p->entity = kt_entity_id_of(p->id_key, r->kind, r->source_system, p->source_id);
    return KT_OK;
}

int kt_write_identify(struct kt_planning *p)
{
    const uint32_t kind = p->record->kind;
    const bool sourced = p->record->source_system.len && p->record->source_id.len;
    int e = find_own(p);
    if (e) return e;
    p->source_id = p->record->source_id;
    switch (p->kind->home) {
    case KT_HOME_WARD:
        if (kind == KT_IDENTITY_LINK)
            e = identify_pair(p, KT_F_IDENTITY_LINK_A, KT_F_IDENTITY_LINK_B, true);
        else if (kind == KT_RELATIONSHIP && !sourced)
            e = identify_pair(p, KT_F_RELATIONSHIP_FROM, KT_F_RELATIONSHIP_TO, false);
        else
            e = find_source(p);
        p->ward = p->entity;
        return e;
    case KT_HOME_PARENT:
        e = find_parent(p);
        return e ? e : find_source(p);
    default: /* rows and keyed registers are their parent's */
        e = find_parent(p);
        p->entity = p->ward;
        return e;
    }
}
