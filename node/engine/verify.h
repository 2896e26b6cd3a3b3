/* Verify: walks journal and store against seals, keys and digests, in read transactions, beside a working node.
 *
 * First the files: each page of each environment is what it should be and each row what was written (ports/store.h);
 * what is damaged there is not walked further.  Journal: every batch decodes, its hashes and signature hold, its chain
 * and its name agree with where it lies.  Store: every row opens and reads; the digests summed up from the live values
 * are those kept; views open; every index entry and entity leads somewhere; the store's vector is not ahead of the
 * journal's. */
#ifndef KT_ENGINE_VERIFY_H
#define KT_ENGINE_VERIFY_H

#include "engine/keys/keyring.h"

struct kt_verify_report {
    uint64_t batches, states, rows, views, index_entries, held, damaged;
    /* The first findings, a sentence each: where, and what is wrong. */
    char findings[16][160];
    uint32_t findings_len;
};
/* KT_OK: sound.  KT_EDAMAGED: report->damaged places, the first named.  Others: it could not be done. */
int kt_verify_run(struct kt_store *store, struct kt_keyring *keyring, struct kt_verify_report *report) KT_MUST;

#endif
