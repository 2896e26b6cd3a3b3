/* What a lookup shows of an entity: exactly what is live, at every moment. */
#include "sim/judge.h"

#include "proto/schema/fields.h"
#include "proto/view/view.h"

#include <ctype.h>
#include <stdlib.h>

/* The number of the write that a value is of: "w17z" anywhere in it; 0: none. */
static uint32_t number_in(struct kt_bytes value)
{
    for (size_t i = 0; i + 2 < value.len; i++) {
        if (value.data[i] != 'w' || !isdigit(value.data[i + 1])) continue;
        uint32_t n = 0;
        size_t k = i + 1;
        while (k < value.len && isdigit(value.data[k])) n = n * 10 + (uint32_t)(value.data[k++] - '0');
        if (k < value.len && value.data[k] == 'z') return n;
    }
    return 0;
}

struct shown {
    struct sim_office *office;
    const struct sim_entity *entity;
    uint32_t field;
    uint32_t numbers[512], len;
};

struct section {
    struct kt_view_record *records;
    uint32_t len;
};

static struct section *decode(struct kt_arena *a, const struct kt_reply *reply)
{
    struct section *out = kt_arena_array(a, reply->lookup.sections_len + 1, sizeof *out);
    uint64_t cases;
    sim_must(out != NULL, "out of memory");
    for (uint32_t i = 0; i < reply->lookup.sections_len; i++)
        sim_must(kt_view_section_decode(reply->lookup.sections[i].bytes, a, &out[i].records, &out[i].len, &cases) ==
                     KT_OK,
                 "a section does not decode");
    return out;
}

static void read_section(struct shown *out, const struct section *section)
{
    for (uint32_t i = 0; i < section->len; i++) {
        const struct kt_view_record *r = &section->records[i];
        if (memcmp(&r->id, &out->entity->entity, sizeof r->id) != 0) continue;
        for (uint32_t v = 0; v < r->values_len; v++)
            if (r->values[v].field == out->field && out->len < 512)
                out->numbers[out->len++] = number_in(r->values[v].value);
    }
}

uint64_t judge_shown(const struct sim *s, struct kt_arena *a, const struct kt_reply *reply)
{
    const struct section *sections = decode(a, reply);
    uint64_t out = 0;
    for (uint32_t i = 0; i < reply->lookup.sections_len; i++)
        for (uint32_t r = 0; r < sections[i].len; r++)
            for (unsigned e = 0; e < s->entities_len; e++)
                if (memcmp(&sections[i].records[r].id, &s->entities[e].entity, sizeof s->entities[e].entity) == 0)
                    out |= (uint64_t)1 << e;
    return out;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void list(char *out, size_t size, const uint32_t *numbers, uint32_t n)
{
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < n && at + 12 < size; i++) at += (size_t)snprintf(out + at, size - at, " %u", numbers[i]);
}

static void compare_field(struct sim *s, unsigned entity, struct shown *shown)
{
    const struct sim_key key = {entity, shown->field, UINT32_MAX};
    uint32_t *live = judge_room(s);
    const uint32_t n = judge_live_at(s, &shown->office->vector, &shown->office->heard, &key, live);
    for (uint32_t i = 0; i < n; i++) live[i] = s->writes[live[i]].number;
    qsort(live, n, sizeof *live, by_number);
    qsort(shown->numbers, shown->len, sizeof *shown->numbers, by_number);
    const struct sim_key deleted = {entity, KT_F_CUSTOMER_DELETED, 0};
    const bool hidden =
        shown->len == 0 && shown->entity->kind == KT_CUSTOMER && judge_live(s, shown->office, &deleted) > 0;
    if (!hidden && (n != shown->len || memcmp(live, shown->numbers, n * sizeof *live) != 0)) {
        char want[160], got[160];
        list(want, sizeof want, live, n);
        list(got, sizeof got, shown->numbers, shown->len);
        sim_fail(s, SIM_LOST, "office-%u, %s:%s, field %x: shows%s where it must show%s", shown->office->number + 1,
                 shown->entity->system, shown->entity->id, shown->field, shown->len ? got : " nothing",
                 n ? want : " nothing");
    }
    s->checks++;
    free(live);
}

int judge_look(struct sim_office *o, const struct sim_entity *e, struct kt_arena *a, struct kt_reply *reply)
{
    struct kt_request r = {.kind = KT_ASK_LOOKUP};
    r.lookup.by = e->kind == KT_CASE ? KT_BY_CASE : KT_BY_SOURCE;
    r.lookup.system = kt_str(e->kind == KT_CASE ? "" : e->system);
    r.lookup.value = kt_str(e->id);
    *reply = (struct kt_reply){.kind = KT_ASK_LOOKUP};
    o->sim->running = o;
    const int err = kt_lookup_run(o->lookup, &r, NULL, a, reply);
    o->sim->running = NULL;
    return err;
}

/* In whose view it stands: a customer, or a case. */
static unsigned home_of(const struct sim *s, unsigned entity)
{
    const struct sim_entity *e = &s->entities[entity];
    return e->kind == KT_CUSTOMER || e->kind == KT_CASE ? entity : (unsigned)e->customer;
}

bool judge_can_be_seen(struct sim *s, struct sim_office *o, unsigned entity)
{
    const struct sim_entity *e = &s->entities[entity];
    const unsigned home = home_of(s, entity);
    const struct sim_entity *h = &s->entities[home];
    const struct sim_key deleted = {home, KT_F_CUSTOMER_DELETED, 0};
    if (e->unjudged || h->unjudged || e->kind == KT_IDENTITY_LINK) return false;
    if (e->kind == KT_CUSTOMER) { /* consents may come before the record, and wait unseen */
        const struct sim_key consents = {entity, KT_F_CUSTOMER_CONSENT, UINT32_MAX};
        return judge_named(s, o, entity) || judge_live(s, o, &consents) == 0;
    }
    /* a case is found by its number; what came before it waits unseen */
    if (!judge_named(s, o, home) || !judge_named(s, o, entity)) return false;
    if (h->kind == KT_CASE) return organisation_reads(s->offices_len, o->number + 1, h->own);
    return judge_known(s, o, home) && judge_live(s, o, &deleted) == 0;
}

void judge_entity(struct sim *s, struct sim_office *o, unsigned entity)
{
    const struct sim_entity *e = &s->entities[entity];
    struct kt_arena a;
    struct kt_reply reply;
    if (!o->up || !judge_can_be_seen(s, o, entity)) return;
    kt_arena_init(&a, 256u << 20);
    const int err = judge_look(o, &s->entities[home_of(s, entity)], &a, &reply);
    if (err && err != KT_ENOTFOUND && !office_may_say(o, err))
        sim_fail(s, SIM_LOST, "office-%u does not answer for %s:%s: %s", o->number + 1, e->system, e->id,
                 kt_error_text(err));
    const struct section *sections = err ? NULL : decode(&a, &reply);
    const struct sim_field *f;
    const uint32_t n = err && err != KT_ENOTFOUND ? 0 : sim_fields_of(e->kind, &f);
    for (uint32_t k = 0; k < n; k++) {
        struct shown shown = {.office = o, .entity = e, .field = f[k].field};
        if (!f[k].core && !organisation_reads(s->offices_len, o->number + 1, e->own)) continue;
        for (uint32_t i = 0; !err && i < reply.lookup.sections_len; i++) read_section(&shown, &sections[i]);
        compare_field(s, entity, &shown);
    }
    kt_arena_free(&a);
}
