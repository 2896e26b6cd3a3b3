#include "client/cli/authority/authority_show.h"

#include "client/cli/authority/offline.h"

#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

struct arguments {
    const char *dir;
    bool json;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'j':
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->dir) argp_error(state, "one folder only");
        a->dir = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->dir) argp_error(state, "say which folder the authority is in");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What a member may do, by the names of compartments. */
static json_t *rights(const struct kt_roster *r, kt_member m,
                      bool (*may)(const struct kt_roster *, kt_member, kt_compartment))
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < r->compartments_len; i++) {
        if (may(r, m, r->compartments[i].number)) json_array_append_new(list, json_string(r->compartments[i].name));
    }
    return list;
}

static json_t *member(const struct kt_roster *r, const struct kt_roster_member *m)
{
    char sign[2 * KT_PUBLIC_KEY_BYTES + 1], session[2 * KT_PUBLIC_KEY_BYTES + 1];
    kt_hex(KT_BYTES_OF(m->pub.sign), sign);
    kt_hex(KT_BYTES_OF(m->pub.session), session);
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:b, s:o, s:o}", "number", (int)m->number, "office", m->office,
                     "agency", m->agency, "key", sign, "node_key", session, "revoked", m->revoked, "read",
                     rights(r, m->number, kt_roster_may_read), "write", rights(r, m->number, kt_roster_may_write));
}

static json_t *describe(const struct kt_roster *r)
{
    char cluster[2 * KT_CLUSTER_BYTES + 1], hash[2 * KT_HASH_BYTES + 1], issued[32];
    time_t seconds = (time_t)(r->issued_ms / 1000);
    struct tm utc;
    json_t *members = json_array(), *compartments = json_array(), *systems = json_object();

    kt_hex(KT_BYTES_OF(r->cluster.b), cluster);
    kt_hex(KT_BYTES_OF(r->hash.b), hash);
    strftime(issued, sizeof(issued), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
    for (uint32_t i = 0; i < r->members_len; i++) json_array_append_new(members, member(r, &r->members[i]));
    for (uint32_t i = 0; i < r->compartments_len; i++)
        json_array_append_new(compartments, json_string(r->compartments[i].name));
    for (uint32_t i = 0; i < r->systems_len; i++)
        json_object_set_new(systems, r->systems[i].name,
                            json_string(kt_roster_compartment(r, r->systems[i].compartment)->name));
    return json_pack("{s:s, s:s, s:i, s:s, s:s, s:i, s:i, s:o, s:o, s:o}", "organisation", r->organisation, "cluster",
                     cluster, "version", (int)r->version, "hash", hash, "issued", issued, "threshold",
                     (int)r->threshold, "signers", (int)r->signers_len, "compartments", compartments, "systems",
                     systems, "members", members);
}

static void say_list(const char *what, const json_t *list)
{
    size_t i;
    json_t *item;
    printf("  %s ", what);
    json_array_foreach(list, i, item) printf("%s%s", i ? ", " : "", json_string_value(item));
    puts(json_array_size(list) ? "" : "nothing");
}

static void say(json_t *d)
{
    size_t i;
    const char *name;
    json_t *item;
    printf("%s, organisation %s\nroster %d of %s, hash %s\n", json_string_value(json_object_get(d, "organisation")),
           json_string_value(json_object_get(d, "cluster")), (int)json_integer_value(json_object_get(d, "version")),
           json_string_value(json_object_get(d, "issued")), json_string_value(json_object_get(d, "hash")));
    printf("compartments");
    json_array_foreach(json_object_get(d, "compartments"), i, item)
        printf("%s %s", i ? "," : "", json_string_value(item));
    printf("\n");
    json_object_foreach(json_object_get(d, "systems"), name, item)
        printf("source system %s belongs to %s\n", name, json_string_value(item));
    json_array_foreach(json_object_get(d, "members"), i, item)
    {
        const char *agency = json_string_value(json_object_get(item, "agency"));
        printf("member %d: %s%s%s%s\n", (int)json_integer_value(json_object_get(item, "number")),
               json_string_value(json_object_get(item, "office")), agency[0] ? ", " : "", agency,
               json_is_true(json_object_get(item, "revoked")) ? " (revoked)" : "");
        printf("  node key %s\n", json_string_value(json_object_get(item, "node_key")));
        say_list("reads ", json_object_get(item, "read"));
        say_list("writes", json_object_get(item, "write"));
    }
}

int kt_authority_show(int argc, char **argv)
{
    static const struct argp_option options[] = {{"json", 'j', NULL, 0, "As one JSON document", 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        "DIR",
        "Show the organisation as its newest roster has it, after checking the whole chain."
        "\vExample:\n  kontor authority show /media/safe/authority\n",
        NULL,
        NULL,
        NULL};
    struct arguments a = {0};
    struct kt_authority authority;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    int err = kt_authority_open(&authority, a.dir);
    if (err) return kt_offline_fail(argv[0], authority.at_fault, err, kt_authority_advice(err));
    json_t *d = describe(authority.newest);
    if (a.json) {
        json_dumpf(d, stdout, JSON_INDENT(1));
        printf("\n");
    } else {
        say(d);
    }
    json_decref(d);
    kt_authority_close(&authority);
    return 0;
}
