#include "proto/batch/erasure.h"

#include "proto/message.h"

#include <stddef.h>

/* clang-format off */
static const struct kt_wire_field body_fields[] = {
    {1, KT_WIRE_SUITE, .required = true},
    {2, KT_WIRE_RAW, true, offsetof(struct kt_erasure, cluster), .max = KT_CLUSTER_BYTES},
    {3, KT_WIRE_U32, true, offsetof(struct kt_erasure, compartment), .max = UINT32_MAX},
    {4, KT_WIRE_RAW, true, offsetof(struct kt_erasure, tag), .max = KT_TAG_BYTES},
    {5, KT_WIRE_U32, .at = offsetof(struct kt_erasure, generation), .max = UINT32_MAX},
    {6, KT_WIRE_FIXED64, true, .at = offsetof(struct kt_erasure, hlc)},
};
static const struct kt_wire_message body_message = KT_WIRE_MESSAGE_OF(body_fields);

static const struct kt_wire_field signature_fields[] = {
    {1, KT_WIRE_U32, true, offsetof(struct kt_erasure_signature, member), .max = UINT32_MAX},
    {2, KT_WIRE_RAW, true, offsetof(struct kt_erasure_signature, signature), .max = KT_SIGNATURE_BYTES},
};
static const struct kt_wire_message signature_message = KT_WIRE_MESSAGE_OF(signature_fields);

static const struct kt_wire_field signed_fields[] = {
    {1, KT_WIRE_BYTES, true, offsetof(struct kt_signed_erasure, body), .max = 256},
    {2, KT_WIRE_MESSAGE, .at = offsetof(struct kt_signed_erasure, signatures),
     .len_at = offsetof(struct kt_signed_erasure, signatures_len), .size = sizeof(struct kt_erasure_signature),
     .list_max = KT_SIGNERS_MAX, .of = &signature_message},
};
static const struct kt_wire_message signed_message = KT_WIRE_MESSAGE_OF(signed_fields);
/* clang-format on */

int kt_erasure_encode_body(const struct kt_erasure *e, struct kt_buf *out)
{
    return e->compartment ? kt_wire_encode(&body_message, e, out) : KT_EINVAL;
}

int kt_erasure_sign(struct kt_bytes body, kt_member member, const uint8_t sign_secret[64],
                    struct kt_erasure_signature *out)
{
    out->member = member;
    return kt_sign(KT_LABEL_ERASURE, sign_secret, body, out->signature);
}

int kt_erasure_encode(struct kt_bytes body, const struct kt_erasure_signature *signatures, uint32_t n,
                      struct kt_buf *out)
{
    /* the table serves both directions, so its pointer is not const; encoding only reads */
    struct kt_signed_erasure e = {
        .body = body, .signatures = (struct kt_erasure_signature *)signatures, .signatures_len = n};

    return kt_wire_encode(&signed_message, &e, out);
}

int kt_erasure_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_signed_erasure *out)
{
    struct kt_signed_erasure e = {0};

    int rc = kt_wire_decode(&signed_message, in, arena, &e);
    if (!rc) rc = kt_wire_decode(&body_message, e.body, arena, &e.erasure);
    if (rc) return rc;
    if (e.erasure.compartment == 0) return KT_EMALFORMED;
    *out = e;
    return KT_OK;
}

static bool signed_before(const struct kt_signed_erasure *e, uint32_t i)
{
    for (uint32_t j = 0; j < i; j++)
        if (e->signatures[j].member == e->signatures[i].member) return true;
    return false;
}

int kt_erasure_verify(const struct kt_signed_erasure *e, const struct kt_roster *roster)
{
    uint32_t good = 0;

    if (memcmp(e->erasure.cluster.b, roster->cluster.b, KT_CLUSTER_BYTES) != 0) return KT_ECLUSTER;
    for (uint32_t i = 0; i < e->signatures_len; i++) {
        const struct kt_erasure_signature *s = &e->signatures[i];
        const struct kt_roster_member *m = kt_roster_member(roster, s->member);
        if (!m || !m->may_erase || signed_before(e, i)) continue;
        int rc = kt_verify(KT_LABEL_ERASURE, m->pub.sign, e->body, KT_BYTES_OF(s->signature));
        if (rc) return rc;
        good++;
    }
    return good >= KT_ERASURE_SIGNERS_MIN ? KT_OK : KT_ERIGHTS;
}
