/* The LMDB store against what happens to processes and machines: killed, booted anew, moved, crowded. */
#include "support/backends.h"
#include "support/probe.h"

#include <errno.h>
#include <lmdb.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
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

static void pause_us(unsigned us)
{
    struct pollfd nothing = {.fd = -1};
    (void)ppoll(&nothing, 1, &(struct timespec){.tv_nsec = 1000L * us}, NULL);
}

/* One round of a writer's life, in a child: commit, say so, go on until killed. */
static void write_until_killed(const struct kt_lmdb_config *config, int say_fd, uint64_t from)
{
    struct kt_store *s;
    if (kt_lmdb_open(config, &s)) _exit(3);
    uint8_t value[3000];
    for (uint64_t i = from;; i++) {
        struct kt_txn *j, *t;
        memset(value, (int)i, sizeof(value));
        if (s->ops->begin(s, KT_ENV_JOURNAL, true, &j) || s->ops->begin(s, KT_ENV_STORE, true, &t)) _exit(4);
        (void)s->ops->append(j, KT_T_journal_batch, KT_BYTES_OF(i), kt_bytes(value, 1 + i * 37 % sizeof(value)));
        (void)s->ops->put(t, KT_T_store_view, KT_BYTES_OF(i), kt_bytes(value, 1 + i * 53 % sizeof(value)));
        if (s->ops->commit(j) || s->ops->commit(t)) _exit(5);
        if (write(say_fd, &i, sizeof(i)) != sizeof(i)) _exit(6);
        if (i % 64 == 0 && s->ops->checkpoint(s)) _exit(7);
    }
}

static void a_killed_writer_loses_nothing_it_acknowledged(void **state)
{
    /* A process that commits and says so is killed at any moment, again and again: all it said is there, in journal and
     * store, whole; the files are sound page by page. */
    struct kt_bench_store *b = *state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    uint64_t acknowledged = 0, from = 1;
    for (int round = 0; round < 12; round++) {
        kt_bench_close(b);
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) {
            close(fds[0]);
            write_until_killed(&b->config, fds[1], from);
        }
        close(fds[1]);
        uint64_t said;
        int more = 1 + (int)(rand_r(&seed) % 90);
        while (more-- > 0 && read(fds[0], &said, sizeof(said)) == sizeof(said)) acknowledged = said;
        pause_us(rand_r(&seed) % 2000); /* somewhere in the middle of a commit */
        assert_int_equal(kill(child, SIGKILL), 0);
        while (read(fds[0], &said, sizeof(said)) == sizeof(said)) acknowledged = said;
        close(fds[0]);
        int status;
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        OK(kt_bench_open(b));
        assert_true(b->store->store_survived);
        assert_false(b->store->files_moved);
        for (uint64_t i = 1; i <= acknowledged; i++) {
            assert_true(kt_probe_has(b->store, KT_ENV_JOURNAL, KT_T_journal_batch, i));
            assert_true(kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, i));
        }
        for (unsigned e = 0; e < KT_ENV_COUNT; e++) OK(kt_lmdb_verify(b->store, e));
        struct kt_txn *t = begin(b->store, KT_ENV_JOURNAL, false);
        OK(b->store->ops->count(t, KT_T_journal_batch, &from));
        b->store->ops->abort(t);
        assert_in_range(from, acknowledged, acknowledged + 1);
        from++;
        assert_false(kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, from)); /* the store is never ahead */
        if (!kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, from - 1))      /* made up for, as recovery does */
            OK(kt_probe_put(b->store, KT_ENV_STORE, KT_T_store_view, from - 1, 10));
    }
    assert_true(acknowledged > 12);
}

/* A life of checkpoints and ways back, in a child, until killed. */
static void exchange_until_killed(const struct kt_lmdb_config *config, int say_fd, uint64_t from)
{
    struct kt_store *s;
    if (kt_lmdb_open(config, &s)) _exit(3);
    if (!s->store_survived && s->ops->restore(s) && s->ops->discard(s)) _exit(4);
    for (uint64_t i = from;; i++) {
        if (kt_probe_put(s, KT_ENV_STORE, KT_T_store_view, i, 3000) || s->ops->checkpoint(s)) _exit(5);
        if (write(say_fd, &i, sizeof(i)) != sizeof(i)) _exit(6);
        if (i % 3 == 0 && s->ops->discard(s)) _exit(7);
        if (s->ops->restore(s)) _exit(8);
    }
}

