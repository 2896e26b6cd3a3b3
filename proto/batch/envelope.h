/* A change sealed at its origin: a short clear part and a ciphertext.
 *
 * Key = BLAKE2b(key = DEK, "kontor/v1/envelope", nonce base, member, incarnation, batch, envelope, hash of the clear
 * part): used once, so the ChaCha20-Poly1305-IETF nonce is zero (RFC 8439).  AAD = item kind, clear part, suite,
 * cluster, member, incarnation, batch, roster hash, compartment, epoch, nonce base, envelope number.  The change is
 * compressed with zstd where that is shorter, preceded by one byte that says so, and padded to hide its length. */
#ifndef KT_PROTO_ENVELOPE_H
#define KT_PROTO_ENVELOPE_H

#include "proto/keys/keys.h"
#include "proto/batch/op.h"

#define KT_SCHEMA_1      1u
#define KT_DICTIONARY_0  0u /* none */
#define KT_NONCE_BASE_BYTES 24u

/* The clear part; on the wire batch.proto, Clear, carried as opaque bytes. */
struct kt_clear {
    uint64_t hlc_delta; /* stamp of the change = clock of the seal - hlc_delta */
    struct kt_tag tag;
    uint32_t generation;
    struct kt_dek_id dek;
    uint32_t schema, dictionary;
};

/* Where an envelope stands; everything in it is authenticated. */
struct kt_envelope_place {
    uint32_t suite;
    struct kt_cluster cluster;
    struct kt_origin origin;
    uint64_t batch;
    struct kt_hash roster_hash;
    kt_compartment compartment;
    uint32_t epoch;
    uint8_t nonce_base[KT_NONCE_BASE_BYTES];
    uint32_t envelope; /* kt_envelope_number */
};

int kt_clear_encode(const struct kt_clear *c, struct kt_buf *out) KT_MUST;
int kt_clear_decode(struct kt_bytes in, struct kt_clear *out) KT_MUST;
/* A change opens into no more than so many bytes, and so many times those it travels in, else it is void: a frame of small
 * ciphertexts must not fill the memory of whoever opens them.  What compresses better travels as it is. */
#define KT_EXPANSION_FREE_BYTES 4096u
#define KT_EXPANSION_MAX        32u
/* Compresses, pads and seals.  `clear` is the encoded clear part. */
int kt_envelope_seal(const struct kt_envelope_place *at, const uint8_t dek[KT_KEY_BYTES], struct kt_bytes clear,
                     struct kt_bytes change, struct kt_buf *out) KT_MUST;
/* No more than this does an envelope with a change of so many bytes add to its batch: for whoever fills batches. */
size_t kt_item_bytes_max(size_t change_len);
/* Opens into `out` (appended) the encoded change.  KT_EOPEN: forged or another key; KT_EOVERSIZE, KT_EMALFORMED: its
 * author sealed what nobody can read.  Each of them voids the envelope when the key was the right one. */
int kt_envelope_open(const struct kt_envelope_place *at, const uint8_t dek[KT_KEY_BYTES], struct kt_bytes clear,
                     struct kt_bytes cipher, struct kt_buf *out) KT_MUST;

/* The same two with compression state that is kept from one envelope to the next, which spares each some 8 us (setting it
 * up asks the processor what it can do, slow under a hypervisor).  One packer serves one thread at a time; NULL: none. */
struct kt_packer;
struct kt_packer *kt_packer_create(void); /* NULL: out of memory */
void kt_packer_free(struct kt_packer *p);
int kt_envelope_seal_with(struct kt_packer *p, const struct kt_envelope_place *at, const uint8_t dek[KT_KEY_BYTES],
                          struct kt_bytes clear, struct kt_bytes change, struct kt_buf *out) KT_MUST;
int kt_envelope_open_with(struct kt_packer *p, const struct kt_envelope_place *at, const uint8_t dek[KT_KEY_BYTES],
                          struct kt_bytes clear, struct kt_bytes cipher, struct kt_buf *out) KT_MUST;

#endif
