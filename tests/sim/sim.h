/* The simulator: any number of offices in one process, each the production engine over a disk in memory, with time,
 * lines and dice of its own.  One seed decides everything; the same seed tells the same story, byte for byte.
 *
 *   organisation.c  the authority and what each office gets from it
 *   office.c        an office's life: start, steps, stops, crashes, restores
 *   network.c       lines between offices, and what goes wrong with them
 *   fields.c        what can be put, field by field
 *   chaos.c         when what goes wrong
 *   erasures.c      what the authority erases, and who has heard of it
 *   cuts.c          how far a member's word counts, once the authority says so
 *   rot.c           bits of a disk that change by themselves
 *   liar.c          what a member gone rogue makes of the frames it sends
 *   workload.c      what clients ask of offices
 *   judge.c         what must hold, decided from acknowledged writes alone; judge_links.c: who is one customer
 *   run.c           one seed from its founding to its verdict
 *   main.c          arguments, many seeds, exit codes
 *
 * One thread.  What the simulator itself relies on ends the process when it does not hold. */
#ifndef KT_SIM_SIM_H
#define KT_SIM_SIM_H

#include "engine/engine.h"
#include "engine/lookup/lookup.h"
#include "support/dice.h"
#include "support/memory_store.h"

#include <stdio.h>

#define SIM_OFFICES_MAX    8u
#define SIM_OFFICES_LEAST  2u
#define SIM_OFFICES_SPREAD 4u /* by the seed: so many different numbers of offices */
#define SIM_QUANTUM_MS     10u
#define SIM_LEAP_MS        (3u * 3600000u)
#define SIM_EPOCH_MS       1772323200000ull /* 2026-03-01 */
#define SIM_CALM_MS_MAX    120000u          /* then every office that is linked must show the same */
#define SIM_STORY_LINE     512u
#define SIM_ENTITIES_MAX   61u
#define SIM_ROSTERS_MAX    6u
#define SIM_ERASURES_MAX   24u
#define SIM_CUTS_MAX       64u
#define SIM_COMPARTMENTS   5u
#define SIM_CORE           1u
#define SIM_LINES_MAX      (SIM_OFFICES_MAX * (SIM_OFFICES_MAX - 1)) /* two between any two offices */

enum sim_exit {
    SIM_OK = 0,
    SIM_USAGE = 2,
    SIM_CRASH = 10,    /* a process ended itself, or an engine gave up for no reason that was put there */
    SIM_DIVERGED = 11, /* equal vectors and unequal state */
    SIM_LOST = 12,     /* an acknowledged write gone, or a lookup that shows what it must not */
    SIM_STALL = 13,    /* faults ended, and the offices did not come together in time */
};

struct sim;

/* Of each ward - an entity's part in its own compartment, [0], and in core, [1] - the generation that is written now:
 * what was written with a lower one is dead.  And whether a member's word is cut. */
struct sim_heard {
    uint32_t next[SIM_ENTITIES_MAX][2];
    bool cut;
};

struct sim_options {
    uint64_t seed;
    unsigned offices; /* 0: by the seed */
    unsigned steps;   /* client requests; 0: by the seed */
    bool trace;
};

/* ------------------------------------------------------------------------------------------------------- offices */

struct sim_world {
    struct kt_world world; /* first */
    struct sim *sim;
    int64_t skew_ms;
    int64_t steps_ms;      /* and back, each time it is read */
    uint64_t mono_base_ms; /* another with each boot */
    struct dice dice;
};

/* All that decides what an office shows. */
struct sim_state {
    uint64_t keys_txn, store_txn, restarts;
    uint64_t writes_len, writes; /* of all; another number with other writes among those it has seen */
};

