/* A request from a client. */
#include "proto/client/request.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);

    struct kt_request r, again;
    struct kt_buf out;
    kt_buf_init(&out, KT_REQUEST_BYTES_MAX);
    if (!kt_request_decode(kt_bytes(data, len), &arena, &r) && !kt_request_encode(&r, &out)) {
        fuzz_must(!kt_request_decode(kt_buf_bytes(&out), &arena, &again), "a request that was written can be read");
        fuzz_must(again.kind == r.kind, "... as the same kind");
    }
    kt_buf_free(&out);
    kt_arena_free(&arena);
    return 0;
}
