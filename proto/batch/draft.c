#include "proto/batch/batch.h"

#include "proto/batch/section.h"

#include <stdlib.h>

/* The next compartment after `last` that has an envelope; 0: none. */
static kt_compartment next_compartment(const struct kt_draft_batch *d, kt_compartment last)
{
    kt_compartment next = 0;

    for (uint32_t i = 0; i < d->envelopes_len; i++) {
        kt_compartment c = d->envelopes[i].compartment;
        if (c > last && (next == 0 || c < next)) next = c;
    }
    return next;
}

void kt_batch_number(struct kt_draft_batch *d)
{
    for (kt_compartment c = next_compartment(d, 0); c; c = next_compartment(d, c)) {
        uint32_t index = 0;
        for (uint32_t i = 0; i < d->envelopes_len; i++)
            if (d->envelopes[i].compartment == c) d->envelopes[i].envelope = kt_envelope_number(c, index++);
    }
}

/* What is under way while a draft becomes a batch. */
struct sealing {
    const struct kt_draft_batch *draft;
    struct kt_section_summary summaries[KT_SECTIONS_PER_BATCH_MAX];
    uint32_t sections, envelopes;
    struct kt_envelope_place place;
    struct kt_buf body;                  /* the sections, encoded */
    struct kt_buf header, clear, cipher; /* of the section or envelope at hand */
};

static bool introduced_before(const struct kt_draft_batch *d, uint32_t i)
{
    const struct kt_draft_envelope *e = &d->envelopes[i];

    for (uint32_t j = 0; j < i; j++) {
        const struct kt_draft_envelope *before = &d->envelopes[j];
        if (before->introduces && before->compartment == e->compartment &&
            memcmp(before->dek.id.b, e->dek.id.b, KT_DEK_ID_BYTES) == 0)
            return true;
    }
    return false;
}

/* The header: the nonce base and, each once, the keys that the section's envelopes introduce. */
static int make_header(struct sealing *s, kt_compartment compartment)
{
    const struct kt_draft_batch *d = s->draft;
    struct kt_section section = {0};
    int rc = KT_ENOMEM;

    section.keys = malloc(d->envelopes_len * sizeof(*section.keys));
    if (!section.keys) return rc;
    memcpy(section.nonce_base, s->place.nonce_base, KT_NONCE_BASE_BYTES);
    for (uint32_t i = 0; i < d->envelopes_len; i++) {
        const struct kt_draft_envelope *e = &d->envelopes[i];
        if (e->compartment == compartment && e->introduces && !introduced_before(d, i))
            section.keys[section.keys_len++] = (struct kt_introduced_key){e->dek.id, e->wrap_hash};
    }
    kt_buf_clear(&s->header);
    rc = kt_section_header_encode(&section, &s->header);
    free(section.keys);
    return rc;
}

static int seal_envelope(struct sealing *s, const struct kt_draft_envelope *e, struct kt_hasher *h)
{
    struct kt_clear clear = {.hlc_delta = s->draft->hlc - e->stamp,
                             .tag = e->tag,
                             .generation = e->generation,
                             .dek = e->dek.id,
                             .schema = KT_SCHEMA_1,
                             .dictionary = KT_DICTIONARY_0};

    /* the caller may have named its own ops by these numbers */
    if (e->stamp > s->draft->hlc || e->epoch != s->place.epoch || e->envelope != s->place.envelope) return KT_EINVAL;
    kt_buf_clear(&s->clear);
    kt_buf_clear(&s->cipher);
    int rc = kt_clear_encode(&clear, &s->clear);
    if (!rc)
        rc = kt_envelope_seal_with(s->draft->packer, &s->place, e->dek.key, kt_buf_bytes(&s->clear), e->change,
                                   &s->cipher);
    if (rc) return rc;
    struct kt_item item = {.clear = kt_buf_bytes(&s->clear),
                           .cipher = kt_buf_bytes(&s->cipher),
                           .tag = e->tag,
                           .generation = e->generation};
    item.body_hash = kt_item_body_hash(item.clear, item.cipher);
    kt_section_hash_item(h, &item);
    kt_item_put(&item, &s->body);
    /* nothing else but too many envelopes can fill it */
    return s->body.err == KT_ELIMIT ? KT_EOVERSIZE : s->body.err;
}