static void a_kill_amid_checkpoints_leaves_one_of_two(void **state)
{
    /* A process that takes checkpoints and goes back to them is killed at any moment: the checkpoint is the old one or
     * the new one, and the store is whole, or known not to be. */
    struct kt_bench_store *b = *state;
    unsigned seed = (unsigned)time(NULL), distrusted = 0;
    print_message("seed %u\n", seed);
    uint64_t said = 0;
    for (int round = 0; round < 15; round++) {
        kt_bench_close(b);
        int fds[2], status;
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0) {
            close(fds[0]);
            exchange_until_killed(&b->config, fds[1], said + 1);
        }
        close(fds[1]);
        uint64_t got;
        int more = 1 + rand_r(&seed) % 8;
        while (more-- > 0 && read(fds[0], &got, sizeof(got)) == sizeof(got)) said = got;
        for (int waits = rand_r(&seed) % 8; waits > 0; waits--) pause_us(900);
        assert_int_equal(kill(child, SIGKILL), 0);
        while (read(fds[0], &got, sizeof(got)) == sizeof(got)) said = got;
        close(fds[0]);
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        OK(kt_bench_open(b));
        assert_false(b->store->files_moved);
        distrusted += !b->store->store_survived;
        OK(kt_lmdb_verify(b->store, KT_ENV_STORE));
        OK(b->store->ops->restore(b->store));
        for (uint64_t i = 1; i <= said; i++) assert_true(kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, i));
        said += kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, said + 1); /* taken, and not yet said */
    }
    print_message("%llu checkpoints, %u stores not trusted\n", (unsigned long long)said, distrusted);
}

static void another_boot_is_noticed(void **state)
{
    /* A clean stop and another boot: the store is good, the head is to be asked for.  A kill and another boot: the
     * store is not good either, until it was made again; and asking is not forgotten by a restart. */
    struct kt_bench_store *b = *state;
    char boot[PATH_MAX + 64];
    kt_bench_close(b);
    kt_bench_path(b, "boot_id", boot);
    b->config.boot_id_path = boot;
    FILE *f = fopen(boot, "w");
    fputs("11111111-2222\n", f);
    fclose(f);
    OK(kt_bench_reopen(b));
    assert_true(b->store->store_survived && b->store->files_moved); /* it was the machine's own id before */
    OK(b->store->ops->settled(b->store));
    OK(kt_bench_reopen(b));
    assert_true(b->store->store_survived && !b->store->files_moved);
    OK(kt_probe_put(b->store, KT_ENV_STORE, KT_T_store_view, 1, 100));
    OK(b->store->ops->checkpoint(b->store));

    kt_bench_close(b);
    pid_t child = fork();
    if (child == 0) {
        if (kt_bench_open(b) == KT_OK) raise(SIGKILL); /* ends without closing */
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    OK(kt_meddle_write(boot, 0, "33333333", 8));
    OK(kt_bench_open(b));
    assert_true(!b->store->store_survived && b->store->files_moved);
    OK(kt_bench_reopen(b)); /* nothing was made again: still not */
    assert_true(!b->store->store_survived && b->store->files_moved);
    OK(b->store->ops->restore(b->store));
    OK(b->store->ops->settled(b->store));
    OK(kt_bench_reopen(b));
    assert_true(b->store->store_survived && !b->store->files_moved);
    assert_true(kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, 1));
    kt_bench_close(b);
    assert_int_equal(unlink(boot), 0); /* an unknown boot is never the same */
    OK(kt_bench_open(b));
    assert_true(b->store->store_survived && b->store->files_moved);
}

