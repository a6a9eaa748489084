/* A fixed pool that takes jobs: opening documents and running processes. */
#include "gateway/security.h"

#include <stdlib.h>

enum { WORK = 1u << JOB_OPEN | 1u << JOB_PROCESS | 1u << JOB_SEAL, WAIT_MS = 1000 };

struct workers {
    struct gateway *g;
    unsigned n;
    pthread_t threads[64];
};

static bool take_one(struct gateway *g, struct arena *a)
{
    struct job j;
    struct err err = { 0 };
    bool found = false;

    if (!store_take_job(g->store, WORK, NULL, NULL, 0, net_wall_ms(), LEASE_MS, a, &j, &found,
                        &err)) {
        log_event(LOG_ERROR, "store.jobs", "reason", err.text, NULL);
        return false;
    }
    if (!found)
        return false;
    atomic_fetch_add(&g->busy, 1);
    if (j.kind == JOB_OPEN)
        open_run(g, &j);
    else if (j.kind == JOB_SEAL)
        seal_run(g, &j);
    else
        process_run(g, &j);
    atomic_fetch_sub(&g->busy, 1);
    return true;
}

static void *worker_thread(void *arg)
{
    struct gateway *g = arg;
    uint64_t seen = 0;

    while (!atomic_load(&g->stopping)) {
        struct arena a = { 0 };
        struct err err;
        int64_t due = WAIT_MS;

        if (!take_one(g, &a)) {
            if (!store_next_due(g->store, WORK, net_wall_ms(), &due, &err) || due > WAIT_MS)
                due = WAIT_MS;
            /* A due job that is held by another worker must not make this one spin. */
            store_wait_kinds(g->store, WORK, true, &seen, due < 10 ? 10 : due);
        }
        arena_free(&a);
    }
    return NULL;
}

bool workers_start(struct gateway *g, unsigned n, struct workers **out, struct err *err)
{
    struct workers *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    w->g = g;
    *out = w;
    for (; w->n < n && w->n < COUNT_OF(w->threads); w->n++)
        if (pthread_create(&w->threads[w->n], NULL, worker_thread, g) != 0)
            return FAIL(err, FAIL_LOCAL, 0, "no thread can be started");
    return true;
}

void workers_stop(struct workers *w)
{
    if (w == NULL)
        return;
    store_wake(w->g->store);
    for (unsigned i = 0; i < w->n; i++)
        (void)pthread_join(w->threads[i], NULL);
    free(w);
}
