/* What is put: one line about one field, as a client would write it, and what the judge is to expect of it. */
#include "sim/workload.h"

#include "client/cli/json/json.h"
#include "proto/schema/fields.h"

#include <stdarg.h>

#define LINE_BYTES      (SIM_PADDING_MAX + 1024u)
#define ARENA_BYTES_MAX (64u << 20)

static void line_of(char *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void line_of(char *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out, LINE_BYTES, format, args);
    va_end(args);
    for (char *p = out; *p; p++)
        if (*p == '\'') *p = '"';
}

/* {"entity":..,"source_system":..,"source_id":.. and no end */
static void head_of(const struct sim_entity *e, char *out)
{
    line_of(out, "{'entity':'%s','source_system':'%s','source_id':'%s'", e->kind == KT_CASE ? "case" : "customer",
            e->system, e->id);
}

static void put_register(const struct sim_entity *e, const char *name, uint32_t number, const char *padding, char *out)
{
    char head[LINE_BYTES / 4];
    head_of(e, head);
    line_of(out, "%s,'%s':'w%uz%s'}", head, name, number, padding);
}

static void put_contact(const struct sim_entity *e, uint32_t element, bool adds, uint32_t number, char *out)
{
    char head[LINE_BYTES / 4];
    head_of(e, head);
    if (adds)
        line_of(out, "%s,'contactPoint':[{'system':'phone','value':'+49 30 %s%u','use':'w%uz'}]}", head, e->id + 2,
                100 + element, number);
    else
        line_of(out, "%s,'remove':{'contactPoint':[{'system':'phone','value':'+49 30 %s%u'}]}}", head, e->id + 2,
                100 + element);
}

void sim_identifier(const struct sim_entity *e, uint32_t element, char *out)
{
    snprintf(out, SIM_IDENTIFIER_CHARS, "T-%s-%s-%u", e->system, e->id, element);
}

static void put_identifier(const struct sim_entity *e, uint32_t element, bool adds, uint32_t number, char *out)
{
    char head[LINE_BYTES / 4];
    char value[SIM_IDENTIFIER_CHARS];
    sim_identifier(e, element, value);
    head_of(e, head);
    if (adds)
        line_of(out, "%s,'identifier':[{'system':'tax','value':'%s','use':'w%uz'}]}", head, value, number);
    else
        line_of(out, "%s,'remove':{'identifier':[{'system':'tax','value':'%s'}]}}", head, value);
}

static void put_attribute(const struct sim_entity *e, uint32_t element, uint32_t number, char *out)
{
    char head[LINE_BYTES / 4];
    head_of(e, head);
    line_of(out, "%s,'attribute':[{'code':'a%u','value':'w%uz'}]}", head, element, number);
}

static void put_interaction(const struct sim_entity *e, uint32_t element, uint32_t number, char *out)
{
    line_of(out,
            "{'entity':'interaction','source_system':'311','source_id':'I-%s-%u','case':'311:%s','channel':'phone',"
            "'direction':'in','occurred':'2026-03-01T21:10:00Z','body':'w%uz'}",
            e->id, element, e->id, number);
}

/* In seeds that have long values: letters that do not compress well. */
static const char *padding(struct sim *s)
{
    const uint32_t n = s->long_values ? dice_below(&s->dice, SIM_PADDING_MAX) : 0;
    for (uint32_t i = 0; i < n; i++) s->padding[i] = (char)('a' + dice_below(&s->dice, 22)); /* no w, no z */
    s->padding[n] = '\0';
    return s->padding;
}

/* A line about a customer, and what it means. */
static void customer_line(struct sim *s, const struct sim_entity *e, uint32_t number, struct sim_intent *in, char *out)
{
    static const uint32_t fields[] = {KT_F_CUSTOMER_OCCUPATION, KT_F_CUSTOMER_LEGAL_NAME, KT_F_CUSTOMER_CONTACT_POINT,
                                      KT_F_CUSTOMER_IDENTIFIER};
    in->key.field = fields[dice_below(&s->dice, 4)];
    in->adds = true;
    if (strcmp(e->system, "clinic") == 0 && dice_in(&s->dice, 6)) {
        char head[LINE_BYTES / 4];
        head_of(e, head);
        line_of(out, "%s,'deleted':true}", head);
        in->deletes = true;
        return;
    }
    if (in->key.field == KT_F_CUSTOMER_OCCUPATION || in->key.field == KT_F_CUSTOMER_LEGAL_NAME) {
        put_register(e, in->key.field == KT_F_CUSTOMER_OCCUPATION ? "occupation" : "legalName", number, padding(s),
                     out);
        return;
    }
    in->way = SIM_WRITE_ELEMENT;
    in->key.element = 1 + dice_below(&s->dice, SIM_ELEMENTS);
    in->adds = !dice_in(&s->dice, 3);
    if (in->key.field == KT_F_CUSTOMER_CONTACT_POINT)
        put_contact(e, in->key.element, in->adds, number, out);
    else
        put_identifier(e, in->key.element, in->adds, number, out);
}

