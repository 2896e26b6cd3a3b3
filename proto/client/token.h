/* A token: the outside name of a moment in a node's life.  Opaque text of at most KT_TOKEN_CHARS_MAX characters
 * (base64url of the bytes in PROTOCOL.md with a keyed check).
 *
 * For waiting it is good anywhere in the organisation: a node that holds every head in it shows all its issuer showed
 * (where more than KT_TOKEN_HEADS_MAX offices wrote what is live of the entity, all but the oldest of it).
 * As the basis of a put it is good at its issuer: the put replaces what was visible at `sequence`. */
#ifndef KT_PROTO_TOKEN_H
#define KT_PROTO_TOKEN_H

#include "proto/peer/pulse.h"

#define KT_TOKEN_HEADS_MAX 4u

struct kt_token {
    kt_member issuer;
    uint64_t store;    /* names one life of the issuer's store */
    uint64_t sequence; /* journal position the answer reflected */
    struct kt_head heads[KT_TOKEN_HEADS_MAX]; /* of the batches that made the entity's newest values */
    uint32_t heads_len;
};
/* key: the organisation's id key.  out: KT_TOKEN_CHARS_MAX + 1 characters. */
int kt_token_encode(const struct kt_token *t, const uint8_t key[KT_KEY_BYTES], char *out) KT_MUST;
int kt_token_decode(const char *text, const uint8_t key[KT_KEY_BYTES], struct kt_token *out) KT_MUST; /* KT_ETOKEN */

#endif
