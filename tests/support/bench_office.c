#include "support/bench_office.h"
#include "support/bench_organisation.h"

#include "client/cli/json/json.h"
#include "engine/ward/apply.h"
#include "proto/schema/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

#define OK(call)    assert_int_equal((call), KT_OK)
#define INCARNATION 77u
#define STORE_LIFE  4711u
#define ARENA_BYTES (256u << 20)

/* ---------------------------------------------------------------------------------------------------------- world */

static uint64_t now_ms(struct kt_world *w) { return ++((struct bench_world *)w)->ms; }
static uint64_t monotonic_ns(struct kt_world *w) { return ((struct bench_world *)w)->ms * 1000000u; }

static void random_bytes(struct kt_world *w, void *out, size_t len)
{
    struct bench_world *b = (struct bench_world *)w;
    for (size_t i = 0; i < len; i++) {
        b->dice = b->dice * 6364136223846793005ull + 1442695040888963407ull;
        ((uint8_t *)out)[i] = (uint8_t)(b->dice >> 56);
    }
}

/* -------------------------------------------------------------------------------------------------------- offices */

static void start(struct bench_office *o)
{
    const struct kt_lookup_config lookup = {.store = o->store->store,
                                            .keyring = o->keyring,
                                            .world = &o->world->world,
                                            .phone_country = kt_str("49"),
                                            .store_life = STORE_LIFE};
    OK(kt_workset_create(o->store->store, o->keyring, &o->world->world, &o->workset));
    OK(kt_views_create(o->workset, kt_str("49"), &o->views));
    OK(kt_lookup_create(&lookup, &o->lookup));
}

static void stop(struct bench_office *o)
{
    kt_lookup_free(o->lookup);
    kt_views_free(o->views);
    kt_workset_free(o->workset);
    kt_keyring_close(o->keyring);
}

void bench_open(struct bench *b, bool lmdb)
{
    assert_true(sodium_init() >= 0);
    memset(b, 0, sizeof *b);
    b->world = (struct bench_world){.world = {now_ms, monotonic_ns, random_bytes}, .ms = 1772399400000, .dice = 1};
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) {
        struct bench_office *o = &b->offices[i];
        void *store = NULL;
        assert_int_equal(lmdb ? kt_setup_lmdb(&store) : kt_setup_memory(&store), 0);
        o->store = store;
        o->member = i + 1;
        o->world = &b->world;
        kt_arena_init(&o->arena, ARENA_BYTES);
        bench_admit(o->store->store, &o->world->world, o->member, &o->keyring);
        start(o);
    }
}

void bench_close(struct bench *b)
{
    for (uint32_t i = 0; i < BENCH_OFFICES; i++) {
        struct bench_office *o = &b->offices[i];
        void *store = o->store;
        stop(o);
        for (size_t k = 0; k < o->log_len; k++) free(o->log[k].bytes);
        free(o->log);
        kt_vector_free(&o->vector);
        kt_arena_free(&o->arena);
        assert_int_equal(kt_teardown_store(&store), 0);
    }
}

struct bench_office *bench_office(struct bench *b, uint32_t number) { return &b->offices[number - 1]; }

void bench_restart(struct bench_office *o) { bench_restart_over(o, NULL, NULL); }

