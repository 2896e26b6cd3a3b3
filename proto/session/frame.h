/* Lengths on a stream: whole frames out of bytes as they come, in three framings.
 *
 *   KT_FRAMING_BE32     length be32, bytes                 links, and the Noise session of a client
 *   KT_FRAMING_BE64     length be64, bytes                 SP messages over TCP (nng's wire)
 *   KT_FRAMING_SP_IPC   0x01, length be64, bytes           SP messages over a unix socket (nng's wire)
 *
 * A length beyond the maximum is refused as soon as its header is here, before anything is allocated for it; below the
 * maximum memory grows with the bytes that came, not with the length claimed.  Used by one thread at a time. */
#ifndef KT_PROTO_FRAME_H
#define KT_PROTO_FRAME_H

#include "proto/buffer.h"

enum kt_framing { KT_FRAMING_BE32, KT_FRAMING_BE64, KT_FRAMING_SP_IPC };

struct kt_frames {
    uint8_t *data;
    size_t start, end, cap;       /* the bytes not yet taken are data[start, end) */
    size_t bytes_max, read_bytes; /* of one frame; at least this much room for a read, once the buffer grows */
    enum kt_framing framing;
};

void kt_frames_init(struct kt_frames *f, enum kt_framing framing, size_t bytes_max);
void kt_frames_free(struct kt_frames *f);
/* Another maximum from here on, and how much one read should be able to bring. */
void kt_frames_limit(struct kt_frames *f, size_t bytes_max, size_t read_bytes);

/* Where the next bytes of the stream go (*len >= 1 of them fit), then how many came.  NULL: out of memory.  Frames
 * handed out before are invalid after kt_frames_room.  Call it only when kt_frames_next said KT_EAGAIN: then there is
 * always room. */
uint8_t *kt_frames_room(struct kt_frames *f, size_t *len);
void kt_frames_took(struct kt_frames *f, size_t len);
/* The same for bytes that are already here.  KT_ENOMEM. */
int kt_frames_push(struct kt_frames *f, struct kt_bytes bytes) KT_MUST;

/* Bytes in front of the first frame (a greeting of fixed length): the next `len` of them, or KT_EAGAIN. */
int kt_frames_raw(struct kt_frames *f, size_t len, uint8_t **data) KT_MUST;

/* The next whole frame, writable (it may be decrypted in place), valid until kt_frames_room or kt_frames_push.
 * KT_EAGAIN: more bytes are needed; KT_EOVERSIZE: a length beyond the maximum; KT_EMALFORMED: not this framing. */
int kt_frames_next(struct kt_frames *f, uint8_t **data, size_t *len) KT_MUST;

/* As many bytes wait as the longest frame has: one is whole, or the next is too long.  Read no more before taking. */
bool kt_frames_full(const struct kt_frames *f);

/* The header in front of a frame of `len` bytes. */
void kt_frame_header(struct kt_buf *out, enum kt_framing framing, size_t len);

#endif
