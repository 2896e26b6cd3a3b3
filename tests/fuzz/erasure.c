/* An erasure, from anybody. */
#include "proto/batch/erasure.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);

    struct kt_signed_erasure e;
    const struct kt_roster nobody = {.version = 1};
    if (!kt_erasure_decode(kt_bytes(data, len), &arena, &e))
        fuzz_must(kt_erasure_verify(&e, &nobody) != KT_OK, "nobody may erase");
    kt_arena_free(&arena);
    return 0;
}
