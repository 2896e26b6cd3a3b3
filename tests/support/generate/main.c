/* kontor-generate: a town of invented people as JSON lines for "kontor put", the same for the same seed. */
#include "support/generate/people.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

enum { PEOPLE_MAX = 1000000 };

static int usage(FILE *out, int status)
{
    fputs("usage: kontor-generate [--seed N] [--customers N] [--part I/K]\n"
          "Prints what several source systems know about N invented people (default 1000, at most 1000000), one JSON\n"
          "line a record.  --part I/K prints the I-th of K parts, which hold each record once between them.\n",
          out);
    return status;
}

static bool number(const char *text, char end, unsigned long long max, unsigned long long *out, const char **rest)
{
    char *at;
    if (*text < '0' || *text > '9') return false;
    errno = 0;
    *out = strtoull(text, &at, 10);
    *rest = at + 1;
    return !errno && *out <= max && *at == end;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed",      required_argument, NULL, 's'},
        {"customers", required_argument, NULL, 'c'},
        {"part",      required_argument, NULL, 'p'},
        {"help",      no_argument,       NULL, 'h'},
        {NULL,        0,                 NULL, 0  },
    };
    unsigned long long seed = 1, people = 1000, part = 0, parts = 1;
    const char *rest;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        bool good = false;
        if (o == 'h') return usage(stdout, 0);
        if (o == 's') good = number(optarg, 0, UINT64_MAX, &seed, &rest);
        if (o == 'c') good = number(optarg, 0, PEOPLE_MAX, &people, &rest);
        if (o == 'p')
            good = number(optarg, '/', 1000, &part, &rest) && number(rest, 0, 1000, &parts, &rest) && part > 0 &&
                   part <= parts;
        if (!good) return usage(stderr, 2);
    }
    if (optind != argc) return usage(stderr, 2);
    struct population p = {seed, (uint32_t)people, (uint32_t)part, (uint32_t)parts};
    for (uint32_t i = 0; i < p.people; i++) population_print(&p, i, stdout);
    if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
    fputs("kontor-generate: the output cannot be written: check the disk\n", stderr);
    return 1;
}
