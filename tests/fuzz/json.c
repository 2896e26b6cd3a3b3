/* A line of put. */
#include "client/cli/json/json.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);

    struct kt_record record;
    struct kt_json_fault fault;
    (void)!kt_json_record(kt_bytes(data, len), 1, &arena, &record, &fault);
    kt_arena_free(&arena);
    return 0;
}
