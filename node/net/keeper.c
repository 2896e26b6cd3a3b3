/* The one thread of the links: deadlines, dialling, resuming, and the burying of what has ended. */
#include "net/links.h"

#include <stdlib.h>
#include <time.h>

/* What one round looks at: held, and without links->mtx. */
struct kt_round {
    struct kt_conn *conns[KT_LINK_SLOTS];
    size_t count;
    struct kt_conn *dead;
};

struct kt_round *kt_round_new(void) { return calloc(1, sizeof(struct kt_round)); }

static uint64_t sooner(uint64_t a, uint64_t b) { return a < b ? a : b; }
/* Others note times while a round is under way, later than the round's own: those are now. */
static uint64_t since(uint64_t then_ms, uint64_t now_ms) { return now_ms > then_ms ? now_ms - then_ms : 0; }

/* Under links->mtx: the ended leave the lists, the rest is held for the round. */
static void gather(struct kt_links *l, struct kt_round *r, uint64_t now_ms)
{
    r->count = 0;
    r->dead = NULL;
    for (struct kt_conn **at = &l->conns; *at;) {
        struct kt_conn *c = *at;
        if (kt_conn_is_idle(c)) {
            *at = c->next;
            l->slots[c->id % KT_LINK_SLOTS] = NULL;
            if (!c->dial && c->place == KT_PLACE_STRANGER) l->turned_away++;
            kt_dial_conn_lost(l, c, now_ms);
            c->next = r->dead;
            r->dead = c;
        } else {
            kt_conn_enter(c);
            r->conns[r->count++] = c;
            at = &c->next;
        }
    }
}

static void bury(struct kt_links *l, struct kt_conn *dead)
{
    while (dead) {
        struct kt_conn *c = dead;
        dead = c->next;
        if (c->announced) l->c.inbox.on_down(l->c.inbox.ctx, c->id, c->code, c->why);
        kt_conn_free(c);
    }
}

static uint64_t look_at_stranger(struct kt_conn *c, uint64_t now_ms)
{
    uint64_t due = c->made_ms + KT_HANDSHAKE_MS_MAX;
    if (now_ms < due) return due;
    kt_conn_close(c, KT_EDEADLINE, "it did not say who it is in time");
    return UINT64_MAX;
}

/* Our inbox is full: nothing is read, so silence means nothing here, and the other side's pings go unanswered.  It
 * hears from us unasked. */
static uint64_t stay_heard(struct kt_conn *c, uint64_t now_ms, uint64_t up_ms)
{
    const struct kt_links_config *k = &c->links->c;
    if (since(atomic_load(&c->pinged_ms), now_ms) >= k->silent_ms / 3) {
        atomic_store(&c->pinged_ms, now_ms);
        kt_conn_ping(c, true);
    }
    return sooner(atomic_load(&c->pinged_ms) + k->silent_ms / 3, up_ms + k->session_ms_max);
}

static uint64_t look_at_link(struct kt_conn *c, uint64_t now_ms, uint64_t up_ms, bool paused)
{
    const struct kt_links_config *k = &c->links->c;
    uint64_t heard = atomic_load(&c->last_in_ms), enquire_by = atomic_load(&c->enquire_by_ms);
    if (since(up_ms, now_ms) >= k->session_ms_max ||
        atomic_load(&c->bytes_in) + atomic_load(&c->bytes_out) >= k->session_bytes_max) {
        kt_conn_bye(c, KT_EEND, "the session is used up: dialled again");
        return UINT64_MAX;
    }
    if (paused) return stay_heard(c, now_ms, up_ms);
    if (since(heard, now_ms) >= k->silent_ms || (enquire_by && now_ms >= enquire_by)) {
        kt_conn_close(c, KT_EDEADLINE, "the line is dead: nothing arrived");
        return UINT64_MAX;
    }
    uint64_t ping_at = heard + k->silent_ms / 3;
    if (now_ms >= ping_at) {
        if (atomic_load(&c->pinged_ms) < heard + 1) kt_conn_ping(c, false);
        atomic_store(&c->pinged_ms, now_ms);
        ping_at = now_ms + k->silent_ms / 3; /* and look again: it may have come to pause by then */
    }
    uint64_t next = sooner(sooner(ping_at, heard + k->silent_ms), up_ms + k->session_ms_max);
    return enquire_by ? sooner(next, enquire_by) : next;
}

