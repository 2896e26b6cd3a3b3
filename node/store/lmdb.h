/* The disk of a node: the backend of ports/store.h over LMDB 0.9.24 and newer.
 *
 *   DIR/lock                       held (flock) as long as the store is open: one process per DIR
 *   DIR/mark                       what was left here: boot, file identities, stopped cleanly or not (store/mark.h)
 *   DIR/keys, journal, store/      one LMDB environment each: data.mdb, lock.mdb
 *   DIR/checkpoint/data.mdb        the verified copy of store
 *   DIR/keys, journal/salvage.mdb  was data.mdb until it was found damaged; what it holds is yet to be got back
 *   DIR/keys, journal/damaged-N.mdb  the same afterwards: nobody reads it any more, nobody deletes it
 *   DIR/keys, journal, store/condemned  found damaged while the node ran: set aside at the next open
 *
 * keys and journal: a commit that returned KT_OK survives a loss of power.  store: it survives the end of the process
 * (MDB_NOSYNC); after a loss of power it is discarded (kt_store.store_survived).
 *
 * Threads: read transactions of any number of threads; a write transaction is begun and ended by one thread, and a
 * second one of the same environment is refused with KT_EAGAIN (LMDB would wait, for ever in the same thread).
 * checkpoint may run on a thread of its own beside readers and writers.  restore and discard close and open the
 * environment: they return KT_EAGAIN while any transaction of it is open, and a begin meanwhile waits for them.
 *
 * Keys and values handed out are aligned to 2 bytes only.  They may be given to a put of the same transaction (a row
 * copied to another), but no part of a row above 2 KiB to a put of that same row.
 *
 * Errors besides those of the port: KT_EFULL (disk or map; nothing was changed, reading goes on), KT_EDAMAGED (the file
 * is no sound database), KT_EAGAIN, KT_EIO (anything else; after a failed commit end the process and recover). */
#ifndef KT_STORE_LMDB_H
#define KT_STORE_LMDB_H

#include "ports/salvage.h"
#include "ports/store.h"

struct kt_lmdb_config {
    const char *dir;                  /* made (mode 0700) where missing; its parent must exist */
    uint64_t map_bytes[KT_ENV_COUNT]; /* the most an environment can grow to; 0: 16, 256, 256 GiB.  Costs address space
                                         only.  A file that is larger already opens at its own size */
    uint64_t ahead_bytes;             /* zeros written ahead of the journal's end; 0: 16 MiB */
    uint32_t readers_max;             /* read transactions at once, other processes' included; 0: 1024 */
    const char *boot_id_path;         /* NULL: /proc/sys/kernel/random/boot_id */
    bool look_only;                   /* a damaged file is KT_EDAMAGED and stays where it is */
    /* One sentence about what is wrong with a file or was found at open, for the log; NULL: nobody listens.  Called
     * from within the calls of this header and of the port. */
    void (*say)(void *context, const char *sentence);
    void *context;
};

/* Opens the store, making what is missing.  `config` and its strings are copied.  Before LMDB sees a file, it is looked
 * at with distrust (store/mdb_file.h), all of it at every open.  What is damaged is set aside and begun anew: `store` is made again from the others (store_survived is false); of `keys` and `journal`
 * kt_lmdb_salvage_due is true then.  A directory made just now counts as survived and unmoved.  KT_EAGAIN: another
 * process holds DIR.  KT_EVERSION: a later version wrote the files; they stay as they are. */
int kt_lmdb_open(const struct kt_lmdb_config *config, struct kt_store **out) KT_MUST;

/* Salvage of `keys` or `journal`, before anything else is done with them.  Until it is done the environment counts for
 * nothing: each open empties it and begins again. */
bool kt_lmdb_salvage_due(const struct kt_store *s, enum kt_env env);
/* What the file that was set aside holds; the caller's to close.  KT_ENOTFOUND: nothing at all. */
int kt_lmdb_salvage_open(struct kt_store *s, enum kt_env env, struct kt_salvage **out) KT_MUST;
/* What could be got back is in the environment, durably: from here on it counts. */
int kt_lmdb_salvage_done(struct kt_store *s, enum kt_env env) KT_MUST;
/* Path of the newest file that was salvaged and kept; KT_ENOTFOUND: there is none (any more). */
int kt_lmdb_salvage_kept(const struct kt_store *s, enum kt_env env, char *path, size_t cap) KT_MUST;

/* What this environment holds was found wrong: at the next open it is set aside, whatever its structure.  Durable.
 * KT_ELIMIT: eight damaged files of it are kept already. */
int kt_lmdb_condemn(struct kt_store *s, enum kt_env env) KT_MUST;

/* Frees reader slots that dead processes left behind; call it every few seconds.  *cleared (may be NULL): how many. */
int kt_lmdb_check_readers(struct kt_store *s, int *cleared) KT_MUST;

/* Walks all of one environment's file, page by page, past LMDB: structure, order and counts of every table (the newest
 * commit; the environment is held in a read transaction meanwhile).  KT_EDAMAGED with a sentence through `say`.
 * Slow: it reads the whole file. */
int kt_lmdb_verify(struct kt_store *s, enum kt_env env) KT_MUST;

#endif