struct sim_office {
    struct sim *sim;
    unsigned number; /* from 0; member and office name are one more */
    struct sim_world world;
    struct kt_transport transport;
    struct kt_memory_disk *disk, *saved; /* saved: a copy made earlier, or NULL */
    struct kt_store *store;
    struct kt_keyring *keyring;
    struct kt_board *board;
    struct kt_engine *engine;
    struct kt_lookup *lookup;
    struct kt_packer *packer;
    bool up;
    uint64_t lags_since_ms; /* its store is behind its journal; 0: it is not */
    uint64_t restored_ms;   /* when it last went back to an older disk */
    bool quiet;             /* its clients wait until it has heard what its peers have of it */
    bool forgot;            /* it did, and has not started since */
    bool rotten;            /* bits of its disk have changed by themselves: it may say that it is damaged */
    uint64_t start_at_ms;   /* while down */
    uint64_t paused_until_ms;
    uint64_t stepped_ms;
    uint64_t fail_nth; /* a call of the store fails in the next step: the nth; 0: none */
    int fail_with;
    uint64_t rewind_at_ms;  /* its machine goes back to a snapshot; 0: it does not */
    uint64_t full_until_ms; /* one of its environments takes no more */
    struct kt_input *inbox[256];
    uint32_t inbox_len;
    struct kt_vector vector; /* as its disk has it: after the last step, or when it stopped */
    struct kt_head head;     /* the same, as an author */
    uint32_t lies;           /* of enum sim_lie: what it does to the frames it sends */
    uint64_t lies_until_ms;
    kt_member withholds;       /* whose batches it does not pass on */
    struct kt_buf stolen;      /* a batch of another's that it sealed as its own */
    bool renew;                /* its operator brings the newest roster with the next start */
    struct sim_heard heard;    /* what it had heard of the authority after the last step: erasures, of */
    uint64_t erasures_name;    /* the set of this name */
    uint32_t erasures_due;     /* its operator brings the last so many erasures with the next start */
    bool held;                 /* it had envelopes it could not open, after the last step */
    uint64_t held_so_far;      /* as of the last step */
    unsigned requests_waiting; /* handed in, not answered in this life */
    struct sim_state seen_in;  /* how it was when it was last looked at */
    uint64_t seen;             /* what has been looked at in that state: a bit for each entity, and for all of it */
};

/* Ends: the office's process is killed, its machine loses power, or it stops as told. */
enum sim_end { SIM_STOP, SIM_KILL, SIM_POWER };

void office_found(struct sim *s, unsigned number);
void office_free(struct sim_office *o);
void office_start(struct sim_office *o);
void office_end(struct sim_office *o, enum sim_end how, uint64_t down_ms);
void office_save(struct sim_office *o); /* a copy of its disk as it is now */
/* It comes back with the copy made before; `unnoticed`: on the same boot with the same files, as a machine's snapshot.
 */
void office_restore(struct sim_office *o, bool unnoticed);
void office_step(struct sim_office *o);
void office_input(struct sim_office *o, const struct kt_input *in); /* taken over; dropped where it is down */
bool office_status(struct sim_office *o, struct kt_arena *a, struct kt_engine_status *out); /* false: it is down */
const struct kt_vector *office_vector(struct sim_office *o);

/* ------------------------------------------------------------------------------------------------------ the lines */

struct sim_frame {
    struct sim_frame *next;
    uint64_t at_ms;
    size_t len;
    uint8_t bytes[];
};

/* rot.c: one bit of its disk becomes another. */
void rot_some(struct sim_office *o);
void rot_salvage(struct sim_office *o); /* before it starts: what its journal lost becomes holes, as kontord has it */
/* Is this an error that it may answer with? */
static inline bool office_may_say(const struct sim_office *o, int err) { return err == KT_EDAMAGED && o->rotten; }

/* erasures.c */
void erasures_open(struct sim *s);
void erasures_close(struct sim *s);
void erasures_decide(struct sim *s,
                     struct sim_office *o); /* something of one entity; it hears of it with its next start */
void erasures_bring(struct sim_office *o);  /* those that are due, before it starts */
void word_heard(struct sim_office *o);      /* after a step: what does it know now? */
/* Has it heard since of an erasure of the ward of this entity?  Then nobody can tell whether it had when it wrote. */
bool word_just_heard(struct sim_office *o, unsigned entity);
bool word_all_heard(const struct sim_office *o);
unsigned erasures_ward(const struct sim *s, unsigned entity); /* where it lives: a task in its case */
void judge_erased(struct sim *s, struct sim_office *o);       /* at the end: nothing is left of what is dead */

/* cuts.c */
void cuts_open(struct sim *s);
void cuts_decide(struct sim *s);
bool cuts_beyond(const struct sim *s, struct kt_origin o, uint64_t number);  /* is the whole batch cut? */
bool cuts_write(const struct sim *s, struct kt_head head, kt_compartment c); /* or this of it? */
/* How far one who holds so much of an origin holds it once it has heard. */
uint64_t cuts_left(const struct sim *s, struct kt_origin o, uint64_t number);

