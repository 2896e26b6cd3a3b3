#include "proto/batch/batch.h"

#include "proto/batch/section.h"

/* The outermost message, before anything in it is believed. */
struct outer {
    struct kt_bytes seal, signature;
    uint32_t sections;
};

static int take_outer(struct kt_bytes in, struct outer *o)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb f;

    if (in.len > KT_BATCH_BYTES_MAX) return KT_EOVERSIZE;
    *o = (struct outer){0};
    while (kt_pb_next(&r, &f)) {
        if (f.field > KT_BATCH_SECTION) continue;
        if (f.wire != 2) return KT_EMALFORMED;
        if (f.field == KT_BATCH_SEAL) o->seal = f.bytes;
        if (f.field == KT_BATCH_SIGNATURE) o->signature = f.bytes;
        if (f.field == KT_BATCH_SECTION && ++o->sections > KT_SECTIONS_PER_BATCH_MAX) return KT_EOVERSIZE;
    }
    if (r.err) return r.err;
    return o->seal.data && o->signature.len == KT_SIGNATURE_BYTES ? KT_OK : KT_EMALFORMED;
}

int kt_batch_peek(struct kt_bytes in, struct kt_arena *arena, struct kt_seal *out, struct kt_hash *seal_hash)
{
    struct outer o;

    int rc = take_outer(in, &o);
    if (!rc) rc = kt_seal_decode(o.seal, arena, out);
    if (!rc) *seal_hash = kt_seal_hash(o.seal);
    return rc;
}

static int take_item_field(const struct kt_pb *f, struct kt_item *item)
{
    uint8_t wire = f->field == KT_ITEM_GENERATION ? 0 : 2;

    if (f->field > KT_ITEM_BODY_HASH) return KT_OK; /* of a later format: skipped */
    if (f->wire != wire) return KT_EMALFORMED;
    switch (f->field) {
    case KT_ITEM_CLEAR:
        item->clear = f->bytes;
        return f->bytes.len > KT_CLEAR_BYTES_MAX ? KT_EOVERSIZE : KT_OK;
    case KT_ITEM_CIPHER:
        item->cipher = f->bytes;
        return f->bytes.len > KT_ITEM_BYTES_MAX ? KT_EOVERSIZE : KT_OK;
    case KT_ITEM_TAG:
        if (f->bytes.len != sizeof(item->tag.b)) return KT_EMALFORMED;
        memcpy(item->tag.b, f->bytes.data, sizeof(item->tag.b));
        return KT_OK;
    case KT_ITEM_GENERATION:
        item->generation = (uint32_t)f->number;
        return f->number > UINT32_MAX ? KT_EMALFORMED : KT_OK;
    default:
        if (f->bytes.len != sizeof(item->body_hash.b)) return KT_EMALFORMED;
        memcpy(item->body_hash.b, f->bytes.data, sizeof(item->body_hash.b));
        return KT_OK;
    }
}

/* Either both of clear and cipher and nothing else, or tag and body hash (and generation). */
static int take_item(struct kt_bytes in, struct kt_item *item)
{
    const uint32_t open = 1u << KT_ITEM_CLEAR | 1u << KT_ITEM_CIPHER;
    const uint32_t erased = 1u << KT_ITEM_TAG | 1u << KT_ITEM_BODY_HASH;
    struct kt_reader r = kt_reader(in);
    struct kt_clear clear;
    struct kt_pb f;
    uint32_t seen = 0;

    while (kt_pb_next(&r, &f)) {
        int rc = take_item_field(&f, item);
        if (rc) return rc;
        if (f.field <= KT_ITEM_BODY_HASH) seen |= 1u << f.field;
    }
    if (r.err) return r.err;
    item->erased = (seen & ~(1u << KT_ITEM_GENERATION)) == erased;
    if (item->erased) return KT_OK;
    if (seen != open) return KT_EMALFORMED;
    if (item->clear.len + item->cipher.len > KT_ITEM_BYTES_MAX) return KT_EOVERSIZE;
    int rc = kt_clear_decode(item->clear, &clear);
    if (rc) return rc;
    item->tag = clear.tag;
    item->generation = clear.generation;
    item->body_hash = kt_item_body_hash(item->clear, item->cipher);
    return KT_OK;
}

