/* What peer.c and snapshot.c share: the table of a snapshot piece (peer.proto, SnapshotPiece). */
#ifndef KT_PROTO_PEER_WIRE_H
#define KT_PROTO_PEER_WIRE_H

#include "proto/peer/peer.h"
#include "proto/peer/pulse_wire.h"

#define KT_SNAPSHOT_FIELDS 9u
extern const struct kt_wire_field kt_snapshot_fields[KT_SNAPSHOT_FIELDS];

/* Heads ascending, each origin once; a compartment named.  Pure. */
bool kt_snapshot_form_ok(const struct kt_snapshot_piece *p);

#endif
