/* kontord: one node of an office.  Arguments, configuration, run. */
#include "host/daemon.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

const char *argp_program_version = "kontord 0.1";

struct arguments {
    const char *config;
    bool check_config, verify;
};

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "the configuration, such as /etc/kontor/kontord.conf (see ops/kontord.conf)", 0},
    {"check-config", 'n', NULL, 0, "read the configuration, say what is wrong with it, and end", 0},
    {"verify", 'V', NULL, 0, "check all that this stopped node has stored, print a report, and end", 0},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'c':
        a->config = value;
        return 0;
    case 'n':
        a->check_config = true;
        return 0;
    case 'V':
        a->verify = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "%s: not expected", value);
        return 0;
    case ARGP_KEY_END:
        if (!a->config) argp_error(state, "--config FILE is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int verify(const struct kt_config *c, struct kt_log *log)
{
    struct kt_buf json;
    kt_buf_init(&json, 1u << 20);
    const int e = kt_daemon_verify(c, log, &json);
    if (json.len) printf("%.*s\n", (int)json.len, (const char *)json.data);
    kt_buf_free(&json);
    return e == KT_OK ? 0 : e == KT_EDAMAGED ? 5 : 3;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        options, parse,
        NULL,    "Run one node of a regional office.  Example:\n\n  kontord --config /etc/kontor/kontord.conf",
        NULL,    NULL,
        NULL};
    struct arguments a = {0};
    struct kt_config config;
    struct kt_log *log;
    char why[KT_CONFIG_WHY_BYTES_MAX];
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (kt_config_load(a.config, &config, why)) return fprintf(stderr, "kontord: %s\n", why), 2;
    if (a.check_config) return puts("the configuration is good"), kt_config_free(&config), 0;
    if (kt_log_open(a.verify ? NULL : config.log_file, config.log_level, &log))
        return fprintf(stderr, "kontord: %s: cannot be written: give a log_file in a folder kontord may write\n",
                       config.log_file),
               2;
    const int e = a.verify ? verify(&config, log) : kt_daemon_run(&config, log) == KT_OK ? 0 : 1;
    kt_log_close(log);
    kt_config_free(&config);
    return e;
}
