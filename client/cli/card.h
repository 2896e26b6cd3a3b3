/* An answer as a card for people to read, in plain text; what a terminal might take for a command is left out. */
#ifndef KT_CLI_CARD_H
#define KT_CLI_CARD_H

#include <jansson.h>
#include <stdio.h>

/* The document of kt_json_lookup. */
void kt_card_print(const json_t *answer, FILE *to);

/* Text from elsewhere on its way to a terminal: control characters become blanks.  Also for other commands. */
void kt_card_text(const char *text, FILE *to);
/* One value on one line: text as it is, objects as "a b c", lists with commas. */
void kt_card_value(const json_t *value, FILE *to);

#endif
