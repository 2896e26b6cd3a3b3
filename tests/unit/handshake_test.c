/* Two ends without a line between them: every frame is passed by hand, and tampered with on the way. */
#include "proto/session/frame.h"
#include "proto/session/handshake.h"
#include "proto/limits.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "support/dice.h"
#include "support/wire.h"

struct end {
    struct kt_session s;
    struct kt_buf out; /* what it wrote and nobody has read */
    struct kt_frames in;
    struct kt_session_event event;
};

static struct kt_session_config config(bool dialler)
{
    struct kt_session_config c = {.dialler = dialler, .role = KT_ROLE_PEER};
    memset(c.cluster.b, 7, sizeof c.cluster.b);
    memset(c.static_secret, dialler ? 1 : 2, sizeof c.static_secret);
    memset(c.ephemeral_secret, dialler ? 3 : 4, sizeof c.ephemeral_secret);
    c.certificate = kt_str(dialler ? "certificate of the dialler" : "certificate of the acceptor");
    return c;
}

static void start(struct end *e, const struct kt_session_config *c)
{
    kt_buf_init(&e->out, 8u << 20);
    kt_frames_init(&e->in, KT_FRAMING_BE32, KT_SEALED_FRAME_BYTES_MAX);
    assert_int_equal(kt_session_start(&e->s, c, &e->out), KT_OK);
}

static void stop(struct end *e)
{
    kt_session_wipe(&e->s);
    kt_buf_free(&e->out);
    kt_frames_free(&e->in);
}

/* What `from` wrote reaches `to`'s buffer. */
static void carry(struct end *from, struct end *to)
{
    assert_int_equal(from->out.err, KT_OK);
    assert_int_equal(kt_frames_push(&to->in, kt_buf_bytes(&from->out)), KT_OK);
    kt_buf_clear(&from->out);
}

/* `to` takes one frame. */
static int take(struct end *to)
{
    uint8_t *frame;
    size_t len;
    assert_int_equal(kt_frames_next(&to->in, &frame, &len), KT_OK);
    return kt_session_take(&to->s, frame, len, &to->out, &to->event);
}

static void begin(struct end *d, struct end *a)
{
    struct kt_session_config cd = config(true), ca = config(false);
    start(d, &cd);
    start(a, &ca);
}

/* Up to where the acceptor must judge. */
static void to_judgement(struct end *d, struct end *a)
{
    begin(d, a);
    carry(d, a);
    assert_int_equal(take(a), KT_OK);
    assert_int_equal(take(a), KT_OK);
    assert_int_equal(a->event.kind, KT_SESSION_NOTHING);
    carry(a, d);
    assert_int_equal(take(d), KT_OK);
    assert_int_equal(d->event.kind, KT_SESSION_PEER);
    assert_true(kt_bytes_equal(d->event.bytes, kt_str("certificate of the acceptor")));
    uint8_t key[32], secret[32];
    memset(secret, 2, 32);
    crypto_scalarmult_base(key, secret);
    assert_memory_equal(d->event.remote_static, key, 32);
    assert_int_equal(kt_session_accept(&d->s, &d->out), KT_OK);
    carry(d, a);
    assert_int_equal(take(a), KT_OK);
    assert_int_equal(a->event.kind, KT_SESSION_PEER);
    assert_true(kt_bytes_equal(a->event.bytes, kt_str("certificate of the dialler")));
}

static void up(struct end *d, struct end *a)
{
    to_judgement(d, a);
    assert_int_equal(kt_session_accept(&a->s, &a->out), KT_OK);
    assert_true(kt_session_is_up(&a->s));
    assert_false(kt_session_is_up(&d->s));
    carry(a, d);
    assert_int_equal(take(d), KT_OK);
    assert_int_equal(d->event.kind, KT_SESSION_UP);
}

