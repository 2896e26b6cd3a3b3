/* kontor node init: a node's root key, its identity sealed under it, and the request to join. */
#include "client/cli/authority/authority.h"
#include "client/cli/files.h"
#include "client/cli/authority/offline.h"
#include "proto/roster/roster.h"

#include <argp.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

struct arguments {
    const char *dir, *office, *agency;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'o':
        a->office = text;
        return 0;
    case 'a':
        a->agency = text;
        return 0;
    case ARGP_KEY_ARG:
        if (a->dir) argp_error(state, "one folder only");
        a->dir = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->dir) argp_error(state, "say which folder to make");
        if (!a->office || !a->office[0]) argp_error(state, "say --office NAME");
        if (strlen(a->office) > KT_OFFICE_BYTES_MAX || (a->agency && strlen(a->agency) > KT_OFFICE_BYTES_MAX))
            argp_error(state, "a name has at most %u bytes", KT_OFFICE_BYTES_MAX);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Secrets of one run, in sodium_malloc memory. */
struct secrets {
    uint8_t root_key[KT_KEY_BYTES], seed[96];
};

static int make_files(const struct arguments *a, const struct secrets *s, const struct kt_identity *id,
                      struct kt_buf files[3])
{
    struct kt_join_request j = {.pub = id->pub};
    uint8_t nonce[24];
    snprintf(j.office, sizeof(j.office), "%s", a->office);
    snprintf(j.agency, sizeof(j.agency), "%s", a->agency ? a->agency : "");
    randombytes_buf(nonce, sizeof(nonce));
    int err = kt_join_encode(&j, id, &files[2]); /* first: it is what may refuse the names */
    if (!err) err = kt_identity_seal(id, s->root_key, nonce, &files[1]);
    kt_buf_put(&files[0], KT_BYTES_OF(s->root_key));
    return err ? err : files[0].err;
}

static int save_files(const char *dir, const struct kt_buf files[3], char path[KT_PATH_MAX])
{
    static const struct {
        const char *name;
        mode_t mode;
    } names[3] = {{"root.key", 0600}, {"identity", 0600}, {"join.request", 0644}};
    struct stat st;
    for (int i = 0; i < 3; i++) { /* look at all before the first is written */
        int err = kt_path_join(dir, names[i].name, path);
        if (err) return err;
        if (lstat(path, &st) == 0) return KT_EDUPLICATE;
    }
    for (int i = 0; i < 3; i++) {
        int err = kt_path_join(dir, names[i].name, path);
        if (!err) err = kt_file_write(path, names[i].mode, KT_FILE_NEW, kt_buf_bytes(&files[i]));
        if (err) return err;
    }
    return KT_OK;
}

static int make_node(const struct arguments *a, char at_fault[KT_PATH_MAX])
{
    struct kt_buf files[3];
    struct kt_identity *id = NULL;
    struct secrets *s = sodium_malloc(sizeof(*s));
    if (!s) return KT_ENOMEM;
    for (int i = 0; i < 3; i++) kt_buf_init(&files[i], 4096);
    randombytes_buf(s, sizeof(*s));
    id = kt_identity_create(s->seed);
    int err = id ? make_files(a, s, id, files) : KT_ENOMEM;
    if (!err) err = kt_folder_make(a->dir);
    if (!err) err = save_files(a->dir, files, at_fault);
    for (int i = 0; i < 3; i++) kt_buf_wipe_free(&files[i]);
    if (id) kt_identity_free(id);
    sodium_free(s);
    return err;
}

static int run_init(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"office", 'o', "NAME", 0, "The office it stands in, as operators say it", 0},
        {"agency", 'a', "NAME", 0, "The body the office belongs to", 0},
        {0},
    };
    static const struct argp argp = {
        options,
        parse,
        "DIR",
        "Make the keys of a new node in DIR: root.key and identity, which never leave it, and join.request, which goes "
        "to "
        "the authority.  What the authority gives back, the file `admission`, goes into DIR."
        "\vExample:\n  kontor node init /var/lib/kontor --office office-3 --agency \"Motor Vehicles\"\n",
        NULL,
        NULL,
        NULL};
    struct arguments a = {0};
    char at_fault[KT_PATH_MAX];
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    snprintf(at_fault, sizeof(at_fault), "%s", a.dir);
    int err = make_node(&a, at_fault);
    if (err == KT_EDUPLICATE)
        return kt_offline_fail(argv[0], at_fault, KT_EREFUSED,
                               "it is there already and is not overwritten: choose another folder");
    if (err) return kt_offline_fail(argv[0], at_fault, err, err == KT_EIO ? "check the folder and its rights" : NULL);
    printf("%s: keys made.  Send %s/join.request to the authority, and put the admission it gives back into %s.\n",
           a.dir, a.dir, a.dir);
    return 0;
}

int kt_cli_node(int argc, char **argv)
{
    static const struct kt_subcommand list[] = {
        {"init", "kontor node init", "make the keys and the join request of a new node", run_init},
    };
    return kt_offline_dispatch("kontor node", list, 1, argc, argv);
}
