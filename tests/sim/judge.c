/* The judge.  It knows which writes happened, in which batch, and what each author held when it wrote; from that alone,
 * and section 4 of the design, follows what every office must show at any vector.  It shares no code with the merge.
 *
 *   live at a vector  =  the writes its batches hold, without those that another of them replaced
 *   a write replaces  =  of what was live to its author: all of it (elements, resolutions, registers not in conflict);
 *                        with a basis what its lookup saw; else, in a conflict, its own member's */
#include "sim/sim.h"

#include "proto/schema/fields.h"
#include "proto/client/token.h"
#include "proto/view/view.h"

#include <ctype.h>
#include <stdlib.h>

struct sim_write {
    struct sim_key key;
    uint32_t number;          /* in its value */
    enum sim_verdict verdict; /* of a link */
    bool adds, at_risk, lost; /* lost: its author, restored, has used its number again */
    struct kt_head head;
    kt_hlc at;
    uint32_t *replaces, replaces_len; /* indexes into writes */
};

void judge_open(struct sim *s) { s->next_number = 1; }

void judge_close(struct sim *s)
{
    for (uint32_t i = 0; i < s->writes_len; i++) free(s->writes[i].replaces);
    free(s->writes);
}

uint32_t judge_next(struct sim *s) { return s->next_number++; }

static bool same_key(const struct sim_key *a, const struct sim_key *b)
{
    return a->entity == b->entity && a->field == b->field && a->element == b->element;
}

static bool covers(const struct kt_vector *v, const struct sim_write *w)
{
    return !w->lost && kt_vector_get(v, w->head.origin) >= w->head.number;
}

/* Indexes of what is live of one key (element UINT32_MAX: of all its elements) to one who holds `v`. */
static uint32_t live_at(const struct sim *s, const struct kt_vector *v, const struct sim_key *k, uint32_t *out)
{
    uint32_t n = 0;
    bool *gone = calloc(s->writes_len + 1, sizeof *gone);
    sim_must(gone != NULL, "out of memory");
    for (uint32_t i = s->writes_len; i-- > 0;) {
        const struct sim_write *w = &s->writes[i];
        if (w->key.entity != k->entity || w->key.field != k->field || !covers(v, w)) continue;
        for (uint32_t r = 0; r < w->replaces_len; r++) gone[w->replaces[r]] = true;
    }
    for (uint32_t i = 0; i < s->writes_len; i++) {
        const struct sim_write *w = &s->writes[i];
        const bool here =
            k->element == UINT32_MAX ? w->key.entity == k->entity && w->key.field == k->field : same_key(&w->key, k);
        if (here && w->adds && !gone[i] && covers(v, w)) out[n++] = i;
    }
    free(gone);
    return n;
}

static uint32_t *room(const struct sim *s)
{
    uint32_t *list = calloc(s->writes_len + 1, sizeof *list);
    sim_must(list != NULL, "out of memory");
    return list;
}

uint32_t judge_live(struct sim *s, struct sim_office *o, const struct sim_key *k)
{
    uint32_t *live = room(s);
    const uint32_t n = live_at(s, &o->vector, k, live);
    free(live);
    return n;
}

bool judge_linked(struct sim *s, struct sim_office *o, unsigned link)
{
    const struct sim_key key = {link, KT_F_IDENTITY_LINK_VERDICT, 0};
    uint32_t *live = room(s);
    const uint32_t n = live_at(s, &o->vector, &key, live);
    enum sim_verdict strictest = n ? SIM_MATCH : SIM_NO_MATCH;
    for (uint32_t i = 0; i < n; i++)
        if (s->writes[live[i]].verdict < strictest) strictest = s->writes[live[i]].verdict;
    free(live);
    return strictest == SIM_MATCH;
}

bool judge_known(struct sim *s, struct sim_office *o, unsigned entity)
{
    const struct sim_key key = {entity, KT_F_CUSTOMER_SOURCE, 0};
    return judge_live(s, o, &key) > 0;
}

/* ------------------------------------------------------------------------------------------------- what happened */