static int seal_section(struct sealing *s, kt_compartment compartment, const uint8_t nonce_base[KT_NONCE_BASE_BYTES])
{
    const struct kt_draft_batch *d = s->draft;
    struct kt_section_summary *summary = &s->summaries[s->sections];
    struct kt_hasher h;
    uint32_t first = 0;

    if (s->sections == KT_SECTIONS_PER_BATCH_MAX) return KT_ELIMIT;
    if (compartment > KT_COMPARTMENT_MAX) return KT_EINVAL;
    while (d->envelopes[first].compartment != compartment) first++;
    s->place.compartment = compartment;
    s->place.epoch = d->envelopes[first].epoch;
    memcpy(s->place.nonce_base, nonce_base, KT_NONCE_BASE_BYTES);
    *summary = (struct kt_section_summary){.compartment = compartment, .epoch = s->place.epoch};
    int rc = make_header(s, compartment);
    if (rc) return rc;
    kt_section_hash_begin(&h, kt_buf_bytes(&s->header));
    size_t mark = kt_buf_pb_open(&s->body, KT_BATCH_SECTION);
    kt_buf_pb_bytes(&s->body, KT_SECTION_HEADER, kt_buf_bytes(&s->header));
    for (uint32_t i = first; i < d->envelopes_len && !rc; i++) {
        if (d->envelopes[i].compartment != compartment) continue;
        s->place.envelope = kt_envelope_number(compartment, summary->count++);
        rc = seal_envelope(s, &d->envelopes[i], &h);
        s->envelopes++;
    }
    kt_buf_pb_close(&s->body, mark);
    kt_hash_end(&h, summary->hash.b);
    s->sections++;
    return rc;
}

static int sign_batch(struct sealing *s, const uint8_t sign_secret[64], struct kt_buf *out, struct kt_hash *seal_hash)
{
    const struct kt_draft_batch *d = s->draft;
    uint8_t signature[KT_SIGNATURE_BYTES];
    struct kt_buf *seal = &s->header; /* no section needs it any more */
    struct kt_seal body = {.suite = KT_SUITE_1,
                           .cluster = d->cluster,
                           .origin = d->origin,
                           .number = d->number,
                           .previous = d->previous,
                           .hlc = d->hlc,
                           .roster_version = d->roster_version,
                           .roster_hash = d->roster_hash,
                           .sections_len = s->sections,
                           .sections = s->summaries};

    kt_buf_clear(seal);
    int rc = kt_seal_encode(&body, seal);
    if (!rc) rc = kt_sign(KT_LABEL_SEAL, sign_secret, kt_buf_bytes(seal), signature);
    if (rc) return rc;
    size_t start = out->len;
    kt_buf_pb_bytes(out, KT_BATCH_SEAL, kt_buf_bytes(seal));
    kt_buf_pb_bytes(out, KT_BATCH_SIGNATURE, KT_BYTES_OF(signature));
    kt_buf_put(out, kt_buf_bytes(&s->body));
    rc = out->err;
    if (!rc && out->len - start > KT_BATCH_BYTES_MAX) rc = KT_EOVERSIZE;
    if (rc)
        out->len = start;
    else
        *seal_hash = kt_seal_hash(kt_buf_bytes(seal));
    return rc;
}

int kt_batch_seal(const struct kt_draft_batch *d, const uint8_t (*nonce_bases)[KT_NONCE_BASE_BYTES],
                  const uint8_t sign_secret[64], struct kt_buf *out, struct kt_hash *seal_hash)
{
    struct sealing s = {
        .draft = d,
        .place = {.suite = KT_SUITE_1,
                  .cluster = d->cluster,
                  .origin = d->origin,
                  .batch = d->number,
                  .roster_hash = d->roster_hash}
    };
    int rc = KT_OK;

    if (d->envelopes_len == 0 || d->number == 0 || d->origin.member == 0) return KT_EINVAL;
    if (d->envelopes_len > KT_ENVELOPES_PER_BATCH_MAX) return KT_ELIMIT;
    kt_buf_init(&s.body, KT_BATCH_BYTES_MAX);
    kt_buf_init(&s.header, KT_BATCH_BYTES_MAX);
    kt_buf_init(&s.clear, KT_CLEAR_BYTES_MAX);
    kt_buf_init(&s.cipher, KT_ITEM_BYTES_MAX);
    for (kt_compartment c = next_compartment(d, 0); c && !rc; c = next_compartment(d, c))
        rc = seal_section(&s, c, nonce_bases[s.sections]);
    /* an envelope of compartment 0 belongs to no section */
    if (!rc && s.envelopes != d->envelopes_len) rc = KT_EINVAL;
    if (!rc) rc = sign_batch(&s, sign_secret, out, seal_hash);
    kt_buf_free(&s.body);
    kt_buf_free(&s.header);
    kt_buf_free(&s.clear);
    kt_buf_free(&s.cipher);
    return rc;
}