static void exchanged_files_are_noticed(void **state)
{
    /* The journal is another file with the same content; later, an older content in the same file. */
    struct kt_bench_store *b = *state;
    char data[PATH_MAX + 64], aside[PATH_MAX + 64];
    kt_bench_path(b, "journal/data.mdb", data);
    kt_bench_path(b, "aside", aside);
    OK(kt_probe_put(b->store, KT_ENV_JOURNAL, KT_T_journal_batch, 1, 100));
    kt_bench_close(b);
    OK(kt_meddle_copy(data, aside, false));
    assert_int_equal(rename(aside, data), 0);
    OK(kt_bench_open(b));
    assert_true(b->store->files_moved && !b->store->store_survived);
    OK(b->store->ops->discard(b->store));
    OK(b->store->ops->settled(b->store));

    kt_bench_close(b);
    OK(kt_meddle_copy(data, aside, false));
    OK(kt_bench_open(b));
    OK(kt_probe_put(b->store, KT_ENV_JOURNAL, KT_T_journal_batch, 2, 100));
    kt_bench_close(b);
    OK(kt_meddle_copy(aside, data, true));
    OK(kt_bench_open(b));
    assert_true(b->store->files_moved && !b->store->store_survived);
    assert_false(kt_probe_has(b->store, KT_ENV_JOURNAL, KT_T_journal_batch, 2));

    kt_bench_close(b); /* a mark that was tampered with is no mark */
    kt_bench_path(b, "mark", data);
    OK(kt_meddle_write(data, 30, "x", 1));
    OK(kt_meddle_write(data, 1024 + 30, "x", 1));
    OK(kt_bench_open(b));
    assert_true(b->store->files_moved && !b->store->store_survived);
}

static void remember(void *context, const char *sentence)
{
    print_message("%s\n", sentence);
    snprintf(context, 256, "%s", sentence);
}

static void two_processes_never_share_a_folder(void **state)
{
    /* While one holds the folder another is refused at once, from within and from without. */
    struct kt_bench_store *b = *state;
    char said[256] = "";
    b->config.say = remember;
    b->config.context = said;
    struct kt_store *other = NULL;
    assert_int_equal(kt_lmdb_open(&b->config, &other), KT_EAGAIN);
    assert_null(other);
    assert_non_null(strstr(said, "another"));
    OK(kt_probe_put(b->store, KT_ENV_STORE, KT_T_store_view, 1, 10));
}

/* A process that reads the store directly, and holds on to what it sees. */
static pid_t start_reader(const struct kt_bench_store *b)
{
    char path[PATH_MAX + 64], ready = 0;
    int fds[2];
    kt_bench_path(b, "store", path);
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        execl(program_invocation_name, "store_life_test", "read-for-ever", path, (char[]){(char)('0' + fds[1]), 0},
              NULL);
        _exit(9);
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &ready, 1), 1);
    close(fds[0]);
    return child;
}

static void dead_readers_are_cleared(void **state)
{
    /* Another process reads the store directly and is killed in the middle: its slot is given back. */
    struct kt_bench_store *b = *state;
    int cleared = -1;
    OK(kt_probe_put(b->store, KT_ENV_STORE, KT_T_store_view, 1, 100));
    const pid_t child = start_reader(b);
    OK(kt_lmdb_check_readers(b->store, &cleared));
    assert_int_equal(cleared, 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    OK(kt_lmdb_check_readers(b->store, &cleared));
    assert_int_equal(cleared, 1);
}

/* Rewrites one row until the store takes no more, or `times`; how often it took it. */
static unsigned rewrite(struct kt_store *s, unsigned times)
{
    for (unsigned n = 0; n < times; n++) {
        const int e = kt_probe_put(s, KT_ENV_STORE, KT_T_store_view, 1, 200000 + n % 100);
        if (e) assert_int_equal(e, KT_EFULL);
        if (e) return n;
    }
    return times;
}

static void a_reader_that_holds_on_stops_no_writer_at_once(void **state)
{
    /* A process reads and never ends.  What is rewritten meanwhile cannot be used again, so the file grows, up to the
     * map and no further; then writes are refused, nothing is lost, and reading goes on.  The reader killed, its slot
     * is freed and its pages are room again. */
    struct kt_bench_store *b = *state;
    struct kt_env_info before, info;
    int cleared = 0;
    assert_int_equal(rewrite(b->store, 500), 500); /* 100 MB through a map of 64 MiB */
    OK(b->store->ops->info(b->store, KT_ENV_STORE, &before));
    assert_true(before.used_bytes < 4u << 20);
    const pid_t child = start_reader(b);
    const unsigned taken = rewrite(b->store, 500);
    OK(b->store->ops->info(b->store, KT_ENV_STORE, &info));
    print_message("%u writes beside the reader; the file went from %llu to %llu KiB\n", taken,
                  (unsigned long long)before.used_bytes >> 10, (unsigned long long)info.used_bytes >> 10);
    assert_true(taken > 100 && taken < 500);
    assert_true(info.used_bytes <= info.map_bytes && info.readers >= 1);
    assert_true(kt_probe_has(b->store, KT_ENV_STORE, KT_T_store_view, 1));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    OK(kt_lmdb_check_readers(b->store, &cleared));
    assert_int_equal(cleared, 1);
    assert_int_equal(rewrite(b->store, 500), 500);
    OK(kt_lmdb_verify(b->store, KT_ENV_STORE));
}

static int read_for_ever(const char *path, int ready_fd)
{
    MDB_env *env;
    MDB_txn *txn;
    if (mdb_env_create(&env) || mdb_env_set_maxdbs(env, 32) || mdb_env_open(env, path, MDB_RDONLY, 0600) ||
        mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) || write(ready_fd, "r", 1) != 1)
        return 9;
    for (;;) pause();
}

