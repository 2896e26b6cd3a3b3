/* The trace: what a process asked of the disk, call by call, as tests/crash/shim.c wrote it down.
 *
 * A run of records, each {kt_trace_record, path, second path, data}, in the order in which the calls took effect: the
 * shim holds a lock over call and record.  Each record but those of the
 * notebook is a call that faults count (KT_SHIM_NTH). */
#ifndef KT_CRASH_TRACE_H
#define KT_CRASH_TRACE_H

#include <stdint.h>

/* A file of this name at the top of the folder is recorded, and meets no fault: what the workload noted, when. */
#define KT_TRACE_NOTEBOOK "notebook"

enum kt_trace_call {
    KT_TRACE_CREATE = 1, /* path: a new file, by open */
    KT_TRACE_MKDIR,      /* path */
    KT_TRACE_WRITE,      /* offset, data */
    KT_TRACE_TRUNCATE,   /* offset: the new size */
    KT_TRACE_SYNC,       /* of a file, or (path not empty) of that folder */
    KT_TRACE_RENAME,     /* path -> second path */
    KT_TRACE_LINK,       /* path -> second path */
    KT_TRACE_UNLINK,     /* path */
};
enum kt_trace_flag {
    KT_TRACE_DURABLE = 1, /* a write through O_DSYNC: on disk when it returned */
    KT_TRACE_FAILED = 2,  /* it gave an error; what is recorded may have happened, and is not durable */
};

struct kt_trace_record {
    uint32_t call, flags;
    uint64_t file;   /* inode; numbers come again after CREATE */
    uint64_t offset; /* of a sync: how many records stood when it began */
    uint32_t path_len, second_len, data_len, spare;
};

#endif
