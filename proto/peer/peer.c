/* One message per frame: peer.proto, PeerMessage.  The tables of a snapshot are in snapshot.c; the answer a server
 * streams out of its journal is written by answer.c. */
#include "proto/peer/peer.h"

#include "proto/peer/peer_wire.h"

static const struct kt_wire_field GREETING[] = {
    KT_W(1, U32, struct kt_greeting, roster_version, .max = UINT32_MAX),
    KT_W(2, RAW, struct kt_greeting, roster_hash, .max = KT_HASH_BYTES),
    KT_W(3, U32, struct kt_greeting, suite, .max = UINT32_MAX),
    KT_W(4, U32, struct kt_greeting, schema, .max = UINT32_MAX),
};

static const struct kt_wire_field ROSTERS[] = {
    KT_W_LIST(1, BYTES, struct kt_rosters, rosters, rosters_len, KT_ROSTER_CHAIN_MAX, .max = KT_ROSTER_BYTES_MAX),
    KT_W_LIST(2, BYTES, struct kt_rosters, bundles, bundles_len, KT_BUNDLES_MAX, .max = KT_BUNDLE_BYTES_MAX),
};

static const struct kt_wire_field ORIGIN[] = {
    KT_W(1, U32, struct kt_origin, member, .max = UINT32_MAX, .required = true),
    KT_W(2, FIXED64, struct kt_origin, incarnation, .required = true),
};
static const struct kt_wire_message ORIGIN_MESSAGE = KT_WIRE_MESSAGE_OF(ORIGIN);

static const struct kt_wire_field PULL[] = {
    KT_W(1, BOOL, struct kt_pull, whole),
    KT_W_LIST(2, MESSAGE, struct kt_pull, heads, heads_len, KT_ORIGINS_MAX, .of = &kt_head_message),
    KT_W_LIST(3, MESSAGE, struct kt_pull, skip, skip_len, KT_ORIGINS_MAX, .of = &ORIGIN_MESSAGE),
    KT_W_LIST(4, U32, struct kt_pull, heard, heard_len, KT_MEMBERS_MAX, .max = UINT32_MAX),
    KT_W_LIST(5, RAW, struct kt_pull, want_wraps, want_wraps_len, KT_WRAPS_PER_FRAME_MAX, .max = KT_DEK_ID_BYTES),
    KT_W(6, U32, struct kt_pull, grant_bytes, .max = KT_GRANT_BYTES_MAX),
    KT_W(7, U32, struct kt_pull, roster_version, .max = UINT32_MAX),
    KT_W(8, U32, struct kt_pull, erasures, .max = UINT32_MAX),
};

static const struct kt_wire_field ANSWER_BATCH[] = {
    KT_W(1, BYTES, struct kt_answer_batch, batch, .max = KT_BATCH_BYTES_MAX, .required = true),
    KT_W_LIST(2, BYTES, struct kt_answer_batch, wraps, wraps_len, KT_WRAPS_PER_FRAME_MAX, .max = KT_WRAP_BYTES_MAX),
};
static const struct kt_wire_message ANSWER_BATCH_MESSAGE = KT_WIRE_MESSAGE_OF(ANSWER_BATCH);

static const struct kt_wire_field ANSWER[] = {
    KT_W_LIST(1, MESSAGE, struct kt_answer, batches, batches_len, KT_BATCHES_PER_FRAME_MAX,
              .of = &ANSWER_BATCH_MESSAGE),
    KT_W(2, BOOL, struct kt_answer, snapshot_required),
    KT_W(3, BOOL, struct kt_answer, end),
    KT_W(4, U64, struct kt_answer, behind_batches),
    KT_W(5, U64, struct kt_answer, behind_bytes),
};

static const struct kt_wire_field WRAPS[] = {
    KT_W_LIST(1, BYTES, struct kt_bytes_list, items, len, KT_WRAPS_PER_FRAME_MAX, .max = KT_WRAP_BYTES_MAX),
};
static const struct kt_wire_field PULSES[] = {
    KT_W_LIST(1, BYTES, struct kt_bytes_list, items, len, KT_MEMBERS_MAX, .max = KT_FRAME_BYTES_MAX),
};
static const struct kt_wire_field ERASURES[] = {
    KT_W_LIST(1, BYTES, struct kt_bytes_list, items, len, KT_SNAPSHOT_ROWS_MAX, .max = KT_ERASURE_BYTES_MAX),
};