/* As kontord does (node/host/rescue.c), with the files of the bench. */
static void open_keyring(struct bench_office *o)
{
    struct kt_store *s = o->store->store;
    struct kt_world *world = &o->world->world;
    struct kt_salvage *from = NULL;
    const bool keys = o->store->is_lmdb && kt_lmdb_salvage_due(s, KT_ENV_KEYS);
    const bool journal = o->store->is_lmdb && kt_lmdb_salvage_due(s, KT_ENV_JOURNAL);
    if (keys) o->salvaged_keys = (struct kt_salvaged_keys){0};
    if (journal) o->salvaged = (struct kt_salvaged_journal){0};
    int e = keys ? kt_lmdb_salvage_open(s, KT_ENV_KEYS, &from) : KT_OK;
    struct kt_bench_files f;
    bench_files(o->member, &f);
    if (!e && keys) e = kt_salvage_keys(from, s, world, f.root_key, &o->salvaged_keys);
    assert_true(!e || e == KT_ENOTFOUND);
    if (keys && !o->salvaged_keys.identity) OK(kt_keyring_install_identity(s, kt_buf_bytes(&f.identity), f.root_key));
    bench_keyring_open(s, world, o->member, &o->keyring);
    if (keys) OK(kt_keyring_admit(o->keyring, kt_buf_bytes(&f.admission)));
    bench_files_free(&f);
    if (from) {
        OK(kt_salvage_wraps(from, o->keyring, &o->salvaged_keys));
        from->close(from);
    }
    if (keys) OK(kt_lmdb_salvage_done(s, KT_ENV_KEYS));
    if (!journal) return;
    e = kt_lmdb_salvage_open(s, KT_ENV_JOURNAL, &from);
    assert_true(!e || e == KT_ENOTFOUND);
    if (!e) {
        OK(kt_salvage_journal(from, s, o->keyring, &o->salvaged));
        from->close(from);
    }
    OK(kt_lmdb_salvage_done(s, KT_ENV_JOURNAL));
}

void bench_restart_over(struct bench_office *o, void (*meddle)(void *ctx), void *ctx)
{
    stop(o);
    kt_bench_close(o->store);
    if (meddle) meddle(ctx);
    OK(kt_bench_open(o->store));
    open_keyring(o);
    start(o);
}

/* -------------------------------------------------------------------------------------------------------- writing */

/* Keeps a change as it would travel. */
static void keep(struct bench_office *o, const struct bench_change *c)
{
    if (o->log_len == o->log_cap) {
        o->log_cap = o->log_cap ? o->log_cap * 2 : 64;
        o->log = realloc(o->log, o->log_cap * sizeof *o->log);
        assert_non_null(o->log);
    }
    o->log[o->log_len] = *c;
    o->log[o->log_len].bytes = malloc(c->len);
    memcpy(o->log[o->log_len].bytes, c->bytes, c->len);
    o->log[o->log_len].seq = o->log_len;
    o->log_len++;
}

/* Merges a change as a batch's envelope would be; the decoded ops live in the workset's arena. */
static void merge(struct bench_office *o, const struct bench_change *c)
{
    struct kt_change change;
    const struct kt_op_context at = {
        .compartment = c->compartment, .dot = c->dot, .stamp = c->stamp, .position = o->position};
    OK(kt_change_decode(kt_bytes(c->bytes, c->len), kt_workset_arena(o->workset), &change));
    if (kt_keyring_compartment(o->keyring, c->compartment)) OK(kt_apply_change(o->workset, &o->vector, at, &change));
}

static void advance(struct bench_office *o, const struct kt_dot *dot)
{
    const struct kt_vector_entry e = {.origin = dot->origin, .number = dot->batch};
    OK(kt_vector_set(&o->vector, &e));
}

/* A plan becomes a batch of its own. */
static void apply(struct bench_office *o, const struct kt_plan *plan)
{
    const struct kt_origin origin = {o->member, INCARNATION};
    const uint64_t batch = kt_vector_get(&o->vector, origin) + 1;
    o->changes = plan->changes_len;
    o->ops = 0;
    if (plan->changes_len == 0) return;
    o->position++;
    for (uint32_t i = 0; i < plan->changes_len; i++) {
        const struct kt_planned_change *p = &plan->changes[i];
        struct kt_buf b;
        kt_buf_init(&b, KT_CHANGE_BYTES_MAX);
        OK(kt_change_encode(&p->change, &b));
        o->ops += p->change.ops_len;
        (void)kt_clock_observe(&o->clock, p->seen, o->world->ms);
        const struct bench_change c = {.dot = {origin, batch, i, 0},
                                       .compartment = p->compartment,
                                       .stamp = kt_clock_next(&o->clock, now_ms(&o->world->world)),
                                       .bytes = b.data,
                                       .len = b.len};
        assert_true(c.stamp > p->seen);
        merge(o, &c);
        keep(o, &c);
        kt_buf_free(&b);
    }
    const struct kt_dot last = {origin, batch, 0, 0};
    advance(o, &last);
}

