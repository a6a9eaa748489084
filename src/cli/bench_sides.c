/* Two gateways for benchmarks, each a process of its own with its own store. */
#include "cli/bench.h"

#include "gateway/gateway.h"
#include "net/log.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

bool bench_write_file(const char *dir, const char *name, const char *text, struct err *err)
{
    char path[400];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "we");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        return FAIL(err, FAIL_LOCAL, 0, "cannot write '%s': %m", path);
    return true;
}

struct gateway *bench_gateway(const char *dir, const char *side, bool listens, bool tls,
                              struct err *err)
{
    struct config_problems ps = { 0 };
    struct config_runtime *rt;
    struct gateway *g = NULL;
    char yaml[2000], line[600], file[64];

    (void)snprintf(yaml, sizeof(yaml),
                   "runtime: {name: %s, data_directory: %s/%s}\nstore: sqlite\n"
                   "oftp2_server:\n  buffer_size: 99999\n  credit: 999\n%s%s"
                   "admin: {listen: \"\"}\n",
                   side, dir, side,
                   listens ? "  endpoints:\n    - {host: 127.0.0.1, port: 0" : "",
                   !listens ? ""
                   : tls    ? ", session_level_encryption: true, server_ssl_certificate: tls}\n"
                            : "}\n");
    (void)snprintf(file, sizeof(file), "%s.yaml", side);
    rt = config_runtime_parse(span_text(yaml), file, &ps);
    if (rt == NULL && ps.first != NULL) {
        config_problem_line(ps.first, line, sizeof(line));
        (void)FAIL(err, FAIL_LOCAL, 0, "%s", line);
    }
    config_problems_free(&ps);
    return rt != NULL && gateway_start(rt, &g, err) ? g : NULL;
}

bool bench_apply(struct gateway *g, const char *yaml, struct err *err)
{
    struct config_problems ps = { 0 };
    struct arena a = { 0 };
    struct gateway_applied *list;
    size_t n;
    bool ok =
        gateway_apply(g, span_text(yaml), "bench", false, "bench", &a, &list, &n, &ps, err);

    if (!ok && ps.first != NULL)
        config_problem_line(ps.first, err->text, sizeof(err->text));
    config_problems_free(&ps);
    arena_free(&a);
    return ok;
}

pid_t bench_child(void)
{
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        log_setup("error", "text");
    }
    return pid;
}

void bench_complain(const struct err *err)
{
    (void)fprintf(stderr, "waybill bench: %s\n", err->text);
}

bool bench_end_child(pid_t pid, struct rusage *ru)
{
    int status = 1;

    return pid > 0 && wait4(pid, &status, 0, ru) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

void bench_remove(const char *dir, const char *name)
{
    char path[400];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
