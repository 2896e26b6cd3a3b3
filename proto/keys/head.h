/* The head of whatever stands alone outside protobuf: which suite, and what it is.
 *
 * Bytes: suite (be32), length of the label (1 byte), the label's text.  So a bundle handed in for an identity, or one
 * of a suite this binary does not know, is refused by name before anything of it is opened. */
#ifndef KT_PROTO_HEAD_H
#define KT_PROTO_HEAD_H

#include "proto/keys/keys.h"

void kt_head_put(struct kt_buf *out, enum kt_label label);
/* KT_ETRUNCATED; KT_ESUITE: another suite than KT_SUITE_1; KT_ELABEL: something else.  Also kept in r->err. */
int kt_head_take(struct kt_reader *r, enum kt_label label) KT_MUST;

#endif
