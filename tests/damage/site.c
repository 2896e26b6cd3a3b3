/* An office: the production engine, stepped by hand; its lines deliver whole frames at once. */
#include "damage/damage.h"

#include "client/cli/json/json.h"
#include "host/rescue.h"
#include "support/bench_organisation.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EPOCH_MS    1772399400000ull
#define STEP_MS     20u
#define ROUNDS_MAX  3000u
#define QUIET       60u /* rounds without a frame that matter, before what was not sent yet is believed to be nothing */
#define ARENA_BYTES (64u << 20)

void must(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "kontor-flips: %s\n", what);
    abort();
}

/* ----------------------------------------------------------------------------------------------------------- dice */

static struct dice *throwing(void) /* libsodium asks without saying for whom */
{
    static struct dice d;
    return &d;
}

static void sodium_bytes(void *const out, const size_t len)
{
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)(dice_throw(throwing()) >> 56);
}
static uint32_t sodium_number(void) { return (uint32_t)(dice_throw(throwing()) >> 32); }
static const char *sodium_name(void) { return "dice"; }

void throw_from(uint64_t seed)
{
    static randombytes_implementation seeded = {
        .implementation_name = sodium_name, .random = sodium_number, .buf = sodium_bytes};
    must(randombytes_set_implementation(&seeded) == 0 && sodium_init() >= 0, "libsodium does not start");
    throwing()->state = seed; /* after the start, which throws too */
}

/* ---------------------------------------------------------------------------------------------------------- world */

static uint64_t now_ms(struct kt_world *w) { return EPOCH_MS + ((struct site *)w)->ms; }
static uint64_t monotonic_ns(struct kt_world *w) { return (1000 + ((struct site *)w)->ms) * 1000000u; }

static void random_bytes(struct kt_world *w, void *out, size_t len)
{
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)(dice_throw(&((struct site *)w)->dice) >> 56);
}

static void push(struct site *o, struct kt_input in)
{
    must(o->inbox_len < INBOX_MAX, "an inbox is full");
    o->inbox[o->inbox_len++] = in;
}

static void push_frame(struct site *to, uint64_t link, struct kt_bytes frame)
{
    struct kt_intake *i = kt_intake_frame(to->keyring, NULL, link, frame);
    must(i != NULL, "out of memory");
    push(to, (struct kt_input){.kind = KT_IN_FRAME, .link = link, .intake = i});
}

/* The frame as one sends it who keeps data keys to himself; empty: not at all. */
static void without_keys(struct kt_bytes frame, struct kt_buf *out)
{
    struct kt_arena a;
    struct kt_peer_message m;
    kt_arena_init(&a, ARENA_BYTES);
    must(kt_peer_decode(frame, &a, &m) == KT_OK, "an office sends what nobody reads");
    for (uint32_t i = 0; m.part == KT_PEER_ANSWER && i < m.answer.batches_len; i++) m.answer.batches[i].wraps_len = 0;
    if (m.part != KT_PEER_WRAPS) must(kt_peer_encode(&m, out) == KT_OK, "a message cannot be encoded");
    kt_arena_free(&a);
}

static struct site *site_of(struct kt_transport *t)
{
    return (struct site *)(void *)((char *)t - offsetof(struct site, transport));
}

static int deliver(struct kt_transport *t, uint64_t link, struct kt_bytes frame)
{
    struct site *o = site_of(t), *to = link < LINKS_MAX ? o->across[link] : NULL;
    struct kt_buf b;
    if (!to) return KT_EGONE;
    if (to->inbox_len > INBOX_MAX / 2) return KT_EAGAIN;
    if (!o->keeps_keys) {
        push_frame(to, link, frame);
        return KT_OK;
    }
    kt_buf_init(&b, KT_FRAME_BYTES_MAX);
    without_keys(frame, &b);
    if (b.len) push_frame(to, link, kt_buf_bytes(&b));
    kt_buf_free(&b);
    return KT_OK;
}

static void hang_up(struct kt_transport *t, uint64_t link, const char *why)
{
    (void)why;
    struct site *o = site_of(t);
    if (link < LINKS_MAX && o->across[link]) sites_part(o, o->across[link], link);
}

static void replied(void *ctx, const struct kt_asker *to, struct kt_bytes bytes)
{
    struct site *o = ctx;
    struct kt_arena arena;
    struct kt_reply r;
    (void)to;
    kt_arena_init(&arena, ARENA_BYTES);
    must(kt_reply_decode(bytes, &arena, &r) == KT_OK, "a reply does not decode");
    o->refused += r.code != 0;
    for (uint32_t i = 0; i < r.put.results_len; i++) {
        o->refused += r.put.results[i].code != 0;
        if (r.put.results[i].code)
            fprintf(stderr, "refused: %.*s\n", (int)r.put.results[i].reason.len,
                    (const char *)r.put.results[i].reason.data);
    }
    kt_arena_free(&arena);
}

