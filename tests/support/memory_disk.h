/* The inside of a disk in memory, shared by the store over it (memory_store.c) and by what happens to it behind the
 * store's back (memory_disk.c), and by nobody else. */
#ifndef KT_SUPPORT_MEMORY_DISK_H
#define KT_SUPPORT_MEMORY_DISK_H

#include "support/memory_store.h"
#include "support/tree.h"

#include <pthread.h>

#define MEMORY_KEY_BYTES_MAX 500u
#define MEMORY_DAMAGED_MAX   8u

struct kt_memory_disk {
    struct {
        bool there;
        enum kt_table table;
        size_t key_len;
        uint8_t key[MEMORY_KEY_BYTES_MAX];
    } damaged[MEMORY_DAMAGED_MAX];
    unsigned damages;

    pthread_mutex_t lock;
    struct kt_tree tree[KT_TABLE_COUNT], checkpoint[KT_TABLE_COUNT];
    bool has_checkpoint;
    uint64_t bytes[KT_ENV_COUNT], checkpoint_bytes, bytes_max[KT_ENV_COUNT], txns[KT_ENV_COUNT];

    /* what DIR/mark holds in the real one */
    bool used, clean, same_boot, store_ok, moved, copied;

    struct kt_store *open;
    uint64_t calls, fail_in;
    int fail_with;
};

#endif
