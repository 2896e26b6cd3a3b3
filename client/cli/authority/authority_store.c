#include "client/cli/authority/authority_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define ARENA_BYTES_MAX    (2u * KT_ADMISSION_BYTES_MAX)
#define SECRET_BYTES_MAX   8192u
#define CUT_HORIZON_S      (14u * 86400u)
#define TABLE_OF_SECRETS   0u /* sealed like a store's row, of no table, named by its file */
#define PLAIN_SECRET_BYTES (32u + KT_KEY_BYTES)

/* A file of ours that is missing, or is not what we wrote. */
static int damaged(int err)
{
    return err == KT_OK || err == KT_ENOMEM || err == KT_EIO || err == KT_ERIGHTS ? err : KT_EDAMAGED;
}

static int path_of(struct kt_authority *a, const char *name, char path[KT_PATH_MAX])
{
    int err = kt_path_join(a->dir, name, path);
    if (err) return err;
    memcpy(a->at_fault, path, KT_PATH_MAX);
    return KT_OK;
}

/* Sealed files
 * --------------------------------------------------------------------------------------------------------- */

static void sealing_key(const struct kt_authority *a, uint8_t out[KT_KEY_BYTES])
{
    struct kt_bytes use = kt_str("authority");
    kt_kdf(out, KT_KEY_BYTES, KT_LABEL_ROOT, a->secrets->root_key, &use, 1);
}

static int save_sealed(struct kt_authority *a, const char *name, kt_compartment c, struct kt_bytes plain)
{
    char path[KT_PATH_MAX];
    uint8_t key[KT_KEY_BYTES], nonce[24];
    struct kt_buf sealed;
    int err = path_of(a, name, path);
    if (err) return err;

    kt_buf_init(&sealed, SECRET_BYTES_MAX);
    sealing_key(a, key);
    randombytes_buf(nonce, sizeof(nonce));
    kt_row_seal(key, nonce, TABLE_OF_SECRETS, kt_str(name), c, plain, &sealed);
    sodium_memzero(key, sizeof(key));
    err = sealed.err ? sealed.err : kt_file_write(path, 0600, KT_FILE_NEW, kt_buf_bytes(&sealed));
    kt_buf_free(&sealed);
    return err;
}

static int load_sealed(struct kt_authority *a, const char *name, kt_compartment c, struct kt_buf *plain)
{
    char path[KT_PATH_MAX];
    uint8_t key[KT_KEY_BYTES];
    struct kt_buf sealed;
    int err = path_of(a, name, path);
    if (err) return err;

    kt_buf_init(&sealed, SECRET_BYTES_MAX);
    err = kt_file_read_secret(path, SECRET_BYTES_MAX - 1, &sealed);
    if (!err) {
        sealing_key(a, key);
        err = kt_row_open(key, TABLE_OF_SECRETS, kt_str(name), c, kt_buf_bytes(&sealed), plain);
        sodium_memzero(key, sizeof(key));
    }
    kt_buf_free(&sealed);
    return err == KT_EOPEN ? err : damaged(err);
}

static void keys_name(kt_compartment c, char out[32]) { snprintf(out, 32, "keys.%u", c); }

int kt_authority_keys_make(struct kt_authority *a, kt_compartment c, struct kt_compartment_keys **out)
{
    struct kt_compartment_keys *k = kt_compartment_keys_alloc();
    if (!k) return KT_ENOMEM;
    k->compartment = c;
    randombytes_buf(k->tag_key, sizeof(k->tag_key));
    randombytes_buf(k->digest_key, sizeof(k->digest_key));
    memcpy(k->id_key, a->secrets->id_key, sizeof(k->id_key));
    k->keks_len = 1;
    k->keks[0].epoch = 1;
    randombytes_buf(k->keks[0].key, sizeof(k->keks[0].key));
    *out = k;
    return KT_OK;
}