static void noted(void *ctx, const char *event, const char *sentence)
{
    const struct site *o = ctx;
    if (getenv("KT_FLIPS_LOUD")) fprintf(stderr, "office-%u: %s: %s\n", o->member, event, sentence);
}

/* ----------------------------------------------------------------------------------------------------------- lives */

void site_init(struct site *o, kt_member member)
{
    *o = (struct site){.world = {now_ms, monotonic_ns, random_bytes},
                       .transport = {deliver, hang_up},
                       .dice = {member},
                       .member = member};
}

void site_found(struct site *o)
{
    throw_from(1); /* the authority's bundles: the same for each */
    bench_admit(o->store, &o->world, o->member, &o->keyring);
    kt_keyring_close(o->keyring);
    o->keyring = NULL;
}

/* The second roster begins a new epoch of every compartment's keys. */
static void take_roster(struct kt_keyring *k)
{
    struct kt_roster next = *kt_keyring_roster(k);
    struct kt_roster_compartment compartments[KT_COMPARTMENTS_MAX];
    struct kt_roster_bundle named[KT_COMPARTMENTS_MAX];
    struct kt_buf bundles[KT_COMPARTMENTS_MAX], roster;
    struct kt_bytes bundle_bytes[KT_COMPARTMENTS_MAX];
    bool newer = false;
    must(next.compartments_len <= KT_COMPARTMENTS_MAX && next.bundles_len <= KT_COMPARTMENTS_MAX, "a large roster");
    for (uint32_t i = 0; i < next.compartments_len; i++) {
        compartments[i] = next.compartments[i];
        compartments[i].epoch = 2;
    }
    for (uint32_t i = 0; i < next.bundles_len; i++) {
        named[i] = next.bundles[i];
        bench_bundle(named[i].compartment, named[i].member, 2, &bundles[i]);
        bundle_bytes[i] = kt_buf_bytes(&bundles[i]);
        named[i].hash = kt_bundle_hash(bundle_bytes[i]);
    }
    next.previous = next.hash;
    next.version = 2;
    next.compartments = compartments;
    next.bundles = named;
    bench_sign_roster(&next, &roster);
    const struct kt_bytes roster_bytes = kt_buf_bytes(&roster);
    must(kt_keyring_take_rosters(k, &roster_bytes, 1, bundle_bytes, next.bundles_len, &newer) == KT_OK && newer,
         "a roster is refused");
    for (uint32_t i = 0; i < next.bundles_len; i++) kt_buf_free(&bundles[i]);
    kt_buf_free(&roster);
}

void site_renew(struct site *o)
{
    site_close(o);
    bench_keyring_open(o->store, &o->world, o->member, &o->keyring);
    throw_from(1);
    take_roster(o->keyring);
    kt_keyring_close(o->keyring);
    throw_from(2000 + o->member);
    must(site_open(o) == KT_OK, "an office does not open");
}

static void write_file(const char *dir, const char *name, struct kt_bytes bytes)
{
    char path[PATH_MAX];
    must(snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path, "a path is too long");
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len, "a file cannot be written");
    close(fd);
}

void site_files(const char *dir)
{
    struct kt_bench_files f;
    throw_from(1);
    bench_files(1, &f);
    write_file(dir, "root.key", KT_BYTES_OF(f.root_key));
    write_file(dir, "identity", kt_buf_bytes(&f.identity));
    write_file(dir, "admission", kt_buf_bytes(&f.admission));
    bench_files_free(&f);
}

static int open_salvaged(struct site *o)
{
    const struct kt_config config = {.data_dir = (char *)(uintptr_t)o->files};
    struct kt_log *log;
    int e = kt_log_open(getenv("KT_FLIPS_LOUD") ? NULL : "/dev/null", KT_LOG_INFO, &log);
    if (e) return e;
    e = kt_rescue_keyring(&config, o->store, &o->world, log, &o->keyring);
    if (!e) e = kt_rescue_journal(o->store, o->keyring, log);
    kt_log_close(log);
    return e;
}

static void root_key_of(const struct site *o, uint8_t out[KT_KEY_BYTES]) /* as the bench has it */
{
    for (size_t i = 0; i < KT_KEY_BYTES; i++) out[i] = (uint8_t)(o->member * 7 + i);
}

