#include "proto/peer/pulse.h"

#include "proto/peer/pulse_wire.h"

static const struct kt_wire_field HEAD[] = {
    KT_W(1, U32, struct kt_head, origin.member, .max = UINT32_MAX, .required = true),
    KT_W(2, FIXED64, struct kt_head, origin.incarnation, .required = true),
    KT_W(3, U64, struct kt_head, number),
};
const struct kt_wire_message kt_head_message = KT_WIRE_MESSAGE_OF(HEAD);

static const struct kt_wire_field DIGEST[] = {
    KT_W(1, U32, struct kt_pulse_digest, compartment, .max = UINT32_MAX, .required = true),
    KT_W(2, RAW, struct kt_pulse_digest, digest, .max = KT_HASH_BYTES, .required = true),
};
static const struct kt_wire_message DIGEST_MESSAGE = KT_WIRE_MESSAGE_OF(DIGEST);

static const struct kt_wire_field BODY[] = {
    KT_W_LABEL(1, "pulse"),
    KT_W_SUITE(2),
    KT_W(3, RAW, struct kt_pulse, cluster, .max = KT_CLUSTER_BYTES, .required = true),
    KT_W(4, U32, struct kt_pulse, member, .max = UINT32_MAX, .required = true),
    KT_W(5, FIXED64, struct kt_pulse, hlc, .required = true),
    KT_W_LIST(6, MESSAGE, struct kt_pulse, heads, heads_len, KT_ORIGINS_MAX, .of = &kt_head_message),
    KT_W(7, RAW, struct kt_pulse, vector_hash, .max = KT_HASH_BYTES, .required = true),
    KT_W(8, RAW, struct kt_pulse, vector_seals_hash, .max = KT_HASH_BYTES, .required = true),
    KT_W_LIST(9, MESSAGE, struct kt_pulse, digests, digests_len, KT_COMPARTMENTS_MAX, .of = &DIGEST_MESSAGE),
    KT_W_LIST(10, MESSAGE, struct kt_pulse, vector, vector_len, KT_ORIGINS_MAX, .of = &kt_head_message),
};
static const struct kt_wire_message BODY_MESSAGE = KT_WIRE_MESSAGE_OF(BODY);

struct signed_pulse {
    struct kt_bytes body;
    uint8_t signature[KT_SIGNATURE_BYTES];
};
static const struct kt_wire_field SIGNED[] = {
    KT_W(1, BYTES, struct signed_pulse, body, .max = KT_PULSE_BYTES_MAX, .required = true),
    KT_W(2, RAW, struct signed_pulse, signature, .max = KT_SIGNATURE_BYTES, .required = true),
};
static const struct kt_wire_message SIGNED_MESSAGE = KT_WIRE_MESSAGE_OF(SIGNED);

bool kt_heads_ascend(const struct kt_head *heads, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        if (kt_origin_compare(heads[i - 1].origin, heads[i].origin) >= 0) return false;
    }
    return true;
}

static bool form_ok(const struct kt_pulse *p)
{
    for (uint32_t i = 0; i < p->heads_len; i++) {
        if (p->heads[i].origin.member != p->member) return false; /* it speaks for itself alone */
    }
    for (uint32_t i = 1; i < p->digests_len; i++) {
        if (p->digests[i - 1].compartment >= p->digests[i].compartment) return false;
    }
    return p->member != 0 && kt_heads_ascend(p->heads, p->heads_len) && kt_heads_ascend(p->vector, p->vector_len);
}

int kt_pulse_encode(const struct kt_pulse *p, const uint8_t sign_secret[64], struct kt_buf *out)
{
    if (p->suite != KT_SUITE_1) return KT_ESUITE;
    if (!form_ok(p)) return KT_EINVAL;
    struct kt_buf body;
    kt_buf_init(&body, KT_PULSE_BYTES_MAX);
    int err = kt_wire_encode(&BODY_MESSAGE, p, &body);
    if (!err) {
        struct signed_pulse s = {.body = kt_buf_bytes(&body)};
        kt_sign(KT_LABEL_PULSE, sign_secret, s.body, s.signature);
        err = kt_wire_encode(&SIGNED_MESSAGE, &s, out);
    }
    kt_buf_free(&body);
    return err;
}

/* The outer message needs nothing from an arena. */
static int take_apart(struct kt_bytes in, struct signed_pulse *s)
{
    struct kt_arena none;
    kt_arena_init(&none, 0);
    int err = kt_wire_decode(&SIGNED_MESSAGE, in, &none, s);
    kt_arena_free(&none);
    return err;
}

int kt_pulse_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_pulse *out)
{
    struct signed_pulse s = {0};
    struct kt_pulse p = {.suite = KT_SUITE_1};
    int err = take_apart(in, &s);
    if (!err) err = kt_wire_decode(&BODY_MESSAGE, s.body, arena, &p);
    if (err) return err;
    if (!form_ok(&p)) return KT_EMALFORMED;
    *out = p;
    return KT_OK;
}

int kt_pulse_verify(struct kt_bytes in, const uint8_t sign_public[KT_PUBLIC_KEY_BYTES])
{
    struct signed_pulse s = {0};
    int err = take_apart(in, &s);
    return err ? err : kt_verify(KT_LABEL_PULSE, sign_public, s.body, KT_BYTES_OF(s.signature));
}
