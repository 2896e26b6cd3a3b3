/* Tokens: opaque text that only the organisation's own nodes can make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/client/token.h"
#include "support/wire.h"

static const uint8_t KEY[KT_KEY_BYTES] = {1, 2, 3};

static struct kt_token random_token(struct wire_random *r)
{
    struct kt_token t = {.issuer = 1 + wire_below(r, 1000), .store = wire_next(r), .sequence = wire_next(r)};
    t.heads_len = wire_below(r, KT_TOKEN_HEADS_MAX + 1);
    for (uint32_t i = 0; i < t.heads_len; i++) {
        t.heads[i] = (struct kt_head){
            {wire_below(r, UINT32_MAX), wire_next(r)},
            wire_next(r)
        };
    }
    return t;
}

/* A thousand tokens of every size come back as they were given, none longer than the outside promises. */
static void round_trip(void **state)
{
    (void)state;
    struct wire_random r = wire_random(11);
    for (int i = 0; i < 1000; i++) {
        struct kt_token t = random_token(&r), back;
        char text[KT_TOKEN_CHARS_MAX + 1];
        assert_int_equal(kt_token_encode(&t, KEY, text), KT_OK);
        assert_true(strlen(text) <= KT_TOKEN_CHARS_MAX);
        assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                         strlen(text));
        assert_int_equal(kt_token_decode(text, KEY, &back), KT_OK);
        assert_int_equal(back.issuer, t.issuer);
        assert_true(back.store == t.store && back.sequence == t.sequence && back.heads_len == t.heads_len);
        for (uint32_t k = 0; k < t.heads_len; k++) {
            assert_int_equal(kt_origin_compare(back.heads[k].origin, t.heads[k].origin), 0);
            assert_true(back.heads[k].number == t.heads[k].number);
        }
    }
}

/* Someone cuts a token short, changes a letter, makes words up, or brings one of another organisation. */
static void refused(void **state)
{
    (void)state;
    struct wire_random r = wire_random(12);
    struct kt_token t = random_token(&r), back = {.issuer = 77};
    char text[KT_TOKEN_CHARS_MAX + 1], bad[KT_TOKEN_CHARS_MAX + 64];
    uint8_t other[KT_KEY_BYTES] = {9};

    t.heads_len = 2;
    assert_int_equal(kt_token_encode(&t, KEY, text), KT_OK);
    for (size_t len = 0; len < strlen(text); len++) {
        snprintf(bad, sizeof(bad), "%.*s", (int)len, text);
        assert_int_equal(kt_token_decode(bad, KEY, &back), KT_ETOKEN);
        snprintf(bad, sizeof(bad), "%s", text);
        bad[len] = bad[len] == 'A' ? 'B' : 'A';
        assert_int_equal(kt_token_decode(bad, KEY, &back), KT_ETOKEN);
    }
    const char *words[] = {"no-such-token", "", "====", "a b", "\xff\xfe", "no such token"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words)[0]; i++)
        assert_int_equal(kt_token_decode(words[i], KEY, &back), KT_ETOKEN);
    snprintf(bad, sizeof(bad), "%sA", text);
    assert_int_equal(kt_token_decode(bad, KEY, &back), KT_ETOKEN);
    memset(bad, 'A', sizeof(bad));
    bad[sizeof(bad) - 1] = 0;
    assert_int_equal(kt_token_decode(bad, KEY, &back), KT_ETOKEN);
    assert_int_equal(kt_token_decode(text, other, &back), KT_ETOKEN);
    assert_int_equal(back.issuer, 77); /* a failing call leaves its output alone */

    t.heads_len = KT_TOKEN_HEADS_MAX + 1;
    assert_int_equal(kt_token_encode(&t, KEY, text), KT_EINVAL);
}

/* The example of PROTOCOL.md. */
static void example(void **state)
{
    (void)state;
    struct kt_token t = {.issuer = 3, .store = 0x1122334455667788, .sequence = 4711, .heads_len = 1};
    t.heads[0] = (struct kt_head){
        {3, 0xa1a2a3a4a5a6a7a8},
        42
    };
    char text[KT_TOKEN_CHARS_MAX + 1];
    assert_int_equal(kt_token_encode(&t, KEY, text), KT_OK);
    wire_vector("token", kt_str(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(refused),
                                       cmocka_unit_test(example)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
