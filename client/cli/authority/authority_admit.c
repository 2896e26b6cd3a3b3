#include "client/cli/authority/authority_admit.h"

#include <libgen.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define JOIN_BYTES_MAX 4096u

/* The roster to come, in arrays of the authority's arena with room for what is added. */
struct plan {
    struct kt_authority *a;
    const struct kt_admit_wish *w;
    struct kt_admit_outcome *out;
    struct kt_roster next;
    struct kt_join_request *joins; /* one for each request */
    struct kt_roster_member *members;
    struct kt_roster_compartment *compartments;
    struct kt_roster_system *systems;
    struct kt_roster_bundle *bundles;
    bool changed;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct plan *p, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->out->why, sizeof(p->out->why), format, args);
    va_end(args);
    return code;
}

static void *copy_array(struct plan *p, const void *from, uint32_t n, uint32_t room, size_t size)
{
    void *to = kt_arena_array(&p->a->arena, room ? room : 1, size);
    if (to && n) memcpy(to, from, n * size);
    return to;
}

static int start(struct plan *p)
{
    const struct kt_roster *r = p->a->newest;
    p->next = *r;
    p->next.issued_ms = p->w->now_ms;
    p->members = copy_array(p, r->members, r->members_len, KT_MEMBERS_MAX, sizeof(*p->members));
    p->compartments =
        copy_array(p, r->compartments, r->compartments_len, KT_COMPARTMENTS_MAX, sizeof(*p->compartments));
    p->systems = copy_array(p, r->systems, r->systems_len, KT_SYSTEMS_MAX, sizeof(*p->systems));
    p->bundles = copy_array(p, r->bundles, r->bundles_len, KT_BUNDLES_MAX, sizeof(*p->bundles));
    p->joins = copy_array(p, NULL, 0, p->w->requests.len, sizeof(*p->joins));
    if (!p->members || !p->compartments || !p->systems || !p->bundles || !p->joins) return KT_ENOMEM;
    p->next.members = p->members;
    p->next.compartments = p->compartments;
    p->next.systems = p->systems;
    p->next.bundles = p->bundles;
    return KT_OK;
}

/* Join requests
 * -------------------------------------------------------------------------------------------------------- */

static int admission_path(const char *request, char path[KT_PATH_MAX])
{
    char copy[KT_PATH_MAX];
    if (strlen(request) >= sizeof(copy)) return KT_EOVERSIZE;
    memcpy(copy, request, strlen(request) + 1);
    return kt_path_join(dirname(copy), "admission", path);
}

static int read_join(struct plan *p, uint32_t i)
{
    const char *path = p->w->requests.items[i];
    char mine[KT_PATH_MAX], other[KT_PATH_MAX];
    struct kt_buf b;
    kt_buf_init(&b, JOIN_BYTES_MAX + 1);
    int err = kt_file_read(path, JOIN_BYTES_MAX, &b);
    if (err)
        refuse(p, err, "%s: %s: give the join.request that kontor node init wrote", path, kt_error_text(err));
    else if ((err = kt_join_decode(kt_buf_bytes(&b), &p->joins[i])))
        err = refuse(p, err == KT_ESIGNATURE ? KT_EREFUSED : KT_EDAMAGED,
                     "%s: %s: have the office send its join.request again", path, kt_error_text(err));
    kt_buf_free(&b);
    if (err) return err;
    if (admission_path(path, mine)) return refuse(p, KT_EINVAL, "%s: the path is too long", path);
    for (uint32_t k = 0; k < i; k++) {
        if (memcmp(p->joins[k].pub.sign, p->joins[i].pub.sign, KT_PUBLIC_KEY_BYTES) == 0)
            return refuse(p, KT_EINVAL, "%s: the same request as %s: give each once", path, p->w->requests.items[k]);
        if (admission_path(p->w->requests.items[k], other) == KT_OK && strcmp(mine, other) == 0)
            return refuse(p, KT_EINVAL, "%s: in the folder of %s, and each needs its own admission: use a folder each",
                          path, p->w->requests.items[k]);
    }
    return KT_OK;
}

