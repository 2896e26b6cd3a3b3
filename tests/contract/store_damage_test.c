/* The LMDB store against what happens to disks: cut, foreign and rotten files, no space. */
#include "support/backends.h"
#include "support/probe.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), KT_OK)

static struct kt_txn *begin(struct kt_store *s, enum kt_env env, bool write)
{
    struct kt_txn *t = NULL;
    OK(s->ops->begin(s, env, write, &t));
    return t;
}

static void remember(void *context, const char *sentence)
{
    print_message("%s\n", sentence);
    snprintf(context, 256, "%s", sentence);
}

/* Not salvaged yet, it is due again; once it is, the next open finds nothing wrong and the file is kept. */
static void keep_what_there_was(struct kt_bench_store *b, enum kt_env env)
{
    char kept[PATH_MAX];
    OK(kt_bench_reopen(b));
    assert_true(kt_lmdb_salvage_due(b->store, env));
    OK(kt_lmdb_salvage_done(b->store, env));
    OK(kt_bench_reopen(b));
    assert_false(kt_lmdb_salvage_due(b->store, env));
    OK(kt_lmdb_salvage_kept(b->store, env, kept, sizeof(kept)));
    assert_int_equal(unlink(kept), 0);
    assert_int_equal(kt_lmdb_salvage_kept(b->store, env, kept, sizeof(kept)), KT_ENOTFOUND);
}

static void cut_and_foreign_files_are_set_aside(void **state)
{
    /* Every file is in turn cut short at many lengths, and replaced by garbage and by a zeroed one.  Who only looks is
     * told so, and nothing moves.  Else each is set aside and begun anew: keys and journal wait to be salvaged, again
     * and again until that is done, and what was there is kept.  Put right, all is there again. */
    struct kt_bench_store *b = *state;
    static const char *const files[] = {"keys/data.mdb", "journal/data.mdb", "store/data.mdb"};
    char said[256] = "", path[PATH_MAX + 64], aside[PATH_MAX + 64];
    b->config.say = remember;
    b->config.context = said;
    OK(kt_probe_put(b->store, KT_ENV_KEYS, KT_T_keys_roster, 1, 30000));
    OK(kt_probe_put(b->store, KT_ENV_JOURNAL, KT_T_journal_batch, 1, 30000));
    OK(kt_probe_put(b->store, KT_ENV_STORE, KT_T_store_view, 1, 30000));
    kt_bench_path(b, "aside", aside);
    for (unsigned e = 0; e < KT_ENV_COUNT; e++) {
        kt_bench_path(b, files[e], path);
        static const off_t cuts[] = {1, 100, 4095, 4096, 4097, 8191, 8192, 12288, 30000};
        for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]) + 2; i++) {
            kt_bench_close(b);
            OK(kt_meddle_copy(path, aside, false));
            if (i < sizeof(cuts) / sizeof(cuts[0])) {
                assert_int_equal(truncate(path, cuts[i]), 0);
            } else {
                uint8_t garbage[20000];
                for (size_t g = 0; g < sizeof(garbage); g++) garbage[g] = i & 1 ? (uint8_t)(g * 31 + g / 7) : 0;
                OK(kt_meddle_write(path, 0, garbage, sizeof(garbage)));
            }
            said[0] = 0;
            b->config.look_only = true;
            assert_int_equal(kt_bench_open(b), KT_EDAMAGED);
            assert_non_null(strstr(said, "damaged"));
            assert_int_equal(access(path, F_OK), 0);
            b->config.look_only = false;
            b->store = NULL;
            OK(kt_bench_open(b));
            assert_false(b->store->store_survived);
            assert_int_equal(kt_lmdb_salvage_due(b->store, e), e != KT_ENV_STORE);
            if (e == KT_ENV_STORE) {
                assert_false(kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, 1));
            } else {
                assert_true(b->store->files_moved);
                keep_what_there_was(b, e);
            }
            kt_bench_close(b);
            assert_int_equal(rename(aside, path), 0);
            OK(kt_bench_open(b));
            OK(b->store->ops->settled(b->store));
            assert_true(kt_probe_has(b->store, KT_ENV_KEYS, KT_T_keys_roster, 1));
            assert_true(kt_probe_has(b->store, KT_ENV_JOURNAL, KT_T_journal_batch, 1));
        }
    }
}

