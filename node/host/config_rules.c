#include "host/config_rules.h"
#include "proto/ids.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/un.h>

static const struct {
    const char *name;
    long min, max;
    const char *advice;
} numbers[] = {
    {"metrics_port",           0,   65535,    "give a free TCP port, or 0 for none"},
    {"redial_ms_max",          100, 15000,    "give milliseconds"                  },
    {"keys_map_mib",           0,   16777216, "give MiB, or 0 for the default"     },
    {"journal_map_mib",        0,   16777216, "give MiB, or 0 for the default"     },
    {"store_map_mib",          0,   16777216, "give MiB, or 0 for the default"     },
    {"checkpoint_minutes",     1,   10080,    "give minutes, at most a week"       },
    {"checkpoint_journal_mib", 1,   1048576,  "give MiB; 256 is the default"       },
};

static const struct {
    const char *name;
    unsigned count_max;
    const char *schemes[4];
    const char *advice;
} lists[] = {
    {"listen",        16,                  {"tcp://", "ws://", "tls+tcp://"}, "give tcp://HOST:PORT"                        },
    {"dial",          KT_PEERS_MAX,        {"tcp://", "ws://", "tls+tcp://"}, "give tcp://HOST:PORT"                        },
    {"service",       16,                  {"ipc://", "tcp://"},              "give ipc://PATH or tcp://HOST:PORT"          },
    {"service_users", 64,                  {NULL},                            "give the names of unix users"                },
    {"compartments",  KT_COMPARTMENTS_MAX, {NULL},                            "give names of compartments, such as \"core\""},
};

enum { CLIENTS_MAX = KT_CLIENTS_MAX, URL_CHARS_MAX = 1024 };

static void complain(cfg_t *cfg, const char *format, va_list values)
{
    cfg_opt_t *at = cfg_getopt(cfg, KT_CONFIG_COMPLAINT_OPTION);
    struct kt_config_complaint *c = at ? (struct kt_config_complaint *)(void *)at->simple_value.ptr : NULL;
    if (!c || c->why[0]) return;
    size_t room = KT_CONFIG_WHY_BYTES_MAX;
    int n = cfg->line ? snprintf(c->why, room, "%s:%d: ", cfg->filename, cfg->line)
                      : snprintf(c->why, room, "%s: ", cfg->filename);
    if (n > 0 && (size_t)n < room) vsnprintf(c->why + n, room - (size_t)n, format, values);
}

/* Always -1, which is how a rule tells the parser to stop. */
__attribute__((format(printf, 2, 3))) static int wrong(cfg_t *cfg, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    complain(cfg, format, values);
    va_end(values);
    return -1;
}

/* libconfuse's own complaints say what is wrong and name the option, but not what to do. */
static void on_parser_error(cfg_t *cfg, const char *format, va_list values)
{
    char said[KT_CONFIG_WHY_BYTES_MAX / 2];
    vsnprintf(said, sizeof said, format, values);
    wrong(cfg, "%s: correct this line; kontord(8) lists every option", said);
}

static int check_number(cfg_t *cfg, cfg_opt_t *opt)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(numbers[i].name, opt->name) != 0) continue;
        long n = cfg_opt_getnint(opt, 0);
        if (n >= numbers[i].min && n <= numbers[i].max) return 0;
        return wrong(cfg, "%s: %ld is not between %ld and %ld: %s", opt->name, n, numbers[i].min, numbers[i].max,
                     numbers[i].advice);
    }
    return 0;
}

static bool has_scheme(const char *url, const char *const *schemes)
{
    if (!schemes[0]) return url[0] != 0;
    for (; *schemes; schemes++) {
        size_t len = strlen(*schemes);
        if (strncmp(url, *schemes, len) == 0 && url[len]) return true;
    }
    return false;
}

