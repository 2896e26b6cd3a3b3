#include "proto/client/request.h"

#include "proto/message.h"

static const struct kt_wire_field FIELD[] = {
    KT_W(1, U32, struct kt_record_field, field, .max = UINT32_MAX, .required = true),
    KT_W(2, BOOL, struct kt_record_field, clear),
    KT_W_LIST(3, BYTES, struct kt_record_field, add, add_len, KT_VALUES_PER_FIELD_MAX, .max = KT_VALUE_BYTES_MAX),
    KT_W_LIST(4, BYTES, struct kt_record_field, remove, remove_len, KT_VALUES_PER_FIELD_MAX, .max = KT_VALUE_BYTES_MAX),
};
static const struct kt_wire_message FIELD_MESSAGE = KT_WIRE_MESSAGE_OF(FIELD);

static const struct kt_wire_field RECORD[] = {
    KT_W(1, U32, struct kt_record, line, .max = UINT32_MAX),
    KT_W(2, U32, struct kt_record, kind, .max = UINT32_MAX, .required = true),
    KT_W(3, BYTES, struct kt_record, source_system, .max = KT_NAME_BYTES_MAX),
    KT_W(4, BYTES, struct kt_record, source_id, .max = KT_NAME_BYTES_MAX),
    KT_W(5, BYTES, struct kt_record, parent_system, .max = KT_NAME_BYTES_MAX),
    KT_W(6, BYTES, struct kt_record, parent_id, .max = KT_NAME_BYTES_MAX),
    KT_W(7, U32, struct kt_record, parent_kind, .max = UINT32_MAX),
    KT_W(8, BOOL, struct kt_record, deleted),
    KT_W_LIST(9, MESSAGE, struct kt_record, fields, fields_len, KT_FIELDS_PER_RECORD_MAX, .of = &FIELD_MESSAGE),
};
static const struct kt_wire_message RECORD_MESSAGE = KT_WIRE_MESSAGE_OF(RECORD);

/* The parts of a request have no structures of their own: their tables count from the request. */
static const struct kt_wire_field PUT[] = {
    KT_W_LIST(1, MESSAGE, struct kt_request, put.records, put.records_len, KT_RECORDS_PER_PUT_MAX,
              .max = KT_RECORD_BYTES_MAX, .of = &RECORD_MESSAGE),
    KT_W(2, BYTES, struct kt_request, put.basis, .max = KT_TOKEN_CHARS_MAX),
    KT_W(3, U32, struct kt_request, put.copies, .max = KT_MEMBERS_MAX),
};
static const struct kt_wire_message PUT_MESSAGE = KT_WIRE_MESSAGE_OF(PUT);

static const struct kt_wire_field LOOKUP[] = {
    KT_W(1, U32, struct kt_request, lookup.by, .max = KT_BY_EMAIL, .required = true),
    KT_W(2, BYTES, struct kt_request, lookup.system, .max = KT_NAME_BYTES_MAX),
    KT_W(3, BYTES, struct kt_request, lookup.value, .max = KT_NAME_BYTES_MAX),
    KT_W_LIST(4, BYTES, struct kt_request, lookup.wait, lookup.wait_len, KT_TOKENS_PER_LOOKUP_MAX,
              .max = KT_TOKEN_CHARS_MAX),
    KT_W(5, U32, struct kt_request, lookup.page, .max = UINT32_MAX),
};
static const struct kt_wire_message LOOKUP_MESSAGE = KT_WIRE_MESSAGE_OF(LOOKUP);

static const struct kt_wire_field CONFLICT[] = {
    KT_W(1, BYTES, struct kt_request, conflict.id, .max = KT_NAME_BYTES_MAX),
    KT_W(2, BYTES, struct kt_request, conflict.value, .max = KT_VALUE_BYTES_MAX),
    KT_W(3, BOOL, struct kt_request, conflict.clear),
};
static const struct kt_wire_message CONFLICT_MESSAGE = KT_WIRE_MESSAGE_OF(CONFLICT);

