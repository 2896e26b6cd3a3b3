/* Lookups, conflicts, and what their answers hold. */
#include "client/reading.h"

#include <stdlib.h>

struct group {
    struct kontor_entity *entities;
    uint32_t n;
};

struct kontor_view {
    struct kt_answer answer;
    struct kt_view view;
    struct kt_texts texts;
    struct group groups[KONTOR_OTHERS + 1];
};

static int read_group(struct kontor_view *v, enum kontor_group which, const struct kt_shown_entity *from, uint32_t n)
{
    struct group *g = &v->groups[which];
    g->entities = kt_arena_array(&v->answer.arena, (size_t)n + 1, sizeof *g->entities);
    int err = g->entities ? KT_OK : KT_ELIMIT;
    for (uint32_t i = 0; i < n && !err; i++) err = kt_entity_read(&v->texts, &from[i], &g->entities[i]);
    if (!err) g->n = n;
    return err;
}

static int compose(struct kontor_view *v)
{
    const struct kt_reply *r = &v->answer.reply;
    uint32_t n = r->lookup.sections_len;
    struct kt_section_in *sections = kt_arena_array(&v->answer.arena, (size_t)n + 1, sizeof *sections);
    if (!sections) return KT_ELIMIT;
    for (uint32_t i = 0; i < n; i++)
        sections[i] = (struct kt_section_in){r->lookup.sections[i].compartment, r->lookup.sections[i].bytes};
    int err = kt_view_compose(sections, n, &r->lookup.display_id, &v->answer.arena, &v->view);
    if (err) return err;
    const struct kt_view *w = &v->view;
    if (!w->has_customer && !w->cases_len && !w->licences_len && !r->lookup.matches_len) return KT_ENOTFOUND;
    err = read_group(v, KONTOR_CUSTOMER, &w->customer, w->has_customer);
    if (!err) err = read_group(v, KONTOR_SOURCES, w->sources, w->sources_len);
    if (!err) err = read_group(v, KONTOR_CASES, w->cases, w->cases_len);
    if (!err) err = read_group(v, KONTOR_LICENCES, w->licences, w->licences_len);
    if (!err) err = read_group(v, KONTOR_OTHERS, w->others, w->others_len);
    if (!err && w->has_customer)
        kt_hex(kt_bytes(&w->display_id, sizeof w->display_id), v->groups[KONTOR_CUSTOMER].entities[0].id);
    return err;
}

int kontor_lookup(struct kontor *k, const struct kontor_lookup *what, struct kontor_view **out)
{
    struct kt_bytes wait[KT_TOKENS_PER_LOOKUP_MAX];
    struct kt_request r = {
        .kind = KT_ASK_LOOKUP,
        .actor = kt_str(what->actor),
        .purpose = kt_str(what->purpose),
        .case_ref = kt_str(what->case_ref),
        .deadline_ms = what->deadline_ms,
        .lookup = {.by = (enum kt_lookup_by)what->by,
                   .system = kt_str(what->system),
                   .value = kt_str(what->value),
                   .wait = wait,
                   .wait_len = (uint32_t)what->wait_len,
                   .page = what->page}
    };
    if (!what->value || what->wait_len > KT_TOKENS_PER_LOOKUP_MAX) return KT_EINVAL;
    for (size_t i = 0; i < what->wait_len; i++) wait[i] = kt_str(what->wait[i]);
    struct kontor_view *v = calloc(1, sizeof *v);
    if (!v) return KT_ENOMEM;
    v->texts = (struct kt_texts){&v->answer.arena, &v->view};
    int err = kt_handle_ask(k, &r, &v->answer);
    if (!err) err = compose(v);
    if (err) {
        kontor_view_free(v);
        return err;
    }
    *out = v;
    return KT_OK;
}

void kontor_view_free(struct kontor_view *v)
{
    if (!v) return;
    kt_answer_free(&v->answer);
    free(v);
}

static const struct kt_reply *reply_of(const struct kontor_view *v) { return &v->answer.reply; }

size_t kontor_view_matches(const struct kontor_view *v) { return reply_of(v)->lookup.matches_len; }
bool kontor_view_more(const struct kontor_view *v) { return reply_of(v)->lookup.more; }

bool kontor_view_match(struct kontor_view *v, size_t i, struct kontor_match *out)
{
    if (i >= kontor_view_matches(v)) return false;
    const struct kt_match *m = &reply_of(v)->lookup.matches[i];
    *out = (struct kontor_match){kt_text(&v->texts, m->id), kt_text(&v->texts, m->name),
                                 kt_text(&v->texts, m->birth_date), kt_text(&v->texts, m->why)};
    return true;
}

