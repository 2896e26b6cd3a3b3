/* The ledger's own writing: records become changes, changes become envelopes of the batch this group fills. */
#include "engine/ledger/ledger_state.h"

/* What an envelope takes beside its change: clear part, authenticator, padding, framing, its share of a header. */
#define ENVELOPE_OVERHEAD_BYTES 512u

/* The journal slot of a draft is reserved when it opens, so that the positions of its values are known. */
static int open_draft(struct kt_ledger *l)
{
    if (l->draft.open) return KT_OK;
    if (l->records_len == KT_GROUP_RECORDS) return KT_EAGAIN;
    l->draft.open = true;
    l->draft.number = kt_vector_get(&l->vector, l->origin) + 1;
    l->draft.record = l->records_len++;
    l->draft.len = 0;
    l->draft.bytes = 1024;
    l->draft.stamp_max = 0;
    l->draft.sections_len = 0;
    return KT_OK;
}

static uint32_t next_in_section(struct kt_draft *d, kt_compartment c)
{
    for (uint32_t i = 0; i < d->sections_len; i++)
        if (d->sections[i].compartment == c) return d->sections[i].count++;
    d->sections[d->sections_len].compartment = c;
    d->sections[d->sections_len++].count = 1;
    return 0;
}

/* A stamp of ours exceeds what it replaces, also what is too far ahead to move our clock. */
static kt_hlc stamp_above(struct kt_ledger *l, kt_hlc seen)
{
    kt_hlc t = kt_clock_next(&l->clock, l->world->now_ms(l->world));
    if (t <= seen && !kt_ledger_observe(l, seen)) return seen + 1;
    return t > seen ? t : kt_clock_next(&l->clock, l->world->now_ms(l->world));
}

static int encode_change(struct kt_ledger *l, const struct kt_change *c, struct kt_bytes *out)
{
    struct kt_buf b;
    kt_buf_init(&b, KT_CHANGE_BYTES_MAX);
    int e = kt_change_encode(c, &b);
    if (!e) {
        *out = kt_arena_copy(&l->arena, kt_buf_bytes(&b));
        e = out->data ? KT_OK : KT_ELIMIT;
    }
    kt_buf_wipe_free(&b);
    return e;
}

/* Would the next batch of ours count?  What is written past a cut of our own counts nowhere. */
static bool is_cut(const struct kt_ledger *l, kt_compartment c)
{
    const uint64_t last = kt_roster_cut(kt_keyring_roster(l->keyring), l->origin, c);
    return last != UINT64_MAX && kt_vector_get(&l->vector, l->origin) >= last;
}

/* Encoded ahead of everything that cannot be taken back. */
struct prepared {
    struct kt_bytes bytes;
    struct kt_draft_envelope envelope;
};

static int prepare(struct kt_ledger *l, const struct kt_planned_change *p, struct prepared *out)
{
    const struct kt_compartment_keys *keys = kt_keyring_compartment(l->keyring, p->compartment);
    const struct kt_roster_compartment *rc = kt_roster_compartment(kt_keyring_roster(l->keyring), p->compartment);
    if (!keys || !rc || is_cut(l, p->compartment)) return KT_ERIGHTS;
    struct kt_ward *ward;
    struct kt_draft_envelope *env = &out->envelope;
    int e = encode_change(l, &p->change, &out->bytes);
    if (!e) e = kt_workset_ward(l->workset, p->compartment, &p->change.ward, &ward);
    if (e) return e;
    *env = (struct kt_draft_envelope){.compartment = p->compartment,
                                      .epoch = rc->epoch,
                                      .tag = kt_tag_of(keys, &p->change.ward),
                                      .generation = ward->generation,
                                      .change = out->bytes};
    return kt_keyring_dek_for(l->keyring, l->wraps, p->compartment, &env->tag, env->generation, &env->dek,
                              &env->wrap_hash, &env->introduces);
}

static int add_envelope(struct kt_ledger *l, const struct kt_planned_change *p, struct prepared *r)
{
    struct kt_draft *d = &l->draft;
    r->envelope.stamp = stamp_above(l, p->seen);
    r->envelope.envelope = kt_envelope_number(p->compartment, next_in_section(d, p->compartment));
    if (r->envelope.stamp > d->stamp_max) d->stamp_max = r->envelope.stamp;
    d->envelopes[d->len++] = r->envelope;
    d->bytes += r->bytes.len + ENVELOPE_OVERHEAD_BYTES;
    const struct kt_op_context at = {.compartment = p->compartment,
                                     .dot = {l->origin, d->number, r->envelope.envelope, 0},
                                     .stamp = r->envelope.stamp,
                                     .generation = r->envelope.generation,
                                     .position = l->position + d->record + 1};
    return kt_apply_change(l->workset, &l->vector, at, &p->change);
}

static bool of_the_store(int e)
{
    return e == KT_EIO || e == KT_EFULL || e == KT_EDAMAGED || e == KT_ENOMEM || e == KT_EBUG;
}

