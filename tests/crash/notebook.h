/* The notebook: what an office said to the world, a line at the moment it said it.  Whatever it says must be true of
 * the disk however the machine ends afterwards.
 *
 *     tried KEY N              a client is about to ask for `occupation` wN of customer KEY here
 *     wrote KEY N MEMBER/INCARNATION NUMBER        it was acknowledged, in that batch
 *     holds MEMBER/INCARNATION NUMBER              a peer was told that this is held: a pull, or a pulse
 *     ticked HLC               the stamp of a pulse: every later stamp lies above it
 *     far KEY N MEMBER/INCARNATION NUMBER          what the other office has in that batch
 *     serves                   the engine is open for the first time */
#ifndef KT_CRASH_NOTEBOOK_H
#define KT_CRASH_NOTEBOOK_H

#include "proto/peer/pulse.h"

#define BOOK_KEYS_MAX  32u
#define BOOK_HEADS_MAX 64u

struct book {
    struct {
        char key[24];
        uint64_t tried, wrote;
    } here[BOOK_KEYS_MAX];
    struct {
        char key[24];
        uint64_t n;
        struct kt_head head;
    } far[2048];
    struct kt_head holds[BOOK_HEADS_MAX]; /* the greatest of each origin */
    kt_hlc ticked;
    uint32_t here_len, far_len, holds_len;
    uint64_t tries, writes; /* lines of those */
    bool serves;
};

/* Takes in what stands in `text`; a last line without its end does not count (it was being written). */
void book_read(struct book *b, const char *text, size_t len);
/* As the words of a site: writes `fd`. */
__attribute__((format(printf, 2, 3))) void book_note(int fd, const char *format, ...);

#endif
