#include "engine/ward/opener.h"

#include <sodium.h>
#include <string.h>

/* Errors that are this machine's, not the batch's. */
static bool is_local(int e)
{
    return e == KT_ENOMEM || e == KT_ELIMIT || e == KT_EIO || e == KT_EFULL || e == KT_EDAMAGED;
}

static int set_fate(struct kt_opened_envelope *e, enum kt_fate fate, int why)
{
    e->fate = fate;
    e->why = why;
    return KT_OK;
}

/* A key is for one ward and generation, so that an erasure ends all that is under it.  Its id says for which, together
 * with its birth epoch: that of its section, unless it is older. */
static bool is_key_of(const struct kt_dek *dek, const struct kt_opened_envelope *e)
{
    const uint32_t newest = e->place.epoch;
    for (uint32_t age = 0; age < KT_EPOCHS_MAX && age <= newest; age++) {
        const struct kt_dek_id id =
            kt_dek_id_of(dek->key, e->place.compartment, &e->clear.tag, e->clear.generation, newest - age);
        if (sodium_memcmp(&id, &e->clear.dek, sizeof id) == 0) return true;
    }
    return false;
}

int kt_open_envelope(struct kt_keyring *k, struct kt_packer *packer, struct kt_arena *arena,
                     struct kt_opened_envelope *e)
{
    const struct kt_compartment_keys *keys = kt_keyring_compartment(k, e->place.compartment);
    if (!keys) return set_fate(e, KT_FATE_BLIND, KT_OK);
    if (e->clear.schema > KT_SCHEMA_1 || e->clear.dictionary != KT_DICTIONARY_0)
        return set_fate(e, KT_FATE_HELD, KT_EVERSION);
    struct kt_dek dek;
    int err = kt_keyring_dek(k, e->place.compartment, &e->clear.dek, &dek);
    if (err == KT_EKEY) return set_fate(e, KT_FATE_HELD, KT_EKEY);
    if (err) return is_local(err) ? err : set_fate(e, KT_FATE_HELD, KT_EKEY);
    if (!is_key_of(&dek, e)) {
        sodium_memzero(&dek, sizeof dek);
        return set_fate(e, KT_FATE_VOID, KT_EVOID);
    }

    struct kt_buf plain;
    kt_buf_init(&plain, KT_CHANGE_BYTES_MAX + KT_PAD_LARGE_BYTES);
    err = kt_envelope_open_with(packer, &e->place, dek.key, e->clear_bytes, e->cipher, &plain);
    struct kt_bytes change = err ? kt_bytes(NULL, 0) : kt_arena_copy(arena, kt_buf_bytes(&plain));
    sodium_memzero(&dek, sizeof dek);
    kt_buf_wipe_free(&plain);
    if (!err && !change.data) return KT_ELIMIT;
    if (!err) err = kt_change_decode(change, arena, &e->change);
    if (!err) err = kt_judge_change(keys, &e->clear.tag, &e->change);
    if (is_local(err)) return err; /* how much memory there is here decides nothing about a change */
    return err ? set_fate(e, KT_FATE_VOID, err) : set_fate(e, KT_FATE_OPEN, KT_OK);
}

/* An item without its content counts as missing until an erasure covers it: whoever sent it may have taken the content
 * out of another member's batch, whose seal stands all the same. */
static bool lacks_content(struct kt_keyring *k, const struct kt_batch *b)
{
    for (uint32_t s = 0; s < b->seal.sections_len; s++)
        for (uint32_t i = 0; i < b->sections[s].items_len; i++) {
            const struct kt_item *item = &b->sections[s].items[i];
            if (item->erased && !kt_keyring_erased(k, b->seal.sections[s].compartment, &item->tag, item->generation))
                return true;
        }
    return false;
}

static const struct kt_introduced_key *introduced(const struct kt_batch *b, const struct kt_dek_id *id)
{
    for (uint32_t s = 0; s < b->seal.sections_len; s++)
        for (uint32_t j = 0; j < b->sections[s].keys_len; j++)
            if (memcmp(&b->sections[s].keys[j].id, id, sizeof *id) == 0) return &b->sections[s].keys[j];
    return NULL;
}

/* Wraps of keys that the section headers introduce: as promised, or such as open, wrapped again for a newer epoch.  The
 * keys of those that open are learned at once, for the batches behind this one in the same frame. */
