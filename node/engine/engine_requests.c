/* The engine's clients: puts and resolutions, answered once they are durable, visible, and copied as often as asked. */
#include "engine/engine_state.h"

#include <stdio.h>
#include <stdlib.h>

static struct kt_bytes text(struct kt_arena *a, const char *s)
{
    return s ? kt_arena_copy(a, kt_str(s)) : kt_bytes(NULL, 0);
}

static int whole_reason(struct kt_engine *e, struct kt_reply *r, int code, const char *reason)
{
    r->code = code;
    r->reason = text(&e->arena, reason ? reason : kt_error_advice(code));
    return KT_OK;
}

/* The basis of a put is good at its issuer, in this life of its store. */
static int read_basis(struct kt_engine *e, struct kt_bytes token, struct kt_token *out, const char **why)
{
    char chars[KT_TOKEN_CHARS_MAX + 1];
    *why = "the basis is not a token of this organisation: use one as a lookup gave it";
    const uint8_t *key = kt_keyring_id_key(e->keyring);
    if (!key || token.len > KT_TOKEN_CHARS_MAX) return KT_ETOKEN;
    memcpy(chars, token.data, token.len);
    chars[token.len] = '\0';
    int err = kt_token_decode(chars, key, out);
    if (err) return err;
    const bool ours =
        out->issuer == kt_ledger_origin(e->ledger).member && out->store == kt_ledger_store_life(e->ledger);
    *why = "the basis was issued by another node, or before this node's store was made again: look up here and use "
           "that basis";
    return ours ? KT_OK : KT_EREFUSED;
}

static struct kt_writer writer_of(struct kt_engine *e, const struct kt_asker *asker, const struct kt_request *r)
{
    const struct kt_roster_member *self =
        kt_roster_member(kt_keyring_roster(e->keyring), kt_ledger_origin(e->ledger).member);
    return (struct kt_writer){.actor = r->actor,
                              .purpose = r->purpose,
                              .case_ref = r->case_ref,
                              .phone_country = e->config.ledger.phone_country,
                              .self = kt_ledger_origin(e->ledger).member,
                              .office = kt_str(self ? self->office : ""),
                              .agency = kt_str(self ? self->agency : ""),
                              .may_write = asker->may_write,
                              .may_write_len = asker->may_write_len,
                              .now_ms = e->world->now_ms(e->world)};
}

/* What to wait for: the last batch of each origin. */
static void add_heads(struct kt_answering *a, const struct kt_token *token)
{
    for (uint32_t i = 0; i < token->heads_len; i++) {
        uint32_t j = 0;
        while (j < a->heads_len && kt_origin_compare(a->heads[j].origin, token->heads[i].origin) != 0) j++;
        if (j == KT_TOKEN_HEADS_MAX) continue;
        if (j == a->heads_len) a->heads[a->heads_len++] = token->heads[i];
        if (a->heads[j].number < token->heads[i].number) a->heads[j].number = token->heads[i].number;
    }
}

static int put_token(struct kt_engine *e, const struct kt_token *token, struct kt_bytes *out)
{
    char chars[KT_TOKEN_CHARS_MAX + 1];
    const uint8_t *key = kt_keyring_id_key(e->keyring);
    int err = key ? kt_token_encode(token, key, chars) : KT_EKEY;
    if (!err) *out = text(&e->arena, chars);
    return err;
}

static int put_records(struct kt_engine *e, struct kt_answering *a, struct kt_writer *who)
{
    const struct kt_request *r = &a->request;
    a->reply.put.results = kt_arena_array(&e->arena, r->put.records_len + 1, sizeof *a->reply.put.results);
    if (!a->reply.put.results) return KT_ELIMIT;
    for (uint32_t i = 0; i < r->put.records_len; i++) {
        struct kt_put_result *result = &a->reply.put.results[i];
        struct kt_plan plan;
        struct kt_token token;
        bool fatal = false;
        result->line = r->put.records[i].line;
        result->code = kt_ledger_put(e->ledger, who, &r->put.records[i], &plan, &token, &fatal);
        if (fatal) return result->code;
        if (!result->code) result->code = put_token(e, &token, &result->token);
        if (result->code) {
            result->field = plan.field;
            result->reason = text(&e->arena, plan.reason ? plan.reason : kt_error_text(result->code));
            e->count.puts_refused++;
        } else {
            add_heads(a, &token);
            result->number = kt_arena_copy(&e->arena, plan.number);
            e->count.puts++;
        }
        a->reply.put.results_len = i + 1;
    }
    return KT_OK;
}

