/* Erasures: the authority has something of a customer or a case erased, and one office hears of it.  Who writes of it
 * without having heard writes what is dead already; who has heard writes what stands.  What an office has heard its
 * keyring says; what follows from that the judge decides by itself. */
#include "sim/sim.h"

#include "engine/journal/journal.h"
#include "proto/batch/batch.h"

#define KNOWN_ONCE_IN 3u /* seeds */
#define TAG_DICE      0x65726173u

/* Dice of their own: a seed that knows no erasures tells the story it told before there were any. */
void erasures_open(struct sim *s)
{
    struct dice d = {s->options.seed ^ TAG_DICE};
    const uint32_t quanta = 1000 / SIM_QUANTUM_MS;
    if (dice_in(&d, KNOWN_ONCE_IN)) s->chaos.erase = (1 + dice_below(&d, 20)) * quanta;
}

void erasures_close(struct sim *s)
{
    for (uint32_t i = 0; i < s->erasures_len; i++) kt_buf_free(&s->erasures[i].bytes);
}

unsigned erasures_ward(const struct sim *s, unsigned entity)
{
    const struct sim_entity *e = &s->entities[entity];
    return e->kind == KT_TASK ? (unsigned)e->customer : entity;
}

/* ------------------------------------------------------------------------------------------------------- deciding */

static void decide(struct sim *s, unsigned entity, unsigned place)
{
    const struct sim_entity *e = &s->entities[entity];
    struct sim_erasure *x = &s->erasures[s->erasures_len++];
    x->entity = entity;
    x->place = place;
    x->compartment = place ? SIM_CORE : e->own;
    x->tag = organisation_tag(x->compartment, &e->entity);
    x->generation = s->heard.next[entity][place]++;
    organisation_erase(s, x);
    sim_say(s, "%s:%s is erased in compartment %u, generation %u", e->system, e->id, x->compartment, x->generation);
}

void erasures_decide(struct sim *s, struct sim_office *o)
{
    const unsigned entity = dice_below(&s->dice, s->entities_len);
    const uint32_t kind = s->entities[entity].kind, which = dice_below(&s->dice, 4), before = s->erasures_len;
    if ((kind != KT_CUSTOMER && kind != KT_CASE) || before + 2 > SIM_ERASURES_MAX) return;
    if (kind == KT_CASE || which != 0) decide(s, entity, 0);
    if (kind == KT_CUSTOMER && which != 1) decide(s, entity, 1);
    sim_say(s, "office-%u is to hear of it first", o->number + 1);
    o->erasures_due = s->erasures_len - before;
    office_end(o, SIM_STOP, 100);
}

void erasures_bring(struct sim_office *o)
{
    struct sim *s = o->sim;
    for (; o->erasures_due; o->erasures_due--) {
        const struct sim_erasure *x = &s->erasures[s->erasures_len - o->erasures_due];
        bool news;
        const int err = kt_keyring_take_erasure(o->keyring, kt_buf_bytes(&x->bytes), &news);
        if (err == KT_EFULL) return; /* with the next start */
        sim_must(err == KT_OK, "an erasure is refused");
    }
}

/* -------------------------------------------------------------------------------------------------------- hearing */

static uint32_t known(struct sim_office *o, const struct sim_erasure *x)
{
    return kt_keyring_generation(o->keyring, x->compartment, &x->tag);
}

void word_heard(struct sim_office *o)
{
    const uint64_t name = kt_keyring_erasures(o->keyring);
    o->heard.cut = o->sim->cuts.version && kt_keyring_roster(o->keyring)->version >= o->sim->cuts.version;
    if (name == o->erasures_name) return;
    o->erasures_name = name;
    for (uint32_t i = 0; i < o->sim->erasures_len; i++) {
        const struct sim_erasure *x = &o->sim->erasures[i];
        o->heard.next[x->entity][x->place] = known(o, x);
    }
}

