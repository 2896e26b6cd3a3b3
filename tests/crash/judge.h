/* The judge: a data_dir after a crash is opened by the product, and everything its notebook says must be true of it. */
#ifndef KT_CRASH_JUDGE_H
#define KT_CRASH_JUDGE_H

#include "crash/notebook.h"

#include <stdbool.h>

/* Opens BASE/disk/home, holds it against the book, verifies it, has it write once more (above all it ever stamped),
 * stops it cleanly and opens it again.  true: all is well; else `why` says what is not. */
bool judge(const char *base, const struct book *b, char why[512]);

#endif
