/* A first roster, which names its own signers.  One that verifies keeps its promises about order. */
#include "proto/roster/roster.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_roster *r;
    if (!kt_roster_decode(kt_bytes(data, len), NULL, &r)) {
        for (uint32_t i = 1; i < r->members_len; i++)
            fuzz_must(r->members[i - 1].number < r->members[i].number, "members ascend");
        for (uint32_t i = 0; i < r->systems_len; i++)
            fuzz_must(kt_roster_system(r, kt_str(r->systems[i].name)) == r->systems[i].compartment,
                      "systems are found");
        kt_roster_free(r);
    }
    return 0;
}
