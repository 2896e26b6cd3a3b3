/* A wrapped data key, from anybody. */
#include "proto/keys/keys.h"
#include "fuzz/fuzz.h"

#include <sodium.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_must(sodium_init() >= 0, "libsodium does not start");
    struct kt_compartment_keys *k = kt_compartment_keys_alloc();
    struct kt_wrap w;
    struct kt_dek dek;
    fuzz_must(k != NULL, "out of memory");
    *k = (struct kt_compartment_keys){.compartment = 2, .keks_len = 1, .keks = {{.epoch = 1, .key = {1}}}};
    if (!kt_wrap_decode(kt_bytes(data, len), &w)) fuzz_must(kt_wrap_open(k, &w, &dek) != KT_OK, "nobody sealed it");
    kt_compartment_keys_free(k);
    return 0;
}
