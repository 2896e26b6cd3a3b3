/* The inside of an engine, shared by the files that implement it (engine*.c) and by nobody else. */
#ifndef KT_ENGINE_ENGINE_STATE_H
#define KT_ENGINE_ENGINE_STATE_H

#include "engine/engine.h"

/* A frame that waits for its commit, or for room on its link. */
struct kt_outgoing {
    struct kt_outgoing *next;
    uint64_t link;
    size_t len;
    uint8_t bytes[];
};

struct kt_engine_link {
    uint64_t id;
    kt_member member;
    bool roster_only;                 /* its member was in no roster of ours when it came up */
    bool serve;                       /* it has grant left: stream to it */
    struct kt_outgoing *first, *last; /* in order */
    size_t outgoing_bytes;
    bool closed; /* by us: nothing more goes out, its link-down event is on its way */
};

/* A put whose reply waits for copies at other offices. */
struct kt_waiting {
    struct kt_waiting *next;
    struct kt_asker asker;
    struct kt_head heads[KT_TOKEN_HEADS_MAX]; /* the last of each origin that the request touched */
    uint32_t heads_len, copies;
    uint64_t deadline_mono_ms;
    struct kt_buf done, late; /* the reply encoded both ways */
};

/* A put of the open group: answered once it is durable. */
struct kt_answering {
    struct kt_asker asker;
    struct kt_request request;
    struct kt_reply reply;
    struct kt_head heads[KT_TOKEN_HEADS_MAX];
    uint32_t heads_len;
};

/* Where two sides of a fork part is looked for with one peer at a time. */
struct kt_search {
    uint64_t link;
    struct kt_origin origin;
    uint64_t same, differs; /* up to here they are the same; from here on this is known to differ, or to be too far */
    uint64_t asked;         /* the number whose batch is awaited; 0: none */
    uint64_t asked_mono_ms;
    uint32_t turn;
};

struct kt_engine {
    struct kt_engine_config config;
    struct kt_world *world;
    struct kt_keyring *keyring;
    struct kt_ledger *ledger;
    struct kt_replica *replica;
    struct kt_engine_link links[KT_PEERS_MAX];
    uint32_t links_len;
    struct kt_effects fx;

    struct kt_arena arena; /* of the open group: requests, replies */
    bool group;            /* the ledger is open */
    int group_error;       /* why the group cannot commit */
    bool accepted;         /* something of a peer's is to be acknowledged */
    bool ask_again; /* a group failed: its replica forgot which keys are lacking, what it opened late is held again */
    bool keys_came, held_left;      /* ... and what is held is being tried again, some in each step */
    bool lacking_many;              /* more keys than one pull asks for */
    uint64_t lacking_mono_ms;       /* when they were last worked out */
    uint64_t held_seen;             /* kt_ledger_held_so_far when what is lacking was last worked out */
    struct kt_answering *answering; /* in the arena */
    uint32_t answering_len, answering_cap;
    struct kt_waiting *waiting;

    struct kt_fork forks[KT_PROOFS_MAX]; /* proved, and not cut yet */
    uint32_t forks_len;
    struct kt_search search;
    struct kt_origin reissued; /* which of ours is being said again, and from where it goes on */
    uint64_t reissue_next;
    bool erase_failed; /* for want of room, or by damage: tried again */
    uint64_t erase_mono_ms;
    bool cut;      /* links and replica are of before a cut */
    bool cuts_due; /* something stood in the way of making the store again */

    bool head_unsure;                  /* ask the peers for our own head before the first write */
    kt_member confirmed[KT_PEERS_MAX]; /* who has told us; some perhaps twice */
    uint32_t confirmed_len;
    bool head_ahead; /* a peer holds more of us than we do: a new incarnation at the end of this step */
    uint64_t unsure_until_mono_ms;
    uint64_t believed_mono_ms;                 /* when a peer's bare word last made us begin anew; 0: never */
    bool told_again;                           /* and such a word came again, too soon after it */
    struct kt_input *deferred, **deferred_end; /* puts that wait for it */
    uint64_t last_tick_mono_ms, caught_up_mono_ms;
    uint64_t holes_asked_mono_ms, holes_since_mono_ms; /* engine_holes.c */
    uint32_t hole_turn, link_turn;                     /* who is asked for which next */
    struct kt_engine_status count;                     /* the counters in it */
};

