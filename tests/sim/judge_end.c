/* What offices say of each other, and what holds when all have come together. */
#include "sim/judge.h"

#include "engine/journal/journal.h"

void judge_copies(struct sim *s, struct sim_office *o, struct kt_head head, uint32_t copies, uint64_t since_ms)
{
    uint32_t have = 0;
    if (cuts_beyond(s, head.origin, head.number)) return; /* it counts nowhere */
    for (unsigned k = 0; k < s->offices_len; k++) {
        const struct sim_office *other = &s->offices[k];
        have += k != o->number && (kt_vector_get(&other->vector, head.origin) >= head.number ||
                                   other->restored_ms > since_ms || /* it had it, and forgot */
                                   other == s->liar);
    }
    if (have < copies)
        sim_fail(s, SIM_LOST, "office-%u acknowledged a write for %u copies; %u others have it", o->number + 1, copies,
                 have);
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
            /* a restored office has forgotten what it wrote, and how far ahead its clock had been; a liar lies */
            const bool forgotten = s->offices[m - 1].restored_ms > 0 || &s->offices[m - 1] == s->liar;
            if (w->head.origin.member != m || kt_hlc_ms(w->at) >= offices[i].complete_through_ms || forgotten ||
                w->at_risk || w->cut || judge_covers(&o->vector, w))
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

/* One that lies to the end is not waited for: what it held back from itself nobody can give it.  One that was removed
 * is gone. */
static bool counts(const struct sim *s, unsigned office)
{
    return !(s->lies_for_ever && &s->offices[office] == s->liar) && &s->offices[office] != s->removed;
}

bool judge_converged(struct sim *s)
{
    struct kt_arena a;
    struct kt_engine_status st[SIM_OFFICES_MAX];
    uint32_t n = 0;
    bool same = true;
    kt_arena_init(&a, 64u << 20);
    for (unsigned i = 0; i < s->offices_len && same; i++) {
        if (!counts(s, i)) continue;
        same = office_status(&s->offices[i], &a, &st[n]) && st[n].ledger.held == 0 && st[n].ledger.without == 0 &&
               !st[n].ledger.erasing && word_all_heard(&s->offices[i]) &&
               st[n].ledger.position == st[n].ledger.store_position;
        if (!same || n++ == 0) continue;
        const struct kt_hash x = kt_vector_seals_hash(st[0].vector), y = kt_vector_seals_hash(st[n - 1].vector);
        same = memcmp(&x, &y, sizeof x) == 0;
    }
    for (uint32_t i = 1; i < n && same; i++)
        for (uint32_t k = 0; k < i; k++) compare_digests(s, &st[k], &st[i]);
    kt_arena_free(&a);
    return same;
}

/* Every batch one holds the other holds, byte for byte: nothing that was spoilt or forged on the way was kept. */
static void compare_journals(struct sim *s, struct sim_office *a, struct sim_office *b)
{
    struct kt_txn *ta, *tb;
    struct kt_journal_entry x, y;
    sim_must(a->store->ops->begin(a->store, KT_ENV_JOURNAL, false, &ta) == KT_OK, "a journal does not open");
    sim_must(b->store->ops->begin(b->store, KT_ENV_JOURNAL, false, &tb) == KT_OK, "a journal does not open");
    uint64_t position, next;
    sim_must(kt_journal_span(a->store, ta, &position, &next) == KT_OK, "a journal does not read");
    for (; position < next; position++) {
        int err = kt_journal_get(a->store, ta, position, &x);
        if (!err && cuts_beyond(s, x.origin, x.number)) continue; /* a journal keeps what it took */
        if (!err) err = kt_journal_find(b->store, tb, x.origin, x.number, &y);
        if (office_may_say(a, err) || office_may_say(b, err)) break; /* nobody has asked for it since it rotted */
        if (err || !kt_bytes_equal(x.batch, y.batch))
            sim_fail(s, SIM_DIVERGED, "office-%u and office-%u hold different batches %u/%llx/%llu", a->number + 1,
                     b->number + 1, x.origin.member, (unsigned long long)x.origin.incarnation,
                     (unsigned long long)x.number);
        s->checks++;
    }
    a->store->ops->abort(ta);
    b->store->ops->abort(tb);
}

void judge_end(struct sim *s)
{
    const unsigned first = counts(s, 0) ? 0 : 1;
    for (uint32_t i = 0; i < s->writes_len; i++) {
        const struct sim_write *w = &s->writes[i];
        const bool told = counts(s, w->head.origin.member - 1);
        if (!w->at_risk && !w->cut && told && !judge_covers(&s->offices[first].vector, w))
            sim_fail(s, SIM_LOST, "write %u of office-%u was acknowledged and is gone", w->number,
                     w->head.origin.member);
    }
    for (unsigned k = 0; k < s->offices_len; k++) {
        if (!counts(s, k)) continue;
        if (k != first) compare_journals(s, &s->offices[k], &s->offices[first]);
        for (unsigned e = 0; e < s->entities_len; e++) judge_entity(s, &s->offices[k], e);
        judge_erased(s, &s->offices[k]);
        judge_freshness(s, &s->offices[k]);
        judge_links(s, &s->offices[k]);
        judge_found(s, &s->offices[k]);
        judge_conflicts(s, &s->offices[k]);
    }
}
