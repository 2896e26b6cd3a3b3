#include "client/cli/key.h"

#include "client/cli/files.h"

#include <sodium.h>
#include <string.h>

#define KEY_FILE_BYTES_MAX 4096u

/* One "NAME = HEX" line, cut apart in place. */
static int read_line(char *line, struct kt_client_key *k, unsigned *seen)
{
    static const char names[][16] = {"secret", "organisation", "node"};
    uint8_t *const to[] = {k->secret, k->cluster.b, k->node};
    static const size_t sizes[] = {sizeof k->secret, sizeof k->cluster.b, sizeof k->node};
    char *rest = NULL, *name = strtok_r(line, " \t\r=", &rest), *value = strtok_r(NULL, " \t\r=", &rest);
    if (!name || *name == '#') return KT_OK;
    if (!value || strtok_r(NULL, " \t\r", &rest)) return KT_EMALFORMED;
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *seen |= 1u << i;
        return kt_unhex(value, to[i], sizes[i]);
    }
    return KT_EMALFORMED;
}

int kt_client_key_read(const char *path, struct kt_client_key *out)
{
    struct kt_client_key k = {0};
    struct kt_buf b;
    unsigned seen = 0;
    char *rest = NULL;
    kt_buf_init(&b, KEY_FILE_BYTES_MAX + 1);
    int err = kt_file_read_secret(path, KEY_FILE_BYTES_MAX, &b);
    kt_buf_u8(&b, 0);
    if (!err) err = b.err;
    char *line = err ? NULL : strtok_r((char *)b.data, "\n", &rest);
    for (; line && !err; line = strtok_r(NULL, "\n", &rest)) err = read_line(line, &k, &seen);
    kt_buf_wipe_free(&b);
    if (!err && seen != 7) err = KT_EMALFORMED;
    if (!err) *out = k;
    kt_client_key_wipe(&k);
    return err;
}

void kt_client_key_wipe(struct kt_client_key *k) { sodium_memzero(k, sizeof *k); }
