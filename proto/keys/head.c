#include "proto/keys/head.h"

void kt_head_put(struct kt_buf *out, enum kt_label label)
{
    struct kt_bytes text = kt_str(kt_label_text(label));

    kt_buf_be32(out, KT_SUITE_1);
    kt_buf_u8(out, (uint8_t)text.len);
    kt_buf_put(out, text);
}

int kt_head_take(struct kt_reader *r, enum kt_label label)
{
    uint32_t suite = kt_take_be32(r);

    /* a later suite may write the rest of its head in another way */
    if (!r->err && suite != KT_SUITE_1) r->err = KT_ESUITE;
    struct kt_bytes text = kt_take(r, kt_take_u8(r));
    if (!r->err && !kt_bytes_equal(text, kt_str(kt_label_text(label)))) r->err = KT_ELABEL;
    return r->err;
}
