#include "crash/site.h"

#include "client/cli/json/json.h"
#include "engine/verify.h"
#include "host/node_files.h"
#include "proto/schema/fields.h"
#include "store/lmdb.h"
#include "support/bench_organisation.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINK       1u
#define STEP_MAX   1024u
#define START_MS   1772399400000u
#define MAP_BYTES  (64u << 20)
#define READERS    16u
#define PATH_ROOM  64u
#define ARENA_MAX  (64u << 20)
#define FRAMES_MAX (8u << 20)

void site_must(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "crash: %s\n", what);
    _exit(70);
}

/* ---------------------------------------------------------------------------------------------------------- world */

static uint64_t thrower; /* libsodium's dice are the process's own */

static const char *dice_name(void) { return "seeded"; }
static uint32_t dice_number(void)
{
    thrower = thrower * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(thrower >> 32);
}
static void dice_bytes(void *const out, const size_t len)
{
    for (size_t i = 0; i < len; i++) ((uint8_t *)out)[i] = (uint8_t)dice_number();
}

void site_dice_seed(uint64_t seed)
{
    static randombytes_implementation seeded = {
        .implementation_name = dice_name, .random = dice_number, .buf = dice_bytes};
    thrower = seed;
    site_must(randombytes_set_implementation(&seeded) == 0 && sodium_init() >= 0, "libsodium does not start");
}

static uint64_t now_ms(struct kt_world *w) { return START_MS + ((struct site *)w)->ms; }
static uint64_t monotonic_ns(struct kt_world *w) { return (1000 + ((struct site *)w)->ms) * 1000000u; }
static void random_bytes(struct kt_world *w, void *out, size_t len)
{
    struct site *s = (struct site *)w;
    for (size_t i = 0; i < len; i++) {
        s->dice = s->dice * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)out)[i] = (uint8_t)(s->dice >> 56);
    }
}

static struct site *site_of(struct kt_transport *t)
{
    return (struct site *)((char *)t - offsetof(struct site, transport));
}

static void aside(struct site *s, bool on)
{
    if (s->words.aside) s->words.aside(s->words.ctx, on);
}

static void push(struct site *s, struct kt_input in)
{
    struct kt_input *copy = malloc(sizeof *copy);
    site_must(copy != NULL, "out of memory");
    *copy = in;
    copy->next = NULL;
    *s->end = copy;
    s->end = &copy->next;
}

static void listen_to(struct site *s, struct kt_bytes frame)
{
    struct kt_arena a;
    struct kt_peer_message m;
    if (!s->words.sends) return;
    kt_arena_init(&a, FRAMES_MAX);
    site_must(kt_peer_decode(frame, &a, &m) == KT_OK, "a frame does not decode");
    s->words.sends(s->words.ctx, &m);
    kt_arena_free(&a);
}

static int deliver(struct kt_transport *t, uint64_t link, struct kt_bytes frame)
{
    struct site *s = site_of(t);
    if (!s->linked || !s->other) return KT_OK;
    aside(s, true);
    listen_to(s, frame);
    uint8_t *copy = malloc(frame.len);
    site_must(copy != NULL, "out of memory");
    memcpy(copy, frame.data, frame.len);
    push(s->other, (struct kt_input){.kind = KT_IN_FRAME, .link = link, .request = copy, .request_len = frame.len});
    aside(s, false);
    return KT_OK;
}

static void hang_up(struct kt_transport *t, uint64_t link, const char *why)
{
    struct site *s = site_of(t);
    (void)link, (void)why;
    aside(s, true);
    if (s->linked && s->other) site_part(s, s->other);
    aside(s, false);
}

static void replied(void *ctx, const struct kt_asker *to, struct kt_bytes bytes)
{
    struct site *s = ctx;
    struct kt_arena arena;
    struct kt_reply r;
    aside(s, true);
    kt_arena_init(&arena, FRAMES_MAX);
    /* an empty one: there was no memory to tell; its asker does not know */
    if (bytes.len == 0) r = (struct kt_reply){.code = KT_ENOMEM};
    site_must(bytes.len == 0 || kt_reply_decode(bytes, &arena, &r) == KT_OK, "a reply does not decode");
    const struct kt_put_result *result = r.code == 0 && r.put.results_len == 1 ? &r.put.results[0] : NULL;
    const int code = r.code ? r.code : result ? result->code : KT_EBUG;
    if (s->words.replied) s->words.replied(s->words.ctx, (uint32_t)to->client, code, result);
    kt_arena_free(&arena);
    aside(s, false);
}

static void noted(void *ctx, const char *event, const char *sentence)
{
    struct site *s = ctx;
    (void)event;
    if (s->words.says) s->words.says(s->words.ctx, sentence);
}

static void store_says(void *ctx, const char *sentence) { noted(ctx, "store", sentence); }

/* -------------------------------------------------------------------------------------------------- open and close */

