/* The mark of a node names its files by device and inode.  A copy that stands for the same disk after a crash has other
 * inodes; here its mark is given those of the copy, wherever it named the file that the copy is of. */
#ifndef KT_CRASH_REMARK_H
#define KT_CRASH_REMARK_H

#include "crash/disk.h"

/* `home`: the copy's data_dir; `image`: what disk_build made, with its paths below the minded folder; `prefix`: home's
 * among them ("home/").  A slot that does not read stays as it is, byte for byte. */
void remark(const char *home, const char *prefix, const struct disk_image *image);

#endif