static const struct kt_wire_field PROOF[] = {
    KT_W(1, BYTES, struct kt_fork_proof, seal_a, .max = KT_BATCH_BYTES_MAX, .required = true),
    KT_W(2, BYTES, struct kt_fork_proof, signature_a, .max = KT_SIGNATURE_BYTES, .required = true),
    KT_W(3, BYTES, struct kt_fork_proof, seal_b, .max = KT_BATCH_BYTES_MAX, .required = true),
    KT_W(4, BYTES, struct kt_fork_proof, signature_b, .max = KT_SIGNATURE_BYTES, .required = true),
};
static const struct kt_wire_message PROOF_MESSAGE = KT_WIRE_MESSAGE_OF(PROOF);
static const struct kt_wire_field PROOFS[] = {
    KT_W_LIST(1, MESSAGE, struct kt_peer_message, proofs.items, proofs.len, KT_ORIGINS_MAX, .of = &PROOF_MESSAGE),
};

static const struct kt_wire_field ASK[] = {
    KT_W(1, U32, struct kt_ask, origin.member, .max = UINT32_MAX, .required = true),
    KT_W(2, FIXED64, struct kt_ask, origin.incarnation, .required = true),
    KT_W(3, U64, struct kt_ask, number, .required = true),
};
static const struct kt_wire_message ASK_MESSAGE = KT_WIRE_MESSAGE_OF(ASK);
static const struct kt_wire_field ASKS[] = {
    KT_W_LIST(1, MESSAGE, struct kt_peer_message, asks.items, asks.len, KT_BATCHES_PER_FRAME_MAX, .of = &ASK_MESSAGE),
};

/* The part is the number of its field; `at` is where its structure stands in the message (proofs and asks have no
 * structure of their own: their tables count from the message). */
#define PART(table, member)                                                                                            \
    {                                                                                                                  \
        {(table), sizeof(table) / sizeof(table)[0]}, offsetof(struct kt_peer_message, member)                          \
    }
static const struct {
    struct kt_wire_message message;
    size_t at;
} PARTS[] = {
    [KT_PEER_GREETING] = PART(GREETING, greeting),
    [KT_PEER_ROSTERS] = PART(ROSTERS, rosters),
    [KT_PEER_PULL] = PART(PULL, pull),
    [KT_PEER_ANSWER] = PART(ANSWER, answer),
    [KT_PEER_WRAPS] = PART(WRAPS, wraps),
    [KT_PEER_PULSES] = PART(PULSES, pulses),
    [KT_PEER_ERASURES] = PART(ERASURES, erasures),
    [KT_PEER_PROOFS] = {KT_WIRE_MESSAGE_OF(PROOFS),               0                              },
    [KT_PEER_SNAPSHOT] = {{kt_snapshot_fields, KT_SNAPSHOT_FIELDS}, offsetof(struct kt_peer_message, snapshot)},
    [KT_PEER_BATCHES_BY_ID] = {KT_WIRE_MESSAGE_OF(ASKS),                                        0                                               },
};
#define PARTS_LEN (sizeof(PARTS) / sizeof(PARTS)[0])

static bool form_ok(const struct kt_peer_message *m)
{
    if (m->part == KT_PEER_PULL) return kt_heads_ascend(m->pull.heads, m->pull.heads_len);
    if (m->part == KT_PEER_SNAPSHOT) return kt_snapshot_form_ok(&m->snapshot);
    return true;
}

int kt_peer_encode(const struct kt_peer_message *m, struct kt_buf *out)
{
    if (m->part < KT_PEER_GREETING || m->part >= PARTS_LEN || !form_ok(m)) return KT_EINVAL;
    size_t before = out->len, mark = kt_buf_pb_open(out, m->part);
    int err = kt_wire_encode(&PARTS[m->part].message, (const uint8_t *)m + PARTS[m->part].at, out);
    if (!err) kt_buf_pb_close(out, mark);
    if (!err) err = out->err;
    if (!err && out->len - before > KT_FRAME_BYTES_MAX) err = KT_EOVERSIZE;
    if (err) out->len = before;
    return err;
}

/* Exactly one part; fields of later versions beside it are skipped. */
static int find_part(struct kt_bytes in, enum kt_peer_part *part, struct kt_bytes *body)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb pb;
    uint32_t found = 0;

    while (kt_pb_next(&r, &pb)) {
        if (pb.field >= PARTS_LEN) continue;
        if (pb.wire != 2 || found++) return KT_EMALFORMED;
        *part = (enum kt_peer_part)pb.field;
        *body = pb.bytes;
    }
    if (r.err) return r.err;
    return found ? KT_OK : KT_EMALFORMED;
}

int kt_peer_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_peer_message *out)
{
    struct kt_peer_message m = {0};
    struct kt_bytes body;

    if (in.len > KT_FRAME_BYTES_MAX) return KT_EOVERSIZE;
    int err = find_part(in, &m.part, &body);
    if (err) return err;
    if ((err = kt_wire_decode(&PARTS[m.part].message, body, arena, (uint8_t *)&m + PARTS[m.part].at))) return err;
    if (!form_ok(&m)) return KT_EMALFORMED;
    *out = m;
    return KT_OK;
}
