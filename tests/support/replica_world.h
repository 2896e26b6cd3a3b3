/* A world of replicas in one process: virtual time, lines with a delay, journals in memory.  Messages pass through the
 * real codecs; batches are bare seals (a replica never looks into one).
 *
 * Deterministic: the same calls give the same history.  `say` hears it sentence by sentence.  A violated assumption of
 * the world itself ends the process. */
#ifndef KT_SUPPORT_REPLICA_WORLD_H
#define KT_SUPPORT_REPLICA_WORLD_H

#include "core/replica.h"
#include "support/dice.h"

#define WORLD_NODES_MAX 8u
#define WORLD_LINES_MAX 32u
#define WORLD_EPOCH_MS  1700000000000ull
#define WORLD_TICK_MS   20u
#define WORLD_DEPTH_MAX 8u /* an effect of one node may cut a line, which is an event for others */

struct world_batch {
    struct kt_origin origin;
    uint64_t number;
    struct kt_hash previous, hash;
    kt_hlc hlc;
    uint32_t roster_version;
};

struct world_node {
    kt_member member;
    uint64_t incarnation;
    struct kt_replica *replica;
    struct world_batch *journal; /* in the order taken; the first `committed` are durable */
    size_t len, committed;
    uint64_t commit_at_ms; /* UINT64_MAX: nothing to commit */
    uint32_t roster_version;
    struct kt_clock clock;
    unsigned effects[KT_FX_CLOSE + 1]; /* how many of each kind */
};

struct world_line {
    uint64_t id; /* of the link it carries now; 0: down */
    unsigned a, b;
    bool spoils; /* batches that a sends to b arrive damaged */
};

struct world_packet {
    struct world_packet *next;
    uint64_t at_ms, link;
    unsigned from, to;
    size_t len;
    uint8_t data[];
};

struct world {
    uint64_t now_ms, tick_at_ms, last_link;
    uint64_t delay_ms, commit_ms;
    unsigned nodes_len, lines_len;
    struct world_node nodes[WORLD_NODES_MAX];
    struct world_line lines[WORLD_LINES_MAX];
    struct world_packet *packets; /* by time, then as sent */
    struct kt_roster rosters[4];  /* [version]; 2 and 3 say what the test makes them say */
    struct kt_roster_member members[WORLD_NODES_MAX + 1];
    struct dice *dice;   /* where given: batches arrive twice at times */
    struct dice *hunger; /* where given: steps are first tried with hardly any memory for their effects */
    struct kt_effects fx[WORLD_DEPTH_MAX]; /* of steps within steps */
    unsigned depth;
    struct kt_arena arriving;
    uint64_t batches_sent; /* over all lines */
    void (*say)(void *ctx, const char *sentence);
    void *say_ctx;
};

void world_open(struct world *w, unsigned nodes);
void world_close(struct world *w);
void world_run(struct world *w, uint64_t for_ms);
/* Runs until all linked nodes hold the same, at most so long; false: they do not. */
bool world_settles(struct world *w, uint64_t within_ms);

unsigned world_line(struct world *w, unsigned a, unsigned b); /* a new one, down; its number */
void world_link(struct world *w, unsigned line);
void world_cut(struct world *w, unsigned line);
void world_link_as(struct world *w, unsigned line, bool a_sees_rosters_only, bool b_sees_rosters_only);

/* The node commits a batch of its own; it is durable a little later. */
void world_write(struct world *w, unsigned node);
/* Two batches of one number: `node` has one in its journal that claims to be the next of the other's member. */
void world_forge(struct world *w, unsigned node, unsigned victim);
/* The node dies and comes back with what was durable, or with only the first `keep` batches of its journal. */
void world_restart(struct world *w, unsigned node, size_t keep);
void world_roster(struct world *w, unsigned node, uint32_t version, uint64_t link); /* link: it came by, or 0 */
bool world_same(const struct world *w, unsigned a, unsigned b);

/* What the files of the world share. */
void world_must(bool holds, const char *what);
void world_step(struct world *w, unsigned node, struct kt_event ev);
struct kt_seal world_seal(const struct world_batch *b);
void world_journal_append(struct world *w, unsigned node, const struct world_batch *b); /* and it will be committed */

/* replica_story.c: what a message says, as a sentence. */
void world_tell(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_tell_message(struct world *w, unsigned from, unsigned to, const struct kt_peer_message *m);

#endif
