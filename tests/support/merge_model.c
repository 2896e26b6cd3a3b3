#include "support/merge_model.h"

#include <stdlib.h>

#define MODEL_BYTES_MAX (64u << 20)

static const uint8_t digest_key[KT_KEY_BYTES] = "the digest key of the model";

void merge_model_init(struct merge_model *m)
{
    *m = (struct merge_model){.calls_left = -1};
    kt_arena_init(&m->memory, MODEL_BYTES_MAX);
}

void merge_model_free(struct merge_model *m)
{
    for (size_t i = 0; i < m->slots_len; i++) {
        free(m->slots[i]->slot.live);
        free(m->slots[i]);
    }
    free(m->slots);
    free(m->debts);
    free(m->settled);
    kt_arena_free(&m->memory);
}

static bool same(const void *a, const void *b, size_t len) { return memcmp(a, b, len) == 0; }

/* Room for one more in a list; tests do not run out of memory. */
static void *grown(void *items, size_t len, size_t bytes)
{
    void *more = realloc(items, (len + 1) * bytes);
    if (!more) abort();
    return more;
}

static int fails(struct merge_model *m)
{
    if (m->calls_left == 0) return KT_EIO;
    if (m->calls_left > 0) m->calls_left--;
    return KT_OK;
}

struct kt_slot *merge_model_find(const struct merge_model *m, kt_compartment c, const struct kt_entity_id *ward,
                                 const struct kt_entity_id *entity, uint32_t field, struct kt_bytes element)
{
    const struct kt_slot wanted = {.entity = *entity, .field = field, .element = element};
    for (size_t i = 0; i < m->slots_len; i++) {
        struct merge_model_slot *s = m->slots[i];
        if (s->compartment == c && same(&s->ward, ward, sizeof *ward) && kt_slot_compare(&s->slot, &wanted) == 0)
            return &s->slot;
    }
    return NULL;
}

static int find_slot(void *ctx, const struct kt_op_context *at, const struct kt_entity_id *entity, uint32_t field,
                     struct kt_bytes element, bool create, struct kt_slot **out)
{
    struct merge_model *m = ctx;
    int err = fails(m);
    if (err) return err;
    *out = merge_model_find(m, at->compartment, &at->ward, entity, field, element);
    if (*out || !create) return KT_OK;
    struct merge_model_slot *s = calloc(1, sizeof *s);
    if (!s) abort();
    s->compartment = at->compartment;
    s->ward = at->ward;
    s->slot.entity = *entity;
    s->slot.field = field;
    s->slot.element = kt_arena_copy(&m->memory, element);
    m->slots = grown(m->slots, m->slots_len, sizeof *m->slots);
    m->slots[m->slots_len++] = s;
    *out = &s->slot;
    return KT_OK;
}

static bool has_dot(const struct kt_slot *slot, const struct kt_dot *dot)
{
    for (uint32_t i = 0; i < slot->live_len; i++)
        if (kt_dot_compare(&slot->live[i].dot, dot) == 0) return true;
    return false;
}

bool merge_model_holds(const struct merge_model *m, const struct kt_dot *dot)
{
    for (size_t i = 0; i < m->slots_len; i++)
        if (has_dot(&m->slots[i]->slot, dot)) return true;
    return false;
}

static int holding(void *ctx, const struct kt_op_context *at, const struct kt_entity_id *entity, uint32_t field,
                   struct kt_bytes hint, const struct kt_dot *dot, struct kt_slot **out)
{
    (void)hint;
    struct merge_model *m = ctx;
    int err = fails(m);
    if (err) return err;
    *out = NULL;
    for (size_t i = 0; i < m->slots_len; i++) {
        struct merge_model_slot *s = m->slots[i];
        if (s->compartment == at->compartment && same(&s->ward, &at->ward, sizeof s->ward) &&
            same(&s->slot.entity, entity, sizeof *entity) && s->slot.field == field && has_dot(&s->slot, dot))
            *out = &s->slot;
    }
    return KT_OK;
}

