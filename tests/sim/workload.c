/* What clients ask of offices: puts of fields of every shape, resolutions, lookups whose tokens become bases.  Each
 * value holds the number of its write.  Whether a write happened is told by its answer, and where none came by the
 * head of the office that was asked: while that could be in doubt, only one request is on its way to it. */
#include "sim/workload.h"

#include <stdlib.h>

#define CUSTOMERS_OF_A_SYSTEM 3u
#define CASES                 6u
#define LINKS                 5u
#define ANSWER_MS_MAX         90000u
#define LINKED                6u /* the first so many customers */

static void add_entity(struct sim *s, uint32_t kind, const char *system, const char *prefix, unsigned n, int customer)
{
    struct sim_entity *e = &s->entities[s->entities_len++];
    *e = (struct sim_entity){.kind = kind, .own = organisation_compartment(system), .customer = customer};
    snprintf(e->system, sizeof e->system, "%s", system);
    snprintf(e->id, sizeof e->id, "%s-%u", prefix, n);
    e->entity = kt_entity_id_of(organisation_id_key(), kind, kt_str(e->system), kt_str(e->id));
}

static void add_pair(struct sim *s, uint32_t kind, const char *system, unsigned a, unsigned b)
{
    struct sim_entity *e = &s->entities[s->entities_len++];
    struct {
        struct kt_entity_id to;
        char type[6];
    } second = {s->entities[b].entity, {'p', 'a', 'r', 'e', 'n', 't'}};
    *e = (struct sim_entity){.kind = kind, .own = SIM_CORE, .customer = (int)a, .other = (int)b};
    if (kind == KT_RELATIONSHIP) /* links are told by what they join: nobody looks for one by its id */
        e->entity =
            kt_entity_id_of(organisation_id_key(), kind, KT_BYTES_OF(s->entities[a].entity), KT_BYTES_OF(second));
    snprintf(e->system, sizeof e->system, "%s", system);
    snprintf(e->id, sizeof e->id, "%u-%u", a < b ? a : b, a < b ? b : a);
}

void workload_open(struct sim *s)
{
    static const char *const systems[] = {"revenue", "motor", "clinic"};
    for (unsigned i = 0; i < 3; i++)
        for (unsigned n = 0; n < CUSTOMERS_OF_A_SYSTEM; n++) add_entity(s, KT_CUSTOMER, systems[i], "C", n, -1);
    for (unsigned n = 0; n < CASES; n++)
        add_entity(s, KT_CASE, "311", "SR", n, n % 3 == 2 ? -1 : (int)dice_below(&s->dice, 6));
    for (unsigned n = 0; n < 2; n++) {
        add_entity(s, KT_TASK, "311", "T", n, (int)(3 * CUSTOMERS_OF_A_SYSTEM + dice_below(&s->dice, CASES)));
        add_entity(s, KT_LICENCE, "motor", "L", n, (int)dice_below(&s->dice, LINKED));
    }
    add_pair(s, KT_RELATIONSHIP, "relationship", 0, LINKED);
    const unsigned start = dice_below(&s->dice, LINKED), step = 1 + dice_below(&s->dice, 2);
    for (unsigned i = 0; i < LINKS; i++) {
        const unsigned a = (start + i) % LINKED; /* no pair twice */
        add_pair(s, KT_IDENTITY_LINK, "link", a, (a + step) % LINKED);
    }
    s->requests_left = s->options.steps ? s->options.steps : 20 + dice_below(&s->dice, 200);
    s->long_values = dice_in(&s->dice, 6);
    s->once_in = 1 + dice_below(&s->dice, dice_in(&s->dice, 4) ? 300 : 40);
}

static void forget(struct sim_request *r)
{
    for (uint32_t i = 0; i < r->len; i++) kt_vector_free(&r->intents[i].basis);
    free(r);
}

void workload_close(struct sim *s)
{
    while (s->asked) {
        struct sim_request *r = s->asked;
        s->asked = r->next;
        forget(r);
    }
}

/* ------------------------------------------------------------------------------------------------------------ heads */

/* Where the office stands as an author. */
static struct kt_head head_of(struct sim_office *o)
{
    const struct kt_origin origin = kt_ledger_origin(kt_engine_ledger(o->engine));
    return (struct kt_head){origin, kt_vector_get(&o->vector, origin)};
}

static bool advanced(struct kt_head from, struct kt_head to)
{
    return kt_origin_compare(from.origin, to.origin) ? to.number > 0 : to.number > from.number;
}

