/* Files of another version of kontord: refused in words, and left as they are. */
#include "proto/ids.h"
#include "store/mark.h"
#include "support/backends.h"
#include "support/probe.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(call)   assert_int_equal((call), KT_OK)
#define SLOT_BYTES 1024u

static const char *const files[] = {"mark", "keys/data.mdb", "journal/data.mdb", "store/data.mdb"};
#define FILES (sizeof files / sizeof *files)

static void remember(void *context, const char *sentence) { snprintf(context, 256, "%s", sentence); }

static struct kt_hash content_of(const struct kt_bench_store *b, const char *name)
{
    char path[KT_PROBE_PATH_MAX];
    struct stat st;
    kt_bench_path(b, name, path);
    assert_int_equal(stat(path, &st), 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    OK(kt_meddle_read(path, 0, bytes, (size_t)st.st_size));
    const struct kt_bytes whole = kt_bytes(bytes, (size_t)st.st_size);
    const struct kt_hash h = kt_hash_parts("test", &whole, 1);
    free(bytes);
    return h;
}

/* A slot as version `version` would leave it: another first line, more in it, and its sum. */
static void write_slot(const struct kt_bench_store *b, off_t at, unsigned version, bool sound)
{
    char path[KT_PROBE_PATH_MAX], slot[SLOT_BYTES], sum[2 * KT_HASH_BYTES + 1];
    kt_bench_path(b, "mark", path);
    memset(slot, '\n', sizeof slot);
    int n = snprintf(slot, sizeof slot, "kontor mark %u\nturn 12\nmore than this version knows\n", version);
    const struct kt_bytes text = kt_bytes(slot, (size_t)n);
    const struct kt_hash h = kt_hash_parts("mark", &text, 1);
    kt_hex(KT_BYTES_OF(h), sum);
    if (!sound) sum[3] = sum[3] == 'a' ? 'b' : 'a';
    n += snprintf(slot + n, sizeof slot - (size_t)n, "sum %s", sum);
    slot[n] = '\n';
    OK(kt_meddle_write(path, at, slot, sizeof slot));
}

static void an_older_binary_leaves_newer_files_alone(void **state)
{
    /* A newer kontord wrote the files last, or an older one; now this one is started.  It refuses, says what to do,
     * and not a byte of any file is changed, however often it is tried.  A mark that only looks newer because it rotted
     * is no mark, as ever. */
    struct kt_bench_store *b = *state;
    char said[256];
    struct kt_hash before[FILES];
    b->config.say = remember;
    b->config.context = said;
    OK(kt_probe_put(b->store, KT_ENV_JOURNAL, KT_T_journal_batch, 1, 100));
    static const unsigned versions[] = {1, 3, 42};
    for (unsigned v = 0; v < 3; v++) {
        const off_t slot = v % 2;
        kt_bench_close(b);
        write_slot(b, slot * SLOT_BYTES, versions[v], true);
        for (unsigned i = 0; i < FILES; i++) before[i] = content_of(b, files[i]);
        for (unsigned times = 0; times < 3; times++) {
            said[0] = '\0';
            assert_int_equal(kt_bench_open(b), KT_EVERSION);
            assert_non_null(strstr(said, "another version of kontord wrote these files"));
            assert_non_null(strstr(said, "nothing was changed"));
            for (unsigned i = 0; i < FILES; i++) {
                const struct kt_hash now = content_of(b, files[i]);
                assert_memory_equal(&now, &before[i], sizeof now);
            }
        }
        write_slot(b, slot * SLOT_BYTES, 3, false);
        OK(kt_bench_open(b));
        assert_true(kt_probe_has(b->store, KT_ENV_JOURNAL, KT_T_journal_batch, 1));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {KT_OVER(lmdb, an_older_binary_leaves_newer_files_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
