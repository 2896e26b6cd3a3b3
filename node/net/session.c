/* Who is on the line: what the frames of one stream mean, from the hello to the goodbye. */
#include "net/links.h"

#include <sodium.h>
#include <stdio.h>

static enum kt_took end(struct kt_conn *c, int code, const char *why, bool refused)
{
    kt_conn_end(c, code, why, refused);
    return KT_TOOK_END;
}

/* The first whole frame of a stranger: only now it costs more than its buffer. */
static int acceptor_starts(struct kt_conn *c)
{
    struct kt_links *l = c->links;
    struct kt_session_config sc = {.dialler = false, .role = KT_ROLE_PEER, .cluster = l->c.cluster};
    int rc = l->c.certificate(l->c.ctx, &c->certificate);
    sc.certificate = kt_buf_bytes(&c->certificate);
    memcpy(sc.static_secret, l->session_secret, sizeof sc.static_secret);
    randombytes_buf(sc.ephemeral_secret, sizeof sc.ephemeral_secret);
    if (!rc) rc = kt_session_start(&c->session, &sc, NULL);
    sodium_memzero(&sc, sizeof sc);
    c->started = true;
    return rc;
}

enum kt_took kt_conn_deliver(struct kt_conn *c, struct kt_bytes frame)
{
    pthread_mutex_lock(&c->mtx);
    bool over = c->closing, deaf = c->ending;
    pthread_mutex_unlock(&c->mtx);
    if (over) return KT_TOOK_END;
    if (deaf) return KT_TOOK_ON;
    if (!c->links->c.inbox.on_frame(c->links->c.inbox.ctx, c->id, frame)) {
        c->held = frame; /* stays in c->frames: nothing is read before it is taken */
        c->has_held = true;
        return KT_TOOK_FULL;
    }
    atomic_fetch_add(&c->frames_in, 1);
    return KT_TOOK_ON;
}

/* Up on this side: frames may come and go. */
static enum kt_took announce(struct kt_conn *c)
{
    kt_buf_free(&c->certificate);
    kt_frames_limit(&c->frames, KT_SEALED_FRAME_BYTES_MAX, KT_READ_BYTES);
    c->links->c.inbox.on_up(c->links->c.inbox.ctx, c->id, c->member, c->roster_only, c->dial != NULL, c->url);
    c->announced = true;
    return KT_TOOK_ON;
}

/* Under links->mtx: the link to this member that stands, or is about to; held for the caller. */
static struct kt_conn *standing(struct kt_conn *than, kt_member member, enum kt_standing *how)
{
    *how = KT_STANDING_NONE;
    for (struct kt_conn *c = than->links->conns; c; c = c->next) {
        if (c == than || c->member != member || c->place == KT_PLACE_STRANGER) continue;
        pthread_mutex_lock(&c->mtx);
        bool alive = !c->closing && !c->ending;
        pthread_mutex_unlock(&c->mtx);
        if (!alive) continue;
        *how = c->place == KT_PLACE_UP ? KT_STANDING_UP : KT_STANDING_WAITING;
        kt_conn_enter(c);
        return c;
    }
    return NULL;
}

static enum kt_verdict take_place(struct kt_conn *c, kt_member member, bool roster_only, struct kt_conn **old)
{
    struct kt_links *l = c->links;
    enum kt_standing how;
    pthread_mutex_lock(&l->mtx);
    if (c->dial) c->dial->member = member;
    *old = standing(c, member, &how);
    enum kt_verdict v = kt_register_judge(l->c.member, member, c->dial != NULL, how, *old && (*old)->dial);
    if (v == KT_VERDICT_TAKE) {
        c->member = member;
        c->roster_only = roster_only;
        c->place = c->dial ? KT_PLACE_WAITING : KT_PLACE_UP;
        c->up_ms = kt_net_now_ms();
        if (!c->dial) kt_dial_member_up(l, member);
    }
    pthread_mutex_unlock(&l->mtx);
    return v;
}

/* Accepts (code KT_OK) or refuses what was judged, and sends what that writes. */
static int answer(struct kt_conn *c, int code)
{
    struct kt_buf out;
    kt_buf_init(&out, 2 * KT_HANDSHAKE_FRAME_BYTES_MAX);
    int rc = KT_OK;
    pthread_mutex_lock(&c->mtx);
    if (code)
        kt_session_refuse(&c->session, code, &out);
    else
        rc = kt_session_accept(&c->session, &out);
    pthread_mutex_unlock(&c->mtx);
    if (!rc && out.len) rc = kt_conn_queue(c, kt_buf_bytes(&out));
    kt_buf_free(&out);
    return rc;
}

