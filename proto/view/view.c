#include "proto/view/view.h"
#include "proto/limits.h"

#include <stdlib.h>

/* message and field numbers of view.proto */
enum { SECTION_COMMIT = 1, SECTION_RECORD = 2, SECTION_CASES = 3 };
enum { COMMIT_MEMBER = 1, COMMIT_INCARNATION = 2, COMMIT_BATCH = 3, COMMIT_ENVELOPE = 4, COMMIT_STAMP = 5 };
enum { RECORD_KIND = 1, RECORD_ID = 2, RECORD_PARENT = 3, RECORD_VALUE = 4, RECORD_COUNT = 5 };
enum { VALUE_FIELD = 1, VALUE_ELEMENT = 2, VALUE_COMMIT = 3, VALUE_OP = 4, VALUE_VALUE = 5 };
enum { COUNT_FIELD = 1, COUNT_ROWS = 2 };

/* How far back a value looks for the envelope it shares: neighbours share, strangers need not be found. */
#define COMMITS_LOOKED_AT 32u

struct commits {
    const struct kt_view_value **of; /* a value of each envelope met */
    uint32_t len;
};

static bool same_commit(const struct kt_view_value *a, const struct kt_view_value *b)
{
    return kt_origin_compare(a->dot.origin, b->dot.origin) == 0 && a->dot.batch == b->dot.batch &&
           a->dot.envelope == b->dot.envelope && a->stamp == b->stamp;
}

static uint32_t commit_index(struct commits *c, const struct kt_view_value *v)
{
    for (uint32_t back = 1; back <= c->len && back <= COMMITS_LOOKED_AT; back++)
        if (same_commit(c->of[c->len - back], v)) return c->len - back;
    c->of[c->len] = v;
    return c->len++;
}

static void put_commit(struct kt_buf *out, const struct kt_view_value *v)
{
    size_t mark = kt_buf_pb_open(out, SECTION_COMMIT);
    kt_buf_pb_uint(out, COMMIT_MEMBER, v->dot.origin.member);
    kt_buf_pb_fixed64(out, COMMIT_INCARNATION, v->dot.origin.incarnation);
    kt_buf_pb_uint(out, COMMIT_BATCH, v->dot.batch);
    kt_buf_pb_uint(out, COMMIT_ENVELOPE, v->dot.envelope);
    kt_buf_pb_fixed64(out, COMMIT_STAMP, v->stamp);
    kt_buf_pb_close(out, mark);
}

static void put_record(struct kt_buf *out, const struct kt_view_record *r, const uint32_t *commit)
{
    static const struct kt_entity_id none;
    size_t mark = kt_buf_pb_open(out, SECTION_RECORD);
    kt_buf_pb_uint(out, RECORD_KIND, r->kind);
    kt_buf_pb_bytes(out, RECORD_ID, KT_BYTES_OF(r->id));
    if (memcmp(&r->parent, &none, sizeof none) != 0) kt_buf_pb_bytes(out, RECORD_PARENT, KT_BYTES_OF(r->parent));
    for (uint32_t i = 0; i < r->values_len; i++) {
        const struct kt_view_value *v = &r->values[i];
        size_t value = kt_buf_pb_open(out, RECORD_VALUE);
        kt_buf_pb_uint(out, VALUE_FIELD, v->field);
        if (v->element.len) kt_buf_pb_bytes(out, VALUE_ELEMENT, v->element);
        kt_buf_pb_uint(out, VALUE_COMMIT, commit[i]);
        kt_buf_pb_uint(out, VALUE_OP, v->dot.op);
        kt_buf_pb_bytes(out, VALUE_VALUE, v->value);
        kt_buf_pb_close(out, value);
    }
    for (uint32_t i = 0; i < r->counts_len; i++) {
        size_t count = kt_buf_pb_open(out, RECORD_COUNT);
        kt_buf_pb_uint(out, COUNT_FIELD, r->counts[i].field);
        kt_buf_pb_uint(out, COUNT_ROWS, r->counts[i].rows);
        kt_buf_pb_close(out, count);
    }
    kt_buf_pb_close(out, mark);
}

int kt_view_section_encode(const struct kt_view_record *records, uint32_t n, uint64_t cases_in_all, struct kt_buf *out)
{
    size_t values = 0, at = 0;
    for (uint32_t i = 0; i < n; i++) values += records[i].values_len;
    struct commits c = {.of = calloc(values + 1, sizeof *c.of)};
    uint32_t *index = calloc(values + 1, sizeof *index);
    if (!c.of || !index) {
        free(c.of);
        free(index);
        return KT_ENOMEM;
    }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < records[i].values_len; j++) index[at++] = commit_index(&c, &records[i].values[j]);
    for (uint32_t i = 0; i < c.len; i++) put_commit(out, c.of[i]);
    at = 0;
    for (uint32_t i = 0; i < n; i++) {
        put_record(out, &records[i], index + at);
        at += records[i].values_len;
    }
    if (cases_in_all) kt_buf_pb_uint(out, SECTION_CASES, cases_in_all);
    free(c.of);
    free(index);
    return out->err;
}

struct commit {
    struct kt_dot dot;
    kt_hlc stamp;
};

struct decode {
    struct kt_arena *arena;
    const struct commit *commits;
    uint32_t commits_len;
};

/* How often a field stands in a message.  The bytes are counted before anything is allocated for them. */
static uint32_t count_field(struct kt_bytes in, uint32_t field)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb pb;
    uint32_t n = 0;
    while (kt_pb_next(&r, &pb)) n += pb.field == field;
    return n;
}

