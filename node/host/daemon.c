#include "host/daemon.h"

#include "engine/verify.h"
#include "host/node_files.h"
#include "host/pages.h"
#include "host/real_world.h"
#include "host/rescue.h"
#include "host/verify_report.h"
#include "net/link.h"
#include "store/lmdb.h"

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define HOUSEKEEPING_MS 1000u

/* All parts of a running node, in the order they are made; taken apart in reverse. */
struct daemon {
    const struct kt_config *config;
    struct kt_log *log;
    struct kt_world world;
    struct kt_store *store;
    struct kt_keyring *keyring;
    struct kt_board *board;
    struct kt_runner *runner;
    struct kt_engine *engine;
    struct kt_links *links;
    struct kt_desk *desk;
    struct kt_desk_grant *grants;
    kt_compartment *granted;
    struct kt_service *service;
    struct kt_health_config health;
    struct kt_pages *pages;
    struct kt_transport transport; /* the links', once they are open */
    volatile sig_atomic_t failed;
    atomic_bool condemned; /* the store */
    uint64_t checkpoint_mono_ms, checkpoint_journal_bytes;
};

/* ------------------------------------------------------------------------------------------- what the parts tell */

static void engine_note(void *ctx, const char *event, const char *sentence)
{
    struct daemon *d = ctx;
    kt_log(d->log, KT_LOG_WARN, event, kt_log_text("what", sentence));
}

static void engine_reply(void *ctx, const struct kt_asker *to, struct kt_bytes reply)
{
    struct daemon *d = ctx;
    kt_desk_reply(d->desk, to, reply);
}

static void engine_frame_done(void *ctx, uint64_t link)
{
    struct daemon *d = ctx;
    kt_runner_frame_done(d->runner, link);
}

static void runner_resume(void *ctx, uint64_t link)
{
    struct daemon *d = ctx;
    kt_links_resume(d->links, link);
}

static void store_damaged(void *ctx)
{
    struct daemon *d = ctx;
    if (!atomic_exchange(&d->condemned, true)) kt_rescue_condemn(d->store, d->log);
}

static void runner_failed(void *ctx, int code)
{
    struct daemon *d = ctx;
    if (code == KT_EDAMAGED) store_damaged(d); /* else the next life might die of the same row */
    kt_log(
        d->log, KT_LOG_ERROR, "engine-stopped", kt_log_error(code), kt_log_text("what", kt_error_text(code)),
        kt_log_text("do", "kontord ends and recovers when it is started again; if it ends again, run kontor verify"));
    d->failed = code;
    kill(getpid(), SIGTERM);
}

static void store_says(void *ctx, const char *sentence)
{
    struct daemon *d = ctx;
    kt_log(d->log, KT_LOG_WARN, "store", kt_log_text("what", sentence));
}

static void recovering(void *ctx, uint64_t position, uint64_t last)
{
    struct daemon *d = ctx;
    kt_log(d->log, KT_LOG_INFO, "recovering", kt_log_number("position", position), kt_log_number("of", last));
}

/* ------------------------------------------------------------------------------------------------------- links */

static int link_certificate(void *ctx, struct kt_buf *out)
{
    struct daemon *d = ctx;
    return kt_keyring_certificate(d->keyring, out);
}

/* Who is on the line: a certificate of our authority's, shown by the holder of its session key.  One admitted by a
 * roster we do not have yet may give us rosters, and nothing else. */
static int link_verify(void *ctx, struct kt_bytes certificate, const uint8_t key[KT_KEY_BYTES], kt_member *member,
                       bool *roster_only)
{
    struct daemon *d = ctx;
    const struct kt_roster *roster = kt_keyring_roster(d->keyring);
    struct kt_certificate c;
    int e = kt_certificate_decode(certificate, roster, d->world.now_ms(&d->world), &c);
    if (e) return e;
    if (sodium_memcmp(c.pub.session, key, KT_KEY_BYTES) != 0) return KT_ESIGNATURE;
    const struct kt_roster_member *m = kt_roster_member(roster, c.member);
    if (m && (m->revoked || sodium_memcmp(&m->pub, &c.pub, sizeof c.pub) != 0)) return KT_ENOTMEMBER;
    if (!m && c.roster_version <= roster->version) return KT_ENOTMEMBER;
    *member = c.member;
    *roster_only = !m;
    return KT_OK;
}