bool merge_model_is_settled(const struct merge_model *m, const struct kt_dot *dot)
{
    struct kt_dot envelope = *dot;
    envelope.op = 0;
    for (size_t i = 0; i < m->settled_len; i++)
        if (kt_dot_compare(&m->settled[i], &envelope) == 0) return true;
    return false;
}

static int settled(void *ctx, const struct kt_op_context *at, const struct kt_dot *dot, bool *out)
{
    (void)at;
    int err = fails(ctx);
    if (!err) *out = merge_model_is_settled(ctx, dot);
    return err;
}

static bool same_debt(const struct kt_debt *a, const struct kt_debt *b)
{
    return a->compartment == b->compartment && a->field == b->field && same(&a->ward, &b->ward, sizeof a->ward) &&
           same(&a->entity, &b->entity, sizeof a->entity) && kt_dot_compare(&a->dot, &b->dot) == 0;
}

static int debt_put(void *ctx, const struct kt_debt *debt)
{
    struct merge_model *m = ctx;
    int err = fails(m);
    if (err) return err;
    for (size_t i = 0; i < m->debts_len; i++) {
        if (!same_debt(&m->debts[i], debt)) continue;
        if (m->debts[i].generation < debt->generation) m->debts[i].generation = debt->generation;
        return KT_OK;
    }
    m->debts = grown(m->debts, m->debts_len, sizeof *m->debts);
    m->debts[m->debts_len++] = *debt;
    return KT_OK;
}

static int debt_covers(void *ctx, const struct kt_op_context *at, const struct kt_op *op, bool *out)
{
    struct merge_model *m = ctx;
    int err = fails(m);
    if (err) return err;
    const struct kt_debt wanted = {
        .compartment = at->compartment, .ward = at->ward, .entity = op->entity, .field = op->field, .dot = at->dot};
    *out = false;
    for (size_t i = 0; i < m->debts_len; i++)
        if (same_debt(&m->debts[i], &wanted) && m->debts[i].generation >= at->generation) *out = true;
    return KT_OK;
}

static int own(void *ctx, struct kt_slot *slot, struct kt_live *live)
{
    struct merge_model *m = ctx;
    int err = fails(m);
    if (err) return err;
    slot->live = grown(slot->live, slot->live_len, sizeof *slot->live);
    slot->live_cap = slot->live_len + 1;
    live->value = kt_arena_copy(&m->memory, live->value);
    live->by = kt_arena_copy(&m->memory, live->by);
    return KT_OK;
}

static void came(void *ctx, const struct kt_op_context *at, const struct kt_slot *slot, const struct kt_live *live)
{
    struct merge_model *m = ctx;
    struct kt_sum term = kt_digest_term(digest_key, &at->ward, slot, live);
    kt_sum_add(&m->sum, &term);
    m->live++;
    m->came++;
}

static void went(void *ctx, const struct kt_op_context *at, const struct kt_slot *slot, const struct kt_live *live)
{
    struct merge_model *m = ctx;
    struct kt_sum term = kt_digest_term(digest_key, &at->ward, slot, live);
    kt_sum_sub(&m->sum, &term);
    m->live--;
    m->went++;
}

struct kt_merge_port merge_model_port(struct merge_model *m)
{
    return (struct kt_merge_port){.ctx = m,
                                  .slot = find_slot,
                                  .holding = holding,
                                  .settled = settled,
                                  .debt_put = debt_put,
                                  .debt_covers = debt_covers,
                                  .own = own,
                                  .came = came,
                                  .went = went};
}

void merge_model_settle(struct merge_model *m, const struct kt_dot *dot)
{
    m->settled = grown(m->settled, m->settled_len, sizeof *m->settled);
    m->settled[m->settled_len] = *dot;
    m->settled[m->settled_len++].op = 0;
    size_t kept = 0;
    for (size_t i = 0; i < m->debts_len; i++)
        if (!merge_model_is_settled(m, &m->debts[i].dot)) m->debts[kept++] = m->debts[i];
    m->debts_len = kept;
}