static bool wire_is(const struct kt_pb *pb, struct kt_reader *r, uint8_t wire)
{
    if (pb->wire != wire) r->err = KT_EMALFORMED;
    return pb->wire == wire;
}

static uint32_t number32(const struct kt_pb *pb, struct kt_reader *r)
{
    if (pb->wire != 0 || pb->number > UINT32_MAX) r->err = KT_EMALFORMED;
    return (uint32_t)pb->number;
}

static int take_commit(struct kt_bytes in, struct commit *c)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb pb;
    while (kt_pb_next(&r, &pb)) {
        switch (pb.field) {
        case COMMIT_MEMBER:
            c->dot.origin.member = number32(&pb, &r);
            break;
        case COMMIT_INCARNATION:
            if (wire_is(&pb, &r, 1)) c->dot.origin.incarnation = pb.number;
            break;
        case COMMIT_BATCH:
            if (wire_is(&pb, &r, 0)) c->dot.batch = pb.number;
            break;
        case COMMIT_ENVELOPE:
            c->dot.envelope = number32(&pb, &r);
            break;
        case COMMIT_STAMP:
            if (wire_is(&pb, &r, 1)) c->stamp = pb.number;
            break;
        default:
            break;
        }
    }
    return r.err;
}

static int take_value(const struct decode *d, struct kt_bytes in, struct kt_view_value *v)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb pb;
    uint32_t commit = UINT32_MAX, op = 0;
    while (kt_pb_next(&r, &pb)) {
        switch (pb.field) {
        case VALUE_FIELD:
            v->field = number32(&pb, &r);
            break;
        case VALUE_ELEMENT:
            if (wire_is(&pb, &r, 2)) v->element = pb.bytes;
            break;
        case VALUE_COMMIT:
            commit = number32(&pb, &r);
            break;
        case VALUE_OP:
            op = number32(&pb, &r);
            break;
        case VALUE_VALUE:
            if (wire_is(&pb, &r, 2)) v->value = pb.bytes;
            break;
        default:
            break;
        }
    }
    if (r.err) return r.err;
    if (v->element.len > KT_ELEMENT_BYTES_MAX || v->value.len > KT_VALUE_BYTES_MAX) return KT_EOVERSIZE;
    if (v->field == 0 || commit >= d->commits_len) return KT_EMALFORMED;
    v->dot = d->commits[commit].dot;
    v->dot.op = op;
    v->stamp = d->commits[commit].stamp;
    return KT_OK;
}

static int take_count(struct kt_bytes in, struct kt_view_count *c)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb pb;
    while (kt_pb_next(&r, &pb)) {
        if (pb.field == COUNT_FIELD) c->field = number32(&pb, &r);
        if (pb.field == COUNT_ROWS && wire_is(&pb, &r, 0)) c->rows = pb.number;
    }
    return r.err;
}

static void take_id(const struct kt_pb *pb, struct kt_reader *r, struct kt_entity_id *id)
{
    if (!wire_is(pb, r, 2)) return;
    if (pb->bytes.len == sizeof *id)
        memcpy(id, pb->bytes.data, sizeof *id);
    else
        r->err = KT_EMALFORMED;
}

static int take_record(const struct decode *d, struct kt_bytes in, struct kt_view_record *record)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb pb;
    record->values = kt_arena_array(d->arena, count_field(in, RECORD_VALUE) + 1, sizeof *record->values);
    record->counts = kt_arena_array(d->arena, count_field(in, RECORD_COUNT) + 1, sizeof *record->counts);
    if (!record->values || !record->counts) return KT_ELIMIT;
    while (kt_pb_next(&r, &pb)) {
        int err = KT_OK;
        switch (pb.field) {
        case RECORD_KIND:
            record->kind = number32(&pb, &r);
            break;
        case RECORD_ID:
            take_id(&pb, &r, &record->id);
            break;
        case RECORD_PARENT:
            take_id(&pb, &r, &record->parent);
            break;
        case RECORD_VALUE:
            if (wire_is(&pb, &r, 2)) err = take_value(d, pb.bytes, &record->values[record->values_len++]);
            break;
        case RECORD_COUNT:
            if (wire_is(&pb, &r, 2)) err = take_count(pb.bytes, &record->counts[record->counts_len++]);
            break;
        default:
            break;
        }
        if (err) return err;
    }
    return r.err ? r.err : record->kind ? KT_OK : KT_EMALFORMED;
}

int kt_view_section_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_view_record **records, uint32_t *n,
                           uint64_t *cases_in_all)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb pb;
    struct commit *commits = kt_arena_array(arena, count_field(in, SECTION_COMMIT) + 1, sizeof *commits);
    struct kt_view_record *made = kt_arena_array(arena, count_field(in, SECTION_RECORD) + 1, sizeof *made);
    struct decode d = {.arena = arena, .commits = commits};
    uint32_t len = 0;
    uint64_t cases = 0;
    if (!commits || !made) return KT_ELIMIT;
    while (kt_pb_next(&r, &pb)) {
        int err = KT_OK;
        switch (pb.field) {
        case SECTION_COMMIT:
            if (wire_is(&pb, &r, 2)) err = take_commit(pb.bytes, &commits[d.commits_len++]);
            break;
        case SECTION_RECORD:
            if (wire_is(&pb, &r, 2)) err = take_record(&d, pb.bytes, &made[len++]);
            break;
        case SECTION_CASES:
            if (wire_is(&pb, &r, 0)) cases = pb.number;
            break;
        default:
            break;
        }
        if (err) return err;
    }
    if (r.err) return r.err;
    *records = made;
    *n = len;
    *cases_in_all = cases;
    return KT_OK;
}
