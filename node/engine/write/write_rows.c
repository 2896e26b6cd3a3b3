/* A record that is a row in a list of its parent: interactions, notes, documents, satisfaction. */
#include "engine/write/write_state.h"
#include "proto/schema/fields.h"
#include "proto/schema/value.h"

/* The row's value: its source columns first, then what the record says. */
static int make_row(struct kt_planning *p, const struct kt_schema_field *f, struct kt_bytes said, struct kt_bytes *out)
{
    struct kt_buf b;
    struct kt_reader r = kt_reader(said);
    struct kt_pb pb;
    kt_buf_init(&b, KT_VALUE_BYTES_MAX);
    if (p->record->source_system.len) kt_buf_pb_bytes(&b, KT_C_ROW_SOURCE_SYSTEM, p->record->source_system);
    if (p->record->source_id.len) kt_buf_pb_bytes(&b, KT_C_ROW_SOURCE_ID, p->record->source_id);
    while (kt_pb_next(&r, &pb))
        if (pb.field > KT_C_ROW_SOURCE_ID) kt_buf_pb_bytes(&b, pb.field, pb.bytes);
    const struct kt_bytes value = kt_arena_copy(p->arena, kt_buf_bytes(&b));
    int e = b.err ? b.err : r.err ? r.err : b.len && !value.data ? KT_ELIMIT : KT_OK;
    kt_buf_free(&b);
    if (e) return kt_refuse(p, e, f->number, kt_error_text(e));
    *out = value;
    return KT_OK;
}

int kt_write_row(struct kt_planning *p)
{
    const struct kt_record *r = p->record;
    const uint32_t field = r->parent_kind == KT_CASE ? p->kind->list_field_case : p->kind->list_field_customer;
    const struct kt_schema_field *f = kt_schema_field(field);
    const struct kt_record_field *said = r->fields_len && !r->deleted ? &r->fields[0] : NULL;
    struct kt_write_draft *d;
    struct kt_bytes row, value = {0}, element = {0};
    if (!f)
        return kt_refuse(p, KT_EFIELD, 0,
                         "does not stand under such a parent: name a case or a customer that it belongs to");
    if (said && (r->fields_len > 1 || said->field != field || said->clear || said->remove_len || said->add_len != 1))
        return kt_refuse(p, KT_EFIELD, said->field, "a row is put as a whole: put it again with what it is to say");
    if (!said && !r->deleted) return kt_refuse(p, KT_EFIELD, 0, "nothing in it: say what happened");
    if (r->deleted && (!r->source_system.len || !r->source_id.len))
        return kt_refuse(p, KT_EFIELD, 0, "nothing says which row is meant: give source_system and source_id");
    int e = kt_draft_at(p, f->place, &d);
    if (!e) e = make_row(p, f, said ? said->add[0] : kt_bytes(NULL, 0), &row);
    if (!e) e = r->deleted ? KT_OK : kt_write_value(p, f, row, &value);
    if (e) return e;
    e = kt_element_id(f, p->id_key, p->who->phone_country, row, p->arena, &element);
    if (e) return e == KT_ENOMEM || e == KT_ELIMIT ? e : kt_refuse(p, e, field, kt_error_text(e));
    return kt_write_list_row(p, d, field, element, !r->deleted, value);
}
