/* The clear part of an envelope. */
#include "proto/batch/envelope.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_clear c, again;
    struct kt_buf out;
    kt_buf_init(&out, 1024);
    if (!kt_clear_decode(kt_bytes(data, len), &c)) {
        fuzz_must(!kt_clear_encode(&c, &out), "it can be written");
        fuzz_must(!kt_clear_decode(kt_buf_bytes(&out), &again), "... and read again");
        fuzz_must(again.hlc_delta == c.hlc_delta && again.schema == c.schema, "... as the same");
    }
    kt_buf_free(&out);
    return 0;
}
