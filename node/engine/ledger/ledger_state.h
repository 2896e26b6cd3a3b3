/* The inside of a ledger, shared by the files that implement it (ledger*.c) and by nobody else. */
#ifndef KT_ENGINE_LEDGER_STATE_H
#define KT_ENGINE_LEDGER_STATE_H

#include "engine/journal/journal.h"
#include "engine/journal/journal_writer.h"
#include "engine/ledger/ledger.h"
#include "engine/view/views.h"

#define KT_GROUP_RECORDS 1024u /* batches of one group; more wait for the next */

/* The batch of our own that this group fills. */
struct kt_draft {
    bool open;
    uint64_t number;
    uint32_t record; /* its place among the group's records: reserved when it was opened */
    struct kt_draft_envelope envelopes[KT_ENVELOPES_PER_BATCH_MAX];
    uint32_t len;
    size_t bytes; /* about what it will take */
    kt_hlc stamp_max;
    struct {
        kt_compartment compartment;
        uint32_t count;
    } sections[KT_SECTIONS_PER_BATCH_MAX];
    uint32_t sections_len;
};

struct kt_ledger {
    struct kt_store *store;
    struct kt_keyring *keyring;
    struct kt_world *world;
    struct kt_workset *workset;
    struct kt_views *views;
    struct kt_journal_writer *writer;
    struct kt_packer *packer;
    void (*progress)(void *ctx, uint64_t position, uint64_t last);
    void *progress_ctx;

    struct kt_origin origin;
    struct kt_clock clock;
    kt_hlc ceiling;
    struct kt_vector vector; /* held and not cut, with what the open group took */
    struct kt_origin *cut;   /* of which the journal has more than counts */
    size_t cut_len, cut_cap;
    uint64_t position;       /* of the last batch in the journal (without the open group) */
    uint64_t store_position; /* that the store reflects */
    uint64_t store_life;
    uint64_t erased; /* names the erasures the store heeds, and the journal; and those it is being swept for */
    uint64_t swept, sweeping, sweep_at;
    uint64_t store_roster; /* version of the roster whose cuts it heeds */

    bool in_group;
    int lost;              /* why what is held could not be read back after a group that failed */
    struct kt_arena arena; /* of the open group */
    struct kt_wrap_group *wraps;
    struct kt_journal_record records[KT_GROUP_RECORDS];
    uint32_t records_len;
    struct kt_draft draft;
    struct kt_wrote wrote[KT_GROUP_RECORDS];
    uint32_t wrote_len;
    struct kt_journal_group group;
    struct kt_journal_pulse_record pulses[KT_MEMBERS_MAX];
    uint32_t pulses_len;
    struct kt_hole *holes; /* of the journal, as they were read last */
    uint32_t holes_len, holes_cap;
    uint32_t without;            /* batches of the journal that the store was made without */
    bool touched;                /* the store changes in this group */
    struct kt_apply_count count; /* since the start */
    struct kt_held_walk retried, lacking;
    uint64_t groups, commit_ns_last;
};

/* ledger_holes.c.  Of the journal, in its transaction; and of the store: what it was made without. */
int kt_ledger_read_holes(struct kt_ledger *l, struct kt_txn *journal) KT_MUST;
/* Heads are rows that change in place: a page of an older time looks sound.  KT_EDAMAGED: they are not those of the
 * batches here. */
int kt_ledger_check_heads(struct kt_ledger *l, struct kt_txn *journal) KT_MUST;
void kt_ledger_read_without(struct kt_ledger *l); /* errors are sticky in its transaction */
const struct kt_hole *kt_ledger_hole_at(const struct kt_ledger *l, uint64_t position); /* NULL: none */
/* In the open transaction of the store: it is made without this batch. */
int kt_ledger_pass_hole(struct kt_ledger *l, const struct kt_hole *hole) KT_MUST;
/* Batches that have come since are applied. */
int kt_ledger_apply_filled(struct kt_ledger *l, const struct kt_vector *vector) KT_MUST;

/* Merges a plan and puts its envelopes into the draft; *fatal: a failure leaves half of it behind. */
int kt_ledger_write_plan(struct kt_ledger *l, const struct kt_plan *plan, struct kt_token *token, bool *fatal) KT_MUST;
/* Seals the open draft, if any, into its reserved record. */
int kt_ledger_seal(struct kt_ledger *l) KT_MUST;
/* Makes the store reflect the whole journal. */
int kt_ledger_catch_up(struct kt_ledger *l) KT_MUST;
/* Reads vector and position back from the journal, position and vector of the store likewise. */
int kt_ledger_reload(struct kt_ledger *l) KT_MUST;
/* ledger_cuts.c: takes off the vector, as it was read from the journal, what does not count. */
int kt_ledger_clip(struct kt_ledger *l, struct kt_txn *journal) KT_MUST;
/* ledger_erase.c: takes what is erased out of a batch that is to be kept; *bytes: in the arena where that changes it.
 */
int kt_ledger_strip(struct kt_ledger *l, struct kt_batch *b, struct kt_arena *arena, struct kt_bytes *bytes) KT_MUST;
/* What store and journal say they heed; within a transaction of the store. */
int kt_ledger_load_erased(struct kt_ledger *l) KT_MUST;
/* Makes the store again where other cuts were in force when batches were applied to it. */
int kt_ledger_fit_store(struct kt_ledger *l, bool *made_again) KT_MUST;
/* The store's life in tokens, durably; its rows of store_meta otherwise. */
int kt_ledger_write_life(struct kt_ledger *l, uint64_t life) KT_MUST;
int kt_ledger_store_number(struct kt_ledger *l, const char *name, uint64_t *out) KT_MUST; /* KT_ENOTFOUND */
/* Writes what the store has to say of itself: position, cuts, and the heads that these records moved. */
int kt_ledger_mark_store(struct kt_ledger *l, const struct kt_vector_entry *heads, uint32_t n,
                         uint64_t position) KT_MUST;

#endif
