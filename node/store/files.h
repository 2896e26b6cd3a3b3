/* Files, whole: read, replaced and copied durably.  Errors as KT_EIO, KT_EFULL, KT_ENOTFOUND, KT_ENOMEM. */
#ifndef KT_STORE_FILES_H
#define KT_STORE_FILES_H

#include "proto/bytes.h"
#include "proto/errors.h"

#include <sys/types.h>

int kt_errno_error(int err); /* an errno as one of ours; KT_EIO for what has no name here */

int kt_write_all(int fd, struct kt_bytes bytes) KT_MUST;
/* Exactly len bytes at `offset`; KT_ETRUNCATED past the end of the file. */
int kt_read_at(int fd, void *out, size_t len, uint64_t offset) KT_MUST;

/* The whole file, at most cap bytes of it (KT_EOVERSIZE). */
int kt_file_read(int dir_fd, const char *name, void *out, size_t cap, size_t *len) KT_MUST;
/* name := bytes, in one step that survives a loss of power (name.new, fsync, rename, fsync of the folder). */
int kt_file_replace(int dir_fd, const char *name, struct kt_bytes bytes) KT_MUST;
/* A copy of an open file under `name` (which must not exist); synced where asked. */
int kt_file_copy(int from_fd, int dir_fd, const char *name, bool sync) KT_MUST;

/* A folder below dir_fd, made (0700, durably) where missing, opened. */
int kt_dir_open(int dir_fd, const char *name, int *out) KT_MUST;
int kt_dir_sync(int dir_fd) KT_MUST;

#endif
