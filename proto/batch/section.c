#include "proto/batch/section.h"

#include "proto/message.h"

#include <stddef.h>

/* clang-format off */
static const struct kt_wire_field key_fields[] = {
    {1, KT_WIRE_RAW, true, offsetof(struct kt_introduced_key, id), .max = KT_DEK_ID_BYTES},
    {2, KT_WIRE_RAW, true, offsetof(struct kt_introduced_key, wrap_hash), .max = KT_HASH_BYTES},
};
static const struct kt_wire_message key_message = KT_WIRE_MESSAGE_OF(key_fields);

static const struct kt_wire_field header_fields[] = {
    {1, KT_WIRE_RAW, true, offsetof(struct kt_section, nonce_base), .max = KT_NONCE_BASE_BYTES},
    {2, KT_WIRE_MESSAGE, .at = offsetof(struct kt_section, keys), .len_at = offsetof(struct kt_section, keys_len),
     .size = sizeof(struct kt_introduced_key), .list_max = KT_ENVELOPES_PER_BATCH_MAX, .of = &key_message},
};
static const struct kt_wire_message header_message = KT_WIRE_MESSAGE_OF(header_fields);
/* clang-format on */

int kt_section_header_encode(const struct kt_section *s, struct kt_buf *out)
{
    return kt_wire_encode(&header_message, s, out);
}

int kt_section_header_decode(struct kt_arena *arena, struct kt_section *into)
{
    return kt_wire_decode(&header_message, into->header, arena, into);
}

void kt_item_put(const struct kt_item *item, struct kt_buf *out)
{
    size_t mark = kt_buf_pb_open(out, KT_SECTION_ITEM);

    if (item->erased) {
        kt_buf_pb_bytes(out, KT_ITEM_TAG, KT_BYTES_OF(item->tag.b));
        if (item->generation) kt_buf_pb_uint(out, KT_ITEM_GENERATION, item->generation);
        kt_buf_pb_bytes(out, KT_ITEM_BODY_HASH, KT_BYTES_OF(item->body_hash.b));
    } else {
        kt_buf_pb_bytes(out, KT_ITEM_CLEAR, item->clear);
        kt_buf_pb_bytes(out, KT_ITEM_CIPHER, item->cipher);
    }
    kt_buf_pb_close(out, mark);
}

struct kt_hash kt_item_body_hash(struct kt_bytes clear, struct kt_bytes cipher)
{
    const struct kt_bytes parts[] = {clear, cipher};

    return kt_hash_parts(kt_label_text(KT_LABEL_ITEM_BODY), parts, 2);
}

struct kt_hash kt_item_hash(const struct kt_tag *tag, uint32_t generation, const struct kt_hash *body_hash)
{
    const uint8_t generation_be[4] = {(uint8_t)(generation >> 24), (uint8_t)(generation >> 16),
                                      (uint8_t)(generation >> 8), (uint8_t)generation};
    const struct kt_bytes parts[] = {KT_BYTES_OF(tag->b), KT_BYTES_OF(generation_be), KT_BYTES_OF(body_hash->b)};

    return kt_hash_parts(kt_label_text(KT_LABEL_ITEM), parts, 3);
}

void kt_section_hash_begin(struct kt_hasher *h, struct kt_bytes header)
{
    kt_hash_begin(h, kt_label_text(KT_LABEL_SECTION), NULL, KT_HASH_BYTES);
    kt_hash_part(h, header);
}

void kt_section_hash_item(struct kt_hasher *h, const struct kt_item *item)
{
    struct kt_hash hash = kt_item_hash(&item->tag, item->generation, &item->body_hash);

    kt_hash_part(h, KT_BYTES_OF(hash.b));
}
