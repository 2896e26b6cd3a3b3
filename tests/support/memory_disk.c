/* A disk in memory: copied, filled, failed and rotted, while no store over it is at work. */
#include "support/memory_disk.h"

#include <stdlib.h>

void kt_memory_disk_free(struct kt_memory_disk *d)
{
    if (!d) return;
    for (unsigned i = 0; i < KT_TABLE_COUNT; i++) {
        kt_tree_drop(&d->tree[i]);
        kt_tree_drop(&d->checkpoint[i]);
    }
    pthread_mutex_destroy(&d->lock);
    free(d);
}

int kt_memory_disk_copy(struct kt_memory_disk *d, struct kt_memory_disk **out)
{
    struct kt_memory_disk *c = malloc(sizeof(*c));
    if (!c) return KT_ENOMEM;
    pthread_mutex_lock(&d->lock);
    *c = *d;
    for (unsigned i = 0; i < KT_TABLE_COUNT; i++) {
        c->tree[i] = kt_tree_share(&d->tree[i]);
        c->checkpoint[i] = kt_tree_share(&d->checkpoint[i]);
    }
    pthread_mutex_unlock(&d->lock);
    pthread_mutex_init(&c->lock, NULL);
    c->open = NULL;
    c->copied = true;
    c->fail_in = 0;
    *out = c;
    return KT_OK;
}

void kt_memory_fail(struct kt_memory_disk *d, uint64_t nth, int err)
{
    d->fail_in = nth;
    d->fail_with = err;
}

uint64_t kt_memory_calls(const struct kt_memory_disk *d) { return d->calls; }

void kt_memory_limit(struct kt_memory_disk *d, enum kt_env env, uint64_t bytes_max) { d->bytes_max[env] = bytes_max; }

int kt_memory_damage(struct kt_memory_disk *d, enum kt_table table, struct kt_bytes key)
{
    struct kt_bytes value;
    unsigned i = 0;
    int err = kt_tree_get(&d->tree[table], key, &value);
    while (i < MEMORY_DAMAGED_MAX && d->damaged[i].there) i++;
    if (err || i == MEMORY_DAMAGED_MAX) return err ? err : KT_ELIMIT;
    d->damaged[i].there = true;
    d->damaged[i].table = table;
    d->damaged[i].key_len = key.len;
    memcpy(d->damaged[i].key, key.data, key.len);
    d->damages++;
    return KT_OK;
}

int kt_memory_rot(struct kt_memory_disk *d, enum kt_table table, struct kt_bytes key, size_t bit)
{
    struct kt_bytes value;
    int err = kt_tree_get(&d->tree[table], key, &value);
    if (err) return err;
    if (bit / 8 >= value.len) return KT_EINVAL;
    uint8_t *rotten = malloc(value.len);
    if (!rotten) return KT_ENOMEM;
    int64_t grown;
    memcpy(rotten, value.data, value.len);
    rotten[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    err = kt_tree_put(&d->tree[table], key, kt_bytes(rotten, value.len), &grown);
    free(rotten);
    return err;
}

void kt_memory_reboot(struct kt_memory_disk *d) { d->same_boot = false; }

void kt_memory_disk_unmoved(struct kt_memory_disk *copy) { copy->copied = false; }
