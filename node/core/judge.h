/* Is this batch valid, and which of its envelopes count?  The same answer at every node: it depends on the roster the
 * seal names, on what of the origin is held, and on nothing local. */
#ifndef KT_CORE_JUDGE_H
#define KT_CORE_JUDGE_H

#include "core/vector.h"
#include "proto/batch/batch.h"
#include "proto/roster/roster.h"

/* Chain and standing of one batch whose form and hashes were checked by kt_batch_decode.  `named` is the roster of the
 * version the seal names (NULL: not here, KT_EROSTER), `newest` the newest held (for cuts), `head` the origin's last
 * batch held (NULL: none).
 * KT_ECLUSTER, KT_EROSTER, KT_EHASH (roster hash differs), KT_ENOTMEMBER, KT_ESIGNATURE, KT_EVERSION (roster version
 * falls), KT_EDUPLICATE (same seal, or below the head), KT_EFORK (another seal at the head's number, or a previous hash
 * that is not the head's), KT_EGAP, KT_ECUT (before anything about the chain). */
int kt_judge_batch(const struct kt_batch *b, const struct kt_cluster *cluster, const struct kt_roster *named,
                   const struct kt_roster *newest, const struct kt_vector_entry *head) KT_MUST;
/* The part of it that needs no head, so that it can run ahead: everything up to the signature. */
int kt_judge_seal(const struct kt_batch *b, const struct kt_cluster *cluster, const struct kt_roster *named) KT_MUST;

/* The rest of it, for one whose seal was judged good: cuts, and its place in the chain. */
int kt_judge_standing(const struct kt_batch *b, const struct kt_roster *newest,
                      const struct kt_vector_entry *head) KT_MUST;

/* Where one life of a member has two sides. */
struct kt_fork {
    struct kt_origin origin;
    uint64_t number; /* the two sides differ here, and may have parted before */
    bool first;      /* they parted here: both follow the same batch */
};
/* Two seals, each verified, that no unbroken life can have made: two of one number, or one that does not follow the
 * other.  KT_EINVAL: they prove nothing. */
int kt_judge_fork(const struct kt_batch *a, const struct kt_batch *b, struct kt_fork *out) KT_MUST;

/* Does this section count: KT_OK, KT_EVOID (the origin may not write the compartment), KT_ECUT. */
int kt_judge_section(const struct kt_seal *seal, uint32_t section, const struct kt_roster *named,
                     const struct kt_roster *newest) KT_MUST;
/* After opening: the tag belongs to the ward of the change, and the change is well formed.  KT_EVOID otherwise. */
int kt_judge_change(const struct kt_compartment_keys *keys, const struct kt_tag *tag,
                    const struct kt_change *change) KT_MUST;

#endif
