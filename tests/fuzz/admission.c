/* What the authority gives back, as a file. */
#include "proto/roster/roster.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);

    struct kt_admission a;
    (void)!kt_admission_decode(kt_bytes(data, len), &arena, &a);
    kt_arena_free(&arena);
    return 0;
}
