/* The desk: where clients' requests are sorted.  Lookups and conflicts are answered on the service thread from the
 * store; puts and resolutions go to the engine; status is asked of the engine; verification runs on a thread of its
 * own, one at a time.  A lookup that waits for a token stays here until the board shows it or its deadline passes. */
#ifndef KT_HOST_DESK_H
#define KT_HOST_DESK_H

#include "engine/board.h"
#include "engine/lookup/lookup.h"
#include "host/runner.h"
#include "net/service.h"

struct kt_desk;

/* What a client may see and write: the bits of its admission index this table; 0 is everything the node may. */
struct kt_desk_grant {
    const kt_compartment *compartments;
    uint32_t len;
};

struct kt_desk_config {
    struct kt_lookup_config lookup;
    struct kt_runner *runner;
    struct kt_board *board;
    const struct kt_desk_grant *grants;
    uint32_t grants_len;
    void *ctx;
    /* Both append a JSON document (DESIGN section 11).  status: on the engine thread; verify: on a thread of the desk,
     * gives KT_OK, KT_EDAMAGED with the document, or another error. */
    int (*status)(void *ctx, struct kt_engine *e, struct kt_buf *json);
    int (*verify)(void *ctx, struct kt_buf *json);
    void (*damaged)(void *ctx); /* a lookup met what is not what was written; on the service thread */
};

int kt_desk_create(const struct kt_desk_config *c, struct kt_desk **out) KT_MUST;
/* Once the service is open; before any request. */
void kt_desk_serve(struct kt_desk *d, struct kt_service *s);
void kt_desk_free(struct kt_desk *d); /* after the service and the runner have ended */

/* From the service thread: a request; and that waiting lookups are to be looked at again. */
void kt_desk_request(struct kt_desk *d, struct kt_client_ref from, const struct kt_client_admission *who,
                     struct kt_bytes request);
void kt_desk_check(struct kt_desk *d);
/* The engine's: the reply of a put or resolution. */
void kt_desk_reply(struct kt_desk *d, const struct kt_asker *to, struct kt_bytes reply);

/* Lookup latencies since the start, for metrics: bucket i counts those below 2 us * 2^i. */
struct kt_desk_count {
    uint64_t lookups, found, damaged, sum_ns, buckets[20];
};
void kt_desk_count(struct kt_desk *d, struct kt_desk_count *out);

#endif