int kt_authority_keys_save(struct kt_authority *a, const struct kt_compartment_keys *k)
{
    char name[32];
    struct kt_buf plain;
    kt_buf_init(&plain, SECRET_BYTES_MAX);
    keys_name(k->compartment, name);
    int err = kt_compartment_keys_encode(k, &plain);
    if (!err) err = save_sealed(a, name, k->compartment, kt_buf_bytes(&plain));
    kt_buf_wipe_free(&plain);
    return err;
}

int kt_authority_keys_load(struct kt_authority *a, kt_compartment c, struct kt_compartment_keys **out)
{
    char name[32];
    struct kt_buf plain;
    kt_buf_init(&plain, SECRET_BYTES_MAX);
    keys_name(c, name);
    int err = load_sealed(a, name, c, &plain);
    if (!err) err = damaged(kt_compartment_keys_decode(kt_buf_bytes(&plain), out));
    kt_buf_wipe_free(&plain);
    return err;
}

/* Bundles
 * -------------------------------------------------------------------------------------------------------------- */

static int bundle_path(struct kt_authority *a, const struct kt_hash *hash, char path[KT_PATH_MAX])
{
    char name[16 + 2 * KT_HASH_BYTES] = "bundles/";
    kt_hex(KT_BYTES_OF(hash->b), name + strlen(name));
    return path_of(a, name, path);
}

int kt_authority_bundle_save(struct kt_authority *a, struct kt_bytes bundle, struct kt_hash hash)
{
    char path[KT_PATH_MAX];
    int err = path_of(a, "bundles", path);
    if (!err) err = kt_folder_make(path);
    if (!err) err = bundle_path(a, &hash, path);
    return err ? err : kt_file_write(path, 0600, KT_FILE_REPLACE, bundle);
}

int kt_authority_bundle_load(struct kt_authority *a, const struct kt_hash *hash, struct kt_bytes *out)
{
    char path[KT_PATH_MAX];
    struct kt_buf b;
    int err = bundle_path(a, hash, path);
    if (err) return err;
    kt_buf_init(&b, KT_BUNDLE_BYTES_MAX + 1);
    err = kt_file_read(path, KT_BUNDLE_BYTES_MAX, &b);
    if (!err) {
        struct kt_hash is = kt_bundle_hash(kt_buf_bytes(&b));
        struct kt_bytes copy = kt_arena_copy(&a->arena, kt_buf_bytes(&b));
        if (memcmp(&is, hash, sizeof(is)) != 0)
            err = KT_EDAMAGED;
        else if (!copy.data)
            err = KT_ELIMIT;
        else
            *out = copy;
    }
    kt_buf_free(&b);
    return damaged(err);
}

/* Rosters
 * -------------------------------------------------------------------------------------------------------------- */

static void roster_name(uint32_t version, char out[32]) { snprintf(out, 32, "roster.%u", version); }

static int append_roster(struct kt_authority *a, struct kt_bytes signed_roster)
{
    struct kt_roster *r = NULL;
    if (a->rosters_len == KT_ROSTER_CHAIN_MAX) return KT_ELIMIT;
    int err = kt_roster_decode(signed_roster, a->newest, &r);
    if (err) return err;
    struct kt_bytes copy = kt_arena_copy(&a->arena, signed_roster);
    if (!copy.data) {
        kt_roster_free(r);
        return KT_ELIMIT;
    }
    a->rosters[a->rosters_len++] = copy;
    kt_roster_free(a->newest);
    a->newest = r;
    return KT_OK;
}

static int load_rosters(struct kt_authority *a)
{
    struct kt_buf b;
    int err = KT_OK;
    a->rosters = kt_arena_array(&a->arena, KT_ROSTER_CHAIN_MAX, sizeof(*a->rosters));
    if (!a->rosters) return KT_ENOMEM;
    kt_buf_init(&b, KT_ROSTER_BYTES_MAX + 1);
    while (!err) {
        char name[32], path[KT_PATH_MAX];
        roster_name(a->rosters_len + 1, name);
        kt_buf_clear(&b);
        if ((err = path_of(a, name, path))) break;
        err = kt_file_read(path, KT_ROSTER_BYTES_MAX, &b);
        if (!err) err = damaged(append_roster(a, kt_buf_bytes(&b)));
    }
    kt_buf_free(&b);
    return err == KT_ENOTFOUND && a->newest ? KT_OK : damaged(err);
}

