/* A value of any field, as it may arrive from anywhere: checked, indexed, named, matched.  The first byte picks the
 * field. */
#include "proto/schema/composite.h"
#include "proto/schema/fields.h"
#include "proto/schema/match.h"
#include "proto/schema/value.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    struct kt_bytes out;
    enum kt_index index;
    static const uint8_t id_key[KT_KEY_BYTES] = {6};
    if (len == 0) return 0;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);
    const struct kt_bytes value = kt_bytes(data + 1, len - 1);
    for (uint32_t kind = 1; kind < KT_KIND_COUNT; kind++) {
        uint32_t n;
        const struct kt_schema_field *fields = kt_schema_fields(kind, &n);
        if (n == 0) continue;
        const struct kt_schema_field *f = &fields[data[0] % n];
        (void)!kt_value_check(f, value);
        (void)!kt_value_index(f, value, kt_str("49"), &arena, &index, &out);
        (void)!kt_element_id(f, id_key, kt_str("49"), value, &arena, &out);
    }
    (void)!kt_match_text(value, &arena, &out);
    (void)!kt_match_phone(value, kt_str("49"), &arena, &out);
    (void)!kt_match_email(value, &arena, &out);
    kt_arena_free(&arena);
    return 0;
}
