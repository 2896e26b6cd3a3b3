/* A delete replaces everything it sees of an entity, in each compartment where it may write, and says so. */
#include "engine/write/write_state.h"
#include "engine/view/heads.h"
#include "proto/schema/fields.h"
#include "proto/view/rules.h"

struct rows_gone {
    struct kt_planning *p;
    struct kt_write_draft *d;
};

static int row_gone(void *ctx, const struct kt_slot *row)
{
    struct rows_gone *g = ctx;
    return kt_draft_replace(g->p, g->d, row->field, row->element, false, kt_bytes(NULL, 0), row);
}

static int delete_in(struct kt_planning *p, struct kt_write_draft *d, uint32_t kind)
{
    uint32_t n;
    const struct kt_schema_field *f = kt_schema_fields(kind, &n);
    struct rows_gone gone = {p, d};
    int e = KT_OK;
    for (uint32_t i = 0; i < d->ward->slots_len && !e; i++) {
        const struct kt_slot *s = d->ward->slots[i];
        if (!s->live_len || (s->field & 0xffu) == KT_N_DELETED || memcmp(&s->entity, &p->entity, sizeof s->entity))
            continue;
        e = kt_draft_replace(p, d, s->field, s->element, false, kt_bytes(NULL, 0), s);
    }
    for (uint32_t i = 0; i < n && !e; i++)
        if (f[i].shape == KT_LIST) e = kt_workset_rows(p->w, d->ward, &p->entity, f[i].number, row_gone, &gone);
    return e;
}

static bool all_say_so(const struct kt_slot *slot)
{
    for (uint32_t i = 0; i < slot->live_len; i++)
        if (!kt_value_deletes(slot->field, slot->live[i].value)) return false;
    return true;
}

int kt_write_delete(struct kt_planning *p)
{
    const uint32_t kind = p->kind->kind;
    const struct kt_schema_field *f = kt_schema_field(kind << 8 | KT_N_DELETED);
    struct kt_write_draft *at, *own;
    if (!f) return kt_refuse(p, KT_EFIELD, 0, "cannot be deleted: clear its values instead");
    int e = kt_draft_at(p, f->place, &at);
    if (!e) e = delete_in(p, at, kind);
    if (!e && f->place != KT_IN_OWN && p->own && p->own != at->compartment) {
        e = kt_draft_of(p, p->own, &own);
        if (!e) e = delete_in(p, own, kind);
    }
    if (e) return e;
    bool any = false;
    for (uint32_t i = 0; i < p->drafts_len; i++) any = any || p->drafts[i].len;
    const struct kt_slot *slot = kt_ward_slot(at->ward, &p->entity, f->number, kt_bytes(NULL, 0));
    const bool stands = slot && slot->live_len;
    if (stands ? all_say_so(slot) : !any) return KT_OK; /* it says so already, or nothing was there */
    return kt_draft_replace(p, at, f->number, kt_bytes(NULL, 0), true, kt_str("true"), stands ? slot : NULL);
}

static bool is_drafted(const struct kt_planning *p, kt_compartment c)
{
    for (uint32_t i = 0; i < p->drafts_len; i++)
        if (p->drafts[i].compartment == c) return true;
    return false;
}

int kt_write_delete_everywhere(struct kt_planning *p)
{
    struct kt_ward_head head;
    int e = kt_write_delete(p);
    if (!e) e = kt_head_load(p->w, &p->ward, &head);
    for (uint32_t i = 0; !e && i < head.parts_len && p->drafts_len < KT_PLAN_CHANGES_MAX; i++) {
        struct kt_write_draft *d;
        if (is_drafted(p, head.parts[i].compartment)) continue;
        e = kt_draft_of(p, head.parts[i].compartment, &d);
        if (e == KT_ERIGHTS) { /* what is another's stays, and so does the conflict about it */
            p->plan->field = 0;
            p->plan->reason = NULL;
            e = KT_OK;
        } else if (!e) {
            e = delete_in(p, d, p->kind->kind);
        }
    }
    return e;
}