int site_open(struct site *o)
{
    uint8_t root_key[KT_KEY_BYTES];
    const struct kt_engine_config c = {
        .ledger = {.world = &o->world, .store = o->store, .phone_country = kt_str("49"), .threaded = false},
        .transport = &o->transport,
        .ctx = o,
        .reply = replied,
        .note = noted};
    struct kt_engine_config config = c;
    root_key_of(o, root_key);
    int e = o->files ? open_salvaged(o) : kt_keyring_open(o->store, &o->world, root_key, &o->keyring);
    if (!e) e = kt_board_create(&o->board);
    config.ledger.keyring = o->keyring;
    config.board = o->board;
    if (!e) e = kt_engine_open(&config, &o->engine);
    if (e) return e;
    const struct kt_lookup_config lookup = {.store = o->store,
                                            .keyring = o->keyring,
                                            .world = &o->world,
                                            .phone_country = kt_str("49"),
                                            .store_life = kt_ledger_store_life(kt_engine_ledger(o->engine))};
    return kt_lookup_create(&lookup, &o->lookup);
}

void site_close(struct site *o)
{
    for (uint32_t i = 0; i < o->inbox_len; i++) {
        kt_intake_free(o->inbox[i].intake);
        free(o->inbox[i].request);
    }
    o->inbox_len = 0;
    kt_lookup_free(o->lookup);
    kt_engine_close(o->engine);
    kt_board_free(o->board);
    kt_keyring_close(o->keyring);
    o->lookup = NULL;
    o->engine = NULL;
    o->board = NULL;
    o->keyring = NULL;
}

int site_step(struct site *o)
{
    static struct kt_input taken[INBOX_MAX];
    struct kt_input *inputs[INBOX_MAX];
    const uint32_t n = o->inbox_len;
    memcpy(taken, o->inbox, n * sizeof *taken);
    o->inbox_len = 0;
    for (uint32_t i = 0; i < n; i++) inputs[i] = &taken[i];
    o->ms += STEP_MS;
    return kt_engine_step(o->engine, inputs, n);
}

void site_put(struct site *o, const char *line)
{
    struct kt_arena arena;
    struct kt_record record;
    struct kt_json_fault fault = {0};
    struct kt_buf b;
    kt_arena_init(&arena, 1u << 20);
    kt_buf_init(&b, KT_REQUEST_BYTES_MAX);
    char *text = kt_arena_str(&arena, kt_str(line));
    must(text != NULL, "out of memory");
    for (char *p = text; *p; p++)
        if (*p == '\'') *p = '"';
    if (kt_json_record(kt_str(text), 1, &arena, &record, &fault)) must(false, line);
    struct kt_request r = {.kind = KT_ASK_PUT, .actor = kt_str("clerk"), .purpose = kt_str("test")};
    r.put.records = &record;
    r.put.records_len = 1;
    must(kt_request_encode(&r, &b) == KT_OK, "a request cannot be encoded");
    uint8_t *bytes = malloc(b.len);
    must(bytes != NULL, "out of memory");
    memcpy(bytes, b.data, b.len);
    push(o, (struct kt_input){.kind = KT_IN_REQUEST, .request = bytes, .request_len = b.len});
    kt_buf_free(&b);
    kt_arena_free(&arena);
}

/* ----------------------------------------------------------------------------------------------------------- lines */

void sites_join(struct site *a, struct site *b, uint64_t link)
{
    must(link < LINKS_MAX && !a->across[link] && !b->across[link], "a link has another's name");
    a->across[link] = b;
    b->across[link] = a;
    push(a, (struct kt_input){.kind = KT_IN_LINK_UP, .link = link, .member = b->member});
    push(b, (struct kt_input){.kind = KT_IN_LINK_UP, .link = link, .member = a->member});
}

void sites_part(struct site *a, struct site *b, uint64_t link)
{
    a->across[link] = b->across[link] = NULL;
    push(a, (struct kt_input){.kind = KT_IN_LINK_DOWN, .link = link});
    push(b, (struct kt_input){.kind = KT_IN_LINK_DOWN, .link = link});
}

static bool same_vectors(struct site *const *o, uint32_t n)
{
    const struct kt_vector *first = kt_ledger_vector(kt_engine_ledger(o[0]->engine));
    for (uint32_t i = 1; i < n; i++) {
        const struct kt_vector *v = kt_ledger_vector(kt_engine_ledger(o[i]->engine));
        if (v->len != first->len) return false;
        for (size_t k = 0; k < v->len; k++)
            if (kt_vector_get(first, v->entries[k].origin) != v->entries[k].number) return false;
    }
    return true;
}

int sites_settle(struct site *const *o, uint32_t n)
{
    uint32_t quiet = 0;
    for (uint32_t round = 0; round < ROUNDS_MAX && quiet < QUIET; round++) {
        bool moved = false;
        for (uint32_t i = 0; i < n; i++) {
            moved = moved || o[i]->inbox_len;
            int e = site_step(o[i]);
            if (e) return e;
        }
        quiet = same_vectors(o, n) && (!moved || quiet) ? quiet + 1 : 0;
    }
    return quiet < QUIET ? KT_EDEADLINE : KT_OK;
}
