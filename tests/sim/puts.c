/* What is put: one line about one field, as a client would write it, and what the judge is to expect of it. */
#include "sim/workload.h"

#include "client/cli/json/json.h"
#include "proto/schema/fields.h"

#include <stdarg.h>

#define LINE_BYTES      (SIM_PADDING_MAX + 1024u)
#define ARENA_BYTES_MAX (64u << 20)

void sim_identifier(const struct sim_entity *e, uint32_t element, char *out)
{
    snprintf(out, SIM_IDENTIFIER_CHARS, "T-%s-%s-%u", e->system, e->id, element);
}

/* In seeds that have long values: letters that do not compress well. */
static const char *padding(struct sim *s)
{
    const uint32_t n = s->long_values ? dice_below(&s->dice, SIM_PADDING_MAX) : 0;
    for (uint32_t i = 0; i < n; i++) s->padding[i] = (char)('a' + dice_below(&s->dice, 22)); /* no w, no z */
    s->padding[n] = '\0';
    return s->padding;
}

/* ------------------------------------------------------------------------------------------------------- a line */

struct line {
    struct sim *s;
    const struct sim_entity *about, *first, *second; /* the records it names, or NULL */
    const struct sim_intent *in;
    uint32_t number;
    char text[LINE_BYTES];
    size_t len;
};

static void say(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    l->len += (size_t)vsnprintf(l->text + l->len, LINE_BYTES - l->len, format, args);
    va_end(args);
    sim_must(l->len < LINE_BYTES, "a line is too long");
}

static void name(struct line *l, const struct sim_entity *e)
{
    if (e) say(l, "%s:%s", e->system, e->id);
}

/* fields.c says what stands for what. */
static void expand(struct line *l, const char *template)
{
    static const char *const verdicts[] = {"NO_MATCH", "POSSIBLE_MATCH", "MATCH"};
    const struct sim_entity *e = l->about;
    for (const char *c = template; *c; c++) {
        if (*c == '#')
            say(l, "w%uz", l->number);
        else if (*c == '~')
            say(l, "%s", padding(l->s));
        else if (*c == '@')
            say(l, "%u", l->in->key.element);
        else if (*c == '%')
            say(l, "%s", e->id);
        else if (*c == '&')
            say(l, "%s", e->system);
        else if (*c == '$')
            say(l, "%c", e->id[strlen(e->id) - 1]);
        else if (*c == '<' || *c == '>')
            name(l, *c == '<' ? l->first : l->second);
        else if (*c == '^' && l->first)
            expand(l, ",'customer':[{'ref':'<','role':'requester'}]");
        else if (*c == '!')
            say(l, "%s", verdicts[l->in->verdict]);
        else if (*c != '^')
            say(l, "%c", *c == '\'' ? '"' : *c);
    }
}

static void whole_line(struct line *l, const char *template)
{
    static const struct {
        uint32_t kind;
        const char *name;
    } kinds[] = {
        {KT_CUSTOMER, "customer"}, {KT_CASE, "case"}, {KT_TASK, "task"}, {KT_LICENCE, "licence"}, {0, NULL},
    };
    unsigned i = 0;
    if (*template == '{') {
        expand(l, template);
        return;
    }
    while (kinds[i].kind && kinds[i].kind != l->about->kind) i++;
    say(l, "{\"entity\":\"%s\",\"source_system\":\"%s\",\"source_id\":\"%s\",", kinds[i].name, l->about->system,
        l->about->id);
    expand(l, template);
    say(l, "}");
}

/* What is said of an entity, and what that means. */
static void choose(struct sim *s, const struct sim_entity *e, struct line *l, struct sim_intent *in)
{
    const struct sim_field *f;
    const uint32_t n = sim_fields_of(e->kind, &f);
    const bool turned = e->kind == KT_IDENTITY_LINK && dice_in(&s->dice, 2); /* one link, either way round */
    f += dice_below(&s->dice, n);
    l->first = e->customer >= 0 ? &s->entities[turned ? e->other : e->customer] : NULL;
    l->second = turned ? &s->entities[e->customer] : &s->entities[e->other];
    in->key.field = f->field;
    in->way = f->way;
    in->key.element = f->elements == SIM_EACH_ITS_OWN ? l->number : 0;
    if (f->elements && !in->key.element) in->key.element = 1 + dice_below(&s->dice, f->elements);
    in->verdict = dice_in(&s->dice, 2) ? SIM_MATCH : (enum sim_verdict)dice_below(&s->dice, 3);
    in->deletes = strcmp(e->system, "clinic") == 0 && e->kind == KT_CUSTOMER && dice_in(&s->dice, 6);
    in->adds = in->deletes || !f->takes || !dice_in(&s->dice, 3);
    whole_line(l, in->deletes ? "'deleted':true" : in->adds ? f->adds : f->takes);
}

static bool may_write(const struct sim_office *o, const struct sim_entity *e)
{
    return organisation_reads(o->sim->offices_len, o->number + 1, e->own);
}

/* What a lookup gives as a basis, where it gives one. */
static struct kt_bytes basis_of(struct sim_office *o, const struct sim_entity *e, struct kt_arena *a)
{
    struct kt_request r = {.kind = KT_ASK_LOOKUP};
    struct kt_reply reply = {.kind = KT_ASK_LOOKUP};
    r.lookup.by = e->kind == KT_CASE ? KT_BY_CASE : KT_BY_SOURCE;
    r.lookup.system = kt_str(e->kind == KT_CASE ? "" : e->system);
    r.lookup.value = kt_str(e->id);
    o->sim->running = o;
    const int err = kt_lookup_run(o->lookup, &r, NULL, a, &reply);
    o->sim->running = NULL;
    return err ? kt_bytes(NULL, 0) : reply.lookup.basis;
}

