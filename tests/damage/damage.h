/* Damage that LMDB does not see: a filled node, one bit of its files flipped, and everything asked again.
 *
 *   site.c      an office: the production engine over a disk, stepped by hand; lines that deliver whole frames
 *   fill.c      what the office has lived through, and the questions that can be asked of it
 *   pages.c     what each byte of a data file is for
 *   images.c    the files of a stopped node, put back before each flip
 *   trial.c     one flip: opened, asked, verified, repaired, and what is to be thought of it
 *   table.c     what came of all flips
 *   main.c      arguments, many flips in processes of their own
 *
 * The office under trial is member 1, over LMDB; members 2 and 3 are healthy, on disks in memory, so that a forked
 * trial has peers of its own for nothing.  What the harness itself relies on ends the process when it does not hold. */
#ifndef KT_DAMAGE_H
#define KT_DAMAGE_H

#include "engine/engine.h"
#include "engine/lookup/lookup.h"
#include "store/lmdb.h"
#include "support/dice.h"
#include "support/memory_store.h"

#include <limits.h>

#define OFFICES       3u
#define LINKS_MAX     32u /* each has a name of its own, as real ones have */
#define INBOX_MAX     1024u
#define QUESTIONS_MAX 4096u
#define WORDS_BYTES   160u

void must(bool holds, const char *what);
/* libsodium's dice, and those of every office, from here on. */
void throw_from(uint64_t seed);

/* ------------------------------------------------------------------------------------------------------- an office */

struct site {
    struct kt_world world;         /* first */
    struct kt_transport transport; /* behind it */
    uint64_t ms;
    struct dice dice;
    kt_member member;
    struct kt_memory_disk *disk; /* NULL: over LMDB */
    struct kt_store *store;
    struct kt_keyring *keyring;
    struct kt_board *board;
    struct kt_engine *engine;
    struct kt_lookup *lookup;
    struct site *across[LINKS_MAX]; /* by link */
    const char *files; /* where an operator left its files, and what is damaged is salvaged; NULL: opened as it is */
    bool keeps_keys;   /* it sends batches without their wraps */
    struct kt_input inbox[INBOX_MAX];
    uint32_t inbox_len;
    uint32_t refused; /* puts */
};

/* Opened in steps, so that a trial can tell where it ended: the store is set by the caller. */
void site_init(struct site *o, kt_member member);
void site_found(struct site *o);  /* identity and first roster, into an empty store */
void site_renew(struct site *o);  /* stopped; the second roster, as an operator brings it; started */
void site_files(const char *dir); /* what an operator brings to member 1's data folder */
int site_open(struct site *o) KT_MUST;
void site_close(struct site *o);                 /* the store stays */
void site_put(struct site *o, const char *line); /* ' for " */
void sites_join(struct site *a, struct site *b, uint64_t link);
void sites_part(struct site *a, struct site *b, uint64_t link);
/* Steps all of them until each has what the others have and nothing is on its way; KT_EDEADLINE. */
int sites_settle(struct site *const *o, uint32_t n) KT_MUST;
int site_step(struct site *o) KT_MUST;

/* ------------------------------------------------------------------------------------------------------- questions */

struct question {
    enum kt_lookup_by by;
    char system[12], value[52];
};
struct questions {
    struct question at[QUESTIONS_MAX];
    uint32_t len;
};
/* What an answer says, without what is this node's alone. */
struct answer {
    int code;
    uint64_t hash;
};
struct answers {
    struct answer at[QUESTIONS_MAX], conflicts;
    uint64_t digests;
};

/* Three offices live through all that this product is for; the first ends with envelopes held for a key. */
void fill(struct site o[OFFICES], struct questions *q);
void site_answers(struct site *o, const struct questions *q, struct answers *out);

/* ----------------------------------------------------------------------------------------------------------- bytes */