static void write_file(const char *dir, const char *name, struct kt_bytes bytes)
{
    char path[PATH_MAX];
    site_must(snprintf(path, sizeof path, "%s/%s", dir, name) < PATH_MAX, "a path is too long");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    site_must(fd >= 0 && write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len && close(fd) == 0, path);
}

static void make_dir(const char *base, const char *name, char out[PATH_MAX])
{
    site_must(snprintf(out, PATH_MAX, "%s%s%s", base, *name ? "/" : "", name) < PATH_MAX, "a path is too long");
    site_must(mkdir(out, 0700) == 0 || access(out, W_OK) == 0, out);
}

void site_boot(const char *base, uint64_t boot)
{
    char text[32];
    const int n = snprintf(text, sizeof text, "%08llx-b007\n", (unsigned long long)boot);
    write_file(base, "boot", kt_bytes(text, (size_t)n));
}

void site_found(const char *base, kt_member member)
{
    char dir[PATH_MAX];
    struct kt_bench_files f;
    const uint64_t dice = thrower;
    make_dir(base, "", dir);
    make_dir(base, "disk", dir);
    make_dir(base, "place", dir);
    site_dice_seed(1); /* the same organisation for all */
    bench_files(member, &f);
    site_dice_seed(dice);
    write_file(dir, "root.key", KT_BYTES_OF(f.root_key));
    write_file(dir, "identity", kt_buf_bytes(&f.identity));
    write_file(dir, "admission", kt_buf_bytes(&f.admission));
    bench_files_free(&f);
    site_boot(base, 0);
}

static int open_store(struct site *s)
{
    char dir[PATH_MAX], boot[PATH_MAX];
    snprintf(dir, sizeof dir, "%s/disk/home", s->base);
    snprintf(boot, sizeof boot, "%s/boot", s->base);
    struct kt_lmdb_config c = {
        .dir = dir,
        .ahead_bytes = SITE_AHEAD_BYTES,
        .readers_max = READERS,
        .boot_id_path = boot,
        .say = store_says,
        .context = s,
    };
    for (unsigned i = 0; i < KT_ENV_COUNT; i++) c.map_bytes[i] = s->map_bytes[i] ? s->map_bytes[i] : MAP_BYTES;
    return kt_lmdb_open(&c, &s->store);
}

static int open_engine(struct site *s)
{
    const struct kt_engine_config c = {.ledger = {.store = s->store,
                                                  .keyring = s->keyring,
                                                  .world = &s->world,
                                                  .phone_country = kt_str("49"),
                                                  .threaded = false},
                                       .transport = &s->transport,
                                       .board = s->board,
                                       .ctx = s,
                                       .reply = replied,
                                       .note = noted};
    int e = kt_engine_open(&c, &s->engine);
    if (e) return e;
    const struct kt_lookup_config l = {.store = s->store,
                                       .keyring = s->keyring,
                                       .world = &s->world,
                                       .phone_country = kt_str("49"),
                                       .store_life = kt_ledger_store_life(kt_engine_ledger(s->engine))};
    return kt_lookup_create(&l, &s->lookup);
}

static void take_apart(struct site *s)
{
    for (struct kt_input *in = s->inbox, *next; in; in = next) {
        next = in->next;
        free(in->request);
        free(in);
    }
    s->inbox = NULL;
    s->end = &s->inbox;
    kt_lookup_free(s->lookup);
    kt_engine_close(s->engine);
    kt_board_free(s->board);
    kt_keyring_close(s->keyring);
    s->lookup = NULL;
    s->engine = NULL;
    s->board = NULL;
    s->keyring = NULL;
}

void site_close(struct site *s)
{
    if (s->other) site_part(s, s->other);
    take_apart(s);
    if (s->store) s->store->ops->close(s->store);
    s->store = NULL;
}

int site_open(struct site *s, const char *base, kt_member member, uint64_t dice)
{
    char place[PATH_MAX];
    const struct site kept = *s;
    *s = (struct site){
        .world = {now_ms, monotonic_ns, random_bytes},
        .transport = {deliver, hang_up},
        .ms = kept.ms,
        .dice = dice,
        .member = member,
        .words = kept.words,
    };
    memcpy(s->map_bytes, kept.map_bytes, sizeof s->map_bytes);
    snprintf(s->base, sizeof s->base, "%s", base);
    s->end = &s->inbox;
    snprintf(place, sizeof place, "%s/place", base);
    const struct kt_config files = {.data_dir = place};
    int e = open_store(s);
    if (!e) e = kt_node_files_keyring(&files, s->store, &s->world, s->log, &s->keyring);
    if (!e) e = kt_board_create(&s->board);
    if (!e) e = open_engine(s);
    if (e) site_close(s);
    return e;
}

/* ---------------------------------------------------------------------------------------------------------- steps */