/* Merges a plan and puts its envelopes into the draft. */
int kt_ledger_write_plan(struct kt_ledger *l, const struct kt_plan *plan, struct kt_token *token, bool *fatal)
{
    struct prepared ready[KT_PLAN_CHANGES_MAX];
    size_t bytes = 0;
    *fatal = false;
    for (uint32_t i = 0; i < plan->changes_len; i++) {
        int e = prepare(l, &plan->changes[i], &ready[i]);
        *fatal = of_the_store(e);
        if (e) return e;
        bytes += ready[i].bytes.len + ENVELOPE_OVERHEAD_BYTES;
    }
    *fatal = true; /* from here on a failure leaves half a record behind */
    const bool fits = !l->draft.open || (l->draft.bytes + bytes <= KT_BATCH_BYTES_MAX &&
                                         l->draft.len + plan->changes_len <= KT_ENVELOPES_PER_BATCH_MAX);
    int e = fits ? KT_OK : kt_ledger_seal(l);
    if (!e) e = open_draft(l);
    for (uint32_t i = 0; i < plan->changes_len && !e; i++) e = add_envelope(l, &plan->changes[i], &ready[i]);
    if (e) return e;
    *fatal = false;
    l->touched = true;
    *token = (struct kt_token){.issuer = l->origin.member,
                               .store = l->store_life,
                               .sequence = l->position + l->draft.record + 1,
                               .heads = {{l->origin, l->draft.number}},
                               .heads_len = 1};
    return KT_OK;
}

/* The token of a line that changed nothing: of what it found. */
static void token_of_found(const struct kt_ledger *l, const struct kt_plan *plan, struct kt_token *token)
{
    *token = (struct kt_token){.issuer = l->origin.member,
                               .store = l->store_life,
                               .sequence = l->position + l->records_len,
                               .heads_len = plan->found_len};
    memcpy(token->heads, plan->found, plan->found_len * sizeof *plan->found);
}

static int finish_plan(struct kt_ledger *l, int e, const struct kt_plan *plan, struct kt_token *token, bool *fatal)
{
    *fatal = e && of_the_store(e);
    if (e) return e;
    if (plan->changes_len) return kt_ledger_write_plan(l, plan, token, fatal);
    token_of_found(l, plan, token);
    return KT_OK;
}

int kt_ledger_put(struct kt_ledger *l, const struct kt_writer *who, const struct kt_record *record,
                  struct kt_plan *plan, struct kt_token *token, bool *fatal)
{
    *plan = (struct kt_plan){0};
    int e = kt_write_plan(l->workset, who, record, plan);
    return finish_plan(l, e, plan, token, fatal);
}

int kt_ledger_resolve(struct kt_ledger *l, const struct kt_writer *who, struct kt_bytes conflict_id,
                      struct kt_bytes value, bool clear, struct kt_plan *plan, struct kt_token *token, bool *fatal)
{
    *plan = (struct kt_plan){0};
    int e = kt_write_resolve(l->workset, who, conflict_id, value, clear, plan);
    return finish_plan(l, e, plan, token, fatal);
}

/* ------------------------------------------------------------------------------------------------------ sealing */

int kt_ledger_seal(struct kt_ledger *l)
{
    struct kt_draft *d = &l->draft;
    if (!d->open) return KT_OK;
    const struct kt_roster *roster = kt_keyring_roster(l->keyring);
    const struct kt_vector_entry *before = kt_vector_find(&l->vector, l->origin);
    struct kt_draft_batch batch = {.cluster = *kt_keyring_cluster(l->keyring),
                                   .origin = l->origin,
                                   .number = d->number,
                                   .hlc = d->stamp_max,
                                   .roster_version = roster->version,
                                   .roster_hash = roster->hash,
                                   .envelopes = d->envelopes,
                                   .envelopes_len = d->len,
                                   .packer = l->packer};
    if (before) batch.previous = before->seal_hash;
    uint8_t bases[KT_SECTIONS_PER_BATCH_MAX][KT_NONCE_BASE_BYTES];
    l->world->random(l->world, bases, sizeof bases[0] * d->sections_len);
    struct kt_buf out;
    struct kt_hash hash;
    kt_buf_init(&out, KT_BATCH_BYTES_MAX);
    int e = kt_batch_seal(&batch, (const uint8_t(*)[KT_NONCE_BASE_BYTES])bases,
                          kt_keyring_identity(l->keyring)->sign_secret, &out, &hash);
    struct kt_bytes bytes = e ? kt_bytes(NULL, 0) : kt_arena_copy(&l->arena, kt_buf_bytes(&out));
    kt_buf_free(&out);
    if (!e && !bytes.data) e = KT_ELIMIT;
    const struct kt_vector_entry head = {l->origin, d->number, hash, d->stamp_max, roster->version};
    if (!e) e = kt_vector_set(&l->vector, &head);
    if (e) return e;
    l->records[d->record] = (struct kt_journal_record){.head = head, .batch = bytes};
    l->wrote[l->wrote_len++] = (struct kt_wrote){.seal = {.suite = KT_SUITE_1,
                                                          .cluster = batch.cluster,
                                                          .origin = l->origin,
                                                          .number = d->number,
                                                          .previous = batch.previous,
                                                          .hlc = d->stamp_max,
                                                          .roster_version = roster->version,
                                                          .roster_hash = roster->hash},
                                                 .seal_hash = hash};
    d->open = false;
    return KT_OK;
}