/* Called for each element as it is read: only the newest needs a look. */
static int check_list(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned n = cfg_opt_size(opt);
    for (size_t i = 0; n && i < sizeof lists / sizeof lists[0]; i++) {
        if (strcmp(lists[i].name, opt->name) != 0) continue;
        const char *newest = cfg_opt_getnstr(opt, n - 1);
        if (n > lists[i].count_max)
            return wrong(cfg, "%s: more than %u of them: leave some out", opt->name, lists[i].count_max);
        if (strlen(newest) > URL_CHARS_MAX)
            return wrong(cfg, "%s: longer than %d characters: %s", opt->name, URL_CHARS_MAX, lists[i].advice);
        if (!has_scheme(newest, lists[i].schemes))
            return wrong(cfg, "%s: \"%s\" is not one: %s", opt->name, newest, lists[i].advice);
    }
    return 0;
}

static int check_level(cfg_t *cfg, cfg_opt_t *opt)
{
    enum kt_log_level level;
    const char *name = cfg_opt_getnstr(opt, 0);
    if (kt_log_level_of(name, &level) == KT_OK) return 0;
    return wrong(cfg, "%s: \"%s\" is not a level: give error, warn, info or debug", opt->name, name);
}

static int check_country(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *code = cfg_opt_getnstr(opt, 0);
    size_t len = strlen(code);
    if (len <= 3 && strspn(code, "0123456789") == len && code[0] != '0') return 0;
    return wrong(cfg, "%s: \"%s\" is not a country code: give 1 to 3 digits such as \"49\", without + or 00", opt->name,
                 code);
}

static int check_folder(cfg_t *cfg, cfg_opt_t *opt)
{
    if (cfg_opt_getnstr(opt, 0)[0]) return 0;
    return wrong(cfg, "%s: is empty: give the folder of this node's data", opt->name);
}

static int check_key(cfg_t *cfg, cfg_opt_t *opt)
{
    uint8_t key[KT_KEY_BYTES];
    const char *hex = cfg_opt_getnstr(opt, 0);
    if (strlen(hex) == 2 * sizeof key && kt_unhex(hex, key, sizeof key) == KT_OK) return 0;
    return wrong(cfg, "%s: is not an X25519 public key: give its 64 hexadecimal digits", opt->name);
}

static int check_client(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned n = cfg_opt_size(opt);
    cfg_t *client = cfg_opt_getnsec(opt, n - 1);
    if (n > CLIENTS_MAX) return wrong(cfg, "client: more than %d of them: leave some out", CLIENTS_MAX);
    if (!cfg_title(client)[0]) return wrong(cfg, "client: has no name: write client \"NAME\" { ... }");
    if (cfg_size(client, "key") == 0)
        return wrong(cfg, "client \"%s\": has no key: give key = \"64 hexadecimal digits\"", cfg_title(client));
    if (cfg_size(client, "compartments") == 0)
        return wrong(cfg, "client \"%s\": has no compartments: give compartments = {\"core\"}", cfg_title(client));
    return 0;
}

void kt_config_rules_install(cfg_t *cfg)
{
    cfg_set_error_function(cfg, on_parser_error);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        cfg_set_validate_func(cfg, numbers[i].name, check_number);
    for (size_t i = 0; i + 1 < sizeof lists / sizeof lists[0]; i++) /* the last stands in a section */
        cfg_set_validate_func(cfg, lists[i].name, check_list);
    cfg_set_validate_func(cfg, "log_level", check_level);
    cfg_set_validate_func(cfg, "phone_country", check_country);
    cfg_set_validate_func(cfg, "data_dir", check_folder);
    cfg_set_validate_func(cfg, "client", check_client);
    cfg_set_validate_func(cfg, "client|compartments", check_list);
    cfg_set_validate_func(cfg, "client|key", check_key);
}

int kt_config_rules_whole(cfg_t *cfg)
{
    cfg->line = 0; /* of no single line */
    if (cfg_size(cfg, "service") == 0)
        return wrong(cfg, "service: is empty: give at least one URL, such as \"ipc://kontor.sock\"") ? KT_ECONFIG
                                                                                                     : KT_OK;
    return KT_OK;
}
