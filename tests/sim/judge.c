/* The judge.  It knows which writes happened, in which batch, and what each author held when it wrote; from that alone,
 * and section 4 of the design, follows what every office must show at any vector.  It shares no code with the merge.
 *
 *   live at a vector  =  the writes its batches hold, without those that another of them replaced
 *   a write replaces  =  of what was live to its author: all of it (elements, resolutions, registers not in conflict);
 *                        with a basis what its lookup saw; else, in a conflict, its own member's
 *   a write is dead  =   to those who have heard of an erasure that its author had not heard of */
#include "sim/judge.h"

#include "proto/schema/fields.h"

#include <stdlib.h>

void judge_open(struct sim *s) { s->next_number = 1; }

void judge_close(struct sim *s)
{
    for (uint32_t i = 0; i < s->writes_len; i++) {
        free(s->writes[i].replaces);
        kt_vector_free(&s->writes[i].seen);
    }
    free(s->writes);
    for (uint32_t i = 0; i < SIM_TOKENS; i++) kt_vector_free(&s->tokens[i].seen);
}

uint32_t judge_next(struct sim *s) { return s->next_number++; }

static bool same_key(const struct sim_key *a, const struct sim_key *b)
{
    return a->entity == b->entity && a->field == b->field && a->element == b->element;
}

bool judge_covers(const struct kt_vector *v, const struct sim_write *w)
{
    return !w->lost && kt_vector_get(v, w->head.origin) >= w->head.number;
}

bool judge_dead(const struct sim_heard *e, const struct sim_write *w)
{
    return w->generation < e->next[w->ward][w->place] || (e->cut && w->cut);
}

/* What replaces a write comes after it, and is of the same entity. */
uint32_t judge_live_at(const struct sim *s, const struct kt_vector *v, const struct sim_heard *e,
                       const struct sim_key *k, uint32_t *out)
{
    uint32_t n = 0, at;
    bool *gone = calloc(s->writes_len + 1, sizeof *gone);
    sim_must(gone != NULL, "out of memory");
    for (at = s->entities[k->entity].last_write; at; at = s->writes[at - 1].before) {
        const struct sim_write *w = &s->writes[at - 1];
        if (w->key.field != k->field || !judge_covers(v, w) || judge_dead(e, w)) continue;
        if (w->adds && !gone[at - 1] && (k->element == UINT32_MAX || same_key(&w->key, k))) out[n++] = at - 1;
        for (uint32_t r = 0; r < w->replaces_len; r++) gone[w->replaces[r]] = true;
    }
    free(gone);
    return n;
}

uint64_t judge_seen(const struct sim *s, const struct kt_vector *v)
{
    uint64_t h = 0;
    for (uint32_t i = 0; i < s->writes_len; i++)
        if (judge_covers(v, &s->writes[i])) h = (h ^ (i + 1)) * 0x100000001b3ull;
    return h;
}

uint32_t *judge_room(const struct sim *s)
{
    uint32_t *list = malloc((s->writes_len + 1) * sizeof *list);
    sim_must(list != NULL, "out of memory");
    return list;
}

uint32_t judge_live(struct sim *s, struct sim_office *o, const struct sim_key *k)
{
    uint32_t *live = judge_room(s);
    const uint32_t n = judge_live_at(s, &o->vector, &o->heard, k, live);
    free(live);
    return n;
}

bool judge_linked(struct sim *s, struct sim_office *o, unsigned link)
{
    const struct sim_key key = {link, KT_F_IDENTITY_LINK_VERDICT, 0};
    uint32_t *live = judge_room(s);
    const uint32_t n = judge_live_at(s, &o->vector, &o->heard, &key, live);
    enum sim_verdict strictest = n ? SIM_MATCH : SIM_NO_MATCH;
    for (uint32_t i = 0; i < n; i++)
        if (s->writes[live[i]].verdict < strictest) strictest = s->writes[live[i]].verdict;
    free(live);
    return strictest == SIM_MATCH && judge_named(s, o, link);
}

bool judge_known(struct sim *s, struct sim_office *o, unsigned entity)
{
    const struct sim_key deleted = {entity, KT_F_CUSTOMER_DELETED, 0};
    const bool reads = organisation_reads(s->offices_len, o->number + 1, s->entities[entity].own);
    return judge_named(s, o, entity) && (reads || judge_live(s, o, &deleted) == 0);
}

/* ------------------------------------------------------------------------------------------------- what happened */

