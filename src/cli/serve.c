/* serve: the runtime itself, until a signal or `waybill stop` ends it. */
#include "api/api.h"
#include "cli/cli.h"
#include "gateway/confine.h"
#include "net/log.h"
#include "net/net.h"

#include <curl/curl.h>
#include <errno.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_MS = 100,            /* how soon a stop by the API is noticed */
    TIDY_MS = 15 * 1000,      /* between hand-overs of free memory to the system */
    DESCRIPTORS_OTHERS = 200, /* the store, the admin server, calls, steps */
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MAY_HIDE = 0 }; /* the leak checker looks into its own process */
#else
enum { MAY_HIDE = 1 };
#endif

/* Keys and documents are in memory: they go into no core dump, nor to other processes of the same user.
 * Who looks for a fault sets WAYBILL_CORE_DUMPS. */
static void hide_memory(void)
{
    const struct rlimit none = { 0, 0 };

    if (!MAY_HIDE || getenv("WAYBILL_CORE_DUMPS") != NULL)
        return;
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
}

/* It goes on with what the system lets it give up: a gateway without a sandbox is better than none. */
static void confine(bool wanted)
{
    struct confined done;
    struct err err;

    if (!wanted)
        log_event(LOG_INFO, "serve.sandbox", "state", "off", NULL);
    else if (confine_process(&done, &err))
        log_event(LOG_INFO, "serve.sandbox", "state", "on", "calls_refused",
                  log_num(done.calls), "capabilities_dropped", log_num(done.capabilities),
                  NULL);
    else
        log_event(LOG_WARN, "serve.sandbox", "state", "partly", "calls_refused",
                  log_num(done.calls), "capabilities_dropped", log_num(done.capabilities),
                  "error", err.text, "look_at", "runtime.sandbox", NULL);
}

/* Each connection takes a descriptor or two, and 1024 is still the usual soft limit. */
static void raise_limit(struct rlimit *lim)
{
    if (getrlimit(RLIMIT_NOFILE, lim) != 0 || lim->rlim_cur == lim->rlim_max)
        return;
    lim->rlim_cur = lim->rlim_max;
    if (setrlimit(RLIMIT_NOFILE, lim) != 0)
        log_event(LOG_WARN, "serve.descriptors", "error", strerror(errno), NULL);
    (void)getrlimit(RLIMIT_NOFILE, lim);
}

/* A connection takes a descriptor, and one more while a document is on its way. Beyond the limit
 * nothing is lost, but nobody is let in, and partners are not called. */
static void check_limit(const struct config_runtime *rt, const struct rlimit *lim)
{
    unsigned long long needed =
        DESCRIPTORS_OTHERS + 2ull * rt->oftp2_server.max_connections +
        (rt->as2_server.endpoints_n > 0 ? 2ull * rt->as2_server.max_connections : 0);
    char text[200];

    if (lim->rlim_cur == RLIM_INFINITY || lim->rlim_cur >= needed)
        return;
    (void)snprintf(text, sizeof(text),
                   "%llu open files are allowed, and max_connections may need %llu",
                   (unsigned long long)lim->rlim_cur, needed);
    log_event(LOG_WARN, "serve.descriptors", "reason", text, "look_at",
              "LimitNOFILE of the service, ulimit -n; oftp2_server.max_connections, "
              "as2_server.max_connections",
              NULL);
}