void site_join(struct site *a, struct site *b)
{
    if (a->linked) return;
    a->other = b;
    b->other = a;
    a->linked = b->linked = true;
    push(a, (struct kt_input){.kind = KT_IN_LINK_UP, .link = LINK, .member = b->member});
    push(b, (struct kt_input){.kind = KT_IN_LINK_UP, .link = LINK, .member = a->member});
}

void site_part(struct site *a, struct site *b)
{
    if (!a->linked) return;
    a->linked = b->linked = false;
    push(a, (struct kt_input){.kind = KT_IN_LINK_DOWN, .link = LINK});
    push(b, (struct kt_input){.kind = KT_IN_LINK_DOWN, .link = LINK});
}

/* Frames become intakes, as the runner makes them. */
static uint32_t take_inbox(struct site *s, struct kt_input *inputs[STEP_MAX])
{
    uint32_t n = 0;
    struct kt_input *in = s->inbox;
    s->inbox = NULL;
    s->end = &s->inbox;
    for (struct kt_input *next; in; in = next) {
        next = in->next;
        site_must(n < STEP_MAX, "too much at once");
        inputs[n++] = in;
        if (in->kind != KT_IN_FRAME) continue;
        in->intake = kt_intake_frame(s->keyring, NULL, in->link, kt_bytes(in->request, in->request_len));
        free(in->request);
        in->request = NULL;
    }
    return n;
}

int site_step(struct site *s)
{
    struct kt_input *inputs[STEP_MAX] = {NULL};
    const uint32_t n = take_inbox(s, inputs);
    const int e = kt_engine_step(s->engine, inputs, n);
    for (uint32_t i = 0; i < n; i++) free(inputs[i]);
    return e;
}

void site_put(struct site *s, uint32_t request, const char *line)
{
    struct kt_arena arena;
    struct kt_record record;
    struct kt_json_fault fault;
    struct kt_buf b;
    char text[1024];
    snprintf(text, sizeof text, "%s", line);
    for (char *p = text; *p; p++)
        if (*p == '\'') *p = '"';
    kt_arena_init(&arena, ARENA_MAX);
    kt_buf_init(&b, KT_REQUEST_BYTES_MAX);
    site_must(kt_json_record(kt_str(text), 1, &arena, &record, &fault) == KT_OK, line);
    struct kt_request r = {.kind = KT_ASK_PUT, .actor = kt_str("a"), .purpose = kt_str("p")};
    r.put.records = &record;
    r.put.records_len = 1;
    site_must(kt_request_encode(&r, &b) == KT_OK, line);
    uint8_t *bytes = malloc(b.len);
    site_must(bytes != NULL, "out of memory");
    memcpy(bytes, b.data, b.len);
    push(s, (struct kt_input){
                .kind = KT_IN_REQUEST, .request = bytes, .request_len = b.len, .asker = {.client = request}});
    kt_buf_free(&b);
    kt_arena_free(&arena);
}

/* ---------------------------------------------------------------------------------------------------------- reading */

static int occupation_of(struct kt_reply *reply, struct kt_arena *a, char out[64])
{
    struct kt_section_in in[16];
    struct kt_view view;
    uint32_t n = 0;
    for (; n < reply->lookup.sections_len && n < 16; n++)
        in[n] = (struct kt_section_in){reply->lookup.sections[n].compartment, reply->lookup.sections[n].bytes};
    const int e = kt_view_compose(in, n, &reply->lookup.display_id, a, &view);
    if (e) return e;
    for (uint32_t i = 0; view.has_customer && i < view.customer.shown_len; i++) {
        const struct kt_shown *v = &view.customer.shown[i];
        if (v->field->number != KT_F_CUSTOMER_OCCUPATION) continue;
        snprintf(out, 64, "%.*s", (int)v->value.len, (const char *)v->value.data);
        return KT_OK;
    }
    return KT_ENOTFOUND;
}

int site_look(struct site *s, enum kt_lookup_by by, const char *system, const char *value, char out[64])
{
    struct kt_arena a;
    struct kt_reply reply = {.kind = KT_ASK_LOOKUP};
    const struct kt_request r = {.kind = KT_ASK_LOOKUP,
                                 .lookup = {.by = by, .system = kt_str(system), .value = kt_str(value)}};
    kt_arena_init(&a, ARENA_MAX);
    int e = kt_lookup_run(s->lookup, &r, NULL, &a, &reply);
    if (!e) e = occupation_of(&reply, &a, out);
    kt_arena_free(&a);
    return e;
}

int site_verify(struct site *s, char why[256])
{
    struct kt_verify_report report = {0};
    snprintf(why, 256, "a data file");
    for (unsigned i = 0; i < KT_ENV_COUNT; i++) {
        const int e = kt_lmdb_verify(s->store, i);
        if (e) return e;
    }
    const int e = kt_verify_run(s->store, s->keyring, &report);
    snprintf(why, 256, "%s", report.findings_len ? report.findings[0] : kt_error_text(e));
    return e;
}
