#include "support/site.h"

#include "client/service.h"
#include "support/measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 60000u
#define STOP_MS  30000u

static bool failed(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    return false;
}

/* Runs a program of ours with its output at the end of LOG. */
static pid_t launch(const struct site *s, const char *log, const char *const argv[])
{
    char program[2 * SITE_PATH_MAX], path[2 * SITE_PATH_MAX];
    snprintf(program, sizeof program, "%s/%s", s->bin, argv[0]);
    snprintf(path, sizeof path, "%s/%s", s->dir, log);
    const pid_t parent = getpid(), pid = fork();
    if (pid != 0) return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    const int out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(127);
    execv(program, (char *const *)argv);
    fprintf(stderr, "%s: %s: build it, or set KONTOR_BIN\n", program, strerror(errno));
    _exit(127);
}

static bool run(const struct site *s, const char *const argv[])
{
    int status = -1;
    const pid_t pid = launch(s, "set-up.log", argv);
    if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    fprintf(stderr, "bench: %s %s %s failed; its words are in %s/set-up.log (kept)\n", argv[0], argv[1], argv[2],
            s->dir);
    return false;
}

/* A port that is free now. */
static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = 0;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0)
        port = ntohs(a.sin_port);
    if (fd >= 0) close(fd);
    return port;
}

static bool tell_proxy(const struct site *s, const char *word, const char *line, const char *first, const char *second)
{
    char socket[SITE_PATH_MAX + 16];
    const char *argv[] = {"kontor-proxy", "ask", socket, word, line, first, second, NULL};
    snprintf(socket, sizeof socket, "%s/proxy.sock", s->dir);
    return run(s, argv);
}

static bool start_proxy(struct site *s)
{
    char socket[SITE_PATH_MAX + 16];
    const char *argv[] = {"kontor-proxy", "serve", socket, NULL};
    const uint64_t until = kt_line_now_ms() + START_MS;
    snprintf(socket, sizeof socket, "%s/proxy.sock", s->dir);
    s->proxy = launch(s, "proxy.log", argv);
    while (s->proxy > 0 && access(socket, F_OK) != 0 && kt_line_now_ms() < until) measure_pause_ms(2);
    return s->proxy > 0 && kt_line_now_ms() < until ? true : failed("kontor-proxy does not start");
}

static void name_line(unsigned a, unsigned b, char out[32])
{
    snprintf(out, 32, "%u-%u", (a < b ? a : b) + 1, (a < b ? b : a) + 1);
}

bool site_line(const struct site *s, unsigned a, unsigned b, const char *word)
{
    char name[32];
    name_line(a, b, name);
    return tell_proxy(s, word, name, NULL, NULL);
}

/* Where an office dials another: its port, or that of a line to it.  0: there is none. */
static int port_towards(const struct site *s, unsigned from, unsigned to)
{
    char name[32], listen[16], target[16], delay[16];
    if (!s->proxy) return s->ports[to];
    const int port = free_port();
    name_line(from, to, name);
    snprintf(listen, sizeof listen, "%d", port);
    snprintf(target, sizeof target, "%d", s->ports[to]);
    snprintf(delay, sizeof delay, "%u", s->one_way_ms);
    return tell_proxy(s, "line", name, listen, target) && tell_proxy(s, "delay", name, delay, NULL) ? port : 0;
}

static bool write_conf(struct site *s, unsigned office)
{
    char path[2 * SITE_PATH_MAX];
    int port = 1;
    snprintf(path, sizeof path, "%s/office-%u/kontord.conf", s->dir, office + 1);
    FILE *f = fopen(path, "w");
    if (!f) return failed("a configuration cannot be written");
    s->ports[office] = free_port();
    fprintf(f, "service = {\"ipc://kontor.sock\"}\nlog_file = \"kontord.log\"\n%s",
            s->proxy ? "" : "redial_ms_max = 100\n");
    fprintf(f, "listen = {\"tcp://127.0.0.1:%d\"}\ndial = {", s->ports[office]);
    for (unsigned i = 0; i < office && port; i++)
        fprintf(f, "%s\"tcp://127.0.0.1:%d\"", i ? ", " : "", port = port_towards(s, office, i));
    fprintf(f, "}\n");
    return fclose(f) == 0 && s->ports[office] && port ? true : failed("a configuration cannot be written");
}

static bool found(struct site *s)
{
    char authority[SITE_PATH_MAX + 16], office[SITE_PATH_MAX + 32], name[32];
    char request[SITE_OFFICES_MAX][SITE_PATH_MAX + 64];
    const char *init[] = {"kontor", "authority", "init", authority, "--organisation", "Bench", NULL};
    const char *admit[24 + SITE_OFFICES_MAX] = {"kontor",        "authority",
                                                "admit",         authority,
                                                "--compartment", "core",
                                                "--compartment", "revenue",
                                                "--compartment", "service",
                                                "--system",      "revenue=revenue",
                                                "--system",      "311=service",
                                                "--read",        "core,revenue,service",
                                                "--write",       "core,revenue,service"};
    unsigned n = 18;
    snprintf(authority, sizeof authority, "%s/authority", s->dir);
    bool good = run(s, init);
    for (unsigned i = 0; good && i < s->offices; i++) {
        snprintf(office, sizeof office, "%s/office-%u", s->dir, i + 1);
        snprintf(request[i], sizeof request[i], "%s/office-%u/join.request", s->dir, i + 1);
        snprintf(name, sizeof name, "office-%u", i + 1);
        const char *node[] = {"kontor", "node", "init", office, "--office", name, NULL};
        admit[n++] = request[i];
        good = run(s, node) && write_conf(s, i);
    }
    return good && run(s, admit);
}