static void link_line(struct sim *s, const struct sim_entity *e, uint32_t number, struct sim_intent *in, char *out)
{
    static const char *const verdicts[] = {"NO_MATCH", "POSSIBLE_MATCH", "MATCH"};
    const bool turned = dice_in(&s->dice, 2);
    const struct sim_entity *a = &s->entities[turned ? e->other : e->customer];
    const struct sim_entity *b = &s->entities[turned ? e->customer : e->other];
    in->key.field = KT_F_IDENTITY_LINK_VERDICT;
    in->adds = true;
    in->verdict = dice_in(&s->dice, 2) ? SIM_MATCH : (enum sim_verdict)dice_below(&s->dice, 3);
    line_of(out, "{'entity':'identity_link','a':'%s:%s','b':'%s:%s','verdict':'%s','by':'MANUAL','reason':'w%uz'}",
            a->system, a->id, b->system, b->id, verdicts[in->verdict], number);
}

static void case_line(struct sim *s, const struct sim_entity *e, uint32_t number, struct sim_intent *in, char *out)
{
    static const uint32_t fields[] = {KT_F_CASE_SUBJECT, KT_F_CASE_QUEUE, KT_F_CASE_ATTRIBUTE, KT_F_CASE_INTERACTION};
    in->key.field = fields[dice_below(&s->dice, 4)];
    in->adds = true;
    if (in->key.field == KT_F_CASE_SUBJECT || in->key.field == KT_F_CASE_QUEUE) {
        char plain[LINE_BYTES];
        put_register(e, in->key.field == KT_F_CASE_SUBJECT ? "subject" : "queue", number,
                     in->key.field == KT_F_CASE_SUBJECT ? padding(s) : "", plain);
        const struct sim_entity *c = e->customer >= 0 ? &s->entities[e->customer] : NULL;
        plain[strlen(plain) - 1] = '\0';
        if (c)
            line_of(out, "%s,'customer':[{'ref':'%s:%s','role':'requester'}]}", plain, c->system, c->id);
        else
            line_of(out, "%s}", plain);
        return;
    }
    in->key.element = 1 + dice_below(&s->dice, SIM_ELEMENTS);
    if (in->key.field == KT_F_CASE_ATTRIBUTE) {
        put_attribute(e, in->key.element, number, out);
        return;
    }
    in->way = SIM_WRITE_ELEMENT;
    put_interaction(e, in->key.element, number, out);
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
    char line[LINE_BYTES];
    r->numbers[r->len] = judge_next(s);
    in->key.entity = entity;
    const struct sim_entity *e = &s->entities[entity];
    (e->kind == KT_CASE       ? case_line
     : e->kind == KT_CUSTOMER ? customer_line
                              : link_line)(s, e, r->numbers[r->len], in, line);
    const char *kept = kt_arena_str(a, kt_str(line));
    const int err = kt_json_record(kt_str(kept), r->len + 1, a, out, &fault);
    if (err) fprintf(stderr, "%s: %s: %s\n", line, fault.field, fault.reason);
    sim_must(err == KT_OK, "a line is no line");
    r->len++;
}

static bool one_of_several(const struct sim_request *r, unsigned entity)
{
    for (uint32_t i = 0; i < r->len; i++)
        if (r->intents[i].key.entity == entity) return true;
    return false;
}

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
    if (r->len == 1 && s->entities[r->intents[0].key.entity].kind != KT_IDENTITY_LINK && dice_in(&s->dice, 4)) {
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
    const bool plain = c->field == KT_F_CUSTOMER_OCCUPATION || c->field == KT_F_CUSTOMER_LEGAL_NAME ||
                       c->field == KT_F_CASE_SUBJECT || c->field == KT_F_CASE_QUEUE;
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
    if (err) sim_fail(s, SIM_LOST, "office-%u does not list its conflicts: %s", o->number + 1, kt_error_text(err));
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
