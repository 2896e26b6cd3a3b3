/* What the faces of health share (health.c, metrics.c), and nobody else needs. */
#ifndef KT_HOST_HEALTH_STATE_H
#define KT_HOST_HEALTH_STATE_H

#include "host/health.h"

#define KT_PROBLEMS_MAX 64u

struct kt_problems {
    struct kt_problem items[KT_PROBLEMS_MAX];
    uint32_t len;
};

/* Everything wrong at this moment; sentences live in the arena. */
void kt_health_problems(const struct kt_health_config *c, const struct kt_engine_status *s, struct kt_arena *a,
                        struct kt_problems *out);
const char *kt_health_office(const struct kt_health_config *c,
                             kt_member m); /* "unknown" where it is not in the roster */
uint64_t kt_health_bytes(const struct kt_health_config *c, const struct kt_engine_status *s, uint64_t batches);
bool kt_health_silent(const struct kt_engine_status *s, const struct kt_peer_status *p);

#endif
