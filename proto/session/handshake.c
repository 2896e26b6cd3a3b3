#include "proto/session/handshake.h"
#include "proto/session/frame.h"
#include "proto/limits.h"

#include <sodium.h>

#define MAGIC       "KONTOR"
#define REFUSAL     "KONTNO"
#define MAGIC_BYTES 6u
#define CHUNK_BYTES (KT_NOISE_MESSAGE_BYTES_MAX - KT_NOISE_TAG_BYTES - 1u) /* of a frame, in one Noise message */

_Static_assert(KT_HELLO_BYTES == MAGIC_BYTES + 2 + 2 + KT_CLUSTER_BYTES + 1, "the hello as described");
_Static_assert(KT_CERTIFICATE_BYTES_MAX + 32 + 48 + 16 <= KT_HANDSHAKE_FRAME_BYTES_MAX, "message 2 fits");
_Static_assert((KT_FRAME_BYTES_MAX + CHUNK_BYTES - 1) / CHUNK_BYTES == 5, "KT_SEALED_FRAME_BYTES_MAX");

/* The first byte of each Noise message's plaintext, and the first of a control frame. */
enum mark { MARK_MORE, MARK_DATA, MARK_CONTROL };
enum control { CONTROL_WELCOME = 1, CONTROL_BYE, CONTROL_PING, CONTROL_PONG };

void kt_hello_encode(const struct kt_hello *h, uint8_t out[KT_HELLO_BYTES])
{
    memcpy(out, MAGIC, MAGIC_BYTES);
    out[6] = (uint8_t)(h->version_min >> 8), out[7] = (uint8_t)h->version_min;
    out[8] = (uint8_t)(h->version_max >> 8), out[9] = (uint8_t)h->version_max;
    memcpy(out + 10, h->cluster.b, KT_CLUSTER_BYTES);
    out[26] = (uint8_t)h->role;
}

int kt_hello_decode(struct kt_bytes in, struct kt_hello *out)
{
    struct kt_reader r = kt_reader(in);
    struct kt_bytes magic = kt_take(&r, MAGIC_BYTES);
    if (!r.err && memcmp(magic.data, MAGIC, MAGIC_BYTES) != 0) return KT_EMALFORMED;
    struct kt_hello h = {.version_min = kt_take_be16(&r)};
    h.version_max = kt_take_be16(&r);
    kt_take_into(&r, h.cluster.b, sizeof h.cluster.b);
    h.role = kt_take_u8(&r);
    if (r.err) return r.err;
    if (kt_reader_left(&r)) return KT_EOVERSIZE;
    if (h.version_min == 0 || h.version_min > h.version_max) return KT_EMALFORMED;
    if (h.role != KT_ROLE_PEER && h.role != KT_ROLE_CLIENT) return KT_EMALFORMED;
    *out = h;
    return KT_OK;
}

/* ---- sealed frames ---- */

static int seal(struct kt_session *s, enum mark kind, struct kt_bytes frame, struct kt_buf *out)
{
    if (frame.len > KT_FRAME_BYTES_MAX) return KT_EOVERSIZE;
    size_t chunks = frame.len ? (frame.len + CHUNK_BYTES - 1) / CHUNK_BYTES : 1;
    size_t sealed_len = frame.len + chunks * (1 + KT_NOISE_TAG_BYTES);
    kt_frame_header(out, KT_FRAMING_BE32, sealed_len);
    uint8_t *to = kt_buf_extend(out, sealed_len);
    if (!to) return out->err;
    for (size_t i = 0; i < chunks; i++) {
        size_t n = frame.len < CHUNK_BYTES ? frame.len : CHUNK_BYTES;
        to[0] = i + 1 < chunks ? MARK_MORE : (uint8_t)kind;
        if (n) memcpy(to + 1, frame.data, n);
        int rc = kt_noise_encrypt(&s->send, kt_str(NULL), kt_bytes(to, n + 1), to);
        if (rc) return rc;
        to += n + 1 + KT_NOISE_TAG_BYTES;
        frame = kt_bytes(frame.data ? frame.data + n : NULL, frame.len - n);
    }
    return KT_OK;
}

/* Opens in place and closes the gaps between the chunks; *len becomes that of the frame. */
static int open_sealed(struct kt_session *s, uint8_t *frame, size_t *len, enum mark *kind)
{
    size_t at = 0, end = 0, left = *len;
    do {
        size_t n = left < KT_NOISE_MESSAGE_BYTES_MAX ? left : KT_NOISE_MESSAGE_BYTES_MAX;
        if (n < 1 + KT_NOISE_TAG_BYTES) return KT_ETRUNCATED;
        int rc = kt_noise_decrypt(&s->receive, kt_str(NULL), kt_bytes(frame + at, n), frame + at);
        if (rc) return rc;
        *kind = frame[at];
        if (*kind > MARK_CONTROL || (*kind == MARK_MORE) != (left > n)) return KT_EMALFORMED;
        memmove(frame + end, frame + at + 1, n - 1 - KT_NOISE_TAG_BYTES);
        end += n - 1 - KT_NOISE_TAG_BYTES;
        at += n;
        left -= n;
    } while (left);
    if (end > KT_FRAME_BYTES_MAX) return KT_EOVERSIZE;
    *len = end;
    return KT_OK;
}

