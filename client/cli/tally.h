/* What became of many records: counted, the refused ones said on standard error, and an exit status in the end. */
#ifndef KT_CLI_TALLY_H
#define KT_CLI_TALLY_H

#include "client/cli/call.h"
#include "client/cli/json/json.h"

struct kt_tally {
    const char *what; /* in front of the number: "line", "row at line" */
    uint64_t accepted, refused;
    uint64_t wrong; /* refused for what they say, not for who says it or for the state of the node */
};

/* "WHAT N: field: reason: what to do".  Texts must be of one line; field and reason hold no colon (any is taken out).
 */
void kt_tally_refuse(struct kt_tally *t, uint32_t number, int code, const struct kt_json_fault *fault);
/* Says so much without counting it, with `besides` behind it; control characters of the input become blanks. */
void kt_tally_say(const struct kt_tally *t, uint32_t number, const struct kt_json_fault *fault, const char *besides);
/* The same for a record that the node judged. */
void kt_tally_refused_there(struct kt_tally *t, const struct kt_put_result *r, uint32_t kind);

/* 0, 4 (all were refused, none for what it says), 6. */
enum kt_exit kt_tally_exit(const struct kt_tally *t);

#endif