/* What a member with good keys may do to what it sends. */
enum sim_lie {
    SIM_LIE_NO_KEYS = 1,  /* leaves out data keys (an honest one may lack them too) */
    SIM_LIE_WITHHOLD = 2, /* leaves out the batches of one other member */
    SIM_LIE_CORRUPT = 4,  /* changes a bit of a batch */
    SIM_LIE_SWAP = 8,     /* gives one data key for another */
    SIM_LIE_FORGE = 16,   /* changes another's batch and signs it itself */
    SIM_LIE_STEAL = 32,   /* seals another's envelopes as its own */
    SIM_LIE_PULSE = 64,   /* says other heads and digests than it has */
    SIM_LIE_HEADS = 128,  /* asks as if it held more than it does */
    SIM_LIES = 256,
};
/* liar.c: the frame as such a one says it; false: not at all. */
bool liar_says(struct sim_office *from, struct kt_bytes frame, struct kt_buf *out);

/* The line between two offices; [0] is the lower's side, or what it sends. */
struct sim_line {
    unsigned office[2];
    uint64_t link; /* 0: no link */
    bool dead;     /* it ended; somebody may not know yet */
    bool told_up[2], told_down[2];
    uint64_t up_at_ms[2], down_at_ms[2];
    uint64_t redial_ms;
    struct sim_frame *first[2], *last[2];
    size_t queued_bytes[2];
    uint64_t last_at_ms[2];
    uint64_t cut_until_ms[2]; /* nothing passes this way */
    uint64_t latency_ms, bytes_per_ms;
};

void network_open(struct sim *s);
void network_close(struct sim *s);
void network_run(struct sim *s);
int network_send(struct sim_office *from, uint64_t link, struct kt_bytes frame);
void network_hang_up(struct sim_office *o, uint64_t link, const char *why);
void network_break(struct sim *s, struct sim_line *l, uint64_t notice_ms_max);
/* Every link of an office that ended: it knows at once, the others within so long. */
void network_office_gone(struct sim *s, unsigned office, uint64_t notice_ms_max);
bool network_on_its_way(const struct sim *s, unsigned office); /* does anything of its await others? */
void network_isolate(struct sim *s, unsigned office, uint64_t ms);
void network_heal(struct sim *s);

/* --------------------------------------------------------------------------------------------------- the workload */

enum sim_way {
    SIM_WRITE_REGISTER, /* a conflict in it keeps what others wrote */
    SIM_WRITE_ELEMENT,  /* replaces all it saw of the element */
};

/* The strictest first. */
enum sim_verdict { SIM_NO_MATCH, SIM_POSSIBLE, SIM_MATCH };

/* One field (of an element) of one entity that is written to. */
struct sim_key {
    unsigned entity;
    uint32_t field;
    uint32_t element; /* 0: a plain register */
};

struct sim_entity {
    uint32_t kind;
    char system[16], id[24];
    kt_compartment own;
    struct kt_entity_id entity;
    uint32_t last_write; /* its place among the writes, from 1; 0: none */
    int customer, other; /* of a case: its customer, or -1; of a task its case; of a licence its holder; of links and
                            relationships: the two */
    bool unjudged;       /* somebody wrote to it who could not see all it held */
};

/* What a client is about to write. */
struct sim_intent {
    struct sim_key key;
    enum sim_way way;
    bool adds;     /* else only takes away */
    bool by_basis; /* replaces what was seen then */
    struct kt_vector basis;
    bool resolves;            /* replaces all it sees */
    bool deletes;             /* the whole entity */
    enum sim_verdict verdict; /* of a link */
};

