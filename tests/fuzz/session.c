/* A stranger on the line: frames in all three framings, and the handshake from hello to refusal. */
#include "proto/limits.h"
#include "proto/session/frame.h"
#include "proto/session/handshake.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kt_frames f;
    uint8_t *frame;
    size_t n;
    for (int framing = KT_FRAMING_BE32; framing <= KT_FRAMING_SP_IPC; framing++) {
        kt_frames_init(&f, (enum kt_framing)framing, 4096);
        fuzz_must(!kt_frames_push(&f, kt_bytes(data, len)), "out of memory");
        while (!kt_frames_next(&f, &frame, &n)) fuzz_must(n <= 4096, "no frame beyond the bound");
        kt_frames_free(&f);
    }
    const struct kt_session_config c = {
        .role = KT_ROLE_PEER, .cluster = {{0xc0, 0xc1, 0xc2, 0xc3}}, .static_secret = {1}, .ephemeral_secret = {2}};
    struct kt_session s;
    struct kt_session_event event;
    struct kt_buf out;
    kt_buf_init(&out, 1u << 20);
    kt_frames_init(&f, KT_FRAMING_BE32, KT_HANDSHAKE_FRAME_BYTES_MAX);
    fuzz_must(!kt_session_start(&s, &c, &out) && !kt_frames_push(&f, kt_bytes(data, len)), "it starts");
    while (!kt_frames_next(&f, &frame, &n))
        if (kt_session_take(&s, frame, n, &out, &event)) break;
    fuzz_must(!kt_session_is_up(&s), "nobody is let in");
    kt_session_wipe(&s);
    kt_buf_free(&out);
    kt_frames_free(&f);
    return 0;
}
