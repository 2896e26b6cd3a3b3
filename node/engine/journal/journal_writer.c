#include "engine/journal/journal_writer.h"

#include <pthread.h>
#include <stdlib.h>

enum state { IDLE, GIVEN, DONE, ENDING };

struct kt_journal_writer {
    struct kt_store *store;
    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum state state;
    struct kt_journal_group group;
    uint64_t first; /* position of the group's first record: a group lies in one run */
    int result;
};

static int append_group(const struct kt_journal_writer *w, struct kt_txn *t, uint64_t *first)
{
    uint64_t base, next;
    int err = kt_journal_span(w->store, t, &base, &next);
    if (!err) *first = next;
    for (size_t i = 0; !err && i < w->group.records_len; i++) {
        const struct kt_journal_record *r = &w->group.records[i];
        uint64_t position;
        err = kt_journal_append(w->store, t, &r->head, r->batch, &position);
        if (!err && position != next + i) err = KT_EBUG;
    }
    for (size_t i = 0; !err && i < w->group.pulses_len; i++)
        err = kt_journal_pulse_put(w->store, t, w->group.pulses[i].member, w->group.pulses[i].pulse);
    return err;
}

static int write_group(struct kt_journal_writer *w)
{
    struct kt_txn *t;
    int err = w->store->ops->begin(w->store, KT_ENV_JOURNAL, true, &t);
    if (err) return err;
    err = append_group(w, t, &w->first);
    if (!err) return w->store->ops->commit(t);
    w->store->ops->abort(t);
    return err;
}

static void *writer_thread(void *arg)
{
    struct kt_journal_writer *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (w->state != GIVEN && w->state != ENDING) pthread_cond_wait(&w->changed, &w->lock);
        if (w->state == ENDING) break;
        pthread_mutex_unlock(&w->lock);
        int result = write_group(w);
        pthread_mutex_lock(&w->lock);
        w->result = result;
        w->state = DONE;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int kt_journal_writer_new(struct kt_store *s, bool threaded, struct kt_journal_writer **out)
{
    struct kt_journal_writer *w = calloc(1, sizeof(*w));
    if (!w) return KT_ENOMEM;
    w->store = s;
    w->threaded = threaded;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    if (threaded && pthread_create(&w->thread, NULL, writer_thread, w)) {
        pthread_cond_destroy(&w->changed);
        pthread_mutex_destroy(&w->lock);
        free(w);
        return KT_ENOMEM;
    }
    *out = w;
    return KT_OK;
}

void kt_journal_writer_free(struct kt_journal_writer *w)
{
    if (!w) return;
    if (w->threaded) {
        pthread_mutex_lock(&w->lock);
        while (w->state == GIVEN) pthread_cond_wait(&w->changed, &w->lock);
        w->state = ENDING;
        pthread_cond_broadcast(&w->changed);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

int kt_journal_writer_begin(struct kt_journal_writer *w, const struct kt_journal_group *group)
{
    pthread_mutex_lock(&w->lock);
    int err = w->state == IDLE ? KT_OK : KT_EAGAIN;
    if (!err) {
        w->group = *group;
        w->state = GIVEN;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    if (err || w->threaded) return err;
    w->result = write_group(w);
    w->state = DONE;
    return KT_OK;
}

int kt_journal_writer_wait(struct kt_journal_writer *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->state == GIVEN) pthread_cond_wait(&w->changed, &w->lock);
    int err = w->state == DONE ? w->result : KT_OK;
    if (w->state == DONE && !err)
        for (size_t i = 0; i < w->group.records_len; i++) w->group.records[i].position = w->first + i;
    w->state = IDLE;
    pthread_mutex_unlock(&w->lock);
    return err;
}
