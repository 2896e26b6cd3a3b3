/* What a line must do: carry whole frames to an authenticated peer, in order, or report that it ended. */
#ifndef KT_PORTS_TRANSPORT_H
#define KT_PORTS_TRANSPORT_H

#include "proto/bytes.h"
#include "proto/errors.h"

struct kt_transport {
    /* Queues one frame (at most KT_FRAME_BYTES_MAX, copied) for the link.  KT_EAGAIN: its queue is full, try after
     * the next event; KT_EGONE: no such link any more (a link-down event is on its way).  Never blocks. */
    int (*send)(struct kt_transport *t, uint64_t link, struct kt_bytes frame);
    /* Ends a link; its link-down event follows. */
    void (*close_link)(struct kt_transport *t, uint64_t link, const char *why);
};

#endif
