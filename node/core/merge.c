/* The one merge rule, and nothing else: first what the op replaces goes, or is owed; then what it adds comes, unless it
 * is owed itself. */
#include "core/merge.h"

/* Where `dot` stands among the slot's values, or where it would. */
static uint32_t place(const struct kt_slot *slot, const struct kt_dot *dot, bool *there)
{
    uint32_t low = 0, high = slot->live_len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (kt_dot_compare(&slot->live[middle].dot, dot) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *there = low < slot->live_len && kt_dot_compare(&slot->live[low].dot, dot) == 0;
    return low;
}

static void take_out(const struct kt_merge_port *port, const struct kt_op_context *at, struct kt_slot *slot, uint32_t i)
{
    struct kt_live gone = slot->live[i];
    slot->live_len--;
    memmove(&slot->live[i], &slot->live[i + 1], (slot->live_len - i) * sizeof gone);
    slot->dirty = true;
    port->went(port->ctx, at, slot, &gone);
}

static int replace(const struct kt_merge_port *port, const struct kt_op_context *at, const struct kt_op *op,
                   const struct kt_dot *dot)
{
    if (kt_dot_compare(dot, &at->dot) == 0) return KT_OK; /* nothing replaces itself */
    struct kt_slot *slot = NULL;
    int err = port->holding(port->ctx, at, &op->entity, op->field, op->element, dot, &slot);
    if (err) return err;
    bool there = false;
    uint32_t i = slot ? place(slot, dot, &there) : 0;
    if (there) {
        if (slot->live[i].generation <= at->generation) take_out(port, at, slot, i);
        return KT_OK;
    }
    bool settled = false;
    err = port->settled(port->ctx, at, dot, &settled);
    if (err || settled) return err; /* settled and not live: gone already, or never of this field */
    struct kt_debt debt = {.compartment = at->compartment,
                           .ward = at->ward,
                           .entity = op->entity,
                           .field = op->field,
                           .dot = *dot,
                           .generation = at->generation};
    return port->debt_put(port->ctx, &debt);
}

static int add(const struct kt_merge_port *port, const struct kt_op_context *at, const struct kt_op *op)
{
    struct kt_slot *slot = NULL;
    int err = port->slot(port->ctx, at, &op->entity, op->field, op->element, false, &slot);
    if (err) return err;
    bool there = false, owed = false;
    if (slot) place(slot, &at->dot, &there);
    if (there) return KT_OK;
    err = port->debt_covers(port->ctx, at, op, &owed);
    if (err || owed) return err;
    if (!slot) err = port->slot(port->ctx, at, &op->entity, op->field, op->element, true, &slot);
    if (err) return err;
    struct kt_live live = {.dot = at->dot,
                           .stamp = at->stamp,
                           .generation = at->generation,
                           .position = at->position,
                           .value = op->value,
                           .by = at->by};
    err = port->own(port->ctx, slot, &live);
    if (err) return err;
    uint32_t i = place(slot, &at->dot, &there);
    memmove(&slot->live[i + 1], &slot->live[i], (slot->live_len - i) * sizeof live);
    slot->live[i] = live;
    slot->live_len++;
    slot->dirty = true;
    port->came(port->ctx, at, slot, &slot->live[i]);
    return KT_OK;
}

int kt_merge_op(const struct kt_merge_port *port, const struct kt_op_context *at, const struct kt_op *op)
{
    for (uint32_t i = 0; i < op->replaces_len; i++) {
        int err = replace(port, at, op, &op->replaces[i]);
        if (err) return err;
    }
    return op->has_value ? add(port, at, op) : KT_OK;
}
