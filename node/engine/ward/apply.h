/* A batch becomes state: every open envelope is merged in order, held ones are put aside, debts that can no longer be
 * called in are dropped.  Engine thread; inside the working set's write transaction. */
#ifndef KT_ENGINE_APPLY_H
#define KT_ENGINE_APPLY_H

#include "core/vector.h"
#include "engine/ward/opener.h"
#include "engine/ward/workset.h"

struct kt_apply_count {
    uint64_t ops, held, voided, opened_late;
};

/* Merges one change.  List rows without an element id take their packed dot as one. */
int kt_apply_change(struct kt_workset *w, const struct kt_vector *before, struct kt_op_context at,
                    const struct kt_change *change) KT_MUST;

/* `before`: what was held when the batch came; `position`: its place in the journal. */
int kt_apply_batch(struct kt_workset *w, const struct kt_vector *before, struct kt_opened *o, uint64_t position,
                   struct kt_apply_count *count) KT_MUST;

/* A walk round the held envelopes, some at a time: a member may have sent any number that nobody can open.  All zeros to
 * begin with. */
struct kt_held_walk {
    uint8_t at[KT_DOT_BYTES]; /* goes on here */
    uint64_t left;            /* still to be looked at */
};

/* Tries held envelopes again, after keys or rosters came (`again`: once round, from where it stands).  Those that open
 * are merged late.  walk->left: more is to be done. */
int kt_apply_held(struct kt_workset *w, const struct kt_vector *held, bool again, struct kt_held_walk *walk,
                  struct kt_apply_count *count) KT_MUST;

/* Data keys that held envelopes wait for (at most KT_WRAPS_PER_FRAME_MAX, each time the next ones), and how many are
 * held; in the arena. */
int kt_apply_lacking(struct kt_workset *w, struct kt_held_walk *walk, struct kt_arena *arena, struct kt_dek_id **ids,
                     uint32_t *n, uint64_t *held) KT_MUST;

#endif
