/* The opener: verify, hash, unwrap, open, decode - pure work ahead of the engine, on a thread of its own or inline.
 *
 * What it finds depends on the batch, the rosters, the keys and the erasures alone.  Where a key is missing the
 * envelope is held; the engine tries again whenever keys come. */
#ifndef KT_ENGINE_OPENER_H
#define KT_ENGINE_OPENER_H

#include "core/judge.h"
#include "engine/keys/keyring.h"
#include "proto/batch/batch.h"

enum kt_fate {
    KT_FATE_OPEN,   /* `change` is to be merged */
    KT_FATE_HELD,   /* entitled, cannot be opened yet; why: KT_EKEY, KT_EVERSION */
    KT_FATE_VOID,   /* counts for nothing, the same everywhere */
    KT_FATE_BLIND,  /* a compartment this node does not read */
    KT_FATE_ERASED, /* covered by an erasure */
};

struct kt_opened_envelope {
    enum kt_fate fate;
    int why; /* KT_OK, or why it is held or void */
    struct kt_envelope_place place;
    struct kt_clear clear; /* all but blind */
    struct kt_bytes clear_bytes, cipher;
    kt_hlc stamp;
    struct kt_change change; /* open only; in the arena */
};

struct kt_opened {
    struct kt_bytes bytes; /* the batch as received */
    struct kt_batch batch;
    uint32_t judged_by; /* version of the newest roster then: by its cuts its sections count */
    uint64_t erasures;  /* those known then (kt_keyring_erasures): they say which items may lack their content */
    int verdict;        /* KT_OK: form, hashes and signature are good; else why not (kt_judge_seal) */
    struct kt_opened_envelope *envelopes;
    uint32_t envelopes_len;
    struct kt_bytes *wraps; /* those that came with it and are what its section headers say */
    uint32_t wraps_len;
};

/* Everything borrows from `bytes`, `wraps` and the arena.  An error is one of this machine's (KT_ENOMEM, KT_ELIMIT,
 * KT_EIO); what is wrong with the batch is its verdict.  packer: decompression state of the calling thread, or NULL. */
int kt_open_batch(struct kt_keyring *k, struct kt_packer *packer, struct kt_bytes bytes, const struct kt_bytes *wraps,
                  uint32_t wraps_len, struct kt_arena *arena, struct kt_opened *out) KT_MUST;

/* Opens one envelope whose place, clear part and ciphertext are set; sets fate, why, change. */
int kt_open_envelope(struct kt_keyring *k, struct kt_packer *packer, struct kt_arena *arena,
                     struct kt_opened_envelope *e) KT_MUST;

#endif
