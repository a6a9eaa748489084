/* One running Waybill: start, stop, and what is asked about it. */
#include "gateway/acceptor.h"
#include "gateway/alert.h"
#include "gateway/as2_int.h"
#include "gateway/certificates.h"
#include "gateway/session_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void init_locks(struct gateway *g)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&g->lock, NULL);
    pthread_mutex_init(&g->apply, NULL);
    pthread_mutex_init(&g->operators, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&g->session_left, &attr);
    pthread_condattr_destroy(&attr);
}

static bool start_all(struct gateway *g, struct err *err)
{
    struct store_config sc = { .url = g->rt->store,
                               .directory = g->rt->runtime.data_directory };
    struct snapshot *sn = NULL;

    if (!store_open(&sc, &g->store, err) || !snapshot_build(g->store, g->rt, &sn, err))
        return false;
    gateway_swap(g, sn);
    return workers_start(g, g->rt->runtime.workers, &g->workers, err) &&
           oftp2_server_start(g, &g->oftp2, err) && caller_start(g, &g->caller, err) &&
           poster_start(g, &g->poster, err) && as2_server_start(g, &g->as2, err) &&
           keeper_start(g, &g->keeper, err) && outboxes_start(g, &g->outboxes, err) &&
           alerts_start(g, &g->alerts, err);
}

bool gateway_start(struct config_runtime *rt, struct gateway **out, struct err *err)
{
    struct gateway *g = calloc(1, sizeof(*g));

    if (g == NULL || (g->trace = trace_hub_new()) == NULL) {
        free(g);
        config_runtime_free(rt);
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    }
    g->rt = rt;
    g->started_ms = net_wall_ms();
    init_locks(g);
    /* Stamps of this run begin in the next second: none can repeat one of the run before. */
    g->stamp_s = time(NULL);
    g->stamp_count = 9999;
    if (!start_all(g, err)) {
        gateway_stop(g);
        return false;
    }
    atomic_store(&g->ready, true);
    *out = g;
    return true;
}

unsigned gateway_sessions_open(struct gateway *g)
{
    unsigned n = 0;

    pthread_mutex_lock(&g->lock);
    for (const struct session *s = g->sessions; s != NULL; s = s->next)
        n++;
    pthread_mutex_unlock(&g->lock);
    return n;
}

/* Gives running transfers and steps time to end. */
static void wait_running(struct gateway *g, uint64_t ms)
{
    uint64_t until = net_now_ms() + ms;

    while ((gateway_sessions_open(g) > 0 || atomic_load(&g->busy) > 0) && net_now_ms() < until)
        (void)usleep(20000);
}

/* Connections that do not end by themselves after ESID are cut. */
static void cut_sessions(struct gateway *g)
{
    pthread_mutex_lock(&g->lock);
    for (struct session *s = g->sessions; s != NULL; s = s->next)
        conn_shutdown(s->conn);
    pthread_mutex_unlock(&g->lock);
}

static void free_all(struct gateway *g)
{
    while (g->counts != NULL) {
        struct listener_counts *next = g->counts->next;

        free(g->counts);
        g->counts = next;
    }
    snapshot_put(g->snap);
    store_close(g->store);
    trace_hub_free(g->trace);
    config_runtime_free(g->rt);
    pthread_cond_destroy(&g->session_left);
    pthread_mutex_destroy(&g->lock);
    pthread_mutex_destroy(&g->apply);
    pthread_mutex_destroy(&g->operators);
    free(g);
}

void gateway_stop(struct gateway *g)
{
    if (g == NULL)
        return;
    atomic_store(&g->ready, false);
    atomic_store(&g->stopping, true);
    net_heed_now();
    if (g->store != NULL)
        store_wake(g->store);
    alerts_stop(g->alerts);
    outboxes_stop(g->outboxes);
    keeper_stop(g->keeper);
    acceptor_stop(g->oftp2);
    acceptor_stop(g->as2);
    wait_running(g, g->rt->runtime.stop_timeout_ms);
    atomic_store(&g->ending, true);
    net_heed_now();
    wait_running(g, 3000);
    cut_sessions(g);
    caller_stop(g->caller);
    poster_stop(g->poster);
    acceptor_free(g->oftp2);
    acceptor_free(g->as2);
    workers_stop(g->workers);
    trace_hub_stop(g->trace);
    free_all(g);
}

/* ---- asked from outside ------------------------------------------------------------------ */

struct store *gateway_store(struct gateway *g)
{
    return g->store;
}

const struct config_runtime *gateway_config(const struct gateway *g)
{
    return g->rt;
}

void gateway_endpoints(struct gateway *g, struct arena *a, struct gateway_endpoint **list,
                       size_t *n)
{
    size_t all = acceptor_endpoints_n(g->oftp2) + acceptor_endpoints_n(g->as2);

    *n = 0;
    *list = arena_take(a, sizeof(**list) * (all + 1));
    if (*list == NULL)
        return;
    acceptor_endpoints(g->oftp2, a, *list, n);
    acceptor_endpoints(g->as2, a, *list, n);
}

bool gateway_ready(struct gateway *g)
{
    return atomic_load(&g->ready) && !store_failed(g->store);
}

void gateway_request_stop(struct gateway *g)
{
    atomic_store(&g->stop_requested, true);
    net_heed_now();
}

bool gateway_stop_requested(struct gateway *g)
{
    return atomic_load(&g->stop_requested);
}

bool gateway_sessions(struct gateway *g, struct arena *a, struct gateway_session **list,
                      size_t *n, struct err *err)
{
    size_t cap = gateway_sessions_open(g) + 256;

    *n = 0;
    *list = arena_take(a, sizeof(**list) * cap);
    pthread_mutex_lock(&g->lock);
    for (struct session *s = g->sessions; *list != NULL && s != NULL && *n < cap; s = s->next) {
        struct gateway_session *o = &(*list)[(*n)++];

        o->id = s->id;
        o->protocol = "oftp2";
        o->partner = arena_text(a, s->partner_name);
        o->peer_code = arena_text(a, s->peer);
        o->address = arena_text(a, conn_peer(s->conn));
        o->state = atomic_load(&s->document_id) != 0 ? "transfer" : "open";
        o->tls = arena_text(a, s->tls_text);
        o->initiator = s->initiator;
        o->since_ms = s->since_ms;
        o->document_id = atomic_load(&s->document_id);
        o->done = atomic_load(&s->done);
        o->total = atomic_load(&s->total);
        o->octets_in = atomic_load(&s->octets_in);
        o->octets_out = atomic_load(&s->octets_out);
    }
    if (*list != NULL)
        transfers_list(g, a, *list, n, cap);
    pthread_mutex_unlock(&g->lock);
    return !a->failed || FAIL(err, FAIL_LOCAL, 0, "out of memory");
}