static int add_member(struct plan *p, uint32_t i)
{
    const struct kt_join_request *j = &p->joins[i];
    for (uint32_t k = 0; k < p->next.members_len; k++) {
        const struct kt_roster_member *m = &p->members[k];
        if (memcmp(m->pub.sign, j->pub.sign, KT_PUBLIC_KEY_BYTES) != 0) continue;
        if (m->revoked)
            return refuse(p, KT_EREFUSED, "%s: member %u was revoked: make new keys with kontor node init",
                          p->w->requests.items[i], m->number);
        if (memcmp(&m->pub, &j->pub, sizeof(m->pub)) != 0 || strcmp(m->office, j->office) != 0)
            return refuse(p, KT_EREFUSED,
                          "%s: is member %u under other keys or another office: make new keys with kontor node init",
                          p->w->requests.items[i], m->number);
        p->out->members[i] = m->number;
        return KT_OK;
    }
    if (p->next.members_len == KT_MEMBERS_MAX)
        return refuse(p, KT_EREFUSED, "there are %u members, and no more can be", KT_MEMBERS_MAX);
    kt_member number = p->next.members_len ? p->members[p->next.members_len - 1].number + 1 : 1;
    p->members[p->next.members_len++] =
        (struct kt_roster_member){.number = number, .office = j->office, .agency = j->agency, .pub = j->pub};
    p->out->members[i] = number;
    p->out->fresh[i] = p->changed = true;
    return KT_OK;
}

/* Compartments and systems
 * --------------------------------------------------------------------------------------------- */

static struct kt_roster_compartment *compartment_named(struct plan *p, struct kt_bytes name)
{
    for (uint32_t i = 0; i < p->next.compartments_len; i++) {
        if (kt_bytes_equal(kt_str(p->compartments[i].name), name)) return &p->compartments[i];
    }
    return NULL;
}

static int need_compartment(struct plan *p, const char *name)
{
    if (compartment_named(p, kt_str(name))) return KT_OK;
    uint32_t n = p->next.compartments_len;
    if (name[0] == 0 || strlen(name) > KT_OFFICE_BYTES_MAX || strpbrk(name, ",=") || strcmp(name, "none") == 0)
        return refuse(p, KT_EINVAL, "\"%s\": not a name for a compartment: up to %u bytes without ',' and '='", name,
                      KT_OFFICE_BYTES_MAX);
    if (n == KT_COMPARTMENTS_MAX)
        return refuse(p, KT_EREFUSED, "there are %u compartments, and no more can be", KT_COMPARTMENTS_MAX);
    p->compartments[n] =
        (struct kt_roster_compartment){.number = p->compartments[n - 1].number + 1, .name = name, .epoch = 1};
    p->next.compartments_len++;
    p->changed = true;
    return KT_OK;
}

static int by_system_name(const void *a, const void *b)
{
    return strcmp(((const struct kt_roster_system *)a)->name, ((const struct kt_roster_system *)b)->name);
}

static int need_system(struct plan *p, const char *mapping)
{
    const char *equals = strchr(mapping, '=');
    if (!equals || equals == mapping || strchr(mapping, ':') || (size_t)(equals - mapping) > KT_OFFICE_BYTES_MAX)
        return refuse(p, KT_EINVAL, "\"%s\": write SYSTEM=COMPARTMENT, the system without ':'", mapping);
    int err = need_compartment(p, equals + 1);
    if (err) return err;
    kt_compartment c = compartment_named(p, kt_str(equals + 1))->number;
    struct kt_bytes name = kt_bytes(mapping, (size_t)(equals - mapping));
    for (uint32_t i = 0; i < p->next.systems_len; i++) {
        if (!kt_bytes_equal(kt_str(p->systems[i].name), name)) continue;
        if (p->systems[i].compartment == c) return KT_OK;
        return refuse(p, KT_EREFUSED, "\"%s\": the system is mapped to %s, where its data is: give it another name",
                      mapping, kt_roster_compartment(&p->next, p->systems[i].compartment)->name);
    }
    if (p->next.systems_len == KT_SYSTEMS_MAX)
        return refuse(p, KT_EREFUSED, "there are %u source systems, and no more can be", KT_SYSTEMS_MAX);
    struct kt_roster_system s = {kt_arena_str(&p->a->arena, name), c};
    if (!s.name) return KT_ENOMEM;
    p->systems[p->next.systems_len++] = s;
    qsort(p->systems, p->next.systems_len, sizeof(*p->systems), by_system_name);
    p->changed = true;
    return KT_OK;
}

