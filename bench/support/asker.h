/* A client of a node, as libkontor's wire has it, in the shape benches need: requests made once and changed in place
 * between two sendings, replies taken as bytes and read outside the clock.
 *
 * Failures are said on standard error and give false.  One thread each. */
#ifndef KT_BENCH_ASKER_H
#define KT_BENCH_ASKER_H

#include "client/service.h"
#include "proto/client/request.h"

struct asker {
    struct kt_line *line;
    struct kt_arena records_arena, reply_arena;
    struct kt_record records[KT_RECORDS_PER_PUT_MAX];
    uint32_t records_len;
    struct kt_buf request;
};

bool asker_open(struct asker *a, const char *url);
void asker_close(struct asker *a); /* after a failed open too */

/* One JSON line more for the next put; sends the put when it is full. */
bool asker_put_line(struct asker *a, const char *json);
/* Sends what has gathered and waits until it is durable and visible; a refused record is a failure. */
bool asker_put_rest(struct asker *a);

/* Requests as bytes; free with kt_buf_free. */
bool asker_encode_put(struct asker *a, const char *json, struct kt_buf *out);
bool asker_encode_lookup(enum kt_lookup_by by, const char *system, const char *value, struct kt_buf *out);

/* There and back.  The reply is borrowed until the next request. */
bool asker_ask(struct asker *a, struct kt_bytes request, struct kt_bytes *reply);
/* What a reply says; borrowed until the next asker_read. */
bool asker_read(struct asker *a, struct kt_bytes bytes, struct kt_reply *out);
/* A put's reply: was its one record taken? */
bool asker_put_was_taken(struct asker *a, struct kt_bytes bytes);

/* "vector" of the node's status as text that is the same for the same vector, and how many batches it holds.  The
 * caller frees *vector. */
bool asker_vector(struct asker *a, char **vector, unsigned long long *batches);
/* What a node holds and says of it (vector, digests, how much is held) as text that is the same where offices agree,
 * which the caller frees, and how many peers it is linked to. */
bool asker_standing(struct asker *a, char **standing, unsigned *linked);

/* A place of fixed width inside a request, for numbers: finds `digits` (once in the request), or NULL. */
uint8_t *asker_find(struct kt_buf *request, const char *digits);
void asker_write(uint8_t *place, unsigned width, uint64_t number);

#endif