const struct kontor_entity *kontor_view_entity(const struct kontor_view *v, enum kontor_group group, size_t i)
{
    bool there = group <= KONTOR_OTHERS && i < v->groups[group].n;
    return there ? &v->groups[group].entities[i] : NULL;
}

bool kontor_view_conflict(struct kontor_view *v, size_t i, struct kontor_conflict *out)
{
    char id[2 * 16 + 1];
    if (i >= v->view.conflicts_len) return false;
    const struct kt_view_conflict *c = &v->view.conflicts[i];
    const struct kt_schema_field *f = kt_schema_field(c->field);
    kt_hex(kt_bytes(c->id, sizeof c->id), id);
    *out = (struct kontor_conflict){kt_text(&v->texts, kt_str(id)),
                                    kt_ref_text(&v->texts, kt_field_kind(c->field), KT_BYTES_OF(c->entity)),
                                    f ? f->name : "", ""};
    return true;
}

const char *kontor_view_withheld(struct kontor_view *v, size_t i)
{
    return i < reply_of(v)->lookup.withheld_len ? kt_text(&v->texts, reply_of(v)->lookup.withheld[i]) : NULL;
}

const char *kontor_view_basis(const struct kontor_view *v)
{
    struct kt_texts texts = v->texts; /* the arena is not the view's own memory: taking from it changes no answer */
    return kt_text(&texts, reply_of(v)->lookup.basis);
}

bool kontor_view_office(struct kontor_view *v, size_t i, struct kontor_office *out)
{
    if (i >= reply_of(v)->lookup.offices_len) return false;
    const struct kt_office_freshness *o = &reply_of(v)->lookup.offices[i];
    *out = (struct kontor_office){kt_text(&v->texts, o->office), o->known, o->complete_through_ms};
    return true;
}

bool kontor_view_worst_age_ms(const struct kontor_view *v, uint64_t *out)
{
    uint64_t worst = 0, now = reply_of(v)->lookup.now_ms;
    for (uint32_t i = 0; i < reply_of(v)->lookup.offices_len; i++) {
        const struct kt_office_freshness *o = &reply_of(v)->lookup.offices[i];
        uint64_t age = now > o->complete_through_ms ? now - o->complete_through_ms : 0;
        if (!o->known) return false;
        if (age > worst) worst = age;
    }
    *out = worst;
    return true;
}

/* ---- conflicts ---- */

struct kontor_conflicts {
    struct kt_answer answer;
    struct kt_texts texts;
};

int kontor_conflicts(struct kontor *k, const char *id, struct kontor_conflicts **out)
{
    struct kt_request r = {.kind = KT_ASK_CONFLICTS, .conflict = {.id = kt_str(id)}};
    struct kontor_conflicts *c = calloc(1, sizeof *c);
    if (!c) return KT_ENOMEM;
    c->texts = (struct kt_texts){&c->answer.arena, NULL};
    int err = kt_handle_ask(k, &r, &c->answer);
    if (err) {
        kontor_conflicts_free(c);
        return err;
    }
    *out = c;
    return KT_OK;
}

void kontor_conflicts_free(struct kontor_conflicts *c)
{
    if (!c) return;
    kt_answer_free(&c->answer);
    free(c);
}

bool kontor_conflict_at(struct kontor_conflicts *c, size_t i, struct kontor_conflict *out)
{
    if (i >= c->answer.reply.conflicts.len) return false;
    const struct kt_conflict *x = &c->answer.reply.conflicts.items[i];
    const struct kt_schema_field *f = kt_schema_field(x->field);
    *out = (struct kontor_conflict){kt_text(&c->texts, x->id), kt_text(&c->texts, x->ref), f ? f->name : "",
                                    kt_text(&c->texts, x->element_text)};
    return true;
}

bool kontor_conflict_claim(struct kontor_conflicts *c, size_t conflict, size_t i, struct kontor_claim *out)
{
    if (conflict >= c->answer.reply.conflicts.len) return false;
    const struct kt_conflict *x = &c->answer.reply.conflicts.items[conflict];
    const struct kt_schema_field *f = kt_schema_field(x->field);
    if (i >= x->values_len || !f) return false;
    const struct kt_conflict_value *v = &x->values[i];
    struct kontor_value *value = kt_arena_array(&c->answer.arena, 1, sizeof *value);
    if (!value) return false;
    *value = (struct kontor_value){&c->texts, f, v->value, v->stamp};
    *out = (struct kontor_claim){!v->has_value, value, kt_text(&c->texts, v->office), kt_text(&c->texts, v->by),
                                 kt_hlc_ms(v->stamp)};
    return true;
}
