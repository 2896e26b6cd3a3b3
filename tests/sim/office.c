/* An office's life.  Everything below the ports is the production node; what is here is its process and its machine. */
#include "sim/sim.h"

#include "engine/journal/journal.h"

#include <stdlib.h>

#define POWER_PEERS_NOTICE_MS 15000u
#define KILL_PEERS_NOTICE_MS  100u
#define ARENA_BYTES_MAX       (256u << 20)

/* --------------------------------------------------------------------------------------------------------- world */

static struct sim_office *office_of(struct kt_world *w)
{
    return (struct sim_office *)((char *)w - offsetof(struct sim_office, world));
}

static uint64_t wall_ms(struct kt_world *w)
{
    struct sim_world *v = (struct sim_world *)w;
    v->steps_ms = -v->steps_ms;
    v->skew_ms += v->steps_ms;
    return SIM_EPOCH_MS + v->sim->now_ms + (uint64_t)v->skew_ms;
}

static uint64_t mono_ns(struct kt_world *w)
{
    const struct sim_world *v = (struct sim_world *)w;
    return (v->mono_base_ms + v->sim->now_ms) * 1000000u;
}

static void throw_bytes(struct kt_world *w, void *out, size_t len)
{
    struct dice *d = &((struct sim_world *)w)->dice;
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)(dice_throw(d) >> 56);
}

static int port_send(struct kt_transport *t, uint64_t link, struct kt_bytes frame)
{
    struct sim_office *o = (struct sim_office *)((char *)t - offsetof(struct sim_office, transport));
    return network_send(o, link, frame);
}

static void port_close(struct kt_transport *t, uint64_t link, const char *why)
{
    struct sim_office *o = (struct sim_office *)((char *)t - offsetof(struct sim_office, transport));
    network_hang_up(o, link, why);
}

/* --------------------------------------------------------------------------------------------------- engine's words */

static void engine_reply(void *ctx, const struct kt_asker *to, struct kt_bytes reply)
{
    struct sim_office *o = ctx;
    struct kt_arena arena;
    struct kt_reply r;
    kt_arena_init(&arena, ARENA_BYTES_MAX);
    sim_must(kt_reply_decode(reply, &arena, &r) == KT_OK, "a reply does not decode");
    workload_reply(o, to->ref, &r);
    kt_arena_free(&arena);
}

static void engine_note(void *ctx, const char *event, const char *sentence)
{
    struct sim_office *o = ctx;
    sim_say(o->sim, "office-%u notes %s: %s", o->number + 1, event, sentence);
}

/* ------------------------------------------------------------------------------------------------------ start, end */

static void open_engine(struct sim_office *o)
{
    const struct kt_engine_config c = {
        .ledger = {.store = o->store,
                   .keyring = o->keyring,
                   .world = &o->world.world,
                   .phone_country = kt_str("49"),
                   .threaded = false},
        .transport = &o->transport,
        .board = o->board,
        .ctx = o,
        .reply = engine_reply,
        .note = engine_note,
    };
    int e = kt_engine_open(&c, &o->engine);
    if (e) {
        const bool allowed = (e == KT_EFULL && o->full_until_ms) || office_may_say(o, e);
        if (!allowed) sim_fail(o->sim, SIM_CRASH, "office-%u does not start: %s", o->number + 1, kt_error_text(e));
        office_end(o, office_may_say(o, e) ? SIM_POWER : SIM_KILL, 500);
        return;
    }
    const struct kt_lookup_config lc = {.store = o->store,
                                        .keyring = o->keyring,
                                        .world = &o->world.world,
                                        .phone_country = kt_str("49"),
                                        .store_life = kt_ledger_store_life(kt_engine_ledger(o->engine))};
    sim_must(kt_lookup_create(&lc, &o->lookup) == KT_OK, "no lookup");
    o->up = true;
    judge_steps(o->sim, o, kt_ledger_vector(kt_engine_ledger(o->engine)));
    sim_must(kt_vector_copy(kt_ledger_vector(kt_engine_ledger(o->engine)), &o->vector) == KT_OK, "out of memory");
}