static int resolve(struct kt_engine *e, struct kt_answering *a, struct kt_writer *who)
{
    const struct kt_request *r = &a->request;
    struct kt_plan plan;
    struct kt_token token;
    bool fatal = false;
    int err =
        kt_ledger_resolve(e->ledger, who, r->conflict.id, r->conflict.value, r->conflict.clear, &plan, &token, &fatal);
    if (err && fatal) return err;
    if (err) return whole_reason(e, &a->reply, err, plan.reason);
    add_heads(a, &token);
    e->count.puts++;
    a->reply.put.results = kt_arena_array(&e->arena, 1, sizeof *a->reply.put.results);
    if (!a->reply.put.results) return KT_ELIMIT;
    a->reply.put.results_len = 1;
    return put_token(e, &token, &a->reply.put.results[0].token);
}

static int run_request(struct kt_engine *e, struct kt_answering *a)
{
    struct kt_writer who = writer_of(e, &a->asker, &a->request);
    struct kt_token basis;
    const char *why;
    if (a->request.kind == KT_ASK_PUT && a->request.put.basis.len) {
        int err = read_basis(e, a->request.put.basis, &basis, &why);
        if (err) return whole_reason(e, &a->reply, err, why);
        who.basis = &basis;
    }
    int err = kt_engine_group(e);
    if (err) return err;
    return a->request.kind == KT_ASK_PUT ? put_records(e, a, &who) : resolve(e, a, &who);
}

int kt_engine_request(struct kt_engine *e, struct kt_input *in)
{
    if (e->answering_len == e->answering_cap) {
        const uint32_t cap = e->answering_cap ? e->answering_cap * 2 : 64;
        struct kt_answering *grown = kt_arena_array(&e->arena, cap, sizeof *grown);
        if (!grown) return KT_ELIMIT;
        if (e->answering_len) memcpy(grown, e->answering, e->answering_len * sizeof *grown);
        e->answering = grown;
        e->answering_cap = cap;
    }
    struct kt_answering *a = &e->answering[e->answering_len++];
    const struct kt_bytes bytes = kt_arena_copy(&e->arena, kt_bytes(in->request, in->request_len));
    *a = (struct kt_answering){.asker = in->asker};
    int err = bytes.data ? kt_request_decode(bytes, &e->arena, &a->request) : KT_ELIMIT;
    a->reply.kind = a->request.kind;
    if (err) return whole_reason(e, &a->reply, err, NULL);
    if (a->request.kind != KT_ASK_PUT && a->request.kind != KT_ASK_RESOLVE)
        return whole_reason(e, &a->reply, KT_EINVAL, "not a request for the engine");
    err = run_request(e, a);
    if (err) e->group_error = err; /* the group cannot stand with half a request */
    return KT_OK;
}

/* ------------------------------------------------------------------------------------------------------ answers */

/* A reply that cannot be told is replaced by one that says so; what was written stays written. */
static void send_reply(struct kt_engine *e, const struct kt_asker *to, const struct kt_reply *r)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_REPLY_BYTES_MAX);
    int err = kt_reply_encode(r, &b);
    if (err) {
        const bool memory = err == KT_ENOMEM;
        const struct kt_reply instead = {.kind = r->kind,
                                         .code = memory ? KT_ENOMEM : KT_ELIMIT,
                                         .reason = kt_str(memory ? "no memory for the reply: put it again"
                                                                 : "the reply is too long: put fewer lines at once")};
        kt_buf_free(&b);
        kt_buf_init(&b, KT_REPLY_BYTES_MAX);
        err = kt_reply_encode(&instead, &b);
    }
    e->config.reply(e->config.ctx, to, err ? kt_bytes(NULL, 0) : kt_buf_bytes(&b));
    kt_buf_free(&b);
}

static bool holds_all(struct kt_engine *e, kt_member m, const struct kt_head *heads, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!kt_replica_acknowledged(e->replica, m, heads[i].origin, heads[i].number)) return false;
    return true;
}

