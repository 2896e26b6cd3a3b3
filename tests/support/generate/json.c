#include "support/generate/json.h"

#include <stdarg.h>

static void member(struct json *j, const char *key)
{
    if (j->comma) putc(',', j->out);
    if (key) fprintf(j->out, "\"%s\":", key);
    j->comma = true;
}

void json_open(struct json *j, const char *key, char open)
{
    member(j, key);
    putc(open, j->out);
    j->comma = false;
}

void json_close(struct json *j, char close)
{
    putc(close, j->out);
    j->comma = true;
}

void json_line(struct json *j)
{
    putc('\n', j->out);
    j->comma = false;
}

void json_text(struct json *j, const char *key, const char *format, ...)
{
    char text[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    member(j, key);
    putc('"', j->out);
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') putc('\\', j->out);
        if ((unsigned char)*c < ' ')
            fprintf(j->out, "\\u%04x", (unsigned char)*c);
        else
            putc(*c, j->out);
    }
    putc('"', j->out);
}

void json_number(struct json *j, const char *key, const char *digits)
{
    member(j, key);
    fputs(digits, j->out);
}