/* The dialler knows the acceptor before it shows itself; both accept; frames of every size go both ways. */
static void both_ways(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65518, 65519, 131036, 131037, KT_FRAME_BYTES_MAX - 1, KT_FRAME_BYTES_MAX};
    static uint8_t frame[KT_FRAME_BYTES_MAX + 1];
    struct end d, a;
    up(&d, &a);
    randombytes_buf(frame, sizeof frame);
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        struct end *from = i % 2 ? &d : &a, *to = i % 2 ? &a : &d;
        size_t len = sizes[i / 2];
        assert_int_equal(kt_session_seal(&from->s, kt_bytes(frame, len), &from->out), KT_OK);
        assert_true(from->out.len <= KT_SEALED_FRAME_BYTES_MAX + 4);
        carry(from, to);
        assert_int_equal(take(to), KT_OK);
        assert_int_equal(to->event.kind, KT_SESSION_FRAME);
        assert_true(kt_bytes_equal(to->event.bytes, kt_bytes(frame, len)));
    }
    assert_int_equal(kt_session_seal(&d.s, kt_bytes(frame, sizeof frame), &d.out), KT_EOVERSIZE);
    static const enum kt_session_event_kind kinds[] = {KT_SESSION_PING, KT_SESSION_PONG, KT_SESSION_BYE};
    assert_int_equal(kt_session_ping(&d.s, &d.out), KT_OK);
    assert_int_equal(kt_session_pong(&d.s, &d.out), KT_OK);
    assert_int_equal(kt_session_bye(&d.s, KT_EDUPLICATE, &d.out), KT_OK);
    carry(&d, &a);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take(&a), KT_OK);
        assert_int_equal(a.event.kind, kinds[i]);
    }
    assert_int_equal(a.event.code, KT_EDUPLICATE);
    stop(&d);
    stop(&a);
}

/* Each way a hello can be wrong has its own error, and the dialler learns which. */
static void wrong_hello(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t becomes;
        int code;
    } wrong[] = {
        {0, 'k', KT_EMALFORMED},                         /* magic */
        {7, 0, KT_EMALFORMED},                           /* versions from 0 */
        {7, 2, KT_EMALFORMED},                           /* an empty range */
        {10, 8, KT_ECLUSTER},    {26, 9, KT_EMALFORMED}, /* a role nobody has */
        {26, 2, KT_EREFUSED},                            /* a client at the peers' door */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct end d, a;
        begin(&d, &a);
        d.out.data[4 + wrong[i].at] = wrong[i].becomes;
        carry(&d, &a);
        assert_int_equal(take(&a), wrong[i].code);
        carry(&a, &d);
        assert_int_equal(take(&d), KT_OK);
        assert_int_equal(d.event.kind, KT_SESSION_BYE);
        assert_int_equal(d.event.code, wrong[i].code);
        assert_int_equal(take(&a), KT_EBUG); /* it is over */
        stop(&d);
        stop(&a);
    }
    struct kt_hello h = {.version_min = 2, .version_max = 9, .role = KT_ROLE_PEER};
    memset(h.cluster.b, 7, sizeof h.cluster.b);
    uint8_t bytes[KT_HELLO_BYTES + 1] = {0};
    kt_hello_encode(&h, bytes);
    struct kt_session_config c = config(false);
    struct end a;
    start(&a, &c);
    assert_int_equal(kt_session_take(&a.s, bytes, KT_HELLO_BYTES, &a.out, &a.event), KT_EVERSION);
    assert_int_equal(kt_hello_decode(kt_bytes(bytes, KT_HELLO_BYTES + 1), &h), KT_EOVERSIZE);
    for (size_t len = 0; len < KT_HELLO_BYTES; len++)
        assert_int_equal(kt_hello_decode(kt_bytes(bytes, len), &h), KT_ETRUNCATED);
    stop(&a);
}

/* The prologue is the hello as sent: a range of versions widened on the way is noticed in message 2. */
static void hello_is_bound(void **state)
{
    (void)state;
    struct end d, a;
    begin(&d, &a);
    d.out.data[4 + 9] = 5; /* version_max 1 -> 5: harmless by itself */
    carry(&d, &a);
    assert_int_equal(take(&a), KT_OK);
    assert_int_equal(take(&a), KT_OK);
    carry(&a, &d);
    assert_int_equal(take(&d), KT_EOPEN);
    stop(&d);
    stop(&a);
}

