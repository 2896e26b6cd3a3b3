#include "proto/batch/envelope.h"

#include "proto/message.h"

#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <zstd.h>

/* Plaintext: form 1, number of padding bytes 1, the change as the form says, that many zeros. */
#define FRAME_BYTES 2u
enum form { FORM_RAW = 0, FORM_ZSTD = 1 };

#define ITEM_FRAMING_BYTES   12u /* three protobuf tags and lengths */
#define ITEM_KIND_ENVELOPE   1u
#define MAC_BYTES            crypto_aead_chacha20poly1305_ietf_ABYTES
#define COMPRESS_FROM_BYTES  128u /* below, zstd's own frame costs what it saves */
#define ZSTD_LEVEL           3
#define PLAIN_ON_STACK_BYTES 4096u
#define KEY_CTX_BYTES        (KT_NONCE_BASE_BYTES + 4u + 8u + 8u + 4u + KT_HASH_BYTES)
#define PLACE_BYTES          (4u + KT_CLUSTER_BYTES + 4u + 8u + 8u + KT_HASH_BYTES + 4u + 4u + KT_NONCE_BASE_BYTES + 4u)
#define AAD_BYTES_MAX        (1u + 2u + KT_CLEAR_BYTES_MAX + PLACE_BYTES)

_Static_assert(KT_PAD_LARGE_BYTES <= 256, "the number of padding bytes fits one byte");
_Static_assert(KT_PAD_SMALL_UP_TO % KT_PAD_SMALL_BYTES == 0, "the small sizes end on one of them");

/* clang-format off */
static const struct kt_wire_field clear_fields[] = {
    {1, KT_WIRE_U64, .at = offsetof(struct kt_clear, hlc_delta)},
    {2, KT_WIRE_RAW, true, offsetof(struct kt_clear, tag), .max = KT_TAG_BYTES},
    {3, KT_WIRE_U32, .at = offsetof(struct kt_clear, generation), .max = UINT32_MAX},
    {4, KT_WIRE_RAW, true, offsetof(struct kt_clear, dek), .max = KT_DEK_ID_BYTES},
    {5, KT_WIRE_U32, .at = offsetof(struct kt_clear, schema), .max = UINT32_MAX},
    {6, KT_WIRE_U32, .at = offsetof(struct kt_clear, dictionary), .max = UINT32_MAX},
};
/* clang-format on */
static const struct kt_wire_message clear_message = KT_WIRE_MESSAGE_OF(clear_fields);

/* Schema 1 goes without saying: two bytes of every envelope. */
int kt_clear_encode(const struct kt_clear *c, struct kt_buf *out)
{
    struct kt_clear wire = *c;

    if (c->schema == 0) return KT_EINVAL;
    if (wire.schema == KT_SCHEMA_1) wire.schema = 0;
    return kt_wire_encode(&clear_message, &wire, out);
}

int kt_clear_decode(struct kt_bytes in, struct kt_clear *out)
{
    struct kt_clear c = {0};

    if (in.len > KT_CLEAR_BYTES_MAX) return KT_EOVERSIZE;
    int rc = kt_wire_decode(&clear_message, in, NULL, &c);
    if (rc) return rc;
    if (c.schema == 0) c.schema = KT_SCHEMA_1;
    *out = c;
    return KT_OK;
}

struct kt_packer {
    ZSTD_CCtx *pack;
    ZSTD_DCtx *unpack;
};

struct kt_packer *kt_packer_create(void)
{
    struct kt_packer *p = calloc(1, sizeof(*p));

    if (!p) return NULL;
    p->pack = ZSTD_createCCtx();
    p->unpack = ZSTD_createDCtx();
    if (p->pack && p->unpack) return p;
    kt_packer_free(p);
    return NULL;
}

void kt_packer_free(struct kt_packer *p)
{
    if (!p) return;
    ZSTD_freeCCtx(p->pack);
    ZSTD_freeDCtx(p->unpack);
    free(p);
}

