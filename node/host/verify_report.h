/* What verification found, as the document that kontor verify prints. */
#ifndef KT_HOST_VERIFY_REPORT_H
#define KT_HOST_VERIFY_REPORT_H

#include "engine/verify.h"
#include "proto/buffer.h"

/* Appends it; `code` as kt_verify_run gave it.  KT_ENOMEM. */
int kt_verify_report_json(const struct kt_verify_report *r, int code, struct kt_buf *json) KT_MUST;

#endif
