/* A batch from a peer: what decodes is written again as the same batch, with the same seal hash. */
#include "proto/batch/batch.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);

    struct kt_batch b, again;
    struct kt_seal seal;
    struct kt_hash hash;
    struct kt_buf out;
    kt_buf_init(&out, KT_BATCH_BYTES_MAX);
    if (!kt_batch_decode(kt_bytes(data, len), &arena, &b)) {
        fuzz_must(!kt_batch_peek(kt_bytes(data, len), &arena, &seal, &hash), "a batch that decodes can be peeked at");
        fuzz_must(memcmp(&hash, &b.seal_hash, sizeof hash) == 0, "both find the same seal");
        fuzz_must(!kt_batch_encode(&b, &out), "a batch that decodes can be written");
        fuzz_must(!kt_batch_decode(kt_buf_bytes(&out), &arena, &again), "... and read again");
        fuzz_must(memcmp(&again.seal_hash, &b.seal_hash, sizeof hash) == 0, "... as the same");
    }
    kt_buf_free(&out);
    kt_arena_free(&arena);
    return 0;
}