void office_start(struct sim_office *o)
{
    struct sim *s = o->sim;
    s->running = o;
    sim_must(kt_memory_open(o->disk, &o->store) == KT_OK, "a disk does not open");
    sim_say(s, "office-%u starts%s%s", o->number + 1, o->store->store_survived ? "" : ", its store lost",
            o->store->files_moved ? ", its files moved" : "");
    organisation_keyring(o->store, &o->world.world, o->number + 1, &o->keyring);
    if (o->renew) {
        s->running = NULL;
        organisation_renew(s, o->keyring, o->number + 1);
        s->running = o;
        o->renew = false;
    }
    erasures_bring(o);
    sim_must(kt_board_create(&o->board) == KT_OK && (o->packer = kt_packer_create()), "out of memory");
    o->stepped_ms = s->now_ms;
    rot_salvage(o);
    open_engine(o);
    s->running = NULL;
    if (o->up) workload_settle(o);
}

static void drop_inbox(struct sim_office *o)
{
    for (uint32_t i = 0; i < o->inbox_len; i++) {
        kt_intake_free(o->inbox[i]->intake);
        free(o->inbox[i]->request);
        free(o->inbox[i]);
    }
    o->inbox_len = 0;
}

static void close_all(struct sim_office *o)
{
    drop_inbox(o);
    kt_lookup_free(o->lookup);
    kt_engine_close(o->engine);
    kt_packer_free(o->packer);
    kt_board_free(o->board);
    kt_keyring_close(o->keyring);
    o->lookup = NULL;
    o->engine = NULL;
    o->packer = NULL;
    o->board = NULL;
    o->keyring = NULL;
}

void office_end(struct sim_office *o, enum sim_end how, uint64_t down_ms)
{
    static const char *const ways[] = {"stops", "is killed", "loses power"};
    struct sim *s = o->sim;
    if (!o->store) return;
    sim_say(s, "office-%u %s for %llu ms", o->number + 1, ways[how], (unsigned long long)down_ms);
    o->up = false;
    s->restarts++;
    network_office_gone(s, o->number, how == SIM_POWER ? POWER_PEERS_NOTICE_MS : KILL_PEERS_NOTICE_MS);
    close_all(o);
    if (how == SIM_STOP)
        o->store->ops->close(o->store);
    else
        kt_memory_crash(o->store, how == SIM_POWER);
    o->store = NULL;
    if (how == SIM_POWER) o->world.mono_base_ms = dice_below(&s->dice, 1000000);
    o->start_at_ms = s->now_ms + down_ms;
    o->paused_until_ms = o->lags_since_ms = 0;
}

void office_save(struct sim_office *o)
{
    sim_say(o->sim, "a copy is made of office-%u's files", o->number + 1);
    kt_memory_disk_free(o->saved);
    sim_must(kt_memory_disk_copy(o->disk, &o->saved) == KT_OK, "out of memory");
}

static int each_head(void *ctx, const struct kt_vector_entry *head) { return kt_vector_set(ctx, head); }

/* What a disk holds, read as a node would. */
static void read_vector(struct kt_memory_disk *disk, struct kt_vector *out)
{
    struct kt_memory_disk *look;
    struct kt_store *store;
    struct kt_txn *t;
    sim_must(kt_memory_disk_copy(disk, &look) == KT_OK && kt_memory_open(look, &store) == KT_OK, "a disk is lost");
    sim_must(store->ops->begin(store, KT_ENV_JOURNAL, false, &t) == KT_OK, "a journal does not open");
    kt_vector_free(out);
    sim_must(kt_journal_heads(store, t, each_head, out) == KT_OK, "a journal does not read");
    store->ops->abort(t);
    store->ops->close(store);
    kt_memory_disk_free(look);
}

void office_restore(struct sim_office *o, bool unnoticed)
{
    struct kt_vector older = {0};
    if (!o->saved) return;
    if (o->store) office_end(o, SIM_KILL, 100 + dice_below(&o->sim->dice, 3000));
    unnoticed = unnoticed && !network_on_its_way(o->sim, o->number);
    sim_say(o->sim, "office-%u is restored from the copy%s", o->number + 1, unnoticed ? ", and nobody tells it" : "");
    read_vector(o->saved, &older);
    judge_restored(o->sim, o, &older);
    o->restored_ms = o->sim->now_ms;
    o->forgot = true;
    kt_memory_disk_free(o->disk);
    sim_must(kt_memory_disk_copy(o->saved, &o->disk) == KT_OK, "out of memory");
    if (unnoticed) kt_memory_disk_unmoved(o->disk);
    o->quiet = unnoticed;
    o->rewind_at_ms = 0;
    sim_must(kt_vector_copy(&older, &o->vector) == KT_OK, "out of memory");
    o->full_until_ms = 0;
    for (unsigned env = 0; env < KT_ENV_COUNT; env++) kt_memory_limit(o->disk, env, 0);
    kt_vector_free(&older);
}

