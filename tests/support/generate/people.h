/* A population of invented people, and what three source systems and a service desk know about them.
 *
 * The whole is a function of the seed and the number of people, however many parts it is printed in: each record
 * belongs to exactly one part, chosen by chance, so that one person's records come in at several offices, in any order.
 * No name, number or address is anybody's: names are put together from tables, telephone numbers begin with codes that
 * are not in service, e-mail addresses end in the domains reserved for examples (RFC 2606). */
#ifndef KT_SUPPORT_GENERATE_PEOPLE_H
#define KT_SUPPORT_GENERATE_PEOPLE_H

#include "support/generate/json.h"

#include <stdint.h>

struct population {
    uint64_t seed;
    uint32_t people;
    uint32_t part, parts; /* which records to print: part from 1; part 0 prints all */
};

/* Prints what is known about one person (from 0) and belongs to the part, one JSON line a record:
 *   revenue:P-n   everybody, with tax number, phones, e-mail, address, occupation
 *   motor:M-n     one in four, as another clerk wrote it down: Latin letters, typing mistakes, numbers of its own;
 *                 with a driving licence, and for most of them a link that says how sure the match is
 *   health:H-n    one in ten
 *   311:SR-n-k    0 to 2 cases, each with interactions on any channel, and later changes of status */
void population_print(const struct population *p, uint32_t person, FILE *out);

#endif
