/* A seal by itself: proofs of a fork carry them so. */
#include "proto/batch/batch.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);

    struct kt_seal s, again;
    struct kt_buf out;
    kt_buf_init(&out, KT_BATCH_BYTES_MAX);
    if (!kt_seal_decode(kt_bytes(data, len), &arena, &s)) {
        fuzz_must(!kt_seal_encode(&s, &out), "a seal that decodes can be written");
        fuzz_must(!kt_seal_decode(kt_buf_bytes(&out), &arena, &again), "... and read again");
        fuzz_must(kt_origin_compare(again.origin, s.origin) == 0 && again.number == s.number, "... as the same");
    }
    kt_buf_free(&out);
    kt_arena_free(&arena);
    return 0;
}
