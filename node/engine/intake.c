#include "engine/intake.h"

#include <stdlib.h>

/* A frame of 256 KiB of compressed changes may open into far more; beyond this it is refused as an amplification. */
#define INTAKE_ARENA_BYTES_MAX (160u << 20)

static int open_answer(struct kt_keyring *k, struct kt_packer *packer, struct kt_intake *i)
{
    struct kt_answer *a = &i->message.answer;
    i->opened = kt_arena_array(&i->arena, a->batches_len, sizeof *i->opened);
    if (a->batches_len && !i->opened) return KT_ELIMIT;
    for (uint32_t n = 0; n < a->batches_len; n++) {
        const struct kt_answer_batch *b = &a->batches[n];
        int e = kt_open_batch(k, packer, b->batch, b->wraps, b->wraps_len, &i->arena, &i->opened[n]);
        if (e) return e;
    }
    return KT_OK;
}

static bool pulse_is_good(struct kt_keyring *k, struct kt_arena *arena, struct kt_bytes bytes, struct kt_pulse *p)
{
    const struct kt_roster *roster = kt_keyring_roster(k);
    if (kt_pulse_decode(bytes, arena, p)) return false;
    const struct kt_roster_member *m = kt_roster_member(roster, p->member);
    return m && !m->revoked && memcmp(&p->cluster, &roster->cluster, sizeof p->cluster) == 0 &&
           kt_pulse_verify(bytes, m->pub.sign) == KT_OK;
}

bool kt_intake_pulse_is_good(struct kt_keyring *k, struct kt_arena *arena, struct kt_bytes bytes)
{
    struct kt_pulse p;
    return pulse_is_good(k, arena, bytes, &p);
}

/* The place of `p` among those kept: behind the last, or that of an older one of its member; KT_MEMBERS_MAX: it says
 * nothing new. */
static uint32_t pulse_place(const struct kt_pulse *pulses, uint32_t kept, const struct kt_pulse *p)
{
    for (uint32_t i = 0; i < kept; i++)
        if (pulses[i].member == p->member) return p->hlc > pulses[i].hlc ? i : KT_MEMBERS_MAX;
    return kept;
}

/* Relayed pulses are others' words: a bad one is left out, the rest stands.  Of each member the newest is kept, so that
 * a thousand of one member cost no more than their signatures. */
static int keep_good_pulses(struct kt_keyring *k, struct kt_intake *i)
{
    struct kt_bytes_list *list = &i->message.pulses;
    struct kt_pulse *pulses = kt_arena_array(&i->arena, list->len + 1u, sizeof *pulses);
    uint32_t good = 0;
    if (!pulses) return KT_ELIMIT;
    for (uint32_t n = 0; n < list->len; n++) {
        struct kt_pulse p;
        if (!pulse_is_good(k, &i->arena, list->items[n], &p)) continue;
        const uint32_t at = pulse_place(pulses, good, &p);
        if (at == KT_MEMBERS_MAX) continue;
        pulses[at] = p;
        list->items[at] = list->items[n];
        good += at == good;
    }
    list->len = good;
    return KT_OK;
}

struct kt_intake *kt_intake_frame(struct kt_keyring *k, struct kt_packer *packer, uint64_t link, struct kt_bytes frame)
{
    struct kt_intake *i = calloc(1, sizeof *i);
    if (!i) return NULL;
    kt_arena_init(&i->arena, INTAKE_ARENA_BYTES_MAX);
    i->link = link;
    i->frame_bytes = frame.len;
    const struct kt_bytes own = kt_arena_copy(&i->arena, frame);
    i->verdict = own.data ? kt_peer_decode(own, &i->arena, &i->message) : KT_EMALFORMED;
    if (!i->verdict && i->message.part == KT_PEER_ANSWER) i->verdict = open_answer(k, packer, i);
    if (!i->verdict && i->message.part == KT_PEER_PULSES) i->verdict = keep_good_pulses(k, i);
    return i;
}

void kt_intake_free(struct kt_intake *i)
{
    if (!i) return;
    kt_arena_free(&i->arena);
    free(i);
}
