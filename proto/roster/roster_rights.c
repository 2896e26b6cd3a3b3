/* What a roster says about a member, a compartment, a source system; pure look-ups in its sorted lists. */
#include "proto/roster/roster.h"

#include <stdlib.h>

static int by_number(const void *key, const void *row) /* numbers stand first in members and compartments alike */
{
    uint32_t a = *(const uint32_t *)key, b = *(const uint32_t *)row;
    return (a > b) - (a < b);
}
_Static_assert(offsetof(struct kt_roster_member, number) == 0, "by_number reads it there");
_Static_assert(offsetof(struct kt_roster_compartment, number) == 0, "by_number reads it there");

static const void *find(uint32_t number, const void *rows, uint32_t n, size_t size)
{
    return n ? bsearch(&number, rows, n, size, by_number) : NULL;
}

const struct kt_roster_member *kt_roster_member(const struct kt_roster *r, kt_member number)
{
    return find(number, r->members, r->members_len, sizeof(*r->members));
}

const struct kt_roster_compartment *kt_roster_compartment(const struct kt_roster *r, kt_compartment number)
{
    return find(number, r->compartments, r->compartments_len, sizeof(*r->compartments));
}

const struct kt_roster_compartment *kt_roster_compartment_named(const struct kt_roster *r, const char *name)
{
    for (uint32_t i = 0; i < r->compartments_len; i++) {
        if (strcmp(r->compartments[i].name, name) == 0) return &r->compartments[i];
    }
    return NULL;
}

static bool belongs(const struct kt_roster *r, kt_member m)
{
    const struct kt_roster_member *row = kt_roster_member(r, m);
    return row && !row->revoked;
}

bool kt_roster_may_read(const struct kt_roster *r, kt_member m, kt_compartment c)
{
    const struct kt_roster_compartment *row = kt_roster_compartment(r, c);
    return row && belongs(r, m) && find(m, row->readers, row->readers_len, sizeof(kt_member));
}

bool kt_roster_may_write(const struct kt_roster *r, kt_member m, kt_compartment c)
{
    const struct kt_roster_compartment *row = kt_roster_compartment(r, c);
    return row && belongs(r, m) && find(m, row->writers, row->writers_len, sizeof(kt_member));
}

static int by_name(const void *key, const void *row)
{
    const struct kt_bytes *name = key;
    const char *other = ((const struct kt_roster_system *)row)->name;
    int c = strncmp((const char *)name->data, other, name->len);
    return c ? c : -(other[name->len] != 0);
}

kt_compartment kt_roster_system(const struct kt_roster *r, struct kt_bytes name)
{
    if (name.len == 0 || r->systems_len == 0 || memchr(name.data, 0, name.len)) return 0;
    const struct kt_roster_system *s = bsearch(&name, r->systems, r->systems_len, sizeof(*s), by_name);
    return s ? s->compartment : 0;
}

/* One scope: all compartments (0), or one. */
static uint64_t cut_in(const struct kt_roster *r, struct kt_origin o, kt_compartment scope, bool cut_anyway)
{
    bool any = cut_anyway;
    uint64_t others = 0;
    for (uint32_t i = 0; i < r->cuts_len; i++) {
        const struct kt_cut *c = &r->cuts[i];
        if (c->member != o.member || c->compartment != scope) continue;
        if (c->incarnation == o.incarnation) return c->last;
        if (c->incarnation == KT_INCARNATION_OTHERS) others = c->last;
        any = true;
    }
    return any ? others : UINT64_MAX;
}

uint64_t kt_roster_cut(const struct kt_roster *r, struct kt_origin o, kt_compartment c)
{
    const struct kt_roster_member *m = kt_roster_member(r, o.member);
    uint64_t whole = cut_in(r, o, 0, m && m->revoked); /* what a revocation does not name is cut at nothing */
    uint64_t here = c ? cut_in(r, o, c, false) : UINT64_MAX;
    return whole < here ? whole : here;
}
