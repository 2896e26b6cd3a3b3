/* The inside of the judge: judge.c (which writes happened, and what is live), judge_shown.c, judge_found.c,
 * judge_links.c (what a lookup shows), judge_order.c (when), judge_end.c (all of it, at the end). */
#ifndef KT_SIM_JUDGE_H
#define KT_SIM_JUDGE_H

#include "sim/sim.h"

struct sim_write {
    struct sim_key key;
    uint32_t number;          /* in its value */
    enum sim_verdict verdict; /* of a link */
    bool cut;                 /* it lies beyond what counts of its author */
    bool adds, at_risk, lost; /* lost: its author, restored, has used its number again */
    unsigned ward, place;     /* whose erasure kills it: see struct sim_heard */
    uint32_t generation;
    struct kt_head head;
    kt_hlc at;
    struct kt_vector seen;            /* by its author, itself included */
    uint32_t *replaces, replaces_len; /* indexes into writes */
    uint32_t before;                  /* the entity's write before it: its place, from 1; 0: none */
};

/* Does somebody who holds `v` hold this write? */
bool judge_covers(const struct kt_vector *v, const struct sim_write *w);
/* Is it dead to somebody who has heard so much? */
bool judge_dead(const struct sim_heard *e, const struct sim_write *w);
/* Indexes, the newest first, of what is live of one key (element UINT32_MAX: of all its elements) to one who holds `v`
 * and has heard of erasures `e`. */
uint32_t judge_live_at(const struct sim *s, const struct kt_vector *v, const struct sim_heard *e,
                       const struct sim_key *k, uint32_t *out);
uint32_t *judge_room(const struct sim *s); /* for as many indexes as there are writes; free() */

#endif
