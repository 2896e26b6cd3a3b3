#include "store/row_proof.h"

#define LANES      4u
#define LANE_BYTES 8u

static const uint64_t odd[LANES] = {0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u, 0x94d049bb133111ebu, 0xd6e8feb86659fd93u};

static uint64_t mix(uint64_t h, uint64_t word, uint64_t factor)
{
    h = (h ^ word) * factor;
    return h ^ h >> 32;
}

static uint64_t word_at(const uint8_t *p, size_t len)
{
    uint64_t w = 0;
    memcpy(&w, p, len < sizeof(w) ? len : sizeof(w));
    return w;
}

/* Four sums side by side over the body, one over them and the rest. */
static uint64_t sum(uint64_t h, struct kt_bytes b)
{
    const uint8_t *p = b.data;
    size_t left = b.len;
    h = mix(h, b.len, odd[0]);
    if (left >= LANES * LANE_BYTES) {
        uint64_t lane[LANES] = {h, h ^ odd[1], h ^ odd[2], h ^ odd[3]};
        for (; left >= LANES * LANE_BYTES; left -= LANES * LANE_BYTES, p += LANES * LANE_BYTES)
            for (unsigned i = 0; i < LANES; i++)
                lane[i] = mix(lane[i], word_at(p + i * LANE_BYTES, LANE_BYTES), odd[i]);
        h = lane[0];
        for (unsigned i = 1; i < LANES; i++) h = mix(h, lane[i], odd[i]);
    }
    for (; left >= LANE_BYTES; left -= LANE_BYTES, p += LANE_BYTES) h = mix(h, word_at(p, LANE_BYTES), odd[1]);
    return left ? mix(h, word_at(p, left), odd[2]) : h;
}

uint64_t kt_row_proof(enum kt_table table, struct kt_bytes key, struct kt_bytes value)
{
    const uint64_t h = sum(sum(table + 1, key), value);
    return mix(h, h >> 29, odd[3]);
}

bool kt_row_prove(enum kt_table table, struct kt_bytes key, struct kt_bytes stored, struct kt_bytes *value)
{
    uint64_t proof;
    if (stored.len < KT_ROW_PROOF_BYTES) return false;
    const struct kt_bytes plain = kt_bytes(stored.data, stored.len - KT_ROW_PROOF_BYTES);
    memcpy(&proof, stored.data + plain.len, sizeof(proof));
    if (proof != kt_row_proof(table, key, plain)) return false;
    *value = plain;
    return true;
}
