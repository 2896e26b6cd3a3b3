/* The intake: a peer's frame, decoded and opened ahead of the engine - on the opener's thread, or inline.
 *
 * Everything a frame holds is checked here for form; batches are opened (engine/ward/opener.h), pulses and proofs verified.
 * An intake owns its memory and is freed once its group has ended. */
#ifndef KT_ENGINE_INTAKE_H
#define KT_ENGINE_INTAKE_H

#include "engine/ward/opener.h"
#include "proto/peer/peer.h"

struct kt_intake {
    struct kt_arena arena;
    uint64_t link;
    size_t frame_bytes;
    int verdict;                    /* KT_OK, or why the frame is refused as a whole; then the link is closed */
    struct kt_peer_message message; /* pulses: only those that verify */
    struct kt_opened *opened;       /* of an answer: one for each of its batches */
};

/* Never NULL but for want of memory.  Any thread; the packer (may be NULL) is that thread's. */
struct kt_intake *kt_intake_frame(struct kt_keyring *k, struct kt_packer *packer, uint64_t link, struct kt_bytes frame);
/* A pulse by its member's own signature, and of this organisation.  Any thread. */
bool kt_intake_pulse_is_good(struct kt_keyring *k, struct kt_arena *arena, struct kt_bytes pulse);
void kt_intake_free(struct kt_intake *i);

#endif
