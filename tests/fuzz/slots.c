/* A row of state, from disk. */
#include "core/merge.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);

    struct kt_slot *slots;
    size_t n;
    struct kt_buf out;
    kt_buf_init(&out, 1u << 24);
    if (!kt_slots_decode(kt_bytes(data, len), &arena, &slots, &n)) {
        const struct kt_slot **each = kt_arena_array(&arena, n + 1, sizeof *each);
        for (size_t i = 0; i < n; i++) each[i] = &slots[i];
        fuzz_must(!kt_slots_encode(each, n, &out), "a row that decodes can be written");
    }
    kt_buf_free(&out);
    kt_arena_free(&arena);
    return 0;
}
