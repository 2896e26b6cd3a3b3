#include "host/rescue.h"

#include "engine/salvage/salvage.h"
#include "host/node_files.h"
#include "store/lmdb.h"

#include <sodium.h>

/* What was set aside; NULL with KT_OK where nothing in it looks like a row. */
static int open_aside(struct kt_store *s, enum kt_env env, struct kt_log *log, struct kt_salvage **out)
{
    *out = NULL;
    int e = kt_lmdb_salvage_open(s, env, out);
    if (e == KT_ENOTFOUND) {
        kt_log(log, KT_LOG_ERROR, "salvage", kt_log_text("what", "the damaged file holds nothing that can be read"));
        return KT_OK;
    }
    if (e)
        kt_log(log, KT_LOG_ERROR, "salvage", kt_log_error(e), kt_log_text("what", kt_error_text(e)),
               kt_log_text("do", kt_error_advice(e)));
    return e;
}

static void tell_keys(struct kt_log *log, int e, const struct kt_salvaged_keys *k)
{
    kt_log(log, e ? KT_LOG_ERROR : KT_LOG_WARN, "salvaged-keys", kt_log_error(e),
           kt_log_number("identity", k->identity), kt_log_number("certificate", k->certificate),
           kt_log_number("rosters", k->rosters), kt_log_number("bundles", k->bundles),
           kt_log_number("erasures", k->erasures), kt_log_number("wraps", k->wraps),
           kt_log_number("wraps_refused", k->wraps_refused));
}

static int salvage_keys(const struct kt_config *c, struct kt_store *store, struct kt_world *world, struct kt_log *log,
                        struct kt_salvage *from, struct kt_keyring **out)
{
    struct kt_salvaged_keys report = {0};
    uint8_t *root;
    int e = kt_node_files_root_key(c, log, &root);
    if (e) return e;
    if (from) e = kt_salvage_keys(from, store, world, root, &report);
    sodium_free(root);
    if (!e && !report.identity)
        kt_log(log, KT_LOG_WARN, "salvage",
               kt_log_text("what", "this node's identity was lost with its keys; it is taken from data_dir/identity"),
               kt_log_text("do", "if that file is gone: bring it back from a backup, or make a node anew and have the "
                                 "authority admit it"));
    if (!e) e = kt_node_files_keyring(c, store, world, log, out);
    if (!e && from) e = kt_salvage_wraps(from, *out, &report);
    if (!e) e = kt_lmdb_salvage_done(store, KT_ENV_KEYS);
    tell_keys(log, e, &report);
    if (e && *out) {
        kt_keyring_close(*out);
        *out = NULL;
    }
    return e;
}

int kt_rescue_keyring(const struct kt_config *c, struct kt_store *store, struct kt_world *world, struct kt_log *log,
                      struct kt_keyring **out)
{
    struct kt_salvage *from;
    if (!kt_lmdb_salvage_due(store, KT_ENV_KEYS)) return kt_node_files_keyring(c, store, world, log, out);
    int e = open_aside(store, KT_ENV_KEYS, log, &from);
    if (e) return e;
    e = salvage_keys(c, store, world, log, from, out);
    if (from) from->close(from);
    return e;
}

int kt_rescue_journal(struct kt_store *store, struct kt_keyring *keyring, struct kt_log *log)
{
    struct kt_salvaged_journal report = {0};
    struct kt_salvage *from;
    if (!kt_lmdb_salvage_due(store, KT_ENV_JOURNAL)) return KT_OK;
    int e = open_aside(store, KT_ENV_JOURNAL, log, &from);
    if (!e && from) {
        e = kt_salvage_journal(from, store, keyring, &report);
        from->close(from);
    }
    if (!e) e = kt_lmdb_salvage_done(store, KT_ENV_JOURNAL);
    kt_log(log, e ? KT_LOG_ERROR : KT_LOG_WARN, "salvaged-journal", kt_log_error(e),
           kt_log_number("batches", report.batches), kt_log_number("lost", report.lost),
           kt_log_number("left", report.left), kt_log_text("do", e ? kt_error_advice(e) : "see the runbook on damage"));
    return e;
}

int kt_rescue_incoherent(struct kt_store *store, const struct kt_keyring *keyring, struct kt_log *log)
{
    const enum kt_env which = keyring ? KT_ENV_JOURNAL : KT_ENV_KEYS;
    int e = kt_lmdb_condemn(store, which);
    if (!e) e = kt_lmdb_condemn(store, KT_ENV_STORE);
    kt_log(log, KT_LOG_ERROR, "incoherent", kt_log_error(e),
           kt_log_text("what", keyring ? "the journal does not hold together" : "the keys do not hold together"),
           kt_log_text("do", e == KT_ELIMIT ? "look at the damaged files that are kept, check this disk, move them away"
                                            : "nothing: it is salvaged now"));
    return e;
}

void kt_rescue_condemn(struct kt_store *store, struct kt_log *log)
{
    const int e = kt_lmdb_condemn(store, KT_ENV_STORE);
    kt_log(log, KT_LOG_ERROR, "store-damaged", kt_log_error(e),
           kt_log_text("what", "a row of the store is not what was written: it is made again at the next start"),
           kt_log_text("do", "restart kontord when it suits, and check this disk; see the runbook on damage"));
}