/* What a byte of a data file is for. */
#define BYTE_KINDS(X)                                                                                                  \
    X(META, "meta page", true)                                                                                         \
    X(ROOT, "main tree", true)                                                                                         \
    X(BRANCH_HEADER, "branch header", true)                                                                            \
    X(BRANCH_NODE, "branch node", true)                                                                                \
    X(BRANCH_KEY, "branch key", false)                                                                                 \
    X(LEAF_HEADER, "leaf header", true)                                                                                \
    X(LEAF_PLACE, "leaf places", true)                                                                                 \
    X(NODE_HEADER, "node header", true)                                                                                \
    X(KEY, "key", true)                                                                                                \
    X(VALUE, "value", true)                                                                                            \
    X(RUN_HEADER, "overflow header", true)                                                                             \
    X(RUN, "overflow value", true)                                                                                     \
    X(FREE, "free list", false)                                                                                        \
    X(UNUSED, "unused", false)

enum byte_kind {
#define BYTE_KIND(name, text, live) BYTE_##name,
    BYTE_KINDS(BYTE_KIND)
#undef BYTE_KIND
        BYTE_KIND_COUNT
};
const char *byte_kind_name(enum byte_kind k);
bool byte_kind_live(enum byte_kind k);

struct span {
    uint64_t at;
    uint32_t len;
    enum byte_kind kind;
    char table[24];
};
struct spans {
    struct span *at;
    uint32_t len, cap;
};
/* Every byte of the used pages of a sound data file. */
void spans_read(const uint8_t *image, size_t len, struct spans *out);

/* ---------------------------------------------------------------------------------------------------------- images */

struct image {
    uint8_t *bytes; /* the used pages */
    size_t len, file_len;
    struct spans spans;
};
struct images {
    struct image env[KT_ENV_COUNT];
    uint8_t *checkpoint;
    size_t checkpoint_len;
};

struct kt_lmdb_config images_config(const char *dir);
void images_take(const char *dir, struct images *out);
/* A folder that holds the node as it was stopped; put back before each flip, same files, same mark. */
void images_found(const char *dir, const struct images *i);
void images_put_back(const char *dir, const struct images *i);
void images_flip(const char *dir, enum kt_env env, uint64_t offset, unsigned bit);
extern const char *const env_names[KT_ENV_COUNT];

/* ---------------------------------------------------------------------------------------------------------- trials */

struct flip {
    enum kt_env env;
    uint64_t offset;
    unsigned bit;
    enum byte_kind kind;
    const char *table;
    bool running; /* flipped while the node runs */
    bool again;   /* LMDB ended the process over it; this is the start after that */
    bool repair;  /* ends with the peers */
};

struct trial {
    const char *dir;
    const struct questions *questions;
    struct answers *before, *healed; /* before the flip; after the peers were met.  Without a flip they are learned */
    struct site *peers;              /* members 2 and 3 */
};

/* Written as it goes, in memory shared with who waits for it. */
struct outcome {
    int refused;        /* why the node does not start; 0: it does */
    const char *step;   /* where it was; static */
    bool named_at_open; /* a sentence about damage */
    bool remade;        /* the store did not survive */
    bool salvaged;      /* keys or journal were made again from what their file still held */
    uint32_t lacking;   /* of the questions, while salvaged and not yet repaired: answered otherwise than before */
    uint32_t errors, wrong, missing;
    uint32_t first_wrong; /* of the questions */
    bool verified, named_by_verify;
    int repair; /* 0: not tried; 1: done; -1: not in time; -2: other answers; -3: verify still names damage */
    bool ended;
    char words[WORDS_BYTES];
};

void trial_run(const struct trial *t, const struct flip *f, struct outcome *out);

/* What is to be thought of an outcome; NULL: nothing wrong.  `status` as waitpid gives it.  LMDB may end a process
 * under whose map a bit flips (trial_ended); what comes up after that is judged like any other. */
bool trial_ended(const struct flip *f, const struct outcome *o, int status);
const char *trial_fault(const struct flip *f, const struct outcome *o, int status);

/* ----------------------------------------------------------------------------------------------------------- table */

struct table;
struct table *table_new(void);
void table_add(struct table *t, const struct flip *f, const struct outcome *o, const char *fault);
void table_print(const struct table *t);
void table_free(struct table *t);

#endif
