/* What a node left behind in its folder, so that the next start knows whether these are still the files it left.
 *
 * DIR/mark has two slots of 1 KiB, written in turn, each in place and synced: a full disk keeps no node from starting,
 * and a write that was cut off leaves the other slot.  A slot is a text, filled up with line ends:
 *
 *     kontor mark 2
 *     turn 12                                       the greater of both slots counts; even: the first slot
 *     boot 2c1f7b1e-5a7e-4f0e-9d0e-0d9a54f0a7a3     the boot it was written on ("-": unknown)
 *     clean 0                                       1: stopped cleanly, store synced
 *     store 1                                       1: the store environment may be trusted on this boot
 *     moved 0                                       1: the node has not learned its own head since files moved
 *     keys 2049 393221 17                           device, inode, last transaction of each data file
 *     journal 2049 393223 5120
 *     store 2049 393225 880
 *     sum 1f0c...                                   kt_hash_parts("mark", all before), hexadecimal
 *
 * A slot that does not read exactly so does not count.  Another version of these files, rows included, has another
 * number in the first line, and the sum as here: who knows only this one then leaves all of them alone.  (1 was before
 * values carried their proof, store/row_proof.h.) */
#ifndef KT_STORE_MARK_H
#define KT_STORE_MARK_H

#include "ports/store.h"

#define KT_BOOT_CHARS_MAX 63u

struct kt_file_id {
    uint64_t device, inode;
    uint64_t txn; /* the last transaction in it, at that time */
};

struct kt_mark {
    uint64_t turn;
    char boot[KT_BOOT_CHARS_MAX + 1];
    bool clean, store_ok, moved;
    struct kt_file_id file[KT_ENV_COUNT];
};

/* KT_ENOTFOUND: there is none.  KT_EDAMAGED: neither slot reads.  KT_EVERSION: another version wrote one of them. */
int kt_mark_read(int dir_fd, struct kt_mark *out) KT_MUST;
/* Durable on KT_OK, and m->turn is the next; on an error the mark before stands. */
int kt_mark_write(int dir_fd, struct kt_mark *m) KT_MUST;
/* The boot now, "-" where it cannot be read (which equals no boot). */
void kt_boot_read(const char *path, char out[KT_BOOT_CHARS_MAX + 1]);
bool kt_boot_same(const char *a, const char *b);

#endif
