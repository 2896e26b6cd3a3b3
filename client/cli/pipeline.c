#include "client/cli/pipeline.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define ARENA_BYTES      (16u << 20)
#define ARENA_FULL_BYTES (4u << 20) /* past this what has gathered goes out: lines that were refused took memory too   \
                                     */
#define REPLY_ARENA_BYTES (16u << 20)
#define GRACE_MS          60000u /* beyond its deadline a reply may take so long, on a node with much to do */
#define DEADLINE_MS       5000u

struct waiting_record {
    uint32_t line, kind;
};

/* One put under way. */
struct put {
    bool used;
    uint32_t id, n;
    uint64_t until_ms;
    struct waiting_record records[KT_PIPELINE_RECORDS];
};

struct kt_pipeline {
    struct kt_pipeline_config config;
    struct kt_line *line;
    struct kt_arena arena, reply_arena;
    struct kt_buf request;
    struct kt_record records[KT_PIPELINE_RECORDS]; /* gathering */
    uint32_t records_len;
    size_t bytes;
    struct put puts[KT_PIPELINE_PUTS];
    uint32_t under_way;
    char late[KT_REASON_BYTES_MAX];
};

int kt_pipeline_open(const struct kt_pipeline_config *c, struct kt_pipeline **out)
{
    struct kt_pipeline *p = calloc(1, sizeof *p);
    if (!p) return KT_ENOMEM;
    p->config = *c;
    if (!p->config.deadline_ms) p->config.deadline_ms = DEADLINE_MS;
    kt_arena_init(&p->arena, ARENA_BYTES);
    kt_arena_init(&p->reply_arena, REPLY_ARENA_BYTES);
    kt_buf_init(&p->request, KT_REQUEST_BYTES_MAX);
    int err = kt_cli_connect(c->cli, &p->line);
    if (err) {
        kt_pipeline_close(p);
        return err;
    }
    *out = p;
    return KT_OK;
}

void kt_pipeline_close(struct kt_pipeline *p)
{
    if (!p) return;
    kt_line_close(p->line);
    kt_arena_free(&p->arena);
    kt_arena_free(&p->reply_arena);
    kt_buf_free(&p->request);
    free(p);
}

struct kt_arena *kt_pipeline_arena(struct kt_pipeline *p) { return &p->arena; }

struct kt_bytes kt_pipeline_late(const struct kt_pipeline *p) { return kt_str(p->late); }

static struct put *put_of(struct kt_pipeline *p, uint32_t id)
{
    for (uint32_t i = 0; i < KT_PIPELINE_PUTS; i++)
        if (p->puts[i].used && p->puts[i].id == id) return &p->puts[i];
    return NULL;
}

/* The results in the order of the records; a record the node says nothing of shares the fate of the whole. */
static void tell(struct kt_pipeline *p, const struct put *put, const struct kt_reply *reply)
{
    uint32_t n = reply->put.results_len;
    for (uint32_t i = 0; i < put->n; i++) {
        struct kt_put_result r = {.code = reply->code ? reply->code : KT_EMALFORMED, .reason = reply->reason};
        if (i < n) r = reply->put.results[i];
        r.line = put->records[i].line;
        p->config.result(p->config.ctx, &r, put->records[i].kind);
    }
    if (reply->code == KT_EDEADLINE && n == put->n) {
        size_t len = reply->reason.len < sizeof p->late ? reply->reason.len : sizeof p->late - 1;
        if (len) memcpy(p->late, reply->reason.data, len);
        p->late[len] = 0;
    }
    if (p->config.replied) p->config.replied(p->config.ctx);
}

/* The next reply, waited for until a point in time.  KT_EDEADLINE: none yet. */
static int take_reply(struct kt_pipeline *p, uint64_t until_ms)
{
    struct kt_bytes bytes;
    struct kt_reply reply;
    uint32_t id;
    int err = kt_line_receive(p->line, until_ms, &id, &bytes);
    if (err) return err;
    kt_arena_reset(&p->reply_arena);
    struct put *put = put_of(p, id);
    if (!put) return KT_OK;
    err = kt_reply_decode(bytes, &p->reply_arena, &reply);
    if (err) return err;
    tell(p, put, &reply);
    put->used = false;
    p->under_way--;
    return KT_OK;
}

static int take_what_came(struct kt_pipeline *p)
{
    int err = KT_OK;
    while (!err && p->under_way) err = take_reply(p, 0);
    return err == KT_EDEADLINE ? KT_OK : err;
}

