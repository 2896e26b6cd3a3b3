/* kontor key: who a program is at a tcp:// node. */
#include "client/cli/commands.h"
#include "client/cli/files.h"
#include "client/cli/key.h"
#include "client/cli/authority/offline.h"

#include <sodium.h>
#include <stdio.h>

struct key_arguments {
    const char *file, *organisation, *node;
};

static void check_hex(const char *text, size_t bytes, const char *option, struct argp_state *state)
{
    uint8_t out[KT_KEY_BYTES];
    if (kt_unhex(text, out, bytes)) argp_error(state, "%s: give %zu hexadecimal digits", option, 2 * bytes);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct key_arguments *a = state->input;
    switch (key) {
    case 'o':
        check_hex(text, KT_CLUSTER_BYTES, "--organisation", state);
        a->organisation = text;
        return 0;
    case 'n':
        check_hex(text, KT_KEY_BYTES, "--node-key", state);
        a->node = text;
        return 0;
    case ARGP_KEY_ARG:
        if (a->file) argp_error(state, "one file only");
        a->file = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->file) argp_error(state, "say which file to make");
        if (!a->organisation) argp_error(state, "say --organisation HEX, as `kontor authority show` gives it");
        if (!a->node) argp_error(state, "say --node-key HEX, as `kontor authority show` gives it for that node");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"organisation", 'o', "HEX", 0, "The organisation's number, 32 digits, as `kontor authority show` gives it", 0},
    {"node-key", 'n', "HEX", 0, "The node's public key, 64 digits, likewise: nobody else is spoken to", 0},
    {0},
};
static const struct argp argp = {options,
                                 parse,
                                 "FILE",
                                 "Make a key in FILE (mode 0600), with which a program shows a tcp:// node who it is, "
                                 "and print the lines that let it "
                                 "in, for the node's kontord.conf."
                                 "\vExample:\n"
                                 "  kontor authority show /media/safe/authority\n"
                                 "  kontor key portal.key --organisation HEX --node-key HEX\n"
                                 "  kontor --node tcp://office-1:7410 --key portal.key lookup --id tax:123-45\n\n"
                                 "Exit status: 0 done, 2 usage, 4 refused (there is such a file).\n",
                                 NULL,
                                 NULL,
                                 NULL};

static int make_key(const struct key_arguments *a, char public_key[2 * KT_KEY_BYTES + 1])
{
    uint8_t secret[KT_KEY_BYTES], public[KT_KEY_BYTES];
    char digits[2 * KT_KEY_BYTES + 1];
    struct kt_buf b;
    randombytes_buf(secret, sizeof secret);
    crypto_scalarmult_base(public, secret);
    kt_hex(kt_bytes(secret, sizeof secret), digits);
    kt_hex(kt_bytes(public, sizeof public), public_key);
    kt_buf_init(&b, 1024);
    kt_buf_put(&b, kt_str("secret = "));
    kt_buf_put(&b, kt_str(digits));
    kt_buf_put(&b, kt_str("\norganisation = "));
    kt_buf_put(&b, kt_str(a->organisation));
    kt_buf_put(&b, kt_str("\nnode = "));
    kt_buf_put(&b, kt_str(a->node));
    kt_buf_put(&b, kt_str("\n"));
    int err = b.err ? b.err : kt_file_write(a->file, 0600, KT_FILE_NEW, kt_buf_bytes(&b));
    kt_buf_wipe_free(&b);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(digits, sizeof digits);
    return err;
}

int kt_cli_key(const struct kt_cli *cli, int argc, char **argv)
{
    struct key_arguments a = {0};
    char public_key[2 * KT_KEY_BYTES + 1];
    (void)cli;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    int err = kt_offline_start();
    if (!err) err = make_key(&a, public_key);
    if (err == KT_EDUPLICATE)
        return kt_offline_fail(argv[0], a.file, KT_EREFUSED, "it is there already: choose another name");
    if (err) return kt_offline_fail(argv[0], a.file, err, err == KT_EIO ? "check the folder and its rights" : NULL);
    printf("# %s is made.  For the node's kontord.conf:\n"
           "client \"portal\" {\n    key          = \"%s\"\n    compartments = {\"core\"}\n}\n",
           a.file, public_key);
    return KT_EXIT_DONE;
}
