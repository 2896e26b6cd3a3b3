/* One call of "kontor authority admit": new members, compartments, source systems and rights in one new roster. */
#ifndef KT_CLI_AUTHORITY_ADMIT_H
#define KT_CLI_AUTHORITY_ADMIT_H

#include "client/cli/authority/authority_store.h"

#define KT_ADMIT_NAMES_MAX 1024u /* of each kind on one command line */

struct kt_names {
    const char *items[KT_ADMIT_NAMES_MAX];
    uint32_t len;
    bool given; /* an empty list was asked for, rather than none */
};

struct kt_admit_wish {
    struct kt_names compartments; /* to be there afterwards */
    struct kt_names systems;      /* "SYSTEM=COMPARTMENT" */
    struct kt_names read, write;  /* compartments by name; not given: all */
    struct kt_names requests;     /* paths of join requests */
    uint32_t days;                /* how long the certificates are good */
    uint64_t now_ms;
};

struct kt_admit_outcome {
    uint32_t version;                      /* of the newest roster afterwards */
    bool issued;                           /* a new one was issued */
    kt_member members[KT_ADMIT_NAMES_MAX]; /* of each request, in order */
    bool fresh[KT_ADMIT_NAMES_MAX];        /* it is new; else its admission was written again */
    char why[KT_PATH_MAX + 256];           /* after a failure: what is wrong and what to do */
};

/* Everything or nothing but for files that nobody refers to: keys and bundles are saved first, then the roster, then
 * the admissions, so that the same call mends one that was cut short.  A member that is in the roster already gains the
 * rights --read and --write name and is given its admission again.
 * KT_EINVAL: what was asked makes no sense; KT_EREFUSED: it may not be; KT_EDAMAGED; others of files. */
int kt_authority_admit(struct kt_authority *a, const struct kt_admit_wish *w, struct kt_admit_outcome *out) KT_MUST;

#endif
