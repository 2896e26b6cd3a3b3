/* What the fuzz targets share: the entry that libFuzzer (or replay.c) calls, an arena with a cap, and a demand that
 * ends the process, so that whoever drives keeps the input. */
#ifndef KT_TESTS_FUZZ_H
#define KT_TESTS_FUZZ_H

#include "proto/arena.h"
#include "proto/buffer.h"

#include <stdio.h>
#include <stdlib.h>

#define FUZZ_ARENA_BYTES (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static inline void fuzz_must(bool true_, const char *what)
{
    if (true_) return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

#endif
