/* Slots as bytes in a row.
 *
 *   format 1 | slots varint | slot...
 *   slot = entity 16 | field varint | element length varint, bytes | values varint | value...
 *   value = dot 28 | stamp 8 | generation varint | position varint | value length varint, bytes | by length varint,
 * bytes
 *
 * Strictly ascending, none empty, nothing after the end: a damaged row is noticed, never believed. */
#include "core/merge.h"

#define SLOTS_FORMAT    1u
#define SLOT_BYTES_MIN  (KT_ENTITY_ID_BYTES + 3u)
#define VALUE_BYTES_MIN (KT_DOT_BYTES + 8u + 4u)

int kt_slot_compare(const struct kt_slot *a, const struct kt_slot *b)
{
    int c = memcmp(a->entity.b, b->entity.b, sizeof a->entity.b);
    if (c == 0) c = (a->field > b->field) - (a->field < b->field);
    return c ? c : kt_bytes_compare(a->element, b->element);
}

static void put_run(struct kt_buf *out, struct kt_bytes run)
{
    kt_buf_varint(out, run.len);
    kt_buf_put(out, run);
}

static void put_value(struct kt_buf *out, const struct kt_live *live)
{
    uint8_t dot[KT_DOT_BYTES];
    kt_dot_pack(&live->dot, dot);
    kt_buf_put(out, KT_BYTES_OF(dot));
    kt_buf_be64(out, live->stamp);
    kt_buf_varint(out, live->generation);
    kt_buf_varint(out, live->position);
    put_run(out, live->value);
    put_run(out, live->by);
}

int kt_slots_encode(const struct kt_slot *const *slots, size_t n, struct kt_buf *out)
{
    size_t filled = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && kt_slot_compare(slots[i - 1], slots[i]) >= 0) return KT_EBUG;
        if (slots[i]->live_len > 0) filled++;
    }
    kt_buf_u8(out, SLOTS_FORMAT);
    kt_buf_varint(out, filled);
    for (size_t i = 0; i < n; i++) {
        const struct kt_slot *s = slots[i];
        if (s->live_len == 0) continue; /* an empty slot is no slot */
        kt_buf_put(out, KT_BYTES_OF(s->entity.b));
        kt_buf_varint(out, s->field);
        put_run(out, s->element);
        kt_buf_varint(out, s->live_len);
        for (uint32_t j = 0; j < s->live_len; j++) put_value(out, &s->live[j]);
    }
    return out->err;
}

/* A number of things of at least `least` bytes each: more than the rest can hold is damage. */
static size_t take_count(struct kt_reader *r, size_t least)
{
    uint64_t n = kt_take_varint(r);
    if (r->err) return 0;
    if (n > kt_reader_left(r) / least) r->err = KT_EMALFORMED;
    return r->err ? 0 : (size_t)n;
}

static struct kt_bytes take_run(struct kt_reader *r, size_t len_max)
{
    uint64_t len = kt_take_varint(r);
    if (!r->err && len > len_max) r->err = KT_EOVERSIZE;
    return r->err ? (struct kt_bytes){0} : kt_take(r, (size_t)len);
}

static uint32_t take_u32(struct kt_reader *r)
{
    uint64_t n = kt_take_varint(r);
    if (!r->err && n > UINT32_MAX) r->err = KT_EMALFORMED;
    return r->err ? 0 : (uint32_t)n;
}

static void take_value(struct kt_reader *r, struct kt_live *live)
{
    uint8_t dot[KT_DOT_BYTES] = {0};
    kt_take_into(r, dot, sizeof dot);
    kt_dot_unpack(dot, &live->dot);
    live->stamp = kt_take_be64(r);
    live->generation = take_u32(r);
    live->position = kt_take_varint(r);
    live->value = take_run(r, KT_VALUE_BYTES_MAX);
    live->by = take_run(r, KT_NAME_BYTES_MAX);
}

static int take_slot(struct kt_reader *r, struct kt_arena *arena, struct kt_slot *slot)
{
    kt_take_into(r, slot->entity.b, sizeof slot->entity.b);
    slot->field = take_u32(r);
    slot->element = take_run(r, KT_ELEMENT_BYTES_MAX);
    size_t n = take_count(r, VALUE_BYTES_MIN);
    if (r->err) return r->err;
    if (n == 0) return KT_EMALFORMED;
    slot->live = kt_arena_array(arena, n, sizeof *slot->live);
    if (!slot->live) return KT_ELIMIT;
    slot->live_len = slot->live_cap = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        take_value(r, &slot->live[i]);
        if (!r->err && i > 0 && kt_dot_compare(&slot->live[i - 1].dot, &slot->live[i].dot) >= 0) r->err = KT_EMALFORMED;
        if (r->err) return r->err;
    }
    return KT_OK;
}

int kt_slots_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_slot **slots, size_t *n)
{
    struct kt_reader r = kt_reader(in);
    uint8_t format = kt_take_u8(&r);
    if (!r.err && format != SLOTS_FORMAT) return KT_EVERSION;
    size_t count = take_count(&r, SLOT_BYTES_MIN);
    if (r.err) return r.err;
    struct kt_slot *out = count ? kt_arena_array(arena, count, sizeof *out) : NULL;
    if (count && !out) return KT_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        int err = take_slot(&r, arena, &out[i]);
        if (!err && i > 0 && kt_slot_compare(&out[i - 1], &out[i]) >= 0) err = KT_EMALFORMED;
        if (err) return err;
    }
    if (kt_reader_left(&r) > 0) return KT_EMALFORMED;
    *slots = out;
    *n = count;
    return KT_OK;
}