static int control(struct kt_session *s, enum control what, int code, struct kt_buf *out)
{
    uint8_t body[3] = {(uint8_t)what, (uint8_t)(-code >> 8), (uint8_t)-code};
    return seal(s, MARK_CONTROL, kt_bytes(body, what == CONTROL_BYE ? 3 : 1), out);
}

int kt_session_seal(struct kt_session *s, struct kt_bytes frame, struct kt_buf *out)
{
    return kt_session_is_up(s) ? seal(s, MARK_DATA, frame, out) : KT_EBUG;
}

int kt_session_bye(struct kt_session *s, int code, struct kt_buf *out)
{
    return kt_session_is_up(s) ? control(s, CONTROL_BYE, code, out) : KT_EBUG;
}

int kt_session_ping(struct kt_session *s, struct kt_buf *out)
{
    return kt_session_is_up(s) ? control(s, CONTROL_PING, 0, out) : KT_EBUG;
}

int kt_session_pong(struct kt_session *s, struct kt_buf *out)
{
    return kt_session_is_up(s) ? control(s, CONTROL_PONG, 0, out) : KT_EBUG;
}

static int take_control(struct kt_bytes body, struct kt_session_event *event)
{
    static const struct {
        enum kt_session_event_kind kind;
        size_t len;
    } known[] = {
        [CONTROL_WELCOME] = {KT_SESSION_UP,   1},
        [CONTROL_BYE] = {KT_SESSION_BYE,  3},
        [CONTROL_PING] = {KT_SESSION_PING, 1},
        [CONTROL_PONG] = {KT_SESSION_PONG, 1},
    };
    if (body.len == 0 || body.data[0] == 0 || body.data[0] > CONTROL_PONG || body.len != known[body.data[0]].len)
        return KT_EMALFORMED;
    event->kind = known[body.data[0]].kind;
    if (event->kind == KT_SESSION_BYE) event->code = -((int)body.data[1] << 8 | body.data[2]);
    return KT_OK;
}

static int take_sealed(struct kt_session *s, uint8_t *frame, size_t len, struct kt_session_event *event)
{
    enum mark kind;
    int rc = open_sealed(s, frame, &len, &kind);
    if (rc) return rc;
    if (kind == MARK_CONTROL) {
        rc = take_control(kt_bytes(frame, len), event);
        if (rc) return rc;
        if ((event->kind == KT_SESSION_UP) != (s->phase == KT_PHASE_WELCOME) && event->kind != KT_SESSION_BYE)
            return KT_EMALFORMED;
        if (event->kind == KT_SESSION_UP) s->phase = KT_PHASE_UP;
        return KT_OK;
    }
    if (!kt_session_is_up(s)) return KT_EMALFORMED;
    event->kind = KT_SESSION_FRAME;
    event->bytes = kt_bytes(frame, len);
    return KT_OK;
}

/* ---- the handshake ---- */

static int put_frame(struct kt_buf *out, struct kt_bytes frame)
{
    kt_frame_header(out, KT_FRAMING_BE32, frame.len);
    kt_buf_put(out, frame);
    return out->err;
}

static int put_noise(struct kt_session *s, struct kt_bytes payload, struct kt_buf *out)
{
    uint8_t message[KT_HANDSHAKE_FRAME_BYTES_MAX];
    size_t len;
    int rc = kt_noise_write(&s->noise, payload, message, sizeof message, &len);
    return rc ? rc : put_frame(out, kt_bytes(message, len));
}

static void put_refusal(int code, struct kt_buf *out)
{
    uint8_t frame[MAGIC_BYTES + 2];
    memcpy(frame, REFUSAL, MAGIC_BYTES);
    frame[6] = (uint8_t)(-code >> 8), frame[7] = (uint8_t)-code;
    (void)put_frame(out, KT_BYTES_OF(frame)); /* it could not be said: the other side sees the end of the line */
}

int kt_session_start(struct kt_session *s, const struct kt_session_config *c, struct kt_buf *out)
{
    if (c->certificate.len > KT_CERTIFICATE_BYTES_MAX) return KT_EOVERSIZE;
    *s = (struct kt_session){.phase = KT_PHASE_HELLO, .dialler = c->dialler, .role = c->role, .cluster = c->cluster};
    s->certificate = c->certificate;
    memcpy(s->static_secret, c->static_secret, sizeof s->static_secret);
    memcpy(s->ephemeral_secret, c->ephemeral_secret, sizeof s->ephemeral_secret);
    if (!c->dialler) return KT_OK;

    struct kt_hello hello = {KT_WIRE_VERSION, KT_WIRE_VERSION, c->cluster, c->role};
    uint8_t bytes[KT_HELLO_BYTES];
    kt_hello_encode(&hello, bytes);
    int rc = kt_noise_init(&s->noise, true, KT_BYTES_OF(bytes), s->static_secret, s->ephemeral_secret);
    if (!rc) rc = put_frame(out, KT_BYTES_OF(bytes));
    if (!rc) rc = put_noise(s, kt_str(NULL), out);
    s->phase = KT_PHASE_NOISE;
    return rc;
}