struct crowd {
    struct kt_store *store;
    atomic_bool stop;
    atomic_uint reads;
};

static void *keep_reading(void *context)
{
    struct crowd *c = context;
    while (!atomic_load(&c->stop)) {
        struct kt_txn *t;
        struct kt_bytes low, high;
        uint64_t a = 1, z = 2;
        if (c->store->ops->begin(c->store, KT_ENV_STORE, false, &t)) return context;
        int err = c->store->ops->get(t, KT_T_store_view, KT_BYTES_OF(a), &low);
        if (!err) err = c->store->ops->get(t, KT_T_store_view, KT_BYTES_OF(z), &high);
        bool torn = !err && !kt_bytes_equal(low, high); /* written together: always equal */
        c->store->ops->abort(t);
        if (torn) return context;
        atomic_fetch_add(&c->reads, 1);
        pause_us(300);
    }
    return NULL;
}

static void *keep_checkpointing(void *context)
{
    struct crowd *c = context;
    while (!atomic_load(&c->stop)) {
        if (c->store->ops->checkpoint(c->store)) return context;
        pause_us(1000);
    }
    return NULL;
}

static void many_readers_and_a_checkpoint_beside_a_writer(void **state)
{
    /* Threads read, one takes checkpoints, one writes, and now and then the writer tries to restore: nobody sees half a
     * commit, nobody waits for ever. */
    struct kt_bench_store *b = *state;
    struct crowd c = {.store = b->store};
    pthread_t readers[4], copier;
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&readers[i], NULL, keep_reading, &c), 0);
    assert_int_equal(pthread_create(&copier, NULL, keep_checkpointing, &c), 0);
    struct kt_store *s = b->store;
    unsigned restored = 0;
    time_t deadline = time(NULL) + 60;
    for (uint64_t n = 1; n < 200 || atomic_load(&c.reads) < 100 || restored < 3; n++) {
        assert_true(time(NULL) < deadline);
        struct kt_txn *t = begin(s, KT_ENV_STORE, true);
        for (uint64_t i = 1; i < 50; i++) OK(s->ops->put(t, KT_T_store_view, KT_BYTES_OF(i), KT_BYTES_OF(n)));
        OK(s->ops->commit(t));
        int err = n % 5 ? KT_EAGAIN : s->ops->restore(s);
        assert_true(err == KT_OK || err == KT_EAGAIN || err == KT_ENOTFOUND);
        restored += err == KT_OK;
    }
    atomic_store(&c.stop, true);
    void *wrong;
    for (int i = 0; i < 4; i++) {
        pthread_join(readers[i], &wrong);
        assert_null(wrong);
    }
    pthread_join(copier, &wrong);
    assert_null(wrong);
    print_message("%u reads, %u restores\n", atomic_load(&c.reads), restored);
    OK(kt_lmdb_verify(s, KT_ENV_STORE));
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "read-for-ever") == 0) return read_for_ever(argv[2], argv[3][0] - '0');
    static const struct CMUnitTest tests[] = {
        KT_OVER(lmdb, a_killed_writer_loses_nothing_it_acknowledged),
        KT_OVER(lmdb, a_kill_amid_checkpoints_leaves_one_of_two),
        KT_OVER(lmdb, another_boot_is_noticed),
        KT_OVER(lmdb, exchanged_files_are_noticed),
        KT_OVER(lmdb, two_processes_never_share_a_folder),
        KT_OVER(lmdb, dead_readers_are_cleared),
        KT_OVER(lmdb, a_reader_that_holds_on_stops_no_writer_at_once),
        KT_OVER(lmdb, many_readers_and_a_checkpoint_beside_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
