/* The inside of a working set, shared by the files that implement it (workset*.c) and by nobody else. */
#ifndef KT_ENGINE_WORKSET_STATE_H
#define KT_ENGINE_WORKSET_STATE_H

#include "engine/ward/workset.h"

#define HASH_NONFATAL_OOM 1 /* what finds no memory is not added, and its hh.tbl is NULL */
#include <uthash.h>

#define KT_WARD_KEY_BYTES    20u                                     /* compartment be32, ward 16 */
#define KT_ROW_KEY_BYTES_MAX (20u + 16u + 4u + KT_ELEMENT_BYTES_MAX) /* and entity 16, field be32, element */

/* A ward in the clear. */
struct kt_ws_ward {
    struct kt_ward ward; /* first: a struct kt_ward * is one of these */
    uint8_t key[KT_WARD_KEY_BYTES];
    bool row_dirty;         /* its own row (registers and sets) is to be written */
    struct kt_ws_row *rows; /* its list rows that were loaded, through `next` */
    UT_hash_handle hh;
};

/* One list row in the clear. */
struct kt_ws_row {
    uint8_t key[KT_ROW_KEY_BYTES_MAX];
    uint32_t key_len;
    bool existed; /* has a row on disk */
    struct kt_ward *ward;
    struct kt_ws_row *next; /* of the same ward */
    struct kt_slot slot;
    UT_hash_handle hh;
};

/* The buckets of one compartment, kept from transaction to transaction. */
struct kt_ws_digest {
    kt_compartment compartment;
    struct kt_sum sums[KT_DIGEST_BUCKETS], total; /* total: of all of them, moved with each */
    bool dirty[KT_DIGEST_BUCKETS], touched;       /* touched: some are dirty */
    struct kt_ws_digest *next;
};

struct kt_workset {
    struct kt_store *store;
    struct kt_keyring *keyring;
    struct kt_world *world;
    struct kt_txn *txn;
    bool write;
    struct kt_arena arena;
    struct kt_ws_ward *wards; /* by key */
    struct kt_ws_row *rows;   /* by key */
    struct kt_ws_digest *digests;
    const struct kt_vector *vector; /* of the merge going on */
    bool lost;                      /* kt_workset_set_lost */
    int err;                        /* of a callback that cannot give one back; commit gives it */
};

void kt_workset_ward_key(kt_compartment c, const struct kt_entity_id *id, uint8_t out[KT_WARD_KEY_BYTES]);
/* The plain text of a sealed row, in the arena.  KT_EDAMAGED where it does not open. */
int kt_workset_open_row(struct kt_workset *w, enum kt_table table, struct kt_bytes key, kt_compartment c,
                        struct kt_bytes sealed, struct kt_bytes *plain) KT_MUST;
/* A slot of a ward, be it in its row or a list row; NULL where there is none and none was to be made. */
int kt_workset_slot(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                    struct kt_bytes element, bool create, struct kt_slot **out) KT_MUST;
/* The row as this transaction sees it, loaded on first use; with `create` an empty one where there is none. */
int kt_workset_row_load(struct kt_workset *w, struct kt_ward *ward, const struct kt_entity_id *entity, uint32_t field,
                        struct kt_bytes element, bool create, struct kt_ws_row **out) KT_MUST;
int kt_workset_digest_load(struct kt_workset *w, kt_compartment c, struct kt_ws_digest **out) KT_MUST;
int kt_workset_digests_flush(struct kt_workset *w) KT_MUST;
void kt_workset_digests_drop(struct kt_workset *w);

#endif
