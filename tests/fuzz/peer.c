/* A frame from another node. */
#include "proto/peer/peer.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);

    struct kt_peer_message m, again;
    struct kt_buf out;
    kt_buf_init(&out, 2 * KT_FRAME_BYTES_MAX);
    if (!kt_peer_decode(kt_bytes(data, len), &arena, &m) && !kt_peer_encode(&m, &out)) {
        fuzz_must(!kt_peer_decode(kt_buf_bytes(&out), &arena, &again), "a message that was written can be read");
        fuzz_must(again.part == m.part, "... as the same part");
    }
    kt_buf_free(&out);
    kt_arena_free(&arena);
    return 0;
}
