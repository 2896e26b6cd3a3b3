#include "crash/work.h"

#include "crash/notebook.h"
#include "crash/site.h"
#include "support/dice.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FAR_MEMBER     2u
#define FULL_MAP_BYTES (512u << 10)

struct worker {
    const struct work *w;
    struct site home, far;
    struct dice dice;
    int notebook;
    uint32_t next;      /* of the numbers that are written */
    char key[4096][24]; /* by number */
};

void work_put(struct site *s, const char *system, const char *id, uint32_t n)
{
    char line[512];
    snprintf(line, sizeof line,
             "{'entity':'customer','source_system':'%s','source_id':'%s','kind':'person','occupation':'w%" PRIu32
             "','identifier':[{'system':'tax','value':'T-%s'}]}",
             system, id, n, id);
    site_put(s, n, line);
}

static struct kt_head own_head(struct site *s)
{
    struct kt_ledger *l = kt_engine_ledger(s->engine);
    const struct kt_origin o = kt_ledger_origin(l);
    return (struct kt_head){o, kt_vector_get(kt_ledger_vector(l), o)};
}

static void home_replied(void *ctx, uint32_t n, int code, const struct kt_put_result *result)
{
    struct worker *k = ctx;
    (void)result;
    if (code) return; /* refused, or not known to have happened */
    const struct kt_head h = own_head(&k->home);
    book_note(k->notebook, "wrote %s %" PRIu32 " %" PRIu32 "/%" PRIu64 " %" PRIu64 "\n", k->key[n], n, h.origin.member,
              h.origin.incarnation, h.number);
}

static void far_replied(void *ctx, uint32_t n, int code, const struct kt_put_result *result)
{
    struct worker *k = ctx;
    (void)result;
    site_must(code == 0, "the other office refuses a write");
    const struct kt_head h = own_head(&k->far);
    book_note(k->notebook, "far %s %" PRIu32 " %" PRIu32 "/%" PRIu64 " %" PRIu64 "\n", k->key[n], n, h.origin.member,
              h.origin.incarnation, h.number);
}

static void note_heads(struct worker *k, const struct kt_head *heads, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        book_note(k->notebook, "holds %" PRIu32 "/%" PRIu64 " %" PRIu64 "\n", heads[i].origin.member,
                  heads[i].origin.incarnation, heads[i].number);
}

/* What home tells its peer: a pull acknowledges, a pulse of its own promises. */
static void home_sends(void *ctx, const struct kt_peer_message *m)
{
    struct worker *k = ctx;
    if (m->part == KT_PEER_PULL) note_heads(k, m->pull.heads, m->pull.heads_len);
    for (uint32_t i = 0; m->part == KT_PEER_PULSES && i < m->pulses.len; i++) {
        struct kt_arena a;
        struct kt_pulse p;
        kt_arena_init(&a, 1u << 20);
        site_must(kt_pulse_decode(m->pulses.items[i], &a, &p) == KT_OK, "a pulse does not decode");
        if (p.member == k->home.member) {
            note_heads(k, p.heads, p.heads_len);
            note_heads(k, p.vector, p.vector_len);
            book_note(k->notebook, "ticked %" PRIu64 "\n", p.hlc);
        }
        kt_arena_free(&a);
    }
}

static void put_somewhere(struct worker *k, bool at_home)
{
    char id[16];
    const uint32_t n = k->next++;
    site_must(n < sizeof k->key / sizeof k->key[0], "too many writes");
    snprintf(id, sizeof id, "%s-%" PRIu32, at_home ? "H" : "F", dice_below(&k->dice, WORK_KEYS));
    snprintf(k->key[n], sizeof k->key[n], "%s:%s", at_home ? "revenue" : "motor", id);
    if (at_home) book_note(k->notebook, "tried %s %" PRIu32 "\n", k->key[n], n);
    work_put(at_home ? &k->home : &k->far, at_home ? "revenue" : "motor", id, n);
}

static void step_or_end(struct site *s)
{
    if (site_step(s)) _exit(WORK_ENDED);
}

static bool start_home(struct worker *k)
{
    char base[PATH_MAX];
    snprintf(base, sizeof base, "%s", k->w->base);
    static const char *const names[KT_ENV_COUNT] = {"keys", "journal", "store"};
    for (unsigned i = 0; k->w->full && i < KT_ENV_COUNT; i++)
        k->home.map_bytes[i] = strcmp(k->w->full, names[i]) == 0 ? FULL_MAP_BYTES : 0;
    k->home.words = (struct site_words){.ctx = k, .replied = home_replied, .sends = home_sends};
    return site_open(&k->home, base, 1, dice_throw(&k->dice)) == KT_OK;
}

static bool restart_home(struct worker *k)
{
    site_close(&k->home);
    k->far.other = NULL;
    step_or_end(&k->far);
    return start_home(k);
}

static bool one_round(struct worker *k)
{
    const uint32_t what = dice_below(&k->dice, 12);
    for (uint32_t i = 1 + dice_below(&k->dice, 3); i > 0; i--) put_somewhere(k, dice_below(&k->dice, 3) > 0);
    if (what == 0 && k->home.store->ops->checkpoint(k->home.store) == KT_EBUG) return false;
    if (what == 1 && !restart_home(k)) return false;
    if (what == 2) site_part(&k->home, &k->far);
    if (what > 3) site_join(&k->home, &k->far);
    const uint32_t steps = 1 + dice_below(&k->dice, 3);
    for (uint32_t i = 0; i < steps; i++) {
        k->home.ms = k->far.ms += 1 + dice_below(&k->dice, what == 4 ? 6000 : 200);
        step_or_end(&k->home);
        step_or_end(&k->far);
    }
    return true;
}

enum work_exit work_run(const struct work *w)
{
    static struct worker k;
    char far_base[PATH_MAX], path[PATH_MAX];
    k = (struct worker){.w = w, .dice = {w->seed}, .next = 1};
    site_dice_seed(w->seed);
    site_found(w->base, 1);
    snprintf(far_base, sizeof far_base, "%s/far", w->base);
    site_found(far_base, FAR_MEMBER);
    snprintf(path, sizeof path, "%s/disk/notebook", w->base);
    k.notebook = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    site_must(k.notebook >= 0, path);
    k.far.words = (struct site_words){.ctx = &k, .replied = far_replied};
    site_must(site_open(&k.far, far_base, FAR_MEMBER, w->seed + 1) == KT_OK, "the other office does not start");
    if (!start_home(&k)) return WORK_NO_START;
    book_note(k.notebook, "serves\n");
    bool good = true;
    for (uint32_t i = 0; good && i < w->rounds; i++) good = one_round(&k);
    if (good) site_close(&k.home);
    site_close(&k.far);
    close(k.notebook);
    return good ? WORK_DONE : WORK_NO_START;
}
