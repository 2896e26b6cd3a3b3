/* From an index to an answer.  Lookups run on their own threads with short read transactions and never wait for the
 * writer; a miss is confirmed by a second structure, since LMDB does not notice bit rot. */
#ifndef KT_ENGINE_LOOKUP_H
#define KT_ENGINE_LOOKUP_H

#include "engine/ward/workset.h"
#include "proto/client/request.h"

struct kt_lookup_config {
    struct kt_store *store;
    struct kt_keyring *keyring;
    struct kt_world *world;
    struct kt_bytes phone_country;
    uint64_t store_life; /* names this life of the store in tokens */
};
struct kt_lookup; /* one per thread */
int kt_lookup_create(const struct kt_lookup_config *c, struct kt_lookup **out) KT_MUST;
void kt_lookup_free(struct kt_lookup *l);

/* Which compartments the asker may read; NULL: all the node reads. */
struct kt_grant { const kt_compartment *compartments; uint32_t len; };

/* Fills reply->lookup (sections, matches, withheld, basis, display_id; not the freshness).  Memory from the arena.
 * KT_ENOTFOUND, KT_EINVAL, KT_EDAMAGED. */
int kt_lookup_run(struct kt_lookup *l, const struct kt_request *r, const struct kt_grant *grant, struct kt_arena *arena,
                  struct kt_reply *reply) KT_MUST;
/* Fills reply->conflicts: all (newest first, KT_MATCHES_MAX * 20 at most) or the one named, of compartments that the
 * asker may read; others do not exist for it.  KT_ENOTFOUND. */
int kt_lookup_conflicts(struct kt_lookup *l, struct kt_bytes conflict_id, const struct kt_grant *grant,
                        struct kt_arena *arena, struct kt_reply *reply) KT_MUST;

#endif
