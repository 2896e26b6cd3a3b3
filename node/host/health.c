/* The status document, and what is wrong. */
#include "host/health.h"

#include "host/health_state.h"
#include "store/lmdb.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define STATUS_ARENA_BYTES_MAX (32u << 20)
#define DISK_FREE_MIN_BYTES    (256ull << 20)
#define REFUSED_MS_MIN         2000u  /* a roster on its way may settle it */
#define LACKING_MS_MIN         60000u /* catching up takes its time */

static json_t *time_text(uint64_t ms)
{
    char text[32];
    struct tm tm;
    const time_t seconds = (time_t)(ms / 1000);
    if (ms == 0) return json_null();
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

const char *kt_health_office(const struct kt_health_config *c, kt_member m)
{
    const struct kt_roster_member *r = kt_roster_member(kt_keyring_roster(c->keyring), m);
    return r ? r->office : "unknown";
}

/* ----------------------------------------------------------------------------------------------------- problems */

__attribute__((format(printf, 2, 3))) static const char *say(struct kt_arena *a, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *copy = kt_arena_str(a, kt_str(text));
    return copy ? copy : "";
}

static void add(struct kt_problems *p, struct kt_problem problem)
{
    if (p->len < KT_PROBLEMS_MAX) p->items[p->len++] = problem;
}

/* A pulse comes every KT_PULSE_MS by whatever way: one that has not for so long is silent. */
static uint64_t silent_ms(const struct kt_engine_status *s, const struct kt_peer_status *p)
{
    const uint64_t last = p->last_pulse_mono_ms > s->started_mono_ms ? p->last_pulse_mono_ms : s->started_mono_ms;
    return s->now_mono_ms - last;
}

bool kt_health_silent(const struct kt_engine_status *s, const struct kt_peer_status *p)
{
    return silent_ms(s, p) > KT_SILENT_MS;
}

static void peer_problems(const struct kt_health_config *c, const struct kt_engine_status *s, struct kt_arena *a,
                          struct kt_problems *out)
{
    const struct kt_roster *roster = kt_keyring_roster(c->keyring);
    for (uint32_t i = 0; i < s->peers_len; i++) {
        const struct kt_peer_status *p = &s->peers[i];
        const struct kt_roster_member *m = kt_roster_member(roster, p->member);
        if (!m || m->revoked) continue;
        if (kt_health_silent(s, p))
            add(out,
                (struct kt_problem){
                    say(a, "%s has said nothing for %llu s", m->office, (unsigned long long)(silent_ms(s, p) / 1000)),
                    m->office, s->now_ms - silent_ms(s, p),
                    "check its power and its line; work goes on, what it wrote since is not seen here yet"});
        if (p->skew_ms > (int64_t)KT_SKEW_MS_MAX || p->skew_ms < -(int64_t)KT_SKEW_MS_MAX)
            add(out, (struct kt_problem){
                         say(a, "the clock of %s differs by %lld s", m->office, (long long)(p->skew_ms / 1000)),
                         m->office, 0, "set the clock of one of the two: run a time service (NTP) at both"});
        if (p->digest_known && !p->digest_agrees)
            add(out,
                (struct kt_problem){say(a, "%s holds the same batches and shows another digest", m->office), m->office,
                                    0, "run kontor verify at both offices; see the runbook on digests"});
    }
}

static void fork_problems(const struct kt_health_config *c, const struct kt_engine_status *s, struct kt_arena *a,
                          struct kt_problems *out)
{
    for (uint32_t i = 0; i < s->forks_len; i++) {
        const struct kt_fork *f = &s->forks[i];
        const struct kt_roster_member *m = kt_roster_member(kt_keyring_roster(c->keyring), f->origin.member);
        add(out,
            (struct kt_problem){
                say(a, "two nodes wrote as %s: from batch %llu%s on, member %u has two sides under incarnation %016llx",
                    m ? m->office : "one member", (unsigned long long)f->number, f->first ? "" : " or before",
                    f->origin.member, (unsigned long long)f->origin.incarnation),
                m ? m->office : "", 0,
                f->first ? say(a, "stop the copy; then have the authority cut that incarnation at batch %llu (runbook)",
                               (unsigned long long)f->number - 1)
                         : "stop the copy; where the two sides part is being looked for (runbook)"});
    }
}

/* What an office wrote that does not come, though its pulses do; and why, where that is known. */
static void lacking_problems(const struct kt_health_config *c, const struct kt_engine_status *s, struct kt_arena *a,
                             struct kt_problems *out)
{
    for (uint32_t i = 0; i < s->peers_len; i++) {
        const struct kt_peer_status *p = &s->peers[i];
        const char *office = kt_health_office(c, p->member);
        if (p->we_lack_batches && p->lacking_ms > LACKING_MS_MIN)
            add(out, (struct kt_problem){say(a, "%llu batches of %s have not come for %llu s",
                                             (unsigned long long)p->we_lack_batches, office,
                                             (unsigned long long)(p->lacking_ms / 1000)),
                                         office, s->now_ms - p->lacking_ms,
                                         "give this node a line to that office, or to another that has them"});
        if (p->past_journal)
            add(out, (struct kt_problem){say(a, "%s no longer keeps what this node lacks", office), office, 0,
                                         "give this node a line to an office that does, restore it from a newer "
                                         "backup, or admit it anew and let it fetch all"});
        if (p->other_rosters)
            add(out, (struct kt_problem){say(a, "%s holds other rosters than this node", office), office, 0,
                                         "ask the authority which it stands by: it signed twice, or another has its "
                                         "key; offices that took the other are admitted anew"});
    }
}

/* What the disk did to us: said until a peer has mended it, and until somebody has looked. */
static void damage_problems(const struct kt_health_config *c, const struct kt_engine_status *s, struct kt_arena *a,
                            struct kt_problems *out)
{
    static const char *const names[KT_ENV_COUNT] = {[KT_ENV_KEYS] = "keys", [KT_ENV_JOURNAL] = "journal"};
    char path[4096];
    if (s->ledger.holes)
        add(out,
            (struct kt_problem){say(a, "%llu batches were damaged on disk and are asked of the other offices",
                                    (unsigned long long)s->ledger.holes),
                                "", 0, "link an office that has them, check this disk; see the runbook on damage"});
    if (s->ledger.without)
        add(out, (struct kt_problem){
                     say(a, "answers lack what %llu damaged batches said", (unsigned long long)s->ledger.without), "",
                     0, "it comes by itself with the batches; ask another office meanwhile"});
    struct kt_desk_count desk = {0};
    if (c->desk) kt_desk_count(c->desk, &desk);
    if (desk.damaged)
        add(out, (struct kt_problem){say(a, "%llu lookups met damage in the store and were not answered",
                                         (unsigned long long)desk.damaged),
                                     "", 0, "restart kontord when it suits: the store is made again; check this disk"});
    for (enum kt_env e = KT_ENV_KEYS; c->lmdb && e <= KT_ENV_JOURNAL; e++)
        if (!kt_lmdb_salvage_kept(c->lmdb, e, path, sizeof path))
            add(out, (struct kt_problem){
                         say(a, "%s was found damaged and was salvaged; the file is kept: %s", names[e], path), "", 0,
                         "check this disk and run kontor verify, then move the kept file away; see the "
                         "runbook on damage"});
}

static void own_problems(const struct kt_health_config *c, const struct kt_engine_status *s, struct kt_arena *a,
                         struct kt_problems *out)
{
    struct kt_env_info info;
    if (s->last_commit_error)
        add(out,
            (struct kt_problem){
                say(a, "the last group could not be committed: %s", kt_error_text(s->last_commit_error)), "",
                s->now_ms - (s->now_mono_ms - s->last_commit_error_mono_ms), kt_error_advice(s->last_commit_error)});
    if (!c->store->ops->info(c->store, KT_ENV_JOURNAL, &info) && info.disk_free_bytes < DISK_FREE_MIN_BYTES)
        add(out, (struct kt_problem){
                     say(a, "only %llu MiB of disk are free", (unsigned long long)(info.disk_free_bytes >> 20)), "", 0,
                     "free space on the disk of data_dir before writes are refused"});
    if (s->ledger.held)
        add(out, (struct kt_problem){
                     say(a, "%llu envelopes are held: their keys or a newer version are missing",
                         (unsigned long long)s->ledger.held),
                     "", 0, "wait for the peer that has the keys, or upgrade this node if its version is old"});
    if (s->ledger.store_position < s->ledger.position)
        add(out, (struct kt_problem){"the store lags behind the journal", "", 0,
                                     "free space on the disk of data_dir; it catches up by itself"});
}

/* Somebody answers at a URL of ours, and one side will not have the other: no peer's state tells that where it is no
 * member we know. */
static void dial_problems(const struct kt_health_config *c, const struct kt_engine_status *s, struct kt_arena *a,
                          struct kt_problems *out)
{
    struct kt_dial_info dials[KT_PEERS_MAX];
    const size_t n = c->links ? kt_links_dials(c->links, dials, KT_PEERS_MAX) : 0;
    for (size_t i = 0; i < n; i++) {
        const struct kt_dial_info *d = &dials[i];
        if (d->state != KT_DIAL_REFUSED || d->state_ms < REFUSED_MS_MIN) continue;
        const struct kt_roster_member *m = kt_roster_member(kt_keyring_roster(c->keyring), d->member);
        add(out, (struct kt_problem){say(a, "no link to %s: %s", d->url, d->last_error_text), m ? m->office : "",
                                     s->now_ms - d->state_ms,
                                     "check that a node of this organisation answers there, that both are admitted, "
                                     "and that their versions go together"});
    }
}

void kt_health_problems(const struct kt_health_config *c, const struct kt_engine_status *s, struct kt_arena *a,
                        struct kt_problems *out)
{
    out->len = 0;
    peer_problems(c, s, a, out);
    dial_problems(c, s, a, out);
    fork_problems(c, s, a, out);
    lacking_problems(c, s, a, out);
    own_problems(c, s, a, out);
    damage_problems(c, s, a, out);
}

/* ----------------------------------------------------------------------------------------------------- document */

static json_t *vector_json(const struct kt_vector *v)
{
    json_t *j = json_object();
    for (size_t i = 0; i < v->len; i++) {
        char name[64];
        snprintf(name, sizeof name, "%u/%016llx", v->entries[i].origin.member,
                 (unsigned long long)v->entries[i].origin.incarnation);
        json_object_set_new(j, name, json_integer((json_int_t)v->entries[i].number));
    }
    return j;
}

static json_t *digests_json(const struct kt_health_config *c, const struct kt_engine_status *s)
{
    json_t *j = json_object();
    for (uint32_t i = 0; i < s->digests_len; i++) {
        char hex[2 * KT_HASH_BYTES + 1];
        const struct kt_roster_compartment *rc =
            kt_roster_compartment(kt_keyring_roster(c->keyring), s->digests[i].compartment);
        kt_hex(KT_BYTES_OF(s->digests[i].digest), hex);
        if (rc) json_object_set_new(j, rc->name, json_string(hex));
    }
    return j;
}

/* The state of a peer as operators say it: linked, silent, or being dialled; refused where the last attempt reached
 * somebody and one side refused the other. */
static const char *peer_state(const struct kt_health_config *c, const struct kt_engine_status *s,
                              const struct kt_peer_status *p)
{
    struct kt_dial_info dials[KT_PEERS_MAX];
    if (p->linked) return "linked";
    const size_t n = c->links ? kt_links_dials(c->links, dials, KT_PEERS_MAX) : 0;
    for (size_t i = 0; i < n; i++)
        if (dials[i].member == p->member && dials[i].state == KT_DIAL_REFUSED) return "refused";
    return kt_health_silent(s, p) ? "silent" : "dialling";
}

static json_t *known(bool is, uint64_t n) { return is ? json_integer((json_int_t)n) : json_null(); }

/* About how many bytes so many batches take: by the average of the journal. */
uint64_t kt_health_bytes(const struct kt_health_config *c, const struct kt_engine_status *s, uint64_t batches)
{
    struct kt_env_info journal;
    if (batches == 0 || s->ledger.position == 0 || c->store->ops->info(c->store, KT_ENV_JOURNAL, &journal)) return 0;
    return batches * (journal.used_bytes / s->ledger.position);
}

static json_t *peers_json(const struct kt_health_config *c, const struct kt_engine_status *s)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < s->peers_len; i++) {
        const struct kt_peer_status *p = &s->peers[i];
        const bool through = p->complete_through_ms != 0;
        const double lag =
            through && s->now_ms > p->complete_through_ms ? (double)(s->now_ms - p->complete_through_ms) / 1000.0 : 0.0;
        json_t *j = json_object();
        json_object_set_new(j, "office", json_string(kt_health_office(c, p->member)));
        json_object_set_new(j, "member", json_integer(p->member));
        json_object_set_new(j, "state", json_string(peer_state(c, s, p)));
        json_object_set_new(j, "lag_s", through ? json_real(lag) : json_null());
        json_object_set_new(j, "batches_behind", known(p->behind_known, p->batches_behind));
        json_object_set_new(j, "bytes_behind", known(p->behind_known, kt_health_bytes(c, s, p->batches_behind)));
        json_object_set_new(j, "complete_through", time_text(p->complete_through_ms));
        json_object_set_new(j, "digest_agrees", p->digest_known ? json_boolean(p->digest_agrees) : json_null());
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *problems_json(const struct kt_problems *p)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < p->len; i++) {
        json_t *j = json_object();
        json_object_set_new(j, "what", json_string(p->items[i].what));
        json_object_set_new(j, "office", *p->items[i].office ? json_string(p->items[i].office) : json_null());
        json_object_set_new(j, "since", time_text(p->items[i].since_ms));
        json_object_set_new(j, "do", json_string(p->items[i].action));
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *document(const struct kt_health_config *c, const struct kt_engine_status *s,
                        const struct kt_problems *problems)
{
    char incarnation[17];
    uint64_t batches = 0;
    for (size_t i = 0; i < s->vector->len; i++) batches += s->vector->entries[i].number;
    snprintf(incarnation, sizeof incarnation, "%016llx", (unsigned long long)s->incarnation);
    json_t *j = json_object();
    json_object_set_new(j, "office", json_string(kt_health_office(c, s->member)));
    json_object_set_new(j, "member", json_integer(s->member));
    json_object_set_new(j, "incarnation", json_string(incarnation));
    json_object_set_new(j, "organisation", json_string(kt_keyring_roster(c->keyring)->organisation));
    json_object_set_new(j, "roster_version", json_integer(kt_keyring_roster(c->keyring)->version));
    json_object_set_new(j, "vector", vector_json(s->vector));
    json_object_set_new(j, "digests", digests_json(c, s));
    json_object_set_new(j, "batches", json_integer((json_int_t)batches));
    json_object_set_new(j, "conflicts", json_integer((json_int_t)s->ledger.conflicts));
    json_object_set_new(j, "contradictions", json_integer((json_int_t)s->ledger.contradictions));
    json_object_set_new(j, "held", json_integer((json_int_t)s->ledger.held));
    json_object_set_new(j, "peers", peers_json(c, s));
    json_object_set_new(j, "problems", problems_json(problems));
    return j;
}

int kt_health_status(const struct kt_health_config *c, struct kt_engine *e, struct kt_buf *out)
{
    struct kt_arena a;
    struct kt_engine_status s;
    kt_arena_init(&a, STATUS_ARENA_BYTES_MAX);
    int err = kt_engine_status(e, &a, &s);
    struct kt_problems *problems = kt_arena_alloc(&a, sizeof *problems);
    if (!err && !problems) err = KT_ELIMIT;
    if (!err) {
        kt_health_problems(c, &s, &a, problems);
        json_t *j = document(c, &s, problems);
        char *text = json_dumps(j, JSON_COMPACT);
        if (text) kt_buf_put(out, kt_str(text));
        err = text ? out->err : KT_ENOMEM;
        free(text);
        json_decref(j);
    }
    kt_arena_free(&a);
    return err;
}

bool kt_health_ready(const struct kt_health_config *c, struct kt_engine *e, const char **why)
{
    struct kt_ledger_state s;
    *why = "not admitted to an organisation";
    if (!kt_keyring_admitted(c->keyring)) return false;
    *why = "the store does not answer";
    if (kt_ledger_state(kt_engine_ledger(e), &s)) return false;
    *why = "the store lags behind the journal";
    return s.store_position == s.position;
}
