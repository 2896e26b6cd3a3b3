/* An office of the crash tests: the production engine, keyring and LMDB store over a folder, opened the way kontord
 * opens them (its first start included), in one thread, with time and dice of its own, so that the same seed asks the
 * same of the disk in the same order.
 *
 *     BASE/place/{root.key,identity,admission}   what an operator brings
 *     BASE/disk/home/                            the office's data_dir: what the shim minds
 *     BASE/boot                                  names the boot
 *     BASE/disk/notebook                         what was acknowledged, a line each (notebook.h)
 *
 * Functions give an error of the product's; what the tests themselves rely on ends the process. */
#ifndef KT_CRASH_SITE_H
#define KT_CRASH_SITE_H

#include "engine/engine.h"
#include "engine/lookup/lookup.h"
#include "host/log.h"

#include <limits.h>

#define SITE_AHEAD_BYTES (256u << 10)

struct site_words { /* what a test listens to; any may be NULL */
    void *ctx;
    void (*replied)(void *ctx, uint32_t request, int code, const struct kt_put_result *result);
    void (*sends)(void *ctx, const struct kt_peer_message *m); /* before it is on the line */
    void (*says)(void *ctx, const char *sentence);
    void (*aside)(void *ctx, bool on); /* the harness itself is at work, amid a call of the product */
};

struct site {
    struct kt_world world;         /* first */
    struct kt_transport transport; /* behind it */
    uint64_t ms, dice;
    char base[PATH_MAX - 64];
    kt_member member;
    uint64_t map_bytes[KT_ENV_COUNT]; /* before site_open; 0: 64 MiB each */
    struct site_words words;
    struct site *other; /* at the far end of the line, or NULL */
    struct kt_log *log;
    struct kt_store *store;
    struct kt_keyring *keyring;
    struct kt_engine *engine;
    struct kt_board *board;
    struct kt_lookup *lookup;
    struct kt_input *inbox, **end;
    bool linked;
};

void site_must(bool holds, const char *what);
void site_dice_seed(uint64_t seed); /* libsodium's, for the whole process */

/* Makes BASE and what an operator brings. */
void site_found(const char *base, kt_member member);
void site_boot(const char *base, uint64_t boot); /* the machine starts: boot 0, 1, ... */

/* s->words, ms and map_bytes stay, all else is set.  On an error everything is closed again. */
int site_open(struct site *s, const char *base, kt_member member, uint64_t dice) KT_MUST;
void site_close(struct site *s); /* a clean stop; also of one that is closed */

void site_join(struct site *a, struct site *b);
void site_part(struct site *a, struct site *b);
int site_step(struct site *s) KT_MUST; /* with all that has come */
/* A line as of kontor put, ' for "; the reply comes to words.replied with `request`. */
void site_put(struct site *s, uint32_t request, const char *line);
/* The occupation of a customer, KT_ENOTFOUND, or another error.  by: KT_BY_SOURCE or KT_BY_ID. */
int site_look(struct site *s, enum kt_lookup_by by, const char *system, const char *value, char out[64]) KT_MUST;
/* Everything kontor verify looks at, and every page of the three files.  KT_EDAMAGED: why says where. */
int site_verify(struct site *s, char why[256]) KT_MUST;

#endif
