/* What people call the service desk about: one person's cases with everything under them. */
#ifndef KT_SUPPORT_GENERATE_DESK_H
#define KT_SUPPORT_GENERATE_DESK_H

#include "support/generate/json.h"
#include "support/generate/random.h"

/* Whether the next record belongs to the part that is being printed; a stream of its own, so that what is printed does
 * not depend on how many parts there are. */
struct sorter {
    struct chance chance;
    uint32_t part, parts;
};
bool sorter_takes(struct sorter *s);

/* Prints the cases of the person `number`, whose customer record is `ref`.  All lines of one case go to one part. */
void desk_print(uint32_t number, const char *ref, struct chance *c, struct sorter *s, struct json *j);

/* An ISO date `days` after 2024-01-01, without a time; for days 0 to 1000. */
struct iso_date {
    char text[11];
};
struct iso_date iso_date_after(unsigned days);

#endif
