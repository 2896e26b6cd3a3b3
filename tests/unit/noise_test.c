/* Two sides shake hands as the Noise specification has it: the published vectors byte for byte, and every way a
 * message can be wrong told apart. */
#include "proto/ids.h"
#include "proto/limits.h"
#include "proto/session/noise.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sodium.h>

#define VECTORS "../shared/data/noise-vectors.json"
enum { BYTES_MAX = 4096 };

struct blob {
    uint8_t data[BYTES_MAX];
    size_t len;
};

static struct kt_bytes of(const struct blob *b) { return kt_bytes(b->data, b->len); }

static struct blob field(const json_t *v, const char *name)
{
    struct blob b = {.len = 0};
    const char *text = json_string_value(json_object_get(v, name));
    if (!text) return b;
    b.len = strlen(text) / 2;
    assert_true(b.len <= sizeof b.data);
    assert_int_equal(kt_unhex(text, b.data, b.len), KT_OK);
    return b;
}

static void must_equal(struct kt_bytes got, struct kt_bytes want)
{
    assert_int_equal(got.len, want.len);
    if (want.len) assert_memory_equal(got.data, want.data, want.len);
}

static void start(struct kt_noise *n, const json_t *v, bool initiator)
{
    struct blob prologue = field(v, initiator ? "init_prologue" : "resp_prologue");
    struct blob s = field(v, initiator ? "init_static" : "resp_static");
    struct blob e = field(v, initiator ? "init_ephemeral" : "resp_ephemeral");
    assert_int_equal(s.len, 32);
    assert_int_equal(e.len, 32);
    assert_int_equal(kt_noise_init(n, initiator, of(&prologue), s.data, e.data), KT_OK);
}

static void one_vector(const json_t *v)
{
    struct kt_noise side[2]; /* 0 responds, 1 initiates */
    struct kt_noise_cipher send[2], receive[2];
    start(&side[1], v, true);
    start(&side[0], v, false);
    size_t i;
    json_t *m;
    json_array_foreach(json_object_get(v, "messages"), i, m)
    {
        struct blob payload = field(m, "payload"), sealed = field(m, "ciphertext"), out = {.len = 0}, back = {.len = 0};
        int from = i % 2 == 0;
        if (i < 3) {
            assert_int_equal(kt_noise_write(&side[from], of(&payload), out.data, sizeof out.data, &out.len), KT_OK);
            must_equal(of(&out), of(&sealed));
            assert_int_equal(kt_noise_read(&side[!from], of(&out), back.data, sizeof back.data, &back.len), KT_OK);
        } else {
            assert_int_equal(kt_noise_encrypt(&send[from], kt_str(NULL), of(&payload), out.data), KT_OK);
            must_equal(kt_bytes(out.data, payload.len + KT_NOISE_TAG_BYTES), of(&sealed));
            assert_int_equal(kt_noise_decrypt(&receive[!from], kt_str(NULL), of(&sealed), back.data), KT_OK);
            back.len = sealed.len - KT_NOISE_TAG_BYTES;
        }
        must_equal(of(&back), of(&payload));
        for (int k = 0; i == 2 && k < 2; k++) assert_int_equal(kt_noise_split(&side[k], &send[k], &receive[k]), KT_OK);
    }
    assert_true(i > 3);
    struct blob hash = field(v, "handshake_hash");
    for (int k = 0; k < 2; k++) must_equal(kt_bytes(side[k].symmetric.h, KT_NOISE_HASH_BYTES), of(&hash));
}

/* Given the vectors other implementations publish, both sides write exactly their bytes. */
static void published_vectors(void **state)
{
    (void)state;
    json_t *all = json_load_file(VECTORS, 0, NULL);
    if (!all) {
        print_message("skipped: " VECTORS " is not here\n");
        skip();
    }
    size_t i, ours = 0;
    json_t *v;
    json_array_foreach(json_object_get(all, "vectors"), i, v)
    {
        const char *name = json_string_value(json_object_get(v, "protocol_name"));
        if (!name || strcmp(name, KT_NOISE_NAME) != 0) continue;
        one_vector(v);
        ours++;
    }
    json_decref(all);
    print_message("%zu of %zu vectors are " KT_NOISE_NAME "\n", ours, i);
    assert_true(ours > 0);
}

