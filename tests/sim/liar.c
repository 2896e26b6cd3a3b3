/* A member that lies: an office whose own node is an honest one, and whose every frame somebody with its keys may alter
 * on the way out.  Nothing it says may be believed that its author did not sign, and nobody else may come to harm. */
#include "sim/sim.h"

#include <sodium.h>

#define FOREIGN_INCARNATION 0xbad0badull
#define ARENA_BYTES_MAX     (64u << 20)

struct lie {
    struct sim_office *from;
    struct kt_peer_message m;
    struct kt_arena arena;
};

static struct dice *dice(struct lie *l) { return &l->from->sim->dice; }

static struct kt_bytes kept(struct lie *l, struct kt_buf *b)
{
    const struct kt_bytes copy = kt_arena_copy(&l->arena, kt_buf_bytes(b));
    sim_must(copy.data != NULL, "out of memory");
    kt_buf_free(b);
    return copy;
}

static uint8_t *writable(struct lie *l, struct kt_bytes b)
{
    uint8_t *copy = kt_arena_alloc(&l->arena, b.len + 1);
    sim_must(copy != NULL, "out of memory");
    memcpy(copy, b.data, b.len);
    return copy;
}

static struct kt_bytes one_bit_else(struct lie *l, struct kt_bytes b)
{
    uint8_t *copy = writable(l, b);
    if (b.len) copy[dice_below(dice(l), (uint32_t)b.len)] ^= (uint8_t)(1u << dice_below(dice(l), 8));
    return kt_bytes(copy, b.len);
}

/* ----------------------------------------------------------------------------------------------------- of answers */

static bool own(const struct lie *l, const struct kt_batch *b) { return b->seal.origin.member == l->from->number + 1; }

/* The same batch by another clock, signed by who did not write it. */
static struct kt_bytes forged(struct lie *l, struct kt_batch *b)
{
    const struct kt_identity *id = kt_keyring_identity(l->from->keyring);
    struct kt_buf seal, out;
    uint8_t signature[KT_SIGNATURE_BYTES];
    kt_buf_init(&seal, KT_BATCH_BYTES_MAX);
    kt_buf_init(&out, KT_BATCH_BYTES_MAX);
    b->seal.hlc++;
    sim_must(kt_seal_encode(&b->seal, &seal) == KT_OK, "a seal cannot be encoded");
    b->seal_bytes = kept(l, &seal);
    sim_must(kt_sign(KT_LABEL_SEAL, id->sign_secret, b->seal_bytes, signature) == KT_OK, "a seal cannot be signed");
    b->signature = kt_bytes(signature, sizeof signature);
    sim_must(kt_batch_encode(b, &out) == KT_OK, "a batch cannot be encoded");
    return kept(l, &out);
}

/* Another's envelopes under the liar's own good seal: they open for nobody, and that everywhere. */
static struct kt_bytes stolen(struct lie *l, struct kt_batch *b)
{
    b->seal.origin = (struct kt_origin){l->from->number + 1, FOREIGN_INCARNATION};
    b->seal.number = 1;
    memset(&b->seal.previous, 0, sizeof b->seal.previous);
    return forged(l, b);
}

/* What was stolen once is said again and again: two of one number would be a fork. */
static void steal(struct lie *l, struct kt_answer_batch *out, struct kt_batch *b)
{
    struct sim_office *o = l->from;
    if (o->stolen.len == 0) {
        sim_say(o->sim, "office-%u seals a batch of office-%u's as its own", o->number + 1, b->seal.origin.member);
        const struct kt_bytes bytes = stolen(l, b);
        kt_buf_init(&o->stolen, KT_BATCH_BYTES_MAX);
        kt_buf_put(&o->stolen, bytes);
        sim_must(o->stolen.len == bytes.len, "out of memory");
    }
    out->batch = kt_buf_bytes(&o->stolen);
}

static void swap_wraps(struct lie *l, struct kt_bytes *wraps, uint32_t n)
{
    if (n == 0) return;
    const uint32_t i = dice_below(dice(l), n), k = dice_below(dice(l), n);
    const struct kt_bytes first = wraps[i];
    wraps[i] = i == k ? one_bit_else(l, first) : wraps[k];
    if (i != k) wraps[k] = first;
}

