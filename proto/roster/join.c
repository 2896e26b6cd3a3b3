/* The join request: an office's name and public keys, signed by the key it shows (roster.proto, SignedJoinRequest). */
#include "proto/message.h"
#include "proto/roster/roster.h"

#define JOIN_BODY_BYTES_MAX 512u

static const struct kt_wire_field JOIN[] = {
    KT_W_LABEL(1, "join"),
    KT_W_SUITE(2),
    KT_W(3, CHARS, struct kt_join_request, office, .max = KT_OFFICE_BYTES_MAX, .required = true),
    KT_W(4, CHARS, struct kt_join_request, agency, .max = KT_OFFICE_BYTES_MAX),
    KT_W(5, RAW, struct kt_join_request, pub.sign, .max = KT_PUBLIC_KEY_BYTES, .required = true),
    KT_W(6, RAW, struct kt_join_request, pub.session, .max = KT_PUBLIC_KEY_BYTES, .required = true),
    KT_W(7, RAW, struct kt_join_request, pub.receive, .max = KT_PUBLIC_KEY_BYTES, .required = true),
};
static const struct kt_wire_message JOIN_MESSAGE = KT_WIRE_MESSAGE_OF(JOIN);
_Static_assert(sizeof(((struct kt_join_request *)0)->office) == KT_OFFICE_BYTES_MAX + 1, "a name and its NUL");

struct signed_join {
    struct kt_bytes body;
    uint8_t signature[KT_SIGNATURE_BYTES];
};
static const struct kt_wire_field SIGNED[] = {
    KT_W(1, BYTES, struct signed_join, body, .max = JOIN_BODY_BYTES_MAX, .required = true),
    KT_W(2, RAW, struct signed_join, signature, .max = KT_SIGNATURE_BYTES, .required = true),
};
static const struct kt_wire_message SIGNED_MESSAGE = KT_WIRE_MESSAGE_OF(SIGNED);

int kt_join_encode(const struct kt_join_request *j, const struct kt_identity *id, struct kt_buf *out)
{
    if (j->office[0] == 0) return KT_EINVAL;
    struct kt_buf body;
    kt_buf_init(&body, JOIN_BODY_BYTES_MAX);
    int err = kt_wire_encode(&JOIN_MESSAGE, j, &body);
    if (!err) {
        struct signed_join s = {.body = kt_buf_bytes(&body)};
        kt_sign(KT_LABEL_JOIN, id->sign_secret, s.body, s.signature);
        err = kt_wire_encode(&SIGNED_MESSAGE, &s, out);
    }
    kt_buf_free(&body);
    return err;
}

int kt_join_decode(struct kt_bytes in, struct kt_join_request *out)
{
    struct signed_join s = {0};
    struct kt_join_request j = {0};
    struct kt_arena none; /* nothing in these messages needs one */
    kt_arena_init(&none, 0);
    int err = kt_wire_decode(&SIGNED_MESSAGE, in, &none, &s);
    if (!err) err = kt_wire_decode(&JOIN_MESSAGE, s.body, &none, &j);
    kt_arena_free(&none);
    if (err) return err;
    if (j.office[0] == 0) return KT_EMALFORMED;
    if ((err = kt_verify(KT_LABEL_JOIN, j.pub.sign, s.body, KT_BYTES_OF(s.signature)))) return err;
    *out = j;
    return KT_OK;
}