static void link_up(void *ctx, uint64_t link, kt_member member, bool roster_only, bool dialled, const char *url)
{
    struct daemon *d = ctx;
    kt_log(d->log, KT_LOG_INFO, "link-up", kt_log_number("member", member), kt_log_number("dialled", dialled),
           kt_log_text("url", url));
    kt_runner_link_up(d->runner, link, member, roster_only);
}

static bool link_frame(void *ctx, uint64_t link, struct kt_bytes frame)
{
    struct daemon *d = ctx;
    return kt_runner_frame(d->runner, link, frame);
}

static void link_down(void *ctx, uint64_t link, int code, const char *why)
{
    struct daemon *d = ctx;
    kt_log(d->log, KT_LOG_INFO, "link-down", kt_log_error(code), kt_log_text("why", why));
    kt_runner_link_down(d->runner, link);
}

static int open_links(struct daemon *d)
{
    char why[KT_WHY_CHARS_MAX] = "";
    struct kt_links_config c = {
        .listen = (const char *const *)d->config->listen.at,
        .listen_count = d->config->listen.count,
        .dial = (const char *const *)d->config->dial.at,
        .dial_count = d->config->dial.count,
        .cluster = *kt_keyring_cluster(d->keyring),
        .member = kt_keyring_self(d->keyring),
        .ctx = d,
        .certificate = link_certificate,
        .verify = link_verify,
        .inbox = {d, link_up, link_frame, link_down, NULL},
        .redial_ms_max = d->config->redial_ms_max
    };
    memcpy(c.session_secret, kt_keyring_identity(d->keyring)->session_secret, KT_KEY_BYTES);
    int e = kt_links_open(&c, &d->links, why);
    sodium_memzero(&c, sizeof c);
    if (e) kt_log(d->log, KT_LOG_ERROR, "links", kt_log_error(e), kt_log_text("what", why));
    return e;
}

/* The engine is opened before there are links; until then nothing is sent. */
static int send_frame(struct kt_transport *t, uint64_t link, struct kt_bytes frame)
{
    struct daemon *d = (struct daemon *)(void *)((char *)t - offsetof(struct daemon, transport));
    struct kt_transport *real = d->links ? kt_links_transport(d->links) : NULL;
    return real ? real->send(real, link, frame) : KT_EGONE;
}

static void close_link(struct kt_transport *t, uint64_t link, const char *why)
{
    struct daemon *d = (struct daemon *)(void *)((char *)t - offsetof(struct daemon, transport));
    struct kt_transport *real = d->links ? kt_links_transport(d->links) : NULL;
    if (real) real->close_link(real, link, why);
}

/* ------------------------------------------------------------------------------------------------------ clients */

static int admit_local(void *ctx, uid_t uid, gid_t gid, pid_t pid, struct kt_client_admission *who)
{
    struct daemon *d = ctx;
    (void)gid, (void)pid;
    *who = (struct kt_client_admission){.name = "local"};
    if (uid == 0 || uid == geteuid()) return KT_OK;
    for (size_t i = 0; i < d->config->service_users.count; i++) {
        struct passwd entry, *found = NULL;
        char buffer[4096];
        if (!getpwnam_r(d->config->service_users.at[i], &entry, buffer, sizeof buffer, &found) && found &&
            found->pw_uid == uid)
            return KT_OK;
    }
    kt_log(d->log, KT_LOG_WARN, "client-refused", kt_log_number("uid", uid),
           kt_log_text("do", "name the user in service_users to let it in"));
    return KT_ERIGHTS;
}

