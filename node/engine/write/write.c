/* A put becomes changes: who it is about, what it says, what of that is new. */
#include "engine/write/write_state.h"
#include "engine/view/conflict_rows.h"
#include "proto/schema/fields.h"
#include "proto/view/rules.h"

int kt_refuse(struct kt_planning *p, int code, uint32_t field, const char *reason)
{
    p->plan->field = field;
    p->plan->reason = reason;
    return code;
}

int kt_refuse_named(struct kt_planning *p, int code, uint32_t field, const char *format, struct kt_bytes name)
{
    const char *mark = strstr(format, "%s");
    const size_t before = mark ? (size_t)(mark - format) : strlen(format), after = mark ? strlen(mark + 2) : 0;
    char *text = kt_arena_alloc(p->arena, before + name.len + after + 1);
    if (!text) return KT_ELIMIT;
    memcpy(text, format, before);
    if (mark && name.len) memcpy(text + before, name.data, name.len);
    if (after) memcpy(text + before + name.len, mark + 2, after);
    return kt_refuse(p, code, field, text);
}

static int begin(struct kt_planning *p, struct kt_workset *w, const struct kt_writer *who, struct kt_plan *plan)
{
    *plan = (struct kt_plan){0};
    *p = (struct kt_planning){.w = w, .who = who, .plan = plan, .arena = kt_workset_arena(w)};
    p->id_key = kt_keyring_id_key(kt_workset_keyring(w));
    p->roster = kt_keyring_roster(kt_workset_keyring(w));
    if (!p->id_key || !p->roster)
        return kt_refuse(p, KT_EKEY, 0, "this node has no keys yet: have the authority admit it");
    return KT_OK;
}

int kt_write_plan(struct kt_workset *w, const struct kt_writer *who, const struct kt_record *record,
                  struct kt_plan *plan)
{
    struct kt_planning p;
    int e = begin(&p, w, who, plan);
    if (e) return e;
    p.record = record;
    p.kind = kt_schema_kind(record->kind);
    if (!p.kind) return kt_refuse(&p, KT_EFIELD, 0, "no such kind of entity: see the list in README.md");
    if ((e = kt_write_identify(&p))) return e;
    if (p.kind->home == KT_HOME_ROW)
        e = kt_write_row(&p);
    else if (record->deleted)
        e = kt_write_delete(&p);
    else {
        e = kt_write_fields(&p);
        if (!e) e = kt_write_derived(&p);
    }
    if (!e) e = kt_draft_finish(&p);
    if (e) plan->changes_len = 0;
    return e;
}

/* The conflict's register, as it is now. */
static int find_conflict(struct kt_planning *p, struct kt_bytes hex, struct kt_conflict_place *at)
{
    uint8_t id[KT_CONFLICT_ID_BYTES];
    char text[2 * KT_CONFLICT_ID_BYTES + 1] = {0};
    if (hex.len != sizeof text - 1) return kt_refuse(p, KT_ENOTFOUND, 0, "no such conflict: see kontor conflicts list");
    memcpy(text, hex.data, hex.len);
    int e = kt_unhex(text, id, sizeof id);
    if (!e) e = kt_conflict_row_get(p->w, id, p->arena, at);
    if (e == KT_EMALFORMED || e == KT_ENOTFOUND)
        return kt_refuse(p, KT_ENOTFOUND, 0, "no such conflict: see kontor conflicts list");
    return e;
}

int kt_write_resolve(struct kt_workset *w, const struct kt_writer *who, struct kt_bytes conflict_id,
                     struct kt_bytes value, bool clear, struct kt_plan *plan)
{
    struct kt_planning p;
    struct kt_conflict_place at;
    struct kt_write_draft *d;
    struct kt_bytes checked = {0};
    int e = begin(&p, w, who, plan);
    if (!e) e = find_conflict(&p, conflict_id, &at);
    if (e) return e;
    const struct kt_schema_field *f = kt_schema_field(at.field);
    if (!f) return kt_refuse(&p, KT_EFIELD, at.field, "a field this node does not know: upgrade it");
    p.ward = at.ward;
    p.entity = at.entity;
    p.own = at.compartment;
    p.kind = kt_schema_kind(kt_field_kind(at.field));
    if (!clear && (e = kt_write_value(&p, f, value, &checked))) return e;
    if ((e = kt_draft_of(&p, at.compartment, &d))) return e;
    const struct kt_slot *slot = kt_ward_slot(d->ward, &at.entity, at.field, at.element);
    /* nothing is written to say that something is not deleted */
    const bool deletion = (at.field & 0xffu) == KT_N_DELETED, deletes = kt_value_deletes(at.field, checked);
    if (deletion && deletes)
        e = kt_write_delete_everywhere(&p);
    else if (slot && deletion)
        e = kt_draft_replace(&p, d, at.field, at.element, false, kt_bytes(NULL, 0), slot);
    else if (slot)
        e = kt_draft_replace(&p, d, at.field, at.element, !clear, checked, slot);
    if (!e) e = kt_draft_finish(&p);
    if (e) plan->changes_len = 0;
    return e;
}
