/* What only a forked incarnation of ours said is said again under the one that follows: peers take nothing more of the
 * other.  Said again is what is live still: what was replaced since stays so.  The copies name none of the originals:
 * at an office that holds the other side the same dots are other values, whose writers have seen nothing of ours. Until
 * a cut takes the originals away both stand here, with the same bytes, which is no conflict. */
#include "engine/ledger/ledger_state.h"

#define BATCHES_AT_ONCE 16u

struct again {
    struct kt_ledger *l;
    struct kt_origin origin;
    uint64_t from; /* here the sides part */
    struct kt_merge_port port;
};

static int is_live(struct again *a, const struct kt_opened_envelope *env, const struct kt_op *op, uint32_t index,
                   bool *out)
{
    const struct kt_op_context at = {.compartment = env->place.compartment, .ward = env->change.ward};
    const struct kt_dot dot = {env->place.origin, env->place.batch, env->place.envelope, index};
    struct kt_slot *slot;
    const int e = a->port.holding(a->port.ctx, &at, &op->entity, op->field, op->element, &dot, &slot);
    *out = !e && slot;
    return e;
}

/* The names among those replaced that mean the same everywhere. */
static int keep_replaced(struct again *a, struct kt_op *op)
{
    struct kt_dot *kept = kt_arena_array(&a->l->arena, op->replaces_len + 1u, sizeof *kept);
    uint32_t n = 0;
    if (!kept) return KT_ELIMIT;
    for (uint32_t i = 0; i < op->replaces_len; i++)
        if (kt_origin_compare(op->replaces[i].origin, a->origin) != 0 || op->replaces[i].batch < a->from)
            kept[n++] = op->replaces[i];
    op->replaces = kept;
    op->replaces_len = n;
    return KT_OK;
}

/* A row of a list keeps the name it got from its first dot: it stays one row. */
static int name_row(struct again *a, const struct kt_opened_envelope *env, uint32_t index, struct kt_op *op)
{
    const struct kt_dot dot = {env->place.origin, env->place.batch, env->place.envelope, index};
    uint8_t packed[KT_DOT_BYTES];
    if (!kt_field_is_list(op->field) || op->element.len) return KT_OK;
    kt_dot_pack(&dot, packed);
    op->element = kt_arena_copy(&a->l->arena, KT_BYTES_OF(packed));
    return op->element.data ? KT_OK : KT_ELIMIT;
}

static int say_again(struct again *a, const struct kt_opened_envelope *env)
{
    struct kt_op *ops = kt_arena_array(&a->l->arena, env->change.ops_len + 1u, sizeof *ops);
    struct kt_plan *plan = kt_arena_alloc(&a->l->arena, sizeof *plan);
    struct kt_token token;
    uint32_t n = 0;
    bool fatal;
    int e = ops && plan ? KT_OK : KT_ELIMIT;
    for (uint32_t i = 0; i < env->change.ops_len && !e; i++) {
        struct kt_op op = env->change.ops[i];
        bool live = false;
        e = name_row(a, env, i, &op);
        if (!e) e = is_live(a, env, &op, i, &live);
        if (!e) e = keep_replaced(a, &op);
        if (!live) op.has_value = false, op.value = kt_bytes(NULL, 0);
        if (live || op.replaces_len) ops[n++] = op;
    }
    if (e || n == 0) return e;
    *plan = (struct kt_plan){.changes_len = 1};
    plan->changes[0] = (struct kt_planned_change){env->place.compartment, env->stamp, env->change};
    plan->changes[0].change.ops = ops;
    plan->changes[0].change.ops_len = n;
    e = kt_ledger_write_plan(a->l, plan, &token, &fatal);
    return e == KT_ERIGHTS ? KT_OK : e; /* it may not be written any more, by whomever */
}

static int reissue_batch(struct again *a, struct kt_txn *journal, uint64_t number)
{
    struct kt_ledger *l = a->l;
    struct kt_journal_entry entry;
    int e = kt_journal_find(l->store, journal, a->origin, number, &entry);
    if (e) return e == KT_ESNAPSHOT || e == KT_EDAMAGED ? KT_OK : e; /* what is not here cannot be said again */
    const struct kt_bytes copy = kt_arena_copy(&l->arena, entry.batch);
    struct kt_opened *o = kt_arena_alloc(&l->arena, sizeof *o);
    if (!copy.data || !o) return KT_ELIMIT;
    e = kt_open_batch(l->keyring, l->packer, copy, NULL, 0, &l->arena, o);
    for (uint32_t i = 0; !e && !o->verdict && i < o->envelopes_len; i++)
        if (o->envelopes[i].fate == KT_FATE_OPEN) e = say_again(a, &o->envelopes[i]);
    return e;
}

int kt_ledger_reissue(struct kt_ledger *l, struct kt_origin origin, uint64_t from, uint64_t *next, bool *more)
{
    struct again a = {.l = l, .origin = origin, .from = from};
    const uint64_t head = kt_vector_get(&l->vector, origin);
    struct kt_txn *journal;
    kt_workset_merge_port(l->workset, &l->vector, &a.port);
    int e = l->store->ops->begin(l->store, KT_ENV_JOURNAL, false, &journal);
    if (e) return e;
    for (uint32_t i = 0; i < BATCHES_AT_ONCE && *next <= head && !e; i++)
        if (!(e = reissue_batch(&a, journal, *next))) ++*next;
    l->store->ops->abort(journal);
    *more = *next <= head;
    return e;
}
