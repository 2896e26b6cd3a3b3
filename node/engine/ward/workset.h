/* The working set: the states of wards in the clear for one store transaction.  Each is opened once, changed, sealed
 * and put once, in key order.  Engine thread only, but for the read-only form that lookups use.
 *
 * A ward's state in a compartment is a set of slots (core/merge.h).  Registers and sets of a ward stand in one row;
 * each row of a list has a row of its own, so that a long history costs what is touched of it. */
#ifndef KT_ENGINE_WORKSET_H
#define KT_ENGINE_WORKSET_H

#include "core/digest.h"
#include "core/merge.h"
#include "core/vector.h"
#include "engine/keys/keyring.h"
#include "proto/schema/schema.h"

struct kt_workset;

/* One ward in one compartment; belongs to the workset, until its end. */
struct kt_ward {
    kt_compartment compartment;
    struct kt_entity_id id;
    struct kt_slot **slots; /* registers and sets, in slot order; list rows are not here */
    uint32_t slots_len, slots_cap;
    uint32_t generation; /* below which everything is erased; writes use it; 0 where nothing was erased */
    bool found;          /* has or had a row */
    bool dirty;          /* changed in this transaction: views must follow */
};

int kt_workset_create(struct kt_store *store, struct kt_keyring *keyring, struct kt_world *world,
                      struct kt_workset **out) KT_MUST;
void kt_workset_free(struct kt_workset *w);
/* A store transaction; write: at most one at a time, the engine's.  A read-only workset never flushes. */
int kt_workset_begin(struct kt_workset *w, bool write) KT_MUST;
struct kt_txn *kt_workset_txn(struct kt_workset *w);
struct kt_store *kt_workset_store(struct kt_workset *w);
struct kt_keyring *kt_workset_keyring(struct kt_workset *w);
struct kt_arena *kt_workset_arena(struct kt_workset *w); /* lives as long as the transaction */
struct kt_world *kt_workset_world(struct kt_workset *w);
/* Writes every dirty row; the transaction stays open. */
int kt_workset_flush(struct kt_workset *w) KT_MUST;
int kt_workset_commit(struct kt_workset *w) KT_MUST; /* flush and commit; ends the transaction either way */
void kt_workset_abort(struct kt_workset *w);
/* Another store stands under it, by the port's restore or discard: what was kept of the one before goes. */
void kt_workset_exchanged(struct kt_workset *w);

/* The ward, loaded on first use (empty where it has no row).  KT_EKEY: this node does not read the compartment;
 * KT_EDAMAGED: its row does not open. */
int kt_workset_ward(struct kt_workset *w, kt_compartment c, const struct kt_entity_id *ward,
                    struct kt_ward **out) KT_MUST;
/* NULL where there is none. */
struct kt_slot *kt_ward_slot(const struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                             struct kt_bytes element);
/* All slots of (entity, field), contiguous: index of the first, and how many. */
uint32_t kt_ward_field(const struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field, uint32_t *first);

/* A list row by its element; NULL with KT_OK where there is none. */
int kt_workset_row(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                   struct kt_bytes element, struct kt_slot **out) KT_MUST;
/* Every row of a list (also those changed and not yet flushed), unordered.  give() returns KT_OK to go on. */
int kt_workset_rows(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                    int (*give)(void *ctx, const struct kt_slot *row), void *ctx) KT_MUST;

/* The list rows of a ward that changed and are not yet flushed; existed: the row was there before this transaction. */
int kt_workset_rows_changed(struct kt_workset *w, struct kt_ward *ward,
                            int (*give)(void *ctx, const struct kt_slot *row, bool existed), void *ctx) KT_MUST;
/* The lists of an entity that have rows, or had some (also those changed and not yet flushed): ascending field numbers,
 * `max` at most. */
int kt_workset_lists(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t *fields,
                     uint32_t max, uint32_t *n) KT_MUST;

/* Takes out of every ward what is live below its generation, that is, what was erased; views must follow. */
int kt_workset_erase(struct kt_workset *w) KT_MUST;

/* The port merge works through, for ops that come with `at`; settled() asks `vector`. */
void kt_workset_merge_port(struct kt_workset *w, const struct kt_vector *vector, struct kt_merge_port *out);

/* Batches that the store was made without: a row of store_meta each, 'h', origin 12, number be64 -> nothing.  Merging
 * looks for them only where it was said that there are some. */
#define KT_LOST_KEY_BYTES (1u + KT_ORIGIN_BYTES + 8u)
void kt_workset_lost_key(struct kt_origin origin, uint64_t number, uint8_t out[KT_LOST_KEY_BYTES]);
void kt_workset_set_lost(struct kt_workset *w, bool some);

/* Wards changed in this transaction. */
int kt_workset_dirty(struct kt_workset *w, int (*give)(void *ctx, struct kt_ward *ward), void *ctx) KT_MUST;

/* Digest of a compartment as this transaction sees it. */
int kt_workset_digest(struct kt_workset *w, kt_compartment c, struct kt_hash *out) KT_MUST;

#endif