static int admit_key(void *ctx, const uint8_t key[KT_KEY_BYTES], struct kt_client_admission *who)
{
    struct daemon *d = ctx;
    for (size_t i = 0; i < d->config->clients_count; i++) {
        if (sodium_memcmp(d->config->clients[i].key, key, KT_KEY_BYTES) != 0) continue;
        *who = (struct kt_client_admission){.bits = i + 1};
        snprintf(who->name, sizeof who->name, "%s", d->config->clients[i].name);
        return KT_OK;
    }
    return KT_ENOTMEMBER;
}

static void client_request(void *ctx, struct kt_client_ref from, const struct kt_client_admission *who,
                           struct kt_bytes request)
{
    struct daemon *d = ctx;
    kt_desk_request(d->desk, from, who, request);
}

static void client_start(void *ctx, struct kt_service *s) { kt_desk_serve(((struct daemon *)ctx)->desk, s); }

static void client_wake(void *ctx) { kt_desk_check(((struct daemon *)ctx)->desk); }

static void client_tick(void *ctx, uint64_t now_ms)
{
    (void)now_ms;
    kt_desk_check(((struct daemon *)ctx)->desk);
}

/* Grant i + 1 is client i's; the compartments that the roster knows by these names. */
static int make_grants(struct daemon *d)
{
    const struct kt_roster *roster = kt_keyring_roster(d->keyring);
    size_t names = 0, at = 0;
    for (size_t i = 0; i < d->config->clients_count; i++) names += d->config->clients[i].compartments.count;
    d->grants = calloc(d->config->clients_count + 1, sizeof *d->grants);
    d->granted = calloc(names + 1, sizeof *d->granted);
    if (!d->grants || !d->granted) return KT_ENOMEM;
    for (size_t i = 0; i < d->config->clients_count; i++) {
        const struct kt_config_client *c = &d->config->clients[i];
        d->grants[i + 1].compartments = d->granted + at;
        for (size_t j = 0; j < c->compartments.count; j++) {
            const struct kt_roster_compartment *rc = kt_roster_compartment_named(roster, c->compartments.at[j]);
            if (rc)
                d->granted[at++] = rc->number, d->grants[i + 1].len++;
            else
                kt_log(d->log, KT_LOG_WARN, "client", kt_log_text("name", c->name),
                       kt_log_text("compartment", c->compartments.at[j]),
                       kt_log_text("what", "no such compartment in the roster: not granted"));
        }
    }
    return KT_OK;
}

static int desk_status(void *ctx, struct kt_engine *e, struct kt_buf *json)
{
    struct daemon *d = ctx;
    return kt_health_status(&d->health, e, json);
}

static int verify_json(struct daemon *d, struct kt_buf *json)
{
    struct kt_verify_report report = {0};
    const int code = kt_verify_run(d->store, d->keyring, &report);
    if (code && code != KT_EDAMAGED) return code;
    int e = kt_verify_report_json(&report, code, json);
    return e ? e : code;
}

static int desk_verify(void *ctx, struct kt_buf *json) { return verify_json(ctx, json); }

static int open_service(struct daemon *d)
{
    char why[KT_WHY_CHARS_MAX] = "";
    struct kt_service_config c = {.listen = (const char *const *)d->config->service.at,
                                  .listen_count = d->config->service.count,
                                  .cluster = *kt_keyring_cluster(d->keyring),
                                  .certificate = NULL,
                                  .ctx = d,
                                  .admit_local = admit_local,
                                  .admit_key = admit_key,
                                  .on_start = client_start,
                                  .on_request = client_request,
                                  .on_wake = client_wake,
                                  .on_tick = client_tick};
    memcpy(c.session_secret, kt_keyring_identity(d->keyring)->session_secret, KT_KEY_BYTES);
    int e = kt_service_open(&c, &d->service, why);
    sodium_memzero(&c, sizeof c);
    if (e) kt_log(d->log, KT_LOG_ERROR, "service", kt_log_error(e), kt_log_text("what", why));
    return e;
}

/* ------------------------------------------------------------------------------------------------- made and run */

