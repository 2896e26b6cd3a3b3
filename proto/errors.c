#include "proto/errors.h"

#include <stddef.h>

struct error_words {
    int code;
    const char *name, *text, *advice;
};

static const struct error_words words[] = {{KT_OK, "KT_OK", "done", "nothing"},
#define KT_ERROR_WORDS(name, number, what, todo) {number, #name, what, todo},
                                           KT_ERRORS(KT_ERROR_WORDS)
#undef KT_ERROR_WORDS
};

/* Never NULL: a number outside the table is itself a bug worth reporting. */
static const struct error_words *find(int code)
{
    static const struct error_words unknown = {0, "KT_EUNKNOWN", "an unknown error", "report it with the log"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i].code == code) return &words[i];
    return &unknown;
}

const char *kt_error_name(int code) { return find(code)->name; }
const char *kt_error_text(int code) { return find(code)->text; }
const char *kt_error_advice(int code) { return find(code)->advice; }
