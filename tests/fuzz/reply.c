/* A reply from a node, and what the command line makes of it. */
#include "client/cli/json/json.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);

    struct kt_reply r;
    json_t *j = NULL;
    if (!kt_reply_decode(kt_bytes(data, len), &arena, &r)) {
        if (r.kind == KT_ASK_LOOKUP && !kt_json_lookup(&r, &arena, &j)) {
            char *text = kt_json_text(j);
            free(text);
            json_decref(j);
        }
        if (r.kind == KT_ASK_CONFLICTS) json_decref(kt_json_conflicts(&r));
    }
    kt_arena_free(&arena);
    return 0;
}
