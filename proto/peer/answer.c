/* An answer, written straight into its frame while the server reads its journal: no array of batches, one copy each.
 *
 * The frame is PeerMessage { answer = 4: Answer { batches = 1: AnswerBatch { batch = 1, wraps = 2 }..., 2..5 } }. */
#include "proto/peer/peer.h"

enum { ANSWER_BATCHES = 1, ANSWER_SNAPSHOT, ANSWER_END, ANSWER_BEHIND_BATCHES, ANSWER_BEHIND_BYTES };
enum { BATCH_BATCH = 1, BATCH_WRAPS };

/* What finish may still add: two flags, two numbers of ten bytes, and the length of the part. */
#define FINISH_BYTES_MAX 32u

/* Of a length-delimited field with a one-byte tag. */
static size_t field_bytes(size_t len)
{
    return len + (len < (1u << 7) ? 2 : len < (1u << 14) ? 3 : len < (1u << 21) ? 4 : 5);
}

void kt_answer_begin(struct kt_answer_builder *b, struct kt_buf *out)
{
    *b = (struct kt_answer_builder){.out = out, .start = out->len};
    b->mark = kt_buf_pb_open(out, KT_PEER_ANSWER);
}

static size_t room(const struct kt_answer_builder *b)
{
    size_t used = b->out->len - b->start + FINISH_BYTES_MAX;
    return used < KT_FRAME_BYTES_MAX ? KT_FRAME_BYTES_MAX - used : 0;
}

int kt_answer_add(struct kt_answer_builder *b, struct kt_bytes batch, const struct kt_bytes *wraps, uint32_t wraps_len)
{
    if (batch.len > KT_BATCH_BYTES_MAX || wraps_len > KT_WRAPS_PER_FRAME_MAX) return KT_EOVERSIZE;
    size_t body = field_bytes(batch.len);
    uint32_t fit = 0;
    for (; fit < wraps_len && field_bytes(body + field_bytes(wraps[fit].len)) <= room(b); fit++)
        body += field_bytes(wraps[fit].len);
    bool first = b->batches_len == 0;
    if ((fit < wraps_len && !first) || field_bytes(body) > room(b) || b->batches_len == KT_BATCHES_PER_FRAME_MAX)
        return KT_ELIMIT;

    kt_buf_u8(b->out, ANSWER_BATCHES << 3 | 2);
    kt_buf_varint(b->out, body);
    kt_buf_pb_bytes(b->out, BATCH_BATCH, batch);
    for (uint32_t i = 0; i < fit; i++) kt_buf_pb_bytes(b->out, BATCH_WRAPS, wraps[i]);
    if (b->out->err) return b->out->err;
    b->batches_len++;
    return KT_OK;
}

int kt_answer_finish(struct kt_answer_builder *b, const struct kt_answer *rest)
{
    if (rest->snapshot_required) kt_buf_pb_uint(b->out, ANSWER_SNAPSHOT, 1);
    if (rest->end) kt_buf_pb_uint(b->out, ANSWER_END, 1);
    if (rest->behind_batches) kt_buf_pb_uint(b->out, ANSWER_BEHIND_BATCHES, rest->behind_batches);
    if (rest->behind_bytes) kt_buf_pb_uint(b->out, ANSWER_BEHIND_BYTES, rest->behind_bytes);
    kt_buf_pb_close(b->out, b->mark);
    return b->out->err;
}
