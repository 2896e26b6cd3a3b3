/* The header of a section: nonce base and introduced keys. */
#include "proto/batch/section.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);

    struct kt_section s = {.header = kt_bytes(data, len)};
    struct kt_buf out;
    kt_buf_init(&out, KT_BATCH_BYTES_MAX);
    if (!kt_section_header_decode(&arena, &s)) fuzz_must(!kt_section_header_encode(&s, &out), "it can be written");
    kt_buf_free(&out);
    kt_arena_free(&arena);
    return 0;
}