static void add(struct sim *s, struct sim_office *o, const struct sim_write *w)
{
    if (s->writes_len == s->writes_cap) {
        s->writes_cap = s->writes_cap ? 2 * s->writes_cap : 256;
        s->writes = realloc(s->writes, s->writes_cap * sizeof *s->writes);
        sim_must(s->writes != NULL, "out of memory");
    }
    s->writes[s->writes_len++] = *w;
    sim_say(s, "office-%u has %s %u (%s:%s field %x/%u) in batch %u/%llx/%llu, in place of %u", o->number + 1,
            w->adds ? "written" : "taken away", w->number, s->entities[w->key.entity].system,
            s->entities[w->key.entity].id, w->key.field, w->key.element, w->head.origin.member,
            (unsigned long long)w->head.origin.incarnation, (unsigned long long)w->head.number, w->replaces_len);
}

/* A restored office may use numbers again that nobody else has seen: what stood under them is gone. */
static void number_used_again(struct sim *s, struct kt_head head)
{
    for (uint32_t i = 0; i < s->writes_len; i++) {
        struct sim_write *w = &s->writes[i];
        if (w->at_risk && !kt_origin_compare(w->head.origin, head.origin) && w->head.number >= head.number)
            w->lost = true;
    }
}

/* All that is live of a key goes; nothing, where there is nothing. */
static bool take_away(struct sim *s, struct sim_office *o, struct sim_write w)
{
    w.adds = false;
    w.replaces = room(s);
    w.replaces_len = live_at(s, &o->vector, &w.key, w.replaces);
    const bool any = w.replaces_len > 0;
    if (any)
        add(s, o, &w);
    else
        free(w.replaces);
    return any;
}

/* A delete replaces all it sees of an entity, and says so where it was not said. */
static void judge_delete(struct sim *s, struct sim_office *o, struct sim_write w)
{
    const struct sim_key said = {w.key.entity, KT_F_CUSTOMER_DELETED, 0};
    const uint32_t len = s->writes_len;
    bool any = false;
    for (uint32_t i = 0; i < len; i++) {
        if (s->writes[i].key.entity != said.entity || s->writes[i].key.field == said.field) continue;
        w.key = s->writes[i].key;
        any = take_away(s, o, w) || any;
    }
    w.key = said;
    w.adds = true;
    w.replaces = room(s);
    if (any && judge_live(s, o, &said) == 0)
        add(s, o, &w);
    else
        free(w.replaces);
}

/* A put of a customer brings it back, and names it where no name is live. */
static void judge_named(struct sim *s, struct sim_office *o, struct sim_write w)
{
    w.key = (struct sim_key){w.key.entity, KT_F_CUSTOMER_DELETED, 0};
    (void)take_away(s, o, w);
    w.key.field = KT_F_CUSTOMER_SOURCE;
    if (judge_live(s, o, &w.key) > 0) return;
    w.adds = true;
    w.replaces = room(s);
    add(s, o, &w);
}

void judge_write(struct sim *s, struct sim_office *o, const struct sim_intent *in, uint32_t number, struct kt_head head,
                 kt_hlc at)
{
    struct sim_write w = {
        .key = in->key, .number = number, .verdict = in->verdict, .adds = in->adds, .head = head, .at = at};
    number_used_again(s, head);
    if (in->deletes) {
        judge_delete(s, o, w);
        return;
    }
    if (s->entities[in->key.entity].kind == KT_CUSTOMER && in->adds && !in->resolves) judge_named(s, o, w);
    w.replaces = room(s);
    const uint32_t n = live_at(s, &o->vector, &in->key, w.replaces);
    for (uint32_t i = 0; i < n; i++) {
        const struct sim_write *seen = &s->writes[w.replaces[i]];
        const bool all = in->way == SIM_WRITE_ELEMENT || in->resolves || (n == 1 && !in->by_basis);
        const bool own = !in->by_basis && seen->head.origin.member == o->number + 1;
        if (all || own || (in->by_basis && covers(&in->basis, seen))) w.replaces[w.replaces_len++] = w.replaces[i];
    }
    add(s, o, &w);
}