uint64_t kt_engine_mono_ms(const struct kt_engine *e);
void kt_engine_note(struct kt_engine *e, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The ledger's group, opened on first need. */
int kt_engine_group(struct kt_engine *e) KT_MUST;
/* Our own head is known again after a move or another boot (unless a peer holds more of us). */
int kt_engine_head_known(struct kt_engine *e) KT_MUST;
/* Where the authority cut our own incarnation and not the next, that is taken: what follows a cut counts nowhere. */
void kt_engine_heed_own_cut(struct kt_engine *e);
/* The newest roster's cuts of whatever is held; between groups. */
int kt_engine_heed_cuts(struct kt_engine *e) KT_MUST;
/* A peer says that it holds more of us than we do, and shows nothing of it. */
void kt_engine_told_ahead(struct kt_engine *e);
bool kt_engine_unsure(const struct kt_engine *e); /* of our own head, and peers may still tell in time */
/* Commits the open group where it has no places for so many batches more. */
int kt_engine_make_room(struct kt_engine *e, uint32_t batches) KT_MUST;
/* Commits the open group, tells the replica, answers the puts, sends what waited. */
int kt_engine_commit(struct kt_engine *e) KT_MUST;

/* engine_peers.c: one event through the replica, its effects carried out. */
struct kt_event kt_engine_event(const struct kt_engine *e, enum kt_event_kind kind, uint64_t link);
int kt_engine_replica(struct kt_engine *e, struct kt_event *ev, struct kt_opened *batch) KT_MUST;
int kt_engine_link_up(struct kt_engine *e, uint64_t link, kt_member member, bool roster_only) KT_MUST;
int kt_engine_link_down(struct kt_engine *e, uint64_t link) KT_MUST;
int kt_engine_frame(struct kt_engine *e, uint64_t link, struct kt_intake *i) KT_MUST;
/* After keys or rosters came: what was held may open; what is still lacking is asked for. */
int kt_engine_keys_came(struct kt_engine *e) KT_MUST;

/* engine_forks.c: theirs is of another side than what is here (NULL: nobody has shown it). */
int kt_engine_fork(struct kt_engine *e, struct kt_origin origin, const struct kt_opened *theirs) KT_MUST;
int kt_engine_take_proofs(struct kt_engine *e, const struct kt_intake *i) KT_MUST;
int kt_engine_send_proofs(struct kt_engine *e, uint64_t link) KT_MUST;
int kt_engine_recall_forks(struct kt_engine *e) KT_MUST; /* from the journal, into a new replica */
int kt_engine_forks_cut(struct kt_engine *e) KT_MUST;    /* those that the newest roster cuts are over */
int kt_engine_search(struct kt_engine *e, uint64_t link, const struct kt_opened *o) KT_MUST; /* a batch that came */
int kt_engine_reissue_on(struct kt_engine *e) KT_MUST; /* likewise: what only a forked incarnation of ours said */
int kt_engine_search_on(struct kt_engine *e) KT_MUST;  /* now and then */

/* engine_erasures.c */
int kt_engine_take_erasures(struct kt_engine *e, struct kt_intake *i) KT_MUST;
int kt_engine_send_erasures(struct kt_engine *e, uint64_t link) KT_MUST;
int kt_engine_erase_on(struct kt_engine *e) KT_MUST; /* now and then: what is left of what was erased */

/* engine_send.c: frames to links, after their commit, in order, as the line takes them. */
struct kt_engine_link *kt_engine_link(struct kt_engine *e, uint64_t link);
int kt_engine_send(struct kt_engine *e, uint64_t link, const struct kt_peer_message *m) KT_MUST;
int kt_engine_send_bytes(struct kt_engine *e, uint64_t link, struct kt_bytes frame) KT_MUST;
int kt_engine_send_rosters(struct kt_engine *e, uint64_t link, uint32_t after) KT_MUST;
int kt_engine_send_wraps(struct kt_engine *e, uint64_t link, const struct kt_pull *pull) KT_MUST;
int kt_engine_send_batches(struct kt_engine *e, uint64_t link, const struct kt_peer_message *asks) KT_MUST;
void kt_engine_flush(struct kt_engine *e);
void kt_engine_drop_outgoing(struct kt_engine_link *l);
int kt_engine_serve(struct kt_engine *e) KT_MUST; /* all links that want it */

/* engine_holes.c: what the disk lost of the journal is asked of peers again.  Nobody is served a batch before what its
 * author had seen while there is hope that it comes; after that the others are served without it. */
int kt_engine_ask_holes(struct kt_engine *e) KT_MUST;
/* *took: the batch filled a hole (or was to), and is nobody else's business. */
int kt_engine_fill_hole(struct kt_engine *e, const struct kt_opened *o, bool *took) KT_MUST;
/* The journal does not give what lies at a position.  KT_OK: pass over it; KT_EAGAIN: this link is to wait here. */
int kt_engine_meet_damage(struct kt_engine *e, uint64_t link, uint64_t position) KT_MUST;
/* A batch that follows a hole of its origin, which the link lacks: it could not be taken there. */
bool kt_engine_behind_hole(const struct kt_engine *e, uint64_t link, struct kt_origin origin, uint64_t number);
/* Origins of which one who holds `cursor` stands before a hole for which nobody waits any longer; as many at most as
 * there are holes.  How many. */
uint32_t kt_engine_holes_passed(const struct kt_engine *e, const struct kt_vector *cursor, struct kt_origin *out);

/* engine_requests.c */
int kt_engine_request(struct kt_engine *e, struct kt_input *in) KT_MUST;
void kt_engine_answer(struct kt_engine *e, int commit_error); /* the puts of the group */
void kt_engine_check_waiting(struct kt_engine *e);
void kt_engine_drop_waiting(struct kt_engine *e);
void kt_engine_drop_deferred(struct kt_engine *e);

/* engine_publish.c */
int kt_engine_pulse(struct kt_engine *e, bool whole) KT_MUST;
int kt_engine_publish(struct kt_engine *e) KT_MUST;

#endif
