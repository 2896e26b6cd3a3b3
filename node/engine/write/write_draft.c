/* Changes growing op by op, within what may be written and what fits. */
#include "engine/view/view_sections.h"
#include "engine/write/write_state.h"
#include "proto/schema/fields.h"

#include <stdlib.h>

#define CHANGE_FIXED_BYTES (3u * (KT_NAME_BYTES_MAX + 4u) + 32u) /* ward, actor, purpose, basis */
#define OP_FIXED_BYTES     64u                                   /* entity, field, tags and lengths */
#define DOT_BYTES          48u                                   /* one replaced dot on the wire, at most */
#define RECORD_BYTES_MAX   (KT_BATCH_BYTES_MAX - (16u << 10))    /* all changes of a record go into one batch */

static bool granted(const struct kt_writer *who, kt_compartment c)
{
    for (uint32_t i = 0; who->may_write && i < who->may_write_len; i++)
        if (who->may_write[i] == c) return true;
    return !who->may_write;
}

static struct kt_bytes name_of(const struct kt_planning *p, kt_compartment c)
{
    const struct kt_roster_compartment *rc = kt_roster_compartment(p->roster, c);
    return kt_str(rc ? rc->name : "unknown");
}

int kt_draft_of(struct kt_planning *p, kt_compartment c, struct kt_write_draft **out)
{
    for (uint32_t i = 0; i < p->drafts_len; i++)
        if (p->drafts[i].compartment == c) {
            *out = &p->drafts[i];
            return KT_OK;
        }
    if (p->drafts_len == KT_PLAN_CHANGES_MAX) return KT_EBUG;
    if (!granted(p->who, c))
        return kt_refuse_named(
            p, KT_ERIGHTS, 0, "this client may not write the compartment \"%s\": ask for a wider grant", name_of(p, c));
    if (!kt_roster_may_write(p->roster, p->who->self, c))
        return kt_refuse_named(p, KT_ERIGHTS, 0,
                               "this office may not write the compartment \"%s\": ask the authority for the right",
                               name_of(p, c));
    struct kt_write_draft *d = &p->drafts[p->drafts_len];
    int e = kt_workset_ward(p->w, c, &p->ward, &d->ward);
    if (e == KT_EKEY)
        return kt_refuse_named(p, KT_ERIGHTS, 0,
                               "this office does not read the compartment \"%s\": ask the authority for the right",
                               name_of(p, c));
    if (e) return e;
    d->compartment = c;
    d->bytes = CHANGE_FIXED_BYTES;
    p->drafts_len++;
    *out = d;
    return KT_OK;
}

int kt_draft_at(struct kt_planning *p, enum kt_place place, struct kt_write_draft **out)
{
    if (place == KT_IN_CORE) return kt_draft_of(p, KT_CORE, out);
    if (!p->own) return kt_refuse(p, KT_EFIELD, 0, "source_system is missing: say which system the record is from");
    return kt_draft_of(p, p->own, out);
}

static struct kt_op *next_op(struct kt_planning *p, struct kt_write_draft *d)
{
    if (d->len == d->cap) {
        const uint32_t cap = d->cap ? d->cap * 2 : 16;
        struct kt_op *grown = kt_arena_array(p->arena, cap, sizeof *grown);
        if (!grown) return NULL;
        if (d->len) memcpy(grown, d->ops, d->len * sizeof *grown);
        d->ops = grown;
        d->cap = cap;
    }
    return &d->ops[d->len++];
}

int kt_draft_op(struct kt_planning *p, struct kt_write_draft *d, uint32_t field, struct kt_bytes element,
                bool has_value, struct kt_bytes value, const struct kt_slot *slot, const bool *take)
{
    const uint32_t live = slot ? slot->live_len : 0;
    struct kt_dot *dots = kt_arena_array(p->arena, live + 1u, sizeof *dots);
    uint32_t n = 0;
    size_t all = 0;
    if (!dots) return KT_ELIMIT;
    for (uint32_t i = 0; i < live; i++) {
        if (slot->live[i].stamp > d->seen) d->seen = slot->live[i].stamp;
        if (take[i] && n < KT_REPLACES_PER_OP_MAX) dots[n++] = slot->live[i].dot;
    }
    d->bytes += OP_FIXED_BYTES + element.len + (has_value ? value.len : 0) + (size_t)n * DOT_BYTES;
    for (uint32_t i = 0; i < p->drafts_len; i++) all += p->drafts[i].bytes;
    if (d->len == KT_OPS_PER_CHANGE_MAX || d->bytes > KT_CHANGE_BYTES_MAX || all > RECORD_BYTES_MAX)
        return kt_refuse(p, KT_ELIMIT, field, "too much for one change: split the record");
    struct kt_op *op = next_op(p, d);
    if (!op) return KT_ELIMIT;
    *op = (struct kt_op){.entity = p->entity,
                         .field = field,
                         .element = element,
                         .has_value = has_value,
                         .value = has_value ? value : kt_bytes(NULL, 0),
                         .replaces = dots,
                         .replaces_len = n};
    return KT_OK;
}

int kt_draft_replace(struct kt_planning *p, struct kt_write_draft *d, uint32_t field, struct kt_bytes element,
                     bool has_value, struct kt_bytes value, const struct kt_slot *slot)
{
    const uint32_t live = slot ? slot->live_len : 0;
    bool *take = kt_arena_array(p->arena, live + 1u, sizeof *take);
    if (!take) return KT_ELIMIT;
    for (uint32_t i = 0; i < live; i++) take[i] = true;
    return kt_draft_op(p, d, field, element, has_value, value, slot, take);
}

/* The newest dots of the entity in what was looked at: the token of a line that changed nothing. */
static void note_found(struct kt_planning *p)
{
    struct kt_newest newest = {.len = 0};
    for (uint32_t i = 0; i < p->drafts_len; i++)
        for (uint32_t k = 0; k < p->drafts[i].ward->slots_len; k++) {
            const struct kt_slot *s = p->drafts[i].ward->slots[k];
            if (memcmp(&s->entity, &p->entity, sizeof s->entity)) continue;
            for (uint32_t n = 0; n < s->live_len; n++) kt_newest_note(&newest, &s->live[n].dot, s->live[n].stamp);
        }
    for (uint32_t i = 0; i < p->plan->found_len; i++) { /* rows that were looked at */
        const struct kt_dot dot = {.origin = p->plan->found[i].origin, .batch = p->plan->found[i].number};
        kt_newest_note(&newest, &dot, UINT64_MAX);
    }
    p->plan->found_len = kt_newest_heads(&newest, p->plan->found);
}

int kt_draft_finish(struct kt_planning *p)
{
    struct kt_plan *plan = p->plan;
    for (uint32_t i = 0; i < p->drafts_len; i++) {
        const struct kt_write_draft *d = &p->drafts[i];
        if (d->len == 0) continue;
        plan->changes[plan->changes_len++] = (struct kt_planned_change){
            .compartment = d->compartment,
            .seen = d->seen,
            .change = {.ward = p->ward,
                       .actor = p->who->actor,
                       .purpose = p->who->purpose,
                       .basis = p->who->case_ref,
                       .ops = d->ops,
                       .ops_len = d->len}
        };
    }
    note_found(p);
    return KT_OK;
}
