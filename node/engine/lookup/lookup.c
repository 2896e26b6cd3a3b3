#include "engine/lookup/lookup_state.h"

#include <stdlib.h>

int kt_lookup_create(const struct kt_lookup_config *c, struct kt_lookup **out)
{
    struct kt_lookup *l = calloc(1, sizeof *l);
    if (!l) return KT_ENOMEM;
    l->config = *c;
    const size_t n = c->phone_country.len < sizeof l->country ? c->phone_country.len : sizeof l->country;
    if (n) memcpy(l->country, c->phone_country.data, n);
    l->config.phone_country = kt_bytes(l->country, n);
    int e = kt_workset_create(c->store, c->keyring, c->world, &l->w);
    if (e) {
        free(l);
        return e;
    }
    *out = l;
    return KT_OK;
}

void kt_lookup_free(struct kt_lookup *l)
{
    if (!l) return;
    kt_workset_free(l->w);
    free(l);
}

bool kt_looking_reads(const struct kt_looking *k, kt_compartment c)
{
    bool granted = k->grant == NULL;
    for (uint32_t i = 0; !granted && i < k->grant->len; i++) granted = k->grant->compartments[i] == c;
    return granted && kt_keyring_compartment(k->l->config.keyring, c) != NULL;
}

static int run(struct kt_looking *k)
{
    int e = kt_looking_find(k);
    if (e) return e;
    if (k->rows_len == 0 && !k->more) return KT_ENOTFOUND;
    return k->rows_len == 1 && !k->more ? kt_looking_answer(k) : kt_looking_matches(k);
}

int kt_lookup_run(struct kt_lookup *l, const struct kt_request *r, const struct kt_grant *grant, struct kt_arena *arena,
                  struct kt_reply *reply)
{
    struct kt_reply filled = *reply;
    struct kt_looking k = {.l = l, .w = l->w, .request = r, .grant = grant, .arena = arena, .reply = &filled};
    k.roster = kt_keyring_roster(l->config.keyring);
    k.id_key = kt_keyring_id_key(l->config.keyring);
    if (!k.roster || !k.id_key) return KT_EKEY;
    int e = kt_workset_begin(l->w, false);
    if (e) return e;
    e = run(&k);
    const int txn = l->config.store->ops->error(kt_workset_txn(l->w));
    kt_workset_abort(l->w);
    if (txn) return txn; /* what the disk did not give looks like nothing there */
    if (!e) *reply = filled;
    return e;
}
