/* A token: base64url (RFC 4648 section 5, no padding) of
 *
 *   version 1 | issuer 4 | store 8 | sequence 8 | number of heads 1 | (member 4, incarnation 8, number 8)* | check 16
 *
 * all numbers big-endian; check = KDF("token", the organisation's id key, everything before it). */
#include "proto/client/token.h"

#include <sodium.h>

#define VERSION     1u
#define HEAD_BYTES  20u
#define CHECK_BYTES 16u
#define FIXED_BYTES (1u + 4u + 8u + 8u + 1u)
#define BYTES_MAX   (FIXED_BYTES + KT_TOKEN_HEADS_MAX * HEAD_BYTES + CHECK_BYTES)
#define BASE64      sodium_base64_VARIANT_URLSAFE_NO_PADDING
_Static_assert(sodium_base64_ENCODED_LEN(BYTES_MAX, BASE64) <= KT_TOKEN_CHARS_MAX + 1, "a token fits its text");

static void check_of(const uint8_t key[KT_KEY_BYTES], struct kt_bytes body, uint8_t out[CHECK_BYTES])
{
    kt_kdf(out, CHECK_BYTES, KT_LABEL_TOKEN, key, &body, 1);
}

int kt_token_encode(const struct kt_token *t, const uint8_t key[KT_KEY_BYTES], char *out)
{
    if (t->heads_len > KT_TOKEN_HEADS_MAX || t->issuer == 0) return KT_EINVAL;
    struct kt_buf b;
    uint8_t check[CHECK_BYTES];
    kt_buf_init(&b, BYTES_MAX);
    kt_buf_u8(&b, VERSION);
    kt_buf_be32(&b, t->issuer);
    kt_buf_be64(&b, t->store);
    kt_buf_be64(&b, t->sequence);
    kt_buf_u8(&b, (uint8_t)t->heads_len);
    for (uint32_t i = 0; i < t->heads_len; i++) {
        kt_buf_be32(&b, t->heads[i].origin.member);
        kt_buf_be64(&b, t->heads[i].origin.incarnation);
        kt_buf_be64(&b, t->heads[i].number);
    }
    if (!b.err) check_of(key, kt_buf_bytes(&b), check);
    kt_buf_put(&b, KT_BYTES_OF(check));
    int err = b.err;
    if (!err) sodium_bin2base64(out, KT_TOKEN_CHARS_MAX + 1, b.data, b.len, BASE64);
    kt_buf_free(&b);
    return err;
}

int kt_token_decode(const char *text, const uint8_t key[KT_KEY_BYTES], struct kt_token *out)
{
    uint8_t bytes[BYTES_MAX], check[CHECK_BYTES];
    size_t chars = strnlen(text, KT_TOKEN_CHARS_MAX + 1), len;

    if (sodium_base642bin(bytes, sizeof(bytes), text, chars, NULL, &len, NULL, BASE64) != 0) return KT_ETOKEN;
    if (len < FIXED_BYTES + CHECK_BYTES) return KT_ETOKEN;
    check_of(key, kt_bytes(bytes, len - CHECK_BYTES), check);
    if (sodium_memcmp(check, bytes + len - CHECK_BYTES, CHECK_BYTES) != 0) return KT_ETOKEN;

    struct kt_reader r = kt_reader(kt_bytes(bytes, len - CHECK_BYTES));
    struct kt_token t = {0};
    if (kt_take_u8(&r) != VERSION) return KT_ETOKEN;
    t.issuer = kt_take_be32(&r);
    t.store = kt_take_be64(&r);
    t.sequence = kt_take_be64(&r);
    t.heads_len = kt_take_u8(&r);
    if (t.heads_len > KT_TOKEN_HEADS_MAX || t.issuer == 0) return KT_ETOKEN;
    for (uint32_t i = 0; i < t.heads_len; i++) {
        t.heads[i].origin.member = kt_take_be32(&r);
        t.heads[i].origin.incarnation = kt_take_be64(&r);
        t.heads[i].number = kt_take_be64(&r);
    }
    if (r.err || kt_reader_left(&r)) return KT_ETOKEN;
    *out = t;
    return KT_OK;
}
