#include "host/config.h"
#include "host/config_rules.h"
#include "proto/ids.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Copies what the parser holds, with a sticky error, and paths made absolute by the folder of the file. */
struct copier {
    cfg_t *cfg;
    const char *folder;
    int err;
};

static char *copy(struct copier *c, const char *text)
{
    char *s = strdup(text ? text : "");
    if (!s && c->err == KT_OK) c->err = KT_ENOMEM;
    return s;
}

static char *copy_path(struct copier *c, const char *prefix, const char *path)
{
    char *s = NULL;
    bool whole = path[0] == '/' || path[0] == 0;
    int n = whole ? asprintf(&s, "%s%s", prefix, path) : asprintf(&s, "%s%s/%s", prefix, c->folder, path);
    if (n >= 0) return s;
    if (c->err == KT_OK) c->err = KT_ENOMEM;
    return NULL;
}

static char *copy_url(struct copier *c, const char *url)
{
    static const char ipc[] = "ipc://";
    return strncmp(url, ipc, sizeof ipc - 1) == 0 ? copy_path(c, ipc, url + sizeof ipc - 1) : copy(c, url);
}

static struct kt_config_list copy_list(struct copier *c, cfg_t *section, const char *name)
{
    struct kt_config_list l = {NULL, 0};
    size_t n = cfg_size(section, name);
    if (n == 0) return l;
    l.at = calloc(n, sizeof *l.at);
    if (!l.at) {
        if (c->err == KT_OK) c->err = KT_ENOMEM;
        return l;
    }
    for (; l.count < n; l.count++) l.at[l.count] = copy_url(c, cfg_getnstr(section, name, (unsigned)l.count));
    return l;
}

static void copy_clients(struct copier *c, struct kt_config *out)
{
    size_t n = cfg_size(c->cfg, "client");
    if (n == 0) return;
    out->clients = calloc(n, sizeof *out->clients);
    if (!out->clients) {
        if (c->err == KT_OK) c->err = KT_ENOMEM;
        return;
    }
    for (; out->clients_count < n; out->clients_count++) {
        struct kt_config_client *k = &out->clients[out->clients_count];
        cfg_t *section = cfg_getnsec(c->cfg, "client", (unsigned)out->clients_count);
        k->name = copy(c, cfg_title(section));
        k->compartments = copy_list(c, section, "compartments");
        int rc = kt_unhex(cfg_getstr(section, "key"), k->key, sizeof k->key);
        if (rc != KT_OK && c->err == KT_OK) c->err = rc;
    }
}

static int copy_all(cfg_t *cfg, const char *folder, struct kt_config *out)
{
    struct copier c = {cfg, folder, KT_OK};
    *out = (struct kt_config){
        .data_dir = copy_path(&c, "", cfg_getstr(cfg, "data_dir")),
        .listen = copy_list(&c, cfg, "listen"),
        .dial = copy_list(&c, cfg, "dial"),
        .service = copy_list(&c, cfg, "service"),
        .service_users = copy_list(&c, cfg, "service_users"),
        .metrics_port = (uint16_t)cfg_getint(cfg, "metrics_port"),
        .pid_file = copy_path(&c, "", cfg_getstr(cfg, "pid_file")),
        .log_file = copy_path(&c, "", cfg_getstr(cfg, "log_file")),
        .phone_country = copy(&c, cfg_getstr(cfg, "phone_country")),
        .redial_ms_max = (uint32_t)cfg_getint(cfg, "redial_ms_max"),
        .keys_map_mib = (uint64_t)cfg_getint(cfg, "keys_map_mib"),
        .journal_map_mib = (uint64_t)cfg_getint(cfg, "journal_map_mib"),
        .store_map_mib = (uint64_t)cfg_getint(cfg, "store_map_mib"),
        .checkpoint_minutes = (uint32_t)cfg_getint(cfg, "checkpoint_minutes"),
        .checkpoint_journal_mib = (uint32_t)cfg_getint(cfg, "checkpoint_journal_mib"),
    };
    int rc = kt_log_level_of(cfg_getstr(cfg, "log_level"), &out->log_level);
    if (rc != KT_OK && c.err == KT_OK) c.err = rc;
    copy_clients(&c, out);
    return c.err;
}

/* Socket paths have a short limit of their own, which shows only once the path is whole. */
static int check_sockets(const struct kt_config *c, const char *path, char *why)
{
    size_t room = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    for (size_t i = 0; i < c->service.count; i++) {
        const char *url = c->service.at[i];
        if (strncmp(url, "ipc://", 6) != 0 || strlen(url + 6) <= room) continue;
        snprintf(why, KT_CONFIG_WHY_BYTES_MAX,
                 "%s: service: %.150s is longer than %zu characters: choose a shorter path", path, url + 6, room);
        return KT_ECONFIG;
    }
    return KT_OK;
}

