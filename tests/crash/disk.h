/* What a loss of power can leave of a disk, from a trace of what was asked of it (trace.h).
 *
 * The model: each sector of a file (512 bytes), and each entry of a folder, is on its own.  What a sync covered is
 * there.  Of what came later a sector shows any one state it has had since, so writes come torn and in any order; the
 * file's length is any it has had since; an entry of a folder is any it has been since.  A sync that failed covers
 * nothing, and neither does a later one unless the sector was written again: the kernel takes it for clean.
 * A write through O_DSYNC covers its own sectors.  The call at the moment itself is half done.
 *
 * Not modelled: sectors that lie about being synced, garbage in sectors never written (they read as zeros). */
#ifndef KT_CRASH_DISK_H
#define KT_CRASH_DISK_H

#include "crash/trace.h"
#include "support/dice.h"

#include <stddef.h>

struct disk_call {
    enum kt_trace_call call;
    uint32_t flags, data_len;
    uint64_t offset;
    uint32_t file; /* index of the file it is about; not of names */
    const uint8_t *data;
    char path[96], second[96]; /* below the minded folder */
};
struct disk_file {
    uint64_t inode;
    char path[96]; /* it was created under */
    uint64_t size_max;
};
struct disk {
    uint8_t *bytes;
    size_t len;
    struct disk_call *calls;
    uint32_t calls_len;
    struct disk_file files[256];
    uint32_t files_len;
};

void disk_load(struct disk *d, const char *trace);
void disk_free(struct disk *d);

/* The notebook's text as of a moment (before call `moment`): the caller's to free. */
char *disk_notebook(const struct disk *d, uint32_t moment, size_t *len);

enum disk_end {
    DISK_POWER,  /* as above, seeded */
    DISK_KILLED, /* only the process ended: everything it did is there, the last call torn */
};
#define DISK_NAMES_MAX 64u
struct disk_image { /* which files it holds, and which inodes they had */
    struct {
        char path[96];
        uint64_t inode;
    } files[DISK_NAMES_MAX];
    uint32_t len;
};
/* Builds what is left under `to` (made; must not exist), with the moment between calls moment - 1 and moment, call
 * `moment` under way.  The two lock files of LMDB are left out, empty, or garbage. */
void disk_build(const struct disk *d, uint32_t moment, enum disk_end how, struct dice *dice, const char *to,
                struct disk_image *image);

#endif
