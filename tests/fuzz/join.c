/* What an office asks the authority for. */
#include "proto/roster/roster.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_join_request j;
    if (!kt_join_decode(kt_bytes(data, len), &j))
        fuzz_must(memchr(j.office, 0, sizeof j.office) && memchr(j.agency, 0, sizeof j.agency), "names end");
    return 0;
}
