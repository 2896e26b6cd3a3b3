/* kontor authority init | admit | show */
#include "client/cli/authority/authority.h"

#include "client/cli/authority/authority_admit.h"
#include "client/cli/authority/authority_show.h"
#include "client/cli/authority/offline.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DAYS_DEFAULT 3652u /* ten years */
#define DAYS_MAX     36525u

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* init
 * ----------------------------------------------------------------------------------------------------------------- */

struct init_arguments {
    const char *dir, *organisation;
};

static error_t parse_init(int key, char *text, struct argp_state *state)
{
    struct init_arguments *a = state->input;
    switch (key) {
    case 'o':
        a->organisation = text;
        return 0;
    case ARGP_KEY_ARG:
        if (a->dir) argp_error(state, "one folder only");
        a->dir = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->dir) argp_error(state, "say which folder to make");
        if (!a->organisation || !a->organisation[0]) argp_error(state, "say --organisation NAME");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_init(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"organisation", 'o', "NAME", 0, "What the organisation is called", 0},
        {0},
    };
    static const struct argp argp = {
        options,
        parse_init,
        "DIR",
        "Found an organisation: make DIR with the authority's keys (mode 0600), the keys of the compartment core and "
        "the "
        "first signed roster.  Keep DIR offline, and keep a copy: who has it decides who is a member."
        "\vExample:\n  kontor authority init /media/safe/authority --organisation \"City of Wismar\"\n",
        NULL,
        NULL,
        NULL};
    struct init_arguments a = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    int err = kt_authority_found(a.dir, a.organisation, now_ms());
    if (err == KT_EDUPLICATE)
        return kt_offline_fail(argv[0], a.dir, KT_EREFUSED,
                               "there is an authority in it already: choose another folder");
    if (err == KT_EUTF8 || err == KT_EOVERSIZE)
        return kt_offline_fail(argv[0], "--organisation", err, "use up to 256 bytes of plain text");
    if (err) return kt_offline_fail(argv[0], a.dir, err, err == KT_EIO ? "check the folder and its rights" : NULL);
    printf("%s: organisation \"%s\" founded, roster 1 signed.  Keep this folder offline, and keep a copy of it.\n",
           a.dir, a.organisation);
    return 0;
}

/* admit
 * ---------------------------------------------------------------------------------------------------------------- */

struct admit_arguments {
    const char *dir;
    struct kt_admit_wish wish;
};

static void add_name(struct argp_state *state, struct kt_names *n, const char *name)
{
    if (n->len == KT_ADMIT_NAMES_MAX) argp_error(state, "more than %u of one kind", KT_ADMIT_NAMES_MAX);
    n->given = true;
    n->items[n->len++] = name;
}

/* "core,revenue" or "none"; cuts the argument apart in place. */
static void add_list(struct argp_state *state, struct kt_names *n, char *text)
{
    char *rest = NULL;
    n->given = true;
    if (strcmp(text, "none") == 0) return;
    for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) add_name(state, n, name);
    if (n->len == 0) argp_error(state, "name compartments, or say none");
}

static error_t parse_admit(int key, char *text, struct argp_state *state)
{
    struct admit_arguments *a = state->input;
    char *end;
    switch (key) {
    case 'c':
        add_name(state, &a->wish.compartments, text);
        return 0;
    case 's':
        add_name(state, &a->wish.systems, text);
        return 0;
    case 'r':
        add_list(state, &a->wish.read, text);
        return 0;
    case 'w':
        add_list(state, &a->wish.write, text);
        return 0;
    case 'd': {
        unsigned long days = strtoul(text, &end, 10);
        if (*end || end == text || days < 1 || days > DAYS_MAX) argp_error(state, "--days: from 1 to %u", DAYS_MAX);
        a->wish.days = (uint32_t)days;
        return 0;
    }
    case ARGP_KEY_ARG:
        if (a->dir)
            add_name(state, &a->wish.requests, text);
        else
            a->dir = text;
        return 0;
    case ARGP_KEY_END:
        if (!a->dir) argp_error(state, "say which folder the authority is in");
        if (!a->wish.requests.len && !a->wish.compartments.len && !a->wish.systems.len)
            argp_error(state, "give at least one join.request, --compartment or --system");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option ADMIT_OPTIONS[] = {
    {"compartment", 'c', "NAME", 0, "Make this compartment, with keys of its own, where there is none (repeatable)", 0},
    {"system", 's', "SYSTEM=COMPARTMENT", 0,
     "What this source system says belongs to this compartment, made where there is none (repeatable)", 0},
    {"read", 'r', "C1,C2|none", 0, "Compartments the members of this call may read (default: all)", 0},
    {"write", 'w', "C1,C2|none", 0, "Compartments they may write (default: all)", 0},
    {"days", 'd', "DAYS", 0, "How long their certificates are good (default: 3652, ten years)", 0},
    {0},
};
static const struct argp ADMIT = {
    ADMIT_OPTIONS,
    parse_admit,
    "DIR [REQUEST...]",
    "Admit the nodes that wrote these join requests: one new signed roster, and beside each request a file `admission` "
    "for "
    "its node.  A node that is a member already is given its admission again, and gains the rights named."
    "\vExamples:\n"
    "  kontor authority admit AUTHORITY --system revenue=revenue --system 311=core office-1/join.request "
    "office-2/join.request\n"
    "  kontor authority admit AUTHORITY --read core --write core kiosk/join.request\n",
    NULL,
    NULL,
    NULL};

static int report(const struct admit_arguments *a, const struct kt_admit_outcome *o)
{
    for (uint32_t i = 0; i < a->wish.requests.len; i++) {
        printf("%s: member %u, %s\n", a->wish.requests.items[i], o->members[i],
               o->fresh[i] ? "admitted" : "a member already; its admission is written again");
    }
    printf("%s: roster %u%s\n", a->dir, o->version, o->issued ? " signed" : ", nothing new in it");
    return 0;
}

static int run_admit(int argc, char **argv)
{
    struct admit_arguments *a = calloc(1, sizeof(*a));
    struct kt_admit_outcome *o = calloc(1, sizeof(*o));
    struct kt_authority authority;
    int status;
    if (!a || !o) {
        status = kt_offline_fail(argv[0], "start", KT_ENOMEM, NULL);
        goto out;
    }
    a->wish.days = DAYS_DEFAULT;
    a->wish.now_ms = now_ms();
    argp_parse(&ADMIT, argc, argv, 0, NULL, a);
    int err = kt_authority_open(&authority, a->dir);
    if (err) {
        status = kt_offline_fail(argv[0], authority.at_fault, err, kt_authority_advice(err));
        goto out;
    }
    err = kt_authority_admit(&authority, &a->wish, o);
    if (!err) {
        status = report(a, o);
    } else if (o->why[0]) {
        fprintf(stderr, "%s: %s\n", argv[0], o->why);
        status = kt_offline_exit(err);
    } else {
        status = kt_offline_fail(argv[0], authority.at_fault, err, NULL);
    }
    kt_authority_close(&authority);
out:
    free(a);
    free(o);
    return status;
}

int kt_cli_authority(int argc, char **argv)
{
    static const struct kt_subcommand list[] = {
        {"init", "kontor authority init", "found an organisation", run_init},
        {"admit", "kontor authority admit", "admit nodes, make compartments, map source systems", run_admit},
        {"show", "kontor authority show", "show members, rights, compartments and source systems", kt_authority_show},
    };
    return kt_offline_dispatch("kontor authority", list, sizeof(list) / sizeof(list)[0], argc, argv);
}