static void commit(struct bench_office *o)
{
    uint8_t position[8];
    for (int i = 0; i < 8; i++) position[i] = (uint8_t)(o->position >> (56 - 8 * i));
    OK(kt_views_update(o->views));
    OK(o->store->store->ops->put(kt_workset_txn(o->workset), KT_T_store_meta, kt_str("position"),
                                 KT_BYTES_OF(position)));
    OK(kt_workset_commit(o->workset));
}

/* ' for ", so that lines can be read in C. */
static struct kt_bytes quoted(struct kt_arena *a, const char *line)
{
    char *text = kt_arena_str(a, kt_str(line));
    assert_non_null(text);
    for (char *p = text; *p; p++)
        if (*p == '\'') *p = '"';
    return kt_str(text);
}

static struct kt_writer writer_of(struct bench_office *o)
{
    static const char *const offices[] = {"office-1", "office-2", "office-3"};
    return (struct kt_writer){.actor = kt_str("clerk"),
                              .purpose = kt_str("test"),
                              .phone_country = kt_str("49"),
                              .self = o->member,
                              .office = kt_str(offices[o->member - 1]),
                              .agency = kt_str(""),
                              .now_ms = now_ms(&o->world->world)};
}

static void note(struct bench_office *o, int code, const struct kt_plan *plan)
{
    o->code = code;
    o->field = plan->field;
    snprintf(o->reason, sizeof o->reason, "%s", plan->reason ? plan->reason : "");
}

static int put_line(struct bench_office *o, const char *line, const char *basis)
{
    struct kt_record record;
    struct kt_json_fault fault = {0};
    struct kt_plan plan;
    struct kt_token token;
    struct kt_writer who = writer_of(o);
    kt_arena_reset(&o->arena);
    const int parsed = kt_json_record(quoted(&o->arena, line), 1, &o->arena, &record, &fault);
    if (parsed) fail_msg("%s: %s: %s: %s", line, fault.field, fault.reason, fault.todo);
    if (basis) {
        OK(kt_token_decode(basis, kt_keyring_id_key(o->keyring), &token));
        assert_true(token.issuer == o->member && token.store == STORE_LIFE);
        who.basis = &token;
    }
    const int e = kt_write_plan(o->workset, &who, &record, &plan);
    note(o, e, &plan);
    if (!e) apply(o, &plan);
    return e;
}

int bench_put_based(struct bench_office *o, const char *line, const char *basis)
{
    OK(kt_workset_begin(o->workset, true));
    const int e = put_line(o, line, basis);
    commit(o);
    return e;
}

int bench_put(struct bench_office *o, const char *line) { return bench_put_based(o, line, NULL); }

void bench_put_all(struct bench_office *o, const char *const *lines, size_t n)
{
    OK(kt_workset_begin(o->workset, true));
    for (size_t i = 0; i < n; i++) OK(put_line(o, lines[i], NULL));
    commit(o);
}

int bench_resolve(struct bench_office *o, const char *id, const char *value_json)
{
    const struct kt_writer who = writer_of(o);
    struct kt_reply reply = {0};
    struct kt_json_fault fault;
    struct kt_plan plan;
    struct kt_bytes value = {0};
    bool clear;
    kt_arena_reset(&o->arena);
    OK(kt_lookup_conflicts(o->lookup, kt_str(id), NULL, &o->arena, &reply));
    OK(kt_json_value(kt_schema_field(reply.conflicts.items[0].field), quoted(&o->arena, value_json), &o->arena, &value,
                     &clear, &fault));
    OK(kt_workset_begin(o->workset, true));
    const int e = kt_write_resolve(o->workset, &who, kt_str(id), value, clear, &plan);
    note(o, e, &plan);
    if (!e) apply(o, &plan);
    commit(o);
    return e;
}

