/* What is held: for each (member, incarnation) the last batch, with the hash of its seal.  Sorted by origin.
 * One thread at a time; owns its memory. */
#ifndef KT_CORE_VECTOR_H
#define KT_CORE_VECTOR_H

#include "proto/peer/pulse.h"
#include "proto/roster/roster.h"

struct kt_vector_entry {
    struct kt_origin origin;
    uint64_t number;
    struct kt_hash seal_hash; /* zeros where not known */
    kt_hlc hlc;               /* of that seal; 0 where not known */
    uint32_t roster_version;  /* that seal named: versions never fall along a chain */
};
struct kt_vector { struct kt_vector_entry *entries; size_t len, cap; };

void kt_vector_free(struct kt_vector *v);
uint64_t kt_vector_get(const struct kt_vector *v, struct kt_origin o); /* 0: nothing of it */
const struct kt_vector_entry *kt_vector_find(const struct kt_vector *v, struct kt_origin o);
/* Sets an entry (never lowers: KT_EBUG).  KT_ENOMEM, KT_ELIMIT past KT_ORIGINS_MAX. */
int kt_vector_set(struct kt_vector *v, const struct kt_vector_entry *e) KT_MUST;
/* Room for len entries: kt_vector_set of as many does not fail then.  KT_ENOMEM, KT_ELIMIT. */
int kt_vector_reserve(struct kt_vector *v, size_t len) KT_MUST;
/* `to` is a vector ({0} or in use): its memory is used again. */
int kt_vector_copy(const struct kt_vector *from, struct kt_vector *to) KT_MUST;
/* Takes off what the roster's cuts (of whole origins) say does not count: cut batches count as present and empty. */
void kt_vector_clip(struct kt_vector *v, const struct kt_roster *roster);
bool kt_vector_covers(const struct kt_vector *v, const struct kt_head *heads, size_t n);
/* How many batches `have` holds that `lack` does not. */
uint64_t kt_vector_behind(const struct kt_vector *have, const struct kt_vector *lack);
/* Entries in order, packed (origin 12, number 8, with seals 32 more), in runs of 64:
 * h(i + 1) = BLAKE2b-256(label, h(i), run i), h(0) = zeros; an empty vector is one empty run. */
struct kt_hash kt_vector_hash(const struct kt_vector *v);       /* label "vector": origin, number... */
struct kt_hash kt_vector_seals_hash(const struct kt_vector *v); /* label "vector-seals": origin, number, seal hash... */
/* "member/incarnation" -> number as heads in an arena array */
int kt_vector_heads(const struct kt_vector *v, struct kt_arena *a, struct kt_head **heads, uint32_t *len) KT_MUST;

#endif