static int open_store(struct daemon *d, bool look_only)
{
    const struct kt_lmdb_config c = {
        .dir = d->config->data_dir,
        .map_bytes = {[KT_ENV_KEYS] = d->config->keys_map_mib << 20,
                      [KT_ENV_JOURNAL] = d->config->journal_map_mib << 20,
                      [KT_ENV_STORE] = d->config->store_map_mib << 20},
        .look_only = look_only,
        .boot_id_path = getenv("KONTOR_BOOT_ID_FILE"), /* kontord.8: for tests of a machine's crash */
        .say = store_says,
        .context = d
    };
    int e = kt_lmdb_open(&c, &d->store);
    if (e)
        kt_log(d->log, KT_LOG_ERROR, "store", kt_log_error(e), kt_log_text("path", d->config->data_dir),
               kt_log_text("do", e == KT_EAGAIN ? "another kontord runs on this data_dir: stop it first"
                                                : kt_error_advice(e)));
    return e;
}

static int open_engine(struct daemon *d)
{
    const struct kt_engine_config c = {
        .ledger = {.store = d->store,
                   .keyring = d->keyring,
                   .world = &d->world,
                   .phone_country = kt_str(d->config->phone_country),
                   .threaded = true,
                   .progress = recovering,
                   .progress_ctx = d},
        .transport = &d->transport,
        .board = d->board,
        .ctx = d,
        .reply = engine_reply,
        .note = engine_note,
        .frame_done = engine_frame_done
    };
    int e = kt_engine_open(&c, &d->engine);
    if (e)
        kt_log(d->log, KT_LOG_ERROR, "recovery", kt_log_error(e), kt_log_text("what", kt_error_text(e)),
               kt_log_text("do", kt_error_advice(e)));
    return e;
}

static int open_desk(struct daemon *d)
{
    const struct kt_desk_config c = {
        .lookup = {.store = d->store,
                   .keyring = d->keyring,
                   .world = &d->world,
                   .phone_country = kt_str(d->config->phone_country),
                   .store_life = kt_ledger_store_life(kt_engine_ledger(d->engine))},
        .runner = d->runner,
        .board = d->board,
        .grants = d->grants,
        .grants_len = (uint32_t)d->config->clients_count + 1,
        .ctx = d,
        .status = desk_status,
        .verify = desk_verify,
        .damaged = store_damaged
    };
    return kt_desk_create(&c, &d->desk);
}

static int make(struct daemon *d)
{
    d->transport = (struct kt_transport){send_frame, close_link};
    int e = open_store(d, false);
    if (!e) e = kt_rescue_keyring(d->config, d->store, &d->world, d->log, &d->keyring);
    if (!e) e = kt_rescue_journal(d->store, d->keyring, d->log);
    if (!e) e = kt_board_create(&d->board);
    const struct kt_runner_config rc = {d->keyring, d, runner_resume, runner_failed};
    if (!e) e = kt_runner_create(&rc, &d->runner);
    if (!e) e = open_engine(d);
    if (!e) e = make_grants(d);
    if (!e) e = open_desk(d);
    if (!e) e = open_links(d);
    if (!e) e = open_service(d);
    d->health = (struct kt_health_config){d->keyring, d->store, d->links, d->service, d->desk, d->store};
    if (!e) e = kt_runner_start(d->runner, d->engine);
    if (!e) e = kt_pages_open(d->config->metrics_port, &d->health, d->runner, &d->pages);
    if (e == KT_EUNREACHABLE && !d->pages && d->service)
        kt_log(d->log, KT_LOG_ERROR, "pages", kt_log_error(e), kt_log_text("do", "give a metrics_port that is free"));
    return e;
}

/* Lines first, then what they brought is finished, then clients get their last replies. */
static void take_apart(struct daemon *d)
{
    kt_pages_close(d->pages);
    kt_runner_stop(d->runner);
    kt_links_close(d->links);
    d->links = NULL;
    kt_service_close(d->service);
    kt_desk_free(d->desk);
    kt_engine_close(d->engine);
    kt_runner_free(d->runner);
    kt_board_free(d->board);
    kt_keyring_close(d->keyring);
    if (d->store) d->store->ops->close(d->store);
    free(d->grants);
    free(d->granted);
}