/* --------------------------------------------------------------------------------------------------------- answers */

static void keep_results(struct sim_office *o, struct sim_request *r, const struct kt_reply *reply)
{
    struct sim *s = o->sim;
    for (uint32_t i = 0; i < reply->put.results_len && i < r->len; i++) {
        const struct kt_put_result *p = &reply->put.results[i];
        struct kt_token token;
        char text[KT_TOKEN_CHARS_MAX + 1] = {0};
        if (office_may_say(o, p->code)) continue;
        if (p->code) {
            sim_fail(s, SIM_LOST, "office-%u refuses a good line: %s: %.*s", o->number + 1, kt_error_text(p->code),
                     (int)p->reason.len, (const char *)p->reason.data);
            continue;
        }
        memcpy(text, p->token.data, p->token.len);
        sim_must(kt_token_decode(text, organisation_id_key(), &token) == KT_OK, "a token does not decode");
        r->results[i] = token.heads_len ? token.heads[0] : (struct kt_head){0};
        /* one that changes nothing gets the token of what it found: of a batch that was here before */
        r->changed[i] = token.heads_len && token.heads[0].origin.member == o->number + 1 &&
                        kt_vector_get(&o->vector, token.heads[0].origin) < token.heads[0].number;
    }
}

void workload_reply(struct sim_office *o, void *ref, const struct kt_reply *reply)
{
    struct sim_request *r = ref;
    sim_must(!r->answered, "a request is answered twice");
    r->answered = true;
    r->code = reply->code;
    o->requests_waiting--;
    sim_say(o->sim, "office-%u answers request %u: %s", o->number + 1, r->id, kt_error_text(reply->code));
    if (!reply->code) keep_results(o, r, reply);
    const bool allowed = reply->code == KT_OK || reply->code == KT_EIO || reply->code == KT_EFULL ||
                         reply->code == KT_EREFUSED || reply->code == KT_EDEADLINE ||
                         (reply->code == KT_ENOTFOUND && r->resolves) || office_may_say(o, reply->code);
    if (!allowed)
        sim_fail(o->sim, SIM_LOST, "office-%u refuses a good request: %s: %.*s", o->number + 1,
                 kt_error_text(reply->code), (int)reply->reason.len, (const char *)reply->reason.data);
}

/* Is something there that the office cannot open yet, or that its disk lost and no peer has given back yet? */
static bool holds(struct sim_office *o)
{
    struct kt_ledger_state s;
    sim_must(kt_ledger_state(kt_engine_ledger(o->engine), &s) == KT_OK, "no word of a ledger");
    return s.held > 0 || s.without > 0 || o->held;
}

static void record(struct sim_office *o, struct sim_request *r, bool by_head, struct kt_head head)
{
    const struct kt_vector_entry *e;
    const bool blind = kt_ledger_held_so_far(kt_engine_ledger(o->engine)) != o->held_so_far || holds(o);
    r->happened = true;
    for (uint32_t i = 0; i < r->len; i++) {
        const struct kt_head h = by_head ? head : r->results[i];
        if (!by_head && !r->changed[i]) continue;
        e = kt_vector_find(&o->vector, h.origin);
        if (blind || word_just_heard(o, r->intents[i].key.entity))
            o->sim->entities[r->intents[i].key.entity].unjudged = true;
        judge_write(o->sim, o, &r->intents[i], r->numbers[i], h, e ? e->hlc : 0);
    }
}

static void drop(struct sim *s, struct sim_request *r)
{
    struct sim_request **at = &s->asked;
    while (*at != r) at = &(*at)->next;
    *at = r->next;
    forget(r);
}

static void note_held(struct sim_office *o)
{
    const uint64_t so_far = kt_ledger_held_so_far(kt_engine_ledger(o->engine));
    const bool before = o->held || so_far != o->held_so_far;
    o->held = false;
    o->held = before && holds(o); /* nothing is held that was not counted */
    o->held_so_far = so_far;
}

void workload_stepped(struct sim_office *o)
{
    const struct kt_head now = head_of(o);
    struct sim_request *next;
    unsigned open = 0;
    for (struct sim_request *r = o->sim->asked; r; r = r->next) open += r->office == o->number && !r->happened;
    for (struct sim_request *r = o->sim->asked; r; r = next) {
        next = r->next;
        if (r->office != o->number) continue;
        if (!r->happened && open == 1 && advanced(o->head, now))
            record(o, r, true, now);
        else if (!r->happened && r->answered && !r->code)
            record(o, r, false, now);
        if (!r->answered) continue;
        if (!r->code && r->copies) judge_copies(o->sim, o, r->results[0], r->copies, r->asked_ms);
        drop(o->sim, r);
    }
    o->head = now;
    note_held(o);
    word_heard(o);
}

