/* A stream comes in pieces of any size; whole frames come out, and hostile lengths cost nothing. */
#include "proto/session/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

static const struct {
    enum kt_framing framing;
    size_t header;
} framings[] = {
    {KT_FRAMING_BE32,   4},
    {KT_FRAMING_BE64,   8},
    {KT_FRAMING_SP_IPC, 9},
};
enum { FRAMINGS = sizeof framings / sizeof framings[0], BYTES_MAX = 10000 };

static uint8_t byte_of(size_t frame, size_t at) { return (uint8_t)(frame * 31 + at); }

/* Frames of random lengths in random pieces come out whole and in order, in every framing. */
static void any_pieces(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    for (size_t k = 0; k < FRAMINGS; k++) {
        enum { FRAMES = 300 };
        struct kt_buf wire;
        size_t lens[FRAMES], sent = 0, got = 0;
        kt_buf_init(&wire, 16u << 20);
        for (size_t i = 0; i < FRAMES; i++) {
            lens[i] = (size_t)rand_r(&seed) % (i % 7 ? 100 : BYTES_MAX + 1);
            if (i % 50 == 0) lens[i] = BYTES_MAX;
            kt_frame_header(&wire, framings[k].framing, lens[i]);
            for (size_t at = 0; at < lens[i]; at++) kt_buf_u8(&wire, byte_of(i, at));
        }
        assert_int_equal(wire.err, KT_OK);
        struct kt_frames f;
        kt_frames_init(&f, framings[k].framing, BYTES_MAX);
        while (got < FRAMES) {
            uint8_t *data;
            size_t len;
            int rc = kt_frames_next(&f, &data, &len);
            if (rc == KT_OK) {
                assert_int_equal(len, lens[got]);
                for (size_t at = 0; at < len; at++) assert_int_equal(data[at], byte_of(got, at));
                got++;
                continue;
            }
            assert_int_equal(rc, KT_EAGAIN);
            size_t room, piece = 1 + (size_t)rand_r(&seed) % 3000;
            uint8_t *to = kt_frames_room(&f, &room);
            assert_non_null(to);
            if (piece > room) piece = room;
            if (piece > wire.len - sent) piece = wire.len - sent;
            assert_true(piece > 0);
            memcpy(to, wire.data + sent, piece);
            kt_frames_took(&f, piece);
            sent += piece;
        }
        assert_int_equal(sent, wire.len);
        assert_true(f.cap <= framings[k].header + BYTES_MAX + f.read_bytes);
        kt_frames_free(&f);
        kt_buf_free(&wire);
    }
}

/* A length beyond the maximum is refused with its header, and nothing was allocated for it; a long one within the
 * maximum is not paid for before its bytes come. */
static void hostile_lengths(void **state)
{
    (void)state;
    static const uint64_t claims[] = {BYTES_MAX + 1, 0x7fffffff, 0xffffffff, 0x80000000};
    for (size_t k = 0; k < FRAMINGS; k++) {
        for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
            struct kt_buf head;
            struct kt_frames f;
            uint8_t *data;
            size_t len;
            kt_buf_init(&head, 64);
            kt_frame_header(&head, framings[k].framing, claims[i]);
            kt_frames_init(&f, framings[k].framing, BYTES_MAX);
            for (size_t at = 0; at < head.len; at++) {
                assert_int_equal(kt_frames_next(&f, &data, &len), KT_EAGAIN);
                assert_int_equal(kt_frames_push(&f, kt_bytes(head.data + at, 1)), KT_OK);
            }
            assert_int_equal(kt_frames_next(&f, &data, &len), KT_EOVERSIZE);
            assert_true(f.cap <= 1024);
            kt_frames_free(&f);
            kt_buf_free(&head);
        }
    }
    struct kt_frames f;
    uint8_t *data;
    size_t len;
    kt_frames_init(&f, KT_FRAMING_BE32, 1u << 30);
    assert_int_equal(kt_frames_push(&f, kt_bytes("\x3f\xff\xff\xff some", 9)), KT_OK);
    assert_int_equal(kt_frames_next(&f, &data, &len), KT_EAGAIN);
    assert_non_null(kt_frames_room(&f, &len));
    assert_true(f.cap <= 2048);
    kt_frames_free(&f);
}

/* 64-bit lengths do not wrap; another framing is noticed at its first byte; greetings come out raw. */
static void odd_headers(void **state)
{
    (void)state;
    struct kt_frames f;
    uint8_t *data;
    size_t len;
    kt_frames_init(&f, KT_FRAMING_BE64, BYTES_MAX);
    assert_int_equal(kt_frames_push(&f, kt_bytes("\xff\xff\xff\xff\xff\xff\xff\xff", 8)), KT_OK);
    assert_int_equal(kt_frames_next(&f, &data, &len), KT_EOVERSIZE);
    kt_frames_free(&f);
    kt_frames_init(&f, KT_FRAMING_SP_IPC, BYTES_MAX);
    assert_int_equal(kt_frames_push(&f, kt_bytes("helloXX", 5)), KT_OK);
    assert_int_equal(kt_frames_raw(&f, 8, &data), KT_EAGAIN);
    assert_int_equal(kt_frames_raw(&f, 4, &data), KT_OK);
    assert_memory_equal(data, "hell", 4);
    assert_int_equal(kt_frames_next(&f, &data, &len), KT_EMALFORMED);
    kt_frames_free(&f);
}

/* A buffer that holds a longest frame says it is full, and takes in one more push all the same. */
static void fullness(void **state)
{
    (void)state;
    static uint8_t zeros[BYTES_MAX];
    struct kt_frames f;
    uint8_t *data;
    size_t len;
    kt_frames_init(&f, KT_FRAMING_BE32, BYTES_MAX);
    struct kt_buf head;
    kt_buf_init(&head, 64);
    kt_frame_header(&head, KT_FRAMING_BE32, BYTES_MAX);
    assert_int_equal(kt_frames_push(&f, kt_buf_bytes(&head)), KT_OK);
    assert_int_equal(kt_frames_push(&f, kt_bytes(zeros, BYTES_MAX - 1)), KT_OK);
    assert_false(kt_frames_full(&f));
    assert_int_equal(kt_frames_push(&f, KT_BYTES_OF(zeros)), KT_OK);
    assert_true(kt_frames_full(&f));
    assert_int_equal(kt_frames_next(&f, &data, &len), KT_OK);
    assert_int_equal(len, BYTES_MAX);
    assert_int_equal(kt_frames_next(&f, &data, &len), KT_OK); /* zeros are empty frames */
    assert_int_equal(len, 0);
    kt_buf_free(&head);
    kt_frames_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_pieces),
        cmocka_unit_test(hostile_lengths),
        cmocka_unit_test(odd_headers),
        cmocka_unit_test(fullness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
