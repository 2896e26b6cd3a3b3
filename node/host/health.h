/* Health: what is wrong and what to do about it; the status document and the metrics are its two faces.
 *
 * Everything here runs on the engine thread (as a call of the runner), and reads what it shows at one moment between
 * two groups: digests are exactly those at the vector shown.  What is not known is null, or left out of the metrics,
 * never 0. */
#ifndef KT_HOST_HEALTH_H
#define KT_HOST_HEALTH_H

#include "engine/engine.h"
#include "host/desk.h"
#include "net/link.h"

struct kt_health_config {
    struct kt_keyring *keyring;
    struct kt_store *store;
    struct kt_links *links;     /* NULL: none yet */
    struct kt_service *service; /* NULL: none yet */
    struct kt_desk *desk;
    const struct kt_store *lmdb; /* the same store, whose kept damaged files are told; NULL: it is no LMDB store */
};

/* One thing that is wrong. */
struct kt_problem {
    const char *what;   /* a sentence */
    const char *office; /* the one concerned; "" where it is this node as a whole */
    uint64_t since_ms;  /* wall clock; 0: not known */
    const char *action; /* what to do */
};

/* Appends the status document of DESIGN section 11. */
int kt_health_status(const struct kt_health_config *c, struct kt_engine *e, struct kt_buf *json) KT_MUST;
/* Appends the metrics in the text format of Prometheus (version 0.0.4). */
int kt_health_metrics(const struct kt_health_config *c, struct kt_engine *e, struct kt_buf *text) KT_MUST;
/* Ready: admitted, recovered, and able to commit.  *why: what is missing, static. */
bool kt_health_ready(const struct kt_health_config *c, struct kt_engine *e, const char **why);

#endif
