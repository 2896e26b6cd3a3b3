/* The journal thread: it writes and syncs one group of batches while the engine applies it (DESIGN section 7).
 *
 * One group at a time: begin hands it over, wait takes it back.  A group goes in whole or not at all.  Between the two
 * the writer holds the journal's write transaction, so nobody else may begin one. */
#ifndef KT_ENGINE_JOURNAL_WRITER_H
#define KT_ENGINE_JOURNAL_WRITER_H

#include "engine/journal/journal.h"

struct kt_journal_record {
    struct kt_vector_entry head; /* already numbered: the next of its origin */
    struct kt_bytes batch;       /* borrowed until wait returns */
    uint64_t position;           /* out: where it lies; set by a wait that returns KT_OK, else as it was */
};
struct kt_journal_pulse_record {
    kt_member member;
    struct kt_bytes pulse; /* borrowed until wait returns */
};
struct kt_journal_group {
    struct kt_journal_record *records; /* in the order they are to be taken */
    size_t records_len;
    const struct kt_journal_pulse_record *pulses; /* go into the same commit */
    size_t pulses_len;
};

struct kt_journal_writer;

/* threaded: with a thread of its own; else begin does all the work (the simulator).  `s` outlives the writer. */
int kt_journal_writer_new(struct kt_store *s, bool threaded, struct kt_journal_writer **out) KT_MUST;
/* Waits for a group under way, then ends the thread; NULL is nothing. */
void kt_journal_writer_free(struct kt_journal_writer *w);

/* Hands a group over; it stays untouched by the caller until wait returns.  KT_EAGAIN: the one before was not waited
 * for.  begin and wait are called by one thread. */
int kt_journal_writer_begin(struct kt_journal_writer *w, const struct kt_journal_group *group) KT_MUST;
/* KT_OK: the group is durable, and records have their positions (also where no group was begun).  Else nothing of it
 * is in the journal, unless the error came from the commit itself and is other than KT_EFULL: then only a restart can
 * tell (DESIGN: any unexpected commit error ends the process). */
int kt_journal_writer_wait(struct kt_journal_writer *w) KT_MUST;

#endif
