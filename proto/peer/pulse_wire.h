/* How a head goes over the wire (pulse.proto, Head): shared by the codecs of pulses and of what peers say. */
#ifndef KT_PROTO_PULSE_WIRE_H
#define KT_PROTO_PULSE_WIRE_H

#include "proto/message.h"
#include "proto/peer/pulse.h"

extern const struct kt_wire_message kt_head_message; /* of struct kt_head */

/* Ascending by (member, incarnation), each once: the order of every vector.  Pure. */
bool kt_heads_ascend(const struct kt_head *heads, uint32_t n);

#endif