static int count_items(struct kt_bytes in, struct kt_section *s)
{
    struct kt_reader r = kt_reader(in);
    struct kt_pb f;

    while (kt_pb_next(&r, &f)) {
        if (f.field > KT_SECTION_ITEM) continue;
        if (f.wire != 2) return KT_EMALFORMED;
        if (f.field == KT_SECTION_HEADER) s->header = f.bytes;
        if (f.field == KT_SECTION_ITEM) s->items_len++;
    }
    if (r.err) return r.err;
    return s->header.data ? KT_OK : KT_EMALFORMED;
}

static int take_section(struct kt_bytes in, const struct kt_section_summary *summary, struct kt_arena *arena,
                        struct kt_section *s)
{
    struct kt_reader r = kt_reader(in);
    struct kt_hasher h;
    struct kt_hash hash;
    struct kt_pb f;
    uint32_t n = 0;

    int rc = count_items(in, s);
    if (rc) return rc;
    if (s->items_len != summary->count) return KT_EMALFORMED;
    rc = kt_section_header_decode(arena, s);
    if (rc) return rc;
    s->items = kt_arena_array(arena, s->items_len, sizeof(*s->items));
    if (!s->items) return KT_ELIMIT;
    kt_section_hash_begin(&h, s->header);
    while (kt_pb_next(&r, &f)) {
        if (f.field != KT_SECTION_ITEM) continue;
        rc = take_item(f.bytes, &s->items[n]);
        if (rc) return rc;
        kt_section_hash_item(&h, &s->items[n++]);
    }
    kt_hash_end(&h, hash.b);
    return memcmp(hash.b, summary->hash.b, sizeof(hash.b)) == 0 ? KT_OK : KT_EHASH;
}

int kt_batch_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_batch *out)
{
    struct kt_reader r = kt_reader(in);
    struct kt_batch b = {0};
    struct outer o;
    struct kt_pb f;
    uint32_t n = 0;

    int rc = take_outer(in, &o);
    if (!rc) rc = kt_seal_decode(o.seal, arena, &b.seal);
    if (rc) return rc;
    if (o.sections != b.seal.sections_len) return KT_EMALFORMED;
    b.seal_bytes = o.seal;
    b.signature = o.signature;
    b.seal_hash = kt_seal_hash(o.seal);
    b.sections = kt_arena_array(arena, o.sections, sizeof(*b.sections));
    if (!b.sections) return KT_ELIMIT;
    while (!rc && kt_pb_next(&r, &f)) {
        if (f.field != KT_BATCH_SECTION) continue;
        rc = take_section(f.bytes, &b.seal.sections[n], arena, &b.sections[n]);
        n++;
    }
    if (!rc) *out = b;
    return rc;
}

static void put_section(const struct kt_section *s, struct kt_buf *out)
{
    size_t mark = kt_buf_pb_open(out, KT_BATCH_SECTION);

    kt_buf_pb_bytes(out, KT_SECTION_HEADER, s->header);
    for (uint32_t i = 0; i < s->items_len; i++) kt_item_put(&s->items[i], out);
    kt_buf_pb_close(out, mark);
}

int kt_batch_encode(const struct kt_batch *b, struct kt_buf *out)
{
    size_t start = out->len;

    kt_buf_pb_bytes(out, KT_BATCH_SEAL, b->seal_bytes);
    kt_buf_pb_bytes(out, KT_BATCH_SIGNATURE, b->signature);
    for (uint32_t i = 0; i < b->seal.sections_len; i++) put_section(&b->sections[i], out);
    int rc = out->err;
    if (!rc && out->len - start > KT_BATCH_BYTES_MAX) rc = KT_EOVERSIZE;
    if (rc) out->len = start;
    return rc;
}