static void read_all(struct kt_store *s, enum kt_env env, enum kt_table table)
{
    struct kt_txn *t = begin(s, env, false);
    struct kt_cursor *c;
    struct kt_bytes k, v;
    volatile uint8_t sum = 0;
    OK(s->ops->cursor(t, table, &c));
    int err = s->ops->seek(c, KT_SEEK_AT_OR_AFTER, kt_bytes(NULL, 0), &k, &v);
    while (!err) {
        for (size_t i = 0; i < v.len; i++) sum = (uint8_t)(sum + v.data[i]);
        err = s->ops->seek(c, KT_SEEK_NEXT, kt_bytes(NULL, 0), &k, &v);
    }
    s->ops->abort(t);
}

static void rotten_bits_never_end_the_process(void **state)
{
    /* Single bits flip in the keys file, in a child each: opening either refuses it, or everything can be read. */
    struct kt_bench_store *b = *state;
    char path[PATH_MAX + 64];
    kt_bench_path(b, "keys/data.mdb", path);
    for (uint64_t i = 0; i < 300; i++) OK(kt_probe_put(b->store, KT_ENV_KEYS, KT_T_keys_roster, i, 40 + i * 97 % 6000));
    struct kt_env_info info;
    OK(b->store->ops->info(b->store, KT_ENV_KEYS, &info));
    kt_bench_close(b);
    unsigned seed = (unsigned)time(NULL), refused = 0;
    print_message("seed %u\n", seed);
    b->config.look_only = true; /* the files stay where they are */
    for (int i = 0; i < 400; i++) {
        /* every fourth among the first pages: meta pages and, with luck, roots */
        off_t at = rand_r(&seed) % (i % 4 ? info.used_bytes : 8192 + 64 * 1024);
        uint8_t was, is;
        OK(kt_meddle_read(path, at, &was, 1));
        is = was ^ (uint8_t)(1u << rand_r(&seed) % 8);
        OK(kt_meddle_write(path, at, &is, 1));
        pid_t child = fork();
        if (child == 0) {
            int err = kt_bench_open(b);
            if (!err) read_all(b->store, KT_ENV_KEYS, KT_T_keys_roster);
            kt_bench_close(b);
            _exit(err == KT_EDAMAGED || err == KT_EVERSION ? 1 : err ? 2 : 0);
        }
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        refused += WEXITSTATUS(status) == 1;
        OK(kt_meddle_write(path, at, &was, 1));
    }
    print_message("%u of 400 flips were noticed by structure alone\n", refused);
    assert_true(refused > 0);
}

static void what_is_condemned_is_set_aside(void **state)
{
    /* Files that look sound are found wrong while they are in use: at the next open each is out of the way, of keys and
     * journal all is still to be got back; the one after finds nothing wrong. */
    struct kt_bench_store *b = *state;
    for (enum kt_env e = 0; e < KT_ENV_COUNT; e++) {
        OK(kt_lmdb_condemn(b->store, e));
        OK(kt_bench_reopen(b));
        assert_false(b->store->store_survived);
        assert_int_equal(kt_lmdb_salvage_due(b->store, e), e != KT_ENV_STORE);
        if (e != KT_ENV_STORE) keep_what_there_was(b, e);
        OK(b->store->ops->discard(b->store)); /* made again */
        OK(kt_bench_reopen(b));
        assert_true(b->store->store_survived);
        assert_false(kt_lmdb_salvage_due(b->store, e));
    }
}

