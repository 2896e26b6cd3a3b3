/* An office of the bench (bench_office.h) with its engine: an office that links, pulls, serves and is lied to.  Lines
 * lead to other sites, or to nobody: then the test speaks on them for a member, and reads what the site says.
 *
 * Nothing moves but by site_step and site_run: 20 ms each, so a run is the same each time.  The office's store,
 * keyring and lookups are those of the bench: bench_look(site->office, ...) shows what the engine made.  One thread;
 * failing calls end the test (cmocka). */
#ifndef KT_SUPPORT_BENCH_SITE_H
#define KT_SUPPORT_BENCH_SITE_H

#include "engine/engine.h"
#include "support/bench_office.h"

#define SITE_LINES_MAX 8u
#define SITE_STEP_MS   20u
#define SITE_START_MS  1772399400000ull

struct site;

/* What becomes of a frame on its way from a site: how often it arrives (0: never).  It may be changed. */
typedef uint32_t (*site_way)(void *ctx, struct site *from, struct kt_buf *frame);

struct site_line {
    uint64_t link;
    kt_member member;
    struct site *to; /* NULL: the test speaks for its other end */
};

struct site_frame {
    struct site_frame *next;
    uint64_t link;
    size_t len;
    uint8_t bytes[];
};

struct site {
    struct kt_world world;         /* first */
    struct kt_transport transport; /* behind it */
    struct bench_office *office;
    uint64_t ms, dice;
    int64_t skew_ms;   /* of its wall clock */
    int64_t jitter_ms; /* its wall clock stands so much further at every second look */
    uint64_t looks;
    struct kt_engine *engine;
    struct kt_board *board;
    struct site_line lines[SITE_LINES_MAX];
    uint32_t lines_len;
    site_way way; /* of what it sends to other sites; NULL: once, as it is */
    void *way_ctx;
    struct kt_input *inbox, **end;
    struct site_frame *said, **said_end; /* to members the test speaks for, oldest first */
    uint32_t closed;                     /* links it ended itself */
    char why[256];                       /* the last of them */
    char noted[512];                     /* the last note for the log */
    uint32_t replies, refusals;
    struct kt_arena arena, heard; /* of site_status; of the last site_hear */
    uint64_t links_made;
    struct kt_engine_status status;
};

void site_open(struct site *s, struct bench_office *o);
void site_close(struct site *s);
/* It stops and starts again on its disk; its lines are down. */
void site_restart(struct site *s);
/* ... while `meddle` does something to its files (bench_restart_over). */
void site_restart_over(struct site *s, void (*meddle)(void *ctx), void *ctx);
/* The same on another disk, in memory (taken over), as one that was restored: its files are not those it left. */
void site_restore(struct site *s, struct kt_memory_disk *disk);

/* A link between two, up at both, greetings on their way (a step of each).  And gone at both. */
void site_join(struct site *a, struct site *b);
void site_part(struct site *a, struct site *b);
/* A link to a member the test speaks for, with greetings said: what it has to say follows by site_say. */
uint64_t site_admit(struct site *s, kt_member member);
void site_hang_up(struct site *s, uint64_t link);
void site_say(struct site *s, uint64_t link, const struct kt_peer_message *m);
void site_say_bytes(struct site *s, uint64_t link, struct kt_bytes frame); /* whatever it is */
void site_give(struct site *s, uint64_t link, struct kt_bytes batch, const struct kt_bytes *wraps, uint32_t n);
/* How many messages of that part it said on the link since last asked; the newest in *out (unless NULL). */
uint32_t site_hear(struct site *s, uint64_t link, enum kt_peer_part part, struct kt_peer_message *out);

void site_step(struct site *s);
void site_run(struct site *const *all, uint32_t n, uint64_t ms);
/* One put line (its quotes may be written as '), run until it is answered: the code of the line. */
int site_put(struct site *s, const char *line);

const struct kt_engine_status *site_status(struct site *s);
const struct kt_peer_status *site_peer(struct site *s, kt_member m); /* of a fresh status */
/* A problem that its status page would show says this. */
bool site_complains(struct site *s, const char *words);
uint64_t site_held_of(struct site *s, struct kt_origin o); /* the last batch it holds of an origin */
struct kt_origin site_origin(struct site *s);
/* All hold the same batches, nothing of them is held back, and their digests agree. */
void site_assert_same(struct site *const *all, uint32_t n);

#endif
