/* The customers of a bench: each with a tax number, two ways to be reached, an address and an occupation, one case and
 * two interactions; about 1.5 KiB as a view.  Numbers have fixed widths, so that requests can be changed in place. */
#ifndef KT_BENCH_PEOPLE_H
#define KT_BENCH_PEOPLE_H

#include "support/asker.h"

#define PEOPLE_DIGITS 9u /* of C-000000001 and of the tax number 700000001 */
#define PEOPLE_TAX    700000000u

/* Puts customers 0 to n - 1. */
bool people_put(struct asker *a, uint32_t n);
/* A put of one customer's occupation alone. */
void people_occupation(uint32_t customer, uint64_t job, char *out, size_t cap);

#endif