static void a_full_disk_is_said_and_survived(void **state)
{
    /* On a small disk batches are appended until it is full: the commit says so, all before it stands and can be read;
     * the journal can still be cut, which makes room, and after a restart on the full disk it is all the same. */
    struct kt_bench_store *b = *state;
    kt_bench_close(b);
    if (mount("tmpfs", b->dir, "tmpfs", 0, "size=12m")) {
        print_message("skipped: mounting a small disk needs root (%s)\n", strerror(errno));
        skip();
    }
    OK(kt_bench_open(b));
    uint64_t next = 1, cut = 1, before = 0;
    OK(kt_probe_put(b->store, KT_ENV_STORE, KT_T_store_view, 1, 5000));
    uint8_t batch[5000] = {7};
    for (int round = 0; round < 3; round++) {
        int err = KT_OK;
        while (!err) {
            struct kt_txn *t = begin(b->store, KT_ENV_JOURNAL, true);
            for (uint64_t i = next; i < next + 20; i++)
                (void)b->store->ops->append(t, KT_T_journal_batch, KT_BYTES_OF(i), KT_BYTES_OF(batch));
            err = b->store->ops->commit(t);
            if (!err) next += 20;
        }
        assert_int_equal(err, KT_EFULL);
        assert_true(next > before + 200); /* in later rounds: the room that cutting made */
        before = next;
        OK(kt_lmdb_verify(b->store, KT_ENV_JOURNAL));
        assert_int_equal(kt_probe_put(b->store, KT_ENV_STORE, KT_T_store_view, 2, 1 << 20), KT_EFULL);
        assert_true(kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, 1));
        OK(kt_bench_reopen(b));
        assert_true(b->store->store_survived && kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, 1));
        struct kt_txn *t = begin(b->store, KT_ENV_JOURNAL, false);
        struct kt_bytes v;
        for (uint64_t i = cut; i < next; i++) OK(b->store->ops->get(t, KT_T_journal_batch, KT_BYTES_OF(i), &v));
        b->store->ops->abort(t);
        for (int piece = 0; piece < 30; piece++) {
            t = begin(b->store, KT_ENV_JOURNAL, true);
            for (int i = 0; i < 10; i++, cut++) OK(b->store->ops->del(t, KT_T_journal_batch, KT_BYTES_OF(cut)));
            OK(b->store->ops->commit(t));
        }
    }
    assert_int_equal(b->store->ops->checkpoint(b->store), KT_EFULL);
    kt_bench_close(b);
    assert_int_equal(umount2(b->dir, MNT_DETACH), 0);
}

static void a_rotten_checkpoint_restores_nothing(void **state)
{
    /* A checkpoint whose root page is garbage is refused by restore, and the store stays as it was. */
    struct kt_bench_store *b = *state;
    char path[PATH_MAX + 64];
    kt_bench_path(b, "checkpoint/data.mdb", path);
    for (uint64_t i = 1; i < 500; i++) OK(kt_probe_put(b->store, KT_ENV_STORE, KT_T_store_view, i, 300));
    OK(b->store->ops->checkpoint(b->store));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    for (off_t page = 2; page * 4096 < st.st_size; page += 5) {
        uint8_t was[16], is[16];
        OK(kt_meddle_read(path, page * 4096, was, sizeof(was)));
        memset(is, 0x5a, sizeof(is));
        OK(kt_meddle_write(path, page * 4096, is, sizeof(is)));
        assert_int_equal(b->store->ops->restore(b->store), KT_EDAMAGED);
        assert_true(kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, 499));
        OK(kt_meddle_write(path, page * 4096, was, sizeof(was)));
    }
    OK(b->store->ops->restore(b->store));
    assert_true(kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, 499));
}

static void the_journal_is_written_ahead(void **state)
{
    /* The journal's file is longer than its content, in blocks that are really there. */
    struct kt_bench_store *b = *state;
    char path[PATH_MAX + 64];
    kt_bench_path(b, "journal/data.mdb", path);
    for (uint64_t i = 1; i < 40; i++) OK(kt_probe_put(b->store, KT_ENV_JOURNAL, KT_T_journal_batch, i, 100000));
    struct kt_env_info info;
    struct stat st;
    OK(b->store->ops->info(b->store, KT_ENV_JOURNAL, &info));
    assert_int_equal(stat(path, &st), 0);
    assert_true((uint64_t)st.st_size >= info.used_bytes + b->config.ahead_bytes / 2);
    assert_true((uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        KT_OVER(lmdb, cut_and_foreign_files_are_set_aside),  KT_OVER(lmdb, rotten_bits_never_end_the_process),
        KT_OVER(lmdb, what_is_condemned_is_set_aside),       KT_OVER(lmdb, a_full_disk_is_said_and_survived),
        KT_OVER(lmdb, a_rotten_checkpoint_restores_nothing), KT_OVER(lmdb, the_journal_is_written_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
