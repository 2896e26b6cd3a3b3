/* One line of JSON on its way to a file: members one after the other, commas where they belong.
 *
 * Text is UTF-8 and is escaped here.  Keys are C identifiers and are not.  Errors stay in the FILE (ferror). */
#ifndef KT_SUPPORT_GENERATE_JSON_H
#define KT_SUPPORT_GENERATE_JSON_H

#include <stdbool.h>
#include <stdio.h>

struct json {
    FILE *out;
    bool comma; /* something stands before the next member */
};

/* `open` and `close` are a bracket or brace; key is NULL inside an array. */
void json_open(struct json *j, const char *key, char open);
void json_close(struct json *j, char close);
void json_line(struct json *j); /* ends the line */
__attribute__((format(printf, 3, 4))) void json_text(struct json *j, const char *key, const char *format, ...);
void json_number(struct json *j, const char *key, const char *digits);

#endif