int kt_authority_issue(struct kt_authority *a, struct kt_roster *next)
{
    char name[32], path[KT_PATH_MAX];
    struct kt_roster_signature s = {.signer = a->signer.id};
    struct kt_buf body, whole;

    if (a->newest) {
        next->cluster = a->newest->cluster;
        next->version = a->newest->version + 1;
        next->previous = a->newest->hash;
        next->signers = a->newest->signers;
        next->signers_len = a->newest->signers_len;
        next->threshold = a->newest->threshold;
    }
    roster_name(next->version, name);
    int err = path_of(a, name, path);
    if (err) return err;
    kt_buf_init(&body, KT_ROSTER_BYTES_MAX);
    kt_buf_init(&whole, KT_ROSTER_BYTES_MAX);
    err = kt_roster_encode_body(next, &body);
    if (!err) {
        kt_sign(KT_LABEL_ROSTER, a->secrets->sign_secret, kt_buf_bytes(&body), s.signature);
        err = kt_roster_encode_signed(kt_buf_bytes(&body), &s, 1, &whole);
    }
    if (!err) err = kt_file_write(path, 0644, KT_FILE_NEW, kt_buf_bytes(&whole));
    if (!err) err = append_roster(a, kt_buf_bytes(&whole));
    kt_buf_free(&body);
    kt_buf_free(&whole);
    return err;
}

/* Founding, opening, closing
 * ------------------------------------------------------------------------------------------- */

static int start(struct kt_authority *a, const char *dir)
{
    *a = (struct kt_authority){.dir = dir, .lock_fd = -1};
    snprintf(a->at_fault, sizeof(a->at_fault), "%s", dir);
    kt_arena_init(&a->arena, ARENA_BYTES_MAX);
    a->secrets = sodium_malloc(sizeof(*a->secrets));
    return a->secrets ? KT_OK : KT_ENOMEM;
}

static void signer_of(struct kt_authority *a)
{
    a->signer.id = 1;
    crypto_sign_ed25519_sk_to_pk(a->signer.sign, a->secrets->sign_secret);
}

static int save_secrets(struct kt_authority *a)
{
    char path[KT_PATH_MAX];
    uint8_t plain[PLAIN_SECRET_BYTES];
    int err = path_of(a, "root.key", path);
    if (!err) err = kt_file_write(path, 0600, KT_FILE_NEW, KT_BYTES_OF(a->secrets->root_key));
    if (err) return err;
    crypto_sign_ed25519_sk_to_seed(plain, a->secrets->sign_secret);
    memcpy(plain + 32, a->secrets->id_key, KT_KEY_BYTES);
    err = save_sealed(a, "authority.key", 0, KT_BYTES_OF(plain));
    sodium_memzero(plain, sizeof(plain));
    return err;
}

static int found_core(struct kt_authority *a, const char *organisation, uint64_t now_ms)
{
    static const struct kt_roster_compartment core = {.number = KT_CORE, .name = "core", .epoch = 1};
    struct kt_compartment_keys *k = NULL;
    struct kt_roster first = {.organisation = organisation,
                              .version = 1,
                              .issued_ms = now_ms,
                              .cut_horizon_s = CUT_HORIZON_S,
                              .threshold = 1,
                              .signers = &a->signer,
                              .signers_len = 1,
                              .compartments = &core,
                              .compartments_len = 1};
    int err = kt_authority_keys_make(a, KT_CORE, &k);
    if (!err) err = kt_authority_keys_save(a, k);
    kt_compartment_keys_free(k);
    if (err) return err;
    a->rosters = kt_arena_array(&a->arena, 1, sizeof(*a->rosters));
    if (!a->rosters) return KT_ENOMEM;
    randombytes_buf(&first.cluster, sizeof(first.cluster));
    return kt_authority_issue(a, &first);
}

