/* Noise_XX_25519_ChaChaPoly_SHA256, exactly as the Noise Protocol Framework, revision 34, has it (noiseprotocol.org),
 * on libsodium's primitives.  Names of functions and fields follow sections 5 and 7 of the specification.
 *
 * Pure: no clock, no randomness (the ephemeral key comes from the caller), no allocation.  Every struct here holds
 * secrets: kt_noise_wipe and kt_noise_cipher_wipe end it.  Used by one thread at a time.
 *
 * Errors: KT_ETRUNCATED a message shorter than its tokens and tags; KT_EOVERSIZE one longer than
 * KT_NOISE_MESSAGE_BYTES_MAX, or than the room given; KT_EOPEN a tag that does not verify; KT_EKEY a public key whose
 * Diffie-Hellman result is all zeros; KT_ELIMIT the nonces of a key are used up; KT_EBUG called out of turn. */
#ifndef KT_PROTO_NOISE_H
#define KT_PROTO_NOISE_H

#include "proto/bytes.h"
#include "proto/errors.h"

#define KT_NOISE_NAME        "Noise_XX_25519_ChaChaPoly_SHA256"
#define KT_NOISE_KEY_BYTES   32u
#define KT_NOISE_HASH_BYTES  32u
#define KT_NOISE_TAG_BYTES   16u
#define KT_NOISE_NONCE_NEVER UINT64_MAX /* reserved by the specification (section 5.1) */

/* CipherState */
struct kt_noise_cipher {
    uint8_t k[KT_NOISE_KEY_BYTES];
    uint64_t n;
    bool has_key;
};

/* SymmetricState */
struct kt_noise_symmetric {
    struct kt_noise_cipher cipher;
    uint8_t ck[KT_NOISE_HASH_BYTES], h[KT_NOISE_HASH_BYTES];
};

/* HandshakeState */
struct kt_noise {
    struct kt_noise_symmetric symmetric;
    uint8_t s[KT_NOISE_KEY_BYTES], s_public[KT_NOISE_KEY_BYTES];
    uint8_t e[KT_NOISE_KEY_BYTES], e_public[KT_NOISE_KEY_BYTES];
    uint8_t rs[KT_NOISE_KEY_BYTES], re[KT_NOISE_KEY_BYTES]; /* the remote's public keys, once received */
    bool initiator;
    int message; /* messages done: 0..3; negative after a failure: nothing more is possible */
};

/* The handshake of one side.  `static_secret` and `ephemeral_secret` are X25519 secret keys, the second fresh random
 * bytes for this handshake alone; both are copied. */
int kt_noise_init(struct kt_noise *n, bool initiator, struct kt_bytes prologue,
                  const uint8_t static_secret[KT_NOISE_KEY_BYTES],
                  const uint8_t ephemeral_secret[KT_NOISE_KEY_BYTES]) KT_MUST;
void kt_noise_wipe(struct kt_noise *n);

/* The next handshake message, of this side (write) or of the other (read): -> e, <- e ee s es, -> s se.  `out` has room
 * for `cap` bytes, *len is what was put there: the message, or the payload found in one.  out must not overlap in. */
int kt_noise_write(struct kt_noise *n, struct kt_bytes payload, uint8_t *out, size_t cap, size_t *len) KT_MUST;
int kt_noise_read(struct kt_noise *n, struct kt_bytes message, uint8_t *out, size_t cap, size_t *len) KT_MUST;

static inline bool kt_noise_done(const struct kt_noise *n) { return n->message == 3; }
/* Is it this side's turn to write? */
static inline bool kt_noise_writes(const struct kt_noise *n) { return (n->message & 1) == (n->initiator ? 0 : 1); }

/* After the third message: the two ciphers of the session.  The handshake hash (channel binding) is n->symmetric.h. */
int kt_noise_split(const struct kt_noise *n, struct kt_noise_cipher *send, struct kt_noise_cipher *receive) KT_MUST;

/* Transport messages, also the building block of the handshake.  `out` has room for plain.len + 16 bytes (encrypt) or
 * sealed.len - 16 bytes (decrypt) and may be the input itself.  A failing decrypt leaves the nonce as it was. */
int kt_noise_encrypt(struct kt_noise_cipher *c, struct kt_bytes ad, struct kt_bytes plain, uint8_t *out) KT_MUST;
int kt_noise_decrypt(struct kt_noise_cipher *c, struct kt_bytes ad, struct kt_bytes sealed, uint8_t *out) KT_MUST;
void kt_noise_cipher_wipe(struct kt_noise_cipher *c);

#endif