static void add_line(struct sim_office *o, struct sim_request *r, unsigned entity, struct kt_arena *a,
                     struct kt_record *out)
{
    struct sim *s = o->sim;
    struct sim_intent *in = &r->intents[r->len];
    struct kt_json_fault fault = {0};
    struct line l = {.s = s, .about = &s->entities[entity], .in = in, .number = judge_next(s)};
    r->numbers[r->len] = l.number;
    in->key.entity = entity;
    choose(s, l.about, &l, in);
    const struct kt_bytes line = kt_arena_copy(a, kt_bytes(l.text, l.len));
    const int err = kt_json_record(line, r->len + 1, a, out, &fault);
    if (err) fprintf(stderr, "%s: %s: %s\n", l.text, fault.field, fault.reason);
    sim_must(err == KT_OK, "a line is no line");
    r->len++;
}

static bool one_of_several(const struct sim_request *r, unsigned entity)
{
    for (uint32_t i = 0; i < r->len; i++)
        if (r->intents[i].key.entity == entity) return true;
    return false;
}

/* What stands in another's view has no lookup, and so no basis, of its own. */
static bool has_basis(const struct sim_entity *e) { return e->kind == KT_CUSTOMER || e->kind == KT_CASE; }

void workload_put(struct sim_office *o)
{
    struct sim *s = o->sim;
    struct kt_record records[SIM_RECORDS_MAX];
    struct kt_arena a;
    struct kt_request request = {.kind = KT_ASK_PUT, .actor = kt_str("clerk"), .purpose = kt_str("test")};
    const uint32_t wanted = dice_in(&s->dice, 5) ? 2 + dice_below(&s->dice, SIM_RECORDS_MAX - 1) : 1;
    struct sim_request *r = workload_new(o);
    kt_arena_init(&a, ARENA_BYTES_MAX);
    while (r->len < wanted) {
        const unsigned entity = dice_below(&s->dice, s->entities_len);
        if (!may_write(o, &s->entities[entity]) || one_of_several(r, entity)) continue;
        add_line(o, r, entity, &a, &records[r->len]);
    }
    request.put.records = records;
    request.put.records_len = r->len;
    if (r->len == 1 && has_basis(&s->entities[r->intents[0].key.entity]) && dice_in(&s->dice, 4)) {
        request.put.basis = basis_of(o, &s->entities[r->intents[0].key.entity], &a);
        r->intents[0].by_basis = request.put.basis.len > 0;
        sim_must(kt_vector_copy(&o->vector, &r->intents[0].basis) == KT_OK, "out of memory");
    }
    if (r->len == 1 && o->requests_waiting == 0 && r->intents[0].adds && dice_in(&s->dice, 6)) {
        r->copies = request.put.copies = 1 + dice_below(&s->dice, s->offices_len - 1);
        request.deadline_ms = 1000 + dice_below(&s->dice, 20000);
    }
    workload_send(o, r, &request);
    kt_arena_free(&a);
}

/* ---------------------------------------------------------------------------------------------------- resolutions */

static bool intent_of(struct sim *s, const struct kt_conflict *c, struct sim_intent *in)
{
    char ref[64];
    const struct sim_field *f = sim_field(c->field);
    const bool plain = f && f->listed && !f->elements;
    for (unsigned i = 0; plain && i < s->entities_len; i++) {
        const struct sim_entity *e = &s->entities[i];
        snprintf(ref, sizeof ref, "%s:%s", e->system, e->id);
        if (!kt_bytes_equal(kt_str(ref), c->ref) || e->kind != kt_field_kind(c->field)) continue;
        *in = (struct sim_intent){.key = {.entity = i, .field = c->field}, .adds = true, .resolves = true};
        return true;
    }
    return false;
}

int sim_conflicts(struct sim_office *o, struct kt_arena *a, struct kt_reply *out)
{
    return kt_lookup_conflicts(o->lookup, kt_bytes(NULL, 0), NULL, a, out);
}

bool workload_resolve(struct sim_office *o)
{
    struct sim *s = o->sim;
    struct kt_arena a;
    struct kt_reply reply = {.kind = KT_ASK_CONFLICTS};
    struct sim_intent in;
    char value[32];
    kt_arena_init(&a, ARENA_BYTES_MAX);
    s->running = o;
    const int err = sim_conflicts(o, &a, &reply);
    s->running = NULL;
    if (err && !office_may_say(o, err))
        sim_fail(s, SIM_LOST, "office-%u does not list its conflicts: %s", o->number + 1, kt_error_text(err));
    bool found = false;
    for (uint32_t i = 0; !err && i < reply.conflicts.len && !found; i++) {
        if (!(found = intent_of(s, &reply.conflicts.items[i], &in))) continue;
        struct sim_request *r = workload_new(o);
        struct kt_request request = {.kind = KT_ASK_RESOLVE, .actor = kt_str("clerk"), .purpose = kt_str("test")};
        r->resolves = true;
        r->intents[0] = in;
        r->numbers[0] = judge_next(s);
        r->len = 1;
        snprintf(value, sizeof value, "w%uz", r->numbers[0]);
        request.conflict.id = reply.conflicts.items[i].id;
        request.conflict.value = kt_str(value);
        workload_send(o, r, &request);
    }
    kt_arena_free(&a);
    return found;
}
