/* The names of things: members, incarnations, dots, entities, hashes.  Plain values, compared and packed here.
 *
 * Packed forms are big-endian, so that their byte order is their order as keys. */
#ifndef KT_PROTO_IDS_H
#define KT_PROTO_IDS_H

#include "proto/buffer.h"

#define KT_HASH_BYTES      32u
#define KT_ENTITY_ID_BYTES 16u
#define KT_TAG_BYTES       12u
#define KT_DEK_ID_BYTES    24u
#define KT_KEY_BYTES       32u
#define KT_CLUSTER_BYTES   16u
#define KT_DOT_BYTES       28u
#define KT_ORIGIN_BYTES    12u

struct kt_hash { uint8_t b[KT_HASH_BYTES]; };         /* BLAKE2b-256 */
struct kt_entity_id { uint8_t b[KT_ENTITY_ID_BYTES]; }; /* BLAKE2b-128 keyed with the organisation's id key */
struct kt_tag { uint8_t b[KT_TAG_BYTES]; };           /* a ward's name within one compartment */
struct kt_dek_id { uint8_t b[KT_DEK_ID_BYTES]; };     /* commits to the key it names */
struct kt_cluster { uint8_t b[KT_CLUSTER_BYTES]; };   /* the organisation, random at its founding */

typedef uint32_t kt_member;      /* roster number, from 1; 0 = nobody */
typedef uint32_t kt_compartment; /* roster number, from 1; 1 = core; 0 = none */
typedef uint64_t kt_hlc;         /* hybrid logical clock: milliseconds since 1970 << 16 | counter */

#define KT_CORE 1u

static inline uint64_t kt_hlc_ms(kt_hlc t) { return t >> 16; }

/* Who commits: one unbroken life of one member's store. */
struct kt_origin {
    kt_member member;
    uint64_t incarnation;
};

/* The name of one op: batches of an origin count from 1, ops through the envelope from 0; for envelopes see
 * kt_envelope_number. */
struct kt_dot {
    struct kt_origin origin;
    uint64_t batch;
    uint32_t envelope, op;
};

int kt_origin_compare(struct kt_origin a, struct kt_origin b);
int kt_dot_compare(const struct kt_dot *a, const struct kt_dot *b);
void kt_origin_pack(struct kt_origin o, uint8_t out[KT_ORIGIN_BYTES]); /* member 4, incarnation 8 */
struct kt_origin kt_origin_unpack(const uint8_t in[KT_ORIGIN_BYTES]);
void kt_dot_pack(const struct kt_dot *d, uint8_t out[KT_DOT_BYTES]); /* origin 12, batch 8, envelope 4, op 4 */
void kt_dot_unpack(const uint8_t in[KT_DOT_BYTES], struct kt_dot *out);

/* BLAKE2b-256("kontor/v1/" label, parts...), each part preceded by its length (be64): no two lists collide. */
struct kt_hash kt_hash_parts(const char *label, const struct kt_bytes *parts, size_t n);

/* The id of an entity, from its kind and the source record that names it (DESIGN section 5). */
struct kt_entity_id kt_entity_id_of(const uint8_t id_key[KT_KEY_BYTES], uint32_t kind, struct kt_bytes source_system,
                                    struct kt_bytes source_id);

/* Lower-case hexadecimal; out has room for 2 * len + 1. */
void kt_hex(struct kt_bytes in, char *out);
int kt_unhex(const char *text, uint8_t *out, size_t len) KT_MUST; /* exactly len bytes, or KT_EMALFORMED */

#endif
