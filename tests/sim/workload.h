/* The inside of the workload: workload.c (who is asked when, and what became of it), puts.c (what is asked). */
#ifndef KT_SIM_WORKLOAD_H
#define KT_SIM_WORKLOAD_H

#include "proto/client/token.h"
#include "sim/sim.h"

#define SIM_RECORDS_MAX 4u

struct sim_request {
    struct sim_request *next;
    unsigned office;
    uint32_t id;
    struct sim_intent intents[SIM_RECORDS_MAX];
    uint32_t numbers[SIM_RECORDS_MAX], len;
    struct kt_head results[SIM_RECORDS_MAX];
    bool changed[SIM_RECORDS_MAX];
    uint32_t copies;
    uint64_t asked_ms;
    bool resolves, answered, happened;
    int code;
};

struct sim_request *workload_new(struct sim_office *o);
void workload_send(struct sim_office *o, struct sim_request *r, const struct kt_request *request);

/* puts.c */
void workload_put(struct sim_office *o);
bool workload_resolve(struct sim_office *o); /* false: nothing is in conflict there */

#endif