void workload_settle(struct sim_office *o)
{
    const struct kt_head now = head_of(o);
    struct sim_request *next;
    unsigned open = 0;
    for (struct sim_request *r = o->sim->asked; r; r = r->next) open += r->office == o->number && !r->happened;
    for (struct sim_request *r = o->sim->asked; r; r = next) {
        next = r->next;
        if (r->office != o->number) continue;
        const bool wrote = !o->forgot && advanced(o->head, now); /* older files hold nothing of these */
        sim_must(r->happened || open == 1 || !wrote, "a write of nobody");
        if (!r->happened && wrote) record(o, r, true, now);
        drop(o->sim, r);
    }
    o->head = now;
    o->forgot = false;
    o->held = true; /* for all it knows of its life before */
    note_held(o);
    word_heard(o);
    o->requests_waiting = 0;
}

void workload_removed(struct sim_office *o)
{
    struct sim_request *next;
    for (struct sim_request *r = o->sim->asked; r; r = next) {
        next = r->next;
        if (r->office == o->number) drop(o->sim, r);
    }
}

/* --------------------------------------------------------------------------------------------------------- requests */

struct sim_request *workload_new(struct sim_office *o)
{
    struct sim *s = o->sim;
    struct sim_request *r = calloc(1, sizeof *r), **at = &s->asked;
    sim_must(r != NULL, "out of memory");
    r->office = o->number;
    r->id = ++s->requests;
    r->asked_ms = s->now_ms;
    while (*at) at = &(*at)->next;
    *at = r;
    return r;
}

void workload_send(struct sim_office *o, struct sim_request *r, const struct kt_request *request)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_REQUEST_BYTES_MAX);
    sim_must(kt_request_encode(request, &b) == KT_OK, "a request cannot be encoded");
    struct kt_input in = {.kind = KT_IN_REQUEST, .asker = {.client = 1, .ref = r}};
    in.request = malloc(b.len);
    sim_must(in.request != NULL, "out of memory");
    memcpy(in.request, b.data, b.len);
    in.request_len = b.len;
    kt_buf_free(&b);
    sim_say(o->sim, "office-%u is asked %s %u: write %u%s", o->number + 1, r->resolves ? "to resolve" : "to put", r->id,
            r->numbers[0], r->len > 1 ? " and more" : "");
    o->requests_waiting++;
    office_input(o, &in);
}

/* One is answered, or its office ends first. */
static void check_answers(struct sim *s)
{
    for (const struct sim_request *r = s->asked; r; r = r->next)
        if (s->now_ms > (r->asked_ms > s->leaps_until_ms ? r->asked_ms : s->leaps_until_ms) + ANSWER_MS_MAX)
            sim_fail(s, SIM_STALL, "office-%u does not answer request %u", r->office + 1, r->id);
}

/* One whose machine went back unnoticed and who writes before it has heard of what it forgot forks its own chain: here
 * clients come a little later. */
static bool has_heard(struct sim_office *o)
{
    struct sim *s = o->sim;
    for (unsigned k = 0; k < s->offices_len && o->quiet; k++)
        for (size_t i = 0; i < s->offices[k].vector.len; i++) {
            const struct kt_vector_entry *e = &s->offices[k].vector.entries[i];
            if (e->origin.member == o->number + 1 && kt_vector_get(&o->vector, e->origin) < e->number) return false;
        }
    o->quiet = false;
    return true;
}

void workload_run(struct sim *s)
{
    check_answers(s);
    if (!s->requests_left || !dice_in(&s->dice, s->once_in)) return;
    struct sim_office *o = &s->offices[dice_below(&s->dice, s->offices_len)];
    bool alone = o->fail_nth > 0 || o->full_until_ms > 0 || o == s->frail;
    for (struct sim_request *r = s->asked; r; r = r->next) alone = alone || (r->office == o->number && r->copies);
    if (!o->up || !has_heard(o) || o->inbox_len > 100 || (alone && o->requests_waiting)) return;
    s->requests_left--;
    if (dice_in(&s->dice, 6) && workload_resolve(o)) return;
    workload_put(o);
}