/* Before any thread is made: they inherit it, so that signals come to this one alone. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
}

/* From here on a second SIGTERM or SIGINT has its usual effect. */
static void let_kill(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void say_endpoints(struct gateway *g, const struct api *api)
{
    const struct config_runtime *rt = gateway_config(g);
    struct gateway_endpoint *list;
    struct arena a = { 0 };
    size_t n;

    gateway_endpoints(g, &a, &list, &n);
    for (size_t i = 0; i < n; i++)
        log_event(LOG_INFO, "serve.endpoint", "protocol", list[i].protocol, "host",
                  list[i].host, "port", log_num(list[i].port), "tls",
                  list[i].tls ? "yes" : "no", NULL);
    log_event(LOG_INFO, "serve.ready", "name", rt->runtime.name, "version", WAYBILL_VERSION,
              "pid", log_num(getpid()), "socket", rt->admin.socket, "admin_port",
              api_port(api) != 0 ? log_num(api_port(api)) : NULL, NULL);
    arena_free(&a);
}

void cli_bound_heap(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    (void)mallopt(M_ARENA_MAX, 4);
}

static void reload(struct gateway *g)
{
    struct config_problems ps = { 0 };
    struct arena a = { 0 };
    const char *later;
    struct err err;
    char line[600];

    if (gateway_reload(g, &ps, &a, &later, &err)) {
        log_event(LOG_INFO, "serve.reload", NULL);
    } else {
        for (const struct config_problem *p = ps.first; p != NULL; p = p->next) {
            config_problem_line(p, line, sizeof(line));
            log_event(LOG_ERROR, "serve.reload.problem", "text", line, NULL);
        }
        log_event(LOG_ERROR, "serve.reload.refused", "error", err.text, "effect",
                  "nothing was changed", NULL);
    }
    config_problems_free(&ps);
    arena_free(&a);
}

/* What a burst of sessions leaves free lies between small things that are in use: no heap would
 * ever shrink by itself. */
static void tidy(uint64_t *next_ms)
{
    uint64_t now = net_now_ms();

    if (now < *next_ms)
        return;
    *next_ms = now + TIDY_MS;
    (void)malloc_trim(0);
}

/* Until it is to stop; gives the reason. */
static const char *wait_end(struct gateway *g, const sigset_t *set)
{
    const struct timespec look = { 0, LOOK_MS * 1000000L };
    uint64_t tidy_ms = net_now_ms() + TIDY_MS;

    while (!gateway_stop_requested(g)) {
        int number = sigtimedwait(set, NULL, &look);

        tidy(&tidy_ms);
        if (number == SIGHUP)
            reload(g);
        else if (number == SIGTERM)
            return "SIGTERM";
        else if (number == SIGINT)
            return "SIGINT";
    }
    return "request";
}

/* rt is taken. */
static int serve(struct config_runtime *rt, const sigset_t *set)
{
    struct gateway *g;
    struct api *api;
    struct err err;

    if (!gateway_start(rt, &g, &err)) {
        log_event(LOG_ERROR, "serve.failed", "error", err.text, NULL);
        return CLI_REFUSED;
    }
    if (!api_start(g, &api, &err)) {
        log_event(LOG_ERROR, "serve.failed", "error", err.text, NULL);
        gateway_stop(g);
        return CLI_REFUSED;
    }
    say_endpoints(g, api);
    log_event(LOG_INFO, "serve.stop", "why", wait_end(g, set), NULL);
    let_kill();
    gateway_request_stop(g); /* readyz says so while the last answers go out */
    api_stop(api);
    gateway_stop(g);
    log_event(LOG_INFO, "serve.end", NULL);
    return CLI_DONE;
}

static int run(struct cli *c)
{
    struct config_runtime *rt;
    struct rlimit lim = { .rlim_cur = RLIM_INFINITY };
    sigset_t set;
    int status;

    hide_memory();
    umask(077); /* documents and keys are nobody else's business */
    rt = cli_config_load(c);
    if (rt == NULL)
        return CLI_REFUSED;
    log_setup(rt->log.level, rt->log.format);
    raise_limit(&lim);
    check_limit(rt, &lim);
    cli_bound_heap();
    confine(rt->runtime.sandbox);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL) != 1) {
        config_runtime_free(rt);
        return cli_refused("libcurl or OpenSSL cannot be initialised");
    }
    block_signals(&set);
    status = serve(rt, &set);
    curl_global_cleanup();
    return status;
}

const struct cli_command cmd_serve = {
    .name = "serve",
    .help = "run the gateway",
    .usage = "[--config FILE]",
    .more =
        "Runs in the foreground and logs to standard error. SIGHUP reads settings and "
        "certificates again without dropping a connection; SIGTERM or SIGINT lets transfers "
        "under way finish up to `runtime.stop_timeout`; a second one ends at once.",
    .example = "waybill serve --config /etc/waybill/waybill.yaml\n",
    .run = run,
};