void judge_restored(struct sim *s, struct sim_office *o, const struct kt_vector *older)
{
    for (uint32_t i = 0; i < s->writes_len; i++) {
        struct sim_write *w = &s->writes[i];
        bool elsewhere = covers(older, w) || !covers(&o->vector, w);
        for (unsigned k = 0; k < s->offices_len; k++)
            elsewhere = elsewhere || (k != o->number && covers(&s->offices[k].vector, w));
        if (elsewhere) continue;
        w->at_risk = true;
        sim_say(s, "write %u was only there: it may be lost", w->number);
    }
}

void judge_copies(struct sim *s, struct sim_office *o, struct kt_head head, uint32_t copies, uint64_t since_ms)
{
    uint32_t have = 0;
    for (unsigned k = 0; k < s->offices_len; k++) {
        const struct sim_office *other = &s->offices[k];
        have += k != o->number && (kt_vector_get(&other->vector, head.origin) >= head.number ||
                                   other->restored_ms > since_ms); /* it had it, and forgot */
    }
    if (have < copies)
        sim_fail(s, SIM_LOST, "office-%u acknowledged a write for %u copies; %u others have it", o->number + 1, copies,
                 have);
}

/* ---------------------------------------------------------------------------------------------------- what is shown */

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

static const uint32_t judged_customer[] = {KT_F_CUSTOMER_OCCUPATION, KT_F_CUSTOMER_LEGAL_NAME,
                                           KT_F_CUSTOMER_CONTACT_POINT, KT_F_CUSTOMER_IDENTIFIER, 0};
static const uint32_t judged_case[] = {KT_F_CASE_SUBJECT, KT_F_CASE_QUEUE, KT_F_CASE_ATTRIBUTE, KT_F_CASE_INTERACTION,
                                       0};

struct shown {
    struct sim_office *office;
    const struct sim_entity *entity;
    uint32_t field;
    uint32_t numbers[512], len;
};

