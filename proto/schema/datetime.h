/* Calendar dates and times as text (RFC 3339), without the C library's zones and locales. */
#ifndef KT_PROTO_DATETIME_H
#define KT_PROTO_DATETIME_H

#include "proto/bytes.h"
#include "proto/errors.h"

#define KT_DATETIME_CHARS_MAX 40u /* with the closing NUL */

/* "1980-02-29": four digits of year, a day that exists.  KT_ETYPE. */
int kt_date_check(struct kt_bytes in) KT_MUST;
/* "2026-03-01T22:10:00+01:00", "2026-03-01 21:10:00Z" -> "2026-03-01T21:10:00Z".  A fraction stands only where one was
 * given that is not zero, nine digits at most.  The offset is required.  KT_ETYPE. */
int kt_datetime_canonical(struct kt_bytes in, char out[KT_DATETIME_CHARS_MAX]) KT_MUST;
/* Milliseconds since 1970 in the canonical form; `fraction`: with the milliseconds, where they are not zero. */
void kt_datetime_of_ms(uint64_t ms, bool fraction, char out[KT_DATETIME_CHARS_MAX]);

#endif
