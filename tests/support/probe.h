/* Small rows that know what they should be, and files changed behind a store's back. */
#ifndef KT_SUPPORT_PROBE_H
#define KT_SUPPORT_PROBE_H

#include "support/backends.h"

#include <sys/types.h>

/* In an integer table: key -> len times its lowest byte, in a transaction of its own.  And whether it is there, whole.
 */
int kt_probe_put(struct kt_store *s, enum kt_env env, enum kt_table table, uint64_t key, size_t len) KT_MUST;
bool kt_probe_has(struct kt_store *s, enum kt_env env, enum kt_table table, uint64_t key);

#define KT_PROBE_PATH_MAX (PATH_MAX + 64)
void kt_bench_path(const struct kt_bench_store *b, const char *name, char out[KT_PROBE_PATH_MAX]);

int kt_meddle_read(const char *path, off_t offset, void *bytes, size_t len) KT_MUST;
int kt_meddle_write(const char *path, off_t offset, const void *bytes, size_t len) KT_MUST;
/* same_inode: into the file that is there; else there must be none. */
int kt_meddle_copy(const char *from, const char *to, bool same_inode) KT_MUST;

#endif