void bench_pull(struct bench_office *to, struct bench_office *from)
{
    OK(kt_workset_begin(to->workset, true));
    for (size_t i = 0; i < from->log_len; i++) {
        const struct bench_change *c = &from->log[i];
        const uint64_t held = kt_vector_get(&to->vector, c->dot.origin);
        if (c->dot.batch <= held) continue;
        if (c->dot.envelope == 0) to->position++;
        (void)kt_clock_observe(&to->clock, c->stamp, to->world->ms);
        merge(to, c);
        keep(to, c);
        const bool last = i + 1 == from->log_len || kt_origin_compare(from->log[i + 1].dot.origin, c->dot.origin) ||
                          from->log[i + 1].dot.batch != c->dot.batch;
        if (last) advance(to, &c->dot);
    }
    commit(to);
}

void bench_sync(struct bench *b)
{
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < BENCH_OFFICES; i++)
            for (uint32_t k = 0; k < BENCH_OFFICES; k++)
                if (i != k) bench_pull(&b->offices[i], &b->offices[k]);
}

/* -------------------------------------------------------------------------------------------------------- reading */

json_t *bench_look_granted(struct bench_office *o, enum kt_lookup_by by, const char *what, const struct kt_grant *grant,
                           uint32_t page)
{
    struct kt_request r = {.kind = KT_ASK_LOOKUP, .lookup = {.by = by, .value = kt_str(what), .page = page}};
    const char *colon = strchr(what, ':');
    json_t *out = NULL;
    if ((by == KT_BY_ID || by == KT_BY_SOURCE) && colon) {
        r.lookup.system = kt_bytes(what, (size_t)(colon - what));
        r.lookup.value = kt_str(colon + 1);
    }
    kt_arena_reset(&o->arena);
    o->reply = (struct kt_reply){.kind = KT_ASK_LOOKUP};
    o->code = kt_lookup_run(o->lookup, &r, grant, &o->arena, &o->reply);
    if (o->code) return NULL;
    o->code = kt_json_lookup(&o->reply, &o->arena, &out);
    return o->code ? NULL : out;
}

json_t *bench_look(struct bench_office *o, enum kt_lookup_by by, const char *what)
{
    return bench_look_granted(o, by, what, NULL, 0);
}

char *bench_body(struct bench_office *o, enum kt_lookup_by by, const char *what)
{
    json_t *j = bench_look(o, by, what);
    if (!j) return strdup("");
    json_t *body =
        json_pack("{s:O, s:O}", "customer", json_object_get(j, "customer"), "cases", json_object_get(j, "cases"));
    assert_non_null(body);
    char *text = json_dumps(body, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(body);
    json_decref(j);
    return text;
}

json_t *bench_conflicts(struct bench_office *o)
{
    kt_arena_reset(&o->arena);
    o->reply = (struct kt_reply){.kind = KT_ASK_CONFLICTS};
    OK(kt_lookup_conflicts(o->lookup, kt_bytes(NULL, 0), NULL, &o->arena, &o->reply));
    json_t *j = kt_json_conflicts(&o->reply);
    assert_non_null(j);
    return j;
}

uint64_t bench_conflict_count(struct bench_office *o)
{
    uint64_t n;
    OK(kt_workset_begin(o->workset, false));
    OK(kt_views_conflicts(o->workset, &n));
    kt_workset_abort(o->workset);
    return n;
}

uint64_t bench_rows(struct bench_office *o, enum kt_table table)
{
    uint64_t n;
    OK(kt_workset_begin(o->workset, false));
    OK(o->store->store->ops->count(kt_workset_txn(o->workset), table, &n));
    kt_workset_abort(o->workset);
    return n;
}

const json_t *bench_at(const json_t *j, const char *path)
{
    while (j && *path) {
        char step[64];
        const size_t n = strcspn(path, "/");
        snprintf(step, sizeof step, "%.*s", (int)n, path);
        j = json_is_array(j) ? json_array_get(j, strtoul(step, NULL, 10)) : json_object_get(j, step);
        path += n + (path[n] == '/');
    }
    return j;
}

const char *bench_text(const json_t *j, const char *path)
{
    const json_t *at = bench_at(j, path);
    return at && json_is_string(at) ? json_string_value(at) : "";
}