/* Until the oldest put must be answered; others are not due earlier. */
static uint64_t due_ms(const struct kt_pipeline *p)
{
    uint64_t due = UINT64_MAX;
    for (uint32_t i = 0; i < KT_PIPELINE_PUTS; i++)
        if (p->puts[i].used && p->puts[i].until_ms < due) due = p->puts[i].until_ms;
    return due;
}

static int send_now(struct kt_pipeline *p)
{
    struct put *put = p->puts;
    struct kt_request r = {
        .kind = KT_ASK_PUT,
        .actor = kt_str(p->config.actor),
        .purpose = kt_str(p->config.purpose),
        .case_ref = kt_str(p->config.case_ref),
        .deadline_ms = p->config.deadline_ms,
        .put = {.records = p->records,
                .records_len = p->records_len,
                .basis = kt_str(p->config.basis),
                .copies = p->config.copies}
    };
    while (put->used) put++;
    put->n = p->records_len;
    put->until_ms = kt_line_now_ms() + p->config.deadline_ms + GRACE_MS;
    for (uint32_t i = 0; i < put->n; i++)
        put->records[i] = (struct waiting_record){p->records[i].line, p->records[i].kind};
    kt_buf_clear(&p->request);
    int err = kt_request_encode(&r, &p->request);
    if (!err) err = p->request.err;
    p->records_len = 0;
    p->bytes = 0;
    if (err) {
        struct kt_reply refused = {.kind = KT_ASK_PUT, .code = err};
        tell(p, put, &refused);
        return KT_OK;
    }
    err = kt_line_send(p->line, kt_buf_bytes(&p->request), put->until_ms, &put->id);
    while (err && p->under_way && take_reply(p, 0) == KT_OK) continue; /* what was answered before the line broke */
    if (err) return err;
    put->used = true;
    p->under_way++;
    return KT_OK;
}

int kt_pipeline_send(struct kt_pipeline *p)
{
    int err = KT_OK;
    if (p->records_len) {
        while (!err && p->under_way == KT_PIPELINE_PUTS) err = take_reply(p, due_ms(p));
        if (!err) err = send_now(p);
    }
    if (!p->records_len) kt_arena_reset(&p->arena);
    return err ? err : take_what_came(p);
}

static size_t bytes_of(const struct kt_record *r)
{
    size_t bytes = r->source_system.len + r->source_id.len + r->parent_id.len + 32;
    for (uint32_t i = 0; i < r->fields_len; i++) {
        const struct kt_record_field *f = &r->fields[i];
        for (uint32_t j = 0; j < f->add_len; j++) bytes += f->add[j].len + 8;
        for (uint32_t j = 0; j < f->remove_len; j++) bytes += f->remove[j].len + 8;
    }
    return bytes;
}

int kt_pipeline_add(struct kt_pipeline *p, const struct kt_record *r)
{
    p->records[p->records_len++] = *r;
    p->bytes += bytes_of(r);
    bool full = p->records_len == KT_PIPELINE_RECORDS || p->bytes >= KT_PIPELINE_BYTES;
    return full || p->arena.used_bytes >= ARENA_FULL_BYTES ? kt_pipeline_send(p) : KT_OK;
}

int kt_pipeline_drop(struct kt_pipeline *p)
{
    return p->arena.used_bytes >= ARENA_FULL_BYTES || !p->records_len ? kt_pipeline_send(p) : KT_OK;
}

int kt_pipeline_wait_for(struct kt_pipeline *p, int fd)
{
    struct pollfd polled[2] = {
        {.fd = fd,                  .events = POLLIN},
        {.fd = kt_line_fd(p->line), .events = POLLIN}
    };
    for (;;) {
        int err = take_what_came(p);
        if (err) return err;
        uint64_t due = due_ms(p), now = kt_line_now_ms();
        int wait_ms = due == UINT64_MAX ? -1 : due > now ? (int)(due - now) : 0;
        int n = poll(polled, 2, wait_ms);
        if (n < 0 && errno != EINTR) return KT_EIO;
        if (n == 0) return KT_EDEADLINE;
        if (n > 0 && polled[0].revents) return KT_OK;
        if (n > 0 && polled[1].revents && !p->under_way) {
            err = take_reply(p, 0); /* nothing is to come: this is the end of the line */
            if (err && err != KT_EDEADLINE) return err;
        }
    }
}

int kt_pipeline_finish(struct kt_pipeline *p)
{
    int err = kt_pipeline_send(p);
    while (!err && p->under_way) err = take_reply(p, due_ms(p));
    return err;
}
