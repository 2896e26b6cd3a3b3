/* The plaintext of an envelope.  The arena it is promised (KT_CHANGE_ARENA_BYTES) is enough for any. */
#include "proto/batch/op.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    struct kt_change c, again;
    struct kt_buf out;
    kt_arena_init(&arena, KT_CHANGE_ARENA_BYTES);
    kt_buf_init(&out, 2 * KT_CHANGE_BYTES_MAX);
    const int e = kt_change_decode(kt_bytes(data, len), &arena, &c);
    fuzz_must(e != KT_ELIMIT, "the arena decides nothing about a change");
    if (!e && !kt_change_encode(&c, &out)) {
        kt_arena_reset(&arena);
        fuzz_must(!kt_change_decode(kt_buf_bytes(&out), &arena, &again), "a change that was written can be read");
        fuzz_must(again.ops_len == c.ops_len, "... with all its ops");
    }
    kt_buf_free(&out);
    kt_arena_free(&arena);
    return 0;
}