/* What is due for one conn; the return is when to look again. */
static uint64_t look_at(struct kt_conn *c, uint64_t now_ms)
{
    kt_conn_resume(c);
    pthread_mutex_lock(&c->links->mtx);
    enum kt_place place = c->place;
    uint64_t up_ms = c->up_ms;
    pthread_mutex_unlock(&c->links->mtx);
    pthread_mutex_lock(&c->mtx);
    bool closing = c->closing, paused = c->paused;
    uint64_t end_by = c->end_by_ms;
    pthread_mutex_unlock(&c->mtx);
    if (closing) return UINT64_MAX; /* its callbacks kick when they are through */
    if (end_by) {
        if (now_ms < end_by) return end_by;
        kt_conn_close(c, KT_EDEADLINE, "the goodbye did not go out in time");
        return UINT64_MAX;
    }
    return place == KT_PLACE_UP ? look_at_link(c, now_ms, up_ms, paused) : look_at_stranger(c, now_ms);
}

static uint64_t look_at_rest(struct kt_links *l, uint64_t now_ms)
{
    uint64_t next = UINT64_MAX;
    pthread_mutex_lock(&l->mtx);
    size_t dials = l->dials_count;
    pthread_mutex_unlock(&l->mtx);
    for (size_t i = 0; i < dials; i++) kt_dial_due(l->dials[i], now_ms);
    for (size_t i = 0; i < l->listeners_count; i++) {
        pthread_mutex_lock(&l->mtx);
        uint64_t retry = l->listeners[i].retry_ms;
        pthread_mutex_unlock(&l->mtx);
        if (retry && retry > now_ms) next = sooner(next, retry);
        if (retry && retry <= now_ms) kt_listener_accept(&l->listeners[i]);
    }
    pthread_mutex_lock(&l->mtx);
    for (size_t i = 0; i < dials; i++) next = sooner(next, kt_dial_next_ms(l->dials[i]));
    pthread_mutex_unlock(&l->mtx);
    return next;
}

/* No new conn comes after this. */
static void stop(struct kt_links *l, struct kt_round *r)
{
    for (size_t i = 0; i < l->listeners_count; i++) kt_listener_close(&l->listeners[i]);
    for (size_t i = 0; i < l->dials_count; i++) kt_dial_stop(l->dials[i]);
    for (size_t i = 0; i < r->count; i++) kt_conn_bye(r->conns[i], KT_EGONE, "this node stops");
}

static void sleep_until(struct kt_links *l, uint64_t at_ms)
{
    struct timespec ts = {.tv_sec = (time_t)(at_ms / 1000), .tv_nsec = (long)(at_ms % 1000) * 1000000};
    while (!l->kicked && kt_net_now_ms() < at_ms)
        if (at_ms == UINT64_MAX)
            pthread_cond_wait(&l->wake, &l->mtx);
        else
            pthread_cond_timedwait(&l->wake, &l->mtx, &ts);
    l->kicked = false;
}

void *kt_keeper(void *arg)
{
    struct kt_links *l = arg;
    struct kt_round *r = l->round;
    bool stopped = false;
    for (;;) {
        uint64_t now_ms = kt_net_now_ms(), next = UINT64_MAX;
        pthread_mutex_lock(&l->mtx);
        gather(l, r, now_ms);
        bool stopping = l->stopping, over = stopped && !l->conns;
        pthread_mutex_unlock(&l->mtx);
        bury(l, r->dead);
        if (over) return NULL;
        if (stopping && !stopped) {
            stop(l, r);
            stopped = true;
            next = 0; /* whatever was left may be gone already: look once more */
        }
        for (size_t i = 0; i < r->count; i++) {
            next = sooner(next, look_at(r->conns[i], now_ms));
            kt_conn_leave(r->conns[i]);
        }
        if (!stopping) next = sooner(next, look_at_rest(l, now_ms));
        pthread_mutex_lock(&l->mtx);
        sleep_until(l, next);
        pthread_mutex_unlock(&l->mtx);
    }
}
