/* The node's log: one line an event, for people and for grep.
 *
 *     2026-03-01T21:10:00.123Z warn peer-silent office=office-3 since_s=12 do="check the line"
 *
 * UTC time with milliseconds, level, the event's name (lower-case-with-dashes), then key=value pairs.  A value with
 * anything but printing characters, a blank, a quote or '=' stands in double quotes, with \" \\ and \xNN inside, so a
 * line stays one line whatever is logged.  Never log a customer's data: no name, no identifier, no text of a record;
 * log ids, numbers, offices and codes.
 *
 * Every function may be called from any thread; none from a signal handler.  A line that cannot be written (full disk)
 * is dropped and counted, and the next one that can be written is preceded by "log-dropped lines=N". */
#ifndef KT_HOST_LOG_H
#define KT_HOST_LOG_H

#include "proto/bytes.h"
#include "proto/errors.h"

#define KT_LOG_LINE_BYTES_MAX  2048u
#define KT_LOG_VALUE_BYTES_MAX 512u /* of one value, as it stands in the line; what is longer ends in ".." */

enum kt_log_level { KT_LOG_ERROR, KT_LOG_WARN, KT_LOG_INFO, KT_LOG_DEBUG, KT_LOG_LEVELS };

/* "error", "warn", "info", "debug", and back: KT_EINVAL where it is none of them. */
const char *kt_log_level_name(enum kt_log_level level);
int kt_log_level_of(const char *name, enum kt_log_level *out) KT_MUST;

struct kt_log;

/* Opens a log that takes events up to and including `most`.  path: a file, appended to and created 0640; NULL or "":
 * standard error.  KT_EIO with errno set; KT_ENOMEM. */
int kt_log_open(const char *path, enum kt_log_level most, struct kt_log **out) KT_MUST;
/* Opens the file again by its name, after somebody moved it away (SIGHUP).  On KT_EIO the old one stays in use. */
int kt_log_reopen(struct kt_log *log);
void kt_log_close(struct kt_log *log); /* NULL is nothing */

/* One key with its value.  Everything pointed to is read during the call only. */
struct kt_log_field {
    const char *key;
    enum { KT_FIELD_TEXT, KT_FIELD_UNSIGNED, KT_FIELD_SIGNED, KT_FIELD_HEX } kind;
    struct kt_bytes bytes; /* text, hex */
    uint64_t number;       /* unsigned; signed as two's complement */
};

static inline struct kt_log_field kt_log_text(const char *key, const char *v)
{
    return (struct kt_log_field){key, KT_FIELD_TEXT, kt_str(v ? v : "-"), 0};
}
static inline struct kt_log_field kt_log_number(const char *key, uint64_t v)
{
    return (struct kt_log_field){
        key, KT_FIELD_UNSIGNED, {NULL, 0},
          v
    };
}
static inline struct kt_log_field kt_log_signed(const char *key, int64_t v)
{
    return (struct kt_log_field){
        key, KT_FIELD_SIGNED, {NULL, 0},
          (uint64_t)v
    };
}
static inline struct kt_log_field kt_log_hex(const char *key, struct kt_bytes v)
{
    return (struct kt_log_field){key, KT_FIELD_HEX, v, 0};
}
/* error=KT_ENAME; say what to do with kt_error_advice in a "do" field where an operator can do something */
static inline struct kt_log_field kt_log_error(int code) { return kt_log_text("error", kt_error_name(code)); }

/* kt_log(log, KT_LOG_INFO, "link-up", kt_log_text("office", o), kt_log_number("ms", n)); a NULL log takes nothing */
#define kt_log(log, level, event, ...)                                                                                 \
    kt_log_write(log, level, event, (const struct kt_log_field[]){{.key = NULL}, ##__VA_ARGS__},                       \
                 sizeof((const struct kt_log_field[]){{.key = NULL}, ##__VA_ARGS__}) / sizeof(struct kt_log_field))
/* What kt_log calls: n fields; those without a key are left out. */
void kt_log_write(struct kt_log *log, enum kt_log_level level, const char *event, const struct kt_log_field *fields,
                  size_t n);

#endif
