/* A section of a view: composed as every reader does, shown as JSON. */
#include "client/cli/json/json.h"
#include "proto/view/view.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_arena arena;
    kt_arena_init(&arena, FUZZ_ARENA_BYTES);

    const struct kt_entity_id id = {{1}};
    const struct kt_section_in in[] = {
        {1, {data, len}},
        {2, {data, len}},
    };
    struct kt_view view;
    if (!kt_view_compose(in, 2, &id, &arena, &view)) {
        const struct kt_reply reply = {.kind = KT_ASK_LOOKUP};
        json_decref(kt_json_view(&view, &reply));
    }
    kt_arena_free(&arena);
    return 0;
}
