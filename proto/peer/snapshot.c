/* One piece of a snapshot (peer.proto, SnapshotPiece). */
#include "proto/batch/envelope.h"
#include "proto/peer/peer_wire.h"

static const struct kt_wire_field DOT[] = {
    KT_W(1, U32, struct kt_dot, origin.member, .max = UINT32_MAX, .required = true),
    KT_W(2, FIXED64, struct kt_dot, origin.incarnation, .required = true),
    KT_W(3, U64, struct kt_dot, batch, .required = true),
    KT_W(4, U32, struct kt_dot, envelope, .max = UINT32_MAX),
    KT_W(5, U32, struct kt_dot, op, .max = UINT32_MAX),
};
static const struct kt_wire_message DOT_MESSAGE = KT_WIRE_MESSAGE_OF(DOT);

static const struct kt_wire_field HEAD[] = {
    KT_W(1, MESSAGE, struct kt_snapshot_head, head, .of = &kt_head_message, .required = true),
    KT_W(2, RAW, struct kt_snapshot_head, seal_hash, .max = KT_HASH_BYTES, .required = true),
};
static const struct kt_wire_message HEAD_MESSAGE = KT_WIRE_MESSAGE_OF(HEAD);

static const struct kt_wire_field VALUE[] = {
    KT_W(1, RAW, struct kt_snapshot_value, ward, .max = KT_ENTITY_ID_BYTES, .required = true),
    KT_W(2, RAW, struct kt_snapshot_value, entity, .max = KT_ENTITY_ID_BYTES, .required = true),
    KT_W(3, U32, struct kt_snapshot_value, field, .max = UINT32_MAX, .required = true),
    KT_W(4, BYTES, struct kt_snapshot_value, element, .max = KT_ELEMENT_BYTES_MAX),
    KT_W(5, MESSAGE, struct kt_snapshot_value, dot, .of = &DOT_MESSAGE, .required = true),
    KT_W(6, FIXED64, struct kt_snapshot_value, stamp, .required = true),
    KT_W(7, RAW, struct kt_snapshot_value, tag, .max = KT_TAG_BYTES, .required = true),
    KT_W(8, U32, struct kt_snapshot_value, generation, .max = UINT32_MAX),
    KT_W(9, BYTES, struct kt_snapshot_value, value, .max = KT_VALUE_BYTES_MAX),
};
static const struct kt_wire_message VALUE_MESSAGE = KT_WIRE_MESSAGE_OF(VALUE);

static const struct kt_wire_field DEBT[] = {
    KT_W(1, RAW, struct kt_snapshot_debt, ward, .max = KT_ENTITY_ID_BYTES, .required = true),
    KT_W(2, RAW, struct kt_snapshot_debt, entity, .max = KT_ENTITY_ID_BYTES, .required = true),
    KT_W(3, U32, struct kt_snapshot_debt, field, .max = UINT32_MAX, .required = true),
    KT_W(4, MESSAGE, struct kt_snapshot_debt, dot, .of = &DOT_MESSAGE, .required = true),
    KT_W(5, U32, struct kt_snapshot_debt, generation, .max = UINT32_MAX),
};
static const struct kt_wire_message DEBT_MESSAGE = KT_WIRE_MESSAGE_OF(DEBT);

static const struct kt_wire_field HELD[] = {
    KT_W(1, MESSAGE, struct kt_snapshot_held, first, .of = &DOT_MESSAGE, .required = true),
    KT_W(2, BYTES, struct kt_snapshot_held, seal, .max = KT_BATCH_BYTES_MAX, .required = true),
    KT_W(3, BYTES, struct kt_snapshot_held, signature, .max = KT_SIGNATURE_BYTES, .required = true),
    KT_W(4, BYTES, struct kt_snapshot_held, header, .max = KT_BATCH_BYTES_MAX, .required = true),
    KT_W(5, BYTES, struct kt_snapshot_held, clear, .max = KT_CLEAR_BYTES_MAX, .required = true),
    KT_W(6, BYTES, struct kt_snapshot_held, cipher, .max = KT_ITEM_BYTES_MAX, .required = true),
};
static const struct kt_wire_message HELD_MESSAGE = KT_WIRE_MESSAGE_OF(HELD);

const struct kt_wire_field kt_snapshot_fields[KT_SNAPSHOT_FIELDS] = {
    KT_W(1, U32, struct kt_snapshot_piece, compartment, .max = UINT32_MAX, .required = true),
    KT_W(2, U32, struct kt_snapshot_piece, piece, .max = UINT32_MAX),
    KT_W(3, BOOL, struct kt_snapshot_piece, last),
    KT_W_LIST(4, MESSAGE, struct kt_snapshot_piece, heads, heads_len, KT_ORIGINS_MAX, .of = &HEAD_MESSAGE),
    KT_W_LIST(5, MESSAGE, struct kt_snapshot_piece, values, values_len, KT_SNAPSHOT_ROWS_MAX, .of = &VALUE_MESSAGE),
    KT_W_LIST(6, MESSAGE, struct kt_snapshot_piece, debts, debts_len, KT_SNAPSHOT_ROWS_MAX, .of = &DEBT_MESSAGE),
    KT_W_LIST(7, MESSAGE, struct kt_snapshot_piece, held, held_len, KT_SNAPSHOT_ROWS_MAX, .of = &HELD_MESSAGE),
    KT_W_LIST(8, BYTES, struct kt_snapshot_piece, wraps, wraps_len, KT_SNAPSHOT_ROWS_MAX, .max = KT_WRAP_BYTES_MAX),
    KT_W_LIST(9, BYTES, struct kt_snapshot_piece, erasures, erasures_len, KT_SNAPSHOT_ROWS_MAX,
              .max = KT_ERASURE_BYTES_MAX),
};

bool kt_snapshot_form_ok(const struct kt_snapshot_piece *p)
{
    for (uint32_t i = 1; i < p->heads_len; i++) {
        if (kt_origin_compare(p->heads[i - 1].head.origin, p->heads[i].head.origin) >= 0) return false;
    }
    return p->compartment != 0;
}