/* The acceptor refuses a certificate with a reason; the dialler hears it sealed, before any frame. */
static void refused_certificate(void **state)
{
    (void)state;
    struct end d, a;
    to_judgement(&d, &a);
    assert_int_equal(kt_session_seal(&a.s, kt_str("x"), &a.out), KT_EBUG); /* not yet */
    kt_session_refuse(&a.s, KT_ENOTMEMBER, &a.out);
    carry(&a, &d);
    assert_int_equal(take(&d), KT_OK);
    assert_int_equal(d.event.kind, KT_SESSION_BYE);
    assert_int_equal(d.event.code, KT_ENOTMEMBER);
    assert_int_equal(kt_session_seal(&d.s, kt_str("x"), &d.out), KT_EBUG);
    stop(&d);
    stop(&a);
}

/* Before both sides are known 4 KiB is the most; certificates have a maximum. */
static void bounds(void **state)
{
    (void)state;
    static uint8_t big[KT_HANDSHAKE_FRAME_BYTES_MAX + 1];
    struct kt_session_config c = config(false);
    struct end a;
    start(&a, &c);
    assert_int_equal(kt_session_take(&a.s, big, sizeof big, &a.out, &a.event), KT_EOVERSIZE);
    stop(&a);
    c.certificate = kt_bytes(big, KT_CERTIFICATE_BYTES_MAX + 1);
    struct kt_session s;
    assert_int_equal(kt_session_start(&s, &c, NULL), KT_EOVERSIZE);
    c.certificate.len--;
    struct kt_session_config cd = config(true);
    cd.certificate = c.certificate;
    struct end d;
    start(&a, &c);
    start(&d, &cd);
    carry(&d, &a);
    assert_int_equal(take(&a), KT_OK);
    assert_int_equal(take(&a), KT_OK);
    carry(&a, &d);
    assert_int_equal(take(&d), KT_OK);
    assert_int_equal(d.event.bytes.len, KT_CERTIFICATE_BYTES_MAX);
    assert_int_equal(kt_session_accept(&d.s, &d.out), KT_OK);
    assert_true(d.out.len <= KT_HANDSHAKE_FRAME_BYTES_MAX + 4);
    stop(&d);
    stop(&a);
}

/* Frames of a session cannot be flipped, cut, dropped, repeated, swapped, split or joined on the way. */
static void tampered_frames(void **state)
{
    (void)state;
    enum { CHUNK = KT_NOISE_MESSAGE_BYTES_MAX, TRICKS = 6 };
    static uint8_t frame[70000], held[80000];
    for (int trick = 0; trick < TRICKS; trick++) {
        struct end d, a;
        up(&d, &a);
        assert_int_equal(kt_session_seal(&d.s, KT_BYTES_OF(frame), &d.out), KT_OK);
        size_t len = d.out.len - 4;
        memcpy(held, d.out.data + 4, len);
        struct kt_session_event e;
        int rc = KT_OK;
        if (trick == 0) { /* flipped */
            held[len / 2] ^= 1;
            rc = kt_session_take(&a.s, held, len, NULL, &e);
            assert_int_equal(rc, KT_EOPEN);
        } else if (trick == 1) { /* cut inside the second message */
            rc = kt_session_take(&a.s, held, CHUNK + 5, NULL, &e);
            assert_int_equal(rc, KT_ETRUNCATED);
        } else if (trick == 2) { /* split between the messages */
            rc = kt_session_take(&a.s, held, CHUNK, NULL, &e);
            assert_int_equal(rc, KT_EMALFORMED);
        } else if (trick == 3) { /* repeated */
            memcpy(held, d.out.data + 4, len);
            assert_int_equal(kt_session_take(&a.s, held, len, NULL, &e), KT_OK);
            memcpy(held, d.out.data + 4, len);
            assert_int_equal(kt_session_take(&a.s, held, len, NULL, &e), KT_EOPEN);
        } else if (trick == 4) { /* dropped */
            kt_buf_clear(&d.out);
            assert_int_equal(kt_session_seal(&d.s, kt_str("next"), &d.out), KT_OK);
            assert_int_equal(kt_session_take(&a.s, d.out.data + 4, d.out.len - 4, NULL, &e), KT_EOPEN);
        } else { /* joined with the next: the first ends in a full message */
            struct end d2, a2;
            up(&d2, &a2);
            assert_int_equal(kt_session_seal(&d2.s, kt_bytes(frame, CHUNK - 17), &d2.out), KT_OK);
            memcpy(held, d2.out.data + 4, CHUNK);
            kt_buf_clear(&d2.out);
            assert_int_equal(kt_session_seal(&d2.s, kt_str("next"), &d2.out), KT_OK);
            memcpy(held + CHUNK, d2.out.data + 4, d2.out.len - 4);
            assert_int_equal(kt_session_take(&a2.s, held, CHUNK + d2.out.len - 4, NULL, &e), KT_EMALFORMED);
            stop(&d2);
            stop(&a2);
        }
        stop(&d);
        stop(&a);
    }
}