/* The part a kind needs stands in the table of that kind; one of another kind is skipped like an unknown field. */
#define AROUND(...)                                                                                                    \
    {                                                                                                                  \
        KT_W(1, BYTES, struct kt_request, actor, .max = KT_NAME_BYTES_MAX),                                            \
            KT_W(2, BYTES, struct kt_request, purpose, .max = KT_NAME_BYTES_MAX),                                      \
            KT_W(3, BYTES, struct kt_request, case_ref, .max = KT_NAME_BYTES_MAX),                                     \
            KT_W(4, U32, struct kt_request, deadline_ms, .max = UINT32_MAX),                                           \
            __VA_ARGS__ KT_W(15, U32, struct kt_request, kind, .max = KT_ASK_VERIFY, .required = true),                \
    }
#define PART(number_, message) {.number = (number_), .kind = KT_WIRE_MESSAGE, .of = &(message), .required = true},
static const struct kt_wire_field PUT_REQUEST[] = AROUND(PART(5, PUT_MESSAGE));
static const struct kt_wire_field LOOKUP_REQUEST[] = AROUND(PART(6, LOOKUP_MESSAGE));
static const struct kt_wire_field CONFLICT_REQUEST[] = AROUND(PART(7, CONFLICT_MESSAGE));
static const struct kt_wire_field PLAIN_REQUEST[] = AROUND();

static const struct kt_wire_message REQUESTS[] = {
    [KT_ASK_PUT] = KT_WIRE_MESSAGE_OF(PUT_REQUEST),          [KT_ASK_LOOKUP] = KT_WIRE_MESSAGE_OF(LOOKUP_REQUEST),
    [KT_ASK_STATUS] = KT_WIRE_MESSAGE_OF(PLAIN_REQUEST),     [KT_ASK_CONFLICTS] = KT_WIRE_MESSAGE_OF(CONFLICT_REQUEST),
    [KT_ASK_RESOLVE] = KT_WIRE_MESSAGE_OF(CONFLICT_REQUEST), [KT_ASK_VERIFY] = KT_WIRE_MESSAGE_OF(PLAIN_REQUEST),
};

static bool form_ok(const struct kt_request *r)
{
    return r->kind != KT_ASK_LOOKUP || (r->lookup.by >= KT_BY_ID && r->lookup.by <= KT_BY_EMAIL);
}

int kt_request_encode(const struct kt_request *r, struct kt_buf *out)
{
    if (r->kind < KT_ASK_PUT || r->kind > KT_ASK_VERIFY || !form_ok(r)) return KT_EINVAL;
    size_t before = out->len;
    int err = kt_wire_encode(&REQUESTS[r->kind], r, out);
    if (!err && out->len - before > KT_REQUEST_BYTES_MAX) {
        out->len = before;
        return KT_EOVERSIZE;
    }
    return err;
}

/* The kind comes last and says which table reads the rest. */
static int find_kind(struct kt_bytes in, uint64_t *kind)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb pb;

    *kind = 0;
    while (kt_pb_next(&r, &pb)) {
        if (pb.field == 15 && pb.wire == 0) *kind = pb.number;
    }
    if (r.err) return r.err;
    return *kind >= KT_ASK_PUT && *kind <= KT_ASK_VERIFY ? KT_OK : KT_EMALFORMED;
}

int kt_request_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_request *out)
{
    struct kt_request r = {0};
    uint64_t kind;

    if (in.len > KT_REQUEST_BYTES_MAX) return KT_EOVERSIZE;
    int err = find_kind(in, &kind);
    if (!err) err = kt_wire_decode(&REQUESTS[kind], in, arena, &r);
    if (err) return err;
    if (!form_ok(&r)) return KT_EMALFORMED;
    *out = r;
    return KT_OK;
}
