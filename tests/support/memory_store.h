/* The store port in memory: for engine tests and the simulator.  Deterministic, with faults on demand.
 *
 * A kt_memory_disk is what would be on the disk; a kt_store over it is one open of it.  Closing is a clean stop,
 * crashing is an end of the process (or of the machine) at that moment: what keys and journal committed is there
 * afterwards; the store environment survives the process, not the machine.
 *
 * Tables are immutable trees shared between versions, so a read transaction is a root, and a copy of a disk is cheap.
 * Threads: as the port says.  Faults and limits are set while no other thread is inside. */
#ifndef KT_SUPPORT_MEMORY_STORE_H
#define KT_SUPPORT_MEMORY_STORE_H

#include "ports/store.h"

struct kt_memory_disk;

int kt_memory_disk_new(struct kt_memory_disk **out) KT_MUST;
void kt_memory_disk_free(struct kt_memory_disk *d); /* after every store over it ended; NULL is nothing */
/* Another disk with the same content, as a copied folder: files_moved at its first open. */
int kt_memory_disk_copy(struct kt_memory_disk *d, struct kt_memory_disk **out) KT_MUST;

/* A copy that nobody can tell from its original: a machine's snapshot, back on the same boot with the same files. */
void kt_memory_disk_unmoved(struct kt_memory_disk *copy);

/* KT_EAGAIN: it is open already. */
int kt_memory_open(struct kt_memory_disk *d, struct kt_store **out) KT_MUST;
/* Ends the process as SIGKILL would (machine false), or the machine as a loss of power would.  Open transactions and
 * the store are gone, their pointers with them. */
void kt_memory_crash(struct kt_store *s, bool machine);

void kt_memory_reboot(struct kt_memory_disk *d); /* while closed: the next open is on another boot */

/* The nth call from now (1: the next) of any function of the port that can fail gives `err`; 0 disarms. */
void kt_memory_fail(struct kt_memory_disk *d, uint64_t nth, int err);
uint64_t kt_memory_calls(const struct kt_memory_disk *d); /* how many such calls there were so far */
/* The most bytes an environment may hold at a commit or while it is written (keys and values): past it KT_EFULL. */
void kt_memory_limit(struct kt_memory_disk *d, enum kt_env env, uint64_t bytes_max);
/* The medium spoils a row: whoever reads it gets KT_EDAMAGED, until it is written again; a store in which one is found
 * at an open has not survived, and no checkpoint is made of it.  At most 8 at a time; KT_ENOTFOUND, KT_ELIMIT. */
int kt_memory_damage(struct kt_memory_disk *d, enum kt_table table, struct kt_bytes key) KT_MUST;
/* Changes one stored value behind everybody's back, as bit rot would: flips one bit.  KT_ENOTFOUND. */
int kt_memory_rot(struct kt_memory_disk *d, enum kt_table table, struct kt_bytes key, size_t bit) KT_MUST;

#endif
