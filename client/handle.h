/* Inside libkontor: a handle, its connections, and one exchange over one of them. */
#ifndef KT_CLIENT_HANDLE_H
#define KT_CLIENT_HANDLE_H

#include "proto/client/request.h"
#include "proto/schema/schema.h"

#include <kontor/kontor.h>

/* A reply that owns its bytes.  Start with zeros; kt_answer_free in any case. */
struct kt_answer {
    struct kt_arena arena;
    struct kt_buf bytes;
    struct kt_reply reply;
};

/* Asks over a connection of its own and waits: the node gets request->deadline_ms (0: 5000) for its part.  Gives the
 * error of the way, else the reply's code; the reply stands in *out wherever there is one (kind is not 0). */
int kt_handle_ask(struct kontor *k, struct kt_request *request, struct kt_answer *out) KT_MUST;
void kt_answer_free(struct kt_answer *a);

/* What a builder has made: its own error, or the record; parts of it are the builder's, the rest from the arena. */
int kt_record_get(const struct kontor_record *r, struct kt_arena *arena, struct kt_record *out) KT_MUST;

/* One value of a field out of a text or columns, as proto/schema/value.h encodes it; memory from the arena.  naming: only what
 * identifies the element is needed. */
int kt_field_value(const struct kt_schema_field *f, const char *text, const struct kontor_column *columns, size_t n,
                   bool naming, struct kt_arena *arena, struct kt_bytes *out) KT_MUST;

#endif