/* Rights
 * --------------------------------------------------------------------------------------------------------------- */

static bool named(const struct kt_names *n, const char *name)
{
    for (uint32_t i = 0; i < n->len; i++) {
        if (strcmp(n->items[i], name) == 0) return true;
    }
    return false;
}

/* The members of a list and of this call's requests that get it, ascending. */
static int grant(struct plan *p, const struct kt_names *which, const char *name, const kt_member **list, uint32_t *len)
{
    kt_member *grown = copy_array(p, *list, *len, KT_MEMBERS_MAX, sizeof(*grown));
    if (!grown) return KT_ENOMEM;
    for (uint32_t i = 0; i < p->w->requests.len; i++) {
        bool gets = which->given ? named(which, name) : p->out->fresh[i];
        kt_member m = p->out->members[i];
        uint32_t at = 0;
        while (at < *len && grown[at] < m) at++;
        if (!gets || (at < *len && grown[at] == m)) continue;
        memmove(grown + at + 1, grown + at, (*len - at) * sizeof(*grown));
        grown[at] = m;
        ++*len;
        p->changed = true;
    }
    *list = grown;
    return KT_OK;
}

static int grant_all(struct plan *p)
{
    const struct kt_names *lists[] = {&p->w->read, &p->w->write};
    for (int l = 0; l < 2; l++) {
        for (uint32_t i = 0; i < lists[l]->len; i++) {
            if (!compartment_named(p, kt_str(lists[l]->items[i])))
                return refuse(p, KT_EINVAL, "no compartment \"%s\": name it with --compartment as well to make it",
                              lists[l]->items[i]);
        }
    }
    for (uint32_t i = 0; i < p->next.compartments_len; i++) {
        struct kt_roster_compartment *c = &p->compartments[i];
        int err = grant(p, &p->w->read, c->name, &c->readers, &c->readers_len);
        if (!err) err = grant(p, &p->w->write, c->name, &c->writers, &c->writers_len);
        if (err) return err;
    }
    return KT_OK;
}

/* Keys and bundles
 * ----------------------------------------------------------------------------------------------------- */

/* New keys for a compartment the newest roster does not know; also where a call that was cut short has left some. */
static int keys_of(struct plan *p, kt_compartment c, struct kt_compartment_keys **out)
{
    char name[32], path[KT_PATH_MAX];
    if (kt_roster_compartment(p->a->newest, c)) return kt_authority_keys_load(p->a, c, out);
    snprintf(name, sizeof(name), "keys.%u", c);
    int err = kt_path_join(p->a->dir, name, path);
    if (err) return err;
    struct kt_buf left;
    kt_buf_init(&left, KT_BUNDLE_BYTES_MAX + 1);
    bool there = kt_file_read(path, KT_BUNDLE_BYTES_MAX, &left) == KT_OK;
    kt_buf_free(&left);
    if (there) return kt_authority_keys_load(p->a, c, out);
    err = kt_authority_keys_make(p->a, c, out);
    if (err) return err;
    err = kt_authority_keys_save(p->a, *out);
    if (err) {
        kt_compartment_keys_free(*out);
        *out = NULL;
    }
    return err;
}

static bool has_bundle(const struct plan *p, kt_compartment c, kt_member m)
{
    for (uint32_t i = 0; i < p->next.bundles_len; i++) {
        if (p->bundles[i].compartment == c && p->bundles[i].member == m) return true;
    }
    return false;
}

static int seal_bundle(struct plan *p, const struct kt_compartment_keys *k, const struct kt_roster_member *m)
{
    struct kt_buf b;
    if (p->next.bundles_len == KT_BUNDLES_MAX)
        return refuse(p, KT_EREFUSED, "there are %u bundles, and no more can be", KT_BUNDLES_MAX);
    kt_buf_init(&b, KT_BUNDLE_BYTES_MAX);
    int err = kt_bundle_seal(k, m->pub.receive, &b);
    if (!err) {
        struct kt_roster_bundle row = {k->compartment, m->number, kt_bundle_hash(kt_buf_bytes(&b))};
        err = kt_authority_bundle_save(p->a, kt_buf_bytes(&b), row.hash);
        p->bundles[p->next.bundles_len++] = row;
    }
    kt_buf_free(&b);
    return err;
}

