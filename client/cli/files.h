/* Whole files in and out, for the commands that make and read keys.
 *
 * A write either happens wholly or not at all: a temporary file beside the target, synced, then put in its place in one
 * step, and the folder synced.  Any thread; no state. */
#ifndef KT_CLI_FILES_H
#define KT_CLI_FILES_H

#include "proto/buffer.h"

#include <sys/types.h>

#define KT_PATH_MAX 4096u

/* "DIR/NAME" into out.  KT_EOVERSIZE. */
int kt_path_join(const char *dir, const char *name, char out[KT_PATH_MAX]) KT_MUST;

/* Appends the whole file.  KT_ENOTFOUND; KT_EOVERSIZE: more than bytes_max; KT_EIO (errno says why). */
int kt_file_read(const char *path, size_t bytes_max, struct kt_buf *out) KT_MUST;

/* The same for a secret; KT_ERIGHTS where others than its owner may read it.  Free with kt_buf_wipe_free. */
int kt_file_read_secret(const char *path, size_t bytes_max, struct kt_buf *out) KT_MUST;

enum kt_file_over { KT_FILE_NEW, KT_FILE_REPLACE };
/* KT_EDUPLICATE: it is there and `over` is KT_FILE_NEW; KT_EFULL, KT_EIO (errno says why). */
int kt_file_write(const char *path, mode_t mode, enum kt_file_over over, struct kt_bytes bytes) KT_MUST;

/* Makes one folder with mode 0700, or finds it there.  KT_EIO. */
int kt_folder_make(const char *path) KT_MUST;

#endif
