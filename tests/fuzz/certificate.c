/* A certificate, read before the other end is known. */
#include "proto/roster/roster.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct kt_signer signers[] = {
        {.id = 1, .sign = {7}}
    };
    const struct kt_roster r = {.threshold = 1, .signers = signers, .signers_len = 1};
    struct kt_certificate c;
    fuzz_must(kt_certificate_decode(kt_bytes(data, len), &r, 1, &c) != KT_OK, "nobody signed it");
    return 0;
}
