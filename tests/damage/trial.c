/* One flip: the node is opened as a machine opens it, asked all there is to ask, verified, and brought together with
 * healthy peers. */
#include "damage/damage.h"

#include "engine/verify.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

struct run {
    const struct trial *trial;
    const struct flip *flip;
    struct outcome *out;
    struct site office;
    struct answers now;
};

static void say(void *ctx, const char *sentence)
{
    struct run *r = ctx;
    if (!strstr(sentence, "damaged")) return;
    if (!r->out->words[0]) snprintf(r->out->words, sizeof r->out->words, "%s", sentence);
    r->out->named_at_open = true;
}

static bool same_answer(const struct answer *a, const struct answer *b)
{
    return a->code == b->code && (a->code || a->hash == b->hash);
}

/* Keeps what the answers are worth against those given before. */
static void hold_against(struct run *r, struct answers *before)
{
    struct outcome *out = r->out;
    if (!r->flip) *before = r->now; /* nothing is wrong yet: this is what is right */
    const uint32_t n = r->trial->questions->len;
    for (uint32_t i = 0; i <= n; i++) {
        const struct answer *was = i < n ? &before->at[i] : &before->conflicts;
        const struct answer *is = i < n ? &r->now.at[i] : &r->now.conflicts;
        if (same_answer(is, was)) continue;
        /* the process that ended may have met its peers already */
        if (r->flip && r->flip->again && i < n && same_answer(is, &r->trial->healed->at[i])) continue;
        if (!out->wrong && !out->missing) out->first_wrong = i;
        if (is->code == KT_ENOTFOUND)
            out->missing++;
        else if (is->code)
            out->errors++;
        else
            out->wrong++;
    }
}

static bool verify(struct run *r)
{
    static struct kt_verify_report report;
    const bool sound = kt_verify_run(r->office.store, r->office.keyring, &report) == KT_OK;
    if (report.findings_len && !r->out->words[0])
        snprintf(r->out->words, sizeof r->out->words, "%s", report.findings[0]);
    return sound;
}

static void repair(struct run *r)
{
    struct site *all[OFFICES] = {&r->office, &r->trial->peers[1], &r->trial->peers[2]};
    r->out->step = "repair";
    r->out->repair = -1;
    sites_join(all[0], all[1], 11);
    sites_join(all[0], all[2], 12);
    const int e = sites_settle(all, OFFICES);
    if (e) {
        snprintf(r->out->words, sizeof r->out->words, "meeting its peers: %s", kt_error_text(e));
        return;
    }
    site_answers(&r->office, r->trial->questions, &r->now);
    r->out->repair = -2;
    const struct outcome before = *r->out;
    r->out->wrong = r->out->missing = r->out->errors = 0;
    hold_against(r, r->trial->healed);
    const bool same = !r->out->wrong && !r->out->missing && !r->out->errors;
    r->out->wrong = before.wrong, r->out->missing = before.missing, r->out->errors = before.errors;
    r->out->first_wrong = same ? before.first_wrong : r->out->first_wrong;
    if (!same || r->now.digests != r->trial->healed->digests) return;
    r->out->repair = verify(r) ? 1 : -3;
}

static void ask_and_verify(struct run *r)
{
    r->out->step = "asking";
    site_answers(&r->office, r->trial->questions, &r->now);
    hold_against(r, r->trial->before);
    if (r->out->salvaged) { /* status says so, and peers are asked: not yet a fault */
        r->out->lacking = r->out->wrong + r->out->missing + r->out->errors;
        r->out->wrong = r->out->missing = r->out->errors = 0;
    }
    r->out->step = "verify";
    r->out->named_by_verify = !verify(r);
    r->out->verified = true;
}

void trial_run(const struct trial *t, const struct flip *f, struct outcome *out)
{
    struct run r = {.trial = t, .flip = f, .out = out};
    struct kt_lmdb_config config = images_config(t->dir);
    config.say = say;
    config.context = &r;
    out->step = "opening the store";
    site_init(&r.office, 1);
    r.office.dice.state = 77; /* another life than the one before */
    r.office.ms = t->peers[1].ms + 60000;
    t->peers[1].ms = t->peers[2].ms = r.office.ms;
    out->refused = kt_lmdb_open(&config, &r.office.store);
    r.office.files = t->dir;
    if (!out->refused) {
        out->remade = !r.office.store->store_survived;
        out->salvaged =
            kt_lmdb_salvage_due(r.office.store, KT_ENV_KEYS) || kt_lmdb_salvage_due(r.office.store, KT_ENV_JOURNAL);
        out->step = "opening the engine";
        out->refused = site_open(&r.office);
    }
    if (!out->refused) {
        if (f && f->running) images_flip(t->dir, f->env, f->offset, f->bit);
        ask_and_verify(&r);
        if (!f || f->repair || out->salvaged) repair(&r);
        out->step = "closing";
    }
    site_close(&r.office);
    if (r.office.store) r.office.store->ops->close(r.office.store);
    out->ended = true;
}

/* Errors that say what is wrong: the disk's content. */
static bool names_damage(int code)
{
    static const int codes[] = {KT_EDAMAGED, KT_EVERSION, KT_EHASH, KT_ESIGNATURE, KT_EOPEN, KT_EMALFORMED};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code) return true;
    return false;
}

static bool killed(int status)
{
    return WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGXCPU);
}

bool trial_ended(const struct flip *f, const struct outcome *o, int status)
{
    return f->running && !killed(status) && (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !o->ended);
}

const char *trial_fault(const struct flip *f, const struct outcome *o, int status)
{
    if (killed(status)) return "hangs";
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !o->ended) return "crashes";
    if (o->refused) return names_damage(o->refused) ? NULL : "refused for another reason";
    if (o->wrong) return "wrong answer";
    if (o->missing) return "missing answer";
    if (o->errors && !o->named_at_open && !o->named_by_verify) return "an error nobody explains";
    /* what is live has moved on where a running node wrote in between */
    if (byte_kind_live(f->kind) && !f->running && !f->again && !o->named_at_open && !o->named_by_verify)
        return "nobody names it";
    if (o->repair < 0 && !o->named_by_verify) return "not repaired";
    return NULL;
}