static enum kt_took judge(struct kt_conn *c, const struct kt_session_event *e)
{
    struct kt_links *l = c->links;
    kt_member member = 0;
    bool roster_only = false;
    int rc = l->c.verify(l->c.ctx, e->bytes, e->remote_static, &member, &roster_only);
    if (rc || member == l->c.member) {
        if (!rc) rc = KT_EREFUSED;
        (void)answer(c, rc); /* it ends in any case */
        return end(c, rc, member == l->c.member ? "the other end is this node itself" : kt_error_text(rc), true);
    }
    struct kt_conn *old;
    enum kt_verdict v = take_place(c, member, roster_only, &old);
    rc = answer(c, v == KT_VERDICT_TAKE ? KT_OK : KT_EDUPLICATE);
    if (old && v == KT_VERDICT_TAKE) kt_conn_bye(old, KT_EDUPLICATE, "replaced by a newer link");
    if (v == KT_VERDICT_ENQUIRE && old) {
        atomic_store(&old->enquire_by_ms, kt_net_now_ms() + KT_ENQUIRE_MS);
        kt_conn_ping(old, false);
    }
    if (old) kt_conn_leave(old);
    if (v != KT_VERDICT_TAKE) return end(c, KT_EDUPLICATE, "a link to that member stands already", false);
    if (rc) return end(c, rc, kt_error_text(rc), false);
    return c->dial ? KT_TOOK_ON : announce(c);
}

static enum kt_took welcomed(struct kt_conn *c)
{
    struct kt_links *l = c->links;
    pthread_mutex_lock(&l->mtx);
    c->place = KT_PLACE_UP;
    c->up_ms = kt_net_now_ms();
    kt_dial_member_up(l, c->member);
    pthread_mutex_unlock(&l->mtx);
    return announce(c);
}

static enum kt_took told_to_go(struct kt_conn *c, int code)
{
    char why[KT_WHY_CHARS_MAX];
    snprintf(why, sizeof why, "the other side: %s", kt_error_text(code));
    pthread_mutex_lock(&c->mtx);
    c->refused = !c->announced && code != KT_EDUPLICATE;
    pthread_mutex_unlock(&c->mtx);
    kt_conn_close(c, code ? code : KT_EGONE, why);
    return KT_TOOK_END;
}

static enum kt_took pinged(struct kt_conn *c)
{
    kt_conn_ping(c, true);
    return KT_TOOK_ON;
}

static enum kt_took happened(struct kt_conn *c, const struct kt_session_event *e)
{
    switch (e->kind) {
    case KT_SESSION_PEER:
        return judge(c, e);
    case KT_SESSION_UP:
        return welcomed(c);
    case KT_SESSION_FRAME:
        return kt_conn_deliver(c, e->bytes);
    case KT_SESSION_PING:
        return pinged(c);
    case KT_SESSION_BYE:
        return told_to_go(c, e->code);
    case KT_SESSION_NOTHING:
    case KT_SESSION_PONG:
        break;
    }
    return KT_TOOK_ON;
}

enum kt_took kt_conn_frame(struct kt_conn *c, uint8_t *frame, size_t len)
{
    struct kt_session_event e;
    if (c->announced) { /* the receiving half is this chain's alone */
        int rc = kt_session_take(&c->session, frame, len, NULL, &e);
        return rc ? end(c, rc, kt_error_text(rc), false) : happened(c, &e);
    }
    struct kt_buf out;
    kt_buf_init(&out, 2 * KT_HANDSHAKE_FRAME_BYTES_MAX);
    int rc = c->started ? KT_OK : acceptor_starts(c);
    pthread_mutex_lock(&c->mtx);
    if (!rc) rc = kt_session_take(&c->session, frame, len, &out, &e);
    pthread_mutex_unlock(&c->mtx);
    if (out.len) {
        int queued = kt_conn_queue(c, kt_buf_bytes(&out));
        if (!rc) rc = queued;
    }
    kt_buf_free(&out);
    return rc ? end(c, rc, kt_error_text(rc), true) : happened(c, &e);
}
