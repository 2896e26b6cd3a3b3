/* Root-sealed and member-sealed keys, from disk and from a relay; compartment keys in the clear. */
#include "proto/keys/keys.h"
#include "fuzz/fuzz.h"

#include <sodium.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_must(sodium_init() >= 0, "libsodium does not start");
    static const uint8_t seed[96] = {3}, root[KT_KEY_BYTES] = {4};
    struct kt_identity *id = kt_identity_create(seed), *other;
    struct kt_compartment_keys *k;
    fuzz_must(id != NULL, "out of memory");
    fuzz_must(kt_identity_open(kt_bytes(data, len), root, &other) != KT_OK, "nobody sealed it");
    fuzz_must(kt_bundle_open(kt_bytes(data, len), id, &k) != KT_OK, "nobody sealed it to this member");
    if (!kt_compartment_keys_decode(kt_bytes(data, len), &k)) {
        for (uint32_t i = 1; i < k->keks_len; i++) fuzz_must(k->keks[i - 1].epoch < k->keks[i].epoch, "epochs ascend");
        kt_compartment_keys_free(k);
    }
    kt_identity_free(id);
    return 0;
}
