#include "proto/session/frame.h"

#include <stdlib.h>

enum { SMALL_BYTES = 512 };

static size_t header_bytes(enum kt_framing framing)
{
    static const uint8_t bytes[] = {[KT_FRAMING_BE32] = 4, [KT_FRAMING_BE64] = 8, [KT_FRAMING_SP_IPC] = 9};
    return bytes[framing];
}

void kt_frames_init(struct kt_frames *f, enum kt_framing framing, size_t bytes_max)
{
    *f = (struct kt_frames){.framing = framing, .bytes_max = bytes_max, .read_bytes = SMALL_BYTES};
}

void kt_frames_free(struct kt_frames *f)
{
    free(f->data);
    f->data = NULL;
    f->start = f->end = f->cap = 0;
}

void kt_frames_limit(struct kt_frames *f, size_t bytes_max, size_t read_bytes)
{
    f->bytes_max = bytes_max;
    f->read_bytes = read_bytes;
}

/* Grows towards the most that can ever wait here: a frame short of its last byte, and one read. */
static bool grow(struct kt_frames *f, size_t held)
{
    size_t cap_max = header_bytes(f->framing) + f->bytes_max + f->read_bytes;
    size_t cap = f->cap * 2 > held + f->read_bytes ? f->cap * 2 : held + f->read_bytes;
    if (cap > cap_max) cap = cap_max;
    if (cap <= f->cap) return true;
    uint8_t *data = realloc(f->data, cap);
    if (!data) return f->cap > held; /* what there is may still do */
    f->data = data;
    f->cap = cap;
    return true;
}

uint8_t *kt_frames_room(struct kt_frames *f, size_t *len)
{
    size_t held = f->end - f->start;
    if (f->cap - f->end < f->read_bytes) {
        if (f->start && held) memmove(f->data, f->data + f->start, held);
        f->start = 0;
        f->end = held;
        if (f->cap - f->end < f->read_bytes && !grow(f, held)) return NULL;
    }
    *len = f->cap - f->end;
    return *len ? f->data + f->end : NULL;
}

void kt_frames_took(struct kt_frames *f, size_t len) { f->end += len; }

int kt_frames_push(struct kt_frames *f, struct kt_bytes bytes)
{
    size_t read_bytes = f->read_bytes, room;
    f->read_bytes = bytes.len;
    uint8_t *to = bytes.len ? kt_frames_room(f, &room) : NULL;
    f->read_bytes = read_bytes;
    if (!bytes.len) return KT_OK;
    if (!to || room < bytes.len) return KT_ENOMEM;
    memcpy(to, bytes.data, bytes.len);
    kt_frames_took(f, bytes.len);
    return KT_OK;
}

int kt_frames_raw(struct kt_frames *f, size_t len, uint8_t **data)
{
    if (f->end - f->start < len) return KT_EAGAIN;
    *data = f->data + f->start;
    f->start += len;
    return KT_OK;
}

int kt_frames_next(struct kt_frames *f, uint8_t **data, size_t *len)
{
    struct kt_reader r = kt_reader(kt_bytes(f->data ? f->data + f->start : NULL, f->end - f->start));
    if (f->framing == KT_FRAMING_SP_IPC && kt_reader_left(&r) && kt_take_u8(&r) != 1) return KT_EMALFORMED;
    uint64_t claimed = f->framing == KT_FRAMING_BE32 ? kt_take_be32(&r) : kt_take_be64(&r);
    if (r.err) return KT_EAGAIN;
    if (claimed > f->bytes_max) return KT_EOVERSIZE;
    if (kt_reader_left(&r) < claimed) return KT_EAGAIN;
    size_t header = header_bytes(f->framing);
    *data = f->data + f->start + header;
    *len = (size_t)claimed;
    f->start += header + (size_t)claimed;
    return KT_OK;
}

bool kt_frames_full(const struct kt_frames *f) { return f->end - f->start >= header_bytes(f->framing) + f->bytes_max; }

void kt_frame_header(struct kt_buf *out, enum kt_framing framing, size_t len)
{
    if (framing == KT_FRAMING_SP_IPC) kt_buf_u8(out, 1);
    if (framing == KT_FRAMING_BE32)
        kt_buf_be32(out, (uint32_t)len);
    else
        kt_buf_be64(out, len);
}