/* false: it is left out. */
static bool lie_about_batch(struct lie *l, struct kt_answer_batch *out)
{
    struct kt_batch b;
    sim_must(kt_batch_decode(out->batch, &l->arena, &b) == KT_OK, "an office sends what is no batch");
    const uint32_t lies = l->from->lies;
    if (lies & SIM_LIE_WITHHOLD && b.seal.origin.member == l->from->withholds) return false;
    if (lies & SIM_LIE_CORRUPT && dice_in(dice(l), 4)) out->batch = one_bit_else(l, out->batch);
    if (lies & SIM_LIE_SWAP && !own(l, &b)) swap_wraps(l, out->wraps, out->wraps_len);
    if (lies & SIM_LIE_NO_KEYS) out->wraps_len = 0;
    if (lies & SIM_LIE_FORGE && !own(l, &b) && dice_in(dice(l), 4)) out->batch = forged(l, &b);
    if (lies & SIM_LIE_STEAL && !own(l, &b) && dice_in(dice(l), 4)) steal(l, out, &b);
    return true;
}

static void lie_in_answer(struct lie *l)
{
    struct kt_answer *a = &l->m.answer;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < a->batches_len; i++)
        if (lie_about_batch(l, &a->batches[i])) a->batches[kept++] = a->batches[i];
    a->batches_len = kept;
}

/* ------------------------------------------------------------------------------------------- of what is held, and
 * where */

static const struct kt_head *raised(struct lie *l, const struct kt_head *heads, uint32_t n)
{
    struct kt_head *copy = kt_arena_array(&l->arena, n + 1, sizeof *copy);
    sim_must(copy != NULL, "out of memory");
    if (n) memcpy(copy, heads, n * sizeof *copy);
    for (uint32_t i = 0; i < n; i++)
        if (dice_in(dice(l), 8)) copy[i].number += 1 + dice_below(dice(l), 5);
    return copy;
}

static void lie_in_pulse(struct lie *l, struct kt_bytes *item)
{
    struct kt_pulse p;
    struct kt_buf out;
    sim_must(kt_pulse_decode(*item, &l->arena, &p) == KT_OK, "an office sends what is no pulse");
    if (p.member != l->from->number + 1) {
        if (dice_in(dice(l), 4)) *item = one_bit_else(l, *item);
        return;
    }
    struct kt_pulse_digest *digests = kt_arena_array(&l->arena, p.digests_len + 1, sizeof *digests);
    sim_must(digests != NULL, "out of memory");
    if (p.digests_len) memcpy(digests, p.digests, p.digests_len * sizeof *digests);
    for (uint32_t i = 0; i < p.digests_len; i++) digests[i].digest.b[0] ^= 1;
    p.digests = digests;
    p.heads = raised(l, p.heads, p.heads_len);
    p.vector = raised(l, p.vector, p.vector_len);
    if (dice_in(dice(l), 2)) p.vector_seals_hash.b[0] ^= 1;
    kt_buf_init(&out, KT_PULSE_BYTES_MAX);
    sim_must(kt_pulse_encode(&p, kt_keyring_identity(l->from->keyring)->sign_secret, &out) == KT_OK, "no pulse");
    *item = kept(l, &out);
}

bool liar_says(struct sim_office *from, struct kt_bytes frame, struct kt_buf *out)
{
    struct lie l = {.from = from};
    bool says = true;
    kt_arena_init(&l.arena, ARENA_BYTES_MAX);
    sim_must(kt_peer_decode(frame, &l.arena, &l.m) == KT_OK, "an office sends what nobody reads");
    if (l.m.part == KT_PEER_ANSWER) lie_in_answer(&l);
    if (l.m.part == KT_PEER_WRAPS && from->lies & SIM_LIE_NO_KEYS) says = false;
    if (l.m.part == KT_PEER_WRAPS && from->lies & SIM_LIE_SWAP && dice_in(&from->sim->dice, 2))
        swap_wraps(&l, l.m.wraps.items, l.m.wraps.len);
    if (l.m.part == KT_PEER_PULL && from->lies & SIM_LIE_HEADS)
        l.m.pull.heads = raised(&l, l.m.pull.heads, l.m.pull.heads_len);
    for (uint32_t i = 0; l.m.part == KT_PEER_PULSES && from->lies & SIM_LIE_PULSE && i < l.m.pulses.len; i++)
        lie_in_pulse(&l, &l.m.pulses.items[i]);
    if (says) says = kt_peer_encode(&l.m, out) == KT_OK; /* what grew too long is not said */
    kt_arena_free(&l.arena);
    return says;
}
