/* kontord.conf: what an operator decides about one node.  Read once at start; a running node never reads it again.
 *
 * The file is libconfuse's: `key = value`, lists as `key = {"a", "b"}`, comments after '#'.  ops/kontord.conf is the
 * same table as below with every key set to its default, for people to copy.  Relative paths (data_dir, pid_file,
 * log_file, the path of an ipc:// URL) count from the folder of the configuration file, wherever kontord was started.
 *
 *   key                     unit     default             range       what it does, and what follows from it
 *   ----------------------  -------  ------------------  ----------  ------------------------------------------------
 *   data_dir                path     "." (beside the     -           holds keys, journal, store and checkpoint.  One
 *                                    file)                           node each; a copy of it is a fork, not a backup
 *   listen                  URLs     {} (only dials)     0 to 16     where peers may dial in: tcp://HOST:PORT,
 *                                                                    ws://..., tls+tcp://...
 *   dial                    URLs     {} (only listens)   0 to 256    peers this node dials, again and again until they
 *                                                                    answer.  With neither, the node stays alone
 *   service                 URLs     {"ipc://kontor.     1 to 16     where clients ask: ipc://PATH for this host,
 *                                    sock"}                          tcp://HOST:PORT (Noise; see client)
 *   service_users           names    {}                  0 to 64     unix users let in at ipc:// besides root and the
 *                                                                    user the node runs as
 *   metrics_port            port     0 (off)             0 to 65535  http://127.0.0.1:PORT/metrics, /healthz, /readyz
 *   pid_file                path     "" (none)           -           the process id, while the node runs
 *   log_file                path     "" (standard        -           appended to; SIGHUP opens it again
 *                                    error)
 *   log_level               word     "info"              error warn  what is written to the log, and all left of it
 *                                                        info debug
 *   phone_country           digits   "" (none)           1 to 3      country code put before national phone numbers
 *                                                        digits      ("030 123" with "49" matches "+49 30 123"); all
 *                                                                    offices need the same, or they find differently
 *   redial_ms_max           ms       2000                100 to      longest time from one attempt to dial a peer to the
 *                                                        15000       next; longer means less noise and later healing
 *   keys_map_mib            MiB      0 (huge)            0, 1 to     largest size of each environment.  0 takes address
 *   journal_map_mib         MiB      0 (huge)            16777216    space only, not disk; a small one turns full
 *   store_map_mib           MiB      0 (huge)                        before the disk does, and then the node only reads
 *   checkpoint_minutes      minutes  60                  1 to 10080  a checkpoint at least so often while there is
 *                                                                    something new: rarer is less writing and a longer
 *                                                                    start after a machine crash
 *   checkpoint_journal_mib  MiB      256                 1 to        and after so much journal
 *                                                        1048576
 *   client NAME { key, compartments }                    0 to 1000   a program let in at service tcp:// URLs: its
 *                                                                    X25519 public key (64 hex digits) and the names
 *                                                                    of the compartments it may use
 *
 * Reading uses the process-wide scanner of libconfuse: one thread at a time. */
#ifndef KT_HOST_CONFIG_H
#define KT_HOST_CONFIG_H

#include "host/log.h"
#include "proto/limits.h"

#define KT_CONFIG_WHY_BYTES_MAX 512u

struct kt_config_list {
    char **at;
    size_t count;
};

struct kt_config_client {
    char *name;
    uint8_t key[32]; /* X25519 public key */
    struct kt_config_list compartments;
};

/* Paths are absolute, strings are never NULL, lists are as written. */
struct kt_config {
    char *data_dir;
    struct kt_config_list listen, dial, service, service_users;
    uint16_t metrics_port;     /* 0: off */
    char *pid_file, *log_file; /* "": none, standard error */
    enum kt_log_level log_level;
    char *phone_country; /* "": none */
    uint32_t redial_ms_max;
    uint64_t keys_map_mib, journal_map_mib, store_map_mib; /* 0: the store's own default */
    uint32_t checkpoint_minutes, checkpoint_journal_mib;
    struct kt_config_client *clients;
    size_t clients_count;
};

/* Reads and checks the file.  On success *out is the caller's, to be ended with kt_config_free.  On failure *out is
 * untouched and `why` holds one line for the operator: "FILE:LINE: OPTION: what is wrong: what to do".  KT_ECONFIG;
 * KT_EIO where the file cannot be read; KT_ENOMEM. */
int kt_config_load(const char *path, struct kt_config *out, char why[KT_CONFIG_WHY_BYTES_MAX]) KT_MUST;
void kt_config_free(struct kt_config *c);

#endif