/* A pair from fixed keys; `wire` gets the messages written so far. */
struct pair {
    struct kt_noise a, b; /* a initiates */
    struct blob wire;
};

static void pair_init(struct pair *p, const char *prologue_a, const char *prologue_b)
{
    uint8_t k[4][32];
    for (int i = 0; i < 4; i++) memset(k[i], 0x11 * (i + 1), sizeof k[i]);
    assert_int_equal(kt_noise_init(&p->a, true, kt_str(prologue_a), k[0], k[1]), KT_OK);
    assert_int_equal(kt_noise_init(&p->b, false, kt_str(prologue_b), k[2], k[3]), KT_OK);
    p->wire.len = 0;
}

static int write_next(struct pair *p, const char *payload)
{
    struct kt_noise *from = kt_noise_writes(&p->a) ? &p->a : &p->b;
    return kt_noise_write(from, kt_str(payload), p->wire.data, sizeof p->wire.data, &p->wire.len);
}

static int read_next(struct pair *p, struct blob *out)
{
    struct kt_noise *to = p->a.message < p->b.message ? &p->a : &p->b; /* who has not seen it yet */
    return kt_noise_read(to, of(&p->wire), out->data, sizeof out->data, &out->len);
}

/* Three messages with payloads cross, both sides know each other's key, and the session carries bytes both ways. */
static void round_trip(void **state)
{
    (void)state;
    static const char *const payload[3] = {"", "certificate of b", "certificate of a"};
    struct pair p;
    struct blob got;
    pair_init(&p, "hello", "hello");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write_next(&p, payload[i]), KT_OK);
        assert_int_equal(read_next(&p, &got), KT_OK);
        must_equal(of(&got), kt_str(payload[i]));
    }
    assert_memory_equal(p.a.rs, p.b.s_public, 32);
    assert_memory_equal(p.b.rs, p.a.s_public, 32);
    assert_memory_equal(p.a.symmetric.h, p.b.symmetric.h, 32);
    assert_int_equal(write_next(&p, ""), KT_EBUG);

    struct kt_noise_cipher as, ar, bs, br;
    assert_int_equal(kt_noise_split(&p.a, &as, &ar), KT_OK);
    assert_int_equal(kt_noise_split(&p.b, &bs, &br), KT_OK);
    for (int i = 0; i < 5; i++) {
        uint8_t text[64] = "from a to b", sealed[80], back[64];
        assert_int_equal(kt_noise_encrypt(i % 2 ? &as : &bs, kt_str(NULL), KT_BYTES_OF(text), sealed), KT_OK);
        assert_int_equal(kt_noise_decrypt(i % 2 ? &br : &ar, kt_str(NULL), KT_BYTES_OF(sealed), back), KT_OK);
        assert_memory_equal(text, back, sizeof text);
    }
}

/* One flipped bit anywhere in any handshake message, or another prologue, ends the handshake with KT_EOPEN. */
static void tampered(void **state)
{
    (void)state;
    for (int message = 1; message < 3; message++) {
        for (size_t at = 0;; at++) {
            struct pair p;
            struct blob got;
            pair_init(&p, "hello", "hello");
            for (int i = 0; i < message; i++) {
                assert_int_equal(write_next(&p, "x"), KT_OK);
                assert_int_equal(read_next(&p, &got), KT_OK);
            }
            assert_int_equal(write_next(&p, "x"), KT_OK);
            if (at == p.wire.len) break;
            p.wire.data[at] ^= at == 31 ? 1 : 0x80; /* X25519 ignores the top bit of a key, its hash does not */
            assert_int_equal(read_next(&p, &got), KT_EOPEN);
            assert_int_equal(read_next(&p, &got), KT_EBUG); /* it is over */
        }
    }
    struct pair p;
    struct blob got;
    pair_init(&p, "hello", "hallo");
    assert_int_equal(write_next(&p, ""), KT_OK);
    assert_int_equal(read_next(&p, &got), KT_OK);
    assert_int_equal(write_next(&p, ""), KT_OK);
    assert_int_equal(read_next(&p, &got), KT_EOPEN);
}

