/* What the authority gives back to an office it admits (roster.proto, Admission). */
#include "proto/message.h"
#include "proto/roster/roster.h"

static const struct kt_wire_field ADMISSION[] = {
    KT_W_LABEL(1, "admission"),
    KT_W_SUITE(2),
    KT_W(3, BYTES, struct kt_admission, certificate, .max = KT_HANDSHAKE_FRAME_BYTES_MAX, .required = true),
    KT_W_LIST(4, BYTES, struct kt_admission, rosters, rosters_len, KT_ROSTER_CHAIN_MAX, .max = KT_ROSTER_BYTES_MAX),
    KT_W_LIST(5, BYTES, struct kt_admission, bundles, bundles_len, KT_BUNDLES_MAX, .max = KT_BUNDLE_BYTES_MAX),
};
static const struct kt_wire_message ADMISSION_MESSAGE = KT_WIRE_MESSAGE_OF(ADMISSION);

int kt_admission_encode(const struct kt_admission *a, struct kt_buf *out)
{
    if (a->rosters_len == 0 || a->certificate.len == 0) return KT_EINVAL;
    return kt_wire_encode(&ADMISSION_MESSAGE, a, out);
}

int kt_admission_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_admission *out)
{
    if (in.len > KT_ADMISSION_BYTES_MAX) return KT_EOVERSIZE;
    struct kt_admission a = {0};
    int err = kt_wire_decode(&ADMISSION_MESSAGE, in, arena, &a);
    if (err) return err;
    if (a.rosters_len == 0 || a.certificate.len == 0) return KT_EMALFORMED;
    *out = a;
    return KT_OK;
}