/* --------------------------------------------------------------------------------------------------------- founding */

void office_found(struct sim *s, unsigned number)
{
    struct sim_office *o = &s->offices[number];
    *o = (struct sim_office){.sim = s, .number = number};
    o->world = (struct sim_world){.world = {wall_ms, mono_ns, throw_bytes}, .sim = s, .mono_base_ms = 1000};
    o->world.dice.state = dice_throw(&s->dice);
    o->transport = (struct kt_transport){port_send, port_close};
    sim_must(office_of(&o->world.world) == o, "a world of no office");
    sim_must(kt_memory_disk_new(&o->disk) == KT_OK && kt_memory_open(o->disk, &o->store) == KT_OK, "no disk");
    organisation_admit(s, o->store, &o->world.world, number + 1, &o->keyring);
    kt_keyring_close(o->keyring);
    o->keyring = NULL;
    o->store->ops->close(o->store);
    o->store = NULL;
}

void office_free(struct sim_office *o)
{
    if (o->store) {
        close_all(o);
        o->store->ops->close(o->store);
    }
    kt_memory_disk_free(o->disk);
    kt_memory_disk_free(o->saved);
    kt_vector_free(&o->vector);
    kt_buf_free(&o->stolen);
}

/* ------------------------------------------------------------------------------------------------------------ steps */

void office_input(struct sim_office *o, const struct kt_input *in)
{
    struct kt_input *kept = malloc(sizeof *kept);
    sim_must(kept != NULL, "out of memory");
    *kept = *in;
    if (o->up && o->inbox_len < sizeof o->inbox / sizeof *o->inbox) {
        o->inbox[o->inbox_len++] = kept;
        return;
    }
    kt_intake_free(kept->intake);
    free(kept->request);
    free(kept);
}

/* A failure that was put there: the engine may give up and be started again, or go on. */
static void after_failure(struct sim_office *o, int e)
{
    sim_say(o->sim, "office-%u ends itself: %s", o->number + 1, kt_error_text(e));
    office_end(o, office_may_say(o, e) || dice_in(&o->sim->dice, 3) ? SIM_POWER : SIM_KILL,
               50 + dice_below(&o->sim->dice, 2000));
}

void office_step(struct sim_office *o)
{
    struct sim *s = o->sim;
    struct kt_input *taken[256];
    const uint32_t n = o->inbox_len;
    const bool faulty = o->fail_nth > 0 && o->requests_waiting <= 1; /* more, and nobody could tell whose a write was */
    const uint64_t calls = kt_memory_calls(o->disk);
    memcpy(taken, o->inbox, n * sizeof *taken);
    o->inbox_len = 0;
    o->stepped_ms = s->now_ms;
    if (faulty) kt_memory_fail(o->disk, o->fail_nth, o->fail_with);
    s->running = o;
    int e = kt_engine_step(o->engine, taken, n);
    s->running = NULL;
    kt_memory_fail(o->disk, 0, KT_OK);
    for (uint32_t i = 0; i < n; i++) free(taken[i]);
    const bool hit = faulty && kt_memory_calls(o->disk) - calls >= o->fail_nth;
    if (hit)
        sim_say(s, "office-%u meets %s at call %llu", o->number + 1, kt_error_text(o->fail_with),
                (unsigned long long)o->fail_nth);
    if (faulty) o->fail_nth = 0;
    if (e && !hit && !(e == KT_EFULL && o->full_until_ms) && !office_may_say(o, e))
        sim_fail(s, SIM_CRASH, "office-%u gives up: %s", o->number + 1, kt_error_text(e));
    if (e) {
        after_failure(o, e);
        return;
    }
    judge_steps(s, o, kt_ledger_vector(kt_engine_ledger(o->engine)));
    sim_must(kt_vector_copy(kt_ledger_vector(kt_engine_ledger(o->engine)), &o->vector) == KT_OK, "out of memory");
    workload_stepped(o);
}

bool office_status(struct sim_office *o, struct kt_arena *a, struct kt_engine_status *out)
{
    if (!o->up) return false;
    o->sim->running = o;
    const int e = kt_engine_status(o->engine, a, out);
    o->sim->running = NULL;
    sim_must(e == KT_OK, "no status");
    return true;
}

const struct kt_vector *office_vector(struct sim_office *o) { return &o->vector; }