static cfg_t *new_parser(struct kt_config_complaint *complaint)
{
    cfg_opt_t hidden = CFG_PTR_CB(KT_CONFIG_COMPLAINT_OPTION, NULL, CFGF_NODEFAULT, NULL, NULL);
    hidden.simple_value.ptr = (void **)(void *)complaint;
    char service[] = "{\"ipc://kontor.sock\"}"; /* the table wants it writable, and copies it */
    cfg_opt_t client[] = {
        CFG_STR("key", NULL, CFGF_NODEFAULT),
        CFG_STR_LIST("compartments", NULL, CFGF_NODEFAULT),
        hidden,
        CFG_END(),
    };
    cfg_opt_t all[] = {
        CFG_STR("data_dir", ".", CFGF_NONE),
        CFG_STR_LIST("listen", NULL, CFGF_NONE),
        CFG_STR_LIST("dial", NULL, CFGF_NONE),
        CFG_STR_LIST("service", service, CFGF_NONE),
        CFG_STR_LIST("service_users", NULL, CFGF_NONE),
        CFG_INT("metrics_port", 0, CFGF_NONE),
        CFG_STR("pid_file", "", CFGF_NONE),
        CFG_STR("log_file", "", CFGF_NONE),
        CFG_STR("log_level", "info", CFGF_NONE),
        CFG_STR("phone_country", "", CFGF_NONE),
        CFG_INT("redial_ms_max", KT_REDIAL_MS_DEFAULT, CFGF_NONE),
        CFG_INT("keys_map_mib", 0, CFGF_NONE),
        CFG_INT("journal_map_mib", 0, CFGF_NONE),
        CFG_INT("store_map_mib", 0, CFGF_NONE),
        CFG_INT("checkpoint_minutes", 60, CFGF_NONE),
        CFG_INT("checkpoint_journal_mib", 256, CFGF_NONE),
        CFG_SEC("client", client, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        hidden,
        CFG_END(),
    };
    return cfg_init(all, CFGF_NONE); /* copies the tables, keeps the pointer in `hidden` */
}

static int parse(const char *path, struct kt_config_complaint *complaint, cfg_t **out)
{
    struct stat st;
    FILE *in = fopen(path, "re");
    if (!in || fstat(fileno(in), &st) != 0 || !S_ISREG(st.st_mode)) {
        snprintf(complaint->why, KT_CONFIG_WHY_BYTES_MAX, "%s: cannot be read: %s: check the path and its rights", path,
                 !in ? strerror(errno) : "not a file");
        if (in) fclose(in);
        return KT_EIO;
    }
    cfg_t *cfg = new_parser(complaint);
    int rc = cfg ? KT_OK : KT_ENOMEM;
    if (cfg) {
        kt_config_rules_install(cfg);
        cfg->filename = strdup(path);
        errno = 0; /* libconfuse tells an overflow by it, and does not clear it first */
        if (!cfg->filename || cfg_parse_fp(cfg, in) != CFG_SUCCESS) rc = cfg->filename ? KT_ECONFIG : KT_ENOMEM;
    }
    fclose(in);
    if (rc == KT_OK) rc = kt_config_rules_whole(cfg);
    if (rc == KT_OK)
        *out = cfg;
    else
        cfg_free(cfg);
    return rc;
}

int kt_config_load(const char *path, struct kt_config *out, char why[KT_CONFIG_WHY_BYTES_MAX])
{
    struct kt_config_complaint complaint = {why};
    struct kt_config c = {0};
    cfg_t *cfg = NULL;
    why[0] = 0;
    int rc = parse(path, &complaint, &cfg);
    if (rc == KT_OK) {
        char *folder = realpath(path, NULL);
        char *slash = folder ? strrchr(folder, '/') : NULL;
        if (slash) *slash = 0; /* the file "/x" is in the folder "" */
        rc = folder ? copy_all(cfg, folder, &c) : KT_EIO;
        free(folder);
    }
    if (cfg) cfg_free(cfg);
    if (rc == KT_OK) rc = check_sockets(&c, path, why);
    if (rc == KT_OK)
        *out = c;
    else
        kt_config_free(&c);
    if (rc != KT_OK && !why[0])
        snprintf(why, KT_CONFIG_WHY_BYTES_MAX, "%s: %s: %s", path, kt_error_text(rc), kt_error_advice(rc));
    return rc;
}

static void free_list(struct kt_config_list *l)
{
    for (size_t i = 0; i < l->count; i++) free(l->at[i]);
    free(l->at);
}

void kt_config_free(struct kt_config *c)
{
    for (size_t i = 0; i < c->clients_count; i++) {
        free(c->clients[i].name);
        free_list(&c->clients[i].compartments);
    }
    free(c->clients);
    free_list(&c->listen);
    free_list(&c->dial);
    free_list(&c->service);
    free_list(&c->service_users);
    free(c->data_dir);
    free(c->pid_file);
    free(c->log_file);
    free(c->phone_country);
    *c = (struct kt_config){0};
}
