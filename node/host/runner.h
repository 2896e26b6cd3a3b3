/* The runner: the threads around the engine.  Lines and clients push, the opener decodes and opens frames ahead, the
 * engine thread takes what has gathered as one group.
 *
 *   nng's threads --frames--> opener --intakes--> engine <--requests, calls-- service thread, pages
 *
 * Each link has at most KT_INBOX_FRAMES_MAX frames between the line and the engine; then reading from it stops. */
#ifndef KT_HOST_RUNNER_H
#define KT_HOST_RUNNER_H

#include "engine/engine.h"

struct kt_runner;

struct kt_runner_config {
    struct kt_keyring *keyring;
    void *ctx;
    void (*resume)(void *ctx, uint64_t link); /* a link whose frame was refused has room again */
    void (*failed)(void *ctx, int code);      /* the engine cannot go on: end the process and recover */
};

int kt_runner_create(const struct kt_runner_config *c, struct kt_runner **out) KT_MUST;
/* Starts the threads on an open engine, which stays the caller's. */
int kt_runner_start(struct kt_runner *r, struct kt_engine *e) KT_MUST;
/* Lets the engine finish what it has taken, ends the threads, frees what still waited (its calls and requests with a
 * last turn of the engine, so that every request gets its reply). */
void kt_runner_stop(struct kt_runner *r);
void kt_runner_free(struct kt_runner *r);

/* Any thread.  A request and a call are refused with KT_EGONE once the runner is stopping or its engine has failed:
 * they are still the caller's, and nobody will answer them. */
void kt_runner_link_up(struct kt_runner *r, uint64_t link, kt_member member, bool roster_only);
void kt_runner_link_down(struct kt_runner *r, uint64_t link);
bool kt_runner_frame(struct kt_runner *r, uint64_t link, struct kt_bytes frame); /* false: no room */
/* KT_EAGAIN: too many bytes of requests wait already. */
int kt_runner_request(struct kt_runner *r, const struct kt_asker *asker, struct kt_bytes request) KT_MUST;
int kt_runner_call(struct kt_runner *r, void (*call)(void *arg, struct kt_engine *e), void *arg) KT_MUST;
/* From the engine: a frame of this link was handled. */
void kt_runner_frame_done(struct kt_runner *r, uint64_t link);

#endif