static void add(struct sim *s, struct sim_office *o, const struct sim_write *w)
{
    if (s->writes_len == s->writes_cap) {
        s->writes_cap = s->writes_cap ? 2 * s->writes_cap : 256;
        s->writes = realloc(s->writes, s->writes_cap * sizeof *s->writes);
        sim_must(s->writes != NULL, "out of memory");
    }
    uint32_t *last = &s->entities[w->key.entity].last_write;
    const struct sim_field *f = sim_field(w->key.field);
    const bool derived_core =
        !f && s->entities[w->key.entity].kind == KT_CUSTOMER; /* its name, and that it is deleted */
    struct sim_write *kept = &s->writes[s->writes_len];
    *kept = *w;
    kept->before = *last;
    kept->ward = erasures_ward(s, w->key.entity);
    kept->place = derived_core || (f && f->core);
    kept->cut = cuts_write(s, w->head, kept->place ? SIM_CORE : s->entities[w->key.entity].own);
    kept->generation = o->heard.next[kept->ward][kept->place];
    sim_must(kt_vector_copy(&o->vector, &s->writes[s->writes_len++].seen) == KT_OK, "out of memory");
    *last = s->writes_len;
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
    w.replaces = judge_room(s);
    w.replaces_len = judge_live_at(s, &o->vector, &o->heard, &w.key, w.replaces);
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
    w.replaces = judge_room(s);
    if (any && judge_live(s, o, &said) == 0)
        add(s, o, &w);
    else
        free(w.replaces);
}

/* What tells where an entity stands: said with the first put of it, and again only where that is not live. */
static uint32_t name_of(uint32_t kind)
{
    static const uint32_t names[][2] = {
        {KT_CUSTOMER, KT_F_CUSTOMER_SOURCE},
        {KT_CASE, KT_F_CASE_NUMBER},
        {KT_TASK, KT_F_TASK_PARENT},
        {KT_LICENCE, KT_F_LICENCE_HOLDER},
        {KT_RELATIONSHIP, KT_F_RELATIONSHIP_FROM},
        {KT_IDENTITY_LINK, KT_F_IDENTITY_LINK_A},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i][0] == kind) return names[i][1];
    return 0;
}

bool judge_named(struct sim *s, struct sim_office *o, unsigned entity)
{
    const struct sim_key key = {entity, name_of(s->entities[entity].kind), 0};
    return judge_live(s, o, &key) > 0;
}

/* A put brings a customer back, and names what it is about where no name is live. */
static void put(struct sim *s, struct sim_office *o, struct sim_write w)
{
    const struct sim_entity *e = &s->entities[w.key.entity];
    if (e->kind == KT_CUSTOMER) {
        w.key = (struct sim_key){w.key.entity, KT_F_CUSTOMER_DELETED, 0};
        (void)take_away(s, o, w);
    }
    if (judge_named(s, o, w.key.entity)) return;
    w.key = (struct sim_key){w.key.entity, name_of(e->kind), 0};
    w.adds = true;
    w.replaces = judge_room(s);
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
    const struct sim_field *f = sim_field(in->key.field);
    if (in->adds && !in->resolves && !(f && f->before)) put(s, o, w);
    w.replaces = judge_room(s);
    const uint32_t n = judge_live_at(s, &o->vector, &o->heard, &in->key, w.replaces);
    for (uint32_t i = 0; i < n; i++) {
        const struct sim_write *seen = &s->writes[w.replaces[i]];
        const bool all = in->way == SIM_WRITE_ELEMENT || in->resolves || (n == 1 && !in->by_basis);
        const bool own = !in->by_basis && seen->head.origin.member == o->number + 1;
        if (all || own || (in->by_basis && judge_covers(&in->basis, seen)))
            w.replaces[w.replaces_len++] = w.replaces[i];
    }
    add(s, o, &w);
}

void judge_cut(struct sim *s)
{
    for (uint32_t i = 0; i < s->writes_len; i++) {
        struct sim_write *w = &s->writes[i];
        w->cut = cuts_write(s, w->head, w->place ? SIM_CORE : s->entities[w->key.entity].own);
    }
}

/* What a token stands for is told by numbers: those that may be used again tell nothing. */
static void forget_tokens(struct sim *s, const struct sim_office *o, const struct kt_vector *older)
{
    for (uint32_t i = 0; i < SIM_TOKENS; i++)
        for (size_t n = 0; n < s->tokens[i].seen.len; n++) {
            const struct kt_vector_entry *e = &s->tokens[i].seen.entries[n];
            if (e->origin.member == o->number + 1 && e->number > kt_vector_get(older, e->origin))
                s->tokens[i].heads_len = 0;
        }
}

void judge_restored(struct sim *s, struct sim_office *o, const struct kt_vector *older)
{
    forget_tokens(s, o, older);
    for (uint32_t i = 0; i < s->writes_len; i++) {
        struct sim_write *w = &s->writes[i];
        bool elsewhere = judge_covers(older, w) || !judge_covers(&o->vector, w);
        for (unsigned k = 0; k < s->offices_len; k++)
            elsewhere =
                elsewhere || (k != o->number && &s->offices[k] != s->liar && judge_covers(&s->offices[k].vector, w));
        if (elsewhere) continue;
        w->at_risk = true;
        sim_say(s, "write %u was only there: it may be lost", w->number);
    }
}
