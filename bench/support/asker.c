#include "support/asker.h"

#include "client/cli/json/json.h"

#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS           30000u
#define ARENA_BYTES       (16u << 20)
#define REPLY_ARENA_BYTES (64u << 20)

static bool failed(const char *what, int code)
{
    fprintf(stderr, "bench: %s: %s\n", what, kt_error_text(code));
    return false;
}

bool asker_open(struct asker *a, const char *url)
{
    const struct kt_line_config c = {.url = url, .deadline_ms = kt_line_now_ms() + WAIT_MS};
    a->line = NULL;
    a->records_len = 0;
    kt_arena_init(&a->records_arena, ARENA_BYTES);
    kt_arena_init(&a->reply_arena, REPLY_ARENA_BYTES);
    kt_buf_init(&a->request, KT_REQUEST_BYTES_MAX);
    const int e = kt_line_open(&c, &a->line);
    return e ? failed("connecting", e) : true;
}

void asker_close(struct asker *a)
{
    kt_line_close(a->line);
    kt_arena_free(&a->records_arena);
    kt_arena_free(&a->reply_arena);
    kt_buf_free(&a->request);
}

bool asker_ask(struct asker *a, struct kt_bytes request, struct kt_bytes *reply)
{
    const uint64_t until = kt_line_now_ms() + WAIT_MS;
    uint32_t sent, id;
    int e = kt_line_send(a->line, request, until, &sent);
    do
        if (!e) e = kt_line_receive(a->line, until, &id, reply);
    while (!e && id != sent);
    return e ? failed("asking", e) : true;
}

bool asker_read(struct asker *a, struct kt_bytes bytes, struct kt_reply *out)
{
    kt_arena_reset(&a->reply_arena);
    int e = kt_reply_decode(bytes, &a->reply_arena, out);
    if (e) return failed("a reply", e);
    if (!out->code) return true;
    fprintf(stderr, "bench: the node says: %s: %.*s\n", kt_error_text(out->code), (int)out->reason.len,
            (const char *)out->reason.data);
    return false;
}

/* ------------------------------------------------------------------------------------------------------------ puts */

static struct kt_request put_of(struct asker *a)
{
    struct kt_request r = {.kind = KT_ASK_PUT, .actor = kt_str("bench"), .purpose = kt_str("measuring")};
    r.deadline_ms = WAIT_MS;
    r.put.records = a->records;
    r.put.records_len = a->records_len;
    return r;
}

static bool add_line(struct asker *a, const char *json)
{
    struct kt_json_fault fault;
    struct kt_record *r = &a->records[a->records_len];
    const int e = kt_json_record(kt_str(json), a->records_len + 1, &a->records_arena, r, &fault);
    if (e) {
        fprintf(stderr, "bench: %s: %s %s: %s\n", json, fault.field, fault.reason, fault.todo);
        return false;
    }
    a->records_len++;
    return true;
}

static bool all_taken(struct asker *a, struct kt_bytes bytes, uint32_t wanted)
{
    struct kt_reply reply;
    if (!asker_read(a, bytes, &reply)) return false;
    for (uint32_t i = 0; i < reply.put.results_len; i++)
        if (reply.put.results[i].code) return failed("a put", reply.put.results[i].code);
    return reply.put.results_len == wanted || failed("a put without all its results", KT_EMALFORMED);
}

bool asker_put_was_taken(struct asker *a, struct kt_bytes bytes) { return all_taken(a, bytes, 1); }

bool asker_put_rest(struct asker *a)
{
    struct kt_bytes reply;
    if (a->records_len == 0) return true;
    const struct kt_request r = put_of(a);
    kt_buf_clear(&a->request);
    const int e = kt_request_encode(&r, &a->request);
    if (e) return failed("a put", e);
    const bool good = asker_ask(a, kt_buf_bytes(&a->request), &reply) && all_taken(a, reply, a->records_len);
    a->records_len = 0;
    kt_arena_reset(&a->records_arena);
    return good;
}

bool asker_put_line(struct asker *a, const char *json)
{
    return add_line(a, json) && (a->records_len < KT_RECORDS_PER_PUT_MAX || asker_put_rest(a));
}

bool asker_encode_put(struct asker *a, const char *json, struct kt_buf *out)
{
    kt_buf_init(out, KT_REQUEST_BYTES_MAX);
    if (!add_line(a, json)) return false;
    const struct kt_request r = put_of(a);
    const int e = kt_request_encode(&r, out);
    a->records_len = 0;
    kt_arena_reset(&a->records_arena);
    return e ? failed("a put", e) : true;
}

bool asker_encode_lookup(enum kt_lookup_by by, const char *system, const char *value, struct kt_buf *out)
{
    struct kt_request r = {.kind = KT_ASK_LOOKUP, .actor = kt_str("bench"), .purpose = kt_str("measuring")};
    r.deadline_ms = WAIT_MS;
    r.lookup.by = by;
    r.lookup.system = kt_str(system);
    r.lookup.value = kt_str(value);
    kt_buf_init(out, KT_REQUEST_BYTES_MAX);
    const int e = kt_request_encode(&r, out);
    return e ? failed("a lookup", e) : true;
}

/* ---------------------------------------------------------------------------------------------------------- status */

static json_t *status_of(struct asker *a)
{
    const struct kt_request r = {.kind = KT_ASK_STATUS, .deadline_ms = WAIT_MS};
    struct kt_bytes bytes;
    struct kt_reply reply;
    kt_buf_clear(&a->request);
    const int e = kt_request_encode(&r, &a->request);
    if (e) failed("a question", e);
    if (e || !asker_ask(a, kt_buf_bytes(&a->request), &bytes) || !asker_read(a, bytes, &reply)) return NULL;
    json_t *j = json_loadb((const char *)reply.json.data, reply.json.len, 0, NULL);
    if (!json_object_get(j, "vector")) failed("a status without a vector", KT_EMALFORMED);
    return j;
}

bool asker_vector(struct asker *a, char **vector, unsigned long long *batches)
{
    json_t *j = status_of(a);
    *vector = json_dumps(json_object_get(j, "vector"), JSON_COMPACT | JSON_SORT_KEYS);
    *batches = (unsigned long long)json_integer_value(json_object_get(j, "batches"));
    json_decref(j);
    return *vector;
}

bool asker_standing(struct asker *a, char **standing, unsigned *linked)
{
    size_t i;
    json_t *j = status_of(a), *peer;
    if (!j) return false;
    json_t *of = json_pack("{s:O?,s:O?,s:O?}", "vector", json_object_get(j, "vector"), "digests",
                           json_object_get(j, "digests"), "held", json_object_get(j, "held"));
    *standing = json_dumps(of, JSON_COMPACT | JSON_SORT_KEYS);
    *linked = 0;
    json_array_foreach(json_object_get(j, "peers"), i, peer)
    {
        const char *state = json_string_value(json_object_get(peer, "state"));
        *linked += state && strcmp(state, "linked") == 0;
    }
    json_decref(of);
    json_decref(j);
    return *standing;
}

/* --------------------------------------------------------------------------------------------------------- places */

uint8_t *asker_find(struct kt_buf *request, const char *digits)
{
    const size_t len = strlen(digits);
    uint8_t *found = memmem(request->data, request->len, digits, len);
    if (!found) return NULL;
    const uint8_t *rest = found + len;
    return memmem(rest, (size_t)(request->data + request->len - rest), digits, len) ? NULL : found;
}

void asker_write(uint8_t *place, unsigned width, uint64_t number)
{
    for (unsigned i = width; i-- > 0; number /= 10) place[i] = (uint8_t)('0' + number % 10);
}
