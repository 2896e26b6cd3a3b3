#include "client/cli/authority/offline.h"

#include <argp.h>
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { EXIT_NONE = 1, EXIT_USAGE = 2, EXIT_REFUSED = 4, EXIT_DAMAGED = 5 };

int kt_offline_exit(int err)
{
    static const struct {
        int err, status;
    } table[] = {
        {KT_OK,         0           },
        {KT_ENOTFOUND,  EXIT_NONE   },
        {KT_EINVAL,     EXIT_USAGE  },
        {KT_EUTF8,      EXIT_USAGE  },
        {KT_EOVERSIZE,  EXIT_USAGE  },
        {KT_EDAMAGED,   EXIT_DAMAGED},
        {KT_EOPEN,      EXIT_DAMAGED},
        {KT_EHASH,      EXIT_DAMAGED},
        {KT_EMALFORMED, EXIT_DAMAGED},
        {KT_ETRUNCATED, EXIT_DAMAGED},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table)[0]; i++) {
        if (table[i].err == err) return table[i].status;
    }
    return EXIT_REFUSED;
}

int kt_offline_fail(const char *command, const char *about, int err, const char *advice)
{
    int why = errno;
    fprintf(stderr, "%s: %s: %s", command, about, kt_error_text(err));
    if (err == KT_EIO && why) fprintf(stderr, " (%s)", strerror(why));
    fprintf(stderr, ": %s\n", advice ? advice : kt_error_advice(err));
    return kt_offline_exit(err);
}

int kt_offline_start(void)
{
    static const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 || sodium_init() < 0) return KT_EBUG;
    return KT_OK;
}

static void say_usage(FILE *to, const char *group, const struct kt_subcommand *list, unsigned n)
{
    fprintf(to, "Usage: %s COMMAND ...\n\n", group);
    for (unsigned i = 0; i < n; i++) fprintf(to, "  %-8s %s\n", list[i].name, list[i].what);
    fprintf(to, "\n\"%s COMMAND --help\" says more.\n", group);
}

int kt_offline_dispatch(const char *group, const struct kt_subcommand *list, unsigned n, int argc, char **argv)
{
    char name[64];
    argp_err_exit_status = EXIT_USAGE;
    for (unsigned i = 0; argc > 1 && i < n; i++) {
        if (strcmp(argv[1], list[i].name) != 0) continue;
        int err = kt_offline_start();
        if (err) return kt_offline_fail(group, "start", err, NULL);
        snprintf(name, sizeof(name), "%s", list[i].full);
        argv[1] = name;
        return list[i].run(argc - 1, argv + 1);
    }
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0);
    if (argc > 1 && !help) fprintf(stderr, "%s: no command \"%s\"\n", group, argv[1]);
    say_usage(help ? stdout : stderr, group, list, n);
    return help ? 0 : EXIT_USAGE;
}
