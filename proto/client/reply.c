#include "proto/message.h"
#include "proto/client/request.h"

static const struct kt_wire_field RESULT[] = {
    KT_W(1, U32, struct kt_put_result, line, .max = UINT32_MAX),
    KT_W(2, CODE, struct kt_put_result, code),
    KT_W(3, U32, struct kt_put_result, field, .max = UINT32_MAX),
    KT_W(4, BYTES, struct kt_put_result, reason, .max = KT_REASON_BYTES_MAX),
    KT_W(5, BYTES, struct kt_put_result, token, .max = KT_TOKEN_CHARS_MAX),
    KT_W(6, BYTES, struct kt_put_result, number, .max = KT_NAME_BYTES_MAX),
};
static const struct kt_wire_message RESULT_MESSAGE = KT_WIRE_MESSAGE_OF(RESULT);

static const struct kt_wire_field SECTION[] = {
    KT_W(1, U32, struct kt_view_section, compartment, .max = UINT32_MAX, .required = true),
    KT_W(2, BYTES, struct kt_view_section, name, .max = KT_OFFICE_BYTES_MAX),
    KT_W(3, BYTES, struct kt_view_section, bytes, .max = KT_REPLY_BYTES_MAX),
};
static const struct kt_wire_message SECTION_MESSAGE = KT_WIRE_MESSAGE_OF(SECTION);

static const struct kt_wire_field MATCH[] = {
    KT_W(1, BYTES, struct kt_match, id, .max = KT_NAME_BYTES_MAX, .required = true),
    KT_W(2, BYTES, struct kt_match, name, .max = KT_TEXT_BYTES_MAX),
    KT_W(3, BYTES, struct kt_match, birth_date, .max = KT_NAME_BYTES_MAX),
    KT_W(4, BYTES, struct kt_match, why, .max = KT_NAME_BYTES_MAX),
};
static const struct kt_wire_message MATCH_MESSAGE = KT_WIRE_MESSAGE_OF(MATCH);

static const struct kt_wire_field OFFICE[] = {
    KT_W(1, BYTES, struct kt_office_freshness, office, .max = KT_OFFICE_BYTES_MAX, .required = true),
    KT_W(2, BOOL, struct kt_office_freshness, known),
    KT_W(3, FIXED64, struct kt_office_freshness, complete_through_ms),
};
static const struct kt_wire_message OFFICE_MESSAGE = KT_WIRE_MESSAGE_OF(OFFICE);

/* The answer to a lookup has no structure of its own: its table counts from the reply. */
static const struct kt_wire_field LOOKUP[] = {
    KT_W_LIST(1, MESSAGE, struct kt_reply, lookup.sections, lookup.sections_len, KT_COMPARTMENTS_MAX,
              .of = &SECTION_MESSAGE),
    KT_W_LIST(2, MESSAGE, struct kt_reply, lookup.matches, lookup.matches_len, KT_MATCHES_MAX, .of = &MATCH_MESSAGE),
    KT_W(3, BOOL, struct kt_reply, lookup.more),
    KT_W_LIST(4, BYTES, struct kt_reply, lookup.withheld, lookup.withheld_len, KT_COMPARTMENTS_MAX,
              .max = KT_OFFICE_BYTES_MAX),
    KT_W(5, BYTES, struct kt_reply, lookup.basis, .max = KT_TOKEN_CHARS_MAX),
    KT_W_LIST(6, MESSAGE, struct kt_reply, lookup.offices, lookup.offices_len, KT_MEMBERS_MAX, .of = &OFFICE_MESSAGE),
    KT_W(7, FIXED64, struct kt_reply, lookup.now_ms),
    KT_W(8, RAW, struct kt_reply, lookup.display_id, .max = KT_ENTITY_ID_BYTES),
};
static const struct kt_wire_message LOOKUP_MESSAGE = KT_WIRE_MESSAGE_OF(LOOKUP);

static const struct kt_wire_field CONFLICT_VALUE[] = {
    KT_W(1, BYTES, struct kt_conflict_value, value, .max = KT_VALUE_BYTES_MAX),
    KT_W(2, BOOL, struct kt_conflict_value, has_value),
    KT_W(3, BYTES, struct kt_conflict_value, office, .max = KT_OFFICE_BYTES_MAX),
    KT_W(4, BYTES, struct kt_conflict_value, by, .max = KT_NAME_BYTES_MAX),
    KT_W(5, FIXED64, struct kt_conflict_value, stamp, .required = true),
};
static const struct kt_wire_message CONFLICT_VALUE_MESSAGE = KT_WIRE_MESSAGE_OF(CONFLICT_VALUE);

static const struct kt_wire_field CONFLICT[] = {
    KT_W(1, BYTES, struct kt_conflict, id, .max = KT_NAME_BYTES_MAX, .required = true),
    KT_W(2, BYTES, struct kt_conflict, ref, .max = 2 * KT_NAME_BYTES_MAX + 1),
    KT_W(3, U32, struct kt_conflict, field, .max = UINT32_MAX, .required = true),
    KT_W(4, BYTES, struct kt_conflict, element_text, .max = KT_TEXT_BYTES_MAX),
    KT_W_LIST(5, MESSAGE, struct kt_conflict, values, values_len, KT_MEMBERS_MAX, .of = &CONFLICT_VALUE_MESSAGE),
};
static const struct kt_wire_message CONFLICT_MESSAGE = KT_WIRE_MESSAGE_OF(CONFLICT);

static const struct kt_wire_field REPLY[] = {
    KT_W(1, CODE, struct kt_reply, code),
    KT_W(2, BYTES, struct kt_reply, reason, .max = KT_REASON_BYTES_MAX),
    KT_W_LIST(3, MESSAGE, struct kt_reply, put.results, put.results_len, KT_RECORDS_PER_PUT_MAX, .of = &RESULT_MESSAGE),
    {.number = 4, .kind = KT_WIRE_MESSAGE, .of = &LOOKUP_MESSAGE},
    KT_W(5, BYTES, struct kt_reply, json, .max = KT_REPLY_BYTES_MAX),
    KT_W_LIST(6, MESSAGE, struct kt_reply, conflicts.items, conflicts.len, KT_CONFLICTS_PER_REPLY_MAX,
              .of = &CONFLICT_MESSAGE),
    KT_W(15, U32, struct kt_reply, kind, .max = KT_ASK_VERIFY, .required = true),
};
static const struct kt_wire_message REPLY_MESSAGE = KT_WIRE_MESSAGE_OF(REPLY);

int kt_reply_encode(const struct kt_reply *r, struct kt_buf *out)
{
    if (r->kind < KT_ASK_PUT || r->kind > KT_ASK_VERIFY) return KT_EINVAL;
    size_t before = out->len;
    int err = kt_wire_encode(&REPLY_MESSAGE, r, out);
    if (!err && out->len - before > KT_REPLY_BYTES_MAX) {
        out->len = before;
        return KT_EOVERSIZE;
    }
    return err;
}

int kt_reply_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_reply *out)
{
    struct kt_reply r = {0};

    if (in.len > KT_REPLY_BYTES_MAX) return KT_EOVERSIZE;
    int err = kt_wire_decode(&REPLY_MESSAGE, in, arena, &r);
    if (err) return err;
    if (r.kind < KT_ASK_PUT) return KT_EMALFORMED;
    *out = r;
    return KT_OK;
}
