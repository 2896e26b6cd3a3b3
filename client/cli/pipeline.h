/* A stream of records on its way to a node: gathered into puts, several of them under way at once, so that a slow line
 * or a synced disk costs its delay once and not per record.
 *
 * A put goes out when it has KT_PIPELINE_RECORDS records or KT_PIPELINE_BYTES bytes, or when the owner says so because
 * its input pauses.  The node takes the puts of one connection in their order.  One thread. */
#ifndef KT_CLI_PIPELINE_H
#define KT_CLI_PIPELINE_H

#include "client/cli/call.h"

#define KT_PIPELINE_RECORDS 64u
#define KT_PIPELINE_BYTES   (64u << 10)
#define KT_PIPELINE_PUTS    4u /* under way at once */

struct kt_pipeline;
struct kt_pipeline_config {
    const struct kt_cli *cli;
    const char *actor, *purpose, *case_ref, *basis; /* NULL: none */
    uint32_t copies, deadline_ms;                   /* deadline_ms 0: what the node thinks fit */
    void *ctx;
    /* The fate of one record, as the node told it (`kind` is the record's); results come in the order of records as
     * long as no copies are waited for.  Borrowed for the call. */
    void (*result)(void *ctx, const struct kt_put_result *r, uint32_t kind);
    /* After the results of one reply; may be NULL. */
    void (*replied)(void *ctx);
};

/* Connects: as kt_cli_connect. */
int kt_pipeline_open(const struct kt_pipeline_config *c, struct kt_pipeline **out) KT_MUST;
void kt_pipeline_close(struct kt_pipeline *p); /* NULL is nothing */

/* Where the next record's memory comes from; valid until that record was added. */
struct kt_arena *kt_pipeline_arena(struct kt_pipeline *p);
/* After any error but those of one record the line is over (KT_EGONE, KT_EDEADLINE, ...). */
int kt_pipeline_add(struct kt_pipeline *p, const struct kt_record *r) KT_MUST;
/* A record came to nothing after all: gives its memory back, at the latest when there is much of it. */
int kt_pipeline_drop(struct kt_pipeline *p) KT_MUST;
/* Sends what has gathered, and takes in what has come. */
int kt_pipeline_send(struct kt_pipeline *p) KT_MUST;
/* Takes in replies until `fd` can be read (KT_OK) or the node is gone. */
int kt_pipeline_wait_for(struct kt_pipeline *p, int fd) KT_MUST;
/* Sends the rest and takes in all that is still to come. */
int kt_pipeline_finish(struct kt_pipeline *p) KT_MUST;

/* Did some put miss its copies before the deadline?  Then the node's word for it, else empty. */
struct kt_bytes kt_pipeline_late(const struct kt_pipeline *p);

#endif