bool word_just_heard(struct sim_office *o, unsigned entity)
{
    const unsigned ward = erasures_ward(o->sim, entity);
    if (o->sim->cuts.version && kt_keyring_roster(o->keyring)->version >= o->sim->cuts.version && !o->heard.cut)
        return true;
    for (uint32_t i = 0; i < o->sim->erasures_len; i++) {
        const struct sim_erasure *x = &o->sim->erasures[i];
        if (x->entity == ward && known(o, x) != o->heard.next[ward][x->place]) return true;
    }
    return false;
}

bool word_all_heard(const struct sim_office *o) { return memcmp(&o->heard, &o->sim->heard, sizeof o->heard) == 0; }

/* -------------------------------------------------------------------------------------------------------- the end */

static bool is_dead(const struct sim *s, kt_compartment c, const struct kt_tag *tag, uint32_t generation)
{
    for (uint32_t i = 0; i < s->erasures_len; i++) {
        const struct sim_erasure *x = &s->erasures[i];
        if (x->compartment == c && generation <= x->generation && memcmp(&x->tag, tag, sizeof *tag) == 0) return true;
    }
    return false;
}

static void judge_batch(struct sim *s, struct sim_office *o, const struct kt_journal_entry *entry, struct kt_arena *a)
{
    struct kt_batch b;
    sim_must(kt_batch_decode(entry->batch, a, &b) == KT_OK, "a batch does not decode");
    for (uint32_t n = 0; n < b.seal.sections_len; n++)
        for (uint32_t i = 0; i < b.sections[n].items_len; i++) {
            const struct kt_item *item = &b.sections[n].items[i];
            const bool dead = is_dead(s, b.seal.sections[n].compartment, &item->tag, item->generation);
            if (dead != item->erased)
                sim_fail(s, SIM_LOST, "office-%u's batch %u/%llx/%llu %s", o->number + 1, entry->origin.member,
                         (unsigned long long)entry->origin.incarnation, (unsigned long long)entry->number,
                         dead ? "holds what was erased" : "lacks what was not erased");
            s->checks++;
        }
}

static void judge_journal(struct sim *s, struct sim_office *o)
{
    struct kt_txn *t;
    struct kt_arena a;
    uint64_t at, next;
    kt_arena_init(&a, 64u << 20);
    sim_must(o->store->ops->begin(o->store, KT_ENV_JOURNAL, false, &t) == KT_OK, "a journal does not open");
    sim_must(kt_journal_span(o->store, t, &at, &next) == KT_OK, "a journal does not read");
    for (; at < next; at++) {
        struct kt_journal_entry entry;
        const int err = kt_journal_get(o->store, t, at, &entry);
        sim_must(err == KT_OK || office_may_say(o, err), "a journal does not read");
        kt_arena_reset(&a);
        if (!err) judge_batch(s, o, &entry, &a);
    }
    o->store->ops->abort(t);
    kt_arena_free(&a);
}

/* Rows: compartment 4, tag 12, generation 4, and more. */
static void judge_keys(struct sim *s, struct sim_office *o)
{
    const struct kt_store_ops *ops = o->store->ops;
    struct kt_cursor *c;
    struct kt_bytes key;
    struct kt_txn *t;
    sim_must(ops->begin(o->store, KT_ENV_KEYS, false, &t) == KT_OK, "keys do not open");
    sim_must(ops->cursor(t, KT_T_keys_ward, &c) == KT_OK, "keys do not open");
    for (int err = ops->seek(c, KT_SEEK_AT_OR_AFTER, kt_bytes(NULL, 0), &key, NULL); !err;
         err = ops->seek(c, KT_SEEK_NEXT, kt_bytes(NULL, 0), &key, NULL)) {
        struct kt_reader r = kt_reader(key);
        struct kt_tag tag;
        const kt_compartment compartment = kt_take_be32(&r);
        kt_take_into(&r, &tag, sizeof tag);
        if (is_dead(s, compartment, &tag, kt_take_be32(&r)))
            sim_fail(s, SIM_LOST, "office-%u has a key of what was erased in compartment %u", o->number + 1,
                     compartment);
        s->checks++;
    }
    ops->cursor_close(c);
    ops->abort(t);
}

void judge_erased(struct sim *s, struct sim_office *o)
{
    if (s->erasures_len == 0) return;
    judge_journal(s, o);
    judge_keys(s, o);
}