/* A message cut off inside its keys or tags is KT_ETRUNCATED; a cut payload does not open. */
static void truncated(void **state)
{
    (void)state;
    static const size_t whole[3] = {32, 32 + 48 + 16, 48 + 16};
    for (int message = 0; message < 3; message++) {
        for (size_t len = 0; len < whole[message]; len++) {
            struct pair p;
            struct blob got;
            pair_init(&p, "hello", "hello");
            for (int i = 0; i < message; i++) {
                assert_int_equal(write_next(&p, ""), KT_OK);
                assert_int_equal(read_next(&p, &got), KT_OK);
            }
            assert_int_equal(write_next(&p, ""), KT_OK);
            assert_int_equal(p.wire.len, whole[message]);
            p.wire.len = len;
            assert_int_equal(read_next(&p, &got), KT_ETRUNCATED);
        }
    }
}

/* What does not fit a Noise message, or the room given, is KT_EOVERSIZE and writes nothing. */
static void oversized(void **state)
{
    (void)state;
    static uint8_t big[KT_NOISE_MESSAGE_BYTES_MAX + 1];
    struct pair p;
    struct blob got;
    size_t len;
    pair_init(&p, "hello", "hello");
    assert_int_equal(kt_noise_write(&p.a, kt_str("x"), got.data, 32, &len), KT_EOVERSIZE);
    pair_init(&p, "hello", "hello");
    assert_int_equal(kt_noise_write(&p.a, KT_BYTES_OF(big), big, sizeof big, &len), KT_EOVERSIZE);
    pair_init(&p, "hello", "hello");
    assert_int_equal(kt_noise_read(&p.b, KT_BYTES_OF(big), got.data, sizeof got.data, &len), KT_EOVERSIZE);
    struct kt_noise_cipher c = {.has_key = true};
    assert_int_equal(kt_noise_encrypt(&c, kt_str(NULL), kt_bytes(big, sizeof big - 16), big), KT_EOVERSIZE);
    assert_int_equal(kt_noise_decrypt(&c, kt_str(NULL), KT_BYTES_OF(big), big), KT_EOVERSIZE);
    assert_int_equal(kt_noise_decrypt(&c, kt_str(NULL), kt_bytes(big, 15), big), KT_ETRUNCATED);
    assert_int_equal(c.n, 0);
}

/* A public key of low order would make the secret predictable: refused. */
static void low_order_key(void **state)
{
    (void)state;
    struct pair p;
    struct blob got;
    pair_init(&p, "hello", "hello");
    assert_int_equal(write_next(&p, ""), KT_OK);
    memset(p.wire.data, 0, 32);
    assert_int_equal(read_next(&p, &got), KT_OK);
    assert_int_equal(write_next(&p, ""), KT_EKEY);
}

/* The last nonce is never used; a message that does not open uses none up. */
static void nonces(void **state)
{
    (void)state;
    struct kt_noise_cipher c = {.has_key = true, .n = KT_NOISE_NONCE_NEVER - 1}, d = c;
    uint8_t sealed[16];
    assert_int_equal(kt_noise_encrypt(&c, kt_str(NULL), kt_str(NULL), sealed), KT_OK);
    assert_int_equal(kt_noise_encrypt(&c, kt_str(NULL), kt_str(NULL), sealed), KT_ELIMIT);
    sealed[0] ^= 1;
    assert_int_equal(kt_noise_decrypt(&d, kt_str(NULL), KT_BYTES_OF(sealed), sealed), KT_EOPEN);
    sealed[0] ^= 1;
    assert_int_equal(kt_noise_decrypt(&d, kt_str(NULL), KT_BYTES_OF(sealed), sealed), KT_OK);
    assert_int_equal(kt_noise_decrypt(&d, kt_str(NULL), KT_BYTES_OF(sealed), sealed), KT_ELIMIT);
    kt_noise_cipher_wipe(&c);
    assert_int_equal(kt_noise_encrypt(&c, kt_str(NULL), kt_str(NULL), sealed), KT_EBUG);
}

int main(void)
{
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(tampered),
        cmocka_unit_test(truncated),
        cmocka_unit_test(oversized),
        cmocka_unit_test(low_order_key),
        cmocka_unit_test(nonces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
