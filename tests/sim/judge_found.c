/* What is found by its identifier, and what is listed as a conflict: no more and no less than what is live says. */
#include "sim/sim.h"

#include "proto/schema/fields.h"

#include <stdio.h>

static bool is_deleted(struct sim *s, struct sim_office *o, unsigned entity)
{
    const struct sim_key deleted = {entity, KT_F_CUSTOMER_DELETED, 0};
    return s->entities[entity].kind == KT_CUSTOMER && judge_live(s, o, &deleted) > 0;
}

static bool readable(struct sim *s, struct sim_office *o, unsigned entity)
{
    const struct sim_entity *e = &s->entities[entity];
    if (e->kind == KT_TASK && !judge_can_be_seen(s, o, entity)) return false; /* nor its conflicts */
    return !e->unjudged && e->own != SIM_CORE && !is_deleted(s, o, entity) &&
           organisation_reads(s->offices_len, o->number + 1, e->own);
}

static void find_one(struct sim *s, struct sim_office *o, unsigned entity, uint32_t element)
{
    const struct sim_key key = {entity, KT_F_CUSTOMER_IDENTIFIER, element};
    const bool expected = judge_live(s, o, &key) > 0;
    struct kt_request r = {.kind = KT_ASK_LOOKUP};
    struct kt_reply reply = {.kind = KT_ASK_LOOKUP};
    struct kt_arena a;
    char value[SIM_IDENTIFIER_CHARS];
    sim_identifier(&s->entities[entity], element, value);
    r.lookup.by = KT_BY_ID;
    r.lookup.system = kt_str("tax");
    r.lookup.value = kt_str(value);
    kt_arena_init(&a, 256u << 20);
    s->running = o;
    const int err = kt_lookup_run(o->lookup, &r, NULL, &a, &reply);
    s->running = NULL;
    if (office_may_say(o, err))
        ; /* and says nothing wrong */
    else if (err && err != KT_ENOTFOUND)
        sim_fail(s, SIM_LOST, "office-%u does not look for tax:%s: %s", o->number + 1, value, kt_error_text(err));
    else if (expected && (err || !(judge_shown(s, &a, &reply) >> entity & 1)))
        sim_fail(s, SIM_LOST, "office-%u does not find tax:%s", o->number + 1, value);
    else if (!expected && !err)
        sim_fail(s, SIM_LOST, "office-%u finds tax:%s, which is nobody's", o->number + 1, value);
    s->checks++;
    kt_arena_free(&a);
}

void judge_found(struct sim *s, struct sim_office *o)
{
    for (unsigned i = 0; i < s->entities_len && o->up; i++)
        for (uint32_t element = 1; element <= SIM_ELEMENTS && s->entities[i].kind == KT_CUSTOMER; element++)
            if (readable(s, o, i) && judge_known(s, o, i)) find_one(s, o, i, element);
}

/* ------------------------------------------------------------------------------------------------------- conflicts */

static uint32_t listed(const struct kt_reply *reply, const struct sim_entity *e, uint32_t field)
{
    char ref[64];
    uint32_t n = 0;
    snprintf(ref, sizeof ref, "%s:%s", e->system, e->id);
    for (uint32_t i = 0; i < reply->conflicts.len; i++)
        n += reply->conflicts.items[i].field == field && kt_bytes_equal(reply->conflicts.items[i].ref, kt_str(ref));
    return n;
}

static uint32_t in_conflict(struct sim *s, struct sim_office *o, unsigned entity, uint32_t field)
{
    uint32_t n = 0;
    for (uint32_t element = 0; element <= SIM_ELEMENTS; element++) {
        const struct sim_key key = {entity, field, element};
        n += judge_live(s, o, &key) > 1;
    }
    return n;
}

void judge_conflicts(struct sim *s, struct sim_office *o)
{
    struct kt_arena a;
    struct kt_reply reply = {.kind = KT_ASK_CONFLICTS};
    if (!o->up) return;
    kt_arena_init(&a, 64u << 20);
    s->running = o;
    const int err = sim_conflicts(o, &a, &reply);
    s->running = NULL;
    if (err && !office_may_say(o, err))
        sim_fail(s, SIM_LOST, "office-%u does not list its conflicts: %s", o->number + 1, kt_error_text(err));
    for (unsigned i = 0; i < s->entities_len && !err; i++) {
        const struct sim_entity *e = &s->entities[i];
        if (!readable(s, o, i) || (e->kind == KT_CUSTOMER && !judge_known(s, o, i))) continue;
        if (!judge_named(s, o, i)) continue; /* a cut took the name it would be listed under */
        const struct sim_field *f;
        for (uint32_t n = sim_fields_of(e->kind, &f); n-- > 0; f++) {
            if (!f->listed) continue;
            const uint32_t want = in_conflict(s, o, i, f->field), got = listed(&reply, e, f->field);
            if (want != got)
                sim_fail(s, SIM_LOST, "office-%u lists %u conflicts of %s:%s field %x where there are %u",
                         o->number + 1, got, e->system, e->id, f->field, want);
            s->checks++;
        }
    }
    kt_arena_free(&a);
}
