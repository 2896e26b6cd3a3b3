/* Buffers, readers, arenas, names of things: what every format stands on. */
#include "proto/arena.h"
#include "proto/keys/hash.h"
#include "proto/ids.h"
#include "proto/keys/keys.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sodium.h>

/* Scenario: every code of the table has a name, a sentence and advice, and so has a number that is none. */
static void errors_have_words(void **state)
{
    (void)state;
    for (int code = 0; code >= -100; code--) {
        assert_non_null(kt_error_name(code));
        assert_true(strlen(kt_error_text(code)) > 3 && strlen(kt_error_advice(code)) > 3);
    }
    assert_string_equal(kt_error_name(KT_EOPEN), "KT_EOPEN");
    assert_string_equal(kt_error_name(KT_OK), "KT_OK");
    assert_string_equal(kt_error_name(-77), "KT_EUNKNOWN");
}

/* Scenario: numbers of every size go out and come back, and the reader ends exactly at the end. */
static void numbers_return(void **state)
{
    const uint64_t varints[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    struct kt_buf b;

    (void)state;
    kt_buf_init(&b, 1000);
    kt_buf_u8(&b, 0xfe);
    kt_buf_be16(&b, 0x0102);
    kt_buf_be32(&b, 0x03040506);
    kt_buf_be64(&b, 0x0708090a0b0c0d0e);
    for (size_t i = 0; i < 8; i++) kt_buf_varint(&b, varints[i]);
    assert_int_equal(b.err, KT_OK);
    assert_memory_equal(b.data, "\xfe\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e", 15);
    struct kt_reader r = kt_reader(kt_buf_bytes(&b));
    assert_int_equal(kt_take_u8(&r), 0xfe);
    assert_int_equal(kt_take_be16(&r), 0x0102);
    assert_int_equal(kt_take_be32(&r), 0x03040506);
    assert_true(kt_take_be64(&r) == 0x0708090a0b0c0d0e);
    for (size_t i = 0; i < 8; i++) assert_true(kt_take_varint(&r) == varints[i]);
    assert_int_equal(kt_reader_left(&r), 0);
    assert_int_equal(r.err, KT_OK);
    assert_int_equal(kt_take_u8(&r), 0);
    assert_int_equal(r.err, KT_ETRUNCATED);
    kt_buf_free(&b);
}

/* Scenario: a buffer at its limit refuses what is too much, says so once, and forgets it when cleared. */
static void buffer_keeps_its_limit(void **state)
{
    struct kt_buf b;

    (void)state;
    kt_buf_init(&b, 100);
    assert_non_null(kt_buf_extend(&b, 99));
    kt_buf_be16(&b, 1);
    assert_int_equal(b.err, KT_ELIMIT);
    assert_int_equal(b.len, 99);
    kt_buf_u8(&b, 1); /* would fit, but the error sticks */
    assert_int_equal(b.len, 99);
    kt_buf_clear(&b);
    assert_int_equal(b.err, KT_OK);
    assert_non_null(kt_buf_extend(&b, 0));
    assert_non_null(kt_buf_extend(&b, 100));
    assert_null(kt_buf_extend(&b, SIZE_MAX));
    kt_buf_wipe_free(&b);
    assert_null(b.data);
    assert_int_equal(b.bytes_max, 100);
}

/* Scenario: a message within a message, of lengths whose length takes one, two and three bytes. */
static void nested_messages_close(void **state)
{
    const size_t lengths[] = {0, 1, 127, 128, 16383, 16384, 40000};
    static const uint8_t filler[40000];
    struct kt_buf b;
    struct kt_pb outer, inner;

    (void)state;
    kt_buf_init(&b, 50000);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        kt_buf_clear(&b);
        kt_buf_pb_uint(&b, 1, 300);
        size_t mark = kt_buf_pb_open(&b, 17);
        if (lengths[i]) kt_buf_pb_bytes(&b, 2, kt_bytes(filler, lengths[i]));
        kt_buf_pb_close(&b, mark);
        kt_buf_pb_fixed64(&b, 3, 0x1122334455667788);
        assert_int_equal(b.err, KT_OK);
        struct kt_reader r = kt_reader(kt_buf_bytes(&b));
        assert_true(kt_pb_next(&r, &outer) && outer.field == 1 && outer.wire == 0 && outer.number == 300);
        assert_true(kt_pb_next(&r, &outer) && outer.field == 17 && outer.wire == 2);
        struct kt_reader in = kt_reader(outer.bytes);
        assert_int_equal(kt_pb_next(&in, &inner), lengths[i] != 0);
        if (lengths[i]) assert_int_equal(inner.bytes.len, lengths[i]);
        assert_false(kt_pb_next(&in, &inner));
        assert_true(kt_pb_next(&r, &outer) && outer.wire == 1 && outer.number == 0x1122334455667788);
        assert_false(kt_pb_next(&r, &outer));
        assert_int_equal(r.err, KT_OK);
    }
    kt_buf_free(&b);
}