static bool make(struct site *s)
{
    const char *tmp = getenv("TMPDIR"), *bin = getenv("KONTOR_BIN");
    snprintf(s->dir, sizeof s->dir, "%s/kontor-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (bin && *bin) {
        snprintf(s->bin, sizeof s->bin, "%s", bin);
    } else {
        const ssize_t len = readlink("/proc/self/exe", s->bin, sizeof s->bin - 1);
        char *slash = len > 0 ? strrchr(s->bin, '/') : NULL;
        if (!slash) return failed("cannot tell where the programs are: set KONTOR_BIN");
        *slash = 0;
    }
    if (!mkdtemp(s->dir)) {
        s->dir[0] = 0;
        return failed("no temporary folder: set TMPDIR");
    }
    return true;
}

bool site_open(struct site *s, unsigned offices)
{
    *s = (struct site){.offices = offices};
    return make(s) && found(s);
}

bool site_open_far(struct site *s, unsigned offices, unsigned one_way_ms)
{
    *s = (struct site){.offices = offices, .one_way_ms = one_way_ms};
    return make(s) && start_proxy(s) && found(s);
}

void site_url(const struct site *s, unsigned office, char out[SITE_PATH_MAX + 64])
{
    snprintf(out, SITE_PATH_MAX + 64, "ipc://%s/office-%u/kontor.sock", s->dir, office + 1);
}

double site_cpu_s(const struct site *s)
{
    unsigned long user = 0, system = 0;
    double ticks = 0;
    for (unsigned i = 0; i < s->offices; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/stat", (int)s->pids[i]);
        FILE *f = s->pids[i] ? fopen(path, "r") : NULL;
        if (f && fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2)
            ticks += (double)(user + system);
        if (f) fclose(f);
    }
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

unsigned long long site_file_bytes(const struct site *s, const char *name)
{
    char path[2 * SITE_PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    return stat(path, &st) == 0 ? (unsigned long long)st.st_blocks * 512u : 0;
}

/* ---------------------------------------------------------------------------------------------------------- nodes */

static bool serves(const char *url)
{
    struct kt_line *line;
    const struct kt_line_config c = {.url = url, .deadline_ms = kt_line_now_ms() + 1000};
    if (kt_line_open(&c, &line)) return false;
    kt_line_close(line);
    return true;
}

bool site_start(struct site *s, unsigned office)
{
    char conf[2 * SITE_PATH_MAX], url[SITE_PATH_MAX + 64];
    const char *argv[] = {"kontord", "--config", conf, NULL};
    snprintf(conf, sizeof conf, "%s/office-%u/kontord.conf", s->dir, office + 1);
    site_url(s, office, url);
    s->pids[office] = launch(s, "kontord.out", argv);
    if (s->pids[office] <= 0) return failed("no further process");
    const uint64_t until = kt_line_now_ms() + START_MS;
    while (!serves(url)) {
        if (waitpid(s->pids[office], NULL, WNOHANG) != 0) {
            s->pids[office] = 0;
            return failed("a node ended at once");
        }
        if (kt_line_now_ms() > until) return failed("a node does not answer");
        measure_pause_ms(2);
    }
    return true;
}

static void end(pid_t *pid, int sig)
{
    const uint64_t until = kt_line_now_ms() + STOP_MS;
    kill(*pid, sig);
    while (waitpid(*pid, NULL, WNOHANG) == 0) {
        if (kt_line_now_ms() > until) kill(*pid, SIGKILL);
        measure_pause_ms(2);
    }
    *pid = 0;
}

bool site_stop(struct site *s, unsigned office)
{
    const uint64_t until = kt_line_now_ms() + STOP_MS;
    if (!s->pids[office]) return failed("a node that should run does not");
    end(&s->pids[office], SIGTERM);
    return kt_line_now_ms() <= until || failed("a node did not stop when it was told");
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

void site_close(struct site *s)
{
    for (unsigned i = 0; i < s->offices; i++)
        if (s->pids[i] > 0) end(&s->pids[i], SIGTERM);
    if (s->proxy > 0) end(&s->proxy, SIGTERM);
    if (s->dir[0] && !getenv("KONTOR_KEEP")) (void)nftw(s->dir, drop, 16, FTW_DEPTH | FTW_PHYS);
    if (s->dir[0] && getenv("KONTOR_KEEP")) fprintf(stderr, "kept: %s\n", s->dir);
    s->dir[0] = 0;
}