int kt_authority_found(const char *dir, const char *organisation, uint64_t now_ms)
{
    struct kt_authority a;
    uint8_t public_key[KT_PUBLIC_KEY_BYTES];
    int err = start(&a, dir);
    if (!err) err = kt_folder_make(dir);
    if (!err) {
        randombytes_buf(a.secrets->root_key, sizeof(a.secrets->root_key));
        randombytes_buf(a.secrets->id_key, sizeof(a.secrets->id_key));
        crypto_sign_keypair(public_key, a.secrets->sign_secret);
        signer_of(&a);
        err = save_secrets(&a); /* root.key first: where one is, nothing else is touched */
    }
    if (!err) err = found_core(&a, organisation, now_ms);
    kt_authority_close(&a);
    return err;
}

static int lock(struct kt_authority *a, const char *path)
{
    a->lock_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (a->lock_fd < 0) return errno == ENOENT || errno == ENOTDIR ? KT_ENOTFOUND : KT_EIO;
    if (flock(a->lock_fd, LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK ? KT_EAGAIN : KT_EIO;
    return KT_OK;
}

static int load_secrets(struct kt_authority *a)
{
    char path[KT_PATH_MAX];
    struct kt_buf b;
    uint8_t public_key[KT_PUBLIC_KEY_BYTES];
    int err = path_of(a, "root.key", path);
    if (!err) err = lock(a, path);
    if (err) return err;

    kt_buf_init(&b, SECRET_BYTES_MAX);
    err = kt_file_read_secret(path, KT_KEY_BYTES, &b);
    if (!err && b.len != KT_KEY_BYTES) err = KT_EDAMAGED;
    if (!err) {
        memcpy(a->secrets->root_key, b.data, KT_KEY_BYTES);
        sodium_memzero(b.data, b.len);
        kt_buf_clear(&b);
        err = load_sealed(a, "authority.key", 0, &b);
    }
    if (!err && b.len != PLAIN_SECRET_BYTES) err = KT_EDAMAGED;
    if (!err) {
        crypto_sign_seed_keypair(public_key, a->secrets->sign_secret, b.data);
        memcpy(a->secrets->id_key, b.data + 32, KT_KEY_BYTES);
        signer_of(a);
    }
    kt_buf_wipe_free(&b);
    return err;
}

int kt_authority_open(struct kt_authority *a, const char *dir)
{
    int err = start(a, dir);
    if (!err) err = load_secrets(a);
    if (!err) err = load_rosters(a);
    if (!err && memcmp(a->newest->signers[0].sign, a->signer.sign, sizeof(a->signer.sign)) != 0) err = KT_EDAMAGED;
    if (err) kt_authority_close(a);
    return err;
}

void kt_authority_close(struct kt_authority *a)
{
    kt_roster_free(a->newest);
    sodium_free(a->secrets);
    kt_arena_free(&a->arena);
    if (a->lock_fd >= 0) close(a->lock_fd); /* and the lock goes */
    a->newest = NULL;
    a->secrets = NULL;
    a->lock_fd = -1;
}

const char *kt_authority_advice(int err)
{
    static const struct {
        int err;
        const char *advice;
    } table[] = {
        {KT_ENOTFOUND, "no authority is here: make one with kontor authority init"        },
        {KT_EAGAIN,    "another command is at work here: try again when it is done"       },
        {KT_ERIGHTS,   "others may read this secret: chmod 600 it, and consider who has"  },
        {KT_EOPEN,     "it does not belong to this root.key: bring back the copy you keep"},
        {KT_EDAMAGED,  "bring back the copy you keep"                                     },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table)[0]; i++) {
        if (table[i].err == err) return table[i].advice;
    }
    return NULL;
}
