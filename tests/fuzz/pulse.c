/* A pulse, from anybody. */
#include "proto/peer/pulse.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);

    static const uint8_t key[KT_PUBLIC_KEY_BYTES] = {9};
    struct kt_pulse p;
    if (!kt_pulse_decode(kt_bytes(data, len), &arena, &p)) {
        for (uint32_t i = 0; i < p.heads_len; i++)
            fuzz_must(p.heads[i].origin.member == p.member, "it speaks for itself");
        fuzz_must(kt_pulse_verify(kt_bytes(data, len), key) != KT_OK, "nobody signed it");
    }
    kt_arena_free(&arena);
    return 0;
}
