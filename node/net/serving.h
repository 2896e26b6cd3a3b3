/* Inside the service: what service.c, doorway.c and client.c share.  Not for anybody else.
 *
 * Everything here belongs to the service thread but for the mail, which has its lock. */
#ifndef KT_NET_SERVING_H
#define KT_NET_SERVING_H

#include "net/service.h"
#include "proto/session/frame.h"
#include "proto/session/handshake.h"

#include <pthread.h>
#include <stdatomic.h>

#define KT_SERVICE_SLOTS_BITS 16 /* a client id is a running number and its slot */
#define KT_SERVICE_SLOTS_MASK ((1u << KT_SERVICE_SLOTS_BITS) - 1)
#define KT_DOORWAYS_MAX       16u

/* A socket that is listened on. */
struct kt_doorway {
    char url[KT_URL_CHARS_MAX];
    int fd; /* -1: not open */
    bool local;
    uint64_t shut_until_ms; /* 0, or nothing is accepted until then (no descriptors left) */
    uint64_t dev, ino;      /* of the socket file, so that only ours is removed */
};

struct kt_client {
    struct kt_service *service;
    uint64_t id;
    int fd;
    bool noise;         /* tcp:// */
    bool greeted;       /* its 8 bytes of SP are here */
    bool doomed;        /* to be freed at the next safe point */
    bool ending;        /* to be freed when `out` has gone */
    bool running;       /* inside client_run: replies wait for its end to go out together */
    bool stalled;       /* stopped before all that is here was taken */
    uint32_t interest;  /* what epoll watches for */
    uint32_t in_flight; /* requests not yet answered */
    uint64_t made_ms;
    struct kt_client_admission who;
    struct kt_session session;
    struct kt_buf certificate;
    struct kt_frames outer, sp; /* outer: frames of the Noise session; sp: messages */
    struct kt_buf out;
    size_t out_at; /* of out, this much has gone */
};

struct kt_mail {
    struct kt_mail *next;
    struct kt_client_ref to;
    size_t len;
    uint8_t bytes[];
};

struct kt_service {
    struct kt_service_config c; /* strings and secret not in here */
    uint8_t *session_secret;    /* sodium_malloc */
    int epoll, event;
    bool spins; /* more than one CPU */
    pthread_t thread;
    atomic_uintptr_t self; /* pthread_self of the service thread */
    struct kt_doorway doorways[KT_DOORWAYS_MAX];
    size_t doorways_count;
    struct kt_client **clients;        /* clients_max slots */
    uint32_t clients_count, newcomers; /* newcomers: connected, not yet greeted */
    uint64_t ids;
    atomic_uint_fast64_t count, turned_away; /* for other threads */

    pthread_mutex_t mtx; /* of what follows */
    struct kt_mail *mail, **mail_end;
    bool woken, stopping;
    uint64_t deadline_ms;
};

uint64_t kt_service_now_ms(void);

/* doorway.c */
int kt_doorway_open(struct kt_doorway *d, const char *url, char why[KT_WHY_CHARS_MAX]);
int kt_doorway_accept(struct kt_doorway *d); /* a descriptor, or -1 with errno */
void kt_doorway_close(struct kt_doorway *d);

/* client.c */
int kt_client_new(struct kt_service *s, int fd, bool local, struct kt_client **out); /* takes fd, also on failure */
void kt_client_free(struct kt_client *c);
void kt_client_readable(struct kt_client *c);
void kt_client_writable(struct kt_client *c);
int kt_client_reply(struct kt_client *c, const struct kt_client_ref *to, struct kt_bytes reply);
uint32_t kt_client_interest(const struct kt_client *c); /* EPOLLIN, EPOLLOUT */

#endif