static int take_wraps(struct kt_keyring *k, const struct kt_bytes *wraps, uint32_t n, struct kt_arena *arena,
                      struct kt_opened *out)
{
    out->wraps = kt_arena_array(arena, n, sizeof *out->wraps);
    if (n && !out->wraps) return KT_ELIMIT;
    for (uint32_t i = 0; i < n; i++) {
        struct kt_wrap w;
        if (kt_wrap_decode(wraps[i], &w)) continue;
        const struct kt_hash hash = kt_wrap_hash(wraps[i]);
        const struct kt_compartment_keys *keys = kt_keyring_compartment(k, w.compartment);
        const struct kt_introduced_key *named = introduced(&out->batch, &w.id);
        if (!named) continue;
        struct kt_dek dek;
        const int opened = keys ? kt_wrap_open(keys, &w, &dek) : KT_EKEY;
        const bool as_promised = memcmp(&named->wrap_hash, &hash, sizeof hash) == 0;
        if (!opened) kt_keyring_learn(k, w.compartment, &dek);
        if (!opened || (as_promised && opened == KT_EKEY)) out->wraps[out->wraps_len++] = wraps[i];
    }
    return KT_OK;
}

static int open_item(struct kt_keyring *k, struct kt_packer *packer, const struct kt_batch *b, uint32_t section,
                     uint32_t index, int standing, struct kt_arena *arena, struct kt_opened_envelope *e)
{
    const struct kt_section_summary *summary = &b->seal.sections[section];
    const struct kt_section *s = &b->sections[section];
    const struct kt_item *item = &s->items[index];
    e->place = (struct kt_envelope_place){.suite = b->seal.suite,
                                          .cluster = b->seal.cluster,
                                          .origin = b->seal.origin,
                                          .batch = b->seal.number,
                                          .roster_hash = b->seal.roster_hash,
                                          .compartment = summary->compartment,
                                          .epoch = summary->epoch,
                                          .envelope = kt_envelope_number(summary->compartment, index)};
    memcpy(e->place.nonce_base, s->nonce_base, sizeof e->place.nonce_base);
    if (standing) return set_fate(e, KT_FATE_VOID, standing);
    if (item->erased) {
        e->clear.tag = item->tag;
        e->clear.generation = item->generation;
        return set_fate(e, KT_FATE_ERASED, KT_OK);
    }
    e->clear_bytes = item->clear;
    e->cipher = item->cipher;
    int err = kt_clear_decode(item->clear, &e->clear);
    if (err) return set_fate(e, KT_FATE_VOID, err);
    if (e->clear.hlc_delta > b->seal.hlc) return set_fate(e, KT_FATE_VOID, KT_EMALFORMED);
    e->stamp = b->seal.hlc - e->clear.hlc_delta;
    return kt_open_envelope(k, packer, arena, e);
}

static int open_items(struct kt_keyring *k, struct kt_packer *packer, const struct kt_roster *named,
                      struct kt_arena *arena, struct kt_opened *out)
{
    const struct kt_batch *b = &out->batch;
    uint32_t total = 0, at = 0;
    for (uint32_t s = 0; s < b->seal.sections_len; s++) total += b->sections[s].items_len;
    out->envelopes = kt_arena_array(arena, total, sizeof *out->envelopes);
    if (total && !out->envelopes) return KT_ELIMIT;
    for (uint32_t s = 0; s < b->seal.sections_len; s++) {
        const int standing = kt_judge_section(&b->seal, s, named, kt_keyring_roster(k));
        for (uint32_t i = 0; i < b->sections[s].items_len; i++) {
            int e = open_item(k, packer, b, s, i, standing, arena, &out->envelopes[at++]);
            if (e) return e;
        }
    }
    out->envelopes_len = at;
    return KT_OK;
}

int kt_open_batch(struct kt_keyring *k, struct kt_packer *packer, struct kt_bytes bytes, const struct kt_bytes *wraps,
                  uint32_t wraps_len, struct kt_arena *arena, struct kt_opened *out)
{
    const struct kt_roster *newest = kt_keyring_roster(k);
    *out = (struct kt_opened){
        .bytes = bytes, .judged_by = newest ? newest->version : 0, .erasures = kt_keyring_erasures(k)};
    out->verdict = kt_batch_decode(bytes, arena, &out->batch);
    if (out->verdict) return out->verdict == KT_ENOMEM ? KT_ENOMEM : KT_OK;
    const struct kt_roster *named = kt_keyring_roster_version(k, out->batch.seal.roster_version);
    out->verdict = kt_judge_seal(&out->batch, kt_keyring_cluster(k), named);
    if (!out->verdict && lacks_content(k, &out->batch)) out->verdict = KT_ETRUNCATED; /* asked of another peer */
    if (out->verdict) return KT_OK;
    int e = take_wraps(k, wraps, wraps_len, arena, out);
    return e ? e : open_items(k, packer, named, arena, out);
}