static void read_section(struct shown *out, struct kt_arena *a, struct kt_bytes bytes)
{
    struct kt_view_record *records;
    uint32_t n;
    uint64_t cases;
    sim_must(kt_view_section_decode(bytes, a, &records, &n, &cases) == KT_OK, "a section does not decode");
    for (uint32_t i = 0; i < n; i++) {
        if (memcmp(&records[i].id, &out->entity->entity, sizeof records[i].id) != 0) continue;
        for (uint32_t v = 0; v < records[i].values_len; v++)
            if (records[i].values[v].field == out->field && out->len < 512)
                out->numbers[out->len++] = number_in(records[i].values[v].value);
    }
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
    uint32_t *live = room(s);
    const uint32_t n = live_at(s, &shown->office->vector, &key, live);
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

/* A case has a number once somebody wrote the case itself; what came before it waits unseen. */
static bool has_number(const struct sim *s, const struct sim_office *o, unsigned entity)
{
    for (uint32_t i = 0; i < s->writes_len; i++) {
        const struct sim_write *w = &s->writes[i];
        if (w->key.entity == entity && w->key.field != KT_F_CASE_INTERACTION && covers(&o->vector, w)) return true;
    }
    return false;
}

void judge_entity(struct sim *s, struct sim_office *o, unsigned entity)
{
    const struct sim_entity *e = &s->entities[entity];
    struct kt_arena a;
    struct kt_reply reply;
    if (!o->up || e->kind == KT_IDENTITY_LINK || e->unjudged) return;
    const bool reads = organisation_reads(s->offices_len, o->number + 1, e->own);
    if (e->kind == KT_CASE && (!reads || !has_number(s, o, entity))) return;
    kt_arena_init(&a, 256u << 20);
    const int err = judge_look(o, e, &a, &reply);
    if (err && err != KT_ENOTFOUND)
        sim_fail(s, SIM_LOST, "office-%u does not answer for %s:%s: %s", o->number + 1, e->system, e->id,
                 kt_error_text(err));
    const uint32_t *fields = e->kind == KT_CASE ? judged_case : judged_customer;
    for (; *fields && (!err || err == KT_ENOTFOUND); fields++) {
        struct shown shown = {.office = o, .entity = e, .field = *fields};
        if (*fields != KT_F_CUSTOMER_LEGAL_NAME && *fields != KT_F_CUSTOMER_CONTACT_POINT && !reads) continue;
        for (uint32_t i = 0; !err && i < reply.lookup.sections_len; i++)
            read_section(&shown, &a, reply.lookup.sections[i].bytes);
        compare_field(s, entity, &shown);
    }
    kt_arena_free(&a);
}

/* Everything an office wrote before the moment through which another says to be complete is there. */
void judge_freshness(struct sim *s, struct sim_office *o)
{
    struct kt_arena a;
    struct kt_office_freshness *offices;
    uint32_t n;
    if (!o->up) return;
    kt_arena_init(&a, 1u << 20);
    sim_must(kt_board_freshness(o->board, &a, &offices, &n) == KT_OK, "no freshness");
    for (uint32_t i = 0; i < n; i++) {
        const kt_member m = (kt_member)(offices[i].office.data[offices[i].office.len - 1] - '0');
        if (!offices[i].known || m == o->number + 1) continue;
        for (uint32_t k = 0; k < s->writes_len; k++) {
            const struct sim_write *w = &s->writes[k];
            /* a restored office has forgotten what it wrote, and how far ahead its clock had been */
            const bool forgotten = s->offices[m - 1].restored_ms > 0;
            if (w->head.origin.member != m || kt_hlc_ms(w->at) >= offices[i].complete_through_ms || forgotten ||
                w->at_risk || covers(&o->vector, w))
                continue;
            sim_fail(s, SIM_LOST, "office-%u says it is complete for office-%u through %llu and lacks write %u of %llu",
                     o->number + 1, m, (unsigned long long)offices[i].complete_through_ms, w->number,
                     (unsigned long long)kt_hlc_ms(w->at));
            break;
        }
    }
    kt_arena_free(&a);
}

/* ------------------------------------------------------------------------------------------------------ the end */

static void compare_digests(struct sim *s, const struct kt_engine_status *a, const struct kt_engine_status *b)
{
    for (uint32_t i = 0; i < a->digests_len; i++)
        for (uint32_t k = 0; k < b->digests_len; k++)
            if (a->digests[i].compartment == b->digests[k].compartment &&
                memcmp(&a->digests[i].digest, &b->digests[k].digest, sizeof a->digests[i].digest) != 0)
                sim_fail(s, SIM_DIVERGED, "office-%u and office-%u hold the same batches and differ in compartment %u",
                         a->member, b->member, a->digests[i].compartment);
}

bool judge_converged(struct sim *s)
{
    struct kt_arena a;
    struct kt_engine_status st[SIM_OFFICES_MAX];
    bool same = true;
    kt_arena_init(&a, 64u << 20);
    for (unsigned i = 0; i < s->offices_len && same; i++) {
        same = office_status(&s->offices[i], &a, &st[i]) && st[i].ledger.held == 0 &&
               st[i].ledger.position == st[i].ledger.store_position;
        if (!same || i == 0) continue;
        const struct kt_hash x = kt_vector_seals_hash(st[0].vector), y = kt_vector_seals_hash(st[i].vector);
        same = memcmp(&x, &y, sizeof x) == 0;
    }
    for (unsigned i = 1; i < s->offices_len && same; i++)
        for (unsigned k = 0; k < i; k++) compare_digests(s, &st[k], &st[i]);
    kt_arena_free(&a);
    return same;
}

void judge_end(struct sim *s)
{
    for (uint32_t i = 0; i < s->writes_len; i++) {
        const struct sim_write *w = &s->writes[i];
        if (!w->at_risk && !covers(&s->offices[0].vector, w))
            sim_fail(s, SIM_LOST, "write %u of office-%u was acknowledged and is gone", w->number,
                     w->head.origin.member);
    }
    for (unsigned k = 0; k < s->offices_len; k++)
        for (unsigned e = 0; e < s->entities_len; e++) judge_entity(s, &s->offices[k], e);
    for (unsigned k = 0; k < s->offices_len; k++) judge_freshness(s, &s->offices[k]);
    for (unsigned k = 0; k < s->offices_len; k++) {
        judge_links(s, &s->offices[k]);
        judge_found(s, &s->offices[k]);
        judge_conflicts(s, &s->offices[k]);
    }
}
