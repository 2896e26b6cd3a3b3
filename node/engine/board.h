/* The notice board: what lookups need to know of the engine without asking it.  The engine writes it after each commit
 * and pulse; any thread reads it.  Copies go in and out under one lock. */
#ifndef KT_ENGINE_BOARD_H
#define KT_ENGINE_BOARD_H

#include "core/vector.h"
#include "proto/client/request.h"

struct kt_board;

int kt_board_create(struct kt_board **out) KT_MUST;
void kt_board_free(struct kt_board *b);

/* How much of an office's work is here. */
struct kt_board_office {
    char office[64];
    bool known;
    uint64_t complete_through_ms;
};
/* Engine thread.  What is held and visible, and how fresh each office is.  The board calls `changed` (set once) after
 * a post that moved the vector. */
int kt_board_post(struct kt_board *b, const struct kt_vector *held, const struct kt_board_office *offices,
                  uint32_t n) KT_MUST;
void kt_board_on_change(struct kt_board *b, void (*changed)(void *ctx), void *ctx);

/* Engine thread: the store is being made again, and lookups meanwhile miss what is held. */
void kt_board_shut(struct kt_board *b);
void kt_board_open(struct kt_board *b);
/* A lookup found the store whole where this said so (is even) before it and the same after it. */
uint64_t kt_board_turn(struct kt_board *b);

/* Does this node show everything these heads name? */
bool kt_board_covers(struct kt_board *b, const struct kt_head *heads, uint32_t n);
/* Freshness of every office; copies in the arena. */
int kt_board_freshness(struct kt_board *b, struct kt_arena *a, struct kt_office_freshness **out, uint32_t *n) KT_MUST;

#endif
