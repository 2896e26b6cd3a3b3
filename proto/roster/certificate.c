/* The certificate: a fixed layout, because it is read before the other end is authenticated (bytes in PROTOCOL.md).
 *
 *   head "certificate" 16 | cluster 16 | member 4 | sign 32 | session 32 | receive 32 | roster version 4 |
 *   not after, ms 8 | number of signatures 1 | (signer 4, signature 64)*            all numbers big-endian
 *
 * Signed is everything before the number of signatures. */
#include "proto/keys/head.h"
#include "proto/roster/roster.h"

#define HEAD_BYTES      (4u + 1u + 11u)
#define BODY_BYTES      (HEAD_BYTES + KT_CLUSTER_BYTES + 4u + 3u * KT_PUBLIC_KEY_BYTES + 4u + 8u)
#define CERTIFICATE_MAX (BODY_BYTES + 1u + KT_SIGNERS_MAX * (4u + KT_SIGNATURE_BYTES))
_Static_assert(CERTIFICATE_MAX < KT_HANDSHAKE_FRAME_BYTES_MAX / 2, "a certificate fits a handshake frame");

int kt_certificate_encode(const struct kt_certificate *c, const struct kt_signer *signers, const uint8_t (*secrets)[64],
                          uint32_t n, struct kt_buf *out)
{
    if (n == 0 || n > KT_SIGNERS_MAX || c->member == 0) return KT_EINVAL;
    size_t start = out->len;
    kt_head_put(out, KT_LABEL_CERTIFICATE);
    kt_buf_put(out, KT_BYTES_OF(c->cluster));
    kt_buf_be32(out, c->member);
    kt_buf_put(out, KT_BYTES_OF(c->pub.sign));
    kt_buf_put(out, KT_BYTES_OF(c->pub.session));
    kt_buf_put(out, KT_BYTES_OF(c->pub.receive));
    kt_buf_be32(out, c->roster_version);
    kt_buf_be64(out, c->not_after_ms);
    kt_buf_u8(out, (uint8_t)n);
    for (uint32_t i = 0; i < n && !out->err; i++) {
        uint8_t signature[KT_SIGNATURE_BYTES];
        kt_sign(KT_LABEL_CERTIFICATE, secrets[i], kt_bytes(out->data + start, BODY_BYTES), signature);
        kt_buf_be32(out, signers[i].id);
        kt_buf_put(out, KT_BYTES_OF(signature));
    }
    return out->err;
}

static int take_body(struct kt_reader *r, struct kt_certificate *c)
{
    int err = kt_head_take(r, KT_LABEL_CERTIFICATE);
    if (err) return err;
    kt_take_into(r, &c->cluster, sizeof(c->cluster));
    c->member = kt_take_be32(r);
    kt_take_into(r, c->pub.sign, sizeof(c->pub.sign));
    kt_take_into(r, c->pub.session, sizeof(c->pub.session));
    kt_take_into(r, c->pub.receive, sizeof(c->pub.receive));
    c->roster_version = kt_take_be32(r);
    c->not_after_ms = kt_take_be64(r);
    return r->err;
}

/* Whether at least the threshold of different signers signed; at most KT_SIGNERS_MAX verifications. */
static int check_signatures(struct kt_reader *r, struct kt_bytes body, const struct kt_roster *roster)
{
    uint32_t n = kt_take_u8(r), good = 0;
    bool counted[KT_SIGNERS_MAX] = {false};

    if (n > KT_SIGNERS_MAX) return KT_EOVERSIZE;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t signer = kt_take_be32(r);
        struct kt_bytes signature = kt_take(r, KT_SIGNATURE_BYTES);
        if (r->err) return r->err;
        for (uint32_t k = 0; k < roster->signers_len; k++) {
            if (roster->signers[k].id != signer || counted[k]) continue;
            counted[k] = kt_verify(KT_LABEL_CERTIFICATE, roster->signers[k].sign, body, signature) == KT_OK;
            good += counted[k];
        }
    }
    if (r->err) return r->err;
    if (kt_reader_left(r)) return KT_EMALFORMED;
    return good >= roster->threshold ? KT_OK : KT_ESIGNATURE;
}

int kt_certificate_decode(struct kt_bytes in, const struct kt_roster *r, uint64_t now_ms, struct kt_certificate *out)
{
    if (in.len > CERTIFICATE_MAX) return KT_EOVERSIZE;
    struct kt_certificate c = {0};
    struct kt_reader reader = kt_reader(in);
    int err = take_body(&reader, &c);
    if (err) return err;
    if (c.member == 0) return KT_EMALFORMED;
    if (memcmp(&c.cluster, &r->cluster, sizeof(c.cluster)) != 0) return KT_ECLUSTER;
    if ((err = check_signatures(&reader, kt_bytes(in.data, BODY_BYTES), r))) return err;
    if (now_ms >= c.not_after_ms) return KT_EEXPIRED;
    *out = c;
    return KT_OK;
}