/* Random bytes at any point of the handshake end it with an error and nothing worse. */
static void noise_on_the_line(void **state)
{
    (void)state;
    const int rounds = (int)dice_rounds(3000);
    print_message("%d rounds\n", rounds);
    for (int i = 0; i < rounds; i++) {
        struct end d, a;
        uint8_t junk[300];
        begin(&d, &a);
        if (i % 3) {
            carry(&d, &a);
            assert_int_equal(take(&a), KT_OK);
        }
        if (i % 3 == 2) {
            assert_int_equal(take(&a), KT_OK);
            kt_buf_clear(&a.out);
        }
        randombytes_buf(junk, sizeof junk);
        size_t len = randombytes_uniform(sizeof junk);
        struct end *to = i % 2 ? &a : &d;
        if (kt_session_take(&to->s, junk, len, &to->out, &to->event) == KT_OK)
            assert_true(i % 3 == 1 && to == &a && len == 32); /* any 32 bytes are a key */
        stop(&d);
        stop(&a);
    }
}

/* What `from` wrote goes to the page, and to the other end, which takes `frames` of it. */
static void shown(struct end *from, struct end *to, int frames, struct kt_buf *page)
{
    kt_buf_put(page, kt_buf_bytes(&from->out));
    carry(from, to);
    for (int i = 0; i < frames; i++) assert_int_equal(take(to), KT_OK);
}

/* The session of PROTOCOL.md, byte for byte: hello, three messages of Noise, welcome, one frame, a goodbye. */
static void as_on_the_page(void **state)
{
    (void)state;
    struct end d, a;
    struct kt_buf page;
    kt_buf_init(&page, 4096);
    begin(&d, &a);
    shown(&d, &a, 2, &page);
    shown(&a, &d, 1, &page);
    assert_int_equal(kt_session_accept(&d.s, &d.out), KT_OK);
    shown(&d, &a, 1, &page);
    assert_int_equal(kt_session_accept(&a.s, &a.out), KT_OK);
    shown(&a, &d, 1, &page);
    assert_int_equal(kt_session_seal(&d.s, kt_str("a frame"), &d.out), KT_OK);
    shown(&d, &a, 1, &page);
    assert_int_equal(kt_session_bye(&a.s, KT_EDUPLICATE, &a.out), KT_OK);
    shown(&a, &d, 1, &page);
    wire_vector("session", kt_buf_bytes(&page));
    kt_buf_free(&page);
    stop(&d);
    stop(&a);
}

int main(void)
{
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways),           cmocka_unit_test(wrong_hello),
        cmocka_unit_test(hello_is_bound),      cmocka_unit_test(bounds),
        cmocka_unit_test(refused_certificate), cmocka_unit_test(tampered_frames),
        cmocka_unit_test(noise_on_the_line),   cmocka_unit_test(as_on_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
