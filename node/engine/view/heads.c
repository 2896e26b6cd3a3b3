/* Head row:
 *
 *   kind be32 | row be64 | parts u8 |
 *   (compartment be32 | flags u8 | primary 16 | terms be16, 24 each | conflicts be16, 16 each | refs be16, 16 each)* */
#include "engine/view/heads.h"

#include <stdlib.h>

#define HEAD_ROW_BYTES_MAX (64u << 20) /* far above what the bounds of facts.c allow */

static struct kt_run take_run(struct kt_reader *r, size_t item_bytes)
{
    const uint32_t len = kt_take_be16(r);
    return (struct kt_run){kt_take(r, len * item_bytes).data, len};
}

static void take_part(struct kt_reader *r, struct kt_head_part *p)
{
    p->compartment = kt_take_be32(r);
    p->flags = kt_take_u8(r);
    kt_take_into(r, p->primary.b, sizeof p->primary.b);
    p->terms = take_run(r, KT_TERM_BYTES);
    p->conflicts = take_run(r, KT_CONFLICT_ID_BYTES);
    p->refs = take_run(r, KT_ENTITY_ID_BYTES);
}

int kt_head_load(struct kt_workset *w, const struct kt_entity_id *id, struct kt_ward_head *out)
{
    struct kt_arena *arena = kt_workset_arena(w);
    struct kt_bytes row;
    struct kt_ward_head h = {.id = *id};
    int e = kt_workset_store(w)->ops->get(kt_workset_txn(w), KT_T_store_entity, KT_BYTES_OF(*id), &row);
    if (e == KT_ENOTFOUND) {
        *out = h;
        return KT_OK;
    }
    if (e) return e;
    const struct kt_bytes copy = kt_arena_copy(arena, row);
    if (row.len && !copy.data) return KT_ELIMIT;
    struct kt_reader r = kt_reader(copy);
    h.kind = kt_take_be32(&r);
    h.row = kt_take_be64(&r);
    h.parts_len = kt_take_u8(&r);
    h.parts = kt_arena_array(arena, h.parts_len + 1u, sizeof *h.parts);
    if (!h.parts) return KT_ELIMIT;
    for (uint32_t i = 0; i < h.parts_len; i++) take_part(&r, &h.parts[i]);
    if (r.err || kt_reader_left(&r) || h.kind == 0) return KT_EDAMAGED;
    *out = h;
    return KT_OK;
}

static void put_run(struct kt_buf *b, struct kt_run run, size_t item_bytes)
{
    const uint32_t len = run.len < UINT16_MAX ? run.len : UINT16_MAX;
    kt_buf_be16(b, (uint16_t)len);
    kt_buf_put(b, kt_bytes(run.items, len * item_bytes));
}

int kt_head_save(struct kt_workset *w, const struct kt_ward_head *h)
{
    struct kt_buf b;
    kt_buf_init(&b, HEAD_ROW_BYTES_MAX);
    kt_buf_be32(&b, h->kind);
    kt_buf_be64(&b, h->row);
    kt_buf_u8(&b, (uint8_t)h->parts_len);
    for (uint32_t i = 0; i < h->parts_len; i++) {
        const struct kt_head_part *p = &h->parts[i];
        kt_buf_be32(&b, p->compartment);
        kt_buf_u8(&b, p->flags);
        kt_buf_put(&b, KT_BYTES_OF(p->primary));
        put_run(&b, p->terms, KT_TERM_BYTES);
        put_run(&b, p->conflicts, KT_CONFLICT_ID_BYTES);
        put_run(&b, p->refs, KT_ENTITY_ID_BYTES);
    }
    int e = b.err;
    if (!e)
        e = kt_workset_store(w)->ops->put(kt_workset_txn(w), KT_T_store_entity, KT_BYTES_OF(h->id), kt_buf_bytes(&b));
    kt_buf_free(&b);
    return e;
}

struct kt_head_part *kt_head_part_of(struct kt_workset *w, struct kt_ward_head *h, kt_compartment c)
{
    for (uint32_t i = 0; i < h->parts_len; i++)
        if (h->parts[i].compartment == c) return &h->parts[i];
    if (h->parts_len >= KT_COMPARTMENTS_MAX) return NULL;
    struct kt_head_part *grown = kt_arena_array(kt_workset_arena(w), h->parts_len + 1u, sizeof *grown);
    if (!grown) return NULL;
    if (h->parts_len) memcpy(grown, h->parts, h->parts_len * sizeof *grown);
    grown[h->parts_len] = (struct kt_head_part){.compartment = c};
    h->parts = grown;
    return &h->parts[h->parts_len++];
}

bool kt_head_flag(const struct kt_ward_head *h, uint8_t flag)
{
    for (uint32_t i = 0; i < h->parts_len; i++)
        if (h->parts[i].flags & flag) return true;
    return false;
}

const struct kt_entity_id *kt_head_primary(const struct kt_ward_head *h)
{
    for (uint32_t i = 0; i < h->parts_len; i++)
        if (h->parts[i].refs.len) return &h->parts[i].primary;
    return NULL;
}

int kt_run_diff(struct kt_run before, struct kt_run after, size_t item_bytes,
                int (*change)(void *ctx, const uint8_t *item, bool came), void *ctx)
{
    uint32_t i = 0, k = 0;
    int e = KT_OK;
    while (!e && (i < before.len || k < after.len)) {
        const uint8_t *old = before.items + i * item_bytes, *new = after.items + k *item_bytes;
        const int order = i == before.len ? 1 : k == after.len ? -1 : memcmp(old, new, item_bytes);
        if (order < 0) e = change(ctx, old, false);
        if (order > 0) e = change(ctx, new, true);
        i += order <= 0;
        k += order >= 0;
    }
    return e;
}

static int compare_terms(const void *a, const void *b) { return memcmp(a, b, KT_TERM_BYTES); }
static int compare_ids(const void *a, const void *b) { return memcmp(a, b, KT_ENTITY_ID_BYTES); }

struct kt_run kt_run_of(uint8_t *items, uint32_t len, size_t item_bytes)
{
    uint32_t n = 0;
    if (len > 1) qsort(items, len, item_bytes, item_bytes == KT_TERM_BYTES ? compare_terms : compare_ids);
    for (uint32_t i = 0; i < len; i++) {
        if (n && memcmp(items + (n - 1) * item_bytes, items + i * item_bytes, item_bytes) == 0) continue;
        if (n != i) memcpy(items + n * item_bytes, items + i * item_bytes, item_bytes);
        n++;
    }
    return (struct kt_run){items, n};
}