#define SIM_PADDING_MAX      12000u
#define SIM_ELEMENTS         3u /* of each set, from 1 */
#define SIM_IDENTIFIER_CHARS 64u
#define SIM_EACH_ITS_OWN     UINT32_MAX
/* fields.c: a field that is written to. */
struct sim_field {
    uint32_t field;
    enum sim_way way;
    uint32_t elements; /* it has so many, from 1; 0: one plain value; SIM_EACH_ITS_OWN: the value is the element */
    bool listed;       /* several live values are a conflict, and listed */
    bool core;         /* it is in core, not in its system's own compartment */
    bool before;       /* it may come before its case has been put, and waits unseen */
    const char *adds, *takes; /* takes: NULL where it is only added to */
};
extern const struct sim_field sim_fields[];        /* up to field 0; those of a kind behind one another */
const struct sim_field *sim_field(uint32_t field); /* NULL: none of these */
uint32_t sim_fields_of(uint32_t kind, const struct sim_field **first); /* how many */
void sim_identifier(const struct sim_entity *e, uint32_t element, char *out);
int sim_conflicts(struct sim_office *o, struct kt_arena *a, struct kt_reply *out) KT_MUST;

void workload_open(struct sim *s);
void workload_close(struct sim *s);
void workload_run(struct sim *s);
/* The reply to a request came (or never will: reply NULL). */
void workload_reply(struct sim_office *o, void *ref, const struct kt_reply *reply);
void workload_removed(struct sim_office *o); /* nobody waits for it any more */
void workload_stepped(struct sim_office *o);
/* The office is back after an end amid a step: did what it had not answered happen? */
void workload_settle(struct sim_office *o);

/* ------------------------------------------------------------------------------------------------------ the judge */

void judge_open(struct sim *s);
void judge_close(struct sim *s);
/* The next write's number: its value holds it, so that a reader knows whose it is. */
uint32_t judge_next(struct sim *s);
/* A write happened at an office: in this batch, after the office had seen `vector`. */
void judge_write(struct sim *s, struct sim_office *o, const struct sim_intent *intent, uint32_t number,
                 struct kt_head head, kt_hlc at);
/* Before an office goes back to an older disk: what only it has may be lost. */
void judge_restored(struct sim *s, struct sim_office *o, const struct kt_vector *older);
void judge_copies(struct sim *s, struct sim_office *o, struct kt_head head, uint32_t copies, uint64_t since_ms);
void judge_entity(struct sim *s, struct sim_office *o, unsigned entity); /* what a lookup shows now */
void judge_freshness(struct sim *s, struct sim_office *o);
uint32_t judge_live(struct sim *s, struct sim_office *o, const struct sim_key *k); /* how many values */
/* Which entities a lookup shows: a bit for each. */
uint64_t judge_shown(const struct sim *s, struct kt_arena *a, const struct kt_reply *reply);
/* Is it said what it is, or where it belongs? */
bool judge_named(struct sim *s, struct sim_office *o, unsigned entity);
/* Is there a view in which all that is live of it must stand? */
bool judge_can_be_seen(struct sim *s, struct sim_office *o, unsigned entity);
void judge_found(struct sim *s, struct sim_office *o);     /* judge_found.c: who has an identifier */
void judge_conflicts(struct sim *s, struct sim_office *o); /* and what is listed as undecided */
void judge_links(struct sim *s, struct sim_office *o);     /* judge_links.c: which records are one customer */
void judge_cut(struct sim *s); /* the authority has decided how far a member's word counts */
/* judge_order.c: before an office's vector becomes `now`; what it has beside what that came after; what tokens say */
void judge_steps(struct sim *s, struct sim_office *o, const struct kt_vector *now);
void judge_causes(struct sim *s, struct sim_office *o);
void judge_tokens(struct sim *s, struct sim_office *o);
void judge_end(struct sim *s);       /* all offices, everything */
bool judge_converged(struct sim *s); /* equal vectors, nothing held; unequal digests then end the run */
bool judge_linked(struct sim *s, struct sim_office *o, unsigned link); /* by what the office holds, it joins */
/* Another number whenever other writes are to be seen by one who holds `v`. */
uint64_t judge_seen(const struct sim *s, const struct kt_vector *v);
/* A customer somebody has put; where it was deleted, what outlives that may stand in what this office does not read. */
bool judge_known(struct sim *s, struct sim_office *o, unsigned entity);
int judge_look(struct sim_office *o, const struct sim_entity *e, struct kt_arena *a, struct kt_reply *reply) KT_MUST;

/* ------------------------------------------------------------------------------------------------------ the whole */

/* Which kinds of fault this seed knows, and how often: once in so many quanta; 0: never. */
struct sim_chaos {
    uint32_t kill, power, stop, pause, fail, full, restore, save, checkpoint, clock, link_dies, cut, partition, slow,
        no_keys, roster, storm, lie, away, rot, rewind, erase, revoke;
};

