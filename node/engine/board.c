#include "engine/board.h"

#include <pthread.h>
#include <stdlib.h>

struct kt_board {
    pthread_mutex_t lock;
    struct kt_vector held;
    struct kt_board_office *offices;
    uint32_t offices_len;
    uint64_t turn; /* odd: shut */
    void (*changed)(void *ctx);
    void *changed_ctx;
};

int kt_board_create(struct kt_board **out)
{
    struct kt_board *b = calloc(1, sizeof *b);
    if (!b) return KT_ENOMEM;
    pthread_mutex_init(&b->lock, NULL);
    *out = b;
    return KT_OK;
}

void kt_board_free(struct kt_board *b)
{
    if (!b) return;
    kt_vector_free(&b->held);
    free(b->offices);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

void kt_board_on_change(struct kt_board *b, void (*changed)(void *ctx), void *ctx)
{
    pthread_mutex_lock(&b->lock);
    b->changed = changed;
    b->changed_ctx = ctx;
    pthread_mutex_unlock(&b->lock);
}

int kt_board_post(struct kt_board *b, const struct kt_vector *held, const struct kt_board_office *offices, uint32_t n)
{
    struct kt_board_office *copy = calloc(n + 1, sizeof *copy);
    if (!copy) return KT_ENOMEM;
    if (n) memcpy(copy, offices, n * sizeof *copy);
    pthread_mutex_lock(&b->lock);
    int e = kt_vector_copy(held, &b->held);
    if (!e) {
        free(b->offices);
        b->offices = copy;
        b->offices_len = n;
    }
    void (*changed)(void *) = b->changed;
    void *ctx = b->changed_ctx;
    pthread_mutex_unlock(&b->lock);
    if (e)
        free(copy);
    else if (changed)
        changed(ctx);
    return e;
}

/* turn + 1 where it is not so yet */
static void turn_to(struct kt_board *b, uint64_t odd)
{
    pthread_mutex_lock(&b->lock);
    b->turn += (b->turn & 1) != odd;
    pthread_mutex_unlock(&b->lock);
}

void kt_board_shut(struct kt_board *b) { turn_to(b, 1); }
void kt_board_open(struct kt_board *b) { turn_to(b, 0); }

uint64_t kt_board_turn(struct kt_board *b)
{
    pthread_mutex_lock(&b->lock);
    const uint64_t turn = b->turn;
    pthread_mutex_unlock(&b->lock);
    return turn;
}

bool kt_board_covers(struct kt_board *b, const struct kt_head *heads, uint32_t n)
{
    pthread_mutex_lock(&b->lock);
    const bool covers = kt_vector_covers(&b->held, heads, n);
    pthread_mutex_unlock(&b->lock);
    return covers;
}

int kt_board_freshness(struct kt_board *b, struct kt_arena *a, struct kt_office_freshness **out, uint32_t *n)
{
    pthread_mutex_lock(&b->lock);
    int e = KT_OK;
    *n = b->offices_len;
    *out = kt_arena_array(a, b->offices_len + 1, sizeof **out);
    if (!*out) e = KT_ELIMIT;
    for (uint32_t i = 0; i < b->offices_len && !e; i++) {
        const struct kt_board_office *o = &b->offices[i];
        (*out)[i] = (struct kt_office_freshness){.office = kt_arena_copy(a, kt_str(o->office)),
                                                 .known = o->known,
                                                 .complete_through_ms = o->complete_through_ms};
    }
    pthread_mutex_unlock(&b->lock);
    return e;
}
