/* The file with which a client shows a tcp:// node who it is: lines "NAME = HEX", mode 0600.
 *
 *   secret        64 hexadecimal digits: its X25519 secret key
 *   organisation  32: the organisation's number, as `kontor authority show` gives it
 *   node          64: the public key of the node, as `kontor authority show` gives it; nobody else is spoken to */
#ifndef KT_CLI_KEY_H
#define KT_CLI_KEY_H

#include "proto/ids.h"

struct kt_client_key {
    uint8_t secret[KT_KEY_BYTES], node[KT_KEY_BYTES];
    struct kt_cluster cluster;
};

/* KT_ENOTFOUND, KT_ERIGHTS (others may read it), KT_EMALFORMED, KT_EIO.  Wipe it after use. */
int kt_client_key_read(const char *path, struct kt_client_key *out) KT_MUST;
void kt_client_key_wipe(struct kt_client_key *k);

#endif
