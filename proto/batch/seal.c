#include "proto/batch/batch.h"
#include "proto/message.h"

#include <stddef.h>

/* clang-format off */
static const struct kt_wire_field summary_fields[] = {
    {1, KT_WIRE_U32, true, offsetof(struct kt_section_summary, compartment), .max = UINT32_MAX},
    {2, KT_WIRE_U32, .at = offsetof(struct kt_section_summary, epoch), .max = UINT32_MAX},
    {3, KT_WIRE_U32, true, offsetof(struct kt_section_summary, count), .max = UINT32_MAX},
    {4, KT_WIRE_RAW, true, offsetof(struct kt_section_summary, hash), .max = KT_HASH_BYTES},
};
static const struct kt_wire_message summary_message = KT_WIRE_MESSAGE_OF(summary_fields);

static const struct kt_wire_field seal_fields[] = {
    {1, KT_WIRE_SUITE, .required = true},
    {2, KT_WIRE_RAW, true, offsetof(struct kt_seal, cluster), .max = KT_CLUSTER_BYTES},
    {3, KT_WIRE_U32, true, offsetof(struct kt_seal, origin.member), .max = UINT32_MAX},
    {4, KT_WIRE_FIXED64, true, .at = offsetof(struct kt_seal, origin.incarnation)},
    {5, KT_WIRE_U64, true, .at = offsetof(struct kt_seal, number)},
    {6, KT_WIRE_RAW, true, offsetof(struct kt_seal, previous), .max = KT_HASH_BYTES},
    {7, KT_WIRE_FIXED64, true, .at = offsetof(struct kt_seal, hlc)},
    {8, KT_WIRE_U32, true, offsetof(struct kt_seal, roster_version), .max = UINT32_MAX},
    {9, KT_WIRE_RAW, true, offsetof(struct kt_seal, roster_hash), .max = KT_HASH_BYTES},
    {10, KT_WIRE_MESSAGE, .at = offsetof(struct kt_seal, sections), .len_at = offsetof(struct kt_seal, sections_len),
     .size = sizeof(struct kt_section_summary), .list_max = KT_SECTIONS_PER_BATCH_MAX, .of = &summary_message},
};
static const struct kt_wire_message seal_message = KT_WIRE_MESSAGE_OF(seal_fields);
/* clang-format on */

/* What a batch must be whoever signed it: numbers from 1, compartments ascending, none empty, not too many envelopes.
 */
static int check_form(const struct kt_seal *s)
{
    kt_compartment last = 0;
    uint32_t envelopes = 0;

    if (s->origin.member == 0 || s->number == 0) return KT_EMALFORMED;
    for (uint32_t i = 0; i < s->sections_len; i++) {
        const struct kt_section_summary *section = &s->sections[i];
        if (section->compartment <= last || section->compartment > KT_COMPARTMENT_MAX || section->count == 0)
            return KT_EMALFORMED;
        if (section->count > KT_ENVELOPES_PER_BATCH_MAX - envelopes) return KT_EOVERSIZE;
        last = section->compartment;
        envelopes += section->count;
    }
    return KT_OK;
}

int kt_seal_encode(const struct kt_seal *s, struct kt_buf *out)
{
    if (s->suite != KT_SUITE_1) return KT_ESUITE;
    int rc = check_form(s);
    return rc ? rc : kt_wire_encode(&seal_message, s, out);
}

int kt_seal_decode(struct kt_bytes in, struct kt_arena *arena, struct kt_seal *out)
{
    struct kt_seal s = {.suite = KT_SUITE_1};

    int rc = in.len > KT_SEAL_BYTES_MAX ? KT_EOVERSIZE : kt_wire_decode(&seal_message, in, arena, &s);
    if (!rc) rc = check_form(&s);
    if (!rc) *out = s;
    return rc;
}

struct kt_hash kt_seal_hash(struct kt_bytes seal_bytes)
{
    return kt_hash_parts(kt_label_text(KT_LABEL_SEAL), &seal_bytes, 1);
}

int kt_seal_verify(const struct kt_batch *b, const uint8_t sign_public[KT_PUBLIC_KEY_BYTES])
{
    return kt_verify(KT_LABEL_SEAL, sign_public, b->seal_bytes, b->signature);
}
