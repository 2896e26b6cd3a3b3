/* When things are seen: what an author had seen is there before what it wrote; what was shown once stays; a token is
 * worth what its issuer showed. */
#include "sim/judge.h"

#include "proto/client/token.h"

#include <stdlib.h>

#define NEWEST          24u /* writes looked at each time: what comes out of order comes late */
#define ARENA_BYTES_MAX (64u << 20)

void judge_steps(struct sim *s, struct sim_office *o, const struct kt_vector *now)
{
    for (size_t i = 0; i < o->vector.len; i++) {
        const struct kt_vector_entry *e = &o->vector.entries[i];
        if (kt_vector_get(now, e->origin) < cuts_left(s, e->origin, e->number))
            sim_fail(s, SIM_LOST, "office-%u held batch %u/%llx/%llu and holds it no more", o->number + 1,
                     e->origin.member, (unsigned long long)e->origin.incarnation, (unsigned long long)e->number);
    }
}

/* Does an office hold all that `seen` holds?  A restored one may hear from its peers what it had written itself before
 * they know that it forgot. */
static const struct kt_vector_entry *lacking(const struct sim_office *o, const struct kt_vector *seen)
{
    const struct kt_vector *v = &o->vector;
    for (size_t i = 0; i < seen->len; i++)
        if (kt_vector_get(v, seen->entries[i].origin) <
                cuts_left(o->sim, seen->entries[i].origin, seen->entries[i].number) &&
            (!o->restored_ms || seen->entries[i].origin.member != o->number + 1))
            return &seen->entries[i];
    return NULL;
}

#define ROSTER_SETTLES_MS (3 * KT_PULSE_MS) /* so long a batch that named a roster too new may be asked for again */

/* A batch that names a roster still on its way waits for it, and blocks its own origin alone. */
static bool waits_for_rosters(struct sim *s)
{
    for (unsigned i = 0; i < s->offices_len; i++)
        if (!s->offices[i].up || kt_keyring_roster(s->offices[i].keyring)->version < s->rosters)
            s->rosters_differ_ms = s->now_ms;
    return s->rosters > 1 && s->now_ms - s->rosters_differ_ms < ROSTER_SETTLES_MS;
}

/* A refused batch blocks its own origin alone, so order is kept among those who do not lie. */
void judge_causes(struct sim *s, struct sim_office *o)
{
    const uint32_t from = s->writes_len > NEWEST ? s->writes_len - NEWEST : 0;
    const bool waits = waits_for_rosters(s);
    for (uint32_t i = from; i < s->writes_len && !s->liar && !waits; i++) {
        const struct sim_write *w = &s->writes[i];
        const struct kt_vector_entry *e;
        if (w->at_risk || w->cut || !judge_covers(&o->vector, w) || !(e = lacking(o, &w->seen))) continue;
        sim_fail(s, SIM_LOST, "office-%u has write %u and lacks what its author had seen: batch %u/%llx/%llu",
                 o->number + 1, w->number, e->origin.member, (unsigned long long)e->origin.incarnation,
                 (unsigned long long)e->number);
    }
    s->checks++;
}

/* ---------------------------------------------------------------------------------------------------------- tokens */

/* What a lookup's token stands for: all its office held of one entity then. */
static void keep_token(struct sim *s, struct sim_office *o, unsigned entity)
{
    struct sim_token *t = &s->tokens[dice_below(&s->dice, SIM_TOKENS)];
    struct kt_arena a;
    struct kt_reply reply;
    struct kt_token token;
    char text[KT_TOKEN_CHARS_MAX + 1] = {0};
    kt_arena_init(&a, ARENA_BYTES_MAX);
    if (!judge_look(o, &s->entities[entity], &a, &reply) && reply.lookup.basis.len) {
        memcpy(text, reply.lookup.basis.data, reply.lookup.basis.len);
        sim_must(kt_token_decode(text, organisation_id_key(), &token) == KT_OK, "a token does not decode");
        t->entity = entity;
        t->office = o->number;
        t->heads_len = token.heads_len;
        memcpy(t->heads, token.heads, sizeof token.heads);
        sim_must(kt_vector_copy(&o->vector, &t->seen) == KT_OK, "out of memory");
    }
    kt_arena_free(&a);
}

/* What is in the record's own compartment only those show who read it. */
static bool shown_at(const struct sim *s, unsigned office, const struct sim_key *k)
{
    const struct sim_field *f = sim_field(k->field);
    return (f && f->core) || organisation_reads(s->offices_len, office + 1, s->entities[k->entity].own);
}

static bool live(const struct sim *s, const struct kt_vector *v, uint32_t write)
{
    uint32_t *all = judge_room(s), n = judge_live_at(s, v, &s->heard, &s->writes[write].key, all), i = 0;
    while (i < n && all[i] != write) i++;
    free(all);
    return i < n;
}

static void honour(struct sim *s, struct sim_office *o, const struct sim_token *t)
{
    const struct sim_entity *e = &s->entities[t->entity];
    bool all = true;
    for (uint32_t i = 0; i < t->heads_len; i++)
        all = all && kt_vector_get(&o->vector, t->heads[i].origin) >= t->heads[i].number;
    if (kt_board_covers(o->board, t->heads, t->heads_len) != all)
        sim_fail(s, SIM_LOST, "office-%u's board says otherwise of a token than its journal", o->number + 1);
    /* a token names the newest batches: where more made what was shown, it does not stand for all of it */
    if (!all || s->liar || e->unjudged || t->heads_len == KT_TOKEN_HEADS_MAX) return;
    for (uint32_t i = 0; i < s->writes_len; i++) {
        const struct sim_write *w = &s->writes[i];
        if (w->key.entity != t->entity || !w->adds || !sim_field(w->key.field) || w->at_risk || w->cut ||
            judge_dead(&s->heard, w) || !judge_covers(&t->seen, w) || judge_covers(&o->vector, w) ||
            !shown_at(s, t->office, &w->key) || !live(s, &t->seen, i))
            continue;
        sim_fail(s, SIM_LOST, "office-%u honours a token of office-%u's for %s:%s and lacks write %u, shown there",
                 o->number + 1, t->office + 1, e->system, e->id, w->number);
    }
    s->checks++;
}

void judge_tokens(struct sim *s, struct sim_office *o)
{
    const unsigned entity = dice_below(&s->dice, s->entities_len);
    const struct sim_token *t = &s->tokens[dice_below(&s->dice, SIM_TOKENS)];
    if (t->heads_len) honour(s, o, t);
    const uint32_t kind = s->entities[entity].kind;
    if ((kind == KT_CUSTOMER || kind == KT_CASE) && dice_in(&s->dice, 4)) keep_token(s, o, entity);
}
