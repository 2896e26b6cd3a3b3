/* A node's own files beside its store: root.key, identity and admission in data_dir, and the pid file. */
#ifndef KT_HOST_NODE_FILES_H
#define KT_HOST_NODE_FILES_H

#include "engine/keys/keyring.h"
#include "host/config.h"

/* Opens the keyring over an open store; at first start takes the identity in, whenever a newer admission lies there
 * that too.  Each failure is logged with what to do.  KT_ENOTMEMBER: not admitted yet. */
int kt_node_files_keyring(const struct kt_config *c, struct kt_store *store, struct kt_world *world, struct kt_log *log,
                          struct kt_keyring **out) KT_MUST;

/* The root key, in sodium_malloc memory: the caller's to sodium_free. */
int kt_node_files_root_key(const struct kt_config *c, struct kt_log *log, uint8_t **out) KT_MUST;

/* "" writes none.  A disk without room is said and no error; KT_EIO: it cannot be written for another reason. */
int kt_pid_file_write(const char *path, struct kt_log *log) KT_MUST;
void kt_pid_file_remove(const char *path);

#endif