/* Copies the store when it is due; beside the engine, which goes on. */
static void checkpoint_when_due(struct daemon *d, uint64_t now_ms)
{
    struct kt_env_info journal;
    static const uint64_t minute_ms = 60000;
    if (d->store->ops->info(d->store, KT_ENV_JOURNAL, &journal)) return;
    const bool grown =
        journal.used_bytes >= d->checkpoint_journal_bytes + ((uint64_t)d->config->checkpoint_journal_mib << 20);
    const bool old = now_ms - d->checkpoint_mono_ms >= d->config->checkpoint_minutes * minute_ms &&
                     journal.used_bytes > d->checkpoint_journal_bytes;
    if (!grown && !old) return;
    const int e = d->store->ops->checkpoint(d->store);
    kt_log(d->log, e ? KT_LOG_WARN : KT_LOG_INFO, "checkpoint", kt_log_error(e));
    d->checkpoint_mono_ms = now_ms;
    d->checkpoint_journal_bytes = journal.used_bytes;
}

static void housekeeping(struct daemon *d)
{
    const uint64_t now_ms = d->world.monotonic_ns(&d->world) / 1000000u;
    int cleared = 0;
    if (!kt_lmdb_check_readers(d->store, &cleared) && cleared)
        kt_log(d->log, KT_LOG_WARN, "readers", kt_log_number("cleared", (uint64_t)cleared));
    checkpoint_when_due(d, now_ms);
}

static void wait_for_end(struct daemon *d, const sigset_t *signals)
{
    const struct timespec pause = {HOUSEKEEPING_MS / 1000, 0};
    for (;;) {
        const int s = sigtimedwait(signals, NULL, &pause);
        if (s == SIGTERM || s == SIGINT) return;
        if (s == SIGHUP && kt_log_reopen(d->log))
            kt_log(d->log, KT_LOG_WARN, "log", kt_log_text("what", "could not be opened again"));
        if (s < 0) housekeeping(d);
    }
}

/* What opens and does not hold together is salvaged like what does not open; once, and not on top of many. */
static int make_again(struct daemon *d)
{
    int e = kt_rescue_incoherent(d->store, d->keyring, d->log);
    if (e) return KT_EDAMAGED;
    const struct daemon fresh = {.config = d->config, .log = d->log, .world = kt_real_world()};
    take_apart(d);
    *d = fresh;
    return make(d);
}

int kt_daemon_run(const struct kt_config *config, struct kt_log *log)
{
    struct daemon d = {.config = config, .log = log, .world = kt_real_world()};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0) return KT_EBUG;
    (void)prctl(PR_SET_DUMPABLE, 0); /* no core dump holds a key */
    int e = make(&d);
    if (e == KT_EDAMAGED && d.store) e = make_again(&d);
    if (!e) e = kt_pid_file_write(config->pid_file, log);
    if (!e) {
        d.checkpoint_mono_ms = d.world.monotonic_ns(&d.world) / 1000000u;
        kt_log(log, KT_LOG_INFO, "serving", kt_log_number("member", kt_keyring_self(d.keyring)));
        wait_for_end(&d, &signals);
        kt_log(log, KT_LOG_INFO, "stopping");
        e = d.failed;
        kt_pid_file_remove(config->pid_file);
    }
    take_apart(&d);
    return e;
}

int kt_daemon_verify(const struct kt_config *config, struct kt_log *log, struct kt_buf *json)
{
    struct daemon d = {.config = config, .log = log, .world = kt_real_world()};
    if (sodium_init() < 0) return KT_EBUG;
    (void)prctl(PR_SET_DUMPABLE, 0);
    int e = open_store(&d, true);
    if (!e) e = kt_node_files_keyring(config, d.store, &d.world, log, &d.keyring);
    if (!e) e = verify_json(&d, json);
    take_apart(&d);
    return e;
}
