#include "gateway/overview.h"
#include "gateway/acceptor.h"
#include "gateway/certificates.h"
#include "gateway/session_int.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/statvfs.h>

void gateway_disk(struct gateway *g, uint64_t *free_octets, uint64_t *total)
{
    struct statvfs v;

    *free_octets = *total = 0;
    if (statvfs(g->rt->runtime.data_directory, &v) != 0)
        return;
    *free_octets = (uint64_t)v.f_bavail * v.f_frsize;
    *total = (uint64_t)v.f_blocks * v.f_frsize;
}

static int by_days(const void *a, const void *b)
{
    const struct gateway_expiring *x = a, *y = b;

    return x->days != y->days ? (x->days < y->days ? -1 : 1) : strcmp(x->name, y->name);
}

static void find_expiring(const struct snapshot *sn, struct arena *a,
                          struct gateway_overview *o)
{
    o->expiring = arena_take(a, sizeof(*o->expiring) * (sn->certificates_n + 1));
    for (size_t i = 0; o->expiring != NULL && i < sn->certificates_n; i++) {
        int days = certificate_days_left(&sn->certificates[i], o->now_ms / 1000);

        if (days == INT_MIN || days >= OVERVIEW_DAYS)
            continue;
        o->expiring[o->expiring_n++] = (struct gateway_expiring) {
            .name = arena_text(a, sn->certificates[i].name),
            .days = days,
        };
    }
    if (o->expiring_n > 1)
        qsort(o->expiring, o->expiring_n, sizeof(*o->expiring), by_days);
    if (o->expiring_n > OVERVIEW_EXPIRING)
        o->expiring_n = OVERVIEW_EXPIRING;
}

static void look_at_snapshot(struct gateway *g, struct arena *a, struct gateway_overview *o)
{
    struct snapshot *sn = gateway_snapshot(g);

    for (size_t i = 0; i < sn->listeners_n; i++) {
        enum listener_state st = sn->listeners[i].state;

        o->listening += st == LISTENER_LISTENING;
        o->paused += st == LISTENER_PAUSED;
        o->errored += st == LISTENER_ERRORED;
    }
    find_expiring(sn, a, o);
    snapshot_put(sn);
}

static bool add_up(struct gateway *g, struct gateway_overview *o, struct err *err)
{
    struct store_minute *all = calloc(STORE_MINUTES, sizeof(*all));

    if (all == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    store_get_minutes(g->store, o->now_ms, STORE_MINUTES, all);
    for (size_t i = 0; i < STORE_MINUTES; i++) {
        size_t left = STORE_MINUTES - i;

        for (size_t k = 0; k < STORE_OUTCOMES; k++) {
            o->day[k] += all[i].n[k];
            o->hour[k] += left <= OVERVIEW_MINUTES ? all[i].n[k] : 0;
        }
        if (left <= OVERVIEW_MINUTES)
            o->minutes[OVERVIEW_MINUTES - left] = all[i];
    }
    free(all);
    return true;
}

/* As it was when it could be read last: a disk that is in trouble must not hide the metrics that tell. */
static uint64_t count_held(struct gateway *g)
{
    struct err ignored;
    uint64_t n;

    if (!store_count_held(g->store, &n, &ignored))
        return atomic_load(&g->n.held);
    atomic_store(&g->n.held, n);
    return n;
}

bool gateway_get_overview(struct gateway *g, struct arena *a, struct gateway_overview *out,
                          struct err *err)
{
    struct gateway_overview o = {
        .ready = gateway_ready(g) && !gateway_stop_requested(g),
        .now_ms = net_wall_ms(),
        .started_ms = g->started_ms,
        .sessions = gateway_sessions_open(g),
        .as2_connections = acceptor_connections(g->as2),
        .octets_in = atomic_load(&g->n.octets_in),
        .octets_out = atomic_load(&g->n.octets_out),
    };

    store_get_counts(g->store, &o.counts);
    gateway_disk(g, &o.disk_free, &o.disk_total);
    look_at_snapshot(g, a, &o);
    o.held = count_held(g);
    if (!add_up(g, &o, err))
        return false;
    if (a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    *out = o;
    return true;
}