/* Copies are counted by office: two nodes under one roof burn together, and one beside us is no other office. */
static bool copied(struct kt_engine *e, const struct kt_head *heads, uint32_t n, uint32_t copies)
{
    const struct kt_roster *roster = kt_keyring_roster(e->keyring);
    const struct kt_roster_member *self = kt_roster_member(roster, kt_ledger_origin(e->ledger).member);
    const char *counted[KT_MEMBERS_MAX + 1];
    uint32_t have = 0;
    counted[0] = self ? self->office : "";
    for (uint32_t m = 0; m < roster->members_len && have < copies; m++) {
        const struct kt_roster_member *other = &roster->members[m];
        uint32_t i = 0;
        if (other == self || other->revoked) continue;
        while (i <= have && strcmp(counted[i], other->office) != 0) i++;
        if (i > have && holds_all(e, other->number, heads, n)) counted[++have] = other->office;
    }
    return have >= copies;
}

static int wait_for_copies(struct kt_engine *e, struct kt_answering *a)
{
    struct kt_waiting *w = calloc(1, sizeof *w);
    if (!w) return KT_ENOMEM;
    w->asker = a->asker;
    memcpy(w->heads, a->heads, sizeof w->heads);
    w->heads_len = a->heads_len;
    w->copies = a->request.put.copies;
    w->deadline_mono_ms = kt_engine_mono_ms(e) + (a->request.deadline_ms ? a->request.deadline_ms : 5000);
    kt_buf_init(&w->done, KT_REPLY_BYTES_MAX);
    kt_buf_init(&w->late, KT_REPLY_BYTES_MAX);
    struct kt_reply late = a->reply;
    late.code = KT_EDEADLINE;
    late.reason = kt_str("it is durable here, and not yet at as many other offices as asked: see kontor status");
    int err = kt_reply_encode(&a->reply, &w->done);
    if (!err) err = kt_reply_encode(&late, &w->late);
    if (err) {
        kt_buf_free(&w->done);
        kt_buf_free(&w->late);
        free(w);
        return err;
    }
    w->next = e->waiting;
    e->waiting = w;
    return KT_OK;
}

void kt_engine_answer(struct kt_engine *e, int commit_error)
{
    for (uint32_t i = 0; i < e->answering_len; i++) {
        struct kt_answering *a = &e->answering[i];
        if (commit_error && !a->reply.code) {
            a->reply = (struct kt_reply){.kind = a->request.kind};
            (void)!whole_reason(e, &a->reply, commit_error, NULL);
        }
        const bool waits = !a->reply.code && a->request.kind == KT_ASK_PUT && a->request.put.copies && a->heads_len;
        const int failed = waits ? wait_for_copies(e, a) : KT_OK;
        if (failed) (void)!whole_reason(e, &a->reply, failed, "it is durable here; its copies could not be waited for");
        if (!waits || failed) send_reply(e, &a->asker, &a->reply);
    }
    e->answering_len = e->answering_cap = 0;
    e->answering = NULL;
}

void kt_engine_check_waiting(struct kt_engine *e)
{
    const uint64_t now = kt_engine_mono_ms(e);
    for (struct kt_waiting **at = &e->waiting; *at;) {
        struct kt_waiting *w = *at;
        const bool done = copied(e, w->heads, w->heads_len, w->copies);
        if (!done && now < w->deadline_mono_ms) {
            at = &w->next;
            continue;
        }
        e->config.reply(e->config.ctx, &w->asker, kt_buf_bytes(done ? &w->done : &w->late));
        *at = w->next;
        kt_buf_free(&w->done);
        kt_buf_free(&w->late);
        free(w);
    }
}

static void give_back(struct kt_engine *e, const struct kt_input *in)
{
    struct kt_request r = {.kind = KT_ASK_PUT};
    (void)!kt_request_decode(kt_bytes(in->request, in->request_len), &e->arena, &r);
    const struct kt_reply reply = {.kind = r.kind,
                                   .code = KT_EAGAIN,
                                   .reason = kt_str("the node is stopping; nothing of this was written: put it again")};
    send_reply(e, &in->asker, &reply);
    kt_arena_reset(&e->arena);
}

void kt_engine_finish(struct kt_engine *e)
{
    for (struct kt_waiting *w = e->waiting; w; w = w->next)
        e->config.reply(e->config.ctx, &w->asker, kt_buf_bytes(&w->late));
    kt_engine_drop_waiting(e);
    for (const struct kt_input *in = e->deferred; in; in = in->next) give_back(e, in);
    kt_engine_drop_deferred(e);
}

void kt_engine_drop_waiting(struct kt_engine *e)
{
    while (e->waiting) {
        struct kt_waiting *w = e->waiting;
        e->waiting = w->next;
        kt_buf_free(&w->done);
        kt_buf_free(&w->late);
        free(w);
    }
}