static uint8_t *put_be(uint8_t *p, uint64_t v, size_t len)
{
    for (size_t i = 0; i < len; i++) p[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
    return p + len;
}

static uint8_t *put(uint8_t *p, const void *bytes, size_t len)
{
    memcpy(p, bytes, len);
    return p + len;
}

static void make_key(const struct kt_envelope_place *at, const uint8_t dek[KT_KEY_BYTES], struct kt_bytes clear,
                     uint8_t out[KT_KEY_BYTES])
{
    uint8_t ctx[KEY_CTX_BYTES], *p = ctx;
    struct kt_hash clear_hash = kt_hash_parts(kt_label_text(KT_LABEL_CLEAR), &clear, 1);
    struct kt_bytes part = KT_BYTES_OF(ctx);

    p = put(p, at->nonce_base, KT_NONCE_BASE_BYTES);
    p = put_be(p, at->origin.member, 4);
    p = put_be(p, at->origin.incarnation, 8);
    p = put_be(p, at->batch, 8);
    p = put_be(p, at->envelope, 4);
    put(p, clear_hash.b, KT_HASH_BYTES);
    kt_kdf(out, KT_KEY_BYTES, KT_LABEL_ENVELOPE, dek, &part, 1);
}

static size_t make_aad(const struct kt_envelope_place *at, struct kt_bytes clear, uint8_t out[AAD_BYTES_MAX])
{
    uint8_t *p = put_be(out, ITEM_KIND_ENVELOPE, 1);

    p = put_be(p, clear.len, 2);
    p = put(p, clear.data, clear.len);
    p = put_be(p, at->suite, 4);
    p = put(p, at->cluster.b, KT_CLUSTER_BYTES);
    p = put_be(p, at->origin.member, 4);
    p = put_be(p, at->origin.incarnation, 8);
    p = put_be(p, at->batch, 8);
    p = put(p, at->roster_hash.b, KT_HASH_BYTES);
    p = put_be(p, at->compartment, 4);
    p = put_be(p, at->epoch, 4);
    p = put(p, at->nonce_base, KT_NONCE_BASE_BYTES);
    p = put_be(p, at->envelope, 4);
    return (size_t)(p - out);
}

static size_t padded(size_t len)
{
    size_t unit = len <= KT_PAD_SMALL_UP_TO ? KT_PAD_SMALL_BYTES : KT_PAD_LARGE_BYTES;

    return (len + unit - 1) / unit * unit;
}

size_t kt_item_bytes_max(size_t change_len)
{
    return KT_CLEAR_BYTES_MAX + ITEM_FRAMING_BYTES + padded(FRAME_BYTES + change_len) + MAC_BYTES;
}

static bool may_open_into(size_t packed_len, unsigned long long len)
{
    return len <= KT_EXPANSION_FREE_BYTES + (unsigned long long)packed_len * KT_EXPANSION_MAX;
}

/* Writes the frame and the change, compressed where that is shorter, to p; returns their length without padding. */
static size_t put_change(struct kt_packer *packer, uint8_t *p, struct kt_bytes change)
{
    size_t len = 0, room = change.len - 1;

    /* no room for a result that is not shorter: then zstd fails, and the change goes as it is */
    if (change.len >= COMPRESS_FROM_BYTES)
        len = packer ? ZSTD_compressCCtx(packer->pack, p + FRAME_BYTES, room, change.data, change.len, ZSTD_LEVEL)
                     : ZSTD_compress(p + FRAME_BYTES, room, change.data, change.len, ZSTD_LEVEL);
    if (len && !ZSTD_isError(len) && may_open_into(len, change.len)) {
        p[0] = FORM_ZSTD;
        return FRAME_BYTES + len;
    }
    p[0] = FORM_RAW;
    put(p + FRAME_BYTES, change.data, change.len);
    return FRAME_BYTES + change.len;
}

int kt_envelope_seal(const struct kt_envelope_place *at, const uint8_t dek[KT_KEY_BYTES], struct kt_bytes clear,
                     struct kt_bytes change, struct kt_buf *out)
{
    return kt_envelope_seal_with(NULL, at, dek, clear, change, out);
}

int kt_envelope_seal_with(struct kt_packer *packer, const struct kt_envelope_place *at, const uint8_t dek[KT_KEY_BYTES],
                          struct kt_bytes clear, struct kt_bytes change, struct kt_buf *out)
{
    uint8_t key[KT_KEY_BYTES], aad[AAD_BYTES_MAX];
    const uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = {0}; /* the key is used once */

    if (at->suite != KT_SUITE_1) return KT_ESUITE;
    if (change.len == 0) return KT_EINVAL;
    if (clear.len > KT_CLEAR_BYTES_MAX || change.len > KT_CHANGE_BYTES_MAX) return KT_EOVERSIZE;
    size_t start = out->len, room = padded(FRAME_BYTES + change.len) + MAC_BYTES;
    uint8_t *p = kt_buf_extend(out, room);
    if (!p) return out->err;
    size_t len = put_change(packer, p, change), plain_len = padded(len);
    p[1] = (uint8_t)(plain_len - len);
    memset(p + len, 0, plain_len - len);
    make_key(at, dek, clear, key);
    crypto_aead_chacha20poly1305_ietf_encrypt(p, NULL, p, plain_len, aad, make_aad(at, clear, aad), NULL, nonce, key);
    sodium_memzero(key, sizeof(key));
    out->len = start + plain_len + MAC_BYTES;
    return KT_OK;
}

/* Only one whole frame of today's format that says how long its content is: nothing that one version of zstd would
 * read and another would not. */
static int unpack_zstd(struct kt_packer *packer, struct kt_bytes packed, struct kt_buf *out)
{
    static const uint8_t magic[4] = {0x28, 0xb5, 0x2f, 0xfd};

    if (packed.len < sizeof(magic) || memcmp(packed.data, magic, sizeof(magic)) != 0) return KT_EMALFORMED;
    unsigned long long len = ZSTD_getFrameContentSize(packed.data, packed.len);
    if (len == ZSTD_CONTENTSIZE_ERROR || len == ZSTD_CONTENTSIZE_UNKNOWN) return KT_EMALFORMED;
    if (len > KT_CHANGE_BYTES_MAX || !may_open_into(packed.len, len)) return KT_EOVERSIZE;
    if (ZSTD_findFrameCompressedSize(packed.data, packed.len) != packed.len) return KT_EMALFORMED;
    uint8_t *p = kt_buf_extend(out, len);
    if (!p) return out->err;
    size_t got = packer ? ZSTD_decompressDCtx(packer->unpack, p, len, packed.data, packed.len)
                        : ZSTD_decompress(p, len, packed.data, packed.len);
    if (got == len) return KT_OK;
    out->len -= len;
    return KT_EMALFORMED;
}

static int unpack(struct kt_packer *packer, struct kt_bytes plain, struct kt_buf *out)
{
    if (plain.len < FRAME_BYTES) return KT_EMALFORMED;
    size_t pad = plain.data[1];
    if (pad > plain.len - FRAME_BYTES) return KT_EMALFORMED;
    if (pad && !sodium_is_zero(plain.data + plain.len - pad, pad)) return KT_EMALFORMED;
    struct kt_bytes body = kt_bytes(plain.data + FRAME_BYTES, plain.len - FRAME_BYTES - pad);
    if (plain.data[0] == FORM_ZSTD) return unpack_zstd(packer, body, out);
    if (plain.data[0] != FORM_RAW) return KT_EMALFORMED;
    if (body.len > KT_CHANGE_BYTES_MAX) return KT_EOVERSIZE;
    kt_buf_put(out, body);
    return out->err;
}

int kt_envelope_open(const struct kt_envelope_place *at, const uint8_t dek[KT_KEY_BYTES], struct kt_bytes clear,
                     struct kt_bytes cipher, struct kt_buf *out)
{
    return kt_envelope_open_with(NULL, at, dek, clear, cipher, out);
}

int kt_envelope_open_with(struct kt_packer *packer, const struct kt_envelope_place *at, const uint8_t dek[KT_KEY_BYTES],
                          struct kt_bytes clear, struct kt_bytes cipher, struct kt_buf *out)
{
    uint8_t key[KT_KEY_BYTES], aad[AAD_BYTES_MAX], small[PLAIN_ON_STACK_BYTES];
    const uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = {0};

    if (at->suite != KT_SUITE_1) return KT_ESUITE;
    if (clear.len > KT_CLEAR_BYTES_MAX || cipher.len > KT_ITEM_BYTES_MAX) return KT_EOVERSIZE;
    if (cipher.len < MAC_BYTES) return KT_EOPEN;
    size_t len = cipher.len - MAC_BYTES;
    uint8_t *plain = len <= sizeof(small) ? small : malloc(len);
    if (!plain) return KT_ENOMEM;
    make_key(at, dek, clear, key);
    int rc = crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, cipher.data, cipher.len, aad,
                                                       make_aad(at, clear, aad), nonce, key)
                 ? KT_EOPEN
                 : KT_OK;
    sodium_memzero(key, sizeof(key));
    if (!rc) rc = unpack(packer, kt_bytes(plain, len), out);
    sodium_memzero(plain, len);
    if (plain != small) free(plain);
    return rc;
}