static int walk(const char *bytes, size_t len)
{
    struct kt_reader r = kt_reader(kt_bytes(bytes, len));
    struct kt_pb f;

    while (kt_pb_next(&r, &f)) {
    }
    return r.err;
}

/* Scenario: hostile fields, each refused with its own error. */
static void walker_refuses(void **state)
{
    (void)state;
    assert_int_equal(walk("", 0), KT_OK);
    assert_int_equal(walk("\x0d\x01\x02\x03\x04", 5), KT_OK);     /* fixed32 */
    assert_int_equal(walk("\x0d\x01\x02\x03", 4), KT_ETRUNCATED); /* fixed32, short */
    assert_int_equal(walk("\x09\x01\x02\x03", 4), KT_ETRUNCATED); /* fixed64, short */
    assert_int_equal(walk("\x0a\x05"
                          "abc",
                          5),
                     KT_ETRUNCATED);                                                           /* bytes, short */
    assert_int_equal(walk("\x08", 1), KT_ETRUNCATED);                                          /* no number */
    assert_int_equal(walk("\x08\xff", 2), KT_ETRUNCATED);                                      /* half a number */
    assert_int_equal(walk("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11), KT_ETRUNCATED); /* 2^64 - 1 bytes */
    assert_int_equal(walk("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11), KT_EMALFORMED); /* past 64 bits */
    assert_int_equal(walk("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12), KT_EMALFORMED);
    assert_int_equal(walk("\x00\x01", 2), KT_EMALFORMED);                 /* field 0 */
    assert_int_equal(walk("\x0b", 1), KT_EMALFORMED);                     /* groups */
    assert_int_equal(walk("\x0e\x01", 2), KT_EMALFORMED);                 /* wire type 6 */
    assert_int_equal(walk("\xf8\xff\xff\xff\x7f\x01", 6), KT_EMALFORMED); /* field past 29 bits */
}

/* Scenario: an arena gives zeroed, aligned memory up to its cap, again after a reset. */
static void arena_keeps_its_cap(void **state)
{
    struct kt_arena a;

    (void)state;
    kt_arena_init(&a, 100000);
    for (int round = 0; round < 2; round++) {
        size_t given = 0;
        for (size_t n = 1; given + 16 < 90000; n = n % 5000 + 777) {
            uint8_t *p = kt_arena_alloc(&a, n);
            if (!p) break;
            assert_int_equal((uintptr_t)p % 16, 0);
            assert_true(sodium_is_zero(p, n));
            memset(p, 0xff, n);
            given += n;
        }
        assert_true(given > 80000);
        assert_null(kt_arena_alloc(&a, 100001));
        assert_null(kt_arena_alloc(&a, SIZE_MAX));
        assert_null(kt_arena_array(&a, SIZE_MAX / 2, 3));
        kt_arena_reset(&a);
        assert_int_equal(a.used_bytes, 0);
    }
    assert_string_equal(kt_arena_str(&a, kt_str("word")), "word");
    assert_string_equal(kt_arena_str(&a, kt_bytes(NULL, 0)), "");
    assert_true(kt_bytes_equal(kt_arena_copy(&a, kt_str("word")), kt_str("word")));
    assert_null(kt_arena_copy(&a, kt_str("")).data);
    kt_arena_free(&a);
}

/* Scenario: packed names sort as the names do, and come back. */
static void names_pack_in_order(void **state)
{
    const struct kt_dot dots[] = {
        {{1, 5},          1,   0, 0},
        {{1, 5},          1,   0, 1},
        {{1, 5},          1,   1, 0},
        {{1, 5},          256, 0, 0},
        {{1, 6},          1,   0, 0},
        {{2, 0},          1,   0, 0},
        {{256, 0},        1,   0, 0},
        {{UINT32_MAX, 1}, 1,   0, 0}
    };
    uint8_t packed[8][KT_DOT_BYTES];
    struct kt_dot back;

    (void)state;
    for (int i = 0; i < 8; i++) {
        kt_dot_pack(&dots[i], packed[i]);
        kt_dot_unpack(packed[i], &back);
        assert_int_equal(kt_dot_compare(&dots[i], &back), 0);
        for (int j = 0; j < i; j++) {
            assert_true(kt_dot_compare(&dots[j], &dots[i]) < 0 && kt_dot_compare(&dots[i], &dots[j]) > 0);
            assert_true(memcmp(packed[j], packed[i], KT_DOT_BYTES) < 0);
        }
    }
    struct kt_origin o = kt_origin_unpack(packed[4]);
    assert_int_equal(kt_origin_compare(o, dots[4].origin), 0);
}

/* Scenario: moving a byte from one part to the next, or to the label, gives another hash; hexadecimal goes both ways.
 */
static void hashes_keep_parts_apart(void **state)
{
    const struct kt_bytes split[][2] = {
        {kt_str("ab"), kt_str("c")  },
        {kt_str("a"),  kt_str("bc") },
        {kt_str(""),   kt_str("abc")}
    };
    struct kt_hash h[4];
    char text[2 * KT_HASH_BYTES + 1];
    uint8_t back[KT_HASH_BYTES];

    (void)state;
    for (int i = 0; i < 3; i++) h[i] = kt_hash_parts("item", split[i], 2);
    h[3] = kt_hash_parts("item-body", split[0], 2);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++) assert_memory_not_equal(h[i].b, h[j].b, KT_HASH_BYTES);
    kt_hex(KT_BYTES_OF(h[0].b), text);
    assert_int_equal(kt_unhex(text, back, sizeof(back)), KT_OK);
    assert_memory_equal(back, h[0].b, sizeof(back));
    assert_int_equal(kt_unhex(text, back, sizeof(back) - 1), KT_EMALFORMED);
    text[5] = 'g';
    assert_int_equal(kt_unhex(text, back, sizeof(back)), KT_EMALFORMED);
}

/* Scenario: two offices import one record and make one id; another kind, system, id or organisation makes another. */
static void entities_are_named_alike(void **state)
{
    uint8_t key[KT_KEY_BYTES] = {1}, other_key[KT_KEY_BYTES] = {2};
    struct kt_entity_id a = kt_entity_id_of(key, 1, kt_str("revenue"), kt_str("C-1"));
    struct kt_entity_id same = kt_entity_id_of(key, 1, kt_str("revenue"), kt_str("C-1"));
    const struct kt_entity_id others[] = {kt_entity_id_of(key, 2, kt_str("revenue"), kt_str("C-1")),
                                          kt_entity_id_of(key, 1, kt_str("revenueC"), kt_str("-1")),
                                          kt_entity_id_of(key, 1, kt_str("revenue"), kt_str("C-2")),
                                          kt_entity_id_of(other_key, 1, kt_str("revenue"), kt_str("C-1"))};

    (void)state;
    assert_memory_equal(a.b, same.b, sizeof(a.b));
    for (size_t i = 0; i < 4; i++) assert_memory_not_equal(a.b, others[i].b, sizeof(a.b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_have_words),        cmocka_unit_test(numbers_return),
        cmocka_unit_test(buffer_keeps_its_limit),   cmocka_unit_test(nested_messages_close),
        cmocka_unit_test(walker_refuses),           cmocka_unit_test(arena_keeps_its_cap),
        cmocka_unit_test(names_pack_in_order),      cmocka_unit_test(hashes_keep_parts_apart),
        cmocka_unit_test(entities_are_named_alike),
    };

    if (sodium_init() < 0) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
