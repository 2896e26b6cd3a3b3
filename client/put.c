/* Records on their way to the node, and what became of them; conflicts and their resolution. */
#include "client/handle.h"

#include "proto/client/token.h"

#include <stdio.h>
#include <stdlib.h>

#define PUT_ARENA_BYTES (16u << 20)

static void copy_text(char *out, size_t size, struct kt_bytes in)
{
    size_t len = in.len < size ? in.len : size - 1;
    if (len) memcpy(out, in.data, len);
    out[len] = 0;
}

static void fail(struct kontor_result *out, int code)
{
    *out = (struct kontor_result){.code = code};
    snprintf(out->reason, sizeof out->reason, "%s", kt_error_text(code));
}

static void tell(struct kontor_result *out, const struct kt_put_result *r)
{
    const struct kt_schema_field *f = kt_schema_field(r->field);
    *out = (struct kontor_result){.code = r->code};
    if (f) snprintf(out->field, sizeof out->field, "%s", f->name);
    copy_text(out->reason, sizeof out->reason, r->reason);
    copy_text(out->token, sizeof out->token, r->token);
    copy_text(out->number, sizeof out->number, r->number);
}

static struct kt_request request_of(enum kt_request_kind kind, const struct kontor_put *o)
{
    struct kt_request r = {.kind = kind};
    if (!o) return r;
    r.actor = kt_str(o->actor);
    r.purpose = kt_str(o->purpose);
    r.case_ref = kt_str(o->case_ref);
    r.deadline_ms = o->deadline_ms;
    r.put.basis = kt_str(o->basis);
    r.put.copies = o->copies;
    return r;
}

/* The node's words for the records that went out; `line` is a record's place among all. */
static int tell_all(const struct kt_reply *reply, const struct kt_request *sent, struct kontor_result *results)
{
    if (reply->put.results_len != sent->put.records_len) return KT_EMALFORMED;
    for (uint32_t i = 0; i < sent->put.records_len; i++)
        if (reply->put.results[i].line != sent->put.records[i].line) return KT_EMALFORMED;
    for (uint32_t i = 0; i < sent->put.records_len; i++)
        tell(&results[sent->put.records[i].line - 1], &reply->put.results[i]);
    return KT_OK;
}

/* Those whose builders failed stay here. */
static void gather(struct kontor_record *const *records, size_t n, struct kt_arena *arena, struct kt_request *r,
                   int *errors)
{
    for (size_t i = 0; i < n; i++) {
        struct kt_record *to = &r->put.records[r->put.records_len];
        errors[i] = records[i] ? kt_record_get(records[i], arena, to) : KT_EINVAL;
        if (errors[i]) continue;
        to->line = (uint32_t)i + 1;
        r->put.records_len++;
    }
}

int kontor_put(struct kontor *k, struct kontor_record *const *records, size_t n, const struct kontor_put *options,
               struct kontor_result *results)
{
    struct kt_answer a = {0};
    struct kt_arena arena;
    struct kt_request r = request_of(KT_ASK_PUT, options);
    int errors[KONTOR_RECORDS_MAX], err = KT_OK;
    if (!n || n > KONTOR_RECORDS_MAX) return KT_EINVAL;
    kt_arena_init(&arena, PUT_ARENA_BYTES);
    r.put.records = kt_arena_array(&arena, n, sizeof *r.put.records);
    if (!r.put.records) {
        kt_arena_free(&arena);
        return KT_ENOMEM;
    }
    gather(records, n, &arena, &r, errors);
    if (r.put.records_len) {
        err = kt_handle_ask(k, &r, &a);
        if (!err || (err == KT_EDEADLINE && a.reply.put.results_len)) {
            int told = tell_all(&a.reply, &r, results);
            if (told) err = told;
        }
    }
    if (!err || err == KT_EDEADLINE)
        for (size_t i = 0; i < n; i++)
            if (errors[i] && (!err || a.reply.put.results_len)) fail(&results[i], errors[i]);
    kt_answer_free(&a);
    kt_arena_free(&arena);
    return err;
}

/* ---- conflicts ---- */

int kontor_resolve(struct kontor *k, const char *id, const char *text, const struct kontor_column *columns, size_t n,
                   const struct kontor_put *options, char token[KONTOR_TOKEN_CHARS_MAX + 1])
{
    struct kt_answer known = {0}, a = {0};
    struct kt_request ask = {.kind = KT_ASK_CONFLICTS, .conflict = {.id = kt_str(id)}};
    struct kt_request r = request_of(KT_ASK_RESOLVE, options);
    if (!id || !*id) return KT_EINVAL;
    /* the value is encoded as the conflict's field has it, so the conflict is asked for first */
    int err = kt_handle_ask(k, &ask, &known);
    if (!err && known.reply.conflicts.len != 1) err = KT_ENOTFOUND;
    const struct kt_schema_field *f = err ? NULL : kt_schema_field(known.reply.conflicts.items[0].field);
    if (!err && !f) err = KT_EVERSION;
    r.conflict.id = kt_str(id);
    r.conflict.clear = !text && !n;
    if (!err && !r.conflict.clear) err = kt_field_value(f, text, columns, n, false, &known.arena, &r.conflict.value);
    if (!err) err = kt_handle_ask(k, &r, &a);
    if (!err && token) token[0] = 0;
    if (!err && token && a.reply.put.results_len)
        copy_text(token, KONTOR_TOKEN_CHARS_MAX + 1, a.reply.put.results[0].token);
    kt_answer_free(&a);
    kt_answer_free(&known);
    return err;
}