void kt_session_wipe(struct kt_session *s)
{
    sodium_memzero(s, sizeof *s);
    s->phase = KT_PHASE_OVER;
}

static int take_hello(struct kt_session *s, struct kt_bytes frame)
{
    struct kt_hello h;
    int rc = kt_hello_decode(frame, &h);
    if (rc) return rc;
    if (h.version_min > KT_WIRE_VERSION || h.version_max < KT_WIRE_VERSION) return KT_EVERSION;
    if (memcmp(h.cluster.b, s->cluster.b, KT_CLUSTER_BYTES) != 0) return KT_ECLUSTER;
    if (h.role != s->role) return KT_EREFUSED;
    s->phase = KT_PHASE_NOISE;
    return kt_noise_init(&s->noise, false, frame, s->static_secret, s->ephemeral_secret);
}

static bool take_refusal(struct kt_bytes frame, struct kt_session_event *event)
{
    if (frame.len != MAGIC_BYTES + 2 || memcmp(frame.data, REFUSAL, MAGIC_BYTES) != 0) return false;
    event->kind = KT_SESSION_BYE;
    event->code = -((int)frame.data[6] << 8 | frame.data[7]);
    return true;
}

/* One Noise message.  The payload is put where the frame was, so that the event can borrow it. */
static int take_noise(struct kt_session *s, uint8_t *frame, size_t len, struct kt_buf *out,
                      struct kt_session_event *event)
{
    uint8_t payload[KT_HANDSHAKE_FRAME_BYTES_MAX];
    size_t payload_len;
    if (s->dialler && take_refusal(kt_bytes(frame, len), event)) return KT_OK;
    int rc = kt_noise_read(&s->noise, kt_bytes(frame, len), payload, sizeof payload, &payload_len);
    if (rc) return rc;
    if (s->noise.message == 1) return payload_len ? KT_EMALFORMED : put_noise(s, s->certificate, out);
    if (payload_len > KT_CERTIFICATE_BYTES_MAX) return KT_EOVERSIZE;
    if (payload_len) memcpy(frame, payload, payload_len);
    memcpy(s->remote_static, s->noise.rs, sizeof s->remote_static);
    s->phase = KT_PHASE_JUDGE;
    event->kind = KT_SESSION_PEER;
    event->bytes = kt_bytes(frame, payload_len);
    event->remote_static = s->remote_static;
    return KT_OK;
}

int kt_session_take(struct kt_session *s, uint8_t *frame, size_t len, struct kt_buf *out,
                    struct kt_session_event *event)
{
    *event = (struct kt_session_event){.kind = KT_SESSION_NOTHING};
    if (s->phase == KT_PHASE_UP) return take_sealed(s, frame, len, event);
    int rc = KT_EBUG;
    if (s->phase != KT_PHASE_OVER && len > KT_HANDSHAKE_FRAME_BYTES_MAX)
        rc = KT_EOVERSIZE;
    else if (s->phase == KT_PHASE_HELLO)
        rc = s->dialler ? KT_EBUG : take_hello(s, kt_bytes(frame, len));
    else if (s->phase == KT_PHASE_NOISE)
        rc = take_noise(s, frame, len, out, event);
    else if (s->phase == KT_PHASE_WELCOME)
        rc = take_sealed(s, frame, len, event);
    if (rc && !s->dialler && s->phase != KT_PHASE_OVER) put_refusal(rc, out);
    if (rc || event->kind == KT_SESSION_BYE) s->phase = KT_PHASE_OVER;
    return rc;
}

/* The keys of the session; those of the handshake are gone afterwards. */
static int split(struct kt_session *s)
{
    int rc = kt_noise_split(&s->noise, &s->send, &s->receive);
    kt_noise_wipe(&s->noise);
    sodium_memzero(s->static_secret, sizeof s->static_secret);
    sodium_memzero(s->ephemeral_secret, sizeof s->ephemeral_secret);
    return rc;
}

/* The dialler answers message 2 with message 3, then waits for the welcome; the acceptor welcomes. */
int kt_session_accept(struct kt_session *s, struct kt_buf *out)
{
    if (s->phase != KT_PHASE_JUDGE) return KT_EBUG;
    int rc = s->dialler ? put_noise(s, s->certificate, out) : KT_OK;
    if (!rc) rc = split(s);
    if (!rc && !s->dialler) rc = control(s, CONTROL_WELCOME, 0, out);
    s->phase = rc ? KT_PHASE_OVER : s->dialler ? KT_PHASE_WELCOME : KT_PHASE_UP;
    return rc;
}

void kt_session_refuse(struct kt_session *s, int code, struct kt_buf *out)
{
    if (s->phase == KT_PHASE_JUDGE && !s->dialler && split(s) == KT_OK)
        (void)control(s, CONTROL_BYE, code, out); /* the other side sees the end of the line in any case */
    s->phase = KT_PHASE_OVER;
}