/* What a lookup gave to wait for, and what its office held then. */
#define SIM_TOKENS 8u
struct sim_token {
    unsigned entity, office;
    struct kt_head heads[4];
    uint32_t heads_len;
    struct kt_vector seen;
};

struct sim_write;
struct sim {
    struct sim_options options;
    struct dice dice;
    uint64_t now_ms;                   /* since the founding */
    uint64_t leaps_until_ms, leapt_ms; /* days pass in hours at a time: nobody waits for who is away so long */
    bool calm;
    unsigned offices_len;
    struct sim_office offices[SIM_OFFICES_MAX];
    unsigned lines_len;
    bool mesh; /* any two offices have a line */
    struct sim_line lines[SIM_LINES_MAX];
    uint64_t last_link;
    struct sim_chaos chaos;
    struct sim_office *running; /* whose dice libsodium throws */
    struct dice founding;       /* where none runs */

    /* the workload */
    struct sim_entity entities[SIM_ENTITIES_MAX];
    unsigned entities_len;
    uint32_t once_in; /* quanta between requests, about */
    uint32_t requests_left;
    struct sim_request *asked; /* in order */
    uint32_t requests;

    struct sim_office *liar;  /* a member gone rogue, or NULL */
    struct sim_office *frail; /* whose disk rots, or NULL */
    bool lies_for_ever;       /* through the calm too: the others must come together all the same */

    struct sim_erasure {
        unsigned entity, place;
        kt_compartment compartment;
        struct kt_tag tag;
        uint32_t generation;
        struct kt_buf bytes;
    } erasures[SIM_ERASURES_MAX];
    uint32_t erasures_len;
    struct sim_heard heard; /* what the authority decided */
    struct sim_cuts {
        kt_compartment compartment; /* 0: all */
        struct kt_cut cuts[SIM_CUTS_MAX];
        uint32_t len;
        struct kt_buf roster; /* signed; it follows the last of `rosters` */
        uint32_t version;
    } cuts;
    struct sim_office *removed; /* it never starts again, or NULL */

    uint32_t rosters; /* versions the authority has issued */
    uint64_t rosters_differ_ms; /* when an office was last seen without the newest of them */
    bool long_values;
    char padding[SIM_PADDING_MAX + 1];

    /* the judge */
    struct sim_write *writes;
    uint32_t writes_len, writes_cap, next_number;
    uint64_t checks;
    struct sim_token tokens[SIM_TOKENS];

    /* the story */
    uint64_t story_hash;
    uint64_t frames, restarts, calm_took_ms;
    enum sim_exit verdict;
    char why[SIM_STORY_LINE];
};

/* One sentence of the story. */
void sim_say(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The run has failed: the first word counts. */
void sim_fail(struct sim *s, enum sim_exit how, const char *format, ...) __attribute__((format(printf, 3, 4)));
void sim_must(bool holds, const char *what);
bool sim_once_in(struct sim *s, uint32_t n); /* 0: never */

void chaos_open(struct sim *s);
void chaos_run(struct sim *s);
void chaos_calm(struct sim *s); /* lies end, or become those of one who never ends */

enum sim_exit sim_run(const struct sim_options *o, struct sim *s);
/* Founds so many offices and forgets them: what is the same in every seed is then known to this process, and to those
 * that are forked off it. */
void sim_prepare(unsigned offices, struct sim *s);

/* organisation.c */
void organisation_admit(struct sim *s, struct kt_store *store, struct kt_world *world, kt_member m,
                        struct kt_keyring **out);
void organisation_keyring(struct kt_store *store, struct kt_world *world, kt_member m, struct kt_keyring **out);
/* Takes in the rosters issued so far, as an operator brings them.  No office runs while the authority works. */
void organisation_renew(struct sim *s, struct kt_keyring *k, kt_member m);
struct kt_tag organisation_tag(kt_compartment c, const struct kt_entity_id *ward);
void organisation_cut(struct sim *s); /* signs what s->cuts says: the next roster, and the last */
void organisation_erase(struct sim *s, struct sim_erasure *x); /* signs it: x->bytes */
const uint8_t *organisation_id_key(void);
kt_compartment organisation_compartment(const char *system);
bool organisation_reads(unsigned offices, kt_member m, kt_compartment c);

#endif