static int seal_compartment(struct plan *p, const struct kt_roster_compartment *c)
{
    struct kt_compartment_keys *k = NULL;
    int err = keys_of(p, c->number, &k);
    for (uint32_t i = 0; i < c->readers_len && !err; i++) {
        if (has_bundle(p, c->number, c->readers[i])) continue;
        err = seal_bundle(p, k, kt_roster_member(&p->next, c->readers[i]));
    }
    kt_compartment_keys_free(k);
    return err;
}

static int by_bundle(const void *x, const void *y)
{
    const struct kt_roster_bundle *a = x, *b = y;
    if (a->compartment != b->compartment) return a->compartment < b->compartment ? -1 : 1;
    return (a->member > b->member) - (a->member < b->member);
}

static int issue(struct plan *p)
{
    if (!p->changed) return KT_OK;
    for (uint32_t i = 0; i < p->next.compartments_len; i++) {
        int err = seal_compartment(p, &p->compartments[i]);
        if (err) return err;
    }
    qsort(p->bundles, p->next.bundles_len, sizeof(*p->bundles), by_bundle);
    int err = kt_authority_issue(p->a, &p->next);
    if (err == KT_EOVERSIZE)
        return refuse(p, KT_EREFUSED,
                      "the roster would be longer than a roster may be: admit fewer, or with fewer rights");
    p->out->issued = !err;
    return err;
}

/* Admissions
 * ----------------------------------------------------------------------------------------------------------- */

static int write_admission(struct plan *p, uint32_t i, struct kt_admission *all)
{
    const struct kt_roster *r = p->a->newest;
    struct kt_certificate c = {.cluster = r->cluster,
                               .member = p->out->members[i],
                               .pub = p->joins[i].pub,
                               .roster_version = r->version,
                               .not_after_ms = p->w->now_ms + p->w->days * UINT64_C(86400000)};
    char path[KT_PATH_MAX];
    struct kt_buf certificate, b;

    kt_buf_init(&certificate, KT_HANDSHAKE_FRAME_BYTES_MAX);
    kt_buf_init(&b, KT_ADMISSION_BYTES_MAX);
    int err =
        kt_certificate_encode(&c, &p->a->signer, (const uint8_t(*)[64]) & p->a->secrets->sign_secret, 1, &certificate);
    all->certificate = kt_buf_bytes(&certificate);
    if (!err) err = kt_admission_encode(all, &b);
    if (!err) err = admission_path(p->w->requests.items[i], path);
    if (!err && (err = kt_file_write(path, 0644, KT_FILE_REPLACE, kt_buf_bytes(&b))))
        refuse(p, err, "%s: %s: mend that, then give the same command again", path, kt_error_text(err));
    kt_buf_free(&certificate);
    kt_buf_free(&b);
    return err;
}

static int write_admissions(struct plan *p)
{
    const struct kt_roster *r = p->a->newest;
    struct kt_admission all = {
        .rosters = p->a->rosters, .rosters_len = p->a->rosters_len, .bundles_len = r->bundles_len};
    all.bundles = kt_arena_array(&p->a->arena, r->bundles_len + 1, sizeof(*all.bundles));
    if (!all.bundles) return KT_ENOMEM;
    int err = KT_OK;
    for (uint32_t i = 0; i < r->bundles_len && !err; i++)
        err = kt_authority_bundle_load(p->a, &r->bundles[i].hash, &all.bundles[i]);
    for (uint32_t i = 0; i < p->w->requests.len && !err; i++) err = write_admission(p, i, &all);
    return err;
}

int kt_authority_admit(struct kt_authority *a, const struct kt_admit_wish *w, struct kt_admit_outcome *out)
{
    struct plan p = {.a = a, .w = w, .out = out};
    memset(out, 0, sizeof(*out));
    int err = start(&p);
    for (uint32_t i = 0; i < w->requests.len && !err; i++) err = read_join(&p, i);
    for (uint32_t i = 0; i < w->requests.len && !err; i++) err = add_member(&p, i);
    for (uint32_t i = 0; i < w->compartments.len && !err; i++) err = need_compartment(&p, w->compartments.items[i]);
    for (uint32_t i = 0; i < w->systems.len && !err; i++) err = need_system(&p, w->systems.items[i]);
    if (!err) err = grant_all(&p);
    if (!err) err = issue(&p);
    if (!err) err = write_admissions(&p);
    out->version = a->newest->version;
    return err;
}
